// Where the points are on the screen: one view that both panels share, and an index to find the point under the
// pointer.

const MARGIN = 16; // px around all points at zoom 1
const MAX_ZOOM = 400;
const START = { yaw: 0.5, pitch: 0.35 }; // of a map in 3-D, in radians

/** An orthographic view: `target` is the place of the map in the middle of the panel, turned by yaw, then pitch. */
class View {
  constructor(points) {
    this.points = points;
    this.size = [1, 1];
    this.screen = [new Float32Array(points.n), new Float32Array(points.n)];
    this.depth = new Uint8Array(points.n); // 0 far to 255 near
    this.reset();
    this.reach = this.isTurning ? this.startReach() : points.half;
  }

  // How far the points reach to the side and up as they are first seen; at most so much less than all round that a turn
  // brings few of them out of view.
  startReach() {
    const rows = this.rotation();
    const [x, y, z] = this.points.axes;
    const distance = ([a, b, c], i) => Math.abs(a * x[i] + b * y[i] + c * z[i]);
    const along = (row) => this.points.placed.reduce((most, i) => Math.max(most, distance(row, i)), 0);
    return [along(rows[0]), along(rows[1])].map((reach) => Math.max(reach, 0.75));
  }

  get isTurning() {
    return this.points.dimensions === 3;
  }

  reset() {
    Object.assign(this, { zoom: 1, target: [0, 0, 0], yaw: 0, pitch: 0 }, this.isTurning ? START : {});
  }

  /** @returns {{zoom: number, target: number[], yaw: number, pitch: number}} what is kept of a view */
  state() {
    const { zoom, target, yaw, pitch } = this;
    return { zoom, target, yaw, pitch };
  }

  /** Pixels per unit of the map. */
  get scale() {
    const [width, height] = this.size.map((side) => Math.max(side - 2 * MARGIN, 8));
    const [x, y] = this.reach.map((reach) => reach || 1e-9);
    const fit = Math.min(width / 2 / x, height / 2 / y);
    return this.zoom * Math.min(fit, 4 * Math.max(width, height));
  }

  /** Rows of the rotation: to the right, up, towards the viewer. */
  rotation() {
    const [cy, sy, cp, sp] = [Math.cos(this.yaw), Math.sin(this.yaw), Math.cos(this.pitch), Math.sin(this.pitch)];
    return [[cy, 0, sy], [sp * sy, cp, -sp * cy], [-cp * sy, sp, cp * cy]]; // prettier-ignore
  }

  /** Screen positions in px of `axes` ([x, y, z] arrays of n) into `out`, and depths where asked for. */
  project(axes, n, out, depth) {
    const [[ax, ay, az], [bx, by, bz], [cx, cy, cz]] = this.rotation();
    const { scale, target, size } = this;
    const [px, py, pz] = axes;
    const [tx, ty, tz] = target;
    const [xs, ys] = out;
    const [left, top] = [size[0] / 2, size[1] / 2];
    for (let i = 0; i < n; i++) {
      const x = px[i] - tx;
      const y = py[i] - ty;
      const z = pz[i] - tz;
      xs[i] = left + scale * (ax * x + ay * y + az * z);
      ys[i] = top - scale * (bx * x + by * y + bz * z);
      if (depth) depth[i] = 127.5 * (1 + clamp(cx * px[i] + cy * py[i] + cz * pz[i], -1, 1));
    }
  }

  projectPoints() {
    this.project(this.points.axes, this.points.n, this.screen, this.isTurning ? this.depth : null);
    this.grid = null;
  }

  move(dx, dy) {
    const [right, up] = this.rotation();
    const { scale } = this;
    this.target = this.target.map((value, d) => value - (dx * right[d] - dy * up[d]) / scale);
  }

  turn(yaw, pitch) {
    this.yaw += yaw;
    this.pitch = clamp(this.pitch + pitch, -Math.PI / 2, Math.PI / 2);
  }

  /** Zoom so that what is at (x, y) px stays there; false if it goes no further. */
  zoomAt(factor, x = this.size[0] / 2, y = this.size[1] / 2) {
    const zoom = clamp(this.zoom * factor, 0.5, MAX_ZOOM);
    if (zoom === this.zoom) return false;
    const [dx, dy] = [x - this.size[0] / 2, y - this.size[1] / 2];
    this.move(-dx, -dy);
    this.zoom = zoom;
    this.move(dx, dy);
    return true;
  }

  /** Points in the order in which they are drawn: shuffled in 2-D, from far to near in 3-D. */
  order() {
    const { placed } = this.points;
    if (!this.isTurning) return placed;
    const starts = new Uint32Array(257);
    for (const i of placed) starts[this.depth[i] + 1]++;
    for (let level = 0; level < 256; level++) starts[level + 1] += starts[level];
    const order = new Uint32Array(placed.length);
    for (const i of placed) order[starts[this.depth[i]]++] = i;
    return order;
  }

  countInside() {
    const [[x, y], [width, height]] = [this.screen, this.size];
    let count = 0;
    for (const i of this.points.placed) if (x[i] >= 0 && x[i] <= width && y[i] >= 0 && y[i] <= height) count++;
    return count;
  }

  /** The nearest point within `reach` px of (x, y), one in full colour (mask) before a faded one; -1: none. */
  nearest(x, y, reach, full) {
    this.grid ??= new Grid(this.points.placed, this.screen, this.size);
    const [xs, ys] = this.screen;
    let [best, least] = [-1, Infinity];
    this.grid.around(x, y, reach, (i) => {
      const distance = (xs[i] - x) ** 2 + (ys[i] - y) ** 2;
      const cost = distance + (full[i] ? 0 : reach ** 2);
      if (distance <= reach ** 2 && cost < least) [best, least] = [i, cost];
    });
    return best;
  }

  /** Points inside a polygon of [x, y] px. */
  inside(polygon) {
    const [xs, ys] = this.screen;
    const [px, py] = [0, 1].map((d) => Float64Array.from(polygon, (corner) => corner[d]));
    const [left, right, top, bottom] = [Math.min(...px), Math.max(...px), Math.min(...py), Math.max(...py)];
    const isNear = (i) => xs[i] >= left && xs[i] <= right && ys[i] >= top && ys[i] <= bottom;
    return this.points.placed.filter((i) => isNear(i) && winding(px, py, xs[i], ys[i]) !== 0);
  }
}

/** How often a closed polygon goes round a place: not 0 inside, also where a lasso crosses itself. */
function winding(px, py, x, y) {
  let turns = 0;
  for (let k = 0, last = px.length - 1; k < px.length; last = k++) {
    const isBelow = py[k] <= y;
    if (py[last] <= y === isBelow) continue;
    const side = (px[k] - px[last]) * (y - py[last]) - (x - px[last]) * (py[k] - py[last]);
    if (!isBelow && side > 0) turns++;
    else if (isBelow && side < 0) turns--;
  }
  return turns;
}

/** Points by squares of the screen. */
class Grid {
  constructor(rows, [xs, ys], [width, height]) {
    this.side = 12;
    this.columns = Math.max(Math.ceil(width / this.side), 1);
    this.lines = Math.max(Math.ceil(height / this.side), 1);
    this.starts = new Uint32Array(this.columns * this.lines + 1);
    const cells = new Int32Array(xs.length).fill(-1);
    for (const i of rows) {
      const column = Math.floor(xs[i] / this.side);
      const line = Math.floor(ys[i] / this.side);
      if (!(column >= 0 && column < this.columns && line >= 0 && line < this.lines)) continue;
      cells[i] = line * this.columns + column;
      this.starts[cells[i] + 1]++;
    }
    for (let k = 1; k < this.starts.length; k++) this.starts[k] += this.starts[k - 1];
    const next = this.starts.slice();
    this.rows = new Uint32Array(next.at(-1));
    for (const i of rows) if (cells[i] >= 0) this.rows[next[cells[i]]++] = i;
  }

  around(x, y, reach, visit) {
    const cell = (value, count) => clamp(Math.floor(value / this.side), 0, count - 1);
    const [left, right] = [x - reach, x + reach].map((value) => cell(value, this.columns));
    const [top, bottom] = [y - reach, y + reach].map((value) => cell(value, this.lines));
    for (let line = top; line <= bottom; line++) {
      for (let column = left; column <= right; column++) {
        const at = line * this.columns + column;
        for (let k = this.starts[at]; k < this.starts[at + 1]; k++) visit(this.rows[k]);
      }
    }
  }
}
