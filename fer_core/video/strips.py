"""What is kept of a strip while frames go by: few good pictures of the face, and how much its look changed.

A strip is cut into stretches where the look jumps: there it may have become somebody else's. Of each stretch a few
pictures are kept, the best one of each span of its time; never every frame. In the end at most three are described, no
more than one for every two seconds; of a strip with more stretches one of each; and a few more where two differ
surely, to find the place.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from fer_core.faces.identity.describers import Describer
from fer_core.faces.identity.likeness import Likeness
from fer_core.video.reader import RGB

SPANS, FIRST_SPAN_S = 8, 0.25
"""Pictures of a stretch at most, and seconds that the first ones stand for; they stand for more as it grows."""
PER_STRIP, EACH_S, MAX_STRETCHES = 3, 2.0, 3
JUMP, JUMP_TIMES, BRIEF_S = 0.6, 2.5, 0.3
"""The look jumps where it changes by so much (``Strip.follow``), and by so many times its usual change. A stretch that
ends so soon is no person's: something passed before the face."""


class Picture(NamedTuple):
    """A good face of a strip; ``chip`` as its describer wants it."""

    frame: int
    time_s: float
    quality: float
    chip: RGB


class Described(NamedTuple):
    """A picture and its descriptor float32 (d,)."""

    picture: Picture
    vector: NDArray[np.float32]


@dataclass
class _Stretch:
    """A time without a jump; it began in ``frame``, where the look had changed by ``jump``."""

    frame: int
    start_s: float
    jump: float
    span_s: float = FIRST_SPAN_S
    pictures: dict[int, Picture] = field(default_factory=dict)

    def wants(self, time_s: float, quality: float) -> bool:
        """Whether a face of this quality is clearly better than what is kept of its time."""
        if self._span(time_s) >= SPANS:
            self.grow(time_s)
        kept = self.pictures.get(self._span(time_s))
        return kept is None or quality > 1.1 * kept.quality

    def keep(self, picture: Picture) -> None:
        """Instead of what is kept of its time."""
        self.pictures[self._span(picture.time_s)] = picture

    def grow(self, until_s: float, *more: Picture) -> None:
        """Make the spans so long that they reach up to a time; keep the best picture of each."""
        known = [*self.pictures.values(), *more]
        while self._span(until_s) >= SPANS:
            self.span_s *= 2
        self.pictures = {}
        for picture in known:
            span = self._span(picture.time_s)
            self.pictures[span] = max(picture, self.pictures.get(span, picture), key=lambda each: each.quality)

    def in_order(self) -> list[Picture]:
        """Its pictures in order of time."""
        return [self.pictures[span] for span in sorted(self.pictures)]

    def _span(self, time_s: float) -> int:
        return int((time_s - self.start_s) / self.span_s)


def strip_looks(crops: RGB) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The looks (n, p) of faces (n, h, w, 3), grey values of few pixels in units of their spread, so that light does
    not count; and how bright each is (n,), 0-255."""
    step = max(crops.shape[1] // 16, 1)
    grey = crops[:, ::step, ::step].astype(np.float32) @ np.full(3, 1 / 3, np.float32)
    few = grey.reshape(len(grey), grey.shape[1] * grey.shape[2])  # in a frame without faces -1 could be anything
    bright = few.mean(axis=1)
    few -= bright[:, None]
    spread = np.sqrt(np.einsum("ij,ij->i", few, few) / max(few.shape[1], 1))
    return few / (spread[:, None] + 1), bright


class Strip:
    """One strip of the tracker; every face of it passes through ``follow``, good ones may be kept."""

    def __init__(self) -> None:
        self.last_s = 0.0
        self.described: list[Described] = []
        self._stretches: list[_Stretch] = []
        self._frames, self._changes = array("q"), array("f")
        self._look, self._usual = np.zeros(0, np.float32), 0.0

    def follow(self, frame: int, time_s: float, look: NDArray[np.float32]) -> None:
        """Note how much the look (see ``strip_looks``) changed since the face before: its mean difference."""
        change = float(cv2.norm(look, self._look, cv2.NORM_L1)) / look.size if len(self._look) else 0.0
        if not self._stretches or (change >= JUMP and change >= JUMP_TIMES * self._usual):
            self._forget_brief(time_s)
            self._stretches.append(_Stretch(frame, time_s, change))
            self._forget_least_jump()
        else:
            self._usual += 0.1 * (change - self._usual)
        self._frames.append(frame)
        self._changes.append(change)
        self._look, self.last_s = look, time_s

    def wants(self, quality: float) -> bool:
        """Whether the face that was followed last is worth a picture."""
        return self._stretches[-1].wants(self.last_s, quality)

    def keep(self, picture: Picture) -> None:
        """Keep the picture of the face that was followed last."""
        self._stretches[-1].keep(picture)

    @property
    def kept(self) -> int:
        """How many pictures are in memory."""
        return sum(len(stretch.pictures) for stretch in self._stretches)

    def pictures(self) -> Iterator[Picture]:
        """Every picture that is held, described or not."""
        for stretch in self._stretches:
            yield from stretch.pictures.values()
        yield from (each.picture for each in self.described)

    @property
    def followed(self) -> int:
        """How many faces have passed."""
        return len(self._frames)

    def state(self, since: int) -> dict[str, Any]:
        """What is known, without the pictures themselves, and of the faces that passed only those after the first
        ``since``; see ``packed``."""
        return {
            "last_s": self.last_s,
            "usual": self._usual,
            "look": self._look,
            "frames": np.array(self._frames[since:], np.int64),
            "changes": np.array(self._changes[since:], np.float32),
            "stretches": [
                [each.frame, each.start_s, each.jump, each.span_s, [_told(*pair) for pair in each.pictures.items()]]
                for each in self._stretches
            ],
            "described": [_told(0, each.picture) for each in self.described],
            "vectors": [each.vector for each in self.described],
        }

    @classmethod
    def going_on(cls, states: Sequence[Mapping[str, Any]], chip_of: Callable[[int], RGB]) -> Strip:
        """One that goes on from all ``states`` of another one, with the pictures of its frames."""
        strip, last = cls(), states[-1]

        def picture(told: Sequence[Any]) -> Picture:
            _, frame, time_s, quality = told
            return Picture(frame, time_s, quality, chip_of(frame))

        strip.last_s, strip._usual, strip._look = last["last_s"], last["usual"], last["look"]
        for state in states:
            strip._frames.extend(state["frames"].tolist())
            strip._changes.extend(state["changes"].tolist())
        for frame, start_s, jump, span_s, pictures in last["stretches"]:
            kept = {told[0]: picture(told) for told in pictures}
            strip._stretches.append(_Stretch(frame, start_s, jump, span_s, kept))
        pairs = zip(last["described"], last["vectors"], strict=True)
        strip.described = [Described(picture(told), vector) for told, vector in pairs]
        return strip

    def describe(self, describer: Describer) -> None:
        """Describe early, middle and late pictures, and forget all."""
        seen = [stretch for stretch in self._stretches if stretch.pictures]
        pictures = sorted((each for stretch in seen for each in stretch.in_order()), key=lambda each: each.frame)
        place = {picture.frame: i for i, picture in enumerate(pictures)}
        home = {place[each.frame]: n for n, stretch in enumerate(seen) for each in stretch.in_order()}
        best: list[int] = []
        for stretch in seen:
            kept = stretch.in_order()
            wanted = min(PER_STRIP // len(seen), int((kept[-1].time_s - kept[0].time_s) / EACH_S) + 1)
            parts = np.array_split(np.arange(len(kept)), min(max(wanted, 1), len(kept)))
            best += [place[max((kept[i] for i in part), key=lambda each: each.quality).frame] for part in parts]
            stretch.pictures = {}
        chosen, cut = sorted(best), describer.likeness.cut
        vectors = dict(zip(chosen, _described(describer, [pictures[i] for i in chosen]), strict=True))
        for low, high in pairwise(chosen):
            while high - low > 1 and home[low] == home[high] and _distance(vectors[low], vectors[high]) > cut:
                middle = (low + high) // 2
                vectors[middle] = _described(describer, [pictures[middle]])[0]
                is_first = _distance(vectors[middle], vectors[low]) <= _distance(vectors[middle], vectors[high])
                low, high = (middle, high) if is_first else (low, middle)
        self.described += [Described(pictures[i], vectors[i]) for i in sorted(vectors)]

    def take(self, part: Strip) -> None:
        """Take over what is known of another strip that is a part of this one."""
        self.described = sorted([*self.described, *part.described], key=lambda each: each.picture.frame)
        self._stretches = sorted([*self._stretches, *part._stretches], key=lambda each: each.frame)
        self._frames += part._frames
        self._changes += part._changes

    def parts(self, likeness: Likeness) -> list[list[Described]]:
        """The described faces in order of time, cut where they are surely two people's; at least one part."""
        return self._parted(self.described, likeness)

    def changed_most(self, after: int, until: int) -> int:
        """The frame after ``after``, at most ``until``, at which the look changed most."""
        frames, changes = np.frombuffer(self._frames, np.int64), np.frombuffer(self._changes, np.float32)
        inside = np.flatnonzero((frames > after) & (frames <= until))
        return int(frames[inside[np.argmax(changes[inside])]])

    def _parted(self, described: list[Described], likeness: Likeness) -> list[list[Described]]:
        """Of the two faces that are furthest beyond their limit, the way from one to the other is cut at its greatest
        step."""
        if len(described) < 2:
            return [described]
        vectors = np.stack([each.vector for each in described])
        frames = np.array([each.picture.frame for each in described])
        stretch = np.searchsorted([each.frame for each in self._stretches], frames, side="right")
        limits = np.where(stretch[:, None] == stretch[None], likeness.cut, likeness.jump)
        apart = np.linalg.norm(vectors[:, None] - vectors[None], axis=2) / limits
        if apart.max() <= 1:
            return [described]
        low, high = sorted(int(i) for i in np.unravel_index(int(apart.argmax()), apart.shape))
        at = low + 1 + int(np.argmax([apart[i, i + 1] for i in range(low, high)]))
        return [*self._parted(described[:at], likeness), *self._parted(described[at:], likeness)]

    def _forget_brief(self, now_s: float) -> None:
        """The last stretch, if it was one in passing."""
        if len(self._stretches) > 1 and now_s - self._stretches[-1].start_s < BRIEF_S:
            self._stretches.pop()

    def _forget_least_jump(self) -> None:
        """Of too many stretches, those on both sides of the least jump become one."""
        if len(self._stretches) <= MAX_STRETCHES:
            return
        least = min(range(1, len(self._stretches)), key=lambda i: self._stretches[i].jump)
        gone, before = self._stretches.pop(least), self._stretches[least - 1]
        before.span_s = max(before.span_s, gone.span_s)
        until_s = max((picture.time_s for picture in gone.pictures.values()), default=before.start_s)
        before.grow(max(until_s, gone.start_s), *gone.pictures.values())


def _told(span: int, picture: Picture) -> list[float]:
    return [span, picture.frame, picture.time_s, picture.quality]


def _described(describer: Describer, pictures: list[Picture]) -> NDArray[np.float32]:
    if not pictures:
        return np.zeros((0, 1), np.float32)
    return describer.describe(np.stack([picture.chip for picture in pictures]))


def _distance(a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
    return float(np.linalg.norm(a - b))
