"""The command ``report``: an analysis or an evaluation as a file to hand on."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from fer_core.cli_parts import add_data
from fer_core.errors import DataError, InputError
from fer_core.report import FRAMES

_EXAMPLES = """\
examples:
  python -m fer_core report results/talk --video talk.mp4 --out talk.html --pdf
  python -m fer_core report results/talk --out talk.html --archive talk.zip --frames none
  python -m fer_core report compact-resnet-votes1-ferplus --out network.html
  python -m fer_core report mobilenetv2-ferplus --out network.html --data /path/to/fer2013 --pictures
"""


def add_command(commands: Any) -> None:
    """Make the command known."""
    command = commands.add_parser(
        "report",
        help="analysis or evaluation → a page to hand on, PDF, archive",
        description="One HTML file that opens offline, without a script or a request, and prints well.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.add_argument("what", metavar="FOLDER", help="folder of an analysis, or a checkpoint that was evaluated")
    command.add_argument("--out", type=Path, required=True, metavar="FILE", help="the report, such as report.html")
    command.add_argument("--pdf", action="store_true", help="the same as PDF beside it")
    command.add_argument(
        "--frames",
        choices=FRAMES,
        default=FRAMES[0],
        help="key frames of the video: faces blurred (default), plain, none",
    )
    command.add_argument(
        "--video",
        type=Path,
        metavar="FILE",
        help="the video, for key frames (default: where it is kept with the analysis)",
    )
    command.add_argument("--smooth", type=float, metavar="S", help="smoothing window (default: as planned, else none)")
    command.add_argument("--model", default="", metavar="NAME", help="whose scores (default: the first model's)")
    command.add_argument(
        "--archive", type=Path, metavar="ZIP", help="tables, dictionary, report, plan and cards in one"
    )
    command.add_argument("--table", default="", metavar="NAME", help="which evaluation, such as fer2013-private_test")
    command.add_argument("--labels", default="", metavar="SET", help="label set (default: what the network was taught)")
    command.add_argument("--pictures", action="store_true", help="show pictures of the worst confusions; needs --data")
    add_data(command)
    command.set_defaults(run=_report)


def _report(args: argparse.Namespace) -> int:
    from fer_core.files import replacing
    from fer_core.report.pdf import write_pdf

    if args.out.suffix.lower() not in (".html", ".htm"):
        raise InputError(
            f"--out is {args.out.name}; a report is a file that ends with .html (--pdf writes one beside it)."
        )
    if (Path(args.what) / "analysis.json").is_file():
        page = _of_analysis(args)
    elif args.archive:
        raise InputError(f"{args.what} is no analysis; an archive is made of an analysis folder.")
    else:
        page = _of_evaluation(args)
    args.out.parent.mkdir(parents=True, exist_ok=True)
    with replacing(args.out) as new:
        new.write_bytes(page)
    print(f"Written to {args.out} ({len(page) / 1e6:.1f} MB)")
    if args.pdf:
        write_pdf(page, args.out.with_suffix(".pdf"))
        print(f"Written to {args.out.with_suffix('.pdf')}")
    return 0


def _of_analysis(args: argparse.Namespace) -> bytes:
    from fer_core.files import replacing
    from fer_core.report.analysis import analysis_report
    from fer_core.report.archive import archive
    from fer_core.video.plan import planned_smoothing
    from fer_core.video.store import open_analysis
    from fer_core.video.view import Lens

    analysis = open_analysis(args.what)
    lens = Lens(planned_smoothing(analysis) if args.smooth is None else args.smooth, args.model)
    if args.archive:
        made = archive(analysis, lens, frames=args.frames, video=args.video)
        args.archive.parent.mkdir(parents=True, exist_ok=True)
        with replacing(args.archive) as new:
            new.write_bytes(made)
        print(f"Written to {args.archive} ({len(made) / 1e6:.1f} MB)")
    return analysis_report(analysis, lens, frames=args.frames, video=args.video)


def _of_evaluation(args: argparse.Namespace) -> bytes:
    from fer_core.evaluation import outcomes, read_evaluation
    from fer_core.models.folders import find_checkpoint
    from fer_core.places import data_home
    from fer_core.report.evaluation import evaluation_report

    folder = find_checkpoint(args.what)
    places = (folder / "evaluations", data_home() / "evaluations" / folder.name)
    tables = {path.stem: path for place in places for path in sorted(place.glob("*.parquet"))}
    if not tables:
        raise DataError(f"{folder.name} was not evaluated. Run 'python -m fer_core evaluate {folder.name}' first.")
    chosen = args.table or next((name for name in tables if name.endswith("private_test")), next(iter(tables)))
    if chosen not in tables:
        raise DataError(f"There is no evaluation {chosen!r}; expected one of {', '.join(tables)}.")
    table = read_evaluation(tables[chosen], folder.name)
    labels = args.labels or _taught(folder, table.own)
    if labels not in table.label_sets:
        raise DataError(f"There are no labels {labels!r} there; expected one of {', '.join(table.label_sets)}.")
    found = outcomes(table, labels)
    pictures = _pictures(args, table.dataset, table.split) if args.pictures else None
    return evaluation_report(found, pictures, folder=folder)


def _taught(folder: Path, own: str) -> str:
    from fer_core.models.card import read_card

    return str(read_card(folder / "card.json").data.get("labels", own))


def _pictures(args: argparse.Namespace, dataset: str, split: str) -> Any:
    """Pictures of the data set by their ids."""
    import numpy as np

    from fer_core.data import open_dataset
    from fer_core.data.locate import find_dataset
    from fer_core.report.evaluation import by_id

    faces = open_dataset(find_dataset(dataset, args.data)).read(split)

    def picture(row: int) -> Any:
        found = np.asarray(faces.source.picture(row), np.uint8)
        return np.repeat(found[:, :, None], 3, axis=2) if found.ndim == 2 else found

    return by_id(faces.ids, picture)


__all__ = ["add_command"]
