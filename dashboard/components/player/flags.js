// The marks as flags over the timeline.

const FLAG_ROW_REM = 1.45;

/**
 * Where a mark's flag hangs.
 * @typedef {object} Flag
 * @property {Mark} mark
 * @property {number} left in px, as is `width`
 * @property {number} width of a span, or the most that a moment's label takes
 * @property {number} row from above
 * @property {boolean} isHung to the left of its moment
 */

/** Flags in as few rows as they need, four at most; near the right edge they hang to the left of their moment.
 * @param {Mark[]} marks in order of time
 * @param {Span} part in view, `width` px wide
 * @returns {Flag[]} */
function placedFlags(marks, part, width) {
  const x = (time) => clamp(shareAt(part, time) * width, 0, width);
  const ends = []; // of each row
  const inside = marks.filter(({ start_s, end_s }) => (end_s ?? start_s) >= part[0] && start_s <= part[1]);
  return inside.map((mark) => {
    const at = x(mark.start_s);
    const room = Math.min(24 + 7 * mark.label.length, 190);
    const isSpan = mark.end_s !== null;
    const left = isSpan || at + room <= width ? at : Math.max(at - room, 0);
    const taken = isSpan ? Math.max(x(mark.end_s) - left, 6) : room;
    const row = Math.min([...ends, -1].findIndex((end) => end <= left), 3);
    ends[row] = left + taken + 2;
    return { mark, left, width: taken, row, isHung: left < at };
  });
}

class Flags {
  constructor(player) {
    this.player = player;
  }

  show() {
    const { $, analysis, timeline } = this.player;
    const flags = placedFlags(analysis.marks, timeline.inView(), timeline.chart.width);
    const rows = Math.max(...flags.map(({ row }) => row + 1), 1);
    $(".flags").style.height = `${FLAG_ROW_REM * rows}rem`;
    $(".flags").replaceChildren(...flags.map((flag) => this.button(flag)));
  }

  /** @param {Flag} flag */
  button({ mark, left, width, row, isHung }) {
    const isSpan = mark.end_s !== null;
    const kind = isSpan ? "flag long" : isHung ? "flag hung" : "flag";
    const title = [mark.label, mark.note].filter(Boolean).join(": ");
    const button = Object.assign(element("button", kind, mark.label), { type: "button", title });
    const size = isSpan ? { width: `${width}px` } : { maxWidth: `${Math.max(width, 12)}px` };
    Object.assign(button.style, { left: `${left}px`, top: `${FLAG_ROW_REM * row}rem`, ...size });
    button.addEventListener("click", () => this.open(mark));
    return button;
  }

  open(mark) {
    const { player } = this;
    player.seek(mark.start_s);
    if (mark.end_s !== null) {
      player.select([mark.start_s, mark.end_s]);
      player.settle();
    }
    player.sheet.mark(mark, false);
  }
}
