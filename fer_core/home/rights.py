"""Who may read the data folder: its owner alone."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

OTHERS = 0o077
"""The bits of a mode that other accounts of the machine do not have; the umask of the server and of its workers."""


def loose(home: Path) -> Iterator[tuple[Path, int]]:
    """Files and folders, ``home`` among them, that others may read, write or enter, and their modes. What a link leads
    to is not looked at; on systems without such modes there is none."""
    if os.name == "nt":
        return
    for folder, _, names in os.walk(home):
        for path in (folder, *(os.path.join(folder, name) for name in names)):
            with suppress(OSError):  # gone meanwhile
                mode = os.lstat(path).st_mode
                if mode & OTHERS and not stat.S_ISLNK(mode):
                    yield Path(path), stat.S_IMODE(mode)


def tighten(home: Path) -> None:
    """Take from others what an earlier version, or a copy, left them; what belongs to somebody else stays as it is."""
    for path, mode in list(loose(home)):
        with suppress(OSError):  # not ours, or gone meanwhile
            path.chmod(mode & ~OTHERS)
