"""Figures of merit, from labels and probabilities alone.

Checked in the tests against scikit-learn and by hand. Labels are indices, -1 is not allowed here; probabilities are
(n, k) with rows summing to 1. A label may lie outside the k classes (a network of seven on labels of eight): such an
image counts as wrong. Arrays that do not fit together are a ``DataError``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fer_core.emotions import DEFAULT_GROUP_MAP, EMOTIONS8, group_indices
from fer_core.errors import DataError

Labels = NDArray[np.int64]
Array = NDArray[np.floating]


def _fit(values: Array, labels: Labels) -> None:
    """Raise ``DataError`` unless these are (n, k) and (n,)."""
    if np.ndim(values) != 2:
        raise DataError(f"Expected a row of k values for each image, got the shape {np.shape(values)}.")
    _as_many(values, labels)


def _as_many(some: NDArray[Any], labels: NDArray[Any]) -> None:
    if np.ndim(labels) != 1 or len(some) != len(labels):
        raise DataError(f"Expected as many of both, got the shapes {np.shape(some)} and {np.shape(labels)}.")


def confusion_matrix(labels: Labels, predictions: Labels, n_classes: int) -> NDArray[np.int64]:
    """Counts (n_classes, n_classes): row = true class, column = prediction."""
    _as_many(labels, predictions)
    flat = labels * n_classes + predictions
    return np.bincount(flat, minlength=n_classes * n_classes).reshape(n_classes, n_classes)


def recalls(matrix: NDArray[np.int64]) -> NDArray[np.float64]:
    """Recall of each class from a confusion matrix; NaN for a class without images."""
    totals = matrix.sum(axis=1)
    return np.where(totals > 0, matrix.diagonal() / np.maximum(totals, 1), np.nan)


def expected_calibration_error(probabilities: Array, labels: Labels, *, bins: int = 15) -> float:
    """ECE of the top label in equal-width bins (Guo et al. 2017), 0-1."""
    _fit(probabilities, labels)
    confidence = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == labels
    gaps = np.bincount(bin_of(confidence, bins), weights=right - confidence, minlength=bins)
    return float(np.abs(gaps).sum() / len(labels))


def bin_of(confidence: Array, bins: int) -> Labels:
    """Which of ``bins`` equal bins of 0-1 a confidence (n,) is in. A bin contains its upper edge, not its lower."""
    edges = np.linspace(0, 1, bins + 1)
    return np.clip(np.searchsorted(edges, confidence, side="left") - 1, 0, bins - 1)


def _probability_of(probabilities: Array, labels: Labels) -> Array:
    _fit(probabilities, labels)
    inside = labels < probabilities.shape[1]
    chosen = probabilities[np.arange(len(labels)), np.where(inside, labels, 0)]
    return np.where(inside, chosen, 0.0)


def losses(probabilities: Array, labels: Labels) -> NDArray[np.float64]:
    """-log p(true label) of each (n,), in nats; p is floored at 1e-6."""
    return np.asarray(-np.log(np.maximum(_probability_of(probabilities, labels), 1e-6)), np.float64)


def negative_log_likelihood(probabilities: Array, labels: Labels) -> float:
    """Mean of ``losses``."""
    return float(losses(probabilities, labels).mean())


def brier_score(probabilities: Array, labels: Labels) -> float:
    """Mean squared distance between probabilities and the true label's 0/1 vector, 0-2."""
    truth = _probability_of(probabilities, labels)
    return float(((probabilities**2).sum(axis=1) - 2 * truth + 1).mean())


def fit_temperature(logits: Array, labels: Labels) -> float:
    """Temperature that minimises the negative log-likelihood of ``logits / T`` (Guo et al. 2017); images whose label
    the network does not know do not count.

    Raises:
        DataError: no such image, or other numbers of logits and labels.
    """
    from scipy.optimize import minimize_scalar

    _fit(logits, labels)
    inside = labels < logits.shape[1]
    logits, labels = logits[inside], labels[inside]
    if not len(labels):
        raise DataError("No image has a label that the network knows; there is nothing to fit a temperature on.")

    def loss(log_t: float) -> float:
        z = logits / np.exp(log_t)
        z = z - z.max(axis=1, keepdims=True)
        return float((np.log(np.exp(z).sum(axis=1)) - z[np.arange(len(z)), labels]).mean())

    return float(np.exp(minimize_scalar(loss, bounds=(-2.5, 2.5), method="bounded").x))


def report(
    probabilities: Array, labels: Labels, *, group_map: Mapping[str, str] = DEFAULT_GROUP_MAP
) -> dict[str, float | int | dict[str, float]]:
    """The figures that every evaluation prints.

    ``n, accuracy, macro_recall, worst_recall, worst_class, groups_accuracy, groups_macro_recall, nll, brier, ece,
    recalls``. Macro and worst are over the classes that occur among the labels. The group of a prediction is the group
    of its top emotion.

    Raises:
        DataError: no image at all, or other numbers of probabilities and labels.
    """
    _fit(probabilities, labels)
    if not len(labels):
        raise DataError("No image is left to evaluate under this label protocol.")
    names = EMOTIONS8[: max(probabilities.shape[1], int(np.max(labels)) + 1)]
    predictions = probabilities.argmax(axis=1)
    by_class = recalls(confusion_matrix(labels, predictions, len(names)))
    to_group = group_indices(names, group_map)
    groups = confusion_matrix(to_group[labels], to_group[predictions], 3)
    worst = int(np.nanargmin(by_class))
    return {
        "n": len(labels),
        "accuracy": float((predictions == labels).mean()),
        "macro_recall": float(np.nanmean(by_class)),
        "worst_recall": float(by_class[worst]),
        "worst_class": names[worst],  # type: ignore[dict-item]
        "groups_accuracy": float(groups.trace() / groups.sum()),
        "groups_macro_recall": float(np.nanmean(recalls(groups))),
        "nll": negative_log_likelihood(probabilities, labels),
        "brier": brier_score(probabilities, labels),
        "ece": expected_calibration_error(probabilities, labels),
        "recalls": {name: float(value) for name, value in zip(names, by_class, strict=True) if np.isfinite(value)},
    }
