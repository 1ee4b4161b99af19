"""The drop zone: files go to our own route in slices, never through Streamlit's memory."""

from __future__ import annotations

from pathlib import Path

from dashboard.components.shared import component
from dashboard.services.uploads import MAX_BYTES, SLICE_BYTES

_FOLDER = Path(__file__).parent
_SCRIPTS = ("uploader.js",)


def uploader() -> None:
    """Draw the drop zone; the page runs again after every file that arrived whole."""
    component(_FOLDER, _SCRIPTS)(
        key="uploader",
        data={"slice": SLICE_BYTES, "limit": MAX_BYTES},
        on_arrived_change=lambda: None,
        width="stretch",
    )
