"""Recipes as data: one yaml file says everything that decides a training run, and where each choice comes from.

``document`` holds what the source document says, ``ours`` what was chosen where it is silent or departed from.
"""

from __future__ import annotations

import dataclasses
import difflib
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from fer_core.emotions import EMOTIONS, EMOTIONS8
from fer_core.errors import RecipeError
from fer_core.systems.recipes import extended
from fer_core.typed_yaml import TypedYaml

RECIPES = Path(__file__).parent / "recipes"
_YAML = TypedYaml(RecipeError)
OPTIMISERS = ("sgd", "adam", "adamw", "rmsprop", "radam")
OWN, FERPLUS = "own", "ferplus"
"""Targets: a data set's own labels, and the vote shares of FER+."""
FERPLUS7 = "ferplus7"
"""The label set on which the target ``FERPLUS`` is judged."""
ENSEMBLE, IMAGENET, SCRATCH = "ensemble", "imagenet", "scratch"
STARTED = "started.txt"
"""File of a run that tells whether it started from ImageNet weights."""


def _one_of(value: str, what: str, known: tuple[str, ...]) -> None:
    if value not in known:
        near = difflib.get_close_matches(value, known, n=1, cutoff=0.0)
        raise ValueError(f"unknown {what} {value!r}; the nearest of {', '.join(known)} is {near[0]!r}.")


@dataclass(frozen=True)
class Input:
    """What the network sees: square side in px, channels (1 grey, 3 RGB), and the normalisation of pixels in 0-1; where
    mean and std are left out, those of the training pictures are measured."""

    size: int
    channels: int
    mean: list[float] = field(default_factory=list)
    std: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        if self.channels not in (1, 3) or not 8 <= self.size <= 1024:
            raise ValueError(f"expected 1 or 3 channels and 8-1024 px, got {self.channels} and {self.size}.")
        if {len(self.mean), len(self.std)} not in ({0}, {self.channels}) or any(each <= 0 for each in self.std):
            raise ValueError(f"expected {self.channels} mean and positive std values, or neither.")


@dataclass(frozen=True)
class Crop:
    """Geometry of a face crop: the network sees the central ``field`` of ``source`` pixels (see ``fer_core.faces``).

    ``detector`` finds the face in photos: one of ``fer_core.faces.DETECTORS``, ``none`` takes every picture as a cut
    face, "" means MTCNN for photos and none for cut faces.
    """

    field: int
    source: int
    margin: float = 1.0
    align: str = "eyes-mouth"
    detector: str = ""

    def __post_init__(self) -> None:
        if not 8 <= self.field <= self.source <= 1024:
            raise ValueError(f"expected 8 <= field <= source <= 1024 px, got {self.field} and {self.source}.")


@dataclass(frozen=True)
class Part:
    """One split of a data set; ``per_class`` takes at most so many pictures of each class (0: all)."""

    dataset: str
    split: str
    per_class: int = 0


@dataclass(frozen=True)
class Data:
    """What to train on, choose on and report; several parts are a mixture.

    Without ``choose``, the share ``held_out`` of the training pictures is kept back, or one of ``folds``; people and
    near-duplicates stay on one side. Pictures of ``choose`` and ``test`` are never trained on; ``drop_copies`` leaves
    out training pictures that are pixel copies of them too, which official splits may hold.
    """

    train: list[Part]
    test: list[Part]
    choose: list[Part] = field(default_factory=list)
    held_out: float = 0.0
    folds: int = 0
    labels: int = 7
    drop_copies: bool = False

    def __post_init__(self) -> None:
        if not self.train:
            raise ValueError("train names no data set.")
        if bool(self.choose) + (self.held_out > 0) + (self.folds > 0) != 1:
            raise ValueError("expected exactly one of choose, held_out and folds to choose on.")
        if not 0 <= self.held_out < 1 or self.folds == 1 or self.folds < 0:
            raise ValueError(f"expected held_out 0-1 and 2 or more folds, got {self.held_out} and {self.folds}.")
        if self.labels not in (len(EMOTIONS), len(EMOTIONS8)):
            raise ValueError(f"expected 7 or 8 labels, got {self.labels}.")

    @property
    def names(self) -> list[str]:
        """Names of all data sets that take part, each once."""
        return list(dict.fromkeys(part.dataset for part in [*self.train, *self.choose, *self.test]))


@dataclass(frozen=True)
class Teacher:
    """Checkpoints whose mean answer is learnt beside the labels: its ``weight`` in the loss of the target (0-1), both
    sides softened by ``temperature`` (Hinton et al. 2015)."""

    checkpoints: list[str]
    weight: float = 0.5
    temperature: float = 2.0

    def __post_init__(self) -> None:
        if not self.checkpoints or not 0 < self.weight <= 1 or self.temperature < 1:
            raise ValueError("expected one checkpoint or more, weight above 0 and up to 1, temperature of 1 or more.")


@dataclass(frozen=True)
class Target:
    """One label set: its weight in the loss, label smoothing, the checkpoint it becomes, and who teaches it. ``floor``
    raises classes after training whose recall on the choosing split is below it (0: none), see ``training.floor``.
    ``head`` is the checkpoint whose last layer it starts from; by default the one the recipe's ``weights`` name."""

    weight: float
    smoothing: float
    checkpoint: str
    teacher: Teacher | None = None
    floor: float = 0.0
    head: str = ""

    def __post_init__(self) -> None:
        if not 0 <= self.floor < 1:
            raise ValueError(f"expected floor from 0 to below 1, got {self.floor}.")


@dataclass(frozen=True)
class Optimiser:
    """``lr`` is the peak, ``backbone_lr`` that of the layers before the neck and head (None: the same); ``clip`` bounds
    the norm of the gradient (0: does not)."""

    lr: float
    name: str = "sgd"
    backbone_lr: float | None = None
    momentum: float = 0.9
    nesterov: bool = False
    weight_decay: float = 0.0
    clip: float = 0.0

    def __post_init__(self) -> None:
        _one_of(self.name, "optimiser", OPTIMISERS)
        if self.lr <= 0 or self.clip < 0 or self.weight_decay < 0:
            raise ValueError("expected a learning rate above 0, clip and weight decay of 0 or more.")


@dataclass(frozen=True)
class Schedule:
    """How the learning rate moves: ``warmup`` is a share of the schedule; ``plateau`` multiplies by ``factor`` when the
    choosing split's loss has not improved for ``patience`` epochs, down to ``floor``."""

    kind: str = "cosine"
    warmup: float = 0.0
    factor: float = 0.1
    patience: int = 5
    floor: float = 0.0

    def __post_init__(self) -> None:
        _one_of(self.kind, "schedule", ("cosine", "constant", "plateau"))
        if not (0 <= self.warmup < 1 and 0 < self.factor < 1 and self.patience >= 1):
            raise ValueError("expected warmup 0-1, factor between 0 and 1, patience 1 or more.")


@dataclass(frozen=True)
class Phase:
    """``epochs`` in which ``train`` learns: ``head`` (with the neck), ``all``, or the last N layers of the backbone."""

    epochs: int
    train: int | str
    lr: float | None = None

    def __post_init__(self) -> None:
        if self.train not in ("head", "all") and not (isinstance(self.train, int) and self.train > 0):
            raise ValueError(f"train is {self.train!r}; expected head, all or a number of layers.")


@dataclass(frozen=True)
class Stop:
    """Early stopping on the choosing split after ``patience`` epochs without a better ``monitor`` (0: never)."""

    patience: int = 0
    monitor: str = "loss"

    def __post_init__(self) -> None:
        _one_of(self.monitor, "monitor", ("loss", "accuracy"))


@dataclass(frozen=True)
class Mix:
    """Mixup and cutmix: their alphas (0: off), the share of batches, and the share of the schedule after which both
    stop."""

    mixup: float = 0.0
    cutmix: float = 0.0
    probability: float = 0.0
    until: float = 1.0


@dataclass(frozen=True)
class Augment:
    """Random changes of a training batch; ``shift``, ``scale``, ``contrast`` are ± shares, probabilities in 0-1.

    ``noise`` is the probability of white noise with a standard deviation of up to 0.08 of white.
    """

    rotate_deg: float = 0.0
    scale: float = 0.0
    shift: float = 0.0
    shear_deg: float = 0.0
    flip: float = 0.0
    contrast: float = 0.0
    brightness: float = 0.0
    noise: float = 0.0
    erase: float = 0.0


@dataclass(frozen=True)
class Balance:
    """Against unequal classes: ``augment`` fills the smaller classes with augmented copies up to the share ``to`` of
    the largest, ``sample`` draws each class equally often, ``loss`` weighs each class by its inverse frequency."""

    by: str = "none"
    to: float = 1.0
    augment: Augment = field(default_factory=Augment)

    def __post_init__(self) -> None:
        _one_of(self.by, "balance", ("none", "augment", "sample", "loss"))
        if not 0 < self.to <= 1:
            raise ValueError(f"expected to above 0 and up to 1, got {self.to}.")


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
        _one_of(self.keep, "keep", ("last", "loss", "accuracy"))
        for name in self.targets:
            _one_of(name, "target", (OWN, FERPLUS))
        if FERPLUS in self.targets and self.data.labels > len(EMOTIONS):
            raise ValueError("the votes of FER+ teach seven emotions; take labels: 7, or drop the target.")
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
class Fit:
    """Training of a fusion layer on the members' answers: ``hidden`` units between (0: none); ``pull`` weighs the
    squared distance from the plain mean, where it starts.

    ``by``: ``sgd`` in batches at a constant ``lr``, or ``lbfgs`` on all pictures at once, in at most ``epochs`` steps,
    whatever ``lr``. Without hidden units, and with a pull, there is one best layer; a few hundred steps find it.
    """

    epochs: int = 30
    lr: float = 0.01
    hidden: int = 0
    pull: float = 0.01
    by: str = "sgd"

    def __post_init__(self) -> None:
        _one_of(self.by, "by", ("sgd", "lbfgs"))


@dataclass(frozen=True)
class EnsembleRecipe:
    """Several checkpoints whose answers become one.

    ``rule``: ``equal``, ``rank`` (weights by the rank of accuracy on the choosing split), ``hand``
    (``weights_by_hand``) or ``trained`` (a small layer over the members' answers). ``target`` says which labels the
    weights, the layer and the temperature are fitted on: ``own``, or ``ferplus`` for ``ferplus7``.
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
    document: Mapping[str, str] = field(default_factory=dict)
    ours: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _one_of(self.target, "target", (OWN, FERPLUS))
        _one_of(self.rule, "rule", ("equal", "rank", "hand", "trained"))
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
    """Hash of what a recipe says; what it leaves at its default does not count, so that new settings may be added."""
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
    return {name: _told(each) for name, (field, each) in named.items() if each != _default(field)}


def _default(field: dataclasses.Field[Any]) -> Any:
    return field.default if field.default_factory is dataclasses.MISSING else field.default_factory()


def recipe_names() -> list[str]:
    """Names of the recipes that come with the project."""
    return sorted(path.stem for path in RECIPES.glob("*.yaml"))


def load_recipe(name: str, **overrides: Any) -> Recipe | EnsembleRecipe:
    """Read a recipe by name or path; ``overrides`` replace top-level keys.

    Raises:
        RecipeError: no such recipe, an unknown key, a missing key or a value of the wrong kind.
    """
    inherited, _ = extended(name, lambda each: _YAML.read(_path(each)))
    values = {**inherited, **overrides}
    is_ensemble = values.get("architecture") == ENSEMBLE
    kind: type[EnsembleRecipe | Recipe] = EnsembleRecipe if is_ensemble else Recipe
    return _YAML.build(kind, values, _path(name).stem)


def network_recipe(name: str, **overrides: Any) -> Recipe:
    """As ``load_recipe``, for recipes of one network.

    Raises:
        RecipeError: as ``load_recipe``, or the recipe is an ensemble.
    """
    recipe = load_recipe(name, **overrides)
    if isinstance(recipe, EnsembleRecipe):
        raise RecipeError(f"{recipe.name} is an ensemble of {', '.join(recipe.members)}; it has no network of its own.")
    return recipe


def _path(name: str) -> Path:
    path = Path(name) if name.endswith((".yaml", ".yml")) else RECIPES / f"{name}.yaml"
    if not path.is_file():
        near = difflib.get_close_matches(name, recipe_names(), n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise RecipeError(f"No recipe {name!r}; known are {', '.join(recipe_names())}.{hint}")
    return path
