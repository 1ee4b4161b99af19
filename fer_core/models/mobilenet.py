"""MobileNetV2 with the head of system ``usfq-2024``: 128 features, batch norm, LeakyReLU, then the labels."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torchvision.models import MobileNet_V2_Weights, mobilenet_v2

from fer_core.errors import CheckpointError
from fer_core.models.registry import EmotionNetwork, register


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
        if not (1 <= n_features <= 4096 and stem_stride in (1, 2)):
            raise ValueError(f"n_features {n_features} is outside 1-4096, or stem_stride {stem_stride} is not 1 or 2")
        self.backbone = mobilenet_v2(weights=None).features
        stem = self.backbone[0][0]
        if channels != stem.in_channels or stem_stride != 2:
            self.backbone[0][0] = nn.Conv2d(channels, stem.out_channels, 3, stem_stride, padding=1, bias=False)
            nn.init.kaiming_normal_(self.backbone[0][0].weight, mode="fan_out")
        self.neck = nn.Sequential(
            nn.Dropout(dropout),
            nn.Linear(1280, n_features),
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
        weights = MobileNet_V2_Weights.IMAGENET1K_V2
        try:
            state = weights.get_state_dict(progress=False, check_hash=True)
        except OSError as error:
            raise CheckpointError(
                f"ImageNet weights could not be loaded ({error}). Connect to the internet once so that torchvision "
                f"can cache {weights.url.rsplit('/', 1)[-1]}, or set 'pretrained: false' to start from scratch."
            ) from error
        state = {key.removeprefix("features."): value for key, value in state.items() if key.startswith("features.")}
        stem = state["0.0.weight"]
        if self.backbone[0][0].in_channels == 1:
            state["0.0.weight"] = stem.sum(dim=1, keepdim=True)
        with torch.no_grad():
            self.backbone.load_state_dict(state)


@register("mobilenetv2")
def mobilenetv2(*, n_labels: int, channels: int, **options: float) -> EmotionNetwork:
    """Builder for the registry."""
    return MobileNetV2(n_labels=n_labels, channels=channels, **options)  # type: ignore[arg-type]
