"""Which part of the face attention falls on, from the five landmarks.

Coordinates are those of ``fer_core.faces.crops``: pixel i reaches from i to i + 1, its centre is at i + 0.5.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fer_core.errors import InputError
from fer_core.faces.crops import SIDE_PER_EYE_DISTANCE, crop_squares
from fer_core.faces.geometry import CropGeometry

ArrayF = NDArray[np.float32]
Points = NDArray[np.float64]

REGIONS: tuple[str, ...] = ("brows", "eyes", "nose", "mouth", "rest of the face", "outside")

FACE_CENTRE, FACE_HALF_AXES = -0.25, (1.12, 1.47)
"""The face's ellipse: how far its centre lies below the middle between eyes and mouth, and its half axes across and
down. A face is about 2.2 eye distances wide; its hairline lies 1.2 above the eyes, its chin 1.8 below them."""
EYE_HALF_SIDES = (0.36, 0.18)
BROW_TOP, BROW_END = 0.50, 0.45
NOSE_RADIUS, MOUTH_RADIUS = 0.28, 0.30


def landmarks_in_crop(landmarks: ArrayF, geometry: CropGeometry) -> ArrayF:
    """Where landmarks lie in the crops that ``crop_faces`` cuts by them.

    Args:
        landmarks: (n, 5, 2) x y in pixels of the picture.
        geometry: how the faces are cut.

    Returns:
        float32 (n, 5, 2), x y in pixels of the crop, 0 to ``geometry.size`` where they lie in it.
    """
    squares = crop_squares(landmarks, geometry.margin)
    return (_in_squares(landmarks, squares) * geometry.size).astype(np.float32)


def _in_squares(points: NDArray, squares: Points) -> Points:
    """Points (n, m, 2) in the coordinates of squares (n, 3, 2): 0-1 from corner to corner."""
    origin, axes = squares[:, :1], squares[:, 1:]
    area = np.maximum((axes[:, :1] ** 2).sum(axis=2, keepdims=True), 1e-12)
    return (points - origin) @ axes.swapaxes(1, 2) / area


def region_masks(landmarks: ArrayF, size: int) -> NDArray[np.bool_]:
    """The regions of a face as a partition of its crop.

    The frame is the square that the face would be cut as: upright by eyes and mouth, and its unit, the eye distance,
    is guessed from the distance between eyes and mouth where the head is turned (``crop_squares``). In this unit, a
    pixel belongs to the first that fits of

    1. outside: outside the face's ellipse (``FACE_CENTRE``, ``FACE_HALF_AXES``);
    2. mouth: within 0.30 of the line between its corners;
    3. eyes: within 0.36 across and 0.18 up and down of either eye;
    4. brows: in the band above the eyes, 0.18 to 0.50 up, from 0.45 left of the one to 0.45 right of the other;
    5. nose: within 0.28 of the line from the middle between the eyes to its tip;
    6. rest of the face.

    Args:
        landmarks: (5, 2) x y in pixels of the crop, in the order of ``fer_core.faces.LANDMARKS``.
        size: side of the crop in pixels.

    Returns:
        bool (6, size, size), in the order of ``REGIONS``; each pixel is in exactly one.

    Raises:
        InputError: landmarks of another shape, or not finite; a size below 1.
    """
    if landmarks.shape != (5, 2) or not np.isfinite(landmarks).all():
        raise InputError(f"Expected five finite landmarks (5, 2), got {landmarks.shape}: {landmarks.tolist()}.")
    if size < 1:
        raise InputError(f"Expected a size of 1 pixel or more, got {size}; give the side of the crop.")
    square = crop_squares(landmarks[None])
    centres = np.arange(size) + 0.5
    grid = np.stack(np.meshgrid(centres, centres), axis=-1).reshape(1, -1, 2)
    pixels, points = (_in_squares(each, square)[0] * SIDE_PER_EYE_DISTANCE for each in (grid, landmarks[None]))
    inside = _regions(pixels, points)
    order = ("outside", "mouth", "eyes", "brows", "nose")
    first = np.select(
        [inside[name] for name in order], [REGIONS.index(name) for name in order], REGIONS.index("rest of the face")
    )
    return (first == np.arange(len(REGIONS))[:, None]).reshape(len(REGIONS), size, size)


def _regions(pixels: Points, points: Points) -> dict[str, NDArray[np.bool_]]:
    """Which pixels (m, 2) fit each region, by landmarks (5, 2), both in eye distances."""
    eyes, nose, mouth = points[:2], points[2], points[3:]
    between, middle = eyes.mean(axis=0), (eyes.mean(axis=0) + mouth.mean(axis=0)) / 2
    left, right = eyes[:, 0].min() - BROW_END, eyes[:, 0].max() + BROW_END
    x, up = pixels[:, 0], between[1] - pixels[:, 1]
    ellipse = (pixels - middle - (0.0, FACE_CENTRE)) / FACE_HALF_AXES
    return {
        "outside": (ellipse**2).sum(axis=1) > 1,
        "mouth": _distance(pixels, mouth[0], mouth[1]) <= MOUTH_RADIUS,
        "eyes": np.any([(np.abs(pixels - eye) <= EYE_HALF_SIDES).all(axis=1) for eye in eyes], axis=0),
        "brows": (up >= EYE_HALF_SIDES[1]) & (up <= BROW_TOP) & (x >= left) & (x <= right),
        "nose": _distance(pixels, between, nose) <= NOSE_RADIUS,
    }


def _distance(pixels: Points, start: Points, end: Points) -> Points:
    """Distance (m,) of pixels (m, 2) from the line between two points (2,)."""
    line = end - start
    along = np.clip((pixels - start) @ line / max(float(line @ line), 1e-12), 0, 1)
    return np.linalg.norm(pixels - start - along[:, None] * line, axis=1)


def attention_shares(heatmap: ArrayF, masks: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Share of a map that falls on each region.

    Args:
        heatmap: (s, s), 0 and above.
        masks: bool (k, s, s), a partition.

    Returns:
        float64 (k,) that sums to 1; all NaN where the map is zero everywhere.

    Raises:
        InputError: the sides of map and masks differ.
    """
    if heatmap.ndim != 2 or masks.ndim != 3 or masks.shape[1:] != heatmap.shape:
        raise InputError(f"Expected a map (s, s) and masks (k, s, s), got {heatmap.shape} and {masks.shape}.")
    sums = (heatmap.astype(np.float64) * masks).sum(axis=(1, 2))
    return sums / sums.sum() if sums.sum() > 0 else np.full(len(masks), np.nan)
