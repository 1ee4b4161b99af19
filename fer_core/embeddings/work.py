"""What all of this package shares: checks of what is given, and work that reports how far it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fer_core.errors import Cancelled, InputError

ArrayF = NDArray[np.float32]
ArrayI = NDArray[np.int64]


@dataclass(frozen=True)
class WorkPart:
    """Part of a longer piece of work, from ``start`` to ``end`` of the whole (0-1).

    Attributes:
        progress: is told the share of the whole that is done.
        should_stop: is asked whether to give up.
    """

    progress: Callable[[float], None] | None = None
    should_stop: Callable[[], bool] | None = None
    start: float = 0.0
    end: float = 1.0

    def at(self, share: float) -> None:
        """Report that ``share`` (0-1) of this part is done.

        Raises:
            Cancelled: the caller asked to stop.
        """
        if self.should_stop is not None and self.should_stop():
            raise Cancelled("The map was stopped before it was done.")
        if self.progress is not None:
            self.progress(self.start + share * (self.end - self.start))

    def part(self, start: float, end: float) -> WorkPart:
        """The part of this part between two shares of it."""
        length = self.end - self.start
        return replace(self, start=self.start + start * length, end=self.start + end * length)


def as_features(values: ArrayLike, least: int = 1, columns: int | None = None) -> ArrayF:
    """``values`` as float32 (n, d).

    Args:
        least: the smallest n that will do.
        columns: the d that is expected; None: any.

    Raises:
        InputError: another shape, or values that are not finite.
    """
    features = np.ascontiguousarray(values, np.float32)
    width = "d" if columns is None else columns
    if features.ndim != 2 or len(features) < least or not features.shape[1] or columns not in (None, features.shape[1]):
        raise InputError(f"Expected features (n, {width}) of at least {least} faces, got {features.shape}.")
    if not np.isfinite(features).all():
        wrong = int((~np.isfinite(features)).any(axis=1).sum())
        raise InputError(f"The features of {wrong} of {len(features)} faces are not finite; leave those faces out.")
    return features


__all__ = ["ArrayF", "ArrayI", "WorkPart", "as_features"]
