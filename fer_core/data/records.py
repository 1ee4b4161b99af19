"""The record every data set is read into: small face pictures with their labels and votes."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from fer_core.emotions import EMOTIONS8
from fer_core.errors import DataError

VOTES: tuple[str, ...] = (*EMOTIONS8, "unknown", "nf")
"""Column order of a vote table: the eight emotions, "cannot say", "not a face"."""


@dataclass(frozen=True)
class LabelledFaces:
    """n face pictures with their labels.

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
