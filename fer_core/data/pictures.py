"""Reading single pictures: files below a data set's folder, and encoded bytes from anywhere.

What comes from a data set is not trusted: a path must stay in its folder, and the size of a file and of the picture
that it holds are looked at before anything is decoded.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from fer_core.data.records import FaceSet, Picture
from fer_core.errors import DataError

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff")
MAX_FILE_BYTES = 100_000_000
MAX_PIXELS = 64_000_000
_FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF")
_MEDIA = {"JPEG": "image/jpeg", "PNG": "image/png", "WEBP": "image/webp"}
_GREY_MODES = ("1", "L", "LA", "I", "I;16", "F")

Box = tuple[int, int, int, int]
"""x, y, width, height in pixels."""
CUT_PX, CUT_SQUARE_PX = 128, 256
"""Pictures up to the first, or squares up to the second, are taken for faces that are cut out already."""
LOOKED_AT = 12
"""Pictures of a data set whose size tells whether they are cut faces."""


class Header(NamedTuple):
    """What a picture says of itself before it is decoded."""

    media_type: str
    width: int
    height: int
    is_grey: bool


def read_header(data: bytes, name: str) -> Header:
    """Media type ("" if browsers do not show it), size and colour of an encoded picture.

    Raises:
        DataError: no picture, or one of more than 64 megapixels; the message calls it ``name``.
    """
    try:
        with Image.open(io.BytesIO(data), formats=_FORMATS) as image:
            found = Header(_MEDIA.get(str(image.format), ""), *image.size, image.mode in _GREY_MODES)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise DataError(_too_large(name)) from error
    except Exception as error:  # Pillow's readers raise whatever damaged bytes lead them to
        raise DataError(f"{name} is not a readable picture; remove it or copy it again.") from error
    if found.width * found.height > MAX_PIXELS:
        raise DataError(_too_large(name))
    return found


def _too_large(name: str) -> str:
    return f"{name} has more than {MAX_PIXELS // 1_000_000} megapixels; make it smaller or remove it."


def decode(data: bytes, name: str, *, grey: bool = False) -> Picture:
    """An encoded picture as uint8 grey (h, w) or RGB (h, w, 3), upright; always grey with ``grey``.

    Raises:
        DataError: as ``read_header``.
    """
    grey = read_header(data, name).is_grey or grey
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_GRAYSCALE if grey else cv2.IMREAD_COLOR_RGB)
    except cv2.error as error:
        raise DataError(f"{name} is not a readable picture ({error.err}).") from error
    if image is None:
        raise DataError(f"{name} is not a readable picture; remove it or copy it again.")
    return np.asarray(image, np.uint8)


def as_shown(data: bytes, name: str) -> tuple[bytes, str]:
    """Encoded picture and media type for a browser; formats that browsers do not show become PNG."""
    media_type = read_header(data, name).media_type
    return (data, media_type) if media_type else as_png(decode(data, name))


def as_png(picture: Picture) -> tuple[bytes, str]:
    """A decoded picture as PNG, with the media type."""
    shown = picture if picture.ndim == 2 else cv2.cvtColor(picture, cv2.COLOR_RGB2BGR)
    return cv2.imencode(".png", shown)[1].tobytes(), _MEDIA["PNG"]


def square(picture: Picture, side_px: int) -> Picture:
    """A picture resized to ``side_px`` × ``side_px``, each pixel the mean of those that it covers."""
    if picture.shape[:2] == (side_px, side_px):
        return picture
    return np.asarray(cv2.resize(picture, (side_px, side_px), interpolation=cv2.INTER_AREA), np.uint8)


def folders_in(folder: Path) -> list[Path]:
    """Visible folders in ``folder``, by name; none if it is not there."""
    if not folder.is_dir():
        return []
    found = (path for path in folder.iterdir() if path.is_dir())
    return sorted(path for path in found if not path.name.startswith((".", "__")))


def picture_names(folder: Path) -> Iterator[str]:
    """Names of the picture files directly in ``folder``, in no order."""
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.lower().endswith(SUFFIXES) and not entry.name.startswith(".") and entry.is_file():
                yield entry.name


def first_picture(folder: Path) -> Path | None:
    """Some picture file in ``folder``."""
    return next((folder / name for name in picture_names(folder)), None)


def check_relative(path: str, where: str) -> str:
    """``path`` if it leads downwards from where it starts; ``where`` says in which list it stands.

    Raises:
        DataError: it leads out of the folder.
    """
    parts = PurePosixPath(path)
    if not path or "\0" in path or "\\" in path or parts.is_absolute() or ".." in parts.parts:
        raise DataError(f"{where}: {path!r} is not a path inside of the data set's folder.")
    return str(parts)


def read_file(root: Path, path: str, *, limit: int = MAX_FILE_BYTES) -> bytes:
    """Content of ``root / path``.

    Raises:
        DataError: missing, larger than ``limit`` bytes, or a link that leads out of ``root``; the message names it.
    """
    try:
        file = (root / path).resolve(strict=True)
        if not file.is_relative_to(root.resolve()):
            raise DataError(f"{path} is a link out of the data set's folder; put the file itself there.")
        if file.stat().st_size > limit:
            raise DataError(f"{path} is larger than {limit / 1e6:g} MB; remove it.")
        return file.read_bytes()
    except (OSError, ValueError, RuntimeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise DataError(f"{path} cannot be read ({reason}); copy it again or remove it.") from error


@dataclass(frozen=True)
class Files:
    """Picture files below ``root``; with ``boxes`` a part of each, with ``grey`` all of them grey."""

    root: Path
    paths: Sequence[str]
    boxes: Sequence[Box] | None = None
    grey: bool = False

    def picture(self, i: int) -> Picture:
        image = decode(read_file(self.root, self.paths[i]), self.paths[i], grey=self.grey)
        return image if self.boxes is None else _inside(image, self.boxes[i], self.paths[i])

    def encoded(self, i: int) -> tuple[bytes, str]:
        if self.boxes is not None:
            return as_png(self.picture(i))
        return as_shown(read_file(self.root, self.paths[i]), self.paths[i])


def _inside(image: Picture, box: Box, name: str) -> Picture:
    x, y, width, height = box
    part = image[max(y, 0) : max(y + height, 0), max(x, 0) : max(x + width, 0)]
    if not part.size:
        raise DataError(f"{name}: the face box {box} lies outside of the picture ({image.shape[1]}×{image.shape[0]}).")
    return part


def look_cut(root: Path, paths: Sequence[str]) -> bool:
    """Whether pictures below ``root`` are faces cut out already, by the sizes of some of them: most are small."""
    small = []
    for i in np.unique(np.linspace(0, len(paths) - 1, LOOKED_AT).astype(int)).tolist() if paths else []:
        try:
            _, width, height, _ = read_header(read_file(root, paths[i]), paths[i])
        except DataError:  # is told when the picture is read
            continue
        small.append(max(width, height) <= (CUT_SQUARE_PX if width == height else CUT_PX))
    return 2 * sum(small) >= len(small)


class Listed(NamedTuple):
    """One picture of a split: path below the root, index into ``EMOTIONS8``, person, box of the face."""

    path: str
    label: int
    subject: str = ""
    box: Box | None = None


def faces_of_files(
    root: Path,
    name: str,
    split: str,
    listed: Sequence[Listed],
    *,
    cut: bool,
    grey: bool = False,
    left_out: Mapping[str, int] | None = None,
) -> FaceSet:
    """A ``FaceSet`` of picture files. With ``cut`` a box is what is cut out of its picture; else it says which face of
    the photo is meant, and a photo may be listed once for each of them.

    Raises:
        DataError: a name that is no text, or one that stands there twice.
    """
    paths = [each.path for each in listed]
    try:
        "".join(paths).encode()
    except UnicodeEncodeError as error:
        raise DataError(
            f"{root.name}, {split}: a file name is not UTF-8 ({error.object[-40:]!r}); rename it."
        ) from error
    boxes = [each.box for each in listed if each.box is not None]
    return FaceSet(
        name=name,
        split=split,
        ids=np.array(paths if cut else _ids(listed), dtype=str),
        labels=np.array([each.label for each in listed], np.int64),
        votes=no_votes(len(listed)),
        subjects=np.array([each.subject for each in listed], dtype=str),
        cut=cut,
        source=Files(root, paths, (boxes or None) if cut else None, grey),
        left_out=dict(left_out or {}),
        boxes=_corners([None if cut else each.box for each in listed]),
    )


def _ids(listed: Sequence[Listed]) -> list[str]:
    """Paths; the second face of a photo has ``#2`` behind it, and so on."""
    faces: dict[str, list[Box | None]] = {}
    found = []
    for each in listed:
        boxes = faces.setdefault(each.path, [])
        if each.box not in boxes:
            boxes.append(each.box)
        n = boxes.index(each.box) + 1
        found.append(each.path if n == 1 else f"{each.path}#{n}")
    return found


def _corners(boxes: Sequence[Box | None]) -> NDArray[np.float32]:
    """Boxes as x0 y0 x1 y1, float32 (n, 4); NaN for None."""
    return np.array(
        [(np.nan,) * 4 if box is None else (box[0], box[1], box[0] + box[2], box[1] + box[3]) for box in boxes],
        np.float32,
    ).reshape(-1, 4)


def no_votes(n: int) -> NDArray[np.int64]:
    """Votes (n, 0) of a data set that has none."""
    return np.zeros((n, 0), np.int64)
