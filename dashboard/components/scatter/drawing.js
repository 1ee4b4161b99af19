// What is drawn on canvases. Points are stamped into the pixels of a picture, since tens of thousands of them must move
// with the pointer; all else is drawn with a pen in CSS pixels. Nothing here knows the map's state.

const FOG = 8; // steps of depth, each with its own size and strength of colour
const PHASES = 4; // places of a dot's middle within a pixel, per axis
const FADED = 0.18; // of a colour's strength that is left to points that are not meant

const abgr = ([r, g, b]) => ((255 << 24) | (b << 16) | (g << 8) | r) >>> 0;

/** A colour over another one, `cover` of 256. */
function blended(under, over, cover) {
  const rest = 256 - cover;
  const redBlue = (((over & 0xff00ff) * cover + (under & 0xff00ff) * rest) / 256) & 0xff00ff;
  return 0xff000000 | redBlue | ((((over & 0xff00) * cover + (under & 0xff00) * rest) / 256) & 0xff00);
}

/** Colour per value and step of depth, of points in full colour (`most` of its strength) and of faded ones. */
function tables(palette, page, isTurning, most = 1) {
  const strength = (step) => (isTurning ? 0.62 + (0.38 * step) / (FOG - 1) : 1);
  const table = (share) => {
    const colours = new Uint32Array(256 * FOG);
    palette.forEach((colour, value) => {
      for (let step = 0; step < FOG; step++) {
        colours[value * FOG + step] = abgr(mix(page, colour, share * strength(step)));
      }
    });
    return colours;
  };
  return { full: table(most), faded: table(FADED) };
}

/** A panel's points as pixels. A margin all around takes the dots that stick out. */
class Raster {
  constructor(canvas) {
    this.canvas = canvas;
    this.margin = 16;
    this.stamps = new Map();
  }

  resize(width, height, ratio) {
    const [w, h] = [width, height].map((side) => Math.max(Math.round(side * ratio), 1));
    if (this.canvas.width === w && this.canvas.height === h && this.pixels) return;
    Object.assign(this.canvas, { width: w, height: h });
    this.pen = this.canvas.getContext("2d");
    this.stride = w + 2 * this.margin;
    this.picture = new ImageData(this.stride, h + 2 * this.margin);
    this.pixels = new Uint32Array(this.picture.data.buffer);
    this.stamps.clear();
  }

  clear(page) {
    this.page = abgr(page);
    this.pixels.fill(this.page);
  }

  show() {
    this.pen.putImageData(this.picture, -this.margin, -this.margin);
  }

  /** Offsets of the pixels a dot of `radius` device pixels covers wholly, and in part, for each phase of its middle. */
  stamp(radius) {
    const name = radius.toFixed(1);
    if (!this.stamps.has(name)) {
      const phase = (_, k) => this.phase(radius, (k % PHASES) + 0.5, Math.floor(k / PHASES) + 0.5);
      this.stamps.set(name, Array.from({ length: PHASES ** 2 }, phase));
    }
    return this.stamps.get(name);
  }

  phase(radius, x, y) {
    const [inner, edge, cover] = [[], [], []];
    const reach = Math.min(Math.ceil(radius + 2), this.margin - 1);
    for (let row = -reach; row <= reach; row++) {
      for (let column = -reach; column <= reach; column++) {
        const distance = Math.hypot(column + 0.5 - x / PHASES, row + 0.5 - y / PHASES);
        const share = clamp(radius + 0.5 - distance, 0, 1);
        const at = row * this.stride + column;
        if (share > 0.96) inner.push(at);
        else if (share > 0.04) {
          edge.push(at);
          cover.push(Math.round(256 * share));
        }
      }
    }
    return { inner: Int32Array.from(inner), edge: Int32Array.from(edge), cover: Uint16Array.from(cover) };
  }

  /** Stamp the rows of `order` for which mask[row] is `wanted`. `radius` in CSS px, `steps` (n) of depth or null. */
  dots({ order, mask, wanted, screen, ratio, values, colours, steps, radius }) {
    const { pixels, stride, margin } = this;
    const size = (step) => (steps ? 0.75 + (0.5 * step) / (FOG - 1) : 1);
    const sizes = Array.from({ length: FOG }, (_, step) => this.stamp(ratio * radius * size(step)));
    const [xs, ys] = screen;
    const [right, bottom] = [this.canvas.width + 2 * margin - margin / 2, this.canvas.height + 2 * margin - margin / 2];
    for (let k = 0; k < order.length; k++) {
      const i = order[k];
      if (mask[i] !== wanted) continue;
      const x = xs[i] * ratio + margin;
      const y = ys[i] * ratio + margin;
      if (!(x > margin / 2 && x < right && y > margin / 2 && y < bottom)) continue;
      const step = steps ? steps[i] >> 5 : 0;
      const column = x | 0;
      const row = y | 0;
      const phase = (((y - row) * PHASES) | 0) * PHASES + (((x - column) * PHASES) | 0);
      const { inner, edge, cover } = sizes[step][phase];
      const colour = colours[values[i] * FOG + step];
      const at = row * stride + column;
      for (let p = 0; p < inner.length; p++) pixels[at + inner[p]] = colour;
      for (let p = 0; p < edge.length; p++) {
        const q = at + edge[p];
        pixels[q] = blended(pixels[q], colour, cover[p]);
      }
    }
  }
}

function disc(pen, x, y, radius) {
  pen.beginPath();
  pen.arc(x, y, radius, 0, 7);
}

/** The point under the pointer, larger than it is. */
function drawHover(pen, x, y, { colour, ink, page }) {
  disc(pen, x, y, 7.5);
  pen.fillStyle = page;
  pen.fill();
  disc(pen, x, y, 6);
  pen.fillStyle = colour;
  pen.fill();
  pen.lineWidth = 1.5;
  pen.strokeStyle = ink;
  pen.stroke();
}

function drawRing(pen, x, y, { colour, ink, page }) {
  disc(pen, x, y, 9);
  pen.fillStyle = page;
  pen.fill();
  disc(pen, x, y, 5);
  pen.fillStyle = colour;
  pen.fill();
  for (const [width, style] of [[5, page], [2.2, ink]]) {
    disc(pen, x, y, 9);
    pen.lineWidth = width;
    pen.strokeStyle = style;
    pen.stroke();
  }
}

function drawLasso(pen, polygon, { accent }) {
  pen.beginPath();
  polygon.forEach(([x, y], i) => pen[i ? "lineTo" : "moveTo"](x, y));
  pen.closePath();
  pen.fillStyle = accent;
  pen.globalAlpha = 0.14;
  pen.fill();
  pen.globalAlpha = 1;
  pen.strokeStyle = accent;
  pen.lineWidth = 1.6;
  pen.stroke();
}

/** Lines from face to face, dashed where an end is far from the training data; a dot per face, hollow where it is far.
 * `colours` (m) CSS colours, `width` of the panel in px. */
function drawTrail(pen, trail, [xs, ys], colours, { ink, page, font }, width) {
  const lines = [true, false].map((isDashed) => {
    const path = new Path2D();
    for (let i = 0; i < trail.n; i++) {
      if (!trail.goesOn(i) || Boolean(trail.far[i] || trail.far[i + 1]) !== isDashed) continue;
      path.moveTo(xs[i], ys[i]);
      path.lineTo(xs[i + 1], ys[i + 1]);
    }
    return path;
  });
  pen.lineJoin = "round";
  for (const [strokeStyle, lineWidth] of [[page, 5], [ink, 2]]) {
    Object.assign(pen, { strokeStyle, lineWidth });
    lines.forEach((path, k) => {
      pen.setLineDash(k ? [] : [4, 4]);
      pen.stroke(path);
    });
  }
  pen.setLineDash([]);
  const radius = trail.n > 600 ? 2.4 : 3.8;
  for (let i = 0; i < trail.n; i++) {
    if (!trail.placed[i]) continue;
    disc(pen, xs[i], ys[i], radius);
    Object.assign(pen, { fillStyle: trail.far[i] ? page : colours[i], strokeStyle: trail.far[i] ? colours[i] : page });
    pen.lineWidth = trail.far[i] ? 1.8 : 1;
    pen.fill();
    pen.stroke();
  }
  drawEnds(pen, trail, [xs, ys], { ink, page, font }, width);
}

function drawEnds(pen, trail, [xs, ys], { ink, page, font }, width) {
  const seen = trail.placed.flatMap((is, i) => (is ? [i] : []));
  Object.assign(pen, { font: `600 12px ${font}`, textBaseline: "middle", textAlign: "left" });
  Object.assign(pen, { lineWidth: 4, strokeStyle: page, fillStyle: ink });
  for (const i of new Set(seen.length ? [seen[0], seen.at(-1)] : [])) {
    const words = `${i === seen[0] ? "start " : "end "}${clock(trail.times[i])}`;
    const x = Math.max(Math.min(xs[i] + 9, width - pen.measureText(words).width - 6), 6);
    const y = ys[i] + (i === seen[0] ? -12 : 14); // both can lie at one place
    pen.strokeText(words, x, y);
    pen.fillText(words, x, y);
  }
}

/** ``0:07.3`` */
function clock(seconds) {
  const tenths = Math.round(seconds * 10);
  return `${Math.floor(tenths / 600)}:${String(Math.floor(tenths / 10) % 60).padStart(2, "0")}.${tenths % 10}`;
}
