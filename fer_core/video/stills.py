"""Pictures: what they are, told by their content, and their pixels as RGB.

OpenCV reads what it always read here, since results must stay; Pillow reads the other kinds. Both turn a picture as its
EXIF says. Numbers of more than 8 bits are brought to 8 by the range that they use.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from fer_core.errors import VideoError
from fer_core.files import replacing
from fer_core.video.limits import MAX_PICTURE_BYTES, MAX_PIXELS

RGB = NDArray[np.uint8]
BY_OPENCV = ("JPEG", "PNG", "WEBP", "BMP", "JPEG2000")
PICTURES = (*BY_OPENCV, "TIFF", "PPM", "GIF", "AVIF", "MPO")
"""Kinds that are read, as Pillow calls them. PPM is PBM, PGM and PNM, too; MPO a phone's JPEG with two pictures."""
BY_BROWSERS = ("JPEG", "PNG", "WEBP", "BMP", "GIF", "AVIF")
FULL_BITS = 15
"""A picture of 16 bits that needs as many is shown as it is."""
_PREVIEW, _RAW = 254, (50706, 33421)
"""Tags of TIFF: a small copy of another picture comes first; DNG and colour filters."""


@dataclass(frozen=True)
class Still:
    """A picture: its ``kind`` (one of ``PICTURES``), RGB uint8 (h, w, 3), and what should be said about it."""

    kind: str
    image: RGB
    notes: tuple[str, ...] = ()
    is_picture = True
    duration_s = mean_fps = 0.0

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in px."""
        return self.image.shape[1], self.image.shape[0]

    @property
    def plays_in_browser(self) -> bool:
        """Whether a browser shows the file itself, and as it was analysed."""
        return self.kind in BY_BROWSERS and not self.notes

    def __len__(self) -> int:
        return 1

    def frames(self) -> Iterator[tuple[RGB, float, float]]:
        """The picture, at 0 s."""
        yield self.image, 0.0, 0.0


def opened(path: Path, name: str) -> Image.Image | None:
    """A picture whose head was read, or None if it is none of ``PICTURES``; to be closed by the caller.

    Raises:
        VideoError: it has more than ``MAX_PIXELS``, or its file more than ``MAX_PICTURE_BYTES``.
    """
    try:
        picture = Image.open(path, formats=PICTURES)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise VideoError(f"{name} is too large a picture; scale it down to less than 8192×8192 pixels.") from error
    except Exception:  # Pillow raises many kinds for what is no picture; then it may be a video
        return None
    if picture.width * picture.height > MAX_PIXELS:
        picture.close()
        raise VideoError(f"{name} is too large ({picture.width}×{picture.height}); scale it down.")
    if (n_bytes := path.stat().st_size) > MAX_PICTURE_BYTES and not getattr(picture, "is_animated", False):
        picture.close()
        raise VideoError(
            f"{name} is a picture in a file of {n_bytes / 1e6:,.0f} MB; at most {MAX_PICTURE_BYTES / 1e6:,.0f} MB can "
            "be read. Save it anew as JPEG, PNG or TIFF."
        )
    return picture


def read_still(picture: Image.Image, path: Path, name: str) -> Still:
    """The pixels of an opened picture, of several the first.

    Raises:
        VideoError: it is damaged, or a camera's raw file.
        MemoryError: there is not enough memory for it.
    """
    kind = {"MPO": "JPEG"}.get(picture.format or "", picture.format or "")
    notes = []
    if kind == "TIFF":
        tags: Any = picture.tag_v2  # type: ignore[attr-defined]
        if tags.get(_PREVIEW, 0) & 1 or any(tag in tags for tag in _RAW):
            raise VideoError(f"{name} is a raw file of a camera. Export it as JPEG, PNG or TIFF first.")
        if (n := getattr(picture, "n_frames", 1)) > 1:
            notes.append(f"The file holds {n} pictures; this is the first one.")
    try:
        image = _by_opencv(picture, path) if kind in (*BY_OPENCV, "TIFF") else None
        image = upright(picture) if image is None else image
    except Exception as error:  # Pillow and OpenCV raise many kinds for what is damaged
        if isinstance(error, MemoryError) or getattr(error, "code", 0) == cv2.Error.StsNoMem:
            raise MemoryError from error
        raise VideoError(f"{name} is a damaged {kind} picture, or of a rare kind. Save or copy it again.") from error
    image, note = to_8_bits(image)
    return Still(kind, image, (*notes, note) if note else tuple(notes))


def _by_opencv(picture: Image.Image, path: Path) -> NDArray[Any] | None:
    """(h, w, 3) RGB of the depth that the file has; None where OpenCV cannot, or need not."""
    if picture.format != "TIFF":
        data = np.fromfile(path, np.uint8)
        return cv2.imdecode(data, cv2.IMREAD_COLOR_RGB | cv2.IMREAD_ANYDEPTH)
    tags: Any = picture.tag_v2  # type: ignore[attr-defined]
    if max(tags.get(258, (1,))) <= 8:
        return None
    image = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_UNCHANGED)  # Pillow makes 8 bits of 16 in colour
    if image is None:
        return None
    if image.ndim == 3 and image.shape[2] >= 3:
        return image[:, :, 2::-1]
    return np.repeat(image.reshape(*image.shape[:2], -1)[:, :, :1], 3, axis=2)


def upright(picture: Image.Image) -> NDArray[Any]:
    """(h, w, 3) RGB of the current picture of a file, turned as its EXIF says; uint8, or numbers of any kind."""
    picture = ImageOps.exif_transpose(picture)
    if picture.mode in ("F", "I") or picture.mode.startswith("I;16"):
        return np.repeat(np.asarray(picture)[:, :, None], 3, axis=2)
    return np.asarray(picture.convert("RGB"))


def to_8_bits(image: NDArray[Any]) -> tuple[RGB, str]:
    """uint8 of numbers of any kind by the range that they use, and a sentence about it where that is not plain.

    Cameras for depth and heat, and medical ones, write 10, 12 or 14 bits into 16: taken as they stand they are black.
    """
    if image.dtype == np.uint8:
        return image, ""
    is_whole = np.issubdtype(image.dtype, np.integer)
    image = image if is_whole else np.nan_to_num(image, nan=0, posinf=0, neginf=0)
    least, most = float(image.min()), float(image.max())
    if is_whole and least >= 0 and most <= 65535:
        bits, numbers = int(most).bit_length(), np.arange(int(most) + 1)  # a table of them takes the least memory
        if bits >= FULL_BITS or not bits:
            return (numbers >> 8).astype(np.uint8)[image], ""
        table = (numbers.astype(np.float32) * (255 / (2**bits - 1))).round().astype(np.uint8)
        return table[image], f"The picture uses {bits} of its 16 bits; it was brightened to its real range."
    is_share = least >= 0 and 0 < most <= 1
    least, most = (0.0, 1.0) if is_share else (least, most)
    scale = 255 / (most - least) if most > least else 0.0
    scaled = ((image.astype(np.float32) - least) * scale).clip(0, 255).round().astype(np.uint8)
    told = f"The numbers of the picture, {least:g} to {most:g}, were brought to the range from black to white."
    return scaled, "" if is_share else told


def ending_of(kind: str) -> str:
    """How the name of a picture of a kind ends."""
    return {"jpeg": ".jpg", "jpeg2000": ".jp2", "tiff": ".tif"}.get(kind.lower(), f".{kind.lower()}")


def save_for_browsers(image: RGB, out: Path) -> None:
    """Write a picture, RGB uint8 (h, w, 3), as JPEG of the same size, as every browser shows it."""
    with replacing(out) as new:
        Image.fromarray(image).save(new, "JPEG", quality=95)
