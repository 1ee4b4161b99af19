"""How a frame stands: the whole display matrix, and pictures that change their size within a stream."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest

from fer_core.video.reader import VideoReader
from fer_core.video.upright import Shape, Turn, Upright
from tests.support.clips import write_clip
from tests.support.odd_clips import stored_for, with_matrix, write_parts

COLOURS = np.array([(220, 20, 20), (20, 200, 20), (20, 20, 220), (200, 200, 200)], np.uint8)
STANDING = {
    (1, 0, 0, 1): (0, False), (0, 1, -1, 0): (90, False), (-1, 0, 0, -1): (180, False), (0, -1, 1, 0): (270, False),
    (-1, 0, 0, 1): (0, True), (0, 1, 1, 0): (90, True), (1, 0, 0, -1): (180, True), (0, -1, -1, 0): (270, True),
}  # fmt: skip


def quarters(width: int = 96, height: int = 64) -> np.ndarray:
    """A picture whose quarters differ, so that it shows how it was turned."""
    y, x = np.mgrid[:height, :width]
    return np.asarray(COLOURS[2 * (y >= height // 2) + (x >= width // 2)])


@pytest.mark.parametrize("matrix", STANDING)
def test_every_turn_and_mirror_image_is_shown_upright(tmp_path: Path, matrix: tuple[int, int, int, int]) -> None:
    picture = quarters()
    plain = write_clip(tmp_path / "plain.mp4", [0.0, 0.04], pictures=[stored_for(picture, matrix)] * 2)
    with VideoReader(with_matrix(plain, tmp_path / "a.mp4", matrix)) as reader:
        images = [frame.image for frame in reader.frames()]
        info = reader.info
    assert (info.width, info.height, info.plays_in_browser) == (96, 64, True)
    assert (info.rotation_deg, info.mirrored) == STANDING[matrix]
    for image in images:
        assert image.shape == picture.shape and image.flags.c_contiguous
        assert np.abs(image.astype(int) - picture).mean() < 8


@pytest.mark.parametrize(
    ("degrees", "turned", "plays"), [(1.0, 0, True), (-4.0, 0, True), (92.0, 90, False), (179.0, 180, False),
                                     (45.0, 0, False)],
)  # fmt: skip
def test_small_tilts_are_left_out(tmp_path: Path, degrees: float, turned: int, plays: bool) -> None:
    """Browsers follow exact quarter turns alone, so others are played as a copy that stands as the analysis does."""
    clip = write_clip(tmp_path / "plain.mp4", [0.0, 0.04])
    sine, cosine = np.sin(np.radians(degrees)), np.cos(np.radians(degrees))
    with VideoReader(with_matrix(clip, tmp_path / "a.mp4", (cosine, sine, -sine, cosine))) as reader:
        assert (reader.info.rotation_deg, reader.info.mirrored, reader.info.plays_in_browser) == (turned, False, plays)
        assert next(reader.frames()).image.shape[:2] == ((96, 64) if turned == 90 else (64, 96))


def test_a_matrix_of_nothing_is_no_turn(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "plain.mp4", [0.0, 0.04])
    with VideoReader(with_matrix(clip, tmp_path / "a.mp4", (0, 0, 0, 0))) as reader:
        assert (reader.info.width, reader.info.height, reader.info.rotation_deg) == (96, 64, 0)


@pytest.mark.parametrize(("name", "codec"), [("a.ts", "libx264"), ("a.webm", "libvpx"), ("a.mkv", "libx264")])
def test_a_picture_that_changes_its_size_keeps_its_shape(tmp_path: Path, name: str, codec: str) -> None:
    """A phone that is turned in a call: 96 x 64, then 48 x 96, of which 32 x 64 are left between bars."""
    wide, tall = quarters(96, 64), quarters(48, 96)
    clip = write_parts(tmp_path / name, [[wide] * 5, [tall] * 5], codec)
    with VideoReader(clip) as reader:
        could_play = reader.info.plays_in_browser
        images = [frame.image for frame in reader.frames()]
        assert [(round(at, 2), *size) for at, *size in reader.stats.changes] == [(0.2, 48, 96)]
        assert (could_play, reader.learnt().plays_in_browser) == (name == "a.webm", False)
    assert {image.shape for image in images} == {(64, 96, 3)} and len(images) == 10
    last = images[-1].astype(int)
    assert last[:, :31].max() < 12 and last[:, 65:].max() < 12
    np.testing.assert_allclose(last[4:28, 36:44].mean(axis=(0, 1)), COLOURS[0], atol=12)
    np.testing.assert_allclose(last[36:60, 52:60].mean(axis=(0, 1)), COLOURS[3], atol=12)


def test_a_frame_that_is_turned_otherwise_is_fitted_too() -> None:
    upright = Upright(Shape(96, 64, Turn()), 1.0)
    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(np.rot90(quarters(48, 96))), format="rgb24")
    shape = Shape(96, 48, Turn(90))
    assert upright.upright_size(shape) == (48, 96)
    picture = upright.picture(frame, shape)
    assert picture.shape == (64, 96, 3)
    np.testing.assert_array_equal(picture[8, [20, 40, 56, 75]], [(0, 0, 0), COLOURS[0], COLOURS[1], (0, 0, 0)])
    np.testing.assert_array_equal(picture[56, [40, 56]], [COLOURS[2], COLOURS[3]])


def test_a_range_behind_the_change_keeps_the_size_of_the_file(tmp_path: Path) -> None:
    clip = write_parts(tmp_path / "a.ts", [[quarters(96, 64)] * 5, [quarters(48, 96)] * 5])
    with VideoReader(clip) as reader:
        assert {frame.image.shape for frame in reader.frames(start_s=0.25)} == {(64, 96, 3)}
        assert len(reader.stats.changes) == 1
