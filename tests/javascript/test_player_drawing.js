// Words of the player, and runs of columns.

const space = "\u00a0";

test("a time is written in minutes, seconds and milliseconds", () => {
  equal([0, 7.26, 61.5, 600].map((time) => clock(time)), ["0:00.000", "0:07.260", "1:01.500", "10:00.000"]);
});

test("hours are written where there are any", () => {
  equal(clock(3723.004), "1:02:03.004");
  equal(clock(3599.9994), "59:59.999");
  equal(clock(36000, 0), "10:00:00");
});

test("a time is rounded to milliseconds with the carry", () => {
  equal(clock(59.9996), "1:00.000");
  equal(clock(3599.9996), "1:00:00.000");
});

test("fewer digits cut a time off, so that no second is named before it has begun", () => {
  equal([1, 2, 0].map((digits) => clock(7.999, digits)), ["0:07.9", "0:07.99", "0:07"]);
});

test("there is no time before 0", () => {
  equal(clock(-0.5), "0:00.000");
});

test("a share has a digit after the point below a tenth only", () => {
  equal([0.1, 0.5, 0.994, 1].map(percent), ["10", "50", "99", "100"].map((number) => `${number}${space}%`));
  equal([0.0005, 0.042, 0.0994].map(percent), ["0.1", "4.2", "9.9"].map((number) => `${number}${space}%`));
});

test("a share that is next to nothing is 0", () => {
  equal([0, 0.0004].map(percent), [`0${space}%`, `0${space}%`]);
});

test("runs of columns begin and end where something holds", () => {
  const holds = [false, true, true, false, true];
  equal(runs(5, (x) => holds[x]), [[1, 3], [4, 5]]);
});

test("what holds everywhere is one run, and what holds nowhere none", () => {
  equal(runs(3, () => true), [[0, 3]]);
  equal(runs(3, () => false), []);
  equal(runs(0, () => true), []);
});
