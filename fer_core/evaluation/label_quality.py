"""Labels that look wrong, by confident learning, and how well that list agrees with what people voted.

Confident learning (Northcutt, Jiang & Chuang 2021, arXiv:1911.00068) takes a network's word against a label only where
the network is at least as sure as it is, on average, of pictures that carry the other label. It needs answers to
pictures that the network did not learn from: tables of test splits, not of training.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from fer_core.data import FERPLUS_PROTOCOLS
from fer_core.errors import InputError
from fer_core.evaluation.metrics import confusion_matrix
from fer_core.evaluation.outcome import Outcomes

if TYPE_CHECKING:
    import pandas as pd

KS: tuple[int, ...] = (100, 500, 1000)


@dataclass(frozen=True, eq=False)
class LabelQuality:
    """How well ``suspicious`` finds labels that FER+ voters contradict.

    Attributes:
        judged: pictures on which the voters have a strict winner (``ferplus7``); only these count.
        contradicted: those of them whose label is not that winner.
        flagged: those of them that are flagged.
        flagged_precision: share of ``flagged`` that is contradicted, 0-1; NaN if none is flagged.
        table: a row for each k that is not more than ``judged``: ``k``, ``precision`` (share of the first k of the
            ranking that is contradicted), ``random`` (the same of k in random order), ``random_low``, ``random_high``
            (95 % of such orders).
    """

    judged: int
    contradicted: int
    flagged: int
    flagged_precision: float
    table: pd.DataFrame

    @property
    def base_rate(self) -> float:
        """Share of contradicted labels, 0-1: what a random order finds."""
        return self.contradicted / self.judged


def confident_joint(outcomes: Outcomes) -> NDArray[np.int64]:
    """Counts (k, k) over the classes of the network: row = label, column = the emotion that the network is sure of (the
    most probable among those that reach their class's threshold). Pictures of which it is sure of nothing are not in
    it, nor those whose label it does not know."""
    label, probabilities, _ = _known(outcomes)
    return _joint(label, probabilities)


def suspicious(outcomes: Outcomes) -> pd.DataFrame:
    """All pictures, the most doubtful label first.

    They are ranked by the probability of their label (self-confidence), which was chosen by measurement on the shipped
    tables of both test splits (``benchmarks/label_quality.py``): of the first 1,000, FER+ voters contradict 82 %
    (mobilenetv2-fer2013) and 96 % (mobilenetv2-ferplus); 80 % and 94 % in the order of the normalised margin; 35 % in a
    random order. Flagged are as many labels of each class as the joint says are wrong, those with the lowest
    probability ("prune by class" of the paper). Pictures whose label the network does not know are left out.

    Returns:
        ``row`` (index into the outcomes), ``id``, ``label``, ``suggested`` (the most probable other emotion), ``score``
        = 1 − probability of the label, 0-1, ``flagged``.
    """
    import pandas as pd

    label, probabilities, rows = _known(outcomes)
    at, names = np.arange(len(label)), np.array(outcomes.names)
    own, others = probabilities[at, label], probabilities.copy()
    others[at, label] = -1
    table = pd.DataFrame(
        {
            "row": rows,
            "id": outcomes.ids[rows],
            "label": names[label],
            "suggested": names[others.argmax(axis=1)],
            "score": 1 - own,
            "flagged": _flagged(label, own, _wrong_shares(_joint(label, probabilities))),
        }
    )
    return table.sort_values("score", ascending=False, kind="stable", ignore_index=True)


def _flagged(label: NDArray[np.int64], own: NDArray[np.float64], shares: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Of each class, that share of its pictures whose label is the least probable."""
    flagged = np.zeros(len(label), bool)
    for emotion, share in enumerate(shares):
        members = np.flatnonzero(label == emotion)
        flagged[members[np.argsort(own[members], kind="stable")[: round(share * len(members))]]] = True
    return flagged


def estimated_errors(outcomes: Outcomes) -> float:
    """Share of wrong labels, 0-1, that confident learning estimates: what is off the diagonal of the joint after each
    of its rows was scaled to the number of pictures that carry the label. NaN without pictures."""
    label, probabilities, _ = _known(outcomes)
    return float(_wrong_shares(_joint(label, probabilities))[label].mean()) if len(label) else float("nan")


def _known(outcomes: Outcomes) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.int64]]:
    """Labels, probabilities and indices of the pictures whose label is a class of the network."""
    k = len(outcomes.evaluation.classes)
    rows = np.flatnonzero(outcomes.label < k)
    return outcomes.label[rows], outcomes.probabilities[rows, :k], rows


def _joint(label: NDArray[np.int64], probabilities: NDArray[np.float64]) -> NDArray[np.int64]:
    """See ``confident_joint``. The threshold of a class is its mean probability over the pictures with its label."""
    k = probabilities.shape[1]
    n = np.bincount(label, minlength=k)
    own = np.bincount(label, weights=probabilities[np.arange(len(label)), label], minlength=k)
    thresholds = np.where(n > 0, own / np.maximum(n, 1), np.inf)
    reaching = np.where(probabilities >= thresholds, probabilities, -1.0)
    sure = reaching.max(axis=1, initial=-1.0) >= 0
    return confusion_matrix(label[sure], reaching[sure].argmax(axis=1), k)


def _wrong_shares(joint: NDArray[np.int64]) -> NDArray[np.float64]:
    """Share of each class's labels that is wrong; 0 for a class of which the network is sure nowhere."""
    totals = joint.sum(axis=1)
    return np.where(totals > 0, 1 - joint.diagonal() / np.maximum(totals, 1), 0.0)


def precision_at(
    ranking: NDArray[np.int64], relevant: NDArray[np.bool_], ks: Sequence[int] = KS
) -> NDArray[np.float64]:
    """Share of relevant ones among the first k of a ranking, 0-1, for each of ``ks``; NaN where the ranking is shorter.

    Args:
        ranking: int64 (m,), indices into ``relevant``, best first.
        relevant: bool (n,).
    """
    found = np.cumsum(relevant[ranking])
    return np.array([found[k - 1] / k if 0 < k <= len(ranking) else np.nan for k in ks])


def random_baseline(n: int, n_relevant: int, ks: Sequence[int] = KS) -> pd.DataFrame:
    """Precision among the first k of a random order of n, of which ``n_relevant`` are relevant.

    Args:
        ks: from 1 to n.

    Returns:
        ``k``, ``random`` (mean), ``random_low``, ``random_high`` (2.5 and 97.5 % of the hypergeometric distribution,
        divided by k).
    """
    import pandas as pd
    from scipy.stats import hypergeom

    sizes = np.array(ks, np.int64)
    low, high = (hypergeom.ppf(share, n, n_relevant, sizes) / sizes for share in (0.025, 0.975))
    return pd.DataFrame({"k": sizes, "random": n_relevant / n, "random_low": low, "random_high": high})


def label_quality_report(outcomes: Outcomes, ks: Sequence[int] = KS) -> LabelQuality:
    """Measure ``suspicious`` against FER+: relevant is a label that differs from the voters' strict winner.

    Pictures without a strict winner among the seven are left out of the ranking: nobody can say who is right.

    Raises:
        InputError: labels that are made of the votes themselves, or no picture that people can judge.
    """
    winner = outcomes.evaluation.labels.get("ferplus7")
    if winner is None or outcomes.label_set in FERPLUS_PROTOCOLS:
        raise InputError(
            "The ranking is measured against FER+ votes. That needs a data set's own labels, of pictures that have "
            "such votes."
        )
    table = suspicious(outcomes)
    winner = winner[outcomes.rows]
    table = table[winner[table["row"]] >= 0]
    if not len(table):
        raise InputError("Of no picture do the FER+ votes have a winner that its label could be held against.")
    ranking, flagged = table["row"].to_numpy(), table["flagged"].to_numpy()
    relevant = winner != outcomes.label
    contradicted, fitting = int(relevant[ranking].sum()), [k for k in ks if k <= len(ranking)]
    measured = random_baseline(len(ranking), contradicted, fitting)
    measured.insert(1, "precision", precision_at(ranking, relevant, fitting))
    return LabelQuality(
        judged=len(ranking),
        contradicted=contradicted,
        flagged=int(flagged.sum()),
        flagged_precision=float(relevant[ranking[flagged]].mean()) if flagged.any() else float("nan"),
        table=measured,
    )
