"""The vocabulary: labels, codes, groups, and colours that colour-blind people can tell apart."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from skimage.color import deltaE_ciede2000

from fer_core.emotions import (
    DEFAULT_GROUP_MAP,
    EMOTION_COLOURS,
    EMOTIONS,
    EMOTIONS8,
    GROUP_COLOURS,
    GROUPS,
    OWN_GROUP,
    check_group_map,
    emotion_of_name,
    group_matrix,
    groups_of,
)
from fer_core.errors import DataError, InputError
from tests.support.colours import MACHADO, lab, linear

BACKGROUNDS = ("#FFFFFF", "#11181F")  # of .streamlit/config.toml


def contrast(a: str, b: str) -> float:
    """WCAG 2 contrast ratio."""
    light = sorted((float(linear(c) @ [0.2126, 0.7152, 0.0722]) for c in (a, b)), reverse=True)
    return (light[0] + 0.05) / (light[1] + 0.05)


def test_the_order_is_fer2013s() -> None:
    assert EMOTIONS == ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
    assert (*EMOTIONS, "contempt") == EMOTIONS8


def test_unknown_names_are_refused_with_what_is_known() -> None:
    with pytest.raises(DataError, match="expected one of angry"):
        emotion_of_name("bored")
    assert [emotion_of_name(name) for name in ("Anger", " Happiness ", "fearful")] == ["angry", "happy", "fear"]


def test_groups_sum_probabilities_and_refuse_holes() -> None:
    p = np.array([0.1, 0.05, 0.05, 0.3, 0.1, 0.15, 0.25])
    np.testing.assert_allclose(p @ group_matrix(), [0.3, 0.4, 0.3])
    np.testing.assert_allclose(
        p @ group_matrix(group_map={**DEFAULT_GROUP_MAP, "surprise": "positive"}), [0.3, 0.25, 0.45]
    )
    with pytest.raises(InputError, match="'sad'"):
        check_group_map({**DEFAULT_GROUP_MAP, "sad": "blue"})
    assert set(GROUP_COLOURS) == {*GROUPS, OWN_GROUP}


@pytest.mark.parametrize("blindness", [None, *MACHADO])
def test_the_seven_colours_stay_apart(blindness: str | None) -> None:
    """CIEDE2000 differences of 10 are plain at a glance; 2.3 is just noticeable."""
    seen = np.eye(3) if blindness is None else np.array(MACHADO[blindness])
    colours = {name: lab(seen @ linear(EMOTION_COLOURS[name])) for name in EMOTIONS}
    nearest = min((float(deltaE_ciede2000(colours[a], colours[b])), a, b) for a, b in combinations(EMOTIONS, 2))
    assert nearest[0] > 10, nearest


@pytest.mark.parametrize("background", BACKGROUNDS)
def test_colours_stand_out_from_the_page(background: str) -> None:
    ratios = {name: contrast(colour, background) for name, colour in EMOTION_COLOURS.items()}
    assert min(ratios.values()) > 1.8, ratios


def test_surprise_may_stand_alone_and_nothing_else() -> None:
    own = {**DEFAULT_GROUP_MAP, "surprise": OWN_GROUP}
    assert groups_of(own) == (*GROUPS, OWN_GROUP) and groups_of(DEFAULT_GROUP_MAP) == GROUPS
    p = np.array([0.1, 0.1, 0.05, 0.3, 0.05, 0.15, 0.25])
    np.testing.assert_allclose(p @ group_matrix(group_map=own), [0.3, 0.25, 0.3, 0.15])
    with pytest.raises(InputError, match="sad"):
        check_group_map({**DEFAULT_GROUP_MAP, "sad": OWN_GROUP})
