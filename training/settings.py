"""The groups of settings that a recipe is made of, each checked when it is built. A wrong value is a ``ValueError``."""

from __future__ import annotations

import dataclasses
import difflib
from dataclasses import dataclass, field

from fer_core.emotions import EMOTIONS, EMOTIONS8

OPTIMISERS = ("sgd", "adam", "adamw", "rmsprop", "radam")


def one_of(value: str, what: str, known: tuple[str, ...]) -> None:
    """Raise ``ValueError`` unless a value is known; the message names the nearest."""
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

    ``labels`` are the outputs of the network, seven or eight; with ``classes`` only these are taught and tested, and
    the network never says the others.
    """

    train: list[Part]
    test: list[Part]
    choose: list[Part] = field(default_factory=list)
    held_out: float = 0.0
    folds: int = 0
    labels: int = 7
    drop_copies: bool = False
    classes: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        if not self.train:
            raise ValueError("train names no data set.")
        if bool(self.choose) + (self.held_out > 0) + (self.folds > 0) != 1:
            raise ValueError("expected exactly one of choose, held_out and folds to choose on.")
        if not 0 <= self.held_out < 1 or self.folds == 1 or self.folds < 0:
            raise ValueError(f"expected held_out 0-1 and 2 or more folds, got {self.held_out} and {self.folds}.")
        if self.labels not in (len(EMOTIONS), len(EMOTIONS8)):
            raise ValueError(f"expected 7 or 8 labels, got {self.labels}; for fewer give classes: [happy, sad, …].")
        for name in self.classes:
            one_of(name, "class", EMOTIONS8[: self.labels])
        if len(set(self.classes)) != len(self.classes) or len(self.classes) == 1:
            raise ValueError(f"expected two classes or more, each once, got {', '.join(self.classes)}.")

    @property
    def taught(self) -> list[int]:
        """Labels that are taught and tested."""
        names = EMOTIONS8[: self.labels]
        return sorted(names.index(name) for name in self.classes) if self.classes else list(range(self.labels))

    @property
    def untaught(self) -> list[int]:
        """Outputs of the network that it never says."""
        return sorted({*range(self.labels)} - {*self.taught})

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
    ``head`` is the checkpoint whose last layer it starts from; by default the one the recipe's ``weights`` name.
    ``title`` is what the checkpoint is called where people choose."""

    weight: float
    smoothing: float
    checkpoint: str
    teacher: Teacher | None = None
    floor: float = 0.0
    head: str = ""
    title: str = ""

    def __post_init__(self) -> None:
        if not 0 <= self.floor < 1:
            raise ValueError(f"expected floor from 0 to below 1, got {self.floor}.")


@dataclass(frozen=True)
class Optimiser:
    """``lr`` is the peak, ``backbone_lr`` that of the layers before the neck and head (None: the same); ``clip`` bounds
    the norm of the gradient (0: does not). Of the backbone's layers, in eight stages, each stage learns at
    ``layer_decay`` times the rate of the one after it (1: all alike)."""

    lr: float
    name: str = "sgd"
    backbone_lr: float | None = None
    momentum: float = 0.9
    nesterov: bool = False
    weight_decay: float = 0.0
    clip: float = 0.0
    layer_decay: float = 1.0

    def __post_init__(self) -> None:
        one_of(self.name, "optimiser", OPTIMISERS)
        if self.lr <= 0 or self.clip < 0 or self.weight_decay < 0:
            raise ValueError("expected a learning rate above 0, clip and weight decay of 0 or more.")
        if not 0 < self.layer_decay <= 1:
            raise ValueError(f"expected layer_decay above 0 and up to 1, got {self.layer_decay}.")


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
        one_of(self.kind, "schedule", ("cosine", "constant", "plateau"))
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
        one_of(self.monitor, "monitor", ("loss", "accuracy"))


@dataclass(frozen=True)
class Mix:
    """Mixup and cutmix: their alphas (0: off), the share of batches, and the share of the schedule after which both
    stop."""

    mixup: float = 0.0
    cutmix: float = 0.0
    probability: float = 0.0
    until: float = 1.0


@dataclass(frozen=True)
class Variety:
    """Shares (0-1) of the training pictures that look as other cameras, light and compression would make them; see
    ``training.variety``."""

    cut: float = 0.0
    curve: float = 0.0
    side_light: float = 0.0
    blur: float = 0.0
    coarse: float = 0.0
    sharp: float = 0.0
    grain: float = 0.0
    blocks: float = 0.0

    def __post_init__(self) -> None:
        for name, share in dataclasses.asdict(self).items():
            if not 0 <= share <= 1:
                raise ValueError(f"expected {name} from 0 to 1, got {share}.")


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
    variety: Variety = field(default_factory=Variety)


@dataclass(frozen=True)
class Balance:
    """Against unequal classes: ``augment`` fills the smaller classes with augmented copies up to the share ``to`` of
    the largest, ``sample`` draws each class equally often, ``loss`` weighs each class by its inverse frequency."""

    by: str = "none"
    to: float = 1.0
    augment: Augment = field(default_factory=Augment)

    def __post_init__(self) -> None:
        one_of(self.by, "balance", ("none", "augment", "sample", "loss"))
        if not 0 < self.to <= 1:
            raise ValueError(f"expected to above 0 and up to 1, got {self.to}.")


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
        one_of(self.by, "by", ("sgd", "lbfgs"))
