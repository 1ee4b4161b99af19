"""The command line: ``python -m fer_core analyze`` and ``evaluate``."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import fer_core
from fer_core import cli_convert, cli_evaluate, cli_robustness
from fer_core.cli_parts import Interrupt, add_device, progress_bar, show
from fer_core.errors import Cancelled, FerError
from fer_core.faces.detectors import DEFAULT_DETECTOR, DETECTORS
from fer_core.video.modes import MODES

_MANUAL = """\
Facial expressions from videos and pictures: who shows which of seven expressions, when, and how certain that is.
What is measured is the expression of a face, not what a person feels.
"""
_ANALYZE = """\
Analyse a video or picture and write the result into a folder:

  DIR/timeline.csv, .parquet   one row per face and frame; a frame without a face is a row too, with track -1.
                               frame, time_s (the stream's own time in seconds), track (person), x0 y0 x1 y1 (box in
                               pixels), detection (0-1), source (detected anew, refined from its neighbours in time,
                               or midway between them), five landmarks, p_angry ... p_neutral (calibrated
                               probabilities), distance (from the training pictures; above 1 is unusual), occlusion
                               (probability that the face is covered), emotion, group (negative, neutral, positive)
  DIR/analysis.json            settings, checkpoint, time check (frames dropped, variable rate), summary per person
  DIR/scores/, features.parquet, crops/   scores of every model, features and a picture of every person

Stop with Ctrl-C: what was analysed until then is kept and marked as incomplete.
"""
_ANALYZE_EXAMPLES = """\
examples:
  python -m fer_core analyze talk.mp4 --out results/talk
  python -m fer_core analyze talk.mp4 --out results/talk --per-second 5 --start 60 --end 120 --min-face 60
  python -m fer_core analyze talk.mp4 --out results/talk --annotated --export srt,json --smooth 0.5
  python -m fer_core analyze talk.mp4 --out both --checkpoint compact-resnet-ferplus --checkpoint mobilenetv2-fer2013
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status: 0 done, 1 an error that the user can mend, 130 stopped."""
    args = _parser().parse_args(arguments)
    try:
        return int(args.run(args))
    except Cancelled as error:
        print(error, file=sys.stderr)
        return 130
    except FerError as error:
        print(f"{args.command}: {error}", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    form: Any = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(prog="python -m fer_core", description=_MANUAL, formatter_class=form)
    parser.add_argument("--version", action="version", version=f"%(prog)s {fer_core.__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    analyze = commands.add_parser(
        "analyze",
        help="video or picture → timeline",
        description=_ANALYZE + _modes() + _detectors(),
        epilog=_ANALYZE_EXAMPLES,
        formatter_class=form,
    )
    analyze.add_argument(
        "video", type=Path, metavar="VIDEO", help="MP4, MOV, WebM, MKV, AVI …, or a JPEG, PNG, WebP, BMP"
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
        "--smooth", type=float, default=0.0, metavar="S", help="smoothing window for --annotated and --export"
    )
    analyze.add_argument("--annotated", action="store_true", help="write annotated.mp4 too, with sound")
    analyze.add_argument(
        "--export", type=_export_kinds, default=[], metavar="KIND,…",
        help="write export.<kind> too, with valence, pose and reasons to doubt: csv, parquet, json, vtt, srt",
    )  # fmt: skip
    analyze.add_argument("--json", action="store_true", help="print analysis.json at the end")
    add_device(analyze)
    analyze.set_defaults(run=_analyze)

    cli_evaluate.add_commands(commands)
    cli_robustness.add_command(commands)
    cli_convert.add_command(commands)
    return parser


def _export_kinds(text: str) -> list[str]:
    """``srt,json`` → the kinds."""
    from fer_core.video.export import KINDS

    kinds = [kind.strip() for kind in text.split(",") if kind.strip()]
    if unknown := [kind for kind in kinds if kind not in KINDS]:
        raise argparse.ArgumentTypeError(f"unknown {', '.join(unknown)}; expected some of {', '.join(KINDS)}")
    return kinds


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
    from fer_core.video.pipeline import Settings, analyze

    settings = Settings(
        detector=args.detector,
        min_face_px=args.min_face,
        per_second=args.per_second,
        mode=args.mode,
        start_s=args.start,
        end_s=args.end,
    )
    stop = Interrupt()
    bar = progress_bar(args.video.name)
    analyze(
        args.video,
        args.out,
        checkpoint=args.checkpoint or DEFAULT_CHECKPOINT,
        settings=settings,
        device=args.device,
        progress=lambda now: show(bar, now.share, f"{now.stage}, {now.faces} faces in {now.frames} frames"),
        should_stop=stop.asked,
    )
    bar.close()
    record = _extras(args, stop)
    if args.json:
        print(json.dumps(record, indent=2, ensure_ascii=False))
    else:
        _tell(record, args.out)
    return 0 if record["complete"] or not stop.asked() else 130


def _extras(args: argparse.Namespace, stop: Interrupt) -> dict[str, Any]:
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
            progress=lambda now: show(bar, now.share, "writing"),
            should_stop=stop.asked,
        )
        bar.close()
    return analysis.record


def _tell(record: dict[str, Any], out: Path) -> None:
    check = record["time_check"]
    print(
        f"{check['frames_analysed']} frames from {check['first_s']:.2f} to {check['last_s']:.2f} s, "
        f"{check['frames_with_faces']} with faces, {check['frames_dropped']} dropped; "
        f"{'variable' if check['variable_rate'] else 'constant'} rate; {record['frames_per_s']:.1f} frames/s"
    )
    for person in record["summary"]["people"]:
        shares = sorted(person["emotion_share"].items(), key=lambda item: -item[1])
        told = ", ".join(f"{emotion} {share:.0%}" for emotion, share in shares[:3])
        print(f"Person {person['track'] + 1}: {person['first_s']:.2f}-{person['last_s']:.2f} s, {told}")
    for message in record["messages"]:
        print(message)
    print(f"Written to {out}")
