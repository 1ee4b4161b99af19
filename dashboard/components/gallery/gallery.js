// A grid of faces. Python sends what each tile says; Python hears which face was chosen.

const barOf = ({ colour, share }) =>
  Object.assign(element("i"), { style: `background:${colour};width:${100 * share}%` });

/** One face: made once, filled again whenever Python says something else about it. */
class Tile {
  constructor() {
    this.node = Object.assign(element("li", "tile"), { tabIndex: -1 });
    this.node.setAttribute("role", "option");
    this.node.innerHTML =
      '<div class="picture"><span>no picture</span></div>' +
      '<div class="words"><div class="label"></div><div class="answer"></div><div class="sure"></div>' +
      '<div class="votes"><div></div></div><div class="reason"></div><div class="caption"></div></div>';
    this.$ = (name) => this.node.querySelector(name);
    this.layers = {};
  }

  show(item, heat, isChosen) {
    this.item = item;
    this.node.dataset.id = item.id;
    this.node.classList.toggle("wrong", !item.right);
    this.node.setAttribute("aria-selected", String(isChosen));
    this.$(".label").replaceChildren(named(...item.label));
    this.$(".answer").replaceChildren("→", named(...item.prediction));
    this.$(".sure").replaceChildren(element("b", "", item.right ? "✓" : "✕"), ` ${item.sure} sure`);
    this.$(".votes").hidden = !item.votes;
    this.$(".votes div").replaceChildren(...(item.votes ?? []).map(barOf));
    this.$(".reason").textContent = item.reason;
    this.$(".caption").textContent = item.caption;
    this.layer("face", item.src);
    this.layer("heat", heat && item.heat);
    this.name();
  }

  // A picture of the stack; one that does not load leaves the placeholder, or the face below it, as it is.
  layer(kind, src) {
    if (this.layers[kind]?.src === src) return;
    this.layers[kind]?.image?.remove();
    this.layers[kind] = { src };
    if (!src) return;
    const image = Object.assign(element("img", kind), { loading: "lazy", decoding: "async", alt: "" });
    image.addEventListener("error", () => {
      image.remove();
      this.layers[kind].image = null;
      this.name();
    });
    this.layers[kind].image = image;
    image.src = src;
    if (kind === "face") this.$(".picture span").after(image);
    else this.$(".picture").append(image);
  }

  name() {
    const isMissing = !this.layers.face?.image;
    this.node.classList.toggle("missing", isMissing);
    this.node.setAttribute("aria-label", this.item.words + (isMissing ? ", no picture" : ""));
  }
}

class Gallery {
  constructor(root) {
    this.root = root;
    this.$ = (name) => root.querySelector(name);
    this.list = this.$(".tiles");
    this.tip = new Tip(root);
    this.tiles = new Map(); // by id, in the order shown
    this.list.addEventListener("click", ({ target }) => this.choose(target.closest(".tile")));
    this.list.addEventListener("keydown", (event) => this.key(event));
    this.list.addEventListener("focusin", ({ target }) => {
      this.makeTabStop(target);
      if (target.matches(":focus-visible")) this.showVotes(target);
    });
    this.list.addEventListener("pointermove", ({ target }) => {
      if (target.closest(".votes")) this.showVotes(target.closest(".tile"));
      else this.tip.hide();
    });
    for (const kind of ["focusout", "pointerleave", "scroll"]) this.list.addEventListener(kind, () => this.tip.hide());
  }

  // Python's values; called again whenever they change.
  update(data, tell) {
    this.tell = tell;
    this.root.classList.toggle("large", data.size === "large");
    this.list.style.setProperty("--height", `${data.height}px`);
    this.list.setAttribute("aria-label", data.label);
    this.list.hidden = !data.items.length;
    this.$(".empty").hidden = data.items.length > 0;
    this.$(".empty").textContent = data.empty;
    this.$(".foot").textContent = data.footer;
    this.showTiles(data);
    this.showChosen(data.chosen);
  }

  // Tiles that stay keep their place, their loaded picture and the focus.
  showTiles({ items, heat, chosen }) {
    const before = this.tiles;
    const [first] = before.keys();
    this.tiles = new Map(items.map((item) => [item.id, before.get(item.id) ?? new Tile()]));
    for (const [id, tile] of before) if (!this.tiles.has(id)) tile.node.remove();
    items.forEach((item, i) => {
      const tile = this.tiles.get(item.id);
      tile.show(item, heat, item.id === chosen);
      if (this.list.children[i] !== tile.node) this.list.insertBefore(tile.node, this.list.children[i] ?? null);
    });
    if (items.length && items[0].id !== first) this.list.scrollTop = 0; // other faces, not more of them
    this.tip.hide();
  }

  // Who clicks a tile sees it already; one that was chosen elsewhere is brought into view, without moving the page.
  showChosen(chosen) {
    const isNews = chosen !== this.chosen && chosen !== this.picked;
    if (chosen !== this.chosen) this.picked = null;
    this.chosen = chosen;
    const node = this.tiles.get(chosen)?.node;
    const { list } = this;
    if (node && isNews) {
      const { offsetTop: top, offsetHeight: height } = node;
      const isInView = top >= list.scrollTop && top + height <= list.scrollTop + list.clientHeight;
      if (!isInView) list.scrollTop = top - (list.clientHeight - height) / 2;
    }
    if (!list.contains(this.tabStop) || isNews) this.makeTabStop(node ?? list.firstElementChild);
  }

  makeTabStop(node) {
    if (this.tabStop) this.tabStop.tabIndex = -1;
    this.tabStop = node;
    if (node) node.tabIndex = 0;
  }

  choose(node) {
    if (!node) return;
    this.picked = node.dataset.id;
    this.tell(this.picked);
  }

  key(event) {
    const nodes = Array.from(this.list.children);
    const at = nodes.indexOf(event.target);
    if (at < 0 || event.altKey || event.ctrlKey || event.metaKey) return;
    const columns = nodes.filter(({ offsetTop }) => offsetTop === nodes[0].offsetTop).length;
    const steps = {
      ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns, Home: -at, End: nodes.length - 1 - at,
    }; // prettier-ignore
    if (event.key === "Enter" || event.key === " ") this.choose(event.target);
    else if (event.key in steps) nodes[at + steps[event.key]]?.focus();
    else return;
    event.preventDefault();
  }

  showVotes(node) {
    const { votes } = this.tiles.get(node.dataset.id).item;
    if (!votes) return;
    const sorted = votes.toSorted((a, b) => b.share - a.share);
    const lines = sorted.map(({ name, colour, percent: share }) => {
      const line = element("div");
      line.append(named(name, colour), element("span", "", share));
      return line;
    });
    this.tip.show(node.querySelector(".votes"), [element("div", "", "people's votes"), ...lines]);
  }
}

export default function ({ parentElement, data, setTriggerValue }) {
  const root = parentElement.querySelector(".gallery");
  root.gallery ??= new Gallery(root);
  root.gallery.update(data, (id) => setTriggerValue("picked", id));
}
