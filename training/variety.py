"""Pictures as other cameras, light, scaling and compression would make them: FER2013's are alike in all of that.

Each change meets some pictures of a batch (``Variety`` says how many) and is computed for these alone; what is switched
off draws nothing. Pictures are float (n, c, s, s) in 0-1, already resampled to the network's side.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache

import torch
from torch import Tensor
from torch.nn import functional as F

from training.settings import Variety

LUMINANCE = (
    *(16, 11, 10, 16, 24, 40, 51, 61), *(12, 12, 14, 19, 26, 58, 60, 55),
    *(14, 13, 16, 24, 40, 57, 69, 56), *(14, 17, 22, 29, 51, 87, 80, 62),
    *(18, 22, 37, 56, 68, 109, 103, 77), *(24, 35, 55, 64, 81, 104, 113, 92),
    *(49, 64, 78, 87, 103, 121, 120, 101), *(72, 92, 95, 98, 112, 100, 103, 99),
)  # fmt: skip
"""Steps of JPEG's 8 by 8 coefficients of brightness at quality 50 (ITU-T T.81, table K.1)."""
BLOCK = 8
KERNEL = 9
"""Side of a blur's kernel in px."""


def cut_otherwise(matrices: Tensor, share: float) -> Tensor:
    """Sampling matrices (n, 2, 3) of which some look where a detector would have put the face: moved by about 4 % of
    the side, turned by about 4°, larger or smaller by about 5 %, longer or shorter by 3 %."""
    if not share:
        return matrices
    n, device = len(matrices), matrices.device
    chosen = (torch.rand(n, device=device) < share).float()
    turn, larger, longer, right, down = (torch.randn(5, n, device=device).clamp(-2.5, 2.5) * chosen).unbind()
    angle, scale, stretch = turn * math.radians(4), torch.exp(0.05 * larger), torch.exp(0.03 * longer)
    cos, sin = torch.cos(angle) * scale, torch.sin(angle) * scale
    rows = [[cos * stretch, -sin * stretch], [sin / stretch, cos / stretch]]
    change = torch.stack([torch.stack(row, 1) for row in rows], 1)
    shift = matrices[:, :, 2] + torch.stack([right, down], 1) * 0.08  # the side is 2 in these coordinates
    return torch.cat([matrices[:, :, :2] @ change, shift.unsqueeze(2)], dim=2)


def varied(x: Tensor, variety: Variety, face_px: int) -> Tensor:
    """The batch with some pictures changed, in the order in which a camera and a file would: light, lens, scaling,
    sharpening, sensor, compression.

    Args:
        x: the pictures; they stay as they are.
        variety: how many of them each change meets.
        face_px: pixels of the original that the network sees, whatever side it takes; coarse pictures have fewer.
    """
    x = _some(x, variety.curve, _curved)
    x = _some(x, variety.side_light, _lit_from_a_side)
    x = _some(x, variety.blur, _blurred)
    x = _some(x, variety.coarse, lambda some: _coarse(some, face_px))
    x = _some(x, variety.sharp, _sharpened)
    x = _some(x, variety.grain, _grainy)
    return _some(x, variety.blocks, lambda some: _in_blocks(some, face_px))


def _some(x: Tensor, share: float, change: Callable[[Tensor], Tensor]) -> Tensor:
    """``x`` with a random ``share`` of its pictures changed, in 0-1."""
    if not share:
        return x
    chosen = torch.nonzero(torch.rand(len(x)) < share).squeeze(1).to(x.device)
    if not len(chosen):
        return x
    return x.index_copy(0, chosen, change(x[chosen]).clamp(0, 1))


def _between(x: Tensor, low: float, high: float) -> Tensor:
    """A number for each picture, (n, 1, 1, 1)."""
    return torch.rand(len(x), 1, 1, 1, device=x.device) * (high - low) + low


def _curved(x: Tensor) -> Tensor:
    """A gamma of 0.5 to 2, and dark and bright pressed apart or together."""
    x = x.clamp_min(1e-4) ** torch.exp(_between(x, -0.7, 0.7))
    return x + _between(x, -0.6, 1.0) * (x * x * (3 - 2 * x) - x)


def _lit_from_a_side(x: Tensor) -> Tensor:
    """Light that falls off along a direction, gently or with an edge: down to 0.2 of what is on the other side."""
    side = x.shape[-1]
    at = (torch.arange(side, device=x.device) + 0.5) / side * 2 - 1
    angle = _between(x, 0, 2 * math.pi)
    along = torch.cos(angle) * at.view(1, 1, 1, side) + torch.sin(angle) * at.view(1, 1, side, 1)
    edge = torch.sigmoid((along + _between(x, -0.5, 0.5)) * _between(x, 2, 8))
    return x * (1.15 - _between(x, 0.3, 0.95) * edge)


def _gaussians(across: Tensor, along: Tensor, angle: Tensor) -> Tensor:
    """Kernels (n, 1, k, k) with standard deviations in px, (n, 1, 1, 1), across and along a direction; sum 1."""
    at = torch.arange(KERNEL, device=angle.device) - KERNEL // 2
    x, y = at.view(1, 1, 1, KERNEL), at.view(1, 1, KERNEL, 1)
    u, v = torch.cos(angle) * x + torch.sin(angle) * y, torch.cos(angle) * y - torch.sin(angle) * x
    kernels = torch.exp(-((u / along) ** 2 + (v / across) ** 2) / 2)
    return kernels / kernels.sum(dim=(2, 3), keepdim=True)


def _smoothed(x: Tensor, kernels: Tensor) -> Tensor:
    """Each picture under its own kernel."""
    n, channels, side, _ = x.shape
    padded = F.pad(x, [KERNEL // 2] * 4, mode="replicate").reshape(1, n * channels, *[side + KERNEL - 1] * 2)
    weights = kernels.repeat_interleave(channels, dim=0)
    return F.conv2d(padded, weights, groups=n * channels).reshape(x.shape)


def _blurred(x: Tensor) -> Tensor:
    """Out of focus, or moved: at 96 px by 0.6 to 3 px in one direction, by a quarter of that or more in the other."""
    along = _between(x, 0.6, 3.0) * (x.shape[-1] / 96)
    across = along * _between(x, 0.25, 1.0)
    return _smoothed(x, _gaussians(across, along, _between(x, 0, math.pi)))


def _coarse(x: Tensor, face_px: int) -> Tensor:
    """A face of 0.3 to 0.8 times ``face_px``, enlarged again; one size for the pictures of a batch."""
    side = x.shape[-1]
    small = max(BLOCK, min(side, round(face_px * float(torch.rand(()) * 0.5 + 0.3))))
    few = F.interpolate(x, (small, small), mode="bilinear", antialias=True)
    return F.interpolate(few, (side, side), mode="bilinear")


def _sharpened(x: Tensor) -> Tensor:
    """Edges as larger pictures have them, and as cameras overdo them."""
    width = _between(x, 0.8, 1.8) * (x.shape[-1] / 96)
    return x + _between(x, 0.5, 3.0) * (x - _smoothed(x, _gaussians(width, width, torch.zeros_like(width))))


def _grainy(x: Tensor) -> Tensor:
    """Grain of one to three px, strongest between black and white, as of film or of a sensor in the dark."""
    n, _, side, _ = x.shape
    few = max(BLOCK, side // int(torch.randint(1, 4, ())))
    grain = F.interpolate(torch.randn(n, 1, few, few, device=x.device), (side, side), mode="bilinear")
    return x + grain * _between(x, 0.02, 0.08) * (4 * x * (1 - x)).clamp_min(0.1).sqrt()


@lru_cache(maxsize=4)
def _cosines(device: torch.device) -> tuple[Tensor, Tensor]:
    """The matrix (8, 8) of the discrete cosine transform, and the steps (8, 8) of its coefficients of pixels in 0-1."""
    at, which = torch.arange(BLOCK).view(1, BLOCK), torch.arange(BLOCK).view(BLOCK, 1)
    matrix = torch.cos(math.pi * (2 * at + 1) * which / (2 * BLOCK)) * math.sqrt(2 / BLOCK)
    matrix[0] /= math.sqrt(2)
    return matrix.to(device), (torch.tensor(LUMINANCE).view(BLOCK, BLOCK) / 255).to(device)


def _in_blocks(x: Tensor, face_px: int) -> Tensor:
    """As a JPEG of quality 70 to 7 keeps it, at a side from that of the original to that of the network; one side for
    the pictures of a batch."""
    n, channels, side, _ = x.shape
    least = max(face_px // BLOCK, 1)
    blocks = int(torch.randint(least, max(side // BLOCK, least) + 1, ()))
    matrix, steps = _cosines(x.device)
    kept = F.interpolate(x, (blocks * BLOCK, blocks * BLOCK), mode="bilinear", antialias=True)
    kept = kept.reshape(n, channels, blocks, BLOCK, blocks, BLOCK).transpose(3, 4)
    step = (steps * torch.exp(_between(x, math.log(0.6), math.log(7.0)))).unsqueeze(1).unsqueeze(1)
    told = torch.round(matrix @ (kept - 0.5) @ matrix.T / step) * step
    shown = (matrix.T @ told @ matrix + 0.5).transpose(3, 4).reshape(n, channels, blocks * BLOCK, blocks * BLOCK)
    return F.interpolate(shown, (side, side), mode="bilinear")


__all__ = ["cut_otherwise", "varied"]
