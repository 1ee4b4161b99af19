"""Maps as pictures: heat on its face, the difference of two maps, the channels of a layer."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from fer_core.errors import InputError

ArrayF = NDArray[np.float32]
RGB = NDArray[np.uint8]

HEAT_OPACITY, MAX_PX = 0.8, 8192
FOR, AGAINST = (230, 130, 0), (0, 91, 233)
"""Orange and blue, which colour-blind people tell apart as well, from each other and from grey."""


def overlay(crop: RGB, heatmap: ArrayF, *, size: int) -> RGB:
    """A heatmap on its face, for display: the face in grey, the heat in the colours of ``inferno``, the more opaque the
    hotter.

    Args:
        crop: uint8 (s, s, 3) RGB.
        heatmap: (s, s) in 0-1.
        size: side of the result in pixels.

    Returns:
        RGB uint8 (size, size, 3).

    Raises:
        InputError: a crop or a map of another shape, or a size below 1.
    """
    _check(crop, heatmap, size)
    return with_heat(_grey(crop, size), _enlarged(heatmap, size))


def with_heat(image: RGB, heat: ArrayF) -> RGB:
    """A copy of an RGB image (h, w, 3) with heat (h, w) in 0-1 on it, unchanged where the heat is 0."""
    heat = heat.clip(0, 1)
    colours = cv2.applyColorMap((heat * 255).round().astype(np.uint8), cv2.COLORMAP_INFERNO)[..., ::-1]
    return _blend(image, colours, heat)


def overlay_signed(crop: RGB, difference: ArrayF, *, size: int) -> RGB:
    """The difference of two heatmaps on its face, for display: the face in grey, orange (``FOR``) where the difference
    is above 0, blue (``AGAINST``) where it is below, the more opaque the larger.

    Args:
        crop: uint8 (s, s, 3) RGB.
        difference: (s, s) in -1 to 1, of ``contrast``.
        size: side of the result in pixels.

    Returns:
        RGB uint8 (size, size, 3).

    Raises:
        InputError: a crop or a difference of another shape, or a size below 1.
    """
    _check(crop, difference, size)
    signed = _enlarged(difference, size)
    colours = np.where(signed[..., None] > 0, FOR, AGAINST).astype(np.uint8)
    return _blend(_grey(crop, size), colours, np.abs(signed).clip(0, 1))


def feature_sheet(maps: ArrayF, *, columns: int = 8, size: int = 64) -> RGB:
    """The strongest channels of a layer in a square of pictures, row by row from the strongest.

    A channel is the stronger, the more its values differ from place to place (their standard deviation); one that is
    the same everywhere shows nothing. Each is scaled to itself, from its least value (dark blue) to its greatest
    (yellow), in the colours of ``viridis``, and its cells are not smoothed.

    Args:
        maps: (c, h, w), of ``feature_maps``.
        columns: pictures in a row, and rows at most.
        size: side of one picture in pixels; the gap between two is 2.

    Returns:
        RGB uint8 (rows * (size + 2) - 2, columns * (size + 2) - 2, 3), white where there are no more channels.

    Raises:
        InputError: maps of another shape, or no columns.
    """
    if maps.ndim != 3 or not maps.size or columns < 1 or size < 1:
        raise InputError(f"Expected maps (c, h, w), columns and a size, got {maps.shape}, {columns} and {size}.")
    strongest = np.argsort(-maps.reshape(len(maps), -1).std(axis=1), kind="stable")[: columns**2]
    rows, step = -(-len(strongest) // columns), size + 2
    sheet = np.full((rows * step - 2, columns * step - 2, 3), 255, np.uint8)
    for i, channel in enumerate(strongest):
        y, x = i // columns * step, i % columns * step
        sheet[y : y + size, x : x + size] = _channel_picture(maps[channel], size)
    return sheet


def _channel_picture(values: ArrayF, size: int) -> RGB:
    low, high = float(values.min()), float(values.max())
    scaled = ((values - low) / max(high - low, 1e-12) * 255).round().astype(np.uint8)
    large = cv2.resize(scaled, (size, size), interpolation=cv2.INTER_NEAREST_EXACT)
    return np.asarray(cv2.applyColorMap(large, cv2.COLORMAP_VIRIDIS)[..., ::-1])


def _check(crop: RGB, values: ArrayF, size: int) -> None:
    if crop.dtype != np.uint8 or crop.ndim != 3 or crop.shape[2] != 3 or not crop.size:
        raise InputError(f"Expected a crop uint8 (s, s, 3), got {crop.dtype} {crop.shape}.")
    if values.ndim != 2 or not values.size:
        raise InputError(f"Expected one map (s, s), got {values.shape}; draw the maps of several faces one by one.")
    if not 1 <= size <= MAX_PX:
        raise InputError(f"Expected a size of 1 to {MAX_PX} pixels, got {size}; give the side of the picture to draw.")


def _grey(crop: RGB, size: int) -> RGB:
    grey = cv2.resize(cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY), (size, size), interpolation=cv2.INTER_CUBIC)
    return np.repeat(grey[..., None], 3, axis=2)


def _enlarged(values: ArrayF, size: int) -> ArrayF:
    return cv2.resize(values.astype(np.float32), (size, size), interpolation=cv2.INTER_LINEAR)


def _blend(image: RGB, colours: RGB, strength: ArrayF) -> RGB:
    opacity = HEAT_OPACITY * strength[..., None]
    return (image * (1 - opacity) + colours * opacity).round().astype(np.uint8)
