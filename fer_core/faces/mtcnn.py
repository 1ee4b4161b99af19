"""MTCNN (Zhang et al. 2016) with facenet-pytorch's networks and weights."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from facenet_pytorch import MTCNN

from fer_core.faces.detectors import in_passes
from fer_core.faces.records import RGB, Faces

THRESHOLDS = (0.6, 0.7, 0.7)
"""Scores that a candidate needs after P-, R- and O-Net, as published."""


class MtcnnDetector:
    """facenet-pytorch's MTCNN behind our interface.

    Args:
        min_face_px: faces with a shorter side below this are dropped; the cost grows with its inverse square.
        min_score: faces below this O-Net score are dropped (0-1). 0.9 keeps hands and cloth out.
        device: torch device. On a CPU pictures go one by one, which is faster there than a batch
            (facenet-pytorch issue 77); elsewhere pictures of one size go together.
    """

    name = "mtcnn"

    def __init__(self, *, min_face_px: int = 40, min_score: float = 0.9, device: str = "cpu") -> None:
        self.min_face_px, self.min_score, self.device = min_face_px, min_score, torch.device(device)
        self._net = MTCNN(
            keep_all=True, min_face_size=min_face_px, thresholds=list(THRESHOLDS), device=self.device
        ).eval()

    def detect(self, images: Sequence[RGB]) -> list[Faces]:
        """See ``Detector.detect``."""
        return in_passes(images, self._detect_batch, together=self.device.type != "cpu")

    def _detect_batch(self, images: list[RGB]) -> list[Faces]:
        """Pictures of one size in one pass."""
        if min(images[0].shape[:2]) < max(self.min_face_px, 13):  # the pyramid would be empty and torch.cat fails
            return [Faces.none() for _ in images]
        with torch.inference_mode():
            found = self._net.detect(np.stack(images), landmarks=True)
        return [self._keep(Faces.from_facenet(*each)) for each in zip(*found, strict=True)]

    def _keep(self, faces: Faces) -> Faces:
        order = np.argsort(-faces.scores, kind="stable")
        sides = (faces.boxes[:, 2:] - faces.boxes[:, :2]).min(axis=1)
        return faces[order[(faces.scores[order] >= self.min_score) & (sides[order] >= self.min_face_px)]]
