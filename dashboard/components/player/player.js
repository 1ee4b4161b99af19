// Video, overlay, timeline and people of one analysis. Everything here follows one number: the video's current time.
// Python sends where the data is (`url`, `media`) and, when a table row is chosen, a moment to go to (`seek`).

const SCALE = 65535; // probabilities travel as 16-bit integers
const HEIGHT = { chart: 150, gap: 6, ribbon: 16, axis: 22, strip: 30 };
const KINDS = { f8: Float64Array, f4: Float32Array, u4: Uint32Array, u2: Uint16Array };

const unpack = (text, kind) => new KINDS[kind](Uint8Array.from(atob(text), (c) => c.charCodeAt(0)).buffer);
const element = (tag, name = "", text = "") => Object.assign(document.createElement(tag), { className: name, textContent: text });
const percent = (p) => `${(100 * p).toFixed(p >= 0.0005 && p < 0.1 ? 1 : 0)} %`;

export function clock(seconds) {
  const ms = Math.round(Math.max(seconds, 0) * 1000);
  const pad = (value, digits) => String(value).padStart(digits, "0");
  const hours = Math.floor(ms / 3600000);
  const minutes = Math.floor(ms / 60000) % 60;
  return `${hours ? `${hours}:${pad(minutes, 2)}` : minutes}:${pad(Math.floor(ms / 1000) % 60, 2)}.${pad(ms % 1000, 3)}`;
}

// Position of the last value <= x in a sorted array, -1 if there is none.
export function lastAtOrBefore(sorted, x) {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sorted[middle] <= x) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

// The analysis as it came from the timeline route, with its arrays unpacked.
class Analysis {
  constructor(raw) {
    Object.assign(this, raw);
    this.times = unpack(raw.times, "f8");
    this.k = raw.emotions.length;
    this.people = raw.people.map((person) => ({
      ...person,
      frames: unpack(person.frames, "u4"),
      boxes: unpack(person.boxes, "f4"),
      p: unpack(person.p, "u2"),
    }));
  }

  // Position in `times` of the frame that is on screen at t, or -1.
  frameAt(t) {
    const i = lastAtOrBefore(this.times, t + 5e-4);
    return i >= 0 && t <= Math.min(this.end_s, this.times[i] + this.hold_s) ? i : -1;
  }

  // Row of a person in a frame, or -1 where the person is not seen.
  rowAt(person, frame) {
    const row = lastAtOrBefore(person.frames, frame);
    return frame >= 0 && row >= 0 && person.frames[row] === frame ? row : -1;
  }

  probabilities(person, row) {
    return Array.from(person.p.subarray(row * this.k, (row + 1) * this.k), (value) => value / SCALE);
  }

  // Mean probabilities per pixel column, Float32 (width, k), -1 where the person is not seen.
  columns(person, width) {
    const sums = new Float32Array(width * this.k);
    const counts = new Float32Array(width);
    const span = this.end_s - this.start_s || 1;
    const column = (t) => ((t - this.start_s) / span) * width;
    for (let row = 0; row < person.frames.length; row++) {
      const frame = person.frames[row];
      const until = frame + 1 < this.times.length ? this.times[frame + 1] : this.end_s;
      const first = Math.floor(column(this.times[frame]));
      const last = Math.max(first, Math.ceil(column(Math.min(until, this.times[frame] + this.hold_s))) - 1);
      for (let x = Math.max(first, 0); x <= Math.min(last, width - 1); x++) {
        counts[x]++;
        for (let j = 0; j < this.k; j++) sums[x * this.k + j] += person.p[row * this.k + j] / SCALE;
      }
    }
    for (let x = 0; x < width; x++) for (let j = 0; j < this.k; j++) sums[x * this.k + j] = counts[x] ? sums[x * this.k + j] / counts[x] : -1;
    return sums;
  }
}

class Player {
  constructor(root) {
    this.root = root;
    this.$ = (name) => root.querySelector(name);
    this.chosen = 0;
    this.time = 0;
    this.$(".play").addEventListener("click", () => this.toggle());
    this.$(".speed").addEventListener("change", (event) => this.video && (this.video.playbackRate = Number(event.target.value)));
    this.$(".boxes").addEventListener("change", () => this.showMoment());
    const timeline = this.$(".timeline");
    timeline.addEventListener("pointerdown", (event) => {
      timeline.setPointerCapture(event.pointerId);
      this.seek(this.timeAt(event));
    });
    timeline.addEventListener("pointermove", (event) => {
      if (event.buttons & 1) this.seek(this.timeAt(event));
      this.hover(event);
    });
    timeline.addEventListener("pointerleave", () => (this.$(".tip").hidden = true));
    root.addEventListener("keydown", (event) => this.onKey(event));
    this.sizes = new ResizeObserver(() => this.drawAll());
  }

  // Python's values; called again whenever they change.
  update(data) {
    this.sizes.observe(this.root);
    if (data.media !== this.media) this.setMedia(data);
    if (data.url !== this.url) this.load(data.url);
    if (!data.seek) this.seekId = null;
    if (data.seek && data.seek.id !== this.seekId) {
      this.seekId = data.seek.id;
      if (this.analysis) this.choose(this.analysis.people.findIndex((person) => person.track === data.seek.track));
      this.seek(data.seek.time_s);
    }
  }

  dispose() {
    this.sizes.disconnect();
  }

  setMedia({ media, picture, width, height }) {
    this.media = media;
    this.$(".stage").style.setProperty("--aspect", width / height);
    const holder = this.$(".picture");
    holder.replaceChildren();
    this.video = null;
    this.still = null;
    if (!media) return this.say("The video itself is not kept with this analysis, or no browser can play it. The timeline works without it.");
    if (picture) {
      this.still = element("img");
      this.still.alt = "The analysed picture";
      this.still.addEventListener("load", () => this.showMoment());
      this.still.src = media;
      holder.append(this.still);
    } else {
      this.video = element("video");
      Object.assign(this.video, { src: media, playsInline: true, preload: "auto" });
      this.video.addEventListener("error", () => this.say("This browser cannot play the video. The timeline works without it."));
      for (const kind of ["play", "pause", "ended"]) this.video.addEventListener(kind, () => this.onPlaying());
      for (const kind of ["seeked", "loadeddata"]) this.video.addEventListener(kind, () => this.showMoment());
      this.video.addEventListener("click", () => this.toggle());
      holder.append(this.video);
      this.follow();
    }
  }

  // Follow the frames that are really shown, at the stream's own times.
  follow() {
    const video = this.video;
    const onFrame = (_, { mediaTime }) => {
      if (video !== this.video) return;
      this.time = mediaTime;
      this.showMoment();
      video.requestVideoFrameCallback(onFrame);
    };
    if (video.requestVideoFrameCallback) video.requestVideoFrameCallback(onFrame);
    else video.addEventListener("timeupdate", () => onFrame(0, { mediaTime: video.currentTime }));
  }

  async load(url) {
    this.url = url;
    try {
      const answer = await fetch(url);
      const raw = await answer.json();
      if (url !== this.url) return;
      if (!answer.ok) throw new Error(raw.error);
      this.analysis = new Analysis(raw);
    } catch (error) {
      return this.say(error.message);
    }
    const picture = this.analysis.picture;
    for (const name of [".play", ".clock", ".speed", ".lanes"]) this.$(name).hidden = picture;
    this.chosen = Math.min(this.chosen, Math.max(this.analysis.people.length - 1, 0));
    this.time = Math.max(this.time, this.analysis.start_s);
    if (this.video && this.time > this.video.currentTime + 0.01) this.video.currentTime = this.time;
    this.$(".timeline").setAttribute("aria-valuemax", this.analysis.end_s.toFixed(3));
    this.showLegend();
    this.showPeople();
    this.drawAll();
    this.root.dataset.ready = "yes";
  }

  say(text) {
    const message = this.$(".message");
    message.hidden = !text;
    message.textContent = text;
  }

  // moving in time

  toggle() {
    if (this.video) this.video.paused ? this.video.play() : this.video.pause();
  }

  onPlaying() {
    const playing = !this.video.paused;
    this.$(".play").textContent = playing ? "❚❚" : "▶";
    this.$(".play").setAttribute("aria-label", playing ? "Pause" : "Play");
  }

  seek(time) {
    const { start_s, end_s } = this.analysis ?? { start_s: 0, end_s: Infinity };
    this.time = Math.min(Math.max(time, start_s), Math.max(end_s - 1e-3, start_s));
    // a hair behind the frame's start, so that rounding never shows the frame before it
    if (this.video) this.video.currentTime = this.time + 1e-4;
    this.showMoment();
  }

  step(by) {
    const { times } = this.analysis;
    const i = lastAtOrBefore(times, this.time + 5e-4) + by;
    this.seek(times[Math.min(Math.max(i, 0), times.length - 1)]);
  }

  onKey(event) {
    if (!this.analysis || this.analysis.picture || /INPUT|SELECT/.test(event.target.tagName)) return;
    const moves = {
      " ": () => this.toggle(),
      ArrowLeft: () => this.seek(this.time - 1),
      ArrowRight: () => this.seek(this.time + 1),
      ",": () => this.step(-1),
      ".": () => this.step(1),
      Home: () => this.seek(this.analysis.start_s),
      End: () => this.seek(this.analysis.end_s),
    };
    if (event.key === " " && event.target.tagName === "BUTTON") return;
    if (moves[event.key]) {
      event.preventDefault();
      moves[event.key]();
    }
  }

  timeAt(event) {
    const box = this.$(".timeline").getBoundingClientRect();
    const share = Math.min(Math.max((event.clientX - box.left) / box.width, 0), 1);
    return this.analysis.start_s + share * (this.analysis.end_s - this.analysis.start_s);
  }

  hover(event) {
    const tip = this.$(".tip");
    const time = this.timeAt(event);
    const person = this.analysis.people[this.chosen];
    const row = person ? this.analysis.rowAt(person, this.analysis.frameAt(time)) : -1;
    tip.hidden = false;
    tip.textContent = `${clock(time)}  ${row < 0 ? "not seen" : `${this.topText(person, row)}, ${this.groupText(person, row)}`}`;
    const box = this.$(".timeline").getBoundingClientRect();
    tip.style.left = `${Math.min(Math.max(event.clientX - box.left - tip.offsetWidth / 2, 0), box.width - tip.offsetWidth)}px`;
  }

  topText(person, row) {
    const p = this.analysis.probabilities(person, row);
    const top = p.indexOf(Math.max(...p));
    return `${this.analysis.emotions[top].name} ${percent(p[top])}`;
  }

  groupText(person, row) {
    const p = this.analysis.probabilities(person, row);
    const sums = this.analysis.groups.map(({ name }) => [p.reduce((sum, value, j) => sum + (this.analysis.emotions[j].group === name ? value : 0), 0), name]);
    const [sum, name] = sums.reduce((a, b) => (b[0] > a[0] ? b : a));
    return `${name} ${percent(sum)}`;
  }

  // people

  showLegend() {
    this.$(".legend").replaceChildren(
      ...this.analysis.emotions.map(({ name, colour }) => {
        const item = element("li");
        const patch = element("i");
        patch.style.background = colour;
        item.append(patch, name);
        return item;
      }),
    );
  }

  showPeople() {
    this.$(".people").replaceChildren(
      ...this.analysis.people.map((person, i) => {
        const row = element("button", "person");
        row.type = "button";
        row.dataset.track = person.track;
        const strip = element("span", "strip");
        strip.append(element("canvas"));
        const who = element("span", "who");
        who.append(this.thumbnail(person), element("span", "name", person.name));
        row.append(who, strip);
        row.addEventListener("click", (event) => {
          this.choose(i);
          const box = strip.getBoundingClientRect();
          if (event.clientX >= box.left && event.detail) this.seek(this.analysis.start_s + ((event.clientX - box.left) / box.width) * (this.analysis.end_s - this.analysis.start_s));
        });
        return row;
      }),
    );
    this.choose(this.chosen);
  }

  thumbnail(person) {
    const image = element(person.thumbnail ? "img" : "span");
    if (person.thumbnail) Object.assign(image, { src: person.thumbnail, alt: "" });
    return image;
  }

  choose(i) {
    if (i < 0) return;
    this.chosen = i;
    this.root.querySelectorAll(".person").forEach((row, j) => {
      row.classList.toggle("chosen", j === i);
      row.setAttribute("aria-pressed", j === i);
    });
    this.drawChart();
    this.showMoment();
  }

  // drawing

  drawAll() {
    if (!this.analysis) return;
    this.drawChart();
    this.root.querySelectorAll(".strip canvas").forEach((canvas, i) => this.drawStrip(canvas, this.analysis.people[i]));
    this.showMoment();
  }

  // A canvas as sharp as the screen, its pen in CSS pixels.
  pen(canvas, height) {
    const ratio = window.devicePixelRatio || 1;
    const width = Math.max(Math.round(canvas.parentElement.clientWidth), 1);
    Object.assign(canvas, { width: width * ratio, height: height * ratio });
    canvas.style.height = `${height}px`;
    const pen = canvas.getContext("2d");
    pen.scale(ratio, ratio);
    return { pen, width };
  }

  colour(name) {
    return getComputedStyle(this.root).getPropertyValue(name).trim();
  }

  drawChart() {
    if (!this.analysis || this.analysis.picture) return;
    const { pen, width } = this.pen(this.$(".chart"), HEIGHT.chart + HEIGHT.gap + HEIGHT.ribbon + HEIGHT.axis);
    const ribbonTop = HEIGHT.chart + HEIGHT.gap;
    this.hatch(pen, 0, 0, width, HEIGHT.chart);
    this.hatch(pen, 0, ribbonTop, width, HEIGHT.ribbon);
    const person = this.analysis.people[this.chosen];
    if (person) this.drawStack(pen, this.analysis.columns(person, width), width, ribbonTop);
    this.drawAxis(pen, width, ribbonTop + HEIGHT.ribbon);
    this.$(".gutter .who").textContent = person?.name ?? "nobody";
  }

  // Seven stacked probabilities, and below them the three groups' sums.
  drawStack(pen, columns, width, ribbonTop) {
    const { emotions, groups, k } = this.analysis;
    for (let x = 0; x < width; x++) {
      if (columns[x * k] < 0) continue;
      let y = HEIGHT.chart;
      for (let j = 0; j < k; j++) {
        const height = columns[x * k + j] * HEIGHT.chart;
        pen.fillStyle = emotions[j].colour;
        pen.fillRect(x, y - height, 1, height);
        y -= height;
      }
      let top = ribbonTop;
      for (const group of groups) {
        let sum = 0;
        for (let j = 0; j < k; j++) if (emotions[j].group === group.name) sum += columns[x * k + j];
        pen.fillStyle = group.colour;
        pen.fillRect(x, top, 1, sum * HEIGHT.ribbon);
        top += sum * HEIGHT.ribbon;
      }
    }
  }

  drawStrip(canvas, person) {
    const { pen, width } = this.pen(canvas, HEIGHT.strip);
    const { emotions, k } = this.analysis;
    const columns = this.analysis.columns(person, width);
    this.hatch(pen, 0, 0, width, HEIGHT.strip);
    for (let x = 0; x < width; x++) {
      if (columns[x * k] < 0) continue;
      let top = 0;
      for (let j = 1; j < k; j++) if (columns[x * k + j] > columns[x * k + top]) top = j;
      pen.fillStyle = emotions[top].colour;
      pen.fillRect(x, 0, 1, HEIGHT.strip);
    }
  }

  // What lies under the colours shows where nobody is seen.
  hatch(pen, x, y, width, height) {
    pen.save();
    pen.beginPath();
    pen.rect(x, y, width, height);
    pen.clip();
    pen.fillStyle = this.colour("--st-secondary-background-color");
    pen.fillRect(x, y, width, height);
    pen.strokeStyle = this.colour("--st-border-color");
    pen.beginPath();
    for (let at = x - height; at < x + width; at += 8) {
      pen.moveTo(at, y + height);
      pen.lineTo(at + height, y);
    }
    pen.stroke();
    pen.restore();
  }

  drawAxis(pen, width, top) {
    const { start_s, end_s } = this.analysis;
    const span = end_s - start_s;
    const step = [0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200].find((s) => (span / s) * 70 < width) ?? 14400;
    pen.fillStyle = this.colour("--st-text-color");
    pen.font = `12px ${this.colour("--st-font") || "sans-serif"}`;
    pen.textBaseline = "top";
    for (let t = Math.ceil(start_s / step - 1e-9) * step; t <= end_s + 1e-9; t += step) {
      const x = ((t - start_s) / (span || 1)) * width;
      const text = step < 1 ? clock(t).replace(/..$/, "") : clock(t).replace(/\.\d+$/, "");
      pen.fillRect(Math.min(x, width - 1), top, 1, 4);
      pen.textAlign = x < 12 ? "left" : x > width - 20 ? "right" : "center";
      pen.fillText(text, x, top + 7);
    }
  }

  // Cursor, overlay and bars for the current time.
  showMoment() {
    if (!this.analysis) return;
    this.drawCursor();
    const frame = this.analysis.picture ? 0 : this.analysis.frameAt(this.time);
    const seen = this.analysis.people.map((person) => ({ person, row: this.analysis.rowAt(person, frame) })).filter(({ row }) => row >= 0);
    this.drawOverlay(seen);
    this.showReading(seen);
    this.$(".clock").textContent = clock(this.time);
    this.root.dataset.time = this.time.toFixed(4);
    const slider = this.$(".timeline");
    slider.setAttribute("aria-valuenow", this.time.toFixed(3));
    slider.setAttribute("aria-valuetext", `${clock(this.time)}, ${seen.map(({ person, row }) => `${person.name}: ${this.topText(person, row)}`).join(", ") || "no face"}`);
  }

  drawCursor() {
    const { start_s, end_s, picture } = this.analysis;
    this.$(".cursor").hidden = picture;
    this.$(".lanes").style.setProperty("--share", (this.time - start_s) / (end_s - start_s || 1));
  }

  drawOverlay(seen) {
    const canvas = this.$(".overlay");
    const shown = this.video ?? this.still;
    canvas.hidden = !shown || !this.$(".boxes").checked;
    if (canvas.hidden) return;
    const ratio = window.devicePixelRatio || 1;
    const [width, height] = [shown.clientWidth, shown.clientHeight];
    const stage = this.$(".stage").getBoundingClientRect();
    const box = shown.getBoundingClientRect();
    Object.assign(canvas.style, { left: `${box.left - stage.left}px`, top: `${box.top - stage.top}px`, width: `${width}px`, height: `${height}px` });
    Object.assign(canvas, { width: width * ratio, height: height * ratio });
    const pen = canvas.getContext("2d");
    pen.scale((width / this.analysis.width) * ratio, (height / this.analysis.height) * ratio);
    const unit = this.analysis.width / (width || 1); // one CSS pixel in pixels of the video
    for (const { person, row } of seen) this.drawFace(pen, person, row, unit);
  }

  drawFace(pen, person, row, unit) {
    const [x0, y0, x1, y1] = person.boxes.subarray(4 * row, 4 * row + 4);
    const p = this.analysis.probabilities(person, row);
    const { colour } = this.analysis.emotions[p.indexOf(Math.max(...p))];
    pen.lineWidth = 3 * unit;
    pen.strokeStyle = colour;
    pen.strokeRect(x0, y0, x1 - x0, y1 - y0);
    const text = `${this.analysis.people.length > 1 ? `${person.name}: ` : ""}${this.topText(person, row)}`;
    pen.font = `600 ${13 * unit}px sans-serif`;
    const width = pen.measureText(text).width + 10 * unit;
    const left = Math.min(Math.max(x0 - 1.5 * unit, 0), Math.max(this.analysis.width - width, 0));
    const top = y0 > 20 * unit ? y0 - 19 * unit : y0;
    pen.fillStyle = "#000c";
    pen.fillRect(left, top, width, 19 * unit);
    pen.fillStyle = colour;
    pen.fillRect(left, top, 4 * unit, 19 * unit);
    pen.fillStyle = "#fff";
    pen.textBaseline = "middle";
    pen.fillText(text, left + 7 * unit, top + 10 * unit);
  }

  // The bars beside the picture; rebuilt only when other people are seen.
  showReading(seen) {
    const reading = this.$(".reading");
    const who = seen.map(({ person }) => person.track).join();
    if (reading.dataset.who !== who || !reading.firstChild) {
      reading.dataset.who = who;
      const faces = seen.map(({ person }) => this.face(person));
      reading.replaceChildren(...(faces.length ? faces : [element("p", "nobody", "No face here.")]));
    }
    seen.forEach(({ person, row }, i) => {
      const p = this.analysis.probabilities(person, row);
      const face = reading.children[i];
      face.querySelector(".top-emotion").textContent = this.topText(person, row);
      p.forEach((value, j) => {
        face.querySelectorAll("i")[j].style.width = `${100 * value}%`;
        face.querySelectorAll(".share")[j].textContent = percent(value);
      });
    });
  }

  face(person) {
    const face = element("section", "face");
    const header = element("header");
    header.append(element("b", "", person.name), element("span", "top-emotion"));
    const bars = element("div", "bars");
    for (const { name, colour } of this.analysis.emotions) {
      const rail = element("span", "rail");
      const bar = element("i");
      bar.style.background = colour;
      rail.append(bar);
      bars.append(element("span", "", name), rail, element("span", "share"));
    }
    face.append(this.thumbnail(person), header, bars);
    return face;
  }
}

export default function ({ parentElement, data }) {
  const root = parentElement.querySelector(".player");
  root.player ??= new Player(root);
  root.player.update(data);
  return () => root.player.dispose();
}
