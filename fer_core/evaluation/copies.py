"""Test pictures that are pixel copies of training pictures, so that figures can be given without them.

FER2013 holds many. Their row numbers are published in ``fer2013-copies.json`` beside this file;
``python -m fer_core copies`` finds them again in the pictures.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fer_core.data import DataSet, FaceSet
from fer_core.data.splits import pixel_hashes
from fer_core.errors import DataError

PUBLISHED = Path(__file__).with_name("fer2013-copies.json")
MAX_TRAINING = 50_000
"""Larger training splits are not read to look for copies."""


def copies_of(faces: FaceSet, data: DataSet | None = None) -> NDArray[np.bool_] | None:
    """Which pictures of a split are copies of training pictures (n,); None where nobody knows.

    Known rows of FER2013 are looked up; otherwise the training split of ``data`` is compared, where it has one of at
    most ``MAX_TRAINING`` cut faces.

    Raises:
        DataError: a picture cannot be read.
    """
    known = np.array(published_copies(faces.name, faces.split), str)
    if len(known) and np.isin(known, faces.ids).all():
        return np.isin(faces.ids, known)
    split = training_split(data) if data is not None else None
    if data is None or split in (None, faces.split) or not faces.cut:
        return None
    training = data.read(split)
    return find_copies(faces, training) if len(training) <= MAX_TRAINING else None


def training_split(data: DataSet) -> str | None:
    """The split that is there to train on; None where there is none."""
    return next((name for name in ("training", "train") if name in data.splits), None)


@cache
def published_copies(dataset: str, split: str) -> tuple[int, ...]:
    """Published row numbers of copies in a split; empty where none are published."""
    rows: dict[str, list[int]] = json.loads(PUBLISHED.read_text(encoding="utf-8")) if dataset == "fer2013" else {}
    return tuple(rows.get(split, ()))


def find_copies(faces: FaceSet, training: FaceSet) -> NDArray[np.bool_]:
    """Which pictures of ``faces`` equal one of ``training`` in size and every pixel (n,).

    Raises:
        DataError: a picture of ``faces`` cannot be read; unreadable ones of ``training`` are left out.
    """
    hashes = pixel_hashes(faces.picture(i) for i in range(len(faces)))
    return np.isin(hashes, list(_readable_hashes(training)))


def _readable_hashes(faces: FaceSet) -> set[str]:
    found = set()
    for i in range(len(faces)):
        try:
            found.update(pixel_hashes([faces.picture(i)]).tolist())
        except DataError:
            continue  # it was not trained on either
    return found
