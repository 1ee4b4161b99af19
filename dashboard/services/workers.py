"""Starts the worker processes with the dashboard, starts them anew when they die, and ends them with it."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import subprocess
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from importlib import import_module
from typing import Any

from dashboard.services import access, jobs, kinds, live, owner, processes, queues, retention, runner, uploads
from dashboard.services.kinds import INSPECTOR

SILENT_S, STILL_S = 60.0, 900.0
"""A worker whose job has not beaten for so long hangs; so does one whose video has come no further for so long."""
DEAF_S = 1.5
"""A worker that does not heed the wish to stop for so long is ended."""
LOOK_S = 0.5
WARM_AFTER_S = 5.0
TIDY_EVERY_S = 600.0
IDLE_S = 10.0


@asynccontextmanager
async def lifespan(_: Any) -> AsyncIterator[None]:
    """The hook of ``st.App``."""
    owner.tell(access.link())
    jobs.forgive_restart()
    uploads.find_lost()
    uploads.drop_abandoned()
    tasks = [asyncio.create_task(each()) for each in (_watch, _warm, _welcome, _tidy, _keep_house)]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        live.PROCESS.stop()


async def _welcome() -> None:
    """Once the server answers."""
    await asyncio.to_thread(access.welcome)


async def _tidy() -> None:
    """Uploads that nobody goes on with keep no room."""
    while True:
        await asyncio.sleep(TIDY_EVERY_S)
        with suppress(OSError, sqlite3.Error):  # another time
            await asyncio.to_thread(uploads.drop_old)


async def _warm() -> None:
    """Load what Review needs before somebody goes there, but after the first page is out."""
    await asyncio.sleep(WARM_AFTER_S)
    await asyncio.to_thread(import_module, "dashboard.services.playback")


async def _keep_house() -> None:
    """Delete what is due, now and every hour."""
    while True:
        with runner.log_errors():
            await asyncio.to_thread(retention.carry_out)
        await asyncio.sleep(retention.EVERY_S)


async def _watch() -> None:
    await asyncio.sleep(2)
    running: dict[str, subprocess.Popen[bytes]] = {}
    began, stillness, wishes = time.monotonic(), Stillness(), Wishes()
    try:
        while True:
            unheard = wishes.unheard(time.monotonic())
            for name in (
                stillness.hang(time.monotonic()) | {queues.queue_of(job.kind) for job in unheard}
            ) & running.keys():
                running[name].kill()  # below it has ended, and another one goes on
                running[name].wait()
            for job in unheard:
                queues.give_up(job)
            for name in kinds.QUEUES:
                has_ended = name in running and running[name].poll() is not None
                if has_ended:
                    queues.abandon(name)
                if has_ended or (name not in running and _is_due(name, time.monotonic() - began)):
                    running[name] = _start(name)
            await asyncio.sleep(LOOK_S)
    finally:
        for process in running.values():
            process.terminate()


class Stillness:
    """Notices workers that neither end nor go on: stopped, in a loop, or before a drive that is gone."""

    def __init__(self) -> None:
        self._since: dict[tuple[str, str], tuple[Any, float]] = {}

    def hang(self, now_s: float) -> set[str]:
        """The queues whose worker hangs. ``now_s`` is of a clock that stands while the machine sleeps, so that nobody
        is taken for hanging who slept with it."""
        found, known = set[str](), dict[tuple[str, str], tuple[Any, float]]()
        for job in jobs.with_state("running"):
            signs: list[tuple[str, Any, float]] = [("beat", job.beat, SILENT_S)]
            if job.kind in kinds.UPLOADED:
                signs.append(("work", (job.stage, job.frames, job.share), STILL_S))
            for sign, value, patience_s in signs:
                before, since_s = self._since.get((job.id, sign), (None, now_s))
                known[job.id, sign] = value, since_s if value == before else now_s
                if now_s - known[job.id, sign][1] > patience_s:
                    found.add(queues.queue_of(job.kind))
        self._since = known
        return found


class Wishes:
    """Notices workers that do not heed the wish to stop: they are in the middle of something that asks for nothing,
    such as a frame that takes long to decode."""

    def __init__(self) -> None:
        self._since: dict[tuple[str, int], float] = {}

    def unheard(self, now_s: float) -> list[jobs.Job]:
        """The jobs whose worker should be ended; ``now_s`` as of ``Stillness``."""
        waiting = [job for job in jobs.with_state("running") if job.cancel and not job.answers]
        self._since = {(job.id, job.token): self._since.get((job.id, job.token), now_s) for job in waiting}
        return [job for job in waiting if now_s - self._since[job.id, job.token] > DEAF_S]


def _is_due(name: str, since_s: float) -> bool:
    """The inspector loads as much as the other worker: it starts when it is asked, or when nobody waits for anything,
    so that who tries the sample at once does not wait for it too."""
    active = jobs.with_state(*jobs.ACTIVE)
    is_asked = any(job.kind in kinds.INSPECTED for job in active)
    return name != INSPECTOR or is_asked or (not active and since_s > IDLE_S)


def _start(name: str) -> subprocess.Popen[bytes]:
    # the inspector's short work beside a long analysis: threads that wait for each other cost tenfold
    threads = max((os.cpu_count() or 1) // 4, 1) if name == INSPECTOR else None
    return processes.start("dashboard.services.worker", name, log=name, threads=threads)
