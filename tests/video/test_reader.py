"""Reading: times are the stream's own, frames are the right ones, and bad files say what is wrong."""

from __future__ import annotations

import os
import zlib
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from PIL import Image

from fer_core.errors import InputError, VideoError
from fer_core.video.reader import VideoReader
from tests.support.bad_files import write_bad
from tests.support.clips import grey_level, write_clip
from tests.support.odd_clips import with_matrix

VARIABLE = [0.0, 0.04, 0.1, 0.3, 0.34, 0.9, 1.0, 1.5, 1.54, 2.0, 2.6, 3.0, 3.3, 3.31, 4.0]


def read(path: Path, **kwargs: float) -> tuple[list[int], list[float], list[int]]:
    """Indices, times and brightness of the frames."""
    with VideoReader(path) as reader:
        frames = list(reader.frames(**kwargs))
    return [f.index for f in frames], [f.time_s for f in frames], [round(float(f.image.mean())) for f in frames]


@pytest.mark.parametrize(
    ("name", "codec"),
    [
        ("a.mp4", "libx264"),
        ("a.mov", "libx264"),
        ("a.mkv", "libx264"),
        ("a.mp4", "libx265"),
        ("a.webm", "libvpx-vp9"),
        ("a.mp4", "libsvtav1"),
    ],
)
def test_times_are_the_streams_own(tmp_path: Path, name: str, codec: str) -> None:
    with ThreadPoolExecutor(1) as alone:  # SVT-AV1, run as root, leaves its caller's thread with real-time priority
        clip = alone.submit(write_clip, tmp_path / name, VARIABLE, codec=codec).result()
    if hasattr(os, "sched_getscheduler"):
        assert os.sched_getscheduler(0) == os.SCHED_OTHER  # else all tests after this one starve what they wait for
    indices, times, grey = read(clip)
    assert indices == list(range(len(VARIABLE)))
    np.testing.assert_allclose(times, VARIABLE, atol=1e-3)
    np.testing.assert_allclose(grey, [grey_level(i) for i in indices], atol=3)


def test_a_picture_track_that_starts_late_keeps_its_delay(tmp_path: Path) -> None:
    """Sound starts at 0 s and the picture at 0.5 s, so ``currentTime`` of the first picture is 0.5."""
    clip = write_clip(tmp_path / "late.mp4", [0.5, 0.6, 0.7], sound_from_s=0.0)
    np.testing.assert_allclose(read(clip)[1], [0.5, 0.6, 0.7], atol=2e-3)


def test_a_container_that_starts_late_is_shifted_to_zero(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "late.ts", [10.0, 10.1, 10.2])
    np.testing.assert_allclose(read(clip)[1], [0.0, 0.1, 0.2], atol=2e-3)


@pytest.mark.parametrize("start", [0.0, 1.0, 2.3, 3.305])
def test_a_range_has_the_same_frames_as_the_whole(tmp_path: Path, start: float) -> None:
    """Also behind a seek, where decoding begins at an earlier key frame."""
    clip = write_clip(tmp_path / "a.mp4", VARIABLE, key_every=4)
    whole = list(zip(*read(clip), strict=True))
    ranged = list(zip(*read(clip, start_s=start, end_s=3.9), strict=True))
    assert ranged == [frame for frame in whole if start <= frame[1] < 3.9]


@pytest.mark.parametrize("name", ["a.ts", "a.avi", "a.mkv", "a.mp4", "a.flv"])
def test_ranges_and_order_hold_in_every_container(tmp_path: Path, name: str) -> None:
    """With frames that are stored in another order than they are shown, and containers without presentation times."""
    times = [i / 25 for i in range(200)]
    base = Fraction(1, 25) if name.endswith("avi") else Fraction(1, 1000)
    clip = write_clip(tmp_path / name, times, key_every=25, b_frames=2, time_base=base)
    indices, seen, grey = read(clip)
    assert indices == list(range(200))
    np.testing.assert_allclose(seen, times, atol=2e-3)
    np.testing.assert_allclose(grey, [grey_level(i) for i in indices], atol=4)
    for start in (2.5, 5.02, 6.99):
        expected = [(i, g) for i, t, g in zip(indices, seen, grey, strict=True) if start <= t < 7.5]
        ranged = read(clip, start_s=start, end_s=7.5)
        assert list(zip(ranged[0], ranged[2], strict=True)) == expected, start


def test_pixels_that_are_not_square_are_made_square(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "a.mp4", [0.0, 0.1], pixel_ratio=Fraction(4, 3))
    with VideoReader(clip) as reader:
        assert (reader.info.width, reader.info.height) == (128, 64)
        assert all(frame.image.shape == (64, 128, 3) for frame in reader.frames())


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.flv", "a.ts"])
def test_longer_sound_is_no_early_end(tmp_path: Path, name: str) -> None:
    clip = write_clip(tmp_path / name, [i / 25 for i in range(25)], sound_from_s=0.0, sound_to_s=5.0)
    with VideoReader(clip) as reader:
        assert len(list(reader.frames())) == 25
        assert not reader.stats.ended_early
        assert name == "a.flv" or reader.info.duration_s < 2.0


def test_an_avi_whose_beginning_is_damaged_keeps_its_times(tmp_path: Path) -> None:
    """The 25 packets of the first second hold nothing; what follows is not moved to the start."""
    base = Fraction(1, 25)
    clip = write_clip(tmp_path / "a.avi", [i / 25 for i in range(100)], key_every=25, time_base=base, codec="mpeg4")
    data = bytearray(clip.read_bytes())
    at = data.index(b"movi")
    for _ in range(25):
        at = data.index(b"00dc", at) + 8
        size = int.from_bytes(data[at - 4 : at], "little")
        data[at : at + size] = bytes(size)
    clip.write_bytes(data)
    _, seen, _ = read(clip)
    np.testing.assert_allclose([seen[0], seen[-1]], [1.0, 3.96], atol=1e-6)


def test_what_is_passed_over_can_be_interrupted(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "a.ts", [i / 25 for i in range(100)])

    asked: list[int] = []

    def goes_on() -> bool:
        asked.append(1)
        return len(asked) < 10

    with VideoReader(clip) as reader:
        assert not list(reader.frames(start_s=3.0, goes_on=goes_on))
        assert len(asked) == 10
        asked.clear()
        assert [frame.time_s for frame in reader.frames(per_second=1, goes_on=goes_on)] == [0.0], "between two samples"


def test_a_last_frame_that_stays_is_no_early_end(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "a.mp4", [0.0, 0.1, 0.2, 5.0, 5.1])
    with VideoReader(clip) as reader:
        list(reader.frames(end_s=4.0))
        assert not reader.stats.ended_early


def test_titles_in_other_alphabets_do_not_matter(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "a.avi", [0.0, 0.04], time_base=Fraction(1, 25), title=b"Zurich")
    clip.write_bytes(clip.read_bytes().replace(b"Zurich", b"Z\xfcrich"))
    assert len(read(clip)[0]) == 2


def test_frames_per_second_takes_the_first_of_each_step(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "a.mp4", VARIABLE)
    np.testing.assert_allclose(read(clip, per_second=1)[1], [0.0, 1.0, 2.0, 3.0, 4.0], atol=1e-3)
    np.testing.assert_allclose(read(clip, per_second=2)[1], [0.0, 0.9, 1.0, 1.5, 2.0, 2.6, 3.0, 4.0], atol=1e-3)


def test_every_picture_is_rgb_and_upright(tmp_path: Path) -> None:
    """The top half is red; the file says to turn it by 90 degrees, which brings the red to one side."""
    picture = np.zeros((64, 96, 3), np.uint8)
    picture[:32, :, 0], picture[32:, :, 2] = 255, 255
    plain, turned = write_clip(tmp_path / "a.mp4", [0.0, 0.1], pictures=[picture] * 2), tmp_path / "b.mp4"
    with VideoReader(plain) as reader:
        image = next(iter(reader.frames())).image
    assert image.shape == (64, 96, 3)
    assert image[8, 48, 0] > 200 > 60 > image[8, 48, 2]
    with_matrix(plain, turned, (0, 1, -1, 0))
    with VideoReader(turned) as reader:
        image = next(iter(reader.frames())).image
        assert (reader.info.width, reader.info.height, reader.info.rotation_deg) == (64, 96, 90)
    capture = cv2.VideoCapture(str(turned))  # turns by itself
    peer = capture.read()[1]
    assert image.shape == peer.shape == (96, 64, 3)
    np.testing.assert_allclose(image.astype(int), peer[:, :, ::-1], atol=12)


def test_memory_does_not_grow_with_length(tmp_path: Path) -> None:
    """Frames are handed out one at a time: reading the first takes no packet of the far end."""
    clip = write_clip(tmp_path / "a.mp4", [i / 25 for i in range(500)])
    with VideoReader(clip) as reader:
        next(iter(reader.frames()))
        assert reader.stats.packets < 50


def test_pictures_are_read_as_one_frame(tmp_path: Path) -> None:
    path = tmp_path / "red.png"
    cv2.imwrite(str(path), np.full((20, 30, 3), (0, 0, 200), np.uint8))
    with VideoReader(path) as reader:
        (frame,) = reader.frames()
    assert reader.info.is_picture and frame.time_s == 0.0
    assert frame.image[0, 0].tolist() == [200, 0, 0]


def test_two_picture_jpegs_of_phones_are_pictures(tmp_path: Path) -> None:
    picture = Image.fromarray(np.full((20, 30, 3), (200, 0, 0), np.uint8))
    picture.save(tmp_path / "a.jpg", format="MPO", save_all=True, append_images=[picture])
    with VideoReader(tmp_path / "a.jpg") as reader:
        assert reader.info.is_picture and reader.info.codec == "jpeg"


def test_a_huge_picture_is_refused_as_such(tmp_path: Path) -> None:
    data = b"\x89PNG\r\n\x1a\n" + b"\0\0\0\rIHDR" + (20_000).to_bytes(4, "big") * 2 + b"\x08\x02\0\0\0"
    (tmp_path / "a.png").write_bytes(data + zlib.crc32(data[12:]).to_bytes(4, "big") + b"\0\0\0\0IDAT" + bytes(4))
    with pytest.raises(VideoError, match="too large"):
        VideoReader(tmp_path / "a.png")


def test_shared_vfr_clip_equals_the_stream_to_the_millisecond(videos_dir: Path) -> None:
    path = videos_dir / "face_then_none_vfr_hevc.mov"
    with av.open(str(path)) as container:
        start = container.start_time / av.time_base
        expected = [float(frame.pts * frame.time_base) - start for frame in container.decode(video=0)]
    np.testing.assert_allclose(read(path)[1], expected, atol=1e-3)
    assert abs(expected[-1] - 6.36) < 1e-3


# files that cannot be used


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("empty", "is empty (0 bytes)"),
        ("text", "seems to be a text file"),
        ("truncated", "cut off"),
        ("sound", "no picture track"),
        ("playlist", "seems to be a playlist"),
        ("noise", "of a kind not known here"),
        ("heic", "is a HEIC picture"),
        ("cover", "no picture track"),
        ("bare", "a bare video stream without times"),
    ],
)
def test_bad_files_say_what_is_wrong(tmp_path: Path, kind: str, words: str) -> None:
    path = write_bad(tmp_path, kind)
    with pytest.raises(VideoError) as error:
        VideoReader(path)
    assert words in str(error.value)
    assert path.name in str(error.value)


def test_a_video_cut_off_behind_its_index_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    whole = write_clip(tmp_path / "a.mkv", [i / 25 for i in range(200)], key_every=10)
    cut = tmp_path / "cut.mkv"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    with VideoReader(cut) as reader:
        n = sum(1 for _ in reader.frames())
    assert 20 < n < 180
    assert reader.stats.ended_early


@pytest.mark.parametrize(
    "kwargs",
    [
        {"start_s": -1.0},
        {"start_s": float("nan")},
        {"start_s": 2.0, "end_s": 1.0},
        {"start_s": 99.0},
        {"per_second": 0.0},
        {"per_second": float("inf")},
    ],
)
def test_impossible_ranges_are_refused(tmp_path: Path, kwargs: dict[str, float]) -> None:
    clip = write_clip(tmp_path / "a.mp4", VARIABLE)
    with pytest.raises(InputError), VideoReader(clip) as reader:
        list(reader.frames(**kwargs))


def test_opening_reads_no_other_file(tmp_path: Path) -> None:
    """A playlist that names a file next to it must not be followed, whatever its ending."""
    write_clip(tmp_path / "secret.ts", [0.0, 0.1])
    for name in ("list.m3u8", "list.mkv", "list.ffconcat"):
        body = (
            "ffconcat version 1.0\nfile secret.ts\n"
            if "ff" in name
            else "#EXTM3U\n#EXTINF:1,\nsecret.ts\n#EXT-X-ENDLIST\n"
        )
        (tmp_path / name).write_text(body)
        with pytest.raises(VideoError):
            VideoReader(tmp_path / name)


def test_pictures_that_nobody_holds_lend_their_memory(tmp_path: Path) -> None:
    shown = [np.full((64, 96, 3), value, np.uint8) for value in (10, 60, 110, 160, 210)]
    clip = write_clip(tmp_path / "a.mp4", [i / 25 for i in range(5)], pictures=shown)
    with VideoReader(clip) as reader:
        frames = reader.frames()
        first = next(frames).image
        corner = first[:8, :8]  # what is cut from a picture keeps all of it
        at, wanted = first.ctypes.data, corner.copy()
        del first
        others = [frame.image for frame in frames]
    assert all(each.ctypes.data != at for each in others) and len({each.ctypes.data for each in others}) == 4
    np.testing.assert_array_equal(corner, wanted)
    with VideoReader(clip) as reader:
        places = {frame.image.ctypes.data for frame in reader.frames()}
    assert len(places) < 4, "one is looked at while the next one is made"
