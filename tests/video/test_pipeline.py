"""The whole way from a file to an analysis folder, with the shipped model."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import ClassVar

import av
import numpy as np
import pandas as pd
import pytest

from fer_core import cli
from fer_core.emotions import PRIORS
from fer_core.errors import FerError, InputError, StoreError, VideoError
from fer_core.faces import Faces
from fer_core.models.classifier import Classifier
from fer_core.models.folders import DEFAULT_CHECKPOINT
from fer_core.progress import Progress
from fer_core.video.pipeline import Settings, analyze
from fer_core.video.store import Analysis, AnalysisStore, open_analysis
from fer_core.video.view import view
from tests.support.bad_files import write_bad
from tests.support.clips import write_clip

COLUMNS = [
    *("frame", "time_s", "track", "lasts_s", "x0", "y0", "x1", "y1", "detection", "source"),
    *(
        "lm0_x",
        "lm0_y",
        "lm1_x",
        "lm1_y",
        "lm2_x",
        "lm2_y",
        "lm3_x",
        "lm3_y",
        "lm4_x",
        "lm4_y",
        "sharpness",
        "brightness",
    ),
    *("p_angry", "p_disgust", "p_fear", "p_happy", "p_sad", "p_surprise", "p_neutral"),
    *("distance", "occlusion", "emotion", "group"),
]


def test_the_folder_has_every_table_with_its_columns(analysis: Analysis) -> None:
    timeline = analysis.timeline()
    assert timeline.columns.tolist() == COLUMNS
    assert pd.read_csv(analysis.folder / "timeline.csv").columns.tolist() == COLUMNS
    assert timeline["time_s"].dtype == np.float64
    names = {path.relative_to(analysis.folder).as_posix() for path in analysis.folder.rglob("*") if path.is_file()}
    assert {name for name in names if not name.startswith("views/")} == {
        "timeline.parquet", "timeline.csv", "features.parquet", f"scores/{DEFAULT_CHECKPOINT}.parquet",
        "crops/track_0.jpg", "analysis.json",
    }  # fmt: skip
    features = pd.read_parquet(analysis.folder / "features.parquet")
    assert features["f_000"].dtype == np.float16
    assert features["time_s"].diff().min() >= 0.1999


def test_faceless_frames_are_rows_and_the_person_is_the_same_after_them(analysis: Analysis) -> None:
    timeline = analysis.timeline()
    assert timeline["frame"].tolist() == list(range(16))
    assert timeline["track"].tolist() == [0] * 6 + [-1] * 4 + [0] * 6
    assert timeline.loc[6:9, "emotion"].isna().all()
    assert (timeline.loc[timeline["track"] == 0, "emotion"] == "happy").all()
    np.testing.assert_allclose(timeline["time_s"].iloc[[3, 15]], [0.35, 2.0], atol=1e-3)


def test_the_record_tells_what_was_done(analysis: Analysis) -> None:
    record = analysis.record
    check = record["time_check"]
    assert (check["frames_decoded"], check["frames_with_faces"], check["frames_dropped"]) == (16, 12, 0)
    assert check["variable_rate"] is True and check["drift_s"] > 0.05
    assert record["complete"] is True and record["messages"] == []
    assert record["settings"]["min_face_px"] == 40
    assert len(record["checkpoint"]["sha256"]) == len(record["source"]["sha256"]) == 64
    (person,) = record["summary"]["people"]
    assert person["emotion_share"] == {"happy": 1.0}


def test_scores_do_not_depend_on_how_frames_are_batched(
    tmp_path: Path, analysis: Analysis, clip: Path, classifier: Classifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fer_core.video.parts.BATCH_FACES", 1)
    monkeypatch.setattr("fer_core.video.parts.PART_FRAMES", 3)
    single = open_analysis(analyze(clip, tmp_path / "a", checkpoint=classifier)).timeline()
    pd.testing.assert_frame_equal(single, analysis.timeline(), atol=1e-4)


class Staged:
    """A detector that finds faces at given places: frame → (x, score) of each, 60 px wide."""

    name = "staged"

    def __init__(self, script: dict[int, list[tuple[float, float]]]) -> None:
        self.script, self.frame = script, -1

    def detect(self, images: list[np.ndarray]) -> list[Faces]:
        self.frame += 1
        seen = self.script.get(self.frame, [])
        if not seen:
            return [Faces.none()]
        boxes = np.array([[x, 40, x + 60, 100] for x, _ in seen], np.float32)
        points = np.array([[20, 25], [40, 25], [30, 35], [22, 45], [38, 45]], np.float32)
        return [Faces(boxes, np.array([score for _, score in seen], np.float32), boxes[:, None, :2] + points)]


def test_false_alarms_of_the_detector_are_left_out_and_counted(
    tmp_path: Path, portrait: np.ndarray, classifier: Classifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three flickers: before, beside and after a person who stays; the last is sure, so it is kept."""
    script = {i: [(100.0, 0.95)] for i in range(5, 20)}
    script |= {2: [(10.0, 0.93)], 8: [(100.0, 0.95), (180.0, 0.92)], 25: [(255.0, 0.999)]}
    clip = write_clip(tmp_path / "c.mp4", [i / 25 for i in range(30)], pictures=[portrait] * 30)
    monkeypatch.setattr("fer_core.video.run.make_detector", lambda *_, **__: Staged(script))
    analysis = open_analysis(analyze(clip, tmp_path / "a", checkpoint=classifier))
    timeline = analysis.timeline()
    assert timeline["frame"].tolist() == list(range(30))
    people = {track: rows["frame"].tolist() for track, rows in timeline[timeline["track"] >= 0].groupby("track")}
    assert people == {0: list(range(5, 20)), 1: [25]}
    assert timeline.loc[2, ["x0", "p_happy", "emotion", "source"]].isna().all()
    assert analysis.record["faces_left_out"] == 2
    assert sorted(path.name for path in (analysis.folder / "crops").iterdir()) == ["track_0.jpg", "track_1.jpg"]
    assert sorted(analysis.left_out()["frame"]) == [2, 8]
    features = pd.read_parquet(analysis.folder / "features.parquet")
    assert set(features["track"]) == {0, 1}
    assert len(pd.read_parquet(analysis.folder / f"scores/{DEFAULT_CHECKPOINT}.parquet")) == 16


def test_strips_that_turn_out_to_be_parts_of_others_are_joined_in_every_table(
    tmp_path: Path, portrait: np.ndarray, classifier: Classifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Strips 1 and 2 are the same person as 0; strip 4 is a part of 3, a flicker that is left out."""

    class Told:
        same: ClassVar = {1: 0, 2: 0, 4: 3}

        def state(self) -> dict[str, object]:
            return {}

        def update(self, time_s: float, faces: Faces, *_: object) -> np.ndarray:
            frame = round(25 * time_s)
            return np.array([frame // 8, *([3 + frame % 2] if len(faces) > 1 else [])], np.int32)

    script = {i: [(100.0, 0.97), *([(10.0, 0.9)] if i in (20, 21) else [])] for i in range(24)}
    clip = write_clip(tmp_path / "c.mp4", [i / 25 for i in range(24)], pictures=[portrait] * 24)
    monkeypatch.setattr("fer_core.video.run.make_detector", lambda *_, **__: Staged(script))
    monkeypatch.setattr("fer_core.video.run.Tracker", Told)
    analysis = open_analysis(analyze(clip, tmp_path / "a", checkpoint=classifier))
    assert analysis.timeline()["track"].tolist() == [0] * 24
    for name in ("features", f"scores/{DEFAULT_CHECKPOINT}"):
        assert set(pd.read_parquet(analysis.folder / f"{name}.parquet")["track"]) == {0}, name
    assert [path.name for path in (analysis.folder / "crops").iterdir()] == ["track_0.jpg"]
    assert (analysis.record["faces_left_out"], len(analysis.left_out())) == (2, 2)


def test_a_sparse_analysis_leaves_nothing_out(
    tmp_path: Path, portrait: np.ndarray, classifier: Classifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    clip = write_clip(tmp_path / "c.mp4", [i / 25 for i in range(60)], pictures=[portrait] * 60)
    monkeypatch.setattr("fer_core.video.run.make_detector", lambda *_, **__: Staged({3: [(100.0, 0.92)]}))
    settings = Settings(per_second=5)
    record = open_analysis(analyze(clip, tmp_path / "a", checkpoint=classifier, settings=settings)).record
    assert (record["faces_left_out"], record["time_check"]["frames_with_faces"]) == (0, 1)


def test_a_clip_range_and_rate_analyse_only_that(tmp_path: Path, clip: Path, classifier: Classifier) -> None:
    settings = Settings(start_s=0.5, end_s=1.45, per_second=5)
    times = open_analysis(analyze(clip, tmp_path / "a", checkpoint=classifier, settings=settings)).timeline()["time_s"]
    np.testing.assert_allclose(times, [0.5, 0.6, 0.8, 1.0, 1.2, 1.4], atol=1e-3)


def test_progress_rises_and_stopping_keeps_what_is_done(tmp_path: Path, clip: Path, classifier: Classifier) -> None:
    told: list[Progress] = []
    asked = iter([False] * 4 + [True] * 100)
    out = analyze(clip, tmp_path / "a", checkpoint=classifier, progress=told.append, should_stop=lambda: next(asked))
    record = open_analysis(out).record
    assert record["complete"] is False
    assert record["time_check"]["frames_analysed"] == 5
    assert "Stopped by request" in record["messages"][0]
    assert told[0].share == 0 and told[-1].stage == "writing"
    assert not list(tmp_path.glob("*.tmp"))


def test_a_bad_file_leaves_nothing(tmp_path: Path, classifier: Classifier) -> None:
    with pytest.raises(FerError):
        analyze(write_bad(tmp_path, "text"), tmp_path / "out", checkpoint=classifier)
    assert [path.name for path in tmp_path.iterdir()] == ["text.mp4"]


def test_a_single_frame_and_a_picture_are_results(tmp_path: Path, portrait: np.ndarray, classifier: Classifier) -> None:
    single = write_clip(tmp_path / "one.mp4", [0.0], pictures=[portrait])
    record = open_analysis(analyze(single, tmp_path / "a", checkpoint=classifier)).record
    assert "single frame" in record["messages"][0] and len(record["summary"]["people"]) == 1
    import cv2

    cv2.imwrite(str(tmp_path / "face.png"), portrait[:, :, ::-1])
    picture = open_analysis(analyze(tmp_path / "face.png", tmp_path / "b", checkpoint=classifier))
    assert picture.timeline()["emotion"].tolist() == ["happy"]


def test_a_folder_in_the_way_is_not_removed(tmp_path: Path, clip: Path, classifier: Classifier) -> None:
    (tmp_path / "res.tmp").mkdir()
    (tmp_path / "res.tmp" / "mine.txt").write_text("keep")
    with pytest.raises(StoreError, match=r"res\.tmp is in the way"):
        analyze(clip, tmp_path / "res", checkpoint=classifier)
    assert (tmp_path / "res.tmp" / "mine.txt").read_text() == "keep"


def test_out_must_be_free(tmp_path: Path, clip: Path, classifier: Classifier) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "mine.txt").write_text("keep")
    with pytest.raises(StoreError, match="not empty"):
        analyze(clip, tmp_path / "a", checkpoint=classifier)
    assert (tmp_path / "a" / "mine.txt").read_text() == "keep"


# the store


def test_names_are_a_view_and_the_tables_stay(tmp_path: Path, analysis: Analysis) -> None:
    import shutil

    store = AnalysisStore(tmp_path)
    shutil.copytree(analysis.folder, tmp_path / ("ab" * 16))
    before = (tmp_path / ("ab" * 16) / "timeline.parquet").read_bytes()
    assert store.rename("ab" * 16, "  My   talk ").name == "My talk"
    assert store.open("ab" * 16).name == "My talk"
    assert (tmp_path / ("ab" * 16) / "timeline.parquet").read_bytes() == before
    with pytest.raises(InputError):
        store.rename("ab" * 16, " ")
    for bad in ("../etc", "AB" * 16, "ab"):
        with pytest.raises(StoreError):
            store.folder(bad)
    (tmp_path / ("cd" * 16)).mkdir()
    listed = list(store.all())
    assert [type(each) for each in listed] == [Analysis, tuple]
    store.delete("ab" * 16)
    with pytest.raises(StoreError, match="deleted"):
        store.delete("ab" * 16)


@pytest.mark.parametrize(
    ("name", "content"), [("analysis.json", "{"), ("analysis.json", '{"format": "x"}'), ("timeline.parquet", "x")]
)
def test_damaged_folders_are_refused_with_the_file_named(
    tmp_path: Path, analysis: Analysis, name: str, content: str
) -> None:
    import shutil

    folder = shutil.copytree(analysis.folder, tmp_path / "a")
    (folder / name).write_text(content)
    with pytest.raises(StoreError, match=name):
        open_analysis(folder).timeline()


# real clips


def shared(videos_dir: Path, name: str, tmp_path: Path, classifier: Classifier, **settings: float) -> Analysis:
    return open_analysis(
        analyze(videos_dir / name, tmp_path / "a", checkpoint=classifier, settings=Settings(**settings))
    )


def test_sad_to_happy(videos_dir: Path, tmp_path: Path, classifier: Classifier) -> None:
    analysis = shared(videos_dir, "sad_to_happy.mp4", tmp_path, classifier)
    timeline = analysis.timeline()
    assert set(timeline["track"]) <= {-1, 0}
    for choice in PRIORS:
        shown = view(analysis.do({"do": "prior", "choice": choice}))
        for start, end, group, least in ((1.0, 5.7, "negative", 0.8), (10.7, 19.6, "positive", 0.9)):
            span = shown[shown["time_s"].between(start, end)]
            assert (span["group"] == group).sum() / span["frame"].nunique() >= least, (choice, group)
    own = timeline.loc[timeline["track"] == 0, "time_s"]
    assert own.min() < 0.1 and own.max() > 19.5


def test_face_then_none(videos_dir: Path, tmp_path: Path, classifier: Classifier) -> None:
    analysis = shared(videos_dir, "face_then_none_vfr_hevc.mov", tmp_path, classifier)
    timeline = analysis.timeline()
    assert analysis.record["time_check"]["variable_rate"] is True
    seen = timeline.loc[timeline["track"] >= 0, "time_s"]
    assert seen.max() < 2.5 and len(seen) > 60
    with av.open(str(videos_dir / "face_then_none_vfr_hevc.mov")) as container:
        start = container.start_time / av.time_base
        times = [float(frame.pts * frame.time_base) - start for frame in container.decode(video=0)]
    np.testing.assert_allclose(timeline.drop_duplicates("frame")["time_s"], times, atol=1e-3)


def test_no_face(videos_dir: Path, tmp_path: Path, classifier: Classifier) -> None:
    analysis = shared(videos_dir, "no_face.mp4", tmp_path, classifier)
    assert (analysis.timeline()["track"] == -1).all()
    assert analysis.people == []
    assert "No face was found in this video" in analysis.record["messages"][0]


def test_multi_face(videos_dir: Path, tmp_path: Path, classifier: Classifier) -> None:
    timeline = shared(videos_dir, "multi_face.jpg", tmp_path, classifier).timeline()
    assert timeline["track"].tolist() == [0, 1, 2, 3, 4]


# the command line


def test_analyze_command(tmp_path: Path, clip: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = str(tmp_path / "a")
    assert (
        cli.main(["analyze", str(clip), "--out", out, "--export", "vtt,srt", "--annotated", "--prior", "all_alike"])
        == 0
    )
    said = capsys.readouterr().out
    assert "Person 1" in said and "How common emotions are: all seven alike" in said
    assert open_analysis(tmp_path / "a").prior == "all_alike"
    names = {path.name for path in (tmp_path / "a").iterdir()}
    assert {"timeline.csv", "timeline.parquet", "analysis.json", "export.vtt", "export.srt", "annotated.mp4"} <= names


def test_commands_say_what_is_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["analyze", str(tmp_path / "none.mp4"), "--out", str(tmp_path / "a")]) == 1
    assert f"no file {tmp_path / 'none.mp4'}" in capsys.readouterr().err
    assert cli.main(["evaluate", "nothing", "--data", str(tmp_path)]) == 1
    assert DEFAULT_CHECKPOINT in capsys.readouterr().err


def test_analyze_from_a_thread_works_like_anywhere(tmp_path: Path, clip: Path, classifier: Classifier) -> None:
    """Workers call it from threads."""
    out: list[Path] = []
    thread = threading.Thread(target=lambda: out.append(analyze(clip, tmp_path / "a", checkpoint=classifier)))
    thread.start()
    thread.join(120)
    assert out and open_analysis(out[0]).record["complete"]


def test_a_missing_file_is_an_error_of_the_user(tmp_path: Path, classifier: Classifier) -> None:
    with pytest.raises(VideoError, match=r"no file .*gone\.mp4"):
        analyze(tmp_path / "gone.mp4", tmp_path / "a", checkpoint=classifier)


def test_repeated_frames_are_counted_where_every_frame_is_analysed(
    tmp_path: Path, portrait: np.ndarray, classifier: Classifier
) -> None:
    """Ten frames of which each picture comes twice; losslessly stored."""
    pictures = [np.roll(portrait, 8 * (i // 2), axis=1) for i in range(10)]
    clip = write_clip(tmp_path / "c.mkv", [i / 10 for i in range(10)], pictures=pictures, codec="ffv1")
    found = open_analysis(analyze(clip, tmp_path / "a", checkpoint=classifier)).record["time_check"]
    assert found["frames_repeated"] == 5
    sparse = analyze(clip, tmp_path / "b", checkpoint=classifier, settings=Settings(per_second=5))
    assert open_analysis(sparse).record["time_check"]["frames_repeated"] is None
