"""What leaves the workbench: tables, subtitles, annotated and blurred videos."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fer_core.errors import Cancelled, InputError
from fer_core.models.classifier import Classifier
from fer_core.models.folders import DEFAULT_CHECKPOINT
from fer_core.video.annotate import annotate_video, browser_proxy, to_blur
from fer_core.video.dictionary import dictionary
from fer_core.video.export import KINDS, Excerpt, export
from fer_core.video.pipeline import Settings, analyze
from fer_core.video.reader import VideoReader
from fer_core.video.store import Analysis, open_analysis
from fer_core.video.view import Lens
from tests.support.clips import write_clip


def test_annotated_video_keeps_times_and_sound_and_shows_the_box(
    tmp_path: Path, analysis: Analysis, clip: Path
) -> None:
    out = annotate_video(clip, analysis.timeline(), tmp_path / "annotated.mp4")
    with VideoReader(out) as reader, VideoReader(clip) as source:
        after, before = list(reader.frames()), list(source.frames())
        assert (reader.info.codec, reader.info.has_audio, reader.info.plays_in_browser) == ("h264", True, True)
    np.testing.assert_allclose([f.time_s for f in after], [f.time_s for f in before], atol=1e-3)
    x0, y0, y1 = analysis.timeline().loc[0, ["x0", "y0", "y1"]].astype(int)
    changed = np.abs(after[0].image.astype(int) - before[0].image).max(axis=2)
    assert np.median(changed[(y0 + y1) // 2, x0 - 1 : x0 + 2]) > 40  # the box's left side
    assert np.median(changed) < 10
    assert np.abs(after[7].image.astype(int) - before[7].image).max() < 30  # nothing is drawn where nobody is seen
    data = out.read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")  # plays before it is loaded whole


@pytest.mark.parametrize("name", ["odd.mkv", "late.ts"])
def test_a_proxy_plays_in_browsers_at_the_same_times(tmp_path: Path, name: str) -> None:
    start = 5.0 if name == "late.ts" else 0.0
    times = [start + t for t in (0.0, 0.1, 0.3, 0.35, 0.7)]
    source = write_clip(
        tmp_path / name, times, size=(98, 66), codec="libx264" if "ts" in name else "libx265", sound_from_s=start
    )
    out = browser_proxy(source, tmp_path / "proxy.mp4")
    with VideoReader(out) as reader, VideoReader(source) as original:
        assert reader.info.plays_in_browser and reader.info.has_audio
        np.testing.assert_allclose(
            [f.time_s for f in reader.frames()], [f.time_s for f in original.frames()], atol=1e-3
        )


def test_stopping_an_annotated_video_leaves_no_file(tmp_path: Path, analysis: Analysis, clip: Path) -> None:
    with pytest.raises(Cancelled):
        annotate_video(clip, analysis.timeline(), tmp_path / "annotated.mp4", should_stop=lambda: True)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", list(KINDS))
def test_every_export_is_what_its_ending_says(analysis: Analysis, kind: str) -> None:
    data = export(analysis, kind, Lens(0.5))
    signs = {
        "csv": b"frame,time_s,",
        "parquet": b"PAR1",
        "json": b'{"format"',
        "vtt": b"WEBVTT",
        "srt": b"1\n00:00:00,000 --> ",
    }
    assert data.startswith(signs[kind])
    if kind == "json":
        assert json.loads(data)["smoothing_s"] == 0.5


def test_a_selection_is_half_open_and_keeps_the_time_axis(analysis: Analysis) -> None:
    def times(chosen: Excerpt) -> list[float]:
        return pd.read_csv(io.BytesIO(export(analysis, "csv", Lens(), chosen)))["time_s"].tolist()

    assert times(Excerpt(0.2, 0.8)) == [0.2, 0.35, 0.5, 0.6, 0.7]  # the last one has no face
    assert times(Excerpt(0.2, 0.8, track=0)) == times(Excerpt(0.2, 0.8))
    assert len(times(Excerpt(track=5))) == len(times(Excerpt(only_usable=True))) == 16
    for wrong in (Excerpt(-1.0), Excerpt(2.0, 1.0), Excerpt(float("nan"))):
        with pytest.raises(InputError, match="selection"):
            export(analysis, "csv", Lens(), wrong)
    with pytest.raises(InputError, match="docx"):
        export(analysis, "docx")


def test_what_is_not_selected_counts_as_not_seen(mine: Analysis) -> None:
    """Whoever is left out, away or doubtful ends a segment and is not counted as seen."""
    whole = json.loads(export(mine, "json"))["summary"]["people"][0]["seen_s"]
    mine = mine.do({"do": "exclude", "person": 0, "start_s": 0.2, "end_s": 0.5})
    found = json.loads(export(mine, "json", Lens(), Excerpt(track=0)))
    assert found["summary"]["people"][0]["seen_s"] == pytest.approx(whole - 0.3)
    assert [round(segment["end_s"], 3) for segment in found["segments"]] == [0.7, 2.1]
    sure = mine.do({"do": "limits", "limits": {"min_probability": 1.0}})
    nothing = json.loads(export(sure, "json", Lens(), Excerpt(only_usable=True)))
    assert nothing["segments"] == [] and nothing["summary"]["faceless_frames"] == 16


def test_json_names_the_model_the_people_and_the_marks(mine: Analysis) -> None:
    mine = mine.do({"do": "rename", "person": 0, "name": "=Ada"})
    mark = {"id": "a", "label": "here", "start_s": 0.5}
    found = json.loads(export(mine.do({"do": "marks", "set": [mark]}), "json", Lens(0.5)))
    assert (found["people"], found["model"], found["smoothing_s"]) == ({"0": "=Ada"}, DEFAULT_CHECKPOINT, 0.5)
    assert found["marks"][0]["label"] == "here" and found["groups"]["surprise"] == "neutral"
    assert b",'=Ada," in export(mine, "csv")  # no formula for a spreadsheet


def test_only_what_was_analysed_on_every_frame_can_be_blurred(
    tmp_path: Path, clip: Path, classifier: Classifier, mine: Analysis
) -> None:
    timeline, start_s, end_s = to_blur(mine, 0.0, None)
    assert (start_s, len(timeline)) == (0.0, 16) and end_s == pytest.approx(2.1)
    part = open_analysis(analyze(clip, tmp_path / "b", checkpoint=classifier, settings=Settings(end_s=0.55)))
    assert to_blur(part, 0.0, None)[2] == pytest.approx(0.6, abs=0.051)
    with pytest.raises(InputError, match="range"):
        to_blur(part, 1.0, None)


@pytest.mark.parametrize(
    ("settings", "can_be"),
    [
        (Settings(per_second=2), False),
        (Settings(mode="preview"), False),
        (Settings(per_second=1, end_s=0.5), False),
        (Settings(per_second=100), True),
    ],
)
def test_what_can_be_blurred_is_told_by_what_was_analysed_not_by_what_was_set(
    tmp_path: Path, clip: Path, classifier: Classifier, settings: Settings, can_be: bool
) -> None:
    found = open_analysis(analyze(clip, tmp_path / "a", checkpoint=classifier, settings=settings))
    if can_be:
        assert len(to_blur(found, 0.0, None)[0]) == 16
    else:
        with pytest.raises(InputError, match="every frame"):
            to_blur(found, 0.0, None)


def test_exports_have_reasons_people_and_a_dictionary_of_every_column(analysis: Analysis) -> None:
    table = pd.read_parquet(io.BytesIO(export(analysis, "parquet")))
    assert table.columns[:4].tolist() == ["frame", "time_s", "track", "person"]
    assert table["person"].dropna().unique().tolist() == ["Person 1"]
    assert {"why_small", "why_uncertain", "usable", "distance", "occlusion"} <= set(table.columns)
    told = dictionary(analysis, table.columns.tolist(), Lens(0.5))
    assert told["column"].tolist() == table.columns.tolist() and told["meaning"].str.len().gt(10).all()
    meaning = dict(zip(told["column"], told["meaning"], strict=True))
    assert "surprise: neutral" in meaning["group"] and "mean over 0.5 s" in meaning["p_happy"]


def test_an_annotated_range_starts_at_zero_with_its_sound(tmp_path: Path, analysis: Analysis, clip: Path) -> None:
    out = annotate_video(clip, analysis.timeline(), tmp_path / "range.mp4", start_s=0.5, end_s=1.3)
    with VideoReader(out) as reader:
        times = [frame.time_s for frame in reader.frames()]
        assert reader.info.has_audio and reader.info.duration_s < 1.1
    np.testing.assert_allclose(times, [0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.7], atol=1e-3)


def test_blurred_faces_are_gone_also_where_the_detector_missed_them(
    tmp_path: Path, analysis: Analysis, clip: Path
) -> None:
    """Frame 2 is made a miss: the face is still in the picture, but not in the table."""
    timeline = analysis.timeline()
    missed = timeline.assign(track=np.where(timeline["frame"] == 2, -1, timeline["track"]))
    out = annotate_video(clip, timeline.iloc[:0], tmp_path / "blurred.mp4", blurred=missed)
    with VideoReader(out) as reader, VideoReader(clip) as source:
        after, before = list(reader.frames()), list(source.frames())
    x0, y0, x1, y1 = timeline.loc[0, ["x0", "y0", "x1", "y1"]].astype(int)
    for i in (0, 2, 5, 11):
        face = (slice(y0, y1), slice(x0, x1))
        detail = [np.abs(np.diff(frames[i].image[face].astype(int), axis=1)).mean() for frames in (before, after)]
        assert detail[1] < 0.5 * detail[0]
        assert np.abs(after[i].image[:, :20].astype(int) - before[i].image[:, :20]).mean() < 6  # the rest stays
