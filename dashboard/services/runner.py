"""One job from its claim to its end: what its worker does around the work itself, whatever that is."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any

from dashboard.services import jobs, kinds, places
from fer_core.errors import FULL_DISK, NO_MEMORY, Cancelled, FerError, TakenOver, is_full_disk, is_no_memory
from fer_core.files import fenced

BEAT_S = 3.0
AT_WORK: set[str] = set()
"""Jobs of this process; after a sleep of the machine their beat is old although they go on."""
_MISTAKE = "The program made a mistake here; the details are in the folder logs of the data folder."
_log = logging.getLogger("fer.worker")
Work = Callable[[jobs.Job, Any], None]
"""What a kind of jobs does: takes the job and its request, a ``kinds.Request``."""


def run(job_id: str, work: Mapping[str, Work]) -> None:
    """Do a queued job with the work of its kind; how it ended, and why, stands in the table afterwards. A worker that
    has lost its claim meanwhile writes nothing more, and nothing about how it ended."""
    job = jobs.claim(job_id)
    if job is None:  # cancelled meanwhile, or taken by another worker
        return
    with Heart(job_id, job.token), fenced(partial(jobs.check, job)):
        try:
            asked = kinds.kind_of(job.kind).read(job.settings)
            work[job.kind](job, asked)
            jobs.finish(job_id, "done", token=job.token)
        except TakenOver:
            _log.warning("Job %s went on elsewhere", job_id)
        except Cancelled:
            drop(job)
        except FerError as error:
            fail(job, str(error))
        except Exception as error:
            if jobs.get(job_id) is None:  # deleted meanwhile, so its name is not written down again
                return
            _log.exception("Job %s failed", job_id)
            fail(job, FULL_DISK if is_full_disk(error) else NO_MEMORY if is_no_memory(error) else _MISTAKE)


def fail(job: jobs.Job, why: str) -> None:
    """End a job with a reason. Nobody's file is deleted for that: it waits again, for other settings or a free disk."""
    if job.kind in kinds.UPLOADED and places.upload_of(job.id) is not None:
        jobs.give_back(job.id, why, job.token)
    elif jobs.finish(job.id, "failed", why, job.token):
        places.drop_upload(job.id)


def drop(job: jobs.Job) -> None:
    """End a job as cancelled, with its file."""
    if jobs.finish(job.id, "cancelled", token=job.token):
        places.drop_upload(job.id)


@contextmanager
def log_errors() -> Iterator[None]:
    """For the threads that must go on when the data base is busy or the disk is full for a moment."""
    try:
        yield
    except Exception:
        _log.exception("Going on after")


class Heart:
    """Beats for a job while its worker lives, also in steps that report nothing."""

    def __init__(self, job_id: str, token: int | None = None) -> None:
        self.job_id, self.token, self._end = job_id, token, threading.Event()

    def __enter__(self) -> None:
        AT_WORK.add(self.job_id)
        threading.Thread(target=self._beat, daemon=True).start()

    def __exit__(self, *_: object) -> None:
        self._end.set()
        AT_WORK.discard(self.job_id)

    def _beat(self) -> None:
        while not self._end.wait(BEAT_S):
            with log_errors():
                jobs.beat(self.job_id, self.token)
