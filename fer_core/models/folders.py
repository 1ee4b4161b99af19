"""Where checkpoint folders are, and which there are. Needs no torch, so that pages can list them."""

from __future__ import annotations

import os
from pathlib import Path

from fer_core.errors import CheckpointError

DEFAULT_CHECKPOINT = "mobilenetv2-ferplus"


def checkpoints_folder() -> Path:
    """Where shipped checkpoints are: ``FER_CHECKPOINTS``, else ``checkpoints/`` beside the package."""
    return Path(os.environ.get("FER_CHECKPOINTS") or Path(__file__).parents[2] / "checkpoints")


def checkpoint_names(root: Path | None = None) -> list[str]:
    """Names of the folders under ``root`` that have a card, the default first."""
    names = sorted(path.parent.name for path in (root or checkpoints_folder()).glob("*/card.json"))
    return sorted(names, key=lambda name: name != DEFAULT_CHECKPOINT)


def find_checkpoint(name: str | Path) -> Path:
    """Folder of a checkpoint, given its path or its name among the shipped ones.

    Raises:
        CheckpointError: neither exists; the message lists the names.
    """
    for path in (Path(name), checkpoints_folder() / str(name)):
        if path.is_dir():
            return path
    known = ", ".join(checkpoint_names()) or "none"
    raise CheckpointError(f"No checkpoint {str(name)!r}: neither a folder nor one of the shipped ones ({known}).")
