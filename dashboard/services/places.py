"""Where the workbench keeps its files.

$FER_HOME (default ~/.fer-workbench)
├── uploads/<id>/source.<ending>     files waiting for, or in, an analysis
├── analyses/<id>/                   finished analyses with their video
├── logs/
└── jobs.sqlite, queue-*.sqlite
"""

from __future__ import annotations

import os
import re
import shutil
import uuid
from pathlib import Path

from fer_core.errors import InputError
from fer_core.video.store import AnalysisStore

_ID = re.compile(r"[0-9a-f]{32}")


def home() -> Path:
    """The data folder, made when it is not there yet."""
    path = Path(os.environ.get("FER_HOME") or Path.home() / ".fer-workbench").expanduser().resolve()
    path.mkdir(parents=True, exist_ok=True)
    return path


def _below(name: str) -> Path:
    path = home() / name
    path.mkdir(exist_ok=True)
    return path


def uploads() -> Path:
    return _below("uploads")


def logs() -> Path:
    return _below("logs")


def store() -> AnalysisStore:
    """All analyses."""
    return AnalysisStore(_below("analyses"))


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
    check_id(upload_id)
    for folder in (uploads() / upload_id, store().folder(upload_id)):
        found = sorted(folder.glob("source.*"))
        if found:
            return found[0]
    return None


def drop_upload(upload_id: str) -> None:
    shutil.rmtree(upload_folder(upload_id), ignore_errors=True)


def free_bytes() -> int:
    return shutil.disk_usage(home()).free
