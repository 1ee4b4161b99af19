"""One small interface for face detectors, and a registry of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np

from fer_core.errors import InputError
from fer_core.faces.records import RGB, Faces


class Detector(Protocol):
    """Pictures in, faces out.

    ``detect`` takes RGB pictures uint8 (h, w, 3), of any sizes, and returns one ``Faces`` for each, best score first.
    A picture without a face gives ``Faces.none()``.
    """

    name: str

    def detect(self, images: Sequence[RGB]) -> list[Faces]: ...


def _mtcnn(min_face_px: int, device: str) -> Detector:
    from fer_core.faces.mtcnn import MtcnnDetector

    return MtcnnDetector(min_face_px=min_face_px, device=device)


DETECTORS: dict[str, Callable[[int, str], Detector]] = {"mtcnn": _mtcnn}


def make_detector(name: str = "mtcnn", *, min_face_px: int = 40, device: str = "cpu") -> Detector:
    """A detector by name.

    Args:
        name: one of ``DETECTORS``.
        min_face_px: faces with a shorter side below this are left out.
        device: torch device.

    Raises:
        InputError: unknown name, or a face size that no detector can work with.
    """
    if name not in DETECTORS:
        raise InputError(f"Unknown detector {name!r}; known are {', '.join(DETECTORS)}.")
    if not 12 <= min_face_px <= 2000:
        raise InputError(f"The smallest face must be 12 to 2000 px, got {min_face_px}.")
    return DETECTORS[name](min_face_px, device)


def check_rgb(image: RGB) -> None:
    """Raise ``InputError`` unless ``image`` is uint8 (h, w, 3)."""
    if not isinstance(image, np.ndarray) or image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        got = f"{image.dtype} {image.shape}" if isinstance(image, np.ndarray) else type(image).__name__
        raise InputError(f"Expected an RGB picture uint8 (h, w, 3), got {got}.")
