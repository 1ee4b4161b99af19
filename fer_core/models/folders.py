"""Where checkpoint folders are, and which there are. Needs no torch, so that pages can list them.

Shipped ones are in ``FER_CHECKPOINTS``, else in ``checkpoints/`` beside the package. Those that a user trained,
converted or added are in ``checkpoints/`` of the data folder (``FER_HOME``, else ``~/.fer-workbench``).
"""

from __future__ import annotations

import hashlib
import os
from functools import lru_cache
from pathlib import Path

from fer_core.errors import CheckpointError
from fer_core.files import TEMPORARY
from fer_core.models.card import ONNX_WEIGHTS, WEIGHTS, Card, read_card
from fer_core.places import data_home

CARD = "card.json"
DEFAULT_CHECKPOINT = "compact-resnet-votes1-ferplus"


def checkpoints_folder() -> Path:
    """Where shipped checkpoints are."""
    return Path(os.environ.get("FER_CHECKPOINTS") or Path(__file__).parents[2] / "checkpoints")


def added_folder() -> Path:
    """Where checkpoints are that were trained, converted or added by the user."""
    return data_home() / "checkpoints"


def checkpoint_folders(root: Path | None = None) -> dict[str, Path]:
    """Folders that have a card, by name, the default first: below ``root``, or shipped and added (where both have a
    name the shipped one counts, unless only the other one has its weights)."""
    found: dict[str, Path] = {}
    for each in [root] if root else [added_folder(), checkpoints_folder()]:
        for folder in (path.parent for path in each.glob(f"*/{CARD}") if path.parent.suffix != TEMPORARY):
            if folder.name not in found or weights_in(folder) or not weights_in(found[folder.name]):
                found[folder.name] = folder
    return {name: found[name] for name in sorted(found, key=lambda name: (name != DEFAULT_CHECKPOINT, name))}


def checkpoint_names(root: Path | None = None) -> list[str]:
    """Names of ``checkpoint_folders``."""
    return list(checkpoint_folders(root))


def titled(name: str) -> str:
    """A checkpoint as people choose it: its title and, in brackets, its name; the name alone where it has no title."""
    folder = checkpoint_folders().get(name)
    title = _title(str(folder), (folder / CARD).stat().st_mtime_ns) if folder else ""
    best = "Recommended: " if name == DEFAULT_CHECKPOINT and title else ""
    return f"{best}{title} ({name})" if title else name


@lru_cache(maxsize=256)
def _title(folder: str, changed: int) -> str:
    try:
        return read_card(Path(folder) / CARD).title
    except CheckpointError:
        return ""


def weights_in(folder: Path) -> Path | None:
    """The weights in a checkpoint's folder; None where it came with its evaluations only."""
    return next((folder / name for name in (WEIGHTS, ONNX_WEIGHTS) if (folder / name).is_file()), None)


def file_sha256(path: Path) -> str:
    """SHA-256 of a file, remembered until it changes."""
    stat = path.stat()
    return _sha256(str(path), stat.st_size, stat.st_mtime_ns)


@lru_cache(maxsize=256)
def _sha256(path: str, n_bytes: int, changed: int) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def member_weights(folder: Path, name: str, sha256: str) -> Path | None:
    """The weights of a member of the ensemble in ``folder``, beside it, shipped or added; None where none of these has
    them as they were when the ensemble was made."""
    places = (folder.parent, checkpoints_folder(), added_folder())
    found = (weights_in(each / name) for each in places)
    return next((path for path in found if path and file_sha256(path) == sha256), None)


def missing_members(folder: Path, card: Card) -> list[str]:
    """Names of an ensemble's members whose weights are not there as they were; none for other networks."""
    return [name for _, name, sha256 in card.members if member_weights(folder, name, sha256) is None]


def weights_bytes(folder: Path, card: Card) -> int:
    """Size of a checkpoint's weights, an ensemble's with those of its members."""
    found = [weights_in(folder), *(member_weights(folder, name, sha256) for _, name, sha256 in card.members)]
    return sum(path.stat().st_size for path in found if path)


def runnable_names(root: Path | None = None) -> list[str]:
    """Names of ``checkpoint_folders`` whose network can be asked: their weights are there, and those of members."""
    return [name for name, folder in checkpoint_folders(root).items() if weights_in(folder) and _is_whole(folder)]


def _is_whole(folder: Path) -> bool:
    try:
        return not missing_members(folder, read_card(folder / CARD))
    except CheckpointError:
        return False


def checkpoint_named(name: str) -> Path:
    """Folder of a shipped or added checkpoint by its name, never by a path: for names that come from elsewhere.

    Raises:
        CheckpointError: there is none of this name; the message lists the names.
    """
    found = checkpoint_folders()
    if name not in found:
        raise CheckpointError(f"There is no checkpoint {name!r} here; there are {', '.join(found) or 'none'}.")
    return found[name]


def with_weights(name: str, sha256: object) -> Path | None:
    """Folder of the checkpoint of a name, if its weights are those of a hash: analyses may be older than what goes by
    that name today. None if not."""
    folder = checkpoint_folders().get(name)
    weights = weights_in(folder) if folder else None
    return folder if weights and file_sha256(weights) == sha256 else None


def find_checkpoint(name: str | Path) -> Path:
    """Folder of a checkpoint, given its name among the shipped and added ones or its path; a folder in the working
    directory that is called like one of them is told from it by a path such as ``./NAME``.

    Raises:
        CheckpointError: neither exists; the message lists the names.
    """
    folders = checkpoint_folders()
    if isinstance(name, str) and name in folders:
        return folders[name]
    if Path(name).is_dir():
        return Path(name)
    known = ", ".join(folders) or "none"
    raise CheckpointError(f"No checkpoint {str(name)!r}: neither a folder nor one of those that are there ({known}).")
