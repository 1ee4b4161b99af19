"""Ways in which a file may be found damaged."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path

import pandas as pd

HUGE = 200_000_000


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])


def _zeroed(path: Path) -> None:
    path.write_bytes(bytes(path.stat().st_size))


def _garbage(path: Path) -> None:
    path.write_bytes(bytes(range(256)) * 8)


def _wrong_type(path: Path) -> None:
    path.write_bytes(b'{"format": 3, "a": [1, 2]}\n')


def _wrong_columns(path: Path) -> None:
    """A table of another kind, or an object with other keys."""
    if path.suffix == ".parquet":
        pd.DataFrame({"a": [1, 2], "track": ["x", None]}).to_parquet(path)
    elif path.suffix == ".csv":
        path.write_text("a,b\n1,2\n")
    else:
        path.write_text("[[1, 2], [3]]")


def _huge(path: Path) -> None:
    """A file with 200 MB of nothing at its end, which take no space."""
    with path.open("r+b") as file:
        file.truncate(HUGE)


def _link_to_nothing(path: Path) -> None:
    path.unlink()
    path.symlink_to(path.with_name("not-there"))


def _folder(path: Path) -> None:
    path.unlink()
    (path / "inner").mkdir(parents=True)


def _pipe(path: Path) -> None:
    """Reading it would wait for ever."""
    path.unlink()
    os.mkfifo(path)


DAMAGES: Mapping[str, Callable[[Path], None]] = {
    "cut": _cut, "empty": lambda path: path.write_bytes(b"") and None, "zeroed": _zeroed, "garbage": _garbage,
    "missing": Path.unlink, "wrong type": _wrong_type, "wrong columns": _wrong_columns, "huge": _huge,
    "link to nothing": _link_to_nothing, "folder": _folder, "pipe": _pipe,
}  # fmt: skip
"""By name: what is done to a file. ``no rights`` needs another account and is a test of its own."""


def hurt(path: Path, how: str) -> None:
    """Damage a file."""
    DAMAGES[how](path)
