"""Starts the worker processes with the dashboard, starts them anew when they die, and ends them with it."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

from dashboard.services import jobs, places, uploads

WARM_AFTER_S = 5.0
NAMES = ("analyses", "inspector")
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
    try:
        while True:
            for name in NAMES:
                if name not in running or running[name].poll() is not None:
                    running[name] = _start(name)
            await asyncio.sleep(2)
    finally:
        for process in running.values():
            process.terminate()


def _start(name: str) -> subprocess.Popen[bytes]:
    with (places.logs() / f"{name}.out").open("ab") as out:
        return subprocess.Popen(
            [sys.executable, "-m", "dashboard.services.worker", name],
            cwd=ROOT, stdin=subprocess.PIPE, stdout=out, stderr=out, env=os.environ | {"PYTHONUNBUFFERED": "1"},
        )  # fmt: skip
