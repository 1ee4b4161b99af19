"""The drop zone: files go to our own route in slices, never through Streamlit's memory."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from dashboard.services.uploads import MAX_BYTES

_FOLDER = Path(__file__).parent
_SLICE_BYTES = 8 * 1024**2


def uploader() -> None:
    """Draw the drop zone; the page runs again after every file that arrived whole."""
    component = st.components.v2.component(
        "fer_uploader",
        html=(_FOLDER / "uploader.html").read_text("utf-8"),
        css=(_FOLDER / "uploader.css").read_text("utf-8"),
        js=(_FOLDER / "uploader.js").read_text("utf-8"),
    )
    component(
        key="uploader",
        data={"slice": _SLICE_BYTES, "limit": MAX_BYTES},
        on_arrived_change=lambda: None,
        width="stretch",
    )
