"""Measure how faces lie in FER2013 pictures, so that a video's faces can be cut the same way.

    python -m benchmarks.crop_geometry --data /path/to/fer2013 [--n 2000] [--json]

MTCNN marks the eyes and the mouth in training pictures (enlarged four times, with a border of a quarter). From these
it fits what ``fer_core.faces.crops`` needs, in units of the picture's side: where the middle between eyes and mouth
lies, and the factors that turn eye distance and eye-mouth distance into the side. Turning the head shortens the one,
nodding the other; the larger of the two guesses is used. Beside it the spread (standard deviation of the logarithm) of
that guess and of the simpler ones.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from fer_core.data import load_fer2013
from fer_core.data.locate import find_dataset

ENLARGE, BORDER = 4, 0.25


def landmarks_of(images: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Landmarks (m, 5, 2) of the pictures in which exactly one face was found, in units of the side."""
    from fer_core.faces.detectors import make_detector

    detector = make_detector("mtcnn", min_face_px=80)
    side = images.shape[1] * ENLARGE
    border = int(side * BORDER)
    found = []
    for image in images:
        large = cv2.resize(image, (side, side), interpolation=cv2.INTER_CUBIC)
        padded = cv2.copyMakeBorder(large, border, border, border, border, cv2.BORDER_REPLICATE)
        faces = detector.detect([cv2.cvtColor(padded, cv2.COLOR_GRAY2RGB)])[0]
        if len(faces) == 1:
            found.append((faces.landmarks[0] - border) / side)
    return np.array(found, np.float64).reshape(-1, 5, 2)


def measure(landmarks: NDArray[np.float64]) -> dict[str, float]:
    """Fit the crop geometry to landmarks (m, 5, 2)."""
    eyes, mouth = landmarks[:, :2].mean(axis=1), landmarks[:, 3:].mean(axis=1)
    between_eyes = np.linalg.norm(landmarks[:, 1] - landmarks[:, 0], axis=1)
    eyes_to_mouth = np.linalg.norm(mouth - eyes, axis=1)
    guess = np.maximum(between_eyes / between_eyes.mean(), eyes_to_mouth / eyes_to_mouth.mean())
    shrink = guess.mean() / (guess**2).mean()  # least squares: the factor that brings the guess nearest to 1
    middle = (eyes + mouth) / 2
    return {
        "n": len(landmarks),
        "middle_x": middle[:, 0].mean(),
        "middle_y": middle[:, 1].mean(),
        "side_per_eye_distance": shrink / between_eyes.mean(),
        "side_per_eye_mouth_distance": shrink / eyes_to_mouth.mean(),
        "spread_of_side": np.log(guess).std(),
        "spread_by_eyes_alone": np.log(between_eyes).std(),
        "spread_by_eyes_to_mouth_alone": np.log(eyes_to_mouth).std(),
        "spread_of_middle_x": middle[:, 0].std(),
        "spread_of_middle_y": middle[:, 1].std(),
    }


def main(argv: list[str] | None = None) -> int:
    """Command line; see the module's docstring."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--n", type=int, default=2000)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args(argv)
    faces = load_fer2013(find_dataset("fer2013", args.data), "training")
    values = {name: round(float(value), 4) for name, value in measure(landmarks_of(faces.images[: args.n])).items()}
    if args.json:
        print(json.dumps(values))
    else:
        print("\n".join(f"{name:32}{value}" for name, value in values.items()))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
