// One panel: a title, the picture of the points, an overlay for what follows the pointer, and a legend that is a
// switch.

const whole = (number) => number.toLocaleString("en");
const css = ([r, g, b]) => `rgb(${r} ${g} ${b})`;

class Panel {
  /** `onHighlight` is called when somebody switched a class on or off. */
  constructor(onHighlight) {
    this.onHighlight = onHighlight;
    this.root = element("figure", "panel");
    this.title = element("figcaption");
    this.stage = element("div", "stage");
    this.stage.tabIndex = 0;
    this.stage.setAttribute("role", "img");
    [this.base, this.over] = [element("canvas"), element("canvas")];
    this.hint = element("p", "hint");
    this.stage.append(this.base, this.over, this.hint);
    this.legend = element("ul", "legend");
    this.root.append(this.title, this.stage, this.legend);
    this.raster = new Raster(this.base);
    this.highlighted = new Set(); // values; none: all
  }

  /** Show another colouring, or the same with other values. */
  take(colouring, index, points) {
    const before = this.colouring;
    const isOther = before?.name !== colouring.name || String(before.labels) !== String(colouring.labels);
    const hasSameColours = !isOther && String(before.colours) === String(colouring.colours);
    const isKept = hasSameColours && before.low === colouring.low;
    Object.assign(this, { colouring, index });
    if (isOther) this.highlighted.clear();
    this.title.textContent = colouring.name;
    if (!isKept) this.build();
    const counted = (label, value) => `${label} ${whole(colouring.counts[value])}`;
    const classes = colouring.isNumber ? [] : colouring.labels.map(counted);
    const what = `Map of ${whole(points.n)} points in ${points.dimensions} dimensions, coloured by ${colouring.name}`;
    this.stage.setAttribute("aria-label", [what, classes.join(", ")].filter(Boolean).join(": "));
  }

  build() {
    const { colouring, legend } = this;
    if (colouring.isNumber) {
      const scale = element("li", "scale");
      const end = (number) => element("span", "", colouring.written(number));
      scale.append(end(colouring.low), element("i"), end(colouring.high));
      legend.replaceChildren(scale, element("li", "unknown"));
      return;
    }
    legend.replaceChildren(...colouring.labels.map((label, value) => this.entry(label, value)));
  }

  entry(label, value) {
    const item = element("li");
    const button = Object.assign(element("button"), { type: "button", title: `Show only ${label}, or all again` });
    button.append(element("i"), element("span", "", label), element("span", "count"));
    button.addEventListener("click", () => {
      if (!this.highlighted.delete(value)) this.highlighted.add(value);
      if (this.highlighted.size === this.colouring.labels.length) this.highlighted.clear();
      this.onHighlight();
    });
    item.append(button);
    return item;
  }

  /** Colours and counts of the legend; `selected` (n,) or null. */
  showLegend(palette, selected) {
    const { colouring, legend } = this;
    if (colouring.isNumber) {
      const stops = [1, 64, 128, 192, 255].map((level) => css(palette[level]));
      legend.querySelector("i").style.background = `linear-gradient(to right, ${stops})`;
      const unknown = colouring.counts[0];
      legend.querySelector(".unknown").textContent = unknown ? `${whole(unknown)} not known, grey` : "";
      return;
    }
    const counts = selected && colouring.count(selected);
    legend.querySelectorAll("button").forEach((button, value) => {
      const total = whole(colouring.counts[value]);
      button.querySelector("i").style.background = css(palette[value]);
      button.querySelector(".count").textContent = counts ? `${whole(counts[value])}/${total}` : total;
      button.setAttribute("aria-pressed", this.highlighted.has(value));
    });
    legend.classList.toggle("some", this.highlighted.size > 0);
  }

  /** Whether a point's class is switched on here. */
  isLit(row) {
    return !this.highlighted.size || this.highlighted.has(this.colouring.values[row]);
  }
}
