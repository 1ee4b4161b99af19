"""Labels from FER+ votes, by three protocols that are always named.

FER+ (Barsoum et al. 2016) has ten votes an image. Published accuracies use different rules to turn votes into one
label, and keep different images; a figure without its protocol means little.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fer_core.data.layout import Layout, coded
from fer_core.data.records import VOTES
from fer_core.emotions import EMOTIONS, EMOTIONS8
from fer_core.errors import DataError

FERPLUS_PROTOCOLS: tuple[str, ...] = ("ferplus7", "ferplus8_majority", "ferplus8_argmax")
FERPLUS = Layout(
    key="ferplus",
    title="FER+",
    codes=coded(  # the order of columns in fer2013new.csv
        range(8), ("neutral", "happy", "surprise", "sad", "angry", "disgust", "fear", "contempt")
    ),
    names=("neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt"),
    no_emotion={"8": ("unknown", "unknown"), "9": ("NF", "nf")},
)
"""The classes that people voted for; the pictures are FER2013's."""
FERPLUS_ORDER: tuple[str, ...] = (*FERPLUS.codes.values(), *FERPLUS.reasons.values())
"""``VOTES`` in the order of FER+'s own columns."""
_SEVEN, _EIGHT, _NF = len(EMOTIONS), len(EMOTIONS8), VOTES.index("nf")


def _strict_winner(votes: NDArray) -> NDArray[np.int64]:
    """Column with strictly the most votes, -1 where the first place is shared."""
    ordered = np.sort(votes, axis=1)
    return np.where(ordered[:, -1] > ordered[:, -2], votes.argmax(axis=1), -1)


def _ferplus7(votes: NDArray) -> NDArray[np.int64]:
    winner = _strict_winner(votes)
    return np.where(winner < _SEVEN, winner, -1)


def _ferplus8_majority(votes: NDArray) -> NDArray[np.int64]:
    """As the authors' code tests: single votes are dropped as noise, then the winner needs more than half."""
    kept = np.where(votes > 1, votes, 0)
    winner, share = kept.argmax(axis=1), kept.max(axis=1) / np.maximum(kept.sum(axis=1), 1)
    return np.where((share > 0.5) & (winner < _EIGHT), winner, -1)


def _ferplus8_argmax(votes: NDArray) -> NDArray[np.int64]:
    """Most voted of the eight emotions; an image is dropped where "not a face" has the most votes."""
    return np.where(votes.argmax(axis=1) == _NF, -1, votes[:, :_EIGHT].argmax(axis=1))


_RULES = {"ferplus7": _ferplus7, "ferplus8_majority": _ferplus8_majority, "ferplus8_argmax": _ferplus8_argmax}


def ferplus_labels(votes: NDArray, protocol: str) -> NDArray[np.int64]:
    """Labels (n,) from ``votes`` (n, 10): index into ``EMOTIONS8``, or -1 where the protocol drops the image.

    ``ferplus7``: the top of the seven strictly beats every other class and each of contempt, unknown and
    not-a-face. ``ferplus8_majority``: more than half of the votes (single votes removed), neither unknown nor
    not-a-face. ``ferplus8_argmax``: the most voted of eight, images that are mostly "not a face" dropped.

    Raises:
        DataError: unknown protocol, or no votes.
    """
    if protocol not in _RULES:
        raise DataError(f"Unknown FER+ protocol {protocol!r}; expected one of {', '.join(FERPLUS_PROTOCOLS)}.")
    if votes.ndim != 2 or votes.shape[1] != len(VOTES):
        raise DataError(f"Protocol {protocol} needs FER+ votes (n, {len(VOTES)}), got an array {votes.shape}.")
    return _RULES[protocol](votes)


def vote_distribution(votes: NDArray) -> NDArray[np.float32]:
    """Shares (n, 7) of the seven emotions among the votes for them; rows without any such vote are zero."""
    seven = votes[:, :_SEVEN].astype(np.float32)
    return np.asarray(seven / np.maximum(seven.sum(axis=1, keepdims=True), 1), np.float32)
