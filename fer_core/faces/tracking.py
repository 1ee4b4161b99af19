"""Who is who from frame to frame: boxes are linked to people by overlap, and after a gap by place, size and colour."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from fer_core.faces.records import RGB, ArrayF, Faces

MEMORY_S = 5.0
"""A person who was away for longer comes back as a new one."""
MIN_IOU = 0.2
MAX_SHIFT = 1.0
"""After a gap: the furthest that a face may have moved, in face sizes."""
MAX_SIZE_RATIO = 1.8
MIN_COLOUR = 0.45
"""After a gap: least similarity of the face's colours (intersection of histograms, 0-1)."""
SHORT_GAP_S = 0.35
MIN_COLOUR_SHORT = 0.25
"""Without a gap the overlap decides, unless the colours say that the picture was cut to another face."""
CUT = 0.45
"""Two frames whose colour histograms overlap less belong to different scenes."""


@dataclass
class _Person:
    number: int
    box: ArrayF
    time_s: float
    colours: ArrayF


def iou_matrix(a: ArrayF, b: ArrayF) -> ArrayF:
    """Intersection over union (n, m) of boxes (n, 4) and (m, 4), x0 y0 x1 y1."""
    low = np.maximum(a[:, None, :2], b[None, :, :2])
    high = np.minimum(a[:, None, 2:], b[None, :, 2:])
    shared = np.clip(high - low, 0, None).prod(axis=2)
    areas = [(boxes[:, 2:] - boxes[:, :2]).prod(axis=1) for boxes in (a, b)]
    return np.asarray(shared / np.maximum(areas[0][:, None] + areas[1][None] - shared, 1e-9), np.float32)


def apart(a: ArrayF, b: ArrayF) -> tuple[ArrayF, ArrayF]:
    """How far the middles of boxes (n, 4) and (m, 4) are from each other, in units of the larger one's size, and how
    many times larger it is, (n, m) each. The size is the root of the area."""
    middle = [(boxes[:, :2] + boxes[:, 2:]) / 2 for boxes in (a, b)]
    size = [np.sqrt(np.maximum((boxes[:, 2:] - boxes[:, :2]).prod(axis=1), 1)) for boxes in (a, b)]
    larger = np.maximum(size[0][:, None], size[1][None])
    moved = np.linalg.norm(middle[0][:, None] - middle[1][None], axis=2) / larger
    return moved, larger / np.minimum(size[0][:, None], size[1][None])


class Tracker:
    """Gives the faces of successive frames the numbers of people, 0, 1, 2, … in order of appearance, from left
    to right in one frame.

    Feed every analysed frame in order. A person keeps the number through a gap of up to ``MEMORY_S`` seconds if the
    returning face is near, of like size and like colour; a scene cut ends all memories.
    """

    def __init__(self) -> None:
        self._people: list[_Person] = []
        self._count = 0
        self._scene: ArrayF | None = None

    def update(self, time_s: float, faces: Faces, image: RGB, scene: ArrayF | None = None) -> NDArray[np.int32]:
        """Person numbers (n,) of ``faces`` found in ``image`` at ``time_s``; ``scene`` is its ``scene_colours``, if
        known."""
        scene = scene_colours(image) if scene is None else scene
        if self._scene is not None and np.minimum(scene, self._scene).sum() < CUT:
            self._people = []
        self._scene = scene
        self._people = [person for person in self._people if time_s - person.time_s <= MEMORY_S]
        colours = [_histogram(_inside(image, box)) for box in faces.boxes]
        numbers = np.full(len(faces), -1, np.int32)
        for i, person in self._match(time_s, faces, colours):
            numbers[i] = person.number
            person.box, person.time_s, person.colours = faces.boxes[i], time_s, colours[i]
        for i in sorted(np.flatnonzero(numbers < 0).tolist(), key=lambda i: faces.boxes[i, 0]):
            numbers[i] = self._count
            self._people.append(_Person(self._count, faces.boxes[i], time_s, colours[i]))
            self._count += 1
        return numbers

    def _match(self, time_s: float, faces: Faces, colours: list[ArrayF]) -> list[tuple[int, _Person]]:
        if not len(faces) or not self._people:
            return []
        known = np.stack([person.box for person in self._people])
        overlap = iou_matrix(faces.boxes, known)
        moved, grown = apart(faces.boxes, known)
        alike = np.minimum(np.stack(colours)[:, None], np.stack([each.colours for each in self._people])).sum(axis=2)
        is_short = np.array([time_s - person.time_s <= SHORT_GAP_S for person in self._people])
        stays = is_short & (overlap >= MIN_IOU) & (alike >= MIN_COLOUR_SHORT)
        returns = (alike >= MIN_COLOUR) & (moved <= MAX_SHIFT) & (grown <= MAX_SIZE_RATIO)
        score = np.where(stays, 1 + overlap, np.where(returns, alike, 0))
        from scipy.optimize import linear_sum_assignment  # slow to import, and pages import this package

        rows, columns = linear_sum_assignment(-score)
        return [(int(i), self._people[j]) for i, j in zip(rows, columns, strict=True) if score[i, j] > 0]


def scene_colours(image: RGB) -> ArrayF:
    """Colours of a whole frame (128,), from some of its pixels, to tell cuts by (``CUT``)."""
    height, width = image.shape[:2]
    return _histogram(np.ascontiguousarray(image[:: max(height // 72, 1), :: max(width // 128, 1)]))


def _inside(image: RGB, box: ArrayF) -> RGB:
    """The part of the picture in the box, at most 32×32, at least one pixel."""
    height, width = image.shape[:2]
    x0, y0 = (int(np.clip(box[k], 0, limit - 1)) for k, limit in ((0, width), (1, height)))
    x1, y1 = (int(np.clip(box[k], low + 1, limit)) for k, low, limit in ((2, x0, width), (3, y0, height)))
    step = max(min(x1 - x0, y1 - y0) // 64, 1)
    return cv2.resize(image[y0:y1:step, x0:x1:step], (32, 32), interpolation=cv2.INTER_AREA)


def _histogram(picture: RGB) -> ArrayF:
    """Colour histogram (128,) in Lab (lightness in 2 parts, a and b in 8 each), summing to 1."""
    lab = cv2.cvtColor(picture, cv2.COLOR_RGB2LAB)
    counts = cv2.calcHist([lab], [0, 1, 2], None, [2, 8, 8], [0, 256, 64, 192, 64, 192]).ravel()
    return np.asarray(counts / max(counts.sum(), 1), np.float32)
