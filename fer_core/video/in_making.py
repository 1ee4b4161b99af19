"""Folders of analyses that are not whole yet, and whether another process can go on with one."""

from __future__ import annotations

import glob
from contextlib import suppress
from pathlib import Path

STATE = "state.safetensors"
"""What an analysis goes on from that was interrupted, see ``fer_core.video.resume``."""


def unfinished(out: Path) -> list[Path]:
    """Folders of analyses that are, or were, to become ``out``."""
    found = (out.with_name(f"{out.name}.tmp"), *out.parent.glob(f"{glob.escape(out.name)}.*.tmp"))
    return [path for path in found if path.is_dir()]


def last_kept(out: Path) -> float | None:
    """When an interrupted analysis last kept what another one can go on from, in seconds since 1970; None: nothing."""
    times: list[float] = []
    for folder in unfinished(out):
        with suppress(OSError):
            times.append((folder / STATE).stat().st_mtime)
    return max(times, default=None)
