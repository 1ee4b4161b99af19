"""Projections of features: made by a worker, kept by content, drawn by the page."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from dashboard.services import evaluations, jobs, kinds, places, queues
from fer_core.emotions import EMOTIONS8, group_indices
from fer_core.progress import OnProgress, ShouldStop

if TYPE_CHECKING:
    from fer_core.embeddings import Map
    from fer_core.evaluation import Evaluation

Labels = NDArray[np.int64]


@lru_cache(maxsize=8)  # each holds its table
def key_of(evaluation: Evaluation, method: str, dimensions: int, seed: int) -> str:
    """What names the map of a table's features."""
    from fer_core.embeddings import map_key

    return map_key(evaluation.features, *_classes(evaluation), method, dimensions, seed)


def _classes(evaluation: Evaluation) -> tuple[Labels, Labels]:
    """The data set's own labels, and their groups; -1 where there is none."""
    labels = evaluation.labels[evaluation.own]
    return labels, np.where(labels >= 0, group_indices(EMOTIONS8)[labels], -1)


def found(key: str) -> Map | None:
    """A map that is there, or None.

    Raises:
        InputError: that is no key.
    """
    path = places.below("maps") / f"{key}.safetensors"
    return _load(key, path.stat().st_mtime_ns if re.fullmatch("[0-9a-f]{64}", key) and path.is_file() else 0)


@lru_cache(maxsize=8)
def _load(key: str, changed: int) -> Map | None:
    from fer_core.embeddings import load_map

    return load_map(places.below("maps"), key)


def ask(checkpoint: str, table: str, method: str, dimensions: int, seed: int) -> str:
    """Queue a map, unless it is being made; returns the job."""
    key = key_of(evaluations.evaluation(checkpoint, table), method, dimensions, seed)
    running = jobs.of_target(key, kinds.MAP.name)
    if running is not None and running.state in jobs.ACTIVE:
        return running.id
    request = kinds.MapRequest(checkpoint, table, method, dimensions, seed)
    return queues.ask(kinds.MAP, request, name=f"{method} of {checkpoint} on {table}", target=key)


def make(asked: kinds.MapRequest, *, progress: OnProgress, should_stop: ShouldStop) -> None:
    """The worker's part of ``ask``.

    Raises:
        CheckpointError, InputError, Cancelled: as their messages say.
    """
    from fer_core.embeddings import make_map, save_map

    table = evaluations.evaluation(asked.checkpoint, asked.table)
    made = make_map(
        table.features, *_classes(table), asked.method, asked.dimensions, asked.seed, progress=progress,
        should_stop=should_stop,
    )  # fmt: skip
    save_map(places.below("maps"), made)
