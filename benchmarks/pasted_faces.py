"""What finding and cutting faces costs: test faces pasted into frames, found, cut and classified, end to end.

    python -m benchmarks.pasted_faces --data /path/to/fer2013 [--checkpoint NAME …] [--n 3589] [--seed 0]
        [--margins 0.8 0.9 1.0 1.1 1.2] [--shifts 1 2 3 4] [--detector mtcnn] [--json]

Pictures of FER2013's private test are enlarged to 60–250 px and pasted at random places into drawn frames of
1280×720, several in each; their edge is smeared outwards and fades into the background, so that no rectangle gives them
away. The detector looks at the whole frame; a face counts as found if its box and the pasted square overlap by 0.3 or
more (intersection over union). It is cut as the checkpoint's card says, and classified. Under the card's labels:

* ``end_to_end``: accuracy on the faces found;
* ``direct``: of the same faces, from the 48 px pictures themselves; ``difference``: the first less the second, in
  points, with a paired 95 % bootstrap interval;
* ``by_square``: of the same faces, cut out of the frame where they were pasted: what enlarging alone costs;
* ``margins``: the cut made with other margins; ``shifts``: moved right, left, down and up by so many px of 48.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from fer_core.data import FERPLUS_PROTOCOLS, FaceSet, ferplus_labels, open_dataset
from fer_core.data.locate import find_dataset
from fer_core.data.pictures import square
from fer_core.faces import DEFAULT_DETECTOR, Detector, Faces, crop_squares, cut_squares, iou_matrix, make_detector
from fer_core.models.classifier import Classifier, load
from fer_core.models.folders import DEFAULT_CHECKPOINT

WIDTH, HEIGHT = 1280, 720
SIDES_PX, BANDS_PX = (60, 250), (60, 90, 140, 250)
FADE = 0.15
"""Width of the smeared edge around a pasted picture, in units of its side."""
TRIES, MIN_IOU, N_BOOT = 200, 0.3, 2000
UNIT_PX = 48
WAYS: Mapping[str, tuple[int, int]] = {"": (0, 0), "right": (1, 0), "left": (-1, 0), "down": (0, 1), "up": (0, -1)}
RGB = NDArray[np.uint8]
Bools = NDArray[np.bool_]
Squares = NDArray[np.float64]
"""(n, 3, 2), see ``fer_core.faces.crop_squares``."""


class Scene(NamedTuple):
    """A frame and what was pasted into it: rows of the pictures (m,), their left, top and side in px (m, 3)."""

    image: RGB
    rows: NDArray[np.int64]
    places: NDArray[np.int64]


class Variant(NamedTuple):
    """One way to cut: margin, and a shift in px of 48 to one of ``WAYS``."""

    margin: float
    px: float = 0.0
    way: str = ""


@dataclass(frozen=True)
class Answers:
    """What one checkpoint answered about the n pasted faces, index into its labels: ``direct`` from the pictures,
    ``by_square`` cut where they were pasted, ``cut`` by variant (-1 where the face was not found); int64 (n,) each."""

    direct: NDArray[np.int64]
    by_square: NDArray[np.int64]
    cut: Mapping[Variant, NDArray[np.int64]]


def clouds(rng: np.random.Generator, size: tuple[int, int]) -> RGB:
    """Clouds of colour in five sizes, in a picture of ``size`` (width, height)."""
    width, height = size
    image = np.zeros((height, width, 3), np.float32)
    for cells in (3, 8, 20, 60, 200):
        noise = rng.normal(size=(cells, cells * width // height, 3)).astype(np.float32)
        image += cv2.resize(noise, size, interpolation=cv2.INTER_CUBIC) / np.float32(cells**0.3)
    return np.clip(120 + 45 * image / image.std(), 0, 255).astype(np.uint8)


def background(rng: np.random.Generator) -> RGB:
    """Clouds of colour with lines and ellipses before them."""
    image = clouds(rng, (WIDTH, HEIGHT))
    for _ in range(30):
        colour, width = rng.integers(0, 256, 3).tolist(), int(rng.integers(2, 12))
        (x, y), (a, b) = rng.integers(0, (WIDTH, HEIGHT), (2, 2)).tolist()
        if rng.random() < 0.5:
            cv2.line(image, (x, y), (a, b), colour, width, cv2.LINE_AA)
        else:
            cv2.ellipse(image, (x, y), (a // 8, b // 8), float(rng.uniform(0, 180)), 0, 360, colour, width, cv2.LINE_AA)
    return image


def paste(image: RGB, picture: NDArray[np.uint8], place: NDArray[np.int64]) -> None:
    """Enlarge a grey picture (s, s) to ``place`` (left, top, side in px) of ``image``, changing it.

    Pixels within the square are those of the enlarged picture; around it, its edge is smeared and fades out.
    """
    x, y, side = place.tolist()
    fade = fade_px(side)
    large = cv2.resize(picture, (side, side), interpolation=cv2.INTER_CUBIC)
    padded = cv2.copyMakeBorder(large, fade, fade, fade, fade, cv2.BORDER_REPLICATE).astype(np.float32)[..., None]
    steps = np.clip(np.minimum(np.arange(len(padded)), np.arange(len(padded))[::-1]) / fade, 0, 1)
    share = np.minimum.outer(steps, steps)[..., None]
    part = image[y - fade : y + side + fade, x - fade : x + side + fade]
    part[:] = np.rint(share * padded + (1 - share) * part)


def fade_px(side: int) -> int:
    """Width of the smeared edge around a picture of this side."""
    return round(FADE * side)


def scenes(pictures: Sequence[NDArray[np.uint8]], seed: int) -> Iterator[Scene]:
    """Frames with all pictures, in their order; a new frame begins where no place is found for the next one.

    Sides are spread evenly over their logarithm.
    """
    rng = np.random.default_rng(seed)
    sides = np.rint(np.exp(rng.uniform(*np.log(SIDES_PX), len(pictures)))).astype(int).tolist()
    row = 0
    while row < len(pictures):
        image, first, places = background(rng), row, np.zeros((0, 3), np.int64)
        while row < len(pictures) and (place := free_place(rng, places, sides[row])) is not None:
            paste(image, pictures[row], place)
            places = np.vstack([places, place])
            row += 1
        yield Scene(image, np.arange(first, row), places)


def free_place(rng: np.random.Generator, taken: NDArray[np.int64], side: int) -> NDArray[np.int64] | None:
    """A random place (left, top, side) whose smeared edge touches no other's; None if none was found. In an empty
    frame there is always one."""
    fade, others = fade_px(side), with_edges(taken)
    for _ in range(TRIES):
        x, y = (int(rng.integers(fade, length - side - fade + 1)) for length in (WIDTH, HEIGHT))
        place = np.array([x, y, side], np.int64)
        own = with_edges(place[None])
        if not ((others[:, :2] < own[:, 2:]) & (others[:, 2:] > own[:, :2])).all(axis=1).any():
            return place
    return None


def with_edges(places: NDArray[np.int64]) -> NDArray[np.int64]:
    """Boxes (n, 4), x0 y0 x1 y1, of places (n, 3) with their smeared edges."""
    fade = np.array([fade_px(side) for side in places[:, 2].tolist()], np.int64)[:, None]
    return np.hstack([places[:, :2] - fade, places[:, :2] + places[:, 2:] + fade])


def place_squares(places: NDArray[np.int64]) -> Squares:
    """Places (n, 3) as squares."""
    side, none = places[:, 2], np.zeros(len(places), np.int64)
    axes = (places[:, :2], np.stack([side, none], axis=1), np.stack([none, side], axis=1))
    return np.stack(axes, axis=1).astype(np.float64)


def moved(squares: Squares, px: float, way: str) -> Squares:
    """Squares shifted along their own axes by px of 48."""
    x, y = WAYS[way]
    shift = (squares[:, 1] * x + squares[:, 2] * y) * px / UNIT_PX
    return np.stack([squares[:, 0] + shift, squares[:, 1], squares[:, 2]], axis=1)


def matched(boxes: NDArray[np.float32], places: NDArray[np.int64]) -> NDArray[np.int64]:
    """For each place (m, 3) the box (n, 4) that overlaps it most, int64 (m,); -1 where none does by ``MIN_IOU``."""
    corners = np.hstack([places[:, :2], places[:, :2] + places[:, 2:]]).astype(np.float32)
    if not len(boxes):
        return np.full(len(places), -1)
    overlap = iou_matrix(corners, boxes)
    return np.where(overlap.max(axis=1) >= MIN_IOU, overlap.argmax(axis=1), -1)


def answers(
    pictures: Sequence[NDArray[np.uint8]],
    classifiers: Sequence[Classifier],
    variants: Sequence[Sequence[Variant]],
    detector: Detector,
    seed: int,
) -> tuple[list[Answers], NDArray[np.int64], NDArray[np.int64]]:
    """Every frame is looked at once, and every face cut in all variants of each classifier.

    Returns:
        The answers of each classifier, the side of each pasted face in px, and the false alarms of each frame.
    """
    told: list[list[NDArray[np.int64]]] = [[] for _ in classifiers]
    sides, false_alarms = [], []
    for scene in scenes(pictures, seed):
        faces = detector.detect([scene.image])[0]
        which = matched(faces.boxes, scene.places)
        sides.append(scene.places[:, 2])
        false_alarms.append(len(faces) - len(set(which.tolist()) - {-1}))
        for classifier, chosen, kept in zip(classifiers, variants, told, strict=True):
            kept.append(asked(classifier, pictures, scene, faces, which, chosen))
    joined = [_answers(np.concatenate(kept), chosen) for kept, chosen in zip(told, variants, strict=True)]
    return joined, np.concatenate(sides), np.array(false_alarms)


def asked(
    classifier: Classifier,
    pictures: Sequence[NDArray[np.uint8]],
    scene: Scene,
    faces: Faces,
    which: NDArray[np.int64],
    variants: Sequence[Variant],
) -> NDArray[np.int64]:
    """Answers of one frame (m, 2 + variants), columns as the fields of ``Answers``; ``which`` is what ``matched``
    found for its m faces."""
    size, seen = classifier.card.crop.size, which >= 0
    told = np.full((len(which), 2 + len(variants)), -1)
    told[:, 0] = predicted(classifier, np.stack([square(pictures[row], size) for row in scene.rows]))
    told[:, 1] = predicted(classifier, cut_squares(scene.image, place_squares(scene.places), size))
    for i, (margin, px, way) in enumerate(variants if seen.any() else ()):
        squares = moved(crop_squares(faces.landmarks[which[seen]], margin), px, way)
        told[seen, 2 + i] = predicted(classifier, cut_squares(scene.image, squares, size))
    return told


def _answers(told: NDArray[np.int64], variants: Sequence[Variant]) -> Answers:
    return Answers(told[:, 0], told[:, 1], dict(zip(variants, told[:, 2:].T, strict=True)))


def predicted(classifier: Classifier, crops: NDArray[np.uint8]) -> NDArray[np.int64]:
    """The top emotion of each crop."""
    return classifier.predict(crops).probabilities.argmax(axis=1)


def difference(first: Bools, second: Bools, seed: int) -> dict[str, float]:
    """Accuracy of the second less that of the first on the same m faces, in points, with its paired 95 % bootstrap
    interval. Drawing how many faces were lost, kept and won is drawing the faces one by one."""
    counts = np.bincount(1 + second.astype(int) - first, minlength=3)
    drawn = np.random.default_rng(seed).multinomial(len(first), counts / len(first), size=N_BOOT)
    low, high = np.percentile(drawn[:, 2] - drawn[:, 0], [2.5, 97.5]) / len(first)
    shares = (counts[2] - counts[0]) / len(first), low, high
    return {name: round(100 * float(share), 2) for name, share in zip(("points", "low", "high"), shares, strict=True)}


def figures(direct: Bools, cut: Bools, seed: int) -> dict[str, Any]:
    """Both accuracies and their difference on m faces; only ``n`` where there is none."""
    if not len(direct):
        return {"n": 0}
    shares = {"direct": share_of(direct), "end_to_end": share_of(cut)}
    return {"n": len(direct), **shares, "difference": difference(direct, cut, seed)}


def share_of(right: Bools) -> float:
    """0-1."""
    return round(float(right.mean()), 4)


def judged(told: Answers, truth: NDArray[np.int64], sides: NDArray[np.int64], seed: int) -> dict[str, Any]:
    """The figures of one checkpoint with labels ``truth`` (n,), -1 where there is none; the first variant is that of
    its card."""
    card, main = next(iter(told.cut.items()))
    used = (truth >= 0) & (main >= 0)
    direct, cut = (told.direct == truth)[used], (main == truth)[used]
    found = {"labelled": int((truth >= 0).sum()), "margin": card.margin, **figures(direct, cut, seed)}
    if not used.any():
        return found
    shares = {variant: share_of((answer == truth)[used]) for variant, answer in told.cut.items()}
    return {
        **found,
        "by_square": share_of((told.by_square == truth)[used]),
        "same_answer": share_of((told.direct == main)[used]),
        "bands": [
            {"from_px": low, "to_px": high} | figures(direct[inside], cut[inside], seed)
            for low, high, inside in in_bands(sides[used])
        ],
        "margins": {f"{each.margin:g}": share for each, share in sorted(shares.items()) if not each.px},
        "shifts": shifts_of(shares),
    }


def shifts_of(shares: Mapping[Variant, float]) -> dict[str, dict[str, float]]:
    """Shares of the shifted cuts by px and way, with their mean over the four ways."""
    by_px = {
        f"{px:g}": {each.way: share for each, share in shares.items() if each.px == px}
        for px in sorted({each.px for each in shares if each.px})
    }
    return {px: ways | {"mean": round(float(np.mean([*ways.values()])), 4)} for px, ways in by_px.items()}


def in_bands(side: NDArray[np.int64]) -> Iterator[tuple[int, int, Bools]]:
    """Ends of each band of sizes, the last end included, and which sides (n,) are in it."""
    for low, high in pairwise(BANDS_PX):
        yield low, high, (side >= low) & ((side < high) | ((high == BANDS_PX[-1]) & (side == high)))


def variants_of(classifier: Classifier, margins: Sequence[float], shifts: Sequence[float]) -> list[Variant]:
    """Every way in which a classifier's faces are cut, that of its card first."""
    margin = classifier.card.crop.margin
    others = [Variant(each) for each in margins]
    others += [Variant(margin, px, way) for px in shifts if px for way in WAYS if way]
    return list(dict.fromkeys([Variant(margin), *others]))


def labels_for(faces: FaceSet, label_set: str) -> NDArray[np.int64]:
    """Labels (n,) of a label set, -1 where it has none."""
    return ferplus_labels(faces.votes, label_set) if label_set in FERPLUS_PROTOCOLS else faces.labels


def measure(faces: FaceSet, args: argparse.Namespace) -> dict[str, Any]:
    """Everything, for all checkpoints of the command line."""
    pictures = [faces.picture(i) for i in range(len(faces))]
    classifiers = [load(name) for name in args.checkpoint]
    variants = [variants_of(each, args.margins, args.shifts) for each in classifiers]
    told, sides, false_alarms = answers(pictures, classifiers, variants, make_detector(args.detector), args.seed)
    found = next(iter(told[0].cut.values())) >= 0
    checkpoints = {}
    for classifier, each in zip(classifiers, told, strict=True):
        label_set = str(classifier.card.data.get("labels") or faces.name)
        truth = labels_for(faces, label_set)
        checkpoints[classifier.name] = {"labels": label_set, **judged(each, truth, sides, args.seed)}
    bands = [
        {"from_px": low, "to_px": high, "n": int(inside.sum()), "found": int(found[inside].sum())}
        for low, high, inside in in_bands(sides)
    ]
    return {
        "faces": len(faces), "frames": len(false_alarms), "found": int(found.sum()),
        "false_alarms": int(false_alarms.sum()), "bands": bands, "checkpoints": checkpoints,
    }  # fmt: skip


def show(measured: Mapping[str, Any]) -> None:
    """As text."""
    print(
        f"{measured['found']} of {measured['faces']} faces found in {measured['frames']} frames, "
        f"{measured['false_alarms']} false alarms"
    )
    for band in measured["bands"]:
        print(f"  {band['from_px']}-{band['to_px']} px: {band['found']} of {band['n']}")
    for name, each in measured["checkpoints"].items():
        print(f"\n{name}, {each['labels']}, margin {each['margin']:g}: {each['labelled']} with a label")
        print(f"  found: {_in_words(each)}")
        for band in each.get("bands", ()):
            print(f"  {band['from_px']}-{band['to_px']} px: {_in_words(band)}")
        if each["n"]:
            print(f"  cut where pasted {each['by_square']:.1%}, the same answer as direct {each['same_answer']:.1%}")
            for margin, share in each["margins"].items():
                print(f"  margin {margin}: {share:.1%}")
            for px, ways in each["shifts"].items():
                print(f"  shift {px} px: " + ", ".join(f"{way} {share:.1%}" for way, share in ways.items()))


def _in_words(row: Mapping[str, Any]) -> str:
    if not row["n"]:
        return "none"
    points = row["difference"]
    return (
        f"n {row['n']}, direct {row['direct']:.1%}, end to end {row['end_to_end']:.1%}, {points['points']:+.1f} points "
        f"({points['low']:+.1f} to {points['high']:+.1f})"
    )


def main(argv: list[str] | None = None) -> int:
    """Command line; see the module's docstring."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--checkpoint", nargs="+", default=[DEFAULT_CHECKPOINT])
    parser.add_argument("--n", type=int, help="so many faces, chosen at random; default: all")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--margins", type=float, nargs="*", default=[])
    parser.add_argument("--shifts", type=float, nargs="*", default=[])
    parser.add_argument("--detector", default=DEFAULT_DETECTOR)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args(argv)
    faces = open_dataset(find_dataset("fer2013", args.data)).read("private_test")
    order = np.random.default_rng(args.seed).permutation(len(faces))[: args.n]
    measured = measure(faces.take(order), args)
    print(json.dumps(measured)) if args.json else show(measured)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
