// What is drawn of a person, summed up per pixel.

/** Per pixel column: shares 0-1 of `seen`, `doubtful`, `differs` and `settled`, `reasons` bits, and (width × k)
 * `mean`, `low`, `high`, `raw`, and (width × m) `lines`. Sums until they are finished. */
class Columns {
  constructor(width, k, m = 0) {
    this.width = width;
    this.k = k;
    this.m = m;
    this.lines = new Float32Array(width * m);
    for (const name of ["seen", "doubtful", "differs", "settled"]) this[name] = new Float32Array(width);
    for (const name of ["mean", "raw", "high"]) this[name] = new Float32Array(width * k);
    this.low = new Float32Array(width * k).fill(Infinity);
    this.reasons = new Uint16Array(width);
  }

  /** Add row `row` of `values`, whose 1 is `unit`, from x0 to x1 px. `apart`: share in which the groups differ, too. */
  add(x0, x1, seen, values, row, unit, doubtful, differs, apart, reasons) {
    const { k } = this;
    const end = clamp(Math.ceil(x1 - 1e-6), Math.floor(x0) + 1, this.width);
    for (let x = Math.max(Math.floor(x0), 0); x < end; x++) {
      const weight = Math.max(Math.min(x1, x + 1) - Math.max(x0, x), 1e-3) * seen;
      this.seen[x] += weight;
      this.doubtful[x] += weight * doubtful;
      this.differs[x] += weight * differs;
      this.settled[x] += weight * (differs - apart);
      this.reasons[x] |= reasons;
      for (let j = 0; j < k; j++) {
        const at = row * k + j;
        const to = x * k + j;
        this.mean[to] += (weight * values.mean[at]) / unit;
        this.raw[to] += (weight * values.raw[at]) / unit;
        this.low[to] = Math.min(this.low[to], values.low[at] / unit);
        this.high[to] = Math.max(this.high[to], values.high[at] / unit);
      }
      for (let j = 0; j < this.m; j++) {
        this.lines[x * this.m + j] += (weight * values.lines[row * this.m + j]) / unit;
      }
    }
  }

  finish() {
    const { k } = this;
    for (let x = 0; x < this.width; x++) {
      const seen = this.seen[x];
      if (!seen) continue;
      for (const name of ["doubtful", "differs", "settled"]) this[name][x] /= seen;
      for (let j = 0; j < k; j++) {
        this.mean[x * k + j] /= seen;
        this.raw[x * k + j] /= seen;
      }
      for (let j = 0; j < this.m; j++) this.lines[x * this.m + j] /= seen;
      this.seen[x] = Math.min(seen, 1);
    }
    return this;
  }

  /** Index of the emotion with the highest value of `which` at a column, -1 where nobody is seen. */
  top(x, which = this.mean) {
    if (!this.seen[x]) return -1;
    let top = 0;
    for (let j = 1; j < this.k; j++) if (which[x * this.k + j] > which[x * this.k + top]) top = j;
    return top;
  }
}
