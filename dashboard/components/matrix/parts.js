// What the matrix and the gallery share: names with their colour, and one tooltip.

/** A name behind a dot of its colour. */
function named(name, colour) {
  const whole = element("span", "named");
  const dot = element("i", "dot");
  dot.style.background = colour;
  whole.append(dot, element("span", "", name));
  return whole;
}

/** Where a tooltip goes, in px within the box `outer`: above the box `at`, or below it where there is no room. */
function placeOfTip(outer, at, width, height) {
  const left = at.left - outer.left + (at.width - width) / 2;
  const above = at.top > height + 70; // below Streamlit's own bar at the top of the page
  return {
    left: Math.max(Math.min(left, outer.width - width), 0),
    top: (above ? at.top - height - 7 : at.bottom + 7) - outer.top,
  };
}

/** The one tooltip of a component; it stays inside the component's width, so the page never grows sideways. */
class Tip {
  constructor(root) {
    this.root = root;
    this.box = root.querySelector(".tip");
    root.addEventListener("keydown", ({ key }) => key === "Escape" && this.hide());
  }

  show(target, lines) {
    this.box.replaceChildren(...lines);
    this.box.hidden = false;
    const [outer, at] = [this.root, target].map((each) => each.getBoundingClientRect());
    const { left, top } = placeOfTip(outer, at, this.box.offsetWidth, this.box.offsetHeight);
    Object.assign(this.box.style, { left: `${left}px`, top: `${top}px` });
  }

  hide() {
    this.box.hidden = true;
  }
}
