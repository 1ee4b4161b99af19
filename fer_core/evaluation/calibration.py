"""How far a network's confidence can be trusted: reliability, what a threshold buys, what a temperature does."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fer_core.errors import DataError
from fer_core.evaluation.metrics import (
    bin_of,
    brier_score,
    expected_calibration_error,
    fit_temperature,
    negative_log_likelihood,
)
from fer_core.evaluation.outcome import Outcomes

if TYPE_CHECKING:
    import pandas as pd

BINS = 15


class AtThreshold(NamedTuple):
    """Share of pictures that are answered, and share of wrong ones among these (NaN where none is answered)."""

    coverage: float
    risk: float


def reliability(confidence: NDArray[np.floating], right: NDArray[np.bool_], bins: int = BINS) -> pd.DataFrame:
    """Confidence against accuracy in equal bins (Guo et al. 2017).

    Returns:
        One row per bin: ``low``, ``high`` (a bin contains its upper edge, as ``Selection`` does), ``n``, mean
        ``confidence``, ``accuracy`` (NaN where the bin is empty).
    """
    import pandas as pd

    which, edges = bin_of(confidence, bins), np.linspace(0, 1, bins + 1)
    n = np.bincount(which, minlength=bins)

    def mean(values: NDArray) -> NDArray[np.float64]:
        return np.where(n > 0, np.bincount(which, weights=values, minlength=bins) / np.maximum(n, 1), np.nan)

    return pd.DataFrame(
        {"low": edges[:-1], "high": edges[1:], "n": n, "confidence": mean(confidence), "accuracy": mean(right)}
    )


def risk_coverage(confidence: NDArray[np.floating], right: NDArray[np.bool_]) -> pd.DataFrame:
    """What is gained by answering only above a threshold (Geifman & El-Yaniv 2017, arXiv:1705.08500).

    Returns:
        One row per distinct confidence, highest first: ``threshold`` (answer where the confidence is at least this),
        ``coverage`` (share of pictures answered) and ``risk`` (share of wrong ones among them).

    Raises:
        DataError: no picture.
    """
    import pandas as pd

    if not len(confidence):
        raise DataError("There is no picture; choose a label set or filter that keeps some.")
    order = np.argsort(-confidence, kind="stable")
    sure, wrong = confidence[order], np.cumsum(~right[order])
    last = np.flatnonzero(np.append(sure[1:] != sure[:-1], True))  # the last of equal confidences: all or none answered
    answered = last + 1
    return pd.DataFrame(
        {"threshold": sure[last], "coverage": answered / len(sure), "risk": wrong[last] / answered},
    )


def at_threshold(curve: pd.DataFrame, threshold: float) -> AtThreshold:
    """Coverage and risk of a ``risk_coverage`` curve if only confidences of at least ``threshold`` are answered."""
    answered = curve[curve["threshold"] >= threshold]
    if not len(answered):
        return AtThreshold(0.0, float("nan"))
    return AtThreshold(float(answered["coverage"].iloc[-1]), float(answered["risk"].iloc[-1]))


def area_under(curve: pd.DataFrame) -> float:
    """Area under a ``risk_coverage`` curve (AURC), 0-1, lower is better: the mean risk over all coverages
    (Geifman, Uziel & El-Yaniv 2019, arXiv:1805.08206)."""
    steps = np.diff(curve["coverage"].to_numpy(), prepend=0.0)
    return float((curve["risk"].to_numpy() * steps).sum())


def probabilities_at(logits: NDArray[np.floating], temperature: float) -> NDArray[np.float64]:
    """softmax(logits / temperature): float64 (n, k), rows sum to 1. The temperature is above 0."""
    scaled = logits.astype(np.float64) / temperature
    powers = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def calibration_report(outcomes: Outcomes) -> pd.DataFrame:
    """Calibration without a temperature, as stored, and with the best temperature for these very pictures.

    Returns:
        Three rows, ``probabilities`` = "uncalibrated", "as stored", "fitted here": ``temperature`` (NaN where the
        stored probabilities are no softmax of the logits, as those of a mean over views), ``ece`` in 15 bins,
        ``brier``, ``nll`` (nats), and ``is_fitted_here``: True for figures that are too good to be quoted, because the
        temperature saw the labels that it is measured on.

    Raises:
        DataError: no picture.
    """
    import pandas as pd

    if not len(outcomes):
        raise DataError("There is no picture; choose a label set or filter that keeps some.")
    logits = outcomes.evaluation.logits[outcomes.rows].astype(np.float64)
    stored = outcomes.evaluation.probabilities[outcomes.rows].astype(np.float64)
    best = fit_temperature(logits, outcomes.label)
    versions = (
        ("uncalibrated", 1.0, probabilities_at(logits, 1.0)),
        ("as stored", stored_temperature(logits, stored), stored),
        ("fitted here", best, probabilities_at(logits, best)),
    )
    return pd.DataFrame(
        [
            {
                "probabilities": name,
                "temperature": temperature,
                "ece": expected_calibration_error(p, outcomes.label),
                "brier": brier_score(p, outcomes.label),
                "nll": negative_log_likelihood(p, outcomes.label),
                "is_fitted_here": name == "fitted here",
            }
            for name, temperature, p in versions
        ]
    )


def stored_temperature(logits: NDArray[np.floating], probabilities: NDArray[np.floating]) -> float:
    """The temperature at which ``logits`` (n, k) give ``probabilities`` (n, k), or NaN if none does (within 0.001)."""
    top = logits.argmax(axis=1)[:, None]
    told = probabilities > 1e-6  # smaller ones are lost in rounding
    z = np.where(told, logits - np.take_along_axis(logits, top, axis=1), 0)
    log_p = np.log(np.maximum(probabilities, 1e-12))
    log_p = np.where(told, log_p - np.take_along_axis(log_p, top, axis=1), 0)
    inverse = float((z * log_p).sum() / max(float((z * z).sum()), 1e-12))
    if inverse <= 0 or np.abs(probabilities_at(logits, 1 / inverse) - probabilities).max() > 1e-3:
        return float("nan")
    return 1 / inverse
