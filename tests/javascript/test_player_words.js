// What the player says of scores.

const OF = {
  emotions: [
    { name: "angry", group: "negative" }, { name: "sad", group: "negative" }, { name: "happy", group: "positive" },
  ],
  groups: [{ name: "negative", colour: "red" }, { name: "positive", colour: "green" }],
  codes: [{ name: "small" }, { name: "blurred" }, { name: "turned" }],
  lines: [],
}; // prettier-ignore
const plainly = (words) => [words].flat().map((each) => each.replaceAll("\u00a0", " "));

/** Columns of one pixel in which one row of probabilities was measured, and then others. */
function column(rows, doubt = [0, 0, 0, 0]) {
  const columns = new Columns(1, 3);
  for (const p of rows) columns.add(0, 1, 1, { mean: p, low: p, high: p, raw: p }, 0, 1, ...doubt);
  return columns.finish();
}

test("the emotion with the highest probability is named with it", () => {
  equal(plainly(topText(OF, [0.2, 0.3, 0.5])), ["happy 50 %"]);
});

test("of two as high the first is named", () => {
  equal(plainly(topText(OF, [0.4, 0.4, 0.2])), ["angry 40 %"]);
});

test("a group's sum is that of its emotions, with its colour", () => {
  const sums = groupSums(OF, [0.25, 0.25, 0.5]);
  equal(sums, [{ name: "negative", colour: "red", sum: 0.5 }, { name: "positive", colour: "green", sum: 0.5 }]);
});

test("a group can be above the others though the top emotion is in another one", () => {
  equal(plainly(groupText(OF, [0.3, 0.3, 0.4])), ["negative 60 %"]);
});

test("a line's value has a sign where it may be negative, and its unit", () => {
  const valence = { title: "Valence", unit: "", least: -1, most: 1 };
  const lines = [valence, { title: "Pulse", unit: "1/min", least: 0, most: 9 }];
  equal([lineWords(lines, [0.5, 7]), lineWords(lines, [-0.25, 0])], [
    "Valence +0.50 · Pulse 7.00 1/min", "Valence \u22120.25 · Pulse 0.00 1/min",
  ]);
  equal(lineWords([], []), "");
});

test("a column says the value of every line", () => {
  const columns = new Columns(1, 3, 1);
  const p = [0, 0, 1];
  columns.add(0, 1, 1, { mean: p, low: p, high: p, raw: p, lines: [0.75] }, 0, 1, 0, 0, 0, 0);
  const of = { ...OF, lines: [{ title: "Valence", unit: "", least: -1, most: 1 }] };
  equal(columnWords(of, columns.finish(), 0).at(-1), "Valence +0.50");
});

test("reasons to doubt are bits, the first the lowest", () => {
  equal([0, 1, 6].map((bits) => codesOf(OF, bits).map(({ name }) => name)), [[], ["small"], ["blurred", "turned"]]);
});

test("where nobody is chosen, or the chosen one is not there, a column says so", () => {
  equal([columnWords(OF, null, 0), columnWords(OF, new Columns(1, 3).finish(), 0)], [["not seen"], ["not seen"]]);
});

test("a column says its top emotion and its group", () => {
  equal(plainly(columnWords(OF, column([[0.1, 0.2, 0.7]]), 0)), ["happy 70 %, positive 70 %"]);
});

test("a column of unlike frames says how far they go apart", () => {
  const columns = column([[0.1, 0.2, 0.7], [0.1, 0, 0.9]]);
  equal(plainly(columnWords(OF, columns, 0)), ["happy 80 % (70 % to 90 %), positive 80 %"]);
});

test("a column says why it is doubtful", () => {
  const columns = column([[0, 0, 1]], [1, 0, 0, 5]);
  equal(plainly(columnWords(OF, columns, 0)), ["happy 100 %, positive 100 %", "doubtful: small, turned"]);
});

test("a column says whether models disagree, and whether about the group", () => {
  const [apart, settled] = [[0, 1, 1, 0], [0, 1, 0, 0]].map((doubt) => column([[0, 0, 1]], doubt));
  equal(columnWords(OF, apart, 0).at(-1), "models disagree");
  equal(columnWords(OF, settled, 0).at(-1), "models disagree, not about the group");
});
