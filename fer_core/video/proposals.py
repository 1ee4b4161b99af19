"""Who may be one person, as the descriptors of their faces say and nobody has decided yet."""

from __future__ import annotations

from typing import NamedTuple

from fer_core.errors import StoreError
from fer_core.video.edits import two
from fer_core.video.store import Analysis


class Proposal(NamedTuple):
    """Two people, the lower number first, and the mean distance of their faces' descriptors."""

    person: int
    other: int
    distance: float

    def likeness(self, joined: float, threshold: float) -> str:
        """The distance in plain words, between those up to which people are joined and proposed."""
        share = (self.distance - joined) / max(threshold - joined, 1e-9)
        return "very much alike" if share <= 1 / 3 else "much alike" if share <= 2 / 3 else "somewhat alike"


def proposals(analysis: Analysis) -> list[Proposal]:
    """What is left to be decided, the nearest first: neither merged since nor told apart, and both still there.

    Raises:
        StoreError: ``people.json`` or ``edits.json`` is damaged.
    """
    recognition, state = analysis.recognition, analysis.state
    if recognition is None:
        return []
    there, now = set(analysis.tracks), dict[int, int]()
    for step in state.steps:
        if step["do"] == "merge":
            now = {old: step["into"] if new == step["person"] else new for old, new in now.items()}
            now[step["person"]] = step["into"]
    found: dict[tuple[int, int], float] = {}
    try:
        for each in recognition["proposals"]:
            pair = two(*(now.get(each[key], each[key]) for key in ("person", "other")))
            found.setdefault(pair, float(each["distance"]))
    except (KeyError, TypeError, ValueError) as error:
        raise StoreError(f"{analysis.id}/people.json is damaged ({error}). Run the analysis again.") from error
    return [
        Proposal(a, b, distance) for (a, b), distance in found.items()
        if a != b and {a, b} <= there and (a, b) not in state.apart
    ]  # fmt: skip


__all__ = ["Proposal", "proposals"]
