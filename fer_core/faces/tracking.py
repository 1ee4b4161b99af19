"""Who is who from frame to frame: boxes are linked to strips by where a face should be and by what it looks like.

A strip is one person: where it is doubtful whether a face goes on, a new strip begins.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fer_core.faces.looks import (
    FaceLooks,
    SceneLook,
    glances,
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
STILL, UNCHANGED, LOOKED_S = 0.5, 0.3, 0.12
"""Who overlaps nobody but one of the frame before, by as much, and at a glance differs from that one by so little, as a
part of the contrast, is the same; but so often everybody is looked at."""


class _Face(NamedTuple):
    """A face in a frame: box (4,), score, what a glance shows, where it is cut (3, 2), and its look (one)."""

    time_s: float
    box: ArrayF
    score: float
    glance: ArrayF
    square: NDArray[np.float64]
    look: FaceLooks


@dataclass
class _Strip:
    number: int
    box: ArrayF
    time_s: float
    glance: ArrayF
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
        self.glimpse(seen.time_s, seen.box, seen.score, seen.glance)
        kept = self.looks[1:]
        if is_new:
            kept = FaceLooks.joined([seen.look, kept])[:KEPT]
        self.looks, self.square = FaceLooks.joined([seen.look, kept]), seen.square

    def glimpse(self, time_s: float, box: ArrayF, score: float, glance: ArrayF) -> None:
        """Go on with a face that looks as before."""
        moved, passed_s = (box - self.box).reshape(2, 2).mean(axis=0), time_s - self.time_s
        if 0 < passed_s <= SHORT_GAP_S:
            self.speed = np.asarray(self.speed + SPEED_WEIGHT * (moved / passed_s - self.speed), np.float32)
        else:
            self.speed = np.zeros(2, np.float32)
        self.square = np.concatenate([self.square[:1] + moved, self.square[1:]])
        self.box, self.time_s, self.glance = box, time_s, glance
        self.score, self.missed_s, self.frames = max(self.score, score), None, self.frames + 1


@dataclass
class _Left:
    """A scene that was cut away at ``time_s`` and may come back: how it looked, and its strips."""

    look: SceneLook
    strips: list[_Strip]
    time_s: float
    frames: int = 0


def _strip(told: Mapping[str, Any]) -> _Strip:
    return _Strip(**{**told, "looks": FaceLooks(**told["looks"])})


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
        self._last_s, self._step_s, self._looked_s = -np.inf, np.inf, -np.inf
        self._same: dict[int, int] = {}

    @property
    def same(self) -> Mapping[int, int]:
        """Strips that turned out to be a part of an older one, such as the first moments after somebody passed before a
        face: the number of the oldest by theirs."""
        return MappingProxyType({young: self.oldest(young) for young in self._same})

    def oldest(self, number: int) -> int:
        """The strip that a strip turned out to be a part of, see ``same``; by default itself."""
        while number in self._same:  # an older one has the lower number
            number = self._same[number]
        return number

    def state(self) -> dict[str, Any]:
        """All that it knows, for another one to go on with: words, numbers, arrays and records of them."""
        return {name.removeprefix("_"): value for name, value in vars(self).items()} | {"same": [*self._same.items()]}

    @classmethod
    def going_on(cls, state: Mapping[str, Any]) -> Tracker:
        """One that goes on from a ``state``, whose records may be dicts."""
        tracker = cls()
        for name in ("count", "scene_s", "last_s", "step_s", "looked_s"):
            setattr(tracker, f"_{name}", state[name])
        tracker._same, tracker._strips = dict(state["same"]), [_strip(each) for each in state["strips"]]
        tracker._scene = None if state["scene"] is None else SceneLook(**state["scene"])
        if (left := state["left"]) is not None:
            strips = [_strip(each) for each in left["strips"]]
            tracker._left = _Left(**{**left, "look": SceneLook(**left["look"]), "strips": strips})
        return tracker

    def update(self, time_s: float, faces: Faces, image: RGB, scene: SceneLook | None = None) -> NDArray[np.int32]:
        """Strip numbers (n,) of ``faces`` found in ``image`` at ``time_s``; ``scene`` is its ``scene_look``, if
        known."""
        scene = scene_look(image) if scene is None else scene
        is_changed = self._enter(time_s, scene)
        self._forget(time_s)
        glance = glances(image, faces.boxes)
        numbers, over = np.full(len(faces), -1, np.int32), set[int]()
        if is_changed or time_s - self._looked_s > LOOKED_S:
            self._looked_s = time_s
        else:
            for i, strip in self._unchanged(faces.boxes, glance):
                strip.glimpse(time_s, faces.boxes[i], float(faces.scores[i]), glance[i])
                numbers[i] = strip.number
        rest = np.flatnonzero(numbers < 0)
        seen = _looked_at(time_s, faces[rest], glance[rest], image, scene) if len(rest) else []
        if seen:
            is_clear = _is_clear(faces.boxes)[rest]
            numbers[rest], over = self._gone_on(seen, is_clear, is_changed, image, scene)
        over |= {each.replaces for each in self._strips if each.replaces is not None and each.frames >= STAYS_FRAMES}
        self._strips = [each for each in self._strips if each.time_s == time_s or each.number not in over]
        for k in sorted(np.flatnonzero(numbers[rest] < 0).tolist(), key=lambda k: seen[k].box[0]):
            numbers[rest[k]] = self._begin(seen[k])
        for strip in self._strips:
            if strip.time_s < time_s and strip.missed_s is None:
                strip.missed_s = time_s
        self._last_s, self._step_s = time_s, min(self._step_s, time_s - self._last_s)
        return numbers

    def _unchanged(self, boxes: ArrayF, glance: ArrayF) -> list[tuple[int, _Strip]]:
        """Rows of faces (n,) that a glance shows to be where they were and as they were, and their strips."""
        there = [each for each in self._strips if each.missed_s is None]
        if not there:
            return []
        overlap = iou_matrix(boxes, np.array([each.box for each in there], np.float32))
        is_near, best = overlap > CLEAR, overlap.argmax(axis=1)
        is_alone = (is_near.sum(axis=1) == 1) & (is_near.sum(axis=0)[best] == 1)
        rows = np.flatnonzero(is_alone & (overlap.max(axis=1) >= STILL))
        before = np.array([there[best[i]].glance for i in rows], np.float32).reshape(-1, *glance.shape[1:])
        contrast = np.abs(before - before.mean(axis=(1, 2), keepdims=True)).mean(axis=(1, 2, 3))
        is_same = np.abs(glance[rows] - before).mean(axis=(1, 2, 3)) <= UNCHANGED * contrast
        return [(int(i), there[best[i]]) for i in rows[is_same]]

    def _gone_on(
        self, seen: list[_Face], is_clear: NDArray[np.bool_], is_changed: bool, image: RGB, scene: SceneLook
    ) -> tuple[NDArray[np.int32], set[int]]:
        """Put faces into the strips that are not seen yet; returns their numbers, -1 where a new one begins, and those
        of the strips that are over."""
        time_s = seen[0].time_s
        strips = [each for each in self._strips if each.time_s < time_s]
        numbers, over = np.full(len(seen), -1, np.int32), set[int]()
        pairs = _Pairs(strips, time_s, seen)
        could = pairs.could(ALIKE_CHANGED if is_changed else ALIKE_SHORT)
        for i, j in pairs.best(could):
            over |= self._reclaimed(strips[j], seen[i], pairs.strips, could[i], pairs.moved[i] <= NEAR)
            is_new = bool(is_clear[i] and pairs.alike_kept[i, j] < NEW_LOOK)
            strips[j].see(seen[i], is_new)
            numbers[i] = strips[j].number
        for i, j in pairs.near((numbers < 0) & (not is_changed)):
            strip = strips[j]
            square = strip.square.copy()
            square[0] += strip.drift(time_s)
            there = seen[i]._replace(square=square, look=looks_at(image, square[None], scene))
            is_alike = likeness_of_rest(there.look, strip.looks).max() >= ALIKE_REST
            if numbers[i] < 0 and strip.time_s < time_s and is_alike:
                strip.see(there, is_new=False)
                numbers[i] = strip.number
        return numbers, over

    def _forget(self, time_s: float) -> None:
        """End the strips whose face was away for too long."""
        memory_s = max(MEMORY_S, MEMORY_FRAMES * self._step_s if np.isfinite(self._step_s) else 0)
        self._strips = [each for each in self._strips if each.missed_s is None or time_s - each.missed_s <= memory_s]

    def _begin(self, seen: _Face) -> int:
        """Begin a strip; returns its number."""
        there = [each for each in self._strips if each.missed_s is None and each.time_s == self._last_s]
        overlap = iou_matrix(seen.box[None], np.array([each.box for each in there], np.float32).reshape(-1, 4))[0]
        replaces = there[int(overlap.argmax())].number if overlap.max(initial=0) >= TAKEN else None
        looks = FaceLooks.joined([seen.look, seen.look])
        strip = _Strip(
            self._count, seen.box, seen.time_s, seen.glance, seen.square, looks, seen.time_s, replaces, seen.score
        )
        self._strips.append(strip)
        self._count += 1
        return self._count - 1

    def _reclaimed(
        self, strip: _Strip, seen: _Face, strips: list[_Strip], could: NDArray, is_near: NDArray
    ) -> set[int]:
        """Those of ``strips`` that turn out to be a part of an older one that takes a face after it missed some: the
        ones that could have gone on with the face, and what flickered up at its place meanwhile, as a face half covered
        does."""
        own = {
            each.number
            for each, could_be, near in zip(strips, could.tolist(), is_near.tolist(), strict=True)
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


def _looked_at(time_s: float, faces: Faces, glance: ArrayF, image: RGB, scene: SceneLook) -> list[_Face]:
    """Faces with their looks."""
    squares = look_squares(faces)
    looks = looks_at(image, squares, scene)
    return [
        _Face(time_s, faces.boxes[i], float(faces.scores[i]), glance[i], squares[i], looks[i : i + 1])
        for i in range(len(faces))
    ]


def _is_clear(boxes: ArrayF) -> NDArray[np.bool_]:
    """Whether each of the boxes (n, 4) is free of others."""
    return np.asarray((iou_matrix(boxes, boxes) > CLEAR).sum(axis=1) <= 1)


class _Pairs:
    """What speaks for each of n faces going on in each of m strips: ``alike`` (n, m), the likeness to the best look of
    the strip; ``alike_kept`` (n, m), to the best of those it keeps."""

    def __init__(self, strips: list[_Strip], time_s: float, seen: list[_Face]) -> None:
        self.strips, self.time_s = strips, time_s
        boxes = np.array([each.box for each in seen], np.float32)
        last = np.array([each.box for each in strips], np.float32).reshape(-1, 4)
        drift = np.array([each.drift(time_s) for each in strips], np.float32).reshape(-1, 2)
        expected = last + np.tile(drift, 2)
        self.moved, self.grown = apart(boxes, last)
        self.moved = np.minimum(self.moved, apart(boxes, expected)[0])
        self.overlap = iou_matrix(boxes, expected)
        self.alike = self.alike_kept = np.zeros((len(boxes), len(strips)), np.float32)
        if self.alike.size:
            starts = np.cumsum([0, *(len(each.looks) for each in strips[:-1])])
            each_look = likeness(
                FaceLooks.joined([each.look for each in seen]), FaceLooks.joined([each.looks for each in strips])
            )
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
