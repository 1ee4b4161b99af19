"""The columns that every checkpoint gives, without loading a network."""

from __future__ import annotations

from fer_core.signals.column import Column

DOUBTS = (
    Column(
        "distance",
        "distance of the face's features from the training pictures; above 1 is farther than 99 % of those",
        least=0,
    ),
    Column("occlusion", "probability that a part of the face is covered, 0-1", least=0, most=1),
)
"""What a checkpoint's reference says about each face, see ``fer_core.models.reference``."""


def probability(label: str) -> Column:
    """The column of an emotion: ``p_happy``."""
    return Column(f"p_{label}", f"calibrated probability of {label}, 0-1", least=0, most=1, smooths=True)
