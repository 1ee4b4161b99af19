// What is chosen on the page: model, detector, camera, mirror. Kept with the tab; an address goes before.

const KEPT = "live-choice";

function fill(select, options, chosen) {
  const made = options.map(({ value, text, disabled = false }) =>
    Object.assign(element("option", "", text), { value, disabled, selected: value === chosen }),
  );
  select.replaceChildren(...made);
}

/** The first of wanted names that can be used, else the first that can be; undefined if none can. */
function usableOf(kinds, wanted) {
  const usable = kinds.filter(({ usable: is = true }) => is).map(({ name }) => name);
  return wanted.find((name) => usable.includes(name)) ?? usable[0];
}

class Choices {
  /** `changed` is called when something else is asked for; `say` shows a note. */
  constructor($, { changed, say }) {
    Object.assign(this, { $, changed, say });
    for (const name of [".checkpoint", ".detector"]) {
      $(name).addEventListener("change", () => {
        sessionStorage.setItem(KEPT, JSON.stringify(this.chosen()));
        changed();
      });
    }
  }

  /** What a frame is asked about with. */
  chosen() {
    return { checkpoint: this.$(".checkpoint").value, detector: this.$(".detector").value };
  }

  get isMirrored() {
    return this.$(".mirror").checked;
  }

  /** Ask what there is to choose, and choose what the address or this tab wants. */
  async load(wanted) {
    const { checkpoints, detectors } = await asked("/api/live");
    const kept = JSON.parse(sessionStorage.getItem(KEPT) ?? "{}");
    const named = (kinds, name) => usableOf(kinds, [wanted[name], kept[name]]);
    fill(
      this.$(".checkpoint"),
      checkpoints.map(({ name, title }) => ({ value: name, text: title || name })),
      named(checkpoints, "checkpoint"),
    );
    fill(
      this.$(".detector"),
      detectors.map(({ name, title, usable }) => ({
        value: name, text: usable ? title : `${title} (weights missing)`, disabled: !usable,
      })), // prettier-ignore
      named(detectors, "detector"),
    );
    const missing = detectors.find(({ name, usable }) => name === wanted.detector && !usable);
    if (missing) this.say(`${missing.why} Until then faces are found by another detector.`);
  }

  /** List the cameras, where there are several. */
  showCameras(devices, chosen) {
    this.$(".which").hidden = devices.length < 2;
    const options = devices.map(({ deviceId, label }, i) => ({ value: deviceId, text: label || `camera ${i + 1}` }));
    fill(this.$(".camera"), options, chosen);
  }
}
