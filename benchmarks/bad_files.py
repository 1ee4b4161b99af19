"""What becomes of files that are damaged: a corpus made by code from a seed, each opened and read to its end in a
process with the limits of ``dashboard.services.probe``.

    python -m benchmarks.bad_files [--seed 0] [--analyse 3] [--keep FOLDER]

Prints the table of docs/reliability.md; fails if a file ends its process, takes longer than it may, or is refused
without a sentence.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from dashboard.services import probe
from tests.support import ROOT
from tests.support.clips import write_clip

PATIENCE_S, MAX_FRAMES = 240.0, 500
BROKEN = "broke off"


@dataclass(frozen=True)
class Outcome:
    """What became of a file: ``said`` is the refusal, empty where it was read; ``peak_mb`` of its process."""

    name: str
    harm: str
    said: str
    frames: int
    spent_s: float
    peak_mb: float


def sound_files(folder: Path) -> list[Path]:
    """One small file of each kind that is read."""
    times, pictures = [i / 25 for i in range(12)], _moving(12)
    clips = (
        ("a.mp4", "libx264"), ("b.mov", "mpeg4"), ("c.mkv", "libx264"), ("d.avi", "mpeg4"), ("e.webm", "libvpx"),
        ("f.ts", "libx264"), ("g.mpg", "mpeg2video"),
    )  # fmt: skip
    made = [write_clip(folder / name, times, pictures=pictures, codec=codec, time_base=_TICK) for name, codec in clips]
    stills = [Image.fromarray(each) for each in pictures[:4]]
    for name in ("h.gif", "i.webp", "j.png"):
        stills[0].save(folder / name, save_all=True, append_images=stills[1:], duration=100)
        made.append(folder / name)
    for name in ("k.jpg", "l.tif", "m.bmp"):
        cv2.imwrite(str(folder / name), pictures[0])
        made.append(folder / name)
    return made


def _moving(n: int) -> list[np.ndarray]:
    noise = np.random.default_rng(0).integers(0, 256, (64, 96, 3), dtype=np.uint8)
    return [np.roll(noise, 3 * i, axis=1) for i in range(n)]


def _cut(data: bytearray, dice: random.Random) -> bytes:
    return bytes(data[: dice.randrange(1, len(data))])


def _flip(data: bytearray, dice: random.Random, n: int) -> bytes:
    for _ in range(n):
        at = dice.randrange(len(data))
        data[at] ^= 1 << dice.randrange(8)
    return bytes(data)


def _zero(data: bytearray, dice: random.Random) -> bytes:
    start = dice.randrange(len(data))
    end = min(start + max(len(data) // 5, 1), len(data))
    data[start:end] = bytes(end - start)
    return bytes(data)


def _twice(data: bytearray, dice: random.Random) -> bytes:
    start = dice.randrange(len(data))
    return bytes(data[:start] + data[start // 2 : start] + data[start:])


def _large(data: bytearray, dice: random.Random) -> bytes:
    """Numbers of its head become as large as they can be: sizes, lengths, counts."""
    for _ in range(3):
        at = dice.randrange(4, min(len(data) - 4, 256))
        data[at : at + 4] = b"\x7f\xff\xff\xff"
    return bytes(data)


HARMS: dict[str, Callable[[bytearray, random.Random], bytes]] = {
    "cut off": _cut,
    "beginning missing": lambda data, dice: bytes(data[dice.randrange(1, len(data)) :]),
    "1 bit turned": lambda data, dice: _flip(data, dice, 1),
    "20 bits turned": lambda data, dice: _flip(data, dice, 20),
    "2,000 bits turned": lambda data, dice: _flip(data, dice, 2000),
    "a fifth zeroed": _zero,
    "a part twice": _twice,
    "large numbers in its head": _large,
    "noise behind": lambda data, dice: bytes(data) + dice.randbytes(50_000),
    "another file behind": lambda data, dice: bytes(data) + bytes(data[::-1]),
    "its head on noise": lambda data, dice: bytes(data[:64]) + dice.randbytes(20_000),
}
"""What is done to a file."""
_TICK = Fraction(1, 25)


def corpus(folder: Path, seed: int) -> Iterator[tuple[Path, str]]:
    """Every harm to every kind of file; the same for the same seed."""
    (folder / "sound").mkdir(parents=True, exist_ok=True)
    for path in sound_files(folder / "sound"):
        for number, (harm, do) in enumerate(HARMS.items()):
            target = folder / f"{path.stem}{number:02}{path.suffix}"
            target.write_bytes(do(bytearray(path.read_bytes()), random.Random(f"{seed} {target.name}")))
            yield target, harm


def read_in_child(path: Path, harm: str) -> Outcome:
    """Open a file and read it to its end, as another process does it."""
    command, began = [sys.executable, "-m", "benchmarks.bad_files", "--read", str(path)], time.monotonic()
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, timeout=PATIENCE_S, check=False)
        told = json.loads(done.stdout)
    except (subprocess.TimeoutExpired, ValueError):
        told = {"said": BROKEN, "frames": 0, "peak_mb": 0.0}
    return Outcome(path.name, harm, spent_s=time.monotonic() - began, **told)


def _read(path: Path) -> dict[str, object]:
    import itertools

    from fer_core.errors import FerError
    from fer_core.video.reader import VideoReader

    probe.restrict()
    said, n = "", 0
    try:
        with VideoReader(path) as reader:
            n = sum(1 for _ in itertools.islice(reader.frames(), MAX_FRAMES))
    except FerError as error:
        said = str(error)
    except MemoryError:
        said = "It needs too much memory."
    return {"said": said, "frames": n, "peak_mb": peak_mb()}


def peak_mb() -> float:
    """The most memory that this process had; what ``getrusage`` says may be that of the one that started it."""
    try:
        status = Path("/proc/self/status").read_text(encoding="utf-8")
        return int(status.partition("VmHWM:")[2].split()[0]) / 1024
    except (OSError, IndexError, ValueError):
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def analysed_in_child(path: Path, out: Path) -> bool:
    """Whether the command line analyses a file, or refuses it by a sentence."""
    command = [sys.executable, "-m", "fer_core", "analyze", str(path), "--out", str(out)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=2 * PATIENCE_S, check=False)
    return done.returncode >= 0 and "Traceback" not in done.stderr


def table(outcomes: list[Outcome]) -> str:
    """A line of Markdown for each harm."""
    lines = ["| what was done | files | refused by a sentence | read | slowest (s) | most memory (MB) |"]
    lines.append("| --- | --- | --- | --- | --- | --- |")
    for harm in HARMS:
        mine = [each for each in outcomes if each.harm == harm]
        refused = sum(bool(each.said) for each in mine)
        slowest, most = max(each.spent_s for each in mine), max(each.peak_mb for each in mine)
        lines.append(f"| {harm} | {len(mine)} | {refused} | {len(mine) - refused} | {slowest:.1f} | {most:.0f} |")
    return "\n".join(lines)


def bad_ones(outcomes: list[Outcome]) -> list[Outcome]:
    """Those of which the process broke off, or that were refused by no sentence."""
    return [each for each in outcomes if each.said == BROKEN or (each.said and not each.said.endswith((".", "?")))]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--analyse", type=int, default=3, help="so many that could be read are analysed, too")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="leave the files there")
    parser.add_argument("--read", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.read:
        print(json.dumps(_read(args.read)))
        return 0
    with tempfile.TemporaryDirectory() as scratch:
        folder = args.keep or Path(scratch)
        outcomes = [read_in_child(path, harm) for path, harm in corpus(folder, args.seed)]
        readable = [each for each in outcomes if not each.said][: args.analyse]
        failed = [
            each.name for each in readable if not analysed_in_child(folder / each.name, Path(scratch) / each.name)
        ]
    print(f"seed {args.seed}, {len(outcomes)} files")
    print(table(outcomes))
    for each in bad_ones(outcomes):
        print("BAD", each)
    for name in failed:
        print("BAD: the analysis of", name, "broke off")
    return bool(bad_ones(outcomes) or failed)


if __name__ == "__main__":
    raise SystemExit(main())
