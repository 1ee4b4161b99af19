"""Recipes as data: one yaml file says everything that decides a training run, and where each choice comes from.

``document`` holds what the source document says, ``ours`` what was chosen where it is silent or departed from.
"""

from __future__ import annotations

import dataclasses
import difflib
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

import yaml

from fer_core.emotions import EMOTIONS
from fer_core.errors import RecipeError
from fer_core.systems.recipes import extended
from fer_core.typed_yaml import TypedYaml
from training.settings import (
    Augment,
    Balance,
    Crop,
    Data,
    Fit,
    Input,
    Mix,
    Optimiser,
    Phase,
    Schedule,
    Stop,
    Target,
    one_of,
)

RECIPES = Path(__file__).parent / "recipes"
_YAML = TypedYaml(RecipeError)
OWN, FERPLUS = "own", "ferplus"
"""Targets: a data set's own labels, and the vote shares of FER+."""
FERPLUS7 = "ferplus7"
"""The label set on which the target ``FERPLUS`` is judged."""
ENSEMBLE, IMAGENET, SCRATCH = "ensemble", "imagenet", "scratch"
SPLITS = "splits"
"""Key of what a recipe says of splits that were taken instead of its own."""
STARTED = "started.txt"
"""File of a run that tells whether it started from ImageNet weights, and in its second line where these are from."""


@dataclass(frozen=True)
class Recipe:
    """Everything that decides a training run.

    ``weights`` is where it starts: ``scratch``, ``imagenet`` or the name of a checkpoint with the same layers.
    """

    name: str
    system: str
    architecture: str
    input: Input
    crop: Crop
    data: Data
    targets: Mapping[str, Target]
    optimiser: Optimiser
    epochs: int
    batch_size: int
    minutes: float = 0.0
    seed: int = 0
    weights: str = SCRATCH
    options: Mapping[str, Any] = field(default_factory=dict)
    pca: float = 0.0
    schedule: Schedule = field(default_factory=Schedule)
    phases: list[Phase] = field(default_factory=list)
    stop: Stop = field(default_factory=Stop)
    keep: str = "last"
    ema: float = 0.0
    mix: Mix = field(default_factory=Mix)
    balance: Balance = field(default_factory=Balance)
    augment: Augment = field(default_factory=Augment)
    transforms: list[Mapping[str, Any]] = field(default_factory=list)
    stages: list[list[float]] = field(default_factory=list)
    precision: str = "bf16-mixed"
    document: Mapping[str, str] = field(default_factory=dict)
    ours: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.weights:
            raise ValueError("expected weights: scratch, imagenet or the name of a checkpoint.")
        one_of(self.keep, "keep", ("last", "loss", "accuracy"))
        for name in self.targets:
            one_of(name, "target", (OWN, FERPLUS))
        if FERPLUS in self.targets and self.data.labels > len(EMOTIONS):
            raise ValueError("the votes of FER+ teach seven emotions; take labels: 7, or drop the target.")
        if FERPLUS in self.targets and self.data.classes:
            raise ValueError("the votes of FER+ teach all seven emotions; leave classes out, or drop the target.")
        if not self.targets or self.epochs < 1 or self.batch_size < 1 or not 0 <= self.pca < 1:
            raise ValueError("expected a target, 1 or more epochs, batch_size of 1 or more, pca from 0 to below 1.")

    def size_at(self, progress: float) -> int:
        """Side in px of the training pictures at ``progress`` (0-1) of the schedule."""
        reached = [int(size) for start, size in self.stages if start <= progress]
        return reached[-1] if reached else self.input.size

    def phase_at(self, epoch: int) -> Phase:
        """The phase of an epoch, counted from 0; the last one goes on."""
        ends = 0
        for phase in self.phases:
            ends += phase.epochs
            if epoch < ends:
                return phase
        return self.phases[-1] if self.phases else Phase(self.epochs, "all")

    @property
    def sha256(self) -> str:
        """Hash of what decides the run (not of comments or explanations)."""
        return sha256_of(dataclasses.replace(self, document={}, ours={}))


@dataclass(frozen=True)
class EnsembleRecipe:
    """Several checkpoints whose answers become one.

    ``rule``: ``equal``, ``rank`` (weights by the rank of accuracy on the choosing split), ``hand``
    (``weights_by_hand``) or ``trained`` (a small layer over the members' answers). ``target`` says which labels the
    weights, the layer and the temperature are fitted on: ``own``, or ``ferplus`` for ``ferplus7``. ``title`` is what
    the result is called where people choose.
    """

    name: str
    system: str
    architecture: str
    members: list[str]
    rule: str
    checkpoint: str
    data: Data
    weights_by_hand: list[float] = field(default_factory=list)
    fit: Fit = field(default_factory=Fit)
    batch_size: int = 128
    seed: int = 0
    target: str = OWN
    title: str = ""
    document: Mapping[str, str] = field(default_factory=dict)
    ours: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        one_of(self.target, "target", (OWN, FERPLUS))
        one_of(self.rule, "rule", ("equal", "rank", "hand", "trained"))
        if len(self.members) < 2:
            raise ValueError(f"an ensemble has 2 or more members, got {len(self.members)}.")
        n_weights = len(self.members) if self.rule == "hand" else 0
        given = self.weights_by_hand
        if len(given) != n_weights or any(each < 0 for each in given) or (given and not sum(given) > 0):
            raise ValueError(f"expected {n_weights} weights_by_hand of 0 or more for rule {self.rule!r}.")

    @property
    def sha256(self) -> str:
        """Hash of what decides the ensemble."""
        return sha256_of(dataclasses.replace(self, document={}, ours={}))


def sha256_of(recipe: Recipe | EnsembleRecipe) -> str:
    """Hash of what a recipe says; what it leaves at its default does not count, so that new settings may be added, nor
    do titles."""
    return hashlib.sha256(yaml.safe_dump(_told(recipe), sort_keys=True).encode()).hexdigest()


def _told(value: Any) -> Any:
    """Plain values; of records only what differs from the defaults."""
    if isinstance(value, list | tuple):
        return [_told(each) for each in value]
    if isinstance(value, Mapping):
        return {key: _told(each) for key, each in value.items()}
    if not dataclasses.is_dataclass(value):
        return value
    named = {field.name: (field, getattr(value, field.name)) for field in dataclasses.fields(value)}
    return {name: _told(each) for name, (field, each) in named.items() if each != _default(field) and name != "title"}


def _default(field: dataclasses.Field[Any]) -> Any:
    return field.default if field.default_factory is dataclasses.MISSING else field.default_factory()


def recipe_names() -> list[str]:
    """Names of the recipes that come with the project."""
    return sorted(path.stem for path in RECIPES.glob("*.yaml"))


def load_recipe(
    name: str, settings: Mapping[str, Any] = MappingProxyType({}), **overrides: Any
) -> Recipe | EnsembleRecipe:
    """Read a recipe by name or path; ``overrides`` replace top-level keys, ``settings`` also those of groups, with dots
    between: ``optimiser.lr``.

    Raises:
        RecipeError: no such recipe, an unknown key, a missing key or a value of the wrong kind.
    """
    inherited, _ = extended(name, lambda each: _YAML.read(_path(each)))
    values = {**inherited, **overrides}
    for key, value in settings.items():
        _put(values, key.split("."), value, key)
    is_ensemble = values.get("architecture") == ENSEMBLE
    kind: type[EnsembleRecipe | Recipe] = EnsembleRecipe if is_ensemble else Recipe
    return _YAML.build(kind, values, _path(name).stem)


def _put(values: dict[str, Any], path: Sequence[str], value: Any, where: str) -> None:
    """Set the value at the end of a path of keys; what is on the way is copied, as recipes may share it."""
    if len(path) == 1:
        values[path[0]] = value
        return
    inside = values.get(path[0], {})
    if not isinstance(inside, Mapping):
        raise RecipeError(f"{where}: {path[0]} is {inside!r}, which has no keys of its own.")
    values[path[0]] = dict(inside)
    _put(values[path[0]], path[1:], value, where)


def how_to_make(checkpoint: str) -> str:
    """A sentence that says which command makes a checkpoint that a recipe needs and that is not there."""
    for name in recipe_names():
        recipe = load_recipe(name)
        exports = [recipe] if isinstance(recipe, EnsembleRecipe) else recipe.targets.values()
        made = [each.checkpoint for each in exports]
        if checkpoint in made:
            return f"Make it first: python -m training.train {name}"
    return "No recipe makes it: train, convert or copy it first."


def network_recipe(name: str, settings: Mapping[str, Any] = MappingProxyType({}), **overrides: Any) -> Recipe:
    """As ``load_recipe``, for recipes of one network.

    Raises:
        RecipeError: as ``load_recipe``, or the recipe is an ensemble.
    """
    recipe = load_recipe(name, settings, **overrides)
    if isinstance(recipe, EnsembleRecipe):
        raise RecipeError(f"{recipe.name} is an ensemble of {', '.join(recipe.members)}; it has no network of its own.")
    return recipe


def _path(name: str) -> Path:
    path = Path(name) if name.endswith((".yaml", ".yml")) else RECIPES / f"{name}.yaml"
    if not path.is_file():
        near = difflib.get_close_matches(name, recipe_names(), n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise RecipeError(f"No recipe {name!r}.{hint} Known are {', '.join(recipe_names())}.")
    return path
