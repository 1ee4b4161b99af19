"""What is deleted later by itself: the video, the pictures of people or everything, so many days after it was made.

One rule holds for all, in ``keeping.json`` of the data folder; an analysis may have its own, which then holds instead.
The rule of all also holds for files that wait and for what Try a face keeps, as far as they are pictures. The server
carries the rules out at its start and once an hour.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from pathlib import Path

from dashboard.services import deletion, explained, jobs, kinds, pictures, places, uploads
from fer_core.errors import FerError, StoreError
from fer_core.files import remove_tree
from fer_core.video import keeping
from fer_core.video.keeping import DAY_S, EVERYTHING, KEEP, Rule
from fer_core.video.store import Analysis

EVERY_S = 3600.0
ENDED_FOR_S = DAY_S
"""Rows of analyses that ended longer ago are removed, with the names in them."""
_log = logging.getLogger("fer.server")


def rule() -> Rule:
    """The rule of all.

    Raises:
        StoreError: its file is damaged; nothing is deleted until somebody chooses anew.
    """
    return keeping.read_rule(places.home() / keeping.FILE) or Rule()


def set_rule(chosen: Rule) -> None:
    """Choose the rule of all."""
    keeping.write_rule(places.home() / keeping.FILE, chosen)


def own_rule(analysis_id: str) -> Rule | None:
    """The rule of an analysis, or None where that of all holds.

    Raises:
        StoreError: its file is damaged.
    """
    return keeping.read_rule(places.store().folder(analysis_id) / keeping.FILE)


def set_own_rule(analysis_id: str, chosen: Rule | None) -> None:
    """Choose the rule of an analysis, or that of all with None.

    Raises:
        StoreError: there is no such analysis.
    """
    folder = places.store().folder(analysis_id)
    if not folder.is_dir():
        raise StoreError("That analysis has been deleted already.")
    keeping.write_rule(folder / keeping.FILE, chosen)


def days_left(analysis: Analysis, now_s: float | None = None) -> tuple[str, int] | None:
    """What of an analysis is deleted next and in how many days; None where nothing is.

    Raises:
        StoreError: the file of a rule is damaged.
    """
    holds = own_rule(analysis.id) or rule()
    if not _has(analysis.folder, holds):
        return None
    age = keeping.age_s(analysis.folder, analysis.record, time.time() if now_s is None else now_s)
    return holds.what, max(round(holds.days - age / DAY_S), 0)


def due(now_s: float | None = None, of_all: Rule | None = None) -> list[tuple[str, str]]:
    """The analyses of which something is to be deleted now, and what; ``of_all`` instead of the rule that holds for
    all, to see what it would do."""
    now_s = time.time() if now_s is None else now_s
    return list(_due(now_s, _or_none() if of_all is None else of_all))


def carry_out(now_s: float | None = None) -> int:
    """Delete what is due; how many things that were. What cannot be deleted is told in the log and tried again."""
    now_s = time.time() if now_s is None else now_s
    of_all, n = _or_none(), 0
    for analysis_id, what in _due(now_s, of_all):
        try:
            if what == EVERYTHING:
                deletion.delete_analysis(analysis_id)
            else:
                deletion.delete_pictures(analysis_id, what, now_s)
            n += 1
        except (FerError, OSError):
            _log.exception("Something is due to be deleted, and stays")
    if of_all.what != KEEP:
        before = now_s - of_all.days * DAY_S
        waiting = [job for job in jobs.with_state("ready") if job.kind in kinds.UPLOADED and job.created < before]
        for job in waiting:
            jobs.cancel(job.id)
        broken_off = [path for path in places.store().root.glob("*.unfinished*") if path.stat().st_mtime < before]
        for path in broken_off:
            remove_tree(path)
        n += len(waiting) + len(broken_off) + pictures.forget_old(before) + explained.forget_old(before)
    uploads.drop_abandoned()
    jobs.forget_ended(sorted(kinds.UPLOADED), now_s - ENDED_FOR_S)
    deletion.tidy()
    return n


def _or_none() -> Rule:
    """The rule of all; none where its file is damaged, as nobody knows what was chosen."""
    try:
        return rule()
    except StoreError:
        return Rule()


def _due(now_s: float, of_all: Rule) -> Iterator[tuple[str, str]]:
    for entry in list(places.store().all()):
        analysis_id = entry.id if isinstance(entry, Analysis) else entry[0]
        folder, record = places.store().folder(analysis_id), entry.record if isinstance(entry, Analysis) else None
        try:
            holds = own_rule(analysis_id) or of_all
            is_old = keeping.age_s(folder, record, now_s) > holds.days * DAY_S
        except (StoreError, OSError):  # damaged or deleted meanwhile: nothing is deleted that nobody chose
            continue
        if is_old and _has(folder, holds):
            yield analysis_id, holds.what


def _has(folder: Path, holds: Rule) -> bool:
    """Whether there is anything left that a rule deletes."""
    return holds.what == EVERYTHING or (holds.what != KEEP and keeping.holds(folder, holds.what))
