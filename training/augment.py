"""Batch-wise preparation of square face pictures: one resampling does rotation, scale, shear, shift, flip, crop, size.

A recipe may name further torchvision transforms (v2), which change every picture on its own before that.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import torch
import yaml
from torch import Tensor
from torchvision.transforms import v2

from fer_core.errors import RecipeError
from fer_core.models.preprocess import normalise, resample, to_float
from training.recipe import Recipe
from training.settings import Augment, Mix
from training.variety import cut_otherwise, varied


def train_batch(
    images: Tensor, recipe: Recipe, size: int, *, originals: Tensor | None = None, copies: Tensor | None = None
) -> Tensor:
    """Augmented, normalised input (n, c, size, size) from uint8 (n, h, w) or (n, h, w, 3); the training preset.

    The rows ``copies`` (int, m) are further copies of a small class and change as ``balance.augment`` says;
    ``originals`` (int, n - m) are the others. Both are told, as a device that is asked for either is waited for.
    """
    if originals is None or copies is None:
        return _augmented(images, recipe, recipe.augment, size)
    x = torch.empty(len(images), recipe.input.channels, size, size, device=images.device)
    x[originals] = _augmented(images[originals], recipe, recipe.augment, size)
    x[copies] = _augmented(images[copies], recipe, recipe.balance.augment, size)
    return x


@lru_cache(maxsize=16)
def constants(values: tuple[float, ...], device: torch.device) -> Tensor:
    """Numbers on a device, sent there once: sending makes the device wait."""
    return torch.tensor(values, device=device)


def _augmented(images: Tensor, recipe: Recipe, augment: Augment, size: int) -> Tensor:
    if not len(images):
        return torch.zeros(0, recipe.input.channels, size, size, device=images.device)
    x = to_float(images)
    if recipe.transforms:
        x = _changed(x, named_transforms(yaml.safe_dump([dict(each) for each in recipe.transforms])))
    matrices = _random_affine(len(x), augment, recipe.crop.field / recipe.crop.source, x.device)
    x = resample(x, size, cut_otherwise(matrices, augment.variety.cut))
    x = varied(_light(x, augment), augment.variety, recipe.crop.field)
    x = _noise(x, augment.noise)
    mean, std = (constants(tuple(each), x.device) for each in (recipe.input.mean, recipe.input.std))
    return _erase(normalise(x, mean, std), augment.erase)


def _changed(x: Tensor, change: v2.Compose) -> Tensor:
    """The batch after each of the transforms: at once where nothing is drawn, or else picture by picture."""
    for each in change.transforms:
        x = each(x) if _draws_nothing(each) else torch.stack([each(picture) for picture in x])
    return x


def _draws_nothing(transform: v2.Transform) -> bool:
    kind = type(transform)
    return kind.forward is v2.Transform.forward and kind.make_params is v2.Transform.make_params


@lru_cache(maxsize=4)
def named_transforms(listed: str) -> v2.Compose:
    """torchvision's v2 transforms from a yaml list of ``{Name: {argument: value}}``.

    Raises:
        RecipeError: no such transform, or it does not take these arguments.
    """
    return v2.Compose([_transform(name, options) for each in yaml.safe_load(listed) for name, options in each.items()])


def _transform(name: str, options: Mapping[str, Any] | None) -> v2.Transform:
    known = [
        each for each in dir(v2) if isinstance(getattr(v2, each), type) and issubclass(getattr(v2, each), v2.Transform)
    ]
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1, cutoff=0.0)
        raise RecipeError(f"torchvision has no transform {name!r}; the nearest is {near[0]!r}.")
    try:
        return getattr(v2, name)(**(options or {}))
    except (TypeError, ValueError) as error:
        raise RecipeError(f"Transform {name} does not take {options!r}: {error}.") from error


def mix(x: Tensor, options: Mix, progress: float) -> tuple[Tensor, Tensor, float]:
    """Mixup (Zhang et al. 2018) or cutmix (Yun et al. 2019) of a batch (n, c, s, s).

    Returns the mixed batch, the partner of every row (n,), and the share (0-1) of the row's own picture.
    """
    n, size = len(x), x.shape[-1]
    alphas = [(kind, alpha) for kind, alpha in (("mixup", options.mixup), ("cutmix", options.cutmix)) if alpha > 0]
    if not alphas or progress > options.until or float(torch.rand(())) >= options.probability:
        return x, torch.arange(n, device=x.device), 1.0
    kind, alpha = alphas[int(torch.randint(len(alphas), ()))]
    share = float(torch.distributions.Beta(alpha, alpha).sample())
    partner = torch.randperm(n).to(x.device, non_blocking=True)  # drawn there, some GPUs are waited for
    if kind == "mixup":
        return x * share + x[partner] * (1 - share), partner, share
    side = round(size * math.sqrt(1 - share))
    top, left = (int(torch.randint(size - side + 1, ())) for _ in range(2))
    mixed = x.clone()
    mixed[:, :, top : top + side, left : left + side] = x[partner, :, top : top + side, left : left + side]
    return mixed, partner, 1 - side**2 / size**2


def _uniform(n: int, spread: float, device: torch.device) -> Tensor:
    return (torch.rand(n, device=device) * 2 - 1) * spread


def _random_affine(n: int, augment: Augment, field: float, device: torch.device) -> Tensor:
    """Sampling matrices (n, 2, 3) in ``affine_grid``'s coordinates; ``field`` is the share of the picture seen."""
    angle = _uniform(n, math.radians(augment.rotate_deg), device)
    scale = field * torch.exp(_uniform(n, math.log1p(augment.scale), device))
    mirror = 1 - 2 * (torch.rand(n, device=device) < augment.flip).float()
    shift = torch.stack([_uniform(n, 2 * augment.shift, device) for _ in range(2)], dim=1)
    shear = torch.tan(_uniform(n, math.radians(augment.shear_deg), device))
    cos, sin = torch.cos(angle) * scale, torch.sin(angle) * scale
    rows = [[cos * mirror, shear * cos - sin], [sin * mirror, shear * sin + cos]]
    matrix = torch.stack([torch.stack(row, 1) for row in rows], 1)
    return torch.cat([matrix, shift.unsqueeze(2)], dim=2)


def _light(x: Tensor, augment: Augment) -> Tensor:
    """Random contrast around the picture's mean, then random brightness; pixels stay in 0-1."""
    n = len(x)
    gain = 1 + _uniform(n, augment.contrast, x.device).view(n, 1, 1, 1)
    offset = _uniform(n, augment.brightness, x.device).view(n, 1, 1, 1)
    mean = x.mean(dim=(1, 2, 3), keepdim=True)
    return ((x - mean) * gain + mean + offset).clamp(0, 1)


def _noise(x: Tensor, probability: float) -> Tensor:
    """White noise on some pictures, each with its own standard deviation of up to 0.08; pixels stay in 0-1."""
    if not probability:
        return x
    amount = torch.rand(len(x), 1, 1, 1, device=x.device) * 0.08
    chosen = torch.rand(len(x), 1, 1, 1, device=x.device) < probability
    return (x + torch.randn_like(x) * amount * chosen).clamp(0, 1)


def _erase(x: Tensor, probability: float) -> Tensor:
    """Blank one random rectangle (sides 15-45 % of the picture) with the data's mean."""
    if not probability:
        return x
    n, size = len(x), x.shape[-1]
    sides = torch.rand(2, n, 1, device=x.device) * 0.3 + 0.15
    start = torch.rand(2, n, 1, device=x.device) * (1 - sides)
    at = (torch.arange(size, device=x.device) + 0.5) / size
    rows, columns = ((at >= start[i]) & (at < start[i] + sides[i]) for i in range(2))
    chosen = torch.rand(n, 1, 1, device=x.device) < probability
    hole = rows.unsqueeze(2) & columns.unsqueeze(1) & chosen
    return x.masked_fill(hole.unsqueeze(1), 0.0)


__all__ = ["constants", "mix", "named_transforms", "train_batch"]
