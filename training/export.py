"""From a finished run to checkpoint folders: weights in half precision, temperature, card, history and tables.

Every figure is measured again with the weights as they are shipped. The temperature is fitted on the split that the
recipe chooses on; the test split is only reported.
"""

from __future__ import annotations

import copy
import dataclasses
import json
import platform
import shutil
import subprocess
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from fer_core.data import FaceSet, LabelledFaces, load_fer2013, open_dataset
from fer_core.emotions import EMOTIONS
from fer_core.errors import RecipeError
from fer_core.evaluation.metrics import fit_temperature
from fer_core.evaluation.run import LABEL_SETS, evaluate_faces, figures_of, labels_of, table_array, write_table
from fer_core.faces.crops import CropGeometry
from fer_core.models.card import Card, InputSpec
from fer_core.models.checkpoint import save_checkpoint
from fer_core.models.classifier import Classifier, load
from training.augment import train_batch
from training.module import MultiHead
from training.recipe import Recipe, Target
from training.reference import write_reference


def export_checkpoints(recipe: Recipe, *, run: Path, data: Path, out: Path, model: MultiHead) -> list[Path]:
    """Write one checkpoint folder per target from the averaged weights in ``run/last.ckpt``.

    Raises:
        RecipeError: the run has no saved state yet.
    """
    if not (run / "last.ckpt").is_file():
        raise RecipeError(f"Run {recipe.name} has no saved state to export; train it first.")
    saved = torch.load(run / "last.ckpt", map_location="cpu", weights_only=True)
    state = {
        name.removeprefix("model."): value for name, value in saved["state_dict"].items() if name.startswith("model.")
    }
    model.load_state_dict(state)
    refresh_batch_norm(model, recipe, load_fer2013(data, recipe.data.train))
    minutes = float(saved["minutes"])
    return [
        _export(recipe, name, target, model, run=run, data=data, folder=out / target.checkpoint, minutes=minutes)
        for name, target in recipe.targets.items()
    ]


@torch.no_grad()
def refresh_batch_norm(model: nn.Module, recipe: Recipe, faces: LabelledFaces, n_batches: int = 100) -> None:
    """Measure the batch-norm statistics anew for averaged weights, on training batches as the network is used.

    An average of weights has other activations than the average of their statistics says (Izmailov et al. 2018).
    """
    layers = [module for module in model.modules() if isinstance(module, nn.modules.batchnorm._BatchNorm)]
    for layer in layers:
        layer.reset_running_stats()
        layer.momentum = None  # cumulative mean
        layer.train()
    order = np.random.default_rng(recipe.seed).permutation(len(faces))
    for start in range(0, min(n_batches * recipe.batch_size, len(order)), recipe.batch_size):
        chosen = order[start : start + recipe.batch_size]
        model(train_batch(torch.from_numpy(faces.images[chosen]), recipe, recipe.input.size))
    model.eval()


def _export(
    recipe: Recipe, name: str, target: Target, model: MultiHead, *, run: Path, data: Path, folder: Path, minutes: float
) -> Path:
    net = copy.deepcopy(model.net)
    net.head = copy.deepcopy(model.heads[name])
    card = _card(recipe, target, net, minutes)
    save_checkpoint(folder, net, card)
    choose = open_dataset(data, recipe.data.dataset).read(recipe.data.choose)
    card = dataclasses.replace(card, temperature=round(_temperature(load(folder), choose, target.labels), 4))
    save_checkpoint(folder, net, card)
    classifier = load(folder)
    card = dataclasses.replace(card, metrics=list(_metrics(classifier, recipe, data)))
    save_checkpoint(folder, net, card)
    shutil.copyfile(run / "history.csv", folder / "history.csv")
    _tables(folder, classifier, recipe, data)
    return folder


def _temperature(classifier: Classifier, faces: FaceSet, label_set: str) -> float:
    table = evaluate_faces(classifier, faces)
    truth = labels_of(table, label_set)
    return fit_temperature(table_array(table, "logit_")[truth >= 0].astype(np.float64), truth[truth >= 0])


def _metrics(classifier: Classifier, recipe: Recipe, data: Path) -> Iterable[dict[str, Any]]:
    """Reports of every label set and view on the choosing split (single view) and the test split."""
    label_sets = LABEL_SETS if "ferplus" in recipe.targets else ("fer2013",)
    for split, views in ((recipe.data.choose, ("none",)), (recipe.data.test, ("none", "flip", "tencrop"))):
        faces = open_dataset(data, recipe.data.dataset).read(split)
        for tta in views:
            table = evaluate_faces(classifier, faces, tta=tta)
            for labels in label_sets:
                figures = figures_of(table, faces, labels, tta)
                yield json.loads(json.dumps(figures), parse_float=lambda text: round(float(text), 5))


def _tables(folder: Path, classifier: Classifier, recipe: Recipe, data: Path) -> None:
    for split in (recipe.data.choose, recipe.data.test):
        table = evaluate_faces(classifier, open_dataset(data, recipe.data.dataset).read(split))
        write_table(table, folder / "evaluations" / f"{recipe.data.dataset}-{split}.parquet")
    write_reference(folder, classifier, load_fer2013(data, recipe.data.train), recipe.seed)


def _card(recipe: Recipe, target: Target, net: nn.Module, minutes: float) -> Card:
    field = recipe.crop.field / recipe.crop.source
    return Card(
        name=target.checkpoint,
        architecture=recipe.architecture,
        labels=list(EMOTIONS),
        input=InputSpec(recipe.input.size, recipe.input.channels, recipe.input.mean, recipe.input.std, field),
        crop=CropGeometry(recipe.crop.source, recipe.crop.margin, recipe.crop.align),
        temperature=1.0,
        options=dict(recipe.options),
        recipe=recipe.name,
        recipe_sha256=recipe.sha256,
        data={**dataclasses.asdict(recipe.data), "labels": target.labels, "targets": list(recipe.targets)},
        seed=recipe.seed,
        revision=_revision(),
        date=datetime.now(UTC).date().isoformat(),
        hardware=_hardware(),
        wall_s=round(minutes * 60, 1),
        n_params=sum(parameter.numel() for parameter in net.parameters()),
        notes=[
            "All targets of the recipe share one trunk; each checkpoint keeps its own head.",
            "Figures on private_test include its 288 pixel copies of training images.",
        ],
    )


def _revision() -> str:
    done = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"


def _hardware() -> str:
    if torch.cuda.is_available():
        return torch.cuda.get_device_name()
    return f"CPU, {torch.get_num_threads()} threads, {platform.machine()}, torch {torch.__version__.split('+')[0]}"
