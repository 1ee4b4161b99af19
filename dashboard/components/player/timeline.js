// The timeline as one works with it: the part in view, the selection, what is under the pointer, and the cursor.

const DRAG_PX = 4; // a pointer that moved less was a click
const MIN_SELECTION_S = 1e-3;

class Timeline {
  constructor(player) {
    this.player = player;
    this.chart = new Chart(player);
    this.view = null; // the span in view; null shows everything
    this.span = null; // the selection
    this.listen(player.$(".timeline"));
    this.listenMap(player.$(".map"));
  }

  // Drag on the chart selects, on the ruler below it scrubs; two fingers and the wheel zoom.
  listen(timeline) {
    const { player } = this;
    const fingers = new Map();
    let drag = null;
    timeline.addEventListener("pointerdown", (event) => {
      if (!player.analysis || event.button) return;
      timeline.setPointerCapture(event.pointerId);
      fingers.set(event.pointerId, event.clientX);
      const scrubs = event.clientY - timeline.getBoundingClientRect().top > this.chart.rulerTop;
      drag = fingers.size === 1 ? { from: this.timeAt(event), x: event.clientX, scrubs, moved: false } : null;
      const mayScroll = event.pointerType === "touch"; // a finger may be about to scroll the page
      if (drag?.scrubs && !mayScroll) player.seek(drag.from);
    });
    timeline.addEventListener("pointermove", (event) => {
      if (!player.analysis) return;
      if (fingers.size === 2 && fingers.has(event.pointerId)) this.pinch(fingers, event);
      else if (drag && (drag.moved ||= Math.abs(event.clientX - drag.x) > DRAG_PX)) {
        if (drag.scrubs) player.seek(this.timeAt(event));
        else this.select([drag.from, this.timeAt(event)]);
      }
      this.hover(event);
    });
    const end = (event) => {
      fingers.delete(event.pointerId);
      if (drag?.moved && !drag.scrubs) this.settle();
      else if (drag && !drag.moved && event.type === "pointerup") player.seek(drag.from);
      drag = null;
    };
    timeline.addEventListener("pointerup", end);
    timeline.addEventListener("pointercancel", end);
    timeline.addEventListener("pointerleave", () => (player.$(".tip").hidden = true));
    timeline.addEventListener("dblclick", () => this.zoomTo(null));
    timeline.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
  }

  listenMap(map) {
    const go = (event) => {
      const box = map.getBoundingClientRect();
      const [start, end] = this.whole();
      const middle = start + ((event.clientX - box.left) / box.width) * (end - start);
      if (this.view) this.zoomTo(centred(this.view, middle));
      else this.player.seek(middle);
    };
    map.addEventListener("pointerdown", (event) => {
      map.setPointerCapture(event.pointerId);
      go(event);
    });
    map.addEventListener("pointermove", (event) => event.buttons & 1 && go(event));
  }

  // the part in view

  /** @returns {Span} */
  whole() {
    const { start_s, end_s } = this.player.analysis;
    return [start_s, end_s];
  }

  /** @returns {Span} */
  inView() {
    return this.view ?? this.whole();
  }

  /** @param {?Span} view null shows everything */
  zoomTo(view) {
    this.view = fitted(view, this.whole());
    this.player.drawSoon();
  }

  zoomAt(time, factor) {
    this.zoomTo(zoomed(this.inView(), time, factor));
  }

  wheel(event) {
    const isOut = event.deltaY > 0 && !event.deltaX;
    if (!this.player.analysis || (!this.view && isOut)) return; // nothing to do: the page scrolls
    event.preventDefault();
    this.zoomTo(wheeled(this.inView(), event, this.timeAt(event), this.chart.width));
  }

  pinch(fingers, event) {
    const before = [...fingers.values()];
    fingers.set(event.pointerId, event.clientX);
    const after = [...fingers.values()];
    this.zoomAt(this.timeAt({ clientX: (after[0] + after[1]) / 2 }), pinched(before, after));
  }

  /** The page of the timeline turns when the cursor runs out of it. */
  keepInView(before) {
    const next = this.view && paged(this.view, this.player.time, before);
    if (next) this.zoomTo(next);
  }

  // the selection

  /** @param {?Span} span */
  select(span) {
    this.span = span && selectedSpan(span, this.whole());
    if (!this.span) this.player.transport.loop(false);
    this.showSelection();
  }

  clear() {
    this.select(null);
    this.settle();
  }

  /** Tell Python what is selected; next to nothing counts as nothing. */
  settle() {
    if (this.span && this.span[1] - this.span[0] < MIN_SELECTION_S) this.select(null);
    this.player.tell("selection", this.span && { start_s: this.span[0], end_s: this.span[1] });
  }

  showSelection() {
    const { $ } = this.player;
    const [from, to] = this.inView();
    $(".span").hidden = !this.span;
    const mark = $(".selection");
    mark.hidden = !this.span || this.span[1] < from || this.span[0] > to;
    if (!this.span) return;
    const [start, end] = this.span;
    $(".span-text").textContent = `${clock(start)} – ${clock(end)} (${(end - start).toFixed(2)} s)`;
    const [left, right] = this.span.map((time) => clamp(shareAt([from, to], time), 0, 1) * 100);
    Object.assign(mark.style, { left: `${left}%`, width: `${right - left}%`, height: `${this.chart.rulerTop}px` });
  }

  // under the pointer, and drawing

  timeAt(event) {
    const box = this.player.$(".timeline").getBoundingClientRect();
    return timeAtX(this.inView(), event.clientX - box.left, box.width);
  }

  hover(event) {
    const { $, analysis } = this.player;
    const tip = $(".tip");
    const box = $(".timeline").getBoundingClientRect();
    const x = clamp(Math.floor(event.clientX - box.left), 0, this.chart.width - 1);
    tip.hidden = false;
    tip.textContent = `${clock(this.timeAt(event))}  ${columnWords(analysis, this.chart.columns, x).join("\n")}`;
    const left = event.clientX - box.left - tip.offsetWidth / 2;
    tip.style.left = `${clamp(left, 0, box.width - tip.offsetWidth)}px`;
  }

  draw() {
    this.chart.draw();
    this.chart.drawMap();
    this.showSelection();
  }

  showCursor() {
    const { $, analysis, time } = this.player;
    const share = shareAt(this.inView(), time);
    $(".cursor").hidden = analysis.picture || share < 0 || share > 1;
    $(".lanes").style.setProperty("--share", share);
  }
}
