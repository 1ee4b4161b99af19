// Parts of a timeline: what a zoom, a wheel, a page or a drag makes of one. Nothing here knows the player.

/** @typedef {number[]} Span from and to, in s */

const MIN_SPAN_S = 0.04; // in view
const FOLLOWED = 0.05; // of a page lies behind the cursor when it turned

/** A part as it may be in view: not too short and within the whole; null for as good as the whole.
 * @param {?Span} part
 * @param {Span} whole
 * @returns {?Span} */
function fitted(part, [start, end]) {
  if (!part) return null;
  const length = clamp(part[1] - part[0], MIN_SPAN_S, end - start);
  const from = clamp((part[0] + part[1] - length) / 2, start, end - length);
  return length >= (end - start) * 0.999 ? null : [from, from + length];
}

/** A part drawn in (`factor` below 1) or out around a time, which keeps its place.
 * @param {Span} part
 * @returns {Span} */
const zoomed = ([from, to], time, factor) => [time - (time - from) * factor, time + (to - time) * factor];

/** A part as long as another one around a time.
 * @param {Span} part
 * @returns {Span} */
const centred = ([from, to], time) => [time - (to - from) / 2, time + (to - from) / 2];

/** What a turn of the wheel at a time makes of a part of `width` px: sideways, or with Shift, it moves, else it zooms.
 * @param {Span} part
 * @param {{deltaX: number, deltaY: number, shiftKey: boolean, ctrlKey: boolean}} turn
 * @returns {Span} */
function wheeled([from, to], { deltaX, deltaY, shiftKey, ctrlKey }, time, width) {
  const sideways = shiftKey ? deltaY : deltaX;
  if (shiftKey || Math.abs(sideways) > Math.abs(deltaY)) {
    const by = (sideways / width) * (to - from);
    return [from + by, to + by];
  }
  return zoomed([from, to], time, Math.exp(clamp(deltaY, -120, 120) * (ctrlKey ? 0.01 : 0.003)));
}

/** How far two fingers are apart, in px; closer than 8 they are too close to say. */
const gapOf = ([a, b]) => Math.max(Math.abs(a - b), 8);

/** By how much two fingers zoom that moved from two places to two others, in px. */
const pinched = (before, after) => gapOf(before) / gapOf(after);

/** The next page when the time ran out of a part; null while it stays, and where it was elsewhere `before` (undefined:
 * it was sought).
 * @param {Span} part
 * @returns {?Span} */
function paged([from, to], time, before) {
  const isElsewhere = before !== undefined && (before < from || before > to);
  if (isElsewhere || (time >= from && time <= to)) return null;
  return [time - (to - from) * FOLLOWED, time + (to - from) * (1 - FOLLOWED)];
}

/** What is dragged from one time to another, in order and within the whole.
 * @param {Span} dragged
 * @param {Span} whole
 * @returns {Span} */
function selectedSpan(dragged, [start, end]) {
  return [Math.min(...dragged), Math.max(...dragged)].map((time) => clamp(time, start, end));
}

/** The place of a time in a part: 0 at its start, 1 at its end.
 * @param {Span} part */
const shareAt = ([from, to], time) => (time - from) / (to - from || 1);

/** The time at x of `width` px.
 * @param {Span} part */
const timeAtX = ([from, to], x, width) => from + clamp(x / width, 0, 1) * (to - from);
