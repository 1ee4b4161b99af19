"""Are faces cut out of videos as they lie in FER2013 pictures?

    python -m benchmarks.crop_match CLIP [PICTURE …] --data /path/to/fer2013 [--n 2000] [--per-second 4] [--json]
        [--crops SHEET.png] [--margin 1.0] [--detector mtcnn]

Faces are found in the files and cut as the video pipeline cuts them; then these crops and the last ``--n`` training
pictures (the constants of the cut were fitted to the first ones) go the same way: grey, 48 px, enlarged four times with
a border of a quarter, MTCNN marks eyes and mouth, see ``benchmarks.crop_geometry``. What it marks is compared: eye
distance, distance from eyes to mouth, the middle between the two (x, y), all in units of the picture's side, and how
far the line through the eyes leans (degrees).

Per source: how many pictures, the share in which exactly one face was marked, quantiles, and ``within``, the share of
values between the 10 and 90 % quantile of the training pictures: 80 % if both were spread alike, more where the cut
makes faces more alike than the training pictures are, less where it puts them elsewhere. ``--crops`` draws, from top to
bottom, some of the training pictures and of the crops of each file; it shows people, so keep the file to yourself.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.crop_geometry import landmarks_of
from benchmarks.haar_geometry import pictures_of
from fer_core.data import open_dataset
from fer_core.data.drawn import save_picture
from fer_core.data.locate import find_dataset
from fer_core.data.pictures import square
from fer_core.faces import DEFAULT_DETECTOR, CropGeometry, crop_faces, make_detector

QUANTILES = (0.10, 0.25, 0.50, 0.75, 0.90)
NAMES = ("eye_distance", "eye_mouth_distance", "middle_x", "middle_y", "lean_deg")
TRAINING, EVERY_FILE = "FER2013 training", "all files"
SIDE_PX, SHEET_COLUMNS, SHEET_ROWS = 48, 20, 3
Pictures = NDArray[np.uint8]
"""Grey (n, 48, 48)."""


def crops_of(path: Path, *, margin: float, per_second: float, detector: str) -> Pictures:
    """All faces of a video or picture as the network gets them, grey."""
    finder, geometry = make_detector(detector), CropGeometry(SIDE_PX, margin)
    crops = [
        cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY)
        for image in pictures_of([path], per_second)
        for crop in crop_faces(image, finder.detect([image])[0], geometry)
    ]
    return np.array(crops, np.uint8).reshape(-1, SIDE_PX, SIDE_PX)


def measures(landmarks: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
    """What is compared, (m,) each, of landmarks (m, 5, 2) in units of the side; y grows downwards."""
    across, eyes, mouth = (
        landmarks[:, 1] - landmarks[:, 0],
        landmarks[:, :2].mean(axis=1),
        landmarks[:, 3:].mean(axis=1),
    )
    lengths = np.linalg.norm(across, axis=1), np.linalg.norm(mouth - eyes, axis=1)
    lean = np.degrees(np.arctan2(across[:, 1], across[:, 0]))
    return dict(zip(NAMES, (*lengths, *((eyes + mouth) / 2).T, lean), strict=True))


def training_pictures(folder: Path | None, n: int) -> Pictures:
    """The last ``n`` training pictures."""
    faces = open_dataset(find_dataset("fer2013", folder)).read("training")
    rows = range(max(len(faces) - n, 0), len(faces))
    return np.array([square(faces.picture(i), SIDE_PX) for i in rows], np.uint8).reshape(-1, SIDE_PX, SIDE_PX)


def compared(training: Pictures, files: Mapping[str, Pictures]) -> dict[str, Any]:
    """Per source ``pictures``, ``marked`` and per measure its quantiles and what is ``within`` those of training."""
    marked = {name: landmarks_of(pictures) for name, pictures in {TRAINING: training, **files}.items()}
    counts = {TRAINING: len(training)} | {name: len(pictures) for name, pictures in files.items()}
    if len(files) > 1:
        marked[EVERY_FILE] = np.concatenate([marked[name] for name in files])
        counts[EVERY_FILE] = sum(len(pictures) for pictures in files.values())
    known = measures(marked[TRAINING])
    return {
        source: {"pictures": counts[source], "marked": len(landmarks)}
        | {name: spread(values, known[name]) for name, values in measures(landmarks).items() if len(landmarks)}
        for source, landmarks in marked.items()
    }


def spread(values: NDArray[np.float64], known: NDArray[np.float64]) -> dict[str, Any]:
    """Quantiles of values (m,), and the share of them between the outer quantiles of the known ones (None of none)."""
    low, high = np.quantile(known, QUANTILES[:: len(QUANTILES) - 1]) if len(known) else (np.nan, np.nan)
    within = round(float(((values >= low) & (values <= high)).mean()), 4) if len(known) else None
    return {"quantiles": np.quantile(values, QUANTILES).round(4).tolist(), "within": within}


def sheet(sources: Sequence[Pictures]) -> NDArray[np.uint8]:
    """Up to 60 pictures of each source, evenly chosen, in rows of 20 at twice their size; a dark line between two."""
    parts, width = [], SHEET_COLUMNS * SIDE_PX
    for pictures in sources:
        n = min(len(pictures), SHEET_COLUMNS * SHEET_ROWS)
        rows = -(-n // SHEET_COLUMNS)
        tiles = np.zeros((rows * SHEET_COLUMNS, SIDE_PX, SIDE_PX), np.uint8)
        tiles[:n] = pictures[np.linspace(0, len(pictures) - 1, n).astype(int)]
        grid = tiles.reshape(rows, SHEET_COLUMNS, SIDE_PX, SIDE_PX).swapaxes(1, 2)
        parts += [grid.reshape(rows * SIDE_PX, width), np.zeros((4, width), np.uint8)]
    return np.concatenate(parts).repeat(2, axis=0).repeat(2, axis=1)


def show(found: Mapping[str, Any]) -> None:
    """As a table."""
    for source, values in found.items():
        print(f"{source}: {values['marked']} of {values['pictures']} marked")
    print(f"\n{'':44}" + "".join(f"{f'{100 * q:g} %':>9}" for q in QUANTILES) + f"{'within':>9}")
    for name in NAMES:
        for source, values in found.items():
            if name in values:
                quantiles = "".join(f"{value:9.3f}" for value in values[name]["quantiles"])
                within = values[name]["within"]
                told = "–" if within is None else f"{within:.1%}"
                print(f"{name:20}{Path(source).name[-23:]:24}{quantiles}{told:>9}")


def main(argv: list[str] | None = None) -> int:
    """Command line; see the module's docstring."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", type=Path, nargs="+")
    parser.add_argument("--data", type=Path)
    parser.add_argument("--n", type=int, default=2000)
    parser.add_argument("--per-second", type=float, default=4)
    parser.add_argument("--margin", type=float, default=1.0)
    parser.add_argument("--detector", default=DEFAULT_DETECTOR)
    parser.add_argument("--crops", type=Path)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args(argv)
    training = training_pictures(args.data, args.n)
    cut = partial(crops_of, margin=args.margin, per_second=args.per_second, detector=args.detector)
    files = {str(path): cut(path) for path in args.files}
    if args.crops is not None:
        save_picture(args.crops, sheet([training, *files.values()]))
    found = compared(training, files)
    print(json.dumps(found)) if args.json else show(found)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
