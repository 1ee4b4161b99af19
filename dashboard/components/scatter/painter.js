// When and how the panels are drawn: the points, and over them what follows the pointer.

const BEHIND_TRAIL = { all: 0.45, some: 0.75 }; // of a colour's strength, where all points are meant or some

/**
 * How a stage looks.
 * @typedef {object} Look
 * @property {number[]} page its background, [r, g, b]
 * @property {boolean} isDark
 * @property {{page: string, ink: string, accent: string, font: string}} css
 */

/** Radius in px of one of n dots: smaller the more there are, a little larger when one looks closer. */
function radiusOf([width, height], n, zoom) {
  const room = Math.sqrt((width * height) / Math.max(n, 1));
  return Math.min(clamp(0.4 * room, 1.3, 3.4) * Math.max(zoom, 1) ** 0.3, 6);
}

/** @returns {Look} */
function lookOf(place) {
  const stage = getComputedStyle(place);
  const page = stage.backgroundColor.match(/[\d.]+/g).slice(0, 3).map(Number);
  const accent = stage.getPropertyValue("--st-primary-color").trim() || "teal";
  const isDark = 0.3 * page[0] + 0.59 * page[1] + 0.11 * page[2] < 110;
  return { page, isDark, css: { page: css(page), ink: stage.color, accent, font: stage.fontFamily } };
}

class Painter {
  constructor(map) {
    this.map = map;
  }

  drawSoon() {
    this.drawing ??= requestAnimationFrame(() => {
      this.drawing = null;
      this.draw();
    });
  }

  drawOverSoon() {
    this.overDrawing ??= requestAnimationFrame(() => {
      this.overDrawing = null;
      this.drawOver();
    });
  }

  draw() {
    const { view, panels, trail, trailScreen } = this.map;
    const [{ stage }] = panels;
    if (!stage.isConnected) return; // taken off the page meanwhile: it has no colours any more
    this.look = lookOf(stage);
    for (const panel of panels) panel.palette = panel.colouring.palette(this.look.isDark);
    const { clientWidth: width, clientHeight: height } = stage;
    if (!width || !height) return; // in a tab that is not open
    this.ratio = window.devicePixelRatio || 1;
    view.size = [width, height];
    view.projectPoints();
    if (trail) view.project(trail.axes, trail.n, trailScreen);
    const order = view.order();
    for (const panel of panels) this.drawPanel(panel, order);
    this.drawOver();
    this.map.showShown();
  }

  drawPanel(panel, order) {
    const { raster, colouring } = panel;
    const { ratio, look } = this;
    const { view, trail, full, lit, points } = this.map;
    raster.resize(...view.size, ratio);
    raster.clear(look.page);
    const strength = trail ? BEHIND_TRAIL[full.includes(0) ? "some" : "all"] : 1;
    const colours = tables(panel.palette, look.page, view.isTurning, strength);
    const steps = view.isTurning ? view.depth : null;
    const dots = { order, mask: full, screen: view.screen, ratio, values: colouring.values, steps };
    const radius = radiusOf(view.size, points.placed.length, view.zoom);
    raster.dots({ ...dots, wanted: 0, colours: colours.faded, radius });
    raster.dots({ ...dots, wanted: 1, colours: colours.full, radius: full === lit ? radius : 1.15 * radius });
    raster.show();
    if (trail) this.drawTrail(panel);
  }

  drawTrail(panel) {
    const { ratio, look } = this;
    const { view, trail, trailScreen } = this.map;
    const { pen } = panel.raster;
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    drawTrail(pen, trail, trailScreen, this.trailColours(panel), look.css, view.size[0]);
  }

  trailColours({ index, palette }) {
    const { n, values } = this.map.trail;
    const own = values[index];
    return Array.from({ length: n }, (_, i) => (own ? css(palette[own[i]]) : this.look.css.ink));
  }

  drawOver() {
    if (!this.ratio) return;
    for (const panel of this.map.panels) this.drawOverPanel(panel);
  }

  drawOverPanel(panel) {
    const { view, points, lasso, picks, pointer } = this.map;
    const { css: style } = this.look;
    const pen = penOf(panel.over, ...view.size);
    const colourOf = (row) => css(panel.palette[panel.colouring.values[row]]);
    const { chosen } = picks;
    if (chosen !== null && chosen < points.n) {
      drawRing(pen, ...this.map.screen(chosen), { colour: colourOf(chosen), ...style });
    }
    if (lasso) drawLasso(pen, lasso, style);
    if (!pointer.pointed) return;
    const { row, face } = pointer.pointed;
    const colour = face === undefined ? colourOf(row) : this.trailColours(panel)[face];
    drawHover(pen, ...this.map.spot(pointer.pointed), { colour, ...style });
  }
}
