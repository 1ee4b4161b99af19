"""The commands ``evaluate`` and ``copies`` of the command line."""

from __future__ import annotations

import argparse
import json
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fer_core.cli_parts import Interrupt, add_data, add_device, add_help, progress_bar, results_folder, show
from fer_core.errors import InputError

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from fer_core.data import FaceSet
    from fer_core.models.classifier import Classifier

_EVALUATE = """\
Run a checkpoint over a split of a data set and report its figures. The network runs from its weights.

By default every view and every label set is reported, and the answers to the single views are written where the pages
of the dashboard look for them. Where a test split holds pixel copies of training pictures (FER2013: 288 of the private
test, 280 of the public one), all figures are given for the official rows and for the clean rows, without copies.

data sets, told by what the folder holds:
{known}
label sets:
  the data set's own  called as the data set is, for example fer2013
  ferplus7            FER+ votes: the top of the seven emotions beats every other option; ties are dropped
  ferplus8_majority   FER+ votes: more than half for one of eight emotions
  ferplus8_argmax     FER+ votes: the most votes among eight emotions and unknown
views (--tta):
  none                the picture as it is
  flip                mean with its mirror image
  tencrop             mean of four corners and the middle, each with its mirror image
figures:
  accuracy, macro (mean recall over classes), worst (recall of the worst class), groups (recall of three groups, mean),
  ece (expected calibration error, 15 equal bins), nll (nats), brier (0-2); in per cent but for the last two
json:
  one object: the figures of single views by the data set's own labels (or those asked for) at the top, those of the
  clean rows under "clean" with the same keys, and every report that was made under "reports"
"""
_COPIES = """\
Find test pictures whose every pixel is that of a training picture, and print their ids. For FER2013 these are the row
numbers in fer_core/evaluation/fer2013-copies.json.
"""


def add_commands(commands: Any) -> None:
    """Add ``evaluate`` and ``copies`` to the subparsers of the command line."""
    form = argparse.RawDescriptionHelpFormatter
    evaluate = commands.add_parser(
        "evaluate", help="checkpoint → figures on a data set", formatter_class=form, add_help=False
    )
    add_help(evaluate, lambda: _EVALUATE.replace("{known}", _known_data_sets()))
    evaluate.add_argument("checkpoint", metavar="CHECKPOINT", help="name of a shipped checkpoint, or a folder")
    add_data(evaluate)
    evaluate.add_argument("--split", help="default: private_test, test, val or all, whichever is there first")
    evaluate.add_argument("--labels", help="one label set, see above (default: all that there are)")
    evaluate.add_argument("--tta", help="one view, see above (default: all of them)")
    evaluate.add_argument(
        "--table", type=Path, metavar="FILE.parquet", help="where to write the answers to single views"
    )
    evaluate.add_argument("--skip-unreadable", action="store_true", help="leave out pictures that cannot be read")
    evaluate.add_argument("--find-faces", action="store_true", help="look for the face although pictures may be cut")
    evaluate.add_argument("--json", action="store_true", help="print one JSON object and nothing else")
    add_device(evaluate)
    evaluate.set_defaults(run=_evaluate)

    copies = commands.add_parser(
        "copies", help="test pictures that are training pictures", description=_COPIES, formatter_class=form
    )
    add_data(copies)
    copies.add_argument("--json", action="store_true", help="print one JSON object and nothing else")
    copies.set_defaults(run=_copies)


def _known_data_sets() -> str:
    from fer_core.data.layouts import PUBLISHED

    *named, last = (f"{each.title} ({each.note})" if each.note else each.title for each in PUBLISHED)
    told = (
        f"one folder per emotion, also below train/, val/ or test/; or, as their authors or Kaggle give them out, "
        f"{', '.join(named)} and {last}. In photos, as some of them hold, the largest face is found and cut out."
    )
    return textwrap.fill(told, 118, initial_indent="  ", subsequent_indent="  ")


def _evaluate(args: argparse.Namespace) -> int:
    from fer_core.data import open_dataset
    from fer_core.data.locate import find_dataset
    from fer_core.evaluation.copies import copies_of
    from fer_core.evaluation.run import check_labels, check_table_path, write_table
    from fer_core.models.classifier import load

    if args.table:
        check_table_path(args.table, args.tta or "none")
    classifier = load(args.checkpoint, device=args.device)
    data = open_dataset(find_dataset("fer2013", args.data))
    faces = data.read(args.split or data.default_split)
    first = check_labels(faces, args.labels)
    copies = copies_of(faces, data)
    reports = []
    for tta, table in _tables(args, classifier, faces):
        reports += _reports(args, classifier.name, faces, copies, tta, table)
        path = _table_path(args, classifier.name, faces) if tta == "none" else None
        if path:
            write_table(table, path)
            print(f"Answers written to {path}", file=sys.stderr)
    for text in [*table.attrs.get("unreadable", ()), *(f"{n} left out: {why}" for why, n in faces.left_out.items())]:
        print(text, file=sys.stderr)
    if args.json:
        top = next(each for each in reports if each["labels"] == first)
        print(json.dumps({**top, "reports": reports}))
    else:
        _tell(reports)
    return 0


def _tables(args: argparse.Namespace, classifier: Classifier, faces: FaceSet) -> Iterator[tuple[str, pd.DataFrame]]:
    """Views and the answers to them, single views first."""
    from fer_core.evaluation.run import TTA, evaluate_faces

    stop = Interrupt()
    for tta in [args.tta] if args.tta else TTA:
        bar = progress_bar(f"evaluating, {tta}", hidden=args.json)
        yield (
            tta,
            evaluate_faces(
                classifier,
                faces,
                tta=tta,
                progress=lambda now, bar=bar: show(bar, now.share, f"{now.frames} of {now.total_frames} pictures"),  # type: ignore[misc]
                should_stop=stop.asked,
                skip_unreadable=args.skip_unreadable,
                find_faces=args.find_faces or None,
            ),
        )
        bar.close()


def _reports(
    args: argparse.Namespace,
    checkpoint: str,
    faces: FaceSet,
    copies: NDArray[np.bool_] | None,
    tta: str,
    table: pd.DataFrame,
) -> list[dict[str, Any]]:
    from fer_core.evaluation.run import figures_of, label_sets, labels_of

    name = {"checkpoint": checkpoint}
    found = []
    for labels in [args.labels] if args.labels else label_sets(faces):
        if not args.labels and (labels_of(table, labels) < 0).all():
            continue
        figures = name | figures_of(table, faces, labels, tta, copies)
        if "clean" in figures:
            figures["clean"] = name | figures["clean"]
        found.append(figures)
    return found


def _table_path(args: argparse.Namespace, name: str, faces: FaceSet) -> Path | None:
    """Where the answers go: as told, else where the dashboard looks for them."""
    folder = results_folder(args.checkpoint, name)
    return args.table or (folder / f"{faces.name}-{faces.split}.parquet" if folder else None)


_COLUMNS = {
    "accuracy": "accuracy", "macro": "macro_recall", "worst": "worst_recall", "groups": "groups_macro_recall",
    "ece": "ece", "nll": "nll", "brier": "brier",
}  # fmt: skip
_PLAIN = ("nll", "brier")


def _tell(reports: list[dict[str, Any]]) -> None:
    """One block for every label set, a line for every view and choice of rows."""
    first = reports[0]
    print(f"{first['checkpoint']} on {first['data']}, {first['split']}")
    for labels in dict.fromkeys(each["labels"] for each in reports):
        print(f"\nlabels {labels}")
        print(f"{'view':9}{'rows':10}{'n':>6}" + "".join(f"{name:>10}" for name in _COLUMNS) + "  worst class")
        for each in reports:
            if each["labels"] == labels:
                print(_line(each, "official" if "clean" in each else "all"))
                if "clean" in each:
                    print(_line(each["clean"], "clean"))
        recalls = next(each["recalls"] for each in reports if each["labels"] == labels)
        print("recall   " + ", ".join(f"{emotion} {100 * value:.1f}" for emotion, value in recalls.items()))


def _line(figures: dict[str, Any], rows: str) -> str:
    values = [f"{figures[key]:10.3f}" if key in _PLAIN else f"{100 * figures[key]:10.2f}" for key in _COLUMNS.values()]
    return f"{figures['tta']:9}{rows:10}{figures['n']:6}{''.join(values)}  {figures['worst_class']}"


def _copies(args: argparse.Namespace) -> int:
    from fer_core.data import open_dataset
    from fer_core.data.locate import find_dataset
    from fer_core.evaluation.copies import find_copies, training_split

    data = open_dataset(find_dataset("fer2013", args.data))
    training = training_split(data)
    if training is None:
        raise InputError(f"{data.name} has no training split to compare with; it has {', '.join(data.splits)}.")
    known = data.read(training)
    found = {}
    for split in data.splits:
        if split != training:
            faces = data.read(split)
            found[split] = faces.ids[find_copies(faces, known)].tolist()
    if args.json:
        print(
            json.dumps({split: [int(each) if each.isdigit() else each for each in ids] for split, ids in found.items()})
        )
        return 0
    for split, ids in found.items():
        print(f"{split}: {len(ids)} of {len(data.read(split))} are copies of pictures in {training}")
        print("  " + " ".join(ids))
    return 0
