"""Pictures that are kept back from training to choose on, where a recipe names no split for that."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from fer_core.data import FaceSet
from fer_core.data.mixture import Mixture
from fer_core.data.splits import folds, groups_of, hold_out, pixel_hashes
from fer_core.errors import DataError
from fer_core.evaluation.duplicates import near_duplicates
from fer_core.models.preprocess import as_channels
from training.recipe import Recipe

MAX_COMPARED = 50_000
"""Pictures that are compared with each other, every pair of them."""
HELD_OUT = "held_out"
"""The split of pictures that were kept back from training."""


def held_out_rows(
    labels: NDArray[np.int64], subjects: NDArray[np.str_], images: NDArray[np.uint8], recipe: Recipe, fold: int | None
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows of n pictures to train on and rows held out; people and pictures that look the same stay together.

    Raises:
        DataError: no such fold, or too few groups.
    """
    groups = groups_of(len(labels), subjects, _alike(as_channels(images, 1)))
    if not recipe.data.folds:
        return hold_out(labels, recipe.data.held_out, seed=recipe.seed, groups=groups)
    if fold is None or not 0 <= fold < recipe.data.folds:
        last = recipe.data.folds - 1
        raise DataError(f"{recipe.name} has {recipe.data.folds} folds; choose one with --fold 0 to {last}.")
    return folds(labels, recipe.data.folds, seed=recipe.seed, groups=groups)[fold]


def _alike(grey: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Pairs (m, 2) of pictures that look the same; of very many pictures only those whose pixels are equal."""
    if len(grey) <= MAX_COMPARED:
        found = near_duplicates(grey)[["first", "second"]].to_numpy()
        return np.asarray(found, np.int64)
    _, first, same = np.unique(pixel_hashes(grey), return_index=True, return_inverse=True)
    return np.stack([first[same], np.arange(len(grey))], axis=1)


def held_sets(parts: Sequence[FaceSet], wanted: NDArray[np.str_]) -> list[FaceSet]:
    """The held-out pictures of every part, by their ids, as data sets of their own."""
    found = []
    for faces in parts:
        rows = np.flatnonzero(np.isin(Mixture((faces,)).ids, wanted))
        if len(rows):
            found.append(dataclasses.replace(faces.take(rows), split=HELD_OUT))
    return found
