// Colours of the matrix and the place of its tooltip.

test("a name stands behind a dot of its colour", () => {
  const made = named("<fear>", "rgb(1, 2, 3)");
  equal([made.textContent, made.firstChild.style.background], ["<fear>", "rgb(1, 2, 3)"]);
});

test("any colour that CSS knows is read as red, green and blue", () => {
  equal([rgb("#0a10ff"), rgb("white")], [[10, 16, 255], [255, 255, 255]]);
  equal([rgb("rgb(1 2 3)"), rgb("hsl(120 100% 50%)")], [[1, 2, 3], [0, 255, 0]]);
});

test("black on white has the contrast 21, a colour on itself 1", () => {
  const [black, white, grey] = [[0, 0, 0], [255, 255, 255], [119, 119, 119]];
  close([contrast(black, white), contrast(white, black), contrast(grey, grey)], [21, 21, 1]);
});

test("contrast is that of WCAG", () => {
  const white = [255, 255, 255];
  close(contrast([0x77, 0x77, 0x77], white), 4.48, 5e-3);
  close(contrast([0x76, 0x76, 0x76], white), 4.54, 5e-3);
  close(contrast([255, 0, 0], white), 4, 5e-3);
});

test("luminance weighs red, green and blue as the eye does", () => {
  close([luminance([255, 0, 0]), luminance([0, 255, 0]), luminance([0, 0, 255])], [0.2126, 0.7152, 0.0722]);
});

// the tooltip, 60 × 20 px, in a component that is 400 px wide and 100 px from the left and 200 px from the top

const OUTER = { left: 100, top: 200, width: 400 };
const place = (left, top) => placeOfTip(OUTER, { left, top, width: 40, bottom: top + 30 }, 60, 20);

test("a tooltip stands in the middle above what it is about", () => {
  equal(place(300, 300), { left: 190, top: 73 }); // 10 to the left of 200; 7 and its height above 100
});

test("a tooltip that has no room above stands below", () => {
  equal(place(300, 90).top, -73); // 90 + 30 + 7 - 200
  equal(place(300, 91).top, -136); // 91 - 20 - 7 - 200
});

test("a tooltip stays within the width of its component", () => {
  equal([place(100, 300).left, place(490, 300).left], [0, 340]);
});

test("a tooltip that is wider than its component begins at its left", () => {
  equal(placeOfTip(OUTER, { left: 300, top: 300, width: 40, bottom: 330 }, 500, 20).left, 0);
});
