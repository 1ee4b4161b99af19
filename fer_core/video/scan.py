"""Faces of every frame of a video: a decoder, detectors and what follows them are busy at once, in bounded memory.

*exact* looks for faces anew in every frame, several frames side by side. *fast* does so a few times a second, at every
cut of the scene, and before and after it; what lies between is known on both sides. There every face's box is guessed
from its neighbours in time and judged by the detector in that very frame (see ``Refiner``), in every other one of them;
in the frame between two such, the face is put midway if it hardly moved and a glance finds it there, and judged too if
not. So each frame has its own boxes. A face that comes or goes in between is followed until it is gone.
"""

from __future__ import annotations

import itertools
import os
import queue
import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from fer_core.faces import Detector, Faces, Refiner, can_refine
from fer_core.faces.looks import scene_likeness
from fer_core.faces.records import RGB, ArrayF, suppressed
from fer_core.faces.tracking import CHANGED, apart
from fer_core.video.columns import DETECTED, MIDWAY, REFINED
from fer_core.video.reader import Frame

KEY_S, KEY_FRAMES = 0.5, 15
"""*fast* looks anew after so many seconds or frames, whichever comes first."""
SPAN_BYTES, MAX_SPANS = 75_000_000, 10
"""Pictures of a span, and spans that wait or are in work; of large pictures fewer lie between two looks."""
MAX_MOVE, MAX_GROWTH = 3.0, 1.6
"""Between two looks one face moves by so much of its size at most, and changes its size by this factor."""
MAX_REFINED = 1.0
"""A face that is judged is at most so far from where it was guessed, in units of its size, and within the growth."""
STEADY, STEADY_GROWTH = 0.5, 1.15
"""A face that moves and grows no more within two frames, in units of its size, is put on the way in the one between."""
T = TypeVar("T")
Look = Callable[[Frame], "Future[Faces]"]
"""Looks for faces in the background."""


class Scanned(NamedTuple):
    """A frame with its n faces; ``sources`` (n,) says where each comes from: ``detected`` here, ``refined`` here from a
    guess, or ``midway`` from the frames before and after, and seen there. ``begins``: a scan that begins with this
    frame finds in it and after it what this one does."""

    frame: Frame
    faces: Faces
    sources: NDArray[np.object_]
    begins: bool = False


def scan(frames: Iterator[Frame], detector: Detector, mode: str) -> Generator[Scanned]:
    """Faces of successive frames, in order. Closing the generator stops its threads."""
    head = next(frames, None)
    if head is None:
        return
    frames = itertools.chain([head], frames)
    with one_thread_each(), _pool() as lookers, _pool() as fillers:

        def look(frame: Frame) -> Future[Faces]:
            return lookers.submit(lambda: detector.detect([frame.image])[0])

        if mode == "fast" and can_refine(detector):
            # a filler waits until both ends of its span were looked at, so lookers have threads of their own
            jobs = (fillers.submit(span.filled, detector) for span in _spans(frames, look))
            depth = _spans_at_once() - 3  # one is being cut, one waits for its place, one is being taken
        else:
            jobs = (fillers.submit(_detected, frame, look(frame)) for frame in frames)
            depth = max(min(2 * cores(), _spans_at_once() * SPAN_BYTES // head.image.nbytes), 1)
        with _ahead(jobs, depth) as ready:
            for job in ready:
                yield from job.result()


def _detected(frame: Frame, found: Future[Faces]) -> list[Scanned]:
    return [looked_at(frame, found.result())]


def looked_at(frame: Frame, faces: Faces, begins: bool = True) -> Scanned:
    """A frame in which faces were looked for."""
    return Scanned(frame, faces, np.full(len(faces), DETECTED, object), begins)


# fast


@dataclass(frozen=True)
class _Span:
    """Successive frames of one scene; faces were looked for in the first and in the last one. The last one belongs to
    the next span, unless ``is_end``."""

    frames: list[Frame]
    first: Future[Faces]
    last: Future[Faces]
    is_end: bool

    def filled(self, refiner: Refiner) -> list[Scanned]:
        """Faces of the frames that belong to this span."""
        ends = self.first.result(), self.last.result()
        times = np.array([frame.time_s for frame in self.frames])
        between = fill([frame.image for frame in self.frames], times, *ends, refiner)
        inside = [Scanned(frame, *found) for frame, found in zip(self.frames[1:-1], between, strict=True)]
        found = [looked_at(self.frames[0], ends[0]), *inside]
        if self.is_end and len(self.frames) > 1:
            found.append(looked_at(self.frames[-1], ends[1], begins=False))
        return found


def _spans(frames: Iterator[Frame], look: Look) -> Iterator[_Span]:
    """Cut a video into spans; both ends of each are being looked at. A scene also ends before a long time without any
    frame."""
    held: list[Frame] = []
    first: Future[Faces] | None = None
    for frame in frames:
        is_cut = bool(held) and scene_likeness(held[-1].look, frame.look) < CHANGED
        is_gap = bool(held) and frame.time_s - held[-1].time_s > KEY_S + 1e-6
        if first is None or is_cut or is_gap:
            if first is not None:
                yield _closed(held, first, look)
            held, first = [frame], look(frame)
            continue
        held.append(frame)
        if _is_due(held):
            last = look(frame)
            yield _Span(held, first, last, is_end=False)
            held, first = [frame], last
    if first is not None:
        yield _closed(held, first, look)


def _closed(frames: list[Frame], first: Future[Faces], look: Look) -> _Span:
    """The last span of a scene."""
    return _Span(frames, first, look(frames[-1]) if len(frames) > 1 else first, is_end=True)


def _is_due(held: list[Frame]) -> bool:
    """Whether it is time to look anew in the last of these frames."""
    most = max(min(KEY_FRAMES, SPAN_BYTES // held[0].image.nbytes), 1)
    spent_s = held[-1].time_s - held[0].time_s
    next_s = spent_s + held[-1].time_s - held[-2].time_s
    return len(held) > most or next_s > KEY_S + 1e-6


def _spans_at_once() -> int:
    return min(cores() + 2, MAX_SPANS)


def fill(
    images: Sequence[RGB], times: NDArray[np.float64], first: Faces, last: Faces, refiner: Refiner
) -> list[tuple[Faces, NDArray[np.object_]]]:
    """Faces of the pictures between the first and the last, whose faces are known, and where each comes from.

    ``times`` (n,) are those of the n pictures in s, rising.
    """
    if len(images) < 3 or not len(first) + len(last):
        return [(Faces.none(), np.zeros(0, object)) for _ in images[1:-1]]
    course = _Course(images, times, first, last, refiner)
    course.between()
    course.part_strangers()
    course.put_midway()
    course.follow(range(1, len(images) - 1), step=1)
    course.follow(range(len(images) - 2, 0, -1), step=-1)
    return [course.faces_at(i) for i in range(1, len(images) - 1)]


class _Course:
    """Boxes, scores and landmarks of p people over n pictures; a score of 0 where nobody was found."""

    def __init__(
        self, images: Sequence[RGB], times: NDArray[np.float64], first: Faces, last: Faces, refiner: Refiner
    ) -> None:
        self.images, self.times, self.refiner = images, times, refiner
        self.pairs = pairs = same_faces(first, last)
        alone = np.setdiff1d(np.arange(len(last)), pairs[:, 1])
        n_people, n = len(first) + len(alone), len(images)
        self.boxes, self.scores = np.zeros((n_people, n, 4), np.float32), np.zeros((n_people, n), np.float32)
        self.landmarks = np.zeros((n_people, n, 5, 2), np.float32)
        self.sources = np.full((n_people, n), REFINED, object)
        self._set(np.arange(len(first)), np.zeros(len(first), int), first)
        self._set(pairs[:, 0], np.full(len(pairs), n - 1), last[pairs[:, 1]])
        self._set(np.arange(len(first), n_people), np.full(len(alone), n - 1), last[alone])

    def _set(self, people: NDArray, at: NDArray, faces: Faces) -> None:
        self.boxes[people, at], self.scores[people, at] = faces.boxes, faces.scores
        self.landmarks[people, at] = faces.landmarks

    def _judge(self, people: NDArray, at: NDArray, boxes: ArrayF) -> None:
        """Keep what the refiner is sure of, if it is near the guess: where the picture was cut, it is another face."""
        if len(people):
            found, sure = judged(self.refiner, [self.images[i] for i in at.tolist()], boxes)
            self._set(people[sure], at[sure], found[sure])

    def between(self) -> None:
        """People who are known at both ends, on the straight way from one to the other, in every second picture."""
        people, inside = self.pairs[:, 0], np.arange(2, len(self.images) - 1, 2)
        share = ((self.times[inside] - self.times[0]) / (self.times[-1] - self.times[0]))[None, :, None]
        boxes = self.boxes[people, :1] * (1 - share) + self.boxes[people, -1:] * share
        who, at = np.repeat(people, len(inside)), np.tile(inside, len(people))
        self._judge(who, at, boxes.reshape(-1, 4).astype(np.float32))

    def part_strangers(self) -> None:
        """Who was known at both ends and seen nowhere in between: somebody at the start, somebody else at the end."""
        if len(self.images) < 4:
            return
        people = self.pairs[self.scores[self.pairs[:, 0], 1:-1].max(axis=1) == 0, 0]
        self.boxes, self.landmarks, self.scores, self.sources = (
            np.concatenate([each, each[people]]) for each in (self.boxes, self.landmarks, self.scores, self.sources)
        )
        self.scores[people, -1] = 0
        self.scores[len(self.scores) - len(people) :, 0] = 0

    def put_midway(self) -> None:
        """Whoever hardly moves from the picture before to the one after is on the way between, if a glance agrees."""
        before, after = self.boxes[:, :-2], self.boxes[:, 2:]
        sides = [np.sqrt(np.maximum((each[..., 2:] - each[..., :2]).prod(axis=2), 1)) for each in (before, after)]
        small, large = np.minimum(*sides), np.maximum(*sides)
        moved = np.linalg.norm((after - before).reshape(*before.shape[:2], 2, 2).mean(axis=2), axis=2)
        known = (self.scores[:, :-2] > 0) & (self.scores[:, 1:-1] == 0) & (self.scores[:, 2:] > 0)
        people, at = np.nonzero(known & (moved <= STEADY * small) & (large <= STEADY_GROWTH * small))
        if not len(people):
            return
        share = ((self.times[1:-1] - self.times[:-2]) / (self.times[2:] - self.times[:-2]))[at].astype(np.float32)

        def on_the_way(known: ArrayF) -> ArrayF:
            weight = share.reshape(-1, *[1] * (known.ndim - 2))
            return np.asarray(known[people, at] * (1 - weight) + known[people, at + 2] * weight, np.float32)

        boxes, landmarks = on_the_way(self.boxes), on_the_way(self.landmarks)
        there = self.refiner.glance([self.images[i] for i in (at + 1).tolist()], boxes)
        people, at = people[there], at[there]
        self.boxes[people, at + 1], self.landmarks[people, at + 1] = boxes[there], landmarks[there]
        self.scores[people, at + 1] = np.minimum(self.scores[people, at], self.scores[people, at + 2])
        self.sources[people, at + 1] = MIDWAY

    def follow(self, order: range, step: int) -> None:
        """From picture to picture, the people who are known in the one before."""
        for i in order:
            lost = np.flatnonzero((self.scores[:, i] == 0) & (self.scores[:, i - step] > 0))
            self._judge(lost, np.full(len(lost), i), self.boxes[lost, i - step])

    def faces_at(self, i: int) -> tuple[Faces, NDArray[np.object_]]:
        """Everybody in a picture, best first; of two who became one only the better."""
        there = self.scores[:, i] > 0
        faces = Faces(self.boxes[there, i], self.scores[there, i], self.landmarks[there, i])
        kept = suppressed(faces.boxes, faces.scores, 0.7)
        return faces[kept], self.sources[there, i][kept]


def judged(refiner: Refiner, images: Sequence[RGB], boxes: ArrayF) -> tuple[Faces, NDArray[np.bool_]]:
    """What a refiner finds at guessed boxes (n, 4), each in its own one of n pictures, and of which faces (n,) it is
    sure, near the guess."""
    found = refiner.refine(images, boxes)
    moved, grown = (each.diagonal() for each in apart(found.boxes, boxes))
    return found, (found.scores > 0) & (moved <= MAX_REFINED) & (grown <= MAX_GROWTH)


def same_faces(first: Faces, last: Faces) -> NDArray[np.int64]:
    """Rows (m, 2) of faces that are near each other and of like size, as near as possible in all."""
    if not len(first) or not len(last):
        return np.zeros((0, 2), np.int64)
    from scipy.optimize import linear_sum_assignment  # slow to import

    moved, grown = apart(first.boxes, last.boxes)
    could = (moved <= MAX_MOVE) & (grown <= MAX_GROWTH)
    rows, columns = linear_sum_assignment(np.where(could, moved + np.log(grown), 1e3))
    pairs = np.stack([rows, columns], axis=1)
    return np.asarray(pairs[could[rows, columns]], np.int64)


# threads


_lock, _before = threading.Lock(), list[tuple[int, int]]()


@contextmanager
def one_thread_each() -> Iterator[None]:
    """Pictures go side by side, so each operation keeps to one thread; what was set before comes back with the last
    scan that ends."""
    with _lock:
        _before.append((torch.get_num_threads(), cv2.getNumThreads()))
        torch.set_num_threads(1)
        cv2.setNumThreads(1)
    try:
        yield
    finally:
        with _lock:
            if len(_before) == 1:
                torch.set_num_threads(_before[0][0])
                cv2.setNumThreads(_before[0][1])
            _before.pop()


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def _pool() -> Iterator[ThreadPoolExecutor]:
    """A thread for every core; what has not begun at the end is dropped."""
    pool = ThreadPoolExecutor(cores())
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


@contextmanager
def _ahead(items: Iterator[T], depth: int) -> Iterator[Iterator[T]]:
    """The items of an iterator that runs in a thread of its own, a few ahead; its errors come out here."""
    ready: queue.Queue[tuple[T] | BaseException | None] = queue.Queue(depth)
    stop = threading.Event()

    def put(item: tuple[T] | BaseException | None) -> None:
        while not stop.is_set():
            with suppress(queue.Full):
                ready.put(item, timeout=0.1)
                return

    def work() -> None:
        try:
            for item in items:
                put((item,))
                if stop.is_set():
                    return
            put(None)
        except BaseException as error:  # raised again where the items are used
            put(error)

    def taken() -> Iterator[T]:
        while (item := ready.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            yield item[0]

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        yield taken()
    finally:
        stop.set()
        thread.join()
