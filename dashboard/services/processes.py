"""How the processes beside the server are started."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from dashboard.services import places

ROOT = Path(__file__).parents[2]


def start(
    module: str, *arguments: str, log: str, threads: int | None = None, passed: Sequence[int] = ()
) -> subprocess.Popen[bytes]:
    """Run a module of ours. Its standard input is a pipe that ends with this process.

    Args:
        module: full name.
        arguments: what it is told.
        log: name of the file in the logs that gets what it prints.
        threads: for its numbers; None leaves that to the libraries.
        passed: open files that it gets, by number.
    """
    environment = os.environ | {"PYTHONUNBUFFERED": "1", "MALLOC_ARENA_MAX": "4"}
    # every analysis has threads of its own, whose memory glibc else keeps for the next ones, more after each
    if threads is not None:
        environment |= {"OMP_NUM_THREADS": str(threads), "OPENCV_FOR_THREADS_NUM": str(threads)}
    with (places.logs() / f"{log}.out").open("ab") as out:
        return subprocess.Popen(
            [sys.executable, "-m", module, *arguments], cwd=ROOT, stdin=subprocess.PIPE, stdout=out, stderr=out,
            env=environment, umask=places.OWNER_ONLY, pass_fds=passed,
        )  # fmt: skip
