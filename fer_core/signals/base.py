"""The interface of signals, and the list of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from fer_core.emotions import DEFAULT_GROUP_MAP
from fer_core.errors import InputError
from fer_core.signals.column import Column

CROPS, LANDMARKS, PROBABILITIES = "crops", "landmarks", "probabilities"
"""What a signal may need of a face. What needs crops is computed while they are there, in the analysis, and kept; all
else is computed from the kept columns whenever somebody looks, so that it follows edits and old analyses have it."""


@dataclass(frozen=True)
class Seen:
    """n faces, as far as they are known.

    Attributes:
        crops: uint8 (n, s, s, 3), cut as a checkpoint's card says.
        landmarks: float32 (n, 5, 2), x y in pixels, in the order of ``fer_core.faces.LANDMARKS``.
        probabilities: float (n, k), calibrated and smoothed, of ``labels``.
        labels: the k emotions.
        groups: which group each emotion belongs to.
    """

    crops: NDArray[np.uint8] | None = None
    landmarks: NDArray[np.float32] | None = None
    probabilities: NDArray[np.floating[Any]] | None = None
    labels: tuple[str, ...] = ()
    groups: Mapping[str, str] = field(default_factory=lambda: dict(DEFAULT_GROUP_MAP))

    def __post_init__(self) -> None:
        known = [each for each in (self.crops, self.landmarks, self.probabilities) if each is not None]
        if len({len(each) for each in known}) > 1:
            raise InputError(f"Expected values of equally many faces, got {[each.shape for each in known]}.")
        if self.probabilities is not None and self.probabilities.shape[1:] != (len(self.labels),):
            raise InputError(f"Expected probabilities (n, {len(self.labels)}), got {self.probabilities.shape}.")

    def has(self, needs: str) -> bool:
        """Whether what a signal needs is known."""
        return getattr(self, needs) is not None


class Signal(Protocol):
    """Something that is computed for every face.

    ``needs`` is one of ``CROPS``, ``LANDMARKS``, ``PROBABILITIES``; ``of`` gives float32 (n, len(columns)) for n faces
    of which that is known, NaN where there is no answer.
    """

    @property
    def name(self) -> str: ...

    @property
    def needs(self) -> str: ...

    @property
    def columns(self) -> tuple[Column, ...]: ...

    def of(self, seen: Seen) -> NDArray[np.float32]: ...


SIGNALS: dict[str, Signal] = {}
"""All signals but the emotion scores, of which every checkpoint has its own."""


def register(signal: Signal) -> Signal:
    """Add a signal to ``SIGNALS``; one whose name or columns are taken, or that needs what no face has, is a bug."""
    if signal.needs not in (CROPS, LANDMARKS, PROBABILITIES):
        raise ValueError(f"The signal {signal.name} needs {signal.needs!r}, which no face has.")
    taken = {column.name for other in SIGNALS.values() for column in other.columns}
    if signal.name in SIGNALS or (twice := taken & {column.name for column in signal.columns}):
        what = f"a signal {signal.name}" if signal.name in SIGNALS else f"a column {', '.join(sorted(twice))}"
        raise ValueError(f"There is {what} already; choose another name.")
    SIGNALS[signal.name] = signal
    return signal


def measured() -> tuple[Signal, ...]:
    """The signals that an analysis computes and keeps."""
    return tuple(signal for signal in SIGNALS.values() if signal.needs == CROPS)


def viewed() -> tuple[Signal, ...]:
    """The signals that are computed from kept columns when somebody looks."""
    return tuple(signal for signal in SIGNALS.values() if signal.needs != CROPS)
