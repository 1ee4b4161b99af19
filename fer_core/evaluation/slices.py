"""Where a checkpoint errs more than elsewhere: its figures on the darkest, flattest and most blurred pictures.

Slices are made by what can be measured in a picture (``fer_core.faces.crop_qualities``), not by whose face it shows:
the data sets have no labels of age, gender or skin, and a picture's brightness is as much the light's as the skin's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from fer_core.errors import DataError, InputError
from fer_core.evaluation.outcome import Outcomes
from fer_core.faces.records import QUALITIES

if TYPE_CHECKING:
    import pandas as pd

SLICES = 5
MEASURES: tuple[str, ...] = ("accuracy", "macro_recall")
Edges = NDArray[np.floating]


def slice_of(values: NDArray[np.floating], n_slices: int = SLICES) -> tuple[NDArray[np.int64], Edges]:
    """Slices between quantiles, each of as many values as ties allow.

    Args:
        values: (n,), n > 0.
        n_slices: how many are wished for; equal values stay together, so that there may be fewer. None is empty.

    Returns:
        Which slice each value is in, int64 (n,), 0 for the lowest; and the k + 1 edges of the k slices. A slice
        contains its upper edge and not its lower one; only the first contains both.

    Raises:
        DataError: no value.
        InputError: fewer slices than one.
    """
    n = len(values)
    if not n:
        raise DataError("There is no picture; choose a label set or filter that keeps some.")
    if n_slices < 1:
        raise InputError(f"Expected at least one slice, got {n_slices}.")
    last = (np.arange(1, n_slices + 1) * n + n_slices - 1) // n_slices - 1  # of each slice, if there were no ties
    upper = np.unique(np.sort(values)[last])
    return np.searchsorted(upper, values), np.append(values.min(), upper)


def slice_report(
    outcomes: Outcomes, quality: str, *, n_slices: int = SLICES, n_boot: int = 1000, seed: int = 0
) -> pd.DataFrame:
    """Figures of each slice of a quality, and how far they are from those of all other pictures.

    Intervals are 95 % percentile intervals of a bootstrap (Efron & Tibshirani 1993) that draws with replacement within
    each slice. Only label and rightness matter, so drawing how many pictures fall into each of class × (right, wrong)
    is the same as drawing the pictures one by one. In small slices a class with few pictures makes the interval of
    macro recall wide.

    Returns:
        One row per slice, the lowest first: ``low``, ``high`` (see ``slice_of``), ``n``; and for ``accuracy`` and
        ``macro_recall`` (over the classes that occur in the slice), each 0-1: the figure, its ``…_low`` and ``…_high``;
        ``…_difference`` = slice − rest, ``…_difference_low`` and ``…_difference_high`` (NaN where there is no rest).

    Raises:
        DataError: no picture.
        InputError: no such quality, or a table from before it was measured.
    """
    import pandas as pd

    which, edges = slice_of(quality_of(outcomes, quality), n_slices)
    n_cells, n = 2 * len(outcomes.names), np.bincount(which)
    cells = np.bincount((which * n_cells + outcomes.label * 2 + outcomes.right), minlength=len(n) * n_cells)
    cells = cells.reshape(len(n), n_cells)
    rng = np.random.default_rng(seed)
    drawn = np.stack([rng.multinomial(m, row / m, size=n_boot) for m, row in zip(n, cells, strict=True)], axis=1)
    own, less_rest = _figures(cells), _figures(cells) - _figures(_rest(cells))
    own_drawn = _figures(drawn)
    columns: dict[str, NDArray] = {"low": edges[:-1], "high": edges[1:], "n": n}
    for name, figure, draws in (
        ("", own, own_drawn),
        ("_difference", less_rest, own_drawn - _figures(_rest(drawn))),
    ):
        low, high = np.percentile(draws, [2.5, 97.5], axis=0)
        for i, measure in enumerate(MEASURES):
            columns |= {f"{measure}{name}": figure[:, i]}
            columns |= {f"{measure}{name}_low": low[:, i], f"{measure}{name}_high": high[:, i]}
    return pd.DataFrame(columns)


def quality_of(outcomes: Outcomes, quality: str) -> NDArray[np.float32]:
    """A quality of the crops of the outcomes, float32 (n,).

    Raises:
        InputError: no such quality, or a table from before it was measured.
    """
    if quality not in QUALITIES:
        raise InputError(f"Unknown quality {quality!r}; expected one of {', '.join(QUALITIES)}.")
    if quality not in outcomes.evaluation.qualities:
        raise InputError(
            f"The evaluation of {outcomes.evaluation.checkpoint} on {outcomes.evaluation.dataset} is from before "
            f"{quality} was measured. Evaluate again."
        )
    return outcomes.evaluation.qualities[quality][outcomes.rows]


def _rest(cells: NDArray[np.int64]) -> NDArray[np.int64]:
    """Counts (…, k, m) of all other slices."""
    return cells.sum(axis=-2, keepdims=True) - cells


def _figures(cells: NDArray[np.int64]) -> NDArray[np.float64]:
    """Accuracy and macro recall (…, 2) from counts (…, classes × (wrong, right)); NaN where there is no picture."""
    by_class = cells.reshape(*cells.shape[:-1], -1, 2)
    right, totals = by_class[..., 1], by_class.sum(axis=-1)
    n, n_classes = totals.sum(axis=-1), (totals > 0).sum(axis=-1)
    recalls = right / np.maximum(totals, 1)
    figures = right.sum(axis=-1) / np.maximum(n, 1), recalls.sum(axis=-1) / np.maximum(n_classes, 1)
    return np.where((n > 0)[..., None], np.stack(figures, axis=-1), np.nan)
