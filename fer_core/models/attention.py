"""MobileNet (Howard et al. 2017, arXiv:1704.04861), plain and with the patch extraction and attention of ``shsu-2023``.

Built here, from torch alone: torchvision has no MobileNet of the first version. timm's ``mobilenetv1_100`` has the same
layers in the same order and gives the ImageNet weights where it is installed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from fer_core.models.registry import EmotionNetwork, register
from fer_core.models.trunks import Hidden, Pool, State, TrunkNetwork, timm_weights

STEM = 32
BLOCKS = ((64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), *[(512, 1)] * 5, (1024, 2), (1024, 1))
"""Channels and stride of the 13 depthwise separable blocks."""
SOURCE = "Howard et al. 2017, arXiv:1704.04861"


def _block(n_in: int, n_out: int, kernel: int, stride: int, groups: int = 1) -> list[nn.Module]:
    conv = nn.Conv2d(n_in, n_out, kernel, stride, kernel // 2, groups=groups, bias=False)
    nn.init.kaiming_normal_(conv.weight, mode="fan_out", nonlinearity="relu")
    return [conv, nn.BatchNorm2d(n_out), nn.ReLU6()]


def mobilenet_trunk(channels: int, *, stem_stride: int, last_stride: int) -> nn.Sequential:
    """The 27 convolutions of MobileNet, each with batch norm and ReLU6: a map of 1024 channels.

    Args:
        channels: of the pictures.
        stem_stride: of the first convolution; published is 2.
        last_stride: of the last but one block; published is 2. The map's side is that of the picture divided by
            8 · ``stem_stride`` · ``last_stride``, rounded up.

    Raises:
        ValueError: a stride that is neither 1 nor 2.
    """
    if stem_stride not in (1, 2) or last_stride not in (1, 2):
        raise ValueError(f"stem_stride {stem_stride} and last_stride {last_stride} must be 1 or 2")
    stages = [nn.Sequential(*_block(channels, STEM, 3, stem_stride))]
    n_in = STEM
    for i, (n_out, stride) in enumerate(BLOCKS):
        stride = last_stride if i == len(BLOCKS) - 2 else stride
        stages.append(nn.Sequential(*_block(n_in, n_in, 3, stride, groups=n_in), *_block(n_in, n_out, 1, 1)))
        n_in = n_out
    return nn.Sequential(*stages)


def _state() -> State:
    """timm's ImageNet weights by our names: the trunk has the same tensors in the same order."""
    published = timm_weights("mobilenetv1_100").values()
    return dict(zip(mobilenet_trunk(3, stem_stride=2, last_stride=2).state_dict(), published, strict=False))


class Patches(nn.Module):
    """Maps (n, c, h, w) → (n, len(kernels)·width, h, w): one convolutional path per kernel size, side by side.

    Each path is a 1×1 convolution down to ``width`` channels and one of k×k, with batch norm and ReLU6 after both.
    """

    def __init__(self, n_in: int, width: int, kernels: Sequence[int]) -> None:
        super().__init__()
        if not 1 <= len(kernels) <= 8 or not all(kernel in (1, 3, 5, 7) for kernel in kernels):
            raise ValueError(f"kernels {list(kernels)} are not up to 8 of 1, 3, 5 and 7")
        self.paths = nn.ModuleList(
            nn.Sequential(*_block(n_in, width, 1, 1), *_block(width, width, kernel, 1)) for kernel in kernels
        )

    def forward(self, maps: Tensor) -> Tensor:
        return torch.cat([path(maps) for path in self.paths], dim=1)


class ChannelAttention(nn.Module):
    """Weighs the channels of each picture's map (n, c, h, w) by 0-1, found from their means over that picture alone.

    Global average pooling and two full layers, as squeeze-and-excitation (Hu et al. 2017, arXiv:1709.01507) does it.
    """

    def __init__(self, channels: int, reduction: int) -> None:
        super().__init__()
        if not 1 <= reduction <= channels:
            raise ValueError(f"reduction {reduction} is outside 1-{channels}, the channels")
        self.squeeze = nn.Linear(channels, channels // reduction)
        self.excite = nn.Linear(channels // reduction, channels)

    def weights(self, maps: Tensor) -> Tensor:
        """(n, c, h, w) → (n, c), each 0-1."""
        return torch.sigmoid(self.excite(torch.relu(self.squeeze(maps.mean(dim=(2, 3))))))

    def forward(self, maps: Tensor) -> Tensor:
        return maps * self.weights(maps)[:, :, None, None]


@register(
    "mobilenet",
    input_px=48,
    min_px=32,
    source=f"{SOURCE}; timm mobilenetv1_100",
    about="MobileNet, mean over the map, dropout, last layer",
)
def mobilenet(
    *, n_labels: int, channels: int, stem_stride: int = 1, last_stride: int = 2, **hidden: Any
) -> EmotionNetwork:
    """MobileNet with its last layer for the labels, which ``mru-2025`` names for transfer without saying more.

    Args:
        n_labels: number of classes.
        channels: 1 (grey) or 3 (RGB).
        stem_stride: 1 leaves a map of 3×3 of 48 px; published is 2.
        last_stride: published is 2.
        hidden: as in ``Hidden``; by default dropout 0.2 before the last layer.
    """
    trunk = mobilenet_trunk(channels, stem_stride=stem_stride, last_stride=last_stride)
    layers = replace(Hidden(dropout=0.2), **hidden)
    return TrunkNetwork(trunk, BLOCKS[-1][0], n_labels, layers, imagenet=_state, stem="0.0.weight")


@register(
    "mobilenet-attention",
    input_px=48,
    min_px=32,
    source=f"shsu-2023, section 7 of its models; {SOURCE}",
    about="MobileNet, parallel convolutions of different sizes, channel attention, mean over the map, full layer of "
    "128 with ReLU and dropout, last layer",
)
def mobilenet_attention(
    *,
    n_labels: int,
    channels: int,
    stem_stride: int = 1,
    last_stride: int = 1,
    kernels: Sequence[int] = (1, 3, 5),
    patch_width: int = 128,
    reduction: int = 8,
    **hidden: Any,
) -> EmotionNetwork:
    """The custom MobileNet of ``shsu-2023``: MobileNet, patch extraction, attention, mean over the map, full layers.

    The document says what the parts do and gives no numbers: kernel sizes, widths, the form of the attention and the
    strides are ours. With both strides 1, pictures of 41-48 px give a map of 6×6, on which kernels of 1, 3 and 5
    differ; as published it would be 2×2. A map of 1×1 must not be trained in bf16 on a CPU: the weight gradient of
    a 5×5 kernel that mostly lies outside its map holds memory that nobody wrote (torch 2.15). Patches and attention
    belong to the neck, so that they are trained while the trunk is frozen. 4.3 million weights, 8.6 MB in half
    precision. Nothing acts across pictures but batch norm in training.

    Args:
        n_labels: number of classes.
        channels: 1 (grey) or 3 (RGB).
        stem_stride: of the first convolution, 1 or 2.
        last_stride: of the last but one block, 1 or 2.
        kernels: side of the convolution of each path of the patch extraction.
        patch_width: channels of each path.
        reduction: by how much the attention narrows the channels.
        hidden: as in ``Hidden``; by default one layer of 128, dropout 0.5.
    """
    trunk = mobilenet_trunk(channels, stem_stride=stem_stride, last_stride=last_stride)
    width = patch_width * len(kernels)
    pool = {
        "patches": Patches(BLOCKS[-1][0], patch_width, kernels),
        "attention": ChannelAttention(width, reduction),
        "pool": Pool(),
    }
    layers = replace(Hidden(hidden=(128,), dropout=0.5), **hidden)
    return TrunkNetwork(trunk, width, n_labels, layers, pool=pool, imagenet=_state, stem="0.0.weight")
