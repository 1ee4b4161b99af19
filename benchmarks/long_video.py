"""What a long video costs: time and memory for each minute, and how long the command needs to start.

    python -m benchmarks.long_video [--minutes 1 2 4 8] [--rate 30] [--clip CLIP] [--json]

A clip, the generated one of ``benchmarks.street`` by default, is repeated until it is as long as asked for, without
encoding it anew; ``--rate`` shows it slower, with fewer frames for every minute. Each length is analysed by *fast* with
``python -m fer_core analyze`` in a process of its own. "Start" is the same command for the first frame alone, from the
start of Python to the tables, the median of five.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path
from typing import Any

import av

from benchmarks.video import command, machine, street
from fer_core.video.reader import VideoReader

STARTS = 5


def looped(clip: Path, out: Path, *, minutes: float, rate: float) -> Path:
    """Write the packets of a clip with a constant rate over and over, ``rate`` frames a second."""
    with av.open(str(clip)) as source, av.open(str(out), "w") as target:
        stream = source.streams.video[0]
        packets = [packet for packet in source.demux(stream) if packet.size]
        step = round(1 / (Fraction(stream.average_rate or 30) * stream.time_base))
        copy = target.add_stream_from_template(stream)
        base = 1 / (Fraction(rate).limit_denominator(1000) * step)  # a frame lasts as many ticks as before
        n_ticks = len(packets) * step
        times = [(packet.pts, packet.dts) for packet in packets]
        for i in range(round(60 * minutes * rate)):
            packet, turn = packets[i % len(packets)], i // len(packets)
            pts, dts = times[i % len(packets)]
            packet.pts, packet.dts = pts + turn * n_ticks, dts + turn * n_ticks
            packet.stream, packet.time_base, packet.duration = copy, base, step
            target.mux(packet)
    return out


def measure(clip: Path, minutes: Sequence[float], rate: float) -> list[dict[str, Any]]:
    """A row for each length: ``minutes``, ``frames``, ``wall_s``, ``wall_s_per_minute``, ``peak_mb``."""
    rows = []
    for length in minutes:
        with tempfile.TemporaryDirectory() as folder:
            wall_s, peak_mb = command(looped(clip, Path(folder) / "long.mp4", minutes=length, rate=rate))
        rows.append(
            {
                "minutes": length,
                "frames": round(60 * length * rate),
                "wall_s": round(wall_s, 1),
                "wall_s_per_minute": round(wall_s / length, 1),
                "peak_mb": peak_mb,
            }
        )
    return rows


def start_s(clip: Path) -> float:
    """Seconds from the start of Python to the result of the first frame."""
    with VideoReader(clip) as reader:
        frame_s = 1 / reader.info.mean_fps
    return round(statistics.median(command(clip, "--end", f"{frame_s / 2:.4f}")[0] for _ in range(STARTS)), 2)


def main(argv: list[str] | None = None) -> int:
    """Command line; see the module's docstring."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", nargs="+", type=float, default=[1, 2, 4, 8])
    parser.add_argument("--rate", type=float, default=30.0, help="frames a second (default: 30)")
    parser.add_argument("--clip", type=Path, help="what is repeated (default: the generated clip)")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args(argv)
    clip = args.clip or street()
    started, rows = start_s(clip), measure(clip, args.minutes, args.rate)
    if args.json:
        print(json.dumps({"start_s": started, "lengths": rows}, indent=2))
        return 0
    print(f"{datetime.now(UTC):%Y-%m-%d}, {machine()}, {args.rate:g} frames a second:\n")
    print("| " + " | ".join(f"`{name}`" for name in rows[0]) + " |\n|" + " --- |" * len(rows[0]))
    for row in rows:
        print("| " + " | ".join(f"{value:g}" for value in row.values()) + " |")
    print(f"\nStart: {started} s")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
