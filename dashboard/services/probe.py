"""What a file is that somebody sent, found out in a process of its own: a few kilobytes can ask for gigabytes or hours,
or break a decoder, and then only that process ends.

``python -m dashboard.services.probe FILE NAME`` writes ``{"info": …}`` or ``{"error": message}``.
"""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from fer_core.errors import FerError, VideoError

MEMORY_BYTES = 2 * 1024**3
"""Of its own, beside the libraries; the largest picture of 16 bits needs less than 1.5 GB."""
COMPUTING_S, PATIENCE_S = 60, 180.0
"""What it may compute, and what may pass meanwhile on a busy machine."""
ROOT = Path(__file__).parents[2]


def probe(path: Path, name: str) -> dict[str, Any]:
    """The fields of the ``VideoInfo`` of a video or picture; ``name`` is what messages call it.

    Raises:
        VideoError: it is none, or takes more than ``MEMORY_BYTES`` or ``PATIENCE_S`` to be opened.
    """
    command = [sys.executable, "-m", "dashboard.services.probe", os.fspath(path), name]
    try:
        done = subprocess.run(
            command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            env=os.environ | {"OMP_NUM_THREADS": "1"}, timeout=PATIENCE_S, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        raise VideoError(f"{name} could not be opened within {PATIENCE_S:.0f} s. Convert it to MP4 first.") from error
    try:
        told = json.loads(done.stdout)
    except ValueError as error:  # it was ended from outside
        raise VideoError(f"{name} broke off the program that opens files. It may be damaged; copy it again.") from error
    if "error" in told:
        raise VideoError(told["error"])
    info: dict[str, Any] = told["info"]
    return info


def restrict() -> None:
    """Take from this process what it does not need. Where the system knows no limits, time alone is limited."""
    with suppress(AttributeError, OSError):  # one thread decodes, so that one frame's memory is enough
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    try:
        import resource
    except ImportError:
        return
    limits = {"RLIMIT_DATA": MEMORY_BYTES, "RLIMIT_CPU": COMPUTING_S, "RLIMIT_FSIZE": 0, "RLIMIT_CORE": 0}
    for limit, most in limits.items():
        with suppress(OSError, ValueError):
            resource.setrlimit(getattr(resource, limit), (most, most))


def _told(path: str, name: str) -> dict[str, Any]:
    from fer_core.video.reader import VideoReader

    restrict()
    try:
        with VideoReader(Path(path), name=name) as reader:
            return {"info": dataclasses.asdict(reader.info)}
    except FerError as error:
        return {"error": str(error)}
    except MemoryError:
        return {"error": f"{name} needs more than {MEMORY_BYTES / 1e9:.1f} GB to be opened. Scale it down first."}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(_told(*sys.argv[1:])))
