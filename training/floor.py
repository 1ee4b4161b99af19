"""Classes that a trained network names too rarely: an offset for each, fitted on the choosing split.

It is kept in the bias of the last layer (logit adjustment after training, Menon et al. 2021, arXiv:2007.07314).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from torch import nn

from fer_core.errors import RecipeError
from fer_core.models.registry import EmotionNetwork

STEP, MOST = 0.05, 0.5
SILENT = -1000.0
"""Bias of a class that is never said: nothing is left of it at any temperature, and half precision holds it."""


def recall_offsets(logits: NDArray[np.floating], labels: NDArray[np.integer], floor: float) -> NDArray[np.float64]:
    """What to add to calibrated logits (n, k) so that no class of ``labels`` (n,) has a recall below ``floor`` (0-1).

    The class of the lowest recall is raised by ``STEP``, again and again, each one up to ``MOST`` in all; so the floor
    may not be reached. Labels that are no class of the network, and -1, do not count.
    """
    k = logits.shape[1]
    inside = (labels >= 0) & (labels < k)
    logits, labels = logits[inside].astype(np.float64), labels[inside]
    offsets = np.zeros(k)
    counts = np.bincount(labels, minlength=k)
    while True:
        right = np.bincount(labels[(logits + offsets).argmax(axis=1) == labels], minlength=k)
        can = (counts > 0) & (right < floor * counts) & (offsets < MOST - STEP / 2)
        if not can.any():
            return np.round(offsets, 2)
        offsets[np.where(can, right / np.maximum(counts, 1), np.inf).argmin()] += STEP


def silence(net: EmotionNetwork, classes: Sequence[int]) -> None:
    """Make a network never say some of its classes: as if it had only the others.

    Raises:
        RecipeError: the last layer has no bias.
    """
    offsets = np.zeros(int(_full_head(net).bias.shape[0]))
    offsets[list(classes)] = SILENT
    add_offsets(net, offsets, 1.0)


def add_offsets(net: EmotionNetwork, offsets: NDArray[np.float64], temperature: float) -> None:
    """Add offsets of calibrated logits to the bias of the last layer.

    Raises:
        RecipeError: the last layer has no bias.
    """
    bias = _full_head(net).bias
    bias.data += temperature * bias.new_tensor(offsets)


def _full_head(net: EmotionNetwork) -> nn.Linear:
    head = net.head
    if not isinstance(head, nn.Linear) or head.bias is None:
        raise RecipeError(
            "This needs a network whose last layer is a full one with a bias: a floor, or classes, of a target."
        )
    return head
