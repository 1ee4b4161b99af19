"""Checkpoint folders: ``model.safetensors`` (or ``model.onnx``) and ``card.json`` in, a network out.

The card of an ensemble names its members by the hashes of their weights, which stay in the members' own folders.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn

from fer_core.errors import CheckpointError
from fer_core.files import replacing
from fer_core.models import catalogue as _catalogue  # noqa: F401  (fills the registry)
from fer_core.models import registry
from fer_core.models.card import INT8_GRAPH, ONNX, WEIGHTS, Card, read_card, write_card
from fer_core.models.folders import file_sha256, member_weights
from fer_core.models.onnx_net import CPU, open_onnx

MAX_MODEL_BYTES = 2_000_000_000
MEMBER = "backbone.{}.net."
"""Where the weights of an ensemble's i-th member are among its own."""


def load_network(folder: Path, device: torch.device = CPU) -> tuple[registry.EmotionNetwork, Card]:
    """Build the network of a checkpoint folder, in float32 and evaluation mode, on a device.

    Raises:
        CheckpointError: a file is missing, is not what it should be, or does not fit the card; the message names it.
    """
    card = read_card(folder / "card.json")
    if card.architecture == ONNX:
        return open_onnx(folder, card, device).eval(), card
    state = _read_weights(folder / WEIGHTS, card)
    net = registry.build(
        card.architecture, n_labels=len(card.labels), channels=card.input.channels, **dict(card.options)
    )
    for i, name, sha256 in card.members:
        path = member_weights(folder, name, sha256)
        if path is None:
            raise CheckpointError(
                f"{folder.name} needs the weights of its member {name} as they were when it was made. They are not "
                f"there, or others are: copy them beside it{', or ' * bool(card.training_command)}"
                f"{card.training_command and f'make the ensemble again with: {card.training_command}'}."
            )
        state |= {MEMBER.format(i) + key: value for key, value in _read_weights(path, card).items()}
    where = f"{folder.name}/{WEIGHTS}"
    try:
        net.load_state_dict(
            {name: value.float() if value.is_floating_point() else value for name, value in state.items()}
        )
    except RuntimeError as error:
        first = str(error).splitlines()[1].strip() if "\n" in str(error) else str(error)
        raise CheckpointError(f"{where} does not fit architecture {card.architecture!r}: {first}") from error
    bad = [name for name, value in net.state_dict().items() if not torch.isfinite(value.float()).all()]
    if bad:
        raise CheckpointError(f"{where} holds values that are not finite ({bad[0]}); train or copy it again.")
    return net.eval().to(device), card


def _read_weights(path: Path, card: Card) -> dict[str, torch.Tensor]:
    where = f"{path.parent.name}/{path.name}"
    if not path.is_file():
        others = [p.name for p in path.parent.glob("*") if p.suffix in (".pt", ".pth", ".ckpt", ".pkl", ".bin")]
        command = card.training_command
        hint = f" The folder has evaluations only; make the weights again with: {command}" if command else ""
        hint = f" {others[0]} is a pickle, which is never opened; convert it to safetensors." if others else hint
        raise CheckpointError(f"{where} is missing.{hint}")
    if path.stat().st_size > MAX_MODEL_BYTES:
        raise CheckpointError(f"{where} is larger than {MAX_MODEL_BYTES // 10**9} GB and was not opened.")
    try:
        return load_file(path)
    except (SafetensorError, OSError, ValueError, KeyError) as error:
        raise CheckpointError(f"{where} is not a whole safetensors file ({error}); copy it again.") from error


def save_checkpoint(folder: Path, net: nn.Module, card: Card, *, half: bool = True) -> None:
    """Write weights in half precision, or as they are, and the card. Those of members that the card names by their hash
    stay where they are."""
    folder.mkdir(parents=True, exist_ok=True)
    elsewhere = tuple(MEMBER.format(i) for i, _, _ in card.members)
    state = {
        name: (value.half() if half and value.is_floating_point() else value).contiguous().cpu()
        for name, value in net.state_dict().items()
        if not name.startswith(elsewhere)
    }
    with replacing(folder / WEIGHTS) as new:
        save_file(state, new, {"options": _digest(card)} if elsewhere else None)
    write_card(folder, card)


def _digest(card: Card) -> str:
    """Names members, their weights and how they are joined, so that the file of weights differs where these do."""
    return hashlib.sha256(json.dumps(dict(card.options), sort_keys=True).encode()).hexdigest()


def weights_sha256(folder: Path, card: Card) -> str:
    """SHA-256 of the file of weights, to name them in results."""
    return file_sha256(folder / card.weights_file)


def int8_graph(folder: Path, card: Card) -> Path | None:
    """The network's graph in whole numbers of 8 bits as it was when the card was written; None where there is none."""
    path = folder / INT8_GRAPH
    return path if card.int8 and path.is_file() and file_sha256(path) == card.int8["sha256"] else None
