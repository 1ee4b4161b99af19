// What is said about scores. Nothing here knows the player.

function groupText(analysis, p) {
  const { name, sum } = groupSums(analysis, p).reduce((a, b) => (b.sum > a.sum ? b : a));
  return `${name} ${percent(sum)}`;
}

/** What the columns with a line of their own are: "Valence +0.85".
 * @param {Line[]} lines */
function lineWords(lines, values) {
  return lines
    .map(({ title, unit, least }, j) => {
      const sign = least < 0 && values[j] > 0 ? "+" : "";
      return `${title} ${sign}${values[j].toFixed(2).replace("-", "\u2212")}${unit ? ` ${unit}` : ""}`;
    })
    .join(" · ");
}

/** The reasons to doubt that are set as bits. */
const codesOf = ({ codes }, bits) => codes.filter((_, i) => bits & (1 << i));

/** What a column of the chart says, in lines; `columns` null: nobody is there. */
function columnWords(analysis, columns, x) {
  const top = columns ? columns.top(x) : -1;
  if (top < 0) return ["not seen"];
  const at = x * columns.k + top;
  const [low, high] = [columns.low[at], columns.high[at]];
  const spread = high - low > 0.02 ? ` (${percent(low)} to ${percent(high)})` : "";
  const group = groupText(analysis, Array.from(columns.mean.subarray(x * columns.k, (x + 1) * columns.k)));
  const lines = [`${analysis.emotions[top].name} ${percent(columns.mean[at])}${spread}, ${group}`];
  const own = analysis.lines.map((line, j) => onScale(line, columns.lines[x * columns.m + j]));
  if (own.length) lines.push(lineWords(analysis.lines, own));
  const doubts = codesOf(analysis, columns.reasons[x]).map(({ name }) => name);
  if (doubts.length) lines.push(`doubtful: ${doubts.join(", ")}`);
  const settled = columns.settled[x] >= columns.differs[x] - 1e-3 ? ", not about the group" : "";
  if (columns.differs[x]) lines.push(`models disagree${settled}`);
  return lines;
}
