// What is drawn on canvases. Every function takes a pen in CSS pixels and draws; none knows the player.

const pad = (value, n) => String(value).padStart(n, "0");

function clock(seconds, digits = 3) {
  const ms = Math.round(Math.max(seconds, 0) * 1000);
  const hours = Math.floor(ms / 3600000);
  const minutes = Math.floor(ms / 60000) % 60;
  const rest = pad(Math.floor(ms / 1000) % 60, 2) + (digits ? `.${pad(ms % 1000, 3).slice(0, digits)}` : "");
  return `${hours ? `${hours}:${pad(minutes, 2)}` : minutes}:${rest}`;
}

/** Diagonal lines in a box, over `background` where one is given. */
function hatch(pen, { x, y, width, height }, colour, background, gap = 8) {
  pen.save();
  pen.beginPath();
  pen.rect(x, y, width, height);
  pen.clip();
  if (background) {
    pen.fillStyle = background;
    pen.fillRect(x, y, width, height);
  }
  pen.strokeStyle = colour;
  pen.globalAlpha = background ? 0.22 : 0.8;
  pen.lineWidth = 1;
  pen.beginPath();
  for (let at = x - height - ((x - height) % gap); at < x + width; at += gap) {
    pen.moveTo(at, y + height);
    pen.lineTo(at + height, y);
  }
  pen.stroke();
  pen.restore();
}

/** Runs [from, to) of columns for which `holds` is true. */
function runs(width, holds) {
  const found = [];
  for (let x = 0; x < width; x++) {
    if (!holds(x)) continue;
    const last = found[found.length - 1];
    if (last && last[1] === x) last[1] = x + 1;
    else found.push([x, x + 1]);
  }
  return found;
}

/** Stacked mean probabilities, the first emotion at the bottom. */
function drawStack(pen, columns, emotions, { y: top, height }) {
  for (let x = 0; x < columns.width; x++) {
    if (!columns.seen[x]) continue;
    let y = top + height;
    for (let j = 0; j < columns.k; j++) {
      const share = columns.mean[x * columns.k + j] * height;
      pen.fillStyle = emotions[j].colour;
      pen.fillRect(x, y - share, 1, share);
      y -= share;
    }
  }
}

/** Peaks of single frames that the mean of a column hides: a tick in the emotion's colour at the top edge. */
function drawPeaks(pen, columns, emotions, { y }) {
  for (let x = 0; x < columns.width; x++) {
    const top = columns.top(x);
    if (top < 0) continue;
    const isPeak = (j) => j !== top && columns.high[x * columns.k + j] >= 0.5 && columns.mean[x * columns.k + j] < 0.34;
    const peaks = emotions.map((_, j) => j).filter(isPeak);
    peaks.forEach((j, i) => {
      pen.fillStyle = emotions[j].colour;
      pen.fillRect(x, y + 4 * i, 1.5, 4);
    });
  }
}

/** One line per emotion with the band between its extremes; the measured curve thin where the shown one is smoothed.
 * `zero` (k) is taken off each value: zeros, or the person's own medians. */
function drawLines(pen, columns, emotions, box, { zero, hidden, smoothed, ink }) {
  const span = zero.some((value) => value) ? 2 : 1;
  const yOf = (value) => box.y + box.height * (span === 2 ? 0.5 - value / 2 : 1 - value);
  pen.fillStyle = ink;
  pen.textBaseline = "middle";
  pen.font = "10px sans-serif";
  for (const value of span === 2 ? [-0.5, 0, 0.5] : [0.25, 0.5, 0.75]) {
    pen.globalAlpha = 0.2;
    pen.fillRect(0, yOf(value), columns.width, 1);
    pen.globalAlpha = 0.7;
    pen.fillText(`${span === 2 && value > 0 ? "+" : ""}${Math.round(100 * value)}\u00a0%`, 3, yOf(value) - 6);
  }
  pen.globalAlpha = 1;
  const parts = runs(columns.width, (x) => columns.seen[x] > 0);
  const path = (values, j, [from, to], back) => {
    for (let i = 0; i < to - from; i++) {
      const x = back ? to - 1 - i : from + i;
      pen[i || back ? "lineTo" : "moveTo"](x + 0.5, yOf(values[x * columns.k + j] - zero[j]));
    }
  };
  emotions.forEach(({ name, colour }, j) => {
    if (hidden.has(name)) return;
    pen.fillStyle = pen.strokeStyle = colour;
    for (const part of parts) {
      pen.beginPath();
      path(columns.high, j, part, false);
      path(columns.low, j, part, true);
      pen.closePath();
      pen.globalAlpha = 0.14;
      pen.fill();
      if (smoothed) {
        pen.beginPath();
        path(columns.raw, j, part, false);
        pen.globalAlpha = 0.45;
        pen.lineWidth = 0.8;
        pen.stroke();
      }
      pen.beginPath();
      path(columns.mean, j, part, false);
      pen.globalAlpha = 1;
      pen.lineWidth = 2;
      pen.stroke();
    }
  });
}

/** The emotion with the highest value of each column. */
function drawDominant(pen, columns, emotions, { y, height }, which = columns.mean) {
  for (let x = 0; x < columns.width; x++) {
    const top = columns.top(x, which);
    if (top < 0) continue;
    pen.fillStyle = emotions[top].colour;
    pen.fillRect(x, y, 1, height);
  }
}

/** Sums of the groups' probabilities, stacked. */
function drawRibbon(pen, columns, emotions, groups, { y, height }) {
  for (let x = 0; x < columns.width; x++) {
    if (!columns.seen[x]) continue;
    let top = y;
    for (const group of groups) {
      let sum = 0;
      for (let j = 0; j < columns.k; j++) if (emotions[j].group === group.name) sum += columns.mean[x * columns.k + j];
      pen.fillStyle = group.colour;
      pen.fillRect(x, top, 1, sum * height);
      top += sum * height;
    }
  }
}

/** Where the models disagree: full height where their groups differ too, half where three groups settle it. */
function drawDisagreement(pen, columns, { y, height }, ink) {
  pen.fillStyle = ink;
  for (let x = 0; x < columns.width; x++) {
    if (!columns.differs[x]) continue;
    const settled = columns.settled[x] >= columns.differs[x] - 1e-3;
    pen.globalAlpha = 0.35 + 0.65 * columns.differs[x];
    pen.fillRect(x, settled ? y + height / 2 : y, 1, settled ? height / 2 : height);
  }
  pen.globalAlpha = 1;
}

/** A column's own line: the area between it and 0, or its least value, in the colours of the positive and the negative
 * group where it has both signs. */
function drawLine(pen, columns, { least, most }, j, box, { ink, page, groups }) {
  const yOf = (share) => box.y + box.height * (1 - share);
  const zero = yOf(least < 0 && most > 0 ? -least / (most - least) : 0);
  const [above, below] = ["positive", "negative"].map((name) => groups.find((group) => group.name === name)?.colour);
  for (let x = 0; x < columns.width; x++) {
    if (!columns.seen[x]) continue;
    const y = yOf(columns.lines[x * columns.m + j]);
    pen.fillStyle = page;
    pen.fillRect(x, box.y, 1, box.height);
    pen.fillStyle = least < 0 ? (y < zero ? above : below) : ink;
    pen.fillRect(x, Math.min(y, zero), 1, Math.max(Math.abs(y - zero), 1));
  }
  pen.fillStyle = ink;
  pen.globalAlpha = 0.35;
  pen.fillRect(0, zero, columns.width, 1);
  pen.globalAlpha = 1;
}

const STEPS_S = [0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200];

/** A ruler from one time to another, with as many ticks as there is room for. */
function drawAxis(pen, from, to, width, y, ink, font) {
  const span = to - from;
  const step = STEPS_S.find((s) => (span / s) * 72 < width) ?? 14400;
  pen.fillStyle = ink;
  pen.font = `12px ${font || "sans-serif"}`;
  pen.textBaseline = "top";
  for (let t = Math.ceil(from / step - 1e-9) * step; t <= to + 1e-9; t += step) {
    const x = ((t - from) / (span || 1)) * width;
    pen.fillRect(Math.min(x, width - 1), y, 1, 4);
    pen.textAlign = x < 20 ? "left" : x > width - 20 ? "right" : "center";
    pen.fillText(clock(t, step < 0.1 ? 2 : step < 1 ? 1 : 0), x, y + 7);
  }
}

/** The face as the network sees it: upright, cut by the square [origin, x axis] of which it takes the middle `field`.
 * `size` is the picture's in pixels of the analysis, whatever the copy that plays has. */
function drawCrop(canvas, picture, [ox, oy, ax, ay], field, { width, height }) {
  const n = canvas.width;
  const border = (1 - field) / 2;
  const [x, y] = [ox + border * (ax - ay), oy + border * (ay + ax)];
  const s = n / (field * (ax * ax + ay * ay));
  const pen = canvas.getContext("2d");
  pen.setTransform(1, 0, 0, 1, 0, 0);
  pen.clearRect(0, 0, n, n);
  pen.imageSmoothingQuality = "high";
  pen.setTransform(s * ax, -s * ay, s * ay, s * ax, -s * (ax * x + ay * y), -s * (ax * y - ay * x));
  pen.drawImage(picture, 0, 0, width, height);
}
