"""What is wrong in a data folder, and how it is mended."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from fer_core.files import replacing
from fer_core.home.layout import DAMAGED


@dataclass(frozen=True)
class Finding:
    """Something that is wrong.

    Attributes:
        path: the file or folder.
        what: what is wrong, without a full stop.
        remedy: what ``repair`` does, or what can be done by hand.
        repair: mends it; None where nothing can be done here, and an ``OSError`` where it did not work.
    """

    path: Path
    what: str
    remedy: str
    repair: Callable[[], object] | None = None

    def sentence(self, home: Path) -> str:
        """For people; the path is relative to the data folder."""
        where = self.path.relative_to(home).as_posix() if self.path.is_relative_to(home) else str(self.path)
        return f"{where}: {self.what}. {self.remedy}"


def put_aside(path: Path, time_name: str) -> Path:
    """Rename a damaged file or folder, so that another one can take its place; returns where it is now."""
    new, n = path.with_name(f"{path.name}{DAMAGED}{time_name}"), 1
    while os.path.lexists(new):
        n += 1
        new = path.with_name(f"{path.name}{DAMAGED}{time_name}-{n}")
    return path.rename(new)


def rewritten(path: Path, write: Callable[[Path], object]) -> None:
    """Put what ``write`` writes to the path it is given in the place of ``path``, whole or not at all."""
    with replacing(path) as new:
        write(new)
