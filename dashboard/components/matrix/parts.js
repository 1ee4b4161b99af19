// What the matrix and the gallery share: elements, names with their colour, and one tooltip.

const element = (tag, name = "", text = "") => Object.assign(document.createElement(tag), { className: name, textContent: text });

/** A name behind a dot of its colour. */
function named(name, colour) {
  const whole = element("span", "named");
  const dot = element("i", "dot");
  dot.style.background = colour;
  whole.append(dot, element("span", "", name));
  return whole;
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
    const { offsetWidth: width, offsetHeight: height } = this.box;
    const left = at.left - outer.left + (at.width - width) / 2;
    const above = at.top > height + 70; // below Streamlit's own bar at the top of the page
    Object.assign(this.box.style, {
      left: `${Math.max(Math.min(left, outer.width - width), 0)}px`,
      top: `${(above ? at.top - height - 7 : at.bottom + 7) - outer.top}px`,
    });
  }

  hide() {
    this.box.hidden = true;
  }
}
