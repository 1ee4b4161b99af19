// Files in slices: what is sent, and what happens when a slice is lost.

const LIMITS = { slice: 4, limit: 100 };

const uploadOf = (text) => new Upload(new File([text], "clip.mp4"), document.createElement("ul"));

/** A server that keeps what arrives. `fails` tells whether the n-th request is lost "before" or "after" it arrived. */
function serve(fails = () => "") {
  const server = { text: "", said: [] };
  globalThis.setTimeout = (act) => queueMicrotask(act);
  globalThis.fetch = async (url, { method, body }) => {
    const query = new URLSearchParams(url.split("?")[1]);
    server.said.push(`${method} ${query.get("offset")}/${query.get("total")}`);
    const lost = fails(server.said.length, method);
    if (lost === "before") throw new TypeError("Failed to fetch");
    if (body) server.text += await body.text();
    if (lost === "after") throw new TypeError("Failed to fetch");
    return new Response(JSON.stringify({ received: server.text.length }));
  };
  return server;
}

test("sizes are written in megabytes and from a gigabyte on in gigabytes", () => {
  equal([0, 1234567, 999e6, 1e9, 2 * 1024 ** 3].map(size), ["0.0 MB", "1.2 MB", "999.0 MB", "1.00 GB", "2.15 GB"]);
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
