"""Models that stay loaded in a worker's process, so that the next job does not wait for them."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from fer_core.models.folders import checkpoint_named

if TYPE_CHECKING:
    from fer_core.faces import Detector
    from fer_core.models.classifier import Classifier

MIN_FACE_PX = 30


def classifier(name: str) -> Classifier:
    """The network of a checkpoint; loaded anew when its files are others, as after another one took its name.

    Raises:
        CheckpointError: there is none, or it cannot be used.
    """
    return _classifier(str(checkpoint_named(name)), version(name))


def version(name: str) -> tuple[int, ...]:
    """Of the files of a checkpoint; another one when they are others.

    Raises:
        CheckpointError: there is none.
    """
    return tuple(path.stat().st_mtime_ns for path in sorted(checkpoint_named(name).glob("*.*")))


@lru_cache(maxsize=4)
def _classifier(folder: str, changed: tuple[int, ...]) -> Classifier:
    from fer_core.models.classifier import load

    return load(folder)


@lru_cache(maxsize=1)
def detector() -> Detector:
    """The face detector for single pictures."""
    from fer_core.faces import make_detector

    return make_detector(min_face_px=MIN_FACE_PX)
