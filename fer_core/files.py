"""Files that are there whole or not at all, and folders that keep only the newest ones."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

TEMPORARY = ".tmp"
"""How the name of a file ends that is not whole; one that is old was left by a process that died."""


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A path beside ``path`` to write to, which takes its place in one step when the block ends well; or else ``path``
    stays as it was, and nothing is left of the other. Readers never see half a file, and neither processes nor threads
    that write the same file disturb each other: the last one stays. The folder must be there.

    Raises:
        OSError: the block wrote nothing there, or the place cannot be taken.
    """
    new = path.with_name(f"{path.name}.{os.getpid()}-{threading.get_ident()}{TEMPORARY}")
    try:
        yield new
        new.replace(path)
    finally:
        new.unlink(missing_ok=True)


@contextmanager
def replacing_folder(path: Path) -> Iterator[Path]:
    """An empty folder beside ``path``, which takes its place whole when the block ends well, whatever was there; or
    else ``path`` stays as it was, and nothing is left of the other. Its name ends in ``TEMPORARY`` until then.

    Raises:
        OSError: it cannot be made, or the place cannot be taken.
    """
    new, old = (path.with_name(f"{path.name}.{os.getpid()}{end}{TEMPORARY}") for end in ("", "-old"))
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir()
    try:
        yield new
        if path.exists():
            path.rename(old)
        new.rename(path)
    finally:
        shutil.rmtree(new, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)


def keep_newest(folder: Path, pattern: str, n: int) -> list[Path]:
    """Remove all but the ``n`` files of a folder that fit ``pattern`` and were written or touched last; returns those
    that were removed."""
    old = sorted(folder.glob(pattern), key=_changed_ns, reverse=True)[n:]
    for path in old:
        path.unlink(missing_ok=True)
    return old


def _changed_ns(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except FileNotFoundError:  # somebody else removed it meanwhile
        return 0


__all__ = ["TEMPORARY", "keep_newest", "replacing", "replacing_folder"]
