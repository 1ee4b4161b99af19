// What the faces of the last minute showed, by person, and its drawing.

const MINUTE_MS = 60000;
const GAP_MS = 1500; // without an answer for so long nobody is shown
const LANE = { stack: 44, gap: 3, valence: 16 };
const MOST_LANES = 6;

class Minute {
  constructor() {
    this.people = new Map(); // by track: what was said of it, the oldest first
    this.names = new Set(); // of emotions that were answered
  }

  /** Take an answer that came at a time in ms. */
  take(faces, time) {
    for (const { track, p, valence } of faces) {
      if (!this.people.has(track)) this.people.set(track, []);
      this.people.get(track).push({ time, p, valence });
      for (const name of Object.keys(p)) this.names.add(name);
    }
    for (const [track, said] of this.people) {
      while (said.length && said[0].time < time - MINUTE_MS - GAP_MS) said.shift();
      if (!said.length) this.people.delete(track);
    }
  }

  /** Tracks of those who were seen in the last minute, at most a few: those who were seen last. */
  tracks() {
    const people = [...this.people].map(([track, said]) => ({ track, last: said[said.length - 1].time }));
    const newest = people.toSorted((a, b) => b.last - a.last).slice(0, MOST_LANES);
    return newest.map(({ track }) => track).toSorted((a, b) => a - b);
  }

  /** For each of `width` columns from a minute ago till now what was said last there; null: nothing for a while. */
  columns(track, now, width) {
    const said = this.people.get(track) ?? [];
    let i = -1;
    return Array.from({ length: width }, (_, x) => {
      const time = now - MINUTE_MS + ((x + 1) / width) * MINUTE_MS;
      while (i + 1 < said.length && said[i + 1].time <= time) i += 1;
      return i >= 0 && time - said[i].time <= GAP_MS ? said[i] : null;
    });
  }
}

/** Runs [from, to) of columns that show the same, where something was said. */
function alike(columns) {
  const found = [];
  columns.forEach((said, x) => {
    if (said && x && columns[x - 1] === said) found[found.length - 1].to = x + 1;
    else if (said) found.push({ said, from: x, to: x + 1 });
  });
  return found;
}

/** Draw a person's minute: probabilities stacked, the first emotion at the bottom, and valence below. */
function drawMinute(canvas, columns, { emotions, groups, plain, ink }) {
  const { stack, gap, valence: height } = LANE;
  const pen = penOf(canvas, columns.length, stack + gap + height);
  pen.fillStyle = plain;
  pen.fillRect(0, 0, columns.length, stack);
  pen.fillRect(0, stack + gap, columns.length, height);
  const zero = stack + gap + height / 2;
  const colourOf = (name) => groups.find((group) => group.name === name).colour;
  const [above, below] = ["positive", "negative"].map(colourOf);
  for (const { said, from, to } of alike(columns)) {
    let y = stack;
    for (const { name, colour } of emotions) {
      const share = (said.p[name] ?? 0) * stack;
      pen.fillStyle = colour;
      pen.fillRect(from, y - share, to - from, share);
      y -= share;
    }
    const end = zero - (said.valence * height) / 2;
    pen.fillStyle = said.valence > 0 ? above : below;
    pen.fillRect(from, Math.min(end, zero), to - from, Math.abs(end - zero));
  }
  pen.fillStyle = ink;
  pen.globalAlpha = 0.35;
  pen.fillRect(0, zero, columns.length, 1);
}

/** A lane for each person of the last minute, and what the colours mean. */
class Lanes {
  constructor($, root) {
    Object.assign(this, { $, root });
  }

  draw(minute, { emotions, groups, usual }, now) {
    const lanes = this.$(".lanes");
    const tracks = minute.tracks();
    this.root.classList.toggle("fresh", !tracks.length);
    if (lanes.dataset.tracks !== String(tracks)) {
      lanes.dataset.tracks = tracks;
      lanes.replaceChildren(...tracks.map((track) => this.lane(track)));
    }
    this.showLegend(emotions.filter(({ name }, i) => i < usual || minute.names.has(name)));
    const style = getComputedStyle(this.root);
    const [plain, ink] = ["secondary-background", "text"].map((name) => style.getPropertyValue(`--st-${name}-color`));
    const width = Math.round(lanes.querySelector(".strip")?.clientWidth ?? 0);
    tracks.forEach((track, i) => {
      const canvas = lanes.children[i].querySelector("canvas");
      drawMinute(canvas, minute.columns(track, now, width), { emotions, groups, plain, ink });
    });
  }

  lane(track) {
    const lane = element("div", "lane");
    const strip = element("div", "strip");
    const words = `${nameOfTrack(track)}: shares of the emotions and valence over the last minute`;
    strip.append(Object.assign(element("canvas"), { role: "img", ariaLabel: words }));
    lane.append(element("b", "", nameOfTrack(track)), strip);
    return lane;
  }

  showLegend(emotions) {
    const legend = this.$(".legend");
    if (legend.children.length === emotions.length) return;
    const items = emotions.map(({ name, colour }) => {
      const item = element("li");
      item.append(Object.assign(element("i"), { style: `background:${colour}` }), name);
      return item;
    });
    legend.replaceChildren(...items);
  }
}
