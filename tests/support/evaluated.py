"""Small evaluations made by hand, for tests of what is read from them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fer_core.data import FERPLUS_PROTOCOLS, VOTES, ferplus_labels
from fer_core.emotions import EMOTIONS, EMOTIONS8
from fer_core.evaluation import Evaluation, Outcomes, outcomes


def softmax(logits: NDArray) -> NDArray:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def votes_for(people: Sequence[Mapping[str, int]]) -> NDArray[np.int64]:
    """Votes (n, 10) from what was voted for each picture."""
    return np.array([[each.get(name, 0) for name in VOTES] for each in people], np.int64).reshape(-1, len(VOTES))


def evaluation(
    labels: Sequence[str],
    answers: Sequence[str] = (),
    *,
    sure: NDArray | float = 0.9,
    logits: NDArray | None = None,
    people: Sequence[Mapping[str, int]] | None = None,
    ids: Sequence[str] | None = None,
    **changes: Any,
) -> Evaluation:
    """An evaluation of FER2013 by a network of seven: answers given with confidence ``sure``, the rest shared by the
    other six; or from logits."""
    n = len(labels)
    if logits is None:
        given = np.array([EMOTIONS.index(name) for name in answers], np.int64)
        probabilities = np.tile(((1 - np.broadcast_to(sure, n)) / 6)[:, None], (1, 7))
        probabilities[np.arange(n), given] = sure
        logits = np.log(probabilities)
    own = np.array([EMOTIONS8.index(name) for name in labels], np.int64)
    votes = np.zeros((n, 0), np.int64) if people is None else votes_for(people)
    protocols = {name: ferplus_labels(votes, name) for name in FERPLUS_PROTOCOLS} if people is not None else {}
    names = list(map(chr, range(97, 97 + n))) if n < 27 else list(map(str, range(n)))
    values: dict[str, Any] = {
        "checkpoint": "net",
        "dataset": "fer2013",
        "split": "private_test",
        "ids": np.array(names if ids is None else ids, dtype=str),
        "classes": EMOTIONS,
        "labels": {"fer2013": own, **protocols},
        "votes": votes,
        "logits": logits.astype(np.float32),
        "probabilities": softmax(logits).astype(np.float32),
        "features": np.zeros((n, 0), np.float32),
    }
    return Evaluation(**values | changes)


def judged(checkpoint: str = "net") -> Outcomes:
    """Sixteen pictures with features: all happy ones and neutral ones are right, five of six sad ones are taken for
    neutral."""
    table = evaluation(
        ["happy"] * 6 + ["sad"] * 6 + ["neutral"] * 4, ["happy"] * 6 + ["sad"] + ["neutral"] * 9, checkpoint=checkpoint,
        features=np.random.default_rng(0).normal(size=(16, 8)).astype(np.float32),
    )  # fmt: skip
    return outcomes(table, "fer2013")
