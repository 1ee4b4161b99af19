"""What a wrong crop costs: the same faces of one clip, cut with other margins.

    python -m benchmarks.crop_margin CLIP --span 1.0 5.7 negative --span 10.7 19.6 positive

Prints, per margin, the share of frames of each span whose group is the expected one (faceless frames count against).
Detection runs once; only the crops change.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from fer_core.emotions import GROUPS, group_indices
from fer_core.faces import CropGeometry, Faces, crop_faces, make_detector
from fer_core.models.classifier import load
from fer_core.models.folders import DEFAULT_CHECKPOINT
from fer_core.video.reader import RGB, VideoReader

MARGINS = (0.7, 0.8, 0.9, 1.0, 1.1, 1.2, 1.3, 1.4, 1.6, 2.0)


def best_faces(path: Path, start_s: float, end_s: float) -> list[tuple[RGB, Faces]]:
    """Every frame of the span with its most certain face (or none)."""
    detector = make_detector("mtcnn")
    with VideoReader(path) as reader:
        frames = [frame.image for frame in reader.frames(start_s=start_s, end_s=end_s)]
    found = [detector.detect([image])[0] for image in frames]
    return [(image, faces[np.arange(min(len(faces), 1))]) for image, faces in zip(frames, found, strict=True)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clip", type=Path)
    parser.add_argument("--span", nargs=3, action="append", required=True, metavar=("START_S", "END_S", "GROUP"))
    parser.add_argument("--checkpoint", default=DEFAULT_CHECKPOINT)
    args = parser.parse_args()
    classifier = load(args.checkpoint)
    to_group = group_indices(classifier.labels)
    spans = [(best_faces(args.clip, float(start), float(end)), group) for start, end, group in args.span]
    print("margin  " + "  ".join(f"{group:>10}" for _, group in spans))
    for margin in MARGINS:
        geometry = CropGeometry(classifier.card.crop.size, margin)
        shares = []
        for faces, group in spans:
            crops = np.concatenate([crop_faces(image, found, geometry) for image, found in faces])
            right = to_group[classifier.predict(crops).probabilities.argmax(axis=1)] == GROUPS.index(group)
            shares.append(right.sum() / len(faces))
        print(f"{margin:6.1f}  " + "  ".join(f"{share:10.1%}" for share in shares))


if __name__ == "__main__":
    main()
