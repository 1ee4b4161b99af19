"""What a checkpoint answered, picture by picture, under one label set: right or wrong, how sure, and why it erred.

Every view of the errors (matrix, gallery, map, calibration) reads these arrays, so that all of them count the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from fer_core.data import FERPLUS_PROTOCOLS, VOTES, ferplus_labels
from fer_core.emotions import EMOTIONS, EMOTIONS8
from fer_core.errors import InputError
from fer_core.evaluation.metrics import losses
from fer_core.evaluation.tables import Evaluation

if TYPE_CHECKING:
    import pandas as pd

REASONS: tuple[str, ...] = ("", "people split", "label doubtful", "model alone")
"""Why an answer is wrong, as far as ten people's votes can tell, see ``Outcomes.reason``."""
ORDERS: tuple[str, ...] = ("confidence", "loss", "disagreement")


@dataclass(frozen=True, eq=False)
class Outcomes:
    """What a checkpoint answered for the n pictures that a label set keeps.

    Attributes:
        evaluation: the table.
        label_set: one of its label sets.
        rows: int64 (n,), row of the table.
        names: ``EMOTIONS``, or ``EMOTIONS8`` where the labels or the network know contempt.
        label, prediction: int64 (n,), index into ``names``.
        probabilities: float64 (n, len(names)); 0 for a class that the network does not know.
        confidence: float64 (n,), probability of the prediction, 0-1.
        loss: float64 (n,), -log of the label's probability in nats; the probability is floored at 1e-6.
        disagreement: float64 (n,), total variation distance, 0-1, between the probabilities and the votes for the
            classes that the network knows; NaN without such votes.
        reason: int8 (n,), index into ``REASONS``; 0 for right answers and without votes. An error is

            * "people split" if no emotion of the label set has more than half of all votes (so also where contempt
              among seven, "cannot say" or "not a face" leads);
            * else "label doubtful" if the emotion with that majority is not the label;
            * else "model alone": people agree, and with the label.
    """

    evaluation: Evaluation
    label_set: str
    rows: NDArray[np.int64]
    names: tuple[str, ...]
    label: NDArray[np.int64]
    prediction: NDArray[np.int64]
    probabilities: NDArray[np.float64]
    confidence: NDArray[np.float64]
    loss: NDArray[np.float64]
    disagreement: NDArray[np.float64]
    reason: NDArray[np.int8]

    def __repr__(self) -> str:
        of = self.evaluation
        right = f", {(self.label == self.prediction).mean():.1%} right" if len(self.rows) else ""
        told = f"{len(self.rows)} pictures judged by {self.label_set}{right}"
        return f"<Outcomes of {of.checkpoint} on {of.dataset} {of.split}: {told}>"

    def __post_init__(self) -> None:
        n = len(self.rows)
        for name in ("label", "prediction", "confidence", "loss", "disagreement", "reason"):
            if getattr(self, name).shape != (n,):
                raise InputError(f"Expected {name} ({n},), got {getattr(self, name).shape}.")
        if self.probabilities.shape != (n, len(self.names)):
            raise InputError(f"Expected probabilities ({n}, {len(self.names)}), got {self.probabilities.shape}.")

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def right(self) -> NDArray[np.bool_]:
        """bool (n,)"""
        return np.asarray(self.prediction == self.label)

    @property
    def ids(self) -> NDArray[np.str_]:
        """str (n,)"""
        return self.evaluation.ids[self.rows]

    @property
    def people(self) -> NDArray[np.str_]:
        """str (n,), who is shown; "" where nobody says"""
        return self.evaluation.people[self.rows]

    @property
    def votes(self) -> NDArray[np.int64]:
        """int64 (n, 10) or (n, 0)"""
        return self.evaluation.votes[self.rows]


def outcomes(
    evaluation: Evaluation,
    label_set: str,
    *,
    without_doubtful: bool = False,
    corrections: Mapping[str, str | None] | None = None,
) -> Outcomes:
    """Compare a table with the labels of a label set.

    Args:
        evaluation: the table.
        label_set: one of ``evaluation.label_sets``.
        without_doubtful: leave out pictures whose label ``doubtful`` doubts (after the corrections).
        corrections: a reviewer's decisions, id → emotion, None to leave the picture out. Ids of other tables are
            ignored, and a picture that the label set drops stays dropped.

    Raises:
        InputError: no such label set, or a correction to something that is no emotion.
    """
    labels = _corrected(evaluation, _labels(evaluation, label_set), corrections or {})
    kept = labels >= 0
    if without_doubtful:
        kept &= ~_differs_from_voters(evaluation, labels)
    rows = np.flatnonzero(kept)
    label = labels[rows]
    n_emotions = _n_emotions(label_set, evaluation.labels[label_set])
    n_names = max(n_emotions, len(evaluation.classes), 1 + int(label.max(initial=0)))
    names = EMOTIONS8 if n_names > len(EMOTIONS) else EMOTIONS
    probabilities = np.zeros((len(rows), len(names)))
    probabilities[:, : len(evaluation.classes)] = evaluation.probabilities[rows]
    prediction = probabilities.argmax(axis=1)
    votes = evaluation.votes[rows]
    return Outcomes(
        evaluation=evaluation,
        label_set=label_set,
        rows=rows,
        names=names,
        label=label,
        prediction=prediction,
        probabilities=probabilities,
        confidence=probabilities.max(axis=1),
        loss=losses(probabilities, label),
        disagreement=_disagreement(votes, probabilities[:, : len(evaluation.classes)]),
        reason=np.where(prediction == label, 0, _reasons(votes, label, n_emotions)).astype(np.int8),
    )


def _labels(evaluation: Evaluation, label_set: str) -> NDArray[np.int64]:
    if label_set not in evaluation.labels:
        known = ", ".join(evaluation.labels)
        raise InputError(f"{evaluation.dataset} has no label set {label_set!r} here; choose one of {known}.")
    return evaluation.labels[label_set]


def _corrected(
    evaluation: Evaluation, labels: NDArray[np.int64], corrections: Mapping[str, str | None]
) -> NDArray[np.int64]:
    if not corrections:
        return labels
    labels, row_of = labels.copy(), {name: row for row, name in enumerate(evaluation.ids.tolist())}
    for name, emotion in corrections.items():
        if emotion is not None and emotion not in EMOTIONS8:
            raise InputError(f"The label of {name[:60]!r} is corrected to {emotion!r}, which is no emotion.")
        row = row_of.get(name)
        if row is not None and labels[row] >= 0:
            labels[row] = -1 if emotion is None else EMOTIONS8.index(emotion)
    return labels


def _n_emotions(label_set: str, labels: NDArray[np.int64]) -> int:
    """7, or 8 for a label set that has contempt."""
    has_contempt = label_set.startswith("ferplus8") or (labels == len(EMOTIONS)).any()
    return len(EMOTIONS8) if has_contempt else len(EMOTIONS)


def _reasons(votes: NDArray[np.int64], label: NDArray[np.int64], n_emotions: int) -> NDArray[np.int64]:
    if not votes.shape[1]:
        return np.zeros(len(label), np.int64)
    of_emotions = votes[:, :n_emotions]
    agreed = 2 * of_emotions.max(axis=1) > votes.sum(axis=1)
    reason = np.where(~agreed, 1, np.where(of_emotions.argmax(axis=1) != label, 2, 3))
    return np.where(votes.sum(axis=1) > 0, reason, 0)


def _disagreement(votes: NDArray[np.int64], probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
    if not votes.shape[1]:
        return np.full(len(votes), np.nan)
    known = votes[:, : probabilities.shape[1]]
    total = known.sum(axis=1)
    distance = 0.5 * np.abs(known / np.maximum(total, 1)[:, None] - probabilities).sum(axis=1)
    return np.where(total > 0, distance, np.nan)


def doubtful(evaluation: Evaluation, label_set: str) -> NDArray[np.bool_]:
    """Whether FER+ voters clearly say something else than the label: bool (len(evaluation),).

    True where one of the seven emotions has strictly the most votes (protocol ``ferplus7``) and is not the label;
    False where the voters are of no one mind, where there is no label, and everywhere without FER+ labels.

    Raises:
        InputError: no such label set.
    """
    return _differs_from_voters(evaluation, _labels(evaluation, label_set))


def _differs_from_voters(evaluation: Evaluation, labels: NDArray[np.int64]) -> NDArray[np.bool_]:
    if "ferplus7" not in evaluation.labels:
        return np.zeros(len(labels), bool)
    winner = evaluation.labels["ferplus7"]
    return np.asarray((winner >= 0) & (labels >= 0) & (winner != labels))


def human_agreement(given: Outcomes) -> tuple[float, str]:
    """How often one person gives the label, 0-1, and in words how that was counted; a yardstick for an accuracy.

    For the data set's own labels: the share of FER+ votes that name the label. For a FER+ label set, whose labels are
    made of the votes, each vote is taken out in turn and compared with the label that the other votes give by the same
    rule; where they give none (a tie, say), the vote is not counted, just as pictures without a label are not counted
    for a network. NaN without votes.
    """
    votes = given.votes
    if not votes.sum():
        return float("nan"), "unknown: this table has no votes of several people"
    shares = votes / np.maximum(votes.sum(axis=1, keepdims=True), 1)
    voted = votes.sum(axis=1) > 0
    if given.label_set not in FERPLUS_PROTOCOLS:
        named = shares[np.arange(len(votes)), given.label][voted]
        return float(named.mean()), f"how often one FER+ tagger names this label ({voted.sum():,} pictures)"
    agreed = counted = 0.0
    for option in range(len(VOTES)):
        others = votes.copy()
        others[:, option] = np.maximum(others[:, option] - 1, 0)
        theirs = ferplus_labels(others, given.label_set)
        agreed += shares[theirs == option, option].sum()
        counted += shares[theirs >= 0, option].sum()
    words = (
        f"how often one FER+ tagger names the label that the others give by the same rule ({voted.sum():,} pictures)"
    )
    return float(agreed / counted) if counted else float("nan"), words


def ordered(given: Outcomes, mask: NDArray[np.bool_], by: str = "confidence") -> NDArray[np.int64]:
    """Indices into the outcomes of those in ``mask`` (n,), the most striking first: the surest answers, the largest
    losses, or the largest disagreement with people (unknown last).

    Raises:
        InputError: another order than one of ``ORDERS``.
    """
    if by not in ORDERS:
        raise InputError(f"Unknown order {by!r}; expected one of {', '.join(ORDERS)}.")
    chosen = np.flatnonzero(mask)
    values = np.nan_to_num(getattr(given, by)[chosen], nan=-1.0)
    return np.asarray(chosen[np.argsort(-values, kind="stable")])


def selection_table(given: Outcomes, mask: NDArray[np.bool_]) -> pd.DataFrame:
    """The pictures in ``mask`` (n,) as a table for a file, in the order of the data set.

    Columns: ``id``, ``label``, ``prediction``, ``confidence``, ``loss`` (nats), ``reason``, ``p_*`` of the classes that
    the network knows, ``votes_*`` where there are votes.
    """
    import pandas as pd

    at, names = np.flatnonzero(mask), np.array(given.names)
    columns = {
        "id": given.ids[at],
        "label": names[given.label[at]],
        "prediction": names[given.prediction[at]],
        "confidence": given.confidence[at],
        "loss": given.loss[at],
        "reason": np.array(REASONS)[given.reason[at]],
    }
    columns |= {f"p_{name}": given.probabilities[at, i] for i, name in enumerate(given.evaluation.classes)}
    if given.evaluation.has_votes:
        columns |= {f"votes_{name}": given.votes[at, i] for i, name in enumerate(VOTES)}
    return pd.DataFrame(columns)
