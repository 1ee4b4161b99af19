// Faces under the pointer, the size of dots, what keys do, and what the map says.

const TRAIL = [[10, 20, 30], [50, 50, 50]];

/** What a key did to a map, null where it stands for nothing. */
function moved(key, isTurning = false) {
  const said = [];
  const heard = (name) => (...args) => said.push([name, ...args]);
  const view = { isTurning, zoomAt: heard("zoomAt"), reset: heard("reset") };
  const map = { view, use: heard("use"), clear: heard("clear"), toggleKeys: heard("toggleKeys") };
  moveOf(key, map)?.();
  return moveOf(key, map) ? said : null;
}

// under the pointer

test("the nearest face within reach is found", () => {
  equal([[11, 50], [16, 52], [24, 50]].map((at) => nearestOf(TRAIL, 3, at, 8)), [0, 1, 1]);
});

test("a face at the end of the reach, or beyond it, is not found", () => {
  equal([[2, 50], [30, 58], [30, 57.9]].map((at) => nearestOf(TRAIL, 3, at, 8)), [-1, -1, 2]);
});

test("of faces in one place the first is found, and one without a place never", () => {
  equal(nearestOf([[10, 10], [50, 50]], 2, [12, 50], 8), 0);
  equal(nearestOf([[NaN, 10], [NaN, 50]], 2, [12, 50], 8), 1);
  equal(nearestOf([[], []], 0, [12, 50], 8), -1);
});

// dots

test("dots are smaller the more there are, within limits", () => {
  close([1, 10000, 40000, 1e7].map((n) => radiusOf([500, 400], n, 1)), [3.4, 0.4 * Math.sqrt(20), 1.3, 1.3]);
});

test("dots grow as one looks closer, up to a size, and do not shrink below zoom 1", () => {
  close([0.5, 1, 4, 400].map((zoom) => radiusOf([500, 400], 100, zoom)), [3.4, 3.4, 3.4 * 4 ** 0.3, 6]);
});

test("a map without points has a size of dots all the same", () => {
  equal(radiusOf([500, 400], 0, 1), 3.4);
});

// keys

test("plus and minus zoom, also without Shift; 0 shows all again", () => {
  equal([moved("+"), moved("=")], [[["zoomAt", 1.3]], [["zoomAt", 1.3]]]);
  equal([moved("-"), moved("0")], [[["zoomAt", 1 / 1.3]], [["reset"]]]);
});

test("letters choose what a drag does, in either case; there is nothing to turn in 2-D", () => {
  equal([moved("l"), moved("L"), moved("m")], [[["use", "lasso"]], [["use", "lasso"]], [["use", "move"]]]);
  equal([moved("t", true), moved("t", false)], [[["use", "turn"]], []]);
});

test("Escape clears, the question mark shows the keys, and others stand for nothing", () => {
  equal([moved("Escape"), moved("?")], [[["clear"]], [["toggleKeys"]]]);
  equal(["x", "Enter", "ArrowLeft", "Tab"].map((key) => moved(key)), [null, null, null, null]);
});

// words

test("the map says how many points it draws, and how many have no place", () => {
  equal(shownWords(3589, 3589, 3589), "3,589 of 3,589 points, none left out");
  equal(shownWords(3589, 3000, 3000), "3,000 of 3,589 points, 589 have no place");
});

test("the map says how many points are in view where it is not all of them", () => {
  equal(shownWords(3589, 3589, 1200), "3,589 of 3,589 points, none left out; 1,200 in view");
});

test("the map says how many are selected, and their share", () => {
  equal(pickedWords(1234, 4000, []), "1,234 selected (30.9\u00a0%)");
  equal([pickedWords(null, 4000, []), pickedWords(0, 4000, [])], ["", "0 selected (0.0\u00a0%)"]);
});

test("the map says which classes its legends leave on", () => {
  const panels = [["answer", 1, 0], ["label"], ["group", 1]].map(([name, ...values]) => {
    return { colouring: { name, labels: ["sad", "happy"] }, highlighted: new Set(values) };
  });
  equal(pickedWords(null, 10, panels), "answer: only happy, sad · group: only happy");
  equal(pickedWords(5, 10, panels.slice(1)), "5 selected (50.0\u00a0%) · group: only happy");
});
