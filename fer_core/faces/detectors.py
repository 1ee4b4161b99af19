"""One small interface for face detectors, and a registry of them. ``docs/detectors.md`` compares them.

A new detector is one file that holds it and one registration here; pages, settings and the command line learn of it by
themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol, TypeGuard, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from fer_core.errors import InputError
from fer_core.faces.records import RGB, ArrayF, Faces
from fer_core.places import detectors_folder

DEFAULT_DETECTOR = "mtcnn"


class Detector(Protocol):
    """Pictures in, faces out.

    ``detect`` takes RGB pictures uint8 (h, w, 3), of any sizes, and returns one ``Faces`` for each, best score first.
    A picture without a face gives ``Faces.none()``.
    """

    name: str

    def detect(self, images: Sequence[RGB]) -> list[Faces]: ...


@runtime_checkable
class Refiner(Protocol):
    """What a detector offers beyond ``Detector`` if it can follow a face from frame to frame.

    It judges boxes (n, 4), each in its own one of n pictures: ``refine`` gives the faces there, with a score of 0 where
    there is none; ``glance`` only says whether there is one (n,), at a fraction of the cost.
    """

    def refine(self, images: Sequence[RGB], boxes: ArrayF) -> Faces: ...

    def glance(self, images: Sequence[RGB], boxes: ArrayF) -> NDArray[np.bool_]: ...


def can_refine(detector: Detector) -> TypeGuard[Refiner]:
    """Whether a detector can do what the mode ``fast`` needs; with another one every frame is looked at."""
    return isinstance(detector, Refiner)


@dataclass(frozen=True)
class DetectorKind:
    """A detector that can be chosen by name.

    Attributes:
        name: what settings and records call it.
        title: what people call it.
        note: what it is good for and what it costs, one line.
        build: smallest face in pixels and torch device → the detector.
        refines: it is a ``Refiner`` too; told here so that forms know it without loading the detector.
        weights_from: how to come by its weights, in whole sentences; empty where nothing is needed.
    """

    name: str
    title: str
    note: str
    build: Callable[[int, str], Detector]
    refines: bool = False
    weights_from: str = ""

    @property
    def weights(self) -> Path:
        """Where its weights must lie; asked for only where it needs some."""
        return detectors_folder() / f"{self.name}.safetensors"

    @property
    def missing(self) -> str:
        """Why it cannot be used now, and what to do; empty where it can."""
        if not self.weights_from or self.weights.is_file():
            return ""
        return (
            f"{self.title} needs weights, which do not come with the workbench. {self.weights_from} "
            f"The result must lie at {self.weights}."
        )


DETECTORS: dict[str, DetectorKind] = {}
"""All detectors, in the order in which people see them."""


def register(kind: DetectorKind) -> None:
    """Make a detector known; a second one of the same name is a bug.

    ``kind.build`` imports what it needs itself, so that detectors can be listed without OpenCV and torch.
    """
    if kind.name in DETECTORS:
        raise ValueError(f"Detector {kind.name!r} is registered twice.")
    DETECTORS[kind.name] = kind


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
    """``published`` is the name of the file that its weights are converted from."""
    weights_from = (
        f"They are published in the PyTorch RetinaFace repository by biubug6, as {published}. Get that file and "
        f"convert it with: python -m fer_core.faces.convert {name} {published}."
    )
    return DetectorKind(name, title, note, partial(_retinaface, name), weights_from=weights_from)


register(
    DetectorKind("mtcnn", "MTCNN", "three small networks in a row, marks eyes, nose and mouth", _mtcnn, refines=True)
)
register(DetectorKind("haar", "Haar cascade", "upright faces from the front only; eyes and mouth are guessed", _haar))
register(
    _retinaface_kind(
        "retinaface-resnet50",
        "RetinaFace with ResNet-50",
        "small, turned and crowded faces too; slow without a GPU",
        "Resnet50_Final.pth",
    )
)
register(
    _retinaface_kind(
        "retinaface-mobilenet025",
        "RetinaFace with MobileNet ×0.25",
        "less sure than with ResNet-50, as fast as MTCNN",
        "mobilenet0.25_Final.pth",
    )
)
