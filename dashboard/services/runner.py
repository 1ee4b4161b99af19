"""One job from its claim to its end: what its worker does around the work itself, whatever that is."""

from __future__ import annotations

import errno
import logging
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from dashboard.services import jobs, kinds, places
from fer_core.errors import Cancelled, FerError

BEAT_S = 3.0
AT_WORK: set[str] = set()
"""Jobs of this process; after a sleep of the machine their beat is old although they go on."""
_DISK_FULL = "The disk is full. Free some space, or delete analyses in the library."
_MISTAKE = "The program made a mistake here; the details are in the folder logs of the data folder."
_log = logging.getLogger("fer.worker")
Work = Callable[[jobs.Job, Any], None]
"""What a kind of jobs does: takes the job and its request, a ``kinds.Request``."""


def run(job_id: str, work: Mapping[str, Work]) -> None:
    """Do a queued job with the work of its kind; how it ended, and why, stands in the table afterwards."""
    job = jobs.claim(job_id)
    if job is None:  # cancelled meanwhile, or taken by another worker
        return
    with Heart(job_id):
        try:
            asked = kinds.kind_of(job.kind).read(job.settings)
            work[job.kind](job, asked)
            jobs.finish(job_id, "done")
        except Cancelled:
            places.drop_upload(job_id)
            jobs.finish(job_id, "cancelled")
        except FerError as error:
            places.drop_upload(job_id)
            jobs.finish(job_id, "failed", str(error))
        except Exception as error:
            _log.exception("Job %s failed", job_id)
            full = isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)
            places.drop_upload(job_id)
            jobs.finish(job_id, "failed", _DISK_FULL if full else _MISTAKE)


@contextmanager
def log_errors() -> Iterator[None]:
    """For the threads that must go on when the data base is busy or the disk is full for a moment."""
    try:
        yield
    except Exception:
        _log.exception("Going on after")


class Heart:
    """Beats for a job while its worker lives, also in steps that report nothing."""

    def __init__(self, job_id: str) -> None:
        self.job_id, self._end = job_id, threading.Event()

    def __enter__(self) -> None:
        AT_WORK.add(self.job_id)
        threading.Thread(target=self._beat, daemon=True).start()

    def __exit__(self, *_: object) -> None:
        self._end.set()
        AT_WORK.discard(self.job_id)

    def _beat(self) -> None:
        while not self._end.wait(BEAT_S):
            with log_errors():
                jobs.beat(self.job_id)
