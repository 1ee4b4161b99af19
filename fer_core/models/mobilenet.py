"""MobileNetV2 with the heads of systems ``usfq-2024`` and ``ubb-2021``."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from torch import Tensor, nn
from torchvision.models import MobileNet_V2_Weights, mobilenet_v2

from fer_core.models.registry import EmotionNetwork, Heat, register
from fer_core.models.trunks import Hidden, State, TrunkNetwork, load_trunk, torchvision_weights

WIDTH = 1280
SOURCE = "Sandler et al. 2018, arXiv:1801.04381; torchvision mobilenet_v2"


class MobileNetV2(EmotionNetwork):
    """torchvision's MobileNetV2 (Sandler et al. 2018) on one- or three-channel faces.

    Args:
        n_labels: number of classes.
        channels: 1 (grey) or 3 (RGB).
        n_features: width of the hidden layer that also serves as embedding.
        dropout: before the hidden layer.
        negative_slope: of the LeakyReLU.
        stem_stride: 2 as published, 1 for small pictures.
    """

    def __init__(
        self,
        *,
        n_labels: int,
        channels: int = 3,
        n_features: int = 128,
        dropout: float = 0.2,
        negative_slope: float = 0.1,
        stem_stride: int = 2,
    ) -> None:
        super().__init__()
        if not 1 <= n_features <= 4096:
            raise ValueError(f"n_features {n_features} is outside 1-4096")
        self.backbone = mobilenetv2_trunk(channels, stem_stride)
        self.neck = nn.Sequential(
            nn.Dropout(dropout),
            nn.Linear(WIDTH, n_features),
            nn.BatchNorm1d(n_features),
            nn.LeakyReLU(negative_slope),
        )
        self.head = nn.Linear(n_features, n_labels)

    def features(self, x: Tensor) -> Tensor:
        features: Tensor = self.neck(self.backbone(x).mean(dim=(2, 3)))
        return features

    def load_imagenet(self) -> None:
        """Start the backbone from torchvision's ImageNet weights; a grey stem gets the sum over RGB.

        Raises:
            CheckpointError: the weights are not in torchvision's cache and cannot be fetched.
        """
        load_trunk(self.backbone, _state(), "0.0.weight")


def mobilenetv2_trunk(channels: int, stem_stride: int) -> nn.Sequential:
    """The convolutions of MobileNetV2: a map of 1280 channels.

    Raises:
        ValueError: a stride of the first convolution that is neither 1 nor 2.
    """
    if stem_stride not in (1, 2):
        raise ValueError(f"stem_stride {stem_stride} is not 1 or 2")
    trunk: nn.Sequential = mobilenet_v2(weights=None).features
    stem = trunk[0][0]  # type: ignore[index]
    if channels != stem.in_channels or stem_stride != 2:
        trunk[0][0] = nn.Conv2d(channels, stem.out_channels, 3, stem_stride, padding=1, bias=False)  # type: ignore
        nn.init.kaiming_normal_(trunk[0][0].weight, mode="fan_out")  # type: ignore
    return trunk


def _state() -> State:
    state = torchvision_weights(MobileNet_V2_Weights.IMAGENET1K_V2)
    return {name.removeprefix("features."): value for name, value in state.items()}


@register(
    "mobilenetv2",
    input_px=48,
    min_px=32,
    source=f"usfq-2024; {SOURCE}",
    about="MobileNetV2, mean over the map, dropout, full layer of 128 with batch norm and LeakyReLU, last layer",
    heat=Heat("elementwise", layer="backbone.7", blur=0.042),
)
def mobilenetv2(*, n_labels: int, channels: int, **options: float) -> EmotionNetwork:
    """Builder for the registry."""
    return MobileNetV2(n_labels=n_labels, channels=channels, **options)  # type: ignore[arg-type]


@register(
    "mobilenetv2-ubb",
    input_px=224,
    min_px=32,
    source=f"ubb-2021, section 4.1; {SOURCE}",
    about="MobileNetV2, mean over the map, three full layers, each with ReLU, dropout and batch norm, last layer",
)
def mobilenetv2_ubb(*, n_labels: int, channels: int, stem_stride: int = 2, **hidden: Any) -> EmotionNetwork:
    """MobileNetV2 with the head of ``ubb-2021``: average pooling, flatten, three full layers, each followed by dropout
    and batch norm.

    The document gives no widths and no dropout: 512, 256, 128 and 0.3 are ours, and so is the ReLU.

    Args:
        n_labels: number of classes.
        channels: 1 (grey) or 3 (RGB).
        stem_stride: 2 as published, 1 for small pictures (a map of 3×3 instead of 2×2 of 48 px).
        hidden: as in ``Hidden``.
    """
    layers = replace(Hidden(hidden=(512, 256, 128), dropout=0.3, norm="after"), **hidden)
    trunk = mobilenetv2_trunk(channels, stem_stride)
    return TrunkNetwork(trunk, WIDTH, n_labels, layers, imagenet=_state, stem="0.0.weight")
