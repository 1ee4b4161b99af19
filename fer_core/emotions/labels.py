"""The seven emotions, their order, the eighth, and how every supported data set codes them.

This is the one place where the label order is written; everything else imports it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from fer_core.errors import DataError

EMOTIONS: tuple[str, ...] = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
"""Label order of all seven-class outputs; the index is FER2013's own code (Goodfellow et al. 2013)."""

CONTEMPT = "contempt"
EMOTIONS8: tuple[str, ...] = (*EMOTIONS, CONTEMPT)
"""The seven and contempt (index 7), as FER+, AffectNet-8 and CK+ have it."""


def _codes(codes: Sequence[str | int], names: Sequence[str]) -> Mapping[str, str]:
    return MappingProxyType({str(code): name for code, name in zip(codes, names, strict=True)})


DATASET_CODES: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        # Kaggle csv, column "emotion"
        "fer2013": _codes(range(7), EMOTIONS),
        # column order of fer2013new.csv (Barsoum et al. 2016); "unknown" and "NF" are not emotions
        "ferplus": _codes(range(8), ("neutral", "happy", "surprise", "sad", "angry", "disgust", "fear", CONTEMPT)),
        # Mollahosseini et al. 2017; 8 none, 9 uncertain and 10 no-face are not emotions
        "affectnet7": _codes(range(7), ("neutral", "happy", "sad", "surprise", "fear", "disgust", "angry")),
        "affectnet8": _codes(range(8), ("neutral", "happy", "sad", "surprise", "fear", "disgust", "angry", CONTEMPT)),
        # list_patition_label.txt, 1-based (Li et al. 2017)
        "rafdb": _codes(range(1, 8), ("surprise", "fear", "disgust", "happy", "sad", "angry", "neutral")),
        # characters 5-6 of the file name (Lundqvist et al. 1998)
        "kdef": _codes(
            ("AN", "DI", "AF", "HA", "SA", "SU", "NE"),
            ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral"),
        ),
        # emotion files of the extended Cohn-Kanade set (Lucey et al. 2010)
        "ckplus": _codes(range(8), ("neutral", "angry", CONTEMPT, "disgust", "fear", "happy", "sad", "surprise")),
    }
)
"""``DATASET_CODES[dataset][code]`` is our name of a data set's own code."""

_SPELLINGS: Mapping[str, str] = MappingProxyType(
    {
        "anger": "angry",
        "disgusted": "disgust",
        "afraid": "fear",
        "fearful": "fear",
        "happiness": "happy",
        "joy": "happy",
        "sadness": "sad",
        "surprised": "surprise",
        "suprise": "surprise",
    }
)


def emotion_of_code(dataset: str, code: str | int) -> str:
    """Our label for ``code`` of ``dataset``.

    Raises:
        DataError: the data set or the code is unknown; the message lists the known ones.
    """
    if dataset not in DATASET_CODES:
        raise DataError(f"Unknown data set {dataset!r}; known are {', '.join(DATASET_CODES)}.")
    codes = DATASET_CODES[dataset]
    if str(code) not in codes:
        raise DataError(f"{dataset} has no emotion code {code!r}; its codes are {', '.join(codes)}.")
    return codes[str(code)]


def emotion_of_name(name: str) -> str:
    """Our label for a folder or column name such as ``Anger`` or ``happiness``.

    Raises:
        DataError: the name is no spelling of one of the eight.
    """
    word = name.strip().lower()
    word = _SPELLINGS.get(word, word)
    if word not in EMOTIONS8:
        raise DataError(f"{name!r} is not an emotion; expected one of {', '.join(EMOTIONS8)}.")
    return word
