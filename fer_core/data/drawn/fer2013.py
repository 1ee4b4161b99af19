"""Writers of FER2013's three layouts, with the names that Kaggle and FER+ use; ``fer_core.data.fer2013`` reads them."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from fer_core.data.drawn.files import save_picture
from fer_core.data.ferplus import FERPLUS, FERPLUS_ORDER
from fer_core.data.pictures import as_png
from fer_core.data.records import VOTES, LabelledFaces
from fer_core.emotions import EMOTIONS

Splits = Mapping[str, LabelledFaces]
"""Faces of 48×48 by ``training``, ``public_test``, ``private_test``; their ids are the numbers of their rows, from 0
in the first split on."""
FERPLUS_COLUMNS: tuple[str, ...] = (*FERPLUS.names, *(own for own, _ in FERPLUS.no_emotion.values()))
"""The columns of votes in ``fer2013new.csv``."""
_VOTES_ORDER = [VOTES.index(name) for name in FERPLUS_ORDER]


def usage(split: str) -> str:
    """Kaggle's name of a split: ``PublicTest`` for ``public_test``."""
    return split.title().replace("_", "")


def write_csv(folder: Path, splits: Splits) -> Path:
    """Write ``fer2013.csv``, and ``fer2013new.csv`` if all splits have votes."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = [
        (int(emotion), " ".join(map(str, image.ravel().tolist())), usage(split))
        for split, faces in splits.items()
        for emotion, image in zip(faces.emotion, faces.images, strict=True)
    ]
    _write(folder / "fer2013.csv", ("emotion", "pixels", "Usage"), rows)
    if all(faces.has_votes for faces in splits.values()):
        votes = [
            (usage(split), f"fer{int(row):07d}.png", *counts)
            for split, faces in splits.items()
            for row, counts in zip(faces.ids, faces.votes[:, _VOTES_ORDER].tolist(), strict=True)
        ]
        _write(folder / "fer2013new.csv", ("Usage", "Image name", *FERPLUS_COLUMNS), votes)
    return folder


def _write(path: Path, names: tuple[str, ...], rows: list[tuple]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([names, *rows])


def write_parquet(folder: Path, splits: Splits, *, row_group_size: int = 1000) -> Path:
    """Write ``training.parquet``, … with the pictures as PNG."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    folder.mkdir(parents=True, exist_ok=True)
    for split, faces in splits.items():
        columns = {
            "row": faces.ids.astype(np.int64),
            "emotion": faces.emotion,
            "image": [as_png(image)[0] for image in faces.images],
        }
        votes = {f"votes_{name}": faces.votes[:, i].astype(np.int8) for i, name in enumerate(VOTES) if faces.has_votes}
        pq.write_table(pa.table(columns | votes), folder / f"{split}.parquet", row_group_size=row_group_size)
    return folder


def write_folders(folder: Path, splits: Splits, *, suffix: str = ".jpg") -> Path:
    """Write ``train/happy/Training_3.jpg``, … and ``test/`` with both test splits, as Kaggle has them."""
    for split, faces in splits.items():
        parent = folder / ("train" if split == "training" else "test")
        for row, emotion, image in zip(faces.ids, faces.emotion, faces.images, strict=True):
            save_picture(parent / EMOTIONS[emotion] / f"{usage(split)}_{row}{suffix}", image)
    return folder
