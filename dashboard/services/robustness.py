"""Tables of robustness: found, read once and kept."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from dashboard.services import checkpoints, places
from fer_core.errors import CheckpointError
from fer_core.evaluation.robustness import (
    RECORD,
    TABLE,
    Setting,
    Summary,
    by_strength,
    read_table,
    setting_of,
    summarize,
)
from fer_core.models.folders import checkpoint_named, file_sha256, weights_in

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False)
class Measured:
    """What a checkpoint bears: ``accuracy`` and ``macro_recall`` (0-1) have a row for each corruption and a column for
    each strength."""

    checkpoint: str
    setting: Setting
    summary: Summary
    accuracy: pd.DataFrame
    macro_recall: pd.DataFrame


def measured(checkpoint: str) -> Measured | None:
    """The table of a checkpoint; of a shipped one and one made here the newer counts. None where there is none.

    Raises:
        CheckpointError: no such checkpoint, or a file is damaged.
    """
    folders = (checkpoint_named(checkpoint), places.below("evaluations") / checkpoint)
    there = {folder: changed for folder in folders if (changed := _changed(folder)) is not None}
    if not there:
        return None
    newest = max(there, key=lambda folder: max(there[folder]))
    return _read(checkpoint, str(newest), there[newest])


def _changed(folder: Path) -> tuple[int, ...] | None:
    """When the two files were changed, 0 for one that is missing; None where both are."""
    paths = [folder / name for name in (TABLE, RECORD)]
    times = tuple(path.stat().st_mtime_ns if path.is_file() else 0 for path in paths)
    return times if any(times) else None


@lru_cache(maxsize=64)
def _read(checkpoint: str, folder: str, changed: tuple[int, ...]) -> Measured:
    table = read_table(Path(folder))
    if len(table) == 1:
        raise CheckpointError(f"{Path(folder).name}/{TABLE} has clean pictures only. Measure again.")
    return Measured(
        checkpoint, setting_of(table), summarize(table), by_strength(table), by_strength(table, "macro_recall")
    )


def is_outdated(found: Measured) -> bool:
    """Whether the checkpoint has other weights now than those that were measured.

    Raises:
        CheckpointError: the checkpoint is not there any more.
    """
    path = weights_in(checkpoint_named(found.checkpoint))
    return path is not None and file_sha256(path) != found.setting.weights_sha256


def everybody() -> list[Measured]:
    """Every checkpoint that was measured, the highest mean corruption accuracy first; damaged tables are left out."""
    tables = []
    for entry in checkpoints.entries():
        try:
            tables.append(measured(entry.name))
        except CheckpointError:
            continue
    return sorted(filter(None, tables), key=lambda each: -each.summary.corrupted)
