"""Uploads: slices of a file on their way to disk, and the check of the whole.

A file is ``uploads/<id>/part`` until its last byte is there. Then it is probed: a readable one becomes
``source.<ending>`` with a ready job; an unreadable one is removed, and the message says why.
"""

from __future__ import annotations

import dataclasses
import os
import re
import shutil
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from pathlib import Path

from dashboard.services import jobs, kinds, places
from fer_core.errors import UploadError
from fer_core.files import TEMPORARY

MAX_BYTES = 2 * 1024**3
SPARE_BYTES = 512 * 1024**2
MAX_AGE_S = 24 * 3600
_ENDING = re.compile(r"\.[A-Za-z0-9]{1,5}")


def clean_name(name: str) -> str:
    """A file name without folders, control characters and excess length; only ever shown as text."""
    last = re.split(r"[\\/]", name)[-1]
    kept = " ".join("".join(letter if letter.isprintable() else " " for letter in last).split())
    stem, ending = Path(kept).stem, Path(kept).suffix
    return (stem[: 110 - len(ending)] + ending) if kept.strip(". ") else "video"


def received(upload_id: str) -> int:
    """Bytes of an unfinished upload that are on disk."""
    part = places.upload_folder(upload_id) / "part"
    return part.stat().st_size if part.is_file() else 0


async def add_slice(upload_id: str, name: str, offset: int, total: int, slices: AsyncIterator[bytes]) -> int:
    """Append one slice; returns the bytes on disk.

    Raises:
        UploadError: too large, out of order, no room; what was there of the file is removed unless it may go on.
    """
    folder = places.upload_folder(upload_id)
    if total == 0:
        raise UploadError(f"{clean_name(name)} is empty (0 bytes). Copy or export it again.")
    if not 0 < total <= MAX_BYTES:
        raise UploadError(f"{clean_name(name)} is larger than 2 GB. Cut or compress it first.")
    if offset == 0 and places.free_bytes() < total + SPARE_BYTES:
        raise UploadError("There is not enough free disk space for this file. Delete analyses in the library first.")
    if offset != received(upload_id) or any(folder.glob("source.*")):
        raise UploadError("A part of the file arrived out of order. Upload it again.")
    folder.mkdir(exist_ok=True)
    (folder / "part").touch()
    with (folder / "part").open("r+b") as file:
        file.seek(offset)  # a slice that comes twice lands in the same place
        async for piece in slices:
            if file.tell() + len(piece) > total:
                places.drop_upload(upload_id)
                raise UploadError("The file grew while it was uploaded. Upload it again.")
            file.write(piece)
        return file.tell()


def complete(upload_id: str, name: str) -> jobs.Job:
    """Check a whole upload and make it a ready job.

    Raises:
        VideoError: it is no usable video or picture; nothing of it is kept.
    """
    from fer_core.video.reader import VideoReader
    from fer_core.video.stills import ending_of

    folder, name = places.upload_folder(upload_id), clean_name(name)
    ending = Path(name).suffix.lower()
    source = folder / f"source{ending if _ENDING.fullmatch(ending) else '.bin'}"
    (folder / "part").rename(source)
    try:
        with VideoReader(source, name=name) as reader:
            info = reader.info
        if info.is_picture:  # called as what it is, so that a browser is told the truth
            source = source.rename(folder / f"source{ending_of(info.format)}")
    except Exception:
        places.drop_upload(upload_id)
        raise
    jobs.add(
        upload_id, kind=(kinds.PICTURE if info.is_picture else kinds.VIDEO).name, name=name,
        info=dataclasses.asdict(info) | {"bytes": source.stat().st_size},
    )  # fmt: skip
    job = jobs.get(upload_id)
    assert job is not None
    return job


def drop_unfinished(upload_id: str) -> None:
    """Remove what has arrived of a file that the user stopped sending; a whole file stays."""
    if (places.upload_folder(upload_id) / "part").is_file():
        places.drop_upload(upload_id)


def add_copy(path: Path, name: str) -> jobs.Job:
    """Take a file that is already on this machine, such as the sample, as if it had been uploaded."""
    upload_id = places.new_id()
    folder = places.upload_folder(upload_id)
    folder.mkdir()
    shutil.copyfile(path, folder / "part")
    return complete(upload_id, name)


def drop_abandoned() -> None:
    """Remove what a crash left behind: uploads of yesterday that became no job, analyses that nobody works on, and
    files that were not written to their end."""
    for folder in places.uploads().glob("[0-9a-f]*/"):
        with suppress(OSError):  # what vanishes or cannot be read must not keep the workbench from starting
            newest = max(path.stat().st_mtime for path in (folder, *folder.iterdir()))
            if time.time() - newest > MAX_AGE_S and jobs.get(folder.name) is None:
                shutil.rmtree(folder, ignore_errors=True)
    active = {job.target for job in jobs.with_state(*jobs.ACTIVE)}
    for folder in places.store().root.glob("*.tmp"):
        if folder.stem not in active:
            shutil.rmtree(folder, ignore_errors=True)
    for path in _unfinished_files():
        with suppress(OSError):
            if time.time() - path.stat().st_mtime > MAX_AGE_S:
                path.unlink()


def _unfinished_files() -> Iterator[Path]:
    for folder, _, names in os.walk(places.home()):
        yield from (Path(folder, name) for name in names if name.endswith(TEMPORARY))
