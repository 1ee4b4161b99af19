// What the map says about itself in lines of text. Nothing here knows its state.

const shareText = (part, all) => `${((100 * part) / all).toFixed(1)}\u00a0%`;

/** How many of n points are drawn, those with a place, and how many of these are inside the panel. */
function shownWords(n, placed, inside) {
  const leftOut = n > placed ? `${whole(n - placed)} have no place` : "none left out";
  const drawn = `${whole(placed)} of ${whole(n)} points, ${leftOut}`;
  return inside < placed ? `${drawn}; ${whole(inside)} in view` : drawn;
}

/** What is selected of n points (null: no selection), and which classes are switched on; "" if neither.
 * @param {{colouring: Colouring, highlighted: Set<number>}[]} panels */
function pickedWords(selected, n, panels) {
  const words = selected === null ? [] : [`${whole(selected)} selected (${shareText(selected, n)})`];
  for (const { colouring, highlighted } of panels) {
    const labels = [...highlighted].map((value) => colouring.labels[value]);
    if (labels.length) words.push(`${colouring.name}: only ${labels.join(", ")}`);
  }
  return words.join(" · ");
}
