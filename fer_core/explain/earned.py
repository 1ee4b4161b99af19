"""Whether a network's heatmaps earn belief: the figures that ``python -m benchmarks.heatmaps --write`` keeps with it.

Needs no torch, so that pages can say it before a network is loaded.
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from fer_core.errors import CheckpointError
from fer_core.models.folders import file_sha256, weights_in

HEATMAPS = "heatmaps.json"
MIN_POINTING, MIN_MOUTH = 0.70, 0.75
"""Least shares of maps whose hottest place lies where covering costs most, and on the mouth of clear smiles."""
MAX_BYTES = 100_000


@dataclass(frozen=True)
class Figures:
    """What was measured of the maps that the pages show of a network; how, is told in ``docs/inspection.md``.

    Attributes:
        weights_sha256: of the network's weights; "" where they are in no file.
        method, layer: how the maps were made.
        faces, smiles, checked: how many pictures the figures are of.
        pointing: share of maps whose hottest place lies in the tenth of the view over which covering costs most.
        fixed: the same for one map for all faces.
        mouth: share of clear smiles whose map is hottest on the mouth.
        gain, gain_random, gain_fixed: insertion minus deletion in logits, of the maps, of random and fixed ones.
        check: share of maps that stood ``fer_core.explain.sanity``.
    """

    HEAD: ClassVar[tuple[str, ...]] = (
        "pointing", "fixed map", "mouth", "gain", "of random places", "of the fixed map", "check", "earns belief"
    )  # fmt: skip

    weights_sha256: str
    method: str
    layer: str
    faces: int
    smiles: int
    checked: int
    pointing: float
    fixed: float
    mouth: float
    gain: float
    gain_random: float
    gain_fixed: float
    check: float

    def __post_init__(self) -> None:
        shares = (self.pointing, self.fixed, self.mouth, self.check)
        gains = (self.gain, self.gain_random, self.gain_fixed)
        texts = (self.weights_sha256, self.method, self.layer)
        if not all(isinstance(each, str) for each in texts) or not all(
            isinstance(each, int) and each >= 0 for each in (self.faces, self.smiles, self.checked)
        ):
            raise CheckpointError(f"expected a hash, a method, a layer and three counts, got {self}.")
        if not all(isinstance(each, int | float) for each in (*shares, *gains)) or not all(
            0 <= each <= 1 for each in shares
        ):
            raise CheckpointError(f"expected shares of 0-1 and gains, got {shares} and {gains}.")

    @property
    def doubt(self) -> str:
        """Why its maps should not be relied on, in a sentence; "" where they earn belief."""
        found = []
        if self.pointing < MIN_POINTING:
            found.append(
                f"their hottest place is among those that count most in {self.pointing:.0%} of faces "
                f"(expected {MIN_POINTING:.0%})"
            )
        if self.pointing <= self.fixed:
            found.append(f"one map for all faces points as well ({self.fixed:.0%})")
        if self.mouth < MIN_MOUTH:
            found.append(f"on clear smiles it is the mouth in {self.mouth:.0%} (expected {MIN_MOUTH:.0%})")
        if self.gain <= max(self.gain_random, self.gain_fixed):
            found.append("random places, or one map for all faces, find what counts as well")
        return f"Heatmaps of this network do not earn belief: {'; '.join(found)}." if found else ""

    def cells(self) -> list[str]:
        """A row of a table under ``HEAD``."""
        shares = [f"{each:.0%}" for each in (self.pointing, self.fixed, self.mouth)]
        gains = [f"{each:.2f}" for each in (self.gain, self.gain_random, self.gain_fixed)]
        return [*shares, *gains, f"{self.check:.0%} of {self.checked}", "no" if self.doubt else "yes"]

    def to_json(self) -> str:
        """The text of ``heatmaps.json``."""
        return json.dumps(dataclasses.asdict(self), indent=2) + "\n"


def read_figures(folder: Path) -> Figures | None:
    """The figures in a checkpoint's folder; None where nobody measured them.

    Raises:
        CheckpointError: the file is damaged.
    """
    path = folder / HEATMAPS
    if not path.is_file():
        return None
    where = f"{folder.name}/{HEATMAPS}"
    try:
        if path.stat().st_size > MAX_BYTES:
            raise CheckpointError("it is larger than 100 kB.")
        return Figures(**json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError, RecursionError, CheckpointError) as error:
        again = f"measure again with 'python -m benchmarks.heatmaps {folder.name} --write', or delete it."
        raise CheckpointError(f"{where} cannot be read ({error}); {again}") from error


def doubt_of(folder: Path) -> str:
    """Why the heatmaps of the network in a checkpoint's folder should not be relied on, in a sentence; "" where they
    earn belief.

    Raises:
        CheckpointError: its figures are damaged.
    """
    figures, weights = read_figures(folder), weights_in(folder)
    if figures is None or weights is None or file_sha256(weights) != figures.weights_sha256:
        again = f"'python -m benchmarks.heatmaps {folder.name} --write' does"
        return f"Nobody measured whether heatmaps of this network earn belief; {again}."
    return figures.doubt
