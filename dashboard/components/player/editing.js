// What a reviewer changes, in a sheet under the controls: people, marks, and the list of keys.

/** Text of a url; `{error}` becomes an Error. */
async function textOf(url) {
  const answer = await fetch(url);
  if (!answer.ok) throw new Error((await answer.json()).error);
  return answer.text();
}

/** An SVG as a PNG of twice its size. */
async function rastered(svg) {
  const image = new Image();
  image.src = URL.createObjectURL(new Blob([svg], { type: "image/svg+xml" }));
  await image.decode();
  const canvas = Object.assign(element("canvas"), { width: 2 * image.width, height: 2 * image.height });
  canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
  URL.revokeObjectURL(image.src);
  return new Promise((done) => canvas.toBlob(done, "image/png"));
}

class Sheet {
  constructor(player) {
    this.player = player;
    this.form = player.$(".sheet");
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.save?.();
    });
    this.form.addEventListener("keydown", (event) => {
      event.stopPropagation();
      if (event.key === "Escape") this.close();
    });
    this.listen();
  }

  listen() {
    const { player } = this;
    const on = (name, act) => player.$(name).addEventListener("click", act);
    on(".figure", () => this.figure());
    on(".undo", () => this.edit({ do: "undo" }));
    on(".redo", () => this.edit({ do: "redo" }));
    on(".leave-out", () => {
      const [start_s, end_s] = player.span;
      this.edit({ do: "exclude", person: player.chosen, start_s, end_s });
    });
  }

  show(title, parts, save) {
    this.save = save;
    this.form.replaceChildren(element("b", "", title), ...parts, this.button("Close", () => this.close()));
    this.form.hidden = false;
    this.form.querySelector("input")?.select();
  }

  close() {
    this.form.hidden = true;
    this.save = null;
    this.player.$(".timeline").focus({ preventScroll: true });
  }

  button(text, action, kind = "button") {
    const button = Object.assign(element("button", "", text), { type: kind });
    if (action) button.addEventListener("click", action);
    return button;
  }

  text(label, value, size) {
    const input = Object.assign(element("input"), { type: "text", value, size, maxLength: 2000 });
    input.setAttribute("aria-label", label);
    input.placeholder = label;
    return input;
  }

  /** Send an edit; what is wrong with it is said in the sheet, or over the picture. */
  async edit(edit) {
    const { player } = this;
    try {
      const { revision } = await ask(`/api/edits/${player.analysis.id}`, edit);
      this.close();
      await player.reload();
      player.tell("revision", revision);
      return true;
    } catch (error) {
      this.complain(error.message);
      return false;
    }
  }

  person({ track, name }) {
    const { player } = this;
    const field = this.text("Name", name, 18);
    const others = player.analysis.people.filter((each) => each.track !== track);
    const into = element("select");
    into.setAttribute("aria-label", "Merge into");
    into.append(...others.map((each) => Object.assign(element("option", "", each.name), { value: each.track })));
    const parts = [field, this.button("Rename", null, "submit")];
    const merge = () => this.edit({ do: "merge", person: track, into: Number(into.value) });
    if (others.length) parts.push(into, this.button("Merge into", merge));
    const at_s = player.time;
    const split = () => this.edit({ do: "split", person: track, at_s });
    if (!player.analysis.picture) parts.push(this.button(`Split at ${clock(at_s)}`, split));
    parts.push(this.button("Leave out", () => this.edit({ do: "exclude", person: track })));
    this.show(name, parts, () => this.edit({ do: "rename", person: track, name: field.value }));
  }

  mark(mark, isNew) {
    const label = this.text("Label", mark.label, 20);
    const note = this.text("Note", mark.note ?? "", 30);
    const parts = [label, note, this.button("Save", null, "submit")];
    if (!isNew) parts.push(this.button("Delete", () => this.edit({ do: "marks", remove: [mark.id] })));
    const when = mark.end_s === null ? clock(mark.start_s) : `${clock(mark.start_s)} – ${clock(mark.end_s)}`;
    const save = () => this.edit({ do: "marks", set: [{ ...mark, label: label.value, note: note.value }] });
    this.show(`${isNew ? "New mark" : "Mark"} ${when}`, parts, save);
  }

  newMark(start_s, end_s) {
    const label = `Mark ${this.player.analysis.marks.length + 1}`;
    this.mark({ id: newId(6), label, note: "", start_s, end_s, track: null }, true);
  }

  figure() {
    const { player } = this;
    const [start_s, end_s] = player.span ?? player.inView();
    const span = new URLSearchParams({ track: player.chosen, start_s, end_s });
    const url = `/api/figure/${player.id}?${player.query}&${span}`;
    const name = `${player.person()?.name} ${clock(start_s, 0)}-${clock(end_s, 0)}`.replaceAll(":", ".");
    const drawn = async () => new Blob([await textOf(url)], { type: "image/svg+xml" });
    const parts = [
      this.button("SVG", () => this.keep(drawn, `${name}.svg`)),
      this.button("PNG", () => this.keep(async () => rastered(await textOf(url)), `${name}.png`)),
    ];
    this.show(`Figure of ${player.person()?.name}, ${clock(start_s)} – ${clock(end_s)}`, parts);
  }

  /** Download what `make` gives. */
  async keep(make, name) {
    try {
      const href = URL.createObjectURL(await make());
      Object.assign(element("a"), { href, download: name }).click();
      setTimeout(() => URL.revokeObjectURL(href), 10000);
      this.close();
    } catch (error) {
      this.complain(error.message);
    }
  }

  complain(words) {
    if (this.form.hidden) return this.player.say(words, 6000);
    this.form.querySelector(".error")?.remove();
    return this.form.append(element("p", "error", words));
  }

  keys() {
    const list = element("dl");
    list.append(...keyRows(KEYS));
    this.show("Keys", [list]);
  }
}
