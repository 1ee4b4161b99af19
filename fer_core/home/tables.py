"""The sqlite files of the data folder: whether they are whole, out of the way where they are not, and emptied of what
was deleted."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

from fer_core.home.layout import DAMAGED

BESIDE = ("-wal", "-shm")
"""Endings of the files that sqlite keeps beside a table."""


def sqlite_files(home: Path) -> Iterator[Path]:
    """Those of a data folder."""
    yield from sorted(home.glob("*.sqlite"))


def is_whole(path: Path) -> bool:
    """Whether a sqlite file can be read; one that somebody has locked counts as whole."""
    try:
        with closing(sqlite3.connect(path, timeout=30)) as table:
            return table.execute("pragma quick_check(1)").fetchall() == [("ok",)]
    except sqlite3.DatabaseError as error:
        return isinstance(error, sqlite3.OperationalError) and "locked" in str(error)


def set_aside(path: Path, now_s: float | None = None) -> Path:
    """Move a damaged file, and what sqlite keeps beside it, out of the way; returns where it is now."""
    mark = f"{DAMAGED}{time.strftime('%Y%m%d-%H%M%S', time.localtime(now_s))}"
    for ending in BESIDE:
        with suppress(FileNotFoundError):
            Path(f"{path}{ending}").rename(f"{path}{ending}{mark}")
    return path.rename(f"{path}{mark}")


def scrub(path: Path) -> bool:
    """Write a sqlite file anew without the pages of deleted rows, and empty its log; false where somebody is at work in
    it just now, so that it has to be tried again."""
    try:
        with closing(sqlite3.connect(path, timeout=5, isolation_level=None)) as table:
            table.execute("vacuum")
            return bool(table.execute("pragma wal_checkpoint(truncate)").fetchone()[0] == 0)
    except sqlite3.DatabaseError:
        return False
