// A file on its way to our own route, in slices: PUT /api/upload/{id}.

const fileSize = (bytes) => (bytes >= 1e9 ? `${(bytes / 1e9).toFixed(2)} GB` : `${(bytes / 1e6).toFixed(1)} MB`);

/** The server forgets what it has of a file; else it does so after an hour. */
function dropUpload(id) {
  fetch(`/api/upload/${id}`, { method: "DELETE" }).catch(() => {});
}

class Sending {
  /** `id`: of an upload that was broken off. */
  constructor(file, id) {
    this.file = file;
    this.id = id ?? newId(16);
    this.stop = new AbortController();
  }

  get isStopped() {
    return this.stop.signal.aborted;
  }

  drop() {
    this.stop.abort();
    dropUpload(this.id);
  }

  check({ limit }) {
    if (this.file.size > limit) {
      throw new Error(`${this.file.name} is larger than ${fileSize(limit)}. Cut or compress it first.`);
    }
  }

  /** Send what is behind `offset`; `reached` hears how many bytes are there. What fails is thrown, in words. */
  async send(limits, reached, offset = 0) {
    this.check(limits);
    do {
      const { received } = await this.put(offset, limits.slice);
      offset = received || this.file.size;
      reached(offset);
    } while (offset < this.file.size);
  }

  async put(offset, slice) {
    for (let attempt = 0; ; attempt++) {
      try {
        if (attempt) offset = (await this.ask({ method: "GET" })).received; // a broken slice may have arrived in part
        return await this.ask({ method: "PUT", body: this.file.slice(offset, offset + slice) }, offset);
      } catch (error) {
        if (error.final || this.isStopped) throw error;
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
}
