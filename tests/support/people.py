"""Faces of one colour, a detector that finds them where they were put, and a describer that knows them by it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from fer_core.faces import Faces
from fer_core.faces.identity.describers import Likeness

RGB = NDArray[np.uint8]
Colour = tuple[int, int, int]
SIDE = 60
EYES_AND_MOUTH = np.array([[0.3, 0.4], [0.7, 0.4], [0.5, 0.6], [0.35, 0.8], [0.65, 0.8]])
Script = Sequence[Sequence[tuple[float, Colour]]]
"""Frame by frame, the faces: x of the left edge, and the colour."""


class Colours:
    """A describer whose descriptors are mean colours, so that right answers are known by hand."""

    name, version, size = "colours", "1", 32
    places = EYES_AND_MOUTH
    likeness = Likeness(joined=0.1, jump=0.15, threshold=0.2, cut=0.3)

    def __init__(self) -> None:
        self.described = 0

    def describe(self, chips: RGB) -> NDArray[np.float32]:
        self.described += len(chips)
        return np.asarray(chips.mean(axis=(1, 2)) / 255, np.float32).reshape(-1, 3)


def faces_at(xs: Sequence[float], side: float = SIDE) -> Faces:
    """Faces in a row, in the middle of the height."""
    corners = np.array([[x, 30.0] for x in xs], np.float32).reshape(-1, 2)
    marks = (corners[:, None] + EYES_AND_MOUTH * side).astype(np.float32)
    return Faces(np.concatenate([corners, corners + side], axis=1), np.full(len(xs), 0.99, np.float32), marks)


def painted(faces: Sequence[tuple[float, Colour]], side: float = SIDE) -> RGB:
    """A grey picture with faces of one colour, and with stripes by their strongest one."""
    image = np.full((120, 320, 3), 128, np.uint8)
    for x, colour in faces:
        x0, size = round(x) - 20, round(side) + 40
        image[10 : 10 + size, max(x0, 0) : x0 + size] = colour
        rows, columns = np.mgrid[10 : 10 + size, max(x0, 0) : x0 + size] - np.array([10, x0])[:, None, None]
        pattern = (rows, columns, rows + columns)[int(np.argmax(colour))] // 12 % 2 == 0
        image[10 : 10 + size, max(x0, 0) : x0 + size][pattern] = np.array(colour) - 20
    return image


class Painted:
    """A detector that finds the faces of a script, frame by frame."""

    name = "painted"

    def __init__(self, script: Mapping[int, Sequence[float]] | Script) -> None:
        self.script, self.frame = script, -1

    def detect(self, images: Sequence[RGB]) -> list[Faces]:
        self.frame += len(images)
        return [faces_at([x for x, _ in self.script[self.frame]])]  # type: ignore[index, misc]
