"""Recipes as data: a yaml file read into frozen records; a wrong key is an error that names the nearest right one."""

from __future__ import annotations

import dataclasses
import difflib
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar, get_args, get_type_hints

import yaml

from fer_core.errors import RecipeError

RECIPES = Path(__file__).parent / "recipes"


@dataclass(frozen=True)
class Input:
    """What the network sees: square side in px, channels, and the normalisation of pixels in 0-1."""

    size: int
    channels: int
    mean: list[float]
    std: list[float]


@dataclass(frozen=True)
class Crop:
    """Geometry of a face crop: the network sees the central ``field`` of ``source`` pixels (see ``fer_core.faces``)."""

    field: int
    source: int
    margin: float
    align: str


@dataclass(frozen=True)
class Data:
    """Data set by name and the splits to train on, choose on and report."""

    dataset: str
    train: str
    choose: str
    test: str


@dataclass(frozen=True)
class Target:
    """One label set: its weight in the loss, label smoothing, the checkpoint it becomes, and the protocol reported."""

    weight: float
    smoothing: float
    checkpoint: str
    labels: str


@dataclass(frozen=True)
class Optimiser:
    """SGD with Nesterov momentum; ``lr`` is the peak, ``warmup`` a share of the schedule."""

    lr: float
    momentum: float
    weight_decay: float
    warmup: float


@dataclass(frozen=True)
class Augment:
    """Random changes of a training batch; ``shift``, ``scale``, ``contrast`` are ± shares, probabilities in 0-1."""

    rotate_deg: float = 0.0
    scale: float = 0.0
    shift: float = 0.0
    flip: float = 0.0
    contrast: float = 0.0
    brightness: float = 0.0
    erase: float = 0.0


@dataclass(frozen=True)
class Recipe:
    """Everything that decides a training run."""

    name: str
    system: str
    architecture: str
    input: Input
    crop: Crop
    data: Data
    targets: Mapping[str, Target]
    optimiser: Optimiser
    epochs: int
    minutes: float
    batch_size: int
    seed: int = 0
    pretrained: bool = False
    options: Mapping[str, Any] = field(default_factory=dict)
    ema: float = 0.0
    stages: list[list[float]] = field(default_factory=list)
    augment: Augment = field(default_factory=Augment)

    def size_at(self, progress: float) -> int:
        """Side in px of the training pictures at ``progress`` (0-1) of the schedule."""
        reached = [int(size) for start, size in self.stages if start <= progress]
        return reached[-1] if reached else self.input.size

    @property
    def sha256(self) -> str:
        """Hash of the content (not of the comments)."""
        text = yaml.safe_dump(dataclasses.asdict(self), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()


Record = TypeVar("Record")


def recipe_names() -> list[str]:
    """Names of the recipes that come with the project."""
    return sorted(path.stem for path in RECIPES.glob("*.yaml"))


def load_recipe(name: str, **overrides: Any) -> Recipe:
    """Read a recipe by name or path; ``overrides`` replace top-level keys.

    Raises:
        RecipeError: no such recipe, an unknown key, a missing key or a value of the wrong kind.
    """
    path = Path(name) if name.endswith((".yaml", ".yml")) else RECIPES / f"{name}.yaml"
    if not path.is_file():
        near = difflib.get_close_matches(name, recipe_names(), n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise RecipeError(f"No recipe {name!r}; known are {', '.join(recipe_names())}.{hint}")
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise RecipeError(f"{path.name} is not valid yaml: {error}") from error
    if not isinstance(values, Mapping):
        raise RecipeError(f"{path.name}: expected keys and values, got {type(values).__name__}.")
    return _read(Recipe, {**values, **overrides}, path.stem)


def _read(kind: type[Record], values: Any, where: str) -> Record:
    """Build dataclass ``kind`` from a mapping, checking keys and simple types."""
    if not isinstance(values, Mapping):
        raise RecipeError(f"{where}: expected keys and values, got {values!r}.")
    fields = {f.name: f for f in dataclasses.fields(kind)}  # type: ignore[arg-type]
    for key in values:
        if key not in fields:
            near = difflib.get_close_matches(str(key), fields, n=1, cutoff=0.0)
            raise RecipeError(f"{where}: unknown key {key!r}; the nearest known key is {near[0]!r}.")
    needed = [n for n, f in fields.items() if f.default is f.default_factory is dataclasses.MISSING]
    missing = [n for n in needed if n not in values]
    if missing:
        raise RecipeError(f"{where}: missing {', '.join(missing)}.")
    hints = get_type_hints(kind)
    return kind(**{key: _value(hints[key], value, f"{where}.{key}") for key, value in values.items()})


def _value(hint: Any, value: Any, where: str) -> Any:
    if dataclasses.is_dataclass(hint):
        return _read(hint, value, where)  # type: ignore[arg-type]
    inner = get_args(hint)
    if len(inner) == 2 and dataclasses.is_dataclass(inner[1]):
        if not isinstance(value, Mapping):
            raise RecipeError(f"{where}: expected named entries, got {value!r}.")
        return {name: _read(inner[1], entry, f"{where}.{name}") for name, entry in value.items()}  # type: ignore
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if hint in (int, float, str, bool) and (not isinstance(value, hint) or (hint is int and value is True)):
        raise RecipeError(f"{where}: expected {hint.__name__}, got {value!r}.")
    return value
