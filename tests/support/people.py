"""Faces of one colour, a detector that finds them where they were put, and a describer that knows them by it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
from numpy.typing import NDArray

from fer_core.faces import Faces
from fer_core.faces.identity.likeness import Likeness
from fer_core.models.classifier import Classifier
from fer_core.video.pipeline import Settings, analyze
from fer_core.video.store import Analysis, open_analysis
from tests.support.clips import write_clip

RGB = NDArray[np.uint8]
Colour = tuple[int, int, int]
RED, BLUE, GREEN = (220, 40, 40), (40, 40, 220), (40, 180, 40)
REDDISH, NEARLY = (200, 40, 40), (180, 40, 40)
"""From red by 0.08 and 0.16: joined, and proposed."""
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

    def __init__(self, script: Script) -> None:
        self.script, self.frame = script, -1

    def detect(self, images: Sequence[RGB]) -> list[Faces]:
        self.frame += len(images)
        return [faces_at([x for x, _ in self.script[self.frame]])]


class Numbered:
    """A tracker that sees two strips: one until 4.45 s, and one from then on."""

    same: ClassVar[Mapping[int, int]] = {}

    def state(self) -> dict[str, object]:
        return {}

    def update(self, time_s: float, faces: Faces, *_: object) -> NDArray[np.int32]:
        return np.full(len(faces), int(time_s > 4.45), np.int32)


SCRIPT: Script = [[(100.0, (RED, BLUE, RED, NEARLY)[i // 15])] for i in range(60)]
"""Red, blue and red again, and a nearly red one: two people, and somebody who may be the first."""


def painted_analysis(folder: Path, classifier: Classifier) -> Analysis:
    """The analysis of a clip of ``SCRIPT``, whose red and blue are in one strip; the clip lies in the folder."""
    clip = write_clip(folder.with_suffix(".mp4"), [i / 10 for i in range(60)], pictures=[painted(at) for at in SCRIPT])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("fer_core.video.run.make_detector", lambda *_, **__: Painted(SCRIPT))
        patch.setattr("fer_core.video.run.make_describer", Colours)
        patch.setattr("fer_core.video.run.Tracker", Numbered)
        patch.setattr("fer_core.video.parts.PART_FRAMES", 7)
        analyze(clip, folder, checkpoint=classifier, settings=Settings(mode="exact", identity=True))
    clip.rename(folder / "source.mp4")
    return open_analysis(folder)
