// The people: a row each with a strip of what they show over time, and the one that is chosen.

/** @param {Person} person */
const thumbnailOf = ({ thumbnail }) =>
  thumbnail ? Object.assign(element("img"), { src: thumbnail, alt: "" }) : element("span", "blank");

class People {
  constructor(player) {
    this.player = player;
    this.chosen = null; // a track
  }

  /** @returns {Person|undefined} the chosen one */
  person() {
    return this.player.analysis?.people.find(({ track }) => track === this.chosen);
  }

  show() {
    const { $, analysis } = this.player;
    if (!this.person()) this.chosen = analysis.people[0]?.track ?? null;
    $(".people").replaceChildren(...analysis.people.map((person) => this.row(person)));
    this.choose(this.chosen);
  }

  row(person) {
    const row = element("div", "person");
    row.dataset.track = person.track;
    const who = element("span", "who");
    const pick = Object.assign(element("button", "pick"), { type: "button", title: person.name });
    pick.append(thumbnailOf(person), element("span", "name", person.name));
    pick.addEventListener("click", () => this.choose(person.track, true));
    const title = "Rename, merge, split, leave out";
    const more = Object.assign(element("button", "more", "⋯"), { type: "button", title });
    more.setAttribute("aria-label", `Change ${person.name}`);
    more.addEventListener("click", () => this.player.sheet.person(person));
    who.append(pick, more);
    row.append(who, this.strip(person));
    return row;
  }

  strip({ track }) {
    const { player } = this;
    const strip = element("span", "strip");
    strip.append(element("canvas"));
    strip.hidden = player.analysis.picture;
    strip.addEventListener("click", (event) => {
      this.choose(track, true);
      player.seek(player.timeline.timeAt(event));
    });
    return strip;
  }

  /** Choose a person; `settled`: Python is told. Before the analysis is here it is only kept. */
  choose(track, settled) {
    if (track === null || track === undefined) return;
    this.chosen = track;
    const { $, analysis, root } = this.player;
    if (!analysis) return;
    root.querySelectorAll(".person").forEach((row) => {
      row.classList.toggle("chosen", Number(row.dataset.track) === track);
      row.querySelector(".pick").setAttribute("aria-pressed", Number(row.dataset.track) === track);
    });
    const { usable_s, seen_s, name } = this.person() ?? {};
    $(".usable").textContent = seen_s ? `Usable ${percent(usable_s / seen_s)} of ${clock(seen_s, 0)}` : "";
    $(".usable").title = `Of the time in which ${name} is seen, the share without any reason to doubt the scores`;
    if (settled) this.player.tell("person", track);
    this.player.drawSoon();
  }

  drawStrips() {
    const { root, timeline } = this.player;
    for (const row of root.querySelectorAll(".person")) {
      timeline.chart.drawStrip(row.querySelector("canvas"), Number(row.dataset.track), ROW.strip, timeline.inView());
    }
  }
}
