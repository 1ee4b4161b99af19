// What the components share: new elements, canvases, and values as they travel.

const KINDS = { f8: Float64Array, f4: Float32Array, u4: Uint32Array, u2: Uint16Array, u1: Uint8Array };

const element = (tag, name = "", text = "") =>
  Object.assign(document.createElement(tag), { className: name, textContent: text });

/** A row of a list (dl) for each key and what it does. */
const keyRows = (keys) =>
  keys.map(([key, what]) => {
    const row = element("div");
    row.append(element("dt", "", key), element("dd", "", what));
    return row;
  });

/** What of low … high is nearest to a value. */
const clamp = (value, low, high) => Math.min(Math.max(value, low), high);

/** An id that nobody else has: so many random octets in hexadecimal digits. */
const newId = (octets) =>
  Array.from(crypto.getRandomValues(new Uint8Array(octets)), (octet) => octet.toString(16).padStart(2, "0")).join("");

/** The array that was sent as base64; `kind` as NumPy names it, little endian. */
function unpack(text, kind) {
  const octets = atob(text);
  const array = new Uint8Array(octets.length);
  for (let i = 0; i < array.length; i++) array[i] = octets.charCodeAt(i);
  return new KINDS[kind](array.buffer);
}

/** A canvas as sharp as the screen, cleared, its pen in CSS pixels. */
function penOf(canvas, width, height) {
  const ratio = window.devicePixelRatio || 1;
  const [w, h] = [width, height].map((side) => Math.max(Math.round(side * ratio), 1));
  Object.assign(canvas, { width: w, height: h });
  Object.assign(canvas.style, { width: `${width}px`, height: `${height}px` });
  const pen = canvas.getContext("2d");
  pen.scale(ratio, ratio);
  return pen;
}
