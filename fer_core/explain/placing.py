"""Where the cells of a layer's map lie in the picture, measured with drawn dots.

Padding and strides put a cell's middle beside the middle of the square that it would have if the cells tiled the
picture; learned kernels that look more to one side than to the other move it further, layer by layer. What of that
matters is what a dot at a known place does to the map.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from weakref import WeakKeyDictionary

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from fer_core.explain.cams import watched
from fer_core.explain.network import copy_network
from fer_core.models.classifier import Classifier
from fer_core.models.preprocess import normalise, resample

DOTS, BACKGROUNDS = 7, 2
"""Dots along a side, and pictures in which they are drawn."""
_DOT, _CLOUD = 1 / 30, 1 / 8
"""Spread of a dot, and of the clouds behind it, in sides of the picture."""
_LEAST, _LEAST_PX, _NEAR = 1 / 16, 0.25, 0.2
"""A shift of less of a cell, or of fewer pixels, is not told from none; a pitch that is so near to a stride is it."""
_found: WeakKeyDictionary[Classifier, dict[str, Placing]] = WeakKeyDictionary()


@dataclass(frozen=True)
class Placing:
    """Cell (i, j) of a map has its middle at ``y + i * pitch``, ``x + j * pitch``, in pixels of the network's input,
    whose first pixel reaches from 0 to 1.

    Attributes:
        pitch: from one cell's middle to the next one's.
        y, x: the first cell's middle.
    """

    pitch: float
    y: float
    x: float

    def onto(self, cells: Tensor, size: int) -> Tensor:
        """Cells (n, h, w) as maps (n, size, size) over the network's input: linear between the middles of cells, the
        outermost value beyond them."""
        (height, width), n = cells.shape[1:], len(cells)
        rows = []
        for count, first in ((width, self.x), (height, self.y)):
            scale = size / (self.pitch * count)
            rows.append((scale, scale - (2 * first / self.pitch - 1) / count - 1))
        (sx, ox), (sy, oy) = rows
        matrix = cells.new_tensor([[sx, 0, ox], [0, sy, oy]]).expand(n, 2, 3)
        return resample(cells[:, None], size, matrix)[:, 0]


def tiled(size: int, cells: int, pitch: float = 0.0) -> Placing:
    """As if cells lay around the middle of a picture of ``size``, by default as far apart as the stride of a power of
    two that makes about so many."""
    pitch = pitch or 2.0 ** round(math.log2(size / cells))
    first = size / 2 - (cells - 1) / 2 * pitch
    return Placing(pitch, first, first)


def placing(classifier: Classifier, layer: str) -> Placing:
    """Where the cells of one of ``layers(classifier)`` lie: tiled, then moved by what drawn dots tell."""
    known = _found.setdefault(classifier, {})
    if layer not in known:
        known[layer] = _measured(classifier, layer)
    return known[layer]


def blurred(maps: Tensor, sigma: float) -> Tensor:
    """Maps (n, h, w) with a Gaussian blur of ``sigma`` pixels, so that one cell does not outweigh its neighbours."""
    if not sigma:
        return maps
    reach = math.ceil(3 * sigma)
    weights = torch.exp(-(torch.arange(-reach, reach + 1, device=maps.device, dtype=maps.dtype) ** 2) / (2 * sigma**2))
    kernel = (weights / weights.sum())[None, None, :, None]
    padded = F.pad(maps[:, None], (reach,) * 4, mode="replicate")
    return F.conv2d(F.conv2d(padded, kernel), kernel.transpose(2, 3))[:, 0]


def _measured(classifier: Classifier, layer: str) -> Placing:
    (places, cells), size = dots_seen(classifier, layer), classifier.card.input.size
    plain = tiled(size, cells.shape[1])
    spots = hot_spots(plain.onto(torch.from_numpy(cells), size).numpy())
    places, spots = places[(seen := np.isfinite(spots).all(axis=1))], spots[seen]
    if len(spots) < 2:  # nothing that is light or dark moves this layer
        return plain
    apart = [each - each.mean(axis=0) for each in (places, spots)]
    slope = float((apart[0] * apart[1]).sum() / max(float((apart[1] ** 2).sum()), 1e-9))
    pitch = _as_stride(plain.pitch * slope) if slope > 0 else plain.pitch
    measured = places.mean(axis=0) - (spots.mean(axis=0) - plain.y) * pitch / plain.pitch
    even = tiled(size, cells.shape[1], pitch)
    y, x = np.where(np.abs(measured - even.y) < max(_LEAST * pitch, _LEAST_PX), even.y, measured)
    return Placing(pitch, float(y), float(x))


def _as_stride(pitch: float) -> float:
    """The power of two that a measured pitch is near to, which is what strides make; else itself."""
    stride = 2.0 ** round(math.log2(pitch))
    return stride if abs(pitch / stride - 1) < _NEAR else pitch


def hot_spots(maps: np.ndarray) -> np.ndarray:
    """Middles (n, 2; y x) of what is at least half as hot as the hottest place of maps (n, size, size), in pixels; NaN
    for empty ones."""
    hot = np.where(maps >= maps.max(axis=(1, 2), keepdims=True) / 2, maps, 0)
    sums, middles = hot.sum(axis=(1, 2)), np.arange(maps.shape[1]) + 0.5
    weighed = np.stack([hot.sum(axis=axis) @ middles for axis in (2, 1)], axis=1)
    return np.divide(weighed, sums[:, None], out=np.full((len(maps), 2), np.nan), where=sums[:, None] > 0)


@torch.inference_mode(mode=False)
@torch.no_grad()
def dots_seen(classifier: Classifier, layer: str, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Places (n, 2; y x) of light dots in the middle half of a cloudy picture, in pixels of the network's input, and
    how much each changes each cell of a layer, squared, (n, h, w)."""
    spec, rng = classifier.card.input, np.random.default_rng(seed)
    side, net = spec.size, copy_network(classifier)
    clouds = [cv2.GaussianBlur(rng.normal(0, 1, (side, side)), (0, 0), side * _CLOUD) for _ in range(BACKGROUNDS)]
    behind = np.stack([0.5 + 0.15 * each / each.std() for each in clouds])
    grid = np.stack(np.meshgrid(*[np.arange(DOTS)] * 2, indexing="ij"), axis=-1).reshape(-1, 2)
    places = side * (0.25 + 0.5 * (grid + rng.random(grid.shape)) / DOTS)
    away = (np.arange(side) + 0.5 - places[..., None]) ** 2  # (n, 2, side): of rows, of columns
    dots = np.exp(-(away[:, 0, :, None] + away[:, 1, None, :]) / (2 * (side * _DOT) ** 2))

    def held(pictures: np.ndarray) -> Tensor:
        x = torch.from_numpy(pictures.clip(0, 1)).float()[:, None].expand(-1, spec.channels, -1, -1)
        return watched(net, normalise(x, spec.mean, spec.std).to(classifier.device), [layer])[1][0].float()

    changes = [(held(cloud + 0.4 * dots) - held(cloud[None])).square().sum(dim=1).cpu().numpy() for cloud in behind]
    return places, np.mean(changes, axis=0)
