"""One small interface for face detectors, and a registry of them. ``docs/detectors.md`` compares them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol

import numpy as np

from fer_core.errors import InputError
from fer_core.faces.records import RGB, Faces
from fer_core.places import detectors_folder

DEFAULT_DETECTOR = "mtcnn"


class Detector(Protocol):
    """Pictures in, faces out.

    ``detect`` takes RGB pictures uint8 (h, w, 3), of any sizes, and returns one ``Faces`` for each, best score first.
    A picture without a face gives ``Faces.none()``.
    """

    name: str

    def detect(self, images: Sequence[RGB]) -> list[Faces]: ...


@dataclass(frozen=True)
class DetectorKind:
    """A detector that can be chosen by name.

    Attributes:
        name: what settings and records call it.
        title: what people call it.
        note: what it is good for and what it costs, one line.
        build: smallest face in pixels and torch device → the detector.
        published: name of the published file that its weights are converted from; empty where nothing is needed.
    """

    name: str
    title: str
    note: str
    build: Callable[[int, str], Detector]
    published: str = ""

    @property
    def weights(self) -> Path:
        """Where its weights must lie; asked for only where ``published`` names some."""
        return detectors_folder() / f"{self.name}.safetensors"

    @property
    def missing(self) -> str:
        """Why it cannot be used now, and what to do; empty where it can."""
        if not self.published or self.weights.is_file():
            return ""
        return (
            f"{self.title} needs weights, which do not come with the workbench. They are published in the PyTorch "
            f"RetinaFace repository by biubug6, as {self.published}. Get that file and convert it with: "
            f"python -m fer_core.faces.convert {self.name} {self.published}. "
            f"The result must lie at {self.weights}."
        )


def _mtcnn(min_face_px: int, device: str) -> Detector:
    """Runs on the CPU, whatever ``device`` says."""
    from fer_core.faces.mtcnn import MtcnnDetector

    return MtcnnDetector(min_face_px=min_face_px)


def _haar(min_face_px: int, device: str) -> Detector:
    """OpenCV's cascade runs on the CPU, whatever ``device`` says."""
    from fer_core.faces.haar import HaarDetector

    return HaarDetector(min_face_px=min_face_px)


def _retinaface(name: str, min_face_px: int, device: str) -> Detector:
    from fer_core.faces.retinaface import RetinaFaceDetector, load_retinaface

    return RetinaFaceDetector(load_retinaface(name, DETECTORS[name].weights), min_face_px=min_face_px, device=device)


def _retinaface_kind(name: str, title: str, note: str, published: str) -> DetectorKind:
    return DetectorKind(name, title, note, partial(_retinaface, name), published)


DETECTORS: dict[str, DetectorKind] = {
    kind.name: kind
    for kind in (
        DetectorKind("mtcnn", "MTCNN", "three small networks in a row, marks eyes, nose and mouth", _mtcnn),
        DetectorKind("haar", "Haar cascade", "upright faces from the front only; eyes and mouth are guessed", _haar),
        _retinaface_kind(
            "retinaface-resnet50",
            "RetinaFace with ResNet-50",
            "small, turned and crowded faces too; slow without a GPU",
            "Resnet50_Final.pth",
        ),
        _retinaface_kind(
            "retinaface-mobilenet025",
            "RetinaFace with MobileNet ×0.25",
            "less sure than with ResNet-50, as fast as MTCNN",
            "mobilenet0.25_Final.pth",
        ),
    )
}


def make_detector(name: str = DEFAULT_DETECTOR, *, min_face_px: int = 40, device: str = "cpu") -> Detector:
    """A detector by name.

    Args:
        name: one of ``DETECTORS``.
        min_face_px: faces with a shorter side below this are left out.
        device: torch device.

    Raises:
        InputError: unknown name, a face size that no detector can work with, or weights that are not there.
        CheckpointError: weights that are damaged or another detector's.
    """
    if name not in DETECTORS:
        raise InputError(f"Unknown detector {name!r}; known are {', '.join(DETECTORS)}.")
    if not 12 <= min_face_px <= 2000:
        raise InputError(f"The smallest face must be 12 to 2000 px, got {min_face_px}.")
    if missing := DETECTORS[name].missing:
        raise InputError(missing)
    return DETECTORS[name].build(min_face_px, device)


def check_rgb(image: RGB) -> None:
    """Raise ``InputError`` unless ``image`` is uint8 (h, w, 3)."""
    if not isinstance(image, np.ndarray) or image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        got = f"{image.dtype} {image.shape}" if isinstance(image, np.ndarray) else type(image).__name__
        raise InputError(f"Expected an RGB picture uint8 (h, w, 3), got {got}.")
