// The map as a whole: what Python sends comes in through `update`, what is picked goes out through `tell`. All panels
// share one view, one selection and what is under the pointer.

/**
 * What Python sends; see scatter/__init__.py.
 * @typedef {object} Sent
 * @property {string} id of the positions
 * @property {?string} url of the positions, or null where they are sent along
 * @property {?string} positions
 * @property {number} n
 * @property {number} dimensions
 * @property {object[]} colourings packed
 * @property {number[]} panels the colourings that are drawn
 * @property {?string} selected packed
 * @property {?number} chosen
 * @property {?string} pictures address of a point's picture
 * @property {object[]} hover packed lines of the card
 * @property {?object} path the packed trail
 * @property {number} height of a panel in px
 * @property {number} taken number of the last pick that Python has taken
 */

class ScatterMap {
  constructor(root) {
    this.root = root;
    this.$ = (name) => root.querySelector(name);
    this.panels = [];
    this.lasso = null; // [x, y] px
    this.picks = new Picks((picks) => this.tell(picks));
    this.painter = new Painter(this);
    this.pointer = new Pointer(this);
    this.sizes = new ResizeObserver(() => this.painter.drawSoon());
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
    return this.picks.count;
  }

  /** Where a point is, in CSS px from the corner of a panel's picture. */
  screen(row) {
    return this.view.screen.map((axis) => axis[row]);
  }

  /** The same of what is under the pointer.
   * @param {Pointed} pointed */
  spot({ row, face }) {
    return face === undefined ? this.screen(row) : this.trailScreen.map((axis) => axis[face]);
  }

  // Python's values

  /** @param {Sent} data */
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
    this.lasso = null;
    this.picks.forget();
    this.pointer.leave();
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
    this.picks.take(data);
    this.$(".bar").hidden = this.$(".panels").hidden = !data.n;
    this.root.style.setProperty("--height", `${data.height}px`);
    this.buildPanels(data.panels);
    this.showTrail();
    if (!this.trail && this.pointer.pointed?.face !== undefined) this.pointer.leave();
    this.light();
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
    const move = this.points && moveOf(key, this);
    if (!move) return false;
    move();
    this.pointer.leave();
    this.painter.drawSoon();
    return true;
  }

  toggleKeys() {
    const keys = this.$(".keys");
    keys.hidden = !keys.hidden;
    this.$(".help").setAttribute("aria-expanded", !keys.hidden);
  }

  clear() {
    if (this.lasso) return void (this.lasso = null);
    if (this.picks.selected) return this.select(null);
    this.panels.forEach(({ highlighted }) => highlighted.clear());
    return this.light();
  }

  /** Select what the lasso holds. Where the legend leaves out classes, the lasso does, too. */
  closeLasso(mode) {
    const { lasso, picks } = this;
    this.lasso = null;
    this.painter.drawOverSoon();
    if (lasso.length < 3) return;
    const caught = this.view.inside(lasso).filter((i) => this.lit[i]);
    this.select(lassoed(picks.selected, caught, mode, this.points.n));
  }

  select(mask) {
    const { picks } = this;
    const isSame = !mask && !picks.selected;
    picks.selected = mask;
    this.light();
    if (!isSame) picks.pick("lasso", mask ? packMask(mask) : "");
  }

  /** Pick what is at [x, y] of a stage: a face of the trail, or a point that is not chosen yet. */
  click(at, stage, reach) {
    const { picks, pointer } = this;
    pointer.look(at, stage, reach);
    const { row, face } = pointer.pointed ?? {};
    if (face !== undefined) return picks.pick("path_point", face);
    if (row === undefined || row === picks.chosen) return undefined;
    picks.chosen = row;
    this.painter.drawOverSoon();
    return picks.pick("point", row);
  }

  /** Which points are in full colour: `lit` by the legends, and `full` where they are selected, too. */
  light() {
    const { points, panels, painter } = this;
    const { selected } = this.picks;
    this.lit = Uint8Array.from({ length: points.n }, (_, i) => panels.every((panel) => panel.isLit(i)));
    this.full = selected ? this.lit.map((is, i) => is & selected[i]) : this.lit;
    painter.draw();
    panels.forEach((panel) => panel.showLegend(panel.palette, selected));
    this.showStatus();
  }

  // words

  showShown() {
    const { points, view } = this;
    this.$(".shown").textContent = shownWords(points.n, points.placed.length, view.countInside());
  }

  showStatus() {
    const { selected, count } = this.picks;
    const words = pickedWords(selected ? count : null, this.points.n, this.panels);
    this.$(".picked").textContent = words;
    this.$(".clear").hidden = !words;
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
