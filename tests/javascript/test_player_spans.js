// The part of the timeline in view, and the selection. The whole is 0 to 100 s unless said otherwise.

const WHOLE = [0, 100];
const wheel = (turn) => ({ deltaX: 0, deltaY: 0, shiftKey: false, ctrlKey: false, ...turn });

// the part in view

test("a part within the whole stays as it is", () => {
  equal(fitted([20, 30], WHOLE), [20, 30]);
});

test("no part, and one as good as the whole, shows everything", () => {
  equal([fitted(null, WHOLE), fitted([0, 100], WHOLE), fitted([0, 99.95], WHOLE)], [null, null, null]);
  equal(fitted([0, 99.8], WHOLE), [0, 99.8]);
});

test("a part beyond an end is moved inside, as long as it was", () => {
  equal([fitted([-5, 5], WHOLE), fitted([95, 105], WHOLE)], [[0, 10], [90, 100]]);
});

test("a part longer than the whole shows everything", () => {
  equal(fitted([-50, 300], WHOLE), null);
});

test("a part that is too short grows around its middle", () => {
  close(fitted([50, 50], WHOLE), [49.98, 50.02], 1e-9);
  close(fitted([100, 100], WHOLE), [99.96, 100], 1e-9);
});

test("a whole that does not begin at 0 holds its parts, too", () => {
  equal(fitted([0, 20], [54, 154]), [54, 74]);
});

// zooming and moving

test("a zoom keeps the place of the time it is about", () => {
  const [from, to] = zoomed([20, 60], 30, 0.5);
  equal([from, to], [25, 45]);
  equal(shareAt([from, to], 30), shareAt([20, 60], 30));
});

test("a zoom out takes a zoom in back", () => {
  equal(zoomed(zoomed([20, 60], 30, 0.5), 30, 2), [20, 60]);
});

test("a part around a time has it in the middle", () => {
  equal(centred([20, 60], 90), [70, 110]);
});

test("the wheel zooms in where it turns up and out where it turns down", () => {
  close(wheeled([20, 60], wheel({ deltaY: -100 }), 30, 400), zoomed([20, 60], 30, Math.exp(-0.3)));
  close(wheeled([20, 60], wheel({ deltaY: 100 }), 30, 400), zoomed([20, 60], 30, Math.exp(0.3)));
});

test("with Ctrl, as a pinch on a touchpad is told, the wheel zooms faster", () => {
  close(wheeled([20, 60], wheel({ deltaY: -10, ctrlKey: true }), 30, 400), zoomed([20, 60], 30, Math.exp(-0.1)));
});

test("a fast wheel zooms no more than by 120 at once", () => {
  equal(wheeled([20, 60], wheel({ deltaY: -5000 }), 30, 400), wheeled([20, 60], wheel({ deltaY: -120 }), 30, 400));
});

test("sideways, or with Shift, the wheel moves the part by as many pixels", () => {
  equal(wheeled([20, 60], wheel({ deltaX: 100, deltaY: 30 }), 30, 400), [30, 70]);
  equal(wheeled([20, 60], wheel({ deltaY: -100, shiftKey: true }), 30, 400), [10, 50]);
});

test("two fingers zoom in as they part, and no more when they touch", () => {
  equal([pinched([0, 100], [0, 200]), pinched([200, 0], [150, 50])], [0.5, 2]);
  equal([pinched([0, 100], [50, 50]), pinched([50, 50], [0, 8])], [12.5, 1]);
});

// the page under the cursor

test("while the time is in view the page stays", () => {
  equal([20, 40, 60].map((time) => paged([20, 60], time, 30)), [null, null, null]);
});

test("when the time runs out of a page the next one shows a little of what was before", () => {
  close(paged([20, 60], 61, 59.9), [59, 99]);
});

test("who looks elsewhere while it plays is left there", () => {
  equal([paged([20, 60], 71, 70), paged([20, 60], 11, 10)], [null, null]);
});

test("where somebody seeks the page follows, forwards and back", () => {
  close([paged([20, 60], 80), paged([20, 60], 10)], [78, 118, 8, 48]);
});

// the selection

test("a selection is in order, whichever way it was dragged", () => {
  equal([selectedSpan([30, 40], WHOLE), selectedSpan([40, 30], WHOLE)], [[30, 40], [30, 40]]);
});

test("a selection ends where the analysis does", () => {
  equal([selectedSpan([-3, 40], WHOLE), selectedSpan([120, 40], WHOLE)], [[0, 40], [40, 100]]);
});

test("a selection that lies outside is empty", () => {
  equal(selectedSpan([-3, -1], WHOLE), [0, 0]);
});

// times and places

test("a time has its place in a part, also outside of it", () => {
  equal([10, 20, 30, 60, 70].map((time) => shareAt([20, 60], time)), [-0.25, 0, 0.25, 1, 1.25]);
});

test("a picture has no length: its time is at the start", () => {
  equal(shareAt([0, 0], 0), 0);
});

test("a place has its time, that of the nearer end outside", () => {
  equal([-10, 0, 100, 400, 999].map((x) => timeAtX([20, 60], x, 400)), [20, 20, 30, 60, 60]);
});
