// Frames go to our own route, one at a time: while one is under way the others are dropped, and the newest goes next.

const QUALITY = 0.85; // of the JPEG
const LEAST_GAP_MS = 40; // 25 frames per second are enough for a face
const SHOWN_MS = 40; // a frame that was offered is on screen for so long at least
const PATIENCE_MS = 15000;
const AGAIN_MS = { starting: 500, refused: 3000, lost: 1500, dropped: 30 };
const LOST = "The workbench does not answer. Is it still running? Asking again …";

/** What a route of ours answers; what it refuses is thrown with its words, and `status`. */
async function asked(url, options) {
  const answer = await fetch(url, { signal: AbortSignal.timeout(PATIENCE_MS), ...options });
  const value = await answer.json();
  const { ok, status } = answer;
  if (!ok) throw Object.assign(new Error(value.error ?? `The workbench answers ${status}.`), { status });
  return value;
}

class Sender {
  /** `choice` gives what is asked with; `pace` says how large frames are; `hear` takes answers, `say` words. */
  constructor({ choice, pace, hear, say }) {
    Object.assign(this, { choice, pace, hear, say });
    this.session = newId(8);
    this.canvas = element("canvas");
    this.notBefore = 0;
    this.isOpen = true;
  }

  /** Offer the frame that a video shows, which was taken at a time in ms; it is sent if nothing is under way. */
  offer(video, time) {
    this.newest = { video, time, offered: performance.now() };
    if (!this.isBusy && performance.now() >= this.notBefore) this.send();
  }

  async send() {
    const { video, time } = this.newest;
    if (!this.isOpen || document.hidden || !video.videoWidth) return;
    this.isBusy = true;
    this.newest = null;
    const began = performance.now();
    try {
      this.notBefore = began + this.take(await this.ask(await this.picture(video), time), time);
    } catch (error) {
      this.notBefore = performance.now() + (error.status ? AGAIN_MS.refused : AGAIN_MS.lost);
      if (this.isOpen) this.say(error.status ? error.message : LOST);
    }
    this.isBusy = false;
    const now = performance.now();
    const isShown = this.newest && now - this.newest.offered < SHOWN_MS; // else the video has gone on, unheard
    if (isShown && now >= this.notBefore) this.send();
  }

  picture(video) {
    const [width, height] = sentSize(video.videoWidth, video.videoHeight, this.pace.width);
    if (this.canvas.width !== width || this.canvas.height !== height) Object.assign(this.canvas, { width, height });
    this.canvas.getContext("2d", { willReadFrequently: true }).drawImage(video, 0, 0, width, height);
    return new Promise((done) => this.canvas.toBlob(done, "image/jpeg", QUALITY));
  }

  ask(body, time) {
    const query = new URLSearchParams({ time_ms: time.toFixed(1), ...this.choice() });
    return asked(`/api/live/${this.session}?${query}`, { method: "POST", body });
  }

  /** Take an answer; returns how many ms lie at least between this frame and the next one. */
  take(answer, time) {
    if (!this.isOpen || answer.state === "dropped") return AGAIN_MS.dropped;
    this.say(answer.state === "starting" ? "The models are being loaded …" : "");
    if (answer.state === "starting") return AGAIN_MS.starting;
    const now = performance.now();
    this.pace.take(time, now);
    this.hear(answer, now);
    return LEAST_GAP_MS;
  }

  /** Ask at once, as with another choice. */
  hurry() {
    this.notBefore = 0;
  }

  /** Have everything forgotten that the server knows of us; a beacon goes out even while the page closes. */
  close() {
    if (!this.isOpen) return;
    this.isOpen = false;
    navigator.sendBeacon(`/api/live/${this.session}/end`);
  }
}
