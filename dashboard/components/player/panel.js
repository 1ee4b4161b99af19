// Beside the picture, following the cursor: the chosen person's face as the network sees it, with everything that is
// said about it; the others in a line each; and, when asked, why the model says so.

class Panel {
  constructor(player) {
    this.player = player;
    this.place = player.$(".reading");
  }

  // Rebuilt only when other people are seen.
  show(seen) {
    const { player, place } = this;
    const { version, revision } = player.analysis;
    const chosen = seen.find(({ person }) => person.track === player.chosen);
    const others = seen.filter((each) => each !== chosen);
    const tracks = [chosen?.person.track, ...others.map(({ person }) => person.track)];
    const who = [player.stage.media, version, revision, ...tracks].join(" ");
    if (place.dataset.who !== who) {
      place.dataset.who = who;
      const away = seen.length ? `${player.person()?.name} is not seen here.` : "No face here.";
      const first = chosen ? this.face(chosen.person) : element("p", "nobody", away);
      place.replaceChildren(first, ...others.map(({ person }) => this.line(person)));
    }
    if (chosen) this.fill(place.firstChild, chosen.face);
    others.forEach(({ face }, i) => {
      place.children[i + 1].querySelector(".top-emotion").textContent = topText(player.analysis, face.p);
    });
  }

  line(person) {
    const line = Object.assign(element("button", "other"), { type: "button" });
    line.append(thumbnailOf(person), element("b", "", person.name), element("span", "top-emotion"));
    line.addEventListener("click", () => this.player.choose(person.track, true));
    return line;
  }

  face(person) {
    const { player } = this;
    const face = element("section", "face");
    const crop = Object.assign(element("canvas"), { width: 96, height: 96, title: "The face as the network sees it" });
    const header = element("header");
    header.append(element("b", "", person.name), element("span", "top-emotion"), element("span", "facts"));
    const bars = element("div", "bars wide");
    for (const { name, colour } of player.analysis.emotions) {
      const rail = element("span", "rail");
      rail.append(Object.assign(element("i"), { style: `background:${colour}` }));
      bars.append(element("span", "", name), rail, element("span", "share"));
    }
    face.append(player.stage.picture ? crop : thumbnailOf(person), header, bars);
    face.append(element("div", "groupbar wide"), element("span", "group-words wide"));
    face.append(element("span", "line-words wide"), element("ul", "doubts wide"));
    if (player.stage.media) face.append(this.question());
    face.append(element("div", "why wide"));
    return face;
  }

  fill(panel, face) {
    const { player } = this;
    const $ = (name) => panel.querySelector(name);
    const side = Math.round(Math.min(face.box[2] - face.box[0], face.box[3] - face.box[1]));
    const differs = face.differs ? ", models disagree" : "";
    $(".top-emotion").textContent = topText(player.analysis, face.p);
    $(".facts").textContent = `${side} px, face ${percent(face.detection)}, box ${face.source}${differs}`;
    const [bars, shares] = [panel.querySelectorAll(".bars i"), panel.querySelectorAll(".bars .share")];
    face.p.forEach((value, j) => {
      bars[j].style.width = `${100 * value}%`;
      shares[j].textContent = percent(value);
    });
    const sums = groupSums(player.analysis, face.p);
    const parts = sums.map(({ colour, sum }) => ({ style: `background:${colour};width:${100 * sum}%` }));
    $(".groupbar").replaceChildren(...parts.map((part) => Object.assign(element("i"), part)));
    $(".group-words").textContent = sums.map(({ name, sum }) => `${name} ${percent(sum)}`).join(" · ");
    $(".line-words").textContent = lineWords(player.analysis.lines, face.lines);
    this.showDoubts($(".doubts"), face.reasons);
    const { picture } = player.stage;
    const { width, height, field } = player.analysis;
    const isThere = picture && $("canvas") && (picture.readyState ?? 2) >= 2;
    if (isThere) drawCrop($("canvas"), picture, face.square, field, { width, height });
    if ($(".why").dataset.frame && $(".why").dataset.frame !== String(player.shown.frame)) {
      $(".why").replaceChildren();
      delete $(".why").dataset.frame;
    }
  }

  showDoubts(list, reasons) {
    if (list.dataset.bits === String(reasons)) return;
    list.dataset.bits = reasons;
    const codes = codesOf(this.player.analysis, reasons);
    list.replaceChildren(...codes.map(({ name, text }) => Object.assign(element("li", "", name), { title: text })));
  }

  // why the model says so

  question() {
    const row = element("div", "why-row wide");
    const target = element("select");
    target.setAttribute("aria-label", "Explain");
    const names = this.player.analysis.emotions.map(({ name }) => element("option", "", name));
    target.append(Object.assign(element("option", "", "its answer"), { value: "" }), ...names);
    const title = "Where in the face the model looks";
    const button = Object.assign(element("button", "ask-why", "Why?"), { type: "button", title });
    button.addEventListener("click", async () => {
      button.disabled = true;
      await this.explain(row.parentElement.querySelector(".why"), target.value);
      button.disabled = false;
    });
    row.append(button, target);
    return row;
  }

  // Ask for the heatmap of the face under the cursor, and wait for it; who moves on does not see it any more.
  async explain(place, target) {
    const { player } = this;
    const { id, query } = player.analysis;
    player.video?.pause();
    place.textContent = "Looking …";
    place.dataset.frame = player.shown.frame;
    try {
      const words = new URLSearchParams({ track: player.chosen, time_s: player.time, target });
      const { job } = await ask(`/api/why/${id}?${query}&${words}`, {});
      let found = { state: "queued" };
      for (let wait = 0; wait < 240 && /queued|running/.test(found.state); wait++) {
        await new Promise((done) => setTimeout(done, 250));
        found = await ask(`/api/why/${id}/${job}`);
      }
      if (found.state !== "done") throw new Error(found.error || "The answer takes too long; try again later.");
      if (place.dataset.frame) this.showWhy(place, found);
    } catch (error) {
      place.textContent = error.message;
    }
  }

  showWhy(place, { picture, regions, shares, targets, model, made = "Heatmap", doubt = "" }) {
    const words = `What speaks for ${targets[0]}`;
    const source = { src: `data:image/png;base64,${picture}`, alt: words, title: `${made} of ${model}` };
    const list = element("dl");
    regions.forEach((name, i) => {
      const share = shares[0][i] === null ? "–" : percent(shares[0][i]);
      list.append(element("dt", "", name), element("dd", "", share));
    });
    const text = element("div");
    text.append(element("b", "", words), list);
    if (doubt) text.append(element("small", "", doubt));
    place.replaceChildren(Object.assign(element("img"), source), text);
  }
}
