"""Figures of spans and courses around events, against values worked out by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from fer_core.emotions import DEFAULT_GROUP_MAP, EMOTIONS
from fer_core.errors import InputError
from fer_core.video.statistics import around, span_statistics
from fer_core.video.timeline import with_labels
from tests.support.tables import COLUMNS, table

HAPPY, SAD, ANGRY = EMOTIONS.index("happy"), EMOTIONS.index("sad"), EMOTIONS.index("angry")


@pytest.fixture
def uneven() -> pd.DataFrame:
    """Person 0: happy 0.8 for 0.1 s, sad 0.6 for 0.3 s, happy 1.0 for 0.6 s, then unseen; person 1 in the second."""
    return table(
        [(0, 0.0, 0, {"happy": 0.8}), (1, 0.1, 0, {"sad": 0.6}), (1, 0.1, 1, {"angry": 1.0}),
         (2, 0.4, 0, {"happy": 1.0}), (3, 1.0, -1, {})]
    )  # fmt: skip


def test_a_span_that_cuts_frames_in_half(uneven: pd.DataFrame) -> None:
    """From 0.05 to 0.7 s: 0.05 s of the first frame, 0.3 s of the second, 0.3 s of the third."""
    first, second = span_statistics(uneven, start_s=0.05, end_s=0.7)
    np.testing.assert_allclose([first["seen_s"], first["span_s"]], [0.65, 0.65])
    happy = (0.05 * 0.8 + 0.3 * 1.0) / 0.65
    np.testing.assert_allclose(first["mean"]["happy"], happy, atol=1e-6)
    np.testing.assert_allclose(first["mean"]["sad"], 0.3 * 0.6 / 0.65, atol=1e-6)
    variance = (0.05 * (0.8 - happy) ** 2 + 0.3 * happy**2 + 0.3 * (1 - happy) ** 2) / 0.65
    np.testing.assert_allclose(first["std"]["happy"], variance**0.5, atol=1e-6)
    np.testing.assert_allclose(first["emotion_share"]["happy"], 0.35 / 0.65)
    np.testing.assert_allclose(first["group_share"]["negative"], 0.3 / 0.65)
    assert first["group_share"].keys() == {"negative", "neutral", "positive"}
    assert list(first["mean"]) == list(first["emotion_share"]) == list(EMOTIONS)
    assert (first["track"], first["changes"]) == (0, 2)
    assert first["peak"] == {"emotion": "happy", "time_s": 0.4, "probability": 1.0}
    assert "usable_share" not in first
    assert (second["track"], second["changes"], round(second["seen_s"], 9)) == (1, 0, 0.3)
    assert second["std"]["angry"] == 0.0


def test_a_span_is_half_open_and_its_peak_lies_within(uneven: pd.DataFrame) -> None:
    (first,) = span_statistics(uneven, start_s=0.0, end_s=0.1)
    np.testing.assert_allclose([first["seen_s"], first["mean"]["happy"]], [0.1, 0.8], atol=1e-6)
    (first,) = span_statistics(uneven, start_s=0.5, end_s=2.0)
    np.testing.assert_allclose([first["seen_s"], first["span_s"]], [0.5, 1.5])
    assert first["peak"]["time_s"] == 0.5


def test_a_crumb_of_rounding_is_no_frame() -> None:
    times = [0.1 * i for i in range(10)]
    rows = table([(i, t, 0, {"happy": 0.9} if i < 3 else {"sad": 0.9}) for i, t in enumerate(times)])
    (person,) = span_statistics(rows, start_s=0.0, end_s=0.3)  # 0.1 * 3 lies a crumb after 0.3
    assert (person["changes"], person["emotion_share"]["happy"]) == (0, 1.0)
    (person,) = span_statistics(rows, start_s=0.3, end_s=0.6)
    assert (person["changes"], person["emotion_share"]["sad"]) == (0, 1.0)


def test_one_person_and_somebody_who_is_not_there(uneven: pd.DataFrame) -> None:
    (second,) = span_statistics(uneven, start_s=0.0, end_s=1.0, track=1)
    assert second["peak"]["emotion"] == "angry"
    nothing = {
        "seen_s": 0.0,
        "span_s": 0.5,
        "mean": {},
        "std": {},
        "signals": {},
        "emotion_share": {},
        "group_share": {},
    }
    for track in (1, 9):
        found = span_statistics(uneven, start_s=0.5, end_s=1.0, track=track)
        assert found == [{"track": track} | nothing | {"changes": 0, "peak": None}]
    assert span_statistics(uneven, start_s=1.0, end_s=2.0) == []
    assert span_statistics(uneven.iloc[:0], start_s=0.0, end_s=1.0) == []
    assert span_statistics(uneven.iloc[:0], start_s=0.0, end_s=1.0, track=0)[0]["seen_s"] == 0.0


def test_usable_time_and_a_group_of_its_own(uneven: pd.DataFrame) -> None:
    usable = pd.array([True, False, True, True, None], dtype="boolean")
    for column in (usable, usable.astype(object), [True, False, True, True, False]):
        first, second = span_statistics(uneven.assign(usable=column), start_s=0.0, end_s=1.0)
        np.testing.assert_allclose([first["usable_share"], second["usable_share"]], [0.7, 1.0])
    (absent,) = span_statistics(uneven.assign(usable=usable), start_s=1.0, end_s=2.0, track=0)
    assert absent["usable_share"] is None
    amazed = with_labels(uneven.assign(p_surprise=2.0), {**DEFAULT_GROUP_MAP, "surprise": "surprise"})
    assert span_statistics(amazed, start_s=0.0, end_s=1.0)[0]["group_share"]["surprise"] == 1.0


def test_a_picture_has_figures_though_it_lasts_no_time() -> None:
    (person,) = span_statistics(table([(0, 0.0, 0, {"happy": 0.9})]), start_s=0.0, end_s=1.0)
    assert person["seen_s"] == 0.0
    np.testing.assert_allclose(person["mean"]["happy"], 0.9, atol=1e-6)
    assert person["emotion_share"]["happy"] == 1.0


@pytest.mark.parametrize("span", [(1.0, 1.0), (2.0, 1.0), (-1.0, 1.0), (float("nan"), 1.0), (0.0, float("inf"))])
def test_an_impossible_span_is_refused(uneven: pd.DataFrame, span: tuple[float, float]) -> None:
    with pytest.raises(InputError, match=r"expected a start at 0 s or later and an end"):
        span_statistics(uneven, start_s=span[0], end_s=span[1])


def test_around_by_hand(uneven: pd.DataFrame) -> None:
    """Events at 0.1 and 0.4 s: sad 0.6 and happy 1.0 there; happy 0.8 and sad 0.6 a step of 0.1 s before."""
    course = around(uneven, [0.1, 0.4], track=0, before_s=0.2, after_s=0.6)
    np.testing.assert_allclose(course.offset_s, np.arange(-2, 7) / 10, atol=1e-12)
    assert course.labels == EMOTIONS and course.mean.shape == course.low.shape == course.high.shape == (9, 7)
    # -0.1 s is before the video, and from 1.0 s on nobody is seen
    assert course.n.tolist() == [1, 2, 2, 2, 2, 2, 2, 2, 1]
    np.testing.assert_allclose(course.mean[:, HAPPY], [0, 0.4, 0.5, 0.5, 0.5, 1, 1, 1, 1], atol=1e-6)
    np.testing.assert_allclose(course.mean[1:4, SAD], [0.3, 0.3, 0.3], atol=1e-6)
    assert np.isnan(course.low[[0, 8]]).all() and np.isnan(course.high[[0, 8]]).all()
    # two values 0 and 1: standard error 0.5, Student's t with one degree of freedom 12.7062
    np.testing.assert_allclose(course.high[2, HAPPY], 0.5 + 12.7062 * 0.5, atol=1e-4)
    np.testing.assert_allclose(course.low[2, HAPPY], 0.5 - 12.7062 * 0.5, atol=1e-4)
    np.testing.assert_allclose(course.high[6] - course.low[6], 0.0, atol=1e-12)


def test_three_events_use_two_degrees_of_freedom() -> None:
    rows = table([(i, float(i), 0, {"angry": p}) for i, p in enumerate((0.2, 0.4, 0.9))])
    course = around(rows, np.array([0.5, 1.5, 2.5]), track=0, before_s=0, after_s=0)
    half = 4.302653 * np.std([0.2, 0.4, 0.9], ddof=1) / 3**0.5
    np.testing.assert_allclose(course.mean[0, ANGRY], 0.5, atol=1e-6)
    np.testing.assert_allclose([course.low[0, ANGRY], course.high[0, ANGRY]], [0.5 - half, 0.5 + half], atol=1e-5)


def test_a_frame_holds_no_longer_than_it_may() -> None:
    """Steps of 0.1 s, then a hole of 10 s: the last frame before it stands for 2 s."""
    rows = table([(i, i / 10, 0, {"happy": 1.0}) for i in range(30)] + [(30, 12.9, 0, {"sad": 1.0})])
    course = around(rows, [2.9], track=0, before_s=0, after_s=11, step_s=0.5)
    assert course.n.tolist() == [1] * 4 + [0] * 16 + [1] + [0] * 2
    assert np.isnan(course.mean[4:20]).all() and course.mean[20, SAD] == 1.0


def test_no_events_nobody_and_no_rows(uneven: pd.DataFrame) -> None:
    for rows, times, track in ((uneven, [], 0), (uneven, [0.1], 9), (uneven.iloc[:0], [0.1, 0.2], 0)):
        course = around(rows, times, track=track, before_s=1, after_s=1, step_s=0.5)
        assert course.n.tolist() == [0] * 5
        assert np.isnan(course.mean).all() and np.isnan(course.low).all()


@pytest.mark.parametrize(
    ("times", "window"),
    [([float("nan")], {}), ([1.0], {"before_s": -1.0}), ([1.0], {"step_s": 0.0}), ([1.0], {"after_s": 5000.0}),
     ([1.0], {"after_s": float("inf")})],
)  # fmt: skip
def test_impossible_windows_are_refused(uneven: pd.DataFrame, times: list[float], window: dict) -> None:
    with pytest.raises(InputError, match="expected"):
        around(uneven, times, **({"track": 0, "before_s": 1.0, "after_s": 1.0} | window))


def test_two_hours_and_two_thousand_events() -> None:
    n = 216_000
    probabilities = np.random.default_rng(0).dirichlet(np.ones(7), n).astype(np.float32)
    rows = pd.DataFrame(probabilities, columns=COLUMNS)
    rows = with_labels(rows.assign(frame=np.arange(n), time_s=np.arange(n) / 30, track=0))
    (person,) = span_statistics(rows, start_s=0.0, end_s=7200.0)
    course = around(rows, np.linspace(10, 7000, 2000), track=0, before_s=10, after_s=10)
    np.testing.assert_allclose([person["seen_s"], sum(person["mean"].values())], [7200.0, 1.0], rtol=1e-6)
    assert (course.n == 2000).all()
    np.testing.assert_allclose(course.mean.sum(axis=1), 1.0, atol=1e-5)


@pytest.mark.parametrize(
    ("times", "columns", "words"),
    [([1.0], ["joy"], "no column 'joy'"), (["soon"], [], "is no number"), ([float("nan")], [], "not finite")],
)
def test_events_and_columns_that_are_none_are_said(
    uneven: pd.DataFrame, times: list[Any], columns: list[str], words: str
) -> None:
    with pytest.raises(InputError, match=words):
        around(uneven, times, track=0, before_s=0.1, after_s=0.1, columns=columns)
