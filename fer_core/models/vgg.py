"""VGG16 and VGG19 (Simonyan & Zisserman 2014, arXiv:1409.1556): systems ``mbstu-2021``, ``shsu-2023``, ``mru-2025``.

The convolutions are those of torchvision, by the same names; they are built here because torchvision's builder makes
120 million weights of full layers for pictures of 224 px first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from torch import Tensor, nn
from torchvision.models import VGG16_Weights, VGG19_BN_Weights, VGG19_Weights

from fer_core.models.registry import EmotionNetwork, register
from fer_core.models.trunks import Hidden, Pool, TrunkNetwork, torchvision_weights

WIDTHS = (64, 128, 256, 512, 512)
VGG16, VGG19 = (2, 2, 3, 3, 3), (2, 2, 4, 4, 4)
"""3×3 convolutions in each of the five blocks; a max-pool ends a block."""


def convolutions(counts: Sequence[int], channels: int, *, norm: bool) -> nn.Sequential:
    """Five blocks of 3×3 convolutions, [batch norm] and ReLU, each ended by a max-pool 2×2: a map of size / 32."""
    made: list[nn.Module] = []
    n_in = channels
    for count, width in zip(counts, WIDTHS, strict=True):
        for _ in range(count):
            conv = nn.Conv2d(n_in, width, 3, padding=1)
            nn.init.kaiming_normal_(conv.weight, mode="fan_out", nonlinearity="relu")
            nn.init.zeros_(conv.bias)  # type: ignore[arg-type]
            made += [conv, *([nn.BatchNorm2d(width)] if norm else []), nn.ReLU()]
            n_in = width
        made.append(nn.MaxPool2d(2))
    return nn.Sequential(*made)


def _state(weights: Any) -> dict[str, Tensor]:
    return {name.removeprefix("features."): value for name, value in torchvision_weights(weights).items()}


def _vgg(
    counts: Sequence[int], weights: Any, hidden: Hidden, *, n_labels: int, channels: int, pool: int, norm: bool = False
) -> EmotionNetwork:
    """A VGG network; ``pool``: cells along the side that the last map is averaged to before it is flattened."""
    trunk, imagenet = convolutions(counts, channels, norm=norm), partial(_state, weights)
    width = WIDTHS[-1] * pool**2
    return TrunkNetwork(trunk, width, n_labels, hidden, pool={"pool": Pool(pool)}, imagenet=imagenet, stem="0.weight")


LARGE = Hidden(hidden=(512, 512), dropout=0.5)
"""Published are ``hidden: [4096, 4096]`` and ``pool: 7`` for the 7×7×512 values of 224 px. Pictures of 32-63 px give
1×1×512, and two layers of 512 suit these; ``hidden: [4096, 4096]`` is there for who wants the published widths."""


@register(
    "vgg19",
    source="Simonyan & Zisserman 2014, arXiv:1409.1556; torchvision vgg19",
    about="VGG19 without batch norm, two full layers with ReLU and dropout 0.5, last layer",
)
def vgg19_network(*, n_labels: int, channels: int, pool: int = 1, **hidden: Any) -> EmotionNetwork:
    """VGG19 as published: 16 convolutions and 3 full layers, no batch norm (``mbstu-2021``); ``hidden``: see LARGE."""
    layers = replace(LARGE, **hidden)
    return _vgg(VGG19, VGG19_Weights.IMAGENET1K_V1, layers, n_labels=n_labels, channels=channels, pool=pool)


@register(
    "vgg19-bn",
    source="Simonyan & Zisserman 2014, arXiv:1409.1556; torchvision vgg19_bn",
    about="VGG19 with batch norm, two full layers with ReLU and dropout 0.5, last layer",
)
def vgg19_bn_network(*, n_labels: int, channels: int, pool: int = 1, **hidden: Any) -> EmotionNetwork:
    """VGG19 with batch norm after every convolution, which learns from scratch where the plain one hardly does."""
    weights, layers = VGG19_BN_Weights.IMAGENET1K_V1, replace(LARGE, **hidden)
    return _vgg(VGG19, weights, layers, n_labels=n_labels, channels=channels, pool=pool, norm=True)


@register(
    "vgg16",
    source="Simonyan & Zisserman 2014, arXiv:1409.1556; torchvision vgg16",
    about="VGG16 without batch norm, two full layers of 128 with ReLU, dropout 0.3, last layer",
)
def vgg16_network(*, n_labels: int, channels: int, pool: int = 1, **hidden: Any) -> EmotionNetwork:
    """VGG16 with the head of ``shsu-2023`` (section 4): flatten, two layers of 128 with ReLU, one dropout of 0.3.

    ``mru-2025`` names VGG16 for transfer without a head: it takes the same.
    """
    layers = replace(Hidden(hidden=(128, 128), dropout=(0.0, 0.3)), **hidden)
    return _vgg(VGG16, VGG16_Weights.IMAGENET1K_V1, layers, n_labels=n_labels, channels=channels, pool=pool)
