"""Where the workbench keeps its files.

``fer_core.home.layout`` lists all that the data folder holds.
"""

from __future__ import annotations

import re
import shutil
import uuid
from pathlib import Path

from fer_core.errors import InputError, StoreError
from fer_core.home import rights
from fer_core.places import data_home
from fer_core.video.in_making import unfinished as in_making
from fer_core.video.store import Analysis, AnalysisStore, open_analysis

OWNER_ONLY = rights.OTHERS
"""The umask of the server and of its workers: what they write, no other account of the machine can read."""
_ID = re.compile(r"[0-9a-f]{32}")


def home() -> Path:
    """The data folder, made when it is not there yet."""
    path = data_home()
    path.mkdir(0o700, parents=True, exist_ok=True)
    return path


def tighten() -> None:
    """Take from others what an earlier version, or a copy, left them of the data folder."""
    rights.tighten(home())


def below(name: str) -> Path:
    """A folder of the data folder, made when it is not there yet.

    Raises:
        StoreError: something else stands in its place.
    """
    path = home() / name
    try:
        path.mkdir(0o700, exist_ok=True)
    except FileExistsError as error:
        raise StoreError(f"{path} should be a folder and is none. Move it away.") from error
    return path


def uploads() -> Path:
    return below("uploads")


def logs() -> Path:
    return below("logs")


def store() -> AnalysisStore:
    """All analyses."""
    return AnalysisStore(below("analyses"))


def new_id() -> str:
    """32 hex digits; names an upload, its job and its analysis."""
    return uuid.uuid4().hex


def check_id(value: str) -> str:
    """``value`` if it is an id.

    Raises:
        InputError: it is not, so it must not become part of a path.
    """
    if not _ID.fullmatch(value):
        raise InputError("That is not a valid id.")
    return value


def upload_folder(upload_id: str) -> Path:
    return uploads() / check_id(upload_id)


def source_of(upload_id: str) -> Path | None:
    """The file itself, while it waits and after its analysis."""
    return upload_of(upload_id) or _source_in(store().folder(upload_id))


def upload_of(upload_id: str) -> Path | None:
    """The file while it waits for its analysis."""
    return _source_in(upload_folder(upload_id))


def _source_in(folder: Path) -> Path | None:
    return next(iter(sorted(folder.glob("source.*"))), None)


def unfinished(analysis_id: str) -> list[Path]:
    """Folders in which an analysis is being made, or was when its worker died."""
    return in_making(store().folder(check_id(analysis_id)))


def drop_upload(upload_id: str) -> None:
    """Remove a file that was uploaded, and what an analysis of it had found that came to no end."""
    for folder in (upload_folder(upload_id), *unfinished(upload_id)):
        shutil.rmtree(folder, ignore_errors=True)


def free_bytes() -> int:
    return shutil.disk_usage(home()).free


def open_for_page(analysis_id: str) -> Analysis:
    """An analysis by the id in an address, which anyone may have typed.

    Raises:
        InputError, StoreError: there is none; the message says where to look.
    """
    folder = store().folder(analysis_id)
    try:
        return open_analysis(folder)
    except StoreError as error:
        if unfinished(analysis_id):
            raise StoreError("This analysis is still running. Watch it on the page Videos.") from error
        raise
