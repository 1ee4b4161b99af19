"""Cutting a face out of a picture: upright by the eyes, and as large in the crop as faces are in the training data.

The same function prepares faces for every model and every view. Its constants are measured on FER2013 by
``python -m benchmarks.crop_geometry``; see ``docs/crops.md`` for what a wrong margin costs.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from fer_core.faces.geometry import CropGeometry
from fer_core.faces.records import RGB, ArrayF, Faces, check_rgb

MIDDLE = (0.505, 0.583)
"""Where the middle between eyes and mouth lies in a FER2013 picture, in units of its side."""
SIDE_PER_EYE_DISTANCE, SIDE_PER_EYE_MOUTH_DISTANCE = 2.52, 2.26
FINE = 3
"""A face this many times larger than its crop is first shrunk as it stands, by a whole number."""


def crop_squares(landmarks: ArrayF, margin: float = 1.0) -> NDArray[np.float64]:
    """The square that each face is cut as: (n, 3, 2) origin, x axis and y axis in pixels, from landmarks (n, 5, 2).

    The x axis runs along the eyes, helped by the line from eyes to mouth where a turned head brings the eyes together;
    both axes have the length of the square's side.
    """
    points = landmarks.astype(np.float64)
    eyes, mouth = points[:, :2].mean(axis=1), points[:, 3:].mean(axis=1)
    across, down = points[:, 1] - points[:, 0], mouth - eyes
    side = margin * np.maximum(
        SIDE_PER_EYE_DISTANCE * np.linalg.norm(across, axis=1),
        SIDE_PER_EYE_MOUTH_DISTANCE * np.linalg.norm(down, axis=1),
    )
    x_axis = across + np.stack([down[:, 1], -down[:, 0]], axis=1)
    x_axis *= (side / np.maximum(np.linalg.norm(x_axis, axis=1), 1e-6))[:, None]
    y_axis = np.stack([-x_axis[:, 1], x_axis[:, 0]], axis=1)
    anchor_x, anchor_y = (0.5 + (value - 0.5) / margin for value in MIDDLE)
    origin = (eyes + mouth) / 2 - x_axis * anchor_x - y_axis * anchor_y
    return np.stack([origin, x_axis, y_axis], axis=1)


def fitted_squares(landmarks: ArrayF, places: NDArray[np.float64]) -> NDArray[np.float64]:
    """The square that each face is cut as, (n, 3, 2) as of ``crop_squares``, so that its landmarks (n, 5, 2) lie as
    near as can be to ``places`` (5, 2), in units of the side: moved, turned and scaled, by least squares."""
    points, wanted = landmarks.astype(np.float64), places - places.mean(axis=0)
    middle = points.mean(axis=1)
    centred = points - middle[:, None]
    along = (wanted * centred).sum(axis=(1, 2))
    across = (wanted[:, 0] * centred[..., 1] - wanted[:, 1] * centred[..., 0]).sum(axis=1)
    x_axis = np.stack([along, across], axis=1) / (wanted**2).sum()
    y_axis = np.stack([-x_axis[:, 1], x_axis[:, 0]], axis=1)
    origin = middle - x_axis * places[:, 0].mean() - y_axis * places[:, 1].mean()
    return np.stack([origin, x_axis, y_axis], axis=1)


def crop_faces(image: RGB, faces: Faces, geometry: CropGeometry) -> RGB:
    """RGB crops uint8 (n, size, size, 3) of ``faces`` in RGB ``image`` (h, w, 3).

    What lies outside the picture is filled with its edge. A face larger than the crop is averaged, not sub-sampled.
    """
    return cut_squares(image, crop_squares(faces.landmarks, geometry.margin), geometry.size)


def cut_squares(image: RGB, squares: NDArray[np.float64], size: int) -> RGB:
    """RGB crops uint8 (n, size, size, 3) of squares (n, 3, 2), see ``crop_squares``, in RGB ``image`` (h, w, 3).

    Filled and averaged as by ``crop_faces``.
    """
    check_rgb(image)
    crops = [_cut(image, square, size) for square in squares]
    return np.stack(crops) if crops else np.zeros((0, size, size, 3), np.uint8)


def _cut(image: RGB, square: NDArray[np.float64], size: int) -> RGB:
    origin, x_axis, y_axis = square
    shrink = int(np.clip(np.linalg.norm(x_axis) / (FINE * size), 1, 64))
    if shrink > 1:
        image, corner = shrunk(image, square, shrink)
        origin, x_axis, y_axis = (origin - corner) / shrink, x_axis / shrink, y_axis / shrink
    factor = int(np.clip(np.ceil(np.linalg.norm(x_axis) / size), 1, 16))
    large = size * factor
    step = np.stack([x_axis, y_axis], axis=1) / large
    start = origin + step @ np.array([0.5, 0.5]) - 0.5  # pixel centres of the crop in pixel centres of the picture
    matrix = np.column_stack([step, start])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    cut = cv2.warpAffine(image, matrix, (large, large), flags=flags, borderMode=cv2.BORDER_REPLICATE)
    return cut if factor == 1 else cv2.resize(cut, (size, size), interpolation=cv2.INTER_AREA)


def shrunk(image: RGB, square: NDArray[np.float64], times: int) -> tuple[RGB, NDArray[np.int64]]:
    """The part of the picture around a square (3, 2), so many times smaller, and its corner in the picture."""
    origin, x_axis, y_axis = square
    corners = np.stack([origin, origin + x_axis, origin + y_axis, origin + x_axis + y_axis])
    limit = np.array(image.shape[1::-1])
    low = np.clip(np.floor(corners.min(axis=0)).astype(int) - 2 * times, 0, np.maximum(limit - times, 0))
    parts = (np.clip(np.ceil(corners.max(axis=0)).astype(int) + 2 * times, low + times, limit) - low) // times
    high = low + np.maximum(parts, 1) * times
    part = image[low[1] : high[1], low[0] : high[0]]
    return cv2.resize(part, tuple(np.maximum(parts, 1).tolist()), interpolation=cv2.INTER_AREA), low


def crop_qualities(crops: NDArray[np.uint8]) -> dict[str, ArrayF]:
    """What may make a face hard to read, float32 (n,) each, of crops uint8 (n, h, w) grey or (n, h, w, 3) RGB.

    Returns:
        By the names of ``QUALITIES``: ``brightness``, mean grey value in 0-1; ``contrast``, standard deviation of the
        grey values in 0-1 (0.5 at most); ``sharpness``, variance of the Laplacian (3×3) of the grey picture on the
        0-255 scale, which depends on the size of the crop.
    """
    greys = [crop if crop.ndim == 2 else cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY) for crop in crops]
    measured = {
        "brightness": [grey.mean() / 255 for grey in greys],
        "contrast": [grey.std() / 255 for grey in greys],
        "sharpness": [cv2.Laplacian(grey, cv2.CV_32F).var() for grey in greys],
    }
    return {name: np.array(values, np.float32) for name, values in measured.items()}
