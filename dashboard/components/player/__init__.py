"""The player: video, overlay, timeline and people of one analysis, as one component that runs in the browser."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from dashboard.components.shared import component
from fer_core.video.keeping import missing_video
from fer_core.video.store import Analysis

_FOLDER = Path(__file__).parent
_SCRIPTS = (
    "data.js", "columns.js", "drawing.js", "words.js", "spans.js", "stage.js", "transport.js", "chart.js",
    "timeline.js", "people.js", "flags.js", "editing.js", "panel.js", "links.js", "keys.js", "player.js",
)  # fmt: skip


@dataclass(frozen=True)
class Chosen:
    """What the user settled on in the player: a span in s (None: nothing is selected), and a person (None: nobody is
    there)."""

    start_s: float | None = None
    end_s: float | None = None
    track: int | None = None


def player(
    analysis: Analysis, *, smoothing_s: float = 0.0, model: str = "", seek: dict[str, Any] | None = None
) -> Chosen:
    """Draw the player; the page runs again when a selection, a person or an edit is settled, never while it plays.

    Args:
        analysis: what to show.
        smoothing_s: window of the smoothing in s.
        model: whose scores; empty is the first model.
        seek: ``time_s`` and ``track`` (or None) to go to, with an ``id``; the same id again only after None moves anew.
    """
    source = analysis.record["source"]
    data = {
        "id": analysis.id,
        "query": urlencode({"smoothing_s": f"{smoothing_s:g}", "model": model}),
        "revision": analysis.revision,
        "media": f"/api/media/{analysis.id}" if analysis.playable() else None,
        "missing": missing_video(analysis) or "No browser can play this video.",
        "picture": source["is_picture"],
        "width": source["width"],
        "height": source["height"],
        "seek": seek,
    }
    said = component(_FOLDER, _SCRIPTS)(
        key=f"player-{analysis.id}", data=data, width="stretch",
        on_selection_change=lambda: None, on_person_change=lambda: None, on_revision_change=lambda: None,
    )  # fmt: skip
    span, people = said.selection or {}, analysis.tracks
    track = said.person if said.person in people else next(iter(people), None)  # as the player itself falls back
    return Chosen(span.get("start_s"), span.get("end_s"), track)
