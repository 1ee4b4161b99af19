// The page Live: the camera's own picture at once, and over it what our route says about the newest frame.
//
// Nothing begins by itself. Python sends the colours and what an address asks for; it hears of recordings that arrived
// and of the wish for a still picture. A rerun of the page does not touch the camera; leaving the page lets it go.

/**
 * What is said about a face.
 * @typedef {object} Face
 * @property {number} track
 * @property {number[]} box left, top, right, bottom in pixels of the sent frame
 * @property {Object<string, number>} p probabilities by emotion
 * @property {number} valence
 * @property {string[]} reasons to doubt
 */

/** @typedef {{time_ms: number, width: number, height: number, faces: Face[]}} Answer */

const TICK_MS = 400;
const STALE_MS = 1500; // boxes go when no answer came for so long
const GRACE_MS = 300; // a run of the page takes the component away and gives it back within this time

class Live {
  constructor(root) {
    this.root = root;
    const $ = (this.$ = (name) => root.querySelector(name));
    this.camera = new Camera($("video"), () => this.fail({ name: "unplugged" }));
    this.cards = new Cards($(".reading"));
    this.voice = new Voice($, root);
    this.lanes = new Lanes($, root);
    this.choices = new Choices($, { changed: () => this.askAnew(), say: (text) => this.voice.note(text) });
    this.reset();
    $(".record").hidden = !window.MediaRecorder;
    $(".start").addEventListener("click", () => this.start());
    $(".stop").addEventListener("click", () => this.stop());
    $(".still").addEventListener("click", () => this.tell("still", true));
    $(".record").addEventListener("click", () => this.record());
    $(".camera").addEventListener("change", () => this.start());
    $(".mirror").addEventListener("change", () => this.draw());
    $("video").addEventListener("resize", ({ target }) => {
      $(".stage").style.setProperty("--aspect", target.videoWidth / target.videoHeight);
    });
    this.onHide = () => this.see();
    this.onLeave = () => this.leave();
    this.onUnload = (event) => this.recording && event.preventDefault();
  }

  // coming and going

  /** Take Python's values; called again after every run of the page. */
  update(data, tell) {
    Object.assign(this, { data, tell });
    clearTimeout(this.leaving);
    if (this.ticking) return;
    this.path = location.pathname;
    this.ticking = setInterval(() => this.tick(), TICK_MS);
    document.addEventListener("visibilitychange", this.onHide);
    window.addEventListener("pagehide", this.onLeave);
    window.addEventListener("beforeunload", this.onUnload);
    this.voice.explain();
    this.showLight();
    this.choices.load(data.wanted).then(
      () => (this.root.dataset.ready = "yes"),
      () => this.voice.note("The workbench does not answer. Is it still running? Load the page again."),
    );
  }

  leaveSoon() {
    this.leaving = setTimeout(() => this.leave(), GRACE_MS);
  }

  leave() {
    this.end();
    clearInterval(this.ticking);
    this.ticking = undefined;
    document.removeEventListener("visibilitychange", this.onHide);
    window.removeEventListener("pagehide", this.onLeave);
    window.removeEventListener("beforeunload", this.onUnload);
  }

  reset() {
    this.pace = new Pace();
    this.followed = new Followed();
    this.minute = new Minute();
    this.shown = null;
    this.trouble = "";
    this.shownTime = this.heard = 0;
  }

  // the camera

  async start() {
    const { $, camera } = this;
    const hasFocus = this.root.getRootNode().activeElement === $(".start");
    this.end();
    $(".start").disabled = true;
    $(".start").textContent = "Waiting for the camera …";
    try {
      if (!(await camera.start($(".camera").value))) return;
      this.begin();
      if (hasFocus) $(".stop").focus({ preventScroll: true });
      this.choices.showCameras(await camera.devices(), camera.deviceId);
    } catch (error) {
      this.fail(error);
    } finally {
      $(".start").disabled = false;
      $(".start").textContent = "Start camera";
    }
  }

  begin() {
    this.reset();
    const sender = new Sender({
      choice: () => this.choices.chosen(),
      pace: this.pace,
      hear: (answer, now) => this.hear(answer, now),
      say: (text) => this.showTrouble(text),
    });
    this.sender = sender;
    this.root.dataset.state = "on";
    this.frameAt = performance.now();
    followFrames(this.$("video"), (time) => this.seeFrame(time), () => sender !== this.sender);
    this.voice.note("");
    this.showLight();
  }

  /** Let go of the camera, and have forgotten what the server knows. */
  end() {
    this.recording?.stop();
    this.sender?.close();
    this.sender = null;
    this.camera.stop();
    this.root.dataset.state = "off";
    this.cards.clear();
    this.voice.say("");
    this.voice.explain();
    this.$(".slow").hidden = true;
    this.showLight();
  }

  stop() {
    this.end();
    this.$(".start").focus({ preventScroll: true });
  }

  fail(error) {
    this.end();
    this.choices.showCameras([], ""); // the chosen one may be gone: the next start takes any
    this.voice.explain(...failureWords(error));
  }

  // frames and answers

  seeFrame(time) {
    this.shownTime = time;
    this.frameAt = performance.now();
    this.draw();
    this.sender.offer(this.$("video"), time);
  }

  /** @param {Answer} answer */
  hear(answer, now) {
    this.heard = now;
    this.followed.take(answer);
    this.minute.take(answer.faces, now);
    this.cards.show(answer.faces, this.data);
    this.sent = `${answer.width} × ${answer.height}`;
    this.root.dataset.answers = Number(this.root.dataset.answers ?? 0) + 1;
    this.showLight();
    this.voice.speak(answer.faces, this.data, now);
  }

  /** Another model or detector was chosen. */
  askAnew() {
    this.cards.clear();
    this.voice.note("");
    this.followed = new Followed();
    this.sender?.hurry();
  }

  /** The tab went to the background, or came back. */
  see() {
    this.pace.pause();
    this.frameAt = performance.now();
    this.showLight();
    const isBack = this.sender && !document.hidden;
    if (isBack) this.voice.noteForNow("Nothing was sent while this tab was in the background.");
  }

  draw() {
    const { $, shownTime: time } = this;
    const [video, canvas] = [$("video"), $(".overlay")];
    const [width, height] = [video.clientWidth, video.clientHeight];
    const { isMirrored } = this.choices;
    Object.assign(canvas.style, { left: `${video.offsetLeft}px`, top: `${video.offsetTop}px` });
    this.root.classList.toggle("mirrored", isMirrored);
    const pen = penOf(canvas, width, height);
    const isFresh = performance.now() - this.heard < STALE_MS;
    this.shown = { time, faces: isFresh ? this.followed.at(time) : [] };
    for (const { face, box } of this.shown.faces) {
      const [left, top, right, bottom] = isMirrored ? mirrored(box) : box;
      const onScreen = { box: [left * width, top * height, right * width, bottom * height] };
      const said = read(face, this.data);
      const words = { text: `${face.track + 1}  ${said.text}`, colour: said.top.colour };
      drawFace(pen, onScreen, { ...words, chosen: true, landmarks: false, unit: 1, width });
    }
  }

  // recordings

  record() {
    if (this.recording) {
      this.recording.stop();
      return;
    }
    const settings = this.choices.chosen();
    const onWhole = (file) => {
      this.recording = null;
      this.showRecording();
      this.keep(file, settings);
    };
    this.recording = new Recording(this.camera.stream, { limit: this.data.limit, onWhole });
    this.showRecording();
  }

  /** Send a recording to become an analysis; where that fails it can be tried again. */
  async keep(file, settings) {
    const sending = new Sending(file);
    const told = (bytes) => this.voice.note(`${file.name}: ${fileSize(bytes)} of ${fileSize(file.size)} saved …`);
    try {
      told(0);
      await sending.send(this.data, told);
      this.voice.note(`${file.name} is saved on ${this.voice.machine} and is analysed now, see below.`);
      this.tell("arrived", { id: sending.id, ...settings });
    } catch (error) {
      this.voice.note(error.message, { "Send it again": () => this.keep(file, settings) });
    }
  }

  showRecording() {
    const { recording } = this;
    this.$(".record").setAttribute("aria-pressed", Boolean(recording));
    this.$(".record span").textContent = recording ? "Stop recording" : "Record";
    this.$(".record time").textContent = recording ? minutes(performance.now() - recording.began) : "";
    this.showLight();
  }

  // words

  showLight() {
    const { sender, recording, sent = "" } = this;
    this.voice.light(!sender ? "off" : document.hidden ? "paused" : recording ? "records" : "sends", sent);
  }

  showTrouble(text = this.trouble) {
    this.trouble = text;
    this.voice.say(performance.now() - this.frameAt > STILL_MS ? STANDS_STILL : text);
  }

  tick() {
    if (location.pathname !== this.path) this.leave(); // on another page already, which is still being drawn
    if (!this.sender || document.hidden) return;
    const now = performance.now();
    this.voice.pace(this.pace, now);
    this.showTrouble();
    if (this.recording) this.showRecording();
    this.lanes.draw(this.minute, this.data, now);
  }
}

export default function ({ parentElement, data, setTriggerValue }) {
  const root = parentElement.querySelector(".live");
  root.live ??= new Live(root);
  root.live.update(data, setTriggerValue);
  return () => root.live.leaveSoon();
}
