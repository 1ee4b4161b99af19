"""MTCNN (Zhang et al. 2016) behind our interface, with the weights of facenet-pytorch."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from facenet_pytorch.models import mtcnn
from numpy.typing import NDArray

from fer_core.faces.cascade import CELL, THRESHOLDS, Cascade
from fer_core.faces.detectors import in_passes
from fer_core.faces.records import RGB, ArrayF, Faces

SURE = 0.9
"""A score of O-Net above which one look is enough."""
AROUND = ((0.0, 0.0, 0.85), (0.0, 0.0, 1.15), (0.1, 0.0, 1.0), (-0.1, 0.0, 1.0), (0.0, 0.1, 1.0), (0.0, -0.1, 1.0))
"""Where else to look: shift (x, y) and size in units of the box."""
Batch = Callable[[list[RGB]], list[Faces]]


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
        self._cascade = Cascade(mtcnn.PNet(), mtcnn.RNet(), mtcnn.ONet(), min_face_px=min_face_px)
        self._detect_batch = self._on_cpu if self.device.type == "cpu" else _library(min_face_px, self.device)

    def detect(self, images: Sequence[RGB]) -> list[Faces]:
        """See ``Detector.detect``."""
        found = in_passes(images, self._detect_batch, together=self.device.type != "cpu")
        return [self._keep(faces) for faces in found]

    def refine(self, images: Sequence[RGB], boxes: ArrayF) -> Faces:
        """The faces near boxes (n, 4), each in its own one of n pictures, by the second and third network alone; a
        score of 0 where they see none. On the CPU.

        Where the networks are not sure they look again from boxes around, and the best answer counts. As the boxes come
        from where a face was a moment ago, O-Net's own threshold decides.
        """
        found = self._cascade.refine(images, boxes)
        unsure = np.flatnonzero(found.scores < SURE)
        if len(unsure):
            again = self._cascade.refine([images[i] for i in unsure.tolist() for _ in AROUND], _around(boxes[unsure]))
            best = again.scores.reshape(len(unsure), -1).argmax(axis=1) + np.arange(len(unsure)) * len(AROUND)
            better = again.scores[best] > found.scores[unsure]
            into, off = unsure[better], best[better]
            found.boxes[into], found.scores[into] = again.boxes[off], again.scores[off]
            found.landmarks[into] = again.landmarks[off]
        there = (found.scores >= THRESHOLDS[2]) & (_sides(found) >= self.min_face_px)
        return Faces(found.boxes, np.where(there, found.scores, 0), found.landmarks)

    def glance(self, images: Sequence[RGB], boxes: ArrayF) -> NDArray[np.bool_]:
        """Whether boxes (n, 4), each in its own one of n pictures, show a face, by the second network alone."""
        return np.asarray(self._cascade.glance(images, boxes) > THRESHOLDS[1])

    def _on_cpu(self, images: list[RGB]) -> list[Faces]:
        return [self._cascade.detect(image) for image in images]

    def _keep(self, faces: Faces) -> Faces:
        order = np.argsort(-faces.scores, kind="stable")
        return faces[order[self._is_good(faces)[order]]]

    def _is_good(self, faces: Faces) -> NDArray[np.bool_]:
        return (faces.scores >= self.min_score) & (_sides(faces) >= self.min_face_px)


def _sides(faces: Faces) -> ArrayF:
    """Shorter side of each box (n,)."""
    return np.asarray((faces.boxes[:, 2:] - faces.boxes[:, :2]).min(axis=1), np.float32)


def _around(boxes: ArrayF) -> ArrayF:
    """Boxes (n · k, 4) around each of boxes (n, 4), as ``AROUND`` says."""
    sides = boxes[:, 2:] - boxes[:, :2]
    middle = (boxes[:, :2] + boxes[:, 2:]) / 2
    moved = middle[:, None] + sides[:, None] * np.array(AROUND)[None, :, :2]
    half = sides[:, None] * np.array(AROUND)[None, :, 2:] / 2
    return np.concatenate([moved - half, moved + half], axis=2).reshape(-1, 4).astype(np.float32)
