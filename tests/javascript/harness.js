// Tests by name, and what they expect. Typed arrays count as arrays.

const tests = new Map();
const test = (name, run) => tests.set(name, run);

const plain = (value) => (ArrayBuffer.isView(value) ? Array.from(value) : value);
const isOdd = (value) => value === undefined || (typeof value === "number" && !Number.isFinite(value));
const shown = (value) => JSON.stringify(value, (_, each) => (isOdd(each) ? String(each) : plain(each)));

function equal(found, expected, what = "") {
  if (shown(found) !== shown(expected)) throw new Error(`${what} expected ${shown(expected)}, found ${shown(found)}`);
}

/** Numbers or arrays of them that differ by `most`. */
function close(found, expected, most = 1e-6) {
  const [a, b] = [found, expected].map((value) => [plain(value)].flat().flatMap((each) => plain(each)));
  const isClose = a.length === b.length && a.every((value, i) => Math.abs(value - b[i]) <= most);
  if (!isClose) throw new Error(`expected about ${shown(expected)}, found ${shown(found)}`);
}

/** Base64 of an array as Python sends it. */
const packed = (values, Kind = Uint8Array) =>
  btoa(String.fromCharCode(...new Uint8Array(Kind.from(values).buffer)));

const pause = (ms = 0) => new Promise((done) => setTimeout(done, ms));
