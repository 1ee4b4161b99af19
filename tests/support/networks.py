"""Tiny networks whose answers are known by how they are made."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from fer_core.emotions import EMOTIONS
from fer_core.faces.geometry import CropGeometry
from fer_core.models.card import Card, InputSpec
from fer_core.models.classifier import Classifier
from fer_core.models.registry import EmotionNetwork

SIDE, SCALE = 48, 1000.0
BRIGHT, DARK = np.s_[8:16, 8:16], np.s_[30:38, 28:36]
"""Where ``squares`` has its white and its black square."""


class Squares(EmotionNetwork):
    """Finds white and black places: the logit of happy is 1000 times the mean of a channel that fires, with 1, where a
    grey picture is white, that of sad the same for black; no other channel and no other emotion ever responds."""

    def __init__(self) -> None:
        super().__init__()
        conv = nn.Conv2d(1, len(EMOTIONS), 3, padding=1)
        self.blocks = nn.Sequential(nn.Sequential(conv, nn.ReLU()))
        self.head = nn.Linear(len(EMOTIONS), len(EMOTIONS), bias=False)
        with torch.no_grad():
            conv.weight.zero_()
            conv.bias.fill_(-1.0)  # type: ignore[union-attr]
            conv.weight[EMOTIONS.index("happy"), 0, 1, 1] = 1.0
            conv.weight[EMOTIONS.index("sad"), 0, 1, 1] = -1.0
            self.head.weight.copy_(SCALE * torch.eye(len(EMOTIONS)))

    def features(self, x: Tensor) -> Tensor:
        means: Tensor = self.blocks(x).mean(dim=(2, 3))
        return means


class Wrapped(EmotionNetwork):
    """Any network that makes features (n, d) of pictures."""

    def __init__(self, inner: nn.Module, n_features: int) -> None:
        super().__init__()
        self.inner, self.head = inner, nn.Linear(n_features, len(EMOTIONS))

    def features(self, x: Tensor) -> Tensor:
        found: Tensor = self.inner(x)
        return found


def classifier_of(net: EmotionNetwork, *, size: int = SIDE, channels: int = 1) -> Classifier:
    """A classifier that sees all of a crop, with pixels from -2 (black) to 2 (white) and 128 at nearly 0."""
    spec = InputSpec(size, channels, [0.5] * channels, [0.25] * channels)
    card = Card("tiny", "squares", list(EMOTIONS), spec, CropGeometry(size=size), temperature=1.0)
    return Classifier(net, card, device="cpu")


def squares(*, dark: bool = True) -> NDArray[np.uint8]:
    """A grey picture (48, 48, 3) with a white square, and a black one where wanted."""
    picture = np.full((SIDE, SIDE, 3), 128, np.uint8)
    picture[BRIGHT] = 255
    if dark:
        picture[DARK] = 0
    return picture
