"""Deleted means deleted: an analysis, or its pictures, go with everything that was made from them, wherever that is."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable
from contextlib import suppress

from dashboard.services import explained, jobs, kinds, owner, places, queues
from fer_core.errors import StoreError, sentence
from fer_core.files import remove_tree
from fer_core.video import keeping

_SHORT = 3
"""Names of up to so many letters are not looked for in logs: they would be in every line."""
_OF_THE_VIDEO = (kinds.ANNOTATE.name, kinds.COPY.name, kinds.WHY_CLIP.name)
_OF_FACES = (kinds.WHY.name, kinds.WHY_SPAN.name)


def delete_analysis(analysis_id: str) -> None:
    """Remove an analysis with its video, what Try a face was asked of it, its jobs, what is left of earlier tries, and
    the log lines that name it.

    Raises:
        StoreError: it is gone already, or something of it cannot be removed.
    """
    store, failed = places.store(), list[StoreError]()
    names, folder = _names_of(analysis_id), store.folder(analysis_id)
    explained.forget(analysis_id)
    jobs.forget(analysis_id)  # what is at work on it stops, as its row is gone
    try:
        store.delete(analysis_id)
    except StoreError as error:
        failed.append(error)
    places.drop_upload(analysis_id)
    for left in folder.parent.glob(f"{folder.name}.*"):
        with suppress(OSError):
            remove_tree(left)
    _forget_in_memory(analysis_id)
    owner.forget(names)
    _forget_lines(names)
    tidy()
    if failed:
        raise failed[0]


def delete_pictures(analysis_id: str, what: str, now_s: float | None = None) -> None:
    """Remove the video of an analysis (``keeping.VIDEO``) with what shows it, or all pictures of its people too
    (``keeping.PICTURES``); the tables stay.

    Raises:
        StoreError: there is no such analysis, or something cannot be removed.
    """
    folder = places.store().folder(analysis_id)
    if not folder.is_dir():
        raise StoreError("That analysis has been deleted already.")
    jobs.forget(analysis_id, kinds=_OF_THE_VIDEO + (_OF_FACES if what == keeping.PICTURES else ()))
    if what == keeping.PICTURES:
        explained.forget(analysis_id)
    keeping.remove(folder, what, time.time() if now_s is None else now_s)
    places.drop_upload(analysis_id)
    tidy()


def tidy() -> bool:
    """Take what is left of deleted rows and messages out of the tables; false where a worker is at work in one just
    now: the server tries it again every hour."""
    emptied = queues.tidy()
    return jobs.scrub() and emptied


def _names_of(analysis_id: str) -> list[str]:
    """What an analysis is known by: its id, its file, its name and its people; of a damaged one, what can be read."""
    names = [analysis_id]
    with suppress(StoreError):
        analysis = places.store().open(analysis_id)
        names += [str(analysis.record["source"]["name"])]
        names += [analysis.name, *analysis.state.names.values()]
    job = jobs.get(analysis_id)
    return [*names, job.name] if job is not None else names


def _forget_in_memory(analysis_id: str) -> None:
    from dashboard.services.prepared import forget  # loads pandas

    forget(analysis_id)


def _forget_lines(names: Iterable[str]) -> None:
    """Take the lines of the logs out that hold one of these names.

    Raises:
        StoreError: a log cannot be changed.
    """
    told = re.compile("|".join(re.escape(name) for name in names if len(name) > _SHORT))
    for path in places.logs().iterdir():
        if not path.is_file():
            continue
        try:
            text = path.read_text(encoding="utf-8", errors="replace")
            if told.search(text):
                kept = [line for line in text.splitlines(keepends=True) if not told.search(line)]
                with path.open("r+", encoding="utf-8") as log:  # a worker goes on writing at its end
                    log.writelines(kept)
                    log.truncate()
        except OSError as error:
            raise StoreError(f"{path} may still name what was deleted: {sentence(error)} Remove it.") from error
