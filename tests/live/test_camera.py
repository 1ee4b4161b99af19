"""``python -m fer_core live``: a camera or a file, frames at their own pace, and a folder of what was recorded."""

from __future__ import annotations

import itertools
import json
import shutil
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from dashboard.services import places
from fer_core.cli import main
from fer_core.errors import VideoError
from fer_core.live.camera import Camera, newest, paced_frames
from fer_core.live.recording import Recording
from fer_core.video.reader import Frame, VideoReader
from fer_core.video.store import open_analysis
from fer_core.video.view import view


def numbered(n: int, ended: threading.Event | None = None) -> Iterator[Frame]:
    for i in range(n):
        yield Frame(i, i / 30, np.zeros((2, 2, 3), np.uint8))
    if ended is not None:
        ended.set()


def test_who_is_slow_gets_the_newest_frame() -> None:
    ended, found = threading.Event(), list[int]()
    for frame in newest(numbered(40, ended)):
        found.append(frame.index)
        assert ended.wait(60)
    assert found in ([found[0], 39], [39]), "those between are missed, the last one never"


def test_errors_of_a_source_come_out_and_closing_ends_it() -> None:
    def broken() -> Iterator[Frame]:
        yield from numbered(1)
        raise VideoError("gone")

    with pytest.raises(VideoError, match="gone"):
        list(newest(broken()))
    before = threading.active_count()
    endless = newest(itertools.cycle(numbered(1)))
    assert next(endless).index == 0
    endless.close()
    assert threading.active_count() <= before


def test_a_file_is_read_at_its_own_pace(clip: Path) -> None:
    began = time.monotonic()
    with VideoReader(clip) as reader:
        late = [time.monotonic() - began - frame.time_s for frame in paced_frames(reader)]
    assert len(late) == 16 and min(late) >= -0.001


class Pretended:
    """A camera as OpenCV has them, with some blue pictures."""

    def __init__(self, number: int) -> None:
        self.left = 3 if number == 1 else 0
        self.is_there = number < 2

    def isOpened(self) -> bool:  # noqa: N802
        return self.is_there

    def read(self) -> tuple[bool, np.ndarray | None]:
        self.left -= 1
        return self.left >= 0, np.full((4, 6, 3), (255, 0, 0), np.uint8)

    def release(self) -> None:
        self.is_there = False


def test_a_camera_gives_rgb_at_its_own_times(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cv2, "VideoCapture", Pretended)
    with Camera(1) as camera:
        found = list(camera.frames())
    assert [frame.index for frame in found] == [0, 1, 2] and found[0].time_s == 0
    assert sorted(frame.time_s for frame in found) == [frame.time_s for frame in found]
    assert found[0].image.shape == (4, 6, 3) and found[0].image[0, 0].tolist() == [0, 0, 255]
    assert not camera._device.isOpened()


@pytest.mark.parametrize(("number", "said"), [(0, "gives no pictures"), (2, "is not there")])
def test_a_camera_that_gives_nothing_is_one_sentence(
    number: int, said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(cv2, "VideoCapture", Pretended)
    assert main(["live", "--camera", str(number)]) == 1
    out, err = capsys.readouterr()
    assert out == "" and err.startswith(f"live: Camera {number} {said}.") and err.count("\n") == 1


def test_a_camera_that_is_not_there_is_told_by_opencv_in_no_words_of_its_own(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["live", "--camera", "97"]) == 1
    assert capfd.readouterr().err.count("\n") == 1


def test_a_file_gives_lines_and_a_folder_that_review_opens(
    tmp_path: Path, home: Path, clip: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "new" / ("ab" * 16)
    assert main(["live", str(clip), "--seconds", "0.7", "--out", str(out), "--device", "cpu"]) == 0
    told, err = capsys.readouterr()
    lines = [json.loads(line) for line in told.splitlines()]
    assert lines and lines[0].keys() == {"time_s", "faces"} and all(0 <= line["time_s"] < 0.7 for line in lines)
    (face,) = lines[0]["faces"]
    assert {"track", "box", "emotion", "p_happy", "reasons", "valence"} <= face.keys() and "p" not in face
    assert f"Written to {out}" in err
    analysis = open_analysis(out)
    table = view(analysis)
    assert analysis.name == "talk.mp4" and len(table) == 6, "also the frames that were not answered"
    assert table["time_s"].tolist() == pytest.approx([0.0, 0.1, 0.2, 0.35, 0.5, 0.6], abs=1e-3)
    assert set(table["emotion"]) == {face["emotion"]}
    assert [path.name for path in out.parent.iterdir()] == [out.name], "nothing is left beside it"
    shutil.move(out, places.store().folder(out.name))
    assert places.open_for_page(out.name).id == out.name
    assert places.source_of(out.name) == places.store().folder(out.name) / "source.mp4"
    assert main(["live", str(clip), "--out", str(clip.parent)]) == 1
    assert "is not empty" in capsys.readouterr().err


def test_a_recording_without_a_frame_leaves_nothing(tmp_path: Path) -> None:
    with Recording(tmp_path / "a"):
        pass
    assert list(tmp_path.iterdir()) == []
    with Recording(tmp_path / "a") as recording:
        recording.add(Frame(0, 0.0, np.zeros((7, 9, 3), np.uint8)))
    assert [path.name for path in tmp_path.iterdir()] == ["a.recording.mp4"]
