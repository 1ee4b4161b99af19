"""FER2013 in miniature: drawn faces in the layout of the Kaggle challenge, with FER+ votes."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from fer_core.data import VOTES, LabelledFaces
from fer_core.data.drawn import draw_face, grey, write_csv
from fer_core.data.drawn.fer2013 import FERPLUS_COLUMNS
from fer_core.emotions import EMOTIONS

__all__ = ["FERPLUS_COLUMNS", "write_fer2013_csv"]


def write_fer2013_csv(folder: Path, *, n_training: int, n_test: int) -> Path:
    """Write ``fer2013.csv`` and ``fer2013new.csv``; ``n_test`` pictures each for public and private test.

    Labels are 0, 1, … 6, 0, …; eight of ten say the same, two cannot say.
    """
    random, splits = np.random.default_rng(0), {}
    ends = np.cumsum([n_training, n_test, n_test])
    for split, rows in zip(
        ("training", "public_test", "private_test"), np.split(np.arange(ends[-1]), ends[:-1]), strict=True
    ):
        emotion = rows % len(EMOTIONS)
        images = np.stack([grey(draw_face(int(code), random)) for code in emotion])
        votes = 8 * np.eye(len(VOTES), dtype=np.int64)[emotion]
        votes[:, VOTES.index("unknown")] = 2
        splits[split] = LabelledFaces(rows.astype(str), images, emotion, votes)
    return write_csv(folder, splits)
