// What the map draws: positions (fetched, or sent along), colourings, the trail of a video. See records.py for how each
// is encoded.

const UNKNOWN = [138, 143, 152]; // a number that is not known
// Anchors of viridis (Smith and van der Walt 2015); light pages leave out its pale end, dark ones its dark end.
const VIRIDIS = ["440154", "482878", "3e4989", "31688e", "26828e", "1f9e89", "35b779", "6dcd59", "b4de2c", "fde725"];
const VIRIDIS_PART = { light: [0, 0.88], dark: [0.22, 1] };

const rgb = (hex) => [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));
const mix = (a, b, share) => a.map((value, i) => Math.round(value + (b[i] - value) * share));

/** One bit per row, the first in the lowest bit, as base64. */
function packMask(mask) {
  const octets = new Uint8Array(Math.ceil(mask.length / 8));
  mask.forEach((is, i) => is && (octets[i >> 3] |= 1 << (i & 7)));
  return btoa(Array.from(octets, (octet) => String.fromCharCode(octet)).join(""));
}

function unpackMask(text, n) {
  const octets = unpack(text, "u1");
  return Uint8Array.from({ length: n }, (_, i) => (octets[i >> 3] >> (i & 7)) & 1);
}

/** The raw positions of a map; an Error says what went wrong. */
async function positionsOf({ url, positions, n, dimensions }) {
  if (!url) return unpack(positions, "f4");
  const answer = await fetch(url).catch(() => {
    throw new Error("The server does not answer. Is it still running?");
  });
  if (!answer.ok) {
    const { error } = await answer.json().catch(() => ({}));
    throw new Error(error ?? `The server answered with an error (${answer.status}).`);
  }
  const raw = await answer.arrayBuffer();
  const expected = 4 * n * dimensions;
  if (raw.byteLength !== expected) throw new Error(`Expected ${expected} bytes of positions, got ${raw.byteLength}.`);
  return new Float32Array(raw);
}

/** Row numbers in an order that is random and always the same, so that no class lies on top of the others. */
function shuffled(n) {
  const order = Uint32Array.from({ length: n }, (_, i) => i);
  let state = 1;
  for (let i = n - 1; i > 0; i--) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0; // Numerical Recipes' generator
    const j = Math.floor((state / 4294967296) * (i + 1));
    [order[i], order[j]] = [order[j], order[i]];
  }
  return order;
}

/** Points around the middle of their box; in 3-D the farthest has distance 1, in 2-D the box reaches to `half`. */
class Points {
  constructor(raw, n, dimensions) {
    this.n = n;
    this.dimensions = dimensions;
    const low = Array(dimensions).fill(Infinity);
    const high = Array(dimensions).fill(-Infinity);
    const placed = shuffled(n).filter((i) => raw.subarray(i * dimensions, (i + 1) * dimensions).every(Number.isFinite));
    for (const i of placed) {
      for (let d = 0; d < dimensions; d++) {
        const value = raw[i * dimensions + d];
        if (value < low[d]) low[d] = value;
        if (value > high[d]) high[d] = value;
      }
    }
    this.placed = placed;
    this.middle = low.map((value, d) => (placed.length ? (value + high[d]) / 2 : 0));
    this.unit = 1;
    const [x, y, z] = this.coordinates(raw, n);
    this.unit = placed.reduce((most, i) => Math.max(most, Math.hypot(x[i], y[i], z[i])), 0) || 1;
    this.axes = this.coordinates(raw, n);
    this.half = low.map((value, d) => (placed.length ? (high[d] - value) / 2 / this.unit : 0));
  }

  /** [x, y, z] of raw positions on this map's scale; z is 0 in 2-D. */
  coordinates(raw, n) {
    const { dimensions, middle, unit } = this;
    const at = (i, d) => (d < dimensions ? (raw[i * dimensions + d] - middle[d]) / unit : 0);
    return [0, 1, 2].map((d) => Float32Array.from({ length: n }, (_, i) => at(i, d)));
  }
}

/** A way to colour the points: `values` are indices into `labels`, or levels 1-255 of a number (0: not known). */
class Colouring {
  constructor(raw) {
    Object.assign(this, raw);
    this.isNumber = raw.kind === "number";
    this.values = unpack(raw.values, "u1");
    this.counts = this.count();
  }

  /** How many points each value has, of those in a mask (n,) where one is given. */
  count(mask) {
    const counts = new Uint32Array(256);
    this.values.forEach((value, i) => (!mask || mask[i]) && counts[value]++);
    return counts;
  }

  /** A colour [r, g, b] per value. */
  palette(isDark) {
    if (!this.isNumber) return this.colours.map(rgb);
    const [from, to] = VIRIDIS_PART[isDark ? "dark" : "light"];
    const at = (share) => {
      const place = share * (VIRIDIS.length - 1);
      const anchor = Math.min(Math.floor(place), VIRIDIS.length - 2);
      return mix(rgb(`#${VIRIDIS[anchor]}`), rgb(`#${VIRIDIS[anchor + 1]}`), place - anchor);
    };
    return Array.from({ length: 256 }, (_, level) => (level ? at(from + ((to - from) * (level - 1)) / 254) : UNKNOWN));
  }

  word(value) {
    if (!this.isNumber) return this.labels[value];
    return value ? this.written(this.low + ((this.high - this.low) * (value - 1)) / 254) : "not known";
  }

  written(number) {
    const digits = Math.max(2 - Math.floor(Math.log10(this.high - this.low)), 0);
    return `${Number(number.toFixed(digits)).toLocaleString("en")}${this.unit ? `\u00a0${this.unit}` : ""}`;
  }
}

/** Faces in order of time, on a map's scale. */
class Trail {
  constructor(raw, points) {
    this.name = raw.name;
    this.n = raw.n;
    this.axes = points.coordinates(unpack(raw.positions, "f4"), raw.n);
    this.times = unpack(raw.times, "f8");
    this.far = unpack(raw.far, "u1");
    this.values = raw.values.map((values) => values && unpack(values, "u1"));
    this.placed = Array.from({ length: raw.n }, (_, i) => this.axes.every((axis) => Number.isFinite(axis[i])));
    // a pause of five usual steps breaks the line: nobody was seen
    const steps = this.times.subarray(1).map((time, i) => time - this.times[i]).toSorted(); // by number
    this.pause = 5 * (steps[steps.length >> 1] ?? 0) || Infinity;
  }

  /** Whether a line leads from face i to the next one. */
  goesOn(i) {
    return i + 1 < this.n && this.placed[i] && this.placed[i + 1] && this.times[i + 1] - this.times[i] <= this.pause;
  }
}
