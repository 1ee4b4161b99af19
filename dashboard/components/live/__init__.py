"""The camera of the browser: its picture at once, what is seen in it over it, and recordings that become analyses."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dashboard.components.shared import component
from dashboard.services.uploads import MAX_BYTES, SLICE_BYTES
from fer_core.emotions import DEFAULT_GROUP_MAP, EMOTION_COLOURS, EMOTIONS, EMOTIONS8, GROUP_COLOURS, GROUPS
from fer_core.video.reasons import REASONS

_FOLDER = Path(__file__).parent
_SCRIPTS = (
    "motion.js", "pace.js", "sender.js", "camera.js", "recorder.js", "minute.js", "cards.js", "voice.js", "settings.js",
    "live.js",
)  # fmt: skip


@dataclass(frozen=True)
class Recorded:
    """A recording that arrived, as the ready job of this id, and what was chosen while it was made."""

    job: str
    checkpoint: str
    detector: str


@dataclass(frozen=True)
class Said:
    """What came from the component in this run of the page."""

    recorded: Recorded | None = None
    still: bool = False


def live(*, checkpoint: str = "", detector: str = "") -> Said:
    """Draw the component; the page runs again when a recording is here, or a still picture is wanted.

    Args:
        checkpoint, detector: what is asked for, as by an address; empty for what was chosen before.
    """
    data = {
        "emotions": [
            {"name": name, "colour": EMOTION_COLOURS[name], "group": DEFAULT_GROUP_MAP[name]} for name in EMOTIONS8
        ],
        "usual": len(EMOTIONS),
        "groups": [{"name": name, "colour": GROUP_COLOURS[name]} for name in GROUPS],
        "reasons": {reason.code: {"title": reason.title, "text": reason.text} for reason in REASONS},
        "wanted": {"checkpoint": checkpoint, "detector": detector},
        "slice": SLICE_BYTES,
        "limit": MAX_BYTES,
    }
    said = component(_FOLDER, _SCRIPTS)(
        key="live", data=data, width="stretch", on_arrived_change=lambda: None, on_still_change=lambda: None
    )
    return Said(_recorded(said.arrived), bool(said.still))


def _recorded(said: Any) -> Recorded | None:
    return Recorded(said["id"], said["checkpoint"], said["detector"]) if said else None
