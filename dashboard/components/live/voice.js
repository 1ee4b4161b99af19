// Everything that the page says in words: over the picture, below it, beside the light, and to screen readers.

const SPOKEN_MS = 3000; // least time between words for screen readers
const NOTE_MS = 6000;

const BEFORE =
  "Your own picture comes at once; boxes, emotions and bars follow. Nothing starts by itself, and nothing is stored " +
  "unless you press Record.";

/** Which machine a host name means. */
const machineOf = (host, name) =>
  /^(localhost|127\.0\.0\.1|\[?::1\]?)$/.test(name) ? "this machine" : `the workbench at ${host}`;

const minutes = (ms) => `${Math.floor(ms / 60000)}:${String(Math.floor(ms / 1000) % 60).padStart(2, "0")}`;

/** What the light says in each of its states: what leaves the page, and where it goes. */
function lightWords(state, machine, sent) {
  const small = `ends small pictures${sent && ` (${sent})`} to ${machine} only`;
  const words = {
    off: "Camera off. Nothing leaves this page.",
    paused: "Paused: this tab is in the background. Nothing is sent.",
    sends: `S${small}; nothing is stored unless you press Record.`,
    records: `Records, and s${small}; what is recorded is stored there.`,
  };
  return words[state];
}

/** Set an element's words only where they are others, so that nothing is read out twice. */
function put(place, text) {
  if (place.textContent !== text) place.textContent = text;
}

class Voice {
  constructor($, root) {
    Object.assign(this, { $, root, spoken: -Infinity, spokenOf: "" });
    this.machine = machineOf(location.host, location.hostname);
  }

  /** Over the picture, while the camera runs. */
  say(text) {
    put(this.$(".message"), text);
    this.$(".message").hidden = !text;
  }

  /** In place of the picture: why there is none, and what to do. */
  explain(why = "", next = BEFORE) {
    put(this.$(".why"), why);
    put(this.$(".next"), next);
  }

  /** Below the picture; `ways` are buttons by name. */
  note(text, ways = {}) {
    const note = this.$(".note");
    const buttons = Object.entries(ways).map(([name, act]) => {
      const button = Object.assign(element("button", "", name), { type: "button" });
      button.addEventListener("click", act);
      return button;
    });
    note.hidden = !text;
    note.replaceChildren(text, ...buttons);
  }

  noteForNow(text) {
    this.note(text);
    setTimeout(() => this.$(".note").textContent === text && this.note(""), NOTE_MS);
  }

  light(state, sent) {
    this.root.dataset.light = state;
    put(this.$(".light-words"), lightWords(state, this.machine, sent));
  }

  pace(pace, now) {
    const rate = pace.perSecond(now);
    const words = `${rate.toFixed(1)} answers per second, ${Math.round(pace.delay())} ms behind`;
    put(this.$(".pace"), rate ? words : "");
    put(this.$(".slow"), SLOW);
    this.$(".slow").hidden = !pace.isSlow(now);
  }

  /** Say who shows what, where that is something else than before, and not too often. */
  speak(faces, vocabulary, now) {
    const said = faces.map((face) => ({ who: nameOfTrack(face.track), ...read(face, vocabulary) }));
    const of = said.map(({ who, top }) => `${who} ${top.name}`).join();
    if (of === this.spokenOf || now - this.spoken < SPOKEN_MS) return;
    Object.assign(this, { spoken: now, spokenOf: of });
    put(this.$(".spoken"), said.map(({ who, text }) => `${who}: ${text}`).join(", ") || "No face here.");
  }
}
