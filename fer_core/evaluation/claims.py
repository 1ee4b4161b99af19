"""The figures that the authors of the source systems report beside ours: like with like, or the reason why not.

    Claim ──► Comparison …   with each evaluation of ours that it is held against, the main one first

A figure of ours comes from where it is measured as the authors measured theirs: along a run from its history, else from
the card (which has all views), else from an evaluation table (single views). What differs is a remark.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fer_core.emotions import DEFAULT_GROUP_MAP, group_indices, groups_of
from fer_core.evaluation.history import History
from fer_core.evaluation.matrices import detected
from fer_core.models.card import ONNX, Card
from fer_core.systems import Against, Claim, System

COMPARED, NOT_MEASURED = "compared", "not measured here"
NOT_TRAINED, NOT_COMPARABLE = "not trained here yet", "cannot be compared"
CHOOSE, TRAINING = "choose", "training"
_N_GROUPS = len(groups_of(DEFAULT_GROUP_MAP))
_SIDES = {CHOOSE: "choose", TRAINING: "train"}
_CARD_KEYS = {"accuracy": "accuracy", "loss": "nll", "recall": "macro_recall"}


@dataclass(frozen=True, eq=False)
class Counts:
    """Counts (k, k) of labels (rows) and answers (columns) over ``names``."""

    names: tuple[str, ...]
    matrix: NDArray[np.int64]

    def grouped(self) -> Counts:
        """The same over the groups of the default map."""
        group, names = group_indices(self.names, DEFAULT_GROUP_MAP), groups_of(DEFAULT_GROUP_MAP)
        matrix = np.zeros((len(names), len(names)), np.int64)
        np.add.at(matrix, (group[:, None], group[None, :]), self.matrix)
        return Counts(names, matrix)

    def figure(self, metric: str, name: str = "") -> float:
        """``accuracy``, ``classes_detected``, or ``precision``, ``recall`` or ``f1`` of one name ("" for the mean of
        those that have pictures), 0-1; NaN where there is nothing to divide by."""
        right = self.matrix.diagonal()
        if metric == "accuracy":
            return float(right.sum() / max(self.matrix.sum(), 1))
        if metric == "classes_detected":
            return float(detected(self.matrix).mean())
        labelled, answered = self.matrix.sum(axis=1), self.matrix.sum(axis=0)
        parts = {"precision": (right, answered), "recall": (right, labelled), "f1": (2 * right, labelled + answered)}
        part, whole = parts[metric]
        values = np.where(whole > 0, part / np.maximum(whole, 1), np.nan)
        if name:
            return float(values[self.names.index(name)]) if name in self.names else math.nan
        return float(np.nan_to_num(values[labelled > 0]).mean()) if labelled.any() else math.nan


@dataclass(frozen=True, eq=False)
class Trained:
    """A checkpoint of ours, as far as its figures go.

    Attributes:
        name, card, history: of its folder.
        counts: gives the counts of an evaluation table (``fer2013-private_test``) under a label set; None where there
            is no such table.
    """

    name: str
    card: Card
    history: History
    counts: Callable[[str, str], Counts | None]

    @property
    def epochs(self) -> tuple[int, ...]:
        """How long it was trained: one number, one for each member of an ensemble, or none where nothing tells."""
        told = self.card.data.get("epochs")
        found = tuple(each for each in (told if isinstance(told, list) else [told]) if type(each) is int)
        return found or tuple(self.history.epochs[-1:].tolist())

    @property
    def labels(self) -> str:
        """The label set that it was taught."""
        return str(self.card.data.get("labels", ""))


@dataclass(frozen=True)
class Ours:
    """A figure of ours beside a claim.

    Attributes:
        checkpoints: the one that it is of, or the folds that it is the mean of.
        value: as the claim's; None where it was not measured, then ``remark`` says why.
        epochs: after how many, see ``Trained.epochs``.
        hardware, wall_s: what the checkpoints were trained on, and how long, in seconds.
        remark: in what the figure differs from the claim, or "".
    """

    checkpoints: tuple[str, ...]
    value: float | None
    epochs: tuple[int, ...]
    hardware: str
    wall_s: float
    remark: str = ""


@dataclass(frozen=True)
class Comparison:
    """A claim and an evaluation of ours: ``against`` is None where the claim cannot be compared, ``ours`` where nothing
    is trained yet."""

    claim: Claim
    against: Against | None = None
    ours: Ours | None = None

    @property
    def state(self) -> str:
        """``COMPARED``, ``NOT_MEASURED``, ``NOT_TRAINED`` or ``NOT_COMPARABLE``."""
        if self.against is None:
            return NOT_COMPARABLE
        if self.ours is None:
            return NOT_TRAINED
        return COMPARED if self.value is not None else NOT_MEASURED

    @property
    def value(self) -> float | None:
        """Our figure, where there is one."""
        return self.ours.value if self.ours else None

    @property
    def difference(self) -> float | None:
        """Ours minus theirs, in the unit of the claim."""
        return None if self.value is None else self.value - self.claim.value

    @property
    def other_epochs(self) -> bool:
        """Whether both lengths of training are known, and differ."""
        ours = self.ours.epochs if self.ours else ()
        return bool(ours) and self.claim.epochs is not None and set(ours) != {self.claim.epochs}

    @property
    def command(self) -> str:
        """What trains the checkpoint."""
        return f"python -m training.train {self.against.recipe}" if self.against else ""


def system_of(card: Card) -> str:
    """Name of the system that a checkpoint belongs to, by its card or, in older ones, by its recipe; "" if none."""
    found = re.match(r"[a-z]+-\d{4}(?=-)", str(card.recipe))
    return str(card.system) or (found.group() if found else "")


def comparisons(system: System, claim: Claim, trained: Mapping[str, Trained]) -> tuple[Comparison, ...]:
    """A claim of ``system`` beside our figures, at least one: all that there are, the main one first; else what is
    missing for the main one."""
    if not claim.comparable:
        return (Comparison(claim),)
    along = {each.id for curve in system.curves if curve.one_run for each in curve.claims}
    found = [_comparison(claim, against, trained, claim.id in along) for against in claim.against]
    for state in (COMPARED, NOT_MEASURED):
        if wanted := tuple(each for each in found if each.state == state):
            return wanted if state == COMPARED else wanted[:1]
    return (found[0],)


def overall(system: System) -> tuple[Claim, ...]:
    """Accuracies over all classes on pictures that were not trained on."""
    return tuple(
        claim
        for claim in system.claims
        if claim.metric == "accuracy" and not (claim.emotion or claim.group) and claim.split != TRAINING
    )


def headline(system: System, trained: Mapping[str, Trained]) -> Comparison | None:
    """The highest accuracy of a system that can be compared, preferably one beside which we have a figure; None where
    none can."""
    mains = [comparisons(system, claim, trained)[0] for claim in overall(system) if claim.comparable]
    return max(mains, key=lambda each: (each.state == COMPARED, each.claim.value), default=None)


@dataclass(frozen=True)
class Balanced:
    """A network on a data set before and after the smaller classes were filled up; None where the authors report only
    one of the two."""

    model: str
    dataset: str
    before: Comparison | None
    after: Comparison | None

    @property
    def theirs(self) -> float | None:
        """What it changed for the authors: after minus before, in accuracy."""
        return None if self.before is None or self.after is None else self.after.claim.value - self.before.claim.value

    @property
    def ours(self) -> float | None:
        """What it changed here; None before both are trained."""
        before, after = (each.value if each else None for each in (self.before, self.after))
        return None if before is None or after is None else after - before


def balanced(system: System, trained: Mapping[str, Trained]) -> tuple[Balanced, ...]:
    """The accuracies that a system reports before and after balancing, in the order of its claims."""
    claims = [claim for claim in overall(system) if claim.balanced]
    found: dict[tuple[str, str], dict[str, Comparison]] = {}
    for claim in claims:
        of = found.setdefault((claim.model, claim.dataset), {})
        of.setdefault(claim.balanced, comparisons(system, claim, trained)[0])
    return tuple(Balanced(*key, of.get("before"), of.get("after")) for key, of in found.items())


def _comparison(claim: Claim, against: Against, trained: Mapping[str, Trained], along: bool) -> Comparison:
    """``along``: the claim is of one epoch of a longer run."""
    members = _members(against, trained)
    if not members:
        return Comparison(claim, against)
    found = [_figure(claim, against, each, along) for each in members]
    values = [each.value for each in found if each.value is not None]
    remarks = dict.fromkeys(each.remark for each in found if each.remark)
    if len(members) > 1:
        remarks = dict.fromkeys((f"mean of {len(values)} folds", *remarks))
    epochs = [each.epochs for each in found]
    return Comparison(
        claim,
        against,
        Ours(
            checkpoints=tuple(each.name for each in members),
            value=float(np.mean(values)) if values else None,
            epochs=epochs[0] if len(set(epochs)) == 1 else tuple(n for each in epochs for n in each),
            hardware=members[0].card.hardware,
            wall_s=float(sum(_number(each.card.wall_s) or 0.0 for each in members)),
            remark="; ".join(remarks),
        ),
    )


def _members(against: Against, trained: Mapping[str, Trained]) -> list[Trained]:
    """The checkpoint, or the folds that stand for it."""
    if against.checkpoint in trained:
        return [trained[against.checkpoint]]
    fold = re.compile(re.escape(against.checkpoint) + r"-fold\d+")
    return [each for name, each in sorted(trained.items()) if fold.fullmatch(name) and each.card.architecture != ONNX]


@dataclass(frozen=True)
class _Figure:
    value: float | None
    epochs: tuple[int, ...]
    remark: str = ""


def _figure(claim: Claim, against: Against, ours: Trained, along: bool) -> _Figure:
    is_along = along or against.split in _SIDES
    sources: Sequence[Callable[[Claim, Against, Trained], _Figure | None]] = (_of_history, _of_card, _of_table)
    for source in sources if is_along else sources[1:]:
        if (found := source(claim, against, ours)) is not None:
            remarks = filter(None, (found.remark, _other_classes(claim, ours)))
            return _Figure(found.value, found.epochs, "; ".join(remarks))
    return _Figure(None, ours.epochs, _why_missing(claim, against))


def _other_classes(claim: Claim, ours: Trained) -> str:
    k = len(ours.card.labels)
    return f"ours: {k} classes" if claim.n_classes not in (_N_GROUPS, k) else ""


def _why_missing(claim: Claim, against: Against) -> str:
    metric = claim.metric.replace("_", " ")
    if against.split in _SIDES:
        return f"no {metric} of the {against.split} side in its history"
    return f"no {metric} on {against.dataset} {against.split} by {against.labels}; evaluate it there"


def _of_history(claim: Claim, against: Against, ours: Trained) -> _Figure | None:
    """Of the epoch that the claim is of, or the last one before it."""
    side = _SIDES.get(CHOOSE if against.split == ours.card.data.get("choose") else against.split)
    if side is None or claim.emotion or claim.group or against.tta != "none":
        return None
    curve = ours.history.curve(side, claim.metric, against.labels)
    row = ours.history.at(claim.epochs) if claim.epochs else len(ours.history) - 1
    if curve is None or row < 0 or not math.isfinite(curve[row]):
        return None
    return _Figure(float(curve[row]), (int(ours.history.epochs[row]),))


def _of_card(claim: Claim, against: Against, ours: Trained) -> _Figure | None:
    """By the view of the authors, else of single views."""
    wanted = (against.dataset, against.split, against.labels)
    for tta in dict.fromkeys((against.tta, "none")):
        for figures in ours.card.metrics:
            said = tuple(figures.get(key) for key in ("data", "split", "labels", "tta"))
            value = _number(_on_card(claim, figures)) if said == (*wanted, tta) else None
            if value is not None:
                return _Figure(value, ours.epochs, _view(against, tta))
    return None


def _on_card(claim: Claim, figures: Mapping[str, Any]) -> Any:
    if claim.group or claim.metric not in _CARD_KEYS:
        return None
    if claim.emotion:
        recalls = figures.get("recalls")
        return recalls.get(claim.emotion) if claim.metric == "recall" and isinstance(recalls, Mapping) else None
    is_grouped = claim.n_classes == _N_GROUPS and claim.metric in ("accuracy", "recall")
    return figures.get(f"groups_{_CARD_KEYS[claim.metric]}" if is_grouped else _CARD_KEYS[claim.metric])


def _of_table(claim: Claim, against: Against, ours: Trained) -> _Figure | None:
    if claim.metric == "loss":
        return None
    counts = ours.counts(f"{against.dataset}-{against.split}", against.labels)
    if counts is None:
        return None
    if claim.group or claim.n_classes == _N_GROUPS:
        counts = counts.grouped()
    value = counts.figure(claim.metric, claim.emotion or claim.group)
    return _Figure(value, ours.epochs, _view(against, "none")) if math.isfinite(value) else None


def _view(against: Against, tta: str) -> str:
    return "" if against.tta == tta else "ours: single views"


def _number(value: Any) -> float | None:
    """A finite number of a card, which may hold anything."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    return float(value) if is_number else None
