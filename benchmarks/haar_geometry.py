"""Measure where eyes, nose and mouth lie in the squares of the Haar cascade, and what putting them there costs.

    python -m benchmarks.haar_geometry multi_face.jpg sad_to_happy.mp4 [--per-second 4]
    python -m benchmarks.haar_geometry --data /path/to/fer2013 [--n 2000] [--neighbours 6] [--json]

Both detectors look at the same pictures: those of files, or training pictures of FER2013 (enlarged four times, with a
border of a quarter). Where a square covers a face of MTCNN (intersection over union above 0.4) its landmarks are
written in units of the square and averaged with their mirror image: these are ``fer_core.faces.haar``'s constants.
Beside them, in units of the side of MTCNN's cut: how far the cut by guessed landmarks lies from it, how much larger it
is, and how the face leans that stays tilted. Squares without a face of MTCNN are counted as false alarms.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from fer_core.data import load_fer2013
from fer_core.data.locate import find_dataset
from fer_core.faces import Faces, crop_squares, iou_matrix, make_detector
from fer_core.faces.haar import MIN_NEIGHBOURS, HaarDetector
from fer_core.video.reader import VideoReader

ENLARGE, BORDER, MIN_IOU = 4, 0.25, 0.4
MIRROR = [1, 0, 2, 4, 3]
"""Landmarks of the mirror image, in the order of the original."""

RGB = NDArray[np.uint8]


@dataclass(frozen=True)
class Pairs:
    """The m faces that both found: MTCNN's landmarks (m, 5, 2) and the cascade's, squares (m, 4); and the others."""

    marked: NDArray[np.float64]
    guessed: NDArray[np.float64]
    squares: NDArray[np.float64]
    missed: int
    false_alarms: int
    pictures: int


def pictures_of(files: list[Path], per_second: float) -> Iterator[RGB]:
    for path in files:
        with VideoReader(path) as reader:
            yield from (
                frame.image for frame in reader.frames(per_second=None if reader.info.is_picture else per_second)
            )


def pictures_of_fer2013(folder: Path | None, n: int) -> Iterator[RGB]:
    images = load_fer2013(find_dataset("fer2013", folder), "training").images[:n]
    side = images.shape[1] * ENLARGE
    border = int(side * BORDER)
    for image in images:
        large = cv2.resize(image, (side, side), interpolation=cv2.INTER_CUBIC)
        padded = cv2.copyMakeBorder(large, border, border, border, border, cv2.BORDER_REPLICATE)
        yield cv2.cvtColor(padded, cv2.COLOR_GRAY2RGB)


def compare(pictures: Iterator[RGB], min_face_px: int, neighbours: int) -> Pairs:
    """Match the faces of both detectors, each square with the face that it covers best."""
    mtcnn = make_detector("mtcnn", min_face_px=min_face_px)
    haar = HaarDetector(min_face_px=min_face_px, min_neighbours=neighbours)
    found: list[tuple[Faces, Faces]] = [(mtcnn.detect([image])[0], haar.detect([image])[0]) for image in pictures]
    marked, guessed, squares, missed, false_alarms = [], [], [], 0, 0
    for known, seen in found:
        overlap = iou_matrix(known.boxes, seen.boxes)
        pairs = [(int(i), int(overlap[i].argmax())) for i in range(len(known)) if len(seen)]
        pairs = [pair for pair in pairs if overlap[pair] > MIN_IOU]
        marked += [known.landmarks[i] for i, _ in pairs]
        guessed += [seen.landmarks[k] for _, k in pairs]
        squares += [seen.boxes[k] for _, k in pairs]
        missed += len(known) - len(pairs)
        false_alarms += len(seen) - len(pairs)
    shaped = (np.array(values, np.float64) for values in (marked, guessed, squares))
    return Pairs(*shaped, missed, false_alarms, len(found))


def measure(pairs: Pairs) -> dict[str, Any]:
    """The constants, and the error of the cut by them; only counts where nothing was found by both."""
    counts = {
        "pictures": pairs.pictures, "pairs": len(pairs.squares), "missed": pairs.missed,
        "false_alarms": pairs.false_alarms,
    }  # fmt: skip
    return {**counts, **_fit(pairs)} if len(pairs.squares) else counts


def _fit(pairs: Pairs) -> dict[str, Any]:
    corner, size = pairs.squares[:, None, :2], pairs.squares[:, None, 2:] - pairs.squares[:, None, :2]
    inside = (pairs.marked - corner) / size
    mirrored = inside[:, MIRROR] * [-1, 1] + [1, 0]
    middles, sides, leans = [], [], []
    for landmarks in (pairs.marked, pairs.guessed):
        origin, x_axis, y_axis = crop_squares(landmarks.astype(np.float32)).transpose(1, 0, 2)
        middles.append(origin + (x_axis + y_axis) / 2)
        sides.append(np.linalg.norm(x_axis, axis=1))
        leans.append(np.degrees(np.arctan2(x_axis[:, 1], x_axis[:, 0])))
    shift = np.linalg.norm(middles[1] - middles[0], axis=1) / sides[0]
    return {
        "landmarks": ((inside + mirrored) / 2).mean(axis=0).round(3).tolist(),
        "spread": inside.std(axis=0).mean(axis=0).round(3).tolist(),
        "shift_median": round(float(np.median(shift)), 3), "shift_90": round(float(np.quantile(shift, 0.9)), 3),
        "side_ratio_median": round(float(np.median(sides[1] / sides[0])), 3),
        "side_ratio_spread": round(float(np.log(sides[1] / sides[0]).std()), 3),
        "lean_deg_median": round(float(np.median(np.abs(leans[0]))), 1),
    }  # fmt: skip


def main(argv: list[str] | None = None) -> int:
    """Command line; see the module's docstring."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", type=Path, nargs="*")
    parser.add_argument("--per-second", type=float, default=4)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--n", type=int, default=2000)
    parser.add_argument("--neighbours", type=int, default=MIN_NEIGHBOURS)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args(argv)
    if args.files:
        values = measure(compare(pictures_of(args.files, args.per_second), 40, args.neighbours))
    else:
        values = measure(compare(pictures_of_fer2013(args.data, args.n), 80, args.neighbours))
    print(json.dumps(values) if args.json else "\n".join(f"{name:20}{value}" for name, value in values.items()))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
