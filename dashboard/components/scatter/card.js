// The card over a point or a face of the trail: its picture, fetched once the pointer rests, and words.

const PICTURE_MS = 90;

class Card {
  constructor(map) {
    this.map = map;
    this.root = map.$(".card");
  }

  /** Show what is under the pointer, `{row or face, stage}`; null hides the card. */
  show(pointed) {
    const { root, map } = this;
    clearTimeout(this.resting);
    root.hidden = !pointed;
    if (!pointed) return;
    const isPoint = pointed.face === undefined;
    const list = element("dl");
    for (const [name, word, colour] of isPoint ? this.wordsOf(pointed.row) : this.wordsOfFace(pointed.face)) {
      const said = element("dd", "", word);
      if (colour) said.prepend(Object.assign(element("i"), { style: `background:${css(colour)}` }));
      list.append(element("dt", "", name), said);
    }
    const picture = element("div", "picture");
    const hasPicture = isPoint && map.data.pictures;
    root.replaceChildren(...(hasPicture ? [picture, list] : [list]));
    if (hasPicture) this.resting = setTimeout(() => this.fetch(picture, pointed.row), PICTURE_MS);
    this.put(pointed);
  }

  fetch(place, row) {
    const image = Object.assign(element("img"), { alt: "", src: this.map.data.pictures.replaceAll("{row}", row) });
    image.addEventListener("error", () => place.remove());
    place.append(image);
  }

  // Below the point and to its right, or where there is room.
  put(pointed) {
    const [x, y] = this.map.spot(pointed);
    const { offsetWidth: width, offsetHeight: height } = this.root;
    const [all, own] = [this.root.parentElement, pointed.stage].map((each) => each.getBoundingClientRect());
    const [left, top] = [own.left - all.left + x, own.top - all.top + y];
    const isLeft = left + 14 + width > all.width;
    const isAbove = own.top + y + 14 + height > Math.min(window.innerHeight, all.bottom);
    const x0 = Math.max(Math.min(isLeft ? left - 14 - width : left + 14, all.width - width), 0);
    const y0 = Math.max(isAbove ? top - 14 - height : top + 14, 0);
    this.root.style.transform = `translate(${x0}px, ${y0}px)`;
  }

  /** [name, word, colour or undefined] per line. */
  wordsOf(row) {
    const own = this.map.panels.map(({ colouring, palette }) => {
      const value = colouring.values[row];
      return [colouring.name, colouring.word(value), palette[value]];
    });
    const colourOf = (name) => own.find(([other]) => other === name)?.[2];
    const said = this.map.words.map(({ name, labels, values }) => [name, labels[values[row]], colourOf(name)]);
    return said.length ? said : own;
  }

  wordsOfFace(face) {
    const { trail, panels } = this.map;
    const own = panels.flatMap(({ colouring, palette, index }) => {
      const value = trail.values[index]?.[face];
      return value === undefined ? [] : [[colouring.name, colouring.word(value), palette[value]]];
    });
    const far = trail.far[face] ? [["place", "far from the training data, means little"]] : [];
    return [[trail.name, clock(trail.times[face])], ...own, ...far];
  }
}
