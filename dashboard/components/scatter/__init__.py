"""The map: embedded points in one or two panels, with a lasso, one view and one selection, drawn in the browser."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import streamlit as st

from dashboard.components.scatter.records import (
    Categories,
    Numbers,
    Picked,
    Trail,
    Words,
    pack,
    pack_mask,
    unpack_mask,
)
from dashboard.components.shared import component
from fer_core.errors import InputError

__all__ = ["Categories", "Numbers", "Picked", "Trail", "Words", "picked", "scatter"]

_FOLDER = Path(__file__).parent
_SCRIPTS = (
    "data.js", "view.js", "drawing.js", "panel.js", "words.js", "painter.js", "card.js", "pointer.js", "picks.js",
    "keys.js", "interaction.js", "scatter.js",
)  # fmt: skip
_KINDS = ("lasso", "point", "path_point")


def scatter(
    key: str,
    *,
    positions: np.ndarray | str,
    n: int,
    dimensions: int,
    colourings: Sequence[Categories | Numbers],
    panels: tuple[int, ...] = (0,),
    selected: np.ndarray | None = None,
    chosen: int | None = None,
    pictures: str | None = None,
    hover: Sequence[Words] = (),
    path: Trail | None = None,
    height: int = 460,
) -> Picked:
    """Draw the map; the page runs again when a lasso is closed or a point is clicked.

    The browser shows a lasso at once; from the run on that follows the page's hearing of it, ``selected`` is the truth.
    Zoom and turn stay as they are as long as the positions do.

    Args:
        key: of the component, unique on the page.
        positions: float (n, dimensions), or the address of a route of our own that answers with them as float32, little
            endian, row by row; the address must change with the positions. Points with a NaN have no place; the map
            says how many they are.
        n: number of points.
        dimensions: 2 or 3.
        colourings: ways to colour the points.
        panels: which colourings are drawn, one or two, side by side.
        selected: bool (n,), drawn in full colour while the others fade; None: no selection.
        chosen: the point with a ring.
        pictures: address of a point's picture, with ``{row}``; without a picture there, only words are shown.
        hover: lines of the card over a point; without any, the colourings in view.
        path: faces of a video on the same map.
        height: of a panel in px.

    Raises:
        InputError: an array does not have n rows, or a panel is not a colouring.
    """
    _check(positions, n, dimensions, [*colourings, *hover], panels, len(colourings), selected, path)
    inline = None if isinstance(positions, str) else pack(positions, "<f4")
    data = {
        "id": positions if isinstance(positions, str) else hashlib.sha256(f"{n} {inline}".encode()).hexdigest()[:16],
        "url": positions if isinstance(positions, str) else None,
        "positions": inline,
        "n": int(n),
        "dimensions": int(dimensions),
        "colourings": [colouring.packed() for colouring in colourings],
        "panels": [int(panel) for panel in panels],
        "selected": None if selected is None else pack_mask(selected),
        "chosen": None if chosen is None else int(chosen),
        "pictures": pictures,
        "hover": [words.packed() for words in hover],
        "path": None if path is None else path.packed(colourings),
        "height": height,
        "taken": _memory(key)["taken"],
    }
    component(_FOLDER, _SCRIPTS)(key=key, data=data, width="stretch", on_picked_change=lambda: _hear(key))
    return picked(key, n)


def picked(key: str, n: int) -> Picked:
    """What was picked in the map of this key since it was last asked, each pick once.

    A page that asks before it draws anything shows the new selection everywhere in the same run; ``scatter`` then has
    nothing more to tell.

    Args:
        key: as given to ``scatter``.
        n: number of its points.
    """
    memory = _memory(key)
    waiting, memory["waiting"] = memory["waiting"], {}
    memory["taken"] = max([memory["taken"], *memory["told"].values()])
    lasso, point, path_point = (waiting.get(kind) for kind in _KINDS)
    rows = None if lasso is None else unpack_mask(lasso, n) if lasso else ()
    return Picked(rows, point if point is not None and 0 <= point < n else None, path_point)


def _memory(key: str) -> dict[str, Any]:
    """Of one map: the number of the last pick that the page has ``taken``, the last ``told`` of each kind, and what is
    ``waiting`` to be taken."""
    return st.session_state.setdefault(f"{key}-picked", {"taken": 0, "told": {}, "waiting": {}})


def _hear(key: str) -> None:
    """Keep what the browser tells, ``{kind: [number, value]}``. It tells a pick again until it was taken, since a run
    may be given up for the next one before it hears."""
    memory = _memory(key)
    for kind, (number, value) in (st.session_state[key].get("picked") or {}).items():
        if kind in _KINDS and number > memory["told"].get(kind, 0):
            memory["told"][kind] = number
            memory["waiting"][kind] = value


def _check(
    positions: np.ndarray | str,
    n: int,
    dimensions: int,
    columns: Sequence[Categories | Numbers | Words],
    panels: tuple[int, ...],
    n_colourings: int,
    selected: np.ndarray | None,
    path: Trail | None,
) -> None:
    if dimensions not in (2, 3):
        raise InputError(f"Expected 2 or 3 dimensions, got {dimensions}.")
    if not isinstance(positions, str) and positions.shape != (n, dimensions):
        raise InputError(f"Expected positions ({n}, {dimensions}), got {positions.shape}.")
    for column in columns:
        if len(column.values) != n:
            raise InputError(f"Expected {n} values for {column.name}, got {len(column.values)}.")
    if len(panels) not in (1, 2) or not all(0 <= panel < n_colourings for panel in panels):
        raise InputError(f"Expected one or two of {n_colourings} colourings, got {panels}.")
    if selected is not None and selected.shape != (n,):
        raise InputError(f"Expected a selection ({n},), got {selected.shape}.")
    if path is not None and path.positions.shape[1] != dimensions:
        raise InputError(f"Expected a trail in {dimensions} dimensions, got {path.positions.shape[1]}.")
