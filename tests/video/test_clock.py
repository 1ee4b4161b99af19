"""One clock for a whole video, and how long it is."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from fer_core.errors import VideoError
from fer_core.video.clock import Clock, Stamp
from fer_core.video.info import ReadStats
from fer_core.video.reader import Frame, VideoReader
from tests.support.clips import grey_level, write_clip
from tests.support.odd_clips import joined, moved, retimed_avi, without_packets, write_joined

CODECS = {"a.ts": "libx264", "a.mkv": "libx264", "a.webm": "libvpx"}
SECOND = [i / 25 for i in range(25)]


def read(path: Path, **kwargs: float) -> tuple[list[Frame], VideoReader]:
    with VideoReader(path) as reader:
        return list(reader.frames(**kwargs)), reader


def check_steady(frames: list[Frame], n: int, first_s: float) -> None:
    np.testing.assert_allclose([frame.time_s for frame in frames], first_s + np.arange(n) / 25, atol=1e-3)
    assert [frame.index for frame in frames] == list(range(n))
    grey = [round(float(frame.image.mean())) for frame in frames]
    np.testing.assert_allclose(grey, [grey_level(i % 25) for i in range(n)], atol=4)


@pytest.mark.parametrize(("name", "parts"), [("a.ts", 2), ("a.ts", 3), ("a.mpg", 2), ("a.vob", 2)])
def test_a_clock_that_starts_again_goes_on(tmp_path: Path, name: str, parts: int) -> None:
    frames, reader = read(write_joined(tmp_path / name, parts))
    first_s = reader.info.first_s
    check_steady(frames, 25 * parts, first_s)
    np.testing.assert_allclose(reader.stats.restarts_s, first_s + np.arange(1, parts), atol=1e-3)
    assert (reader.stats.damaged, reader.stats.ended_early) == (0, False)
    assert abs(reader.info.duration_s - first_s - parts) < 1e-3, "known before it is read"
    assert reader.learnt().duration_s == pytest.approx(reader.info.duration_s)


@pytest.mark.parametrize("name", ["a.ts", "a.mkv", "a.webm"])
def test_a_range_may_lie_behind_the_restart(tmp_path: Path, name: str) -> None:
    part = write_clip(tmp_path / f"part{name[1:]}", [i / 25 for i in range(75)], codec=CODECS[name])
    clip = joined(tmp_path / name, part, part)
    whole, reader = read(clip)
    assert len(whole) == 150 and reader.learnt().duration_s == pytest.approx(6.0, abs=1e-3)
    assert not reader.learnt().plays_in_browser
    for start_s in (2.5, 3.5, 4.5):
        found, _ = read(clip, start_s=start_s, end_s=start_s + 0.3)
        wanted = [(f.index, f.time_s) for f in whole if start_s <= f.time_s < start_s + 0.3]
        assert [(f.index, f.time_s) for f in found] == wanted and 6 < len(wanted) < 9
    with pytest.raises(VideoError, match="no readable frame"):
        read(clip, start_s=7.0)


@pytest.mark.parametrize(("first_s", "second_s", "gap_s"), [(0, 7200, 0), (7200, 0, 0), (0, 61, 60)])
def test_a_clock_that_was_set_goes_on_and_a_gap_stays(
    tmp_path: Path, first_s: float, second_s: float, gap_s: float
) -> None:
    """A jump of hours ahead is another clock."""
    clip = write_clip(tmp_path / "clip.ts", SECOND)
    parts = [moved(clip, tmp_path / f"{i}.ts", by_s) for i, by_s in enumerate((first_s, second_s))]
    frames, reader = read(joined(tmp_path / "a.ts", *parts))
    assert len(frames) == 50 and len(reader.stats.restarts_s) == (gap_s == 0)
    assert frames[25].time_s == pytest.approx(1.0 + gap_s, abs=1e-3)
    assert frames[-1].time_s == pytest.approx(1.96 + gap_s, abs=1e-3)
    assert reader.info.duration_s == pytest.approx(2.0 + gap_s, abs=1e-3)


def test_a_counter_that_overflows_goes_on(tmp_path: Path) -> None:
    """That of a transport stream does after 2 ** 33 / 90,000 s; 1.4 s are added when it is written."""
    clip = write_clip(tmp_path / "clip.ts", SECOND)
    frames, reader = read(moved(clip, tmp_path / "a.ts", 2**33 / 90_000 - 1.4 - 0.5))
    check_steady(frames, 25, 0.0)
    assert not reader.stats.restarts_s


def timed(at_s: list[float], falls: list[int], **kwargs: bool) -> tuple[list[tuple[float, float]], ReadStats]:
    stats = ReadStats()
    stamps = (Stamp(None, at, 0.04, fell) for at, fell in zip(at_s, falls, strict=True))
    shown = [(round(each.time_s, 6), round(each.lasts_s, 6)) for each in Clock(1.0, stats, **kwargs).timed(stamps)]
    return shown, stats


@pytest.mark.parametrize(
    ("at_s", "falls", "damaged"),
    [
        ([1.0, 1.04, 1.08, 1.12], [0, 0, 0, 0], 0),
        ([1.0, 1.04, 5000.0, 1.08, 1.12], [0, 0, 0, 1, 1], 1),
        ([1.0, 1.04, 0.2, 1.08, 1.12], [0, 0, 1, 1, 1], 1),
        ([1.0, 1.08, 1.04, 1.08, 1.12], [0, 0, 0, 0, 0], 2),
        ([1.0, 1.04, 1.08, 1.12, 0.5], [0, 0, 0, 0, 1], 1),
    ],
)
def test_one_wrong_stamp_moves_nothing_else(at_s: list[float], falls: list[int], damaged: int) -> None:
    shown, stats = timed(at_s, falls, is_counter=True)
    kept = [0.0, 0.08, 0.12] if damaged == 2 else [0.0, 0.04, 0.08, 0.12]
    assert [time_s for time_s, _ in shown] == kept
    assert (stats.damaged, stats.restarts_s) == (damaged, [])


def test_pictures_minutes_apart_are_no_mistakes() -> None:
    shown, stats = timed([1.0, 61.0, 121.0, 181.0], [0] * 4)
    assert ([time_s for time_s, _ in shown], stats.damaged) == ([0.0, 60.0, 120.0, 180.0], 0)


def test_frames_stand_as_long_as_their_container_says(tmp_path: Path) -> None:
    """In MP4 every frame stands until the next one; a Matroska file may just have a hole there."""
    shown, _ = timed([1.0, 1.04, 8.0], [0] * 3, is_seamless=True)
    assert shown == [(0.0, 0.04), (0.04, 6.96), (7.0, 0.04)]
    times = [0.0, 0.04, 3.04, 3.08]
    told = {}
    for name in ("a.mp4", "a.mkv"):
        frames, _ = read(write_clip(tmp_path / name, times))
        np.testing.assert_allclose([frame.time_s for frame in frames], times, atol=1e-3)
        told[name] = frames[1].lasts_s
    assert told["a.mp4"] == pytest.approx(3.0, abs=1e-3) and told["a.mkv"] < 0.1


# lengths


@pytest.mark.parametrize("sound", [None, 5.4])
def test_matroska_of_ffmpeg_tells_where_it_ends(tmp_path: Path, sound: float | None) -> None:
    clip = write_clip(tmp_path / "a.mkv", [5.4 + t for t in SECOND], sound_from_s=sound)
    frames, reader = read(clip)
    assert reader.info.start_s == pytest.approx(5.4, abs=0.03)
    assert reader.info.duration_s == pytest.approx(1.0, abs=0.05)
    assert len(frames) == 25 and not reader.stats.ended_early
    clip.write_bytes(clip.read_bytes().replace(b"Lavf", b"Mine"))  # others write how long it is
    assert read(clip)[1].info.duration_s == pytest.approx(6.4, abs=0.05)


def test_the_start_and_the_first_picture_are_told(tmp_path: Path) -> None:
    late = write_clip(tmp_path / "late.mp4", [3.5, 3.54, 3.58], sound_from_s=3.0)
    with VideoReader(late) as reader:
        assert reader.info.start_s == pytest.approx(3.0, abs=0.03)
        assert reader.info.first_s == pytest.approx(3.5 - reader.info.start_s, abs=2e-3)


def test_an_avi_that_was_cut_off_says_so(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "a.avi", [i / 25 for i in range(100)], time_base=Fraction(1, 25), key_every=25)
    cut = tmp_path / "cut.avi"
    cut.write_bytes(clip.read_bytes()[: clip.stat().st_size * 6 // 10])
    frames, reader = read(cut)
    assert 10 < len(frames) < 80 and reader.info.duration_s == pytest.approx(4.0)
    assert reader.stats.ended_early
    assert not read(clip)[1].stats.ended_early


# AVI


@pytest.mark.parametrize("keys", [[0], [0, 1], [0, 1, 2], [0, 2]])
@pytest.mark.parametrize(("codec", "b_frames"), [("libx264", 0), ("libx264", 2), ("libx264", 3), ("mpeg4", 2)])
def test_times_of_an_avi_hold_whatever_its_key_frames(
    tmp_path: Path, keys: list[int], codec: str, b_frames: int
) -> None:
    path, base = tmp_path / "a.avi", Fraction(1, 25)
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        stream.options, stream.codec_context.bit_rate = {"bf": str(b_frames)}, 4_000_000
        for i in range(50):
            frame = av.VideoFrame.from_ndarray(np.full((64, 96, 3), grey_level(i % 25), np.uint8), format="rgb24")
            frame.pts, frame.time_base = i, base
            frame.pict_type = av.video.frame.PictureType.I if i in keys else av.video.frame.PictureType.NONE
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    frames, _ = read(path)
    check_steady(frames, 50, 0.0)


def test_an_avi_whose_ticks_are_not_all_used_keeps_its_times(tmp_path: Path) -> None:
    """12 frames a second in 24 ticks, the second one late, from a decoder that holds two frames back."""
    base = Fraction(1, 24)
    clip = write_clip(tmp_path / "a.avi", [i / 24 for i in range(24)], time_base=base, b_frames=2, key_every=24)
    ticks = [0, *range(4, 50, 2)]
    frames, _ = read(retimed_avi(clip, tmp_path / "b.avi", ticks))
    np.testing.assert_allclose([frame.time_s for frame in frames], np.array(ticks) / 24, atol=1e-6)
    np.testing.assert_allclose([frame.image.mean() for frame in frames], [grey_level(i) for i in range(24)], atol=4)


# frames that came to harm


def test_corrupt_frames_are_kept_and_counted(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (30, 64, 96, 3), np.uint8)
    clip = write_clip(tmp_path / "a.ts", [i / 25 for i in range(30)], pictures=list(noise), key_every=10)
    lost = without_packets(clip, tmp_path / "b.ts", range(200, 203))
    frames, reader = read(lost)
    assert 27 <= len(frames) <= 30
    assert 1 <= reader.stats.corrupt <= 4 and read(clip)[1].stats.corrupt == 0


def test_interlaced_frames_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "a.mpg"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg2video", rate=25)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        stream.options = {"flags": "+ildct+ilme"}
        for i in range(10):
            frame = av.VideoFrame.from_ndarray(np.full((64, 96, 3), 9 * i, np.uint8), format="rgb24")
            frame.pts = i
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    frames, reader = read(path)
    assert reader.stats.interlaced == len(frames) == 10
    assert read(write_clip(tmp_path / "b.mp4", SECOND))[1].stats.interlaced == 0


def test_what_a_browser_recorded_tells_no_length_and_is_measured(tmp_path: Path) -> None:
    """As MediaRecorder writes it: WebM whose head came before its end was known, at the camera's uneven times."""
    times, path = [0.0, 0.033, 0.1, 0.4, 0.433, 1.2], tmp_path / "recorded.webm"
    with av.open(str(path), "w", format="webm", options={"live": "1"}) as out:
        stream = out.add_stream("libvpx", rate=30)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        stream.codec_context.time_base = Fraction(1, 1000)
        for time_s in times:
            frame = av.VideoFrame.from_ndarray(np.full((64, 96, 3), 99, np.uint8), "rgb24")
            frame.pts, frame.time_base = round(1000 * time_s), Fraction(1, 1000)
            out.mux(stream.encode(frame))
        out.mux(stream.encode())
    with av.open(str(path)) as written:
        assert not written.duration
    with VideoReader(path) as reader:
        assert reader.info.duration_s == pytest.approx(1.2, abs=0.1)
        assert [round(frame.time_s, 3) for frame in reader.frames()] == times
