"""Ways to colour the points of a map."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from dashboard.components.scatter import Categories, Numbers, Words
from fer_core.emotions import EMOTION_COLOURS, GROUP_COLOURS, GROUPS, group_indices
from fer_core.evaluation import Outcomes, aligned

NONE_COLOUR, RIGHT_COLOURS = "#C9CCD3", ("#D9822B", "#1F6F78")
PAIR_COLOURS = ("#1F6F78", "#4269D0", "#EFB118", "#B5442E")
NAMES = (
    "7 classes",
    "3 groups",
    "answer",
    "answer's group",
    "right or wrong",
    "confidence",
    "which checkpoint is right",
)


def colouring(name: str, found: Outcomes, other: Outcomes | None, group_map: Mapping[str, str]) -> Categories | Numbers:
    """One of ``NAMES`` for every picture of the evaluation; a picture that the label set drops is "not judged"."""
    to_group = group_indices(found.names, group_map)
    if name == "confidence":
        values = np.full(len(found.evaluation.ids), np.nan)
        values[found.rows] = found.confidence
        return Numbers(name, 100 * values, 0, 100, "%")
    if name == "which checkpoint is right" and other is not None:
        return _compared(found, other)
    if name in ("3 groups", "answer's group"):
        given = found.label if name == "3 groups" else found.prediction
        return _classes(name, found, to_group[given], GROUPS, [GROUP_COLOURS[group] for group in GROUPS])
    if name == "right or wrong":
        return _classes(name, found, found.right.astype(np.int64), ("wrong", "right"), RIGHT_COLOURS)
    given = found.prediction if name == "answer" else found.label
    title = "7 classes" if name != "answer" else name
    return _classes(title, found, given, found.names, [EMOTION_COLOURS[each] for each in found.names])


def _classes(name: str, found: Outcomes, values: NDArray, labels: Sequence[str], colours: Sequence[str]) -> Categories:
    spread = np.full(len(found.evaluation.ids), len(labels))
    spread[found.rows] = values
    if len(found.rows) == len(spread):
        return Categories(name, spread, tuple(labels), tuple(colours))
    return Categories(name, spread, (*labels, "not judged"), (*colours, NONE_COLOUR))


def _compared(found: Outcomes, other: Outcomes) -> Categories:
    a, b = aligned(found, other)
    names = a.evaluation.checkpoint, b.evaluation.checkpoint
    values = np.where(a.right, np.where(b.right, 0, 1), np.where(b.right, 2, 3))
    labels = ("both right", f"only {names[0]}", f"only {names[1]}", "both wrong")
    return _classes("which checkpoint is right", a, values, labels, PAIR_COLOURS)


def card_lines(found: Outcomes) -> list[Words]:
    """What the card over a point says."""
    n = len(found.evaluation.ids)
    lines = []
    for title, values in (("labelled", found.label), ("answered", found.prediction)):
        spread = np.full(n, len(found.names))
        spread[found.rows] = values
        lines.append(Words(title, spread, (*found.names, "–")))
    sure = np.full(n, 101)
    sure[found.rows] = np.rint(100 * found.confidence).astype(int)
    lines.append(Words("sure", sure, (*(f"{i} %" for i in range(101)), "–")))
    return lines
