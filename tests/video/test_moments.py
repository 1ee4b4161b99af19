"""Moments between two emotions, by hand on small tables, and on a stored analysis as the reviewer sees it."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fer_core.errors import InputError, StoreError
from fer_core.video.moments import Moment, moments_in, pair_moments
from fer_core.video.store import open_analysis
from fer_core.video.view import Lens, view
from tests.support.long_analysis import write_long_analysis
from tests.support.tables import table


def fear_sad(fear: float, sad: float, angry: float = 0.0) -> dict[str, float]:
    """Probabilities of which the rest, up to 1, goes to neutral and happy in halves."""
    return {"fear": fear, "sad": sad, "angry": angry, "happy": (1 - fear - sad - angry) / 2}


BETWEEN, CLOSER, CLOSEST = fear_sad(0.5, 0.25), fear_sad(0.25, 0.5), fear_sad(0.4375, 0.375)
OTHER = fear_sad(0.25, 0.125, 0.5)


def test_a_stretch_is_where_the_two_are_on_top_in_either_order() -> None:
    timeline = table(
        [
            (0, 0.0, 0, OTHER),
            (1, 0.5, 0, BETWEEN),
            (2, 1.0, 0, CLOSEST),
            (3, 1.5, 0, CLOSER),
            (4, 2.0, 0, OTHER),
        ]
    )
    expected = Moment(track=0, start_s=0.5, end_s=2.0, peak_s=1.0, p_first=0.4375, p_second=0.375, usable=1.0)
    assert pair_moments(timeline, "fear", "sad") == [expected]
    turned = Moment(track=0, start_s=0.5, end_s=2.0, peak_s=1.0, p_first=0.375, p_second=0.4375, usable=1.0)
    assert pair_moments(timeline, "sad", "fear") == [turned]
    alone = [(moment.start_s, moment.end_s) for moment in pair_moments(timeline, "angry", "fear")]
    assert alone == [(0.0, 0.5), (2.0, 2.5)], "the last frame lasts as long as is typical"
    assert pair_moments(timeline, "happy", "surprise") == []


def test_a_third_emotion_as_probable_is_no_pair() -> None:
    timeline = table([(0, 0.0, 0, fear_sad(0.5, 0.25, 0.25)), (1, 1.0, 0, {"fear": 0.0})])
    assert pair_moments(timeline, "fear", "sad") == []
    assert pair_moments(timeline, "fear", "happy") == [], "two that are not there at all are no pair"


def test_short_gaps_are_bridged_long_ones_are_not() -> None:
    rows = [(i, i * 0.25, 0, OTHER if i in (4, 5, 9, 10, 11) else BETWEEN) for i in range(16)]
    timeline = table(rows)

    def spans(min_gap_s: float) -> list[tuple[float, float]]:
        return [(each.start_s, each.end_s) for each in pair_moments(timeline, "fear", "sad", min_gap_s=min_gap_s)]

    assert spans(0.0) == spans(0.49) == [(0.0, 1.0), (1.5, 2.25), (3.0, 4.0)]
    assert spans(0.5) == [(0.0, 2.25), (3.0, 4.0)]
    assert spans(1.0) == [(0.0, 4.0)]


def test_people_are_kept_apart_and_frames_without_a_face_break_nothing() -> None:
    timeline = table(
        [
            (0, 0.0, 0, BETWEEN),
            (0, 0.0, 1, CLOSEST),
            (1, 0.5, -1, {}),
            (2, 1.0, 0, CLOSER),
            (2, 1.0, 1, OTHER),
            (3, 1.5, 1, OTHER),
            (4, 9.0, 0, BETWEEN),
        ]
    )
    found = [(each.track, each.start_s, each.end_s) for each in pair_moments(timeline, "fear", "sad")]
    assert found == [(1, 0.0, 0.5), (0, 0.0, 1.5), (0, 9.0, 9.5)]
    assert pair_moments(timeline[timeline["track"] != 0], "fear", "sad")[0].track == 1


def test_usable_moments_come_first_and_peak_in_a_usable_frame() -> None:
    rows = [(i, float(i), 0, OTHER) for i in range(12)]
    for i, given in {1: CLOSEST, 4: BETWEEN, 5: CLOSEST, 8: CLOSER, 9: CLOSER}.items():
        rows[i] = (i, float(i), 0, given)
    timeline = table(rows)
    timeline["usable"] = ~np.isin(np.arange(12), [1, 5, 9])
    found = pair_moments(timeline, "fear", "sad", min_gap_s=0.5)
    assert [(each.start_s, each.peak_s, each.usable) for each in found] == [(4, 4, 0.5), (8, 8, 0.5), (1, 1, 0.0)]
    timeline["usable"] = True
    found = pair_moments(timeline, "fear", "sad", min_gap_s=0.5)
    assert [(each.start_s, each.peak_s, each.usable) for each in found] == [(1, 1, 1.0), (4, 5, 1.0), (8, 8, 1.0)]
    assert pair_moments(timeline, "fear", "sad", min_gap_s=0.5, limit=2) == found[:2]
    assert pair_moments(timeline, "fear", "sad", limit=0) == []


def test_contempt_is_one_of_the_pair_or_between_them() -> None:
    timeline = table([(0, 0.0, 0, fear_sad(0.5, 0.25)), (1, 1.0, 0, OTHER)])
    timeline["p_contempt"] = np.array([0.3, 0.0], np.float32)
    assert pair_moments(timeline, "fear", "sad") == []
    assert pair_moments(timeline, "contempt", "fear")[0].p_first == pytest.approx(0.3)


def test_what_is_no_pair_is_refused() -> None:
    timeline = table([(0, 0.0, 0, BETWEEN)])
    for first, second in (("fear", "fear"), ("fear", "contempt"), ("", "sad")):
        with pytest.raises(InputError, match="two different emotions of angry, disgust"):
            pair_moments(timeline, first, second)
    for wrong in ({"limit": -1}, {"min_gap_s": -0.1}, {"min_gap_s": float("nan")}):
        with pytest.raises(InputError, match="0 or more"):
            pair_moments(timeline, "fear", "sad", **wrong)
    assert pair_moments(timeline[:0], "fear", "sad") == []


def test_an_analysis_gives_the_moments_of_its_view(tmp_path: Path) -> None:
    folder = write_long_analysis(tmp_path / ("a" * 12), frames=3000, people=2)
    analysis = open_analysis(folder)
    for lens in (Lens(), Lens(smoothing_s=1.0)):
        whole = pair_moments(view(analysis, lens), "happy", "sad")
        assert moments_in(analysis, lens, "happy", "sad") == whole
        assert {each.track for each in whole} == {0, 1}
        assert any(0 < each.usable < 1 for each in whole)
    assert moments_in(analysis, Lens(), "happy", "sad", limit=1) == pair_moments(
        view(analysis), "happy", "sad", limit=1
    )
    with pytest.raises(StoreError):
        moments_in(analysis, Lens(model="other"), "happy", "sad")


def test_who_is_left_out_has_no_moments(tmp_path: Path) -> None:
    analysis = open_analysis(write_long_analysis(tmp_path / ("b" * 12), frames=3000, people=2))
    before = moments_in(analysis, Lens(), "happy", "sad", limit=10_000)
    analysis = analysis.do({"do": "exclude", "person": 1, "start_s": None, "end_s": None})
    after = moments_in(analysis, Lens(), "happy", "sad", limit=10_000)
    assert after == [each for each in before if each.track == 0] and 0 < len(after) < len(before)
    analysis = analysis.do({"do": "limits", "limits": {"min_sharpness": 1e6}})
    assert {each.usable for each in moments_in(analysis, Lens(), "happy", "sad")} == {0.0}


def test_two_hours_of_three_people_take_no_time() -> None:
    rng = np.random.default_rng(0)
    n = 648_000
    frames = np.repeat(np.arange(n // 3), 3)
    timeline = pd.DataFrame({"frame": frames, "time_s": frames / 30, "track": np.tile([0, 1, 2], n // 3)})
    p = rng.dirichlet(np.ones(7), n).astype(np.float32)
    names = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
    timeline = timeline.assign(**{f"p_{name}": p[:, j] for j, name in enumerate(names)}, usable=p[:, 0] < 0.5)
    start = time.process_time()
    found = pair_moments(timeline, "fear", "sad", min_gap_s=0)
    assert len(found) == 12 and time.process_time() - start < 0.5
