"""Several data sets as one: what is learnt from a mixture, and how much of each.

A mixture keeps its parts. One ``FaceSet`` is either cut faces or photos, and a mixture may hold both (AffectNet's cut
faces with KDEF's photos), so that faces are found part by part; labels, votes and names come joined.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from fer_core.data.records import VOTES, FaceSet, Picture
from fer_core.emotions import EMOTIONS, EMOTIONS8
from fer_core.errors import DataError

TOGETHER = "together"


@dataclass(frozen=True, eq=False)
class Mixture:
    """n pictures of one or several data sets, part after part.

    Attributes:
        parts: splits of data sets; a name and split stand there once.

    Raises:
        DataError: no part, or a data set and split twice.
    """

    parts: tuple[FaceSet, ...]

    def __post_init__(self) -> None:
        if not self.parts:
            raise DataError("A mixture needs one data set or more, got none.")
        seen: set[tuple[str, str]] = set()
        for part in self.parts:
            if (part.name, part.split) in seen:
                raise DataError(f"{part.name}, {part.split} is in the mixture twice; name each split once.")
            seen.add((part.name, part.split))

    def __len__(self) -> int:
        return sum(len(part) for part in self.parts)

    @cached_property
    def ids(self) -> NDArray[np.str_]:
        """str (n,), ``name/split/id``, unique."""
        names = [f"{part.name}/{part.split}/{each}" for part in self.parts for each in part.ids.tolist()]
        return np.array(names, dtype=str)

    @cached_property
    def labels(self) -> NDArray[np.int64]:
        """int64 (n,), index into ``EMOTIONS8``."""
        return np.concatenate([part.labels for part in self.parts])

    @cached_property
    def votes(self) -> NDArray[np.int64]:
        """int64 (n, 10) in the order of ``VOTES`` where all parts have votes, else (n, 0)."""
        columns = len(VOTES) if all(part.has_votes for part in self.parts) else 0
        return np.concatenate([part.votes[:, :columns] for part in self.parts])

    @cached_property
    def subjects(self) -> NDArray[np.str_]:
        """str (n,), ``name/subject``; "" where nobody knows who is shown."""
        names = [f"{part.name}/{who}" if who else "" for part in self.parts for who in part.subjects.tolist()]
        return np.array(names, dtype=str)

    @cached_property
    def cut(self) -> NDArray[np.bool_]:
        """bool (n,), True for faces that are cut out already, False for photos."""
        return np.repeat([part.cut for part in self.parts], [len(part) for part in self.parts])

    def place(self, i: int) -> tuple[FaceSet, int]:
        """The part that picture ``i`` of the n is from, and its row there.

        Raises:
            IndexError: ``i`` is not one of the n.
        """
        if not 0 <= i < len(self):
            raise IndexError(i)
        ends = np.cumsum([len(part) for part in self.parts])
        which = int(np.searchsorted(ends, i, side="right"))
        return self.parts[which], int(i - ends[which] + len(self.parts[which]))

    def picture(self, i: int) -> Picture:
        """Picture ``i`` of the n, as ``FaceSet.picture``."""
        part, row = self.place(i)
        return part.picture(row)


def at_most(
    labels: NDArray[np.int64], subjects: NDArray[np.str_], per_class: int, *, seed: int = 0
) -> NDArray[np.int64]:
    """Rows of at most ``per_class`` pictures of each class, drawn by ``seed``, in their order.

    People who are known are taken with all of their pictures or not at all, so that the rest can serve another side.

    Args:
        labels: (n,).
        subjects: (n,), "" where nobody knows.
        per_class: 1 or more.

    Raises:
        DataError: ``per_class`` is below 1, or so small that no person of some class fits into it.
    """
    if per_class < 1:
        raise DataError(f"Expected 1 picture of each class or more, got {per_class}.")
    random = np.random.default_rng(seed)
    room = np.full(int(labels.max(initial=0)) + 1, per_class)
    taken = [np.zeros(0, np.int64)]
    for rows in _people(subjects, random):
        counts = np.bincount(labels[rows], minlength=len(room))
        if (counts <= room).all():
            room -= counts
            taken.append(rows)
    alone = random.permutation(np.flatnonzero(subjects == ""))
    taken += [alone[labels[alone] == k][: room[k]] for k in range(len(room))]
    chosen = np.sort(np.concatenate(taken))
    if lost := set(labels.tolist()) - set(labels[chosen].tolist()):
        raise DataError(
            f"{per_class} pictures of each class are fewer than one person has of class {min(lost)}; take more."
        )
    return chosen


def _people(subjects: NDArray[np.str_], random: np.random.Generator) -> list[NDArray[np.int64]]:
    """Rows of each person who is known, in a random order."""
    order = np.argsort(subjects, kind="stable")
    starts = np.flatnonzero(np.diff(np.unique(subjects, return_inverse=True)[1][order], prepend=-1))
    people = [rows for rows in np.split(order, starts[1:]) if len(rows) and subjects[rows[0]]]
    return [people[i] for i in random.permutation(len(people))]


def counts_table(parts: Sequence[FaceSet], labels: Sequence[str] = EMOTIONS) -> list[dict[str, str | int]]:
    """Pictures of every class in every part, for people to look at before a training.

    Args:
        parts: such as the splits of a data set, or all parts of a recipe.
        labels: the classes that are counted; pictures of others count as left out.

    Returns:
        One row a part: ``data``, ``split``, one column for each of ``labels``, ``all``, ``left out``; with two or more
        parts a last row for all of them ``together``.
    """
    table = [_counts(part, labels) for part in parts]
    if len(table) > 1:
        sums = {key: sum(int(row[key]) for row in table) for key in (*labels, "all", "left out")}
        table.append({"data": TOGETHER, "split": "", **sums})
    return table


def _counts(part: FaceSet, labels: Sequence[str]) -> dict[str, str | int]:
    found = np.bincount(part.labels, minlength=len(EMOTIONS8)).tolist()
    counts = {name: found[EMOTIONS8.index(name)] for name in labels}
    n = sum(counts.values())
    left_out = len(part) - n + sum(part.left_out.values())
    return {"data": part.name, "split": part.split, **counts, "all": n, "left out": left_out}
