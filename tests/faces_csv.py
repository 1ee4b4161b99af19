"""FER2013 in miniature: drawn faces in the layout of the Kaggle challenge, with FER+ votes."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pandas as pd
from numpy.typing import NDArray

FERPLUS_COLUMNS = (
    "neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt", "unknown", "NF",
)  # fmt: skip
FERPLUS_OF_FER2013 = (4, 5, 6, 1, 3, 2, 0)
"""Column of ``FERPLUS_COLUMNS`` for every FER2013 code."""


def draw_face(emotion: int, random: np.random.Generator) -> NDArray[np.uint8]:
    """A cartoon, grey (48, 48), whose mouth and brows tell the FER2013 code apart."""
    face = np.full((48, 48), int(random.integers(60, 110)), np.uint8)
    cv2.ellipse(face, (24, 26), (17, 21), 0, 0, 360, int(random.integers(150, 220)), -1)
    tilt, open_px, bend = (emotion - 3) * 2, 1 + 2 * (emotion % 3), (emotion % 4 - 1.5) * 3
    for side in (-1, 1):
        cv2.circle(face, (24 + side * 7, 20), 2, 20, -1)
        cv2.line(face, (24 + side * 4, 14 + tilt), (24 + side * 10, 14 - tilt), 40, 2)
    curve = [(24 + x, round(36 + bend * (x / 8) ** 2)) for x in range(-8, 9)]
    cv2.polylines(face, [np.array(curve, np.int32)], False, 30, open_px)
    return np.clip(face + random.normal(0, 6, face.shape), 0, 255).astype(np.uint8)


def write_fer2013_csv(folder: Path, *, n_training: int, n_test: int) -> Path:
    """Write ``fer2013.csv`` and ``fer2013new.csv``; ``n_test`` pictures each for public and private test."""
    random = np.random.default_rng(0)
    usage = ["Training"] * n_training + ["PublicTest"] * n_test + ["PrivateTest"] * n_test
    emotion = np.arange(len(usage)) % 7
    pixels = [" ".join(map(str, draw_face(int(code), random).ravel())) for code in emotion]
    pd.DataFrame({"emotion": emotion, "pixels": pixels, "Usage": usage}).to_csv(folder / "fer2013.csv", index=False)
    votes = pd.DataFrame(0, index=range(len(usage)), columns=list(FERPLUS_COLUMNS))
    for row, code in enumerate(emotion):
        votes.iloc[row, FERPLUS_OF_FER2013[code]] = 8
        votes.iloc[row, 8] = 2
    votes.insert(0, "Image name", [f"fer{i:07d}.png" for i in range(len(usage))])
    votes.insert(0, "Usage", usage)
    votes.to_csv(folder / "fer2013new.csv", index=False)
    return folder
