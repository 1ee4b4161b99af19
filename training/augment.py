"""Batch-wise preparation of square face pictures: one resampling does rotation, scale, shift, flip, crop and size."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from fer_core.models.preprocess import normalise, resample
from training.recipe import Augment, Recipe


def train_batch(images: Tensor, recipe: Recipe, size: int) -> Tensor:
    """Augmented, normalised input (n, 1, size, size) from uint8 (n, h, w); the training preset."""
    x = images.float().div(255).unsqueeze(1)
    x = resample(x, size, _random_affine(len(x), recipe.augment, recipe.crop.field / recipe.crop.source, x.device))
    x = _light(x, recipe.augment)
    return _erase(normalise(x, recipe.input.mean, recipe.input.std), recipe.augment.erase)


def _uniform(n: int, spread: float, device: torch.device) -> Tensor:
    return (torch.rand(n, device=device) * 2 - 1) * spread


def _random_affine(n: int, augment: Augment, field: float, device: torch.device) -> Tensor:
    """Sampling matrices (n, 2, 3) in ``affine_grid``'s coordinates; ``field`` is the share of the picture seen."""
    angle = _uniform(n, math.radians(augment.rotate_deg), device)
    scale = field * torch.exp(_uniform(n, math.log1p(augment.scale), device))
    mirror = 1 - 2 * (torch.rand(n, device=device) < augment.flip).float()
    shift = torch.stack([_uniform(n, 2 * augment.shift, device) for _ in range(2)], dim=1)
    cos, sin = torch.cos(angle) * scale, torch.sin(angle) * scale
    matrix = torch.stack([torch.stack([cos * mirror, -sin], 1), torch.stack([sin * mirror, cos], 1)], 1)
    return torch.cat([matrix, shift.unsqueeze(2)], dim=2)


def _light(x: Tensor, augment: Augment) -> Tensor:
    """Random contrast around the picture's mean, then random brightness; pixels stay in 0-1."""
    n = len(x)
    gain = 1 + _uniform(n, augment.contrast, x.device).view(n, 1, 1, 1)
    offset = _uniform(n, augment.brightness, x.device).view(n, 1, 1, 1)
    mean = x.mean(dim=(2, 3), keepdim=True)
    return ((x - mean) * gain + mean + offset).clamp(0, 1)


def _erase(x: Tensor, probability: float) -> Tensor:
    """Blank one random rectangle (sides 15-45 % of the picture) with the data's mean."""
    n, size = len(x), x.shape[-1]
    sides = torch.rand(2, n, 1, device=x.device) * 0.3 + 0.15
    start = torch.rand(2, n, 1, device=x.device) * (1 - sides)
    at = (torch.arange(size, device=x.device) + 0.5) / size
    rows, columns = ((at >= start[i]) & (at < start[i] + sides[i]) for i in range(2))
    chosen = torch.rand(n, 1, 1, device=x.device) < probability
    hole = rows.unsqueeze(2) & columns.unsqueeze(1) & chosen
    return x.masked_fill(hole.unsqueeze(1), 0.0)


__all__ = ["train_batch"]
