// A recording as the browser makes it, with the camera's own times, on its way to become an analysis.

const KINDS_OF_FILE = ["video/webm;codecs=vp8", "video/webm", "video/mp4"];
const PART_MS = 1000;
const BITS_PER_S = 4e6;
const SPARE_BYTES = 4e6; // what may still come after a recording was stopped

const two = (value) => String(value).padStart(2, "0");

/** A file's name from the moment it was begun: "Live 2026-05-04 12.03.09.webm". */
function nameOf(date, kind) {
  const day = [date.getFullYear(), two(date.getMonth() + 1), two(date.getDate())].join("-");
  const time = [date.getHours(), date.getMinutes(), date.getSeconds()].map(two).join(".");
  return `Live ${day} ${time}.${kind.includes("mp4") ? "mp4" : "webm"}`;
}

class Recording {
  /** Begin; `onWhole` gets the file when it is stopped, or the camera goes away. It is stopped at `limit` bytes. */
  constructor(stream, { limit, onWhole }) {
    const mimeType = KINDS_OF_FILE.find((kind) => MediaRecorder.isTypeSupported(kind));
    this.recorder = new MediaRecorder(stream, { mimeType, videoBitsPerSecond: BITS_PER_S });
    this.began = performance.now();
    const name = nameOf(new Date(), this.recorder.mimeType);
    const parts = [];
    let bytes = 0;
    this.recorder.addEventListener("dataavailable", ({ data }) => {
      parts.push(data);
      bytes += data.size;
      if (bytes > limit - SPARE_BYTES) this.stop();
    });
    this.recorder.addEventListener("stop", () => onWhole(new File(parts, name, { type: this.recorder.mimeType })));
    this.recorder.start(PART_MS);
  }

  stop() {
    if (this.recorder.state !== "inactive") this.recorder.stop();
  }
}
