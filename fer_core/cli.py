"""The command line: ``python -m fer_core analyze`` and ``evaluate``."""

from __future__ import annotations

import argparse
import json
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import Any

from tqdm import tqdm

import fer_core
from fer_core.errors import Cancelled, FerError
from fer_core.faces.detectors import DEFAULT_DETECTOR, DETECTORS

_MANUAL = """\
Facial expressions from videos and pictures: who shows which of seven expressions, when, and how certain that is.
What is measured is the expression of a face, not what a person feels.
"""
_ANALYZE = """\
Analyse a video or picture and write the result into a folder:

  DIR/timeline.csv, .parquet   one row per face and frame; a frame without a face is a row too, with track -1.
                               frame, time_s (the stream's own time in seconds), track (person), x0 y0 x1 y1 (box in
                               pixels), detection (0-1), five landmarks, p_angry ... p_neutral (calibrated
                               probabilities), distance (from the training pictures; above 1 is unusual), occlusion
                               (probability that the face is covered), emotion, group (negative, neutral, positive)
  DIR/analysis.json            settings, checkpoint, time check (frames dropped, variable rate), summary per person
  DIR/faces.parquet, scores/, features.parquet, crops/   the same in parts, scores of every model, features and a
                               picture of every person

Stop with Ctrl-C: what was analysed until then is kept and marked as incomplete.

detectors:
"""
_ANALYZE_EXAMPLES = """\
examples:
  python -m fer_core analyze talk.mp4 --out results/talk
  python -m fer_core analyze talk.mp4 --out results/talk --per-second 5 --start 60 --end 120 --min-face 60
  python -m fer_core analyze talk.mp4 --out results/talk --annotated --vtt --smooth 0.5
  python -m fer_core analyze talk.mp4 --out both --checkpoint mobilenetv2-ferplus --checkpoint mobilenetv2-fer2013
"""
_EVALUATE = """\
Run a checkpoint over a split of a data set and report its figures. The network runs from its weights.

data sets, told by what the folder holds:
  one folder per emotion, also below train/, val/ or test/; or, as their authors or Kaggle give them out, FER2013
  (parquet tables, csv, folders), AffectNet, RAF-DB, KDEF (from the front) and CK+ (last frames). In photos, as KDEF and
  CK+ have them, the largest face is found and cut out.
label sets:
  the data set's own  the default; called as the data set is, for example fer2013
  ferplus7            FER+ votes: the top of the seven emotions beats every other option; ties are dropped
  ferplus8_majority   FER+ votes: more than half for one of eight emotions
  ferplus8_argmax     FER+ votes: the most votes among eight emotions and unknown
test-time augmentation:
  none                the picture as it is
  flip                mean with its mirror image
  tencrop             mean of four corners and the middle, each with its mirror image
figures:
  accuracy, macro_recall (mean over classes), worst_recall, groups_macro_recall (three groups), ece (expected
  calibration error, 15 equal bins), nll, brier; all 0-1 but nll (nats) and brier (0-2)
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
        description=_ANALYZE + _detectors(),
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
    analyze.add_argument(
        "--per-second", type=float, metavar="N", help="frames analysed per second (default: every frame)"
    )
    analyze.add_argument("--start", type=float, default=0.0, metavar="S", help="start of the clip range in seconds")
    analyze.add_argument("--end", type=float, metavar="S", help="end of the clip range in seconds")
    analyze.add_argument(
        "--smooth", type=float, default=0.0, metavar="S", help="smoothing window for --annotated and --vtt"
    )
    analyze.add_argument("--annotated", action="store_true", help="write annotated.mp4 too, with sound")
    analyze.add_argument("--vtt", action="store_true", help="write timeline.vtt (WebVTT subtitles) too")
    analyze.add_argument("--json", action="store_true", help="print analysis.json at the end")
    _device(analyze)
    analyze.set_defaults(run=_analyze)

    evaluate = commands.add_parser(
        "evaluate", help="checkpoint → figures on a data set", description=_EVALUATE, formatter_class=form
    )
    evaluate.add_argument("checkpoint", metavar="CHECKPOINT", help="name of a shipped checkpoint, or a folder")
    evaluate.add_argument(
        "--data", type=Path, metavar="PATH", help="folder of the data set (default: $FER_DATA/fer2013)"
    )
    evaluate.add_argument("--split", help="default: private_test, test, val or all, whichever is there first")
    evaluate.add_argument("--labels", help="label set, see above (default: the data set's own)")
    evaluate.add_argument("--tta", default="none", help="test-time augmentation, see above (default: %(default)s)")
    evaluate.add_argument(
        "--table", type=Path, metavar="FILE.parquet", help="write the answers to every picture too, as pages read them"
    )
    evaluate.add_argument("--skip-unreadable", action="store_true", help="leave out pictures that cannot be read")
    evaluate.add_argument("--find-faces", action="store_true", help="look for the face although pictures may be cut")
    evaluate.add_argument("--json", action="store_true", help="print one JSON object and nothing else")
    _device(evaluate)
    evaluate.set_defaults(run=_evaluate)
    return parser


def _detectors() -> str:
    """A line for every face detector: what it is good for, and whether it lacks something."""
    return "".join(
        f"  {kind.name:24}{kind.note}{'; its weights are not there yet' if kind.missing else ''}\n"
        for kind in DETECTORS.values()
    )


def _device(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or mps (default: %(default)s)")


def _analyze(args: argparse.Namespace) -> int:
    from fer_core.models.folders import DEFAULT_CHECKPOINT
    from fer_core.video.pipeline import Settings, analyze

    settings = Settings(
        detector=args.detector,
        min_face_px=args.min_face,
        per_second=args.per_second,
        start_s=args.start,
        end_s=args.end,
    )
    stop = _Interrupt()
    bar = _bar(args.video.name)
    analyze(
        args.video,
        args.out,
        checkpoint=args.checkpoint or DEFAULT_CHECKPOINT,
        settings=settings,
        device=args.device,
        progress=lambda now: _show(bar, now.share, f"{now.stage}, {now.faces} faces in {now.frames} frames"),
        should_stop=stop.asked,
    )
    bar.close()
    record = _extras(args, stop)
    if args.json:
        print(json.dumps(record, indent=2, ensure_ascii=False))
    else:
        _tell(record, args.out)
    return 0 if record["complete"] or not stop.asked() else 130


def _extras(args: argparse.Namespace, stop: _Interrupt) -> dict[str, Any]:
    from fer_core.video.annotate import annotate_video
    from fer_core.video.export import export
    from fer_core.video.store import open_analysis
    from fer_core.video.view import Lens, view

    analysis = open_analysis(args.out)
    if args.vtt:
        (args.out / "timeline.vtt").write_bytes(export(analysis, "vtt", Lens(args.smooth)))
    if args.annotated and not stop.asked():
        bar = _bar("annotated.mp4")
        annotate_video(
            args.video,
            view(analysis, Lens(args.smooth)),
            args.out / "annotated.mp4",
            progress=lambda share: _show(bar, share, "writing"),
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


def _evaluate(args: argparse.Namespace) -> int:
    from fer_core.data import open_dataset
    from fer_core.data.locate import find_dataset
    from fer_core.evaluation.run import check_labels, check_table_path, evaluate_faces, figures_of, write_table
    from fer_core.models.classifier import load

    if args.table:
        check_table_path(args.table, args.tta)
    classifier = load(args.checkpoint, device=args.device)
    data = open_dataset(find_dataset("fer2013", args.data))
    faces = data.read(args.split or data.default_split)
    labels = check_labels(faces, args.labels)
    stop, bar = _Interrupt(), _bar("evaluating", hidden=args.json)
    table = evaluate_faces(
        classifier,
        faces,
        tta=args.tta,
        progress=lambda done, total: _show(bar, done / total, f"{done} of {total} images"),
        should_stop=stop.asked,
        skip_unreadable=args.skip_unreadable,
        find_faces=args.find_faces or None,
    )
    bar.close()
    if args.table:
        write_table(table, args.table)
    for message in [*table.attrs.get("unreadable", ()), *(f"{n} left out: {why}" for why, n in faces.left_out.items())]:
        print(message, file=sys.stderr)
    _tell_figures({"checkpoint": classifier.name, **figures_of(table, faces, labels, args.tta)}, as_json=args.json)
    return 0


def _tell_figures(figures: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(figures))
        return
    for name, value in figures.items():
        print(f"{name:20} {value:.4f}" if isinstance(value, float) else f"{name:20} {value}")


def _bar(title: str, *, hidden: bool = False) -> tqdm:
    """A progress bar in per cent on the error stream; silent where that is no terminal."""
    form = "{desc} {percentage:3.0f}% |{bar:30}| {postfix}, {remaining} left"
    return tqdm(desc=title[:24], total=100, bar_format=form, disable=True if hidden else None, leave=False)


def _show(bar: tqdm, share: float, text: str) -> None:
    bar.n = round(100 * share, 1)
    bar.set_postfix_str(text)


class _Interrupt:
    """Turns the first Ctrl-C into a polite request; a second one kills."""

    def __init__(self) -> None:
        self._asked = False
        signal.signal(signal.SIGINT, self._on_signal)

    def asked(self) -> bool:
        return self._asked

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self._asked = True
        signal.signal(signal.SIGINT, signal.default_int_handler)
