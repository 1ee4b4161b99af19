"""How far the jobs of this process are, written into their table while they run."""

from __future__ import annotations

import time

from dashboard.services import jobs
from fer_core.progress import Progress

TELL_S = 0.4


class Reporter:
    """Writes progress into the table at most twice a second, and learns there whether to stop."""

    def __init__(self, job_id: str) -> None:
        self.job_id, self.stop = job_id, False
        self._told = 0.0

    def tell(self, now: Progress) -> None:
        if time.monotonic() - self._told >= TELL_S:
            self._told = time.monotonic()
            self.stop = jobs.report(self.job_id, stage=now.stage, share=now.share, frames=now.frames, faces=now.faces)

    def should_stop(self) -> bool:
        return self.stop

    def close(self, frames: int, faces: int) -> None:
        """The final counts; a wish to stop is fulfilled with them."""
        self._told, self.stop = 0.0, False
        jobs.forget_cancel(self.job_id)
        self.tell(Progress("writing", 1.0, frames=frames, faces=faces))
