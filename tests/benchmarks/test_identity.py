"""The benchmark of strips and people: its figures by hand, and scenes that show what they say."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from benchmarks import identity
from benchmarks.identity import MAY_BE, Seen, figures, matched, run, told, total
from benchmarks.identity_kinds import all_scenes, stays, walks
from benchmarks.identity_scenes import FPS, SIZE, Drawn, Head, Room, Scene, Seat, Shot, draw
from fer_core.errors import DataError
from fer_core.faces import Faces
from fer_core.video.reader import Frame
from tests.support.people import BLUE, RED, Colours, faces_at, painted


def seen(*strips_of: tuple[int, str]) -> Seen:
    """Strips and whom they show, frame by frame: "AAB" is a person of each frame, "-" nobody."""
    rows = [
        (i, strip, {"A": 0, "B": 1, "x": -1}[who])
        for strip, shown in strips_of
        for i, who in enumerate(shown)
        if who != "-"
    ]
    frame, strip, who = np.array(rows, np.int64).T
    truth = np.stack([frame, who], axis=1)[who >= 0]
    return Seen(frame, strip, who, truth)


def test_one_strip_for_each_person_is_right() -> None:
    got = figures(seen((0, "AAAA"), (1, "BBBB")))
    assert got == {
        "idf1": 1.0, "switches": 0, "joins": 0, "purity": 1.0, "least": 1.0, "strips": 2, "people": 2, "false": 0,
    }  # fmt: skip


def test_a_strip_of_two_people_and_a_person_in_two_strips() -> None:
    joined = figures(seen((0, "AAABBB")))
    assert (joined["idf1"], joined["switches"], joined["joins"], joined["purity"]) == (0.5, 0, 1, 0.5)
    parted = figures(seen((0, "AAA---"), (1, "---AAA")))
    assert (parted["idf1"], parted["switches"], parted["joins"], parted["purity"]) == (0.5, 1, 0, 1.0)
    exchanged = figures(seen((0, "AAABBB"), (1, "BBBAAA")))
    assert (exchanged["idf1"], exchanged["switches"], exchanged["joins"]) == (0.5, 2, 2)


def test_a_strip_where_nobody_is_costs_agreement_but_is_no_join() -> None:
    got = figures(seen((0, "AAAA"), (1, "xxxx")))
    assert (got["idf1"], got["false"], got["strips"], got["purity"]) == (pytest.approx(2 / 3), 4, 1, 1.0)


def test_hidden_faces_may_be_found_or_not() -> None:
    boxes = np.array([[0, 0, 10, 10], [50, 0, 60, 10], [100, 0, 110, 10]], np.float32)
    drawn = Drawn(np.zeros((1, 1, 3), np.uint8), boxes[:2], np.array([4, 7]), np.array([True, False]))
    assert matched(boxes, drawn).tolist() == [4, MAY_BE, -1]
    assert matched(np.zeros((0, 4), np.float32), drawn).tolist() == []


def test_there_are_four_scenes_of_each_kind_and_a_seed_gives_others() -> None:
    first, again, other = (all_scenes(20, np.random.default_rng(seed)) for seed in (0, 0, 1))
    assert [scene.kind for scene in first] == [kind for kind in identity.KINDS for _ in range(4)]
    assert [scene.shots[0].seconds for scene in first] == [scene.shots[0].seconds for scene in again]
    assert [scene.shots[0].seconds for scene in first] != [scene.shots[0].seconds for scene in other]


@pytest.fixture(scope="module")
def two_heads() -> list[Head]:
    """Squares of one colour instead of heads."""
    colours = ((220, 40, 40), (40, 40, 220))
    picture = [np.full((254, 254, 3), colour, np.uint8) for colour in colours]
    box, nose, mouth = np.array([72.0, 60, 182, 195]), np.array([127.0, 130]), np.array([127.0, 160])
    return [Head([each], box, nose, mouth) for each in picture]


def test_a_face_is_drawn_where_its_box_says_and_who_is_covered_does_not_count(two_heads: list[Head]) -> None:
    rooms = (Room(0, (Seat(0, walks((0.2, 0.5), (0.7, 0.5), 1.0, 80)), Seat(1, stays(0.7, 0.5, 100)))),)
    drawn = list(draw(Scene("passing", "by hand", (Shot(1.04, rooms),)), two_heads, np.random.default_rng(0)))
    assert len(drawn) == 26 and drawn[0].image.shape == (*SIZE[::-1], 3)
    (x0, y0, x1, y1), other = drawn[0].boxes.astype(int)
    assert x1 - x0 == pytest.approx(80, rel=0.05) and abs((x0 + x1) / 2 - 0.2 * SIZE[0]) < 8
    red, blue = drawn[0].image[y0:y1, x0:x1].mean(axis=(0, 1))[[0, 2]]
    assert red > 2.5 * blue and (other[0] + other[2]) / 2 > 400
    assert drawn[0].counts.tolist() == [True, True]
    assert dict(zip(drawn[-1].who.tolist(), drawn[-1].counts.tolist(), strict=True)).get(0, False) is False


def test_faces_in_the_dark_do_not_count(two_heads: list[Head]) -> None:
    shots = (Shot(0.2, (Room(0, (Seat(0, stays()),)),)),)
    scene = Scene(
        "light", "by hand", shots, lambda time_s: (0.1, 0.1, 0.1) if time_s > 0.1 else (1, 1, 1), is_grey=True
    )
    drawn = list(draw(scene, two_heads, np.random.default_rng(0)))
    assert [each.counts.tolist() for each in drawn] == [[i / FPS <= 0.1] for i in range(5)]
    assert np.ptp(drawn[0].image, axis=2).max() == 0 and drawn[-1].image.mean() < 0.2 * drawn[0].image.mean()


class _Everywhere:
    """A detector that finds the drawn faces."""

    name = "drawn"

    def __init__(self, drawn: list[Drawn]) -> None:
        self.known = {each.image.tobytes(): each.boxes for each in drawn}

    def detect(self, images: list[np.ndarray]) -> list[Faces]:
        boxes = [self.known[image.tobytes()] for image in images]
        return [Faces(each, np.ones(len(each), np.float32), np.repeat(each[:, None, :2], 5, axis=1)) for each in boxes]


def test_a_descriptor_sees_every_face_and_joins_strips(two_heads: list[Head]) -> None:
    class AllOne:
        def __init__(self) -> None:
            self.looked_at: list[int] = []

        def see(self, frame: Frame, faces: Faces, strips: np.ndarray) -> None:
            self.looked_at += strips.tolist()

        def people(self, frames: np.ndarray, strips: np.ndarray, same: Mapping[int, int]) -> np.ndarray:
            return np.full(len(strips), 5)

    seats = Seat(0, stays(0.2, width_px=80)), Seat(1, stays(0.8))
    scene = Scene("swaps", "two", (Shot(0.4, (Room(0, seats),)),))
    detector, joiner = _Everywhere(list(draw(scene, two_heads, np.random.default_rng(3)))), AllOne()
    got = run(scene, two_heads, detector, "exact", 3, joiner)
    assert len(joiner.looked_at) == 20 and set(got.strip.tolist()) == {5}
    assert figures(got)["purity"] == 0.5


def test_people_are_told_by_their_faces_as_in_an_analysis(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two who change places, in strips that stay where they are."""
    monkeypatch.setattr(identity, "make_describer", lambda _: Colours())
    joiner, found = identity.ByFace("colours"), []
    for index in range(20):
        seen = [(30.0, RED), (200.0, BLUE)] if index < 8 else [(30.0, BLUE), (200.0, RED)]
        joiner.see(Frame(index, index / FPS, painted(seen)), faces_at([30, 200]), np.array([0, 1]))
        found += [(index, 0), (index, 1)]
    frames, strips = np.array(found).T
    people = joiner.people(frames, strips, {}).reshape(-1, 2).tolist()
    assert people == [[0, 1]] * 8 + [[1, 0]] * 12


def test_the_table_has_a_line_for_every_kind_and_one_for_all() -> None:
    rows = [
        {"kind": "cuts", "scene": "a", "mode": "fast", **figures(seen((0, "AAAA")))},
        {"kind": "cuts", "scene": "b", "mode": "fast", **figures(seen((0, "AABB")))},
    ]
    assert total(rows) | {"idf1": 0.75, "purity": 0.75, "least": 0.5, "joins": 1, "people": 3} == total(rows)
    lines = told(rows).splitlines()
    assert len(lines) == 6 and lines[-2].startswith("| **cuts** | fast | 0.750 | 0 | 1 | 0.750 | 0.500 | 2 | 3 | 0 |")


def test_the_command_tells_and_writes(
    two_heads: list[Head], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    scene = Scene("light", "short", (Shot(0.2, (Room(0, (Seat(0, stays()),)),)),))
    monkeypatch.setattr(identity, "heads", lambda *_: two_heads)
    monkeypatch.setattr(identity, "all_scenes", lambda *_: [scene])
    out = tmp_path / "figures.json"
    assert identity.main(["--data", str(tmp_path), "--mode", "exact", "--seed", "3", "--out", str(out)]) == 0
    kept = json.loads(out.read_text())
    (row,) = kept["scenes"]
    assert kept["seed"] == 3 and (row["mode"], row["people"], row["strips"], row["idf1"]) == ("exact", 1, 0, 0.0)
    assert "| **all** |" in capsys.readouterr().out


def test_without_the_photograph_a_message_says_where_it_belongs(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no trials/solvay1927.jpg in .* Put the group photograph"):
        identity.main(["--data", str(tmp_path)])
