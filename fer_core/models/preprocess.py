"""From square face pictures to the network's input: the same steps for a data set and for a video.

A *face picture* is a square of ``source`` pixels (48 in FER2013) with the face upright and filling it. The network sees
its central ``field`` pixels, resampled to ``size``.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from fer_core.errors import InputError

GREY_WEIGHTS = (0.299, 0.587, 0.114)
"""Rec. 601 weights of red, green and blue, as the grey pictures of the data sets were made."""
TEN_CROP_SHIFTS: tuple[tuple[float, float], ...] = ((0, 0), (-1, -1), (1, -1), (-1, 1), (1, 1))
"""Centre and four corners, as shifts (x, y) of the view in units of the border that the centre view leaves."""


def resample(x: Tensor, size: int, matrices: Tensor) -> Tensor:
    """Sample x (n, c, h, w) at ``matrices`` (n, 2, 3; ``affine_grid`` coordinates) to (n, c, size, size), bilinear."""
    grid = F.affine_grid(matrices, [x.shape[0], x.shape[1], size, size], align_corners=False)
    return F.grid_sample(x, grid, mode="bilinear", padding_mode="border", align_corners=False)


def normalise(x: Tensor, mean: Sequence[float] | Tensor, std: Sequence[float] | Tensor) -> Tensor:
    """(x - mean) / std per channel; x in 0-1. Tensors must be where x is."""
    shape = (1, len(mean), 1, 1)
    mean, std = (each if isinstance(each, Tensor) else x.new_tensor(each) for each in (mean, std))
    return (x - mean.view(shape)) / std.view(shape)


def view(
    x: Tensor,
    *,
    size: int,
    field: float,
    mean: Sequence[float] | Tensor,
    std: Sequence[float] | Tensor,
    shift: tuple[float, float] = (0.0, 0.0),
    mirror: bool = False,
) -> Tensor:
    """Network input (n, c, size, size) from face pictures x (n, c, s, s) in 0-1; the evaluation preset.

    Args:
        x: face pictures.
        size: side of the result in px.
        field: share (0-1] of the picture's side that is seen.
        mean, std: per channel, for pixels in 0-1.
        shift: of the view, in units of the border ``1 - field`` (±1 reaches the picture's edge).
        mirror: flip left and right.
    """
    side = int(x.shape[-1])  # a tensor where a graph is traced
    border = side * (1 - field) / 2
    left, top = (border * (1 + each) for each in shift)
    if all(abs(each - round(each)) < 1e-6 for each in (left, top)) and abs(side - 2 * border - size) < 1e-6:
        seen = x[:, :, round(top) : round(top) + size, round(left) : round(left) + size]  # whole pixels
        return normalise(seen.flip(-1) if mirror else seen, mean, std)
    sign = -1.0 if mirror else 1.0
    row = x.new_tensor([[field * sign, 0.0, shift[0] * (1 - field)], [0.0, field, shift[1] * (1 - field)]])
    return normalise(resample(x, size, row.expand(x.shape[0], 2, 3)), mean, std)


def views(tta: str) -> list[tuple[tuple[float, float], bool]]:
    """(shift, mirror) of every view of a test-time augmentation: ``none`` 1, ``flip`` 2, ``tencrop`` 10 views.

    Raises:
        InputError: another one.
    """
    if tta == "none":
        return [((0.0, 0.0), False)]
    if tta == "flip":
        return [((0.0, 0.0), False), ((0.0, 0.0), True)]
    if tta == "tencrop":
        return [(shift, mirror) for mirror in (False, True) for shift in TEN_CROP_SHIFTS]
    raise InputError(f"Unknown test-time augmentation {tta!r}; expected none, flip or tencrop.")


def as_channels(crops: NDArray[np.uint8], channels: int) -> NDArray[np.uint8]:
    """Crops uint8 (n, s, s) or (n, s, s, 3) RGB as grey (n, s, s) for 1 channel, or RGB (n, s, s, 3) for 3."""
    if channels == 1 and crops.ndim == 4:
        grey = np.empty(crops.shape[:3], np.uint8)
        for start in range(0, len(crops), 512):  # not all as fractions at once
            some = slice(start, start + 512)
            grey[some] = np.rint(crops[some].astype(np.float32) @ np.array(GREY_WEIGHTS, np.float32))
        return grey
    return crops if channels == 1 or crops.ndim == 4 else np.repeat(crops[..., None], 3, axis=3)


def to_float(images: Tensor) -> Tensor:
    """uint8 (n, h, w) or (n, h, w, c) → float (n, c, h, w) in 0-1."""
    x = images.unsqueeze(1) if images.ndim == 3 else images.permute(0, 3, 1, 2)
    return x.to(torch.float32).div(255)
