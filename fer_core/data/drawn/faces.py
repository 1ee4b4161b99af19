"""Drawn faces: brows, eyes, nose and mouth carry the emotion, everything else differs from person to person and from
picture to picture.

A face is a list of polygons in its own plane: x to the right, y down, the head from -1 to 1. The emotion moves them as
the face's muscles would (after the action units of Ekman and Friesen 1978), by an amount that may be faint and mixed
with another emotion, so that the emotion can be learnt but not always be told. Nothing here shows a person who exists.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import cv2
import numpy as np
from numpy.typing import NDArray

from fer_core.data.records import Picture
from fer_core.emotions import EMOTIONS8

Points = NDArray[np.float64]
"""(m, 2), x and y."""
Colour = tuple[int, int, int]
"""RGB, 0-255."""
Shape = tuple[Points, Colour]
Box = tuple[int, int, int, int]
"""x, y, width, height in pixels."""

ACTIONS = ("brow_inner", "brow_outer", "brow_close", "eye_open", "corner_left", "corner_right", "mouth_open",
           "mouth_wide", "nose")  # fmt: skip
"""What moves: brows up, brows together, eyes open, corners of the mouth up, mouth open and wide, nose wrinkled."""
_MOVED: Mapping[str, tuple[float, ...]] = MappingProxyType(
    {
        "angry": (-1.0, 0.4, 1.0, 0.1, -0.4, -0.4, 0.1, -0.5, 0.2),
        "disgust": (-0.7, -0.2, 0.5, -0.6, -0.5, -0.5, 0.3, -0.1, 1.0),
        "fear": (0.9, 0.1, 0.6, 0.9, -0.4, -0.4, 0.45, 0.7, 0.0),
        "happy": (0.1, 0.1, 0.0, -0.4, 1.0, 1.0, 0.4, 0.9, 0.1),
        "sad": (0.9, -0.7, 0.4, -0.5, -0.9, -0.9, 0.0, -0.1, 0.0),
        "surprise": (1.0, 1.0, 0.0, 1.0, 0.0, 0.0, 1.0, -0.5, 0.0),
        "neutral": (0.0,) * len(ACTIONS),
        "contempt": (-0.1, 0.1, 0.0, -0.3, 1.0, -0.1, 0.0, 0.1, 0.2),
    }
)
EXPRESSIONS: NDArray[np.float64] = np.array([_MOVED[name] for name in EMOTIONS8])
"""(8, 9): how far each emotion of ``EMOTIONS8`` moves each of ``ACTIONS``."""
_NEUTRAL = EMOTIONS8.index("neutral")
_CONTEMPT = EMOTIONS8.index("contempt")
_LEFT, _RIGHT = ACTIONS.index("corner_left"), ACTIONS.index("corner_right")
_REST, _TREMBLE = 0.09, 0.07
"""Standard deviation of the actions of a person at rest, and of a picture."""

_ROUND = np.stack([np.cos(a := np.linspace(0, 2 * np.pi, 28, endpoint=False)), np.sin(a)], axis=1)
_ACROSS, _ALONG = np.linspace(-1, 1, 11), np.linspace(0, 1, 5)
_BULGE = 1 - _ACROSS**2
_ABOVE = np.stack([np.cos(a := np.linspace(1.06, 1.94, 12) * np.pi), np.sin(a)], axis=1)
_SKINS = np.array([(246, 214, 188), (224, 172, 130), (168, 112, 76), (84, 54, 40)], np.float64)
_HAIRS = np.array([(28, 22, 20), (74, 46, 28), (150, 104, 58), (214, 180, 116), (150, 60, 28), (170, 170, 168)])
_RANGES: Mapping[str, tuple[float, float]] = MappingProxyType(
    {
        "width": (0.66, 0.8), "jaw": (0.68, 0.95), "tone": (0, 3), "hairline": (-0.72, -0.5),
        "hair_length": (-0.3, 0.9),
        "eye_x": (0.27, 0.34), "eye_y": (-0.2, -0.1), "eye_size": (0.11, 0.16), "brow_y": (0.17, 0.24),
        "brow": (0.03, 0.075), "nose": (0.26, 0.4), "nose_width": (0.08, 0.15), "mouth_y": (0.45, 0.55),
        "mouth": (0.22, 0.3), "lip": (0.02, 0.05), "glasses": (0, 1), "beard": (0, 1),
    }
)  # fmt: skip
_LOWEST, _SPAN = (np.array(each) for each in zip(*[(low, high - low) for low, high in _RANGES.values()], strict=True))
_SHIFT = 4  # OpenCV draws in units of 1/16 pixel
_FINE_PX = 100  # smaller pictures are drawn twice as large


@dataclass(frozen=True)
class Person:
    """What stays the same in all pictures of somebody.

    Attributes:
        traits: sizes and places of the parts of the face, see ``_RANGES``.
        skin, hair, iris, clothes: RGB.
        rest: (9,), the ``ACTIONS`` of the face at rest.
    """

    traits: Mapping[str, float]
    skin: Colour
    hair: Colour
    iris: Colour
    clothes: Colour
    rest: NDArray[np.float64]

    def __getitem__(self, trait: str) -> float:
        return self.traits[trait]


def draw_person(random: np.random.Generator) -> Person:
    """Somebody new."""
    traits = dict(zip(_RANGES, (_LOWEST + _SPAN * random.random(len(_RANGES))).tolist(), strict=True))
    tone = int(traits["tone"])
    skin = _SKINS[tone] + (traits["tone"] - tone) * (_SKINS[tone + 1] - _SKINS[tone]) + random.normal(0, 5, 3)
    hair = _HAIRS[random.integers(len(_HAIRS))] * random.uniform(0.7, 1.2)
    rest = random.normal(0, _REST, len(ACTIONS))
    return Person(
        traits, _rgb(skin), _rgb(hair), _rgb(random.uniform(20, 130, 3)), _rgb(random.uniform(20, 230, 3)), rest
    )


def shown_emotions(emotion: int, random: np.random.Generator) -> NDArray[np.float64]:
    """How much of each emotion a picture labelled ``emotion`` shows: shares (8,) that sum to 1.

    From faint (a fifth, the rest mostly neutral) to full; every third picture mixes another of the seven in.
    """
    strength = random.uniform(0.35, 1.0)
    other = int(random.integers(len(EMOTIONS8) - 1)) if random.random() < 1 / 3 else _NEUTRAL
    mixed = random.uniform(0.1, 0.4) * strength
    shares = np.zeros(len(EMOTIONS8))
    shares[emotion] += strength - mixed
    shares[other] += mixed
    shares[_NEUTRAL] += 1 - strength
    return shares


def draw_face(
    emotion: int | NDArray[np.float64],
    random: np.random.Generator,
    *,
    person: Person | None = None,
    size: tuple[int, int] = (48, 48),
) -> Picture:
    """A cut face.

    Args:
        emotion: index into ``EMOTIONS8``, or how much of each is shown (8,), see ``shown_emotions``.
        random: draws everything that is not given.
        person: whose face; None draws somebody new.
        size: width and height in pixels.

    Returns:
        RGB, uint8 (height, width, 3).
    """
    return _draw(emotion, random, person, size, head=(0.98, 1.3), off=0.05)[0]


def draw_photo(
    emotion: int | NDArray[np.float64],
    random: np.random.Generator,
    *,
    person: Person | None = None,
    size: tuple[int, int] = (160, 120),
) -> tuple[Picture, Box]:
    """Head and shoulders before a background, as ``draw_face``; with the box of the face, inside of the picture."""
    return _draw(emotion, random, person, size, head=(0.5, 0.7), off=0.12)


def draw_background(random: np.random.Generator, size: tuple[int, int]) -> Picture:
    """What stands behind a head of ``size`` (width, height): a colour that fades, with blobs. RGB."""
    width, height = size
    ends = random.uniform(20, 235, (2, 3))
    ramp = ends[0] + np.linspace(0, 1, height)[:, None] * (ends[1] - ends[0])
    canvas = cv2.resize(ramp.astype(np.uint8)[:, None], size, interpolation=cv2.INTER_NEAREST)
    for x, y, radius, *colour in random.random((random.integers(4), 6)).tolist():
        place = int(x * width), int(y * height)
        cv2.circle(canvas, place, int(height * (0.1 + radius / 4)), _rgb(np.array(colour) * 255), -1, cv2.LINE_AA)
    return canvas


def grey(picture: Picture) -> Picture:
    """RGB (h, w, 3) as grey (h, w)."""
    return np.asarray(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), np.uint8)


def _draw(
    emotion: int | NDArray[np.float64],
    random: np.random.Generator,
    person: Person | None,
    size: tuple[int, int],
    *,
    head: tuple[float, float],
    off: float,
) -> tuple[Picture, Box]:
    """``head`` is the least and largest height of the head in heights of the picture, ``off`` how far it may stand off
    the middle."""
    person = person or draw_person(random)
    shares = shown_emotions(emotion, random) if isinstance(emotion, int | np.integer) else emotion
    fine = 2 if min(size) < _FINE_PX else 1
    width, height = size[0] * fine, size[1] * fine
    canvas = draw_background(random, (width, height))
    shapes = _shapes(person, _actions(shares, person, random), turn=random.uniform(-0.5, 0.5))
    matrix, middle = _placed(random, width, height, random.uniform(*head), off)
    placed = np.concatenate([points for points, _ in shapes]) @ matrix + middle
    ends = np.cumsum([len(points) for points, _ in shapes])
    for points, (_, colour) in zip(np.split(placed, ends[:-1]), shapes, strict=True):
        at = np.rint(points * (1 << _SHIFT)).astype(np.int32)
        cv2.fillPoly(canvas, [at], colour, cv2.LINE_AA, _SHIFT)
    if fine > 1:
        canvas = cv2.resize(canvas, size, interpolation=cv2.INTER_AREA)
    return _photographed(canvas, random), _box(_ROUND * (person["width"], 1) @ matrix + middle, fine, size)


def _actions(shares: NDArray[np.float64], person: Person, random: np.random.Generator) -> dict[str, float]:
    """What a face that shows these emotions does; contempt is on either side."""
    moved = shares @ EXPRESSIONS
    if shares[_CONTEMPT] and random.random() < 0.5:
        moved[[_LEFT, _RIGHT]] = moved[[_RIGHT, _LEFT]]
    values = moved + person.rest + random.normal(0, _TREMBLE, len(ACTIONS))
    return dict(zip(ACTIONS, values.tolist(), strict=True))


def _placed(
    random: np.random.Generator, width: int, height: int, head: float, off: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Matrix (2, 2) and middle (2,) that bring the face's plane into the picture: tilted, scaled, a little off."""
    angle, (dx, dy) = random.normal(0, 0.12), random.uniform(-off, off, 2)
    scale = head * height / 2
    turned = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    return turned * scale, np.array([width * (0.5 + dx), height * (0.5 + dy)])


def _box(outline: Points, fine: int, size: tuple[int, int]) -> Box:
    left, top = np.clip(outline.min(axis=0) / fine, 0, np.array(size) - 2).astype(int).tolist()
    right, bottom = np.clip(outline.max(axis=0) / fine, (left + 1, top + 1), size).astype(int).tolist()
    return left, top, right - left, bottom - top


def _photographed(picture: NDArray, random: np.random.Generator) -> Picture:
    """Light from one side, blur and noise."""
    height, width = picture.shape[:2]
    light, side, above = random.uniform(0.65, 1.2), *random.uniform(-0.35, 0.35, 2)
    ramp = light * (
        1 + side * np.linspace(-1, 1, width, dtype=np.float32) + above * np.linspace(-1, 1, height)[:, None]
    )
    lit = picture * ramp.astype(np.float32)[..., None]
    if (blur := random.uniform(-0.006, 0.015) * min(width, height, 100)) > 0.2:
        lit = cv2.GaussianBlur(lit, (0, 0), blur)
    lit += random.standard_normal(lit.shape, dtype=np.float32) * random.uniform(1, 9)
    return np.clip(lit, 0, 255).astype(np.uint8)


def _shapes(person: Person, actions: Mapping[str, float], turn: float) -> list[Shape]:
    """The polygons of head and shoulders, from back to front; ``turn`` (-1 to 1) moves the features to a side."""
    jaw = 0.1 * max(actions["mouth_open"], 0)
    outline = _head(person, jaw)
    features = [*_eyes(person, actions), *_brows(person, actions), *_nose(person, actions), *_mouth(person, actions)]
    for points, _ in features:
        points[:, 0] += turn * 0.25 * np.maximum(1 - (points[:, 0] / person["width"]) ** 2, 0)
    return [*_behind(person), (outline, person.skin), *_beard(person, outline), *features, *_hair(person)]


def _head(person: Person, jaw: float) -> Points:
    x, y = _ROUND.T
    below = np.clip(y, 0, 1)
    return np.stack([x * person["width"] * (1 - (1 - person["jaw"]) * below), y + jaw * below], axis=1)


def _behind(person: Person) -> list[Shape]:
    """Hair behind the head, shoulders, neck and ears."""
    width, length = person["width"], person["hair_length"]
    ears = [(_ROUND * (0.1, 0.18) + (side * width * 0.98, 0.0), _darker(person.skin, 0.9)) for side in (-1, 1)]
    hair = np.stack([_ROUND[:, 0] * width * 1.13, np.where(_ROUND[:, 1] > 0, length, 1.1) * _ROUND[:, 1]], axis=1)
    neck = np.array([(-0.36, 0.6), (0.36, 0.6), (0.44, 1.5), (-0.44, 1.5)])
    return [
        (hair, person.hair),
        (_ROUND * (1.35, 0.75) + (0, 1.95), person.clothes),
        (neck, _darker(person.skin, 0.8)),
        *ears,
    ]


def _hair(person: Person) -> list[Shape]:
    """Hair above the forehead."""
    above = _ABOVE * (person["width"] * 1.04, 1.06)
    below = np.stack([_ACROSS[::-1] * person["width"] * 0.9, person["hairline"] + 0.3 * _ACROSS**2], axis=1)
    return [(np.concatenate([above, below]), person.hair)]


def _beard(person: Person, outline: Points) -> list[Shape]:
    if person["beard"] < 0.85:
        return []
    lower = outline[outline[:, 1] > 0.25]
    return [(lower, _between(person.skin, person.hair, 0.6))]


def _eyes(person: Person, actions: Mapping[str, float]) -> list[Shape]:
    size, y = person["eye_size"], person["eye_y"]
    upper = size * max(0.62 * (1 + 0.7 * actions["eye_open"]), 0.1)
    lower = size * max(
        0.42 * (1 + 0.35 * actions["eye_open"]) - 0.05 * max(actions["corner_left"] + actions["corner_right"], 0), 0.1
    )
    shapes: list[Shape] = []
    for side in (-1, 1):
        place = np.array([side * person["eye_x"], y])
        lid = np.stack([_ACROSS * size, -_BULGE * upper], axis=1)
        white = np.concatenate([lid, np.stack([_ACROSS[::-1] * size, _BULGE * lower], axis=1)]) + place
        iris = _ROUND * min(0.55 * size, (upper + lower) / 2) + place + (0, (lower - upper) / 2)
        frame = [(_ring(size * 1.55) + place, (30, 30, 34))] if person["glasses"] > 0.88 else []
        shapes += [(white, (238, 236, 232)), (iris, person.iris), (_thick(lid + place, 0.035), (35, 25, 25)), *frame]
        shapes.append(
            (_ROUND * (0.25 * size) * min(1, upper / size + 0.3) + place + (0, (lower - upper) / 2), (10, 10, 10))
        )
    return shapes


def _brows(person: Person, actions: Mapping[str, float]) -> list[Shape]:
    shapes: list[Shape] = []
    for side in (-1, 1):
        inner = person["eye_x"] - person["eye_size"] * (0.95 + 0.35 * actions["brow_close"])
        x = side * (inner + _ALONG * person["eye_size"] * 2.4)
        rise = 0.13 * ((1 - _ALONG) * actions["brow_inner"] + _ALONG * actions["brow_outer"])
        y = person["eye_y"] - person["brow_y"] - rise - 0.2 * _ALONG * (1 - _ALONG)
        shapes.append((_thick(np.stack([x, y], axis=1), person["brow"]), _darker(person.hair, 0.8)))
    if (frown := min(max(actions["brow_close"], 0), 1)) > 0.3:
        colour = _darker(person.skin, 1 - 0.35 * frown)
        for side in (-1, 1):
            crease = np.array([(side * 0.04, -0.42), (side * 0.05, -0.24)])
            shapes.append((_thick(crease, 0.02), colour))
    return shapes


def _nose(person: Person, actions: Mapping[str, float]) -> list[Shape]:
    wrinkled = min(max(actions["nose"], 0), 1)
    tip, wide = person["eye_y"] + person["nose"] - 0.04 * wrinkled, person["nose_width"] * (1 + 0.25 * wrinkled)
    shade = _darker(person.skin, 0.75)
    wing = np.stack([_ACROSS * wide, tip + 0.04 * _BULGE], axis=1)
    bridge = np.array([(0.05, person["eye_y"]), (0.07, tip - 0.08), (wide, tip)])
    shapes = [(_thick(bridge, 0.02), _darker(person.skin, 0.86)), (_thick(wing, 0.035), shade)]
    if wrinkled > 0.2:
        colour = _darker(person.skin, 1 - 0.4 * wrinkled)
        for y in (person["eye_y"] + 0.02, person["eye_y"] + 0.09):
            shapes.append((_thick(np.stack([_ACROSS * 0.1, y - 0.03 * _BULGE], axis=1), 0.018), colour))
        for side in (-1, 1):
            fold = np.array([(side * wide * 1.1, tip - 0.03), (side * (wide + 0.14), tip + 0.2)])
            shapes.append((_thick(fold, 0.025), colour))
    return shapes


def _mouth(person: Person, actions: Mapping[str, float]) -> list[Shape]:
    """Lips, and between them dark and teeth."""
    opened, raised = max(actions["mouth_open"], 0), max(actions["nose"], 0)
    x = _ACROSS * person["mouth"] * (1 + 0.3 * actions["mouth_wide"])
    corner = np.where(_ACROSS < 0, actions["corner_left"], actions["corner_right"])
    middle = (
        person["mouth_y"]
        - 0.13 * corner * np.abs(_ACROSS) ** 1.6
        + 0.04 * (actions["corner_left"] + actions["corner_right"])
    )
    upper = middle - _BULGE * (0.09 * raised + 0.06 * opened)
    lower = middle + _BULGE * 0.3 * opened
    lips = _band(x, upper - person["lip"] * (0.3 + _BULGE), lower + person["lip"] * (0.3 + 1.2 * _BULGE))
    shapes: list[Shape] = [
        (lips, _between(person.skin, (150, 40, 50), 0.55)),
        (_band(x, upper - 0.008, lower + 0.008), (50, 15, 18)),
    ]
    if opened + raised > 0.35:
        teeth = np.minimum(upper + 0.07 * _BULGE, lower)
        shapes.append((_band(x * 0.9, upper, teeth), (232, 228, 218)))
    for side, name in ((-1, "corner_left"), (1, "corner_right")):
        if (smile := min(actions[name], 1)) > 0.3:
            fold = np.array([(side * 0.2, 0.2), (side * 0.34, 0.34), (side * 0.36, person["mouth_y"] - 0.02)])
            shapes.append((_thick(fold, 0.025), _darker(person.skin, 1 - 0.3 * smile)))
    return shapes


def _band(x: NDArray, upper: NDArray, lower: NDArray) -> Points:
    return np.stack([np.concatenate([x, x[::-1]]), np.concatenate([upper, lower[::-1]])], axis=1)


def _thick(line: Points, width: float) -> Points:
    """A line (m, 2) as a polygon of this width that runs thin at its end."""
    n = len(line)
    along = np.empty((n, 2))
    along[1:-1], along[0], along[-1] = line[2:] - line[:-2], line[1] - line[0], line[-1] - line[-2]
    size = (1 - 0.4 / n * np.arange(n)) * (width / 2) / np.sqrt((along * along).sum(axis=1))
    half = np.stack([-along[:, 1] * size, along[:, 0] * size], axis=1)
    return np.concatenate([line - half, (line + half)[::-1]])


def _ring(radius: float) -> Points:
    """A circle's line, as the polygon between two circles."""
    closed = np.concatenate([_ROUND, _ROUND[:1]])
    return np.concatenate([closed * radius, closed[::-1] * radius * 0.86])


def _rgb(values: NDArray) -> Colour:
    red, green, blue = np.clip(values, 0, 255).astype(int).tolist()
    return red, green, blue


def _darker(colour: Colour, by: float) -> Colour:
    return int(colour[0] * by), int(colour[1] * by), int(colour[2] * by)


def _between(one: Colour, other: Colour, share: float) -> Colour:
    red, green, blue = (int(a * (1 - share) + b * share) for a, b in zip(one, other, strict=True))
    return red, green, blue
