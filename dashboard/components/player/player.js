// Video, overlay, timeline and people of one analysis. Everything here follows two numbers: the video's current time,
// and the part of the timeline in view. Python sends which analysis and lens (`id`, `query`, `media`) and, when a table
// row is chosen, a moment to go to (`seek`); it hears of settled selections only (`tell`).

const CHART = 150;
const ROW = { raw: 9, ribbon: 16, differs: 10, axis: 22, strip: 28, map: 22, gap: 5 };
const MIN_SPAN_S = 0.04;
// Sought so far behind a frame's start that neither rounding nor ms in a link show the one before.
const AFTER_START_S = 6e-4;

class Player {
  constructor(root) {
    this.root = root;
    this.$ = (name) => root.querySelector(name);
    this.sheet = new Sheet(this);
    this.panel = new Panel(this);
    this.chosen = null; // a track
    this.time = 0;
    this.view = null; // [from, to] in s; null shows everything
    this.span = null; // [start, end] of the selection in s
    this.hidden = new Set();
    this.shown = null; // what the overlay shows: {time, frame, faces}
    this.followed = new Set();
    this.listen();
    this.sizes = new ResizeObserver(() => this.drawAll());
  }

  listen() {
    const { $ } = this;
    $(".play").addEventListener("click", () => this.toggle());
    $(".speed").addEventListener("change", ({ target }) => {
      if (this.video) this.video.playbackRate = Number(target.value);
    });
    for (const name of [".boxes", ".points"]) $(name).addEventListener("change", () => this.showMoment());
    $(".mode").addEventListener("change", () => this.drawAll());
    $(".figure").addEventListener("click", () => this.sheet.figure());
    $(".undo").addEventListener("click", () => this.sheet.edit({ do: "undo" }));
    $(".redo").addEventListener("click", () => this.sheet.edit({ do: "redo" }));
    $(".link").addEventListener("click", () => this.copyLink());
    $(".leave-out").addEventListener("click", () => {
      const [start_s, end_s] = this.span;
      this.sheet.edit({ do: "exclude", person: this.chosen, start_s, end_s });
    });
    for (const button of this.root.querySelectorAll("[data-key]:not(.play)")) {
      button.addEventListener("click", () => this.press(button.dataset.key));
    }
    this.onKey = (event) => this.key(event);
    this.onLeave = () => this.remember();
    this.root.addEventListener("click", (event) => this.takeFocus(event));
    for (const name of [".speed", ".mode"]) {
      $(name).addEventListener("change", () => this.takeFocus({ detail: 1, target: $(name) }));
    }
    $(".picture").addEventListener("click", (event) => this.pickFace(event) || this.toggle());
    this.listenTimeline($(".timeline"));
    this.listenMap($(".map"));
  }

  // A click on a control leaves the keys with the player; who moves by keyboard keeps the focus.
  takeFocus({ detail, target }) {
    const controls = ".controls button, .controls label, .controls select, .span button, .picture, .people";
    const isControl = target.closest(controls);
    if (detail && isControl && this.$(".sheet").hidden) this.$(".timeline").focus({ preventScroll: true });
  }

  // Drag on the chart selects, on the ruler below it scrubs; two fingers and the wheel zoom.
  listenTimeline(timeline) {
    const fingers = new Map();
    let drag = null;
    timeline.addEventListener("pointerdown", (event) => {
      if (!this.analysis || event.button) return;
      timeline.setPointerCapture(event.pointerId);
      fingers.set(event.pointerId, event.clientX);
      const onRuler = event.clientY - timeline.getBoundingClientRect().top > this.rulerTop;
      drag = fingers.size === 1 ? { from: this.timeAt(event), x: event.clientX, scrubs: onRuler, moved: false } : null;
      const mayScroll = event.pointerType === "touch"; // a finger may be about to scroll the page
      if (drag?.scrubs && !mayScroll) this.seek(drag.from);
    });
    timeline.addEventListener("pointermove", (event) => {
      if (!this.analysis) return;
      if (fingers.size === 2 && fingers.has(event.pointerId)) this.pinch(fingers, event);
      else if (drag && (drag.moved ||= Math.abs(event.clientX - drag.x) > 4)) {
        if (drag.scrubs) this.seek(this.timeAt(event));
        else this.select([drag.from, this.timeAt(event)]);
      }
      this.hover(event);
    });
    const end = (event) => {
      fingers.delete(event.pointerId);
      if (drag?.moved && !drag.scrubs) this.settle();
      else if (drag && !drag.moved && event.type === "pointerup") this.seek(drag.from);
      drag = null;
    };
    timeline.addEventListener("pointerup", end);
    timeline.addEventListener("pointercancel", end);
    timeline.addEventListener("pointerleave", () => (this.$(".tip").hidden = true));
    timeline.addEventListener("dblclick", () => this.zoomTo(null));
    timeline.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
  }

  listenMap(map) {
    const go = (event) => {
      const { start_s, end_s } = this.analysis;
      const box = map.getBoundingClientRect();
      const [from, to] = this.inView();
      const middle = start_s + ((event.clientX - box.left) / box.width) * (end_s - start_s);
      if (this.view) this.zoomTo([middle - (to - from) / 2, middle + (to - from) / 2]);
      else this.seek(middle);
    };
    map.addEventListener("pointerdown", (event) => {
      map.setPointerCapture(event.pointerId);
      go(event);
    });
    map.addEventListener("pointermove", (event) => event.buttons & 1 && go(event));
  }

  // Python's values; called again whenever they change.
  update(data, tell) {
    this.tell = tell;
    document.removeEventListener("keydown", this.onKey);
    document.addEventListener("keydown", this.onKey);
    window.addEventListener("pagehide", this.onLeave);
    this.sizes.observe(this.root);
    if (data.media !== this.media) this.setMedia(data);
    if (data.id !== this.id || data.query !== this.query || data.revision !== this.revision) this.load(data);
    if (!data.seek) this.seekId = null;
    if (data.seek && data.seek.id !== this.seekId && !this.followed.has(data.seek.id)) {
      this.seekId = data.seek.id;
      if (data.seek.id.startsWith("link")) this.followed.add(data.seek.id); // an address is followed once
      this.choose(data.seek.track, true);
      this.seek(data.seek.time_s);
    }
  }

  dispose() {
    this.remember();
    this.sizes.disconnect();
    document.removeEventListener("keydown", this.onKey);
    window.removeEventListener("pagehide", this.onLeave);
    clearTimeout(this.again);
    this.video?.pause();
    this.video?.removeAttribute("src"); // a long file must not go on loading
    this.video?.load();
    this.media = undefined;
  }

  // Where somebody was is kept for this tab of the browser: after a reload or a look elsewhere it goes on there.
  remember() {
    if (!this.analysis) return;
    const { time, view, span, chosen } = this;
    const settings = [".mode", ".speed"].map((name) => this.$(name).value);
    const boxes = [".boxes", ".points"].map((name) => this.$(name).checked);
    sessionStorage.setItem(`player-${this.id}`, JSON.stringify({ time, view, span, chosen, settings, boxes }));
  }

  recall() {
    const kept = JSON.parse(sessionStorage.getItem(`player-${this.id}`) ?? "null");
    Object.assign(this, { view: kept?.view ?? null, span: kept?.span ?? null });
    if (!kept) return;
    const isSought = this.seekId !== null && this.seekId !== undefined;
    if (!isSought) Object.assign(this, { time: kept.time, chosen: kept.chosen });
    [".mode", ".speed"].forEach((name, i) => (this.$(name).value = kept.settings[i]));
    [".boxes", ".points"].forEach((name, i) => (this.$(name).checked = kept.boxes[i]));
    if (this.video) this.video.playbackRate = Number(kept.settings[1]);
    if (this.span) this.settle();
    if (this.chosen !== null) this.tell("person", this.chosen);
  }

  setMedia({ media, picture, width, height }) {
    this.media = media;
    this.$(".stage").style.setProperty("--aspect", width / height);
    const holder = this.$(".picture");
    holder.replaceChildren();
    this.video = this.still = null;
    this.root.classList.toggle("no-media", !media);
    const missing = "The video itself is not kept with this analysis, or no browser can play it.";
    this.say(media ? "" : `${missing} The timeline works without it.`);
    if (!media) return;
    if (picture) {
      const onload = () => this.showMoment();
      this.still = Object.assign(element("img"), { alt: "The analysed picture", onload, src: media });
      holder.append(this.still);
      return;
    }
    this.video = Object.assign(element("video"), { src: media, playsInline: true, preload: "auto" });
    this.video.addEventListener("error", () => {
      this.say("This browser cannot play the video. The timeline works without it.");
    });
    for (const kind of ["play", "pause", "ended"]) this.video.addEventListener(kind, () => this.onPlaying());
    for (const kind of ["seeked", "loadeddata"]) this.video.addEventListener(kind, () => this.showMoment());
    this.video.addEventListener("ended", () => {
      if (!this.looping || !this.span) return;
      this.seek(this.span[0]);
      this.play();
    });
    holder.append(this.video);
    this.follow();
  }

  // Follow the frames that are really shown, at the stream's own times.
  follow() {
    const video = this.video;
    const onFrame = (_, { mediaTime }) => {
      if (video !== this.video) return;
      video.requestVideoFrameCallback?.(onFrame);
      if (video.seeking) return; // a frame of where it was before
      const before = this.time;
      this.time = mediaTime;
      if (this.looping && this.span && !video.paused && mediaTime >= this.span[1] - 1e-3) this.seek(this.span[0]);
      this.keepInView(before);
      this.showMoment();
    };
    if (video.requestVideoFrameCallback) video.requestVideoFrameCallback(onFrame);
    else video.addEventListener("timeupdate", () => onFrame(0, { mediaTime: video.currentTime }));
  }

  async load({ id, query, revision }) {
    const isNew = id !== this.id;
    Object.assign(this, { id, query, revision });
    try {
      const raw = await ask(`/api/timeline/${id}?${query}`);
      if (id !== this.id || query !== this.query) return;
      const kept = this.analysis?.version === raw.version ? this.analysis.kept : null;
      this.revision = raw.revision;
      this.analysis = new Analysis(raw, `${query}&v=${raw.version}`, () => this.drawSoon(), () => this.reload());
      if (kept) this.analysis.kept = kept;
      if (this.failed) this.say("");
      this.failed = false;
    } catch (error) {
      this.failed = true;
      this.say(error.message);
      if (!error.status) this.again = setTimeout(() => id === this.id && query === this.query && this.load(this), 3000);
      return;
    }
    if (isNew) this.recall();
    const { picture, people, start_s, end_s } = this.analysis;
    const moving = this.root.querySelectorAll(".moving, .chart-lane, .map-lane, .cursor, .legend");
    for (const each of moving) each.hidden = picture;
    if (!people.some(({ track }) => track === this.chosen)) this.chosen = people[0]?.track ?? null;
    this.time = Math.max(this.time, start_s);
    if (this.video && this.time > this.video.currentTime + 0.01) this.video.currentTime = this.time + AFTER_START_S;
    this.$(".timeline").setAttribute("aria-valuemin", start_s.toFixed(3));
    this.$(".timeline").setAttribute("aria-valuemax", end_s.toFixed(3));
    this.showFacts();
    this.showPeople();
    this.drawAll();
    this.root.dataset.ready = "yes";
  }

  reload() {
    return this.load(this);
  }

  say(text, forMs) {
    const message = this.$(".message");
    message.hidden = !text;
    message.textContent = text;
    clearTimeout(this.silence);
    if (forMs) this.silence = setTimeout(() => (message.hidden = true), forMs);
  }

  // moving in time

  toggle() {
    if (!this.video) return;
    if (this.video.paused) this.play();
    else this.video.pause();
  }

  play() {
    this.video.play().catch(() => {}); // what is wrong with the file is said by its own error event
  }

  onPlaying() {
    const playing = !this.video.paused;
    this.$(".play").textContent = playing ? "❚❚" : "▶";
    this.$(".play").setAttribute("aria-label", playing ? "Pause" : "Play");
  }

  seek(time) {
    const { start_s, end_s } = this.analysis ?? { start_s: 0, end_s: Infinity };
    this.time = clamp(time, start_s, Math.max(end_s - 1e-3, start_s));
    if (this.video) this.video.currentTime = this.time + AFTER_START_S;
    this.keepInView();
    this.showMoment();
  }

  step(by) {
    this.video?.pause();
    this.stepping = (this.stepping ?? Promise.resolve()).then(async () => {
      const time = await this.analysis.step(this.time, by);
      if (time !== null) this.seek(time);
    });
  }

  async jump(what, by) {
    if (this.chosen === null) return;
    const { id, query } = this.analysis;
    const url = `/api/jump/${id}?${query}&what=${what}&track=${this.chosen}&time_s=${this.time}&by=${by}`;
    const { time_s, error } = await ask(url).catch(({ message }) => ({ error: message }));
    if (error) this.say(error, 4000);
    else if (time_s === null) this.say(`There is no ${by > 0 ? "later" : "earlier"} ${what} of this person.`, 2500);
    else this.seek(time_s);
  }

  key(event) {
    const path = event.composedPath();
    const [target] = path;
    const isOurs = target === document.body || target.dataset?.testid === "stMain" || path.includes(this.root);
    const ownKeys = /^( |Enter|Arrow.*|Home|End|Page.*)$/; // of the page's buttons
    const isButton = target.matches("button, a, [role=tab]") && !ownKeys.test(event.key);
    const isField = /INPUT|SELECT|TEXTAREA/.test(target.tagName) && target.type !== "checkbox";
    if (!this.analysis || !(isOurs || isButton) || isField || event.altKey) return;
    if (event.key === " " && target.tagName === "BUTTON") return;
    if (event.ctrlKey || event.metaKey) {
      if (event.key.toLowerCase() !== "z") return;
      this.sheet.edit({ do: event.shiftKey ? "redo" : "undo" });
    } else if (!this.press(event.key)) return;
    event.preventDefault();
  }

  /** Do what a key stands for; false if it stands for nothing. */
  press(key) {
    if (!this.analysis || (key.startsWith("Page") && !this.view)) return false;
    const [from, to] = this.inView();
    const moves = {
      " ": () => this.toggle(),
      ArrowLeft: () => this.seek(this.time - 1),
      ArrowRight: () => this.seek(this.time + 1),
      ",": () => this.step(-1),
      ".": () => this.step(1),
      "[": () => this.jump("change", -1),
      "]": () => this.jump("change", 1),
      "{": () => this.jump("doubt", -1),
      "}": () => this.jump("doubt", 1),
      "(": () => this.jump("disagreement", -1),
      ")": () => this.jump("disagreement", 1),
      Home: () => this.seek(this.analysis.start_s),
      End: () => this.seek(this.analysis.end_s),
      "+": () => this.zoomAt(this.time, 0.5),
      "-": () => this.zoomAt(this.time, 2),
      0: () => this.zoomTo(null),
      z: () => this.span && this.zoomTo(this.span),
      l: () => this.loop(),
      m: () => this.sheet.newMark(this.span?.[0] ?? this.time, this.span?.[1] ?? null),
      Escape: () => (this.sheet.form.hidden ? this.clear() : this.sheet.close()),
      "?": () => (this.sheet.form.hidden ? this.sheet.keys() : this.sheet.close()),
      PageUp: () => this.zoomTo([from - (to - from), from]),
      PageDown: () => this.zoomTo([to, to + (to - from)]),
    };
    const person = /^[1-9]$/.test(key) && this.analysis.people[Number(key) - 1];
    const choose = person && (() => this.choose(person.track, true));
    const move = moves[key.length === 1 ? key.toLowerCase() : key] ?? choose;
    if (!move || (this.analysis.picture && !person && !"?Escape".includes(key))) return false;
    move();
    return true;
  }

  async copyLink() {
    const person = this.analysis.people.findIndex(({ track }) => track === this.chosen);
    const words = new URLSearchParams({ analysis: this.id, t: this.time.toFixed(6) });
    if (person >= 0) words.set("person", this.chosen + 1);
    const link = `${location.origin}${location.pathname}?${words}`;
    this.root.dataset.link = link;
    try {
      await navigator.clipboard.writeText(link);
      this.say("The link to this moment is in the clipboard.", 2500);
    } catch {
      this.say(link, 15000); // no leave to use the clipboard: there it is to copy
    }
  }

  // the part in view, and the selection

  inView() {
    return this.view ?? [this.analysis.start_s, this.analysis.end_s];
  }

  zoomTo(view) {
    const { start_s, end_s } = this.analysis;
    if (view) {
      const span = clamp(view[1] - view[0], MIN_SPAN_S, end_s - start_s);
      const from = clamp((view[0] + view[1] - span) / 2, start_s, end_s - span);
      view = span >= (end_s - start_s) * 0.999 ? null : [from, from + span];
    }
    this.view = view;
    this.drawSoon();
  }

  zoomAt(time, factor) {
    const [from, to] = this.inView();
    this.zoomTo([time - (time - from) * factor, time + (to - time) * factor]);
  }

  wheel(event) {
    if (!this.analysis || (!this.view && event.deltaY > 0 && !event.deltaX)) return; // nothing to do: the page scrolls
    event.preventDefault();
    const [from, to] = this.inView();
    const sideways = event.shiftKey ? event.deltaY : event.deltaX;
    if (Math.abs(sideways) > Math.abs(event.deltaY) || event.shiftKey) {
      const by = (sideways / this.width) * (to - from);
      this.zoomTo([from + by, to + by]);
    } else {
      const by = clamp(event.deltaY, -120, 120) * (event.ctrlKey ? 0.01 : 0.003);
      this.zoomAt(this.timeAt(event), Math.exp(by));
    }
  }

  pinch(fingers, event) {
    const before = [...fingers.values()];
    fingers.set(event.pointerId, event.clientX);
    const after = [...fingers.values()];
    const factor = Math.max(Math.abs(before[0] - before[1]), 8) / Math.max(Math.abs(after[0] - after[1]), 8);
    this.zoomAt(this.timeAt({ clientX: (after[0] + after[1]) / 2 }), factor);
  }

  // The page of the timeline turns when the cursor runs out of it.
  keepInView(before) {
    if (!this.view) return;
    const [from, to] = this.view;
    if (before !== undefined && (before < from || before > to)) return; // somebody looks elsewhere while it plays
    if (this.time >= from && this.time <= to) return;
    this.zoomTo([this.time - (to - from) * 0.05, this.time + (to - from) * 0.95]);
  }

  select(span) {
    const { start_s, end_s } = this.analysis;
    const inside = (time) => clamp(time, start_s, end_s);
    this.span = span && [inside(Math.min(...span)), inside(Math.max(...span))];
    if (!this.span) this.loop(false);
    this.showSelection();
  }

  clear() {
    this.select(null);
    this.settle();
  }

  settle() {
    if (this.span && this.span[1] - this.span[0] < 1e-3) this.select(null);
    this.tell("selection", this.span && { start_s: this.span[0], end_s: this.span[1] });
  }

  loop(on = !this.looping) {
    this.looping = Boolean(on && this.span);
    this.$(".loop").setAttribute("aria-pressed", this.looping);
    if (this.looping && (this.time < this.span[0] || this.time > this.span[1])) this.seek(this.span[0]);
    if (this.looping && this.video?.paused) this.play();
  }

  showSelection() {
    const [from, to] = this.inView();
    this.$(".span").hidden = !this.span;
    const mark = this.$(".selection");
    mark.hidden = !this.span || this.span[1] < from || this.span[0] > to;
    if (!this.span) return;
    const [start, end] = this.span;
    this.$(".span-text").textContent = `${clock(start)} – ${clock(end)} (${(end - start).toFixed(2)} s)`;
    const x = (time) => clamp((time - from) / (to - from), 0, 1) * 100;
    const [left, right] = this.span.map(x);
    Object.assign(mark.style, { left: `${left}%`, width: `${right - left}%`, height: `${this.rulerTop}px` });
  }

  timeAt(event) {
    const box = this.$(".timeline").getBoundingClientRect();
    const [from, to] = this.inView();
    return from + clamp((event.clientX - box.left) / box.width, 0, 1) * (to - from);
  }

  hover(event) {
    const tip = this.$(".tip");
    const box = this.$(".timeline").getBoundingClientRect();
    const x = clamp(Math.floor(event.clientX - box.left), 0, this.width - 1);
    const lines = [clock(this.timeAt(event))];
    const { columns } = this;
    const top = columns ? columns.top(x) : -1;
    if (top < 0) lines[0] += "  not seen";
    else {
      const at = x * columns.k + top;
      const [low, high] = [columns.low[at], columns.high[at]];
      const spread = high - low > 0.02 ? ` (${percent(low)} to ${percent(high)})` : "";
      const group = this.groupText(Array.from(columns.mean.subarray(x * columns.k, (x + 1) * columns.k)));
      lines[0] += `  ${this.analysis.emotions[top].name} ${percent(columns.mean[at])}${spread}, ${group}`;
      const doubts = this.codes(columns.reasons[x]).map(({ name }) => name);
      if (doubts.length) lines.push(`doubtful: ${doubts.join(", ")}`);
      const settled = columns.settled[x] >= columns.differs[x] - 1e-3 ? ", not about the group" : "";
      if (columns.differs[x]) lines.push(`models disagree${settled}`);
    }
    tip.hidden = false;
    tip.textContent = lines.join("\n");
    const left = event.clientX - box.left - tip.offsetWidth / 2;
    tip.style.left = `${clamp(left, 0, box.width - tip.offsetWidth)}px`;
  }

  // words

  codes(bits) {
    return this.analysis.codes.filter((_, i) => bits & (1 << i));
  }

  topText(p) {
    const top = p.indexOf(Math.max(...p));
    return `${this.analysis.emotions[top].name} ${percent(p[top])}`;
  }

  groupSums(p) {
    const { groups, emotions } = this.analysis;
    const of = (group) => p.reduce((sum, value, j) => sum + (emotions[j].group === group ? value : 0), 0);
    return groups.map(({ name, colour }) => ({ name, colour, sum: of(name) }));
  }

  groupText(p) {
    const { name, sum } = this.groupSums(p).reduce((a, b) => (b.sum > a.sum ? b : a));
    return `${name} ${percent(sum)}`;
  }

  // people and facts

  showFacts() {
    const { emotions, undo, redo, marks } = this.analysis;
    this.$(".undo").disabled = !undo;
    this.$(".redo").disabled = !redo;
    this.$(".marks-lane").hidden = !marks.length;
    this.$(".legend").replaceChildren(
      ...emotions.map(({ name, colour }) => {
        const item = element("li");
        const button = Object.assign(element("button"), { type: "button", title: "Show or hide its line" });
        button.setAttribute("aria-pressed", !this.hidden.has(name));
        button.append(Object.assign(element("i"), { style: `background:${colour}` }), name);
        button.addEventListener("click", () => {
          if (!this.hidden.delete(name)) this.hidden.add(name);
          button.setAttribute("aria-pressed", !this.hidden.has(name));
          this.drawSoon();
        });
        item.append(button);
        return item;
      }),
    );
  }

  showPeople() {
    this.$(".people").replaceChildren(
      ...this.analysis.people.map((person) => {
        const row = element("div", "person");
        row.dataset.track = person.track;
        const who = element("span", "who");
        const pick = Object.assign(element("button", "pick"), { type: "button", title: person.name });
        pick.append(this.thumbnail(person), element("span", "name", person.name));
        pick.addEventListener("click", () => this.choose(person.track, true));
        const title = "Rename, merge, split, leave out";
        const more = Object.assign(element("button", "more", "⋯"), { type: "button", title });
        more.setAttribute("aria-label", `Change ${person.name}`);
        more.addEventListener("click", () => this.sheet.person(person));
        who.append(pick, more);
        const strip = element("span", "strip");
        strip.append(element("canvas"));
        strip.hidden = this.analysis.picture;
        strip.addEventListener("click", (event) => {
          this.choose(person.track, true);
          this.seek(this.timeAt(event));
        });
        row.append(who, strip);
        return row;
      }),
    );
    this.choose(this.chosen);
  }

  thumbnail({ thumbnail }) {
    return thumbnail ? Object.assign(element("img"), { src: thumbnail, alt: "" }) : element("span", "blank");
  }

  choose(track, settled) {
    if (track === null || track === undefined) return;
    this.chosen = track;
    if (!this.analysis) return;
    this.root.querySelectorAll(".person").forEach((row) => {
      row.classList.toggle("chosen", Number(row.dataset.track) === track);
      row.querySelector(".pick").setAttribute("aria-pressed", Number(row.dataset.track) === track);
    });
    const { usable_s, seen_s, name } = this.person() ?? {};
    this.$(".usable").textContent = seen_s ? `Usable ${percent(usable_s / seen_s)} of ${clock(seen_s, 0)}` : "";
    this.$(".usable").title = `Of the time in which ${name} is seen, the share without any reason to doubt the scores`;
    if (settled) this.tell("person", track);
    this.drawSoon();
  }

  pickFace(event) {
    const picture = this.video ?? this.still;
    if (!picture) return false;
    const box = picture.getBoundingClientRect();
    const x = ((event.clientX - box.left) / box.width) * this.analysis.width;
    const y = ((event.clientY - box.top) / box.height) * this.analysis.height;
    const holds = ([x0, y0, x1, y1]) => x >= x0 && x <= x1 && y >= y0 && y <= y1;
    const hit = this.shown?.faces.find((face) => face.track !== this.chosen && holds(face.box));
    if (hit) this.choose(hit.track, true);
    return Boolean(hit);
  }

  // drawing

  drawSoon() {
    this.drawing ??= requestAnimationFrame(() => {
      this.drawing = null;
      this.drawAll();
    });
  }

  colour(name) {
    return getComputedStyle(this.root).getPropertyValue(name).trim();
  }

  person() {
    return this.analysis?.people.find(({ track }) => track === this.chosen);
  }

  drawAll() {
    if (!this.analysis) return;
    if (!this.analysis.picture) {
      const began = performance.now();
      this.width = Math.max(Math.round(this.$(".timeline").clientWidth), 1);
      const names = ["text", "secondary-background", "background"];
      const [text, plain, page] = names.map((name) => this.colour(`--st-${name}-color`));
      this.ink = { text, plain, page };
      this.drawChart();
      for (const row of this.root.querySelectorAll(".person")) {
        this.drawStrip(row.querySelector("canvas"), Number(row.dataset.track), ROW.strip, ...this.inView());
      }
      this.drawMap();
      this.showFlags();
      this.showSelection();
      this.root.dataset.first ??= performance.now().toFixed(1);
      this.root.dataset.took = (performance.now() - began).toFixed(1);
    }
    this.showMoment();
  }

  drawChart() {
    const { analysis, width, ink } = this;
    const [from, to] = this.inView();
    const rows = [["chart", CHART], ["raw", ROW.raw], ["ribbon", ROW.ribbon], ["differs", ROW.differs]].filter(
      ([name]) => (name !== "raw" || analysis.smoothed) && (name !== "differs" || analysis.models.length > 1),
    );
    const boxes = {};
    let y = 0;
    for (const [name, height] of rows) {
      boxes[name] = { x: 0, y, width, height };
      y += height + ROW.gap;
    }
    this.rulerTop = y - ROW.gap;
    const pen = penOf(this.$(".chart"), width, y + ROW.axis);
    for (const [name] of rows) hatch(pen, boxes[name], ink.text, ink.plain);
    const person = this.person();
    this.columns = person ? analysis.columns(person.track, from, to, width) : null;
    if (this.columns) this.drawRows(pen, boxes, person);
    drawAxis(pen, from, to, width, this.rulerTop + 1, ink.text, this.colour("--st-font"));
    const names = { ribbon: "groups", raw: "as measured", differs: "models differ" };
    const middle = (name) => `top:${boxes[name].y + boxes[name].height / 2 - 6}px`;
    const label = ([name]) => Object.assign(element("span", "", names[name]), { style: middle(name) });
    this.$(".names").replaceChildren(...rows.slice(1).map(label));
    this.$(".who").textContent = person?.name ?? "nobody";
  }

  drawRows(pen, boxes, person) {
    const { columns, ink, hidden } = this;
    const { emotions, groups, smoothed } = this.analysis;
    const mode = this.$(".mode").value;
    const doubtful = runs(columns.width, (x) => columns.doubtful[x] > 0.5);
    if (mode === "stack") {
      drawStack(pen, columns, emotions, boxes.chart);
      for (const [from, to] of doubtful) hatch(pen, { ...boxes.chart, x: from, width: to - from }, ink.page, null, 6);
      drawPeaks(pen, columns, emotions, boxes.chart);
    } else {
      pen.fillStyle = ink.page;
      for (const [from, to] of runs(columns.width, (x) => columns.seen[x] > 0)) pen.fillRect(from, 0, to - from, CHART);
      for (const [from, to] of doubtful) {
        hatch(pen, { ...boxes.chart, x: from, width: to - from }, ink.text, ink.page, 6);
      }
      const zero = mode === "deviation" ? person.baseline : emotions.map(() => 0);
      drawLines(pen, columns, emotions, boxes.chart, { zero, hidden, smoothed, ink: ink.text });
    }
    if (boxes.raw) drawDominant(pen, columns, emotions, boxes.raw, columns.raw);
    drawRibbon(pen, columns, emotions, groups, boxes.ribbon);
    if (boxes.differs) drawDisagreement(pen, columns, boxes.differs, ink.text);
  }

  drawStrip(canvas, track, height, from, to) {
    const pen = penOf(canvas, this.width, height);
    const box = { x: 0, y: 0, width: this.width, height };
    hatch(pen, box, this.ink.text, this.ink.plain);
    const columns = this.analysis.columns(track, from, to, this.width);
    drawDominant(pen, columns, this.analysis.emotions, box);
    for (const [first, end] of runs(columns.width, (x) => columns.doubtful[x] > 0.5)) {
      hatch(pen, { ...box, x: first, width: end - first }, this.ink.page, null, 6);
    }
  }

  drawMap() {
    const { start_s, end_s } = this.analysis;
    const lane = this.$(".map-lane");
    lane.hidden = !this.view;
    if (!this.view) return;
    if (this.chosen !== null) this.drawStrip(this.$(".map canvas"), this.chosen, ROW.map, start_s, end_s);
    const x = (time) => ((time - start_s) / (end_s - start_s)) * 100;
    const [left, right] = this.view.map(x);
    Object.assign(this.$(".window").style, { left: `${left}%`, width: `max(${right - left}%, 6px)` });
  }

  // Flags in as few rows as they need; near the right edge they hang to the left of their moment.
  showFlags() {
    const [from, to] = this.inView();
    const x = (time) => clamp(((time - from) / (to - from)) * this.width, 0, this.width);
    const ends = []; // of each row
    const inside = this.analysis.marks.filter(({ start_s, end_s }) => (end_s ?? start_s) >= from && start_s <= to);
    const flags = inside.map((mark) => {
      const isSpan = mark.end_s !== null;
      const room = Math.min(24 + 7 * mark.label.length, 190);
      const at = x(mark.start_s);
      const left = isSpan || at + room <= this.width ? at : Math.max(at - room, 0);
      const width = isSpan ? Math.max(x(mark.end_s) - left, 6) : room;
      const row = Math.min([...ends, -1].findIndex((end) => end <= left), 3);
      ends[row] = left + width + 2;
      const kind = isSpan ? "flag long" : left < at ? "flag hung" : "flag";
      const title = [mark.label, mark.note].filter(Boolean).join(": ");
      const flag = Object.assign(element("button", kind, mark.label), { type: "button", title });
      const size = isSpan ? { width: `${width}px` } : { maxWidth: `${Math.max(width, 12)}px` };
      Object.assign(flag.style, { left: `${left}px`, top: `${1.45 * row}rem`, ...size });
      flag.addEventListener("click", () => {
        this.seek(mark.start_s);
        if (isSpan) {
          this.select([mark.start_s, mark.end_s]);
          this.settle();
        }
        this.sheet.mark(mark, false);
      });
      return flag;
    });
    this.$(".flags").style.height = `${1.45 * Math.max(ends.length, 1)}rem`;
    this.$(".flags").replaceChildren(...flags);
  }

  // Cursor, overlay and panel for the current time.
  showMoment() {
    if (!this.analysis) return;
    this.showCursor();
    this.$(".clock").textContent = clock(this.time);
    this.root.dataset.time = this.time.toFixed(4);
    const frame = this.analysis.frameAt(this.analysis.picture ? this.analysis.start_s : this.time);
    this.root.classList.toggle("waiting", !frame);
    this.$(".timeline").setAttribute("aria-valuenow", this.time.toFixed(3));
    if (!frame) return; // drawn once it is here
    const faces = this.analysis.people.map((person) => ({ person, face: this.analysis.face(person.track, frame) }));
    const seen = faces.filter(({ face }) => face);
    this.shown = {
      time: this.time,
      frame: frame.i < 0 ? -1 : frame.chunk.first + frame.i,
      faces: seen.map(({ person, face }) => ({ track: person.track, box: Array.from(face.box) })),
    };
    this.drawOverlay(seen);
    this.panel.show(seen);
    const said = seen.map(({ person, face }) => `${person.name}: ${this.topText(face.p)}`).join(", ") || "no face";
    this.$(".timeline").setAttribute("aria-valuetext", `${clock(this.time)}, ${said}`);
  }

  showCursor() {
    const [from, to] = this.inView();
    const share = (this.time - from) / (to - from || 1);
    this.$(".cursor").hidden = this.analysis.picture || share < 0 || share > 1;
    this.$(".lanes").style.setProperty("--share", share);
  }

  drawOverlay(seen) {
    const canvas = this.$(".overlay");
    const shown = this.video ?? this.still;
    canvas.hidden = !shown || !this.$(".boxes").checked;
    if (canvas.hidden) return;
    const [width, height] = [shown.clientWidth, shown.clientHeight];
    const stage = this.$(".stage").getBoundingClientRect();
    const box = shown.getBoundingClientRect();
    Object.assign(canvas.style, { left: `${box.left - stage.left}px`, top: `${box.top - stage.top}px` });
    const pen = penOf(canvas, width, height);
    pen.scale(width / this.analysis.width, height / this.analysis.height);
    const unit = this.analysis.width / (width || 1);
    const drawn = seen.toSorted((a, b) => (a.person.track === this.chosen) - (b.person.track === this.chosen));
    const landmarks = this.$(".points").checked;
    for (const { person, face } of drawn) {
      const { colour } = this.analysis.emotions[face.p.indexOf(Math.max(...face.p))];
      const text = `${this.analysis.people.length > 1 ? `${person.name}: ` : ""}${this.topText(face.p)}`;
      const chosen = person.track === this.chosen;
      drawFace(pen, face, { text, colour, chosen, landmarks, unit, width: this.analysis.width });
    }
  }
}

export default function ({ parentElement, data, setStateValue }) {
  const root = parentElement.querySelector(".player");
  root.player ??= new Player(root);
  root.player.update(data, setStateValue);
  return () => root.player.dispose();
}
