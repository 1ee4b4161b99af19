"""A timeline at every zoom: tiles of buckets that keep mean, minimum and maximum, and chunks of single frames.

A level cuts the time into buckets of one width; every next level is twice as coarse. A bucket knows, per person and
emotion, the mean over the time seen and the extremes of every frame that touches it, so that a peak of a single frame
survives any zoom: rows are summed up, never dropped.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from fer_core.errors import InputError

TILE = 512
"""Buckets of a tile, and frames of a chunk."""
FRAMES_PER_BUCKET = 2.0
MAX_BUCKETS = 1 << 18
ArrayF = NDArray[np.float32]


@dataclass(frozen=True)
class Course:
    """One person over time, n frames in order.

    Attributes:
        track: the person.
        position: int (n,), of each frame in the times of the analysis; rising.
        p: float32 (n, k), probabilities 0-1 as they are shown.
        raw: float32 (n, k), before smoothing; the same array where nothing is smoothed.
        doubtful: bool (n,), some reason code holds.
        reasons: uint16 (n,), a bit for each reason code.
        differs: bool (n, 2), the models disagree about the emotion, about the group.
        lines: float32 (n, m), the columns that have a line of their own, as shares 0-1 of their range.
    """

    track: int
    position: NDArray[np.int64]
    p: ArrayF
    raw: ArrayF
    doubtful: NDArray[np.bool_]
    reasons: NDArray[np.uint16]
    differs: NDArray[np.bool_]
    lines: ArrayF

    def __post_init__(self) -> None:
        n, k, m = len(self.position), self.p.shape[-1], self.lines.shape[-1]
        shapes = [each.shape for each in (self.p, self.raw, self.doubtful, self.reasons, self.differs, self.lines)]
        if shapes != [(n, k), (n, k), (n,), (n,), (n, 2), (n, m)]:
            raise ValueError(f"Expected (n, k), (n, k), (n,), (n,), (n, 2), (n, m) for n = {n}, got {shapes}.")

    def within(self, low: int, high: int) -> slice:
        """Rows of the frames at positions ``low`` to ``high`` - 1."""
        first, last = np.searchsorted(self.position, [low, high])
        return slice(int(first), int(last))


@dataclass(frozen=True)
class Buckets:
    """Consecutive buckets of one person; b of them.

    ``seen`` (b,) is the share of a bucket's time in which the person is seen, ``doubtful`` and ``differs`` (b, 2) the
    shares of that; ``mean``, ``raw`` (time-weighted), ``low`` and ``high`` are (b, k), ``lines`` (b, m) means too; all
    0-1 and 0 where nobody is seen. ``reasons`` uint16 (b,) has the bit of every code that holds in some frame.
    """

    seen: ArrayF
    mean: ArrayF
    raw: ArrayF
    low: ArrayF
    high: ArrayF
    doubtful: ArrayF
    differs: ArrayF
    lines: ArrayF
    reasons: NDArray[np.uint16]

    def __getitem__(self, part: slice) -> Buckets:
        return Buckets(*(getattr(self, name)[part] for name in self.__dataclass_fields__))

    def coarser(self) -> Buckets:
        """Pairs of buckets joined; (b + 1) // 2 of them."""
        one, two = self[::2], self[1::2]._padded(len(self.seen) % 2)
        share = one.seen / np.maximum(one.seen + two.seen, 1e-12)
        only_one, only_two = (two.seen == 0)[:, None], (one.seen == 0)[:, None]

        def joined(name: str) -> ArrayF:
            a, b = getattr(one, name), getattr(two, name)
            return np.asarray(b + (a - b) * (share[:, None] if a.ndim == 2 else share))

        mean = joined("mean")
        low = np.where(only_one, one.low, np.where(only_two, two.low, np.minimum(one.low, two.low)))
        return Buckets(
            seen=(one.seen + two.seen) / np.float32(2), mean=mean, raw=mean if self.raw is self.mean else joined("raw"),
            low=low, high=np.maximum(one.high, two.high), doubtful=joined("doubtful"), differs=joined("differs"),
            lines=joined("lines"), reasons=one.reasons | two.reasons,
        )  # fmt: skip

    def _padded(self, n: int) -> Buckets:
        """With ``n`` empty buckets behind."""
        if not n:
            return self
        columns = (getattr(self, name) for name in self.__dataclass_fields__)
        return Buckets(*(np.concatenate([each, np.zeros((n, *each.shape[1:]), each.dtype)]) for each in columns))


@dataclass(frozen=True)
class Pyramid:
    """All zoom levels of an analysis.

    Attributes:
        start: float64 (f,), the times of the frames in s, rising.
        end: float64 (f,), until when each is on screen, in s; at most the next one's start.
        courses: the people.
    """

    start: NDArray[np.float64]
    end: NDArray[np.float64]
    courses: Sequence[Course] = field(default_factory=tuple)

    @property
    def start_s(self) -> float:
        return float(self.start[0]) if len(self.start) else 0.0

    @property
    def end_s(self) -> float:
        return float(self.end[-1]) if len(self.end) else 0.0

    @cached_property
    def width_s(self) -> float:
        """Width of a bucket of level 0 in s: about two frames."""
        typical = float(np.median(np.diff(self.start))) if len(self.start) > 1 else 1.0
        return max(FRAMES_PER_BUCKET * typical, (self.end_s - self.start_s) / MAX_BUCKETS, 1e-3)

    @cached_property
    def levels(self) -> list[dict[int, Buckets]]:
        """Buckets by person, finest level first; the last has at most ``TILE``."""
        n = max(int(np.ceil((self.end_s - self.start_s) / self.width_s - 1e-9)), 1)
        finest = {course.track: self._finest(course, n) for course in self.courses}
        levels = [finest]
        while n > TILE:
            levels.append({track: buckets.coarser() for track, buckets in levels[-1].items()})
            n = (n + 1) // 2
        return levels

    @property
    def n_chunks(self) -> int:
        return -(-len(self.start) // TILE)

    def tile(self, level: int, index: int) -> dict[int, Buckets]:
        """Buckets ``index`` × ``TILE`` … of a level, by person; people who are not seen there are left out.

        Raises:
            InputError: there is no such tile.
        """
        if not (0 <= level < len(self.levels) and index >= 0):
            raise InputError(f"There is no tile {index} of level {level}.")
        part = slice(index * TILE, (index + 1) * TILE)
        tiles = {track: buckets[part] for track, buckets in self.levels[level].items()}
        return {track: buckets for track, buckets in tiles.items() if buckets.seen.any()}

    def chunk(self, index: int) -> tuple[slice, dict[int, slice]]:
        """Positions of the frames of a chunk, and of every person's rows in it.

        Raises:
            InputError: there is no such chunk.
        """
        if not 0 <= index < max(self.n_chunks, 1):
            raise InputError(f"There is no chunk {index}.")
        low, high = index * TILE, min((index + 1) * TILE, len(self.start))
        rows = {course.track: course.within(low, high) for course in self.courses}
        return slice(low, high), {track: rows for track, rows in rows.items() if rows.stop > rows.start}

    def _finest(self, course: Course, n: int) -> Buckets:
        """Every frame is laid onto the buckets that it touches, weighted with the time it spends in each."""
        start, end = self.start[course.position] - self.start_s, self.end[course.position] - self.start_s
        end = np.maximum(end, start + 1e-6)  # a single frame lasts no time, but was seen
        first = np.minimum((start / self.width_s + 1e-9).astype(np.int64), n - 1)
        last = np.clip(np.ceil(end / self.width_s - 1e-9).astype(np.int64) - 1, first, n - 1)
        row = np.repeat(np.arange(len(start)), last - first + 1)
        offset = np.arange(len(row)) - np.repeat(np.cumsum(last - first + 1) - (last - first + 1), last - first + 1)
        bucket = first[row] + offset
        inside = np.minimum(end[row], (bucket + 1) * self.width_s) - np.maximum(start[row], bucket * self.width_s)
        weight = np.maximum(inside / self.width_s, 1e-9).astype(np.float32)
        begins = np.flatnonzero(np.diff(bucket, prepend=-1))
        return _summed(course, row, weight, begins, bucket[begins], n)


def _summed(
    course: Course, row: NDArray[np.int64], weight: ArrayF, begins: NDArray[np.int64], where: NDArray[np.int64], n: int
) -> Buckets:
    """Buckets from (row, weight) pairs that are sorted by bucket; pairs from ``begins`` on go into bucket ``where``."""
    total = np.add.reduceat(weight, begins) if len(begins) else np.zeros(0, np.float32)

    def spread(values: NDArray, kind: type = np.float32) -> NDArray:
        whole = np.zeros((n, *values.shape[1:]), kind)
        whole[where] = values
        return whole

    def mean(values: NDArray) -> ArrayF:
        weighted = values[row] * weight.reshape(-1, *[1] * (values.ndim - 1))
        sums = np.add.reduceat(weighted, begins, axis=0) if len(begins) else weighted
        return spread(sums / total.reshape(-1, *[1] * (values.ndim - 1)))

    def reduced(how: np.ufunc, values: NDArray, kind: type = np.float32) -> NDArray:
        return spread(how.reduceat(values[row], begins, axis=0) if len(begins) else values[row], kind)

    shown = mean(course.p)
    return Buckets(
        seen=np.minimum(spread(total), 1), mean=shown, raw=shown if course.raw is course.p else mean(course.raw),
        low=reduced(np.minimum, course.p), high=reduced(np.maximum, course.p),
        doubtful=mean(course.doubtful), differs=mean(course.differs), lines=mean(course.lines),
        reasons=reduced(np.bitwise_or, course.reasons, np.uint16),
    )  # fmt: skip


__all__ = ["TILE", "Buckets", "Course", "Pyramid"]
