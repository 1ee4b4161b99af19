"""Emotion labels, groups and colours: the vocabulary of everything else."""

from fer_core.emotions.colours import EMOTION_COLOURS, GROUP_COLOURS
from fer_core.emotions.groups import (
    DEFAULT_GROUP_MAP,
    GROUPS,
    OWN_GROUP,
    check_group_map,
    group_indices,
    group_matrix,
    groups_of,
)
from fer_core.emotions.labels import (
    CONTEMPT,
    EMOTIONS,
    EMOTIONS8,
    NOT_OURS,
    emotion_of_name,
)
from fer_core.emotions.prior import ALL_ALIKE, AS_TRAINED, HALFWAY, PRIORS, Prior, check_choice

__all__ = [
    "ALL_ALIKE",
    "AS_TRAINED",
    "CONTEMPT",
    "DEFAULT_GROUP_MAP",
    "EMOTIONS",
    "EMOTIONS8",
    "EMOTION_COLOURS",
    "GROUPS",
    "GROUP_COLOURS",
    "HALFWAY",
    "NOT_OURS",
    "OWN_GROUP",
    "PRIORS",
    "Prior",
    "check_choice",
    "check_group_map",
    "emotion_of_name",
    "group_indices",
    "group_matrix",
    "groups_of",
]
