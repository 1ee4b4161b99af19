"""What is stored where, how much of it, and the removal of what can be made anew."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import suppress

from dashboard.services import deletion, explained, jobs, kinds, pictures, places
from fer_core.errors import StoreError, sentence
from fer_core.home.layout import BY_NAME, files, sizes


def used() -> dict[str, int]:
    """Bytes of every group of files by its name; see ``fer_core.home.layout``."""
    return sizes(places.home())


def clear(name: str) -> None:
    """Remove the files of a group that does no harm, or of the queue the jobs that ended.

    Raises:
        StoreError: of this group nothing is removed from here; or something cannot be removed.
    """
    if not BY_NAME[name].costs:
        raise StoreError(f"{BY_NAME[name].title} are not removed from here.")
    try:
        _CLEAR.get(name, lambda: _remove(name))()
    except OSError as error:
        raise StoreError(f"Something cannot be removed: {sentence(error)} See to the rights of its folder.") from error
    deletion.tidy()


def _remove(name: str) -> None:
    for group, path, _ in list(files(places.home())):
        if group.name == name:
            path.unlink(missing_ok=True)
            with suppress(OSError):  # others are in it
                path.parent.rmdir()


def _heatmaps() -> None:
    for kind in (kinds.WHY, kinds.WHY_SPAN, kinds.WHY_CLIP):
        jobs.forget(*(job.target for job in jobs.of_kind(kind.name)), kinds=(kind.name,))
    _remove("why")


def _unfinished() -> None:
    """But for those that somebody works on."""
    active = {job.target for job in jobs.with_state(*jobs.ACTIVE)}
    for group, path, _ in list(files(places.home())):
        parts = path.relative_to(places.home()).parts
        if group.name == "unfinished" and parts[1].split(".")[0] not in active:
            path.unlink(missing_ok=True)
            for folder in list(path.parents)[: len(parts) - 2]:
                with suppress(OSError):
                    folder.rmdir()


def _logs() -> None:
    for path in places.logs().iterdir():
        with path.open("r+b") as log:  # a worker goes on writing at its end
            log.truncate()


def _queue() -> None:
    """Rows of jobs that ended, but for those by which answers are found."""
    jobs.forget_ended([kind.name for kind in kinds.KINDS if kind not in _FOUND_BY_ROW], time.time())


_FOUND_BY_ROW = (kinds.EXPLAIN, kinds.ANNOTATE, kinds.WHY, kinds.WHY_SPAN, kinds.WHY_CLIP)
_CLEAR: Mapping[str, Callable[[], None]] = {
    "why": _heatmaps, "unfinished": _unfinished, "explained": explained.forget_all, "pictures": pictures.forget_all,
    "logs": _logs, "queue": _queue,
}  # fmt: skip
