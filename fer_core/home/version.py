"""Which layout a data folder has, as a number in its file ``version``, and the steps from every earlier one to today's.

A folder without that file is of version 0.9 or before, or new. A step may be broken off and done again: each leaves
what it has done already as it is.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from fer_core.errors import StoreError
from fer_core.files import replacing

FILE = "version"
MAX_DIGITS = 9


def version_of(home: Path) -> int:
    """The number of a data folder; 0 where none is written, or what is written is no number.

    Raises:
        StoreError: the file cannot be read.
    """
    path = home / FILE
    try:
        if path.exists() and not path.is_file():
            raise StoreError(f"{path} should be a file and is none. Move it away and start again.")
        with path.open(encoding="utf-8", errors="replace") as file:
            text = file.read(MAX_DIGITS + 1).strip()
    except FileNotFoundError:
        return 0
    except OSError as error:
        raise StoreError(f"{path} cannot be read ({error.strerror}). Move it away and start again.") from error
    return int(text) if text.isascii() and text.isdecimal() else 0


def check_version(home: Path) -> int:
    """The number of a data folder.

    Raises:
        StoreError: it is of a version that this program does not know, or cannot be read.
    """
    found = version_of(home)
    if found > VERSION:
        raise StoreError(
            f"A newer workbench has laid out the data folder {home} (as number {found}, this one knows up to "
            f"{VERSION}). Start that one, or set FER_HOME to another folder."
        )
    return found


def migrate(home: Path) -> list[int]:
    """Bring a data folder step by step to today's layout; only while no workbench works in it.

    Returns:
        The numbers it went through, empty where it was of today.

    Raises:
        StoreError: as of ``check_version``; what is there stays as it is.
    """
    passed = list(range(check_version(home) + 1, VERSION + 1))
    for number in passed:
        STEPS[number - 1](home)
        with replacing(home / FILE) as new:
            new.write_text(f"{number}\n", encoding="utf-8")
    return passed


def _empty_pickled_queues(home: Path) -> None:
    """To 1: the queues of version 0.9 hold pickles, which nobody opens any more. A queue only wakes its worker: the
    jobs stand in ``jobs.sqlite`` and are queued again."""
    for path in sorted(home.glob("queue-*.sqlite")):
        try:
            with closing(sqlite3.connect(path, timeout=30)) as table, table:
                table.execute("delete from task where substr(data, 1, 1) != cast('{' as blob)")
        except sqlite3.DatabaseError:  # without that table, or damaged: it is set aside at the start
            continue


def _list_pictures(home: Path) -> None:
    """To 2: pictures that were given to Try a face once had the ending of their file, and no list shows those."""
    for path in sorted((home / "pictures").glob("*.*")):
        kept = path.with_suffix(".picture")
        if path.suffix not in (".picture", ".json") and path.is_file() and not kept.exists():
            path.rename(kept)


STEPS: tuple[Callable[[Path], None], ...] = (_empty_pickled_queues, _list_pictures)
"""The first leads from 0 to 1, and so on."""
VERSION = len(STEPS)
"""The layout that this program writes."""
