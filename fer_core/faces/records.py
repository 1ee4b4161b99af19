"""Faces found in one picture."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

LANDMARKS: tuple[str, ...] = ("eye on the left", "eye on the right", "nose", "mouth on the left", "mouth on the right")
"""Order of the five landmarks; left and right as seen in the picture."""

QUALITIES: tuple[str, ...] = ("brightness", "contrast", "sharpness")
"""What a crop of a face is measured by, see ``fer_core.faces.crop_qualities``."""

ArrayF = NDArray[np.float32]
RGB = NDArray[np.uint8]


@dataclass(frozen=True)
class Faces:
    """n faces of one picture; n = 0 means that no face is there.

    Attributes:
        boxes: float32 (n, 4), x0 y0 x1 y1 in pixels of the picture; may reach over its edge.
        scores: float32 (n,), the detector's own certainty that this is a face, 0-1.
        landmarks: float32 (n, 5, 2), x y in pixels, in the order of ``LANDMARKS``.
    """

    boxes: ArrayF
    scores: ArrayF
    landmarks: ArrayF

    def __post_init__(self) -> None:
        n = len(self.boxes)
        shapes = (self.boxes.shape, self.scores.shape, self.landmarks.shape)
        if shapes != ((n, 4), (n,), (n, 5, 2)):
            raise ValueError(f"Expected boxes (n, 4), scores (n,), landmarks (n, 5, 2); got {shapes}.")

    def __len__(self) -> int:
        return len(self.boxes)

    def __getitem__(self, index: NDArray) -> Faces:
        return Faces(self.boxes[index], self.scores[index], self.landmarks[index])

    @classmethod
    def none(cls) -> Faces:
        """No face."""
        return cls(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros((0, 5, 2), np.float32))
