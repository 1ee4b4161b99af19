"""Heatmaps: which places of a face speak for an emotion, as far as a network's convolutions can tell.

They are made on a copy of the network, so that the classifier, which other work may share, never carries a hook or a
gradient.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import torch
from torch import Tensor

from fer_core.errors import InputError
from fer_core.explain.cams import BY_GRADIENTS, Classes, by_masks, watched, with_gradients
from fer_core.explain.methods import METHODS, SCORE_CAM, TOGETHER
from fer_core.explain.network import RGB, ArrayF, check_crops, copy_network, own_blur, pick_layer, pick_method
from fer_core.explain.placing import blurred, placing
from fer_core.models.classifier import Classifier
from fer_core.models.preprocess import resample
from fer_core.models.registry import EmotionNetwork

Target = str | tuple[str, ...]
"""What is explained: an emotion, or several as a group, whose score is the log-sum-exp of their logits."""
_TINY = 1e-10


def heatmaps(
    classifier: Classifier,
    crops: RGB,
    targets: Target | list[Target] | None = None,
    *,
    method: str | None = None,
    layer: str | None = None,
    batch_size: int = 32,
) -> ArrayF:
    """How much each place of a face speaks for an emotion, or for a group of them.

    All methods weigh what a layer holds by the gradients of the emotion's logit. ``gradcam`` (Selvaraju et al. 2017,
    arXiv:1610.02391) weighs each channel by its mean gradient, ``gradcam++`` (Chattopadhay et al. 2018,
    arXiv:1710.11063) by a mean that counts places unequally; its formula assumes activations of 0 and above, which
    MobileNetV2's linear blocks do not keep to. ``hirescam`` (Draelos & Carin 2020, arXiv:2011.08891) weighs each place
    of each channel by its own gradient, ``layercam`` (Jiang et al. 2021, doi:10.1109/TIP.2021.3089943) by that where it
    is above 0, and ``elementwise`` (Gildenblat's pytorch-grad-cam) sums what products are above 0. ``scorecam`` (Wang
    et al. 2020, arXiv:1910.01279) needs no gradients: it shows the network the face through each channel and weighs the
    channel by the logit, at the price of one pass per channel.

    The mean gradient fits the last block, behind which only a mean follows. Before it, a channel may count at the mouth
    and not at the nose, and its mean gradient draws both. Which layer and method stand for an architecture
    (``fer_core.models.registry.Heat``) was chosen by measuring: ``docs/inspection.md``. Where a layer's cells lie in
    the picture is measured with drawn dots (``fer_core.explain.placing``).

    Args:
        classifier: whose view is explained; it is left as it was.
        crops: uint8 (n, s, s, 3) RGB, cut as the card's ``crop`` says.
        targets: one for all crops, or a list of one for each: an emotion, or a tuple of emotions, which are explained
            together. ``None`` takes the most probable emotion of each.
        method: one of ``METHODS``; the architecture's own where none is named.
        layer: one of ``layers(classifier)``, or several joined by ``+``; the architecture's own where none is named.
        batch_size: pictures per pass.

    Returns:
        float32 (n, s, s), aligned with the crops. A map reaches from 0 to 1 over the part of the crop that the network
        sees (the card's ``input.field``), and is zero around it. It says where, not how much: each is scaled to itself.
        A map that is zero everywhere (``not heatmap.any()``) means that nothing in the layer speaks for the target, or
        every place as much as every other.

    Raises:
        InputError: crops of another kind; an unknown label, method or layer; neither one target nor one for each crop;
            a ``batch_size`` below 1; a network without convolutional maps.
    """
    check_crops(crops)
    classes, method = _classes(classifier, targets, crops), pick_method(classifier, method)
    layer = pick_layer(classifier, layer)
    seen = maps_of_input(classifier, copy_network(classifier), crops, classes, method, layer, batch_size)
    return onto_crop(seen, crops.shape[1], classifier.card.input.field)


def contrast(
    classifier: Classifier,
    crops: RGB,
    target: Target | list[Target],
    other: Target | list[Target],
    *,
    method: str | None = None,
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
    method, layer, twice = (
        pick_method(classifier, method),
        pick_layer(classifier, layer),
        np.concatenate([crops, crops]),
    )
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
    of the classifier's network. The maps of several layers, joined by ``+``, are scaled each to itself and averaged.

    Raises:
        InputError: an unknown method; a ``batch_size`` below 1.
    """
    if method not in METHODS:
        raise InputError(f"Unknown method {method!r}; known are {', '.join(METHODS)}.")
    if batch_size < 1:
        raise InputError(f"Expected a batch_size of 1 or more, got {batch_size}.")
    size, names = classifier.card.input.size, layer.split(TOGETHER)
    if not len(crops):
        return np.zeros((0, size, size), np.float32)
    blur = own_blur(classifier, method, layer) * size
    onto = [partial(placing(classifier, name).onto, size=size) for name in names]
    found = []
    for i in range(0, len(crops), batch_size):
        x, some = classifier.network_input(crops[i : i + batch_size]), classes[i : i + batch_size]
        cells = _cells(net, x, some, method, names, onto, batch_size)
        mean = torch.stack([_scaled(place(each.relu())) for place, each in zip(onto, cells, strict=True)]).mean(dim=0)
        found.append(_scaled(blurred(mean, blur)))
    return torch.cat(found).float().cpu().numpy()


def _cells(
    net: EmotionNetwork, x: Tensor, classes: Classes, method: str, names: list[str],
    onto: Sequence[Callable[[Tensor], Tensor]], batch_size: int,
) -> list[Tensor]:  # fmt: skip
    """One value for each cell of each layer, (n, h, w) each."""
    if method != SCORE_CAM:
        return [BY_GRADIENTS[method](*each) for each in with_gradients(net, x, classes, names)]
    with torch.no_grad():
        held = watched(net, x, names)[1]
        return [by_masks(net, x, classes, *each, batch_size) for each in zip(held, onto, strict=True)]


def _scaled(maps: Tensor) -> Tensor:
    """Maps (n, h, w), each from 0 to 1; one that is the same everywhere is 0."""
    above = maps - maps.amin(dim=(1, 2), keepdim=True)
    return above / above.amax(dim=(1, 2), keepdim=True).clamp(min=_TINY)


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
