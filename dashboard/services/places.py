"""Where the workbench keeps its files.

$FER_HOME (default ~/.fer-workbench), for its owner alone: folders 0700, files 0600
├── uploads/<id>/source.<ending>     files waiting for, or in, an analysis
├── analyses/<id>/                   finished analyses with their video
├── checkpoints/<name>/              checkpoints that were added by upload
├── detectors/<name>.safetensors     weights of face detectors that were converted here
├── evaluations/<checkpoint>/<dataset>-<split>.parquet
├── maps/                            projections of features, by content
├── explained/<key>.json             heatmaps and checks of single faces, the newest few
├── pictures/<sha>.picture           pictures that somebody wanted explained, the newest few
├── selections/<sha>.json            faces that were chosen by hand, so that an address can name them
├── reviews/<dataset>.json           what a reviewer said about labels
├── datasets.json                    the data sets that the workbench was pointed to
├── logs/
└── jobs.sqlite, queue-*.sqlite
"""

from __future__ import annotations

import os
import re
import shutil
import stat
import uuid
from contextlib import suppress
from pathlib import Path

from fer_core.errors import InputError, StoreError
from fer_core.places import data_home
from fer_core.video.store import Analysis, AnalysisStore, open_analysis

OWNER_ONLY = 0o077
"""The umask of the server and of its workers: what they write, no other account of the machine can read."""
_ID = re.compile(r"[0-9a-f]{32}")


def home() -> Path:
    """The data folder, made when it is not there yet."""
    path = data_home()
    path.mkdir(0o700, parents=True, exist_ok=True)
    return path


def tighten() -> None:
    """Take from others what an earlier version, or a copy, left them of the data folder; what a link leads to, and what
    belongs to somebody else, stays as it is."""
    for folder, _, names in os.walk(home()):
        for path in (folder, *(os.path.join(folder, name) for name in names)):
            with suppress(OSError):  # gone meanwhile, or not ours
                mode = os.lstat(path).st_mode
                if mode & OWNER_ONLY and not stat.S_ISLNK(mode):
                    os.chmod(path, stat.S_IMODE(mode) & ~OWNER_ONLY)


def below(name: str) -> Path:
    """A folder of the data folder, made when it is not there yet."""
    path = home() / name
    path.mkdir(0o700, exist_ok=True)
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


def open_for_page(analysis_id: str) -> Analysis:
    """An analysis by the id in an address, which anyone may have typed.

    Raises:
        InputError, StoreError: there is none; the message says where to look.
    """
    folder = store().folder(analysis_id)
    try:
        return open_analysis(folder)
    except StoreError as error:
        if folder.with_name(f"{folder.name}.tmp").is_dir():
            raise StoreError("This analysis is still running. Watch it on the Analyze page.") from error
        raise
