"""The benchmark of the video pipeline: its clip, its loops and what it compares."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmarks import long_video, video
from benchmarks.long_video import looped
from benchmarks.street import HEAD, walkers, write
from benchmarks.video import agreement, frames_per_second, told
from fer_core.faces import make_detector
from fer_core.models.classifier import Classifier
from fer_core.video.reader import VideoReader

SIZE, SECONDS = (640, 360), 1.0


@pytest.fixture(scope="module")
def street(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small and short clip of the kind, with four people."""
    return write(tmp_path_factory.mktemp("street") / "street.mp4", seconds=SECONDS, size=SIZE, n=4)


def rows(*faces: tuple[int, float, str]) -> pd.DataFrame:
    """A timeline of faces 10 px wide: frame, left edge, emotion; "" for a frame without a face."""
    table = pd.DataFrame(faces, columns=["frame", "x0", "emotion"])
    return table.assign(y0=0.0, x1=table["x0"] + 10, y1=10.0, track=np.where(table["emotion"] == "", -1, 0))


def test_agreement_counts_faces_found_again() -> None:
    exact = rows((0, 0.0, "happy"), (1, 0.0, "happy"), (2, 0.0, "sad"), (3, 0.0, ""), (4, 0.0, "sad"))
    fast = rows((0, 0.0, "happy"), (1, 2.0, "sad"), (2, 8.0, "sad"), (3, 0.0, "sad"), (4, 0.0, ""))
    found = agreement(exact, fast)
    assert found == {
        "recall_iou50": 0.5,
        "precision_iou50": 0.5,
        "mean_iou": pytest.approx((1 + 8 / 12) / 2, abs=1e-4),
        "same_emotion": 0.5,
    }
    assert agreement(exact, fast.assign(track=-1)) == dict.fromkeys(found, 0.0)


@pytest.mark.nightly
def test_the_clip_has_faces_of_many_sizes_and_a_cut(street: Path) -> None:
    with VideoReader(street) as reader:
        assert (reader.info.width, reader.info.height) == SIZE
        frames = [frame.image for frame in reader.frames()]
    assert len(frames) == 30
    changes = [float(np.abs(a.astype(int) - b).mean()) for a, b in itertools.pairwise(frames)]
    assert np.argmax(changes) == 14 and changes[14] > 1.5 * max(changes[:14])
    detector = make_detector("mtcnn", min_face_px=16)
    widths = np.concatenate([(f.boxes[:, 2] - f.boxes[:, 0]) for f in detector.detect(frames[::6])])
    assert len(widths) >= 8 and widths.max() > 3 * widths.min()


def test_people_are_spread_from_small_to_large() -> None:
    people = walkers(np.random.default_rng(0), 6, (1920, 1080))
    widths = [person.width_px for person in people]
    assert (min(widths), max(widths)) == (pytest.approx(60), pytest.approx(300)) and HEAD > 1.5
    assert any(person.start[0] < 0 or person.start[0] > 1 for person in people)


@pytest.mark.nightly
def test_a_loop_is_timed_on_stretches_over_the_whole_clip(street: Path) -> None:
    seen: list[np.ndarray] = []
    assert frames_per_second(lambda image: seen.append(image[::8, ::8].copy()), street, 30) > 0
    assert len(seen) == 30, "stretches of a short clip overlap"
    assert not np.array_equal(seen[0], seen[-1])


@pytest.mark.nightly
def test_everything_is_measured_and_told(
    street: Path, classifier: Classifier, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(video, "load", lambda *_, **__: classifier)
    assert video.main([str(street), "--rounds", "1", "--json"]) == 0
    (found,) = json.loads(capsys.readouterr().out)
    assert found["clip"] == "street.mp4" and found["frames"] == 30 and found["min_face_px"] == 20
    for name in ("plain_fps", "exact_fps", "fast_fps", "ratio_exact", "ratio_fast", "ratio_fast_equal", "peak_mb"):
        assert found[name] > 0, name
    assert found["ratio_fast"] == pytest.approx(found["fast_fps"] / found["plain_fps"], rel=0.05)
    assert 0 <= found["recall_iou50"] <= 1 and found["mean_iou"] > 0.5 and found["parity_iou90"] > 0.9
    stages = found["stages"]
    assert set(stages) == {"decode", *video.STAGES, "all"} and stages["detect"] > 0 and stages["score"] > 0
    assert sum(value for name, value in stages.items() if name != "all") < 1.5 * stages["all"]
    assert "| `ratio_fast` |" in told([found]) and "street.mp4" in told([found])


@pytest.mark.nightly
def test_a_clip_is_repeated_without_a_jump(street: Path, tmp_path: Path) -> None:
    with VideoReader(street) as reader:
        once = [frame.image for frame in reader.frames()]
    with VideoReader(looped(street, tmp_path / "long.mp4", minutes=0.1, rate=12.5)) as reader:
        frames = list(reader.frames())
        assert reader.info.duration_s == pytest.approx(6.0, abs=0.5)
    assert len(frames) == 75
    np.testing.assert_allclose(np.diff([frame.time_s for frame in frames]), 0.08, atol=1e-3)
    np.testing.assert_array_equal(frames[2 * len(once) + 3].image, once[3])


@pytest.mark.nightly
def test_a_long_video_costs_so_much_a_minute(street: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert long_video.main(["--clip", str(street), "--minutes", "0.02", "0.04", "--rate", "25", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["start_s"] > 0
    assert [row["frames"] for row in told["lengths"]] == [30, 60]
    assert all(row["peak_mb"] > 50 and row["wall_s_per_minute"] > row["wall_s"] for row in told["lengths"])
