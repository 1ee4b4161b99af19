"""Pictures that were given to the page Try a face: kept, listed and removed, with what was made from them.

``pictures/<sha>.picture`` is the file as it was given, ``<sha>.json`` says what it is called and when that was, and
``<sha>.jpg`` is a small copy for the list.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from dashboard.services import deletion, explained, places
from fer_core.errors import StoreError, UploadError
from fer_core.files import keep_newest, remove_tree, replacing

FOLDER, ENDING = "pictures", ".picture"
KEPT = 20
MAX_BYTES = 30_000_000
SMALL_PX = 96
MAX_NAME = 200
MAX_DECODED = 40_000_000
"""Pixels of a picture of which a small copy is made."""


@dataclass(frozen=True)
class Given:
    """A picture that is kept: ``key`` names it here, ``name`` is what its file was called, ``given`` the time in s
    since 1970, ``n_bytes`` its size."""

    key: str
    name: str
    given: float
    n_bytes: int

    @property
    def small(self) -> Path | None:
        """A small copy, or None where there is none."""
        path = _file(self.key).with_suffix(".jpg")
        return path if path.is_file() else None


def keep(name: str, data: bytes) -> str:
    """Keep a picture that is to be explained, the newest few only; returns its key.

    Raises:
        UploadError, VideoError: empty, too large, or no picture.
    """
    from PIL import ImageOps

    from fer_core.video.stills import opened

    if not data or len(data) > MAX_BYTES:
        raise UploadError(f"{name} is no picture of up to {MAX_BYTES // 10**6} MB.")
    kept = places.below(FOLDER) / f"{hashlib.sha256(data).hexdigest()[:32]}{ENDING}"
    if kept.is_file():
        kept.touch()  # a worker may be reading it
        return kept.name
    with replacing(kept) as new:
        new.write_bytes(data)
        if (picture := opened(new, name)) is None:
            raise UploadError(f"{name} is no picture that can be read. Save it as JPEG, PNG or TIFF first.")
        with picture, suppress(Exception):  # Pillow raises many kinds; without a small copy the list has a name
            picture.draft("RGB", (SMALL_PX, SMALL_PX))
            if picture.width * picture.height <= MAX_DECODED:
                small = ImageOps.exif_transpose(picture.convert("RGB"))
                small.thumbnail((SMALL_PX, SMALL_PX))
                small.save(kept.with_suffix(".jpg"))
    told = {"name": name[:MAX_NAME], "given": time.time()}
    with replacing(kept.with_suffix(".json")) as new:
        new.write_text(json.dumps(told), encoding="utf-8")
    _forget(path.name for path in keep_newest(kept.parent, f"*{ENDING}", KEPT))
    return kept.name


def given() -> list[Given]:
    """The pictures that are kept, the newest first."""
    found = []
    for path in places.below(FOLDER).glob(f"*{ENDING}"):
        with suppress(OSError):  # removed meanwhile
            stat, told = path.stat(), dict[str, object]()
            with suppress(ValueError, OSError, RecursionError):
                note = path.with_suffix(".json")
                value = json.loads(note.read_text(encoding="utf-8")) if note.is_file() else None
                told = value if isinstance(value, dict) else {}
            name, at = told.get("name"), told.get("given")
            found.append(
                Given(
                    path.name, name if isinstance(name, str) else "A picture",
                    float(at) if isinstance(at, int | float) else stat.st_mtime, stat.st_size,
                )
            )  # fmt: skip
    return sorted(found, key=lambda each: each.given, reverse=True)


def forget(key: str) -> None:
    """Remove a picture with the answers that were made from it.

    Raises:
        StoreError: there is none.
    """
    if key not in {each.key for each in given()}:
        raise StoreError("That picture has been deleted already.")
    _forget([key])
    deletion.tidy()


def forget_all() -> None:
    """Remove every picture, and every answer of the page."""
    explained.forget_all()
    for path in places.below(FOLDER).iterdir():
        remove_tree(path)
    deletion.tidy()


def forget_old(before: float) -> int:
    """Remove the pictures that were given before a time, with their answers; how many there were."""
    old = [each.key for each in given() if each.given < before]
    _forget(old)
    return len(old)


def _forget(keys: Iterable[str]) -> None:
    for key in keys:
        explained.forget_where("picture", key)
        for path in _file(key).parent.glob(f"{Path(key).stem}.*"):
            path.unlink(missing_ok=True)


def _file(key: str) -> Path:
    return places.below(FOLDER) / key
