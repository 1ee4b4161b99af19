"""Starts the worker processes with the dashboard, starts them anew when they die, and ends them with it."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

from dashboard.services import jobs, kinds, places, queues, uploads
from dashboard.services.kinds import INSPECTOR

WARM_AFTER_S = 5.0
IDLE_S = 10.0
ROOT = Path(__file__).parents[2]


@asynccontextmanager
async def lifespan(_: Any) -> AsyncIterator[None]:
    """The hook of ``st.App``."""
    jobs.forgive_restart()
    uploads.drop_abandoned()
    tasks = [asyncio.create_task(_watch()), asyncio.create_task(_warm())]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()


async def _warm() -> None:
    """Load what Review needs before somebody goes there, but after the first page is out."""
    await asyncio.sleep(WARM_AFTER_S)
    await asyncio.to_thread(import_module, "dashboard.services.playback")


async def _watch() -> None:
    await asyncio.sleep(2)
    running: dict[str, subprocess.Popen[bytes]] = {}
    began = time.monotonic()
    try:
        while True:
            for name in kinds.QUEUES:
                has_ended = name in running and running[name].poll() is not None
                if has_ended:
                    queues.abandon(name)
                if has_ended or (name not in running and _is_due(name, time.monotonic() - began)):
                    running[name] = _start(name)
            await asyncio.sleep(2)
    finally:
        for process in running.values():
            process.terminate()


def _is_due(name: str, since_s: float) -> bool:
    """The inspector loads as much as the other worker: it starts when it is asked, or when nobody waits for anything,
    so that who tries the sample at once does not wait for it too."""
    active = jobs.with_state(*jobs.ACTIVE)
    is_asked = any(job.kind in kinds.INSPECTED for job in active)
    return name != INSPECTOR or is_asked or (not active and since_s > IDLE_S)


def _start(name: str) -> subprocess.Popen[bytes]:
    environment = os.environ | {"PYTHONUNBUFFERED": "1", "MALLOC_ARENA_MAX": "4"}
    # every analysis has threads of its own, whose memory glibc else keeps for the next ones, more after each
    if name == INSPECTOR:  # its short work beside a long analysis: threads that wait for each other cost tenfold
        environment["OMP_NUM_THREADS"] = str(max((os.cpu_count() or 1) // 4, 1))
    with (places.logs() / f"{name}.out").open("ab") as out:
        return subprocess.Popen(
            [sys.executable, "-m", "dashboard.services.worker", name],
            cwd=ROOT, stdin=subprocess.PIPE, stdout=out, stderr=out, env=environment, umask=places.OWNER_ONLY,
        )  # fmt: skip
