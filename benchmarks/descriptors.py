"""Descriptors of faces: how far faces of one person and of two are apart, how chips are aligned, what it all costs.

    python -m benchmarks.descriptors distances [--data DIR]
    python -m benchmarks.descriptors places [--data DIR]
    python -m benchmarks.descriptors describe
    python -m benchmarks.descriptors cost [CLIP] [--rounds 3]

``distances``: the 29 people of a group photograph of 1927, every two of them; those, five of another photograph and one
of each clip; and the faces of one person over the time of a clip: the bundled sample, whose expression a script
changes, and two real clips. By our chips and by those that dlib's own five points align.

``places``: where our landmarks lie, as shares of the side, in the chips that dlib cuts by its own points.

``describe``: processor time in ms that a face takes on one core, by ours in batches and by dlib, how far their numbers
are apart, and how long ours takes to load.

``cost``: a clip, by default a minute of ``benchmarks.street`` (1080p, five faces, a cut), analysed without and with
descriptors in turn; the share of the analysis's time that describing takes.
"""

from __future__ import annotations

import argparse
import itertools
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks import street
from dashboard.sample.make import SAMPLE
from fer_core.data.drawn.faces import draw_face
from fer_core.faces import cut_squares, fitted_squares, make_detector
from fer_core.faces.identity.describers import dlib_weights, make_describer
from fer_core.models.classifier import load
from fer_core.models.folders import DEFAULT_CHECKPOINT
from fer_core.video.pipeline import Settings, analyze
from fer_core.video.reader import VideoReader
from fer_core.video.store import open_analysis

if TYPE_CHECKING:
    import dlib

GROUPS = "trials/solvay1927.jpg", "videos/multi_face.jpg"
CLIPS = {
    "sample": (SAMPLE, 2.0),
    "smile": ("videos/face_then_none_vfr_hevc.mov", 0.5),
    "sad": ("videos/sad_to_happy.mp4", 2.0),
}
"""Clips of one person, and seconds between two looks."""
PADDING = 0.25
RGB = NDArray[np.uint8]


class Face(NamedTuple):
    """A face in its picture: landmarks (5, 2), box (4,)."""

    image: RGB
    landmarks: NDArray[np.float32]
    box: NDArray[np.float32]


def group(path: Path) -> list[Face]:
    """Everybody in a photograph."""
    with VideoReader(path) as reader:
        image = next(iter(reader.frames())).image
    faces = make_detector("mtcnn").detect([image])[0]
    return [Face(image, faces.landmarks[i], faces.boxes[i]) for i in range(len(faces))]


def over_time(path: Path, step_s: float) -> list[Face]:
    """The surest face of a frame every so many seconds."""
    detector, found = make_detector("mtcnn"), []
    with VideoReader(path) as reader:
        for frame in reader.frames(per_second=1 / step_s):
            faces = detector.detect([frame.image])[0]
            found += [Face(frame.image, faces.landmarks[0], faces.boxes[0])] if len(faces) else []
    return found


def our_chips(faces: list[Face]) -> RGB:
    """Cut by our landmarks."""
    describer = make_describer()
    squares = fitted_squares(np.stack([face.landmarks for face in faces]), describer.places)
    cut = [cut_squares(face.image, squares[i : i + 1], describer.size)[0] for i, face in enumerate(faces)]
    return np.stack(cut)


def dlib_chips(faces: list[Face]) -> RGB:
    """Cut by dlib's own points."""
    import dlib

    return np.stack([dlib.get_face_chip(face.image, _points(face), make_describer().size, PADDING) for face in faces])


def _points(face: Face) -> dlib.full_object_detection:
    import dlib

    weights = dlib_weights()
    assert weights is not None
    predictor = dlib.shape_predictor(str(weights.with_name("shape_predictor_5_face_landmarks.dat")))
    middle, side = (face.box[:2] + face.box[2:]) / 2, float((face.box[2:] - face.box[:2]).max())
    low, high = middle - side * np.array([0.475, 0.4]), middle + side * np.array([0.475, 0.55])
    return predictor(face.image, dlib.rectangle(*(int(value) for value in (*low, *high))))


def between(vectors: NDArray[np.float32]) -> NDArray[np.float64]:
    """Distances of every two."""
    return np.array([np.linalg.norm(a - b) for a, b in itertools.combinations(vectors.astype(np.float64), 2)])


def distances(data: Path) -> Iterator[str]:
    """A line for every group of faces and way to cut them."""
    describer = make_describer()
    likeness = describer.likeness
    photographs = [group(data / name) for name in GROUPS]
    clips = {name: over_time(data / path, step_s) for name, (path, step_s) in CLIPS.items()}
    everybody = [*itertools.chain(*photographs), *(faces[0] for faces in clips.values())]
    people = {"1927": photographs[0], "everybody": everybody, **clips}
    yield f"{describer.version}; {likeness}"
    for name, faces in people.items():
        for how, cut in (("ours", our_chips), ("dlib's", dlib_chips)):
            far = between(describer.describe(cut(faces)))
            under = ", ".join(f"{int((far <= limit).sum())} ≤ {limit:g}" for limit in (0.4, 0.5, 0.6, 0.7))
            yield (
                f"{name:10} {how:7} {len(faces)} faces, {len(far)} pairs: lowest {far.min():.3f}, median "
                f"{np.median(far):.3f}, highest {far.max():.3f}; {under}"
            )


def places(data: Path) -> Iterator[str]:
    """Medians and spreads of our landmarks in dlib's chips."""
    import dlib

    size, found = make_describer().size, []
    for face in [*group(data / GROUPS[0]), *(face for path, s in CLIPS.values() for face in over_time(data / path, s))]:
        chip = dlib.get_face_chip_details(_points(face), size, PADDING)
        middle = np.array([chip.rect.left() + chip.rect.right(), chip.rect.top() + chip.rect.bottom()]) / 2
        turn = np.array([[np.cos(chip.angle), np.sin(chip.angle)], [-np.sin(chip.angle), np.cos(chip.angle)]])
        found.append((face.landmarks - middle) @ turn.T / chip.rect.width() + 0.5)
    for name, at, spread in zip(
        ("left eye", "right eye", "nose", "mouth left", "mouth right"), np.median(found, axis=0), np.std(found, axis=0),
        strict=True,
    ):  # fmt: skip
        yield f"{name:12} x {at[0]:.3f} ± {spread[0]:.3f}, y {at[1]:.3f} ± {spread[1]:.3f}"


def describing(rounds: int) -> Iterator[str]:
    """Milliseconds a face; the least of so many rounds."""
    import dlib

    torch.set_num_threads(1)
    weights = dlib_weights()
    assert weights is not None
    started = time.process_time()
    describer = make_describer()
    yield f"ours loads in {time.process_time() - started:.2f} s"
    random = np.random.default_rng(0)
    chips = np.stack([draw_face(i % 7, random, size=(describer.size, describer.size)) for i in range(8)])
    network = dlib.face_recognition_model_v1(str(weights))

    def by_dlib(chips: RGB) -> NDArray[np.float32]:
        return np.array([np.asarray(each) for each in network.compute_face_descriptor(list(chips))], np.float32)

    for name, describe in (("ours", describer.describe), ("dlib", by_dlib)):
        for n in (1, 2, 3, 4, 8):
            least = min(_spent(describe, chips[:n]) for _ in range(rounds))
            yield f"{name}, {n} at once: {1000 * least / n:.1f} ms a face"
    yield f"numbers differ by {np.abs(describer.describe(chips) - by_dlib(chips)).max():.1g} at most"


def _spent(describe: Callable[[RGB], object], chips: RGB) -> float:
    started = time.process_time()
    describe(chips)
    return time.process_time() - started


def cost(clip: Path | None, rounds: int) -> Iterator[str]:
    """Seconds without and with descriptors, of each round and in the middle."""
    classifier, shares = load(DEFAULT_CHECKPOINT), []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path = clip or street.write(folder / "street.mp4", seconds=60, n=5)
        for number in range(rounds):
            done = []
            for is_on in (False, True):
                out = folder / f"{number}-{is_on}"
                settings = Settings(identity=is_on)
                done.append(open_analysis(analyze(path, out, checkpoint=classifier, settings=settings)))
            off_s, on_s = (each.record["wall_s"] for each in done)
            found = done[1].recognition
            assert found is not None
            shares.append(found["described_s"] / off_s)
            yield f"{found['strips']} strips, {found['people']} people, {found['described']} faces described"
            yield f"{off_s:.1f} s without, {on_s:.1f} s with, {found['described_s']:.2f} s of it describing"
    yield f"describing takes {median(shares):.1%} of the time without (median of {rounds})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("distances", "places", "describe", "cost"))
    parser.add_argument("clip", nargs="?", type=Path)
    parser.add_argument("--data", type=Path, default=os.environ.get("FER_DATA", "."), help="default: FER_DATA")
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    if args.what == "cost":
        lines = cost(args.clip, args.rounds)
    elif args.what == "describe":
        lines = describing(args.rounds)
    else:
        lines = (distances if args.what == "distances" else places)(args.data)
    for line in lines:
        print(line, flush=True)


if __name__ == "__main__":
    main()
