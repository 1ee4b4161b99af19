"""From which distance on two faces are one person's, or two people's."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Likeness:
    """What Euclidean distances of descriptors mean. ``docs/identity.md`` tells how the margins were chosen.

    Attributes:
        joined: up to here two strips are surely one person's and become one.
        jump: two faces of one strip between which its look jumped are two people's from here on.
        threshold: up to here the describer's maker takes two faces for one person's; the user is asked.
        cut: two faces of one strip that are further apart are surely two people's.
    """

    joined: float
    jump: float
    threshold: float
    cut: float

    def __post_init__(self) -> None:
        if not 0 < self.joined <= self.jump <= self.threshold <= self.cut:
            raise ValueError(f"Expected 0 < joined ≤ jump ≤ threshold ≤ cut, got {self}.")
