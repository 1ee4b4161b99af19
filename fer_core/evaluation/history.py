"""Learning curves of a run, from the ``history.csv`` of its checkpoint folder."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fer_core.errors import CheckpointError

FILE = "history.csv"
SIDES: tuple[str, ...] = ("train", "choose")
"""Training side, and the side on which a run is judged while it goes on; columns begin with one of them."""
_OWN, _FERPLUS = "own", "ferplus"


@dataclass(frozen=True, eq=False)
class History:
    """What a run measured after each of its n epochs; n = 0 where nothing is kept.

    Attributes:
        epochs: int64 (n,), rising, from 1.
        columns: name → float64 (n,), NaN where a value is missing: ``choose_own_accuracy`` (0-1), ``train_own_loss``
            (nats), ``minutes`` since the start; instead of ``own`` the label set in older files.

    Raises:
        CheckpointError: epochs that do not rise from 1, or columns of another length.
    """

    epochs: NDArray[np.int64]
    columns: Mapping[str, NDArray[np.float64]]

    def __post_init__(self) -> None:
        if len(self.epochs) and (self.epochs[0] < 1 or (np.diff(self.epochs) < 1).any()):
            raise CheckpointError(f"expected epochs that rise from 1, got {self.epochs[:5].tolist()} …")
        if any(values.shape != self.epochs.shape for values in self.columns.values()):
            raise CheckpointError(f"expected {len(self.epochs)} values in each column.")

    def __len__(self) -> int:
        return len(self.epochs)

    def curve(self, side: str, metric: str, labels: str) -> NDArray[np.float64] | None:
        """``accuracy`` or ``loss`` of a side under the labels that a checkpoint is taught, float64 (n,); None where
        the run did not measure it."""
        target = _FERPLUS if labels.startswith(_FERPLUS) else _OWN
        names = (f"{side}_{each}_{metric}" for each in (target, labels))
        return next((self.columns[name] for name in names if name in self.columns), None)

    def at(self, epoch: int) -> int:
        """Row of an epoch, or of the last one before it; -1 where there is none."""
        return int(np.searchsorted(self.epochs, epoch, side="right")) - 1


def read_history(folder: Path) -> History:
    """The learning curves in a checkpoint folder, or of a file of them; none where there is no file.

    Raises:
        CheckpointError: the file is damaged; the message names it.
    """
    path = folder / FILE if folder.suffix != ".csv" else folder
    if not path.is_file():
        return History(np.zeros(0, np.int64), {})
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        epochs = np.array([int(row["epoch"]) for row in rows], np.int64)
        names = [name for name in (rows[0] if rows else {}) if name != "epoch"]
        return History(epochs, {name: np.array([_number(row[name]) for row in rows]) for name in names})
    except (OSError, ValueError, TypeError, KeyError, csv.Error, CheckpointError) as error:
        raise CheckpointError(f"{path.parent.name}/{path.name} cannot be read as learning curves ({error}).") from error


def _number(text: str | None) -> float:
    return float(text) if text else math.nan
