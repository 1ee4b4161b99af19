"""Heatmaps: which places of a face speak for an emotion, as far as a network's convolutions can tell.

The maps come from the package ``grad-cam``. They are made on a copy of the network, so that the classifier, which
other work may share, never carries a hook or a gradient.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from types import SimpleNamespace

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from fer_core.errors import InputError
from fer_core.models.card import InputSpec
from fer_core.models.classifier import Classifier
from fer_core.models.preprocess import resample
from fer_core.models.registry import EmotionNetwork

ArrayF = NDArray[np.float32]
RGB = NDArray[np.uint8]

METHODS: Mapping[str, str] = {"gradcam": "GradCAM", "gradcam++": "GradCAMPlusPlus", "scorecam": "ScoreCAM"}
"""Methods by name, with their classes in the package."""
MIN_CELLS = 5
"""Cells along the side of the default layer's map, at least."""
HEAT_OPACITY = 0.8


def layers(classifier: Classifier) -> list[str]:
    """Names of the layers that ``heatmaps`` can explain, last first: the network's convolutional blocks whose output
    is a map of at least 2 by 2 cells."""
    return list(_map_sides(_copy(classifier), classifier.card.input))


@torch.inference_mode(mode=False)
@torch.enable_grad()
def heatmaps(
    classifier: Classifier,
    crops: RGB,
    targets: Sequence[str] | None = None,
    *,
    method: str = "gradcam",
    layer: str | None = None,
    batch_size: int = 32,
) -> ArrayF:
    """How much each place of a face speaks for an emotion.

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
        targets: one label for each crop, or one for all; ``None`` takes the most probable of each.
        method: one of ``METHODS``.
        layer: one of ``layers(classifier)``.
        batch_size: pictures per pass.

    Returns:
        float32 (n, s, s), aligned with the crops. Where it is not zero everywhere, a map reaches from 0 to 1 over the
        part of the crop that the network sees (the card's ``input.field``), and is zero around it.

    Raises:
        InputError: crops of another kind; an unknown label, method or layer; neither one target nor one for each crop.
    """
    if crops.dtype != np.uint8 or crops.ndim != 4 or crops.shape[1] != crops.shape[2] or crops.shape[3] != 3:
        raise InputError(f"Expected crops uint8 (n, s, s, 3), got {crops.dtype} {crops.shape}.")
    if method not in METHODS:
        raise InputError(f"Unknown method {method!r}; known are {', '.join(METHODS)}.")
    classes, net = _classes(classifier, targets, crops), _copy(classifier)
    block = net.get_submodule(_pick_layer(classifier, net, layer))
    if not len(crops):
        return np.zeros(crops.shape[:3], np.float32)
    cam = _make_cam(method, net, block, batch_size)
    step = 1 if method == "scorecam" else batch_size  # it makes a batch of each picture's channels
    seen = [
        cam(classifier.network_input(crops[i : i + step]), classes[i : i + step]) for i in range(0, len(crops), step)
    ]
    return _onto_crop(np.concatenate(seen), crops.shape[1], classifier.card.input.field)


def overlay(crop: RGB, heatmap: ArrayF, *, size: int) -> RGB:
    """A heatmap on its face, for display: the face in grey, the heat in the colours of ``inferno``, the more opaque the
    hotter.

    Args:
        crop: uint8 (s, s, 3) RGB.
        heatmap: (s, s) in 0-1.
        size: side of the result in pixels.

    Returns:
        RGB uint8 (size, size, 3).
    """
    face = cv2.resize(cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY), (size, size), interpolation=cv2.INTER_CUBIC)
    heat = cv2.resize(heatmap.astype(np.float32), (size, size), interpolation=cv2.INTER_LINEAR).clip(0, 1)
    colours = cv2.applyColorMap((heat * 255).round().astype(np.uint8), cv2.COLORMAP_INFERNO)[..., ::-1]
    opacity = HEAT_OPACITY * heat[..., None]
    return (face[..., None] * (1 - opacity) + colours * opacity).round().astype(np.uint8)


def _classes(classifier: Classifier, targets: Sequence[str] | None, crops: RGB) -> list[int]:
    """The explained class of each crop."""
    if targets is None:
        return [int(top) for top in classifier.predict(crops).logits.argmax(axis=1)]
    names = [targets] if isinstance(targets, str) else list(targets)
    for name in names:
        if name not in classifier.labels:
            raise InputError(f"{classifier.name} knows no {name!r}; expected one of {', '.join(classifier.labels)}.")
    if len(names) not in (1, len(crops)):
        raise InputError(f"Expected one target for all or one for each of {len(crops)} crops, got {len(names)}.")
    return [classifier.labels.index(name) for name in (names if len(names) == len(crops) else names * len(crops))]


def _pick_layer(classifier: Classifier, net: EmotionNetwork, layer: str | None) -> str:
    sides = _map_sides(net, classifier.card.input)
    if not sides:
        raise InputError(f"{classifier.name} has no convolutional layer that can be explained.")
    if layer is None:
        return next((name for name, side in sides.items() if side >= MIN_CELLS), next(iter(sides)))
    if layer not in sides:
        raise InputError(f"{classifier.name} has no layer {layer!r} to explain; expected one of {', '.join(sides)}.")
    return layer


@torch.inference_mode(mode=False)
def _copy(classifier: Classifier) -> EmotionNetwork:
    """The network once more, without gradients of its weights."""
    return deepcopy(classifier.net).eval().requires_grad_(False)


def _blocks(net: nn.Module) -> dict[str, nn.Module]:
    """Members of the outermost ``nn.Sequential``s that hold a convolution, in order."""
    found: dict[str, nn.Module] = {}
    for name, module in net.named_modules():
        if isinstance(module, nn.Sequential) and not any(f"{name}.".startswith(f"{block}.") for block in found):
            members = {f"{name}.{key}": member for key, member in module.named_children()}
            found |= {
                key: each for key, each in members.items() if any(isinstance(m, nn.Conv2d) for m in each.modules())
            }
    return found


def _map_sides(net: EmotionNetwork, spec: InputSpec) -> dict[str, int]:
    """Cells along the shorter side of each block's map, last block first; blocks without a map are left out."""
    sides: dict[str, int] = {}

    def note(name: str, output: object) -> None:
        if isinstance(output, Tensor) and output.ndim == 4 and min(output.shape[2:]) >= 2:
            sides[name] = min(output.shape[2:])

    hooks = [
        block.register_forward_hook(lambda _block, _inputs, output, name=name: note(name, output))
        for name, block in _blocks(net).items()
    ]
    with torch.no_grad():
        net(next(net.parameters()).new_zeros(1, spec.channels, spec.size, spec.size))
    for hook in hooks:
        hook.remove()
    return dict(reversed(sides.items()))


def _make_cam(
    method: str, net: EmotionNetwork, block: nn.Module, batch_size: int
) -> Callable[[Tensor, list[int]], ArrayF]:
    """From network inputs (n, channels, size, size) and their classes to maps (n, size, size) in 0-1."""
    import pytorch_grad_cam  # takes seconds: it imports matplotlib and scikit-learn
    from pytorch_grad_cam import score_cam
    from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

    score_cam.tqdm = SimpleNamespace(tqdm=iter)  # a library draws no progress bars
    cam = getattr(pytorch_grad_cam, METHODS[method])(net, [block], reshape_transform=Tensor.contiguous)
    cam.batch_size = batch_size
    return lambda x, classes: cam(x.requires_grad_(), [ClassifierOutputTarget(each) for each in classes])


def _onto_crop(maps: ArrayF, side: int, field: float) -> ArrayF:
    """Maps (n, k, k) of the central ``field`` share of a crop, put back into the crop (n, side, side)."""
    x = torch.from_numpy(maps).unsqueeze(1)
    back = x.new_tensor([[1 / field, 0, 0], [0, 1 / field, 0]]).expand(len(x), 2, 3)
    seen = ((torch.arange(side) + 0.5) * 2 / side - 1).abs() <= field
    placed = resample(x, side, back).squeeze(1) * (seen[:, None] & seen)
    return placed.clamp(0, 1).numpy()
