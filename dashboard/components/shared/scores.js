// Scores of a face in words, and faces on a picture. Nothing here knows a component.

const percent = (p) => `${(100 * p).toFixed(p >= 0.0005 && p < 0.1 ? 1 : 0)}\u00a0%`;

/** The emotion with the highest of k probabilities. */
function topText({ emotions }, p) {
  const top = p.indexOf(Math.max(...p));
  return `${emotions[top].name} ${percent(p[top])}`;
}

/** @returns {{name: string, colour: string, sum: number}[]} of each group the sum of its probabilities */
function groupSums({ groups, emotions }, p) {
  const of = (group) => p.reduce((sum, value, j) => sum + (emotions[j].group === group ? value : 0), 0);
  return groups.map(({ name, colour }) => ({ name, colour, sum: of(name) }));
}

/** A face on the picture; `unit` is one CSS pixel in pixels of the video. */
function drawFace(pen, face, { text, colour, chosen, landmarks, unit, width }) {
  const [x0, y0, x1, y1] = face.box;
  pen.lineWidth = (chosen ? 3 : 2) * unit;
  pen.strokeStyle = colour;
  pen.strokeRect(x0, y0, x1 - x0, y1 - y0);
  if (landmarks) {
    for (let i = 0; i < 10; i += 2) {
      pen.beginPath();
      pen.arc(face.landmarks[i], face.landmarks[i + 1], 3 * unit, 0, 7);
      pen.fillStyle = colour;
      pen.fill();
      pen.lineWidth = unit;
      pen.strokeStyle = "#fff";
      pen.stroke();
    }
  }
  pen.font = `600 ${13 * unit}px sans-serif`;
  const plate = pen.measureText(text).width + 10 * unit;
  const left = clamp(x0 - 1.5 * unit, 0, Math.max(width - plate, 0));
  const top = y0 > 20 * unit ? y0 - 19 * unit : y0;
  pen.fillStyle = "#000c";
  pen.fillRect(left, top, plate, 19 * unit);
  pen.fillStyle = colour;
  pen.fillRect(left, top, 4 * unit, 19 * unit);
  pen.fillStyle = "#fff";
  pen.textBaseline = "middle";
  pen.fillText(text, left + 7 * unit, top + 10 * unit);
}
