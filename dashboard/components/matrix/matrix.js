// A table of buttons. Python sends every word and shade; Python hears which cell, row or column was chosen.

const STEPS = {
  ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1], Home: [0, -99], End: [0, 99],
}; // prettier-ignore
const COLOURS = ["--ink", "--st-background-color", "--st-secondary-background-color", "--plus", "--minus"];
const pen = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });

/** Red, green, blue (0-255) of any colour that CSS knows. */
function rgb(colour) {
  pen.fillStyle = colour;
  pen.fillRect(0, 0, 1, 1);
  return Array.from(pen.getImageData(0, 0, 1, 1).data.slice(0, 3));
}

// WCAG 2.2, relative luminance and contrast
const linear = (value) => (value <= 10.31475 ? value / 3294.6 : ((value / 255 + 0.055) / 1.055) ** 2.4);
const luminance = ([r, g, b]) => 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
const contrast = (...pair) => (Math.max(...pair.map(luminance)) + 0.05) / (Math.min(...pair.map(luminance)) + 0.05);

class Matrix {
  constructor(root) {
    this.root = root;
    this.$ = (name) => root.querySelector(name);
    this.table = this.$("table");
    this.tip = new Tip(root);
    this.grid = []; // buttons by row and column; row 0 and column 0 are the headers, [0][0] is the corner
    this.on("click", (button) => this.choose(button));
    this.on("focusin", (button) => {
      this.makeTabStop(button);
      this.point(button);
    });
    this.on("pointermove", (button) => button !== this.pointed && this.point(button));
    for (const kind of ["focusout", "pointerleave"]) this.table.addEventListener(kind, () => this.point(null));
    this.table.addEventListener("keydown", (event) => this.move(event));
  }

  on(kind, act) {
    this.table.addEventListener(kind, ({ target }) => act(target.closest("button")));
  }

  // Python's values; called again whenever they, or the theme's colours, change.
  update(data, tell) {
    Object.assign(this, data, { tell });
    this.$("caption").textContent = data.title;
    this.$(".foot").hidden = !data.detected.includes(true);
    if (String(data.names) !== this.built) this.build();
    this.fill();
    this.showChosen();
  }

  build() {
    this.built = String(this.names);
    this.table.style.setProperty("--k", this.names.length);
    this.table.classList.toggle("many", this.names.length > 4);
    const lines = ["", ...this.names];
    this.grid = lines.map((_, row) => lines.map((__, column) => this.newButton(row, column)));
    const [head, ...rows] = this.grid.map((buttons, row) => {
      const line = element("tr");
      line.append(...buttons.map((button, column) => this.newCell(button, row, column)));
      return line;
    });
    this.$("thead").replaceChildren(head);
    this.$("tbody").replaceChildren(...rows);
    this.makeTabStop(this.grid[1][1]);
  }

  newButton(row, column) {
    if (!row && !column) return null;
    const button = Object.assign(element("button"), { type: "button", tabIndex: -1, row, column });
    if (!row || !column) button.append(named(this.names[row + column - 1], this.colours[row + column - 1]));
    return button;
  }

  newCell(button, row, column) {
    const cell = element(row && column ? "td" : "th", row && row === column ? "diagonal" : "");
    if (button) cell.append(button);
    else {
      cell.className = "corner";
      cell.append(element("span", "", "answered →"), element("span", "", "labelled ↓"));
    }
    if (button && !column) cell.scope = "row";
    else if (button && !row) cell.scope = "col";
    return cell;
  }

  fill() {
    const style = getComputedStyle(this.root);
    const [ink, page, base, plus, minus] = COLOURS.map((name) => rgb(style.getPropertyValue(name)));
    const inks = [ink, page, [0, 0, 0], [255, 255, 255]]; // black or white always has 4.5:1
    const lengths = this.shown.flat().map((text) => text.replace(/\s*%$/, "").length);
    this.table.style.setProperty("--chars", Math.max(...lengths));
    for (const button of this.grid.flat().slice(1)) {
      const { row, column } = button;
      button.setAttribute("aria-label", this.labels[row][column]);
      if (!row || !column) {
        if (row) this.showMark(button, this.detected[row - 1]);
        continue;
      }
      const shade = this.shade[row - 1][column - 1];
      const full = shade < 0 ? minus : plus;
      const back = base.map((value, i) => Math.round(value + Math.abs(shade) * (full[i] - value)));
      const [text, number] = this.shown[row - 1][column - 1].match(/^(.*?)\s*%?$/s);
      button.replaceChildren(number, element("span", "unit", text.slice(number.length)));
      button.style.background = `rgb(${back})`;
      button.style.color = `rgb(${inks.find((each) => contrast(each, back) >= 4.5)})`;
    }
  }

  showMark(button, detected) {
    button.querySelector(".mark")?.remove();
    if (detected) button.append(element("span", "mark", "✓"));
  }

  // The line around the chosen cell, row or column, and where the tab key enters the table.
  showChosen() {
    const [row, column] = this.chosen.map((name) => this.names.indexOf(name) + 1);
    const last = this.names.length;
    for (const button of this.grid.flat().slice(1)) {
      const isIn = (row || column) && (!row || button.row === row) && (!column || button.column === column);
      const edges = {
        "first-row": isIn && (row ? true : button.row === 0),
        "last-row": isIn && (row ? true : button.row === last),
        "first-column": isIn && (column ? true : button.column === 0),
        "last-column": isIn && (column ? true : button.column === last),
      };
      for (const [name, on] of Object.entries(edges)) button.parentElement.classList.toggle(name, Boolean(on));
      const isChosen = Boolean(row || column) && button.row === row && button.column === column;
      button.setAttribute("aria-pressed", String(isChosen));
      button.classList.remove("sent");
    }
    if ((row || column) && !this.root.matches(":focus-within")) this.makeTabStop(this.grid[row][column]);
  }

  makeTabStop(button) {
    if (!button) return;
    if (this.tabStop) this.tabStop.tabIndex = -1;
    this.tabStop = button;
    button.tabIndex = 0;
  }

  choose(button) {
    if (!button) return;
    const names = ["", ...this.names];
    const pair = [names[button.row], names[button.column]];
    this.tell(String(pair) === String(this.chosen) ? ["", ""] : pair);
    button.classList.add("sent");
  }

  move(event) {
    const step = STEPS[event.key];
    const from = event.target.closest("button");
    if (!step || !from || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    const [row, column] = [from.row + step[0], from.column + step[1]].map((at) => clamp(at, 0, this.names.length));
    (this.grid[row][column] ?? this.grid[row + Math.abs(step[1])]?.[column] ?? from).focus();
  }

  // Light up the row and the column of a button and say what it holds; null: none.
  point(button) {
    this.pointed = button;
    for (const each of this.grid.flat().slice(1)) {
      const isInRow = button?.row && each.row === button.row;
      const isInColumn = button?.column && each.column === button.column;
      each.parentElement.classList.toggle("lit", Boolean(isInRow || isInColumn));
      each.removeAttribute("aria-describedby");
    }
    this.tip.hide();
    if (!button) return;
    this.tip.show(button, this.tips[button.row][button.column].split("\n").map((line) => element("div", "", line)));
    button.setAttribute("aria-describedby", "tip");
  }
}

export default function ({ parentElement, data, setTriggerValue }) {
  const root = parentElement.querySelector(".matrix");
  root.matrix ??= new Matrix(root);
  root.matrix.update(data, (pair) => setTriggerValue("cell", pair));
}
