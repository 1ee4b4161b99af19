"""Turned and covered faces, for the limits of ``fer_core.video.trust``; all others are in ``benchmarks.doubts``.

    python -m benchmarks.trust_limits --data /path/to/fer2013 [--n 1000] [--clip CLIP --covered START_S END_S]

Accuracy (labels ``ferplus7``) on pictures of public_test by how the head is turned. Then how well covered faces are
told from free ones: drawn covers of a kind that the regression was not fitted on, and, with ``--clip``, a real video
with one face that is covered from START_S to END_S.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from benchmarks.doubts import entropy
from fer_core.data import ferplus_labels, load_fer2013
from fer_core.data.locate import find_dataset
from fer_core.faces import CropGeometry, crop_faces, make_detector
from fer_core.models.classifier import Classifier, load
from fer_core.models.folders import DEFAULT_CHECKPOINT, find_checkpoint
from fer_core.models.reference import Reference, edge_histograms, load_reference
from fer_core.signals import POSE, Seen
from fer_core.video.reader import VideoReader
from fer_core.video.trust import NOSE_HEIGHT, nose_offsets
from training.reference import OCCLUDERS, cover, fit_probe

Pictures = NDArray[np.uint8]
Values = NDArray[np.float32]
BINS = {
    "turn": (0.1, 0.2, 0.3, 0.4, 0.5),
    "nod": (0.05, 0.1, 0.15, 0.2, 0.25, 0.3),
    "yaw": (10, 20, 30, 40, 50),
    "pitch": (10, 20, 30, 40, 50),
    "roll": (5, 10, 15, 20),
}


def show_bins(name: str, values: Values, right: NDArray[np.bool_]) -> None:
    """Pictures and accuracy per bin of ``values`` (n,); NaN is left out."""
    edges = BINS[name]
    bins = np.where(np.isnan(values), -1, np.digitize(values, edges))
    print(f"\n{name:>16}{'n':>7}{'accuracy':>10}")
    for i in range(len(edges) + 1):
        if (chosen := bins == i).any():
            words = f"below {edges[0]}" if i == 0 else f"from {edges[i - 1]}"
            print(f"{words:>16}{chosen.sum():7}{right[chosen].mean():10.1%}")


def landmarks_of(images: Pictures) -> Values:
    """Landmarks (n, 5, 2) in enlarged pictures; NaN where not exactly one face is found."""
    detector, side, border = make_detector("mtcnn", min_face_px=48), 96, 24
    found = np.full((len(images), 5, 2), np.nan, np.float32)
    for i, image in enumerate(images):
        large = cv2.resize(image, (side, side), interpolation=cv2.INTER_CUBIC)
        padded = cv2.copyMakeBorder(large, border, border, border, border, cv2.BORDER_REPLICATE)
        faces = detector.detect([cv2.cvtColor(padded, cv2.COLOR_GRAY2RGB)])[0]
        if len(faces) == 1:
            found[i] = faces.landmarks[0]
    return found


def show_pose(images: Pictures, right: NDArray[np.bool_]) -> None:
    """Accuracy by the size of yaw, pitch and roll in degrees, and by turn and nod, which decided before 0.10."""
    landmarks = landmarks_of(images)
    there = ~np.isnan(landmarks[:, 0, 0])
    angles = np.abs(POSE.of(Seen(landmarks=landmarks))).T
    sizes = dict(zip(("yaw", "pitch", "roll", "turn", "nod"), (*angles, *nose_offsets(landmarks)), strict=True))
    for name, values in sizes.items():
        show_bins(name, values, right)
        spread = ", ".join(f"{value:.2f}" for value in np.percentile(values[there], (50, 90, 95, 99)))
        print(f"percentiles 50, 90, 95, 99 of {there.sum()} faces: {spread}")
    eyes, mouth = landmarks[there, :2].mean(axis=1), landmarks[there, 3:].mean(axis=1)
    down = mouth - eyes
    height = ((landmarks[there, 2] - eyes) * down).sum(axis=1) / np.square(down).sum(axis=1)
    print(f"height of the nose, median: {np.median(height):.3f} (in use: {NOSE_HEIGHT})")


def show_covers(images: Pictures, training: Pictures, reference: Reference, rng: np.random.Generator) -> None:
    """Area under the ROC curve per kind of drawn cover, by a regression fitted without that kind, and as shipped."""
    print(f"\n{'cover':>16}{'left out':>10}{'shipped':>9}")
    for kind in OCCLUDERS:
        weights, bias = fit_probe(training, rng, [name for name in OCCLUDERS if name != kind])
        both = np.concatenate([images, cover(images, rng, [kind])])
        truth = np.repeat([0, 1], len(images))
        unseen = roc_auc_score(truth, edge_histograms(both) @ weights + bias)
        print(f"{kind:>16}{unseen:10.3f}{roc_auc_score(truth, reference.occlusion(both)):9.3f}")


def show_clip(clip: Path, covered_s: tuple[float, float], classifier: Classifier, reference: Reference) -> None:
    """How well each signal tells the covered stretch of a clip from the rest, six frames per second."""
    detector = make_detector("mtcnn")
    with VideoReader(clip) as reader:
        frames = [(frame, detector.detect([frame.image])[0]) for frame in reader.frames(per_second=6)]
    crops = np.concatenate([crop_faces(frame.image, faces, CropGeometry()) for frame, faces in frames])
    times = np.concatenate([np.full(len(faces), frame.time_s) for frame, faces in frames])
    scores = classifier.predict(crops)
    covered = (times > covered_s[0]) & (times < covered_s[1])
    signals: dict[str, NDArray[np.floating]] = {
        "occlusion": reference.occlusion(crops),
        "entropy": entropy(scores.probabilities),
        "distance": reference.distance(scores.features),
        "1 - detection": np.concatenate([1 - faces.scores for _, faces in frames]),
    }
    print(f"\n{'clip':>16}{'AUC':>7}   5, 50, 95 % of {covered.sum()} covered   5, 50, 95 % of {(~covered).sum()} free")
    for name, values in signals.items():
        spread = [" ".join(f"{x:8.3f}" for x in np.percentile(values[s], (5, 50, 95))) for s in (covered, ~covered)]
        print(f"{name:>16}{roc_auc_score(covered, values):7.3f}   {spread[0]}   {spread[1]}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--n", type=int, default=1000)
    parser.add_argument("--checkpoint", default=DEFAULT_CHECKPOINT)
    parser.add_argument("--clip", type=Path)
    parser.add_argument("--covered", nargs=2, type=float, default=(0.0, 0.0), metavar=("START_S", "END_S"))
    args = parser.parse_args()
    data, rng = find_dataset("fer2013", args.data), np.random.default_rng(0)
    classifier, reference = load(args.checkpoint), load_reference(find_checkpoint(args.checkpoint))
    assert reference is not None, "the checkpoint folder has no reference.safetensors"
    faces = load_fer2013(data, "public_test")
    truth = ferplus_labels(faces.votes, "ferplus7")
    chosen = np.flatnonzero(truth >= 0)[: args.n]
    images, truth = faces.images[chosen], truth[chosen]
    scores = classifier.predict(images)
    right = scores.probabilities.argmax(axis=1) == truth
    print(f"{len(images)} pictures, {right.mean():.1%} right")
    show_covers(images, load_fer2013(data, "training").images[:4000], reference, rng)
    if args.clip is not None:
        show_clip(args.clip, tuple(args.covered), classifier, reference)
    show_pose(images, right)


if __name__ == "__main__":
    main()
