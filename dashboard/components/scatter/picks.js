// What is picked: the selected points and the chosen one, told to Python until it has taken them.

/**
 * Picks that Python has not taken yet, each with a number that grows.
 * @typedef {object} Waiting
 * @property {[number, string]} [lasso] the selection as `packMask` writes it, "" for none
 * @property {[number, number]} [point] row of the chosen point
 * @property {[number, number]} [path_point] a face of the trail
 */

/** A selection (n,) with what a lasso caught, as its mode says: "new", "add" or "remove"; null if nothing is left.
 * @param {?Uint8Array} before
 * @param {Iterable<number>} caught rows
 * @returns {?Uint8Array} */
function lassoed(before, caught, mode, n) {
  const mask = mode !== "new" && before ? before.slice() : new Uint8Array(n);
  for (const i of caught) mask[i] = mode === "remove" ? 0 : 1;
  return mask.includes(1) ? mask : null;
}

class Picks {
  /** `tell` is called with what is waiting. */
  constructor(tell) {
    this.tell = tell;
    /** @type {Waiting} */
    this.waiting = {};
    this.number = 0;
    this.selected = null; // (n,) or null
    this.chosen = null; // a row
  }

  get count() {
    return this.selected ? this.selected.reduce((sum, is) => sum + is, 0) : 0;
  }

  /** Other points are drawn. */
  forget() {
    Object.assign(this, { given: undefined, selected: null });
  }

  /** Python's values. */
  take({ taken, selected, chosen, n }) {
    this.waiting = Object.fromEntries(Object.entries(this.waiting).filter(([, [number]]) => number > taken));
    const { lasso, point } = this.waiting;
    this.obey("selected", selected, (text) => (this.selected = text && unpackMask(text, n)), lasso);
    this.obey("chosen", chosen, (row) => (this.chosen = row), point);
  }

  /** Take a value where it is another than before, or the answer to what was picked here. */
  obey(name, value, take, isWaiting) {
    const before = this.given?.[name];
    this.given = { ...this.given, [name]: value };
    if (value !== before || !isWaiting) take(value);
  }

  /** Tell what was picked, `kind` as a field of `Waiting`. */
  pick(kind, value) {
    this.number = Math.max(Date.now(), this.number + 1);
    this.waiting[kind] = [this.number, value];
    this.tell({ ...this.waiting });
  }
}
