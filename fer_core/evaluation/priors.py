"""What another class prior does to a network's figures, and the τ that is called halfway.

See ``fer_core.emotions.prior`` for what is computed. Labels (n,) are indices, probabilities (n, k) calibrated and as
trained.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fer_core.emotions import EMOTIONS8, PRIORS, Prior
from fer_core.errors import DataError
from fer_core.evaluation.metrics import bin_of, confusion_matrix, expected_calibration_error, losses, recalls

MOST_LOST = 0.01
"""So much accuracy (0-1) may *halfway* cost on the pictures that it is fitted on."""
TAUS = tuple(round(step / 20, 2) for step in range(21))
BINS, DRAWS = 15, 1000
_BLOCK = 4_000_000

Array = NDArray[np.floating]
Labels = NDArray[np.int64]


def class_loss(probabilities: Array, labels: Labels) -> float:
    """Class-averaged log loss in nats: the mean over the classes of the mean loss of each one's pictures."""
    each, n = losses(probabilities, labels), np.bincount(labels)
    return float((np.bincount(labels, each)[n > 0] / n[n > 0]).mean())


def fit_halfway(probabilities: Array, labels: Labels, prior: Prior) -> float:
    """Of ``TAUS`` the one with the least ``class_loss`` that costs at most ``MOST_LOST`` accuracy.

    Raises:
        DataError: no picture.
    """
    _check(labels)
    versions = {tau: prior.adjusted(np.asarray(probabilities, np.float64), tau) for tau in TAUS}
    right = {tau: float((p.argmax(axis=1) == labels).mean()) for tau, p in versions.items()}
    bearable = [tau for tau in TAUS if right[tau] >= right[0.0] - MOST_LOST - 1e-9]
    return min(bearable, key=lambda tau: class_loss(versions[tau], labels))


def prior_report(probabilities: Array, labels: Labels, prior: Prior) -> dict[str, dict[str, Any]]:
    """Figures under every choice of ``PRIORS``, by its name.

    Each has ``tau``, ``n``, ``accuracy``, ``macro_recall``, ``recalls``, ``ece``, and 95 % percentile intervals of a
    bootstrap over pictures (Efron & Tibshirani 1993) as ``macro_recall_interval`` and ``ece_interval``. The pictures
    that are drawn are the same for all of them.

    Raises:
        DataError: no picture.
    """
    _check(labels)
    versions = {choice: prior.adjusted(np.asarray(probabilities, np.float64), prior.tau(choice)) for choice in PRIORS}
    drawn = _drawn(list(versions.values()), labels)
    return {
        choice: {"tau": prior.tau(choice), **_figures(p, labels), **intervals}
        for (choice, p), intervals in zip(versions.items(), drawn, strict=True)
    }


def _check(labels: Labels) -> None:
    if not len(labels):
        raise DataError("No image is left to evaluate under this label protocol.")


def _figures(p: Array, labels: Labels) -> dict[str, Any]:
    names = EMOTIONS8[: max(p.shape[1], int(labels.max()) + 1)]
    by_class = recalls(confusion_matrix(labels, p.argmax(axis=1), len(names)))
    return {
        "n": len(labels),
        "accuracy": float((p.argmax(axis=1) == labels).mean()),
        "macro_recall": float(np.nanmean(by_class)),
        "recalls": {name: float(value) for name, value in zip(names, by_class, strict=True) if np.isfinite(value)},
        "ece": expected_calibration_error(p, labels, bins=BINS),
    }


def _drawn(versions: list[Array], labels: Labels) -> Iterator[dict[str, list[float]]]:
    """Intervals of every version. A draw is how often it has each picture, so that all its figures are sums."""
    n, rows = len(labels), np.arange(len(labels))
    classes, of = np.unique(labels, return_inverse=True)
    sums = np.zeros((n, len(classes) + len(versions) * (len(classes) + BINS)), np.float32)
    sums[rows, of] = 1
    for i, p in enumerate(versions):
        first, right = len(classes) + i * (len(classes) + BINS), p.argmax(axis=1) == labels
        sums[rows, first + of] = right
        sums[rows, first + len(classes) + bin_of(p.max(axis=1), BINS)] = right - p.max(axis=1)
    rng, draws = np.random.default_rng(0), []
    for block in np.array_split(np.arange(DRAWS), -(-DRAWS * n // _BLOCK)):
        often = np.stack([np.bincount(rng.integers(n, size=n), minlength=n) for _ in block])
        draws.append(often.astype(np.float32) @ sums)
    total = np.concatenate(draws).astype(np.float64)
    there = np.where(total[:, : len(classes)] > 0, total[:, : len(classes)], np.nan)
    for i in range(len(versions)):
        first = len(classes) + i * (len(classes) + BINS)
        macro = np.nanmean(total[:, first : first + len(classes)] / there, axis=1)
        ece = np.abs(total[:, first + len(classes) : first + len(classes) + BINS]).sum(axis=1) / n
        yield {"macro_recall_interval": _interval(macro), "ece_interval": _interval(ece)}


def _interval(values: NDArray[np.float64]) -> list[float]:
    return [float(each) for each in np.percentile(values, [2.5, 97.5])]
