"""Drawn scenes in which it is known who is who: cuts, places that change, people who pass, leave and come back, light.

Heads come from a group photograph of 1927 (29 people, in the public domain) and from the bundled sample (a portrait in
the public domain whose expression changes). They sway, nod, turn and talk before a backdrop; boxes and names are known
because they were put there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from benchmarks.pasted_faces import clouds
from dashboard.sample.make import SAMPLE
from fer_core.errors import DataError
from fer_core.faces import Detector
from fer_core.video.reader import VideoReader

RGB = NDArray[np.uint8]
Floats = NDArray[np.float64]
FPS, SIZE = 25, (640, 360)
GROUP = "trials/solvay1927.jpg"
FACE_PX = 110
"""Width of a face in the picture of its head."""
HEAD = 1.15
"""From the middle of a face to the edge of the picture of its head, in widths of the face."""
LEAST_ABOVE = 0.4
"""Room above a face in the photograph, in heights of the face: less cuts the head."""
LEAST_SEEN, LEAST_LIGHT = 0.5, 0.3
"""A face that is hidden by more, or in less of its light, may be found or not."""


class Head(NamedTuple):
    """Pictures of a head, one after the other where it has several; its face in them, and its nose and mouth."""

    pictures: list[RGB]
    box: Floats
    nose: Floats
    mouth: Floats


@dataclass(frozen=True)
class Place:
    """Middle of a face in shares of its room, and its width in px."""

    x: float
    y: float
    width_px: float


Way = Callable[[float], Place | None]
"""Where somebody is, so many s after the shot began; None while away."""


@dataclass(frozen=True)
class Seat:
    """Somebody in a room: number of the head, and the way. Whoever comes later in a room stands before the others."""

    who: int
    way: Way


@dataclass(frozen=True)
class Room:
    """A part of the frame, x0 y0 x1 y1 in shares of it, with its own backdrop and people."""

    backdrop: int
    seats: tuple[Seat, ...]
    part: tuple[float, float, float, float] = (0.0, 0.0, 1.0, 1.0)


@dataclass(frozen=True)
class Shot:
    """What is seen until the next cut."""

    seconds: float
    rooms: tuple[Room, ...]


def daylight(_: float) -> tuple[float, float, float]:
    """Nothing changes."""
    return 1.0, 1.0, 1.0


@dataclass(frozen=True)
class Scene:
    """A clip of one kind. ``light`` multiplies red, green and blue at a time in s."""

    kind: str
    name: str
    shots: tuple[Shot, ...]
    light: Callable[[float], tuple[float, float, float]] = daylight
    is_grey: bool = False


class Drawn(NamedTuple):
    """A frame, and the faces in it: boxes (n, 4), who they are (n,), and whether they must be found (n,)."""

    image: RGB
    boxes: NDArray[np.float32]
    who: NDArray[np.int64]
    counts: NDArray[np.bool_]


# heads


def heads(data: Path, detector: Detector) -> list[Head]:
    """The woman of the sample first, then everybody of the group photograph whose head is whole and stands free.

    Raises:
        DataError: the photograph is not there.
    """
    path = data / GROUP
    if not path.is_file():
        raise DataError(f"There is no {GROUP} in {data}. Put the group photograph of 1927 there, or give --data.")
    photo = np.asarray(Image.open(path).convert("RGB"))
    group = detector.detect([photo])[0]
    whole = group.boxes[group.boxes[:, 1] > LEAST_ABOVE * (group.boxes[:, 3] - group.boxes[:, 1])]
    cut = [_head_picture(photo, box) for box in whole[np.argsort(whole[:, 0])]]
    made = [made for picture in cut if (made := _head([picture], detector)) is not None]
    return [_sample_head(detector), *made]


def _sample_head(detector: Detector) -> Head:
    with VideoReader(SAMPLE) as reader:
        images = [frame.image for frame in reader.frames(end_s=6.0)]
    box = detector.detect([images[0]])[0].boxes[0]
    head = _head([_head_picture(image, box) for image in images], detector)
    if head is None:
        raise DataError(f"No face was found in {SAMPLE.name}.")
    return head


def _head_picture(image: RGB, box: NDArray[np.float32]) -> RGB:
    """A square around a face, in which the face has its width; the edge of the picture is repeated."""
    scale = FACE_PX / float(box[2] - box[0])
    side = round(2 * HEAD * FACE_PX)
    x, y = (box[:2] + box[2:]) / 2
    matrix = np.array([[scale, 0, side / 2 - scale * x], [0, scale, side / 2 - scale * y]])
    return cv2.warpAffine(image, matrix, (side, side), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)


def _head(pictures: list[RGB], detector: Detector) -> Head | None:
    faces = detector.detect([pictures[0]])[0]
    if len(faces) != 1:
        return None
    points = faces.landmarks[0].astype(np.float64)
    return Head(pictures, faces.boxes[0].astype(np.float64), points[2], points[3:].mean(axis=0))


def _soft(side: int) -> NDArray[np.float32]:
    """How much of a head's picture is seen: an ellipse that fades out."""
    y, x = np.mgrid[:side, :side].astype(np.float32)
    far = np.hypot(((x + 0.5) / side * 2 - 1) / 0.8, (y + 0.5) / side * 2 - 1)
    return np.clip((1 - far) / 0.12, 0, 1).astype(np.float32)


class _Actor:
    """Somebody in one scene, with a colour and a rhythm of the own."""

    def __init__(self, head: Head, random: np.random.Generator) -> None:
        self.head = head
        self.phase = random.uniform(0, 2 * np.pi, 6)
        self.tint = random.uniform(0.8, 1.1, 3).astype(np.float32)
        self.is_mirrored = bool(random.random() < 0.5)
        self.start = int(random.integers(len(head.pictures)))
        side = len(head.pictures[0])
        y, x = np.mgrid[:side, :side].astype(np.float32)
        self._grid, self._soft = (x, y), _soft(side)
        self._near = [
            np.exp(-((x - at[0]) ** 2 + (y - at[1]) ** 2) / (2 * (reach * FACE_PX) ** 2)).astype(np.float32)
            for at, reach in ((head.nose, 0.3), (head.mouth, 0.14))
        ]

    def picture(self, time_s: float) -> RGB:
        """The head at a time: it turns a little and talks."""
        turn = 0.05 * FACE_PX * np.sin(1.7 * time_s + self.phase[0])
        talk = 0.05 * FACE_PX * np.sin(11 * time_s + self.phase[1]) * (np.sin(1.1 * time_s + self.phase[2]) > 0)
        x, y = self._grid
        which = (self.start + round(time_s * FPS)) % (2 * len(self.head.pictures))
        which = min(which, 2 * len(self.head.pictures) - 1 - which)  # there and back
        moved = cv2.remap(
            self.head.pictures[which],
            x - np.float32(turn) * self._near[0],
            y - np.float32(talk) * self._near[1],
            cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REPLICATE,
        )
        return np.clip(moved * self.tint, 0, 255).astype(np.uint8)

    def matrix(self, time_s: float, place: Place, room: tuple[int, int]) -> Floats:
        """From the head's picture to the room, (2, 3); it sways and nods."""
        sway = np.sin(np.array([0.9, 1.3, 1.1, 0.7]) * 2 * time_s + self.phase[2:])
        scale = place.width_px / FACE_PX * (1 + 0.03 * sway[0])
        angle = np.deg2rad(3 * sway[1])
        flip = -1 if self.is_mirrored else 1
        turn = scale * np.array([[np.cos(angle) * flip, -np.sin(angle)], [np.sin(angle) * flip, np.cos(angle)]])
        middle = np.array([place.x * room[0], place.y * room[1]]) + 0.06 * place.width_px * sway[2:]
        return np.column_stack([turn, middle - turn @ ((self.head.box[:2] + self.head.box[2:]) / 2)])

    def draw(self, room: RGB, time_s: float, place: Place) -> tuple[Floats, NDArray[np.float32]]:
        """Draw into a room; returns the face's box in it and how much each pixel of the room is covered."""
        matrix = self.matrix(time_s, place, room.shape[1::-1])
        size = room.shape[1::-1]
        seen = cv2.warpAffine(self.picture(time_s), matrix, size, flags=cv2.INTER_LINEAR)
        share = cv2.warpAffine(self._soft, matrix, size, flags=cv2.INTER_LINEAR)
        room[:] = share[..., None] * seen + (1 - share[..., None]) * room
        x0, y0, x1, y1 = self.head.box
        corners = np.array([[x0, y0], [x1, y0], [x0, y1], [x1, y1]]) @ matrix[:, :2].T + matrix[:, 2]
        middle, half = (
            corners.mean(axis=0),
            np.array([x1 - x0, y1 - y0]) / 2 * np.sqrt(abs(np.linalg.det(matrix[:, :2]))),
        )
        return np.concatenate([middle - half, middle + half]), share


# drawing


def draw(scene: Scene, people: Sequence[Head], random: np.random.Generator) -> Iterator[Drawn]:
    """The frames of a scene, ``FPS`` a second."""
    names = sorted({seat.who for shot in scene.shots for room in shot.rooms for seat in room.seats})
    actors = {who: _Actor(people[who], random) for who in names}
    backdrops: dict[int, RGB] = {}
    for number in sorted({room.backdrop for shot in scene.shots for room in shot.rooms}):
        tone = random.uniform(70, 190, 3).astype(np.float32)
        backdrops[number] = np.clip(tone + 0.4 * (clouds(random, SIZE).astype(np.float32) - 120), 0, 255).astype(
            np.uint8
        )
    grain = [random.normal(0, 2.5, (SIZE[1], SIZE[0], 3)).astype(np.float32) for _ in range(5)]
    done = 0
    for shot in scene.shots:
        for i in range(round(shot.seconds * FPS)):
            time_s = (done + i) / FPS
            image, faces = _shot(shot, actors, backdrops, time_s, i / FPS)
            light = np.array(scene.light(time_s), np.float32)
            lit = image * light + grain[int(random.integers(len(grain)))]
            if scene.is_grey:
                lit = np.repeat(lit.mean(axis=2, keepdims=True), 3, axis=2)
            is_lit = LEAST_LIGHT <= float(light.mean()) <= 1 / LEAST_LIGHT
            yield _drawn(np.clip(lit, 0, 255).astype(np.uint8), faces, is_lit)
        done += round(shot.seconds * FPS)


Put = list[tuple[int, Floats, float]]
"""Who, box, and the share of the face that is seen."""


def _shot(
    shot: Shot, actors: dict[int, _Actor], backdrops: dict[int, RGB], time_s: float, shot_s: float
) -> tuple[NDArray[np.uint8], Put]:
    image, faces = np.zeros((SIZE[1], SIZE[0], 3), np.uint8), Put()
    for room in shot.rooms:
        x0, y0, x1, y1 = (round(share * SIZE[i % 2]) for i, share in enumerate(room.part))
        part = image[y0:y1, x0:x1]
        part[:] = backdrops[room.backdrop][: y1 - y0, : x1 - x0]
        put: list[tuple[int, Floats, NDArray[np.float32]]] = []
        for seat in room.seats:
            if (place := seat.way(shot_s)) is not None:
                box, cover = actors[seat.who].draw(part, time_s, place)
                put = [(who, other, np.maximum(covered, cover)) for who, other, covered in put]
                put.append((seat.who, box, np.zeros(part.shape[:2], np.float32)))
        corner = np.array([x0, y0, x0, y0])
        faces += [(who, box + corner, _seen(box, covered)) for who, box, covered in put]
    return image, faces


def _seen(box: Floats, covered: NDArray[np.float32]) -> float:
    """The share of a face that is neither covered nor outside."""
    x0, y0, x1, y1 = np.rint(box).astype(int)
    inside = covered[max(y0, 0) : max(y1, 0), max(x0, 0) : max(x1, 0)]
    return float((1 - inside).sum() / max((x1 - x0) * (y1 - y0), 1))


def _drawn(image: RGB, faces: Put, is_lit: bool) -> Drawn:
    kept = [(who, box, seen) for who, box, seen in faces if seen > 0.05]
    return Drawn(
        image,
        np.array([box for _, box, _ in kept], np.float32).reshape(-1, 4),
        np.array([who for who, _, _ in kept], np.int64),
        np.array([is_lit and seen >= LEAST_SEEN for _, _, seen in kept], bool),
    )
