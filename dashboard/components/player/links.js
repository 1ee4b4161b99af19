// Links: the address of a moment, and going where Python says, be it by an address or a table's row.

/**
 * A moment to go to.
 * @typedef {object} Seek
 * @property {string} id of an address it begins with "link"
 * @property {number} time_s
 * @property {?number} track
 */

/** The address of a moment of an analysis; people count from 1 in it, and `track` null leaves them out. */
function linkOf({ id, time, track }, { origin, pathname }) {
  const words = new URLSearchParams({ analysis: id, t: time.toFixed(6) });
  if (track !== null) words.set("person", track + 1);
  return `${origin}${pathname}?${words}`;
}

class Links {
  constructor(player) {
    this.player = player;
    this.soughtId = null;
    this.followed = new Set();
    player.$(".link").addEventListener("click", () => this.copy());
  }

  /** Whether somebody was sent to where the player is. */
  get isSought() {
    return this.soughtId !== null;
  }

  /** Go to a moment once; null, or the same again, changes nothing.
   * @param {?Seek} seek */
  follow(seek) {
    const { player } = this;
    if (!seek) this.soughtId = null;
    if (!seek || seek.id === this.soughtId || this.followed.has(seek.id)) return;
    this.soughtId = seek.id;
    if (seek.id.startsWith("link")) this.followed.add(seek.id); // an address is followed once
    player.choose(seek.track, true);
    player.seek(seek.time_s);
  }

  async copy() {
    const { player } = this;
    const { id, time } = player;
    const link = linkOf({ id, time, track: player.person()?.track ?? null }, location);
    player.root.dataset.link = link;
    try {
      await navigator.clipboard.writeText(link);
      player.say("The link to this moment is in the clipboard.", 2500);
    } catch {
      player.say(link, 15000); // no leave to use the clipboard: there it is to copy
    }
  }
}
