"""Views of the timeline, against values worked out by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from fer_core.errors import InputError
from fer_core.video.agreement import disagreements
from fer_core.video.export import to_csv, to_json, to_webvtt
from fer_core.video.timeline import frame_steps, group_sums, people_summary, score_columns, segments, smooth, summary
from tests.support.tables import table

HAPPY, SAD, NOBODY = {"happy": 0.9}, {"sad": 0.8}, {}


@pytest.fixture
def story() -> pd.DataFrame:
    """Person 0: happy 0.0-0.2, sad 0.3; nobody 0.4-0.5; happy again 1.0. Person 1: sad at 0.3 and 0.4. Steps of 0.1 s,
    then a long one of 0.5 s."""
    return table(
        [(0, 0.0, 0, HAPPY), (1, 0.1, 0, HAPPY), (2, 0.2, 0, HAPPY), (3, 0.3, 0, SAD), (3, 0.3, 1, SAD),
         (4, 0.4, 1, SAD), (5, 0.5, -1, NOBODY), (6, 1.0, 0, HAPPY)]
    )  # fmt: skip


def test_labels_are_the_top_emotion_and_its_group(story: pd.DataFrame) -> None:
    assert story["emotion"].tolist()[:5] == ["happy", "happy", "happy", "sad", "sad"]
    assert story["group"].tolist()[:5] == ["positive", "positive", "positive", "negative", "negative"]
    assert story.loc[6, ["emotion", "group"]].isna().all()
    np.testing.assert_allclose(group_sums(story).loc[0], [0.0, 0.1, 0.9], atol=1e-6)


def test_segments_by_hand(story: pd.DataFrame) -> None:
    found = segments(story)
    rows = [(row.track, row.emotion, round(row.start_s, 6), row.frames) for row in found.itertuples()]
    assert rows == [(0, "happy", 0.0, 3), (0, "sad", 0.3, 1), (1, "sad", 0.3, 2), (0, "happy", 1.0, 1)]
    # a segment lasts until its last frame ends
    np.testing.assert_allclose(found["end_s"], [0.3, 0.4, 0.5, 1.1], atol=1e-9)
    np.testing.assert_allclose(found["confidence"], [0.9, 0.8, 0.8, 0.9], atol=1e-6)


def test_a_gap_splits_a_segment_of_one_emotion() -> None:
    rows = [(i, i / 10, 0, HAPPY) for i in range(5)] + [(i, i / 10, -1, NOBODY) for i in range(5, 15)]
    rows += [(i, i / 10, 0, HAPPY) for i in range(15, 20)]
    found = segments(table(rows))
    np.testing.assert_allclose(found[["start_s", "end_s"]], [[0.0, 0.5], [1.5, 2.0]], atol=1e-9)


def test_smoothing_is_the_mean_over_time_not_over_frames() -> None:
    """Three frames of 0.1 s happy, then one of 0.6 s sad: in a window that spans all, sad weighs 0.6 / 0.9."""
    story = table(
        [
            (0, 0.0, 0, {"happy": 1.0}),
            (1, 0.1, 0, {"happy": 1.0}),
            (2, 0.2, 0, {"happy": 1.0}),
            (3, 0.3, 0, {"sad": 1.0}),
            (4, 0.9, -1, {}),
        ]
    )
    smoothed = smooth(story, 2.0)
    np.testing.assert_allclose(smoothed["p_sad"][:4], 0.6 / 0.9, atol=1e-6)
    assert smoothed["emotion"].tolist()[:4] == ["sad"] * 4
    assert smooth(story, 0.0).equals(story)


def test_a_slower_stretch_of_a_variable_rate_is_no_gap() -> None:
    """Three seconds at 30 frames a second, then ten at five, happy throughout: one segment, also after two misses."""
    times = [i / 30 for i in range(90)] + [3 + i / 5 for i in range(50)]
    rows = [(i, t, 0, HAPPY) if i not in (100, 101) else (i, t, -1, NOBODY) for i, t in enumerate(times)]
    found = segments(table(rows))
    assert len(found) == 1
    np.testing.assert_allclose(found.loc[0, ["start_s", "end_s"]].astype(float), [0.0, 12.8 + 1 / 30], atol=1e-6)
    longest = people_summary(table(rows))[0]["longest"]
    assert longest["duration_s"] > 12.8


def test_a_hole_in_the_file_is_no_expression() -> None:
    rows = [(i, i / 25, 0, HAPPY) for i in range(50)] + [(50 + i, 22 + i / 25, 0, HAPPY) for i in range(50)]
    found = segments(table(rows))
    np.testing.assert_allclose(found[["start_s", "end_s"]], [[0.0, 1.96 + 2.0], [22.0, 24.0]], atol=1e-6)
    assert people_summary(table(rows))[0]["seen_s"] < 6.1


def test_a_long_frame_counts_only_as_far_as_it_reaches_into_the_window() -> None:
    """The window of the frame at 0.1 s reaches to 0.4 s: three happy frames of 0.1 s, and 0.1 s of the sad."""
    rows = [(i, i / 10, 0, {"happy": 1.0}) for i in range(3)] + [(3, 0.3, 0, {"sad": 1.0}), (4, 3.0, -1, {})]
    smoothed = smooth(table(rows), 0.5)
    np.testing.assert_allclose(smoothed.loc[1, ["p_happy", "p_sad"]].astype(float), [0.75, 0.25], atol=1e-6)
    np.testing.assert_allclose(smoothed.loc[3, "p_sad"], 1.0, atol=1e-6)


def test_smoothing_never_mixes_people_and_keeps_rows_summing_to_one(story: pd.DataFrame) -> None:
    smoothed = smooth(story, 0.5)
    assert len(smoothed) == len(story)
    seen = smoothed["track"] >= 0
    np.testing.assert_allclose(smoothed.loc[seen, score_columns(smoothed)].sum(axis=1), 1.0, atol=1e-5)
    assert (smoothed.loc[smoothed["track"] == 1, "p_happy"] == 0).all()
    assert smoothed.loc[~seen, score_columns(smoothed)].isna().all(axis=None)
    with pytest.raises(InputError):
        smooth(story, -1.0)


def test_summary_by_hand(story: pd.DataFrame) -> None:
    whole = summary(story)
    assert (whole["frames"], whole["faceless_frames"]) == (7, 1)
    np.testing.assert_allclose([whole["faceless_s"], whole["duration_s"]], [0.5, 1.1])
    first, second = people_summary(story)
    # seen in frames at 0.0, 0.1, 0.2, 0.3 and 1.0, each 0.1 s
    np.testing.assert_allclose([first["seen_s"], first["unseen_s"]], [0.5, 0.6])
    np.testing.assert_allclose([first["emotion_share"]["happy"], first["emotion_share"]["sad"]], [0.8, 0.2])
    assert first["changes"] == 2
    assert first["longest"]["emotion"] == "happy" and first["longest"]["start_s"] == 0.0
    np.testing.assert_allclose(first["longest"]["duration_s"], 0.3)
    assert (second["track"], second["changes"], second["frames"]) == (1, 0, 2)


def test_a_timeline_without_faces_has_empty_views() -> None:
    empty = table([(i, i / 10, -1, NOBODY) for i in range(3)])
    assert segments(empty).empty and people_summary(empty) == []
    assert smooth(empty, 1.0)["emotion"].isna().all()
    assert to_webvtt(empty, {}) == b"WEBVTT\n"
    assert to_csv(empty).count(b"\n") == 4


def test_webvtt_has_a_cue_per_segment_and_no_markup_from_names(story: pd.DataFrame) -> None:
    text = to_webvtt(story, {0: "<b>Ann & co"}).decode()
    assert text.startswith("WEBVTT\n\n00:00:00.000 --> 00:00:00.300\n<v bAnn  co>happy (90%)\n")
    assert text.count("-->") == 4
    assert "<v Person 2>sad (80%)" in text


def test_json_has_faceless_frames_too(story: pd.DataFrame) -> None:
    import json

    whole = json.loads(to_json({"source": {"name": "a"}, "checkpoint": {"name": "m"}}, story))
    assert [len(frame["faces"]) for frame in whole["frames"]] == [1, 1, 1, 2, 1, 0, 1]
    assert whole["frames"][3]["faces"][1]["track"] == 1
    assert abs(sum(whole["frames"][0]["faces"][0]["probabilities"].values()) - 1) < 1e-4


def test_a_frame_lasts_until_the_next_one_or_as_long_as_the_file_says() -> None:
    """Without a word of the file, a step of 7 s is a hole of which the frame before fills 2 s."""
    rows = table([(i, time_s, 0, HAPPY) for i, time_s in enumerate((0.0, 0.1, 7.1, 14.1, 14.2, 14.3))])
    np.testing.assert_allclose(frame_steps(rows)[1], [0.1, 2.0, 2.0, 0.1, 0.1, 0.1], atol=1e-9)
    told = rows.assign(lasts_s=[0.1, 7.0, np.nan, 0.1, 0.1, 3.0])
    np.testing.assert_allclose(frame_steps(told)[1], [0.1, 7.0, 2.0, 0.1, 0.1, 3.0], atol=1e-9)
    (person,) = people_summary(told)
    assert person["seen_s"] == pytest.approx(12.3)
    np.testing.assert_allclose(segments(told)[["start_s", "end_s"]], [[0.0, 9.1], [14.1, 17.3]], atol=1e-9)
    longer = rows.assign(lasts_s=60.0)  # never longer than until the next one
    np.testing.assert_allclose(frame_steps(longer)[1][:-1], [0.1, 7.0, 7.0, 0.1, 0.1], atol=1e-9)


def test_models_that_disagree_over_a_standing_frame_do_so_once() -> None:
    rows = table([(i, time_s, 0, HAPPY) for i, time_s in enumerate((0.0, 0.1, 7.1, 7.2))])
    opinions = np.array([[3, 4]] * 4)
    kwargs = {"models": ["a", "b"], "labels": score_columns(rows)}
    assert len(disagreements(rows, opinions, opinions, **kwargs)) == 2
    told = rows.assign(lasts_s=[0.1, 7.0, 0.1, 0.1])
    (stretch,) = disagreements(told, opinions, opinions, **kwargs).to_dict("records")
    assert stretch["duration_s"] == pytest.approx(7.3)
