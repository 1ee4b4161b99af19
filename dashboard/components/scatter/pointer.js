// What is under the pointer: a face of the trail or a point, in a ring on every panel, with its card.

const REACH_PX = 8; // from the pointer to a point
const TOUCH_REACH_PX = 18;
const KEY_REACH_PX = 60;

/** @typedef {{row: number, stage: Element}|{face: number, stage: Element}} Pointed and the stage it was found in */

/** The nearest of n places ([xs, ys] in px) closer than `reach` to [x, y], -1 if there is none. */
function nearestOf([xs, ys], n, [x, y], reach) {
  let [best, least] = [-1, reach];
  for (let i = 0; i < n; i++) {
    const distance = Math.hypot(xs[i] - x, ys[i] - y);
    if (distance < least) [best, least] = [i, distance];
  }
  return best;
}

class Pointer {
  constructor(map) {
    this.map = map;
    /** @type {?Pointed} */
    this.pointed = null;
    this.card = new Card(map);
  }

  /** Look for a face of the trail or a point at [x, y] of a stage; null: the pointer is elsewhere. */
  look(at, stage, reach = REACH_PX) {
    const { map, pointed: before } = this;
    this.pointed = at && this.found(at, reach);
    const isSame = before?.row === this.pointed?.row && before?.face === this.pointed?.face;
    if (this.pointed) this.pointed.stage = stage;
    for (const panel of map.panels) panel.stage.classList.toggle("over-point", Boolean(this.pointed));
    if (isSame && before?.stage === stage) return;
    map.painter.drawOverSoon();
    this.card.show(this.pointed);
  }

  leave() {
    this.look(null);
  }

  found(at, reach) {
    const { trail, trailScreen, view, full } = this.map;
    const face = trail ? nearestOf(trailScreen, trail.n, at, reach) : -1;
    if (face >= 0) return { face };
    const row = view.nearest(...at, reach, full);
    return row < 0 ? null : { row };
  }
}
