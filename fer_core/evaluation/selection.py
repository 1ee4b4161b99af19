"""Which of the outcomes are looked at: one selection that every view reads."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fer_core.emotions import DEFAULT_GROUP_MAP, EMOTIONS8, GROUPS, OWN_GROUP, check_group_map
from fer_core.errors import InputError
from fer_core.evaluation.outcome import REASONS, Outcomes

RIGHT_OR_WRONG: tuple[str, ...] = ("right", "wrong")
_IN_WORDS = {
    "right": "right answers",
    "wrong": "errors",
    "people split": "errors on which people are split",
    "label doubtful": "errors in which the label is doubtful",
    "model alone": "errors of the model alone",
}


@dataclass(frozen=True)
class Selection:
    """What is selected; every field that is set narrows it.

    Attributes:
        true, predicted: an emotion that the label, the answer is; "" for any.
        true_group, predicted_group: a group that the label, the answer belongs to; "" for any.
        outcome: "right", "wrong", or "" for both.
        reason: one of ``REASONS``; "" for any.
        min_confidence, max_confidence: 0-1; more than the first and at most the second, as in a reliability bin.
        chosen: ids that were chosen by hand; None for all.

    Raises:
        InputError: no such emotion, group, outcome or reason; no numbers from 0 to 1 in order.
    """

    true: str = ""
    predicted: str = ""
    true_group: str = ""
    predicted_group: str = ""
    outcome: str = ""
    reason: str = ""
    min_confidence: float = 0.0
    max_confidence: float = 1.0
    chosen: frozenset[str] | None = None

    def __post_init__(self) -> None:
        _check("emotion", (self.true, self.predicted), EMOTIONS8)
        _check("group", (self.true_group, self.predicted_group), (*GROUPS, OWN_GROUP))
        _check("outcome", (self.outcome,), RIGHT_OR_WRONG)
        _check("reason", (self.reason,), REASONS[1:])
        low, high = self.min_confidence, self.max_confidence
        if not 0 <= low <= high <= 1:
            raise InputError(f"Selected confidences are {low:g}-{high:g}; expected two numbers from 0 to 1, in order.")

    @property
    def is_empty(self) -> bool:
        """Whether nothing narrows it: everything is looked at."""
        return self == Selection()

    def mask(self, outcomes: Outcomes, group_map: Mapping[str, str] = DEFAULT_GROUP_MAP) -> NDArray[np.bool_]:
        """Which of the outcomes are selected: bool (n,).

        Raises:
            InputError: an impossible group map.
        """
        check_group_map(group_map)
        names = np.array(outcomes.names)
        groups = np.array([group_map.get(name, DEFAULT_GROUP_MAP[name]) for name in outcomes.names])
        mask = (outcomes.confidence > self.min_confidence) & (outcomes.confidence <= self.max_confidence)
        for wanted, kinds, which in (
            (self.true, names, outcomes.label),
            (self.predicted, names, outcomes.prediction),
            (self.true_group, groups, outcomes.label),
            (self.predicted_group, groups, outcomes.prediction),
        ):
            if wanted:
                mask &= (kinds == wanted)[which]
        if self.outcome:
            mask &= outcomes.right == (self.outcome == "right")
        if self.reason:
            mask &= outcomes.reason == REASONS.index(self.reason)
        if self.chosen is not None:
            mask &= np.isin(outcomes.ids, np.array(sorted(self.chosen), dtype=str))
        return mask

    def words(self) -> str:
        """In plain words, such as "fear taken for sad, 60–80 % sure"."""
        parts = [
            _pair(self.true, self.predicted),
            _pair(self.true_group, self.predicted_group),
            _IN_WORDS.get(self.outcome, "") if self.outcome == "right" or not self.reason else "",
            _IN_WORDS.get(self.reason, ""),
            _sure(self.min_confidence, self.max_confidence),
            "" if self.chosen is None else f"{len(self.chosen):,} chosen",
        ]
        return ", ".join(part for part in parts if part) or "all pictures"


def _check(what: str, values: Iterable[object], known: tuple[str, ...]) -> None:
    for value in values:
        if value not in ("", *known):
            raise InputError(f"Unknown {what} {_shown(value)} in a selection; expected one of {', '.join(known)}.")


def _shown(value: object) -> str:
    return repr(str(value)[:40])


def _pair(true: str, predicted: str) -> str:
    if true and true == predicted:
        return f"{true} recognised"
    if true and predicted:
        return f"{true} taken for {predicted}"
    return f"labelled {true}" if true else f"answered {predicted}" if predicted else ""


def _sure(low: float, high: float) -> str:
    if (low, high) == (0.0, 1.0):
        return ""
    if high == 1.0:
        return f"more than {100 * low:.3g} % sure"
    return f"at most {100 * high:.3g} % sure" if low == 0.0 else f"{100 * low:.3g}–{100 * high:.3g} % sure"
