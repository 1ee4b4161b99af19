// What is said: why there is no camera, what leaves the page, how a recording is called, and what can be chosen.

const kinds = [{ name: "retina", usable: false }, { name: "mtcnn", usable: true }, { name: "haar", usable: true }];

test("every failure says what is wrong and what to do; twins of other browsers say the same", () => {
  const names = ["insecure", "NotFoundError", "NotAllowedError", "NotReadableError", "unplugged"];
  const words = names.map((name) => failureWords({ name }));
  equal(new Set(words.map(([why]) => why)).size, names.length);
  equal(words.every(([why, next]) => why.endsWith(".") && next.endsWith(".")), true);
  equal(failureWords({ name: "OverconstrainedError" }), words[1]);
  equal(failureWords({ name: "AbortError" }), words[3]);
});

test("an unknown failure is told as the browser told it", () => {
  equal(failureWords({ name: "TypeError", message: "odd" })[0], "The camera could not be started: odd.");
});

test("without a secure page there is no camera, and it is not asked for", async () => {
  Object.defineProperty(window, "isSecureContext", { configurable: true, value: false });
  const error = await new Camera(document.createElement("video"), () => {}).start("").catch((each) => each);
  delete window.isSecureContext;
  equal(error.name, "insecure");
});

test("a camera that comes when the page was left is let go at once", async () => {
  let isLive = true;
  const track = { stop: () => (isLive = false), addEventListener: () => {} };
  const stream = { getTracks: () => [track], getVideoTracks: () => [track] };
  Object.defineProperty(navigator, "mediaDevices", {
    configurable: true, value: { getUserMedia: () => pause(5).then(() => stream) },
  }); // prettier-ignore
  Object.defineProperty(window, "isSecureContext", { configurable: true, value: true });
  const camera = new Camera(document.createElement("video"), () => {});
  const starting = camera.start("");
  camera.stop();
  equal([await starting, isLive], [false, false]);
});

test("the light names the machine, and what of the camera leaves the page", () => {
  const names = [["localhost:8501", "localhost"], ["127.0.0.1:8501", "127.0.0.1"], ["lab:8501", "lab"]];
  equal(names.map((each) => machineOf(...each)), ["this machine", "this machine", "the workbench at lab:8501"]);
  equal(lightWords("off", "this machine", ""), "Camera off. Nothing leaves this page.");
  const words = lightWords("sends", "this machine", "640 × 360");
  equal(words, "Sends small pictures (640 × 360) to this machine only; nothing is stored unless you press Record.");
  equal(lightWords("records", "the workbench at lab", "").includes("to the workbench at lab only"), true);
});

test("a recording is called by its moment, with the ending of its kind", () => {
  const date = new Date(2026, 4, 3, 7, 8, 9);
  equal(nameOf(date, "video/webm;codecs=vp8"), "Live 2026-05-03 07.08.09.webm");
  equal(nameOf(date, "video/mp4"), "Live 2026-05-03 07.08.09.mp4");
  equal([0, 59999, 61000].map(minutes), ["0:00", "0:59", "1:01"]);
});

test("what an address wants goes before what was chosen, and both only where they can be used", () => {
  equal(usableOf(kinds, ["haar", "mtcnn"]), "haar");
  equal(usableOf(kinds, ["retina", "haar"]), "haar");
  equal(usableOf(kinds, ["", undefined]), "mtcnn");
  equal(usableOf([{ name: "net" }], ["other"]), "net");
});

test("screen readers hear of other expressions, not of other shares, and not all the time", () => {
  const root = document.createElement("div");
  root.innerHTML = '<p class="spoken"></p>';
  const voice = new Voice((name) => root.querySelector(name), root);
  const emotions = ["angry", "happy"].map((name) => ({ name, colour: "#000000", group: "" }));
  const say = (happy, now) => {
    voice.speak([{ track: 0, p: { angry: 1 - happy, happy } }], { emotions, groups: [] }, now);
    return root.textContent.replaceAll("\u00a0", " ");
  };
  equal([say(0.9, 0), say(0.8, 5000)], ["Person 1: happy 90 %", "Person 1: happy 90 %"]);
  equal([say(0.1, 5000), say(0.9, 6000)], ["Person 1: angry 90 %", "Person 1: angry 90 %"]);
  equal(say(0.9, 9000), "Person 1: happy 90 %");
});
