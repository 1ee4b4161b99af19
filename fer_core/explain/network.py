"""The convolutional maps inside a network: which layers have one, and what they hold for a face.

Everything runs on a copy of the network, so that the classifier, which other work may share, never carries a hook or a
gradient.
"""

from __future__ import annotations

from copy import deepcopy
from weakref import WeakKeyDictionary

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from fer_core.errors import InputError
from fer_core.explain.methods import TOGETHER
from fer_core.models.card import ENSEMBLE
from fer_core.models.classifier import Classifier
from fer_core.models.registry import EmotionNetwork, Heat, heat_of

ArrayF = NDArray[np.float32]
RGB = NDArray[np.uint8]

_OF_TOKENS = (nn.Linear, nn.MultiheadAttention, nn.TransformerEncoderLayer)
_sides: WeakKeyDictionary[Classifier, dict[str, int]] = WeakKeyDictionary()


def layers(classifier: Classifier) -> list[str]:
    """Names of the layers that ``heatmaps`` can explain, last first: the network's convolutional blocks whose output
    is a map of at least 2 by 2 cells. Empty for a network without convolutional maps, such as a vision transformer:
    its only convolution cuts the picture into patches, and what follows mixes them; and for one that ONNX Runtime
    runs."""
    return list(map_sides(classifier))


def pick_layer(classifier: Classifier, layer: str | None = None) -> str:
    """The layers asked for, or the architecture's own (``Heat``): the last whose map has so many cells along its side,
    of an ensemble that of each member. Several are joined by ``+``.

    Raises:
        InputError: the network has no such layer, or none at all.
    """
    _check_open(classifier)
    sides = map_sides(classifier)
    if not sides:
        raise InputError(
            f"{classifier.name} has no convolutional maps, so no heatmap can be made of it. Attention rollout, which "
            "vision transformers have instead, does not depend on the class: it cannot say why one emotion and not "
            "another. Choose a checkpoint with a convolutional network, such as mobilenetv2."
        )
    if layer is None:
        own = [_own_layer(heat, {name: side for name, side in sides.items() if name.startswith(prefix)})
               for prefix, heat in _heats(classifier).items()]  # fmt: skip
        return TOGETHER.join(filter(None, own)) or next(iter(sides))
    for each in layer.split(TOGETHER):
        if each not in sides:
            raise InputError(f"{classifier.name} has no layer {each!r} to explain; expected one of {', '.join(sides)}.")
    return layer


def pick_method(classifier: Classifier, method: str | None = None) -> str:
    """The method asked for, or the architecture's own."""
    return method or next(iter(_heats(classifier).values())).method


def own_blur(classifier: Classifier, method: str, layer: str) -> float:
    """How far the architecture's own maps are blurred, as a share of the picture's side; 0 for other maps."""
    is_own = (method, layer) == (pick_method(classifier), pick_layer(classifier))
    return next(iter(_heats(classifier).values())).blur if is_own else 0.0


def _heats(classifier: Classifier) -> dict[str, Heat]:
    """How heatmaps of the network are made, by what the names of its layers start with: of each member of an ensemble,
    or of all."""
    card = classifier.card
    if card.architecture != ENSEMBLE:
        return {"": heat_of(card.architecture)}
    return {f"backbone.{i}.": heat_of(each["architecture"]) for i, each in enumerate(card.options["members"])}


def _own_layer(heat: Heat, sides: dict[str, int]) -> str:
    """The layer that is named, or the last ones with enough cells, the first where none has; empty without layers."""
    if named := next((name for name in sides if heat.layer and name.endswith(heat.layer)), ""):
        return named
    finest = next(reversed(sides), "")
    last = [next((name for name, side in sides.items() if side >= cells), finest) for cells in heat.cells]
    return TOGETHER.join(dict.fromkeys(filter(None, last)))


def cells_along(classifier: Classifier, layer: str) -> int:
    """Cells along the shorter side of the finest of some layers, joined by ``+``."""
    return max(map_sides(classifier)[each] for each in layer.split(TOGETHER))


@torch.inference_mode(mode=False)
@torch.no_grad()
def feature_maps(classifier: Classifier, crop: RGB, layer: str | None = None) -> ArrayF:
    """What a layer holds for a face.

    Args:
        classifier: whose layer is shown; it is left as it was.
        crop: uint8 (s, s, 3) RGB, cut as the card's ``crop`` says.
        layer: one of ``layers(classifier)``; the default one of ``heatmaps`` otherwise.

    Returns:
        float32 (c, h, w), the activations of its c channels, of any sign.

    Raises:
        InputError: a crop of another kind, an unknown layer, or a network without convolutional maps.
    """
    check_crops(crop[None])
    name, net, kept = pick_layer(classifier, layer).split(TOGETHER)[0], copy_network(classifier), []
    net.get_submodule(name).register_forward_hook(lambda _block, _inputs, output: kept.append(output))
    net(classifier.network_input(crop[None]))
    found: ArrayF = kept[0][0].float().cpu().numpy()
    return found


def _check_open(classifier: Classifier) -> None:
    """Raise ``InputError`` for a network that nobody can look into."""
    if classifier.net.closed:
        raise InputError(f"{classifier.name} cannot be explained: {classifier.net.closed}")


def check_crops(crops: RGB) -> None:
    """Raise ``InputError`` unless crops are uint8 (n, s, s, 3)."""
    if crops.dtype != np.uint8 or crops.ndim != 4 or crops.shape[1] != crops.shape[2] or crops.shape[3] != 3:
        raise InputError(f"Expected crops uint8 (n, s, s, 3), got {crops.dtype} {crops.shape}.")


@torch.inference_mode(mode=False)
def copy_network(classifier: Classifier, *, own_weights: bool = False) -> EmotionNetwork:
    """The network once more, without gradients of its weights: these are the classifier's own and must not be written
    to, unless ``own_weights`` are wanted, which takes six times as long."""
    _check_open(classifier)
    net = classifier.net
    memo: dict[int, object] = {}
    if not own_weights:
        memo |= {id(each): nn.Parameter(_usable(each), requires_grad=False) for each in net.parameters()}
        memo |= {id(each): _usable(each) for each in net.buffers()}
    return deepcopy(net, memo).eval().requires_grad_(False)


def _usable(tensor: Tensor) -> Tensor:
    """The same values where gradients may pass: tensors made in inference mode have to be copied."""
    return tensor.clone() if tensor.is_inference() else tensor.detach()


def _blocks(net: nn.Module) -> dict[str, nn.Module]:
    """Members of the outermost ``nn.Sequential``s that hold a convolution, and convolutions outside of them."""
    found: dict[str, nn.Module] = {}
    members: set[str] = set()
    for name, module in net.named_modules():
        if any(name.startswith(f"{block}.") for block in found):
            continue
        if isinstance(module, nn.Conv2d) or (
            name in members and any(isinstance(each, nn.Conv2d) for each in module.modules())
        ):
            found[name] = module
        elif isinstance(module, nn.Sequential):
            members |= {f"{name}.{key}" for key, _ in module.named_children()}
    return found


def map_sides(classifier: Classifier) -> dict[str, int]:
    """Cells along the shorter side of each block's map, last block first; blocks without a map are left out."""
    if classifier.net.closed:
        return {}
    if classifier not in _sides:
        _sides[classifier] = _measure_sides(classifier)
    return _sides[classifier]


@torch.inference_mode(mode=False)
@torch.no_grad()
def _measure_sides(classifier: Classifier) -> dict[str, int]:
    """One pass over a blank picture. Where layers work on tokens, that is on several vectors per picture, after the
    last block with a map, the maps do not lead to the scores place by place: then there are none."""
    net, spec, sides = copy_network(classifier), classifier.card.input, dict[str, int]()
    ends_in_tokens = False

    def note(name: str, output: object) -> None:
        nonlocal ends_in_tokens
        if isinstance(output, Tensor) and output.ndim == 4:
            ends_in_tokens = False
            if min(output.shape[2:]) >= 2:
                sides[name] = min(output.shape[2:])

    def look(inputs: tuple[object, ...]) -> None:
        nonlocal ends_in_tokens
        ends_in_tokens |= isinstance(inputs[0], Tensor) and inputs[0].ndim > 2

    for module in net.modules():
        if isinstance(module, _OF_TOKENS):
            module.register_forward_pre_hook(lambda _module, inputs: look(inputs))
    for name, block in _blocks(net).items():
        block.register_forward_hook(lambda _block, _inputs, output, name=name: note(name, output))
    net(next(net.parameters()).new_zeros(1, spec.channels, spec.size, spec.size))
    return {} if ends_in_tokens else dict(reversed(sides.items()))
