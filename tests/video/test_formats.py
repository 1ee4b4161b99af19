"""Files of every kind that people have: told by their content, shown with their own times, or refused for a reason."""

from __future__ import annotations

import io
import os
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest
from PIL import Image, WebPImagePlugin

from fer_core.errors import VideoError
from fer_core.video.annotate import browser_proxy
from fer_core.video.reader import Frame, VideoReader
from tests.support.clips import write_clip, write_tone

RED, BLUE = (200, 20, 20), (20, 20, 200)
LOSSY = 12


def halves() -> Image.Image:
    """60 × 40 px: the upper half is red, the lower one blue."""
    pixels = np.zeros((40, 60, 3), np.uint8)
    pixels[:20], pixels[20:] = RED, BLUE
    return Image.fromarray(pixels)


def shown(path: Path) -> tuple[VideoReader, list[Frame]]:
    with VideoReader(path) as reader:
        return reader, list(reader.frames())


@pytest.mark.parametrize("name", ["a", "a.mp4", "a.picture"])
@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("JPEG", {"quality": 95, "subsampling": 0}), ("JPEG", {"progressive": True}), ("PNG", {}), ("BMP", {}),
        ("WEBP", {"lossless": True}), ("GIF", {}), ("PPM", {}), ("AVIF", {"quality": 95}),
        ("JPEG2000", {"irreversible": False}), ("TIFF", {}), ("TIFF", {"compression": "tiff_lzw"}),
        ("TIFF", {"compression": "tiff_adobe_deflate"}), ("TIFF", {"compression": "jpeg"}), ("MPO", {}),
    ],
)  # fmt: skip
def test_a_picture_is_told_by_its_content(tmp_path: Path, kind: str, options: dict[str, Any], name: str) -> None:
    halves().save(tmp_path / name, kind, **options)
    reader, (frame,) = shown(tmp_path / name)
    assert reader.info.is_picture and (reader.info.width, reader.info.height) == (60, 40)
    np.testing.assert_allclose(frame.image[5, 30], RED, atol=LOSSY)
    np.testing.assert_allclose(frame.image[35, 30], BLUE, atol=LOSSY)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
@pytest.mark.parametrize("orientation", [3, 6, 8])
def test_a_picture_is_turned_as_its_exif_says(tmp_path: Path, kind: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x112] = orientation
    path = tmp_path / "a"
    if kind == "TIFF":
        halves().save(path, kind, tiffinfo={274: orientation})
    else:
        halves().save(path, kind, exif=exif)
    _, (frame,) = shown(path)
    quarters = {3: 2, 6: 3, 8: 1}[orientation]
    wanted = np.rot90(np.asarray(halves()), quarters)
    assert frame.image.shape == wanted.shape
    assert np.abs(frame.image.astype(int) - wanted).mean() < 5


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "CMYK", "I;16"])
def test_every_way_of_storing_colours_is_right(tmp_path: Path, kind: str, mode: str) -> None:
    if (kind, mode) == ("PNG", "CMYK"):
        kind = "JPEG"
    grey = np.zeros((40, 60), np.uint8)
    grey[:20] = 255
    picture = Image.fromarray(grey.astype(np.uint16) * 257) if mode == "I;16" else Image.fromarray(grey).convert(mode)
    picture.save(tmp_path / "a", kind)
    _, (frame,) = shown(tmp_path / "a")
    assert frame.image[5].min() >= 250 and frame.image[35].max() <= 5


def test_of_a_tiff_with_many_pages_the_first_is_taken_and_said(tmp_path: Path) -> None:
    halves().save(tmp_path / "a.tif", save_all=True, append_images=[Image.new("RGB", (60, 40))] * 2)
    reader, (frame,) = shown(tmp_path / "a.tif")
    assert frame.image[5, 5].tolist() == list(RED)
    assert reader.notes == ("The file holds 3 pictures; this is the first one.",)


def ramp(bits: int) -> np.ndarray:
    """40 × 64 px, uint16, from black to white in so many bits."""
    return np.tile(np.linspace(0, 2**bits - 1, 64), (40, 1)).round().astype(np.uint16)


@pytest.mark.parametrize("name", ["a.png", "a.tiff", "a.pgm", "colour.png", "colour.tiff", "colour.jp2"])
@pytest.mark.parametrize("bits", [10, 12, 14, 16])
def test_pictures_of_many_bits_are_as_bright_as_they_are(tmp_path: Path, name: str, bits: int) -> None:
    """Cameras for depth write 12 bits into 16: black, if they are taken as they stand."""
    pixels = ramp(bits)
    cv2.imwrite(str(tmp_path / name), np.stack([pixels, pixels // 2, pixels], 2) if "colour" in name else pixels)
    reader, (frame,) = shown(tmp_path / name)
    wanted = np.tile(np.linspace(0, 255, 64), (40, 1))
    np.testing.assert_allclose(frame.image[:, :, 0], wanted, atol=1.5)
    np.testing.assert_allclose(frame.image[:, :, 1], wanted / 2 if "colour" in name else wanted, atol=1.5)
    said = f"The picture uses {bits} of its 16 bits; it was brightened to its real range."
    assert reader.notes == (() if bits == 16 else (said,))
    assert reader.info.plays_in_browser == (name.endswith("png") and bits == 16)


def test_what_is_black_stays_black(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), np.zeros((4, 4), np.uint16))
    reader, (frame,) = shown(tmp_path / "a.png")
    assert not frame.image.any() and not reader.notes


def test_a_greymap_says_its_own_white(tmp_path: Path) -> None:
    (tmp_path / "a.pgm").write_bytes(b"P5\n64 40\n4095\n" + ramp(12).astype(">u2").tobytes())
    reader, (frame,) = shown(tmp_path / "a.pgm")
    np.testing.assert_allclose(frame.image[0, :, 0], np.linspace(0, 255, 64), atol=1.5)
    assert not reader.notes


@pytest.mark.parametrize(("most", "said"), [(1.0, False), (37.5, True)])
def test_numbers_with_a_point_become_grey_levels(tmp_path: Path, most: float, said: bool) -> None:
    heat = np.tile(np.linspace(0, most, 64), (40, 1)).astype(np.float32)
    heat[0, 0] = np.nan
    cv2.imwrite(str(tmp_path / "a.tiff"), heat)
    reader, (frame,) = shown(tmp_path / "a.tiff")
    np.testing.assert_allclose(frame.image[1, :, 2], np.linspace(0, 255, 64), atol=1)
    assert any("0 to 37.5" in note for note in reader.notes) == said


def huge(kind: str) -> bytes:
    """The head of a picture of 20,000 × 20,000 px."""
    side = 20_000
    if kind == "png":
        data = b"\x89PNG\r\n\x1a\n" + b"\0\0\0\rIHDR" + side.to_bytes(4, "big") * 2 + b"\x08\x02\0\0\0"
        return data + zlib.crc32(data[12:]).to_bytes(4, "big") + b"\0\0\0\0IDAT" + bytes(4)
    if kind == "pgm":
        return b"P5\n20000 20000\n255\n" + bytes(100)
    file = io.BytesIO()
    Image.new("1", (10_000, 9_000)).save(file, kind, **({"compression": "group4"} if kind == "TIFF" else {}))
    return file.getvalue()


@pytest.mark.parametrize("kind", ["png", "pgm", "TIFF", "GIF"])
def test_a_picture_that_would_fill_the_memory_is_refused(tmp_path: Path, kind: str) -> None:
    (tmp_path / "a").write_bytes(huge(kind))
    with pytest.raises(VideoError, match=r"too large.*scale it down"):
        VideoReader(tmp_path / "a")


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "BMP", "TIFF", "PPM", "JPEG2000", "AVIF"])
def test_a_damaged_picture_is_called_so(tmp_path: Path, kind: str) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (60, 60, 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(noise).save(file, kind)
    (tmp_path / "a").write_bytes(file.getvalue()[:40])
    with pytest.raises(VideoError, match=r"^a .*(damaged|not known here)"):
        VideoReader(tmp_path / "a")


def test_the_raw_file_of_a_camera_is_not_its_preview(tmp_path: Path) -> None:
    halves().save(tmp_path / "a.nef", "TIFF", tiffinfo={254: 1})
    with pytest.raises(VideoError, match="raw file of a camera"):
        VideoReader(tmp_path / "a.nef")


# animations

LASTS = (100, 250, 400, 100, 100)
TIMES = [0.0, 0.1, 0.35, 0.75, 0.85]


def moving(path: Path, kind: str, lasts: tuple[int, ...] = LASTS, **options: Any) -> Path:
    """Grey pictures that become brighter by 40, each shown for so many ms."""
    first, *rest = (Image.new("RGB", (60, 40), (20 + 40 * i,) * 3) for i in range(len(lasts)))
    first.save(path, kind, save_all=True, append_images=rest, duration=list(lasts), **options)
    return path


@pytest.mark.parametrize(
    ("kind", "options"), [("WEBP", {"lossless": True}), ("PNG", {}), ("GIF", {}), ("AVIF", {"quality": 95})]
)
def test_an_animation_has_its_own_times(tmp_path: Path, kind: str, options: dict[str, Any]) -> None:
    reader, frames = shown(moving(tmp_path / "a.jpg", kind, **options))
    assert not reader.info.is_picture and not reader.info.plays_in_browser
    np.testing.assert_allclose([frame.time_s for frame in frames], TIMES, atol=1e-6)
    np.testing.assert_allclose([frame.image.mean() for frame in frames], [20, 60, 100, 140, 180], atol=4)
    assert reader.info.duration_s == pytest.approx(0.95) and not reader.stats.ended_early
    assert reader.info.mean_fps == pytest.approx(5 / 0.95)
    with VideoReader(tmp_path / "a.jpg") as again:
        assert [frame.index for frame in again.frames(start_s=0.3, end_s=0.8)] == [2, 3]


@pytest.mark.parametrize("kind", ["WEBP", "PNG"])
def test_a_picture_shown_for_no_time_is_shown_as_long_as_browsers_do(tmp_path: Path, kind: str) -> None:
    _, frames = shown(moving(tmp_path / "a", kind, (0, 10, 20, 50)))
    np.testing.assert_allclose([frame.time_s for frame in frames], [0, 0.1, 0.2, 0.22], atol=1e-6)


def test_the_picture_for_old_programs_is_no_part_of_an_animated_png(tmp_path: Path) -> None:
    _, frames = shown(moving(tmp_path / "a.png", "PNG", default_image=True))
    np.testing.assert_allclose([frame.image.mean() for frame in frames], [60, 100, 140, 180])
    np.testing.assert_allclose([frame.time_s for frame in frames], [0, 0.1, 0.35, 0.75], atol=1e-6)


def test_a_cut_animation_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    """The times of all are known from the index; of the last two pictures the pixels are gone."""
    path = moving(tmp_path / "a.png", "PNG")
    data = path.read_bytes()
    at = [i for i in range(len(data)) if data[i : i + 4] == b"fdAT"][2]
    path.write_bytes(data[: at + 8] + bytes(len(data) - at - 8))
    reader, frames = shown(path)
    assert 1 <= len(frames) < 5 and (reader.stats.damaged or reader.info.duration_s < 0.9)


def test_an_animation_is_copied_for_browsers_with_its_times(tmp_path: Path) -> None:
    copy = browser_proxy(moving(tmp_path / "a.webp", "WEBP"), tmp_path / "copy.mp4")
    reader, frames = shown(copy)
    assert reader.info.plays_in_browser
    np.testing.assert_allclose([frame.time_s for frame in frames], TIMES, atol=1e-3)


def test_a_long_animation_is_read_one_picture_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = moving(tmp_path / "a.webp", "WEBP", (20,) * 300)
    decoded: list[int] = []
    kept = WebPImagePlugin.WebPImageFile.seek
    monkeypatch.setattr(WebPImagePlugin.WebPImageFile, "seek", lambda self, n: (decoded.append(n), kept(self, n))[1])
    with VideoReader(path) as reader:
        frames = reader.frames()
        next(frames), next(frames)
        assert max(decoded) <= 2


# videos


def test_raw_dv_has_times_and_the_right_shape(tmp_path: Path) -> None:
    path = tmp_path / "tape"
    with av.open(str(path), "w", format="dv") as container:
        stream = container.add_stream("dvvideo", rate=25)
        stream.width, stream.height, stream.pix_fmt = 720, 576, "yuv420p"
        sound = container.add_stream("pcm_s16le", rate=48_000, layout="stereo")
        for i in range(5):
            frame = av.VideoFrame.from_ndarray(np.full((576, 720, 3), 40 * i + 20, np.uint8), format="rgb24")
            container.mux(stream.encode(frame))
            silence = av.AudioFrame.from_ndarray(np.zeros((1, 2 * 1920), np.int16), format="s16", layout="stereo")
            silence.sample_rate, silence.pts = 48_000, 1920 * i
            container.mux(sound.encode(silence))
        container.mux(stream.encode())
    reader, frames = shown(path)
    np.testing.assert_allclose([frame.time_s for frame in frames], [0, 0.04, 0.08, 0.12, 0.16], atol=1e-6)
    np.testing.assert_allclose([frame.image.mean() for frame in frames], [20, 60, 100, 140, 180], atol=4)
    assert reader.info.mean_fps == 25 and frames[0].image.shape[1] / frames[0].image.shape[0] == pytest.approx(4 / 3)


@pytest.mark.parametrize(("name", "codec"), [("a.nut", "ffv1"), ("a.wtv", "mpeg2video"), ("a.y4m", "wrapped_avframe")])
def test_other_containers_with_times_are_opened(tmp_path: Path, name: str, codec: str) -> None:
    with av.open(str(tmp_path / name), "w") as container:
        stream = container.add_stream(codec, rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for i in range(4):
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 40 * i + 20, np.uint8), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    _, frames = shown(tmp_path / name)
    np.testing.assert_allclose([frame.time_s for frame in frames], [0, 0.04, 0.08, 0.12], atol=1e-3)


# names


@pytest.mark.parametrize(
    "name", ["P01:baseline.mp4", "12:30.mp4", "-x.mp4", "a\nb.mp4", "%d.mp4", os.fsdecode(b"\xff.mp4")]
)
def test_any_name_by_a_relative_path_is_read_and_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    write_clip(tmp_path / name, [0.0, 0.1], sound_from_s=0.0)
    reader, frames = shown(Path(name))
    assert len(frames) == 2
    reader.name.encode()
    browser_proxy(Path(name), Path(f"copy of:{name}"))
    assert len(shown(Path(f"copy of:{name}"))[1]) == 2


# what is no video


def write(content: bytes) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(content)


def packed(name: str) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(name, "x")
    return file.getvalue()


def without_index(path: Path) -> None:
    """As a camera leaves it whose battery ends."""
    write_clip(path, [i / 25 for i in range(50)])
    data = path.read_bytes()
    path.write_bytes(data[: data.index(b"moov") - 4])


def protected(path: Path) -> None:
    write_clip(path, [0.0, 0.1])
    path.write_bytes(path.read_bytes().replace(b"avc1\0", b"encv\0"))


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (write(b"%PDF-1.7\n" + bytes(100)), "a PDF document"),
        (write(packed("word/document.xml")), "an Office document"),
        (write(packed("holiday.mp4")), "an archive. Unpack it"),
        (write(b"Rar!\x1a\x07\x01\0" + bytes(99)), "an archive"),
        (write(b"#EXTM3U\n#EXTINF:1,\na.ts\n"), "a playlist. It only names other files"),
        (write(b'<?xml version="1.0"?>\n<MPD xmlns="x"></MPD>'), "a playlist"),
        (write(b"<!DOCTYPE html><html>Please log in</html>"), "a web page"),
        (write("frame,time\n1,0.04\nübrig,1\n".encode()), "a text file"),
        (write(b"RIFF\x24\0\0\0WAVEfmt " + bytes(99)), "sound alone"),
        (write_tone, "no picture track, only sound"),
        (write(bytes(9999)), "nothing but zeros"),
        (write(b"8BPS\0\1" + bytes(99)), "a Photoshop picture"),
        (write(bytes(128) + b"DICM" + bytes(99)), "a medical DICOM file"),
        (write(b"\0\0\0\x1cftypheic\0\0\0\0mif1heic" + bytes(99)), "a HEIC picture.*Save it as JPEG"),
        (write(b"\0\0\0\x0cJXL \r\n\x87\n" + bytes(99)), "a JPEG XL picture"),
        (write(b"<svg xmlns='x'/>"), "an SVG drawing"),
        (without_index, "cut off before its index was written"),
        (protected, "protected against copying"),
        (write(np.random.default_rng(0).bytes(5000)), "of a kind not known here"),
        (Path.mkdir, "is a folder. Choose"),
        (os.mkfifo, "is a pipe or device"),
        (lambda path: path.symlink_to("nowhere"), "There is no file .*odd.mp4"),
        (Path.touch, "is empty"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_gets_its_reason(tmp_path: Path, make: Callable[[Path], object], words: str) -> None:
    path = tmp_path / "odd.mp4"
    make(path)
    with pytest.raises(VideoError, match=words) as error:
        VideoReader(path)
    assert "odd.mp4" in str(error.value)


def test_a_missing_file_is_called_as_it_was_given(tmp_path: Path) -> None:
    for given in (tmp_path / "no" / "a.mp4", tmp_path / "b.mp4"):
        with pytest.raises(VideoError, match=f"There is no file {given}"):
            VideoReader(given)
    with pytest.raises(VideoError, match=r"There is no file talk\.mp4"):
        VideoReader(tmp_path / "source.mp4", name="talk.mp4")
