// What is picked on the map: what a lasso makes of a selection, and what Python hears and says of it.

const mask = (...bits) => Uint8Array.from(bits);
const sent = (fields = {}) => ({ taken: 0, selected: null, chosen: null, n: 4, ...fields });

/** Picks, and the list of what they told. */
function picking() {
  const told = [];
  return [new Picks((waiting) => told.push(waiting)), told];
}

// a lasso

test("a new lasso selects what it caught, whatever was selected", () => {
  equal([lassoed(null, [1, 3], "new", 4), lassoed(mask(1, 1, 0, 0), [1, 3], "new", 4)], [[0, 1, 0, 1], [0, 1, 0, 1]]);
});

test("a lasso can add to a selection and remove from it", () => {
  equal(lassoed(mask(1, 1, 0, 0), [1, 3], "add", 4), [1, 1, 0, 1]);
  equal(lassoed(mask(1, 1, 0, 0), [1, 3], "remove", 4), [1, 0, 0, 0]);
});

test("without a selection a lasso adds to none and removes from none", () => {
  equal([lassoed(null, [2], "add", 4), lassoed(null, [2], "remove", 4)], [[0, 0, 1, 0], null]);
});

test("a lasso that leaves nothing selected ends the selection", () => {
  equal([lassoed(mask(1, 1, 0, 0), [], "new", 4), lassoed(mask(0, 1, 0, 0), [1], "remove", 4)], [null, null]);
});

test("the selection before a lasso stays as it was", () => {
  const before = mask(1, 0, 0, 0);
  lassoed(before, [1], "add", 4);
  equal(before, [1, 0, 0, 0]);
});

// to and from Python

test("selected points are counted", () => {
  const [picks] = picking();
  equal(picks.count, 0);
  picks.selected = mask(1, 0, 1, 1);
  equal(picks.count, 3);
});

test("every pick is told with those before it that were not taken yet, its number growing", () => {
  Date.now = () => 1000;
  const [picks, told] = picking();
  picks.pick("lasso", "AA==");
  picks.pick("point", 3);
  equal(told, [{ lasso: [1000, "AA=="] }, { lasso: [1000, "AA=="], point: [1001, 3] }]);
});

test("what Python has taken is not told again", () => {
  Date.now = () => 1000;
  const [picks, told] = picking();
  picks.pick("lasso", "AA==");
  picks.pick("point", 3);
  picks.take(sent({ taken: 1000 }));
  picks.pick("path_point", 5);
  equal(told.at(-1), { point: [1001, 3], path_point: [1002, 5] });
});

test("Python's selection and chosen point are taken", () => {
  const [picks] = picking();
  picks.take(sent({ selected: packMask(mask(0, 1, 1, 0)), chosen: 2 }));
  equal([picks.selected, picks.chosen], [[0, 1, 1, 0], 2]);
  picks.take(sent());
  equal([picks.selected, picks.chosen], [null, null]);
});

test("until Python has heard of a lasso its old selection does not undo it", () => {
  const [picks] = picking();
  picks.take(sent());
  picks.selected = mask(1, 0, 0, 0);
  picks.pick("lasso", packMask(picks.selected));
  picks.take(sent());
  equal(picks.selected, [1, 0, 0, 0]);
  picks.take(sent({ taken: picks.number })); // heard, and nothing is selected all the same
  equal(picks.selected, null);
});

test("another selection of Python's is taken at once", () => {
  const [picks] = picking();
  picks.take(sent());
  picks.selected = mask(1, 0, 0, 0);
  picks.pick("lasso", packMask(picks.selected));
  picks.take(sent({ selected: packMask(mask(0, 0, 0, 1)) }));
  equal(picks.selected, [0, 0, 0, 1]);
});

test("on other points Python's selection is taken anew", () => {
  const [picks] = picking();
  const selected = packMask(mask(0, 1, 0, 0));
  picks.take(sent({ selected }));
  picks.forget();
  equal(picks.selected, null);
  picks.take(sent({ selected }));
  equal(picks.selected, [0, 1, 0, 0]);
});
