"""Weights of RetinaFace: our safetensors file in, a network out; and how published weights are called."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from fer_core.errors import CheckpointError
from fer_core.faces.retinaface.boxes import STRIDES
from fer_core.faces.retinaface.network import BACKBONES, RetinaFace

FORMAT = "fer-workbench-retinaface/1"
NAMES = tuple(f"retinaface-{backbone}" for backbone in BACKBONES)
"""What the detectors are called."""
_COUNTER = "num_batches_tracked"
"""Counts of batch normalisation, which no answer depends on; old files lack them."""
_CONTEXT = {"near": "conv3X3", "shared": "conv5X5_1", "middle": "conv5X5_2", "wider": "conv7X7_2", "far": "conv7x7_3"}
_HEADS = {"classes": "ClassHead", "boxes": "BboxHead", "landmarks": "LandmarkHead"}


def backbone_of(name: str) -> str:
    """``retinaface-resnet50`` → ``resnet50``."""
    return name.removeprefix("retinaface-")


def load_retinaface(name: str, path: Path) -> RetinaFace:
    """The network of detector ``name`` with the weights at ``path``, on the CPU.

    Raises:
        CheckpointError: not a whole safetensors file, of another format or backbone, or weights that do not fit.
    """
    backbone, again = backbone_of(name), f"convert the published weights again for {name}"
    try:
        with safe_open(path, framework="pt") as file:
            told = file.metadata() or {}
            state = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118  (not a mapping)
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"{path} is not a whole safetensors file ({error}); {again}.") from error
    if (told.get("format"), told.get("backbone")) != (FORMAT, backbone):
        got = f"format {told.get('format')!r}, backbone {told.get('backbone')!r}"
        raise CheckpointError(f"{path}: expected format {FORMAT!r}, backbone {backbone!r}, got {got}; {again}.")
    check_state(state, shapes(backbone), str(path))
    net = RetinaFace(backbone)
    net.load_state_dict(state, strict=False)  # all are there; only counters may lack
    return net


def shapes(backbone: str) -> dict[str, torch.Size]:
    """Shape of every weight of the network, by our name."""
    with torch.device("meta"):
        state = RetinaFace(backbone).state_dict()
    return {name: value.shape for name, value in state.items() if not name.endswith(_COUNTER)}


def published_names(backbone: str) -> dict[str, str]:
    """What the public PyTorch weights call each of ``shapes``: our name → theirs."""
    parts = {"body.": "body."}
    for k in range(len(STRIDES)):
        parts[f"pyramid.lateral.{k}."] = f"fpn.output{k + 1}."
        parts[f"pyramid.merge.{k}."] = f"fpn.merge{k + 1}."
        parts |= {f"context.{k}.{ours}.": f"ssh{k + 1}.{theirs}." for ours, theirs in _CONTEXT.items()}
        parts |= {f"{ours}.{k}.": f"{theirs}.{k}.conv1x1." for ours, theirs in _HEADS.items()}
    named = {}
    for name in shapes(backbone):
        ours = next(part for part in parts if name.startswith(part))
        named[name] = parts[ours] + name.removeprefix(ours)
    return named


def check_state(state: Mapping[str, object], expected: Mapping[str, torch.Size], where: str) -> list[str]:
    """Names in ``state`` that are not expected, counters apart.

    Raises:
        CheckpointError: a weight is missing, of another shape or not finite; the message names the first and counts.
    """
    missing = [name for name in expected if name not in state]
    if missing:
        raise CheckpointError(
            f"{where} lacks {len(missing)} of {len(expected)} weights, first {missing[0]}; expected the weights of a "
            f"whole RetinaFace with this backbone."
        )
    for name, shape in expected.items():
        value = state[name]
        if not isinstance(value, Tensor) or value.shape != shape:
            got = tuple(value.shape) if isinstance(value, Tensor) else type(value).__name__
            raise CheckpointError(
                f"{where}: {name} should have shape {tuple(shape)}, got {got}; is it another backbone?"
            )
        if not torch.isfinite(value.float()).all():
            raise CheckpointError(f"{where}: {name} holds values that are not finite; get the file again.")
    return sorted(name for name in state if name not in expected and not name.endswith(_COUNTER))
