// What the map draws, from what Python sends.

test("a colour's red, green and blue are read", () => {
  equal(rgb("#0a10ff"), [10, 16, 255]);
  equal(rgb("#FFFFFF"), [255, 255, 255]);
});

test("a mixture of two colours is the first at 0 and the second at 1", () => {
  const mixed = [0, 0.5, 1].map((share) => mix([0, 100, 255], [10, 0, 255], share));
  equal(mixed, [[0, 100, 255], [5, 50, 255], [10, 0, 255]]);
});

test("a mask has a bit per row, the first in the lowest", () => {
  equal(packMask(Uint8Array.from([1, 0, 0, 0, 0, 0, 0, 0, 1])), "AQE="); // octets 1, 1
  equal(packMask(Uint8Array.from([0, 1, 1, 0, 0, 0, 0, 1])), "hg=="); // octet 0x86
  equal(unpackMask("AQE=", 9), [1, 0, 0, 0, 0, 0, 0, 0, 1]);
});

test("an empty mask is an empty text", () => {
  equal(packMask(new Uint8Array(0)), "");
  equal(unpackMask("", 0), []);
});

test("a mask comes back as it was, whatever its length", () => {
  for (const n of [1, 7, 8, 9, 100]) {
    const mask = Uint8Array.from({ length: n }, (_, i) => (i % 3 === 0 ? 1 : 0));
    equal(unpackMask(packMask(mask), n), mask);
  }
});

test("rows are shuffled, none of them lost, always in the same order", () => {
  const order = shuffled(1000);
  equal(order.toSorted(), Array.from({ length: 1000 }, (_, i) => i));
  equal(shuffled(1000), order);
  equal(order.filter((row, i) => row === i).length < 20, true);
});

test("no rows, and one, are shuffled to themselves", () => {
  equal([shuffled(0), shuffled(1)], [[], [0]]);
});

// where the points are

test("points lie around the middle of their box, the farthest at distance 1", () => {
  const points = new Points(Float32Array.from([0, 0, 6, 8]), 2, 2); // half a diagonal is 5
  close(points.axes, [[-0.6, 0.6], [-0.8, 0.8], [0, 0]].flat());
  close([points.middle, points.half], [3, 4, 0.6, 0.8]);
});

test("in 3-D the third axis counts, too", () => {
  const points = new Points(Float32Array.from([-1, -2, -2, 1, 2, 2]), 2, 3); // 3 from the middle
  close(points.axes, [-1 / 3, 1 / 3, -2 / 3, 2 / 3, -2 / 3, 2 / 3]);
});

test("a point without a place is left out, and does not move the others", () => {
  const points = new Points(Float32Array.from([0, 0, NaN, 5, 6, 8]), 3, 2);
  equal(points.placed.toSorted(), [0, 2]);
  close(points.middle, [3, 4]);
});

test("no points, and points without any place, are a map without extent", () => {
  for (const raw of [[], [NaN, NaN]]) {
    const points = new Points(Float32Array.from(raw), raw.length / 2, 2);
    equal([points.placed, points.middle, points.half, points.unit], [[], [0, 0], [0, 0], 1]);
  }
});

test("a single point lies in the middle", () => {
  const points = new Points(Float32Array.from([3, 4]), 1, 2);
  equal([points.axes, points.half], [[[0], [0], [0]], [0, 0]]);
});

// colours

const classes = () =>
  new Colouring({
    kind: "category", name: "label", labels: ["fear", "joy"], colours: ["#ff0000", "#00ff00"],
    values: packed([1, 0, 1]),
  });
const numbers = (low, high, unit = "") =>
  new Colouring({ kind: "number", name: "confidence", low, high, unit, values: packed([0, 1, 255]) });

test("the points of each class are counted, of a selection only those in it", () => {
  equal(Array.from(classes().counts.subarray(0, 3)), [1, 2, 0]);
  equal(Array.from(classes().count(Uint8Array.from([1, 1, 0])).subarray(0, 2)), [1, 1]);
});

test("classes have their own colours and labels", () => {
  equal(classes().palette(false), [[255, 0, 0], [0, 255, 0]]);
  equal([classes().word(0), classes().word(1)], ["fear", "joy"]);
});

test("numbers run through viridis, without its pale end on a light page and its dark end on a dark one", () => {
  const [light, dark] = [numbers(0, 1).palette(false), numbers(0, 1).palette(true)];
  equal([light.length, light[1], dark[255]], [256, [0x44, 0x01, 0x54], [0xfd, 0xe7, 0x25]]);
  equal(light[255], [174, 221, 48]); // 0.88 of 9 steps is 7.92: so far from #6dcd59 to #b4de2c
  equal(dark[1], [62, 72, 137]); // 0.22 of 9 steps is 1.98, from #482878 to #3e4989
});

test("an unknown number is grey and named so", () => {
  equal(numbers(0, 1).palette(false)[0], [138, 143, 152]);
  equal(numbers(0, 1).word(0), "not known");
});

test("the levels 1 to 255 stand for the scale from its low to its high end", () => {
  const colouring = numbers(-2, 2);
  equal([colouring.word(1), colouring.word(128), colouring.word(255)], ["-2", "0", "2"]);
});

test("a number has as many digits as its scale needs, and its unit", () => {
  equal([numbers(0, 1).written(0.256), numbers(0, 100, "%").written(42.4)], ["0.26", "42\u00a0%"]);
  equal([numbers(0, 0.1).written(0.0256), numbers(0, 5000).written(1234.5)], ["0.026", "1,235"]);
});

// the trail of a video

const trailOf = (times, far = times.map(() => 0), raw = times.flatMap((time) => [time, 0])) => {
  const points = new Points(Float32Array.from([0, 0, 6, 8]), 2, 2);
  const sent = { name: "clip", n: times.length, values: [packed(far), null] };
  Object.assign(sent, { positions: packed(raw, Float32Array), times: packed(times, Float64Array), far: packed(far) });
  return new Trail(sent, points);
};

test("a trail lies on the scale of the map", () => {
  close(trailOf([3, 8]).axes, [0, 1, -0.8, -0.8, 0, 0]);
});

test("a line leads on until a pause of more than five usual steps", () => {
  const trail = trailOf([0, 1, 2, 3, 8, 13.5]); // steps 1, 1, 1, 5, 5.5
  equal([0, 1, 2, 3, 4, 5].map((i) => trail.goesOn(i)), [true, true, true, true, false, false]);
});

test("a line leads neither to nor from a face without a place", () => {
  const trail = trailOf([0, 1, 2], [0, 0, 0], [0, 0, NaN, 0, 2, 0]);
  equal([trail.placed, trail.goesOn(0), trail.goesOn(1)], [[true, false, true], false, false]);
});

test("steps are ordered as numbers, not as words", () => {
  equal(trailOf([0, 2, 12, 21, 22, 23]).pause, 10); // steps 2, 10, 9, 1, 1
});

test("a trail of one face, or none, has no line", () => {
  equal([trailOf([1]).pause, trailOf([1]).goesOn(0), trailOf([]).placed], [Infinity, false, []]);
});

test("faces without a value in a colouring have none", () => {
  equal(trailOf([0, 1], [0, 1]).values, [[0, 1], null]);
});

// fetched positions

test("positions that were sent along are not fetched", async () => {
  globalThis.fetch = () => Promise.reject(new Error("fetched"));
  equal(await positionsOf({ url: null, positions: "AACAPwAAAEA=", n: 1, dimensions: 2 }), [1, 2]);
});

test("positions of another length than the map's are refused", async () => {
  globalThis.fetch = () => Promise.resolve(new Response(new Float32Array(4).buffer));
  equal(await positionsOf({ url: "/", n: 2, dimensions: 2 }), [0, 0, 0, 0]);
  const error = await positionsOf({ url: "/", n: 3, dimensions: 2 }).catch((each) => each);
  equal(error.message, "Expected 24 bytes of positions, got 16.");
});

test("why positions did not come is said", async () => {
  globalThis.fetch = () => Promise.resolve(new Response('{"error": "There is no such map."}', { status: 404 }));
  equal((await positionsOf({ url: "/" }).catch((each) => each)).message, "There is no such map.");
  globalThis.fetch = () => Promise.reject(new TypeError("Failed to fetch"));
  const { message } = await positionsOf({ url: "/" }).catch((each) => each);
  equal(message, "The server does not answer. Is it still running?");
});

// words and pixels

test("a time on the map is written to tenths", () => {
  equal([0, 7.26, 59.96, 3600].map(clock), ["0:00.0", "0:07.3", "1:00.0", "60:00.0"]);
});

test("a pixel holds its colour as alpha, blue, green, red", () => {
  equal([abgr([255, 0, 0]), abgr([1, 2, 3])], [0xff0000ff, 0xff030201]);
});

test("a colour over another one covers as much as asked for", () => {
  const [white, black] = [0xffffffff, 0xff000000];
  equal([0, 128, 256].map((cover) => blended(white, black, cover) >>> 0), [0xffffffff, 0xff7f7f7f, 0xff000000]);
});
