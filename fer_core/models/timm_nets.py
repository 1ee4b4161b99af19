"""Networks of timm: ResNet50V2 and EfficientNetV2-B0, which torchvision does not have (``ubb-2021`` and
``shsu-2023``), and any other one by its name there.

timm is imported when one of them is built, so that everything else runs without it.
"""

from __future__ import annotations

import difflib
from dataclasses import fields, replace
from typing import Any

from torch import Tensor, nn

from fer_core.errors import CheckpointError
from fer_core.models.pretrained import kept_weights
from fer_core.models.registry import EmotionNetwork, register
from fer_core.models.trunks import (
    Hidden,
    State,
    TrunkNetwork,
    check_stem,
    load_trunk,
    stem_of,
    timm_names,
    timm_network,
    timm_weights,
    trunk_of,
)

RESNET50V2, EFFICIENTNETV2B0 = "resnetv2_50", "tf_efficientnetv2_b0"


@register(
    "resnet50v2",
    input_px=224,
    min_px=32,
    source="He et al. 2016, arXiv:1603.05027; timm resnetv2_50",
    about="ResNet50 with pre-activation, mean over the map, last layer",
)
def resnet50v2(*, n_labels: int, channels: int, stem: str = "imagenet", **hidden: Any) -> EmotionNetwork:
    """ResNet50V2 with its last layer for the labels: ``ubb-2021`` gives no other head in its text.

    Args:
        n_labels: number of classes.
        channels: 1 (grey) or 3 (RGB).
        stem: ``imagenet`` is the published 7×7 convolution of stride 2 and max-pool, which leave a map of 2×2 of 48 px;
            ``small`` is a 3×3 convolution of stride 1 without a pool (6×6 of 48 px), to which ImageNet gives no
            weights.
        hidden: as in ``Hidden``; none by default.

    Raises:
        CheckpointError: timm is not installed.
    """
    small, net = check_stem(stem), timm_network(RESNET50V2)
    first: Any = net.get_submodule("stem")
    first.conv, first.pool = stem_of(first.conv, channels, small=small), nn.Identity() if small else first.pool
    stages = {f"stage{i}": f"stages.{i}" for i in range(4)}
    trunk = trunk_of(net, stem="stem", **stages, norm="norm")
    layers = replace(Hidden(), **hidden)
    return TrunkNetwork(trunk, 2048, n_labels, layers, imagenet=_resnet_state, stem="stem.conv.weight")


def _resnet_state() -> State:
    state = timm_weights(RESNET50V2)
    return {name.replace("stages.", "stage", 1): value for name, value in state.items()}


@register(
    "efficientnetv2-b0",
    input_px=48,
    min_px=32,
    source="Tan & Le 2021, arXiv:2104.00298; timm tf_efficientnetv2_b0",
    about="EfficientNetV2-B0, mean over the map, two full layers of 128 with ReLU, dropout 0.3, last layer",
)
def efficientnetv2_b0(*, n_labels: int, channels: int, stem: str = "imagenet", **hidden: Any) -> EmotionNetwork:
    """EfficientNetV2-B0 with the head of ``shsu-2023`` (section 5): two layers of 128 with ReLU, one dropout of 0.3.

    The document puts a convolution with ReLU before the trunk to make three channels of a grey picture; here the first
    convolution itself takes one channel. The ImageNet weights expect ImageNet's mean and standard deviation.

    Args:
        n_labels: number of classes.
        channels: 1 (grey) or 3 (RGB).
        stem: ``imagenet`` is the published stride 2, which leaves a map of 2×2 of 48 px; ``small`` is stride 1 (3×3 of
            48 px), with the same weights.
        hidden: as in ``Hidden``.

    Raises:
        CheckpointError: timm is not installed.
    """
    small, net = check_stem(stem), timm_network(EFFICIENTNETV2B0)
    first = stem_of(net.get_submodule("conv_stem"), channels)  # type: ignore[arg-type]
    first.stride = (1, 1) if small else first.stride
    blocks = {f"block{i}": f"blocks.{i}" for i in range(6)}
    trunk = trunk_of(net, conv_stem="conv_stem", bn1="bn1", **blocks, conv_head="conv_head", bn2="bn2")
    layers = replace(Hidden(hidden=(128, 128), dropout=(0.0, 0.3)), **hidden)
    return TrunkNetwork(trunk, 1280, n_labels, layers, imagenet=_efficientnet_state, stem="conv_stem.weight")


def _efficientnet_state() -> State:
    state = timm_weights(EFFICIENTNETV2B0)
    return {name.replace("blocks.", "block", 1): value for name, value in state.items()}


SHAPES = ("img_size", "patch_size", "drop_rate", "drop_path_rate")
"""Options of timm that a card may name; others can fetch and open files."""


class TimmNetwork(EmotionNetwork):
    """A network as timm makes it: ``backbone`` is all but its last layer, in whose place are ``neck`` and ``head``.

    Args:
        model: its name in timm.
        n_labels: number of classes.
        channels: of the pictures.
        hidden: full layers between; with none, the neck is empty.
        options: some of ``SHAPES``.

    Raises:
        CheckpointError: timm is not installed, or its network has no single last layer.
        ValueError: a name or an option that is none.
    """

    def __init__(self, model: str, n_labels: int, channels: int, hidden: Hidden, options: dict[str, Any]) -> None:
        super().__init__()
        if unknown := set(options) - set(SHAPES):
            raise ValueError(f"{sorted(unknown)[0]} is none of {', '.join(SHAPES)}")
        self.model, self.options = model, {"in_chans": channels, **options}
        net: Any = timm_network(model, num_classes=n_labels, **self.options)
        last = net.get_classifier()
        if not isinstance(last, nn.Linear):
            raise CheckpointError(f"{model} has no single full layer at its end; take another network of timm.")
        self.neck, width = hidden.layers(last.in_features)
        self.head = nn.Linear(width, n_labels)
        if not hidden.hidden:
            self.head.load_state_dict(last.state_dict())
        self.classifier = str(net.pretrained_cfg.get("classifier", ""))
        """Name of the last layer in timm."""
        self.first = str(net.pretrained_cfg.get("first_conv", ""))
        """Name of the first convolution in timm."""
        net.reset_classifier(0)
        for module in net.modules():  # a map that a heatmap looks at must not change after its layer made it
            if getattr(module, "inplace", None) is True:
                module.inplace = False
        self.backbone = net

    def features(self, x: Tensor) -> Tensor:
        features: Tensor = self.neck(self.backbone(x))
        return features

    def load_imagenet(self) -> None:
        """Start all but the last layer from the weights in the data folder, or else from those that timm gives first.

        Raises:
            CheckpointError: they cannot be fetched, or those in the data folder are others.
        """
        if (kept := kept_weights(self.model)) is not None:
            state, self.started_from = kept
            load_trunk(self.backbone, state, f"{self.first}.weight")
            return
        net: Any = timm_network(self.model, pretrained=True, **self.options)
        net.reset_classifier(0)
        self.backbone.load_state_dict(net.state_dict())


@register(
    "timm",
    input_px=224,
    min_px=32,
    source="Wightman et al., timm",
    about="any network of timm, by its name there: timm:mobilenetv3_small_050",
)
def timm_by_name(*, n_labels: int, channels: int, model: str, **options: Any) -> EmotionNetwork:
    """A network of timm as it is published, with a last layer for the labels.

    Args:
        n_labels: number of classes.
        channels: 1 (grey) or 3 (RGB).
        model: one that ``timm.list_models()`` lists; never an address or a file.
        options: those of ``Hidden``, none by default; ``img_size`` and ``patch_size`` of a transformer, ``drop_rate``,
            ``drop_path_rate``.

    Raises:
        CheckpointError: timm is not installed.
        ValueError: there is no such network.
    """
    known = timm_names()
    if model not in known:
        near = difflib.get_close_matches(model, known, n=3)
        raise ValueError(f"timm has no network {model!r}{'; near are ' * bool(near)}{', '.join(near)}")
    hidden = {each.name: options.pop(each.name) for each in fields(Hidden) if each.name in options}
    return TimmNetwork(model, n_labels, channels, Hidden(**hidden), options)
