// What a key does, and whose it is.

/** A player that only writes down what it is told to do. */
function stub(fields = {}) {
  const said = [];
  const heard = (...names) => Object.fromEntries(names.map((name) => [name, (...args) => said.push([name, ...args])]));
  const player = {
    said, time: 10, view: [5, 15], span: [11, 12], chosen: 0, $: () => document.createElement("i"),
    root: document.createElement("div"),
    analysis: { start_s: 0, end_s: 60, picture: false, people: [{ track: 4 }, { track: 7 }] },
    transport: heard("toggle", "step", "jump", "loop"),
    timeline: { ...heard("zoomAt", "zoomTo", "clear"), inView: () => player.view ?? [0, 60] },
    sheet: { ...heard("newMark", "keys", "close", "edit"), form: { hidden: true } },
    ...heard("seek", "choose"), ...fields,
  }; // prettier-ignore
  return player;
}

/** What a press of a key did, null where it stands for nothing. */
function pressed(key, fields) {
  const player = stub(fields);
  return new Keys(player).press(key) ? player.said : null;
}

/** Whether a key that is pressed on an element is the player's, whose root is another one unless it is given. */
function isMeant(target, key, { root = document.createElement("div"), ...fields } = {}) {
  const top = root.contains(target) ? root : target;
  document.body.append(top);
  let found = null;
  document.addEventListener("keydown", (event) => (found = isForPlayer(event, root)), { once: true });
  target.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, ...fields }));
  top.remove();
  return found;
}

// what keys do

test("arrows go by a second, comma and full stop by a frame", () => {
  equal(["ArrowLeft", "ArrowRight", ",", "."].map((key) => pressed(key)[0]), [
    ["seek", 9], ["seek", 11], ["step", -1], ["step", 1],
  ]); // prettier-ignore
});

test("brackets jump to what matters, back and on", () => {
  equal([..."[]{}()"].map((key) => pressed(key)[0].slice(1)), [
    ["change", -1], ["change", 1], ["doubt", -1], ["doubt", 1], ["disagreement", -1], ["disagreement", 1],
  ]); // prettier-ignore
});

test("Home and End go to the ends, plus and minus zoom about the cursor, 0 shows all", () => {
  equal([pressed("Home"), pressed("End")], [[["seek", 0]], [["seek", 60]]]);
  equal([pressed("+"), pressed("-"), pressed("0")], [[["zoomAt", 10, 0.5]], [["zoomAt", 10, 2]], [["zoomTo", null]]]);
});

test("a page is as long as what is in view, and there is none while all is", () => {
  equal([pressed("PageUp"), pressed("PageDown")], [[["zoomTo", [-5, 5]]], [["zoomTo", [15, 25]]]]);
  equal(pressed("PageDown", { view: null }), null);
});

test("letters do the same as capitals", () => {
  equal(["z", "Z", "l", "L", "m", "M"].map((key) => pressed(key)[0]), [
    ["zoomTo", [11, 12]], ["zoomTo", [11, 12]], ["loop"], ["loop"], ["newMark", 11, 12], ["newMark", 11, 12],
  ]); // prettier-ignore
});

test("without a selection a mark is of the moment, and there is nothing to zoom to", () => {
  equal([pressed("m", { span: null }), pressed("z", { span: null })], [[["newMark", 10, null]], []]);
});

test("a digit chooses the person of that number, if there is one", () => {
  equal([pressed("1"), pressed("2"), pressed("3")], [[["choose", 4, true]], [["choose", 7, true]], null]);
});

test("Escape and the question mark close an open sheet first", () => {
  equal([pressed("Escape"), pressed("?")], [[["clear"]], [["keys"]]]);
  for (const key of ["Escape", "?"]) {
    const player = stub();
    player.sheet.form.hidden = false;
    equal([new Keys(player).press(key), player.said], [true, [["close"]]]);
  }
});

test("other keys stand for nothing, and so does any before the analysis is here", () => {
  equal(["x", "F5", "Tab", "Enter"].map((key) => pressed(key)), [null, null, null, null]);
  equal(pressed("ArrowLeft", { analysis: undefined }), null);
});

test("of a picture only people, the list of keys and Escape have keys", () => {
  const picture = { analysis: { ...stub().analysis, picture: true } };
  equal([..." .[+0zlm", "Home"].map((key) => pressed(key, picture)), Array(9).fill(null));
  equal(["2", "?", "Escape"].map((key) => pressed(key, picture)), [[["choose", 7, true]], [["keys"]], [["clear"]]]);
});

test("every key of the list stands for something", () => {
  const names = { space: " ", "←": "ArrowLeft", "→": "ArrowRight", "−": "-", Esc: "Escape" };
  const listed = KEYS.flatMap(([keys]) => (keys.startsWith("Ctrl") ? [] : keys.split(/(?<=\w), | /)));
  for (const key of listed.filter((each) => each !== "…" && each !== "9")) {
    equal([key, pressed(names[key] ?? key) !== null], [key, true]);
  }
});

// whose a key is

const make = (tag, fields = {}) => Object.assign(document.createElement(tag), fields);

test("a key on the page as a whole is the player's, one on a part of it is not", () => {
  const main = make("div");
  main.dataset.testid = "stMain";
  equal([isMeant(main, "."), isMeant(make("p"), ".")], [true, false]);
});

test("a key within the player is its own", () => {
  const root = make("div");
  root.append(make("p"));
  equal([isMeant(root, " ", { root }), isMeant(root.firstChild, " ", { root })], [true, true]);
});

test("who writes keeps the keys, and a tick box is no writing", () => {
  const root = make("div");
  root.append(make("input", { type: "text" }), make("select"), make("textarea"), make("input", { type: "checkbox" }));
  equal([...root.children].map((each) => isMeant(each, "z", { root })), [false, false, false, true]);
});

test("a button of the page keeps what buttons use, and gives away the rest", () => {
  equal([" ", "Enter", "ArrowLeft", "Home", "PageUp"].some((key) => isMeant(make("button"), key)), false);
  equal([".", "z", "?"].every((key) => isMeant(make("button"), key)), true);
});

test("space on a button of the player presses that button", () => {
  const root = make("div");
  root.append(make("button"));
  equal([" ", "ArrowLeft"].map((key) => isMeant(root.firstChild, key, { root })), [false, true]);
});

test("with Alt a key is the browser's", () => {
  const root = make("div");
  equal(isMeant(root, "ArrowLeft", { root, altKey: true }), false);
});

/** What a key with Ctrl did, pressed on the page. */
function controlled(key, shiftKey = false) {
  const player = stub();
  const keys = new Keys(player);
  keys.listen();
  document.body.dispatchEvent(new KeyboardEvent("keydown", { key, shiftKey, ctrlKey: true, bubbles: true }));
  keys.dispose();
  return player.said;
}

test("Ctrl+Z undoes and with Shift redoes; other keys with Ctrl are the browser's", () => {
  equal([controlled("z"), controlled("Z", true)], [[["edit", { do: "undo" }]], [["edit", { do: "redo" }]]]);
  equal(controlled("l"), []);
});
