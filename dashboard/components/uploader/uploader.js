// Sends each file in slices to PUT /api/upload/{id}, one file after the other, and tells Python when one is whole. What
// is on its way is remembered in the browser: after a reload of the page the same file, chosen again, goes on.

const KEPT = "fer-upload:";

/** What is on its way, by name, length and time of change of its file. A browser that keeps nothing begins anew. */
const unfinished = {
  key: (file) => `${KEPT}${file.size}:${file.lastModified}:${file.name}`,
  get(file) {
    return unfinished.all().find(({ key }) => key === unfinished.key(file))?.id;
  },
  keep: (file, id) => stored((storage) => storage.setItem(unfinished.key(file), id)),
  forget: (key) => stored((storage) => storage.removeItem(key)),
  all: () =>
    stored((storage) =>
      Object.keys(storage)
        .filter((key) => key.startsWith(KEPT))
        .map((key) => ({ key, id: storage.getItem(key), name: key.split(":").slice(3).join(":") })),
    ) ?? [],
};

function stored(act) {
  try {
    return act(localStorage);
  } catch {
    return null; // full, or forbidden
  }
}

/** One tab at a time sends a file; where browsers know no locks, nobody waits. */
const alone = (key, act) => (navigator.locks ? navigator.locks.request(key, act) : act());
const sentElsewhere = async () => new Set((await navigator.locks?.query())?.held.map((lock) => lock.name));

class Uploader {
  constructor(root) {
    this.list = root.querySelector(".files");
    this.waiting = [];
    this.busy = false;
    const zone = root.querySelector(".zone");
    const input = root.querySelector("input");
    input.addEventListener("change", () => {
      this.add(input.files);
      input.value = "";
    });
    for (const kind of ["dragover", "dragleave", "drop"]) {
      zone.addEventListener(kind, (event) => {
        event.preventDefault();
        zone.classList.toggle("over", kind === "dragover");
        if (kind === "drop") this.add(event.dataTransfer.files);
      });
    }
    window.addEventListener("beforeunload", (event) => this.busy && event.preventDefault());
    this.remind();
  }

  add(files) {
    for (const file of files) {
      this.list.querySelector(`[data-id="${unfinished.get(file)}"]`)?.remove();
      this.waiting.push(new Upload(file, this.list));
    }
    if (!this.busy) this.work();
  }

  /** A row for each file that was on its way when the page was left. */
  async remind() {
    const sent = await sentElsewhere();
    for (const { key, id, name } of unfinished.all().filter((each) => !sent.has(each.key))) {
      const state = await stateOf(id).catch(() => null);
      if (state && !state.received) unfinished.forget(key);
      const isChosen = this.waiting.concat(this.sending ?? []).some((upload) => upload.id === id);
      if (state?.received && !isChosen) this.list.append(this.reminder(key, id, name, state));
    }
  }

  reminder(key, id, name, { received, total }) {
    const row = rowOf(name, `${fileSize(received)} of ${fileSize(total)} are here; choose the file again to go on`);
    row.dataset.id = id;
    row.querySelector("i").style.width = `${(100 * received) / total}%`;
    row.querySelector("button").addEventListener("click", () => {
      row.remove();
      unfinished.forget(key);
      dropUpload(id);
    });
    return row;
  }

  async work() {
    this.busy = true;
    while (this.waiting.length) {
      this.sending = this.waiting.shift();
      if (await this.sending.send(this.options)) this.onArrived(this.sending.id);
    }
    this.sending = null;
    this.busy = false;
  }
}

function rowOf(name, state) {
  const row = element("li");
  row.innerHTML =
    '<span class="name"></span><span class="state"></span>' +
    '<button type="button" title="Stop">✕</button><div class="bar"><i></i></div>';
  row.querySelector(".name").textContent = name;
  row.querySelector(".state").textContent = state;
  return row;
}

/** How much the server has of a file, and how long it will be. */
async function stateOf(id) {
  const answer = await fetch(`/api/upload/${id}`);
  return answer.ok ? await answer.json() : { received: 0 };
}

class Upload {
  constructor(file, list) {
    this.file = file;
    this.known = unfinished.get(file);
    this.sending = new Sending(file, this.known);
    this.row = rowOf(file.name, "waiting");
    this.row.querySelector("button").addEventListener("click", () => this.close());
    list.append(this.row);
  }

  get id() {
    return this.sending.id;
  }

  close() {
    this.sending.drop();
    this.row.remove();
    unfinished.forget(unfinished.key(this.file));
  }

  /** Where to begin: behind what the server has of it already. */
  async begin() {
    const { received, total } = this.known ? await stateOf(this.id) : { received: 0 };
    if (received && total === this.file.size) return received;
    if (this.known) this.sending.id = newId(16); // it is gone, or has become a job
    unfinished.keep(this.file, this.id);
    return 0;
  }

  /** @returns {Promise<boolean>} whether it arrived whole */
  async send(limits) {
    return await alone(unfinished.key(this.file), () => this.sendAlone(limits));
  }

  async sendAlone(limits) {
    const { sending, file } = this;
    if (sending.isStopped) return false;
    try {
      sending.check(limits);
      await sending.send(limits, (bytes) => this.show(bytes), await this.begin());
      this.row.remove();
      unfinished.forget(unfinished.key(file));
      return true;
    } catch (error) {
      if (error.final) unfinished.forget(unfinished.key(file));
      if (!sending.isStopped) this.fail(error);
      return false;
    }
  }

  show(bytes) {
    this.row.querySelector("i").style.width = `${(100 * bytes) / this.file.size}%`;
    this.row.querySelector(".state").textContent = `${fileSize(bytes)} of ${fileSize(this.file.size)}`;
  }

  fail(error) {
    this.row.classList.add("failed");
    this.row.querySelector(".state").textContent = "not usable";
    const box = element("div", "error", error.message);
    box.setAttribute("role", "alert");
    this.row.append(box);
  }
}

export default function ({ parentElement, data, setTriggerValue }) {
  const root = parentElement.querySelector(".uploader");
  root.uploader ??= new Uploader(root);
  root.uploader.options = data;
  root.uploader.onArrived = (id) => setTriggerValue("arrived", id);
}
