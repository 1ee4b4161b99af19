"""ResNet18, InceptionV3 and DenseNet121, from torchvision: systems ``mbstu-2021``, ``shsu-2023`` and ``ubb-2021``."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import partial
from typing import Any

from torch import nn
from torchvision.models import (
    DenseNet121_Weights,
    Inception_V3_Weights,
    ResNet18_Weights,
    densenet121,
    inception_v3,
    resnet18,
)

from fer_core.models.registry import EmotionNetwork, register
from fer_core.models.trunks import (
    Hidden,
    State,
    TrunkNetwork,
    check_stem,
    stem_of,
    torchvision_weights,
    trunk_of,
)

RESNET18 = ("conv1", "bn1", "relu", "maxpool", "layer1", "layer2", "layer3", "layer4")
INCEPTION = (
    *("Conv2d_1a_3x3", "Conv2d_2a_3x3", "Conv2d_2b_3x3", "maxpool1", "Conv2d_3b_1x1", "Conv2d_4a_3x3", "maxpool2"),
    *("Mixed_5b", "Mixed_5c", "Mixed_5d", "Mixed_6a", "Mixed_6b", "Mixed_6c", "Mixed_6d", "Mixed_6e"),
    *("Mixed_7a", "Mixed_7b", "Mixed_7c"),
)


@register(
    "resnet18",
    input_px=40,
    min_px=32,
    source="He et al. 2015, arXiv:1512.03385; torchvision resnet18",
    about="ResNet18, mean over the map, last layer",
)
def resnet18_network(*, n_labels: int, channels: int, stem: str = "imagenet", **hidden: Any) -> EmotionNetwork:
    """ResNet18 with its last layer for the labels, as ``mbstu-2021`` and ``shsu-2023`` have it.

    Args:
        n_labels: number of classes.
        channels: 1 (grey) or 3 (RGB).
        stem: ``imagenet`` is the published 7×7 convolution of stride 2 and max-pool, which leave a map of 2×2 of 40 px;
            ``small`` is a 3×3 convolution of stride 1 without a pool (5×5 of 40 px), to which ImageNet gives no
            weights.
        hidden: as in ``Hidden``; none by default.
    """
    net = resnet18(weights=None)
    small = check_stem(stem)
    net.conv1, net.maxpool = stem_of(net.conv1, channels, small=small), nn.Identity() if small else net.maxpool
    trunk, imagenet = trunk_of(net, **{each: each for each in RESNET18}), ResNet18_Weights.IMAGENET1K_V1
    layers, fetch = replace(Hidden(), **hidden), partial(torchvision_weights, imagenet)
    return TrunkNetwork(trunk, 512, n_labels, layers, imagenet=fetch, stem="conv1.weight")


@register(
    "inceptionv3",
    input_px=299,
    min_px=75,
    source="Szegedy et al. 2015, arXiv:1512.00567; torchvision inception_v3",
    about="InceptionV3, mean over the map, last layer",
)
def inceptionv3_network(*, n_labels: int, channels: int, **hidden: Any) -> EmotionNetwork:
    """InceptionV3 without its auxiliary classifier, with its last layer for the labels.

    ``ubb-2021`` found that further layers do not help it (section 6.3); ``shsu-2023`` gives no head. The ImageNet
    weights expect pixels normalised with mean 0.5 and standard deviation 0.5. 75-106 px give a map of 1×1.

    Args:
        n_labels: number of classes.
        channels: 1 (grey) or 3 (RGB).
        hidden: as in ``Hidden``; none by default.
    """
    net = inception_v3(weights=None, aux_logits=False, init_weights=True)
    net.Conv2d_1a_3x3.conv = stem_of(net.Conv2d_1a_3x3.conv, channels)
    trunk, imagenet = trunk_of(net, **{each: each for each in INCEPTION}), Inception_V3_Weights.IMAGENET1K_V1
    layers, fetch = replace(Hidden(), **hidden), partial(torchvision_weights, imagenet)
    return TrunkNetwork(trunk, 2048, n_labels, layers, imagenet=fetch, stem="Conv2d_1a_3x3.conv.weight")


@register(
    "densenet121",
    input_px=48,
    min_px=32,
    source="Huang et al. 2016, arXiv:1608.06993; torchvision densenet121",
    about="DenseNet121, mean over the map, full layer of 512 with ReLU and batch norm, last layer",
)
def densenet121_network(*, n_labels: int, channels: int, stem: str = "imagenet", **hidden: Any) -> EmotionNetwork:
    """DenseNet121 with the head of ``shsu-2023`` (section 3): mean over the map, 512 with ReLU, then batch norm.

    Args:
        n_labels: number of classes.
        channels: 1 (grey) or 3 (RGB); the document repeats grey to three channels, which the sum over RGB equals.
        stem: ``imagenet`` is the published 7×7 convolution of stride 2 and max-pool, which leave a map of 1×1 of 48 px;
            ``small`` is a 3×3 convolution of stride 1 without a pool (6×6 of 48 px), to which ImageNet gives no
            weights.
        hidden: as in ``Hidden``.
    """
    net = densenet121(weights=None).features
    small = check_stem(stem)
    net.conv0, net.pool0 = stem_of(net.conv0, channels, small=small), nn.Identity() if small else net.pool0
    net.relu5 = nn.ReLU()  # a function in torchvision
    trunk = trunk_of(net, **{name: name for name, _ in net.named_children()})
    layers = replace(Hidden(hidden=(512,), norm="after"), **hidden)
    return TrunkNetwork(trunk, 1024, n_labels, layers, imagenet=_densenet_state, stem="conv0.weight")


def _densenet_state() -> State:
    """The published weights have older names: ``norm.1`` for ``norm1``."""
    state = torchvision_weights(DenseNet121_Weights.IMAGENET1K_V1)
    names = (re.sub(r"(denselayer\d+\.(?:norm|conv))\.([12])\.", r"\1\2.", name) for name in state)
    return {new.removeprefix("features."): value for new, value in zip(names, state.values(), strict=True)}
