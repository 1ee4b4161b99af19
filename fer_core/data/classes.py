"""What each data set calls its classes, and which of our labels they become; the classes stand in its ``Layout``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from fer_core.data.layouts import LAYOUTS
from fer_core.data.records import DataSet, FaceSet
from fer_core.emotions import EMOTIONS, EMOTIONS8
from fer_core.errors import DataError

LEFT_OUT = "left out"


class ClassRow(NamedTuple):
    """One class of a data set: its code, its authors' name for it, our emotion or ``LEFT_OUT``, and how many pictures
    it has (0 where none were counted)."""

    code: str
    name: str
    emotion: str
    n: int


def class_mapping(
    dataset: str | DataSet, *, labels: Sequence[str] = EMOTIONS, faces: Sequence[FaceSet] = ()
) -> list[ClassRow]:
    """How the classes of a data set become our labels, in the order of its codes.

    Args:
        dataset: one that was opened, or the key of one of ``fer_core.data.layouts.LAYOUTS``.
        labels: the emotions that are learnt, ``EMOTIONS`` or ``EMOTIONS8``; a class beyond them is left out.
        faces: pictures to count, such as all splits of the data set, before any are left out.

    Raises:
        DataError: unknown name.
    """
    key = dataset.key if isinstance(dataset, DataSet) else dataset
    if key not in LAYOUTS:
        raise DataError(f"Unknown data set {key!r}; expected one of {', '.join(LAYOUTS)}.")
    rows = []
    for code, own, emotion in LAYOUTS[key].classes:
        rows.append(ClassRow(code, own, emotion if emotion in labels else LEFT_OUT, _count(faces, emotion)))
    for code, (own, reason) in LAYOUTS[key].no_emotion.items():
        rows.append(ClassRow(code, own, LEFT_OUT, sum(each.left_out.get(reason, 0) for each in faces)))
    return rows


def _count(faces: Sequence[FaceSet], emotion: str) -> int:
    return sum(int(np.count_nonzero(each.labels == EMOTIONS8.index(emotion))) for each in faces)
