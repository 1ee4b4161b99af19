// Beside the picture: a card for each person with everything that is said about the face.

const MOST_CARDS = 4; // more people have a box, but no card

/** What a face shows: probabilities in the order of the emotions that its model answers, those emotions, the most
 * likely of them, and that in words. */
function read({ p: byName }, { emotions, groups }) {
  const answered = emotions.filter(({ name }) => name in byName);
  const p = answered.map(({ name }) => byName[name]);
  const of = { emotions: answered, groups };
  return { of, p, top: answered[p.indexOf(Math.max(...p))], text: topText(of, p) };
}

const nameOfTrack = (track) => `Person ${track + 1}`;

/** Valence with its sign: "+0.85", "−0.20". */
const signed = (value) => `${value > 0 ? "+" : ""}${value.toFixed(2).replace("-", "\u2212")}`;

class Cards {
  constructor(place) {
    this.place = place;
  }

  /** Show what is said of faces; rebuilt only when there are others, or another model answers. */
  show(faces, words) {
    const shown = faces.toSorted((a, b) => a.track - b.track).slice(0, MOST_CARDS);
    const who = JSON.stringify(shown.map(({ track, p }) => [track, Object.keys(p)]));
    if (this.who !== who) {
      this.who = who;
      const cards = shown.map((face) => this.card(face, read(face, words).of));
      this.place.replaceChildren(...(cards.length ? cards : [element("p", "nobody", "No face here.")]));
    }
    shown.forEach((face, i) => {
      this.fill(this.place.children[i], face, read(face, words));
      this.showDoubts(this.place.children[i].querySelector(".doubts"), face.reasons, words.reasons);
    });
  }

  clear() {
    this.who = undefined;
    this.place.replaceChildren();
  }

  card({ track }, { emotions }) {
    const card = element("section", "card");
    const header = element("header");
    header.append(element("b", "", nameOfTrack(track)), element("span", "top-emotion"));
    const bars = element("div", "bars");
    for (const { name, colour } of emotions) {
      const rail = element("span", "rail");
      rail.append(Object.assign(element("i"), { style: `background:${colour}` }));
      bars.append(element("span", "", name), rail, element("span", "share"));
    }
    const words = element("div", "sums");
    words.append(element("span", "group-words"), element("span", "valence"));
    card.append(header, bars, element("div", "groupbar"), words, element("ul", "doubts"));
    return card;
  }

  fill(card, { valence }, { of, p, text }) {
    const $ = (name) => card.querySelector(name);
    $(".top-emotion").textContent = text;
    const [bars, shares] = [card.querySelectorAll(".bars i"), card.querySelectorAll(".share")];
    p.forEach((value, j) => {
      bars[j].style.transform = `scaleX(${value})`;
      shares[j].textContent = percent(value);
    });
    const sums = groupSums(of, p);
    const parts = sums.map(({ colour, sum }) => ({ style: `background:${colour};width:${100 * sum}%` }));
    $(".groupbar").replaceChildren(...parts.map((part) => Object.assign(element("i"), part)));
    $(".group-words").textContent = sums.map(({ name, sum }) => `${name} ${percent(sum)}`).join(" · ");
    $(".valence").textContent = `valence ${signed(valence)}`;
  }

  showDoubts(list, codes, reasons) {
    if (list.dataset.said === String(codes)) return;
    list.dataset.said = codes;
    const known = codes.map((code) => reasons[code]);
    list.replaceChildren(...known.map(({ title, text }) => Object.assign(element("li", "", title), { title: text })));
  }
}
