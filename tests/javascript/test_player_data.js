// What the player knows of an analysis, from what the routes send. Two emotions; a chunk of frames is written as its
// times, and per person one record for each frame in which the person was measured.

const OVERVIEW = {
  id: "a", emotions: [{ name: "joy" }, { name: "fear" }], sources: ["detected", "refined"],
  lines: [{ name: "valence", title: "Valence", unit: "", least: -1, most: 1 }],
  kinds: {
    tile: {
      seen: "u1", mean: "u1", low: "u1", high: "u1", raw: "u1", doubtful: "u1", differs: "u1", lines: "u1",
      reasons: "u2",
    },
    frame: {
      at: "u4", p: "u2", raw: "u2", lines: "u2", reasons: "u2", differs: "u1", source: "u1",
      boxes: "f4", landmarks: "f4", squares: "f4", detection: "f4",
    },
  },
  start_s: 0, end_s: 4, width_s: 1, levels: 2, tile_length: 2, chunks: packed([0, 2], Float64Array), overview: {},
};

/** `people`: by track, records {at, p, reasons, differs: [models, groups], box}; `p` of the first emotion. */
function chunkOf(first, start, end, people) {
  const sent = {};
  for (const [track, rows] of Object.entries(people)) {
    const all = (field) => rows.flatMap(field);
    sent[track] = {
      at: packed(all(({ at }) => at), Uint32Array),
      p: packed(all(({ p }) => [65535 * p, 65535 * (1 - p)]), Uint16Array),
      lines: packed(all(({ p }) => 65535 * p), Uint16Array),
      reasons: packed(all(({ reasons }) => reasons ?? 0), Uint16Array),
      differs: packed(all(({ differs }) => differs ?? [0, 0])),
      source: packed(all(({ source }) => source ?? 0)),
      boxes: packed(all(({ box }) => box ?? [0, 0, 1, 1]), Float32Array),
      landmarks: packed(all(({ at }) => Array(10).fill(at)), Float32Array),
      squares: packed(all(({ at }) => [at, 0, 1, 0]), Float32Array),
      detection: packed(all(() => 0.5), Float32Array),
    };
  }
  return { first, start: packed(start, Float64Array), end: packed(end, Float64Array), people: sent };
}

/** Answer with `routes` by path; a path that is not there is never answered. Gives the list of what was asked for. */
function serve(routes) {
  const asked = [];
  globalThis.fetch = (url) => {
    const [path] = url.split("?");
    asked.push(path);
    if (!(path in routes)) return new Promise(() => {});
    return Promise.resolve(new Response(JSON.stringify(routes[path])));
  };
  return asked;
}

const nothing = () => {};
const open = (overview = {}) => new Analysis({ ...OVERVIEW, ...overview }, "model=m", nothing, nothing);

/** An analysis with its chunks in memory. */
async function loaded(chunks, overview = {}) {
  serve(Object.fromEntries(chunks.map((chunk, index) => [`/api/frames/a/${index}`, chunk])));
  const analysis = open(overview);
  const isHere = () => chunks.every((_, index) => analysis.chunk(index));
  for (let wait = 0; wait < 200 && !isHere(); wait++) await pause(1);
  return analysis;
}

/** A chunk of n frames at `rate` per second in which nobody was seen. */
async function steady(rate, n) {
  const start = Array.from({ length: n }, (_, k) => k / rate);
  const end = start.map((_, k) => (k + 1) / rate);
  return loaded([chunkOf(0, start, end, {})], { end_s: n / rate, chunks: packed([0], Float64Array) });
}

/** Four frames of 1 s in two chunks. Ann (0) is seen in frames 0, 1 and 3, Ben (1) in frame 0 only. */
const FOUR = [
  chunkOf(0, [0, 1], [1, 2], {
    0: [{ at: 0, p: 1, box: [1, 2, 3, 4] }, { at: 1, p: 0, reasons: 5, differs: [1, 1], source: 1, box: [5, 6, 7, 8] }],
    1: [{ at: 0, p: 0.2 }],
  }),
  chunkOf(2, [2, 3], [3, 4], { 0: [{ at: 3, p: 0.2, differs: [1, 0] }] }),
];

// the last value at or before another one

test("an empty array has no last value", () => {
  equal(lastAtOrBefore([], 1), -1);
});

test("nothing lies before the first value", () => {
  equal(lastAtOrBefore([1, 2, 3], 0.5), -1);
});

test("a value counts as before itself", () => {
  equal([1, 2, 3].map((x) => lastAtOrBefore([1, 2, 3], x)), [0, 1, 2]);
});

test("between two values the lower one is the last", () => {
  equal([1.5, 2.999, 99].map((x) => lastAtOrBefore([1, 2, 3], x)), [0, 1, 2]);
});

test("of equal values the last one is found", () => {
  equal(lastAtOrBefore([1, 1, 1, 2], 1), 2);
});

// the frame on screen

const RATES = [24, 25, 30, 50, 60, 24000 / 1001, 30000 / 1001, 60000 / 1001];

test("at its own start a frame is on screen", async () => {
  for (const rate of RATES) {
    const analysis = await steady(rate, 200);
    for (let k = 0; k < 200; k++) equal(analysis.frameAt(k / rate).i, k, `${rate} per s:`);
  }
});

test("a start rounded to milliseconds is still that frame's", async () => {
  for (const rate of RATES) {
    const analysis = await steady(rate, 200);
    for (let k = 0; k < 200; k++) equal(analysis.frameAt(Number((k / rate).toFixed(3))).i, k, `${rate} per s:`);
  }
});

test("2.333 s is the frame that starts at 2.3333333 s", async () => {
  equal((await steady(30, 100)).frameAt(2.333).i, 70);
  equal((await steady(60, 200)).frameAt(2.333).i, 140);
  equal((await steady(24, 100)).frameAt(2.333).i, 56);
});

test("a millisecond before its start the frame before it is on screen", async () => {
  const analysis = await steady(30, 100);
  for (let k = 1; k < 100; k++) equal(analysis.frameAt(k / 30 - 0.001).i, k - 1);
});

test("the last frame lasts until its end", async () => {
  const analysis = await steady(25, 50);
  equal([1.96, 1.99, 2].map((t) => analysis.frameAt(t).i), [49, 49, 49]);
  equal(analysis.frameAt(2.01).i, -1);
});

test("between two frames no frame was measured", async () => {
  const analysis = await loaded([chunkOf(0, [0, 1], [0.5, 1.5], {})], { chunks: packed([0], Float64Array) });
  equal([0, 0.5, 0.7, 1, 1.6].map((t) => analysis.frameAt(t).i), [0, 0, -1, 1, -1]);
});

test("before the first frame there is none", async () => {
  const analysis = await loaded([chunkOf(0, [1], [2], {})], { chunks: packed([1], Float64Array) });
  equal(analysis.frameAt(0.5).i, -1);
});

test("a frame is found in its own chunk, first or last of it", async () => {
  const analysis = await loaded(FOUR);
  const found = [0, 1.999, 1.9996, 2, 3.5].map((t) => analysis.frameAt(t));
  equal(found.map(({ chunk, i }) => chunk.first + i), [0, 1, 2, 2, 3]); // to half a millisecond
});

test("while its chunk is on its way there is no frame to show", () => {
  serve({});
  equal(open().frameAt(0), null);
});

test("the next chunk is fetched from the middle of one on", async () => {
  const asked = serve({ "/api/frames/a/0": FOUR[0], "/api/frames/a/1": FOUR[1] });
  const analysis = open();
  analysis.chunk(0);
  await pause(20);
  analysis.frameAt(0.9);
  equal(asked, ["/api/frames/a/0"]);
  analysis.frameAt(1.1);
  equal(asked, ["/api/frames/a/0", "/api/frames/a/1"]);
});

// a person's face

test("a face is what was measured of it in its frame", async () => {
  const analysis = await loaded(FOUR);
  const face = analysis.face(0, analysis.frameAt(1));
  equal([face.p, face.box, face.source, face.reasons, face.differs], [[0, 1], [5, 6, 7, 8], "refined", 5, true]);
  equal(face.lines, [-1]);
  equal([face.landmarks, face.square, face.detection], [Array(10).fill(1), [1, 0, 1, 0], 0.5]);
});

test("two people in one frame have a face each", async () => {
  const analysis = await loaded(FOUR);
  const [ann, ben] = [0, 1].map((track) => analysis.face(track, analysis.frameAt(0)));
  equal(ann.p, [1, 0]);
  close(ben.p, [0.2, 0.8], 1e-9);
});

test("in a frame without a measurement of a person there is no face", async () => {
  const analysis = await loaded(FOUR);
  equal(analysis.face(0, analysis.frameAt(2)), null);
  equal(analysis.face(1, analysis.frameAt(1)), null);
});

test("a person who is absent in a chunk has no face there", async () => {
  const analysis = await loaded(FOUR);
  equal(analysis.face(1, analysis.frameAt(3)), null);
  equal(analysis.face(7, analysis.frameAt(0)), null);
});

test("where no frame was measured nobody has a face", async () => {
  const analysis = await loaded(FOUR);
  equal(analysis.face(0, analysis.frameAt(9)), null);
});

// one frame on or back

test("a step leads to the next or previous frame, over the border of a chunk, too", async () => {
  const analysis = await loaded(FOUR);
  equal(await Promise.all([0, 1, 2].map((t) => analysis.step(t, 1))), [1, 2, 3]);
  equal(await Promise.all([1, 2, 3].map((t) => analysis.step(t, -1))), [0, 1, 2]);
});

test("a step from within a frame counts from that frame", async () => {
  const analysis = await loaded(FOUR);
  equal([await analysis.step(1.7, 1), await analysis.step(1.7, -1)], [2, 0]);
});

test("a step from a time rounded to milliseconds leaves out no frame", async () => {
  const analysis = await steady(30, 100);
  close([await analysis.step(2.333, 1), await analysis.step(2.333, -1)], [71 / 30, 69 / 30], 1e-9);
});

test("no step leads over either end", async () => {
  const analysis = await loaded(FOUR);
  equal([await analysis.step(0, -1), await analysis.step(3, 1), await analysis.step(3.9, 1)], [0, 3, 3]);
});

test("a step waits for a chunk that is on its way", async () => {
  serve({ "/api/frames/a/0": FOUR[0], "/api/frames/a/1": FOUR[1] });
  equal(await open().step(1, 1), 2);
});

test("a step gives up where no chunk comes", async () => {
  serve({});
  globalThis.setTimeout = (act) => queueMicrotask(act);
  equal(await open().step(0, 1), null);
});

// what is drawn per column of pixels

test("a frame as wide as a pixel is that column", async () => {
  const columns = (await loaded(FOUR)).columns(0, 0, 4, 4);
  equal(columns.seen, [1, 1, 0, 1]);
  close(columns.mean, [1, 0, 0, 1, 0, 0, 0.2, 0.8]);
  close([columns.low[6], columns.high[6], columns.raw[6]], [0.2, 0.2, 0.2]);
  equal([0, 1, 2, 3].map((x) => columns.top(x)), [0, 1, -1, 1]);
  equal([columns.reasons, columns.doubtful], [[0, 5, 0, 0], [0, 1, 0, 0]]);
});

test("where models disagree and their groups do not it is settled", async () => {
  const columns = (await loaded(FOUR)).columns(0, 0, 4, 4);
  equal([columns.differs, columns.settled], [[0, 1, 0, 1], [0, 0, 0, 1]]);
});

test("frames that share a pixel are averaged, their extremes kept", async () => {
  const columns = (await loaded(FOUR)).columns(0, 0, 4, 2);
  close(columns.mean, [0.5, 0.5, 0.2, 0.8]);
  close([columns.low[0], columns.high[0]], [0, 1]);
  equal([columns.seen, columns.doubtful, columns.reasons], [[1, 0.5], [0.5, 0], [5, 0]]);
});

test("a longer frame weighs more", async () => {
  const rows = [{ at: 0, p: 1 }, { at: 1, p: 0 }];
  const analysis = await loaded([chunkOf(0, [0, 0.25], [0.25, 1], { 0: rows })], { chunks: packed([0], Float64Array) });
  close(analysis.columns(0, 0, 1, 1).mean, [0.25, 0.75], 1e-5);
});

test("a frame that is wider than a pixel fills all of its columns", async () => {
  const columns = (await loaded(FOUR)).columns(0, 0, 2, 8);
  equal(columns.seen, Array(8).fill(1));
  equal(Array.from({ length: 8 }, (_, x) => columns.top(x)), [0, 0, 0, 0, 1, 1, 1, 1]);
});

test("only what lies in the part that is shown is drawn", async () => {
  const columns = (await loaded(FOUR)).columns(0, 1, 3, 2);
  equal(columns.seen, [1, 0]);
  equal(columns.top(0), 1);
});

test("a person who is absent in a chunk, or everywhere, has empty columns there", async () => {
  const analysis = await loaded(FOUR);
  equal(analysis.columns(1, 0, 4, 4).seen, [1, 0, 0, 0]);
  equal(analysis.columns(7, 0, 4, 4).seen, [0, 0, 0, 0]);
});

test("no pixels are no columns", async () => {
  const columns = (await loaded(FOUR)).columns(0, 0, 4, 0);
  equal([columns.seen, columns.mean], [[], []]);
});

test("the measured curve is another one where the shown one is smoothed", async () => {
  const chunk = chunkOf(0, [0], [1], { 0: [{ at: 0, p: 1 }] });
  chunk.people[0].raw = packed([0, 65535], Uint16Array);
  const columns = (await loaded([chunk], { chunks: packed([0], Float64Array) })).columns(0, 0, 1, 1);
  equal([columns.mean, columns.raw], [[1, 0], [0, 1]]);
  equal([columns.top(0), columns.top(0, columns.raw)], [0, 1]);
});

test("a part of a pixel counts by its width", () => {
  const columns = new Columns(2, 1);
  const values = Object.fromEntries(["mean", "low", "high", "raw"].map((name) => [name, [1, 0]]));
  columns.add(0.25, 0.5, 1, values, 0, 1, 0, 0, 0, 0);
  columns.add(0.5, 1.25, 1, values, 1, 1, 0, 0, 0, 0);
  columns.finish();
  close(columns.seen, [0.75, 0.25]);
  close(columns.mean, [0.25 / 0.75, 0]);
});

/** Buckets as a route sends them: `seen` and the first emotion's mean as shares of 255. */
const buckets = (seen, mean) => {
  const means = packed(mean.flatMap((value) => [value, 255 - value]));
  const none = packed(seen.map(() => 0));
  return {
    n: seen.length, seen: packed(seen), mean: means, low: means, high: means, doubtful: none,
    lines: packed(mean), differs: packed(seen.flatMap(() => [255, 0])), reasons: packed(seen.map(() => 2), Uint16Array),
  };
};

test("until finer data is here the overview stands in", () => {
  const asked = serve({});
  const columns = open({ overview: { 0: buckets([255, 51], [255, 51]) } }).columns(0, 0, 4, 4); // 2 s wide
  close(columns.seen, [1, 1, 0.2, 0.2]);
  close(columns.mean, [1, 0, 1, 0, 0.2, 0.8, 0.2, 0.8]);
  close([columns.differs, columns.settled], [[1, 1, 1, 1], [1, 1, 1, 1]]);
  close(columns.lines, [1, 1, 0.2, 0.2]);
  equal(columns.reasons, [2, 2, 2, 2]);
  equal(asked, ["/api/frames/a/0", "/api/frames/a/1", "/api/tiles/a/0/0", "/api/tiles/a/0/1"]);
});

test("tiles are drawn once they are all here, a person absent in one of them with a gap", async () => {
  serve({
    "/api/tiles/a/0/0": { 0: buckets([255, 0], [255, 0]), 1: buckets([0, 255], [0, 51]) },
    "/api/tiles/a/0/1": { 0: buckets([255, 255], [51, 204]) },
  });
  const analysis = open();
  analysis.columns(0, 0, 4, 4);
  await pause(20);
  close(analysis.columns(0, 0, 4, 4).seen, [1, 0, 1, 1]);
  close(analysis.columns(0, 0, 4, 4).mean, [1, 0, 0, 0, 0.2, 0.8, 0.8, 0.2]);
  close(analysis.columns(1, 0, 4, 4).seen, [0, 1, 0, 0]);
});

test("no tile is asked for that is finer than a pixel", () => {
  const asked = serve({});
  open({ overview: { 0: buckets([255, 255], [0, 0]) } }).columns(0, 0, 4, 2); // a pixel is 2 s, as a bucket of the top
  equal(asked.filter((path) => path.includes("tiles")), []);
});

// what is kept in memory

test("there is no chunk before the first or after the last", () => {
  const asked = serve({});
  const analysis = open();
  equal([analysis.chunk(-1), analysis.chunk(2), analysis.tile(1, 1)], [null, null, null]);
  equal(asked, []);
});

test("what is on its way is not asked for again", () => {
  const asked = serve({});
  const analysis = open();
  analysis.chunk(0);
  analysis.chunk(0);
  equal(asked, ["/api/frames/a/0"]);
});

test("of many tiles the ones used last are kept", async () => {
  const n = KEPT + 4;
  serve(Object.fromEntries(Array.from({ length: n }, (_, index) => [`/api/tiles/a/0/${index}`, {}])));
  const analysis = open();
  for (let index = 0; index < KEPT; index++) analysis.tile(0, index);
  await pause(50);
  analysis.tile(0, 0);
  for (let index = KEPT; index < n; index++) analysis.tile(0, index);
  const isKept = (index) => analysis.kept.has(`/api/tiles/a/0/${index}?model=m`);
  equal([analysis.kept.size, isKept(0), isKept(1), isKept(4), isKept(5)], [KEPT, true, false, false, true]);
});

test("an edit made elsewhere is told", async () => {
  globalThis.fetch = () => Promise.resolve(new Response('{"error": "It was edited."}', { status: 409 }));
  let told = 0;
  const analysis = new Analysis(OVERVIEW, "", nothing, () => (told += 1));
  analysis.chunk(0);
  await pause(20);
  equal(told, 1);
});

test("what a route says is wrong becomes an error with its words", async () => {
  globalThis.fetch = () => Promise.resolve(new Response('{"error": "There is no person 9 here."}', { status: 400 }));
  const error = await ask("/api/timeline/a").catch((each) => each);
  equal([error.message, error.status], ["There is no person 9 here.", 400]);
});

test("an answer that is no JSON, and no answer, are errors, too", async () => {
  globalThis.fetch = () => Promise.resolve(new Response("Bad gateway", { status: 502 }));
  equal((await ask("/").catch((each) => each)).message, "The server answered with an error (502).");
  globalThis.fetch = () => Promise.reject(new TypeError("Failed to fetch"));
  equal((await ask("/").catch((each) => each)).message, "The server does not answer. Is it still running?");
});
