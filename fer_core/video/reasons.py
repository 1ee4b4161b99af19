"""Reasons not to trust a face's scores: what each means, which measures decide it, and from which limit on.

``fer_core.video.trust`` measures; ``docs/trust.md`` tells how the limits were chosen.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from fer_core.errors import InputError

OFF_DEG = 180.0
"""No head is turned farther, so this limit is never passed."""


@dataclass(frozen=True)
class Limits:
    """From where on a face's scores are not to be trusted.

    Attributes:
        min_side_px: side of the square that is cut around the face, in pixels of the video.
        min_sharpness: variance of the Laplacian of the crop (grey, 0-255).
        min_brightness: mean grey value of the crop, 0-1.
        max_yaw_deg, max_pitch_deg: how far the head is turned to a side, raised or lowered, in degrees.
        max_tilt_deg: how far the head leans towards a shoulder, in degrees.
        max_occlusion: probability that part of the face is covered, 0-1; 1 asks for nothing.
        max_outside: share of the square that lies outside of the picture, 0-1.
        max_distance: distance from the training pictures; 1 is farther than 99 % of them.
        max_entropy: entropy of the probabilities in units of the largest possible one, 0-1.
        min_probability: of the top emotion, 0-1; 0 asks for nothing.
        max_turn: how far the nose lies from the middle between the eyes, in eye distances. Before 0.10 this and
            ``max_nod`` decided instead of yaw and pitch; None asks for nothing.
        max_nod: how far the nose's height between eyes (0) and mouth (1) lies from that of a face seen from the front.
    """

    min_side_px: float = 20.0
    min_sharpness: float = 30.0
    min_brightness: float = 0.06
    max_yaw_deg: float = 45.0
    max_pitch_deg: float = 40.0
    max_tilt_deg: float = 35.0
    max_occlusion: float = 1.0
    max_outside: float = 0.5
    max_distance: float = 0.95
    max_entropy: float = 0.45
    min_probability: float = 0.0
    max_turn: float | None = None
    max_nod: float | None = None

    def __post_init__(self) -> None:
        wrong = [name for name, value in asdict(self).items() if value is not None and not math.isfinite(value)]
        if wrong:
            raise InputError(f"The limit {wrong[0]} is {getattr(self, wrong[0])}; expected a finite number.")

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Limits:
        """From an edit; one of a version that knew no degrees keeps deciding by eye distances.

        Raises:
            InputError: a limit that there is not, or a value that is no finite number.
        """
        given = {str(name): None if value is None else float(value) for name, value in values.items()}
        if unknown := given.keys() - {field.name for field in fields(cls)}:
            raise InputError(f"There is no limit {', '.join(sorted(unknown))}.")
        if given.keys() & {"max_turn", "max_nod"} and not given.keys() & {"max_yaw_deg", "max_pitch_deg"}:
            given |= {"max_yaw_deg": OFF_DEG, "max_pitch_deg": OFF_DEG}
        return cls(**given)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Limit:
    """One limit of a reason.

    Attributes:
        name: the field of ``Limits``.
        measure: the column of ``fer_core.video.trust.measures`` that it bounds; its size counts, not its sign.
        above: whether values above the limit are doubtful; else those below.
        words: what a form calls it.
        step: by how much a form changes it.
        most: the largest value that makes sense.
    """

    name: str
    measure: str
    above: bool
    words: str
    step: float
    most: float = 1e6


@dataclass(frozen=True)
class Reason:
    """Why a face's scores should not be trusted: ``code`` in tables, ``title`` and ``text`` for users; it holds where
    any of its limits is passed."""

    code: str
    text: str
    limits: tuple[Limit, ...]

    @property
    def title(self) -> str:
        """What pages and reports call it."""
        return _TITLES.get(self.code, self.code)


_TITLES = {
    "occluded": "covered", "edge": "at the edge", "far": "unlike training pictures", "flat": "no clear winner",
}  # fmt: skip


REASONS: tuple[Reason, ...] = (
    Reason(
        "small", "The face is only a few pixels large in the video.",
        (Limit("min_side_px", "side_px", False, "small: side of the face below (px)", 1.0),),
    ),
    Reason(
        "blurred", "The face is out of focus, blurred by movement, or hardly has any contrast.",
        (Limit("min_sharpness", "sharpness", False, "blurred: sharpness below", 10.0),),
    ),
    Reason(
        "dark", "The face is very dark.",
        (Limit("min_brightness", "brightness", False, "dark: brightness below", 0.01, 1.0),),
    ),
    Reason(
        "turned", "The head is turned to the side or nodded far up or down.",
        (
            Limit("max_yaw_deg", "yaw", True, "turned: to a side by more than (degrees)", 1.0, OFF_DEG),
            Limit("max_pitch_deg", "pitch", True, "turned: up or down by more than (degrees)", 1.0, OFF_DEG),
            Limit("max_turn", "turn", True, "turned: nose off the middle by (eye distances)", 0.05),
            Limit("max_nod", "nod", True, "turned: nose higher or lower by", 0.05),
        ),
    ),
    Reason(
        "tilted", "The head leans far towards a shoulder.",
        (Limit("max_tilt_deg", "roll", True, "tilted: more than (degrees)", 1.0, OFF_DEG),),
    ),
    Reason(
        "occluded", "Something probably covers part of the face, such as a hand, a mask or sunglasses.",
        (Limit("max_occlusion", "occlusion", True, "covered: probability above", 0.05, 1.0),),
    ),
    Reason(
        "edge", "The face reaches over the edge of the picture.",
        (Limit("max_outside", "outside", True, "at the edge: share outside of the picture above", 0.05, 1.0),),
    ),
    Reason(
        "far", "The face looks unlike the pictures that the network was trained on.",
        (Limit("max_distance", "distance", True, "unlike training pictures: distance from them above", 0.05),),
    ),
    Reason(
        "flat", "The network hardly prefers any emotion.",
        (Limit("max_entropy", "entropy", True, "no clear winner: entropy above", 0.05, 1.0),),
    ),
    Reason(
        "uncertain", "The most probable emotion has a low probability.",
        (Limit("min_probability", "probability", False, "uncertain: top probability below", 0.05, 1.0),),
    ),
)  # fmt: skip
"""In the order of their columns ``why_<code>``."""
LIMITS: dict[str, Limit] = {limit.name: limit for reason in REASONS for limit in reason.limits}


__all__ = ["LIMITS", "OFF_DEG", "REASONS", "Limit", "Limits", "Reason"]


def check_limits(limits: Limits) -> None:
    """Raise ``InputError`` for a limit outside of what makes sense."""
    for name, value in asdict(limits).items():
        if value is not None and not 0 <= value <= LIMITS[name].most:
            raise InputError(f"The limit {name} is {value:g}; expected a number from 0 to {LIMITS[name].most:g}.")
