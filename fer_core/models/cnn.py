"""The networks that two documents designed themselves: the CNNs of ``shsu-2023`` and ``mru-2025``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from torch import nn

from fer_core.models.registry import EmotionNetwork, register
from fer_core.models.trunks import Hidden, Pool, TrunkNetwork


def _check(widths: Sequence[int], dropout: float) -> None:
    if not 1 <= len(widths) <= 5 or not all(1 <= width <= 2048 for width in widths) or not 0 <= dropout < 1:
        raise ValueError(
            f"widths {list(widths)} are not 1 to 5 numbers 1-2048, or map_dropout {dropout} is not 0 to below 1"
        )


@register(
    "mru-cnn",
    input_px=48,
    min_px=46,
    source="mru-2025, sections 5.3 and 6.1",
    about="four blocks of convolution, ReLU, batch norm, max-pool and dropout; full layers of 512 and 256; last layer",
)
def mru_cnn(
    *,
    n_labels: int,
    channels: int,
    widths: Sequence[int] = (128, 256, 512, 512),
    map_dropout: float = 0.4,
    **hidden: Any,
) -> EmotionNetwork:
    """The CNN of ``mru-2025``, as section 5.3 gives it.

    Each block is convolution 3×3 with valid padding, ReLU, batch norm, max-pool 2×2 and dropout 0.4; then flatten, full
    layers of 512 (dropout 0.4) and 256 (dropout 0.3), each with ReLU. Weights start by Glorot, biases at zero. Of 48 px
    the blocks leave 1×1×512. A larger map, from 62 px on, is averaged to that; less than 46 px leave nothing.

    Args:
        n_labels: number of classes.
        channels: 1 (grey) or 3 (RGB).
        widths: channels of each block.
        map_dropout: after each block.
        hidden: as in ``Hidden``.
    """
    _check(widths, map_dropout)
    made: list[nn.Module] = []
    for n_in, width in zip((channels, *widths), widths, strict=False):
        made.append(
            nn.Sequential(
                nn.Conv2d(n_in, width, 3), nn.ReLU(), nn.BatchNorm2d(width), nn.MaxPool2d(2), nn.Dropout(map_dropout)
            )
        )
    layers = replace(Hidden(hidden=(512, 256), dropout=(0.4, 0.3)), **hidden)
    net = TrunkNetwork(nn.Sequential(*made), widths[-1], n_labels, layers)
    for module in net.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.xavier_uniform_(module.weight)
            nn.init.zeros_(module.bias)  # type: ignore[arg-type]
    return net


@register(
    "shsu-cnn",
    input_px=48,
    min_px=32,
    source="shsu-2023, section 1 of its models",
    about="four blocks of convolution, batch norm, ReLU, max-pool and dropout; two full layers of 512; last layer",
)
def shsu_cnn(
    *,
    n_labels: int,
    channels: int,
    widths: Sequence[int] = (64, 128, 512, 512),
    kernels: Sequence[int] = (3, 5, 3, 3),
    map_dropout: float = 0.25,
    cells: int = 3,
    **hidden: Any,
) -> EmotionNetwork:
    """The CNN of ``shsu-2023``.

    The document gives convolutions of different sizes and depths, each with batch norm and ReLU, max-pools, dropout
    0.25, flatten, and two full layers of 512 with batch norm, ReLU and dropout 0.5. It gives no numbers: four blocks of
    64, 128, 512 and 512 channels, the second of 5×5 and the others of 3×3, all padded, are ours, and a common choice
    for pictures of 48 px. These leave 3×3×512 to flatten.

    Args:
        n_labels: number of classes.
        channels: 1 (grey) or 3 (RGB).
        widths: channels of each block.
        kernels: odd side of each block's convolution.
        map_dropout: after each block.
        cells: side of the map that is flattened; one of another size is averaged to it.
        hidden: as in ``Hidden``.
    """
    _check(widths, map_dropout)
    if len(kernels) != len(widths) or not all(kernel in (1, 3, 5, 7) for kernel in kernels):
        raise ValueError(f"kernels {list(kernels)} are not one of 1, 3, 5, 7 for each of {len(widths)} widths")
    made: list[nn.Module] = []
    for n_in, width, kernel in zip((channels, *widths), widths, kernels, strict=False):
        conv = nn.Conv2d(n_in, width, kernel, padding=kernel // 2, bias=False)
        nn.init.kaiming_normal_(conv.weight, mode="fan_out", nonlinearity="relu")
        made.append(nn.Sequential(conv, nn.BatchNorm2d(width), nn.ReLU(), nn.MaxPool2d(2), nn.Dropout(map_dropout)))
    layers = replace(Hidden(hidden=(512, 512), dropout=0.5, norm="before"), **hidden)
    return TrunkNetwork(nn.Sequential(*made), widths[-1] * cells**2, n_labels, layers, pool={"pool": Pool(cells)})
