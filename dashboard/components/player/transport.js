// Moving in time: playing, seeking, frame by frame, and on to what matters.
//
// Times here are those of the analysis, from the container's start on. Some browsers count from the container's own
// clock, others from 0: where a video stands once its first frame is here, before anybody moves it, is its `origin`.

// Sought so far behind a frame's start that neither rounding nor ms in a link show the one before.
const AFTER_START_S = 6e-4;

class Transport {
  constructor(player) {
    this.player = player;
    this.time = 0; // of the frame on screen, in s
    this.origin = null; // the video's own time of 0 s; unknown until its first frame is here
    this.looping = this.isAskedToPlay = false;
    this.stepping = Promise.resolve();
    player.$(".play").addEventListener("click", () => this.toggle());
    player.$(".speed").addEventListener("change", () => this.setSpeed());
  }

  setSpeed() {
    const { video, $ } = this.player;
    if (video) video.playbackRate = Number($(".speed").value);
  }

  /** Follow a video that came on stage. */
  follow(video) {
    this.origin = null;
    video.addEventListener("loadeddata", () => this.measure(video), { once: true });
    for (const kind of ["play", "pause", "ended"]) video.addEventListener(kind, () => this.showPlaying());
    for (const kind of ["seeked", "loadeddata"]) video.addEventListener(kind, () => this.player.showMoment());
    video.addEventListener("ended", () => {
      const { span } = this.player;
      if (!this.looping || !span) return;
      this.seek(span[0]);
      this.play();
    });
    this.followFrames(video);
  }

  /** Learn the video's origin, and go where somebody wanted to be meanwhile. */
  measure(video) {
    if (video !== this.player.video) return;
    this.origin = video.currentTime;
    if (this.time > 0) this.move();
    if (this.isAskedToPlay) this.play();
  }

  /** Bring the video to `time`, as soon as its origin is known. */
  move() {
    const { video } = this.player;
    if (video && this.origin !== null) video.currentTime = this.time + this.origin + AFTER_START_S;
  }

  // The frames that are really shown, at the stream's own times.
  followFrames(video) {
    const onFrame = (_, { mediaTime }) => {
      if (video !== this.player.video) return;
      video.requestVideoFrameCallback?.(onFrame);
      if (!video.seeking && this.origin !== null) this.show(mediaTime - this.origin); // else of where it was before
    };
    if (video.requestVideoFrameCallback) video.requestVideoFrameCallback(onFrame);
    else video.addEventListener("timeupdate", () => onFrame(0, { mediaTime: video.currentTime }));
  }

  show(time) {
    const { player, time: before } = this;
    const { span, video } = player;
    this.time = time;
    if (this.looping && span && !video.paused && time >= span[1] - 1e-3) this.seek(span[0]);
    player.timeline.keepInView(before);
    player.showMoment();
  }

  /** Begin where the analysis begins, or where somebody wants to be. */
  begin(start_s) {
    const { video } = this.player;
    this.time = Math.max(this.time, start_s);
    if (video && this.time > video.currentTime - this.origin + 0.01) this.move();
  }

  toggle() {
    const { video } = this.player;
    if (!video) return;
    if (video.paused) this.play();
    else video.pause();
  }

  play() {
    this.isAskedToPlay = this.origin === null;
    if (this.isAskedToPlay) return;
    this.player.video.play().catch(() => {}); // what is wrong with the file is said by its own error event
  }

  showPlaying() {
    const { $, video } = this.player;
    const playing = !video.paused;
    $(".play").textContent = playing ? "❚❚" : "▶";
    $(".play").setAttribute("aria-label", playing ? "Pause" : "Play");
  }

  seek(time) {
    const { player } = this;
    const { start_s, end_s } = player.analysis ?? { start_s: 0, end_s: Infinity };
    this.time = clamp(time, start_s, Math.max(end_s - 1e-3, start_s));
    this.move();
    player.timeline.keepInView();
    player.showMoment();
  }

  /** One frame on or back, after the steps before it. */
  step(by) {
    this.player.video?.pause();
    this.stepping = this.stepping.then(async () => {
      const time = await this.player.analysis.step(this.time, by);
      if (time !== null) this.seek(time);
    });
  }

  /** On to the next (`by` 1) or previous (-1) change, doubt or disagreement of the chosen person. */
  async jump(what, by) {
    const { player } = this;
    if (player.chosen === null) return;
    const { id, query } = player.analysis;
    const url = `/api/jump/${id}?${query}&what=${what}&track=${player.chosen}&time_s=${this.time}&by=${by}`;
    const { time_s, error } = await ask(url).catch(({ message }) => ({ error: message }));
    if (error) player.say(error, 4000);
    else if (time_s === null) player.say(`There is no ${by > 0 ? "later" : "earlier"} ${what} of this person.`, 2500);
    else this.seek(time_s);
  }

  /** Play the selection again and again, or no longer. */
  loop(on = !this.looping) {
    const { $, span, video } = this.player;
    this.looping = Boolean(on && span);
    $(".loop").setAttribute("aria-pressed", this.looping);
    if (this.looping && (this.time < span[0] || this.time > span[1])) this.seek(span[0]);
    if (this.looping && video?.paused) this.play();
  }
}
