"""The tables of docs/robustness.md, as Markdown.

    python -m benchmarks.robustness [--checkpoints FOLDER]     results, from FOLDER/*/robustness.csv
    python -m benchmarks.robustness --amplitudes               what the five strengths of each corruption are

Nothing is measured here: ``python -m fer_core robustness CHECKPOINT --out checkpoints/CHECKPOINT`` makes the files.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from fer_core.errors import FerError
from fer_core.evaluation.corruptions import CORRUPTIONS, STRENGTHS
from fer_core.evaluation.robustness import SHIFT_PX, TABLE, Setting, Summary, read_table, setting_of, summarize
from fer_core.models.folders import checkpoints_folder

Measured = tuple[str, Setting, Summary]


def amplitudes() -> str:
    """A row for each corruption, a column for each strength."""
    rows = [(each.title, f"`{each.name}`", each.unit, *map(each.number, STRENGTHS)) for each in CORRUPTIONS.values()]
    return markdown(("Corruption", "Name", "Amplitude", *map(str, STRENGTHS)), rows)


def read_all(root: Path) -> list[Measured]:
    """Every table below a folder of checkpoints, by name.

    Raises:
        CheckpointError: one is damaged.
    """
    tables = [(path.parent.name, read_table(path.parent)) for path in sorted(root.glob(f"*/{TABLE}"))]
    return [(name, setting_of(table), summarize(table)) for name, table in tables]


def overview(found: Sequence[Measured]) -> str:
    """A row for each checkpoint."""
    head = ("Checkpoint", "Data", "Labels", "Pictures", "As they are", "Corrupted, mean", "Lost", "Worst",
            f"Lost by ±{SHIFT_PX} px")  # fmt: skip
    rows = [
        (
            f"`{name}`", f"{setting.data} {setting.split}", setting.labels, f"{setting.rows:,}", percent(said.clean),
            percent(said.corrupted), points(said.lost), f"{percent(said.worst[2])} ({_title(said.worst)})",
            points(said.lost_by_shift),
        )
        for name, setting, said in found
    ]  # fmt: skip
    return markdown(head, rows)


def by_corruption(found: Sequence[Measured]) -> str:
    """A row for each corruption with the mean over its strengths, a column for each checkpoint."""
    rows = [
        (each.title, *(percent(said.by_corruption.get(each.name, math.nan)) for _, _, said in found))
        for each in CORRUPTIONS.values()
    ]
    return markdown(("Mean of five strengths", *(f"`{name}`" for name, _, _ in found)), rows)


def _title(worst: tuple[str, int, float]) -> str:
    return f"{CORRUPTIONS[worst[0]].title}, {worst[1]}"


def percent(share: float) -> str:
    return "–" if math.isnan(share) else f"{share:.1%}".replace("%", " %")


def points(share: float) -> str:
    return "–" if math.isnan(share) else f"{100 * share:.1f}"


def markdown(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """A table as Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)


def main(argv: list[str] | None = None) -> int:
    """Command line; see the module's docstring."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoints", type=Path, default=checkpoints_folder())
    parser.add_argument("--amplitudes", action="store_true")
    args = parser.parse_args(argv)
    if args.amplitudes:
        print(amplitudes())
        return 0
    try:
        found = read_all(args.checkpoints)
    except FerError as error:
        print(f"robustness: {error}", file=sys.stderr)
        return 1
    if not found:
        print(f"There is no {TABLE} below {args.checkpoints}.", file=sys.stderr)
        return 1
    print(f"{overview(found)}\n\n{by_corruption(found)}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
