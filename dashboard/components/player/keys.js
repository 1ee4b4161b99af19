// The keys, what each does, and when one is meant for the player.

const KEYS = [
  ["space", "play or pause"], ["← →", "one second"], [", .", "one frame"],
  ["[ ]", "previous or next change of emotion"], ["{ }", "previous or next moment of doubt"],
  ["( )", "previous or next disagreement of models"], ["1 … 9", "person"],
  ["M", "mark this moment or the selection"], ["+ − 0", "zoom in, out, all"],
  ["Z, L, Esc", "zoom to, loop, clear the selection"], ["Ctrl+Z", "undo"], ["Ctrl+Shift+Z", "redo"],
]; // prettier-ignore
const OF_BUTTONS = /^( |Enter|Arrow.*|Home|End|Page.*)$/; // keys that the page's buttons use themselves

/** Whether a key that was pressed somewhere on the page is the player's: not while somebody writes. */
function isForPlayer(event, root) {
  const path = event.composedPath();
  const [target] = path;
  const isOurs = target === document.body || target.dataset?.testid === "stMain" || path.includes(root);
  const isButton = target.matches("button, a, [role=tab]") && !OF_BUTTONS.test(event.key);
  const isField = /INPUT|SELECT|TEXTAREA/.test(target.tagName) && target.type !== "checkbox";
  if (!(isOurs || isButton) || isField || event.altKey) return false;
  return event.key !== " " || target.tagName !== "BUTTON";
}

/** What a key does to a player, undefined if nothing; letters as small ones.
 * @returns {(() => void)|undefined} */
function moveOf(key, player) {
  const { transport, timeline, sheet, analysis, time, span } = player;
  const [from, to] = timeline.inView();
  const moves = {
    " ": () => transport.toggle(),
    ArrowLeft: () => player.seek(time - 1),
    ArrowRight: () => player.seek(time + 1),
    ",": () => transport.step(-1),
    ".": () => transport.step(1),
    "[": () => transport.jump("change", -1),
    "]": () => transport.jump("change", 1),
    "{": () => transport.jump("doubt", -1),
    "}": () => transport.jump("doubt", 1),
    "(": () => transport.jump("disagreement", -1),
    ")": () => transport.jump("disagreement", 1),
    Home: () => player.seek(analysis.start_s),
    End: () => player.seek(analysis.end_s),
    "+": () => timeline.zoomAt(time, 0.5),
    "-": () => timeline.zoomAt(time, 2),
    0: () => timeline.zoomTo(null),
    z: () => span && timeline.zoomTo(span),
    l: () => transport.loop(),
    m: () => sheet.newMark(span?.[0] ?? time, span?.[1] ?? null),
    Escape: () => (sheet.form.hidden ? timeline.clear() : sheet.close()),
    "?": () => (sheet.form.hidden ? sheet.keys() : sheet.close()),
    PageUp: () => timeline.zoomTo([from - (to - from), from]),
    PageDown: () => timeline.zoomTo([to, to + (to - from)]),
  };
  return moves[key];
}

class Keys {
  constructor(player) {
    this.player = player;
    this.onKey = (event) => this.key(event);
    const { $, root } = player;
    for (const button of root.querySelectorAll("[data-key]:not(.play)")) {
      button.addEventListener("click", () => this.press(button.dataset.key));
    }
    root.addEventListener("click", (event) => this.takeFocus(event));
    for (const name of [".speed", ".mode"]) {
      $(name).addEventListener("change", () => this.takeFocus({ detail: 1, target: $(name) }));
    }
  }

  listen() {
    this.dispose();
    document.addEventListener("keydown", this.onKey);
  }

  dispose() {
    document.removeEventListener("keydown", this.onKey);
  }

  // A click on a control leaves the keys with the player; who moves by keyboard keeps the focus.
  takeFocus({ detail, target }) {
    const { $ } = this.player;
    const controls = ".controls button, .controls label, .controls select, .span button, .picture, .people";
    const isControl = target.closest(controls);
    if (detail && isControl && $(".sheet").hidden) $(".timeline").focus({ preventScroll: true });
  }

  key(event) {
    const { player } = this;
    if (!player.analysis || !isForPlayer(event, player.root)) return;
    if (event.ctrlKey || event.metaKey) {
      if (event.key.toLowerCase() !== "z") return;
      player.sheet.edit({ do: event.shiftKey ? "redo" : "undo" });
    } else if (!this.press(event.key)) return;
    event.preventDefault();
  }

  /** Do what a key stands for; false if it stands for nothing. */
  press(key) {
    const { player } = this;
    const { analysis, view } = player;
    if (!analysis || (key.startsWith("Page") && !view)) return false;
    const person = /^[1-9]$/.test(key) && analysis.people[Number(key) - 1];
    const choose = person && (() => player.choose(person.track, true));
    const move = moveOf(key.length === 1 ? key.toLowerCase() : key, player) ?? choose;
    if (!move || (analysis.picture && !person && !"?Escape".includes(key))) return false;
    move();
    return true;
  }
}
