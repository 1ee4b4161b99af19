"""Draw a data set of faces, to try everything without a real one.

    python -m training.drawn fer2013-csv drawn/fer2013 --per-class 100

The faces are drawings that differ in person, expression, light and sharpness; the files are named and laid out like
those of the real data set, so that whatever reads the one reads the other. Layouts:

"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from fer_core.cli_parts import CAUSED_OUTSIDE, say
from fer_core.data.drawn import DRAWINGS, draw_dataset
from fer_core.data.mixture import counts_table
from fer_core.emotions import EMOTIONS8


def main(argv: Sequence[str] | None = None) -> int:
    """Command line; see the module's docstring."""
    told = "\n".join(f"    {name:18} {layout.told}" for name, layout in DRAWINGS.items())
    formatter = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=f"{__doc__}{told}\n", formatter_class=formatter)
    parser.add_argument("layout", metavar="LAYOUT", help="one of those above")
    parser.add_argument("folder", metavar="FOLDER", type=Path, help="where to write it; must be empty or not be there")
    parser.add_argument("--per-class", type=int, default=60, help="pictures of each class to train on (default: 60)")
    parser.add_argument("--seed", type=int, default=0, help="the same seed draws the same pictures (default: 0)")
    args = parser.parse_args(argv)
    try:
        data = draw_dataset(args.layout, args.folder, per_class=args.per_class, seed=args.seed)
        print(f"{data.layout}, in {data.root}:")
        for row in counts_table([data.read(split) for split in data.splits], EMOTIONS8):
            counts = ", ".join(f"{key} {n}" for key, n in row.items() if n and key not in ("data", "split"))
            print(f"  {row['split'] or row['data']}: {counts}")
    except CAUSED_OUTSIDE as error:
        return say("error", error, failed=2)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
