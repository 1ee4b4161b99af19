"""Anchors, and what the network says about them turned into boxes and landmarks, in pixels of its input."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torchvision.ops import nms

STRIDES = (8, 16, 32)
SIDES = ((16, 32), (64, 128), (256, 512))
"""Sides of the square anchors at each stride, in pixels."""
PER_PLACE = len(SIDES[0])
PLACE_VARIANCE, SIZE_VARIANCE = 0.1, 0.2
"""Units of the offsets: shifts in tenths of the anchor's side, sizes as logarithms in fifths."""
MAX_GROWTH = math.log(1000 / 16)
"""Logarithm of the largest factor between a box and its anchor, so that no answer overflows."""
MAX_CANDIDATES, MAX_FACES = 5000, 750
"""At most so many candidates are compared with each other, and so many faces kept, the best ones."""
MAX_OVERLAP = 0.4
"""Of two boxes with a larger intersection over union, the better one stays."""


def anchors(height: int, width: int) -> Tensor:
    """Anchors float32 (a, 4) for an input of height × width: centre x y, width, height.

    Stride by stride, row by row, from left to right, the smaller one first.
    """
    return torch.cat([_at_stride(height, width, *each) for each in zip(STRIDES, SIDES, strict=True)])


def _at_stride(height: int, width: int, stride: int, sides: tuple[int, ...]) -> Tensor:
    rows, columns = math.ceil(height / stride), math.ceil(width / stride)
    y, x, side = torch.meshgrid(
        (torch.arange(rows) + 0.5) * stride,
        (torch.arange(columns) + 0.5) * stride,
        torch.tensor(sides, dtype=torch.float32),
        indexing="ij",
    )
    return torch.stack([x, y, side, side], dim=-1).reshape(-1, 4)


def decode_boxes(offsets: Tensor, anchors: Tensor) -> Tensor:
    """Boxes (..., a, 4) x0 y0 x1 y1 from offsets (..., a, 4) of the anchors (a, 4)."""
    centre, side = anchors[:, :2], anchors[:, 2:]
    middle = centre + offsets[..., :2] * PLACE_VARIANCE * side
    half = side * torch.exp((offsets[..., 2:] * SIZE_VARIANCE).clamp(max=MAX_GROWTH)) / 2
    return torch.cat([middle - half, middle + half], dim=-1)


def decode_landmarks(offsets: Tensor, anchors: Tensor) -> Tensor:
    """Landmarks (..., a, 5, 2) x y from offsets (..., a, 10) of the anchors (a, 4)."""
    centre, side = anchors[:, None, :2], anchors[:, None, 2:]
    return centre + offsets.reshape(*offsets.shape[:-1], 5, 2) * PLACE_VARIANCE * side


def best(boxes: Tensor, scores: Tensor, min_score: float) -> Tensor:
    """Indices of the boxes (a, 4) to keep, best score (a,) first: sure enough, and not another look at a better one."""
    candidates = torch.nonzero(scores >= min_score).flatten()
    top = scores[candidates].topk(min(MAX_CANDIDATES, len(candidates))).indices
    candidates = candidates[top]
    return candidates[nms(boxes[candidates], scores[candidates], MAX_OVERLAP)[:MAX_FACES]]
