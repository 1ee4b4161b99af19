"""From a finished run to checkpoint folders: weights in half precision, temperature, card, history and tables.

Every figure is measured again with the weights as they are shipped. The temperature is fitted on the split that the
recipe chooses on; the test split is only reported.
"""

from __future__ import annotations

import copy
import csv
import dataclasses
import platform
import shutil
import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from fer_core.emotions import EMOTIONS8
from fer_core.errors import RecipeError
from fer_core.evaluation.metrics import fit_temperature
from fer_core.faces.geometry import CropGeometry
from fer_core.models.card import Card, InputSpec
from fer_core.models.checkpoint import save_checkpoint
from fer_core.models.classifier import load
from fer_core.models.pca import PCA
from training.augment import train_batch
from training.class_prior import write_prior
from training.data import shown_counts
from training.floor import add_offsets, recall_offsets, silence
from training.measure import answers_on, measure
from training.module import MultiHead
from training.prepare import PreparedData
from training.reading import Side
from training.recipe import FERPLUS, FERPLUS7, IMAGENET, SCRATCH, SPLITS, STARTED, Recipe
from training.reference import write_reference
from training.results import Results
from training.settings import Part, Target

Command = Mapping[str, str | int | float | list[str]]
"""The recipe and the options of ``training.train`` that decide what comes out (``COMMAND_OPTIONS`` of the card)."""


def export_checkpoints(
    prepared: PreparedData,
    *,
    state: Path,
    results: Results,
    model: MultiHead,
    command: Command = MappingProxyType({}),
) -> list[Path]:
    """Write one checkpoint folder per target from the weights in ``state``; ``command`` is what trained them.

    Raises:
        RecipeError: the run has no whole epoch yet, its weights are not finite, or another checkpoint has the name.
    """
    recipe, run = prepared.recipe, results.run
    if not state.is_file() or not _history(run):
        raise RecipeError(f"Run {recipe.name} has no whole epoch to export; train it first.")
    saved = torch.load(state, map_location="cpu", weights_only=True)
    weights = {
        name.removeprefix("model."): value for name, value in saved["state_dict"].items() if name.startswith("model.")
    }
    if any(
        not torch.isfinite(value.half() if value.is_floating_point() else value).all() for value in weights.values()
    ):
        raise RecipeError(
            f"The weights of {recipe.name} are too large for half precision or no numbers, so nothing was written: the "
            "run diverged. Lower the learning rate, and begin again with --fresh."
        )
    model.load_state_dict(weights)
    model.eval()
    if recipe.ema:
        refresh_batch_norm(model, recipe, prepared.train)
    origin = Origin.of(prepared, run, saved, command)
    for name, target in recipe.targets.items():
        with results.folder(target.checkpoint) as folder:
            _export(origin, name, target, model, prepared, run=run, folder=folder)
    return [results.out / target.checkpoint for target in recipe.targets.values()]


def _history(run: Path) -> list[dict[str, str]]:
    """A row of figures for each whole epoch of a run."""
    path = run / "history.csv"
    return list(csv.DictReader(path.read_text(encoding="utf-8").splitlines())) if path.is_file() else []


@torch.no_grad()
def refresh_batch_norm(model: nn.Module, recipe: Recipe, side: Side, n_batches: int = 100) -> None:
    """Measure the batch-norm statistics anew for averaged weights, on training batches as the network is used.

    An average of weights has other activations than the average of their statistics says (Izmailov et al. 2018).
    """
    layers = [module for module in model.modules() if isinstance(module, nn.modules.batchnorm._BatchNorm)]
    for layer in layers:
        layer.reset_running_stats()
        layer.momentum = None  # cumulative mean
        layer.train()
    order = np.random.default_rng(recipe.seed).permutation(len(side))
    torch.manual_seed(recipe.seed)  # the same pictures whenever it is done
    for start in range(0, min(n_batches * recipe.batch_size, len(order) - 1), recipe.batch_size):
        chosen = np.sort(order[start : start + recipe.batch_size])
        model(train_batch(torch.from_numpy(side.images[chosen]), recipe, recipe.input.size))
    model.eval()


@dataclasses.dataclass(frozen=True)
class Origin:
    """Where weights come from, as the card tells it."""

    recipe: Recipe
    sha256: str
    epochs: int
    precision: str
    minutes: float
    n_train: dict[str, int]
    n_shown: dict[str, int]
    n_unreadable: int
    is_scratch: bool
    started_from: str
    command: Command

    @classmethod
    def of(cls, prepared: PreparedData, run: Path, saved: Mapping[str, Any], command: Command) -> Origin:
        started = run / STARTED
        told = started.read_text(encoding="utf-8") if started.is_file() else SCRATCH
        start, _, origin = told.partition("\n")
        shown = shown_counts(prepared.train, prepared.recipe.balance, prepared.recipe.seed)
        counts, history = prepared.train.counts(), _history(run)
        return cls(
            prepared.recipe, prepared.sha256, min(int(saved["epoch"]) + 1, len(history)),
            str(saved.get("computed_in", prepared.recipe.precision)), float(history[-1]["minutes"]), counts, shown,
            len(prepared.unreadable), start != IMAGENET, origin, command,
        )  # fmt: skip

    def card(self, target_name: str, target: Target, net: nn.Module) -> Card:
        """The card before anything is measured."""
        recipe = self.recipe
        share = recipe.crop.field / recipe.crop.source
        labels = EMOTIONS8[: recipe.data.labels]
        data = {
            "dataset": "+".join(dict.fromkeys(part.dataset for part in recipe.data.train)),
            "train": said(recipe.data.train),
            "choose": said(recipe.data.choose) or "held_out",
            "test": said(recipe.data.test),
            "labels": FERPLUS7 if target_name == FERPLUS else (recipe.data.test or recipe.data.train)[0].dataset,
            "targets": list(recipe.targets),
            "detector": recipe.crop.detector,
            "counts": self.n_train,
            **({"classes": list(recipe.data.classes)} if recipe.data.classes else {}),
            **({"unreadable": self.n_unreadable} if self.n_unreadable else {}),
            **({"counts_balanced": self.n_shown} if recipe.balance.by in ("augment", "sample") else {}),
            **({"balance": "loss"} if recipe.balance.by == "loss" else {}),
            "epochs": self.epochs,
            "precision": self.precision,
            **({"command": dict(self.command)} if self.command else {}),
        }
        return Card(
            name=target.checkpoint,
            title=target.title,
            architecture=recipe.architecture,
            labels=list(labels),
            input=InputSpec(recipe.input.size, recipe.input.channels, recipe.input.mean, recipe.input.std, share),
            crop=CropGeometry(recipe.crop.source, recipe.crop.margin, recipe.crop.align),
            temperature=1.0,
            options=dict(recipe.options),
            system=recipe.system,
            recipe=recipe.name,
            recipe_sha256=self.sha256,
            data=data,
            preprocess={"pca": PCA} if recipe.pca else {},
            seed=recipe.seed,
            revision=revision(),
            date=datetime.now(UTC).date().isoformat(),
            hardware=hardware(),
            wall_s=round(self.minutes * 60, 1),
            n_params=sum(parameter.numel() for parameter in net.parameters()),
            notes=_notes(recipe, self.is_scratch, self.started_from),
        )


def said(parts: list[Part]) -> str:
    """Splits in words: the split alone where there is one data set."""
    names = {part.dataset for part in parts}
    most = {part: f" (at most {part.per_class} a class)" if part.per_class else "" for part in parts}
    return ", ".join((part.split if len(names) == 1 else f"{part.dataset} {part.split}") + most[part] for part in parts)


def _notes(recipe: Recipe, is_scratch: bool, started_from: str) -> list[str]:
    notes = [recipe.ours[SPLITS]] if SPLITS in recipe.ours else []
    if recipe.data.classes:
        notes.append(
            f"Taught and tested on {', '.join(recipe.data.classes)} only; it never says another class, and is wrong "
            "about every picture of one."
        )
    if recipe.weights == IMAGENET and is_scratch:
        notes.append("Started from scratch: the ImageNet weights that the recipe asks for could not be reached.")
    if started_from:
        notes.append(started_from)
    if recipe.weights not in (IMAGENET, SCRATCH):
        notes.append(f"Started from the weights of {recipe.weights}; epochs and time are those after it.")
    for target in recipe.targets.values():
        if target.head:
            notes.append(f"The last layer of {target.checkpoint} started as that of {target.head}.")
        if target.teacher:
            notes.append(f"{target.checkpoint} is taught by {', '.join(target.teacher.checkpoints)}.")
    if len(recipe.targets) > 1:
        notes.append("All targets of the recipe share one trunk; each checkpoint keeps its own head.")
    if Part("fer2013", "private_test") in recipe.data.test:
        notes.append(
            "Figures on private_test include its 288 pixel copies of training images; those under clean do not."
        )
    return notes


def _export(
    origin: Origin, name: str, target: Target, model: MultiHead, prepared: PreparedData, *, run: Path, folder: Path
) -> None:
    net = copy.deepcopy(model.net)
    net.head = copy.deepcopy(model.heads[name])
    if untaught := prepared.recipe.data.untaught:
        silence(net, untaught)
    card = origin.card(name, target, net)
    if prepared.pca is not None:
        prepared.pca.save(folder / PCA)
    shutil.copyfile(run / "history.csv", folder / "history.csv")
    save_checkpoint(folder, net, card)
    logits, labels = answers_on(load(folder), prepared.choose_sets, name, skip=prepared.skip_unreadable)
    temperature = fit_temperature(logits, labels)
    if target.floor:
        offsets = recall_offsets(logits / temperature, labels, target.floor)
        add_offsets(net, offsets, temperature)
        temperature = fit_temperature(logits + temperature * offsets, labels)
        card = dataclasses.replace(card, notes=[*card.notes, _raised(card.labels, offsets, target.floor)])
    save_checkpoint(folder, net, dataclasses.replace(card, temperature=round(temperature, 4)))
    votes = FERPLUS in prepared.recipe.targets
    measure(folder, prepared.choose_sets, prepared.test_sets, with_votes=votes, skip=prepared.skip_unreadable)
    write_prior(folder, prepared.train.votes, prepared.train.labels)
    write_reference(folder, load(folder), np.asarray(prepared.seen.images), prepared.seen.labels, card.seed)


def _raised(labels: list[str], offsets: NDArray[np.float64], floor: float) -> str:
    told = ", ".join(f"{label} by {offset:.2f}" for label, offset in zip(labels, offsets, strict=True) if offset)
    return (
        f"So that no recall on the choosing split is below {floor:g}, calibrated logits were raised after training: "
        f"{told or 'none'}."
    )


def revision() -> str:
    """The code's commit, short; "unknown" outside a repository."""
    done = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"


def hardware() -> str:
    """What the network was trained on."""
    if torch.cuda.is_available():
        return torch.cuda.get_device_name()
    return f"CPU, {torch.get_num_threads()} threads, {platform.machine()}, torch {torch.__version__.split('+')[0]}"
