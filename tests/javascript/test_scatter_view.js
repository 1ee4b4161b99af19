// Where points are on the screen, and which of them is meant. The panel has 432 × 232 px: 400 × 200 in its margins.

const viewOf = (rows, dimensions = 2) => {
  const view = new View(new Points(Float32Array.from(rows.flat()), rows.length, dimensions));
  view.size = [432, 232];
  return view;
};

/** A view of the four corners of a box, twice as wide as it is high, as the panel is. */
const corners = () => {
  const view = viewOf([[0, 0], [4, 0], [0, 2], [4, 2]]);
  view.projectPoints();
  return view;
};

/** A map in 3-D seen from the front: x to the right, y up, z towards the viewer; 1 is the farthest distance. */
const turned = (yaw, pitch, rows = [[1, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0], [0, 0, 1], [0, 0, -1]]) => {
  const view = viewOf(rows, 3);
  Object.assign(view, { yaw, pitch });
  view.projectPoints();
  return view;
};

/** Screen positions as steps from the middle of the panel, in units of the map, up being positive. */
function placesOf({ screen: [xs, ys], scale }) {
  return Array.from(xs, (x, i) => [(x - 216) / scale, (116 - ys[i]) / scale]);
}

const box = (left, top, right, bottom) => [[left, top], [right, top], [right, bottom], [left, bottom]];
const ALL = Uint8Array.from([1, 1, 1, 1]);

// from the map to the screen

test("at zoom 1 the points fill the panel up to its margins, the second axis upwards", () => {
  close(corners().screen, [16, 416, 16, 416, 216, 216, 16, 16], 1e-4);
});

test("points in one place lie in the middle", () => {
  const view = viewOf([[3, 4], [3, 4]]);
  view.projectPoints();
  close(view.screen, [216, 216, 116, 116]);
});

test("points on a line fill the panel along it", () => {
  const view = viewOf([[0, 1], [2, 1], [8, 1]]);
  view.projectPoints();
  close(view.screen, [16, 116, 416, 116, 116, 116], 1e-4);
});

test("no points are no places", () => {
  const view = viewOf([]);
  view.projectPoints();
  equal([view.screen, view.countInside(), view.nearest(0, 0, 99, [])], [[[], []], 0, -1]);
  equal(view.inside(box(0, 0, 432, 232)), []);
});

test("a panel smaller than its margins still has a scale", () => {
  const view = corners();
  view.size = [10, 10];
  equal(view.scale > 0, true);
});

test("unturned, a map in 3-D is seen from the front", () => {
  close(placesOf(turned(0, 0)).flat(), [1, 0, -1, 0, 0, 1, 0, -1, 0, 0, 0, 0]);
});

test("a quarter turn brings the third axis to the right", () => {
  close(placesOf(turned(Math.PI / 2, 0)).flat(), [0, 0, 0, 0, 0, 1, 0, -1, 1, 0, -1, 0]);
});

test("a quarter tilt shows the map from above", () => {
  close(placesOf(turned(0, Math.PI / 2)).flat(), [1, 0, -1, 0, 0, 0, 0, 0, 0, -1, 0, 1]);
});

test("depth grows from far to near", () => {
  equal(turned(0, 0).depth, [127, 127, 127, 127, 255, 0]);
  equal(Array.from(turned(Math.PI / 2, 0).depth).slice(0, 2), [0, 255]);
});

test("a tilt goes no further than straight from above or below", () => {
  const view = turned(0, 0);
  view.turn(0.25, 9);
  close([view.yaw, view.pitch], [0.25, Math.PI / 2]);
  view.turn(0, -99);
  close(view.pitch, -Math.PI / 2);
});

test("in 3-D near points are drawn over far ones", () => {
  equal(turned(0, 0, [[0, 0, 1], [0, 0, -1], [0, 0, 0.2]]).order(), [1, 2, 0]);
});

test("in 2-D every placed point is drawn once", () => {
  const view = viewOf([[0, 0], [NaN, 0], [4, 2]]);
  view.projectPoints();
  equal(view.order().toSorted(), [0, 2]);
});

// moving and zooming

test("a map follows the pointer that moves it", () => {
  const view = corners();
  view.move(30, -20);
  view.projectPoints();
  close([view.screen[0][0], view.screen[1][0]], [46, 196], 1e-4);
});

test("in 3-D a map follows the pointer, too, however it is turned", () => {
  const view = turned(0.7, 0.3);
  const before = view.screen.map((axis) => axis[0]);
  view.move(30, -20);
  view.projectPoints();
  close(view.screen.map((axis) => axis[0]), [before[0] + 30, before[1] - 20], 1e-3);
});

test("what is under the pointer stays there when the map is zoomed", () => {
  const view = corners();
  view.zoomAt(2, 416, 16); // the last point
  view.projectPoints();
  close(view.screen, [-384, 416, -384, 416, 416, 416, 16, 16], 1e-3);
});

test("without a pointer the middle stays", () => {
  const view = corners();
  view.zoomAt(1.5);
  view.projectPoints();
  close([view.screen[0], view.screen[1][0]].flat(), [-84, 516, -84, 516, 266], 1e-3);
});

test("zoom ends at a half and at 400", () => {
  const view = corners();
  equal([view.zoomAt(1e-3), view.zoom, view.zoomAt(0.9)], [true, 0.5, false]);
  equal([view.zoomAt(1e9), view.zoom, view.zoomAt(1.1)], [true, 400, false]);
});

test("after a reset all points are seen again", () => {
  const view = corners();
  view.zoomAt(7, 20, 30);
  view.move(100, 100);
  view.reset();
  view.projectPoints();
  close(view.screen, [16, 416, 16, 416, 216, 216, 16, 16], 1e-4);
});

test("points in the panel are counted, those outside not", () => {
  const view = corners();
  equal(view.countInside(), 4);
  view.move(300, 0);
  view.projectPoints();
  equal(view.countInside(), 2);
});

// the point that is meant

test("the nearest point within reach is found", () => {
  equal([corners().nearest(18, 214, 8, ALL), corners().nearest(410, 20, 8, ALL)], [0, 3]);
});

test("a point at the end of the reach is found, one beyond it is not", () => {
  equal([corners().nearest(24, 216, 8.001, ALL), corners().nearest(24.1, 216, 8, ALL)], [0, -1]);
});

test("the nearer of two points is found, from either side", () => {
  const view = viewOf([[0, 0], [100, 0], [98, 0]]);
  view.projectPoints(); // 4 px per unit: at 16, 416 and 408
  equal([view.nearest(411, 116, 8, ALL), view.nearest(413, 116, 8, ALL)], [2, 1]);
});

test("a point in full colour is found before a faded one that is nearer", () => {
  const view = viewOf([[0, 0], [100, 0], [98, 0]]);
  view.projectPoints();
  equal(view.nearest(409, 116, 8, [1, 1, 0]), 1);
  equal(view.nearest(404, 116, 8, [1, 1, 0]), 2); // the other one is out of reach
});

test("a point is found where the map was moved to", () => {
  const view = corners();
  view.nearest(16, 216, 8, ALL);
  view.move(50, 0);
  view.projectPoints();
  equal([view.nearest(16, 216, 8, ALL), view.nearest(66, 216, 8, ALL)], [-1, 0]);
});

test("a search from outside the panel finds what is at its edge", () => {
  equal(corners().nearest(-2, 216, 20, ALL), 0);
});

// the lasso

test("a lasso holds the points inside of it", () => {
  equal(corners().inside(box(0, 0, 230, 230)).toSorted(), [0, 2]);
  equal(corners().inside(box(0, 0, 432, 232)).toSorted(), [0, 1, 2, 3]);
});

test("a lasso holds the same drawn in either direction", () => {
  equal(corners().inside(box(0, 0, 230, 230).toReversed()).toSorted(), [0, 2]);
});

test("a lasso around nothing, or without an area, holds nothing", () => {
  equal(corners().inside(box(100, 50, 300, 150)), []);
  equal(corners().inside([[0, 0], [432, 232]]), []);
});

test("a hollow in a lasso is not inside", () => {
  const horseshoe = [...box(0, 0, 432, 30).slice(0, 3), [30, 30], [30, 190], [432, 190], [432, 232], [0, 232]];
  const view = viewOf([[0, 0], [4, 0], [0, 2], [4, 2], [2, 1]]);
  view.projectPoints();
  equal(view.inside(horseshoe).toSorted(), [0, 1, 2, 3]);
});

test("a polygon goes once round a place inside, to the left or to the right", () => {
  const [xs, ys] = [[0, 4, 4, 0], [0, 0, 4, 4]];
  const [there, back] = [winding(xs, ys, 2, 2), winding(xs.toReversed(), ys.toReversed(), 2, 2)];
  equal([Math.abs(there), there + back, winding(xs, ys, 5, 2)], [1, 0, 0]);
});

test("a lasso that crosses itself holds both its loops and its core", () => {
  const eight = [[0, 4, 0, 4], [0, 0, 4, 4]];
  equal([[2, 1], [2, 3], [0.5, 2]].map(([x, y]) => winding(...eight, x, y) !== 0), [true, true, false]);
  const corner = [0, 2, 4, 1, 3].map((k) => (2 * Math.PI * k) / 5); // a star of five drawn in one line
  const star = [corner.map(Math.cos), corner.map(Math.sin)];
  equal(Math.abs(winding(...star, 0, 0)), 2);
});

test("no polygon goes round nothing", () => {
  equal(winding([], [], 0, 0), 0);
});
