"""95 % intervals of an evaluation's figures, by whom the pictures show.

Pictures of one person are alike, so that many of them say less than as many of different people. Where it is known who
is shown, people are drawn with replacement, each with all their pictures (cluster bootstrap; Davison & Hinkley 1997,
3.8); a picture of nobody named is drawn by itself, and where nobody is named that is so of all.

Intervals are percentiles of the draws. Where all answers or none are right draws do not differ: there the interval is
exact for as many right or wrong people, or pictures, as there are (Clopper & Pearson 1934). That of the calibration
error is mirrored at the figure (basic bootstrap, cut at 0), because drawing makes this error larger, as having few
pictures does: percentiles would lie above it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from fer_core.data.splits import groups_of
from fer_core.emotions import DEFAULT_GROUP_MAP, EMOTIONS8, group_indices
from fer_core.emotions import groups_of as groups_in
from fer_core.errors import InputError
from fer_core.evaluation.metrics import bin_of

LEVEL = 0.95
DRAWS = 1000
FEW = 10
"""With fewer people than this, intervals are told to be rough: they come out too narrow."""
BINS = 15
MEASURES: tuple[str, ...] = ("accuracy", "macro_recall", "groups_accuracy", "groups_macro_recall", "ece")
"""Figures that have intervals, beside the recall of each class; named as in ``fer_core.evaluation.report``."""
_CHUNK = 4_000_000
Figures = NDArray[np.float64]
Range = tuple[float, float]


@dataclass(frozen=True)
class Intervals:
    """How far figures may be off by whom or what was drawn.

    Attributes:
        people: how many people are named.
        clusters: what is drawn: people, and pictures of nobody named.
        of: figure of ``MEASURES`` → lower and upper end (0-1); without what fewer than two clusters tell.
        recalls: class that occurs → ends of its recall; without those of which fewer than two clusters have pictures.
        groups: as ``recalls``, of each group.
        pictures: class that occurs → its pictures.
    """

    people: int
    clusters: int
    of: Mapping[str, Range] = field(default_factory=dict)
    recalls: Mapping[str, Range] = field(default_factory=dict)
    groups: Mapping[str, Range] = field(default_factory=dict)
    pictures: Mapping[str, int] = field(default_factory=dict)

    @property
    def told(self) -> str:
        """By what they were drawn, or why there are none, in a whole sentence."""
        alone = self.clusters - self.people
        if self.clusters < 2:
            what = "one person" if self.people else "one picture"
            return f"No intervals: all of it shows {what}, which says nothing of others."
        if not self.people:
            return (
                "95 % intervals by picture: nothing says who is shown. They are too narrow if several show one person."
            )
        beside = f" and {alone:,} pictures of nobody named" if alone else ""
        rough = "; so few people make them rough, and rather too narrow" if self.clusters < FEW else ""
        return f"95 % intervals by person ({self.people:,} people{beside}){rough}."

    def to_json(self) -> dict[str, object]:
        """Plain values; pairs of ends."""
        return {
            "level": LEVEL,
            "by": "person" if self.people else "picture",
            "people": self.people,
            "told": self.told,
            **{name: list(ends) for name, ends in self.of.items()},
            "recalls": {name: list(ends) for name, ends in self.recalls.items()},
            "pictures": dict(self.pictures),
        }


def intervals_of(
    probabilities: NDArray[np.floating],
    labels: NDArray[np.int64],
    people: NDArray[np.str_],
    *,
    group_map: Mapping[str, str] = DEFAULT_GROUP_MAP,
    draws: int = DRAWS,
    seed: int = 0,
) -> Intervals:
    """Intervals of the figures that ``fer_core.evaluation.report`` gives of the same pictures.

    Args:
        probabilities: (n, k), rows summing to 1.
        labels: (n,), index into ``EMOTIONS8``, n > 0.
        people: (n,), who is shown; "" where nobody says.
        group_map: emotion → group.
        draws: how often is drawn; the same ``seed`` draws the same.

    Raises:
        InputError: arrays that do not fit together.
    """
    cluster = _clusters(probabilities, labels, people)
    named, n_clusters = len(set(people.tolist()) - {""}), int(cluster.max()) + 1
    counted = _Counted.of(probabilities, labels, cluster, group_map)
    classes = counted.classes
    pictures = {EMOTIONS8[i]: int(counted.totals[:, i].sum()) for i in classes}
    if n_clusters < 2:
        return Intervals(named, n_clusters, pictures=pictures)
    (drawn,) = _drawn([counted], draws, seed)
    low, high = np.nanpercentile(drawn, _ENDS, axis=0)
    at = MEASURES.index("ece")
    ece = counted.as_they_are()[at]
    low[at], high[at] = max(2 * ece - high[at], 0.0), max(2 * ece - low[at], 0.0)
    units = counted.units().tolist()
    ends = [
        _exact(n, value) or (float(a), float(b))
        for n, value, a, b in zip(units, counted.as_they_are(), low, high, strict=True)
    ]
    names = (*MEASURES, *(EMOTIONS8[i] for i in classes), *(groups_in(group_map)[i] for i in counted.groups))
    found = [(name, each) if n != 1 else None for name, each, n in zip(names, ends, units, strict=True)]
    first, second = len(MEASURES), len(MEASURES) + len(classes)
    of, recalls, groups = (dict(filter(None, found[a:b])) for a, b in ((0, first), (first, second), (second, None)))
    return Intervals(named, n_clusters, of, recalls, groups, pictures)


def paired_differences(
    mine: NDArray[np.floating],
    theirs: NDArray[np.floating],
    labels: NDArray[np.int64],
    people: NDArray[np.str_],
    *,
    group_map: Mapping[str, str] = DEFAULT_GROUP_MAP,
    draws: int = DRAWS,
    seed: int = 0,
) -> dict[str, list[float]]:
    """How much higher figures of ``mine`` are than of ``theirs`` on the same pictures, with 95 % intervals.

    People, or pictures, are drawn once for both (paired bootstrap). Arguments as of ``intervals_of``; probabilities
    (n, k) and (n, m).

    Returns:
        Every figure of ``MEASURES`` and ``recall of CLASS`` of each class that occurs → difference, lower and upper end
        (percentiles; -1 to 1). The ends are NaN with fewer than two clusters.

    Raises:
        InputError: as of ``intervals_of``.
    """
    cluster = _clusters(mine, labels, people)
    _clusters(theirs, labels, people)
    counted = [_Counted.of(each, labels, cluster, group_map) for each in (mine, theirs)]
    difference = counted[0].as_they_are() - counted[1].as_they_are()
    low = high = np.full(len(difference), np.nan)
    if cluster.any():
        drawn = _drawn(counted, draws, seed)
        low, high = np.nanpercentile(drawn[0] - drawn[1], _ENDS, axis=0)
    names = (*MEASURES, *(f"recall of {EMOTIONS8[i]}" for i in counted[0].classes))
    found = zip(names, difference.tolist(), low.tolist(), high.tolist(), strict=False)  # without groups
    return {name: ends for name, *ends in found}


def _exact(n: int, share: float) -> Range | None:
    """The interval of a share of n that is 0 or 1, or None for any other (and for what is no share, n = 0)."""
    if not n or 0 < share < 1:
        return None
    beyond = ((1 - LEVEL) / 2) ** (1 / n)
    return (beyond, 1.0) if share else (0.0, 1 - beyond)


_ENDS = (100 * (1 - LEVEL) / 2, 100 * (1 + LEVEL) / 2)


def _clusters(
    probabilities: NDArray[np.floating], labels: NDArray[np.int64], people: NDArray[np.str_]
) -> NDArray[np.int64]:
    if not len(labels) or probabilities.shape[:1] != labels.shape or people.shape != labels.shape:
        shapes = f"{probabilities.shape}, {labels.shape} and {people.shape}"
        raise InputError(f"Expected probabilities (n, k), labels and people (n,) of some pictures, got {shapes}.")
    return groups_of(len(labels), people)


@dataclass(frozen=True)
class _Counted:
    """What figures need to know of each cluster, each with the clusters as first axis: pictures and right ones of each
    of eight classes and of each group, and confidence missing in each bin of the calibration error."""

    totals: Figures
    right: Figures
    group_totals: Figures
    group_right: Figures
    gaps: Figures

    @classmethod
    def of(
        cls,
        probabilities: NDArray[np.floating],
        labels: NDArray[np.int64],
        cluster: NDArray[np.int64],
        group_map: Mapping[str, str],
    ) -> _Counted:
        n, k = int(cluster.max()) + 1, len(EMOTIONS8)
        answers, confidence = probabilities.argmax(axis=1), probabilities.max(axis=1)
        right, n_groups = answers == labels, len(groups_in(group_map))
        to_group = group_indices(EMOTIONS8, group_map)

        def counted(what: NDArray[np.int64], of: int, weights: NDArray | None = None) -> Figures:
            flat = np.bincount(cluster * of + what, weights, minlength=n * of)
            return flat.reshape(n, of).astype(np.float64)

        group = to_group[labels]
        return cls(
            counted(labels, k),
            counted(labels, k, right.astype(np.float64)),
            counted(group, n_groups),
            counted(group, n_groups, (to_group[answers] == group).astype(np.float64)),
            counted(bin_of(confidence, BINS), BINS, right - confidence),
        )

    @property
    def classes(self) -> NDArray[np.int64]:
        """Those that occur, index into ``EMOTIONS8``."""
        return np.flatnonzero(self.totals.sum(axis=0))

    @property
    def groups(self) -> NDArray[np.int64]:
        """As ``classes``, of groups."""
        return np.flatnonzero(self.group_totals.sum(axis=0))

    def as_they_are(self) -> Figures:
        """The figures where every cluster counts once."""
        return np.asarray(self.figures(np.ones((1, len(self.totals))))[0])

    def units(self) -> NDArray[np.int64]:
        """How many clusters each of ``figures`` (m,) is of, for macro recalls those of the rarest class, but two at
        least; 0 for the calibration error."""
        n = len(self.totals)
        of_classes = (self.totals > 0).sum(axis=0)[self.classes]
        of_groups = (self.group_totals > 0).sum(axis=0)[self.groups]
        rarest, rarest_group = max(of_classes.min(), 2), max(of_groups.min(), 2)
        return np.array([n, rarest, n, rarest_group, 0, *of_classes, *of_groups])

    def figures(self, weights: Figures) -> Figures:
        """``MEASURES`` and the recalls of ``classes`` and ``groups``, side by side, where cluster i counts
        ``weights[:, i]`` times; NaN for a class of which none is drawn."""
        totals, right, group_totals, group_right, gaps = (
            weights @ each for each in (self.totals, self.right, self.group_totals, self.group_right, self.gaps)
        )
        n = totals.sum(axis=1)
        recalls, of_groups = _shares(right, totals), _shares(group_right, group_totals)
        measures = (
            right.sum(axis=1) / n, np.nanmean(recalls, axis=1), group_right.sum(axis=1) / n,
            np.nanmean(of_groups, axis=1), np.abs(gaps).sum(axis=1) / n,
        )  # fmt: skip
        return np.column_stack([*measures, recalls[:, self.classes], of_groups[:, self.groups]])


def _shares(right: Figures, totals: Figures) -> Figures:
    return np.where(totals > 0, right / np.maximum(totals, 1), np.nan)


def _drawn(counted: Sequence[_Counted], draws: int, seed: int) -> list[Figures]:
    """Figures (draws, …) of each, from the same draws of clusters."""
    n = len(counted[0].totals)
    parts = [[each.figures(weights) for each in counted] for weights in _weights(n, draws, seed)]
    return [np.concatenate(each) for each in zip(*parts, strict=True)]


def _weights(n: int, draws: int, seed: int) -> Iterator[Figures]:
    """How often each of n clusters is drawn, (m, n) at a time."""
    rng = np.random.default_rng(seed)
    step = max(_CHUNK // n, 1)
    for start in range(0, draws, step):
        yield rng.multinomial(n, np.full(n, 1 / n), size=min(step, draws - start)).astype(np.float64)
