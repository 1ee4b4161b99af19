"""Files that hold more than any recording does are refused by a sentence, and before they fill the memory."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from fer_core.errors import VideoError
from fer_core.video import animation, limits, reader, stills
from fer_core.video.reader import VideoReader
from tests.support.clips import write_clip


def refused(path: Path) -> str:
    with pytest.raises(VideoError) as error, VideoReader(path) as opened:
        list(opened.frames())
    return str(error.value)


@pytest.mark.parametrize(
    ("limit", "words"),
    [
        ("MAX_VIDEO_PIXELS", "a.mp4 has frames of 96×64 pixels"), ("MAX_STREAMS", "a.mp4 holds 2 streams; at most 1"),
        ("MAX_TRACKS", "a.mp4 holds 1 picture tracks; at most 0"), ("MAX_FRAMES", "a.mp4 holds 6 frames; at most 1"),
    ],
)  # fmt: skip
def test_a_video_above_a_limit_is_told_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: str, words: str
) -> None:
    clip = write_clip(tmp_path / "a.mp4", [i / 10 for i in range(6)], sound_from_s=0.0)
    with VideoReader(clip) as opened:
        assert opened.info.width == 96
    monkeypatch.setattr(limits, limit, 0 if limit == "MAX_TRACKS" else 1)
    said = refused(clip)
    assert words in said and "first." in said


def test_what_the_limits_let_pass_is_far_above_what_people_record() -> None:
    limits.check_size(7680, 4320, "8K")
    limits.check_container(12, 2, 24 * 3600 * 60, "a day")
    with pytest.raises(VideoError, match="8190×8190"):
        limits.check_size(8190, 8190, "bomb")


def test_a_decoder_is_not_led_past_the_limit_by_a_frame_that_is_larger_than_the_file_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clip = write_clip(tmp_path / "a.mp4", [0.0, 0.1])
    monkeypatch.setattr(reader, "MAX_VIDEO_PIXELS", 64)
    assert "no frame could be decoded" in refused(clip) or "no frame" in refused(clip)


def test_a_display_size_counts_like_a_stored_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from fractions import Fraction

    clip = write_clip(tmp_path / "a.mp4", [0.0, 0.1], pixel_ratio=Fraction(9))
    monkeypatch.setattr(limits, "MAX_VIDEO_PIXELS", 96 * 64)
    assert "frames of 864×64 pixels" in refused(clip)


def test_reading_ends_at_the_limit_where_a_file_does_not_say_its_length(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clip = write_clip(tmp_path / "a.mkv", [i / 10 for i in range(6)])
    monkeypatch.setattr(reader, "MAX_FRAMES", 4)
    assert "a.mkv holds more than 4 frames" in refused(clip)


def test_a_picture_with_a_long_tail_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.jpg"
    cv2.imwrite(str(path), np.full((64, 64, 3), 90, np.uint8))
    with VideoReader(path) as opened:
        assert opened.info.is_picture
    with path.open("ab") as file:
        file.truncate(2_000_000)
    monkeypatch.setattr(stills, "MAX_PICTURE_BYTES", 1_000_000)
    assert "a.jpg is a picture in a file of 2 MB; at most 1 MB can be read" in refused(path)


def test_an_animation_of_too_many_pictures_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pictures = [Image.new("RGB", (32, 32), (i * 40, 0, 0)) for i in range(5)]
    pictures[0].save(tmp_path / "a.webp", save_all=True, append_images=pictures[1:], duration=100)
    with VideoReader(tmp_path / "a.webp") as opened:
        assert len(list(opened.frames())) == 5
    monkeypatch.setattr(animation, "MAX_PICTURES", 4)
    assert "a.webp holds more than 4 pictures" in refused(tmp_path / "a.webp")


def test_few_large_frames_are_decoded_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits.os, "cpu_count", lambda: 16)
    found = [limits.decoding_threads(*size) for size in ((1920, 1080), (3840, 2160), (7680, 4320), (20_000, 20_000))]
    assert found == [0, 15, 3, 1]
