"""What the components in JavaScript have in common."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import streamlit as st
from streamlit.components.v2.types import ComponentRenderer

_FOLDER = Path(__file__).parent
_SCRIPTS = ("dom.js", "scores.js", "sending.js")


def glued(folder: Path, scripts: Sequence[str]) -> str:
    """Scripts of a component's folder as one module, what all components share first. Only the last one exports."""
    paths = [*(_FOLDER / name for name in _SCRIPTS), *(folder / name for name in scripts)]
    return "\n".join(path.read_text("utf-8") for path in paths)


def component(folder: Path, scripts: Sequence[str]) -> ComponentRenderer:
    """The component of a folder, whose page and style sheet bear its name; called, it is drawn."""
    return st.components.v2.component(
        f"fer_{folder.name}",
        html=(folder / f"{folder.name}.html").read_text("utf-8"),
        css=(folder / f"{folder.name}.css").read_text("utf-8"),
        js=glued(folder, scripts),
    )
