// Files in slices: what is sent, and what happens when a slice is lost.

const LIMITS = { slice: 4, limit: 100 };

/** A storage that is empty; a blank page has none. */
function emptyStorage() {
  const kept = Object.create({
    setItem(key, value) {
      this[key] = value;
    },
    getItem(key) {
      return this[key];
    },
    removeItem(key) {
      delete this[key];
    },
  });
  Object.defineProperty(globalThis, "localStorage", { value: kept, configurable: true });
  return kept;
}

const uploadOf = (text) => new Upload(new File([text], "clip.mp4"), document.createElement("ul"));

/** A server that keeps what arrives. `fails` tells whether the n-th request is lost "before" or "after" it arrived. */
function serve(fails = () => "") {
  const server = { text: "", said: [] };
  globalThis.setTimeout = (act) => queueMicrotask(act);
  globalThis.fetch = async (url, { method = "GET", body } = {}) => {
    const query = new URLSearchParams(url.split("?")[1]);
    server.said.push(`${method} ${query.get("offset")}/${query.get("total")}`);
    const lost = fails(server.said.length, method);
    if (lost === "before") throw new TypeError("Failed to fetch");
    if (body) server.text += await body.text();
    if (lost === "after") throw new TypeError("Failed to fetch");
    return new Response(JSON.stringify({ received: server.text.length, total: server.total ?? 0 }));
  };
  return server;
}

test("sizes are written in megabytes and from a gigabyte on in gigabytes", () => {
  equal([0, 1234567, 999e6, 1e9, 2 * 1024 ** 3].map(fileSize), ["0.0 MB", "1.2 MB", "999.0 MB", "1.00 GB", "2.15 GB"]);
});

test("a file is sent in slices, the last one shorter", async () => {
  const server = serve();
  equal(await uploadOf("0123456789").send(LIMITS), true);
  equal([server.text, server.said], ["0123456789", ["PUT 0/10", "PUT 4/10", "PUT 8/10"]]);
});

test("a file of whole slices has no empty slice at its end", async () => {
  const server = serve();
  await uploadOf("01234567").send(LIMITS);
  equal(server.said, ["PUT 0/8", "PUT 4/8"]);
});

test("after a lost answer the file goes on where the server is", async () => {
  const server = serve((n) => (n === 2 ? "after" : ""));
  equal(await uploadOf("0123456789").send(LIMITS), true);
  equal(server.text, "0123456789");
  equal(server.said, ["PUT 0/10", "PUT 4/10", "GET 0/10", "PUT 8/10"]);
});

test("a slice that was lost is sent again", async () => {
  const server = serve((n) => (n === 2 ? "before" : ""));
  equal(await uploadOf("0123456789").send(LIMITS), true);
  equal(server.text, "0123456789");
});

test("a file gives up after five attempts and says so", async () => {
  serve(() => "before");
  const upload = uploadOf("0123");
  equal(await upload.send(LIMITS), false);
  const { textContent: words } = upload.row.querySelector(".error");
  equal(words, "The connection to the workbench is lost. Is it still running?");
});

test("what the server refuses is not sent again, and its words are shown; an empty file, too", async () => {
  for (const text of ["0123456789", ""]) {
    let n = 0;
    globalThis.fetch = () => {
      n += 1;
      return Promise.resolve(new Response('{"error": "clip.mp4 is no video."}', { status: 400 }));
    };
    const upload = uploadOf(text);
    equal([await upload.send(LIMITS), n], [false, 1]);
    equal(upload.row.querySelector(".error").textContent, "clip.mp4 is no video.");
  }
});

test("a file above the limit is not sent at all", async () => {
  const server = serve();
  const upload = uploadOf("0".repeat(101));
  equal([await upload.send(LIMITS), server.said], [false, []]);
  equal(upload.row.textContent.includes("clip.mp4 is larger than 0.0 MB. Cut or compress it first."), true);
});

test("a file that was stopped is not sent", async () => {
  const server = serve();
  const upload = uploadOf("0123");
  upload.close();
  equal(await upload.send(LIMITS), false);
  equal(server.said.filter((each) => each.startsWith("PUT")), []);
});

test("after a reload of the page the same file goes on where the server is", async () => {
  const kept = emptyStorage();
  const file = new File(["0123456789"], "a:b.mp4", { lastModified: 5 });
  kept["fer-upload:10:5:a:b.mp4"] = "0f";
  const server = serve();
  Object.assign(server, { text: "0123", total: 10 });
  const upload = new Upload(file, document.createElement("ul"));
  equal([upload.id, await upload.send(LIMITS)], ["0f", true]);
  equal([server.text, server.said.slice(1)], ["0123456789", ["PUT 4/10", "PUT 8/10"]]);
  equal(unfinished.all(), []);
});

test("what the server has no more is sent from its beginning, under another id", async () => {
  const kept = emptyStorage();
  kept["fer-upload:4:5:a.mp4"] = "0f";
  const server = serve();
  const upload = new Upload(new File(["0123"], "a.mp4", { lastModified: 5 }), document.createElement("ul"));
  equal([await upload.send(LIMITS), server.text, upload.id === "0f"], [true, "0123", false]);
});

test("a file that is on its way is remembered until it is there, refused or stopped", async () => {
  for (const end of ["there", "refused", "stopped"]) {
    const kept = emptyStorage();
    const server = serve();
    const upload = uploadOf("01234567");
    const { fetch } = globalThis;
    globalThis.fetch = async (url, request) => {
      if (request.method === "PUT") equal(Object.values(kept), [upload.id]);
      if (request.method === "PUT" && end === "stopped") upload.close();
      return end === "refused" ? new Response('{"error": "no"}', { status: 422 }) : await fetch(url, request);
    };
    await upload.send(LIMITS);
    equal([end, Object.keys(kept)], [end, []]);
    equal(server.text, end === "there" ? "01234567" : server.text);
  }
});

test("a reminder stands for what was on its way, and goes when the file is chosen again or dropped", async () => {
  const kept = emptyStorage();
  const uploader = new Uploader(dropZone());
  kept["fer-upload:10:5:a.mp4"] = "0f";
  kept["fer-upload:9:5:gone.mp4"] = "1f";
  kept.other = "not ours";
  const asked = [];
  globalThis.fetch = async (url, { method } = {}) => {
    asked.push(`${method ?? "GET"} ${url}`);
    return new Response(JSON.stringify(url.endsWith("0f") ? { received: 4e6, total: 1e7 } : { received: 0, total: 0 }));
  };
  await uploader.remind();
  const rows = () => [...uploader.list.children].map((row) => row.querySelector(".state").textContent);
  equal(rows()[0], "4.0 MB of 10.0 MB are here; choose the file again to go on");
  equal(Object.keys(kept), ["fer-upload:10:5:a.mp4", "other"]);
  for (const row of uploader.list.querySelectorAll("button")) row.click();
  equal([rows(), Object.keys(kept), asked.at(-1)], [[], ["other"], "DELETE /api/upload/0f"]);
});

function dropZone() {
  const root = document.createElement("div");
  root.innerHTML = '<label class="zone"><input type="file"></label><ul class="files"></ul>';
  return root;
}
