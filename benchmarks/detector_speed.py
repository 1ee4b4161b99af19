"""Measure what the face detectors cost on frames of a video: seconds of one CPU core per frame.

    python -m benchmarks.detector_speed sad_to_happy.mp4 [--per-second 0.5] [--json]

Frames go one by one, and the first one does not count. RetinaFace runs with random weights, which cost the same.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import cv2
import torch

from fer_core.faces import Detector, make_detector
from fer_core.faces.retinaface import BACKBONES, RetinaFace, RetinaFaceDetector
from fer_core.video.reader import RGB, VideoReader


def seconds_per_frame(detector: Detector, frames: list[RGB]) -> float:
    """Mean over all but the first of ``frames``."""
    detector.detect(frames[:1])
    started = time.process_time()
    for frame in frames[1:]:
        detector.detect([frame])
    return (time.process_time() - started) / (len(frames) - 1)


def detectors() -> list[Detector]:
    torch.manual_seed(0)
    found = [make_detector(name) for name in ("mtcnn", "haar")]
    return found + [RetinaFaceDetector(RetinaFace(name), min_score=1.0) for name in BACKBONES]


def main(argv: list[str] | None = None) -> int:
    """Command line; see the module's docstring."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("video", type=Path)
    parser.add_argument("--per-second", type=float, default=0.5)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args(argv)
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    with VideoReader(args.video) as reader:
        frames = [frame.image for frame in reader.frames(per_second=args.per_second)]
    values = {each.name: round(seconds_per_frame(each, frames), 4) for each in detectors()}
    print(json.dumps(values) if args.json else "\n".join(f"{name:26}{value} s" for name, value in values.items()))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
