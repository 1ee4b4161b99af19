// How fast answers come, and that frames are sent one at a time, the newest next.

/** Answers every `gap` ms, `delay` ms behind, from the time `from` on. */
function fed(pace, { gap, delay, n, from = 0 }) {
  for (let i = 0; i < n; i++) pace.take(from + gap * i - delay, from + gap * i);
  return from + gap * (n - 1);
}

/** A server that answers when it is told to, and a sender of a video that is always there. */
function served() {
  const server = { urls: [], waiting: [], heard: [], said: [] };
  globalThis.fetch = (url) => {
    server.urls.push(url);
    return new Promise((done, fail) => server.waiting.push({ done, fail }));
  };
  HTMLCanvasElement.prototype.toBlob = (done) => done(new Blob(["frame"]));
  CanvasRenderingContext2D.prototype.drawImage = () => {};
  server.sender = new Sender({
    choice: () => ({ checkpoint: "net", detector: "mtcnn" }),
    pace: new Pace(),
    hear: (answer) => server.heard.push(answer.time_ms),
    say: (text) => server.said.push(text),
  });
  server.offer = (time) => server.sender.offer({ videoWidth: 1280, videoHeight: 720 }, time);
  server.answer = async (value, status = 200) => {
    server.waiting.shift().done(new Response(JSON.stringify(value), { status }));
    await pause(60);
  };
  server.times = () => server.urls.map((url) => Number(new URLSearchParams(url.split("?")[1]).get("time_ms")));
  return server;
}

test("the middle of values is that of odd, even and no values", () => {
  equal([median([3, 1, 2]), median([4, 1, 2, 3]), median([])], [2, 2.5, 0]);
});

test("answers per second and the median delay are those of the last three seconds", () => {
  const pace = new Pace();
  const now = fed(pace, { gap: 100, delay: 80, n: 60 });
  close(pace.perSecond(now), 10, 0.4);
  equal(pace.delay(), 80);
  close(pace.perSecond(now + 2000), 10 / 3, 0.4);
  equal(pace.perSecond(now + 4000), 0);
});

test("frames become smaller where answers are late, and larger again", () => {
  const pace = new Pace();
  let now = fed(pace, { gap: 400, delay: 390, n: 12 });
  equal(pace.width, 480);
  now = fed(pace, { gap: 400, delay: 200, n: 20, from: now + 400 });
  equal(pace.width, 480);
  fed(pace, { gap: 50, delay: 60, n: 160, from: now + 50 });
  equal(pace.width, 640);
});

test("a slow machine is called so only after a while, and a pause does not count", () => {
  const pace = new Pace();
  equal(pace.isSlow(fed(pace, { gap: 500, delay: 400, n: 10 })), false);
  const now = fed(pace, { gap: 500, delay: 400, n: 10, from: 5000 });
  equal(pace.isSlow(now), true);
  pace.pause();
  equal(pace.isSlow(now + 60000), false);
});

test("a sent frame keeps its shape and is never enlarged", () => {
  equal([sentSize(1280, 720, 640), sentSize(320, 240, 640), sentSize(640, 1, 480)], [[640, 360], [320, 240], [480, 1]]);
});

test("one frame is under way at a time, and the newest goes next", async () => {
  const server = served();
  for (const time of [10, 43, 76]) server.offer(time);
  await pause();
  equal(server.times(), [10]);
  await server.answer({ time_ms: 10, faces: [], state: "ok" });
  equal(server.heard, [10]);
  server.offer(110);
  await pause();
  equal(server.times(), [10, 110]);
});

test("a frame that waited goes out with the answer, where enough time has passed", async () => {
  const server = served();
  server.offer(10);
  await pause(50);
  server.offer(76);
  await server.answer({ time_ms: 10, faces: [], state: "ok" });
  equal(server.times(), [10, 76]);
});

test("a frame says when it was taken and what is asked", async () => {
  const server = served();
  server.offer(12.34);
  await pause();
  const [path, query] = server.urls[0].split("?");
  equal(/^\/api\/live\/[a-z0-9]{8,32}$/.test(path), true);
  equal(query, "time_ms=12.3&checkpoint=net&detector=mtcnn");
});

test("while models are loaded and after a refusal it waits and says why; another choice is asked at once", async () => {
  const server = served();
  server.offer(10);
  await pause();
  await server.answer({ time_ms: 10, state: "starting" });
  server.offer(43);
  await pause();
  equal([server.times(), server.said], [[10], ["The models are being loaded …"]]);
  server.sender.hurry();
  server.offer(76);
  await pause();
  await server.answer({ error: "Unknown detector." }, 422);
  server.offer(110);
  await pause();
  equal([server.times(), server.said.at(-1), server.heard], [[10, 76], "Unknown detector.", []]);
});

test("a lost workbench is told, and nobody hears of it any more once the sender is closed", async () => {
  const server = served();
  server.offer(10);
  await pause();
  server.waiting.shift().fail(new TypeError("Failed to fetch"));
  await pause();
  equal(server.said, [LOST]);
  server.sender.hurry();
  server.offer(43);
  await pause();
  const ends = [];
  navigator.sendBeacon = (url) => ends.push(url);
  server.sender.close();
  server.sender.close();
  equal(ends, [`/api/live/${server.sender.session}/end`]);
  await server.answer({ time_ms: 43, faces: [], state: "ok" });
  server.offer(76);
  await pause();
  equal([server.times(), server.heard], [[10, 43], []]);
});

test("nothing is sent while the tab is in the background", async () => {
  const server = served();
  Object.defineProperty(document, "hidden", { configurable: true, get: () => true });
  server.offer(10);
  await pause();
  delete document.hidden;
  equal(server.urls, []);
  server.offer(43);
  await pause();
  equal(server.times(), [43]);
});
