"""Two checkpoints on the same pictures: who errs where, and whether the difference is more than luck."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from fer_core.errors import InputError
from fer_core.evaluation.outcome import Outcomes

if TYPE_CHECKING:
    import pandas as pd

EXACT_BELOW = 25
"""With fewer pictures on which only one of two is right, McNemar's test is computed exactly."""
_PER_PICTURE = ("rows", "label", "prediction", "probabilities", "confidence", "loss", "disagreement", "reason")


def aligned(a: Outcomes, b: Outcomes, *, partly: bool = False) -> tuple[Outcomes, Outcomes]:
    """Both outcomes in the order of ``a``, so that row i is the same picture in both.

    Args:
        a, b: outcomes of two checkpoints on the same pictures, under the same label set.
        partly: if the pictures are not the same, keep those that both have.

    Raises:
        InputError: pictures differ (and ``partly`` is False), none is shared, or a shared one has two labels.
    """
    _, at_a, at_b = np.intersect1d(a.ids, b.ids, assume_unique=True, return_indices=True)
    n = len(at_a)
    if not n or (not partly and not n == len(a) == len(b)):
        raise InputError(
            f"{a.evaluation.checkpoint} answered {len(a):,} pictures and {b.evaluation.checkpoint} {len(b):,}; "
            f"{n:,} are the same. Compare evaluations of the same split, or only what both have."
        )
    order = np.argsort(at_a)
    first, second = _rows(a, at_a[order]), _rows(b, at_b[order])
    if differing := int((first.label != second.label).sum()):
        raise InputError(f"{differing:,} of {n:,} pictures have two labels. Compare under one label set.")
    return first, second


def _rows(given: Outcomes, at: NDArray[np.int64]) -> Outcomes:
    return dataclasses.replace(given, **{name: getattr(given, name)[at] for name in _PER_PICTURE})


def mcnemar(right_a: NDArray[np.bool_], right_b: NDArray[np.bool_]) -> dict[str, float]:
    """McNemar's test of whether two checkpoints err equally often (McNemar 1947; Edwards' continuity correction 1948).

    Args:
        right_a, right_b: bool (n,), the same pictures.

    Returns:
        ``n01`` (only b is right), ``n10`` (only a is right), ``exact`` (1 below 25 such pictures: binomial test, the
        statistic is the smaller count; else 0: chi-square with one degree of freedom), ``statistic``, ``p``.
    """
    from scipy.stats import binomtest, chi2

    n01, n10 = int((~right_a & right_b).sum()), int((right_a & ~right_b).sum())
    n = n01 + n10
    if n < EXACT_BELOW:
        p = float(binomtest(min(n01, n10), n).pvalue) if n else 1.0
        return {"n01": n01, "n10": n10, "exact": 1, "statistic": min(n01, n10), "p": p}
    statistic = (abs(n01 - n10) - 1) ** 2 / n
    return {"n01": n01, "n10": n10, "exact": 0, "statistic": statistic, "p": float(chi2.sf(statistic, 1))}


def class_differences(a: Outcomes, b: Outcomes, n_boot: int = 2000, seed: int = 0) -> pd.DataFrame:
    """Recall of each class, accuracy and macro recall of two aligned outcomes, with intervals of their differences.

    Pictures are drawn with replacement (paired bootstrap; Efron & Tibshirani 1993). Only who of the two is right
    matters, so drawing how many pictures fall into each of class × (right, wrong) × (right, wrong) is the same as
    drawing the pictures one by one.

    Returns:
        A row per class that has pictures, then "accuracy" and "macro recall": ``class``, ``a``, ``b`` (0-1),
        ``difference`` = b − a, ``low`` and ``high`` (95 % percentile interval of the difference).

    Raises:
        InputError: outcomes that ``aligned`` did not make, or none.
    """
    import pandas as pd

    if not len(a) or not np.array_equal(a.ids, b.ids) or not np.array_equal(a.label, b.label):
        raise InputError("Expected outcomes of the same pictures in the same order; align them first.")
    classes, label = np.unique(a.label, return_inverse=True)
    cells = np.bincount(label * 4 + a.right * 2 + b.right, minlength=4 * len(classes))
    draws = np.random.default_rng(seed).multinomial(len(a), cells / len(a), size=n_boot)
    measured_a, measured_b = _figures(cells[None])
    drawn_a, drawn_b = _figures(draws)
    low, high = np.nanpercentile(drawn_b - drawn_a, [2.5, 97.5], axis=0)
    names = [*np.array(a.names if len(a.names) >= len(b.names) else b.names)[classes], "accuracy", "macro recall"]
    return pd.DataFrame(
        {
            "class": names,
            "a": measured_a[0],
            "b": measured_b[0],
            "difference": measured_b[0] - measured_a[0],
            "low": low,
            "high": high,
        }
    )


def _figures(counts: NDArray[np.int64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Recalls, accuracy and macro recall of both, each (m, classes + 2), from counts (m, classes × 4)."""
    by_class = counts.reshape(len(counts), -1, 2, 2)
    totals = by_class.sum(axis=(2, 3))
    figures = []
    for right in (by_class[:, :, 1, :].sum(axis=2), by_class[:, :, :, 1].sum(axis=2)):
        recall = np.where(totals > 0, right / np.maximum(totals, 1), np.nan)
        accuracy = right.sum(axis=1) / totals.sum(axis=1)
        figures.append(np.column_stack([recall, accuracy, np.nanmean(recall, axis=1)]))
    return figures[0], figures[1]


def disagreements(a: Outcomes, b: Outcomes) -> pd.DataFrame:
    """Pictures on which two aligned outcomes answer differently, first those of which both are sure.

    Returns:
        ``row`` (index into the outcomes), ``id``, ``label``, ``a``, ``b`` (their answers), ``confidence_a``,
        ``confidence_b``, ``right`` ("a", "b" or "neither").
    """
    import pandas as pd

    at = np.flatnonzero(np.array(a.names)[a.prediction] != np.array(b.names)[b.prediction])
    table = pd.DataFrame(
        {
            "row": at,
            "id": a.ids[at],
            "label": np.array(a.names)[a.label[at]],
            "a": np.array(a.names)[a.prediction[at]],
            "b": np.array(b.names)[b.prediction[at]],
            "confidence_a": a.confidence[at],
            "confidence_b": b.confidence[at],
            "right": np.where(a.right[at], "a", np.where(b.right[at], "b", "neither")),
        }
    )
    both_sure = -np.minimum(a.confidence[at], b.confidence[at])
    return table.iloc[np.argsort(both_sure, kind="stable")].reset_index(drop=True)
