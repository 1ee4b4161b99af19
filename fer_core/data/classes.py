"""What each data set calls its classes, and which of our labels they become.

The codes themselves stand in ``fer_core.emotions.labels``; here are only the names that go with them, for people.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from fer_core.data.folders import NO_EMOTION
from fer_core.data.records import DataSet, FaceSet
from fer_core.emotions import DATASET_CODES, EMOTIONS, EMOTIONS8
from fer_core.errors import DataError

LEFT_OUT = "left out"
ANY_FOLDERS = "folders"
"""Stands for every data set of one folder per emotion that is none of the known ones."""

_AFFECTNET = ("Neutral", "Happy", "Sad", "Surprise", "Fear", "Disgust", "Anger", "Contempt")
_NAMES: Mapping[str, Sequence[str]] = MappingProxyType(
    {
        "fer2013": ("Angry", "Disgust", "Fear", "Happy", "Sad", "Surprise", "Neutral"),
        "ferplus": ("neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt"),
        "affectnet7": _AFFECTNET[:7],
        "affectnet8": _AFFECTNET,
        "rafdb": ("Surprise", "Fear", "Disgust", "Happiness", "Sadness", "Anger", "Neutral"),
        "kdef": ("angry", "disgusted", "afraid", "happy", "sad", "surprised", "neutral"),
        "ckplus": ("neutral", "anger", "contempt", "disgust", "fear", "happy", "sadness", "surprise"),
    }
)
OWN_NAMES: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        dataset: MappingProxyType(dict(zip(DATASET_CODES[dataset], names, strict=True)))
        for dataset, names in _NAMES.items()
    }
)
"""``OWN_NAMES[dataset][code]`` is what the authors of a data set call the class."""

_NO_EMOTION: Mapping[str, Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        "affectnet": {code: (name.capitalize(), name) for code, name in NO_EMOTION.items()},
        "ferplus": {"8": ("unknown", "unknown"), "9": ("NF", "nf")},
    }
)
"""Codes that are no emotion: the authors' name, and the reason under which a ``FaceSet`` counts them."""
_BY_LAYOUT: Mapping[str, str] = MappingProxyType(
    {"FER2013": "fer2013", "AffectNet": "affectnet", "RAF-DB": "rafdb", "KDEF": "kdef", "CK+": "ckplus"}
)


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
        dataset: one that was opened, or a name: ``affectnet``, one of ``DATASET_CODES``, or ``ANY_FOLDERS``.
        labels: the emotions that are learnt, ``EMOTIONS`` or ``EMOTIONS8``; a class beyond them is left out.
        faces: pictures to count, such as all splits of the data set, before any are left out.

    Raises:
        DataError: unknown name.
    """
    name = _BY_LAYOUT.get(dataset.layout.split(",")[0], ANY_FOLDERS) if isinstance(dataset, DataSet) else dataset
    rows = []
    for code, own, emotion in _classes(name):
        rows.append(ClassRow(code, own, emotion if emotion in labels else LEFT_OUT, _count(faces, emotion)))
    for code, (own, reason) in _NO_EMOTION.get(name, {}).items():
        rows.append(ClassRow(code, own, LEFT_OUT, sum(each.left_out.get(reason, 0) for each in faces)))
    return rows


def _classes(name: str) -> list[tuple[str, str, str]]:
    """Code, own name and emotion of every class that is one of the eight."""
    if name == ANY_FOLDERS:
        return [(emotion, emotion, emotion) for emotion in EMOTIONS8]
    codes = "affectnet8" if name == "affectnet" else name
    if codes not in DATASET_CODES:
        known = ", ".join((*DATASET_CODES, "affectnet", ANY_FOLDERS))
        raise DataError(f"Unknown data set {name!r}; expected one of {known}.")
    return [(code, OWN_NAMES[codes][code], emotion) for code, emotion in DATASET_CODES[codes].items()]


def _count(faces: Sequence[FaceSet], emotion: str) -> int:
    return sum(int(np.count_nonzero(each.labels == EMOTIONS8.index(emotion))) for each in faces)
