"""What a second model costs: ``python -m benchmarks.second_model CLIP…``.

Every clip is analysed with one and with two models, in turn, three times, every frame, with detection on every frame;
the best time of each counts. Decoding, detection, tracking and equal crops are done once for both models.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

import torch

from fer_core.models.classifier import Classifier, load
from fer_core.video.pipeline import Settings, analyze

MODELS = ("mobilenetv2-ferplus", "mobilenetv2-fer2013")
ROUNDS = 3


def seconds(clip: Path, models: list[Classifier]) -> float:
    """How long an analysis takes."""
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        analyze(clip, Path(folder) / "a", checkpoint=models, settings=Settings(mode="exact"))
        return time.perf_counter() - start


def main(clips: list[Path]) -> None:
    models = [load(name) for name in MODELS]
    print(f"{torch.get_num_threads()} threads, torch {torch.__version__.split('+')[0]}, best of {ROUNDS}")
    for clip in clips:
        rounds = [(seconds(clip, models[:1]), seconds(clip, models)) for _ in range(ROUNDS)]
        one, two = (min(times) for times in zip(*rounds, strict=True))
        print(f"{clip.name:32} one {one:6.2f} s, two {two:6.2f} s, {100 * (two / one - 1):+.1f} %")


if __name__ == "__main__":
    main([Path(argument) for argument in sys.argv[1:]] or [Path("dashboard/sample/sample.mp4")])
