"""The seven emotions, their order, the eighth, and how they are spelled elsewhere.

This is the one place where the label order is written; everything else imports it.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from fer_core.errors import DataError

EMOTIONS: tuple[str, ...] = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
"""Label order of all seven-class outputs; the index is FER2013's own code (Goodfellow et al. 2013)."""

CONTEMPT = "contempt"
EMOTIONS8: tuple[str, ...] = (*EMOTIONS, CONTEMPT)
"""The seven and contempt (index 7), as FER+, AffectNet-8 and CK+ have it."""
NOT_OURS = "-"
"""In a list of labels: one that is none of these, such as an output of a network that is dropped."""

_SPELLINGS: Mapping[str, str] = MappingProxyType(
    {
        "anger": "angry",
        "contemptuous": "contempt",
        "disgusted": "disgust",
        "afraid": "fear",
        "fearful": "fear",
        "scared": "fear",
        "happiness": "happy",
        "joy": "happy",
        "sadness": "sad",
        "surprised": "surprise",
        "suprise": "surprise",
    }
)


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
