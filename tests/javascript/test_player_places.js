// Where things lie in the player: faces under the pointer, rows of the chart, flags; and the address of a moment.

const FACES = [
  { track: 0, box: [10, 10, 30, 30] },
  { track: 1, box: [20, 20, 50, 60] },
];
const ALL_ROWS = { smoothed: true, models: ["a", "b"], lines: [{ title: "Valence" }] };
const mark = (start_s, end_s = null, label = "") => ({ start_s, end_s, label });
const hung = (marks, part = [0, 100], width = 1000) => placedFlags(marks, part, width);

// faces

test("the face whose box holds a place is found, its border included", () => {
  equal([[10, 10], [20, 15], [50, 60]].map((place) => faceAt(FACES, place, null).track), [0, 0, 1]);
});

test("where no face is none is found", () => {
  equal([faceAt(FACES, [9.9, 15], null), faceAt(FACES, [15, 31], null), faceAt([], [15, 15], null)], [
    undefined, undefined, undefined,
  ]); // prettier-ignore
});

test("where two faces overlap the one that is not chosen yet is found", () => {
  equal([null, 0, 1].map((chosen) => faceAt(FACES, [25, 25], chosen).track), [0, 1, 0]);
});

test("the chosen person's own face is not found again", () => {
  equal(faceAt(FACES, [12, 12], 0), undefined);
});

// rows of the chart

test("a chart has a row for what is measured and for models only where there is something to tell", () => {
  const [least, most] = [rowsOf({ smoothed: false, models: ["a"], lines: [] }, 500), rowsOf(ALL_ROWS, 500)];
  equal(Object.keys(least.boxes), ["chart", "ribbon"]);
  equal(Object.keys(most.boxes), ["chart", "raw", "ribbon", "Valence", "differs"]);
});

test("rows lie below each other with a gap, and the ruler right below the last one", () => {
  const { boxes, rulerTop } = rowsOf(ALL_ROWS, 500);
  const rows = Object.values(boxes);
  equal(rows[0], { x: 0, y: 0, width: 500, height: CHART.most });
  rows.slice(1).forEach(({ y }, i) => equal(y, rows[i].y + rows[i].height + ROW.gap));
  equal(rulerTop, rows.at(-1).y + rows.at(-1).height);
});

test("a low window has a lower chart, within limits", () => {
  const heights = [2000, 900, 720, 300].map((height) => rowsOf(ALL_ROWS, 500, height).boxes.chart.height);
  equal(heights, [150, 144, 115, 100]);
});

// flags

test("a moment's flag begins where it is", () => {
  equal(hung([mark(25, null, "smile")]), [
    { mark: mark(25, null, "smile"), left: 250, width: 59, row: 0, isHung: false },
  ]);
});

test("a span's flag is as wide as the span, and never too narrow to see", () => {
  equal(hung([mark(10, 30), mark(40, 40.1)]).map(({ left, width }) => [left, width]), [[100, 200], [400, 6]]);
});

test("a label takes no more than so much room", () => {
  equal(hung([mark(0, null, "a".repeat(200))])[0].width, 190);
});

test("near the right edge a flag hangs to the left of its moment", () => {
  const [{ left, isHung }] = hung([mark(99, null, "smile")]);
  equal([left, isHung], [990 - 59, true]);
});

test("where flags would cover each other they take another row", () => {
  equal(hung([mark(10), mark(11), mark(12), mark(13)]).map(({ row }) => row), [0, 1, 2, 0]);
});

test("more than four rows there are not", () => {
  const marks = Array.from({ length: 7 }, (_, i) => mark(10 + i / 10));
  equal(hung(marks).map(({ row }) => row), [0, 1, 2, 3, 3, 3, 3]);
});

test("only marks in view have a flag, and a span is cut to what is in view", () => {
  const marks = [mark(5), mark(5, 15), mark(15), mark(18, 25), mark(21)];
  const flags = hung(marks, [10, 20]);
  equal(flags.map(({ mark: { start_s } }) => start_s), [5, 15, 18]);
  equal(flags.map(({ left, width }) => [left, width]), [[0, 500], [500, 24], [800, 200]]);
});

// links

const PLACE = { origin: "http://localhost:8501", pathname: "/review" };

test("a link names the analysis, the time to the microsecond and the person, counted from 1", () => {
  const link = linkOf({ id: "clip 1", time: 2.3333333, track: 0 }, PLACE);
  equal(link, "http://localhost:8501/review?analysis=clip+1&t=2.333333&person=1");
});

test("where nobody is there a link names no person", () => {
  equal(linkOf({ id: "a", time: 0, track: null }, PLACE), "http://localhost:8501/review?analysis=a&t=0.000000");
});
