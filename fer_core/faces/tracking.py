"""Who is who from frame to frame: boxes are linked to strips by where a face should be and by what it looks like.

A strip is one person: where it is doubtful whether a face goes on, a new strip begins.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fer_core.faces.looks import (
    FaceLooks,
    SceneLook,
    likeness,
    likeness_of_rest,
    look_squares,
    looks_at,
    scene_likeness,
    scene_look,
)
from fer_core.faces.records import RGB, ArrayF, Faces

MEMORY_S, MEMORY_FRAMES = 5.0, 1.5
"""A person who was looked for and not seen for longer, in s and in frames, comes back as a new one."""
MAX_SHIFT, MAX_SIZE_RATIO = 1.0, 1.8
"""The furthest that a face may be from where it was or should be, in face sizes, and the most that it may grow."""
SHORT_GAP_S, DRIFT_S = 0.35, 1.0
"""A short time, in which a face hardly changes; and how long an unseen face is thought to move on."""
ALIKE_SHORT, ALIKE_CHANGED, ALIKE = 0.84, 0.88, 0.82
"""Least likeness after a short time, after one in which the picture changed, and after a longer one, in which a face
has changed more by itself."""
NEAR, ALIKE_REST = 0.35, 0.9
"""A face that moved by no more, in face sizes, may be one that is half covered, so that its landmarks are wrong; and
the least likeness of the rest of it, where it was before."""
CUT, CHANGED = 0.35, 0.8
"""Pictures that are laid out less alike belong to different scenes; or the second is changed, maybe by a cut."""
INTERRUPTION_S = 0.5
"""A scene that comes back so soon, or after one frame, was not cut, as after a flash."""
KEPT, NEW_LOOK, CLEAR = 4, 0.9, 0.1
"""So many looks of a person are kept, each unlike the others, taken where no other face overlaps by more."""
TAKEN, STAYS_FRAMES = 0.4, 3
"""Who overlaps somebody of the frame before by as much and is there for so many frames has taken the place."""
FLICKER_FRAMES, SURE_SCORE = 2, 0.99
"""What is seen in no more frames and never more surely, or hardly ago, between two sightings of a person at one place,
is that one."""
YOUNG_S = 1.0
"""A strip that began so lately gives its face back to an older one that it turns out to belong to."""
NEAR_WEIGHT, NOTHING_ALIKE, YOUNG_WEIGHT = 0.3, 0.75, 0.25
"""What overlap counts beside likeness, of which so much counts nothing; and what part of it counts in a young strip."""
SPEED_WEIGHT = 0.4
"""How much of its speed a face takes from one frame."""


class Seam(NamedTuple):
    """Where a strip was the least like itself from one sighting to the next: if it is two people, it is cut here.

    ``time_s`` is the later sighting's; ``likeness`` is at most 1.
    """

    time_s: float
    likeness: float


class _Face(NamedTuple):
    """A face in a frame: box (4,), score, where it is cut (3, 2), and its look (one)."""

    time_s: float
    box: ArrayF
    score: float
    square: NDArray[np.float64]
    look: FaceLooks


@dataclass
class _Strip:
    number: int
    box: ArrayF
    time_s: float
    square: NDArray[np.float64]
    """Where it was cut, (3, 2)."""
    looks: FaceLooks
    """The latest first, then the kept ones."""
    first_s: float
    replaces: int | None = None
    """The strip whose place it took."""
    score: float = 0.0
    frames: int = 1
    speed: ArrayF = field(default_factory=lambda: np.zeros(2, np.float32))
    """Px per s."""
    missed_s: float | None = None
    """When it was first looked for and not seen."""

    def drift(self, time_s: float) -> ArrayF:
        """How far the face should have moved on, in px."""
        return np.asarray(self.speed * min(time_s - self.time_s, DRIFT_S), np.float32)

    def flickered(self, time_s: float) -> bool:
        """Whether there was too little of it, up to now, to be somebody."""
        is_brief = time_s - self.first_s <= SHORT_GAP_S
        return self.frames <= FLICKER_FRAMES and (is_brief or self.score < SURE_SCORE)

    def see(self, seen: _Face, is_new: bool) -> None:
        """Go on with a face; ``is_new`` keeps its look."""
        passed_s = seen.time_s - self.time_s
        if 0 < passed_s <= SHORT_GAP_S:
            moved = (seen.box - self.box).reshape(2, 2).mean(axis=0) / passed_s
            self.speed = np.asarray(self.speed + SPEED_WEIGHT * (moved - self.speed), np.float32)
        else:
            self.speed = np.zeros(2, np.float32)
        kept = self.looks[1:]
        if is_new:
            kept = FaceLooks.joined([seen.look, kept])[:KEPT]
        self.looks = FaceLooks.joined([seen.look, kept])
        self.box, self.square, self.time_s = seen.box, seen.square, seen.time_s
        self.score = max(self.score, seen.score)
        self.missed_s, self.frames = None, self.frames + 1


@dataclass
class _Left:
    """A scene that was cut away at ``time_s`` and may come back: how it looked, and its strips."""

    look: SceneLook
    strips: list[_Strip]
    time_s: float
    frames: int = 0


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
    """Gives the faces of successive frames the numbers of strips, 0, 1, 2, … in order of appearance, from left to right
    in one frame.

    Feed every analysed frame in order. A face goes on in a strip if it is near where it was or should be, of like size,
    and looks alike. A strip waits for its face through ``MEMORY_S`` seconds of frames without it, however long one
    frame stands. It ends with its scene, unless that comes back at once, and where somebody else takes the place from
    one frame to the next.
    """

    def __init__(self) -> None:
        self._strips: list[_Strip] = []
        self._count = 0
        self._scene: SceneLook | None = None
        self._scene_s = -np.inf
        self._left: _Left | None = None
        self._last_s, self._step_s = -np.inf, np.inf
        self._seams: dict[int, Seam] = {}
        self._same: dict[int, int] = {}

    @property
    def seams(self) -> Mapping[int, Seam]:
        """The seam of every strip that was seen more than once, by number."""
        return MappingProxyType(self._seams)

    @property
    def same(self) -> Mapping[int, int]:
        """Strips that turned out to be a part of an older one, such as the first moments after somebody passed before a
        face: the number of the oldest by theirs."""
        found: dict[int, int] = {}
        for young, old in sorted(self._same.items()):  # an older one has the lower number
            found[young] = found.get(old, old)
        return MappingProxyType(found)

    def update(self, time_s: float, faces: Faces, image: RGB, scene: SceneLook | None = None) -> NDArray[np.int32]:
        """Strip numbers (n,) of ``faces`` found in ``image`` at ``time_s``; ``scene`` is its ``scene_look``, if
        known."""
        scene = scene_look(image) if scene is None else scene
        is_changed = self._enter(time_s, scene)
        self._forget(time_s)
        squares = look_squares(faces)
        looks = looks_at(image, squares, scene)
        seen = [
            _Face(time_s, faces.boxes[i], float(faces.scores[i]), squares[i], looks[i : i + 1])
            for i in range(len(faces))
        ]
        pairs = _Pairs(self._strips, time_s, faces.boxes, looks)
        could = pairs.could(ALIKE_CHANGED if is_changed else ALIKE_SHORT)
        numbers, over = np.full(len(faces), -1, np.int32), set[int]()
        is_clear = _is_clear(faces.boxes)
        for i, j in pairs.best(could):
            over |= self._reclaimed(self._strips[j], seen[i], could[i], pairs.moved[i] <= NEAR)
            is_new = bool(is_clear[i] and pairs.alike_kept[i, j] < NEW_LOOK)
            numbers[i] = self._go_on(self._strips[j], seen[i], float(pairs.alike[i, j]), is_new)
        for i, j in pairs.near((numbers < 0) & (not is_changed)):
            strip = self._strips[j]
            square = strip.square.copy()
            square[0] += strip.drift(time_s)
            there = seen[i]._replace(square=square, look=looks_at(image, square[None], scene))
            alike = float(likeness_of_rest(there.look, strip.looks).max())
            if numbers[i] < 0 and strip.time_s < time_s and alike >= ALIKE_REST:
                numbers[i] = self._go_on(strip, there, alike, is_new=False)
        over |= {each.replaces for each in self._strips if each.replaces is not None and each.frames >= STAYS_FRAMES}
        self._strips = [each for each in self._strips if each.time_s == time_s or each.number not in over]
        for i in sorted(np.flatnonzero(numbers < 0).tolist(), key=lambda i: faces.boxes[i, 0]):
            numbers[i] = self._begin(seen[i])
        for strip in self._strips:
            if strip.time_s < time_s and strip.missed_s is None:
                strip.missed_s = time_s
        self._last_s, self._step_s = time_s, min(self._step_s, time_s - self._last_s)
        return numbers

    def _forget(self, time_s: float) -> None:
        """End the strips whose face was away for too long."""
        memory_s = max(MEMORY_S, MEMORY_FRAMES * self._step_s if np.isfinite(self._step_s) else 0)
        self._strips = [each for each in self._strips if each.missed_s is None or time_s - each.missed_s <= memory_s]

    def _go_on(self, strip: _Strip, seen: _Face, alike: float, is_new: bool) -> int:
        """Put a face into a strip; returns its number."""
        if alike < self._seams.get(strip.number, Seam(0, np.inf)).likeness:
            self._seams[strip.number] = Seam(seen.time_s, alike)
        strip.see(seen, is_new)
        return strip.number

    def _begin(self, seen: _Face) -> int:
        """Begin a strip; returns its number."""
        there = [each for each in self._strips if each.missed_s is None and each.time_s == self._last_s]
        overlap = iou_matrix(seen.box[None], np.array([each.box for each in there], np.float32).reshape(-1, 4))[0]
        replaces = there[int(overlap.argmax())].number if overlap.max(initial=0) >= TAKEN else None
        looks = FaceLooks.joined([seen.look, seen.look])
        strip = _Strip(self._count, seen.box, seen.time_s, seen.square, looks, seen.time_s, replaces, seen.score)
        self._strips.append(strip)
        self._count += 1
        return self._count - 1

    def _reclaimed(self, strip: _Strip, seen: _Face, could: NDArray, is_near: NDArray) -> set[int]:
        """Strips that turn out to be a part of an older one that takes a face after it missed some: those that could
        have gone on with the face, and what flickered up at its place meanwhile, as a face half covered does."""
        own = {
            each.number
            for each, could_be, near in zip(self._strips, could.tolist(), is_near.tolist(), strict=True)
            if strip.missed_s is not None
            and each.first_s > strip.time_s
            and ((could_be and each.time_s == self._last_s) or (near and each.flickered(seen.time_s)))
        }
        self._same |= dict.fromkeys(own, strip.number)
        return own

    def _enter(self, time_s: float, scene: SceneLook) -> bool:
        """See whether the scene goes on; returns whether the picture changed much. A flat picture tells nothing."""
        before, self._scene = self._scene, scene
        if scene.is_flat:  # a flash or the dark; after a while what was there before says nothing either
            self._scene = before if time_s - self._scene_s <= INTERRUPTION_S else None
            return False
        self._scene_s = time_s
        if before is None:
            return False
        left = self._left
        if left is not None:
            left.frames += 1
            if left.frames > 1 and time_s - left.time_s > INTERRUPTION_S:
                self._left = left = None
        alike = scene_likeness(before, scene)
        if alike >= CUT:
            return alike < CHANGED
        if left is not None and scene_likeness(left.look, scene) >= CUT:
            self._strips, self._left = left.strips, None
        else:
            self._left = left or _Left(before, self._strips, time_s)
            self._strips = []
        return True


def _is_clear(boxes: ArrayF) -> list[bool]:
    """Whether each of the boxes (n, 4) is free of others."""
    if len(boxes) < 2:
        return [True] * len(boxes)
    overlap = iou_matrix(boxes, boxes) - np.eye(len(boxes), dtype=np.float32)
    return (overlap.max(axis=1) <= CLEAR).tolist()


class _Pairs:
    """What speaks for each of n faces going on in each of m strips: ``alike`` (n, m), the likeness to the best look of
    the strip; ``alike_kept`` (n, m), to the best of those it keeps."""

    def __init__(self, strips: list[_Strip], time_s: float, boxes: ArrayF, looks: FaceLooks) -> None:
        self.strips, self.time_s = strips, time_s
        last = np.array([each.box for each in strips], np.float32).reshape(-1, 4)
        drift = np.array([each.drift(time_s) for each in strips], np.float32).reshape(-1, 2)
        expected = last + np.tile(drift, 2)
        self.moved, self.grown = apart(boxes, last)
        self.moved = np.minimum(self.moved, apart(boxes, expected)[0])
        self.overlap = iou_matrix(boxes, expected)
        self.alike = self.alike_kept = np.zeros((len(boxes), len(strips)), np.float32)
        if self.alike.size:
            starts = np.cumsum([0, *(len(each.looks) for each in strips[:-1])])
            each_look = likeness(looks, FaceLooks.joined([each.looks for each in strips]))
            best = np.maximum.reduceat(each_look, np.stack([starts, starts + 1], axis=1).ravel(), axis=1)
            self.alike_kept = best[:, 1::2]
            self.alike = np.maximum(best[:, ::2], self.alike_kept)

    def could(self, least_short: float) -> NDArray[np.bool_]:
        """Which pairs are near and alike enough (n, m); ``least_short`` is the least likeness after a short time."""
        is_short = np.array([self.time_s - each.time_s <= SHORT_GAP_S for each in self.strips], bool)
        is_alike = self.alike >= np.where(is_short, least_short, ALIKE)
        return is_alike & (self.moved <= MAX_SHIFT) & (self.grown <= MAX_SIZE_RATIO)

    def best(self, could: NDArray[np.bool_]) -> list[tuple[int, int]]:
        """Rows of faces and strips that belong together, out of those that could."""
        from scipy.optimize import linear_sum_assignment  # slow to import, and pages import this package

        is_young = np.array([self.time_s - each.first_s <= YOUNG_S for each in self.strips], bool)
        score = self.alike - NOTHING_ALIKE + NEAR_WEIGHT * self.overlap
        score = np.where(could, score * np.where(is_young, YOUNG_WEIGHT, 1), 0)
        rows, columns = linear_sum_assignment(-score)
        return [(int(i), int(j)) for i, j in zip(rows, columns, strict=True) if could[i, j]]

    def near(self, is_free: NDArray[np.bool_]) -> list[tuple[int, int]]:
        """Rows of free faces and strips that were not seen now, at nearly the same place, the nearest first."""
        is_unseen = np.array([each.time_s < self.time_s for each in self.strips], bool)
        could = (self.moved <= NEAR) & (self.grown <= MAX_SIZE_RATIO) & is_free[:, None] & is_unseen
        rows, columns = np.nonzero(could)
        order = np.argsort(self.moved[rows, columns])
        return [(int(rows[k]), int(columns[k])) for k in order]
