// The map as a whole: what Python sends comes in through `update`, what is picked goes out through `tell`. All panels
// share one view, one selection and what is under the pointer.

const REACH_PX = 8; // from the pointer to a point
const TOUCH_REACH_PX = 18;
const KEY_REACH_PX = 60;
const ZOOM = 1.3; // of a key or button
const BEHIND_TRAIL = { all: 0.45, some: 0.75 }; // of a colour's strength, where all points are meant or some
const KEYS = [
  ["drag", "lasso, move or turn"], ["Shift + drag", "add to the selection"],
  ["Alt + drag", "remove from the selection"], ["right drag", "move"],
  ["wheel", "zoom, once the map was clicked, or with Ctrl"], ["double click, 0", "show all again"],
  ["← → ↑ ↓", "move; in 3-D turn, with Shift move"], ["+ −", "zoom"], ["L, M, T", "lasso, move, turn"],
  ["Enter", "choose the point nearest to the middle"], ["Esc", "clear the selection"],
]; // prettier-ignore

class ScatterMap {
  constructor(root) {
    this.root = root;
    this.$ = (name) => root.querySelector(name);
    this.panels = [];
    this.waiting = {}; // picks that Python has not taken yet: {lasso, point, path_point: [number, value]}
    this.number = 0;
    this.selected = null; // (n,) or null
    this.chosen = null;
    this.pointed = null; // {row} or {face}, and the stage it was found in
    this.lasso = null; // [x, y] px
    this.card = new Card(this);
    this.sizes = new ResizeObserver(() => this.drawSoon());
    this.listen();
    this.use("lasso");
    this.setMode("new");
  }

  listen() {
    const onClick = (selector, act) => {
      for (const button of this.root.querySelectorAll(selector)) {
        button.addEventListener("click", () => act(button.dataset));
      }
    };
    onClick("[data-key]", ({ key }) => this.press(key));
    onClick("[data-tool]", ({ tool }) => this.use(tool));
    onClick("[data-mode]", ({ mode }) => this.setMode(mode));
    this.$(".help").addEventListener("click", () => this.press("?"));
    this.root.addEventListener("keydown", (event) => {
      if (!event.altKey && !event.ctrlKey && !event.metaKey && this.press(event.key)) event.preventDefault();
    });
    this.$(".keys").replaceChildren(...keyRows(KEYS));
    this.onLeave = () => this.remember();
  }

  // for tests, too

  get selectedCount() {
    return this.selected ? this.selected.reduce((sum, is) => sum + is, 0) : 0;
  }

  /** Where a point is, in CSS px from the corner of a panel's picture. */
  screen(row) {
    return this.view.screen.map((axis) => axis[row]);
  }

  // Python's values

  async update(data, tell) {
    this.tell = tell;
    this.wanted = data;
    window.addEventListener("pagehide", this.onLeave);
    if (data.id !== this.id) {
      if (!this.points) this.say("Loading the map …");
      if (this.loading?.id !== data.id) this.loading = { id: data.id, raw: positionsOf(data) };
      const raw = await this.loading.raw.catch(({ message }) => this.fail(message));
      if (!raw || this.wanted !== data) return; // other values came meanwhile
      this.remember();
      this.place(data, raw);
    }
    this.say(data.n ? "" : "There are no points to draw.");
    this.take(data);
    this.root.dataset.ready = "yes";
  }

  place({ id, n, dimensions }, raw) {
    this.id = id;
    this.points = new Points(raw, n, dimensions);
    this.view = new View(this.points);
    Object.assign(this.view, JSON.parse(sessionStorage.getItem(`scatter-${id}`) ?? "{}"));
    Object.assign(this, { lasso: null, given: undefined, selected: null });
    this.point(null);
    this.$("[data-tool=turn]").hidden = !this.view.isTurning;
    if (!this.view.isTurning && this.tool === "turn") this.use("lasso");
  }

  take(data) {
    const { points } = this;
    this.data = data;
    this.colourings = data.colourings.map((raw) => new Colouring(raw));
    this.words = data.hover.map((raw) => ({ ...raw, values: unpack(raw.values, raw.wide ? "u2" : "u1") }));
    this.trail = data.path && new Trail(data.path, points);
    this.trailScreen = this.trail && [new Float32Array(this.trail.n), new Float32Array(this.trail.n)];
    this.waiting = Object.fromEntries(Object.entries(this.waiting).filter(([, [number]]) => number > data.taken));
    const { lasso, point } = this.waiting;
    this.obey("selected", data.selected, (text) => (this.selected = text && unpackMask(text, data.n)), lasso);
    this.obey("chosen", data.chosen, (row) => (this.chosen = row), point);
    this.$(".bar").hidden = this.$(".panels").hidden = !data.n;
    this.root.style.setProperty("--height", `${data.height}px`);
    this.buildPanels(data.panels);
    this.showTrail();
    if (!this.trail && this.pointed?.face !== undefined) this.point(null);
    this.light();
  }

  /** Take Python's value where it is another than before, or the answer to what was picked here. */
  obey(name, value, take, isWaiting) {
    const before = this.given?.[name];
    this.given = { ...this.given, [name]: value };
    if (value !== before || !isWaiting) take(value);
  }

  buildPanels(indices) {
    while (this.panels.length > indices.length) this.panels.pop().root.remove();
    while (this.panels.length < indices.length) {
      const panel = new Panel(() => this.light());
      panel.hands = new Hands(this, panel.stage);
      this.$(".card").before(panel.root);
      panel.stage.dataset.tool = this.tool;
      this.panels.push(panel);
    }
    this.panels.forEach(({ stage }) => this.sizes.observe(stage));
    indices.forEach((index, i) => this.panels[i].take(this.colourings[index], index, this.points));
  }

  dispose() {
    this.remember();
    this.sizes.disconnect();
    window.removeEventListener("pagehide", this.onLeave);
  }

  // Zoom and turn are kept for this tab of the browser.
  remember() {
    if (this.view) sessionStorage.setItem(`scatter-${this.id}`, JSON.stringify(this.view.state()));
  }

  say(text) {
    const message = this.$(".message");
    message.hidden = !text;
    message.classList.remove("failed");
    message.textContent = text;
  }

  fail(text) {
    this.loading = null;
    this.say(`The map cannot be drawn. ${text}`);
    const again = Object.assign(element("button", "", "Try again"), { type: "button" });
    again.addEventListener("click", () => this.update(this.wanted, this.tell));
    this.$(".message").classList.add("failed");
    this.$(".message").append(again);
  }

  hint(stage, text) {
    const { hint } = this.panels.find((panel) => panel.stage === stage);
    hint.textContent = text;
    hint.classList.add("seen");
    clearTimeout(this.silence);
    this.silence = setTimeout(() => hint.classList.remove("seen"), 1800);
  }

  // what can be done

  use(tool) {
    this.tool = tool;
    for (const button of this.root.querySelectorAll("[data-tool]")) {
      if (button.matches("button")) button.setAttribute("aria-pressed", button.dataset.tool === tool);
      else button.dataset.tool = tool;
    }
  }

  setMode(mode) {
    this.mode = mode;
    for (const button of this.root.querySelectorAll("[data-mode]")) {
      button.setAttribute("aria-pressed", button.dataset.mode === mode);
    }
  }

  /** Do what a key stands for; false if it stands for nothing. */
  press(key) {
    const moves = {
      "+": () => this.view.zoomAt(ZOOM),
      "=": () => this.view.zoomAt(ZOOM),
      "-": () => this.view.zoomAt(1 / ZOOM),
      0: () => this.view.reset(),
      l: () => this.use("lasso"),
      m: () => this.use("move"),
      t: () => this.view.isTurning && this.use("turn"),
      Escape: () => this.clear(),
      "?": () => this.$(".help").setAttribute("aria-expanded", !(this.$(".keys").hidden = !this.$(".keys").hidden)),
    };
    const move = this.points && moves[key.length === 1 ? key.toLowerCase() : key];
    if (!move) return false;
    move();
    this.point(null);
    this.drawSoon();
    return true;
  }

  clear() {
    if (this.lasso) return void (this.lasso = null);
    if (this.selected) return this.select(null);
    this.panels.forEach(({ highlighted }) => highlighted.clear());
    return this.light();
  }

  /** Select what the lasso holds. Where the legend leaves out classes, the lasso does, too. */
  closeLasso(mode) {
    const { lasso } = this;
    this.lasso = null;
    this.drawOverSoon();
    if (lasso.length < 3) return;
    const caught = this.view.inside(lasso).filter((i) => this.lit[i]);
    const mask = mode !== "new" && this.selected ? this.selected.slice() : new Uint8Array(this.points.n);
    for (const i of caught) mask[i] = mode === "remove" ? 0 : 1;
    this.select(mask.includes(1) ? mask : null);
  }

  select(mask) {
    const isSame = !mask && !this.selected;
    this.selected = mask;
    this.light();
    if (!isSame) this.pick("lasso", mask ? packMask(mask) : "");
  }

  click(at, stage, reach) {
    this.point(at, stage, reach);
    const { row, face } = this.pointed ?? {};
    if (face !== undefined) return this.pick("path_point", face);
    if (row === undefined || row === this.chosen) return undefined;
    this.chosen = row;
    this.drawOverSoon();
    return this.pick("point", row);
  }

  pick(kind, value) {
    this.number = Math.max(Date.now(), this.number + 1);
    this.waiting[kind] = [this.number, value];
    this.tell({ ...this.waiting });
  }

  // under the pointer

  /** Look for a face of the trail or a point at [x, y] of a stage; null: the pointer is elsewhere. */
  point(at, stage, reach = REACH_PX) {
    const before = this.pointed;
    this.pointed = at && this.found(at, reach);
    const isSame = before?.row === this.pointed?.row && before?.face === this.pointed?.face;
    if (this.pointed) this.pointed.stage = stage;
    for (const panel of this.panels) panel.stage.classList.toggle("over-point", Boolean(this.pointed));
    if (isSame && before?.stage === stage) return;
    this.drawOverSoon();
    this.card.show(this.pointed);
  }

  found([x, y], reach) {
    if (this.trail) {
      const [xs, ys] = this.trailScreen;
      let [best, least] = [-1, reach];
      for (let i = 0; i < this.trail.n; i++) {
        const distance = Math.hypot(xs[i] - x, ys[i] - y);
        if (distance < least) [best, least] = [i, distance];
      }
      if (best >= 0) return { face: best };
    }
    const row = this.view.nearest(x, y, reach, this.full);
    return row < 0 ? null : { row };
  }

  /** [x, y] px of a point or face. */
  spot({ row, face }) {
    return face === undefined ? this.screen(row) : this.trailScreen.map((axis) => axis[face]);
  }

  // drawing

  drawSoon() {
    this.drawing ??= requestAnimationFrame(() => {
      this.drawing = null;
      this.draw();
    });
  }

  drawOverSoon() {
    this.overDrawing ??= requestAnimationFrame(() => {
      this.overDrawing = null;
      this.drawOver();
    });
  }

  /** Which points are in full colour: `lit` by the legends, and `full` where they are selected, too. */
  light() {
    const { points, panels, selected } = this;
    this.lit = Uint8Array.from({ length: points.n }, (_, i) => panels.every((panel) => panel.isLit(i)));
    this.full = selected ? this.lit.map((is, i) => is & selected[i]) : this.lit;
    this.draw();
    panels.forEach((panel) => panel.showLegend(panel.palette, selected));
    this.showStatus();
  }

  look() {
    const stage = getComputedStyle(this.panels[0].stage);
    const page = stage.backgroundColor.match(/[\d.]+/g).slice(0, 3).map(Number);
    const accent = stage.getPropertyValue("--st-primary-color").trim() || "teal";
    const isDark = 0.3 * page[0] + 0.59 * page[1] + 0.11 * page[2] < 110;
    return { page, isDark, css: { page: css(page), ink: stage.color, accent, font: stage.fontFamily } };
  }

  draw() {
    const { points, view, panels } = this;
    if (!panels[0].stage.isConnected) return; // taken off the page meanwhile: it has no colours any more
    this.style = this.look();
    for (const panel of panels) panel.palette = panel.colouring.palette(this.style.isDark);
    const { clientWidth: width, clientHeight: height } = panels[0].stage;
    if (!width || !height) return; // in a tab that is not open
    this.ratio = window.devicePixelRatio || 1;
    view.size = [width, height];
    view.projectPoints();
    if (this.trail) view.project(this.trail.axes, this.trail.n, this.trailScreen);
    const order = view.order();
    for (const panel of panels) this.drawPanel(panel, order);
    this.drawOver();
    this.showShown(points, view);
  }

  drawPanel(panel, order) {
    const { raster, colouring } = panel;
    const { view, ratio, style, full } = this;
    raster.resize(...view.size, ratio);
    raster.clear(style.page);
    const strength = this.trail ? BEHIND_TRAIL[full.includes(0) ? "some" : "all"] : 1;
    const colours = tables(panel.palette, style.page, view.isTurning, strength);
    const steps = view.isTurning ? view.depth : null;
    const dots = { order, mask: full, screen: view.screen, ratio, values: colouring.values, steps };
    const radius = this.radius();
    raster.dots({ ...dots, wanted: 0, colours: colours.faded, radius });
    raster.dots({ ...dots, wanted: 1, colours: colours.full, radius: full === this.lit ? radius : 1.15 * radius });
    raster.show();
    if (!this.trail) return;
    const pen = raster.pen;
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    drawTrail(pen, this.trail, this.trailScreen, this.trailColours(panel), style.css, view.size[0]);
  }

  /** Of a dot, in px: smaller the more there are, a little larger when one looks closer. */
  radius() {
    const { view, points } = this;
    const room = Math.sqrt((view.size[0] * view.size[1]) / Math.max(points.placed.length, 1));
    return Math.min(clamp(0.4 * room, 1.3, 3.4) * Math.max(view.zoom, 1) ** 0.3, 6);
  }

  trailColours({ index, palette }) {
    const values = this.trail.values[index];
    return Array.from({ length: this.trail.n }, (_, i) => (values ? css(palette[values[i]]) : this.style.css.ink));
  }

  drawOver() {
    if (!this.ratio) return;
    for (const panel of this.panels) {
      const pen = penOf(panel.over, this.view.size, this.ratio);
      const { css: style } = this.style;
      const colourOf = (row) => css(panel.palette[panel.colouring.values[row]]);
      const { chosen } = this;
      if (chosen !== null && chosen < this.points.n) {
        drawRing(pen, ...this.screen(chosen), { colour: colourOf(chosen), ...style });
      }
      if (this.lasso) drawLasso(pen, this.lasso, style);
      if (!this.pointed) continue;
      const { row, face } = this.pointed;
      const colour = face === undefined ? colourOf(row) : this.trailColours(panel)[face];
      drawHover(pen, ...this.spot(this.pointed), { colour, ...style });
    }
  }

  // words

  showShown({ n, placed }, view) {
    const missing = n - placed.length;
    const leftOut = missing ? `${whole(missing)} have no place` : "none left out";
    const drawn = `${whole(placed.length)} of ${whole(n)} points, ${leftOut}`;
    const inside = view.countInside();
    this.$(".shown").textContent = inside < placed.length ? `${drawn}; ${whole(inside)} in view` : drawn;
  }

  showStatus() {
    const { selected, selectedCount, points } = this;
    const words = [];
    const share = ((100 * selectedCount) / points.n).toFixed(1);
    if (selected) words.push(`${whole(selectedCount)} selected (${share}\u00a0%)`);
    for (const { colouring, highlighted } of this.panels) {
      const labels = [...highlighted].map((value) => colouring.labels[value]);
      if (labels.length) words.push(`${colouring.name}: only ${labels.join(", ")}`);
    }
    this.$(".picked").textContent = words.join(" · ");
    this.$(".clear").hidden = !words.length;
    this.$(".modes").hidden = !selected;
    if (!selected) this.setMode("new");
  }

  showTrail() {
    const { trail } = this;
    const line = this.$(".trail");
    line.hidden = !trail;
    if (!trail) return;
    const far = trail.far.reduce((sum, is) => sum + is, 0);
    line.replaceChildren(element("i", "line"), `${trail.name}: ${whole(trail.n)} faces`);
    if (far) line.append(element("i"), `${whole(far)} far from the training data, where a place means little`);
  }
}

export default function ({ parentElement, data, setTriggerValue }) {
  const root = parentElement.querySelector(".scatter");
  root.scatter ??= new ScatterMap(root);
  root.scatter.update(data, (picks) => setTriggerValue("picked", picks));
  return () => root.scatter.dispose();
}
