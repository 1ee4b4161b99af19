"""How far the jobs of this process are, written into their table while they run."""

from __future__ import annotations

import time
from collections.abc import Callable

from dashboard.services import jobs

TELL_S = 0.4


class Reporter:
    """Writes progress into the table at most twice a second, and learns there whether to stop."""

    def __init__(self, job_id: str) -> None:
        self.job_id, self.stop, self.frames, self.faces = job_id, False, 0, 0
        self._told = 0.0

    def tell(self, stage: str, share: float, frames: int, faces: int) -> None:
        if time.monotonic() - self._told >= TELL_S:
            self._told, self.frames, self.faces = time.monotonic(), frames, faces
            self.stop = jobs.report(self.job_id, stage=stage, share=share, frames=frames, faces=faces)

    def copying(self, stage: str) -> Callable[[float], None]:
        return lambda share: self.tell(stage, share, self.frames, self.faces)

    def should_stop(self) -> bool:
        return self.stop

    def close(self, frames: int, faces: int) -> None:
        """The final counts; a wish to stop is fulfilled with them."""
        self._told, self.stop = 0.0, False
        jobs.forget_cancel(self.job_id)
        self.tell("writing", 1.0, frames, faces)
