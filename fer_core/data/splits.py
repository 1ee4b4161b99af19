"""Splits that do not leak: pictures of one person, and pictures that look the same, stay on one side.

groups = groups_of(len(faces), faces.subjects, near_duplicates(images)[["first", "second"]].to_numpy())
train, held = hold_out(faces.labels, 0.1, seed=0, groups=groups)
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from fer_core.data.records import Picture
from fer_core.emotions import EMOTIONS8
from fer_core.errors import DataError

Rows = NDArray[np.int64]


def groups_of(n: int, subjects: NDArray[np.str_] | None = None, pairs: NDArray[np.int64] | None = None) -> Rows:
    """Which pictures belong together (n,): those of one person, those of a pair, and what these join. Groups are
    numbered from 0 in the order in which they appear.

    Args:
        n: pictures.
        subjects: (n,), "" where nobody knows who is shown; None where that is so of all.
        pairs: int (m, 2), rows of pictures that look the same, as ``near_duplicates`` finds them.

    Raises:
        DataError: arrays that do not fit to ``n``.
    """
    subjects = np.full(n, "") if subjects is None else subjects
    pairs = np.zeros((0, 2), np.int64) if pairs is None else np.asarray(pairs)
    outside = pairs.size and (pairs.min() < 0 or pairs.max() >= n)
    if subjects.shape != (n,) or pairs.shape != (len(pairs), 2) or outside:
        raise DataError(f"Expected subjects ({n},) and pairs (m, 2) of rows below {n}, got {subjects.shape}, {pairs}.")
    first: dict[str, int] = {}
    same_person = [(first.setdefault(who, i), i) for i, who in enumerate(subjects.tolist()) if who]
    root = _joined(n, [*same_person, *pairs.tolist()])
    _, where, group = np.unique(root, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(where))[group]


def _joined(n: int, pairs: Iterable[tuple[int, int]]) -> Rows:
    """The representative of every element (n,) after joining pairs."""
    root = list(range(n))

    def top(i: int) -> int:
        while root[i] != i:
            root[i] = root[root[i]]
            i = root[i]
        return i

    for one, other in pairs:
        root[top(one)] = top(other)
    return np.array([top(i) for i in range(n)], np.int64)


def hold_out(
    labels: NDArray[np.int64], share: float, seed: int = 0, groups: NDArray[np.int64] | None = None
) -> tuple[Rows, Rows]:
    """Rows to train on and rows to hold back, as even by class as the groups allow.

    Args:
        labels: (n,), index into ``EMOTIONS8``.
        share: of the pictures that is held back, between 0 and 1.
        groups: (n,), from ``groups_of``; None where every picture is its own.

    Returns:
        Both in their order; no group is in both. A class that is in one group only is trained on.

    Raises:
        DataError: an impossible share, or groups too few or too large to leave every class something to train on.
    """
    if not 0 < share < 1:
        raise DataError(f"Expected a share between 0 and 1 to hold back, got {share}.")
    side = _dealt(labels, _checked(labels, groups), np.array([1 - share, share]), seed, keeps_first=True)
    train, held = np.flatnonzero(side == 0), np.flatnonzero(side == 1)
    _check_classes(labels, train)
    return train, held


def folds(
    labels: NDArray[np.int64], k: int, seed: int = 0, groups: NDArray[np.int64] | None = None
) -> list[tuple[Rows, Rows]]:
    """``k`` pairs of rows to train on and rows to hold back; every row is held back once. Arguments, order and errors
    as in ``hold_out``; a class that is in one group only is an error here."""
    if k < 2:
        raise DataError(f"Expected 2 folds or more, got {k}.")
    fold = _dealt(labels, _checked(labels, groups), np.full(k, 1 / k), seed)
    pairs = [(np.flatnonzero(fold != i), np.flatnonzero(fold == i)) for i in range(k)]
    for train, _ in pairs:
        _check_classes(labels, train)
    return pairs


def _checked(labels: NDArray[np.int64], groups: NDArray[np.int64] | None) -> Rows:
    """Groups numbered without gaps."""
    groups = np.arange(len(labels)) if groups is None else groups
    if labels.ndim != 1 or groups.shape != labels.shape or not len(labels):
        raise DataError(f"Expected labels and groups (n,) of some pictures, got {labels.shape} and {groups.shape}.")
    return np.unique(groups, return_inverse=True)[1]


def _check_classes(labels: NDArray[np.int64], train: Rows) -> None:
    if lost := sorted(set(labels.tolist()) - set(labels[train].tolist())):
        raise DataError(
            f"No picture of {EMOTIONS8[lost[0]]} is left to train on: its pictures belong to too few people or groups "
            "of like pictures. Hold back less, take fewer folds, or add pictures of it."
        )


def _dealt(
    labels: NDArray[np.int64], groups: Rows, shares: NDArray[np.float64], seed: int, *, keeps_first: bool = False
) -> Rows:
    """Side (n,) of every picture: whole groups, the largest first, each go where most is missing of their classes.

    ``keeps_first``: groups that are the only one of a class go to the first side.
    """
    counts = np.zeros((int(groups.max()) + 1, int(labels.max()) + 2))  # the last column is all classes together
    np.add.at(counts, (groups, labels), 1)
    counts[:, -1] = counts.sum(axis=1)
    if len(counts) < len(shares):
        raise DataError(
            f"{len(labels)} pictures in {len(counts)} groups (people, or pictures that look the same) cannot be shared "
            f"among {len(shares)} sides; take fewer folds or more pictures."
        )
    order = np.random.default_rng(seed).permutation(len(counts))
    order = order[np.argsort(-counts[order, -1], kind="stable")]
    only: NDArray[np.bool_] = np.any(counts[:, np.count_nonzero(counts, axis=0) == 1] > 0, axis=1) & keeps_first
    goal = np.maximum(shares[:, None] * counts.sum(axis=0), 1e-9)
    have, side = np.zeros_like(goal), np.zeros(len(counts), np.int64)
    order = np.concatenate([order[only[order]], order[~only[order]]])
    for i, group in enumerate(order.tolist()):
        mine = counts[group]
        cost = (mine * (2 * (have - goal) + mine) / goal).sum(axis=1)  # growth of the squared distances to the goal
        empty = have[:, -1] == 0
        if len(order) - i <= empty.sum():
            cost = np.where(empty, cost, np.inf)
        side[group] = 0 if only[group] else int(cost.argmin())
        have[side[group]] += mine
    if not have[:, -1].all():
        raise DataError("Every person or group of like pictures is the only one of a class; nothing can be held back.")
    return side[groups]


def pixel_hashes(pictures: Iterable[Picture]) -> NDArray[np.str_]:
    """A hash of the size and pixels of every picture (n,); two are the same where every pixel is."""
    found = [
        hashlib.blake2b(f"{each.shape}".encode() + each.tobytes(), digest_size=16).hexdigest() for each in pictures
    ]
    return np.array(found, dtype="<U32")


def without_copies(train: NDArray[np.str_], test: NDArray[np.str_]) -> Rows:
    """Rows of the training pictures that are not, pixel by pixel, among the test pictures; both by ``pixel_hashes``."""
    return np.flatnonzero(~np.isin(train, test))
