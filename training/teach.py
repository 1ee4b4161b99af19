"""What a network takes from others: the weights it starts from, and the answers of its teachers (Hinton et al. 2015).

Teachers answer once to every training picture and its mirror image as they are; the student sees them augmented.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch import nn

from fer_core.emotions import EMOTIONS8
from fer_core.errors import CheckpointError, RecipeError
from fer_core.models import registry
from fer_core.models.classifier import Classifier, load
from fer_core.models.folders import find_checkpoint
from fer_core.models.registry import EmotionNetwork
from fer_core.models.runtime import EXACT, fastest
from training.prepare import PreparedData
from training.recipe import IMAGENET, SCRATCH, Recipe, how_to_make
from training.settings import Teacher

Answers = dict[str, NDArray[np.float32]]


def teachers_answers(prepared: PreparedData, run: Path, out: Path) -> Answers:
    """Target → probabilities (n, k) that its teachers give the n training pictures, softened; kept in ``run``.

    Teachers are looked for in ``out``, then among the shipped checkpoints.

    Raises:
        RecipeError: a teacher is not there, cannot be used, or knows other classes.
    """
    recipe = prepared.recipe
    wanted = {name: target.teacher for name, target in recipe.targets.items() if target.teacher}
    return {name: _answers(teacher, recipe, prepared, run / f"teacher-{name}", out) for name, teacher in wanted.items()}


def start_net(recipe: Recipe, out: Path) -> EmotionNetwork | None:
    """The network of a recipe that starts from a checkpoint, with its weights; looked for as teachers are.

    Raises:
        RecipeError: the checkpoint is not there, cannot be used, or has other layers or classes.
    """
    if recipe.weights in (SCRATCH, IMAGENET):
        return None
    return _started_from(recipe.weights, recipe, out)


def start_heads(recipe: Recipe, out: Path) -> dict[str, nn.Module]:
    """Target → last layer of the checkpoint that its ``head`` names, for targets that name one.

    Raises:
        RecipeError: as ``start_net``.
    """
    named = {name: target.head for name, target in recipe.targets.items() if target.head}
    if named and recipe.weights in (SCRATCH, IMAGENET):
        raise RecipeError(
            f"{recipe.name} starts from {recipe.weights}; a target's head needs the trunk that it learnt on."
        )
    return {name: _started_from(head, recipe, out).head for name, head in named.items()}


def _started_from(name: str, recipe: Recipe, out: Path) -> EmotionNetwork:
    start = _load(name, recipe, out)
    net = registry.build(
        recipe.architecture, n_labels=recipe.data.labels, channels=recipe.input.channels, **recipe.options
    )
    try:
        net.load_state_dict(start.net.cpu().state_dict())
    except RuntimeError as error:
        raise RecipeError(
            f"{recipe.name} cannot start from {name}: it has other layers ({start.card.architecture}, "
            f"{dict(start.card.options)})."
        ) from error
    return net


def _answers(teacher: Teacher, recipe: Recipe, prepared: PreparedData, path: Path, out: Path) -> NDArray[np.float32]:
    loaded = [_load(name, recipe, out) for name in teacher.checkpoints]
    images = np.asarray(prepared.seen.images)
    told = [[each.sha256 for each in loaded], hashlib.sha256(np.ascontiguousarray(images).data).hexdigest()]
    record, file = path.with_suffix(".json"), path.with_suffix(".npy")
    if not (record.is_file() and file.is_file() and json.loads(record.read_text(encoding="utf-8")) == told):
        record.unlink(missing_ok=True)
        ready = [fastest(each, EXACT)[0] for each in loaded]
        means = np.mean([each.predict(images, tta="flip").probabilities for each in ready], axis=0)
        np.save(file, means.astype(np.float32))
        record.write_text(json.dumps(told), encoding="utf-8")
    return softened(np.load(file), teacher.temperature)


def softened(probabilities: NDArray[np.float32], temperature: float) -> NDArray[np.float32]:
    """softmax(log p / temperature) of rows (n, k)."""
    powers = np.clip(probabilities.astype(np.float64), 1e-8, 1) ** (1 / temperature)
    return np.asarray(powers / powers.sum(axis=1, keepdims=True), np.float32)


def _load(name: str, recipe: Recipe, out: Path) -> Classifier:
    folder = out / name
    try:
        found = load(folder if folder.is_dir() else find_checkpoint(name))
    except CheckpointError as error:
        raise RecipeError(f"{recipe.name} needs {name}, which cannot be used: {error} {how_to_make(name)}") from error
    expected = EMOTIONS8[: recipe.data.labels]
    if tuple(found.labels) != expected:
        raise RecipeError(f"{recipe.name} has the labels {', '.join(expected)}; {name} {', '.join(found.labels)}.")
    return found
