"""What a change costs: this checkout's analysis against another checkout's, or one setting against another, in turns.

    python -m benchmarks.versions --against ../older [CLIP …] [--rounds 5]
    python -m benchmarks.versions --setting '{"identity": true}' [CLIP …] [--rounds 5]

Each side is a process of its own that loads its network first; then both analyse the same clip in turns (AB BA AB …),
every table written. For each clip the ratio of seconds, new to old, or with the setting to without: least, median and
most of the rounds. Without clips: two minutes of 1080p with five faces each (``benchmarks.street``), made once: in one
they walk about, in the other they sit.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.street import write

ROOT = Path(__file__).parents[1]
SECONDS, PEOPLE = 60.0, 5
_ANALYSES = """
import json, sys, tempfile, time
from pathlib import Path
from fer_core.models.classifier import load
from fer_core.models.folders import DEFAULT_CHECKPOINT
from fer_core.video.pipeline import Settings, analyze
classifier, settings = load(DEFAULT_CHECKPOINT), Settings(**json.loads(sys.argv[1]))
for line in sys.stdin:
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        analyze(json.loads(line), Path(folder) / "a", checkpoint=classifier, settings=settings)
        print("took", time.perf_counter() - started, flush=True)
"""


class Side:
    """A process that analyses with the code of a checkout; a context manager."""

    def __init__(self, checkout: Path, settings: dict[str, Any]) -> None:
        command = [sys.executable, "-c", _ANALYSES, json.dumps(settings)]
        self.process = subprocess.Popen(
            command, cwd=checkout, env=_environment(checkout), text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip

    def __enter__(self) -> Side:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        with suppress(BrokenPipeError):
            self.process.communicate()

    def seconds(self, clip: Path) -> float:
        """How long one analysis takes, in s.

        Raises:
            RuntimeError: the process ended.
        """
        assert self.process.stdin is not None and self.process.stdout is not None
        with suppress(BrokenPipeError):
            self.process.stdin.write(json.dumps(str(clip)) + "\n")
            self.process.stdin.flush()
        for line in self.process.stdout:
            if line.startswith("took "):
                return float(line.split()[1])
        raise RuntimeError("The analysis failed; its error is above.")


def _environment(checkout: Path) -> dict[str, str]:
    return os.environ | {"PYTHONPATH": str(checkout)}


def minute(*, sitting: bool = False) -> Path:
    """A minute of 1080p with five faces, made once."""
    name = "sitting" if sitting else "street"
    path = Path(tempfile.gettempdir()) / f"fer-workbench-{name}-{SECONDS:g}s-{PEOPLE}.mp4"
    return path if path.is_file() else write(path, seconds=SECONDS, n=PEOPLE, sitting=sitting)


def compared(clip: Path, old: Side, new: Side, rounds: int) -> dict[str, Any]:
    """Seconds of both sides and their ratio, round by round; who begins changes from round to round."""
    for side in (old, new):
        side.seconds(clip)
    took: dict[str, list[float]] = {"old_s": [], "new_s": []}
    for i in range(rounds):
        pair = [("old_s", old), ("new_s", new)]
        for name, side in pair if i % 2 else reversed(pair):
            took[name].append(side.seconds(clip))
    ratios = np.array(took["new_s"]) / np.array(took["old_s"])
    told = {
        name: round(float(value), 4) for name, value in zip(("least", "median", "most"), _spread(ratios), strict=True)
    }
    return {
        "clip": clip.name,
        "rounds": rounds,
        **told,
        **{name: np.round(each, 3).tolist() for name, each in took.items()},
    }


def _spread(values: np.ndarray) -> tuple[float, float, float]:
    return values.min(), float(np.median(values)), values.max()


def main(arguments: list[str] | None = None) -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clips", nargs="*", type=Path)
    parser.add_argument("--against", type=Path, default=ROOT, help="folder of another checkout")
    parser.add_argument("--setting", type=json.loads, default={}, help="settings of this side alone, as JSON")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args(arguments)
    with Side(options.against.resolve(), {}) as old, Side(ROOT, options.setting) as new:
        for clip in [each.resolve() for each in options.clips] or [minute(), minute(sitting=True)]:
            print(json.dumps(compared(clip, old, new, options.rounds)), flush=True)


if __name__ == "__main__":
    main()
