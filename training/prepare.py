"""From data sets to arrays: what a recipe trains on, chooses on and tests on, cut and scaled once.

Pictures become squares of ``crop.source`` pixels, one file a side in the run's folder (``training.reading``), which a
resumed run opens again. No picture and no person stands on two sides.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fer_core.data import DataSet, FaceSet, open_dataset
from fer_core.data.locate import find_dataset
from fer_core.data.mixture import at_most
from fer_core.data.splits import pixel_hashes, without_copies
from fer_core.errors import DataError
from fer_core.models.card import PART
from fer_core.models.pca import Pca
from training.held_out import held_out_rows, held_sets
from training.reading import HowToRead, Pixels, Side, read_side, take_rows, unreadable_in
from training.recipe import EnsembleRecipe, Recipe
from training.settings import Data, Part

Roots = Mapping[str, Path]
"""Where data sets are, by the name that recipes give them."""


@dataclass(frozen=True)
class ChosenPictures:
    """The pictures of a recipe before any is decoded: one ``FaceSet`` for each part, with the labels of the recipe."""

    train: list[FaceSet]
    choose: list[FaceSet]
    test: list[FaceSet]

    def parts(self) -> list[FaceSet]:
        """All of them."""
        return [*self.train, *self.choose, *self.test]


def find_all(data: Data, given: Mapping[str, Path]) -> Roots:
    """Folder of every data set of a recipe; those not ``given`` are looked for in ``FER_DATA``.

    Raises:
        DataError: one is not there, or one that no part names is given.
    """
    if unknown := set(given) - set(data.names):
        raise DataError(f"The recipe has no data set {sorted(unknown)[0]!r}; it has {', '.join(data.names)}.")
    return {name: find_dataset(name, given.get(name)) for name in data.names}


def choose_pictures(recipe: Recipe | EnsembleRecipe, roots: Roots, *, limit: int | None = None) -> ChosenPictures:
    """Which pictures a recipe trains on, chooses on and tests on.

    Pictures of the test side are taken first, then those of the training side; people who are known stand on one side
    only. ``limit`` takes so many pictures of every part, evenly spread.

    Raises:
        DataError: a data set or split is missing, or nothing is left to train on.
    """
    opened = {name: open_dataset(root, name) for name, root in roots.items()}
    taken: list[FaceSet] = []
    found: dict[str, list[FaceSet]] = {}
    for side in ("test", "train", "choose"):
        parts: Sequence[Part] = getattr(recipe.data, side)
        found[side] = [_part(part, opened[part.dataset], recipe, taken, limit) for part in parts]
        taken += found[side]
    for side in ("train", "choose", "test"):
        if getattr(recipe.data, side) and not any(len(each) for each in found[side]):
            why = [f"{each.name}, {each.split}: {dict(each.left_out)}" for each in found[side]]
            raise DataError(f"{recipe.name}: no picture is left to {side} on ({'; '.join(why)}).")
    for side in ("choose", "test"):
        found[side] = [
            _named(faces, opened[part.dataset])
            for faces, part in zip(found[side], getattr(recipe.data, side), strict=True)
        ]
    return ChosenPictures(**found)


def _named(faces: FaceSet, data: DataSet) -> FaceSet:
    """A split that is not whole is called so, wherever its figures go."""
    return (
        faces if len(faces) == len(data.read(faces.split)) else dataclasses.replace(faces, split=f"{faces.split}{PART}")
    )


def _part(
    part: Part, data: DataSet, recipe: Recipe | EnsembleRecipe, taken: Sequence[FaceSet], limit: int | None
) -> FaceSet:
    faces = data.read(part.split)
    known = faces.labels < recipe.data.labels
    taught = np.isin(faces.labels, recipe.data.taught)
    is_free = _is_free(faces, taken)
    rows = np.flatnonzero(taught & is_free)
    free = len(rows)
    if part.per_class and len(rows):
        rows = rows[at_most(faces.labels[rows], faces.subjects[rows], part.per_class, seed=recipe.seed)]
    if limit is not None and limit < len(rows):
        rows = rows[np.linspace(0, len(rows) - 1, limit).astype(np.int64)]
    left = {
        **faces.left_out,
        "labelled contempt": int((~known).sum()),
        "of other classes": int((known & ~taught).sum()),
        "on another side": int((taught & ~is_free).sum()),
        "not drawn": free - len(rows),
    }
    return dataclasses.replace(faces.take(rows), left_out={why: n for why, n in left.items() if n})


def _is_free(faces: FaceSet, taken: Sequence[FaceSet]) -> NDArray[np.bool_]:
    """Which pictures, and their people, are on no side yet (n,)."""
    mine = [each for each in taken if each.name == faces.name]
    splits = {each.split for each in mine}
    same = splits & {faces.split, "all"} or (splits if faces.split == "all" else set())
    ids = np.concatenate([each.ids for each in mine if each.split in same] or [np.zeros(0, np.str_)])
    people = np.concatenate([each.subjects for each in mine] or [np.zeros(0, np.str_)])
    return ~np.isin(faces.ids, ids) & ~np.isin(faces.subjects, people[people != ""])


def mean_and_std(images: Pixels) -> tuple[list[float], list[float]]:
    """Mean and standard deviation of each channel, pixels in 0-1, four decimals."""
    n_channels = 1 if images.ndim == 3 else 3
    counts = np.zeros((n_channels, 256), np.int64)
    for start in range(0, len(images), 1024):
        flat = images[start : start + 1024].reshape(-1, n_channels)
        counts += np.stack([np.bincount(flat[:, i], minlength=256) for i in range(n_channels)])
    values, shares = np.arange(256) / 255, counts / counts.sum(axis=1, keepdims=True)
    means = [float(share @ values) for share in shares]
    spreads = [float(np.sqrt(share @ (values - mean) ** 2)) for share, mean in zip(shares, means, strict=True)]
    return [round(each, 4) for each in means], [max(round(each, 4), 1e-3) for each in spreads]


@dataclass(frozen=True)
class PreparedData:
    """Everything that a run needs of its data.

    Attributes:
        recipe: with mean and std filled in where they were left out.
        train, choose: pictures mapped from files; in memory, after PCA, where the recipe has it.
        seen: the training pictures before PCA.
        choose_sets, test_sets: the same pictures as data sets, to be evaluated one by one as any others.
        sha256: of the recipe as it was given.
        skip_unreadable: whether unreadable pictures are left out.
        pca: fitted on ``train``, None without.
        unreadable: what was wrong with those that were, over all sides.
    """

    recipe: Recipe
    train: Side
    choose: Side
    seen: Side
    choose_sets: list[FaceSet]
    test_sets: list[FaceSet]
    sha256: str
    skip_unreadable: bool = False
    pca: Pca | None = None
    unreadable: Sequence[str] = ()


def prepare(
    recipe: Recipe,
    chosen: ChosenPictures,
    folder: Path,
    *,
    fold: int | None = None,
    how: HowToRead = HowToRead(),
) -> PreparedData:
    """Read what a recipe trains and chooses on into ``folder``.

    Args:
        recipe: see ``training.recipe``.
        chosen: its pictures, from ``choose_pictures``.
        folder: where decoded pictures are kept.
        fold: which of the recipe's folds is held out, from 0.
        how: the pictures are read.

    Raises:
        DataError: data are missing, unreadable or too few; the message says which.
    """

    def read(name: str) -> Side:
        return read_side(getattr(chosen, name), recipe.crop, recipe.input.channels, folder / f"{name}.npy", how)

    train, path = read("train"), folder / "train.npy"
    if recipe.data.choose:
        choose, choose_sets = read("choose"), chosen.choose
    else:
        rows, held = held_out_rows(train.labels, train.subjects, np.asarray(train.images), recipe, fold)
        choose_sets = held_sets(chosen.train, train.ids[held])
        choose = take_rows(train, held, path, folder / "held_out.npy", how)
        train, path = take_rows(train, rows, path, folder / "taught.npy", how), folder / "taught.npy"
    test = [read("test")] if chosen.test else []  # also to find what is unreadable before training
    if recipe.data.drop_copies:
        others = np.concatenate([pixel_hashes(side.images) for side in (choose, *test)])
        rows = without_copies(pixel_hashes(train.images), others)
        train = take_rows(train, rows, path, folder / "without_copies.npy", how)
    seen = train
    pca = Pca.fit(train.images, recipe.pca) if recipe.pca else None
    if pca is not None:
        train, choose = (dataclasses.replace(side, images=pca.reconstruct(side.images)) for side in (train, choose))
    measured = recipe
    if not recipe.input.mean:
        mean, std = mean_and_std(train.images)
        measured = dataclasses.replace(recipe, input=dataclasses.replace(recipe.input, mean=mean, std=std))
    unreadable = [each for side in ("train", "choose", "test") for each in unreadable_in(folder / f"{side}.npy")]
    return PreparedData(
        measured, train, choose, seen, choose_sets, chosen.test, recipe.sha256, how.skip_unreadable, pca, unreadable
    )
