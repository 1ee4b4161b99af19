"""The source systems as a page needs them: our checkpoints of each, counts of their answers, and the recipes as text.

Recipes are read as plain yaml: nothing of them is run here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import yaml

from dashboard.services import checkpoints, evaluations
from dashboard.services.evaluations import Question
from fer_core.errors import CheckpointError, InputError, RecipeError
from fer_core.evaluation import Comparison, Counts, History, Trained, comparisons, confusion, read_history, system_of
from fer_core.systems import System
from fer_core.systems.recipes import EXPLAINED, extended

RECIPES = Path(__file__).parents[2] / "training" / "recipes"


def trained() -> dict[str, Trained]:
    """All our checkpoints by name; one whose learning curves are damaged has none here."""
    return {
        entry.name: Trained(entry.name, entry.card, _history(entry.folder), partial(counts, entry.name))
        for entry in checkpoints.entries()
        if entry.card is not None
    }


def of_system(name: str) -> dict[str, Trained]:
    """Our checkpoints of a system by name."""
    return {each.name: each for each in trained().values() if system_of(each.card) == name}


def of_recipe(recipe: str, ours: Mapping[str, Trained]) -> list[str]:
    """Names of those of our checkpoints that a recipe, or one of its folds, became."""
    return [each.name for each in ours.values() if str(each.card.recipe).partition("-fold")[0] == recipe]


def compared(system: System) -> dict[str, tuple[Comparison, ...]]:
    """Every claim of a system beside our figures, by its id."""
    ours = trained()
    return {claim.id: comparisons(system, claim, ours) for claim in system.claims}


def counts(checkpoint: str, table: str, labels: str) -> Counts | None:
    """Counts of labels and answers of an evaluation table; None where there is none, it has no such labels, or it is
    damaged, which a model's page tells."""
    path = evaluations.tables(checkpoint).get(table)
    return _counts(str(path), path.stat().st_mtime_ns, Question(checkpoint, table, labels)) if path else None


@lru_cache(maxsize=512)
def _counts(path: str, changed: int, question: Question) -> Counts | None:
    try:
        found = evaluations.outcomes(question)
    except (CheckpointError, InputError):
        return None
    return Counts(found.names, confusion(found)) if len(found) else None


def _history(folder: Path) -> History:
    try:
        changed = (folder / "history.csv").stat().st_mtime_ns
    except OSError:
        changed = 0
    return _read_history(str(folder), changed)


@lru_cache(maxsize=128)
def _read_history(folder: str, changed: int) -> History:
    try:
        return read_history(Path(folder))
    except CheckpointError:  # the page Models says so
        return read_history(Path(folder) / "none")


@dataclass(frozen=True)
class RecipeText:
    """A recipe as it is written: settings, and what the document says and what we chose about each of them."""

    name: str
    extends: tuple[str, ...]
    settings: Mapping[str, Any]
    document: Mapping[str, str]
    ours: Mapping[str, str]


def recipe(name: str) -> RecipeText:
    """A recipe by name, over those that it extends.

    Raises:
        RecipeError: it is not there, or no recipe; the message says which.
    """
    values, bases = extended(name, _read)
    told = [{str(key): str(text) for key, text in dict(values.pop(each, {})).items()} for each in EXPLAINED]
    return RecipeText(name, bases, values, *told)


def _read(name: str) -> dict[str, Any]:
    path = RECIPES / f"{name}.yaml"
    if not RECIPES.is_dir():
        raise RecipeError("The folder training/recipes is not here, so no recipe can be shown.")
    if path.parent != RECIPES or not path.is_file():
        raise RecipeError(f"There is no recipe {name!r} in training/recipes.")
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise RecipeError(f"{path.name} cannot be read ({error}).") from error
    if not isinstance(values, dict) or not all(isinstance(values.get(key, {}), dict) for key in EXPLAINED):
        raise RecipeError(f"{path.name} does not hold a recipe.")
    return {str(key): value for key, value in values.items()}
