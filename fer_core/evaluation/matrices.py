"""Confusion matrices of emotions and groups, and what can be read from them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fer_core.emotions import DEFAULT_GROUP_MAP, group_indices, groups_of
from fer_core.evaluation.metrics import confusion_matrix
from fer_core.evaluation.outcome import Outcomes

if TYPE_CHECKING:
    import pandas as pd

Matrix = NDArray[np.int64]


class Confused(NamedTuple):
    """One cell off the diagonal: ``n`` pictures of ``true`` were taken for ``predicted``, which is ``share`` (0-1) of
    all pictures of ``true``."""

    true: str
    predicted: str
    n: int
    share: float


def confusion(outcomes: Outcomes) -> Matrix:
    """Counts (k, k) over ``outcomes.names``: row = label, column = answer."""
    return confusion_matrix(outcomes.label, outcomes.prediction, len(outcomes.names))


def group_confusion(outcomes: Outcomes, group_map: Mapping[str, str] = DEFAULT_GROUP_MAP) -> Matrix:
    """Counts over ``groups_of(group_map)``, three by three or, where surprise stands alone, four by four. The group of
    an answer is that of the top emotion.

    Raises:
        InputError: an impossible group map.
    """
    group = group_indices(outcomes.names, group_map)
    return confusion_matrix(group[outcomes.label], group[outcomes.prediction], len(groups_of(group_map)))


def percent_of(matrix: Matrix, total: Literal["row", "column"]) -> NDArray[np.float64]:
    """The matrix in percent of its rows (what labels became) or columns (what answers were made of); NaN where a row
    or column has no picture."""
    totals = matrix.sum(axis=1, keepdims=True) if total == "row" else matrix.sum(axis=0, keepdims=True)
    return np.where(totals > 0, 100 * matrix / np.maximum(totals, 1), np.nan)


def detected(matrix: Matrix) -> NDArray[np.bool_]:
    """Which classes are detected, bool (k,): the largest cell of the row, and alone the largest, is the diagonal one.

    Source: counted so by the FER2013 study that the product calls ``mbstu-2021`` (its tables 5.1-5.5).
    """
    others = matrix.copy()
    np.fill_diagonal(others, -1)
    return np.asarray((matrix.diagonal() > 0) & (matrix.diagonal() > others.max(axis=1)))


def most_confused(matrix: Matrix, names: Sequence[str], n: int = 5, *, least: int = 5) -> list[Confused]:
    """The up to ``n`` cells off the diagonal with the largest share of their row, among those of at least ``least``
    pictures: a rare emotion's confusions count as much as a frequent one's, but one picture is no confusion."""
    shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    cells = [
        Confused(names[row], names[column], int(matrix[row, column]), float(shares[row, column]))
        for row, column in zip(*np.nonzero(matrix), strict=True)
        if row != column and matrix[row, column] >= least
    ]
    return sorted(cells, key=lambda cell: (-cell.share, -cell.n))[:n]


def in_words(cell: Confused) -> str:
    """Such as "38 % of fear is taken for sad (208 of 528)"."""
    total = round(cell.n / cell.share)
    return f"{100 * cell.share:.0f} % of {cell.true} is taken for {cell.predicted} ({cell.n:,} of {total:,})"


def class_report(outcomes: Outcomes) -> pd.DataFrame:
    """``class``, ``precision``, ``recall``, ``f1`` (0-1) and ``support`` of each class that has pictures or answers;
    NaN where there is nothing to divide by."""
    return _report(confusion(outcomes), outcomes.names)


def group_report(outcomes: Outcomes, group_map: Mapping[str, str] = DEFAULT_GROUP_MAP) -> pd.DataFrame:
    """``class_report`` of the groups.

    Raises:
        InputError: an impossible group map.
    """
    return _report(group_confusion(outcomes, group_map), groups_of(group_map))


def _report(matrix: Matrix, names: Sequence[str]) -> pd.DataFrame:
    import pandas as pd

    right, support, answers = matrix.diagonal(), matrix.sum(axis=1), matrix.sum(axis=0)

    def ratio(part: NDArray, whole: NDArray) -> NDArray[np.float64]:
        return np.where(whole > 0, part / np.maximum(whole, 1), np.nan)

    table = pd.DataFrame(
        {
            "class": names,
            "precision": ratio(right, answers),
            "recall": ratio(right, support),
            "f1": ratio(2 * right, support + answers),
            "support": support,
        }
    )
    return table[support + answers > 0].reset_index(drop=True)
