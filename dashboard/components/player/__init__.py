"""The player: video, overlay, timeline and people of one analysis, as one component that runs in the browser."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import streamlit as st

from fer_core.video.store import Analysis

_FOLDER = Path(__file__).parent


def player(analysis: Analysis, *, smoothing_s: float, seek: dict[str, Any] | None = None) -> None:
    """Draw the player.

    Args:
        analysis: what to show.
        smoothing_s: window of the smoothing in s.
        seek: ``time_s`` and ``track`` to go to, with an ``id``; the same id again only after None moves anew.
    """
    component = st.components.v2.component(
        "fer_player",
        html=(_FOLDER / "player.html").read_text("utf-8"),
        css=(_FOLDER / "player.css").read_text("utf-8"),
        js=(_FOLDER / "player.js").read_text("utf-8"),
    )
    source = analysis.record["source"]
    data = {
        "url": f"/api/timeline/{analysis.id}?smoothing_s={smoothing_s:g}",
        "media": f"/api/media/{analysis.id}" if analysis.playable() else None,
        "picture": source["is_picture"],
        "width": source["width"],
        "height": source["height"],
        "seek": seek,
    }
    component(key=f"player-{analysis.id}", data=data, width="stretch")
