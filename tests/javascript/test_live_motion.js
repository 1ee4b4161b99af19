// Boxes that go on with their faces: what was said about a frame is moved to the one that is shown.

const boxAt = (x, size = 100) => [x, 50, x + size, 50 + size];

/** A motion that measured boxes 80 ms apart; `x` gives where the left side is at a time. */
function followed(x, n = 25, size = 100) {
  const motion = new Motion();
  for (let i = 0; i < n; i++) motion.measure(boxAt(x(80 * i), size), 80 * i);
  return motion;
}

const answer = (time_ms, faces, width = 640) => ({ time_ms, width, height: 360, faces });

test("a face that stands still stays where it is, however late its answer is", () => {
  close(followed(() => 10).at(24 * 80 + 250), boxAt(10));
});

test("a face that moves evenly is drawn where it has got to", () => {
  const motion = followed((time) => 0.2 * time);
  close(motion.at(24 * 80), boxAt(0.2 * 24 * 80), 0.5);
  close(motion.at(24 * 80 + 150), boxAt(0.2 * (24 * 80 + 150)), 0.5);
});

test("a face that grows is drawn larger", () => {
  const motion = new Motion();
  for (let i = 0; i < 25; i++) motion.measure([0, 0, 100 + i, 100 + i], 80 * i);
  const [left, top, right, bottom] = motion.at(24 * 80 + 80);
  close([right - left, bottom - top], [125, 125], 0.5);
});

test("nothing is foretold for long", () => {
  const motion = followed((time) => 0.2 * time);
  close(motion.at(24 * 80 + 300), motion.at(24 * 80 + 3000));
});

test("where answers are seldom a face is still drawn where it has got to, and not only where it was", () => {
  const motion = new Motion();
  for (let i = 0; i < 8; i++) motion.measure(boxAt(30 * i), 1000 * i);
  close(motion.at(7900), boxAt(30 * 7.9), 3);
});

test("an earlier frame than the answer's own does not move it back", () => {
  const motion = followed((time) => 0.2 * time);
  close(motion.at(0), motion.at(24 * 80));
});

test("a box that trembles by two pixels is not thrown about", () => {
  const motion = followed((time) => (time % 160 ? 2 : 0), 40);
  close(motion.at(39 * 80 + 120), boxAt(1), 2);
});

test("a face that is suddenly elsewhere, or was long away, begins anew and at rest", () => {
  for (const [x, later] of [[300, 80], [20, 3000]]) {
    const motion = followed((time) => 0.2 * time, 10);
    const time = 9 * 80 + later;
    motion.measure(boxAt(x), time);
    close(motion.at(time + 200), boxAt(x));
  }
});

test("an answer that comes out of order is left aside", () => {
  const motion = followed(() => 10);
  motion.measure(boxAt(40), 24 * 80);
  motion.measure(boxAt(40), 100);
  close(motion.at(24 * 80), boxAt(10));
});

test("faces are followed by their track, in shares of the picture, whatever the size of the sent frame", () => {
  const all = new Followed();
  all.take(answer(0, [{ track: 0, box: [64, 36, 128, 108] }, { track: 3, box: [320, 36, 384, 108] }]));
  all.take({ ...answer(80, [{ track: 0, box: [32, 18, 64, 54] }], 320), height: 180 });
  const [{ face, box }] = all.at(80);
  equal([all.at(80).length, face.track], [1, 0]);
  close(box, [0.1, 0.1, 0.2, 0.3]);
});

test("in the mirror left is right", () => {
  close(mirrored([0.1, 0.2, 0.3, 0.6]), [0.7, 0.2, 0.9, 0.6]);
});
