// Pointers, wheel and keys of one panel, turned into what the map does.

const CLICK_PX = 4; // a pointer that moved less was a click
const TURN = 0.006; // radians per px: a hand's width is a quarter turn
const KEY = { px: 40, radians: Math.PI / 36 };
const ARROWS = { ArrowLeft: [1, 0], ArrowRight: [-1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };

class Hands {
  constructor(map, stage) {
    this.map = map;
    this.stage = stage;
    this.fingers = new Map(); // pointer id → [x, y]
    this.drag = null; // {tool, last, moved}
    const on = (kind, action, options) => {
      stage.addEventListener(kind, (event) => map.points && action.call(this, event), options);
    };
    on("pointerdown", this.down);
    on("pointermove", this.moved);
    on("pointerup", this.up);
    on("pointercancel", this.cancel);
    on("pointerleave", ({ pointerType }) => pointerType === "mouse" && map.pointer.leave());
    on("dblclick", () => map.press("0"));
    on("contextmenu", (event) => event.preventDefault());
    on("wheel", this.wheel, { passive: false });
    on("keydown", this.key);
  }

  at(event) {
    const box = this.stage.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  }

  down(event) {
    if (event.button > 2) return;
    if (event.button === 1) event.preventDefault(); // no scrolling by the wheel's button
    const at = this.at(event);
    this.stage.classList.remove("by-keys");
    this.stage.focus({ preventScroll: true });
    this.stage.setPointerCapture(event.pointerId);
    this.fingers.set(event.pointerId, at);
    this.map.lasso = null;
    if (this.fingers.size > 1) return void (this.drag = null);
    const tool = event.button ? "move" : this.map.tool;
    const mode = event.shiftKey ? "add" : event.altKey ? "remove" : this.map.mode;
    this.drag = { tool, mode, last: at, moved: false, isClick: event.button === 0 };
  }

  moved(event) {
    const at = this.at(event);
    const { drag, map } = this;
    if (this.fingers.size === 2 && this.fingers.has(event.pointerId)) return this.pinch(event.pointerId, at);
    if (!drag) return event.pointerType === "mouse" && map.pointer.look(at, this.stage);
    const [dx, dy] = [at[0] - drag.last[0], at[1] - drag.last[1]];
    if (!drag.moved && Math.hypot(dx, dy) < CLICK_PX) return undefined;
    if (!drag.moved) map.pointer.leave();
    if (drag.tool === "lasso") this.draw(at);
    if (drag.tool === "move") map.view.move(dx, dy);
    if (drag.tool === "turn") map.view.turn(dx * TURN, dy * TURN);
    if (drag.tool !== "lasso") map.painter.drawSoon();
    Object.assign(drag, { last: at, moved: true });
    return undefined;
  }

  draw(at) {
    const { map, drag } = this;
    map.lasso ??= [drag.last];
    const [x, y] = map.lasso.at(-1);
    if (Math.hypot(at[0] - x, at[1] - y) >= 2) map.lasso.push(at);
    map.painter.drawOverSoon();
  }

  pinch(id, at) {
    const { map, fingers } = this;
    const other = [...fingers].find(([each]) => each !== id)[1];
    const before = fingers.get(id);
    const spread = (a) => Math.max(Math.hypot(a[0] - other[0], a[1] - other[1]), 1);
    map.view.move((at[0] - before[0]) / 2, (at[1] - before[1]) / 2);
    map.view.zoomAt(spread(at) / spread(before), (at[0] + other[0]) / 2, (at[1] + other[1]) / 2);
    fingers.set(id, at);
    map.painter.drawSoon();
  }

  up(event) {
    this.fingers.delete(event.pointerId);
    const { drag, map } = this;
    this.drag = null;
    if (!drag) return;
    const reach = event.pointerType === "mouse" ? REACH_PX : TOUCH_REACH_PX;
    if (map.lasso) map.closeLasso(drag.mode);
    else if (!drag.moved && drag.isClick) map.click(this.at(event), this.stage, reach);
  }

  cancel(event) {
    this.fingers.delete(event.pointerId);
    this.drag = this.map.lasso = null;
    this.map.painter.drawOverSoon();
  }

  // The page scrolls unless Ctrl is held (as a pinch on a touchpad does) or the map has the focus.
  wheel(event) {
    const { map, stage } = this;
    const isMeant = event.ctrlKey || event.metaKey || stage.matches(":focus");
    if (!isMeant) return map.hint(stage, "Click the map, or hold Ctrl, to zoom with the wheel");
    const step = event.deltaY * (event.deltaMode ? 16 : 1) * (event.ctrlKey ? 2 : 1);
    if (!map.view.zoomAt(2 ** (-step / 240), ...this.at(event))) return undefined;
    event.preventDefault();
    map.pointer.leave();
    return map.painter.drawSoon();
  }

  key(event) {
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    const { view } = this.map;
    const [dx, dy] = ARROWS[event.key] ?? [0, 0];
    if (event.key === "Enter") this.map.click(view.size.map((side) => side / 2), this.stage, KEY_REACH_PX);
    else if (!dx && !dy) return; // the map's own keys
    else if (view.isTurning && !event.shiftKey) view.turn(-dx * KEY.radians, -dy * KEY.radians);
    else view.move(dx * KEY.px, dy * KEY.px);
    if (dx || dy) this.map.pointer.leave();
    this.stage.classList.add("by-keys"); // a cross marks the middle
    this.map.painter.drawSoon();
    event.preventDefault();
  }
}
