// The keys and what each does; arrows and Enter are those of the panel that has the focus.

const ZOOM = 1.3; // of a key or button
const KEYS = [
  ["drag", "lasso, move or turn"], ["Shift + drag", "add to the selection"],
  ["Alt + drag", "remove from the selection"], ["right drag", "move"],
  ["wheel", "zoom, once the map was clicked, or with Ctrl"], ["double click, 0", "show all again"],
  ["← → ↑ ↓", "move; in 3-D turn, with Shift move"], ["+ −", "zoom"], ["L, M, T", "lasso, move, turn"],
  ["Enter", "choose the point nearest to the middle"], ["Esc", "clear the selection"],
]; // prettier-ignore

/** What a key does to a map, undefined if nothing; letters in either case.
 * @returns {(() => void)|undefined} */
function moveOf(key, map) {
  const moves = {
    "+": () => map.view.zoomAt(ZOOM),
    "=": () => map.view.zoomAt(ZOOM),
    "-": () => map.view.zoomAt(1 / ZOOM),
    0: () => map.view.reset(),
    l: () => map.use("lasso"),
    m: () => map.use("move"),
    t: () => map.view.isTurning && map.use("turn"),
    Escape: () => map.clear(),
    "?": () => map.toggleKeys(),
  };
  return moves[key.length === 1 ? key.toLowerCase() : key];
}
