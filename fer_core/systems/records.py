"""Source systems as frozen records.

    System ─┬─ Model …           what was trained, and our recipes for it
            ├─ Claim …           one figure that the authors report, where it stands, and what it is compared with
            ├─ ClassTable …      claims class by class, as a table of the document
            ├─ Curve …           claims at several epochs, to be drawn as points over our learning curve
            └─ Contradiction …   where a document says two things, and which reading is taken

A claim is either compared with evaluations of ours (``against``) or says why it cannot be (``why_not``).
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from fer_core.emotions import EMOTIONS8, GROUPS
from fer_core.errors import InputError

METRICS: tuple[str, ...] = ("accuracy", "loss", "precision", "recall", "f1", "classes_detected")
"""``loss`` is in nats, all others are in 0-1. ``classes_detected``: share of classes whose
most frequent answer is the right one."""
BALANCED: tuple[str, ...] = ("", "before", "after")
"""Before or after the smaller classes were filled up; "" where a document does not compare the two."""
VIEWS: tuple[str, ...] = ("none", "flip", "tencrop")
"""Views of a picture whose answers are averaged, named as ``fer_core.evaluation`` names them."""
SIDES: tuple[str, ...] = ("train", "choose", "test")
_MAX_LOSS = 20.0

Record = TypeVar("Record")


@dataclass(frozen=True)
class Against:
    """An evaluation of ours that a claim is compared with.

    Attributes:
        recipe, checkpoint: what is trained, and the checkpoint that it becomes.
        dataset, split: what it is evaluated on; ``choose`` and ``training`` mean the choosing and the training side of
            the run itself, as its history has them.
        labels: label set of the evaluation; the data set's own is called like the data set.
        tta: views that are averaged, see ``VIEWS``.
    """

    recipe: str
    checkpoint: str
    dataset: str
    split: str
    labels: str
    tta: str = "none"

    def __post_init__(self) -> None:
        _check(self.tta, "view", VIEWS)


@dataclass(frozen=True)
class Claim:
    """One figure that the authors of a system report.

    Attributes:
        id: unique within its system.
        model: name of a ``Model`` of the system.
        dataset, split: as the document calls them ("" where it does not say).
        metric: one of ``METRICS``.
        value: 0-1; a loss may be larger.
        where: section, table or figure.
        epochs: after how many; None where the document does not say.
        emotion, group: the class or group that the figure is of; "" for all of them.
        n_classes: how many classes were told apart.
        balanced: see ``BALANCED``.
        note: anything a reader should know.
        contradiction: id of the ``Contradiction`` in which the figure stands, or "".
        against: evaluations of ours to compare with; the first is the main one.
        why_not: why it cannot be compared; "" where it can.
    """

    id: str
    model: str
    dataset: str
    split: str
    metric: str
    value: float
    where: str
    epochs: int | None = None
    emotion: str = ""
    group: str = ""
    n_classes: int = 7
    balanced: str = ""
    note: str = ""
    contradiction: str = ""
    against: tuple[Against, ...] = ()
    why_not: str = ""

    def __post_init__(self) -> None:
        _check(self.metric, "metric", METRICS)
        _check(self.balanced, "balanced", BALANCED)
        _check(self.emotion, "emotion", ("", *EMOTIONS8))
        _check(self.group, "group", ("", *GROUPS))
        top = _MAX_LOSS if self.metric == "loss" else 1.0
        if not 0 <= self.value <= top or (self.epochs is not None and self.epochs < 1):
            raise ValueError(f"expected a value in 0-{top:g} and 1 or more epochs, got {self.value} and {self.epochs}.")
        if not self.where or bool(self.against) == bool(self.why_not):
            raise ValueError("expected a place in the document, and either 'against' or 'why_not'.")

    @property
    def comparable(self) -> bool:
        """Whether the figure can be held against one of ours."""
        return not self.why_not


@dataclass(frozen=True)
class ClassTable:
    """Figures class by class: ``rows`` maps an emotion to one claim for each of ``columns``."""

    id: str
    title: str
    where: str
    columns: tuple[str, ...]
    rows: Mapping[str, tuple[Claim, ...]]

    @property
    def claims(self) -> tuple[Claim, ...]:
        """All cells, row by row."""
        return tuple(claim for row in self.rows.values() for claim in row)


@dataclass(frozen=True)
class Curve:
    """Claims at several epochs, to be drawn as points over the learning curve of one of our checkpoints.

    Attributes:
        recipe, checkpoint: whose learning curve.
        side: what the curve is of, one of ``SIDES``.
        one_run: True if the points are epochs of one run, False if each is the end of a run of its own.
        claims: in the order of their epochs.
    """

    id: str
    title: str
    recipe: str
    checkpoint: str
    side: str
    one_run: bool
    claims: tuple[Claim, ...]
    note: str = ""

    def __post_init__(self) -> None:
        _check(self.side, "side", SIDES)
        epochs = [claim.epochs or 0 for claim in self.claims]
        if not epochs or epochs[0] < 1 or epochs != sorted(set(epochs)):
            raise ValueError(f"expected claims at rising epochs, got {epochs}.")

    @property
    def points(self) -> tuple[tuple[int, float], ...]:
        """(epochs, value) of each claim."""
        return tuple((claim.epochs or 0, claim.value) for claim in self.claims)


@dataclass(frozen=True)
class Reading:
    """One of the things that are said about one matter."""

    says: str
    where: str


@dataclass(frozen=True)
class Contradiction:
    """A matter on which a document says two or more things; ``taken`` is the reading used here, ``why`` the reason."""

    id: str
    about: str
    readings: tuple[Reading, ...]
    taken: str
    why: str

    def __post_init__(self) -> None:
        if len(self.readings) < 2:
            raise ValueError(f"expected two or more readings, got {len(self.readings)}.")


@dataclass(frozen=True)
class Model:
    """A model that a document describes, and our recipes that follow it; the first one is the main one."""

    name: str
    title: str
    what: str
    recipes: tuple[str, ...]


@dataclass(frozen=True)
class LiveSettings:
    """What comes nearest to a system's own live view: a checkpoint of ours and a face detector, by their names."""

    checkpoint: str
    detector: str


@dataclass(frozen=True)
class System:
    """A source system: its document in short, the figures it reports, and our recipes.

    ``data``, ``optimisation``, ``outputs``, ``notes`` are short sentences; ``claims`` holds those of ``tables`` too;
    ``live`` is None where the document describes no live view.
    """

    name: str
    title: str
    authors: tuple[str, ...]
    institution: str
    year: int
    kind: str
    summary: str
    detector: str
    data: tuple[str, ...]
    models: tuple[Model, ...]
    optimisation: tuple[str, ...]
    outputs: tuple[str, ...]
    recipes: tuple[str, ...]
    claims: tuple[Claim, ...]
    tables: tuple[ClassTable, ...] = ()
    curves: tuple[Curve, ...] = ()
    contradictions: tuple[Contradiction, ...] = ()
    notes: tuple[str, ...] = ()
    live: LiveSettings | None = None

    def __post_init__(self) -> None:
        for records in (self.claims, self.tables, self.curves, self.contradictions):
            _check_once([each.id for each in records])
        models, contradictions = [each.name for each in self.models], ["", *(each.id for each in self.contradictions)]
        _check_once(models)
        for claim in self.claims:
            _check(claim.model, f"model of {claim.id!r}:", models)
            _check(claim.contradiction, f"contradiction of {claim.id!r}:", contradictions)
        for recipe in self._recipes_named():
            _check(recipe, "recipe", self.recipes)

    def _recipes_named(self) -> Iterator[str]:
        yield from (recipe for model in self.models for recipe in model.recipes)
        yield from (each.recipe for claim in self.claims for each in claim.against)
        yield from (curve.recipe for curve in self.curves)

    def claim(self, claim_id: str) -> Claim:
        """A claim by its id.

        Raises:
            InputError: there is none; the message names the nearest.
        """
        return named({each.id: each for each in self.claims}, claim_id, f"claim of {self.name}")

    def model(self, name: str) -> Model:
        """A model by its name; raises as ``claim``."""
        return named({each.name: each for each in self.models}, name, f"model of {self.name}")

    @property
    def not_comparable(self) -> Mapping[str, tuple[Claim, ...]]:
        """Claims that cannot be held against ours, by the reason."""
        reasons = dict.fromkeys(claim.why_not for claim in self.claims if claim.why_not)
        return {why: tuple(claim for claim in self.claims if claim.why_not == why) for why in reasons}


def named(known: Mapping[str, Record], name: str, what: str) -> Record:
    """The record of that name.

    Raises:
        InputError: there is none; the message names the nearest.
    """
    if name in known:
        return known[name]
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.0)
    listed = f"; known are {', '.join(known)}" if len(known) <= 10 else ""
    raise InputError(f"There is no {what} {name!r}{listed}." + (f" Did you mean {near[0]!r}?" if near else ""))


def _check(value: str, what: str, known: Sequence[str]) -> None:
    if value not in known:
        near = difflib.get_close_matches(value, known, n=1, cutoff=0.0)
        raise ValueError(f"unknown {what} {value!r}; " + (f"the nearest is {near[0]!r}." if near else "none is known."))


def _check_once(names: Sequence[str]) -> None:
    if len(set(names)) < len(names):
        raise ValueError(f"{max(names, key=names.count)!r} stands there twice.")
