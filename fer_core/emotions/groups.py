"""Three groups of emotions, and the table that maps seven to three."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from fer_core.emotions.labels import CONTEMPT, EMOTIONS
from fer_core.errors import InputError

GROUPS: tuple[str, ...] = ("negative", "neutral", "positive")
OWN_GROUP = "surprise"
"""A fourth group, for those who count surprise neither as neutral nor as positive."""

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
    """Raise ``InputError`` unless each of the seven emotions has a group, and every group is one of ``GROUPS`` or, for
    surprise, ``OWN_GROUP``."""
    for emotion in (*EMOTIONS, *(group_map.keys() - set(EMOTIONS))):
        known = (*GROUPS, OWN_GROUP) if emotion == OWN_GROUP else GROUPS
        if group_map.get(emotion) not in known:
            raise InputError(
                f"The group of {emotion!r} is {group_map.get(emotion)!r}; expected one of {', '.join(known)}."
            )


def groups_of(group_map: Mapping[str, str]) -> tuple[str, ...]:
    """The groups of a map: the three, and ``OWN_GROUP`` where surprise stands alone."""
    return (*GROUPS, OWN_GROUP) if OWN_GROUP in group_map.values() else GROUPS


def group_matrix(labels: tuple[str, ...] = EMOTIONS, group_map: Mapping[str, str] = DEFAULT_GROUP_MAP) -> NDArray:
    """0/1 matrix (len(labels), len(groups_of(group_map))): ``probabilities @ matrix`` are summed group
    probabilities."""
    check_group_map(group_map)
    return np.array([[float(group_map[label] == group) for group in groups_of(group_map)] for label in labels])


def group_indices(labels: tuple[str, ...] = EMOTIONS, group_map: Mapping[str, str] = DEFAULT_GROUP_MAP) -> NDArray:
    """int array (len(labels),): index into ``groups_of(group_map)`` of every label."""
    return group_matrix(labels, group_map).argmax(axis=1)
