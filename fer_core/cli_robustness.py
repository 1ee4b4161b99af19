"""The command ``robustness`` of the command line."""

from __future__ import annotations

import argparse
import dataclasses
import json
import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fer_core.cli_parts import Interrupt, add_data, add_device, progress_bar, results_folder, show

if TYPE_CHECKING:
    import pandas as pd

_ROBUSTNESS = """\
Run a checkpoint over a split of a data set, as it is and with every corruption in five strengths: noise, blur,
compression, light, parts of the face covered, and crops that are off. docs/robustness.md says what each one is.

Labels are the data set's own; FER+'s (ferplus7) for a checkpoint that is taught those. The table is written as
robustness.csv and robustness.json where a model's page (Robustness) looks for it; that of a checkpoint which
the dashboard does not list, or of some of the pictures (--limit), only where --out says.

figures:
  accuracy, in per cent. mean: over the five strengths, then over corruptions. lost: against the pictures as they
  are, in percentage points.
"""
_EXAMPLES = """\
examples:
  python -m fer_core robustness mobilenetv2-ferplus --data data/fer2013
  python -m fer_core robustness mobilenetv2-ferplus --limit 500
  python -m fer_core robustness mobilenetv2-ferplus --out checkpoints/mobilenetv2-ferplus
"""


def add_command(commands: Any) -> None:
    """Add ``robustness`` to the subparsers of the command line."""
    robustness = commands.add_parser(
        "robustness", help="checkpoint → figures on corrupted pictures", description=_ROBUSTNESS, epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    robustness.add_argument("checkpoint", metavar="CHECKPOINT", help="name of a shipped checkpoint, or a folder")
    add_data(robustness)
    robustness.add_argument("--split", help="default: private_test, test, val or all, whichever is there first")
    robustness.add_argument("--limit", type=int, metavar="N", help="so many pictures at most, drawn by the seed")
    robustness.add_argument("--seed", type=int, default=0, metavar="N", help="of noise and choice (default: 0)")
    robustness.add_argument("--out", type=Path, metavar="DIR", help="folder for robustness.csv and robustness.json")
    robustness.add_argument("--json", action="store_true", help="print one JSON object and nothing else")
    add_device(robustness)
    robustness.set_defaults(run=_robustness)


def _robustness(args: argparse.Namespace) -> int:
    from fer_core.data import open_dataset
    from fer_core.data.locate import find_dataset
    from fer_core.evaluation.robustness import measure, write_table
    from fer_core.models.classifier import load
    from fer_core.models.runtime import EXACT, fastest

    classifier, _ = fastest(load(args.checkpoint, device=args.device), EXACT)
    data = open_dataset(find_dataset("fer2013", args.data))
    faces = data.read(args.split or data.default_split)
    stop, bar = Interrupt(), progress_bar("measuring", hidden=args.json)
    table = measure(
        classifier,
        faces,
        limit=args.limit,
        seed=args.seed,
        progress=lambda now: show(bar, now.share, f"{now.frames} of {now.total_frames} pictures"),
        should_stop=stop.asked,
    )
    bar.close()
    folder = args.out or (None if args.limit is not None else results_folder(args.checkpoint, classifier.name))
    if folder:
        write_table(folder, table)
    if args.json:
        print(json.dumps(_record(table)))
    else:
        _tell(table)
    print(f"Written to {folder}" if folder else "Written nowhere; --out says where to.", file=sys.stderr)
    return 0


def _record(table: pd.DataFrame) -> dict[str, Any]:
    """Setting, summary and rows for programs."""
    from fer_core.evaluation.robustness import setting_of, summarize

    found = summarize(table)
    corruption, strength, accuracy = found.worst
    return {
        **dataclasses.asdict(setting_of(table)),
        "clean_accuracy": found.clean,
        "mean_corruption_accuracy": found.corrupted,
        "worst": {"corruption": corruption, "strength": strength, "accuracy": accuracy},
        "lost_by_shift": None if math.isnan(found.lost_by_shift) else found.lost_by_shift,
        "rows_of_table": table.to_dict("records"),
    }


def _tell(table: pd.DataFrame) -> None:
    """The summary, then a line for each corruption."""
    from fer_core.evaluation.corruptions import CORRUPTIONS, STRENGTHS
    from fer_core.evaluation.robustness import SHIFT_PX, by_strength, setting_of, summarize

    setting, found = setting_of(table), summarize(table)
    print(f"{setting.checkpoint} on {setting.data}, {setting.split}, labels {setting.labels}, {setting.rows} pictures")
    print(f"\nas they are {found.clean:.1%}, mean of corruptions {found.corrupted:.1%}, lost {100 * found.lost:.1f}")
    name, strength, accuracy = found.worst
    print(f"worst: {CORRUPTIONS[name].title}, strength {strength}: {accuracy:.1%}")
    if not math.isnan(found.lost_by_shift):
        print(f"lost by a shift of ±{SHIFT_PX} px of 48: {100 * found.lost_by_shift:.1f}")
    print(f"\n{'strength':24}" + "".join(f"{each:>7}" for each in STRENGTHS) + "   mean")
    for name, row in by_strength(table).iterrows():
        shares = [*row, found.by_corruption[name]]
        print(f"{CORRUPTIONS[name].title:24}" + "".join(f"{100 * share:7.1f}" for share in shares))
