"""The network: a backbone, a feature pyramid, context modules and three heads, at strides of 8, 16 and 32 pixels.

The pyramid is that of Lin et al. 2017, the context modules are those of SSH (Najibi et al. 2017). Layers, widths and
slopes are those of the widely used PyTorch weights, which ``weights`` maps to the names used here.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
import torchvision
from torch import Tensor, nn
from torch.nn import functional as F
from torchvision.ops import Conv2dNormActivation

from fer_core.faces.retinaface.boxes import PER_PLACE, STRIDES

Unit = Callable[..., nn.Module]
_LEAKY = partial(nn.LeakyReLU, 0.1)


class ResNet50(nn.Module):
    """torchvision's ResNet-50 (He et al. 2016) without its classifier; features of strides 8, 16 and 32."""

    widths = (512, 1024, 2048)

    def __init__(self) -> None:
        super().__init__()
        net = torchvision.models.resnet50(weights=None)
        self.conv1, self.bn1, self.relu, self.maxpool = net.conv1, net.bn1, net.relu, net.maxpool
        self.layer1, self.layer2, self.layer3, self.layer4 = net.layer1, net.layer2, net.layer3, net.layer4

    def forward(self, x: Tensor) -> list[Tensor]:
        """(n, 3, h, w) → three maps (n, 512 · 2^k, ⌈h / 2^(k+3)⌉, ⌈w / 2^(k+3)⌉)."""
        x = self.layer1(self.maxpool(self.relu(self.bn1(self.conv1(x)))))
        fine = self.layer2(x)
        middle = self.layer3(fine)
        return [fine, middle, self.layer4(middle)]


class MobileNet025(nn.Module):
    """MobileNet (Howard et al. 2017) with a quarter of its width and leaky units; features of strides 8, 16 and 32."""

    widths = (64, 128, 256)

    def __init__(self) -> None:
        super().__init__()
        first = Conv2dNormActivation(3, 8, 3, 2, activation_layer=_LEAKY)
        self.stage1 = nn.Sequential(
            first, _separable(8, 16), _separable(16, 32, 2), _separable(32, 32), _separable(32, 64, 2),
            _separable(64, 64),
        )  # fmt: skip
        self.stage2 = nn.Sequential(_separable(64, 128, 2), *(_separable(128, 128) for _ in range(5)))
        self.stage3 = nn.Sequential(_separable(128, 256, 2), _separable(256, 256))

    def forward(self, x: Tensor) -> list[Tensor]:
        """(n, 3, h, w) → three maps (n, 64 · 2^k, ⌈h / 2^(k+3)⌉, ⌈w / 2^(k+3)⌉)."""
        fine = self.stage1(x)
        middle = self.stage2(fine)
        return [fine, middle, self.stage3(middle)]


def _separable(before: int, after: int, stride: int = 1) -> nn.Sequential:
    """A convolution of each channel for itself, then one across channels; six layers in a row."""
    depthwise = Conv2dNormActivation(before, before, 3, stride, groups=before, activation_layer=_LEAKY)
    pointwise = Conv2dNormActivation(before, after, 1, activation_layer=_LEAKY)
    return nn.Sequential(*depthwise, *pointwise)


class FeaturePyramid(nn.Module):
    """Brings coarse features down to the fine maps: three maps of ``widths`` in, three of one width out."""

    def __init__(self, widths: tuple[int, ...], width: int, unit: Unit) -> None:
        super().__init__()
        self.lateral = nn.ModuleList(Conv2dNormActivation(each, width, 1, activation_layer=unit) for each in widths)
        self.merge = nn.ModuleList(Conv2dNormActivation(width, width, 3, activation_layer=unit) for _ in widths[1:])

    def forward(self, maps: list[Tensor]) -> list[Tensor]:
        out = [lateral(each) for lateral, each in zip(self.lateral, maps, strict=True)]
        for k in range(len(out) - 2, -1, -1):
            out[k] = self.merge[k](out[k] + F.interpolate(out[k + 1], size=out[k].shape[-2:], mode="nearest"))
        return out


class Context(nn.Module):
    """Looks at neighbourhoods of 3, 5 and 7 cells, as stacked 3×3 convolutions, and puts them side by side."""

    def __init__(self, width: int, unit: Unit) -> None:
        super().__init__()
        half, quarter = width // 2, width // 4
        self.near = Conv2dNormActivation(width, half, 3, activation_layer=None)
        self.shared = Conv2dNormActivation(width, quarter, 3, activation_layer=unit)
        self.middle = Conv2dNormActivation(quarter, quarter, 3, activation_layer=None)
        self.wider = Conv2dNormActivation(quarter, quarter, 3, activation_layer=unit)
        self.far = Conv2dNormActivation(quarter, quarter, 3, activation_layer=None)

    def forward(self, x: Tensor) -> Tensor:
        shared = self.shared(x)
        return F.relu(torch.cat([self.near(x), self.middle(shared), self.far(self.wider(shared))], dim=1))


BACKBONES: dict[str, tuple[type[ResNet50] | type[MobileNet025], int, Unit]] = {
    "resnet50": (ResNet50, 256, nn.ReLU),
    "mobilenet025": (MobileNet025, 64, _LEAKY),
}
"""Backbone, width of the maps behind it, and unit in them, by name."""


class RetinaFace(nn.Module):
    """The whole network, with random weights.

    Args:
        backbone: one of ``BACKBONES``.
    """

    def __init__(self, backbone: str) -> None:
        super().__init__()
        make, width, unit = BACKBONES[backbone]
        self.backbone = backbone
        self.body = make()
        self.pyramid = FeaturePyramid(make.widths, width, unit)
        self.context = nn.ModuleList(Context(width, unit) for _ in STRIDES)
        self.classes, self.boxes, self.landmarks = (_heads(width, numbers) for numbers in (2, 4, 10))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """What is said about every anchor, in the order of ``boxes.anchors``.

        Args:
            x: BGR pictures (n, 3, h, w) in 0-255, less ``detector.MEAN_BGR``.

        Returns:
            logits (n, a, 2; nothing, face), box offsets (n, a, 4), landmark offsets (n, a, 10).
        """
        maps = [context(each) for context, each in zip(self.context, self.pyramid(self.body(x)), strict=True)]
        return _ask(self.classes, maps, 2), _ask(self.boxes, maps, 4), _ask(self.landmarks, maps, 10)


def _heads(width: int, numbers: int) -> nn.ModuleList:
    """For every stride, what says ``numbers`` about each anchor."""
    return nn.ModuleList(nn.Conv2d(width, PER_PLACE * numbers, 1) for _ in STRIDES)


def _ask(heads: nn.ModuleList, maps: list[Tensor], numbers: int) -> Tensor:
    """Answers (n, a, numbers) of all strides, each row by row of its map."""
    said = [head(each).permute(0, 2, 3, 1) for head, each in zip(heads, maps, strict=True)]
    return torch.cat([each.reshape(len(each), -1, numbers) for each in said], dim=1)
