"""What is finished is kept: when the source is gone, the disk full, a folder not writable, or a name impossible."""

from __future__ import annotations

import errno
import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
import pytest

from fer_core.errors import Cancelled, StoreError, VideoError
from fer_core.faces import Faces
from fer_core.files import replacing
from fer_core.models.classifier import Classifier
from fer_core.video import parts, pipeline, record
from fer_core.video.fingerprint import Fingerprint
from fer_core.video.pipeline import analyze
from fer_core.video.reader import Frame, VideoReader
from fer_core.video.store import open_analysis
from tests.support.clips import write_clip

FULL = OSError(errno.ENOSPC, "No space left on device")


class Writes:
    """Takes the place of ``replacing``: the disk is full when a file with a word in its name is written for the n-th
    time, and ever after where ``stays`` is set."""

    def __init__(self, word: str, n: int, *, stays: bool = False) -> None:
        self.word, self.left, self.stays = word, n, stays

    def __call__(self, path: Path, **how: Any) -> Any:
        if self.word in path.name:
            self.left -= 1
            if self.left == 0 or (self.left < 0 and self.stays):
                raise FULL
        return replacing(path, **how)


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """A part for every four frames."""
    monkeypatch.setattr(parts, "PART_FRAMES", 4)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.usefixtures("small_parts")
@pytest.mark.parametrize("word", ["timeline-", "scores0-", "features-"])
def test_a_full_disk_keeps_the_parts_before(
    tmp_path: Path, clip: Path, classifier: Classifier, monkeypatch: pytest.MonkeyPatch, word: str
) -> None:
    monkeypatch.setattr(parts, "replacing", Writes(word, 3))
    found = open_analysis(analyze(clip, tmp_path / "a", checkpoint=classifier))
    table = found.timeline()
    assert table["frame"].tolist() == list(range(8)), "two parts of four frames"
    assert len(found.scores(classifier.name)) == (table["track"] >= 0).sum() == 6
    assert found.record["complete"] is False and found.record["time_check"]["frames_analysed"] == 8
    assert [message for message in found.record["messages"] if "The disk is full." in message]
    assert names(tmp_path) == ["a"]


@pytest.mark.usefixtures("small_parts")
def test_a_disk_that_is_full_at_the_last_part_keeps_the_parts_before(
    tmp_path: Path, clip: Path, classifier: Classifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parts, "PART_FRAMES", 10)
    monkeypatch.setattr(parts, "replacing", Writes("timeline-", 2))
    found = open_analysis(analyze(clip, tmp_path / "a", checkpoint=classifier))
    assert found.timeline()["frame"].tolist() == list(range(10)) and found.record["complete"] is False


@pytest.mark.usefixtures("small_parts")
@pytest.mark.parametrize("times", [1, 2])
def test_tables_that_cannot_be_joined_are_tried_twice_then_kept_apart(
    tmp_path: Path, clip: Path, classifier: Classifier, monkeypatch: pytest.MonkeyPatch, times: int
) -> None:
    left, write = [times], parts._Tables.write

    def full(self: Any, name: str, table: Any) -> None:
        write(self, name, table)
        if name.startswith("scores") and left[0]:
            left[0] -= 1
            raise FULL

    monkeypatch.setattr(parts._Tables, "write", full)
    if times == 1:
        found = open_analysis(analyze(clip, tmp_path / "a", checkpoint=classifier))
        assert len(found.timeline()) == 16 and found.thumbnail(0) is not None
        return
    with pytest.raises(StoreError, match=r"The disk is full\..* kept .*a\.unfinished") as error:
        analyze(clip, tmp_path / "a", checkpoint=classifier)
    assert names(tmp_path) == ["a.unfinished"] and "\n" not in str(error.value)
    kept = sorted((tmp_path / "a.unfinished" / "parts").glob("timeline-*.parquet"))
    before = pd.concat([pd.read_parquet(path) for path in kept])
    assert before["frame"].tolist() == list(range(16))
    assert not list((tmp_path / "a.unfinished").glob("*.parquet")), "half a table is worth nothing"
    left[0] = 2
    with pytest.raises(StoreError, match=r"a\.unfinished-2"):
        analyze(clip, tmp_path / "a", checkpoint=classifier)
    assert open_analysis(analyze(clip, tmp_path / "a", checkpoint=classifier)).record["complete"]
    assert names(tmp_path) == ["a", "a.unfinished", "a.unfinished-2"], "no run removes what was kept"


def test_a_record_that_cannot_be_written_keeps_the_tables(
    tmp_path: Path, clip: Path, classifier: Classifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise FULL

    monkeypatch.setattr(pipeline, "write_record", full)
    with pytest.raises(StoreError, match="The disk is full"):
        analyze(clip, tmp_path / "a", checkpoint=classifier)
    assert len(pd.read_parquet(tmp_path / "a.unfinished" / "timeline.parquet")) == 16


def test_an_analysis_that_cannot_take_its_place_is_whole_beside_it(
    tmp_path: Path, clip: Path, classifier: Classifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when somebody else made the folder meanwhile."""
    write = pipeline.write_record

    def taken(*given: Any) -> None:
        write(*given)
        (tmp_path / "a").mkdir()
        (tmp_path / "a" / "mine.txt").touch()

    monkeypatch.setattr(pipeline, "write_record", taken)
    with pytest.raises(StoreError, match="stands whole in"):
        analyze(clip, tmp_path / "a", checkpoint=classifier)
    assert open_analysis(tmp_path / "a.unfinished").record["complete"]


def test_a_disk_that_is_full_at_once_leaves_nothing(
    tmp_path: Path, clip: Path, classifier: Classifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parts, "replacing", Writes("-", 1, stays=True))
    with pytest.raises(StoreError, match="The disk is full"):
        analyze(clip, tmp_path / "a", checkpoint=classifier)
    assert names(tmp_path) == []


def test_a_source_that_is_removed_while_it_is_read_is_read_to_its_end(
    tmp_path: Path, portrait: np.ndarray, classifier: Classifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    clip = write_clip(tmp_path / "c.mp4", [i / 25 for i in range(30)], pictures=[portrait] * 30)
    content = clip.read_bytes()
    kept = parts.PartWriter.add

    def gone(self: Any, *given: Any) -> None:
        clip.unlink(missing_ok=True)
        kept(self, *given)

    monkeypatch.setattr(parts.PartWriter, "add", gone)
    found = open_analysis(analyze(clip, tmp_path / "a", checkpoint=classifier)).record
    assert found["source"]["sha256"] == hashlib.sha256(content).hexdigest()
    assert found["source"]["size"] == len(content) and found["time_check"]["frames_analysed"] == 30


@pytest.mark.parametrize("error", [OSError(errno.EIO, "Input/output error"), VideoError("c.mp4 is gone.")])
def test_a_source_that_cannot_be_read_any_further_ends_there(
    tmp_path: Path, clip: Path, classifier: Classifier, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    whole = VideoReader.frames

    def frames(self: VideoReader, **given: Any) -> Iterator[Frame]:
        for frame in whole(self, **given):
            if frame.index == 9:
                raise error
            yield frame

    monkeypatch.setattr(VideoReader, "frames", frames)
    found = open_analysis(analyze(clip, tmp_path / "a", checkpoint=classifier))
    done = found.timeline()["frame"].max() + 1
    assert 0 < done <= 9 and found.record["complete"] is False
    assert any("broke off" in message and str(error.args[-1]) in message for message in found.record["messages"])


def test_a_source_that_cannot_be_read_at_all_is_an_error(
    tmp_path: Path, clip: Path, classifier: Classifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    def frames(*_: object, **__: object) -> Iterator[Frame]:
        raise VideoError("The drive is gone.")
        yield

    monkeypatch.setattr(VideoReader, "frames", frames)
    with pytest.raises(VideoError, match=r"The drive is gone\."):
        analyze(clip, tmp_path / "a", checkpoint=classifier)
    assert names(tmp_path) == []


def test_a_source_that_changes_is_told(
    tmp_path: Path, portrait: np.ndarray, classifier: Classifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), portrait[:, :, ::-1])
    write = record.summary

    def changed(*given: Any) -> Any:
        with (tmp_path / "a.png").open("ab") as file:
            file.write(b"more")
        return write(*given)

    monkeypatch.setattr(record, "summary", changed)
    found = open_analysis(analyze(tmp_path / "a.png", tmp_path / "out", checkpoint=classifier)).record
    assert any("The file changed" in message for message in found["messages"])


def test_hashing_a_large_file_can_be_stopped(tmp_path: Path) -> None:
    with (tmp_path / "a").open("wb") as file:
        file.truncate(20_000_000)
    with pytest.raises(Cancelled):
        Fingerprint.of(tmp_path / "a", "a", lambda: False)
    assert Fingerprint.of(tmp_path / "a", "a", lambda: True).size == 20_000_000


# names and places


@pytest.mark.parametrize("name", ["x" * 255, "ä" * 127 + "x", "a:b", "a\nb"])
def test_a_long_name_of_the_folder_is_no_obstacle(
    tmp_path: Path, clip: Path, classifier: Classifier, name: str
) -> None:
    out = analyze(clip, tmp_path / name, checkpoint=classifier)
    assert out.name == name and names(tmp_path) == [name] and open_analysis(out).record["complete"]


@pytest.mark.parametrize("name", ["x" * 256, os.fsdecode(b"\xff")])
def test_an_impossible_name_of_the_folder_is_said(
    tmp_path: Path, clip: Path, classifier: Classifier, name: str
) -> None:
    with pytest.raises(StoreError, match=r"[Cc]hoose another folder"):
        analyze(clip, tmp_path / name, checkpoint=classifier)
    assert names(tmp_path) == []


def test_a_folder_below_a_file_is_said(tmp_path: Path, clip: Path, classifier: Classifier) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match=r"cannot be written: Not a directory"):
        analyze(clip, tmp_path / "file" / "a", checkpoint=classifier)


def test_a_name_that_is_no_text_is_shown_as_far_as_it_is(
    tmp_path: Path, portrait: np.ndarray, classifier: Classifier
) -> None:
    source = tmp_path / os.fsdecode(b"caf\xe9.png")
    source.write_bytes(cv2.imencode(".png", portrait[:, :, ::-1])[1].tobytes())
    found = open_analysis(analyze(source, tmp_path / "a", checkpoint=classifier))
    assert found.record["source"]["name"] == "caf\ufffd.png"
    assert json.loads((found.folder / "analysis.json").read_text("utf-8"))["complete"]


# pictures in which nobody is seen


class Upright:
    """A detector that finds a face only where the upper left corner of the picture is white."""

    name = "upright"

    def detect(self, images: list[np.ndarray]) -> list[Faces]:
        if images[0][:20, :20].mean() < 128:
            return [Faces.none()]
        points = np.array([[[30, 35], [50, 35], [40, 45], [32, 55], [48, 55]]], np.float32)
        return [Faces(np.array([[10, 10, 70, 70]], np.float32), np.array([0.999], np.float32), points)]


@pytest.mark.parametrize(
    ("quarters", "words"),
    [
        (1, "turned by 90° to the right"), (2, "turned upside down"), (3, "turned by 90° to the left"),
        (None, "smaller than 40 px, turned away, covered, lying on their side or in the dark"),
    ],
)  # fmt: skip
def test_a_picture_without_a_face_is_turned_to_look_again(
    tmp_path: Path, classifier: Classifier, monkeypatch: pytest.MonkeyPatch, quarters: int | None, words: str
) -> None:
    monkeypatch.setattr("fer_core.video.run.make_detector", lambda *_, **__: Upright())
    picture = np.zeros((80, 120, 3), np.uint8)
    if quarters is not None:
        picture[:20, :20] = 255
        picture = np.rot90(picture, quarters)
    cv2.imwrite(str(tmp_path / "a.png"), picture)
    found = open_analysis(analyze(tmp_path / "a.png", tmp_path / "out", checkpoint=classifier))
    assert found.people == [] and words in found.record["messages"][0]
