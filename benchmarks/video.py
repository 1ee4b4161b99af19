"""How fast a video is analysed, against a plain loop over the same frames, and what the fast way costs in quality.

    python -m benchmarks.video [CLIP …] [--rounds 5] [--checkpoint NAME] [--json]

Without clips: the generated 1080p clip of ``benchmarks.street``, and the real ones in ``FER_DATA`` where there are.

The plain loop is what one writes first: OpenCV reads, facenet-pytorch's MTCNN (its defaults: smallest face 20 px,
``keep_all``) finds, torchvision's MobileNetV2 at 224 px scores, one frame at a time on all cores. Ours is the whole
command, with tracking and every table written; the networks are loaded before. All take turns in one run, and the
median of the rounds counts. The plain loop is timed on stretches spread over the clip, decoding included. For each
clip:

* ``plain_fps``, ``exact_fps``, ``fast_fps``, ``preview_fps``: frames of the clip per second; ``ratio_…`` of ours to
  the plain loop with our default smallest face, ``ratio_…_equal`` with the plain loop's ``min_face_px``;
* ``fer_fps``: the ``fer`` package with MTCNN, where it is installed;
* ``recall_iou50``, ``mean_iou``, ``same_emotion``: faces of *exact* that *fast* found again at an IoU of 0.5 or more,
  how well the boxes agree, and for how many the likeliest emotion is the same; ``precision_iou50``: faces of *fast*
  that are also in *exact*;
* ``parity_iou90``: faces of facenet-pytorch with a score of 0.9 or more that *exact*'s detector finds at an IoU of 0.9
  or more, both from 20 px;
* ``peak_mb``: largest resident memory of a process of its own that analyses the clip by *fast*;
* ``stages``: core-milliseconds a frame of *fast*.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from unittest.mock import patch

import cv2
import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from benchmarks.street import write
from fer_core.faces import make_detector
from fer_core.faces.mtcnn import MtcnnDetector
from fer_core.faces.tracking import Tracker, iou_matrix
from fer_core.models.classifier import Classifier, load
from fer_core.models.folders import DEFAULT_CHECKPOINT
from fer_core.signals.quality import Quality
from fer_core.video import parts, reader
from fer_core.video.pipeline import Settings, analyze
from fer_core.video.reader import VideoReader
from fer_core.video.run import Run
from fer_core.video.store import open_analysis

RGB = NDArray[np.uint8]
PLAIN_MIN_FACE_PX = 20
STRETCHES, STRETCH = 5, 12
SURE = 0.9
BOX = ["x0", "y0", "x1", "y1"]


def street() -> Path:
    """The generated clip, made once."""
    path = Path(tempfile.gettempdir()) / "fer-workbench-street.mp4"
    return path if path.is_file() else write(path)


def clips() -> list[Path]:
    """The generated clip, and the real ones that are here."""
    videos = Path(os.environ.get("FER_DATA", "")) / "videos"
    return [street(), *sorted(videos.glob("sad_to_happy.mp4"))]


class PlainLoop:
    """What one writes first."""

    def __init__(self) -> None:
        from facenet_pytorch import MTCNN
        from torchvision.models import mobilenet_v2

        self.detector = MTCNN(keep_all=True, device="cpu")
        self.network = mobilenet_v2(num_classes=7).eval()

    @torch.inference_mode()
    def frame(self, image: RGB) -> None:
        """Find and score the faces of one frame."""
        boxes, _ = self.detector.detect(image)
        crops = []
        for box in boxes if boxes is not None else ():
            x0, y0, x1, y1 = (max(round(float(each)), 0) for each in box)
            if (part := image[y0:y1, x0:x1]).size:
                crops.append(cv2.resize(part, (224, 224)))
        if crops:
            x = torch.from_numpy(np.stack(crops)).permute(0, 3, 1, 2).float().div(255)
            self.network(x).softmax(dim=1)


class FerPackage:
    """The ``fer`` package with MTCNN."""

    def __init__(self) -> None:
        from fer.fer import FER

        self.detector = FER(mtcnn=True)

    def frame(self, image: RGB) -> None:
        """Find and score the faces of one frame."""
        self.detector.detect_emotions(image)


def frames_per_second(each: Callable[[RGB], None], clip: Path, n_frames: int) -> float:
    """Frames per second of a loop, on stretches spread over the clip, decoding included."""
    starts = np.linspace(0, max(n_frames - STRETCH, 0), STRETCHES).astype(int)
    timed = {i for start in starts.tolist() for i in range(start, start + STRETCH)}
    video, spent, done = cv2.VideoCapture(str(clip)), 0.0, 0
    for i in range(n_frames):
        started = time.perf_counter()
        is_there, picture = video.read()
        if not is_there:
            break
        if i in timed:
            each(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB))
            spent, done = spent + time.perf_counter() - started, done + 1
    video.release()
    return done / spent


def analysed(clip: Path, classifier: Classifier, settings: Settings) -> tuple[pd.DataFrame, float]:
    """Timeline and frames per second of one analysis."""
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        analyze(clip, Path(folder) / "a", checkpoint=classifier, settings=settings)
        seconds = time.perf_counter() - started
        found = open_analysis(Path(folder) / "a")
        return found.timeline(), found.record["time_check"]["frames_decoded"] / seconds


def agreement(exact: pd.DataFrame, fast: pd.DataFrame) -> dict[str, float]:
    """``recall_iou50``, ``precision_iou50``, ``mean_iou`` and ``same_emotion`` of two timelines of the same frames.

    Each in 0-1; a face counts as found again by one other at most.
    """
    from scipy.optimize import linear_sum_assignment

    found, same, total = [], 0, 0
    others = dict(list(fast[fast["track"] >= 0].groupby("frame")))
    for frame, rows in exact[exact["track"] >= 0].groupby("frame"):
        total += len(rows)
        if frame not in others:
            continue
        overlap = iou_matrix(rows[BOX].to_numpy(np.float32), others[frame][BOX].to_numpy(np.float32))
        for i, j in zip(*linear_sum_assignment(-overlap), strict=True):
            if overlap[i, j] >= 0.5:
                found.append(float(overlap[i, j]))
                same += rows["emotion"].iloc[i] == others[frame]["emotion"].iloc[j]
    if not found:
        return {"recall_iou50": 0.0, "precision_iou50": 0.0, "mean_iou": 0.0, "same_emotion": 0.0}
    rates = {
        "recall_iou50": len(found) / total,
        "precision_iou50": len(found) / int((fast["track"] >= 0).sum()),
        "mean_iou": float(np.mean(found)),
        "same_emotion": same / len(found),
    }
    return {name: round(value, 4) for name, value in rates.items()}


def parity(clip: Path, n_frames: int) -> float:
    """Share of the library's sure faces that our own detector has at an IoU of 0.9, in frames spread over the clip."""
    from facenet_pytorch import MTCNN

    theirs, ours = MTCNN(keep_all=True, device="cpu"), make_detector("mtcnn", min_face_px=PLAIN_MIN_FACE_PX)
    chosen = set(np.linspace(0, n_frames - 1, STRETCHES * 6).astype(int).tolist())
    shared = total = 0
    with VideoReader(clip) as video:
        for frame in video.frames():
            if frame.index not in chosen:
                continue
            boxes, scores = theirs.detect(frame.image)
            if boxes is None:
                continue
            sure = np.asarray(boxes, np.float32)[np.asarray(scores, np.float32) >= SURE]
            sure = sure[(sure[:, 2:] - sure[:, :2]).min(axis=1) >= PLAIN_MIN_FACE_PX]
            overlap = iou_matrix(sure, ours.detect([frame.image])[0].boxes)
            total += len(sure)
            shared += int((overlap.max(axis=1, initial=0.0) >= 0.9).sum())
    return round(shared / total, 4) if total else 1.0


_TELL_PEAK = (  # on Linux a process inherits the resource usage that its parent had reached
    "import resource; print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss);"
    if sys.platform == "darwin"
    else "print(1024 * int(open('/proc/self/status').read().split('VmHWM:')[1].split()[0]));"
)


def command(clip: Path, *options: str) -> tuple[float, int]:
    """Wall seconds and largest resident memory in MB of ``python -m fer_core analyze`` in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        code = "import sys; from fer_core.cli import main; rc = main(sys.argv[1:]);" + _TELL_PEAK + "sys.exit(rc)"
        asked = ["analyze", str(clip), "--out", f"{folder}/a", "--device", "cpu", *options]
        started = time.perf_counter()
        done = subprocess.run([sys.executable, "-c", code, *asked], capture_output=True, text=True, check=True)
        return time.perf_counter() - started, round(int(done.stdout.split()[-1]) / 1e6)


# stages

STAGES = {
    "detect": (MtcnnDetector, "detect"),
    "refine": (MtcnnDetector, "refine"),
    "glance": (MtcnnDetector, "glance"),
    "find cuts": (reader, "scene_look"),
    "track": (Tracker, "update"),
    "crop": (parts, "crop_faces"),
    "qualities": (Quality, "of"),
    "score": (Classifier, "predict"),
    "write": (parts.PartWriter, "_write_part"),
    "keep": (Run, "_keep_state"),
}


@contextmanager
def watched() -> Iterator[dict[str, float]]:
    """Core-seconds spent in each of ``STAGES`` while this is open, without those of a stage within it."""
    spent: defaultdict[str, float] = defaultdict(float)
    here, lock = threading.local(), threading.Lock()

    def timed(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def run(*args: Any, **more: Any) -> Any:
            outer, here.within = getattr(here, "within", 0.0), 0.0
            started = time.thread_time()
            try:
                return function(*args, **more)
            finally:
                took = time.thread_time() - started
                with lock:
                    spent[name] += took - here.within
                here.within = outer + took

        return run

    with ExitStack() as stack:
        for name, (owner, attribute) in STAGES.items():
            stack.enter_context(patch.object(owner, attribute, timed(name, getattr(owner, attribute))))
        yield spent


def stages(clip: Path, classifier: Classifier, settings: Settings, n_frames: int) -> dict[str, float]:
    """Core-milliseconds a frame, by stage; ``decode`` is measured alone, ``all`` is the whole process."""
    with VideoReader(clip) as video:
        started = time.process_time()
        for _ in video.frames():
            pass
        decoding = time.process_time() - started
    with watched() as spent:
        started = time.process_time()
        analysed(clip, classifier, settings)
        whole = time.process_time() - started
    found = {"decode": decoding, **{name: spent[name] for name in STAGES}, "all": whole}
    return {name: round(1000 * seconds / n_frames, 2) for name, seconds in found.items()}


def measure(clip: Path, checkpoint: str, rounds: int) -> dict[str, Any]:
    """Everything about one clip; see the module's docstring."""
    classifier = load(checkpoint, device="cpu")
    with VideoReader(clip) as video:
        n_frames = sum(1 for _ in video.frames())
        size = f"{video.info.width}x{video.info.height}"
    loops: dict[str, Callable[[RGB], None]] = {"plain": PlainLoop().frame}
    if find_spec("fer") is not None:
        loops["fer"] = FerPackage().frame
    wanted = {
        "exact": Settings(mode="exact"),
        "fast": Settings(mode="fast"),
        "preview": Settings(mode="preview"),
        "exact_equal": Settings(mode="exact", min_face_px=PLAIN_MIN_FACE_PX),
        "fast_equal": Settings(mode="fast", min_face_px=PLAIN_MIN_FACE_PX),
    }
    speed: defaultdict[str, list[float]] = defaultdict(list)
    timelines: dict[str, pd.DataFrame] = {}
    for _ in range(rounds):
        for name, each in loops.items():
            speed[name].append(frames_per_second(each, clip, n_frames))
        for name, settings in wanted.items():
            timelines[name], found = analysed(clip, classifier, settings)
            speed[name].append(found)
    fps = {name: float(np.median(values)) for name, values in speed.items()}
    faces = int((timelines["exact"]["track"] >= 0).sum())
    return {
        "clip": clip.name,
        "size": size,
        "frames": n_frames,
        "faces_per_frame": round(faces / n_frames, 2),
        **{f"{name}_fps": round(value, 2) for name, value in fps.items()},
        **{f"ratio_{name}": round(fps[name] / fps["plain"], 2) for name in wanted},
        **agreement(timelines["exact"], timelines["fast"]),
        "min_face_px": PLAIN_MIN_FACE_PX,
        "parity_iou90": parity(clip, n_frames),
        "peak_mb": command(clip, "--checkpoint", checkpoint)[1],
        "stages": stages(clip, classifier, wanted["fast"], n_frames),
    }


def told(rows: list[dict[str, Any]]) -> str:
    """The results as tables in Markdown, dated, with the machine."""
    names = [
        "plain_fps", "fer_fps", "exact_fps", "fast_fps", "preview_fps", "ratio_exact", "ratio_fast",
        "ratio_exact_equal", "ratio_fast_equal", "recall_iou50", "precision_iou50", "mean_iou", "same_emotion",
        "parity_iou90", "peak_mb",
    ]  # fmt: skip
    lines = [f"{datetime.now(UTC):%Y-%m-%d}, {machine()}:", ""]
    heads = [f"`{each['clip']}`, {each['size']}, {each['faces_per_frame']:g} faces a frame" for each in rows]
    lines += [f"| | {' | '.join(heads)} |", "| --- |" + " --- |" * len(rows)]
    for name in names:
        if name in rows[0]:
            lines.append(f"| `{name}` | {' | '.join(f'{each[name]:g}' for each in rows)} |")
    lines += ["", "Core-milliseconds a frame of *fast*:", ""]
    lines += [f"| stage | {' | '.join(each['clip'] for each in rows)} |", "| --- |" + " --- |" * len(rows)]
    lines += [f"| {name} | {' | '.join(str(each['stages'][name]) for each in rows)} |" for name in rows[0]["stages"]]
    return "\n".join(lines)


def machine() -> str:
    """What the figures were measured on."""
    names = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").is_file() else []
    model = next((line.split(":")[1].strip() for line in names if line.startswith("model name")), platform.machine())
    return f"{os.cpu_count()} cores ({model}), torch {torch.__version__.split('+')[0]}, no GPU"


def main(argv: list[str] | None = None) -> int:
    """Command line; see the module's docstring."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clips", nargs="*", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--checkpoint", default=DEFAULT_CHECKPOINT)
    parser.add_argument("--json", action="store_true", help="print a list with one entry for each clip")
    args = parser.parse_args(argv)
    rows = [measure(clip, args.checkpoint, args.rounds) for clip in args.clips or clips()]
    print(json.dumps(rows, indent=2) if args.json else told(rows))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
