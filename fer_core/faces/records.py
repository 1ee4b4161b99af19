"""Faces found in one picture, and what every detector of them needs: a check of pictures, and one box per face."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fer_core.errors import InputError

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
            raise InputError(f"Expected boxes (n, 4), scores (n,), landmarks (n, 5, 2); got {shapes}.")

    def __len__(self) -> int:
        return len(self.boxes)

    def __getitem__(self, index: NDArray) -> Faces:
        return Faces(self.boxes[index], self.scores[index], self.landmarks[index])

    @classmethod
    def none(cls) -> Faces:
        """No face."""
        return cls(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros((0, 5, 2), np.float32))


def check_rgb(image: RGB) -> None:
    """Raise ``InputError`` unless ``image`` is uint8 (h, w, 3)."""
    if not isinstance(image, np.ndarray) or image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        got = f"{image.dtype} {image.shape}" if isinstance(image, np.ndarray) else type(image).__name__
        raise InputError(f"Expected an RGB picture uint8 (h, w, 3), got {got}.")


def suppressed(boxes: ArrayF, scores: ArrayF, most: float) -> NDArray[np.int64]:
    """Rows to keep, best first: none shares more than ``most`` of the smaller of two boxes with a better one."""
    order = np.argsort(scores, kind="stable")[::-1]
    areas = (boxes[:, 2:] - boxes[:, :2] + 1).prod(axis=1)
    kept: list[int] = []
    while len(order):
        first, rest = order[0], order[1:]
        low, high = np.maximum(boxes[first, :2], boxes[rest, :2]), np.minimum(boxes[first, 2:], boxes[rest, 2:])
        shared = np.maximum(high - low + 1, 0).prod(axis=1)
        kept.append(int(first))
        order = rest[shared / np.minimum(areas[first], areas[rest]) <= most]
    return np.array(kept, np.int64)
