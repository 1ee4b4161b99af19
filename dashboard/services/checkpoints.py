"""Checkpoints as pages see them: listed without torch, added by upload, removed again.

An upload is checked in the inspector's process: the weights are read as safetensors, the network is built from its
card and answers once. Only then the folder moves to where checkpoints are.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from dashboard.services import jobs, kinds, places, queues
from fer_core.errors import CheckpointError, UploadError
from fer_core.models.card import CHOOSE, WEIGHTS, Card, read_card
from fer_core.models.folders import (
    added_folder,
    checkpoint_folders,
    checkpoint_named,
    checkpoint_names,
    checkpoints_folder,
    missing_members,
    weights_bytes,
    weights_in,
)

CARD = "card.json"
OPTIONAL = ("history.csv", "reference.safetensors")
PICKLES = (".pt", ".pth", ".ckpt", ".pkl", ".pickle", ".bin", ".h5", ".hdf5", ".joblib", ".npy", ".npz")


@dataclass(frozen=True)
class Entry:
    """A checkpoint folder; ``card`` is None where ``error`` says what is wrong with it."""

    name: str
    folder: Path
    card: Card | None
    error: str
    is_added: bool

    @property
    def n_bytes(self) -> int:
        """Of its weights, an ensemble's with those of its members."""
        return weights_bytes(self.folder, self.card) if self.card else 0

    @property
    def missing(self) -> list[str]:
        """Members of an ensemble whose weights are not there as they were when it was made."""
        return missing_members(self.folder, self.card) if self.card else []

    @property
    def is_runnable(self) -> bool:
        """Whether its network can be asked: card and weights are there."""
        return self.card is not None and weights_in(self.folder) is not None and not self.missing

    def figures(self) -> Mapping[str, Any]:
        """The figures of its card that say most; see ``Card.headline``."""
        return self.card.headline if self.card else {}

    def measured_on(self) -> str:
        """What those figures are of, and what is wanting there, in words."""
        figures = self.figures()
        if self.card is None or not figures:
            return ""
        told = f"{figures.get('split', '?')}, {figures.get('labels', '?')}"
        left = figures.get("left_out")
        if isinstance(left, Mapping) and left:
            told += f"; left out: {', '.join(f'{n} {why}' for why, n in left.items())}"
        return told + "; chosen and calibrated on it" * (self.card.side_of(figures) == CHOOSE)


def entries() -> list[Entry]:
    """All checkpoints, the default first."""
    return [_entry(name, folder) for name, folder in checkpoint_folders().items()]


def entry(name: str) -> Entry:
    """One checkpoint.

    Raises:
        CheckpointError: there is none of this name.
    """
    return _entry(name, checkpoint_named(name))


def why_not_runnable(name: str) -> str:
    """Empty where the network of a checkpoint can be asked, else what is missing and what to do, in words.

    Raises:
        CheckpointError: there is none of this name.
    """
    entry = _entry(name, checkpoint_named(name))
    if entry.is_runnable or entry.card is None:
        return entry.error
    command = entry.card.training_command
    if weights_in(entry.folder):
        what = f"To make it of those that are there: {command}" if command else "Copy them here."
        needed = ", ".join(entry.missing)
        return f"{name} needs the weights of {needed} as they were when it was made; they are not there. {what}"
    what = f"To make them again: {command}" if command else "Copy them here."
    return f"The weights of {name} are missing, so only its evaluations can be looked at. {what}"


def _entry(name: str, folder: Path) -> Entry:
    is_added = folder.parent == added_folder()
    try:
        return Entry(name, folder, _card(str(folder / CARD), (folder / CARD).stat().st_mtime_ns), "", is_added)
    except (CheckpointError, OSError) as error:
        return Entry(name, folder, None, str(error), is_added)


@lru_cache(maxsize=64)
def _card(path: str, changed: int) -> Card:
    return read_card(Path(path))


def add(files: Iterable[tuple[str, bytes]]) -> str:
    """Take the files of a checkpoint; returns the job that checks and keeps them.

    Raises:
        UploadError: something is missing, too much, or a kind of file that is never opened, or the disk is full; the
            message says which.
    """
    given = dict(files)
    refused = [name for name in given if name.lower().endswith(PICKLES)]
    if refused:
        raise UploadError(
            f"{refused[0]} is refused: files of this kind can hold a program (a pickle) that runs as soon as they are "
            f"opened. Save the weights as {WEIGHTS}, with safetensors.torch.save_file(net.state_dict(), path)."
        )
    weights = [name for name in given if name.lower().endswith(".safetensors") and name not in OPTIONAL]
    if len(weights) != 1 or CARD not in given:
        raise UploadError(
            "A checkpoint is two files: the weights as one .safetensors and its card.json (history.csv and "
            f"reference.safetensors may come with them). Got {', '.join(sorted(given)) or 'nothing'}."
        )
    job_id = places.new_id()
    folder = places.upload_folder(job_id)
    wanted = {CARD: given[CARD], WEIGHTS: given[weights[0]]} | {k: v for k, v in given.items() if k in OPTIONAL}
    try:
        folder.mkdir()
        for name, data in wanted.items():
            (folder / name).write_bytes(data)
    except OSError as error:
        places.drop_upload(job_id)
        raise UploadError("The files could not be written to disk. Is there enough space?") from error
    return queues.ask(kinds.CHECKPOINT, kinds.Request(), name=weights[0], job_id=job_id)


def keep(job: jobs.Job) -> None:
    """The worker's part of ``add``.

    Raises:
        CheckpointError: the files are no checkpoint, or its name is taken.
    """
    import numpy as np

    from fer_core.models.classifier import load

    folder = places.upload_folder(job.id)
    classifier = load(folder)
    size = classifier.card.crop.size
    if not np.isfinite(classifier.predict(np.zeros((1, size, size, 3), np.uint8)).logits).all():
        raise CheckpointError("The network answers a blank picture with numbers that are not finite.")
    name = classifier.name
    if name in checkpoint_names():
        raise CheckpointError(f"There is a checkpoint {name!r} already. Change the name in card.json, or remove it.")
    added_folder().mkdir(exist_ok=True)
    for left in (places.below("evaluations") / name, added_folder() / name):  # by another one that had the name
        shutil.rmtree(left, ignore_errors=True)
    shutil.move(folder, added_folder() / name)
    jobs.tell(job.id, {"checkpoint": name})


def ensembles_with(name: str) -> list[str]:
    """Names of the ensembles that cannot be used without this checkpoint."""
    return [each.name for each in entries() if each.card and name in (member for _, member, _ in each.card.members)]


def remove(name: str) -> None:
    """Remove an added checkpoint with its evaluations.

    Raises:
        CheckpointError: there is none of this name, or it was not added here.
    """
    folder = checkpoint_named(name)
    if folder.parent != added_folder():
        raise CheckpointError(f"{name} belongs to {checkpoints_folder().name}/ and is not removed from here.")
    shutil.rmtree(folder)
    shutil.rmtree(places.below("evaluations") / name, ignore_errors=True)
