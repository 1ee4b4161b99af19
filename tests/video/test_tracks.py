"""Files with several picture tracks: the one that players show is read, another one can be chosen."""

from __future__ import annotations

from pathlib import Path

import pytest

from fer_core.errors import InputError
from fer_core.video.annotate import browser_proxy
from fer_core.video.reader import VideoReader
from tests.support.clips import write_clip
from tests.support.odd_clips import write_tracks

LEVELS = [40, 120, 200]


def level(path: Path, track: int | None = None) -> int:
    with VideoReader(path, track=track) as reader:
        found = {round(float(frame.image.mean())) for frame in reader.frames()}
        assert len(found) == 1 and reader.info.track == (track or reader.info.track)
        return min(LEVELS, key=lambda each: abs(each - min(found)))


@pytest.mark.parametrize("name", ["a.mp4", "a.mov", "a.mkv", "a.webm"])
@pytest.mark.parametrize("default", [0, 1, 2])
def test_the_default_track_is_read(tmp_path: Path, name: str, default: int) -> None:
    clip = write_tracks(tmp_path / name, LEVELS, default)
    assert level(clip) == LEVELS[default]
    assert [level(clip, number) for number in (1, 2, 3)] == LEVELS
    with VideoReader(clip) as reader:
        assert [track.is_default for track in reader.info.tracks] == [n == default for n in range(3)]
        assert {(track.width, track.height) for track in reader.info.tracks} == {(96, 64)}


@pytest.mark.parametrize(("name", "track", "plays"), [
    ("a.mp4", None, True), ("a.mp4", 2, True), ("a.mp4", 1, False), ("a.webm", None, False), ("a.webm", 1, True),
])  # fmt: skip
def test_what_browsers_show_by_themselves_is_played(tmp_path: Path, name: str, track: int | None, plays: bool) -> None:
    """Chromium shows the default track of an MP4, and the first one of a WebM, whatever it says."""
    clip = write_tracks(tmp_path / name, LEVELS, 1)
    with VideoReader(clip, track=track) as reader:
        assert reader.info.plays_in_browser is plays


def test_a_copy_shows_the_track_that_was_analysed(tmp_path: Path) -> None:
    clip = write_tracks(tmp_path / "a.mp4", LEVELS, 1)
    assert level(browser_proxy(clip, tmp_path / "shown.mp4")) == 120
    assert level(browser_proxy(clip, tmp_path / "third.mp4", picture_track=3)) == 200


@pytest.mark.parametrize("number", [0, -1, 2])
def test_a_track_that_is_not_there_is_refused(tmp_path: Path, number: int) -> None:
    clip = write_clip(tmp_path / "a.mp4", [0.0, 0.04])
    with pytest.raises(InputError, match=rf"a\.mp4 has 1 picture track, so there is no track {number}"):
        VideoReader(clip, track=number)
