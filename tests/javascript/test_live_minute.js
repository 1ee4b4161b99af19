// The last minute of each person, and what a card is told.

const COLOURED = ["angry", "happy", "contempt"].map((name, i) => ({
  name, colour: `#00000${i}`, group: name === "happy" ? "positive" : "negative",
})); // prettier-ignore
const SIDES = ["negative", "positive"].map((name) => ({ name, colour: "#123456" }));
const VOCABULARY = { emotions: COLOURED, groups: SIDES };
const seen = (track, angry = 0.25) => ({ track, p: { angry, happy: 1 - angry }, valence: 1 - 2 * angry });

test("a column shows what was said last before it, for a second and a half", () => {
  const minute = new Minute();
  minute.take([seen(0)], 30000);
  minute.take([seen(0, 0.75)], 31000);
  const found = minute.columns(0, 60000, 60).map((said) => said && said.p.angry);
  equal(found.slice(28, 34), [null, 0.25, 0.75, 0.75, null, null]);
  equal(found.filter((each) => each !== null).length, 3);
});

test("columns that show the same answer are drawn at once, and what was not said is no run", () => {
  const [first, second] = [seen(0), seen(0)];
  const found = alike([null, first, first, second, null, second]);
  equal(found.map(({ said, from, to }) => [said === first, from, to]), [[true, 1, 3], [false, 3, 4], [false, 5, 6]]);
  equal(alike([null, null]), []);
});

test("what is older than a minute is forgotten, and who was not seen since", () => {
  const minute = new Minute();
  minute.take([seen(0), seen(1)], 0);
  minute.take([seen(1)], 50000);
  minute.take([], 70000);
  equal([minute.tracks(), minute.people.get(1).length], [[1], 1]);
});

test("of many people those who were seen last have a lane, in the order of their numbers", () => {
  const minute = new Minute();
  for (const track of [7, 0, 3, 5, 1, 2, 6]) minute.take([seen(track)], 100 * (track + 1));
  equal(minute.tracks(), [1, 2, 3, 5, 6, 7]);
});

test("a person without answers has an empty minute", () => {
  equal(new Minute().columns(4, 1000, 3), [null, null, null]);
});

test("only emotions that the model answers count, in their usual order", () => {
  const { p, top, text, of } = read({ p: { happy: 0.75, angry: 0.25 } }, VOCABULARY);
  equal([p, top.name, text, of.emotions.length], [[0.25, 0.75], "happy", "happy 75\u00a0%", 2]);
});

test("valence has a sign and two digits", () => {
  equal([0.5, 0, -0.256].map(signed), ["+0.50", "0.00", "\u22120.26"]);
});

test("cards are made anew only where others are seen, and tell all that is said", () => {
  const place = document.createElement("div");
  const cards = new Cards(place);
  const words = { ...VOCABULARY, reasons: { dark: { title: "dark", text: "The face is very dark." } } };
  cards.show([{ ...seen(2), reasons: ["dark"] }, { ...seen(0), reasons: [] }], words);
  const [first, second] = place.children;
  equal([...place.querySelectorAll("header b")].map((each) => each.textContent), ["Person 1", "Person 3"]);
  equal(second.querySelector(".doubts li").title, "The face is very dark.");
  cards.show([{ ...seen(0, 0.75), reasons: [] }, { ...seen(2), reasons: [] }], words);
  equal([place.children[0] === first, second.querySelector(".doubts").children.length], [true, 0]);
  equal(first.querySelector(".top-emotion").textContent, "angry 75\u00a0%");
  equal(first.querySelector(".group-words").textContent, "negative 75\u00a0% · positive 25\u00a0%");
  equal(first.querySelector(".valence").textContent, "valence \u22120.50");
  cards.show([], words);
  equal(place.textContent, "No face here.");
});
