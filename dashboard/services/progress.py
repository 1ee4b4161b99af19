"""How far the jobs of this process are, written into their table while they run."""

from __future__ import annotations

import time

from dashboard.services import jobs
from fer_core.progress import Progress

TELL_S = 0.4


class Reporter:
    """Writes progress into the table about twice a second, and learns there whether to stop.

    ``tell`` and ``should_stop`` raise ``TakenOver`` once another worker has the job.
    """

    def __init__(self, job: jobs.Job) -> None:
        self.job, self.stop = job, False
        self._told = 0.0
        self._went_on_s, self._answered = job.info.get("went_on_s"), False

    def tell(self, now: Progress) -> None:
        went_on = now.went_on_s != self._went_on_s  # told once, so never passed over
        if not went_on and time.monotonic() - self._told < TELL_S:
            return
        self._told = time.monotonic()
        self.stop = jobs.report(
            self.job.id, stage=now.stage, share=now.share, frames=now.frames, faces=now.faces,
            token=self.job.token,
        )  # fmt: skip
        if went_on:
            self._went_on_s = now.went_on_s
            share = 0.0 if now.went_on_s is None else now.share
            jobs.tell(self.job.id, {"went_on_s": now.went_on_s, "went_on_share": share}, self.job.token)

    def should_stop(self) -> bool:
        if self.stop and not self._answered:
            self._answered = True
            jobs.answer(self.job.id, self.job.token)
        return self.stop

    def close(self, frames: int, faces: int) -> None:
        """The final counts; a wish to stop is fulfilled with them."""
        self._told, self.stop = 0.0, False
        jobs.forget_cancel(self.job.id)
        self.tell(Progress("writing", 1.0, frames=frames, faces=faces, went_on_s=self._went_on_s))
