"""MTCNN (Zhang et al. 2016) behind our interface, with the weights of facenet-pytorch."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from facenet_pytorch.models import mtcnn

from fer_core.faces.cascade import CELL, THRESHOLDS, Cascade
from fer_core.faces.detectors import in_passes
from fer_core.faces.records import RGB, Faces

Batch = Callable[[list[RGB]], list[Faces]]


def make_cascade(min_face_px: int) -> Cascade:
    """Our own way through the library's networks, for CPUs."""
    return Cascade(mtcnn.PNet(), mtcnn.RNet(), mtcnn.ONet(), min_face_px=min_face_px)


def _on_cpu(min_face_px: int) -> Batch:
    cascade = make_cascade(min_face_px)
    return lambda images: [cascade.detect(image) for image in images]


def _library(min_face_px: int, device: torch.device) -> Batch:
    """facenet-pytorch's own way, for pictures of one size in one pass."""
    net = mtcnn.MTCNN(keep_all=True, min_face_size=min_face_px, thresholds=list(THRESHOLDS), device=device).eval()

    def detect(images: list[RGB]) -> list[Faces]:
        if min(images[0].shape[:2]) < max(min_face_px, CELL + 1):  # the pyramid would be empty and torch.cat fails
            return [Faces.none() for _ in images]
        with torch.inference_mode():
            found = net.detect(np.stack(images), landmarks=True)
        return [Faces.from_facenet(*each) for each in zip(*found, strict=True)]

    return detect


class MtcnnDetector:
    """MTCNN, best score first.

    Args:
        min_face_px: faces with a shorter side below this are dropped; the cost grows with its inverse square.
        min_score: faces below this O-Net score are dropped (0-1). 0.9 keeps hands and cloth out.
        device: torch device. On a CPU our own ``Cascade`` takes the pictures one by one, which is faster there than a
            batch (facenet-pytorch issue 77); elsewhere the library takes pictures of one size together.
    """

    name = "mtcnn"

    def __init__(self, *, min_face_px: int = 40, min_score: float = 0.9, device: str = "cpu") -> None:
        self.min_face_px, self.min_score, self.device = min_face_px, min_score, torch.device(device)
        self._detect_batch = _on_cpu(min_face_px) if self.device.type == "cpu" else _library(min_face_px, self.device)

    def detect(self, images: Sequence[RGB]) -> list[Faces]:
        """See ``Detector.detect``."""
        found = in_passes(images, self._detect_batch, together=self.device.type != "cpu")
        return [self._keep(faces) for faces in found]

    def _keep(self, faces: Faces) -> Faces:
        order = np.argsort(-faces.scores, kind="stable")
        sides = (faces.boxes[:, 2:] - faces.boxes[:, :2]).min(axis=1)
        return faces[order[(faces.scores[order] >= self.min_score) & (sides[order] >= self.min_face_px)]]
