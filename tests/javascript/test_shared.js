// Values as they travel. The base64 texts were written by hand from the octets, little endian.

test("octets are unpacked", () => {
  equal(unpack("AQID", "u1"), [1, 2, 3]);
});

test("integers of two and four octets are unpacked low octet first", () => {
  equal(unpack("AAH//w==", "u2"), [256, 65535]);
  equal(unpack("AQAAAA==", "u4"), [1]);
});

test("floats of four and eight octets are unpacked", () => {
  equal(unpack("AACAPw==", "f4"), [1]);
  equal(unpack("AAAAAAAA8D8=", "f8"), [1]);
});

test("nothing is unpacked to an empty array of its kind", () => {
  for (const kind of ["u1", "u2", "u4", "f4", "f8"]) equal(unpack("", kind), []);
  equal(unpack("", "f8") instanceof Float64Array, true);
});

test("a value is kept between two ends", () => {
  equal([-1, 0, 0.5, 1, 2].map((value) => clamp(value, 0, 1)), [0, 0, 0.5, 1, 1]);
});

test("where the ends have no room between them the upper one counts", () => {
  equal(clamp(5, 3, 1), 1);
});

test("an id has two hexadecimal digits per octet, and is another one each time", () => {
  equal(/^[0-9a-f]{12}$/.test(newId(6)), true);
  equal(new Set(Array.from({ length: 100 }, () => newId(16))).size, 100);
});

test("an element has its class and its text, which is no markup", () => {
  const made = element("b", "name", "<i>Ann</i>");
  equal([made.tagName, made.className, made.textContent, made.children.length], ["B", "name", "<i>Ann</i>", 0]);
});

test("each key has a row with what it does", () => {
  const rows = keyRows([["M", "mark"], ["Esc", "clear"]]);
  equal(rows.map(({ outerHTML }) => outerHTML.replaceAll(' class=""', "")), [
    "<div><dt>M</dt><dd>mark</dd></div>",
    "<div><dt>Esc</dt><dd>clear</dd></div>",
  ]);
  equal(keyRows([]), []);
});
