"""Where checkpoint folders are, and which there are. Needs no torch, so that pages can list them.

Shipped ones are in ``FER_CHECKPOINTS``, else in ``checkpoints/`` beside the package. Those that were added in the
dashboard are in ``checkpoints/`` of its data folder (``FER_HOME``, else ``~/.fer-workbench``).
"""

from __future__ import annotations

import os
from pathlib import Path

from fer_core.errors import CheckpointError
from fer_core.places import data_home

DEFAULT_CHECKPOINT = "compact-resnet-seed1-ferplus"
WEIGHTS: tuple[str, ...] = ("model.safetensors", "model.onnx")
"""Files that hold weights; a folder without one is for looking at evaluations only."""


def checkpoints_folder() -> Path:
    """Where shipped checkpoints are."""
    return Path(os.environ.get("FER_CHECKPOINTS") or Path(__file__).parents[2] / "checkpoints")


def added_folder() -> Path:
    """Where checkpoints are that were added in the dashboard."""
    return data_home() / "checkpoints"


def checkpoint_folders(root: Path | None = None) -> dict[str, Path]:
    """Folders that have a card, by name, the default first: below ``root``, or shipped and added (a shipped one counts
    where both have a name)."""
    roots = [root] if root else [added_folder(), checkpoints_folder()]
    found = {path.parent.name: path.parent for each in roots for path in each.glob("*/card.json")}
    return {name: found[name] for name in sorted(found, key=lambda name: (name != DEFAULT_CHECKPOINT, name))}


def checkpoint_names(root: Path | None = None) -> list[str]:
    """Names of ``checkpoint_folders``."""
    return list(checkpoint_folders(root))


def weights_in(folder: Path) -> Path | None:
    """The weights in a checkpoint's folder; None where it came with its evaluations only."""
    return next((folder / name for name in WEIGHTS if (folder / name).is_file()), None)


def member_folder(folder: Path, name: str) -> Path:
    """Folder of a member of the ensemble in ``folder``: the one beside it, or the one of that name.

    Raises:
        CheckpointError: neither exists.
    """
    beside = folder.parent / name
    return beside if beside.is_dir() else find_checkpoint(name)


def runnable_names(root: Path | None = None) -> list[str]:
    """Names of ``checkpoint_folders`` that have weights, so that their network can be asked."""
    return [name for name, folder in checkpoint_folders(root).items() if weights_in(folder)]


def find_checkpoint(name: str | Path) -> Path:
    """Folder of a checkpoint, given its path or its name among the shipped and added ones.

    Raises:
        CheckpointError: neither exists; the message lists the names.
    """
    for path in (Path(name), checkpoints_folder() / str(name), added_folder() / str(name)):
        if path.is_dir():
            return path
    known = ", ".join(checkpoint_names()) or "none"
    raise CheckpointError(f"No checkpoint {str(name)!r}: neither a folder nor one of those that are there ({known}).")
