"""Three groups of emotions, and the table that maps seven to three."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from fer_core.emotions.labels import CONTEMPT, EMOTIONS
from fer_core.errors import InputError

GROUPS: tuple[str, ...] = ("negative", "neutral", "positive")

DEFAULT_GROUP_MAP: Mapping[str, str] = MappingProxyType(
    {
        "angry": "negative",
        "disgust": "negative",
        "fear": "negative",
        "happy": "positive",
        "sad": "negative",
        "surprise": "neutral",
        "neutral": "neutral",
        CONTEMPT: "negative",
    }
)
"""The grouping of system ``usfq-2024``. Surprise is the debatable one: users may read it otherwise."""


def check_group_map(group_map: Mapping[str, str]) -> None:
    """Raise ``InputError`` unless every emotion has one of the three groups."""
    for emotion in EMOTIONS:
        if group_map.get(emotion) not in GROUPS:
            raise InputError(
                f"The group of {emotion!r} is {group_map.get(emotion)!r}; expected one of {', '.join(GROUPS)}."
            )


def group_matrix(labels: tuple[str, ...] = EMOTIONS, group_map: Mapping[str, str] = DEFAULT_GROUP_MAP) -> NDArray:
    """0/1 matrix (len(labels), 3): ``probabilities @ matrix`` are summed group probabilities."""
    check_group_map(group_map)
    return np.array([[float(group_map[label] == group) for group in GROUPS] for label in labels])


def group_indices(labels: tuple[str, ...] = EMOTIONS, group_map: Mapping[str, str] = DEFAULT_GROUP_MAP) -> NDArray:
    """int array (len(labels),): index into ``GROUPS`` of every label."""
    return group_matrix(labels, group_map).argmax(axis=1)
