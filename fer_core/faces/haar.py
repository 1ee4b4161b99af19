"""Haar cascade (Viola and Jones 2001) with the frontal faces that come with OpenCV.

A cascade gives a square and no landmarks, but faces are cut by landmarks. They are put where eyes, nose and mouth lie
in such a square on average, upright; so a tilted head is not turned upright, and turned heads cannot be told by them.
``python -m benchmarks.haar_geometry`` measures the place; ``docs/detectors.md`` says what the guess costs.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from cv2.data import haarcascades

from fer_core.errors import InputError
from fer_core.faces.records import RGB, ArrayF, Faces, check_rgb

CASCADE = "haarcascade_frontalface_default.xml"
SCALE_FACTOR = 1.1
"""Step from one face size to the next. A smaller step finds a few faces more, and many more false alarms."""
MIN_NEIGHBOURS = 6
"""Overlapping hits that make a face: the fewest that raise no false alarm in a clip without a face."""
MIDDLE_WEIGHT, WEIGHT_SCALE = 3.0, 1.5
"""Weight of the last stage that becomes a score of 0.5, and the weight by which the odds grow e-fold."""
LANDMARKS_IN_SQUARE = np.array(
    [[0.31, 0.39], [0.69, 0.39], [0.5, 0.61], [0.34, 0.81], [0.66, 0.81]], np.float32
)  # fmt: skip
"""Mean landmarks in units of the square's side, mirror images averaged."""


class HaarDetector:
    """OpenCV's cascade behind our interface. Pictures are grey and equalised; they go one by one, on the CPU.

    Args:
        min_face_px: smallest square in pixels; below 24 counts as 24, the size that the cascade was trained with.
        scale_factor: see ``SCALE_FACTOR``; above 1.
        min_neighbours: see ``MIN_NEIGHBOURS``; at least 1.
    """

    name = "haar"

    def __init__(
        self, *, min_face_px: int = 40, scale_factor: float = SCALE_FACTOR, min_neighbours: int = MIN_NEIGHBOURS
    ) -> None:
        self.min_face_px, self.scale_factor, self.min_neighbours = min_face_px, scale_factor, min_neighbours
        self._own = threading.local()
        if self._cascade().empty():
            raise InputError(f"OpenCV {cv2.__version__} comes without {CASCADE}; install version 4.")

    def detect(self, images: Sequence[RGB]) -> list[Faces]:
        """See ``Detector.detect``. Scores are weights of the last stage, see ``score_of_weight``."""
        for image in images:
            check_rgb(image)
        return [self._detect(image) for image in images]

    def _cascade(self) -> cv2.CascadeClassifier:
        """One for each thread: it keeps the picture that it is looking at."""
        if not hasattr(self._own, "cascade"):
            self._own.cascade = cv2.CascadeClassifier(str(Path(haarcascades) / CASCADE))
        cascade: cv2.CascadeClassifier = self._own.cascade
        return cascade

    def _detect(self, image: RGB) -> Faces:
        if min(image.shape[:2]) < self.min_face_px:
            return Faces.none()
        squares, _, weights = self._cascade().detectMultiScale3(
            cv2.equalizeHist(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)),
            scaleFactor=self.scale_factor,
            minNeighbors=self.min_neighbours,
            minSize=(self.min_face_px, self.min_face_px),
            outputRejectLevels=True,
        )
        if not len(squares):
            return Faces.none()
        faces = faces_of_squares(np.asarray(squares, np.float32), np.asarray(weights, np.float64).ravel())
        return faces[np.argsort(-faces.scores, kind="stable")]


def faces_of_squares(squares: ArrayF, weights: np.ndarray) -> Faces:
    """Faces from squares (n, 4; x, y, width, height in pixels) and the weights (n,) of the cascade's last stage."""
    corner, size = squares[:, :2], squares[:, 2:]
    landmarks = corner[:, None] + LANDMARKS_IN_SQUARE * size[:, None]
    return Faces(np.hstack([corner, corner + size]), score_of_weight(weights), landmarks)


def score_of_weight(weights: np.ndarray) -> ArrayF:
    """Scores (n,) in 0-1 that keep the order of the weights (n,): a logistic curve, and no probability.

    Weights of faces are mostly 3 to 10; those of false alarms that fewer hits let through reached 6.3. So a score above
    0.99, which counts as sure elsewhere, is one that no false alarm was seen to have.
    """
    return np.asarray(1 / (1 + np.exp(-(weights - MIDDLE_WEIGHT) / WEIGHT_SCALE)), np.float32)
