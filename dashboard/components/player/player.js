// Video, overlay, timeline and people of one analysis. Everything here follows two numbers: the video's current time,
// and the part of the timeline in view. Python sends which analysis and lens (`id`, `query`, `media`) and, when a table
// row is chosen, a moment to go to (`seek`); it hears of settled selections only (`tell`).
//
// Each part keeps what it changes: the stage the video, the transport the time, the timeline the part in view and the
// selection, people who is chosen. The parts know the player, which has all of that, and find each other through it.

/**
 * What Python sends.
 * @typedef {object} Sent
 * @property {string} id of the analysis
 * @property {string} query of the lens
 * @property {number} revision of the edits
 * @property {?string} media address of the video or picture
 * @property {string} missing why there is none
 * @property {boolean} picture whether it is one
 * @property {number} width of the picture in pixels, as is `height`
 * @property {number} height
 * @property {?Seek} seek
 */

/** @typedef {{person: Person, face: Face}} Seen a person who is seen at this moment */

/**
 * What the overlay shows.
 * @typedef {object} Shown
 * @property {number} time in s
 * @property {number} frame its number; -1: none was measured there
 * @property {Drawn[]} faces
 */

const KEPT_VALUES = [".mode", ".speed"]; // settings that are kept with the place where somebody was
const KEPT_CHECKS = [".boxes", ".points"];

class Player {
  constructor(root) {
    this.root = root;
    this.$ = (name) => root.querySelector(name);
    /** @type {?Shown} */
    this.shown = null;
    this.stage = new Stage(this);
    this.transport = new Transport(this);
    this.timeline = new Timeline(this);
    this.people = new People(this);
    this.flags = new Flags(this);
    this.sheet = new Sheet(this);
    this.panel = new Panel(this);
    this.links = new Links(this);
    this.keys = new Keys(this);
    this.onLeave = () => this.remember();
    this.sizes = new ResizeObserver(() => this.drawAll());
  }

  // what the parts keep, and do for each other

  get video() {
    return this.stage.video;
  }

  get time() {
    return this.transport.time;
  }

  get view() {
    return this.timeline.view;
  }

  get span() {
    return this.timeline.span;
  }

  get chosen() {
    return this.people.chosen;
  }

  person() {
    return this.people.person();
  }

  choose(track, settled) {
    this.people.choose(track, settled);
  }

  seek(time) {
    this.transport.seek(time);
  }

  inView() {
    return this.timeline.inView();
  }

  zoomTo(view) {
    this.timeline.zoomTo(view);
  }

  select(span) {
    this.timeline.select(span);
  }

  settle() {
    this.timeline.settle();
  }

  say(text, forMs) {
    this.stage.say(text, forMs);
  }

  // coming and going

  /** Take Python's values; called again whenever they change.
   * @param {Sent} data */
  update(data, tell) {
    this.tell = tell;
    this.keys.listen();
    window.addEventListener("pagehide", this.onLeave);
    for (const each of [this.root, document.documentElement]) this.sizes.observe(each);
    if (data.media !== this.stage.media) this.stage.setMedia(data);
    if (data.id !== this.id || data.query !== this.query || data.revision !== this.revision) this.load(data);
    this.links.follow(data.seek);
  }

  dispose() {
    this.remember();
    this.sizes.disconnect();
    this.keys.dispose();
    window.removeEventListener("pagehide", this.onLeave);
    clearTimeout(this.again);
    this.stage.dispose();
  }

  // Where somebody was is kept for this tab of the browser: after a reload or a look elsewhere it goes on there.
  remember() {
    if (!this.analysis) return;
    const { time, view, span, chosen } = this;
    const settings = KEPT_VALUES.map((name) => this.$(name).value);
    const boxes = KEPT_CHECKS.map((name) => this.$(name).checked);
    sessionStorage.setItem(`player-${this.id}`, JSON.stringify({ time, view, span, chosen, settings, boxes }));
  }

  recall() {
    const kept = JSON.parse(sessionStorage.getItem(`player-${this.id}`) ?? "null");
    Object.assign(this.timeline, { view: kept?.view ?? null, span: kept?.span ?? null });
    if (!kept) return;
    if (!this.links.isSought) {
      this.transport.time = kept.time;
      this.people.chosen = kept.chosen;
    }
    KEPT_VALUES.forEach((name, i) => (this.$(name).value = kept.settings[i]));
    KEPT_CHECKS.forEach((name, i) => (this.$(name).checked = kept.boxes[i]));
    this.transport.setSpeed();
    if (this.span) this.settle();
    if (this.chosen !== null) this.tell("person", this.chosen);
  }

  /** Load an analysis through a lens; without an answer it is tried again.
   * @param {Sent|Player} wanted */
  async load({ id, query, revision }) {
    const isNew = id !== this.id;
    Object.assign(this, { id, query, revision });
    try {
      const raw = await ask(`/api/timeline/${id}?${query}`);
      if (id !== this.id || query !== this.query) return;
      this.take(raw);
    } catch (error) {
      this.failed = true;
      this.say(error.message);
      if (!error.status) this.again = setTimeout(() => id === this.id && query === this.query && this.load(this), 3000);
      return;
    }
    if (isNew) this.recall();
    this.showAll();
    this.root.dataset.ready = "yes";
  }

  /** @param {Overview} raw */
  take(raw) {
    const kept = this.analysis?.version === raw.version ? this.analysis.kept : null;
    this.revision = raw.revision;
    const lens = `${this.query}&v=${raw.version}`;
    this.analysis = new Analysis(raw, lens, () => this.drawSoon(), () => this.reload());
    if (kept) this.analysis.kept = kept;
    if (this.failed) this.say("");
    this.failed = false;
  }

  reload() {
    return this.load(this);
  }

  // showing

  showAll() {
    const { picture, start_s, end_s, undo, redo, marks } = this.analysis;
    const moving = this.root.querySelectorAll(".moving, .chart-lane, .map-lane, .cursor, .legend");
    for (const each of moving) each.hidden = picture;
    this.transport.begin(start_s);
    this.$(".timeline").setAttribute("aria-valuemin", start_s.toFixed(3));
    this.$(".timeline").setAttribute("aria-valuemax", end_s.toFixed(3));
    this.$(".undo").disabled = !undo;
    this.$(".redo").disabled = !redo;
    this.$(".marks-lane").hidden = !marks.length;
    this.timeline.chart.showLegend();
    this.people.show();
    this.drawAll();
  }

  drawSoon() {
    this.drawing ??= requestAnimationFrame(() => {
      this.drawing = null;
      this.drawAll();
    });
  }

  drawAll() {
    if (!this.analysis) return;
    if (!this.analysis.picture) {
      const began = performance.now();
      this.timeline.draw();
      this.people.drawStrips();
      this.flags.show();
      this.root.dataset.first ??= performance.now().toFixed(1);
      this.root.dataset.took = (performance.now() - began).toFixed(1);
    }
    this.stage.fit();
    this.showMoment();
  }

  /** Show cursor, overlay and panel for the current time. */
  showMoment() {
    const { $, analysis, time } = this;
    if (!analysis) return;
    this.timeline.showCursor();
    $(".clock").textContent = clock(time);
    this.root.dataset.time = time.toFixed(4);
    const frame = analysis.frameAt(analysis.picture ? analysis.start_s : time);
    this.root.classList.toggle("waiting", !frame);
    $(".timeline").setAttribute("aria-valuenow", time.toFixed(3));
    if (!frame) return; // drawn once it is here
    const faces = analysis.people.map((person) => ({ person, face: analysis.face(person.track, frame) }));
    const seen = faces.filter(({ face }) => face);
    this.shown = {
      time,
      frame: frame.i < 0 ? -1 : frame.chunk.first + frame.i,
      faces: seen.map(({ person, face }) => ({ track: person.track, box: Array.from(face.box) })),
    };
    this.stage.draw(seen);
    this.panel.show(seen);
    const said = seen.map(({ person, face }) => `${person.name}: ${topText(analysis, face.p)}`).join(", ") || "no face";
    $(".timeline").setAttribute("aria-valuetext", `${clock(time)}, ${said}`);
  }
}

export default function ({ parentElement, data, setStateValue }) {
  const root = parentElement.querySelector(".player");
  root.player ??= new Player(root);
  root.player.update(data, setStateValue);
  return () => root.player.dispose();
}
