// The camera, and in words why there is none: what is wrong, and what to do.

const WANTED = { width: { ideal: 1280 }, height: { ideal: 720 }, frameRate: { ideal: 30 } };
const AGAIN = "Then press Start camera.";
const FAILURES = {
  insecure: [
    "Browsers lend a camera only to pages of the machine itself, or over HTTPS.",
    "Open the workbench on the machine it runs on, at http://localhost, reach it by an SSH tunnel " +
      "(ssh -L 8501:localhost:8501), or put HTTPS before it (docs/security.md).",
  ],
  NotFoundError: ["No camera is connected.", `Connect one, or switch it on. ${AGAIN}`],
  NotAllowedError: [
    "This page may not use the camera.",
    `Allow it at the sign beside the page's address, and in the system's settings for privacy. ${AGAIN}`,
  ],
  NotReadableError: [
    "The camera is busy: another program or tab has it.",
    `Close calls and other pages with a camera. ${AGAIN}`,
  ],
  unplugged: ["The camera is gone: it was unplugged, or another program took it.", `Connect it again. ${AGAIN}`],
};
const STILL_MS = 3000; // a camera that shows nothing new for so long is worth a word
const STANDS_STILL = "The camera sends no new picture. Is its cover closed, or does another program hold it?";

const TWINS = {
  OverconstrainedError: "NotFoundError", SecurityError: "NotAllowedError", AbortError: "NotReadableError",
}; // prettier-ignore

/** What a failure of `getUserMedia` means.
 * @returns {string[]} what is wrong, and what to do */
function failureWords({ name, message }) {
  const unknown = [`The camera could not be started: ${message || name}.`, `Look whether others can use it. ${AGAIN}`];
  return FAILURES[TWINS[name] ?? name] ?? unknown;
}

class Camera {
  /** `onLost` is called when a running camera goes away. */
  constructor(video, onLost) {
    Object.assign(this, { video, onLost });
  }

  /** Start a camera, the given one or any; throws what `failureWords` understands. */
  async start(deviceId) {
    this.stop();
    if (!window.isSecureContext || !navigator.mediaDevices) throw Object.assign(new Error(""), { name: "insecure" });
    const ticket = (this.ticket = {});
    const wanted = deviceId ? { ...WANTED, deviceId: { exact: deviceId } } : WANTED;
    const stream = await navigator.mediaDevices.getUserMedia({ video: wanted, audio: false });
    if (ticket !== this.ticket) {
      release(stream); // left while the browser asked
      return false;
    }
    this.stream = stream;
    stream.getVideoTracks()[0].addEventListener("ended", () => stream === this.stream && this.onLost());
    this.video.srcObject = stream;
    await this.video.play().catch(() => {}); // a page that is being left says so this way
    return ticket === this.ticket;
  }

  /** @returns {string} which camera runs */
  get deviceId() {
    return this.stream?.getVideoTracks()[0].getSettings().deviceId ?? "";
  }

  async devices() {
    const all = await navigator.mediaDevices.enumerateDevices();
    return all.filter(({ kind }) => kind === "videoinput");
  }

  stop() {
    this.ticket = null;
    if (this.stream) release(this.stream);
    this.stream = null;
    this.video.srcObject = null;
  }
}

function release(stream) {
  for (const track of stream.getTracks()) track.stop();
}

/** Call `seen` with the time at which each frame was taken, in ms, until `isOver`. */
function followFrames(video, seen, isOver) {
  const onFrame = (now, frame) => {
    if (isOver()) return;
    seen(frame?.captureTime ?? now);
    if (video.requestVideoFrameCallback) video.requestVideoFrameCallback(onFrame);
    else requestAnimationFrame(onFrame);
  };
  if (video.requestVideoFrameCallback) video.requestVideoFrameCallback(onFrame);
  else requestAnimationFrame(onFrame);
}
