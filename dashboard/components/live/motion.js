// Where faces are now. What is said about a frame comes back while later ones are on screen, so boxes move on.

const PLACE_GAIN = 0.85; // share of what a box is off that counts as its new place (alpha-beta filter)
const AHEAD_MS = [300, 1000]; // so far a box is moved at most, the farther the seldomer answers come
const FORGOTTEN_MS = 2500; // a face that was not seen for so long begins anew
const JUMP = 0.6; // so does one that is off by more than this share of its side

/** Share of what a box is off that counts as speed: over a short time most of it is the box's trembling. */
const speedGain = (passed) => Math.min(0.2 + passed / 1000, 0.8);

/** Follows one box. Boxes are [left, top, right, bottom] in any unit, times in ms. */
class Motion {
  /** Take a box that was measured on the frame of a time. */
  measure(box, time) {
    const found = [(box[0] + box[2]) / 2, (box[1] + box[3]) / 2, box[2] - box[0], box[3] - box[1]];
    const passed = time - (this.time ?? -Infinity);
    if (passed <= 0) return;
    const guess = this.place?.map((value, i) => value + this.speed[i] * passed);
    const off = guess && found.map((value, i) => value - guess[i]);
    const isNew = !off || passed > FORGOTTEN_MS || off.some((value, i) => Math.abs(value) > JUMP * found[2 + (i % 2)]);
    this.place = isNew ? found : guess.map((value, i) => value + PLACE_GAIN * off[i]);
    const gain = speedGain(passed) / passed;
    this.speed = isNew ? [0, 0, 0, 0] : this.speed.map((value, i) => value + gain * off[i]);
    this.ahead = clamp(1.5 * passed, ...AHEAD_MS);
    this.time = time;
  }

  /** The box on the frame of a time. */
  at(time) {
    const ahead = clamp(time - this.time, 0, this.ahead);
    const [x, y, width, height] = this.place.map((value, i) => value + this.speed[i] * ahead);
    return [x - width / 2, y - height / 2, x + width / 2, y + height / 2];
  }
}

/** The faces of the newest answer, by track; their boxes are shares of the picture. */
class Followed {
  constructor() {
    this.motions = new Map();
    this.faces = [];
  }

  /** @param {Answer} answer */
  take({ time_ms: time, width, height, faces }) {
    const before = this.motions;
    this.motions = new Map();
    this.faces = faces;
    for (const { track, box } of faces) {
      const motion = before.get(track) ?? new Motion();
      motion.measure([box[0] / width, box[1] / height, box[2] / width, box[3] / height], time);
      this.motions.set(track, motion);
    }
  }

  /** @returns {{face: Face, box: number[]}[]} where they are on the frame of a time */
  at(time) {
    return this.faces.map((face) => ({ face, box: this.motions.get(face.track).at(time) }));
  }
}

/** A box as it is in the mirror. */
const mirrored = ([left, top, right, bottom]) => [1 - right, top, 1 - left, bottom];
