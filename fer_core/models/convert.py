"""Networks that were trained elsewhere, as checkpoint folders: weights renamed, their last layer put into our order.

A state of torch becomes one of our architectures or any network of timm; an ONNX file stays what it is. Labels are
given in the order in which the network was taught them, such as the alphabetical one of torchvision's ``ImageFolder``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

from fer_core.emotions import EMOTIONS, EMOTIONS8, NOT_OURS, emotion_of_name
from fer_core.errors import CheckpointError, DataError
from fer_core.faces.geometry import CropGeometry
from fer_core.models import catalogue as _catalogue  # noqa: F401  (fills the registry)
from fer_core.models import registry
from fer_core.models.card import ONNX, ONNX_WEIGHTS, Card, InputSpec, write_card
from fer_core.models.checkpoint import save_checkpoint
from fer_core.models.folders import file_sha256
from fer_core.models.foreign import GRAPH, State, in_own_process, read_state

IMAGENET_MEAN, IMAGENET_STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
NEVER = -1000.0
"""Bias of a class that the network was not taught."""
DEFAULT_PX = 224
_WRAPPERS = ("module", "model", "net", "network", "_orig_mod", "student")
_HEADS = ("fc", "classifier", "head", "last_linear", "output", "out")


@dataclass(frozen=True)
class ForeignNetwork:
    """What has to be known of a network that was trained elsewhere.

    Attributes:
        labels: what its outputs stand for, in their order, in any usual spelling; ``-`` for an output to be dropped.
        architecture: one of ours, or ``timm:NAME``; not needed for an ONNX file.
        mean, std: with which pixels in 0-1 were normalised; empty means ImageNet's for RGB, and none for grey.
        size: side of its pictures in px; 0 means that of an ONNX file, else 224.
        grey: whether it takes grey pictures; it is an error if the file says otherwise.
        options: of the architecture.
    """

    labels: Sequence[str]
    architecture: str = ""
    mean: Sequence[float] = ()
    std: Sequence[float] = ()
    size: int = 0
    grey: bool = False
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def order(self) -> tuple[tuple[str, ...], list[int]]:
        """Our labels, and for each the number of the network's output, -1 where it has none.

        Raises:
            CheckpointError: a label that is no emotion, twice the same, or fewer than two.
        """
        try:
            given = [each if each.strip() == NOT_OURS else emotion_of_name(each) for each in self.labels]
        except DataError as error:
            raise CheckpointError(f"{error} For an output that is none of these give {NOT_OURS}.") from error
        named = [each for each in given if each.strip() != NOT_OURS]
        if len(named) < 2 or len(set(named)) != len(named):
            raise CheckpointError(
                f"Expected the labels of two outputs or more, each once; got {', '.join(self.labels)}."
            )
        ours = EMOTIONS8 if set(named) - set(EMOTIONS) else EMOTIONS
        return ours, [given.index(each) if each in given else -1 for each in ours]

    def spec(self, channels: int, size: int) -> InputSpec:
        """The input on a card."""
        if self.grey and channels != 1:
            raise CheckpointError(f"The network takes {channels} channels, not grey pictures; leave --grey out.")
        mean, std = list(self.mean), list(self.std)
        if not mean and not std:
            mean, std = (IMAGENET_MEAN, IMAGENET_STD) if channels == 3 else ([0.0], [1.0])
        mean, std = (each * channels if len(each) == 1 else each for each in (mean, std))
        return InputSpec(self.size or size, channels, list(mean), list(std))


def convert(path: Path, folder: Path, origin: ForeignNetwork, *, name: str) -> Card:
    """Write a checkpoint folder from a file of weights; returns its card, without figures.

    Args:
        path: ``.pth``, ``.pt``, ``.ckpt``, ``.bin`` or ``.safetensors`` of a state, or ``.onnx``.
        folder: a folder that is there.
        origin: what the file does not say.
        name: of the checkpoint.

    Raises:
        CheckpointError: it cannot be converted; the message says why, and what would do.
    """
    make = _graph if path.suffix == ".onnx" else _state
    card = make(path, folder, origin, name)
    write_card(folder, card)
    return card


def _graph(path: Path, folder: Path, origin: ForeignNetwork, name: str) -> Card:
    ours, order = origin.order
    made = folder / ONNX_WEIGHTS
    told = in_own_process(GRAPH, path, made, {"order": order, "n_given": len(origin.labels)})
    if origin.size not in (0, told["size"]):
        raise CheckpointError(f"{path.name} takes pictures of {told['size']} px, not {origin.size}; leave --size out.")
    spec = origin.spec(told["channels"], told["size"])
    options = {"of": "", "architecture": "from elsewhere", "precision": "float32"}
    said = ["The softmax at its end was left out."] if told["softmax"] else []
    return _card(path, origin, name, ours, spec, ONNX, options, said)


def _state(path: Path, folder: Path, origin: ForeignNetwork, name: str) -> Card:
    if not origin.architecture:
        known = ", ".join(registry.architectures())
        raise CheckpointError(
            f"{path.name} says nothing about its network; give --architecture, one of {known}, or timm:NAME for any of "
            "timm's. A network that is none of these can be converted as an ONNX file."
        )
    ours, order = origin.order
    state = unwrapped(read_state(path))
    head = _last_layer(state, len(origin.labels), path.name)
    seen = {int(value.shape[1]) for value in state.values() if value.ndim == 4}  # depthwise ones have 1 too
    channels = 3 if 3 in seen or 1 not in seen else 1
    net = registry.build(origin.architecture, n_labels=len(ours), channels=channels, **origin.options)
    _fill(net, state, head, order, origin.architecture, path.name)
    size = DEFAULT_PX
    spec = origin.spec(channels, size)
    card = _card(path, origin, name, ours, spec, origin.architecture, dict(origin.options), [])
    save_checkpoint(folder, net, card, half=False)
    return card


def unwrapped(state: State) -> State:
    """The state without what wraps a network in training puts before its names: ``module.``, ``model.`` …"""
    while state and len(first := {name.partition(".")[0] for name in state}) == 1 and first <= set(_WRAPPERS):
        state = {name.partition(".")[2]: value for name, value in state.items()}
    return state


def _last_layer(state: State, n: int, file: str) -> str:
    """Name of the full layer that gives the scores, without its ending."""
    full = [
        name.removesuffix(".weight") for name, value in state.items() if name.endswith(".weight") and value.ndim == 2
    ]
    fitting = [name for name in full if state[f"{name}.weight"].shape[0] == n]
    usual = [name for name in fitting if name.partition(".")[0] in _HEADS or name.rpartition(".")[2] in _HEADS]
    if found := usual or fitting:
        return found[-1]
    told = ", ".join(f"{name} {tuple(state[f'{name}.weight'].shape)}" for name in full[-3:]) or "none"
    raise CheckpointError(
        f"{file} has no full layer of {n} outputs, one for each label; its full layers are {told}. Give a label "
        f"for every output, {NOT_OURS} for one that is none of ours."
    )


def _fill(
    net: registry.EmotionNetwork, state: State, head: str, order: Sequence[int], architecture: str, file: str
) -> None:
    """Put a foreign state into a network of ours, the rows of its last layer in our order."""
    last = net.head
    bias = state.get(f"{head}.bias")
    if not isinstance(last, torch.nn.Linear) or last.weight.shape[1] != state[f"{head}.weight"].shape[1]:
        wanted = tuple(last.weight.shape) if isinstance(last, torch.nn.Linear) else "none"
        raise CheckpointError(
            f"The last layer of {file} is {tuple(state[f'{head}.weight'].shape)}, and that of {architecture} {wanted}. "
            "Give the architecture, and its --option, that it was trained with, or convert an ONNX file of it."
        )
    weight = state[f"{head}.weight"].float()
    zero = torch.zeros(weight.shape[0]) if bias is None else bias.float()
    with torch.no_grad():
        for row, given in enumerate(order):
            last.weight[row] = weight[given] if given >= 0 else 0.0
            last.bias[row] = zero[given] if given >= 0 else NEVER
    own = {name: value for name, value in net.state_dict().items() if not name.startswith("head.")}
    rest = {name: value for name, value in state.items() if name not in (f"{head}.weight", f"{head}.bias")}
    found = _by_name(own, rest) or (None if file.endswith(".safetensors") else _by_place(own, rest))
    if found is None:
        raise CheckpointError(_misfit(own, rest, architecture, file))
    net.load_state_dict({**net.state_dict(), **{name: value.float() for name, value in found.items()}})


def _bare(name: str) -> str:
    return name.removeprefix("backbone.")


def _counts(name: str) -> bool:
    """Whether a value only counts batches, which some files leave out."""
    return name.endswith("num_batches_tracked")


def _by_name(own: State, rest: State) -> State | None:
    """Values under our names where names and shapes are those of the file."""
    theirs = {_bare(name): value for name, value in rest.items() if not _counts(name)}
    mine = {_bare(name): name for name in own if not _counts(name)}
    same = set(theirs) == set(mine) and all(theirs[key].shape == own[name].shape for key, name in mine.items())
    return {name: theirs[key] for key, name in mine.items()} if same else None


def _by_place(own: State, rest: State) -> State | None:
    """Values under our names where both have the same shapes and kinds, one after the other: the same layers, called
    otherwise. Files of safetensors keep no order."""
    mine, theirs = ([each for each in names if not _counts(each)] for names in (own, rest))
    if len(mine) != len(theirs):
        return None
    for one, other in zip(mine, theirs, strict=True):
        if own[one].shape != rest[other].shape or one.rpartition(".")[2] != other.rpartition(".")[2]:
            return None
    return {one: rest[other] for one, other in zip(mine, theirs, strict=True)}


def _misfit(own: State, rest: State, architecture: str, file: str) -> str:
    mine, theirs = ({_bare(each) for each in names if not _counts(each)} for names in (own, rest))
    lacks, more = sorted(mine - theirs), sorted(theirs - mine)
    told = f"it lacks {lacks[0]}" if lacks else "it has other shapes"
    told += f", and has {more[0]} ({len(more)} such)" if more else ""
    return (
        f"{file} does not fit {architecture}: {told}. Give the architecture that it was trained with "
        "(timm:NAME for any of timm's), or export the network as ONNX and convert that."
    )


def _card(
    path: Path, origin: ForeignNetwork, name: str, labels: Sequence[str], spec: InputSpec, architecture: str,
    options: dict[str, Any], notes: list[str],
) -> Card:  # fmt: skip
    spec.check()
    missing = [each for each, i in zip(labels, origin.order[1], strict=True) if i < 0]
    never = [f"It was not taught {', '.join(missing)}, and never says it."] if missing else []
    given = ", ".join(origin.labels)
    return Card(
        name=name,
        architecture=architecture,
        labels=list(labels),
        input=spec,
        crop=CropGeometry(spec.size),
        temperature=1.0,
        options=options,
        data={"converted": {"file": path.name, "sha256": file_sha256(path), "labels": list(origin.labels)}},
        date=datetime.now(UTC).date().isoformat(),
        notes=[f"Trained elsewhere and converted from {path.name}, whose outputs are {given}.", *notes, *never],
    )
