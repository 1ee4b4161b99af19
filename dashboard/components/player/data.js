// The data behind the player: an overview at once, then tiles of buckets (coarse zoom) and chunks of frames (fine zoom,
// overlay) as they are needed. See dashboard/services/playback.py for what the routes send.

/**
 * What a route sends of an analysis through one lens; the fields of an `Analysis`.
 * @typedef {object} Overview
 * @property {string} id
 * @property {string} version another one after every edit that changes the table
 * @property {number} revision
 * @property {boolean} picture whether it is of a picture, which has no time
 * @property {number} width of the picture in pixels, as is `height`
 * @property {number} height
 * @property {number} field share of the crop's side that the network takes
 * @property {number} start_s
 * @property {number} end_s
 * @property {number} width_s of a bucket of level 0; twice that of each next level
 * @property {number} levels of buckets, the last one in `overview`
 * @property {number} tile_length buckets in a tile
 * @property {string} chunks first time of each chunk of frames, float64 as base64
 * @property {Object<string, object>} overview packed buckets by track
 * @property {{name: string, colour: string, group: string}[]} emotions
 * @property {{name: string, colour: string}[]} groups
 * @property {{name: string, text: string}[]} codes reasons to doubt, by bit
 * @property {string[]} sources of a box, by number
 * @property {string[]} models
 * @property {boolean} smoothed
 * @property {Person[]} people
 * @property {Mark[]} marks
 * @property {boolean} undo whether there is an edit to undo, and to redo
 * @property {boolean} redo
 */

/**
 * @typedef {object} Person
 * @property {number} track
 * @property {string} name
 * @property {?string} thumbnail a url
 * @property {number} seen_s how long the person is seen, and without any reason to doubt the scores
 * @property {number} usable_s
 * @property {number[]} baseline (k) medians of the probabilities before smoothing
 */

/**
 * @typedef {object} Mark
 * @property {string} id
 * @property {string} label
 * @property {string} note
 * @property {number} start_s
 * @property {?number} end_s null for a moment
 * @property {?number} track
 */

/**
 * A column that has a line of its own.
 * @typedef {object} Line
 * @property {string} name
 * @property {string} title
 * @property {string} unit
 * @property {number} least
 * @property {number} most
 */

/**
 * A person's face in a frame; places in pixels of the analysis.
 * @typedef {object} Face
 * @property {number[]} p (k) probabilities
 * @property {number[]} lines (m) values of `lines`, in their own units
 * @property {Float32Array} box x0, y0, x1, y1
 * @property {Float32Array} landmarks x and y of five points
 * @property {Float32Array} square origin and x axis of the crop
 * @property {number} detection score of the face detector
 * @property {string} source how the box was found
 * @property {number} reasons to doubt, as bits of `codes`
 * @property {boolean} differs whether the models disagree
 */

const FINE_FRAMES = 2048; // up to this many frames in view are drawn one by one
const KEPT = 96; // tiles and chunks in memory

/** A share 0-1 of a line's range in its own unit.
 * @param {Line} line */
function onScale(line, share) {
  return line.least + share * (line.most - line.least);
}

/** Position of the last value <= x in a sorted array, -1 if there is none. */
function lastAtOrBefore(sorted, x) {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sorted[middle] <= x) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

/** `{error}` of a route becomes an Error with its message. */
async function ask(url, body) {
  const post = { method: "POST", body: JSON.stringify(body), headers: { "Content-Type": "application/json" } };
  const answer = await fetch(url, body === undefined ? {} : post).catch(() => {
    throw new Error("The server does not answer. Is it still running?");
  });
  const value = await answer.json().catch(() => ({ error: `The server answered with an error (${answer.status}).` }));
  if (!answer.ok) throw Object.assign(new Error(value.error), { status: answer.status });
  return value;
}

function unpackPeople(people, kinds) {
  const unpacked = {};
  for (const [track, packed] of Object.entries(people)) {
    unpacked[track] = { n: packed.n };
    for (const [name, kind] of Object.entries(kinds)) {
      if (packed[name] !== undefined) unpacked[track][name] = unpack(packed[name], kind);
    }
  }
  return unpacked;
}

/** One analysis through one lens. `onData` is called whenever something arrived that was asked for, `onStale` when it
 * was edited elsewhere, so that what is here belongs to another table. */
class Analysis {
  /** @param {Overview} raw */
  constructor(raw, query, onData, onStale) {
    Object.assign(this, raw);
    this.query = query;
    this.onData = onData;
    this.onStale = onStale;
    this.k = raw.emotions.length;
    this.m = raw.lines.length;
    this.chunkStarts = unpack(raw.chunks, "f8");
    this.kept = new Map(); // url → data, or null while it is on its way
    this.top = { level: raw.levels - 1, people: unpackPeople(raw.overview, raw.kinds.tile) };
  }

  // What a url holds if it is here; else it is fetched.
  get(url, unpackIt) {
    if (this.kept.has(url)) {
      const found = this.kept.get(url);
      this.kept.delete(url);
      this.kept.set(url, found); // the last used one goes last
      return found;
    }
    this.kept.set(url, null);
    ask(url)
      .then((raw) => {
        this.kept.set(url, unpackIt(raw));
        this.onData();
      })
      .catch((error) => {
        if (error.status === 409) this.onStale();
        setTimeout(() => {
          this.kept.delete(url);
          this.onData(); // asked again if it is still needed
        }, 2000);
      });
    for (const old of this.kept.keys()) {
      if (this.kept.size <= KEPT) break;
      if (this.kept.get(old)) this.kept.delete(old);
    }
    return null;
  }

  tile(level, index) {
    if (level === this.levels - 1) return index ? null : this.top.people;
    const url = `/api/tiles/${this.id}/${level}/${index}?${this.query}`;
    return this.get(url, (raw) => unpackPeople(raw, this.kinds.tile));
  }

  chunk(index) {
    if (index < 0 || index >= this.chunkStarts.length) return null;
    return this.get(`/api/frames/${this.id}/${index}?${this.query}`, (raw) => ({
      first: raw.first,
      start: unpack(raw.start, "f8"),
      end: unpack(raw.end, "f8"),
      people: unpackPeople(raw.people, this.kinds.frame),
    }));
  }

  /** The chunk in which t lies; the next one is fetched ahead. */
  chunkAt(t) {
    const index = Math.max(lastAtOrBefore(this.chunkStarts, t + 5e-4), 0);
    const chunk = this.chunk(index);
    if (chunk && t > (chunk.start[0] + chunk.end[chunk.end.length - 1]) / 2) this.chunk(index + 1);
    return chunk;
  }

  /** {chunk, i} of the frame on screen at t (i = -1: none was measured there), or null while it is being fetched. */
  frameAt(t) {
    const chunk = this.chunkAt(t);
    if (!chunk) return null;
    const i = lastAtOrBefore(chunk.start, t + 5e-4);
    return { chunk, i: i >= 0 && t <= chunk.end[i] + 5e-4 ? i : -1 };
  }

  /** A person's face in a frame, or null where the person is not seen.
   * @returns {?Face} */
  face(track, { chunk, i }) {
    const rows = chunk.people[track];
    if (!rows || i < 0) return null;
    const row = lastAtOrBefore(rows.at, chunk.first + i);
    if (row < 0 || rows.at[row] !== chunk.first + i) return null;
    const part = (values, n) => values.subarray(n * row, n * row + n);
    return {
      p: Array.from(part(rows.p, this.k), (value) => value / 65535),
      lines: this.lines.map((line, j) => onScale(line, rows.lines[row * this.m + j] / 65535)),
      box: part(rows.boxes, 4),
      landmarks: part(rows.landmarks, 10),
      square: part(rows.squares, 4),
      detection: rows.detection[row],
      source: this.sources[rows.source[row]],
      reasons: rows.reasons[row],
      differs: rows.differs[2 * row] > 0,
    };
  }

  /** Time of the next (`by` 1) or previous (-1) frame from the one at t, waiting for its chunk; null if none comes. */
  async step(t, by) {
    for (let wait = 0; wait < 40; wait++) {
      const index = Math.max(lastAtOrBefore(this.chunkStarts, t + 5e-4), 0);
      const chunk = this.chunk(index);
      const i = chunk ? lastAtOrBefore(chunk.start, t + 5e-4) + by : 0;
      if (chunk && i >= 0 && i < chunk.start.length) return chunk.start[i];
      const isEnd = index + by < 0 || index + by >= this.chunkStarts.length;
      if (chunk && isEnd) return chunk.start.at(by < 0 ? 0 : -1);
      const near = chunk && this.chunk(index + by);
      if (near) return near.start.at(by < 0 ? -1 : 0);
      await new Promise((done) => setTimeout(done, 50));
    }
    return null;
  }

  /** What is drawn of a person between two times. */
  columns(track, from, to, width) {
    const out = new Columns(width, this.k, this.m);
    const scale = width / Math.max(to - from, 1e-9);
    const frames = (to - from) / (this.width_s / 2);
    const isFine = frames <= FINE_FRAMES && this.addFrames(out, track, from, to, scale);
    if (!isFine) this.addTiles(out, track, from, to, scale);
    return out.finish();
  }

  addFrames(out, track, from, to, scale) {
    const first = Math.max(lastAtOrBefore(this.chunkStarts, from), 0);
    const last = Math.max(lastAtOrBefore(this.chunkStarts, to), first);
    const chunks = [];
    for (let index = first; index <= last; index++) chunks.push(this.chunk(index));
    if (chunks.includes(null)) return false;
    for (const { first: offset, start, end, people } of chunks) {
      const rows = people[track];
      if (!rows) continue;
      const values = { ...rows, mean: rows.p, low: rows.p, high: rows.p, raw: rows.raw ?? rows.p };
      for (let row = 0; row < rows.at.length; row++) {
        const i = rows.at[row] - offset;
        if (end[i] <= from || start[i] >= to) continue;
        const doubt = [rows.reasons[row] ? 1 : 0, rows.differs[2 * row], rows.differs[2 * row + 1], rows.reasons[row]];
        out.add((start[i] - from) * scale, (end[i] - from) * scale, 1, values, row, 65535, ...doubt);
      }
    }
    return true;
  }

  // The level whose buckets are a pixel wide at most; coarser ones stand in until its tiles are here.
  addTiles(out, track, from, to, scale) {
    const wanted = Math.floor(Math.log2(1 / scale / this.width_s));
    for (let level = clamp(wanted, 0, this.levels - 1); level < this.levels; level++) {
      const width = this.width_s * 2 ** level;
      const first = Math.max(Math.floor((from - this.start_s) / width / this.tile_length), 0);
      const end = Math.min(to, this.end_s) - this.start_s - 1e-9;
      const last = Math.max(Math.floor(end / width / this.tile_length), first);
      const tiles = [];
      for (let index = first; index <= last; index++) tiles.push(this.tile(level, index));
      if (tiles.includes(null)) continue;
      tiles.forEach((people, j) => {
        const offset = this.start_s + (first + j) * this.tile_length * width - from;
        if (people[track]) this.addTile(out, people[track], offset, width, scale);
      });
      return;
    }
  }

  addTile(out, rows, offset, width, scale) {
    const values = { ...rows, raw: rows.raw ?? rows.mean };
    for (let i = 0; i < rows.n; i++) {
      const x = (offset + i * width) * scale;
      if (!rows.seen[i] || x + width * scale <= 0 || x >= out.width) continue;
      const shares = [rows.doubtful[i], rows.differs[2 * i], rows.differs[2 * i + 1]].map((share) => share / 255);
      out.add(x, x + width * scale, rows.seen[i] / 255, values, i, 255, ...shares, rows.reasons[i]);
    }
  }
}
