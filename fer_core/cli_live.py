"""The command ``live``: a camera in, one line for every frame that was answered."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fer_core.cli_parts import Interrupt, add_device, progress_bar, show
from fer_core.emotions import HALFWAY, PRIORS
from fer_core.faces.detectors import DEFAULT_DETECTOR, DETECTORS

if TYPE_CHECKING:
    from fer_core.live.live_view import LiveFrame
    from fer_core.live.recording import Recording
    from fer_core.video.reader import Frame

_MANUAL = """\
Look through a camera, and print one line of JSON for every frame that is answered: time_s, and faces with track (from
0), box (left, top, right, bottom in px), emotion, group, confidence, p_<emotion>, valence, and reasons not to trust
it. A file is read at the pace at which a camera would have given it. A machine that is too slow answers fewer frames,
and none later. Nothing is stored without --out. Ctrl-C ends it.
"""


def add_command(commands: Any) -> None:
    """Add ``live`` to the subcommands."""
    form: Any = argparse.RawDescriptionHelpFormatter
    live = commands.add_parser(
        "live", help="camera → emotions while it runs", description=_MANUAL, formatter_class=form
    )
    live.add_argument("file", type=Path, nargs="?", metavar="FILE", help="a video instead of a camera")
    live.add_argument("--camera", type=int, default=0, metavar="N", help="number of the camera (default: %(default)s)")
    live.add_argument("--seconds", type=float, metavar="N", help="stop after so long (default: at Ctrl-C)")
    live.add_argument("--checkpoint", metavar="NAME", help="name of a checkpoint or a folder (default: the FER+ one)")
    live.add_argument(
        "--detector", default=DEFAULT_DETECTOR, choices=DETECTORS, help="face detector (default: %(default)s)"
    )
    live.add_argument(
        "--prior", default=HALFWAY, choices=PRIORS,
        help="how common each emotion is taken to be (default: %(default)s)",
    )  # fmt: skip
    live.add_argument(
        "--out", type=Path, metavar="DIR",
        help="record the frames, also those that were not answered, and analyse them at the end: a folder as of "
        "analyze, with the video in it; new or empty",
    )  # fmt: skip
    add_device(live)
    live.set_defaults(run=_live)


def _live(args: argparse.Namespace) -> int:
    with ExitStack() as opened:
        frames, name = _source(args, opened)  # first of all, so that nobody waits to hear that it is not there
        return _look(args, frames, name)


def _look(args: argparse.Namespace, frames: Iterator[Frame], name: str) -> int:
    from fer_core.quick_start import import_torchvision

    import_torchvision()
    from fer_core.faces import make_detector
    from fer_core.live.camera import newest
    from fer_core.live.live_view import LiveView
    from fer_core.live.recording import Recording
    from fer_core.models.classifier import load
    from fer_core.models.folders import DEFAULT_CHECKPOINT
    from fer_core.signals.emotion import EmotionScores
    from fer_core.video.modes import Settings

    classifier = load(args.checkpoint or DEFAULT_CHECKPOINT, device=args.device)
    detector = make_detector(args.detector, device=str(classifier.device))
    view = LiveView(detector, EmotionScores.of_checkpoint(classifier), prior=args.prior)
    view.warm_up()
    stop = Interrupt()
    with (
        nullcontext() if args.out is None else Recording(args.out) as recording,
        closing(newest(_taken(frames, args.seconds, stop, recording))) as newest_ones,
    ):
        for frame in newest_ones:
            print(_line(view.see(frame.image, frame.time_s)), flush=True)
    if recording is not None:
        bar = progress_bar(name)
        recording.analyze(
            name, classifier, Settings(detector=args.detector, prior=args.prior),
            progress=lambda now: show(bar, now.share, f"{now.stage}, {now.faces} faces in {now.frames} frames"),
        )  # fmt: skip
        bar.close()
        print(f"Written to {args.out}", file=sys.stderr)
    return 0


def _source(args: argparse.Namespace, opened: ExitStack) -> tuple[Iterator[Frame], str]:
    """Frames, and what they are called."""
    from fer_core.live.camera import Camera, paced_frames
    from fer_core.video.reader import VideoReader

    if args.file is None:
        began = time.strftime("%Y-%m-%d %H.%M.%S")
        camera = opened.enter_context(Camera(args.camera))
        return camera.frames(), f"camera {args.camera} {began}.mp4"
    reader = opened.enter_context(VideoReader(args.file))
    return paced_frames(reader), reader.name


def _taken(
    frames: Iterator[Frame], seconds: float | None, stop: Interrupt, recording: Recording | None
) -> Iterator[Frame]:
    """The frames up to the end that was asked for, recorded where that was."""
    for frame in frames:
        if stop.asked() or (seconds is not None and frame.time_s >= seconds):
            return
        if recording is not None:
            recording.add(frame)
        yield frame


def _line(seen: LiveFrame) -> str:
    faces = [
        {name: value for name, value in face.items() if name != "p"}
        | {f"p_{label}": value for label, value in face["p"].items()}
        for face in seen.plain()
    ]
    return json.dumps({"time_s": round(seen.time_s, 6), "faces": faces})
