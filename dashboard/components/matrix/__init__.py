"""The confusion matrix: a table of buttons that chooses a cell, a row or a column."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import streamlit as st
from numpy.typing import ArrayLike, NDArray

from dashboard.components.shared import component
from fer_core.emotions import EMOTION_COLOURS, GROUP_COLOURS

_FOLDER = Path(__file__).parent
_SCRIPTS = ("parts.js", "matrix.js")
_COLOURS = {**GROUP_COLOURS, **EMOTION_COLOURS}
ANY = ("", "")
"""No cell: what the matrix answers when the chosen cell is chosen again."""


def matrix(
    *,
    names: Sequence[str],
    counts: ArrayLike,
    shown: Sequence[Sequence[str]],
    shade: ArrayLike,
    detected: Sequence[bool],
    chosen: tuple[str, str] | None,
    title: str,
    key: str,
    tips: Sequence[Sequence[str]] | None = None,
) -> None:
    """Draw the matrix; ``clicked`` tells what was clicked in it.

    Args:
        names: the k labels; rows are the true ones, columns the predicted ones.
        counts: (k, k) integers; with a negative one among them they are differences of two matrices.
        shown: (k, k) text of each cell.
        shade: (k, k) in -1..1, how strongly each cell is coloured; below 0 in the other colour.
        detected: k flags: the diagonal is the largest of its row, which marks the row.
        chosen: true and predicted label, "" meaning any, so that a whole row or column is chosen.
        tips: (k, k) what pointing at a cell says; None says its count and its share of the row.
    """
    n, k = np.asarray(counts), len(names)
    shades = np.nan_to_num(np.asarray(shade, np.float64)).clip(-1, 1)
    for name, shape in (("counts", n.shape), ("shade", shades.shape), ("shown", np.shape(shown))):
        if shape != (k, k):
            raise ValueError(f"{name}: expected shape {(k, k)}, got {shape}")
    data = {
        "names": list(names),
        "colours": [_COLOURS.get(name, GROUP_COLOURS["neutral"]) for name in names],
        "shown": [list(row) for row in shown],
        "shade": shades.round(4).tolist(),
        "detected": [bool(each) for each in detected],
        "labels": _labels(names, n, shown, detected),
        "tips": _tips(names, n, tips, detected),
        "chosen": _known(chosen, names) or ANY,
        "title": title,
    }
    component(_FOLDER, _SCRIPTS)(key=key, data=data, width="stretch", on_cell_change=lambda: None)


def clicked(key: str, names: Sequence[str]) -> tuple[str, str] | None:
    """What was clicked in the matrix of this key, in the run that the click caused, else None. A page asks before it
    draws anything, so that the click shows everywhere in that run.

    Returns:
        True and predicted label as ``chosen`` of ``matrix``; ``ANY`` when the chosen one was clicked again.
    """
    return _known((st.session_state.get(key) or {}).get("cell"), names)


def _known(cell: object, names: Sequence[str]) -> tuple[str, str] | None:
    """A cell, row or column of this matrix; None for anything else that the page or the browser may say."""
    if not isinstance(cell, list | tuple) or len(cell) != 2 or not all(each in ("", *names) for each in cell):
        return None
    return cell[0], cell[1]


def _labels(
    names: Sequence[str], counts: NDArray[np.int64], shown: Sequence[Sequence[str]], detected: Sequence[bool]
) -> list[list[str]]:
    """(k + 1, k + 1) what a screen reader calls each button, the headers first."""
    table = [["", *(f"all answered {name}" for name in names)]]
    for i, true in enumerate(names):
        row = [f"all labelled {true}{', detected' if detected[i] else ''}"]
        for j, predicted in enumerate(names):
            said = _number(counts[i, j], signed=bool((counts < 0).any()))
            extra = "" if shown[i][j] == said else f", {shown[i][j]}"
            row.append(f"labelled {true}, answered {predicted}: {said}{extra}")
        table.append(row)
    return table


def _tips(
    names: Sequence[str], counts: NDArray[np.int64], given: Sequence[Sequence[str]] | None, detected: Sequence[bool]
) -> list[list[str]]:
    """(k + 1, k + 1) what pointing at each button says, the headers first."""
    signed = bool((counts < 0).any())
    sums = counts.sum(0), counts.sum(1)
    table = [
        ["", *(f"all answered {name}: {_number(n, signed=signed)}" for name, n in zip(names, sums[0], strict=True))]
    ]
    for i, (true, total) in enumerate(zip(names, sums[1], strict=True)):
        head = f"all labelled {true}" + ("" if signed else f": {total}")
        row = [head + (f"\n✓ {true} is its most frequent answer" if detected[i] else "")]
        for j, predicted in enumerate(names):
            words = f"{true} taken for {predicted}" if i != j else f"{true} recognised"
            share = f" of {total} ({100 * counts[i, j] / total:.1f}\u00a0%)" if total and not signed else ""
            row.append(given[i][j] if given else f"{words}: {_number(counts[i, j], signed=signed)}{share}")
        table.append(row)
    return table


def _number(n: int, *, signed: bool) -> str:
    return f"{n:+d}".replace("-", "−") if signed and n else str(n)
