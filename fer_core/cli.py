"""The command line: ``python -m fer_core analyze`` and ``evaluate``."""

from __future__ import annotations

import argparse
import json
import sys
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import fer_core
from fer_core import cli_convert, cli_doctor, cli_evaluate, cli_live, cli_report, cli_robustness
from fer_core.cli_parts import Interrupt, add_device, add_help, in_one_sentence, progress_bar, show, with_dashes
from fer_core.emotions import HALFWAY, PRIORS
from fer_core.faces.detectors import DEFAULT_DETECTOR, DETECTORS
from fer_core.video.modes import MODES

if TYPE_CHECKING:
    from fer_core.video.plan import Plan

MOST_PROPOSALS = 10
_MANUAL = """\
Facial expressions from videos and pictures: who shows which of seven expressions, when, and how certain that is.
What is measured is the expression of a face, not what a person feels.
"""
_ANALYZE = """\
Analyse a video or picture and write the result into a folder:

  DIR/timeline.csv, .parquet   one row per face and frame; a frame without a face is a row too, with track -1. Columns:
{columns}
  DIR/analysis.json            settings, checkpoint, time check (frames dropped, variable rate), summary per person
  DIR/scores/, features.parquet, crops/   scores of every model, features and a picture of every person

Stop with Ctrl-C: what was analysed until then is kept and marked as incomplete.
"""
_ANALYZE_EXAMPLES = """\
examples:
  python -m fer_core analyze talk.mp4 --out results/talk
  python -m fer_core analyze talk.mp4 --out results/talk --per-second 5 --start 60 --end 120 --min-face 60
  python -m fer_core analyze talk.mp4 --out results/talk --annotated --export srt,json --smooth 0.5
  python -m fer_core analyze talk.mp4 --out both --checkpoint mobilenetv2-ferplus --checkpoint mobilenetv2-fer2013
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status: 0 done, 1 an error that the user can mend, 130 stopped."""
    given = with_dashes(sys.argv[1:] if arguments is None else arguments)
    args = _parser().parse_args(given)
    args.given = given
    return in_one_sentence(args.command, lambda: _flushed(args))


def _flushed(args: argparse.Namespace) -> int:
    """Run a command and print all it says, so that a pipe that broke is noticed here."""
    status = int(args.run(args))
    sys.stdout.flush()
    return status


def _parser(plan: Plan | None = None) -> argparse.ArgumentParser:
    """The parser; what is not said is as in the ``plan``."""
    form: Any = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(prog="python -m fer_core", description=_MANUAL, formatter_class=form)
    parser.add_argument("--version", action="version", version=f"%(prog)s {fer_core.__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    analyze = commands.add_parser(
        "analyze",
        help="video or picture → timeline",
        epilog=_ANALYZE_EXAMPLES,
        formatter_class=form,
        add_help=False,
    )
    add_help(analyze, lambda: _ANALYZE.replace("{columns}", _columns()) + _modes() + _detectors())
    analyze.add_argument(
        "video", type=Path, metavar="VIDEO", help="MP4, MOV, WebM, MKV, AVI, DV …, or a picture: JPEG, PNG, TIFF …"
    )
    analyze.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder to write; new or empty")
    analyze.add_argument(
        "--checkpoint",
        action="append",
        metavar="NAME",
        help="name of a shipped checkpoint or a folder (default: the FER+ one); give it again for several models",
    )
    analyze.add_argument(
        "--detector",
        default=DEFAULT_DETECTOR,
        choices=DETECTORS,
        help="face detector, see above (default: %(default)s)",
    )
    analyze.add_argument(
        "--min-face", type=int, default=40, metavar="PX", help="smallest face, in pixels (default: %(default)s)"
    )
    analyze.add_argument("--mode", default="fast", choices=MODES, help="see above (default: %(default)s)")
    analyze.add_argument(
        "--per-second", type=float, metavar="N", help="frames analysed per second (default: every frame)"
    )
    analyze.add_argument("--start", type=float, default=0.0, metavar="S", help="start of the clip range in seconds")
    analyze.add_argument("--end", type=float, metavar="S", help="end of the clip range in seconds")
    analyze.add_argument(
        "--track",
        type=int,
        metavar="N",
        help="number of the picture track, from 1 (default: the one that players show)",
    )
    analyze.add_argument(
        "--identity", action="store_true",
        help="recognise people by their faces (an extra, see docs/identity.md); what their faces are compared by is "
        "biometric data and kept in the folder alone",
    )  # fmt: skip
    analyze.add_argument(
        "--no-pictures", action="store_true", help="store no picture of anybody: the folder holds tables alone"
    )
    analyze.add_argument(
        "--prior", default=HALFWAY, choices=PRIORS,
        help="how common each emotion is taken to be: as in the network's training pictures, which it leans towards, "
        "halfway to all alike (default), or all alike; for what is shown and exported, the tables are as trained",
    )  # fmt: skip
    analyze.add_argument(
        "--smooth", type=float, default=0.0, metavar="S", help="smoothing window for --annotated and --export"
    )
    analyze.add_argument("--annotated", action="store_true", help="write annotated.mp4 too, with sound")
    analyze.add_argument(
        "--export", type=_export_kinds, default=[], metavar="KIND,…",
        help="write export.<kind> too, with valence, pose and reasons to doubt: csv, parquet, json, vtt, srt",
    )  # fmt: skip
    analyze.add_argument("--json", action="store_true", help="print analysis.json at the end")
    analyze.add_argument(
        "--plan", type=Path, metavar="FILE",
        help="settings from a plan (yaml); an option beside it counts more, and is told as a deviation from the plan",
    )  # fmt: skip
    add_device(analyze)
    analyze.set_defaults(run=_analyze)
    if plan is not None:
        analyze.set_defaults(**_planned(plan))

    cli_evaluate.add_commands(commands)
    cli_robustness.add_command(commands)
    cli_convert.add_command(commands)
    cli_live.add_command(commands)
    cli_report.add_command(commands)
    cli_doctor.add_command(commands)
    return parser


def _planned(plan: Plan) -> dict[str, Any]:
    """What the options of ``analyze`` are where only a plan says so."""
    settings = plan.analysis
    return {
        "detector": settings.detector, "min_face": settings.min_face_px, "mode": settings.mode,
        "per_second": settings.per_second, "start": settings.start_s, "end": settings.end_s, "track": settings.track,
        "identity": settings.identity, "no_pictures": not settings.keep_pictures, "prior": settings.prior,
        "smooth": plan.view.smoothing_s,
    }  # fmt: skip


def _export_kinds(text: str) -> list[str]:
    """``srt,json`` → the kinds."""
    from fer_core.video.export import KINDS

    kinds = [kind.strip() for kind in text.split(",") if kind.strip()]
    if unknown := [kind for kind in kinds if kind not in KINDS]:
        raise argparse.ArgumentTypeError(f"unknown {', '.join(unknown)}; expected some of {', '.join(KINDS)}")
    return kinds


def _columns() -> str:
    """The columns of timeline.csv in their order, as they are declared; those of a kind in one line."""
    from fer_core.emotions import EMOTIONS
    from fer_core.signals.scores import DOUBTS
    from fer_core.video.columns import LABELS, LANDMARK_COLUMNS, all_columns, face_columns

    known, rows = all_columns(), []
    for name in (*face_columns(), f"p_{EMOTIONS[0]}", *(column.name for column in (*DOUBTS, *LABELS))):
        if name == LANDMARK_COLUMNS[0]:
            rows.append((f"lm0_x ... {LANDMARK_COLUMNS[-1]}", "five landmarks, px: eyes, nose, corners of the mouth"))
        elif name.startswith("p_"):
            rows.append((f"{name} ... p_{EMOTIONS[-1]}", "calibrated probabilities of the emotions, 0-1"))
        elif name not in LANDMARK_COLUMNS:
            rows.append((name, known[name].text))
    return "\n".join(
        textwrap.fill(f"{name:22}{text}", 118, initial_indent=" " * 4, subsequent_indent=" " * 26)
        for name, text in rows
    )


def _modes() -> str:
    """A line for every mode."""
    return "\nmodes:\n" + "".join(f"  {name:10}{what}\n" for name, what in MODES.items())


def _detectors() -> str:
    """A line for every face detector: what it is good for, and whether it lacks something."""
    return "\ndetectors:\n" + "".join(
        f"  {kind.name:24}{kind.note}{'; its weights are not there yet' if kind.missing else ''}\n"
        for kind in DETECTORS.values()
    )


def _analyze(args: argparse.Namespace) -> int:
    from fer_core.quick_start import import_torchvision

    import_torchvision()
    from fer_core.models.folders import DEFAULT_CHECKPOINT
    from fer_core.video.opening import readable
    from fer_core.video.pipeline import Settings, analyze
    from fer_core.video.plan import deviations, keep_plan, open_plan
    from fer_core.video.store import open_analysis
    from fer_core.video.view import Lens

    plan = open_plan(args.plan) if args.plan else None
    if plan is not None:
        args = _parser(plan).parse_args(args.given)
    models = args.checkpoint or (DEFAULT_CHECKPOINT if plan is None else plan.models)
    settings = Settings(
        detector=args.detector,
        min_face_px=args.min_face,
        per_second=args.per_second,
        mode=args.mode,
        start_s=args.start,
        end_s=args.end,
        track=args.track,
        identity=args.identity,
        prior=args.prior,
        keep_pictures=not args.no_pictures,
    )
    stop = Interrupt()
    bar = progress_bar(readable(args.video.name))
    analyze(
        args.video,
        args.out,
        checkpoint=models,
        settings=settings,
        device=args.device,
        progress=lambda now: show(bar, now.share, f"{now.stage}, {now.faces} faces in {now.frames} frames"),
        should_stop=stop.asked,
    )
    bar.close()
    analysis = open_analysis(args.out)
    record = analysis.record
    try:
        if plan is not None:
            analysis = keep_plan(analysis, plan)
            for deviation in deviations(analysis, plan, Lens(args.smooth)):
                print(f"Not as planned: {deviation}", file=sys.stderr)
        _extras(args, stop)
    finally:  # the analysis is there, whatever becomes of what is made from it
        if args.json:
            print(json.dumps(record, indent=2, ensure_ascii=False))
        else:
            _tell(record, args.out)
    return 0 if record["complete"] or not stop.asked() else 130


def _extras(args: argparse.Namespace, stop: Interrupt) -> None:
    """What is asked for beside the analysis."""
    from fer_core.video.annotate import annotate_video
    from fer_core.video.export import export
    from fer_core.video.store import open_analysis
    from fer_core.video.view import Lens, view

    analysis = open_analysis(args.out)
    for kind in args.export:
        (args.out / f"export.{kind}").write_bytes(export(analysis, kind, Lens(args.smooth)))
    if args.annotated and not stop.asked():
        bar = progress_bar("annotated.mp4")
        annotate_video(
            args.video,
            view(analysis, Lens(args.smooth)),
            args.out / "annotated.mp4",
            picture_track=analysis.picture_track,
            progress=lambda now: show(bar, now.share, "writing"),
            should_stop=stop.asked,
        )
        bar.close()


def _tell(record: dict[str, Any], out: Path) -> None:
    from fer_core.video.proposals import proposals
    from fer_core.video.store import open_analysis
    from fer_core.video.timeline import people_summary
    from fer_core.video.view import prior_in_words, view

    check = record["time_check"]
    print(
        f"{check['frames_analysed']} frames from {check['first_s']:.2f} to {check['last_s']:.2f} s, "
        f"{check['frames_with_faces']} with faces, {check['frames_dropped']} dropped; "
        f"{'variable' if check['variable_rate'] else 'constant'} rate; {record['frames_per_s']:.1f} frames/s"
    )
    analysis = open_analysis(out)
    for person in people_summary(view(analysis)):
        shares = sorted(person["emotion_share"].items(), key=lambda item: -item[1])
        told = ", ".join(f"{emotion} {share:.0%}" for emotion, share in shares[:3])
        print(f"Person {person['track'] + 1}: {person['first_s']:.2f}-{person['last_s']:.2f} s, {told}")
    if record["summary"]["people"]:
        print(f"H{prior_in_words(analysis)[1:]}")
    proposed = proposals(analysis)
    for proposal in proposed[:MOST_PROPOSALS]:
        print(
            f"Person {proposal.person + 1} and Person {proposal.other + 1} may be one person by their faces "
            f"(distance {proposal.distance:.2f})"
        )
    if len(proposed) > MOST_PROPOSALS:
        print(f"{len(proposed) - MOST_PROPOSALS} more pairs are less alike")
    for message in record["messages"]:
        print(message)
    print(f"Written to {out}")
