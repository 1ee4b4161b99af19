"""The twenty scenes of ``benchmarks.identity``, four of each kind, with other people and times for every seed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from benchmarks.identity_scenes import FPS, SIZE, Place, Room, Scene, Seat, Shot, Way, daylight


def stays(x: float = 0.5, y: float = 0.5, width_px: float = 110) -> Way:
    """Sits there."""
    return lambda _: Place(x, y, width_px)


def away(way: Way, from_s: float, to_s: float) -> Way:
    """Away for a while."""
    return lambda time_s: None if from_s <= time_s < to_s else way(time_s)


def walks(
    start: tuple[float, float], end: tuple[float, float], seconds: float, width_px: float, back: bool = False
) -> Way:
    """From one place to another, and back where wanted."""

    def way(time_s: float) -> Place:
        share = min(time_s / seconds, 1.0)
        share = 1 - abs(1 - 2 * share) if back else share
        return Place(start[0] + share * (end[0] - start[0]), start[1] + share * (end[1] - start[1]), width_px)

    return way


def tiles(who: Sequence[int], columns: int, rows: int) -> tuple[Room, ...]:
    """A gallery view from left to right and from above; everybody has an own backdrop."""
    wide, high = 1 / columns, 1 / rows
    width_px = 0.3 * SIZE[0] / columns if rows > 1 else 100
    return tuple(
        Room(each, (Seat(each, stays(width_px=width_px)),), (x * wide, y * high, (x + 1) * wide, (y + 1) * high))
        for each, (y, x) in zip(who, np.ndindex(rows, columns), strict=False)
    )


def all_scenes(n_people: int, random: np.random.Generator) -> list[Scene]:
    """Twenty scenes, four of each kind, with others of ``n_people`` people every time."""

    def some(n: int) -> list[int]:
        return random.choice(n_people, n, replace=False).tolist()

    return [
        *_cuts(some, random),
        *_swaps(some),
        *_passing(some, random),
        *_returns(some, random),
        *_lights(some, random),
    ]


Some = Callable[[int], list[int]]


def _cuts(some: Some, random: np.random.Generator) -> Iterator[Scene]:
    def shots(order: str, ways: Sequence[Way]) -> tuple[Shot, ...]:
        who = some(len(ways))
        seats = {letter: Seat(each, way) for letter, each, way in zip("AB", who, ways, strict=True)}
        return tuple(Shot(random.uniform(1.3, 2.1), (Room(0, (seats[letter],)),)) for letter in order)

    same = stays(0.5, 0.5, 120), stays(0.51, 0.49, 122)
    reverse = stays(0.36, 0.5, 115), stays(0.62, 0.5, 110)
    yield Scene("cuts", "same framing", shots("ABA", same))
    yield Scene("cuts", "same framing, grey", shots("ABA", same), is_grey=True)
    yield Scene("cuts", "reverse shots", shots("ABAB", reverse))
    yield Scene("cuts", "reverse shots, grey", shots("ABAB", reverse), is_grey=True)


def _swaps(some: Some) -> Iterator[Scene]:
    def scene(
        name: str, before: Sequence[int], after: Sequence[int], shape: tuple[int, int], grey: bool = False
    ) -> Scene:
        return Scene("swaps", name, (Shot(2.4, tiles(before, *shape)), Shot(2.4, tiles(after, *shape))), is_grey=grey)

    a, b = some(2)
    yield scene("two change places", [a, b], [b, a], (2, 1))
    a, b, c, d = some(4)
    yield scene("two of four change places", [a, b, c, d], [a, d, c, b], (2, 2))
    a, b, c, d = some(4)
    yield scene("one leaves, others move up", [a, b, c, d], [b, c, d], (2, 2))
    a, b, c, d = some(4)
    yield scene("all move, grey", [a, b, c, d], [d, a, b, c], (2, 2), grey=True)


def _passing(some: Some, random: np.random.Generator) -> Iterator[Scene]:
    def scene(name: str, ends: tuple[float, float], y: tuple[float, float], back: bool, grey: bool = False) -> Scene:
        seconds = random.uniform(4.0, 5.5)
        a, b = some(2)
        first = walks((0.15, y[0]), (ends[0], y[0]), seconds, 85, back)
        second = walks((0.85, y[1]), (ends[1], y[1]), seconds, 95, back)
        return Scene("passing", name, (Shot(seconds, (Room(0, (Seat(a, first), Seat(b, second))),)),), is_grey=grey)

    yield scene("pass each other", (0.85, 0.15), (0.5, 0.5), back=False)
    yield scene("pass at other heights", (0.85, 0.15), (0.4, 0.6), back=False)
    yield scene("meet and part", (0.47, 0.55), (0.48, 0.52), back=True)
    yield scene("pass each other, grey", (0.85, 0.15), (0.48, 0.52), back=False, grey=True)


def _returns(some: Some, random: np.random.Generator) -> Iterator[Scene]:
    def scene(name: str, *ways: Way, seconds: float, grey: bool = False) -> Scene:
        seats = tuple(Seat(each, way) for each, way in zip(some(len(ways)), ways, strict=True))
        return Scene("returns", name, (Shot(seconds, (Room(0, seats),)),), is_grey=grey)

    gone_s = random.uniform(2.0, 3.0)
    yield scene("gone for a moment", away(stays(0.5, 0.5, 110), 1.6, 1.6 + gone_s), seconds=3.2 + gone_s)
    for name, grey in (("somebody else sits down", False), ("somebody else sits down, grey", True)):
        first, second = stays(0.5, 0.5, 110), stays(0.52, 0.49, 112)
        yield scene(name, away(first, 1.8, 99), away(second, 0, 1.8 + gone_s), seconds=3.6 + gone_s, grey=grey)
    stayer, goer = stays(0.28, 0.5, 95), away(stays(0.72, 0.5, 100), 1.4, 1.4 + random.uniform(5.5, 8.0))
    yield scene("one of two is gone for long", stayer, goer, seconds=11.0)


def _lights(some: Some, random: np.random.Generator) -> Iterator[Scene]:
    def scene(name: str, n: int, light: Callable[[float], tuple[float, float, float]], grey: bool = False) -> Scene:
        ways = (stays(0.5, 0.5, 115),) if n == 1 else (stays(0.3, 0.5, 100), stays(0.7, 0.5, 95))
        seats = tuple(Seat(each, way) for each, way in zip(some(n), ways, strict=True))
        return Scene("light", name, (Shot(5.0, (Room(0, seats),)),), light, grey)

    colours = random.uniform(0.35, 1.1, (7, 3))
    yield scene("flashes", 2, lambda time_s: (6.0, 6.0, 6.0) if round(time_s * FPS) in (40, 41, 80) else daylight(0))
    yield scene("a coloured screen", 1, lambda time_s: tuple(colours[int(time_s / 0.8)].tolist()))
    yield scene("lights off", 2, lambda time_s: (0.12, 0.12, 0.12) if 2.0 <= time_s < 3.0 else daylight(0), grey=True)

    def dims(time_s: float) -> tuple[float, float, float]:
        level = max(1.0 - 0.2 * time_s, 0.35) if time_s < 4.0 else 1.15
        return level, level, 0.95 * level

    yield scene("dims, then the exposure jumps", 2, dims)
