"""Checkpoints as pages see them: listed without torch, added by upload, removed again.

An upload is checked in the inspector's process: the weights are read as safetensors, the network is built from its
card and answers once; weights without a card are converted first. Only then the folder moves to where checkpoints are.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from dashboard.services import jobs, kinds, places, queues
from fer_core.errors import CheckpointError, UploadError
from fer_core.explain import doubt_of
from fer_core.files import to_disk, tree_to_disk
from fer_core.models.card import CHOOSE, WEIGHTS, Card, read_card
from fer_core.models.folders import (
    CARD,
    DEFAULT_CHECKPOINT,
    added_folder,
    checkpoint_folders,
    checkpoint_named,
    checkpoint_names,
    checkpoints_folder,
    missing_members,
    weights_bytes,
    weights_in,
)

REFERENCE = "reference.safetensors"
OPTIONAL = ("history.csv", REFERENCE, "pca.safetensors")
FOREIGN = (".pth", ".pt", ".ckpt", ".bin", ".safetensors", ".onnx")
"""Weights that can be converted where their labels are told."""
_TABLE = re.compile(r"[a-z0-9][a-z0-9_.-]{0,39}-[a-z0-9_]{1,40}\.parquet")
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
    def title(self) -> str:
        """What people choose it by; "" where nobody gave it a title."""
        best = "Recommended: " if self.name == DEFAULT_CHECKPOINT else ""
        return f"{best}{self.card.title}" if self.card and self.card.title else ""

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

    @property
    def knows_prior(self) -> bool:
        """Whether it is known, or can be measured, how common each emotion was in its training."""
        return self.card is not None and (self.card.prior is not None or (self.folder / REFERENCE).is_file())

    def figures(self) -> Mapping[str, Any]:
        """The figures of its card that say most; see ``Card.headline``."""
        return self.card.headline if self.card else {}

    def answers(self) -> str:
        """What its network may say, in words, where that is not every label it has."""
        if self.card is None or self.card.answers == list(self.card.labels):
            return ""
        *most, last = self.card.answers
        return (
            f"It was taught {', '.join(most)} and {last}, and says nothing else: on pictures of other emotions it is "
            "always wrong."
        )

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


def heat_doubt(name: str) -> str:
    """Why heatmaps of a checkpoint should not be relied on, in a sentence; "" where they earn belief."""
    try:
        return doubt_of(checkpoint_named(name))
    except CheckpointError as error:
        return str(error)


def _entry(name: str, folder: Path) -> Entry:
    is_added = folder.parent == added_folder()
    try:
        return Entry(name, folder, _card(str(folder / CARD), (folder / CARD).stat().st_mtime_ns), "", is_added)
    except (CheckpointError, OSError) as error:
        return Entry(name, folder, None, str(error), is_added)


@lru_cache(maxsize=64)
def _card(path: str, changed: int) -> Card:
    return read_card(Path(path))


def add(files: Iterable[tuple[str, bytes]], origin: kinds.ConvertRequest = kinds.ConvertRequest()) -> str:
    """Take the files of a checkpoint; returns the job that checks and keeps them. Weights without a card are converted
    by what ``origin`` tells of them.

    Raises:
        UploadError: something is missing, too much, or a kind of file that is never opened, or the disk is full; the
            message says which.
    """
    given = dict(files)
    if origin.labels and CARD not in given:
        return _add_foreign(given, origin)
    refused = [name for name in given if name.lower().endswith(PICKLES)]
    if refused:
        raise UploadError(
            f"{refused[0]} is refused: files of this kind can hold a program (a pickle) that runs as soon as they are "
            "opened. Leave out the card and give the labels instead: then only the numbers in it are read."
        )
    weights = [name for name in given if name.lower().endswith(".safetensors") and name not in OPTIONAL]
    if len(weights) != 1 or CARD not in given:
        raise UploadError(
            f"A checkpoint is two files: the weights as one .safetensors and its card.json ({', '.join(OPTIONAL)} and "
            "evaluation tables may come with them). For weights that were trained elsewhere give the labels instead of "
            f"a card. Got {', '.join(sorted(given)) or 'nothing'}."
        )
    wanted = {CARD: given[CARD], WEIGHTS: given[weights[0]]} | {k: v for k, v in given.items() if k in OPTIONAL}
    wanted |= {f"evaluations/{name}": data for name, data in given.items() if _TABLE.fullmatch(name)}
    return _queue(wanted, weights[0], kinds.ConvertRequest())


def _add_foreign(given: Mapping[str, bytes], origin: kinds.ConvertRequest) -> str:
    if len(given) != 1 or not next(iter(given)).lower().endswith(FOREIGN):
        raise UploadError(
            f"Expected one file of weights ({', '.join(FOREIGN)}) beside the labels; got {', '.join(sorted(given))}."
        )
    ((name, data),) = given.items()
    stem = re.sub(r"[^A-Za-z0-9._-]+", "-", Path(name).stem).strip("-._")[:60] or "network"
    return _queue({stem + Path(name).suffix.lower(): data}, name, origin)


def _queue(files: Mapping[str, bytes], name: str, origin: kinds.ConvertRequest) -> str:
    """Write files into a folder of their own and queue what is to become of them."""
    job_id = places.new_id()
    folder = places.upload_folder(job_id)
    try:
        folder.mkdir()
        for each, data in files.items():
            (folder / each).parent.mkdir(exist_ok=True)
            (folder / each).write_bytes(data)
    except OSError as error:
        places.drop_upload(job_id)
        raise UploadError("The files could not be written to disk. Is there enough space?") from error
    return queues.ask(kinds.CHECKPOINT, origin, name=name, job_id=job_id)


def _convert(folder: Path, origin: kinds.ConvertRequest) -> None:
    """Put a converted checkpoint in the place of the one file of weights in a folder."""
    from fer_core.models.convert import ForeignNetwork, convert

    (path,) = folder.iterdir()
    network = ForeignNetwork(origin.labels, origin.architecture, size=origin.size)
    convert(path, folder, network, name=path.stem)
    path.unlink()


def template() -> str:
    """A ``card.json`` to fill in; docs/own-network.md explains its fields."""
    from fer_core.emotions import EMOTIONS
    from fer_core.faces.geometry import CropGeometry
    from fer_core.models.card import InputSpec

    spec = InputSpec(224, 3, [0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
    return Card("my-network", "resnet18", list(EMOTIONS), spec, CropGeometry(224), 1.0).to_json()


def keep(job: jobs.Job, origin: kinds.ConvertRequest) -> None:
    """The worker's part of ``add``.

    Raises:
        CheckpointError: the files are no checkpoint, or its name is taken.
    """
    import numpy as np

    from fer_core.evaluation import read_evaluation
    from fer_core.models.classifier import load

    folder = places.upload_folder(job.id)
    if origin.labels:
        _convert(folder, origin)
    classifier = load(folder)
    size = classifier.card.crop.size
    if not np.isfinite(classifier.predict(np.zeros((1, size, size, 3), np.uint8)).logits).all():
        raise CheckpointError("The network answers a blank picture with numbers that are not finite.")
    name = classifier.name
    for table in folder.glob("evaluations/*"):
        read_evaluation(table, name)
    if name in checkpoint_names():
        raise CheckpointError(f"There is a checkpoint {name!r} already. Change the name in card.json, or remove it.")
    added_folder().mkdir(exist_ok=True)
    jobs.check(job)
    tree_to_disk(folder)
    for left in (places.below("evaluations") / name, added_folder() / name):  # by another one that had the name
        shutil.rmtree(left, ignore_errors=True)
    shutil.move(folder, added_folder() / name)
    to_disk(added_folder())
    jobs.tell(job.id, {"checkpoint": name}, job.token)


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
