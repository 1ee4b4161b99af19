"""Checkpoint folders: ``model.safetensors`` (or ``model.onnx``) and ``card.json`` in, a network out.

The file of an ensemble names its members by the hashes of their weights, which stay in the members' own folders.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import nn

from fer_core.errors import CheckpointError
from fer_core.models import catalogue as _catalogue  # noqa: F401  (fills the registry)
from fer_core.models import registry
from fer_core.models.card import ONNX, Card, read_card
from fer_core.models.folders import member_folder
from fer_core.models.onnx_net import CPU, open_onnx

MAX_MODEL_BYTES = 2_000_000_000
WEIGHTS = "model.safetensors"
MEMBER = "backbone.{}.net."
"""Where the weights of an ensemble's i-th member are among its own, and what names that member in the file."""


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
    for prefix, member in _members(folder / WEIGHTS).items():
        state |= {prefix + key: value for key, value in _member_weights(folder, member).items()}
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


def _members(path: Path) -> dict[str, str]:
    """Hash and name of the weights that belong to an ensemble, by where they are among its own; none for others."""
    with safe_open(path, framework="pt") as file:
        told = file.metadata() or {}
    return {key: told[key] for key in sorted(told) if key.startswith("backbone.")}


def _member_weights(folder: Path, member: str) -> dict[str, torch.Tensor]:
    """Weights of an ensemble's member, from the folder beside it or the one of that name among all checkpoints.

    Raises:
        CheckpointError: it is not there, or its weights are others than those the ensemble was made of.
    """
    sha256, _, name = member.partition(" ")
    if not name or Path(name).name != name:
        raise CheckpointError(f"{folder.name} names a member {name!r}, which is not the name of a checkpoint.")
    try:
        theirs = member_folder(folder, name)
        state = _read_weights(theirs / WEIGHTS, read_card(theirs / "card.json"))
    except CheckpointError as error:
        raise CheckpointError(f"{folder.name} needs the weights of its member {name}: {error}") from error
    if _sha256(theirs / WEIGHTS) != sha256:
        raise CheckpointError(
            f"{folder.name} was made of other weights of {name} than those that are there; make the ensemble again."
        )
    return state


def save_checkpoint(folder: Path, net: nn.Module, card: Card, *, members: Sequence[Path] = ()) -> None:
    """Write weights in half precision, and the card.

    ``members`` are the checkpoint folders of an ensemble's members, in order; their weights are not written again.
    """
    folder.mkdir(parents=True, exist_ok=True)
    apart = {MEMBER.format(i): f"{_sha256(path / WEIGHTS)} {path.name}" for i, path in enumerate(members)}
    state = {
        name: (value.half() if value.is_floating_point() else value).contiguous().cpu()
        for name, value in net.state_dict().items()
        if not name.startswith(tuple(apart))
    }
    save_file(state, folder / WEIGHTS, apart)
    (folder / "card.json").write_text(card.to_json(), encoding="utf-8")


def weights_sha256(folder: Path, card: Card) -> str:
    """SHA-256 of the file of weights, to name them in results."""
    return _sha256(folder / card.weights_file)


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
