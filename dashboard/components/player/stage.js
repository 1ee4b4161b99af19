// The picture: a video or a still, the boxes of faces over it, and messages.

/**
 * A face that is drawn.
 * @typedef {object} Drawn
 * @property {number} track
 * @property {number[]} box x0, y0, x1, y1 in pixels of the analysis
 */

/** The first of faces other than the chosen person's whose box holds a place in pixels of the analysis.
 * @param {Drawn[]} faces
 * @returns {Drawn|undefined} */
function faceAt(faces, [x, y], chosen) {
  const holds = ([x0, y0, x1, y1]) => x >= x0 && x <= x1 && y >= y0 && y <= y1;
  return faces.find(({ track, box }) => track !== chosen && holds(box));
}

class Stage {
  constructor(player) {
    this.player = player;
    this.video = this.still = null;
    const { $ } = player;
    for (const name of [".boxes", ".points"]) $(name).addEventListener("change", () => player.showMoment());
    $(".picture").addEventListener("click", (event) => this.pickFace(event) || player.transport.toggle());
  }

  /** What is seen, if anything is. */
  get picture() {
    return this.video ?? this.still;
  }

  setMedia({ media, missing, picture, width, height }) {
    const { $, root } = this.player;
    this.media = media;
    root.style.setProperty("--aspect", width / height);
    $(".picture").replaceChildren();
    this.video = this.still = null;
    root.classList.toggle("no-media", !media);
    this.say(media ? "" : `${missing} ${picture ? "The numbers are here" : "The timeline works"} without it.`);
    if (media && picture) this.setStill(media);
    else if (media) this.setVideo(media);
  }

  setStill(src) {
    const onload = () => this.player.showMoment();
    this.still = Object.assign(element("img"), { alt: "The analysed picture", onload, src });
    this.player.$(".picture").append(this.still);
  }

  setVideo(src) {
    this.video = Object.assign(element("video"), { src, playsInline: true, preload: "auto" });
    this.video.addEventListener("error", () => {
      this.say("This browser cannot play the video. The timeline works without it.");
    });
    this.player.$(".picture").append(this.video);
    this.player.transport.follow(this.video);
  }

  dispose() {
    this.video?.pause();
    this.video?.removeAttribute("src"); // a long file must not go on loading
    this.video?.load();
    this.media = undefined;
  }

  say(text, forMs) {
    const message = this.player.$(".message");
    message.hidden = !text;
    message.textContent = text;
    clearTimeout(this.silence);
    if (forMs) this.silence = setTimeout(() => (message.hidden = true), forMs);
  }

  /** Say how much of the window everything takes but picture and reading, down to the first person's strip: the picture
   * has the rest, so that all of it is in sight at once. */
  fit() {
    const { $, root } = this.player;
    const [top, lanes, people] = [root, $(".lanes"), $(".people")].map((each) => each.getBoundingClientRect().top);
    const above = top + (document.querySelector("[data-testid=stMain]")?.scrollTop ?? 0);
    const gaps = 2 * Number.parseFloat(getComputedStyle(root).rowGap);
    const first = $(".person")?.offsetHeight ?? 0;
    const rest = above + $(".controls").offsetHeight + people - lanes + first + gaps;
    root.style.setProperty("--rest", `${Math.ceil(rest)}px`);
  }

  /** Choose the person whose face was clicked; false where there is none. */
  pickFace(event) {
    const { player, picture } = this;
    if (!picture) return false;
    const box = picture.getBoundingClientRect();
    const x = ((event.clientX - box.left) / box.width) * player.analysis.width;
    const y = ((event.clientY - box.top) / box.height) * player.analysis.height;
    const hit = player.shown && faceAt(player.shown.faces, [x, y], player.chosen);
    if (hit) player.choose(hit.track, true);
    return Boolean(hit);
  }

  /** Draw the faces of this moment, the chosen one last.
   * @param {Seen[]} seen */
  draw(seen) {
    const { $, chosen, analysis } = this.player;
    const { picture } = this;
    const canvas = $(".overlay");
    canvas.hidden = !picture || !$(".boxes").checked;
    if (canvas.hidden) return;
    const [width, height] = [picture.clientWidth, picture.clientHeight];
    const stage = $(".stage").getBoundingClientRect();
    const box = picture.getBoundingClientRect();
    Object.assign(canvas.style, { left: `${box.left - stage.left}px`, top: `${box.top - stage.top}px` });
    const pen = penOf(canvas, width, height);
    pen.scale(width / analysis.width, height / analysis.height);
    const common = { landmarks: $(".points").checked, unit: analysis.width / (width || 1), width: analysis.width };
    const drawn = seen.toSorted((a, b) => (a.person.track === chosen) - (b.person.track === chosen));
    for (const { person, face } of drawn) {
      const { colour } = analysis.emotions[face.p.indexOf(Math.max(...face.p))];
      const text = `${analysis.people.length > 1 ? `${person.name}: ` : ""}${topText(analysis, face.p)}`;
      drawFace(pen, face, { text, colour, chosen: person.track === chosen, ...common });
    }
  }
}
