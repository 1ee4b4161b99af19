"""Whether a network's labels are in the order that it was taught: a list that is permuted shows in its answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fer_core.evaluation.metrics import confusion_matrix

MUCH = 0.15
"""Accuracy that another order must gain before anybody is told of it."""
FEWEST = 30
"""Pictures below which nothing is said: among a few, some order fits by chance."""


@dataclass(frozen=True)
class BetterOrder:
    """An order of a network's labels that fits the pictures better.

    Attributes:
        accuracy, better: share of right answers as the labels are, and in that order (0-1).
        order: for each output the label, index into the labels, that it should have.
    """

    accuracy: float
    better: float
    order: tuple[int, ...]

    def in_words(self, labels: Sequence[str]) -> str:
        """What is wrong, with the labels that look exchanged."""
        moved = (f"{own} is {labels[i]}" for own, i in zip(labels, self.order, strict=True) if labels[i] != own)
        return (
            f"The labels look permuted: {self.accuracy:.0%} of the answers are right, and {self.better:.0%} would be "
            f"if what it calls {', what it calls '.join(moved)}."
        )


def better_order(probabilities: NDArray[np.floating], labels: NDArray[np.int64]) -> BetterOrder | None:
    """The order of a network's labels that fits labelled pictures best, where it is far better than the one they have.

    Args:
        probabilities: (n, k).
        labels: (n,), 0 to k - 1; others do not count.
    """
    from scipy.optimize import linear_sum_assignment

    k = probabilities.shape[1]
    inside = (labels >= 0) & (labels < k)
    said, truth = probabilities[inside].argmax(axis=1), labels[inside]
    if len(truth) < FEWEST:
        return None
    counts = confusion_matrix(truth, said, k)
    rows, columns = linear_sum_assignment(counts + 1e-3 * np.eye(k), maximize=True)  # of equal ones the order as it is
    order = np.empty(k, np.int64)
    order[columns] = rows
    accuracy, better = float(counts.trace() / len(truth)), float(counts[rows, columns].sum() / len(truth))
    return BetterOrder(accuracy, better, tuple(order.tolist())) if better - accuracy > MUCH else None
