// Sends each file in slices to PUT /api/upload/{id}, one file after the other, and tells Python when one is whole.

const size = (bytes) => (bytes >= 1e9 ? `${(bytes / 1e9).toFixed(2)} GB` : `${(bytes / 1e6).toFixed(1)} MB`);

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
  }

  add(files) {
    for (const file of files) this.waiting.push(new Upload(file, this.list));
    if (!this.busy) this.work();
  }

  async work() {
    this.busy = true;
    while (this.waiting.length) {
      const upload = this.waiting.shift();
      if (await upload.send(this.options)) this.onArrived(upload.id);
    }
    this.busy = false;
  }
}

class Upload {
  constructor(file, list) {
    this.file = file;
    this.id = newId(16);
    this.row = element("li");
    this.row.innerHTML =
      '<span class="name"></span><span class="state">waiting</span>' +
      '<button type="button" title="Stop">✕</button><div class="bar"><i></i></div>';
    this.row.querySelector(".name").textContent = file.name;
    this.row.querySelector("button").addEventListener("click", () => this.close());
    this.stop = new AbortController();
    list.append(this.row);
  }

  close() {
    this.stop.abort();
    this.row.remove();
    fetch(`/api/upload/${this.id}`, { method: "DELETE" }).catch(() => {}); // the server drops it tomorrow anyway
  }

  async send({ slice, limit }) {
    if (this.stop.signal.aborted) return false;
    try {
      if (this.file.size > limit) {
        throw new Error(`${this.file.name} is larger than ${size(limit)}. Cut or compress it first.`);
      }
      for (let offset = 0; offset < this.file.size || offset === 0; ) {
        const { received } = await this.put(offset, slice);
        offset = received || this.file.size;
        this.row.querySelector("i").style.width = `${(100 * offset) / this.file.size}%`;
        this.row.querySelector(".state").textContent = `${size(offset)} of ${size(this.file.size)}`;
      }
      this.row.remove();
      return true;
    } catch (error) {
      if (!this.stop.signal.aborted) this.fail(error);
      return false;
    }
  }

  async put(offset, slice) {
    for (let attempt = 0; ; attempt++) {
      try {
        if (attempt) offset = (await this.ask({ method: "GET" })).received; // a broken slice may have arrived in part
        return await this.ask({ method: "PUT", body: this.file.slice(offset, offset + slice) }, offset);
      } catch (error) {
        if (error.final || this.stop.signal.aborted) throw error;
        const lost = "The connection to the workbench is lost. Is it still running?";
        if (attempt === 4) throw new Error(lost, { cause: error });
        await new Promise((resolve) => setTimeout(resolve, 1000 * 2 ** attempt));
      }
    }
  }

  async ask(request, offset = 0) {
    const query = new URLSearchParams({ name: this.file.name, offset, total: this.file.size });
    const answer = await fetch(`/api/upload/${this.id}?${query}`, { ...request, signal: this.stop.signal });
    const value = await answer.json();
    if (!answer.ok) throw Object.assign(new Error(value.error), { final: true });
    return value;
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
