"""A residual network for small face pictures: full resolution in the stem, few layers, attention over channels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from fer_core.models.registry import EmotionNetwork, Heat, register
from fer_core.models.trunks import Hidden, TrunkNetwork


class SqueezeExcite(nn.Module):
    """Weighs the channels of a map by what they are on the average (Hu et al. 2018, arXiv:1709.01507)."""

    def __init__(self, width: int, reduction: int = 8) -> None:
        super().__init__()
        self.gate = nn.Sequential(
            nn.Linear(width, width // reduction), nn.ReLU(), nn.Linear(width // reduction, width), nn.Sigmoid()
        )

    def forward(self, maps: Tensor) -> Tensor:
        weights: Tensor = self.gate(maps.mean(dim=(2, 3)))
        return maps * weights[:, :, None, None]


class Residual(nn.Module):
    """Two 3×3 convolutions, squeeze-and-excitation and a shortcut (He et al. 2016); in training the branch is left
    out of a picture with probability ``drop`` (Huang et al. 2016, arXiv:1603.09382)."""

    def __init__(self, n_in: int, width: int, stride: int, drop: float) -> None:
        super().__init__()
        self.branch = nn.Sequential(
            nn.Conv2d(n_in, width, 3, stride, padding=1, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.Conv2d(width, width, 3, padding=1, bias=False),
            nn.BatchNorm2d(width),
            SqueezeExcite(width),
        )
        self.shortcut = nn.Identity() if (n_in, stride) == (width, 1) else _shortcut(n_in, width, stride)
        self.last = nn.ReLU()
        self.drop = drop

    def forward(self, maps: Tensor) -> Tensor:
        branch: Tensor = self.branch(maps)
        if self.training and self.drop:
            kept = torch.rand(len(branch), 1, 1, 1, device=branch.device) >= self.drop
            branch = branch * kept / (1 - self.drop)
        joined: Tensor = self.last(self.shortcut(maps) + branch)
        return joined


def _shortcut(n_in: int, width: int, stride: int) -> nn.Sequential:
    """Means over what a stride skips, then a 1×1 convolution (He et al. 2019, arXiv:1812.01187)."""
    pool = [nn.AvgPool2d(stride, stride, ceil_mode=True, count_include_pad=False)] if stride > 1 else []
    return nn.Sequential(*pool, nn.Conv2d(n_in, width, 1, bias=False), nn.BatchNorm2d(width))


@register(
    "compact-resnet",
    input_px=44,
    min_px=16,
    source="He et al. 2016, arXiv:1512.03385, with squeeze-and-excitation (Hu et al. 2018); widths and depth are ours",
    about="3x3 stem at full resolution, stages of residual blocks, mean over the map, full layer of 128, last layer",
    heat=Heat("hirescam", cells=(10, 20), blur=0.07),
)
def compact_resnet(
    *,
    n_labels: int,
    channels: int,
    stem: int = 32,
    widths: Sequence[int] = (64, 128, 256, 384),
    blocks: Sequence[int] = (2, 2, 2, 1),
    drop: float = 0.1,
    **hidden: Any,
) -> EmotionNetwork:
    """Builder for the registry.

    Args:
        n_labels: number of classes.
        channels: 1 (grey) or 3 (RGB).
        stem: channels of the first convolution.
        widths: channels of each stage, which halves the map; multiples of 8.
        blocks: residual blocks of each stage.
        drop: probability with which the last block is left out in training; less for those before it.
        hidden: as in ``Hidden``; one full layer of 128 with batch norm and LeakyReLU by default.
    """
    if len(widths) != len(blocks) or not 1 <= len(widths) <= 5 or any(width % 8 for width in widths):
        raise ValueError(f"expected as many widths as blocks, 1-5, multiples of 8; got {widths} and {blocks}")
    if not 0 <= drop < 1 or not 1 <= sum(blocks) <= 64 or min(blocks) < 1:
        raise ValueError(f"expected drop 0 to below 1 and 1-64 blocks, at least one a stage; got {drop} and {blocks}")
    trunk = nn.Sequential(nn.Conv2d(channels, stem, 3, padding=1, bias=False), nn.BatchNorm2d(stem), nn.ReLU())
    width, n_blocks = stem, 0
    for next_width, count in zip(widths, blocks, strict=True):
        for i in range(count):
            n_blocks += 1
            trunk.append(Residual(width, next_width, 2 if i == 0 else 1, drop * n_blocks / sum(blocks)))
            width = next_width
    for module in trunk.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
    options = {"hidden": (128,), "dropout": 0.2, "norm": "before", "activation": "leaky_relu", **hidden}
    return TrunkNetwork(trunk, width, n_labels, Hidden(**options))
