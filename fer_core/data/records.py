"""The records every data set is read into: pictures of faces with their labels and votes, lazily or as one array."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from fer_core.emotions import EMOTIONS8
from fer_core.errors import DataError

VOTES: tuple[str, ...] = (*EMOTIONS8, "unknown", "nf")
"""Column order of a vote table: the eight emotions, "cannot say", "not a face"."""

Picture = NDArray[np.uint8]
"""Grey (h, w) or RGB (h, w, 3)."""


class Pictures(Protocol):
    """Where the pictures of a ``FaceSet`` come from; both methods raise ``DataError`` naming what cannot be read."""

    def picture(self, i: int) -> Picture: ...

    def encoded(self, i: int) -> tuple[bytes, str]: ...


@dataclass(frozen=True, eq=False)
class FaceSet:
    """n labelled pictures of one split of a data set; a picture is read when it is asked for.

    Attributes:
        name: of the data set, such as ``fer2013``.
        split: ``training``, ``public_test``, ``private_test``, ``val``, ``test`` or ``all``.
        ids: str (n,), row number of a table or relative path, unique.
        labels: int64 (n,), index into ``EMOTIONS8``, the data set's own label.
        votes: int64 (n, 10) in the order of ``VOTES``; (n, 0) where the data set has no votes.
        subjects: str (n,), who is shown; "" where that is not known.
        cut: True if the pictures are faces already cut out, False for photos in which the face must be found.
        source: reads picture ``i`` of the n.
        left_out: how many pictures of the split are not among the n, by reason.
        boxes: float32 (n, 4), x0 y0 x1 y1 in pixels: which face of a photo is meant; NaN where that is not said.
    """

    name: str
    split: str
    ids: NDArray[np.str_]
    labels: NDArray[np.int64]
    votes: NDArray[np.int64]
    subjects: NDArray[np.str_]
    cut: bool
    source: Pictures = field(repr=False)
    left_out: Mapping[str, int] = field(default_factory=dict)
    boxes: NDArray[np.float32] = field(default_factory=lambda: np.zeros((0, 4), np.float32), repr=False)

    def __post_init__(self) -> None:
        n = len(self.ids)
        if self.boxes.shape == (0, 4):
            object.__setattr__(self, "boxes", np.full((n, 4), np.nan, np.float32))
        shapes = (self.ids.shape, self.labels.shape, self.subjects.shape, self.votes.shape[:1])
        if set(shapes) != {(n,)} or self.votes.shape[1:] not in ((0,), (len(VOTES),)):
            raise DataError(
                f"Expected ids, labels, subjects (n,) and votes (n, 0) or (n, {len(VOTES)}), "
                f"got {shapes[:3]} and {self.votes.shape}."
            )
        if self.boxes.shape != (n, 4):
            raise DataError(f"Expected boxes ({n}, 4), got {self.boxes.shape}.")
        if n and (self.labels.min() < 0 or self.labels.max() >= len(EMOTIONS8)):
            raise DataError(f"Expected labels 0 to {len(EMOTIONS8) - 1}, got {self.labels.min()}-{self.labels.max()}.")
        if len(self._rows) != n:
            seen: set[str] = set()
            twice = next(each for each in self.ids.tolist() if each in seen or seen.add(each))  # type: ignore[func-returns-value]
            raise DataError(f"{self.name}, {self.split}: expected every picture once, got {twice!r} twice.")
        if self.has_votes and self.name == "ferplus":
            raise DataError("A data set with votes cannot be called 'ferplus', as its labels by votes are.")

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def has_votes(self) -> bool:
        return self.votes.shape[1] > 0

    @cached_property
    def _rows(self) -> dict[str, int]:
        return {each: i for i, each in enumerate(self.ids.tolist())}

    def index(self, picture_id: str) -> int:
        """Row of an id. Raises ``DataError`` if there is no such picture."""
        if picture_id not in self._rows:
            raise DataError(f"{self.name}, {self.split} has no picture {picture_id!r}.")
        return self._rows[picture_id]

    def picture(self, i: int) -> Picture:
        """Picture of row ``i``, uint8 grey (h, w) or RGB (h, w, 3). Raises ``DataError`` naming what is unreadable."""
        return self.source.picture(i)

    def encoded(self, i: int) -> tuple[bytes, str]:
        """Picture of row ``i`` as a browser shows it (PNG, JPEG or WebP) and its media type. Raises as ``picture``."""
        return self.source.encoded(i)

    def take(self, rows: NDArray[np.int64]) -> FaceSet:
        """The pictures of these rows, in their order."""
        arrays = {name: getattr(self, name)[rows] for name in ("ids", "labels", "votes", "subjects", "boxes")}
        return replace(self, **arrays, source=_Some(self.source, rows))


@dataclass(frozen=True)
class _Some:
    """Some pictures of a source."""

    source: Pictures
    rows: NDArray[np.int64]

    def picture(self, i: int) -> Picture:
        return self.source.picture(int(self.rows[i]))

    def encoded(self, i: int) -> tuple[bytes, str]:
        return self.source.encoded(int(self.rows[i]))


@contextmanager
def readable(where: str) -> Iterator[None]:
    """Turns an error of the file system into a ``DataError``."""
    try:
        yield
    except OSError as error:
        raise DataError(f"{where} cannot be read ({error.strerror or error}).") from error


@dataclass(frozen=True)
class DataSet:
    """A data set that was found in a folder.

    Attributes:
        name: what its evaluations are called after.
        layout: how it lies there, in words.
        root: the folder itself (may lie below the one that was given).
        splits: at least one.
        reader: gives the pictures of a split.
        key: of the ``Layout`` that it is.
    """

    name: str
    layout: str
    root: Path
    splits: tuple[str, ...]
    reader: Callable[[str], FaceSet] = field(repr=False, compare=False)
    key: str

    @property
    def default_split(self) -> str:
        """The split to evaluate on unless another is asked for."""
        return self._first("private_test", "test", "val", "all") or self.splits[-1]

    @property
    def training_split(self) -> str:
        """The split to train on unless another is asked for."""
        return self._first("training", "all") or self.splits[0]

    @property
    def choosing_split(self) -> str | None:
        """The split to choose the best epoch on, beside the other two; None where there is none."""
        found = self._first("public_test", "val")
        return None if found == self.default_split else found

    def _first(self, *ranked: str) -> str | None:
        return next((split for split in ranked if split in self.splits), None)

    def read(self, split: str) -> FaceSet:
        """The pictures of a split; none is decoded.

        Raises:
            DataError: no such split, or its labels cannot be read.
        """
        if split not in self.splits:
            raise DataError(f"{self.name} has no split {split!r} in {self.root}; it has {', '.join(self.splits)}.")
        with readable(str(self.root)):
            return self.reader(split)

    def counts(self, split: str) -> dict[str, int]:
        """Pictures of every emotion in a split, in the order of ``EMOTIONS8``; raises as ``read``."""
        counts = np.bincount(self.read(split).labels, minlength=len(EMOTIONS8)).tolist()
        return {name: count for name, count in zip(EMOTIONS8, counts, strict=True) if count}


@dataclass(frozen=True)
class LabelledFaces:
    """n face pictures of one size in memory, with their labels.

    Attributes:
        ids: str (n,), row number or relative path, unique.
        images: uint8 (n, h, w), grey, 0-255.
        emotion: int64 (n,), index into ``EMOTIONS``, the data set's own label.
        votes: int64 (n, 10) in the order of ``VOTES``; (n, 0) where the data set has no votes.
    """

    ids: NDArray[np.str_]
    images: NDArray[np.uint8]
    emotion: NDArray[np.int64]
    votes: NDArray[np.int64] = field(default_factory=lambda: np.zeros((0, 0), np.int64))

    def __post_init__(self) -> None:
        if self.votes.shape == (0, 0):
            object.__setattr__(self, "votes", np.zeros((len(self.ids), 0), np.int64))
        lengths = {len(self.ids), len(self.images), len(self.emotion), len(self.votes)}
        if len(lengths) != 1:
            raise DataError(f"Expected arrays of one length, got lengths {sorted(lengths)}.")
        if self.images.ndim != 3 or self.images.dtype != np.uint8:
            raise DataError(f"Expected images uint8 (n, h, w), got {self.images.dtype} {self.images.shape}.")
        if self.votes.shape[1] not in (0, len(VOTES)):
            raise DataError(f"Expected 0 or {len(VOTES)} vote columns, got {self.votes.shape[1]}.")

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def has_votes(self) -> bool:
        return self.votes.shape[1] > 0
