"""Drawn data sets with the names and tables of the real ones, so that everything that reads them can be tried.

They hold no more than the readers of ``fer_core.data`` look at: no landmarks, no intensities of action units.
"""

from __future__ import annotations

import csv
import difflib
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fer_core.data.affectnet import AFFECTNET, COLUMNS
from fer_core.data.ckplus import CKPLUS, EMOTION, IMAGES
from fer_core.data.drawn.faces import (
    Box,
    draw_background,
    draw_face,
    draw_person,
    draw_photo,
    grey,
    shown_emotions,
)
from fer_core.data.drawn.fer2013 import Splits, write_csv, write_folders, write_parquet
from fer_core.data.drawn.files import save_picture
from fer_core.data.fer2013 import FER2013, FER2013_PX
from fer_core.data.kdef import KDEF
from fer_core.data.layout import Layout
from fer_core.data.layouts import open_dataset
from fer_core.data.rafdb import LIST, RAFDB
from fer_core.data.records import VOTES, DataSet, LabelledFaces, Picture
from fer_core.emotions import CONTEMPT, EMOTIONS, EMOTIONS8
from fer_core.errors import DataError

Random = np.random.Generator
TAGGERS = 10
_AFFECTNET_PX, _RAFDB_PX, _FOLDERS_PX = 96, 100, 64
_KDEF_SIZE, _CKPLUS_SIZE = (187, 254), (213, 163)  # a third of the published ones
_CKPLUS_FRAMES = 3
_NEUTRAL = np.eye(len(EMOTIONS8))[EMOTIONS8.index("neutral")]


class Drawing(NamedTuple):
    """``told`` is what it is in words, ``draw`` writes it into a folder with so many pictures of each class, of which
    it can take ``most``."""

    told: str
    draw: Callable[[Path, int, Random], object]
    most: int = 100_000


def draw_dataset(layout: str, folder: str | Path, *, per_class: int = 60, seed: int = 0) -> DataSet:
    """Draw a data set.

    Args:
        layout: one of ``DRAWINGS``.
        folder: where it goes; must be empty or not be there.
        per_class: pictures of each class in ``training`` (or ``all``); every other split has a quarter as many, at
            least one.
        seed: the same one draws the same pictures.

    Returns:
        The data set as it is read back.

    Raises:
        DataError: unknown layout, impossible numbers, or the folder is not empty or cannot be written.
    """
    if layout not in DRAWINGS:
        near = difflib.get_close_matches(layout, DRAWINGS, n=1, cutoff=0.0)[0]
        raise DataError(f"Unknown layout {layout!r}; the nearest is {near!r}. Known are {', '.join(DRAWINGS)}.")
    if not 1 <= per_class <= DRAWINGS[layout].most or seed < 0:
        raise DataError(
            f"Expected 1 to {DRAWINGS[layout].most} pictures of each class for {layout} and a seed of 0 or more, "
            f"got {per_class} and {seed}."
        )
    root = Path(folder)
    try:
        root.mkdir(parents=True, exist_ok=True)
        if any(root.iterdir()):
            raise DataError(f"{root} is not empty; choose a new folder, so that nothing of yours is overwritten.")
        DRAWINGS[layout].draw(root, per_class, np.random.default_rng(seed))
    except OSError as error:
        raise DataError(f"{root} cannot be written ({error.strerror or error}); choose another folder.") from error
    return open_dataset(root)


def _fewer(per_class: int) -> int:
    return max(per_class // 4, 1)


def _shuffled(emotions: tuple[str, ...], per_class: int, random: Random) -> list[int]:
    """Indices into ``EMOTIONS8``, each ``per_class`` times."""
    return random.permutation(np.repeat([EMOTIONS8.index(name) for name in emotions], per_class)).tolist()


def _code(layout: Layout, emotion: int) -> str:
    return next(code for code, name in layout.codes.items() if name == EMOTIONS8[emotion])


def _face(emotion: int, random: Random, side_px: int) -> Picture:
    return draw_face(emotion, random, size=(side_px, side_px))


# --- FER2013


def _fer2013(write: Callable[[Path, Splits], Path], root: Path, per_class: int, random: Random) -> None:
    splits: dict[str, LabelledFaces] = {}
    for split in ("training", "public_test", "private_test"):
        n = per_class if split == "training" else _fewer(per_class)
        emotions = np.array(_shuffled(EMOTIONS, n, random))
        shares = [shown_emotions(emotion, random) for emotion in emotions.tolist()]
        images = [grey(draw_face(each, random, size=(FER2013_PX, FER2013_PX))) for each in shares]
        first = sum(map(len, splits.values()))
        ids = np.arange(first, first + len(emotions)).astype(str)
        votes = np.stack([_votes(each, random) for each in shares])
        splits[split] = LabelledFaces(ids, np.stack(images), emotions, votes)
    write(root, splits)


def _votes(shares: NDArray[np.float64], random: Random) -> NDArray[np.int64]:
    """What ten people say who see an emotion more often the more of it is shown; some cannot say."""
    seen = shares**1.5
    chances = np.zeros(len(VOTES))
    chances[: len(EMOTIONS8)] = 0.94 * seen / seen.sum()
    chances[len(EMOTIONS8) :] = 0.05, 0.01
    return random.multinomial(TAGGERS, chances)


# --- AffectNet


def _affectnet_lists(emotions: tuple[str, ...], root: Path, per_class: int, random: Random) -> None:
    """Photos with a face box each, and some that are labelled as no emotion."""
    lists = root / "Manually_Annotated_file_lists"
    lists.mkdir()
    for name, n in (("training", per_class), ("validation", _fewer(per_class))):
        codes = [_code(AFFECTNET, emotion) for emotion in _shuffled(emotions, n, random)]
        codes += [code for code in AFFECTNET.no_emotion for _ in range(_fewer(n))]
        rows: list[tuple[str, ...]] = [_affectnet_row(root, code, i, random) for i, code in enumerate(codes)]
        with (lists / f"{name}.csv").open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([COLUMNS, *rows] if name == "training" else rows)  # the second has no names


def _affectnet_row(root: Path, code: str, i: int, random: Random) -> tuple[str, ...]:
    path = f"{i % 5 + 1}/{random.bytes(16).hex()}.jpg"
    picture, box = _affectnet_photo(code, random)
    save_picture(root / "Manually_Annotated_Images" / path, picture)
    return path, *(map(str, box) if box else ["NULL"] * 4), "", code, "-2", "-2"


def _affectnet_photo(code: str, random: Random) -> tuple[Picture, Box | None]:
    size = int(random.integers(110, 160)), int(random.integers(110, 140))
    if AFFECTNET.reasons.get(code) == "no face":
        return draw_background(random, size), None
    emotion = AFFECTNET.codes.get(code)
    shown = EMOTIONS8.index(emotion) if emotion else random.dirichlet(np.ones(len(EMOTIONS8)))
    return draw_photo(shown, random, size=size)


def _affectnet_arrays(emotions: tuple[str, ...], root: Path, per_class: int, random: Random) -> None:
    for split, n in (("train_set", per_class), ("val_set", _fewer(per_class))):
        (root / split / "annotations").mkdir(parents=True)
        for i, emotion in enumerate(_shuffled(emotions, n, random)):
            save_picture(root / split / "images" / f"{i}.jpg", _face(emotion, random, _AFFECTNET_PX))
            for what, value in (("exp", _code(AFFECTNET, emotion)), ("val", "-2"), ("aro", "-2")):
                np.save(root / split / "annotations" / f"{i}_{what}.npy", np.array(value))


def _affectnet_folders(emotions: tuple[str, ...], root: Path, per_class: int, random: Random) -> None:
    for split, n in (("train_class", per_class), ("val_class", _fewer(per_class))):
        for i, emotion in enumerate(_shuffled(emotions, n, random)):
            folder = f"class{int(_code(AFFECTNET, emotion)) + 1:03d}"
            save_picture(root / split / folder / f"{i:06d}.jpg", _face(emotion, random, _AFFECTNET_PX))


# --- RAF-DB


def _rafdb_faces(per_class: int, random: Random) -> Iterator[tuple[str, str, Picture]]:
    """Name without ending, code and picture of every face."""
    for split, n, digits in (("train", per_class, 5), ("test", _fewer(per_class), 4)):
        for i, emotion in enumerate(_shuffled(EMOTIONS, n, random), 1):
            yield f"{split}_{i:0{digits}d}", _code(RAFDB, emotion), _face(emotion, random, _RAFDB_PX)


def _rafdb(root: Path, per_class: int, random: Random) -> None:
    lines = []
    for name, code, picture in _rafdb_faces(per_class, random):
        save_picture(root / "Image/aligned" / f"{name}_aligned.jpg", picture)
        lines.append(f"{name}.jpg {code}\n")
    (root / "EmoLabel").mkdir()
    (root / "EmoLabel" / LIST).write_text("".join(lines), encoding="utf-8")


def _rafdb_folders(root: Path, per_class: int, random: Random) -> None:
    for name, code, picture in _rafdb_faces(per_class, random):
        save_picture(root / "DATASET" / name.split("_")[0] / code / f"{name}_aligned.jpg", picture)


# --- KDEF and CK+: people who are known


def _kdef(root: Path, per_class: int, random: Random) -> None:
    """Women and men in turn, each in series A and B, from the front."""
    for i in range(-(-per_class // 2)):
        person, who = draw_person(random), f"{'FM'[i % 2]}{i // 2 + 1:02d}"
        for series in "AB"[: per_class - 2 * i]:
            for code, emotion in KDEF.codes.items():
                photo, _ = draw_photo(EMOTIONS8.index(emotion), random, person=person, size=_KDEF_SIZE)
                folder = root / "KDEF_and_AKDEF/KDEF" / f"{series}{who}"
                save_picture(folder / f"{series}{who}{code}S.JPG", photo)


_CKPLUS_SHOWN = tuple(each for each in CKPLUS.classes if each[2] != "neutral")
"""The published emotion files have no neutral one."""


def _ckplus(root: Path, per_class: int, random: Random) -> None:
    """Sequences from neutral to the emotion, one of each emotion for every person."""
    for i in range(per_class):
        person, who = draw_person(random), f"S{i + 1:03d}"
        for code, _, emotion in _CKPLUS_SHOWN:
            where, peak = f"{who}/{int(code):03d}", shown_emotions(EMOTIONS8.index(emotion), random)
            stem = f"{who}_{int(code):03d}"
            for frame in range(1, _CKPLUS_FRAMES + 1):
                share = (frame - 1) / (_CKPLUS_FRAMES - 1)
                shown = share * peak + (1 - share) * _NEUTRAL
                photo, _ = draw_photo(shown, random, person=person, size=_CKPLUS_SIZE)
                save_picture(root / IMAGES / where / f"{stem}_{frame:08d}.png", grey(photo))
            label = root / EMOTION / where / f"{stem}_{_CKPLUS_FRAMES:08d}_emotion.txt"
            label.parent.mkdir(parents=True)
            label.write_text(f"   {float(code):.7e}\n", encoding="utf-8")


def _ckplus_folders(root: Path, per_class: int, random: Random) -> None:
    """The three last frames of every sequence, cut, as the set is passed on."""
    for i in range(-(-per_class // 3)):
        person, who = draw_person(random), f"S{i + 1:03d}"
        for code, own, emotion in _CKPLUS_SHOWN:
            folder = root / "CK+48" / own
            for frame in range(8, 8 + min(3, per_class - 3 * i)):
                face = draw_face(EMOTIONS8.index(emotion), random, person=person, size=(FER2013_PX, FER2013_PX))
                save_picture(folder / f"{who}_{int(code):03d}_{frame:08d}.png", grey(face))


# --- any folders


def _folders(root: Path, per_class: int, random: Random) -> None:
    for split, n in (("train", per_class), ("test", _fewer(per_class))):
        for i, emotion in enumerate(_shuffled(EMOTIONS, n, random)):
            save_picture(root / split / EMOTIONS[emotion] / f"{i:05d}.png", _face(emotion, random, _FOLDERS_PX))


def _affectnet(told: str, draw: Callable[..., None]) -> dict[str, Drawing]:
    """The layout with seven classes and with eight."""
    return {
        f"affectnet{n}-{told.split()[-1]}": Drawing(f"{AFFECTNET.title}, {told}, {n} classes", partial(draw, emotions))
        for n, emotions in ((7, EMOTIONS), (8, (*EMOTIONS, CONTEMPT)))
    }


DRAWINGS: Mapping[str, Drawing] = MappingProxyType(
    {
        "fer2013-csv": Drawing(
            f"{FER2013.title}, Kaggle's fer2013.csv with FER+'s fer2013new.csv", partial(_fer2013, write_csv)
        ),
        "fer2013-folders": Drawing(f"{FER2013.title}, Kaggle's folders", partial(_fer2013, write_folders)),
        "fer2013-parquet": Drawing(
            f"{FER2013.title}, parquet tables with FER+ votes", partial(_fer2013, write_parquet)
        ),
        **_affectnet("photos with lists", _affectnet_lists),
        **_affectnet("faces with label arrays", _affectnet_arrays),
        **_affectnet("faces in folders", _affectnet_folders),
        "rafdb": Drawing(f"{RAFDB.title}, label list and aligned faces", _rafdb, 10_000),
        "rafdb-folders": Drawing(f"{RAFDB.title}, one folder per code", _rafdb_folders, 10_000),
        "kdef": Drawing(f"{KDEF.title}, photos from the front of women and men in two series", _kdef, 396),
        "ckplus": Drawing(f"{CKPLUS.title}, sequences with emotion files", _ckplus, 999),
        "ckplus-folders": Drawing(f"{CKPLUS.title}, cut faces in one folder per emotion", _ckplus_folders, 2997),
        "folders": Drawing("any data set, train/ and test/ with one folder per emotion", _folders),
    }
)
"""What ``draw_dataset`` draws."""
