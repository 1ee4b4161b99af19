"""The commands ``evaluate`` and ``copies`` of the command line."""

from __future__ import annotations

import argparse
import json
import sys
import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fer_core.cli_parts import Interrupt, add_data, add_device, add_help, progress_bar, results_folder, show
from fer_core.errors import InputError

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from fer_core.data import FaceSet
    from fer_core.evaluation.peers.base import Peer, PeerKind
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
  ece (expected calibration error, 15 equal bins), nll (nats), brier (0-2); in per cent but for the last two; with 95 %
  intervals by person where the data set says who is shown, else by picture
class prior, where it is known how common each emotion was in the network's training (see docs/prior.md):
  below the figures as trained, those of single views with the emotions halfway to equally common, and equally common;
  ece with the 95 % interval of a bootstrap over the pictures
photos:
  a face is looked for where pictures are larger than cut faces are, and cut as in videos; of several the largest one is
  taken, unless a table gives a box. Where none is found the whole picture counts; such pictures are counted and named,
  and the figures of the others are given beside
json:
  one object: the figures of single views by the data set's own labels (or those asked for) at the top, those under
  another class prior under "prior_adjusted", those of the clean rows under "clean" and of the photos with a face under
  "with_face" with the same keys, and every report that was made under "reports"; pictures with no face or several under
  "faces", peers under "peers"
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
    evaluate.add_argument(
        "--find-faces", action=argparse.BooleanOptionalAction, help="look for the face, or not (default: in photos)"
    )
    evaluate.add_argument(
        "--peer", action="append", default=[], metavar="NAME",
        help="run another tool on the very same faces too and tell the difference: fer, where it is installed",
    )  # fmt: skip
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
        f"one folder per emotion, also below train/, val/ or test/, with or without folders per person; a table (csv "
        f"or tsv) of file, label and, if they are known, person and box; or, as their authors or Kaggle give them out, "
        f"{', '.join(named)} and {last}."
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
    peers = _peers(args.peer)
    classifier = load(args.checkpoint, device=args.device)
    data = open_dataset(find_dataset("fer2013", args.data))
    print(f"{data.name}: {data.layout}", file=sys.stderr)
    faces = data.read(args.split or data.default_split)
    first = check_labels(faces, args.labels)
    copies = copies_of(faces, data)
    reports, shown = list[dict[str, Any]](), None
    for tta, table in _tables(args, classifier, faces):
        shown = table if shown is None else shown
        reports += _reports(args, classifier, faces, copies, tta, table)
        path = _table_path(args, classifier.name, faces) if tta == "none" else None
        if path:
            write_table(table, path)
            print(f"Answers written to {path}", file=sys.stderr)
    assert shown is not None
    told = _say_of_pictures(faces, shown)
    compared = _compared(args, peers, faces, shown, list(dict.fromkeys(each["labels"] for each in reports)))
    if args.json:
        top = next(each for each in reports if each["labels"] == first)
        more = {key: value for key, value in {**told, "peers": compared}.items() if value}
        print(json.dumps({**top, "reports": reports, **more}))
    else:
        _tell(reports, compared)
    return 0


def _peers(names: list[str]) -> list[tuple[PeerKind, Peer]]:
    """Other tools, loaded before anything is measured; nothing of theirs is imported unless one is asked for."""
    if not names:
        return []
    from fer_core.evaluation.peers import load_peer, peer_kind

    kinds = [peer_kind(name) for name in dict.fromkeys(names)]
    return [(kind, load_peer(kind)) for kind in kinds]


def _say_of_pictures(faces: FaceSet, table: pd.DataFrame) -> dict[str, Any]:
    """What became of pictures that are not as they should be, on the error stream; and as plain values."""
    from fer_core.evaluation import faces_found

    unreadable = table.attrs.get("unreadable", [])
    found = faces_found(table["id"].to_numpy(str), table["n_faces"].to_numpy()) if "n_faces" in table else None
    for text in [*unreadable, *(f"{n} left out: {why}" for why, n in faces.left_out.items())]:
        print(text, file=sys.stderr)
    for text in found.sentences() if found else ():
        print(text, file=sys.stderr)
    photos = {"looked_at": len(table), "none": list(found.none), "several": list(found.several)} if found else {}
    return {"faces": photos, "left_out": dict(faces.left_out), "unreadable": unreadable}


def _compared(
    args: argparse.Namespace,
    peers: list[tuple[PeerKind, Peer]],
    faces: FaceSet,
    table: pd.DataFrame,
    label_sets: list[str],
) -> list[dict[str, Any]]:
    """What each peer says of the same faces as the first view, under every label set."""
    if not peers:
        return []
    from fer_core.evaluation.peers import answers_of, compared_with

    found = []
    for kind, peer in peers:
        bar, stop = progress_bar(f"comparing, {kind.name}", hidden=args.json), Interrupt()
        answers = answers_of(
            peer,
            faces,
            table,
            progress=lambda now, bar=bar: show(bar, now.share, f"{now.frames} of {now.total_frames} pictures"),  # type: ignore[misc]
            should_stop=stop.asked,
        )
        bar.close()
        found += [compared_with(kind, answers, table, labels) for labels in label_sets]
    return found


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
                find_faces=args.find_faces,
            ),
        )
        bar.close()


def _reports(
    args: argparse.Namespace,
    classifier: Classifier,
    faces: FaceSet,
    copies: NDArray[np.bool_] | None,
    tta: str,
    table: pd.DataFrame,
) -> list[dict[str, Any]]:
    from fer_core.evaluation.run import PARTS, figures_of, label_sets, labels_of
    from fer_core.models.taught import prior_of

    name, prior = {"checkpoint": classifier.name}, prior_of(classifier)
    found = []
    for labels in [args.labels] if args.labels else label_sets(faces):
        if not args.labels and (labels_of(table, labels) < 0).all():
            continue
        figures = name | figures_of(table, faces, labels, tta, copies, prior, with_intervals=True)
        found.append({key: name | value if key in PARTS else value for key, value in figures.items()})
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
_WITH_INTERVALS = {
    "accuracy": "accuracy", "macro recall": "macro_recall", "three groups": "groups_accuracy",
    "groups, macro": "groups_macro_recall", "ece": "ece",
}  # fmt: skip


def _tell(reports: list[dict[str, Any]], compared: list[dict[str, Any]]) -> None:
    """One block for every label set: a line for every view and choice of rows, then the first view with intervals."""
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
                if "with_face" in each:
                    print(_line(each["with_face"], "with face"))
        shown = next(each for each in reports if each["labels"] == labels)
        _tell_intervals(shown)
        for choice, figures in list(shown.get("prior_adjusted", {}).items())[1:]:
            print(_prior_lines(choice, figures))
        for peer in compared:
            if peer["labels"] == labels:
                _tell_peer(first["checkpoint"], peer)


def _tell_intervals(figures: dict[str, Any]) -> None:
    """Figures of the first view, and the recall of each class with its pictures, each with its interval."""
    given = figures["intervals"]
    print(f"\nview {figures['tta']}, in per cent. {given['told']}")
    for name, key in _WITH_INTERVALS.items():
        print(f"{name:18}{figures['n']:7}{100 * figures[key]:8.2f}{_ends(given.get(key))}")
    for emotion, n in given["pictures"].items():
        recall, ends = figures["recalls"][emotion], given["recalls"].get(emotion)
        print(f"recall of {emotion:8}{n:7}{100 * recall:8.2f}{_ends(ends)}")


def _ends(ends: Sequence[float | None] | None) -> str:
    if ends is None or None in ends:
        return "   no interval"
    return "   " + " to ".join(f"{100 * end:.2f}" for end in ends if end is not None)


def _tell_peer(checkpoint: str, peer: dict[str, Any]) -> None:
    """A peer's figures with their intervals, and the difference with its own."""
    name, given = peer["peer"], peer["intervals"]
    print(f"\n{name} ({peer['title']}) on the same {peer['n']} faces; then {checkpoint} less {name}, in points")
    if peer["without_answer"]:
        print(f"{peer['without_answer']} pictures of which {name} says nothing are left out here.")
    rows = {title: (peer[key], given.get(key), key) for title, key in _WITH_INTERVALS.items()}
    for emotion, recall in peer["recalls"].items():
        key = f"recall of {emotion}"
        rows[key] = (recall, given["recalls"].get(emotion), key)
    for title, (value, ends, key) in rows.items():
        difference, *between = peer["difference"][key]
        print(f"{title:18}{100 * value:8.2f}{_ends(ends):21}{100 * difference:+9.2f}{_ends(between)}")


def _recalls(figures: dict[str, Any]) -> str:
    return ", ".join(f"{emotion} {100 * value:.1f}" for emotion, value in figures["recalls"].items())


def _prior_lines(choice: str, figures: dict[str, Any]) -> str:
    accuracy, macro, ece, low, high = (
        f"{100 * each:.2f}"
        for each in (figures["accuracy"], figures["macro_recall"], figures["ece"], *figures["ece_interval"])
    )
    head = (
        f"prior    {choice} (tau {figures['tau']:g}): accuracy {accuracy}, macro {macro}, ece {ece} ({low} to {high})"
    )
    return f"{head}\n         recall {_recalls(figures)}"


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
