"""Who is who: strips go on through motion, light and covers, and end at cuts. Faces are drawn patterns here."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from fer_core.faces import Faces, Tracker
from fer_core.faces.looks import (
    likeness,
    likeness_of_rest,
    look_squares,
    looks_at,
    scene_likeness,
    scene_look,
)
from fer_core.faces.tracking import KEPT, LOOKED_S, iou_matrix

RGB = NDArray[np.uint8]
UPRIGHT = np.array([[30, 40], [70, 40], [50, 60], [35, 80], [65, 80]], np.float32)
PINK, BROWN = (230, 170, 150), (110, 70, 40)
STEP_S = 0.04


class At(NamedTuple):
    """A drawn face: who, upper left corner and side in px."""

    who: int
    x: float
    y: float
    side: float = 60


def pattern(seed: int, size: tuple[int, int], cells: int) -> RGB:
    """Blobs of colour, others for each seed; (width, height)."""
    noise = np.random.default_rng(seed).uniform(30, 220, (cells, cells, 3)).astype(np.float32)
    return np.clip(cv2.resize(noise, size, interpolation=cv2.INTER_CUBIC), 0, 255).astype(np.uint8)


def picture(*faces: At, room: int = 100, grey: bool = False, light: Sequence[float] = (1, 1, 1)) -> RGB:
    """A room with faces; later ones stand before the others."""
    image = pattern(room, (320, 240), 9)
    for who, x, y, side in faces:
        left, top, width = round(x - 0.2 * side), round(y - 0.2 * side), round(1.4 * side)
        x0, y0 = max(left, 0), max(top, 0)
        part = image[y0 : max(top + width, 0), x0 : max(left + width, 0)]
        part[:] = pattern(who, (width, width), 7)[y0 - top :, x0 - left :][: part.shape[0], : part.shape[1]]
    lit = image * np.array(light)
    lit = np.repeat(lit.mean(axis=2, keepdims=True), 3, axis=2) if grey else lit
    return np.clip(lit, 0, 255).astype(np.uint8)


def found(*faces: At, score: float = 0.999) -> Faces:
    """The faces as a detector finds them."""
    boxes = np.array([[x, y, x + side, y + side] for _, x, y, side in faces], np.float32).reshape(-1, 4)
    landmarks = [np.array([x, y]) + UPRIGHT / 100 * side for _, x, y, side in faces]
    return Faces(boxes, np.full(len(faces), score, np.float32), np.array(landmarks, np.float32).reshape(-1, 5, 2))


def strips(frames: Iterable[tuple[float, Sequence[At], RGB]], tracker: Tracker | None = None) -> dict[int, list[int]]:
    """By person, the strips in the order of their frames, without repeats; those that turned out the same are one."""
    tracker = tracker or Tracker()
    seen = [(tracker.update(time_s, found(*faces), image), faces) for time_s, faces, image in frames]
    of: dict[int, list[int]] = {}
    for numbers, faces in seen:
        for number, face in zip(numbers.tolist(), faces, strict=True):
            own, number = of.setdefault(face.who, []), tracker.same.get(number, number)
            own += [number] if number not in own[-1:] else []
    return of


def test_overlap_by_hand() -> None:
    a = np.array([[0, 0, 10, 10]], np.float32)
    b = np.array([[0, 0, 10, 10], [5, 0, 15, 10], [20, 20, 30, 30]], np.float32)
    np.testing.assert_allclose(iou_matrix(a, b), [[1, 1 / 3, 0]], atol=1e-6)


# --- going on


def test_two_people_keep_their_numbers_while_they_move() -> None:
    def frames() -> Iterable[tuple[float, Sequence[At], RGB]]:
        for i in range(20):
            faces = [At(1, 20 + 3 * i, 40), At(2, 240 - 3 * i, 150)]
            yield i * STEP_S, faces[:: 1 if i % 2 else -1], picture(*faces)

    assert strips(frames()) == {1: [0], 2: [1]}, "from left to right"


def test_a_person_is_known_again_after_a_short_absence_but_not_after_a_long_one() -> None:
    for absent_s, expected in ((3.0, [0]), (6.0, [0, 1])):
        before, after = [At(1, 100, 80)], [At(1, 120, 85)]
        frames = [(0.0, before, picture(*before)), (0.1, [], picture()), (absent_s, after, picture(*after))]
        assert strips(frames) == {1: expected}


def test_a_frame_that_stands_for_long_is_no_absence() -> None:
    faces = [At(1, 100, 80)]
    assert strips((time_s, faces, picture(*faces)) for time_s in (0.0, 0.04, 0.08, 7.5, 7.54)) == {1: [0]}


def test_somebody_who_sits_still_is_one_person_however_seldom_is_looked() -> None:
    faces = [At(1, 100, 80)]
    shown = {0: faces, 1: [], 2: faces, 3: faces}  # hidden for one frame
    assert strips((6.67 * i, each, picture(*each)) for i, each in shown.items()) == {1: [0]}


def test_who_pass_each_other_are_not_exchanged() -> None:
    """The one behind is not found while covered, nor where it comes out at first, as its landmarks are wrong there."""

    def frames() -> Iterable[tuple[float, Sequence[At], RGB]]:
        for i in range(61):
            behind, before = At(1, 30 + 3 * i, 90), At(2, 210 - 3 * i, 95)
            is_hidden = abs(behind.x - before.x) < 45
            yield i * STEP_S, [before] if is_hidden else [behind, before], picture(behind, before)

    assert strips(frames()) == {1: [0], 2: [1]}


def test_a_face_half_covered_goes_on_where_it_was() -> None:
    """Its box and landmarks are put on the half that is seen."""
    face, half = At(1, 120, 80, 80), At(1, 118, 84, 62)
    covered = picture(face)
    covered[60:180, 168:216] = 200
    frames = [(0.0, [face], picture(face)), (0.04, [face], picture(face)), (0.08, [half], covered)]
    assert strips([*frames, (0.12, [face], picture(face))]) == {1: [0]}


def test_what_flickers_up_at_a_persons_place_is_that_person_afterwards() -> None:
    face, other = At(1, 120, 80), At(7, 122, 82)
    for step_s, score, same in ((0.5, 0.95, {1: 0}), (0.5, 0.999, {}), (0.1, 0.999, {1: 0})):
        tracker = Tracker()
        assert tracker.update(0.0, found(face), picture(face)).tolist() == [0]
        tracker.update(step_s, found(), picture())
        assert tracker.update(2 * step_s, found(other, score=score), picture(other)).tolist() == [1]
        assert tracker.update(3 * step_s, found(face), picture(face)).tolist() == [0]
        assert tracker.same == same, "a sure face that stays for a while may be somebody"


LIGHTS: dict[str, Callable[[int], Sequence[float]]] = {
    "a flash": lambda i: (9, 9, 9) if i == 12 else (1, 1, 1),
    "lights off": lambda i: (0.12, 0.12, 0.12) if 10 <= i < 35 else (1, 1, 1),
    "a coloured screen": lambda i: ((1, 1, 1), (0.4, 0.6, 1.1), (1.1, 0.6, 0.4), (0.5, 1, 0.5))[i // 10 % 4],
    "dimming": lambda i: (max(1 - 0.02 * i, 0.3),) * 3 if i < 40 else (1.1, 1.1, 1.1),
}


@pytest.mark.parametrize("name", LIGHTS)
def test_light_parts_nobody(name: str) -> None:
    """In a flash no face is found."""
    faces = [At(1, 60, 90), At(2, 200, 80)]
    lights = [LIGHTS[name](i) for i in range(50)]
    frames = (
        (i * STEP_S, faces if max(light) < 9 else [], picture(*faces, light=light)) for i, light in enumerate(lights)
    )
    assert strips(frames) == {1: [0], 2: [1]}


def test_a_white_frame_without_faces_ends_nothing() -> None:
    faces = [At(1, 100, 80)]
    white = np.full((240, 320, 3), 255, np.uint8)
    frames = [(0.0, faces, picture(*faces)), (0.04, [], white), (0.08, faces, picture(*faces))]
    assert strips(frames) == {1: [0]}


# --- ending


@pytest.mark.parametrize("grey", [False, True])
def test_a_cut_to_somebody_else_before_the_same_wall(grey: bool) -> None:
    order = [1] * 8 + [2] * 8 + [1] * 8
    frames = ((i * STEP_S, [At(who, 130, 90)], picture(At(who, 130, 90), grey=grey)) for i, who in enumerate(order))
    assert strips(frames) == {1: [0, 2], 2: [1]}, "who was replaced begins anew"


@pytest.mark.parametrize("grey", [False, True])
def test_people_who_change_places_are_not_mixed(grey: bool) -> None:
    places = ((40, 90), (200, 90))
    for order in ([(1, 2), (2, 1)], [(1, 2), (2, 3)]):
        tracker, numbers = Tracker(), list[set[int]]()
        for half, who in enumerate(order):
            faces = [At(each, *place) for each, place in zip(who, places, strict=True)]
            image = picture(*faces, grey=grey)
            times = [(8 * half + i) * STEP_S for i in range(8)]
            numbers.append({n for time_s in times for n in tracker.update(time_s, found(*faces), image).tolist()})
        assert numbers == [{0, 1}, {2, 3}]


@pytest.mark.parametrize("at", range(5, 10))
@pytest.mark.parametrize("light", [1.0, 0.1])
def test_people_who_change_places_while_nobody_is_looked_at_are_not_mixed(at: int, light: float) -> None:
    """Every few frames everybody is looked at; between, a glance tells that somebody is not who was there."""
    rate_s = LOOKED_S / 4.5

    def frames() -> Iterable[tuple[float, Sequence[At], RGB]]:
        for i in range(20):
            faces = [At(1, 60, 90), At(2, 200, 90)] if i < at else [At(2, 60, 90), At(1, 200, 90)]
            yield i * rate_s, faces, picture(*faces, light=(light, light, light))

    of = strips(frames())
    assert not set(of[1]) & set(of[2]), of


def test_another_face_at_the_same_place_is_another_person() -> None:
    for later_s in (0.04, 1.0):  # after a cut, and after a gap
        frames = [
            (0.0, [At(1, 100, 80)], picture(At(1, 100, 80))),
            (later_s, [At(2, 100, 80)], picture(At(2, 100, 80))),
        ]
        assert strips(frames) == {1: [0], 2: [1]}


def test_who_is_too_far_or_too_large_is_another_person() -> None:
    for other in (At(1, 10, 150), At(1, 90, 70, 130)):
        frames = [(0.0, [At(1, 100, 80)], picture(At(1, 100, 80))), (1.0, [other], picture(other))]
        assert strips(frames) == {1: [0, 1]}


def test_a_scene_cut_ends_all_strips() -> None:
    face = At(1, 100, 80)
    frames = [(i * STEP_S, [face], picture(face, room=100 if i < 5 else 101)) for i in range(10)]
    assert strips(frames) == {1: [0, 1]}
    back = [(i * STEP_S, [face], picture(face, room=101 if i == 5 else 100)) for i in range(10)]
    assert strips(back) == {1: [0, 1, 0]}, "a scene that comes back at once was not cut"


def test_faces_without_texture_are_told_by_their_tint() -> None:
    def plain(x: int, colour: tuple[int, int, int]) -> RGB:
        image = picture()
        image[70:150, x - 10 : x + 70] = colour
        return image

    for colour, expected in ((PINK, [0]), (BROWN, [0]), ((40, 60, 200), [1])):
        tracker = Tracker()
        tracker.update(0.0, found(At(1, 100, 80)), plain(100, PINK))
        assert tracker.update(0.5, found(At(1, 104, 80)), plain(104, colour)).tolist() == expected


# --- what it offers, and what it is made of


def test_looks_hold_only_what_differs() -> None:
    tracker = Tracker()
    for i in range(30):
        face = At(1, 100 + i, 80)
        tracker.update(i * STEP_S, found(face), picture(face))
    (strip,) = tracker._strips
    assert 2 <= len(strip.looks) <= KEPT + 1


def test_a_scene_looks_alike_in_any_light_and_unlike_another() -> None:
    room = scene_look(picture(At(1, 100, 80)))
    for light in ((0.15, 0.15, 0.15), (0.4, 0.6, 1.1), (1.2, 0.5, 0.3)):
        assert scene_likeness(room, scene_look(picture(At(1, 100, 80), light=light))) > 0.95
    assert scene_likeness(room, scene_look(picture(At(1, 100, 80), room=101))) < 0.35
    flat, other = (scene_look(np.full((36, 64, 3), level, np.uint8)) for level in (20, 200))
    assert flat.is_flat and not room.is_flat
    assert scene_likeness(flat, flat) == 1 and scene_likeness(flat, other) < 0 and scene_likeness(flat, room) == 0


def test_faces_look_alike_when_half_is_another_and_unlike_others() -> None:
    image = picture(At(1, 40, 80), At(2, 200, 80))
    one, two = (
        looks_at(image, look_squares(found(each)), scene_look(image)) for each in (At(1, 40, 80), At(2, 200, 80))
    )
    np.testing.assert_allclose(likeness(one, one), 1, atol=1e-5)
    assert likeness(one, two)[0, 0] < 0.8
    covered = image.copy()
    covered[:, 80:160] = 30
    rest = looks_at(covered, look_squares(found(At(1, 40, 80))), scene_look(covered))
    assert likeness_of_rest(rest, one)[0, 0] > 0.95 > likeness_of_rest(two, one)[0, 0] + 0.1


def test_landmarks_in_a_heap_are_not_cut_by() -> None:
    faces = found(At(1, 100, 80))
    heap = Faces(faces.boxes, faces.scores, np.repeat(faces.boxes[:, None, :2], 5, axis=1))
    ((origin, x_axis, y_axis),) = look_squares(heap)
    np.testing.assert_allclose(origin + (x_axis + y_axis) / 2, [130, 110])
    assert x_axis[0] == y_axis[1] == pytest.approx(78)
