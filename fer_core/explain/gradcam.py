"""Heatmaps: which places of a face speak for an emotion, as far as a network's convolutions can tell.

The maps come from the package ``grad-cam``. They are made on a copy of the network, so that the classifier, which
other work may share, never carries a hook or a gradient.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import SimpleNamespace

import numpy as np
import torch
from torch import Tensor

from fer_core.errors import InputError
from fer_core.explain.network import RGB, ArrayF, check_crops, copy_network, pick_layer
from fer_core.models.classifier import Classifier
from fer_core.models.preprocess import resample
from fer_core.models.registry import EmotionNetwork

Target = str | tuple[str, ...]
"""What is explained: an emotion, or several as a group, whose score is the log-sum-exp of their logits."""
METHODS: Mapping[str, str] = {"gradcam": "GradCAM", "gradcam++": "GradCAMPlusPlus", "scorecam": "ScoreCAM"}
"""Methods by name, with their classes in the package."""


def heatmaps(
    classifier: Classifier,
    crops: RGB,
    targets: Target | list[Target] | None = None,
    *,
    method: str = "gradcam",
    layer: str | None = None,
    batch_size: int = 32,
) -> ArrayF:
    """How much each place of a face speaks for an emotion, or for a group of them.

    ``gradcam`` (Selvaraju et al. 2017, arXiv:1610.02391) weighs the layer's channels by the mean gradient of the
    emotion's logit; ``gradcam++`` (Chattopadhay et al. 2018, arXiv:1710.11063) weighs the gradients by place as well;
    its formula assumes activations of 0 and above, which MobileNetV2's linear blocks do not keep to. ``scorecam`` (Wang
    et al. 2020, arXiv:1910.01279) needs no gradients: it shows the network the face through each channel and weighs the
    channel by the logit, at the price of one pass per channel.

    The default layer is the last whose map has at least ``MIN_CELLS`` cells along its side; for MobileNetV2 on 44 px,
    that is ``backbone.13`` with 6 by 6. Its last block has 3 by 3, too coarse to tell the mouth from the nose. Measured
    with ``gradcam`` on 96 faces of FER2013's private test (``mobilenetv2-ferplus``; mean probability of the predicted
    emotion over masks of 10, 20, 30 and 50 %; Petsiuk et al. 2018, arXiv:1806.07421), where the hottest pixels are

    | map | inserted into a blurred face (high is good) | blurred (low is good) |
    | --- | --- | --- |
    | ``backbone.13``, 6 by 6 | 0.638 | 0.594 |
    | ``backbone.12``, 6 by 6 | 0.630 | 0.611 |
    | ``backbone.8``, 6 by 6 | 0.552 | 0.648 |
    | ``backbone.16``, 3 by 3 | 0.608 | 0.601 |
    | ``backbone.18``, the last, 3 by 3 | 0.553 | 0.644 |
    | a spot in the middle of every picture | 0.555 | 0.618 |

    Args:
        classifier: whose view is explained; it is left as it was.
        crops: uint8 (n, s, s, 3) RGB, cut as the card's ``crop`` says.
        targets: one for all crops, or a list of one for each: an emotion, or a tuple of emotions, which are explained
            together. ``None`` takes the most probable emotion of each.
        method: one of ``METHODS``.
        layer: one of ``layers(classifier)``.
        batch_size: pictures per pass.

    Returns:
        float32 (n, s, s), aligned with the crops. A map reaches from 0 to 1 over the part of the crop that the network
        sees (the card's ``input.field``), and is zero around it. It says where, not how much: each is scaled to itself.
        A map that is zero everywhere (``not heatmap.any()``) means that nothing in the layer speaks for the target, or
        every place as much as every other.

    Raises:
        InputError: crops of another kind; an unknown label, method or layer; neither one target nor one for each crop;
            a network without convolutional maps.
    """
    check_crops(crops)
    classes, layer = _classes(classifier, targets, crops), pick_layer(classifier, layer)
    seen = maps_of_input(classifier, copy_network(classifier), crops, classes, method, layer, batch_size)
    return onto_crop(seen, crops.shape[1], classifier.card.input.field)


def contrast(
    classifier: Classifier,
    crops: RGB,
    target: Target | list[Target],
    other: Target | list[Target],
    *,
    method: str = "gradcam",
    layer: str | None = None,
    batch_size: int = 32,
) -> ArrayF:
    """Where a face speaks for one target rather than for another: the difference of their heatmaps.

    Arguments and errors are those of ``heatmaps``; both targets are one for all crops, or a list of one for each.

    Returns:
        float32 (n, s, s) in -1 to 1: above 0 where the first target's map is the hotter, below where the other's is.
        Each map is scaled to itself first, so the difference says where they part, not which score is the higher.
    """
    check_crops(crops)
    classes = _classes(classifier, target, crops) + _classes(classifier, other, crops)
    layer, twice = pick_layer(classifier, layer), np.concatenate([crops, crops])
    seen = maps_of_input(classifier, copy_network(classifier), twice, classes, method, layer, batch_size)
    maps = onto_crop(seen, crops.shape[1], classifier.card.input.field)
    return maps[: len(crops)] - maps[len(crops) :]


@torch.inference_mode(mode=False)
@torch.enable_grad()
def maps_of_input(
    classifier: Classifier,
    net: EmotionNetwork,
    crops: RGB,
    classes: Sequence[list[int]],
    method: str,
    layer: str,
    batch_size: int = 32,
) -> ArrayF:
    """Heatmaps (n, size, size) over the network's input, for the classes of each crop (n, s, s, 3), of ``net``: a copy
    of the classifier's network that may be left with hooks.

    Raises:
        InputError: an unknown method.
    """
    if method not in METHODS:
        raise InputError(f"Unknown method {method!r}; known are {', '.join(METHODS)}.")
    if not len(crops):
        return np.zeros((0, classifier.card.input.size, classifier.card.input.size), np.float32)
    import pytorch_grad_cam  # takes seconds: it imports matplotlib and scikit-learn
    from pytorch_grad_cam import score_cam

    score_cam.tqdm = SimpleNamespace(tqdm=iter)  # a library draws no progress bars
    block = net.get_submodule(layer)
    cam = getattr(pytorch_grad_cam, METHODS[method])(net, [block], reshape_transform=Tensor.contiguous)
    cam.batch_size = batch_size
    step = 1 if method == "scorecam" else batch_size  # it makes a batch of each picture's channels
    seen = [
        cam(
            classifier.network_input(crops[i : i + step]).requires_grad_(),
            [_Score(each) for each in classes[i : i + step]],
        )
        for i in range(0, len(crops), step)
    ]
    return np.concatenate(seen)


class _Score:
    """What the package asks of a picture's logits (k,): the log-sum-exp of some of them."""

    def __init__(self, classes: list[int]) -> None:
        self.classes = classes

    def __call__(self, logits: Tensor) -> Tensor:
        return logits[self.classes].logsumexp(dim=0)


def class_indices(classifier: Classifier, target: Target) -> list[int]:
    """Where the emotions of a target stand among the classifier's labels.

    Raises:
        InputError: an emotion that the classifier does not know, twice the same one, or none.
    """
    names = [target] if isinstance(target, str) else list(target)
    if not names or len(set(names)) < len(names):
        raise InputError(f"A group names at least one emotion, and each only once, got {target!r}.")
    for name in names:
        if name not in classifier.labels:
            raise InputError(f"{classifier.name} knows no {name!r}; expected one of {', '.join(classifier.labels)}.")
    return [classifier.labels.index(name) for name in names]


def _classes(classifier: Classifier, targets: Target | list[Target] | None, crops: RGB) -> list[list[int]]:
    """The explained classes of each crop."""
    if targets is None:
        return [[int(top)] for top in classifier.predict(crops).logits.argmax(axis=1)]
    each = [class_indices(classifier, one) for one in (targets if isinstance(targets, list) else [targets])]
    if len(each) not in (1, len(crops)):
        raise InputError(f"Expected one target for all or one for each of {len(crops)} crops, got {len(each)}.")
    return each if len(each) == len(crops) else each * len(crops)


def onto_crop(maps: ArrayF, side: int, field: float) -> ArrayF:
    """Maps (n, k, k) of the central ``field`` share of a crop, put back into the crop (n, side, side)."""
    if not len(maps):
        return np.zeros((0, side, side), np.float32)
    x = torch.from_numpy(maps).unsqueeze(1)
    back = x.new_tensor([[1 / field, 0, 0], [0, 1 / field, 0]]).expand(len(x), 2, 3)
    seen = ((torch.arange(side) + 0.5) * 2 / side - 1).abs() <= field
    placed = resample(x, side, back).squeeze(1) * (seen[:, None] & seen)
    return placed.clamp(0, 1).numpy()
