// How fast answers come, and how large the frames are that are asked about.

const WINDOW_MS = 3000;
const WIDTHS = [640, 480]; // of sent frames, px; the largest first: in still smaller ones faces get lost
const SLOW_MS = 350; // median delay from which smaller frames are tried
const FAST_MS = 120; // and below which larger ones are
const TRY_MS = 4000; // how long a width is tried
const FEW_PER_S = 4; // fewer answers than this are worth a word
const SLOW =
  "This machine answers seldom just now. Frames are left out, so that the picture stays in time; another model or " +
  "detector, or fewer other programs, would help.";

/** The middle of values; 0 of none. */
function median(values) {
  const sorted = values.toSorted((a, b) => a - b);
  const half = Math.floor(sorted.length / 2);
  if (!sorted.length) return 0;
  return sorted.length % 2 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
}

class Pace {
  constructor() {
    this.answers = []; // of the last seconds, the oldest first
    this.width = WIDTHS[0];
  }

  /** Take note of an answer: when its frame was taken and when it was here, in ms. */
  take(captured, now) {
    this.since ??= now;
    this.answers.push({ now, delay: now - captured });
    this.forget(now);
    this.adapt(now);
  }

  forget(now) {
    while (this.answers.length && this.answers[0].now <= now - WINDOW_MS) this.answers.shift();
  }

  /** Answers per second over the last seconds. */
  perSecond(now) {
    this.forget(now);
    const passed = Math.min(now - this.since, WINDOW_MS);
    return passed > 0 ? (1000 * this.answers.length) / passed : 0;
  }

  /** Median of the ms from taking a frame to its answer. */
  delay() {
    return median(this.answers.map(({ delay }) => delay));
  }

  /** Whether this machine is too slow to follow a face; not judged before it had some time. */
  isSlow(now) {
    return now - this.since > 2 * WINDOW_MS && this.perSecond(now) < FEW_PER_S;
  }

  adapt(now) {
    this.tried ??= now;
    if (now - this.tried < TRY_MS) return;
    const delay = this.delay();
    const at = WIDTHS.indexOf(this.width);
    const next = delay > SLOW_MS ? at + 1 : delay < FAST_MS ? at - 1 : at;
    this.width = WIDTHS[clamp(next, 0, WIDTHS.length - 1)];
    this.tried = now;
  }

  /** Begin anew, as after a pause. */
  pause() {
    this.answers = [];
    this.since = this.tried = undefined;
  }
}

/** The size of a frame as it is sent: no wider than `most` and never enlarged. */
function sentSize(width, height, most) {
  const share = Math.min(most / width, 1);
  return [Math.round(width * share), Math.max(Math.round(height * share), 1)];
}
