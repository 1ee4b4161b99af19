"""MTCNN (Zhang et al. 2016) behind our interface, with the weights of facenet-pytorch."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from facenet_pytorch.models import mtcnn
from numpy.typing import NDArray

from fer_core.faces.mtcnn.networks import THRESHOLDS, Networks
from fer_core.faces.records import RGB, ArrayF, Faces, check_rgb

SURE = 0.9
"""A score of O-Net above which one look is enough."""
AROUND = ((0.0, 0.0, 0.85), (0.0, 0.0, 1.15), (0.1, 0.0, 1.0), (-0.1, 0.0, 1.0), (0.0, 0.1, 1.0), (0.0, -0.1, 1.0))
"""Where else to look: shift (x, y) and size in units of the box."""


class MtcnnDetector:
    """MTCNN, best score first, on the CPU: small networks and much in between, which a GPU waits for.

    Args:
        min_face_px: faces with a shorter side below this are dropped; the cost grows with its inverse square.
        min_score: faces below this O-Net score are dropped (0-1). 0.9 keeps hands and cloth out.
    """

    name = "mtcnn"

    def __init__(self, *, min_face_px: int = 40, min_score: float = 0.9) -> None:
        self.min_face_px, self.min_score = min_face_px, min_score
        self._networks = Networks(mtcnn.PNet(), mtcnn.RNet(), mtcnn.ONet(), min_face_px=min_face_px)

    def detect(self, images: Sequence[RGB]) -> list[Faces]:
        """See ``Detector.detect``."""
        for image in images:
            check_rgb(image)
        return [self._keep(self._networks.detect(image)) for image in images]

    def refine(self, images: Sequence[RGB], boxes: ArrayF) -> Faces:
        """The faces near boxes (n, 4), each in its own one of n pictures, by the second and third network alone; a
        score of 0 where they see none.

        Where the networks are not sure they look again from boxes around, and the best answer counts. As the boxes come
        from where a face was a moment ago, O-Net's own threshold decides.
        """
        found = self._networks.refine(images, boxes)
        unsure = np.flatnonzero(found.scores < SURE)
        if len(unsure):
            again = self._networks.refine([images[i] for i in unsure.tolist() for _ in AROUND], _around(boxes[unsure]))
            best = again.scores.reshape(len(unsure), -1).argmax(axis=1) + np.arange(len(unsure)) * len(AROUND)
            better = again.scores[best] > found.scores[unsure]
            into, off = unsure[better], best[better]
            found.boxes[into], found.scores[into] = again.boxes[off], again.scores[off]
            found.landmarks[into] = again.landmarks[off]
        there = (found.scores >= THRESHOLDS[2]) & (_sides(found) >= self.min_face_px)
        return Faces(found.boxes, np.where(there, found.scores, 0), found.landmarks)

    def glance(self, images: Sequence[RGB], boxes: ArrayF) -> NDArray[np.bool_]:
        """Whether boxes (n, 4), each in its own one of n pictures, show a face, by the second network alone."""
        return np.asarray(self._networks.glance(images, boxes) > THRESHOLDS[1])

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
