"""Copies of pictures with contradicting labels; needs the pictures themselves."""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np
import pandas as pd

from dashboard.services import datasets
from dashboard.services.evaluations import Question
from fer_core.data import FaceSet
from fer_core.evaluation import Outcomes, contradictions, near_duplicates

SIDE_PX, MOST = 48, 12_000
"""Pictures of a split that are compared while somebody waits, about two seconds."""


def why_no_pairs(question: Question) -> str:
    """Empty where copies can be looked for, else why not."""
    missing = datasets.why_no_pictures(question.dataset, question.split)
    if missing:
        return missing
    n = len(datasets.faces(question.dataset, question.split))
    if n < 2:
        return "there are fewer than two."
    return f"{n:,} pictures are too many to compare while you wait; use fer_core.evaluation." if n > MOST else ""


def contradicting(question: Question, found: Outcomes) -> list[tuple[str, str]]:
    """Pairs of ids that are nearly the same picture and have different labels in ``found``."""
    ids, pairs = _pairs(datasets.faces(question.dataset, question.split))
    label_of = dict(zip(found.ids.tolist(), found.label.tolist(), strict=True))
    labels = np.array([label_of.get(each, -1) for each in ids], np.int64)
    found_pairs = contradictions(pairs, labels)
    known = (found_pairs["label_first"] >= 0) & (found_pairs["label_second"] >= 0)
    return [(ids[i], ids[j]) for i, j in found_pairs.loc[known, ["first", "second"]].to_numpy()]


@lru_cache(maxsize=4)
def _pairs(faces: FaceSet) -> tuple[list[str], pd.DataFrame]:
    small = [_small(faces.picture(i)) for i in range(len(faces))]
    return [str(each) for each in faces.ids], near_duplicates(np.stack(small))


def _small(picture: np.ndarray) -> np.ndarray:
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY) if picture.ndim == 3 else picture
    return np.asarray(cv2.resize(grey, (SIDE_PX, SIDE_PX), interpolation=cv2.INTER_AREA))
