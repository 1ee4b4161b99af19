"""Uploads: slices of a file on their way to disk, and the check of the whole.

A file is ``uploads/<id>/part`` until its last byte is there, and ``total`` beside it says how long it will be: that
room on the disk is spoken for. Then it is probed: a readable one becomes ``source.<ending>`` with a ready job; an
unreadable one is removed, and the message says why. Who stopped sending for an hour begins anew.
"""

from __future__ import annotations

import os
import re
import shutil
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from pathlib import Path

from dashboard.services import jobs, kinds, places
from fer_core.errors import FerError, UploadError
from fer_core.files import TEMPORARY, moved, to_disk

MAX_BYTES = 2 * 1024**3
SLICE_BYTES = 8 * 1024**2
SPARE_BYTES = 512 * 1024**2
MAX_UNFINISHED = 100
UNFINISHED_S, MAX_AGE_S = 3600, 24 * 3600
_PART, _TOTAL = "part", "total"
_ENDING = re.compile(r"\.[A-Za-z0-9]{1,5}")


def clean_name(name: str) -> str:
    """A file name without folders, control characters and excess length; only ever shown as text."""
    last = re.split(r"[\\/]", name)[-1]
    kept = " ".join("".join(letter if letter.isprintable() else " " for letter in last).split())
    stem, ending = Path(kept).stem, Path(kept).suffix
    return (stem[: 110 - len(ending)] + ending) if kept.strip(". ") else "video"


def received(upload_id: str) -> int:
    """Bytes of an unfinished upload that are on disk."""
    return _length(places.upload_folder(upload_id) / _PART)


def promised(upload_id: str) -> int:
    """Bytes that an unfinished upload will have in the end; 0 where there is none."""
    with suppress(OSError, ValueError):
        return int((places.upload_folder(upload_id) / _TOTAL).read_text(encoding="ascii"))
    return 0


async def add_slice(upload_id: str, name: str, offset: int, total: int, slices: AsyncIterator[bytes]) -> int:
    """Append one slice; returns the bytes on disk.

    Raises:
        UploadError: too large, out of order, no room, another length than was said first; what was there of the file is
            removed unless it may go on.
    """
    folder = places.upload_folder(upload_id)
    if total == 0:
        raise UploadError(f"{clean_name(name)} is empty (0 bytes). Copy or export it again.")
    if not 0 < total <= MAX_BYTES:
        raise UploadError(f"{clean_name(name)} is larger than 2 GB. Cut or compress it first.")
    if offset != received(upload_id) or any(folder.glob("source.*")):
        raise UploadError("A part of the file arrived out of order. Upload it again.")
    if not (folder / _PART).is_file():
        _reserve(folder, total)
    elif promised(upload_id) != total:
        places.drop_upload(upload_id)
        raise UploadError("The file changed its length while it was uploaded. Upload it again.")
    with (folder / _PART).open("r+b") as file:
        file.seek(offset)  # a slice that comes twice lands in the same place
        async for piece in slices:
            if file.tell() + len(piece) > total:
                places.drop_upload(upload_id)
                raise UploadError("The file grew while it was uploaded. Upload it again.")
            file.write(piece)
        return file.tell()


def _reserve(folder: Path, total: int) -> None:
    """Begin an upload, if there is room for it beside what the others on their way still need."""
    others = [each.parent for each in places.uploads().glob(f"*/{_PART}")]
    if len(others) >= MAX_UNFINISHED:
        raise UploadError(f"{MAX_UNFINISHED} files are on their way already. Wait until some have arrived.")
    needed = sum(max(promised(each.name) - _length(each / _PART), 0) for each in others)
    if places.free_bytes() < total + needed + SPARE_BYTES:
        raise UploadError(
            "There is not enough free disk space for this file. Delete analyses in the list of videos first."
        )
    folder.mkdir(exist_ok=True)
    (folder / _TOTAL).write_text(str(total), encoding="ascii")
    (folder / _PART).touch()


def _length(path: Path) -> int:
    with suppress(OSError):
        return path.stat().st_size
    return 0


def complete(upload_id: str, name: str) -> jobs.Job:
    """Check a whole upload and make it a ready job.

    Raises:
        VideoError: it is no usable video or picture; nothing of it is kept.
    """
    folder, name = places.upload_folder(upload_id), clean_name(name)
    ending = Path(name).suffix.lower()
    source = folder / f"source{ending if _ENDING.fullmatch(ending) else '.bin'}"
    to_disk(folder / _PART)
    moved(folder / _PART, source)
    (folder / _TOTAL).unlink(missing_ok=True)
    to_disk(folder.parent)
    try:
        return _ready(upload_id, source, name)
    except Exception:
        places.drop_upload(upload_id)
        raise


def _ready(upload_id: str, source: Path, name: str) -> jobs.Job:
    """Make a whole file a ready job."""
    from dashboard.services.probe import probe
    from fer_core.video.stills import ending_of

    info = probe(source, name)
    if info["is_picture"]:  # called as what it is, so that a browser is told the truth
        source = source.rename(source.with_name(f"source{ending_of(info['format'])}"))
    jobs.add(
        upload_id, kind=(kinds.PICTURE if info["is_picture"] else kinds.VIDEO).name, name=name,
        info=info | {"bytes": source.stat().st_size},
    )  # fmt: skip
    job = jobs.get(upload_id)
    assert job is not None
    return job


def drop_unfinished(upload_id: str) -> None:
    """Remove what has arrived of a file that the user stopped sending; a whole file stays."""
    if (places.upload_folder(upload_id) / _PART).is_file():
        places.drop_upload(upload_id)


def add_copy(path: Path, name: str) -> jobs.Job:
    """Take a file that is already on this machine, such as the sample, as if it had been uploaded."""
    upload_id = places.new_id()
    folder = places.upload_folder(upload_id)
    folder.mkdir()
    shutil.copyfile(path, folder / _PART)
    return complete(upload_id, name)


def find_lost() -> None:
    """Make whole files ready again of which no table knows, as after one was damaged. Their names are gone with it."""
    for folder in places.uploads().glob("[0-9a-f]*/"):
        with suppress(FerError, OSError):  # what is no longer whole is removed a day later
            if jobs.get(folder.name) is None and (source := places.upload_of(folder.name)) is not None:
                _ready(folder.name, source, f"recovered{source.suffix}")


def drop_old() -> None:
    """Remove uploads that nobody goes on with: those that ended in the middle after an hour, and a day later what is
    whole and became no job."""
    for folder in places.uploads().glob("[0-9a-f]*/"):
        with suppress(OSError):  # what vanishes or cannot be read must not keep the workbench from starting
            newest = max(path.stat().st_mtime for path in (folder, *folder.iterdir()))
            patience_s = UNFINISHED_S if (folder / _PART).exists() else MAX_AGE_S
            if time.time() - newest > patience_s and jobs.get(folder.name) is None:
                shutil.rmtree(folder, ignore_errors=True)


def drop_abandoned() -> None:
    """At a start, remove what a crash left behind: old uploads, analyses that nobody works on, and files that were not
    written to their end."""
    drop_old()
    awaited = {job.target for job in jobs.with_state("ready", *jobs.ACTIVE)}
    for folder in places.store().root.glob("*.tmp"):
        if folder.name.partition(".")[0] not in awaited:
            shutil.rmtree(folder, ignore_errors=True)
    for path in _unfinished_files():
        with suppress(OSError):
            if time.time() - path.stat().st_mtime > MAX_AGE_S:
                path.unlink()


def _unfinished_files() -> Iterator[Path]:
    for folder, _, names in os.walk(places.home()):
        yield from (Path(folder, name) for name in names if name.endswith(TEMPORARY))
