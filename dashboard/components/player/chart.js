// What is drawn of people over time: the chosen one's chart with its legend, a strip of anybody, and the map of all.

const CHART = { least: 100, most: 150, share: 0.16 }; // px, and of the window's height
const ROW = { raw: 9, ribbon: 16, line: 34, differs: 10, axis: 22, strip: 28, map: 22, gap: 5 };
const ROW_NAMES = { ribbon: "groups", raw: "not smoothed", differs: "models differ" };

/**
 * A row of the chart, in px.
 * @typedef {object} Box
 * @property {number} x
 * @property {number} y
 * @property {number} width
 * @property {number} height
 */

/** The chart's rows from top to bottom, and where the ruler below them begins, in px.
 * @returns {{boxes: Object<string, Box>, rulerTop: number}} */
function rowsOf({ smoothed, models, lines }, width, windowHeight = Infinity) {
  const heights = { chart: Math.round(clamp(CHART.share * windowHeight, CHART.least, CHART.most)) };
  if (smoothed) heights.raw = ROW.raw;
  heights.ribbon = ROW.ribbon;
  for (const { title } of lines) heights[title] = ROW.line;
  if (models.length > 1) heights.differs = ROW.differs;
  const boxes = {};
  let y = 0;
  for (const [name, height] of Object.entries(heights)) {
    boxes[name] = { x: 0, y, width, height };
    y += height + ROW.gap;
  }
  return { boxes, rulerTop: y - ROW.gap };
}

class Chart {
  constructor(player) {
    this.player = player;
    this.hidden = new Set(); // names of emotions without a line
    this.columns = null; // of the chosen person, in view
    player.$(".mode").addEventListener("change", () => player.drawAll());
  }

  showLegend() {
    const items = this.player.analysis.emotions.map(({ name, colour }) => {
      const item = element("li");
      const button = Object.assign(element("button"), { type: "button", title: "Show or hide its line" });
      button.setAttribute("aria-pressed", !this.hidden.has(name));
      button.append(Object.assign(element("i"), { style: `background:${colour}` }), name);
      button.addEventListener("click", () => {
        if (!this.hidden.delete(name)) this.hidden.add(name);
        button.setAttribute("aria-pressed", !this.hidden.has(name));
        this.player.drawSoon();
      });
      item.append(button);
      return item;
    });
    this.player.$(".legend").replaceChildren(...items);
  }

  /** Draw the chart of the part in view; all else is drawn as wide, and in the same ink. */
  draw() {
    const { player } = this;
    this.width = Math.max(Math.round(player.$(".timeline").clientWidth), 1);
    const names = ["text", "secondary-background", "background"];
    const [text, plain, page] = names.map((name) => this.colour(`--st-${name}-color`));
    this.ink = { text, plain, page };
    const [from, to] = player.inView();
    const { boxes, rulerTop } = rowsOf(player.analysis, this.width, window.innerHeight);
    this.rulerTop = rulerTop;
    const pen = penOf(player.$(".chart"), this.width, rulerTop + ROW.gap + ROW.axis);
    for (const box of Object.values(boxes)) hatch(pen, box, text, plain);
    const person = player.person();
    this.columns = person ? player.analysis.columns(person.track, from, to, this.width) : null;
    if (this.columns) this.drawRows(pen, boxes, person);
    drawAxis(pen, from, to, this.width, rulerTop + 1, text, this.colour("--st-font"));
    this.showNames(boxes, person);
  }

  colour(name) {
    return getComputedStyle(this.player.root).getPropertyValue(name).trim();
  }

  showNames(boxes, person) {
    const { $ } = this.player;
    const middle = (name) => `top:${boxes[name].y + boxes[name].height / 2 - 6}px`;
    const label = (name) => Object.assign(element("span", "", ROW_NAMES[name] ?? name), { style: middle(name) });
    $(".names").replaceChildren(...Object.keys(boxes).slice(1).map(label));
    $(".who").textContent = person?.name ?? "nobody";
  }

  /** @param {Object<string, Box>} boxes */
  drawRows(pen, boxes, person) {
    const { columns, ink } = this;
    const { emotions, groups } = this.player.analysis;
    const doubtful = runs(columns.width, (x) => columns.doubtful[x] > 0.5);
    if (this.player.$(".mode").value === "stack") this.drawStacked(pen, boxes.chart, doubtful);
    else this.drawLined(pen, boxes.chart, doubtful, person);
    if (boxes.raw) drawDominant(pen, columns, emotions, boxes.raw, columns.raw);
    drawRibbon(pen, columns, emotions, groups, boxes.ribbon);
    this.player.analysis.lines.forEach((line, j) => {
      drawLine(pen, columns, line, j, boxes[line.title], { ink: ink.text, page: ink.page, groups });
    });
    if (boxes.differs) drawDisagreement(pen, columns, boxes.differs, ink.text);
  }

  drawStacked(pen, box, doubtful) {
    const { columns, ink } = this;
    const { emotions } = this.player.analysis;
    drawStack(pen, columns, emotions, box);
    for (const [from, to] of doubtful) hatch(pen, { ...box, x: from, width: to - from }, ink.page, null, 6);
    drawPeaks(pen, columns, emotions, box);
  }

  drawLined(pen, box, doubtful, { baseline }) {
    const { columns, ink, hidden } = this;
    const { emotions, smoothed } = this.player.analysis;
    pen.fillStyle = ink.page;
    for (const [from, to] of runs(columns.width, (x) => columns.seen[x] > 0)) pen.fillRect(from, 0, to - from, CHART);
    for (const [from, to] of doubtful) hatch(pen, { ...box, x: from, width: to - from }, ink.text, ink.page, 6);
    const zero = this.player.$(".mode").value === "deviation" ? baseline : emotions.map(() => 0);
    drawLines(pen, columns, emotions, box, { zero, hidden, smoothed, ink: ink.text });
  }

  /** Draw a person's most likely emotions over a part of the time.
   * @param {Span} part */
  drawStrip(canvas, track, height, [from, to]) {
    const { width, ink, player } = this;
    const pen = penOf(canvas, width, height);
    const box = { x: 0, y: 0, width, height };
    hatch(pen, box, ink.text, ink.plain);
    const columns = player.analysis.columns(track, from, to, width);
    drawDominant(pen, columns, player.analysis.emotions, box);
    for (const [first, end] of runs(columns.width, (x) => columns.doubtful[x] > 0.5)) {
      hatch(pen, { ...box, x: first, width: end - first }, ink.page, null, 6);
    }
  }

  /** Show which part is in view, unless all is. */
  drawMap() {
    const { $, analysis, view, chosen } = this.player;
    $(".map-lane").hidden = !view;
    if (!view) return;
    const whole = [analysis.start_s, analysis.end_s];
    if (chosen !== null) this.drawStrip($(".map canvas"), chosen, ROW.map, whole);
    const [left, right] = view.map((time) => shareAt(whole, time) * 100);
    Object.assign($(".window").style, { left: `${left}%`, width: `max(${right - left}%, 6px)` });
  }
}
