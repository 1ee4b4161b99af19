"""Whose data folder it is: one workbench at a time works in it, so that no two take one job or write one file. And what
is done at its start with tables that a crash or a full disk has damaged."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from filelock import FileLock

from dashboard.services import places
from fer_core.home import doctor, tables
from fer_core.home.layout import DAMAGED

_ADDRESS = "running.txt"
_held: list[FileLock] = []


def take() -> str | None:
    """Take the data folder for this process until it ends, however it ends.

    Returns:
        None if it is ours; else the address of the workbench that has it, empty if that has just begun.
    """
    if _held:
        return None
    if (lock := doctor.take(places.home())) is None:
        with suppress(OSError):
            return (places.home() / _ADDRESS).read_text(encoding="utf-8")
        return ""
    _held.append(lock)
    (places.home() / _ADDRESS).unlink(missing_ok=True)
    return None


def tell(address: str) -> None:
    """Say where the workbench is open, for whoever starts a second one."""
    (places.home() / _ADDRESS).write_text(address, encoding="utf-8")


def set_aside() -> list[Path]:
    """Move tables that cannot be read out of the way, so that empty ones take their place. They hold nothing precious:
    analyses and files that wait are found again from their folders.

    Returns:
        Where the damaged ones are now.
    """
    return [tables.set_aside(path) for path in tables.sqlite_files(places.home()) if not tables.is_whole(path)]


def damaged() -> list[Path]:
    """Tables that were set aside and that nobody has looked at yet."""
    return sorted(places.home().glob(f"*.sqlite{DAMAGED}*"))


def forget(names: Iterable[str]) -> None:
    """Remove what was set aside and holds one of these names."""
    needles = [name.encode() for name in names]
    for path in places.home().glob(f"*{DAMAGED}*"):
        with suppress(OSError):  # a folder
            if any(needle in path.read_bytes() for needle in needles):
                path.unlink()


def dismiss() -> None:
    """Remove what was set aside."""
    for path in places.home().glob(f"*{DAMAGED}*"):
        path.unlink(missing_ok=True)
