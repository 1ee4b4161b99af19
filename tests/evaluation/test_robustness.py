"""Corrupted pictures, what checkpoints make of them, and the tables, command and page that tell it."""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from benchmarks import robustness as printed
from dashboard.services import robustness as service
from fer_core.cli import main as command_line
from fer_core.data.drawn import draw_dataset, draw_face, grey
from fer_core.data.records import VOTES, FaceSet, Picture
from fer_core.emotions import EMOTIONS
from fer_core.errors import Cancelled, CheckpointError, DataError, InputError
from fer_core.evaluation.corruptions import CORRUPTIONS, FACE_PX, STRENGTHS, corrupt
from fer_core.evaluation.robustness import (
    COLUMNS,
    RECORD,
    SHIFT_PX,
    TABLE,
    Setting,
    by_strength,
    measure,
    read_table,
    setting_of,
    summarize,
    write_table,
)
from fer_core.models.folders import DEFAULT_CHECKPOINT, checkpoints_folder, find_checkpoint
from fer_core.progress import Progress
from tests.support import ROOT
from tests.support.pages import open_page, words

OTHER = "mobilenetv2-fer2013"
SIDE = FACE_PX
UNSEEDED = ("gaussian_blur", "defocus_blur", "jpeg", "pixelation", "gamma", "contrast", "side_light", "eyes", "mouth",
            "half", "rotation", "scale")  # fmt: skip
SETTING = Setting(
    checkpoint=DEFAULT_CHECKPOINT, data="fer2013", split="private_test", labels="ferplus7", rows=200, rows_there=3350,
    side_px=48, seed=0, weights_sha256="0" * 64,
)  # fmt: skip


@pytest.fixture(scope="module")
def faces() -> NDArray[np.uint8]:
    """Drawn faces, RGB (28, 48, 48, 3)."""
    random = np.random.default_rng(0)
    return np.stack([draw_face(i % 7, random, size=(SIDE, SIDE)) for i in range(28)])


@pytest.fixture(scope="module")
def greys(faces: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.stack([grey(face) for face in faces])


def both(picture: NDArray[np.uint8], name: str, strength: int = 3) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """A picture as it comes out of an even and of an odd row."""
    even, odd = corrupt(np.stack([picture, picture]), name, strength).astype(np.int64)
    return even, odd


def dot(x: int, y: int) -> NDArray[np.uint8]:
    """A white square of 3 px on black."""
    picture = np.zeros((SIDE, SIDE), np.uint8)
    picture[y - 1 : y + 2, x - 1 : x + 2] = 255
    return picture


def middle_of(picture: NDArray[np.int64]) -> tuple[float, float]:
    y, x = np.mgrid[: len(picture), : len(picture)]
    return float((x * picture).sum() / picture.sum()), float((y * picture).sum() / picture.sum())


# --- corruptions


@pytest.mark.parametrize("name", CORRUPTIONS)
@pytest.mark.parametrize("kind", ["faces", "greys"])
def test_every_corruption_changes_pictures_more_with_strength(
    name: str, kind: str, request: pytest.FixtureRequest
) -> None:
    crops: NDArray[np.uint8] = request.getfixturevalue(kind)
    kept, far = crops.copy(), [0.0]
    for strength in STRENGTHS:
        made = corrupt(crops, name, strength)
        assert made.shape == crops.shape and made.dtype == np.uint8
        far.append(float(np.abs(made.astype(float) - crops).mean()))
    assert np.diff(far).min() > 0, far
    np.testing.assert_array_equal(crops, kept)


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_a_picture_does_not_depend_on_its_batch(name: str, greys: NDArray[np.uint8]) -> None:
    rows = np.array([11, 4, 7, 200_000])
    together = corrupt(greys[:4], name, 3, seed=5, rows=rows)
    for i in range(4):
        np.testing.assert_array_equal(corrupt(greys[i : i + 1], name, 3, seed=5, rows=rows[i : i + 1])[0], together[i])
    same = (corrupt(greys[:4], name, 3, seed=6, rows=rows) == together).all()
    assert same == (name in UNSEEDED), "the seed counts exactly where something is drawn"
    blank = np.full((1, SIDE, SIDE), 128, np.uint8)
    assert len(corrupt(blank[:0], name, 1)) == 0
    np.testing.assert_array_equal(corrupt(blank, name, 2), corrupt(blank, name, 2, rows=np.array([0])))


def test_noise_has_the_amplitudes_of_the_table() -> None:
    blank = np.full((20, SIDE, SIDE), 128, np.uint8)
    for strength, share in zip(STRENGTHS, CORRUPTIONS["gaussian_noise"].amplitudes, strict=True):
        noise = corrupt(blank, "gaussian_noise", strength).astype(float) - 128
        assert noise.std() == pytest.approx(255 * share, rel=0.03) and abs(noise.mean()) < 0.5
    for strength, share in zip(STRENGTHS, CORRUPTIONS["impulse_noise"].amplitudes, strict=True):
        made = corrupt(blank, "impulse_noise", strength)
        assert (made == 0).mean() == pytest.approx(share / 2, rel=0.1)
        assert (made == 255).mean() == pytest.approx(share / 2, rel=0.1)
    shot = corrupt(blank, "shot_noise", 3).astype(float)  # 200 photons in white: 100.4 here, ± 10.02
    assert shot.mean() == pytest.approx(128, abs=0.5) and shot.std() == pytest.approx(10.02 * 255 / 200, rel=0.03)


@pytest.mark.parametrize("name", ["gaussian_blur", "defocus_blur", "motion_blur"])
def test_blur_spreads_light_around_its_place_and_loses_none(name: str) -> None:
    picture = dot(24, 24)
    for row, strength in enumerate(STRENGTHS):
        made = corrupt(picture[None], name, strength, rows=np.array([row]))[0].astype(np.int64)
        assert middle_of(made) == pytest.approx((24, 24), abs=0.3)
        assert made.sum() == pytest.approx(picture.sum(dtype=float), rel=0.06)
    assert made.max() < 200, "the strongest spreads it over more than the square"


def test_motion_goes_different_ways() -> None:
    made = corrupt(np.repeat(dot(24, 24)[None], 12, axis=0), "motion_blur", 5).astype(np.int64)
    y, x = np.mgrid[:SIDE, :SIDE] - 24
    wide, high = ((each * each * made).sum(axis=(1, 2)) / made.sum(axis=(1, 2)) for each in (x, y))
    assert (wide > 2 * high).any() and (high > 2 * wide).any()


def test_pixelation_makes_cells_of_their_mean(greys: NDArray[np.uint8]) -> None:
    made = corrupt(greys, "pixelation", 5)  # 16 cells of 3 px
    cells = made.reshape(len(greys), 16, 3, 16, 3)
    assert (cells == cells[:, :, :1, :, :1]).all()
    means = greys.reshape(len(greys), 16, 3, 16, 3).mean(axis=(2, 4))
    np.testing.assert_allclose(cells[:, :, 0, :, 0], means, atol=0.51)


def test_contrast_shrinks_around_the_mean_and_gamma_goes_both_ways() -> None:
    picture = np.repeat(np.repeat(np.array([[40, 200]], np.uint8), 24, axis=1), SIDE, axis=0)
    even, odd = both(picture, "contrast", 2)
    assert set(even.ravel()) == set(odd.ravel()) == {80, 160}
    darker, lighter = both(np.full((SIDE, SIDE), 128, np.uint8), "gamma", 3)
    assert set(darker.ravel()) == {round(255 * (128 / 255) ** 2.2)}
    assert set(lighter.ravel()) == {round(255 * (128 / 255) ** (1 / 2.2))}


def test_light_comes_from_both_sides() -> None:
    right, left = both(np.full((SIDE, SIDE), 100, np.uint8), "side_light", 1)
    assert (np.diff(right.mean(axis=0)) >= 0).all() and (right[:, 0] == 75).all() and (right[:, -1] == 125).all()
    np.testing.assert_array_equal(left, right[:, ::-1])


@pytest.mark.parametrize(("name", "band"), [("eyes", (9, 25)), ("mouth", (30, 47))])
def test_covered_bands_lie_over_eyes_and_mouth(name: str, band: tuple[int, int], greys: NDArray[np.uint8]) -> None:
    made, picture = corrupt(greys[:1], name, 5)[0], greys[0]
    first, last = band
    assert (made[first:last] == round(float(picture.mean()))).all()
    np.testing.assert_array_equal(np.delete(made, np.s_[first:last], 0), np.delete(picture, np.s_[first:last], 0))


def test_a_side_is_covered_from_the_left_or_the_right(faces: NDArray[np.uint8]) -> None:
    even, odd = both(faces[0], "half", 5)
    assert (even[:, :24] == round(float(faces[0].mean()))).all() and (odd[:, 24:] == even[0, 0, 0]).all()
    np.testing.assert_array_equal(even[:, 24:], faces[0][:, 24:])
    np.testing.assert_array_equal(odd[:, :24], faces[0][:, :24])


def test_faces_are_turned_both_ways_by_the_angle() -> None:
    for strength, degrees in zip(STRENGTHS, (10, 15, 20, 25, 30), strict=True):
        angles = []
        for made in both(dot(38, 24), "rotation", strength):  # 14.5 px right of the middle, 0.5 below it
            x, y = middle_of(made)
            angles.append(np.degrees(np.arctan2(y - 23.5, x - 23.5) - np.arctan2(0.5, 14.5)))
        assert angles == pytest.approx([-degrees, degrees], abs=0.5)


def test_faces_are_shifted_by_whole_pixels_in_four_directions(greys: NDArray[np.uint8]) -> None:
    for strength, by in zip(STRENGTHS, (2, 3, 4, 5, 6), strict=True):
        made = corrupt(np.repeat(greys[:1], 40, axis=0), "shift", strength)
        padded = np.pad(greys[0], by, mode="edge")
        ways = [
            padded[by:-by, : -2 * by],
            padded[by:-by, 2 * by :],
            padded[: -2 * by, by:-by],
            padded[2 * by :, by:-by],
        ]
        which = [[bool((each == way).all()) for way in ways] for each in made]
        assert all(sum(each) == 1 for each in which) and np.any(which, axis=0).all()
    assert CORRUPTIONS["shift"].amplitudes[2] == SHIFT_PX / FACE_PX


def test_faces_are_scaled_both_ways() -> None:
    near, far = (middle_of(made)[0] - 23.5 for made in both(dot(38, 24), "scale", 5))
    assert (near, far) == pytest.approx((14.5 * 1.15, 14.5 * 0.85), abs=0.2)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"name": "snow"}, "Unknown corruption 'snow'; expected one of gaussian_noise"),
        ({"strength": 0}, "strength of 1 to 5"),
        ({"strength": 6}, "strength of 1 to 5"),
        ({"seed": -1}, "seed of 0 or more"),
        ({"rows": np.array([0])}, r"rows \(2,\)"),
        ({"rows": np.array([0, -1])}, "below 0"),
        ({"rows": np.array([0.0, 1.0])}, "float64"),
        ({"crops": np.zeros((2, 8, 9), np.uint8)}, r"got uint8 \(2, 8, 9\)"),
        ({"crops": np.zeros((2, 8, 8, 1), np.uint8)}, r"got uint8 \(2, 8, 8, 1\)"),
        ({"crops": np.zeros((2, 8, 8))}, "got float64"),
    ],
)
def test_impossible_corruptions_are_refused(changes: dict[str, Any], said: str) -> None:
    given: dict[str, Any] = {"crops": np.zeros((2, 8, 8), np.uint8), "name": "shift", "strength": 1} | changes
    with pytest.raises(InputError, match=said):
        corrupt(**given)


def test_the_document_has_the_amplitudes_of_the_code() -> None:
    assert all(len(each.amplitudes) == len(STRENGTHS) for each in CORRUPTIONS.values())
    text = (ROOT / "docs" / "robustness.md").read_text(encoding="utf-8")
    assert printed.amplitudes() in text
    assert f"each of {len(CORRUPTIONS)} corruptions" in text and f"{1 + 5 * len(CORRUPTIONS)} times" in text


# --- measuring


@dataclasses.dataclass(frozen=True)
class Shown:
    """Pictures of a ``FaceSet`` in memory."""

    pictures: list[Picture]

    def picture(self, i: int) -> Picture:
        return self.pictures[i]

    def encoded(self, i: int) -> tuple[bytes, str]:
        raise NotImplementedError


def face_set(pictures: list[Picture], labels: list[str], votes: NDArray[np.int64] | None = None) -> FaceSet:
    n = len(pictures)
    return FaceSet(
        name="drawn", split="test", ids=np.arange(n).astype(str), cut=True, source=Shown(pictures),
        labels=np.array([EMOTIONS.index(name) for name in labels], np.int64), subjects=np.full(n, ""),
        votes=np.zeros((n, 0), np.int64) if votes is None else votes,
    )  # fmt: skip


class LeftIsBright:
    """Answers happy where the left half is brighter than the right one, else sad; ``seen`` are the crops it got."""

    name, sha256 = "left", "f" * 64

    def __init__(self, *, size: int = 24, labels: str = "drawn") -> None:
        self.card: Any = SimpleNamespace(crop=SimpleNamespace(size=size), data={"labels": labels})
        self.seen: list[NDArray[np.uint8]] = []

    def predict(self, crops: NDArray[np.uint8]) -> Any:
        self.seen.append(crops)
        half = crops.shape[2] // 2
        sides = [side.reshape(len(crops), -1).mean(axis=1) for side in (crops[:, :, :half], crops[:, :, half:])]
        left = sides[0] > sides[1]
        probabilities = np.zeros((len(crops), len(EMOTIONS)), np.float32)
        probabilities[np.arange(len(crops)), np.where(left, EMOTIONS.index("happy"), EMOTIONS.index("sad"))] = 1
        return SimpleNamespace(probabilities=probabilities)


def halves(*, left: int, right: int) -> Picture:
    return np.repeat(np.repeat(np.array([[left, right]], np.uint8), SIDE // 2, axis=1), SIDE, axis=0)


HAPPY, SAD = halves(left=120, right=100), halves(left=100, right=120)
NAMES = ["happy", "sad", "happy", "sad", "sad", "sad"]
SIX = face_set([HAPPY, SAD, HAPPY, SAD, HAPPY, SAD], NAMES)  # 5 of 6 right, 2 of 2 and 3 of 4


def test_figures_are_those_of_the_answers() -> None:
    net: Any = LeftIsBright()
    steps: list[Progress] = []
    table = measure(net, SIX, names=["side_light", "contrast"], progress=steps.append)
    assert tuple(table.columns) == COLUMNS and len(table) == 11 and set(table["n"]) == {6}
    assert table["strength"].tolist() == [0, *STRENGTHS, *STRENGTHS]
    assert table.loc[0, ["corruption", "family"]].tolist() == ["clean", "clean"]
    assert table.loc[0, ["accuracy", "macro_recall"]].tolist() == pytest.approx([5 / 6, 7 / 8])
    # light from the right in rows 0, 2, 4 outweighs the edge between the halves, from the left in rows 1, 3, 5
    assert table.loc[1:5, "accuracy"].tolist() == pytest.approx([1 / 6] * 5)
    assert table.loc[6:, "accuracy"].tolist() == pytest.approx([5 / 6] * 5)
    assert steps == [Progress("measuring", i / 11, frames=6 * i, total_frames=66) for i in range(1, 12)]
    assert all(seen.shape == (6, 24, 24) for seen in net.seen), "the network gets crops of its own size"
    setting = setting_of(table)
    assert (setting.rows, setting.rows_there, setting.side_px, setting.labels) == (6, 6, 48, "drawn")
    assert setting.weights_sha256 == "f" * 64


def test_pictures_of_many_sizes_and_kinds_become_crops() -> None:
    net: Any = LeftIsBright(size=32)
    mixed = [HAPPY, np.repeat(SAD[:40, 4:44, None], 3, axis=2), HAPPY[:20]]
    table = measure(net, face_set(mixed, NAMES[:3]), names=["shift"])
    assert setting_of(table).side_px == 32 and net.seen[0].shape == (3, 32, 32, 3)
    assert table.loc[0, "accuracy"] == 1


def test_ferplus_labels_where_the_checkpoint_is_taught_them() -> None:
    votes = np.zeros((6, len(VOTES)), np.int64)
    votes[[0, 2, 4], EMOTIONS.index("happy")] = 10
    votes[[1, 3], EMOTIONS.index("sad")] = 10
    votes[5, VOTES.index("unknown")] = 10  # left out
    voted = face_set([HAPPY, SAD, HAPPY, SAD, HAPPY, SAD], NAMES, votes)
    taught: Any = LeftIsBright(labels="ferplus7")
    table = measure(taught, voted, names=["contrast"])
    assert setting_of(table).labels == "ferplus7" and table.loc[0, ["n", "accuracy"]].tolist() == [5, 1.0]
    other: Any = LeftIsBright(labels="fer2013")
    assert setting_of(measure(other, voted, names=["contrast"])).labels == "drawn"
    assert setting_of(measure(taught, SIX, names=["contrast"])).labels == "drawn", "there are no votes"


def test_a_limit_draws_pictures_that_keep_their_rows(greys: NDArray[np.uint8]) -> None:
    net: Any = LeftIsBright(size=48)
    many = face_set(list(greys), [EMOTIONS[i % 7] for i in range(len(greys))])
    whole, few = measure(net, many, names=["gaussian_noise"]), measure(net, many, names=["gaussian_noise"], limit=9)
    assert (setting_of(few).rows, setting_of(few).rows_there) == (9, 28) and set(few["n"]) == {9}
    full, part = net.seen[5], net.seen[11]  # strength 5 of both
    places = [int(np.flatnonzero((full == each).all(axis=(1, 2)))[0]) for each in part]
    assert len(part) == 9 and places == sorted(places) and {place % 2 for place in places} == {0, 1}
    again = measure(net, many, names=["gaussian_noise"], limit=9)
    pd.testing.assert_frame_equal(few, again)
    measure(net, many, names=["gaussian_noise"], limit=9, seed=1)
    assert not np.array_equal(net.seen[-6], net.seen[6]), "another seed draws others"
    assert len(whole) == len(few)


def test_what_cannot_be_measured_is_refused_and_stopping_stops() -> None:
    net: Any = LeftIsBright()
    for changes, kind, said in (
        ({"names": ["fog"]}, InputError, "Unknown corruption 'fog'"),
        ({"limit": 0}, InputError, "limit of 1 or more"),
        ({"seed": -1}, InputError, "seed of 0 or more"),
        ({"should_stop": lambda: True}, Cancelled, "stopped"),
        ({"should_stop": lambda: len(net.seen) == 3}, Cancelled, "nothing was written"),
    ):
        with pytest.raises(kind, match=said):
            measure(net, SIX, **({"names": ["shift"]} | changes))
        net.seen.clear()
    with pytest.raises(DataError, match="drawn, test has no picture with a label"):
        measure(net, SIX.take(np.zeros(0, np.int64)))


# --- tables


def table_of(changes: dict[tuple[str, int], float] | None = None, *, setting: Setting = SETTING) -> pd.DataFrame:
    """All corruptions: 0.8 clean, 0.7 at strength 1 down to 0.3 at 5, but for ``changes``."""
    rows: list[tuple[Any, ...]] = [("clean", "clean", 0, setting.rows, 0.8, 0.6)]
    for name, each in CORRUPTIONS.items():
        for strength in STRENGTHS:
            share = (changes or {}).get((name, strength), 0.8 - 0.1 * strength)
            rows.append((name, each.family, strength, setting.rows, share, share / 2))
    table = pd.DataFrame(rows, columns=COLUMNS)
    table.attrs["setting"] = setting
    return table


def test_the_summary_by_hand() -> None:
    table = table_of({("jpeg", 2): 0.1, ("shift", 3): 0.75, ("shift", 5): 0.8})
    found = summarize(table)
    assert found.clean == 0.8
    assert found.worst == ("jpeg", 2, 0.1)
    assert found.lost_by_shift == pytest.approx(0.05)
    assert found.by_corruption["gamma"] == pytest.approx(0.5)
    assert found.by_corruption["jpeg"] == pytest.approx((0.7 + 0.1 + 0.5 + 0.4 + 0.3) / 5)
    assert found.by_corruption["shift"] == pytest.approx((0.7 + 0.6 + 0.75 + 0.4 + 0.8) / 5)
    assert found.corrupted == pytest.approx((15 * 0.5 + 0.4 + 0.65) / 17)
    assert found.lost == pytest.approx(0.8 - found.corrupted)
    shares = by_strength(table)
    assert shares.index.tolist() == list(CORRUPTIONS) and shares.columns.tolist() == list(STRENGTHS)
    assert shares.loc["jpeg", 2] == 0.1 and by_strength(table, "macro_recall").loc["jpeg", 2] == 0.05


def test_the_mean_is_over_corruptions_and_what_is_missing_does_not_count() -> None:
    table = table_of()
    some = table[table["corruption"].isin(["clean", "eyes", "scale"])]
    assert summarize(some).corrupted == pytest.approx(0.5) and np.isnan(summarize(some).lost_by_shift)
    with pytest.raises(InputError, match="clean pictures only"):
        summarize(table[:1])


def test_tables_are_kept_and_read_again(tmp_path: Path) -> None:
    table = table_of({("scale", 1): 0.123456})
    write_table(tmp_path / "new" / "net", table)
    assert sorted(path.name for path in (tmp_path / "new" / "net").iterdir()) == [TABLE, RECORD]
    again = read_table(tmp_path / "new" / "net")
    pd.testing.assert_frame_equal(again, table, check_exact=False, atol=1e-6)
    assert setting_of(again) == SETTING
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="file cannot be written"):
        write_table(tmp_path / "file", table)


def test_settings_are_alike_on_the_same_pictures_under_the_same_labels() -> None:
    assert SETTING.is_like(dataclasses.replace(SETTING, checkpoint="other", weights_sha256=""))
    for changes in ({"labels": "fer2013"}, {"rows": 100}, {"seed": 1}, {"split": "public_test"}, {"side_px": 96}):
        assert not SETTING.is_like(dataclasses.replace(SETTING, **changes))


def record(**changes: Any) -> str:
    values = {"format": "fer-workbench-robustness/1", **dataclasses.asdict(SETTING)} | changes
    return json.dumps({name: value for name, value in values.items() if value is not None})


def replaced(old: str, new: str) -> Callable[[str], str]:
    def change(text: str) -> str:
        assert old in text
        return text.replace(old, new, 1)

    return change


@pytest.mark.parametrize(
    ("file", "text", "said"),
    [
        (RECORD, "", "cannot be read"),
        (RECORD, "[1]", "expected the format"),
        (RECORD, "[" * 100_000, "cannot be read"),
        (RECORD, "x" * 1_000_001, "at most 1 MB"),
        (RECORD, record(format="fer-workbench-robustness/9"), r"expected the format .*/1', got .*/9'"),
        (RECORD, record(seed=None), "expected seed, got none"),
        (RECORD, record(rows="200"), "expected rows as int"),
        (RECORD, record(rows=True), "expected rows as int"),
        (RECORD, record(rows=0), "1 to 3350 rows"),
        (RECORD, record(rows=9_999), "1 to 3350 rows"),
        (RECORD, record(split=["a"]), "expected split as str"),
        (RECORD, record(data="a" * 201), "printable letters as data"),
        (RECORD, record(data="\ud800"), "printable letters as data"),
        (RECORD, record(rows=100), "expected 100 pictures"),
        (TABLE, "", "expected the columns"),
        (TABLE, "a,b\n1,2\n", "expected the columns"),
        (TABLE, "\0", "expected the columns|cannot be read"),
        (TABLE, ",".join(COLUMNS), "a row clean, then five"),
        (TABLE, replaced("jpeg,digital,1", "snow,digital,1"), "expected corruptions of .* got 'snow'"),
        (TABLE, replaced("jpeg,digital,1", "jpeg,noise,1"), "a row clean, then five"),
        (TABLE, replaced("jpeg,digital,1", "jpeg,digital,2"), "a row clean, then five"),
        (TABLE, replaced("jpeg,digital,1", "jpeg,digital,6"), "a row clean, then five"),
        (TABLE, replaced("jpeg,digital,1", "clean,clean,1"), "a row clean, then five"),
        (TABLE, replaced("jpeg,digital,1", "jpeg,digital,one"), "cannot be read"),
        (TABLE, replaced("jpeg,digital,1,200,0.7", "jpeg,digital,1,200,1.7"), "shares of 0-1 in jpeg"),
        (TABLE, replaced("jpeg,digital,1,200,0.7", "jpeg,digital,1,200,nan;"), "cannot be read"),
        (TABLE, replaced("jpeg,digital,1,200,0.700000", "jpeg,digital,1,200,nan"), "shares of 0-1 in jpeg"),
        (TABLE, replaced("jpeg,digital,1,200,", "jpeg,digital,1,199,"), "expected 200 pictures"),
        (TABLE, replaced("jpeg,digital,1,", "jpeg,digital,"), "6 values in every row"),
        (TABLE, replaced("jpeg,digital,1,", "jpeg,digital,1,1,"), "6 values in every row"),
        (TABLE, replaced("clean,clean,0", '"clean,clean,0'), "cannot be read|6 values"),
    ],
)  # fmt: skip
def test_damaged_files_are_named(tmp_path: Path, file: str, text: str | Callable[[str], str], said: str) -> None:
    write_table(tmp_path / "net", table_of())
    path = tmp_path / "net" / file
    path.write_text(text(path.read_text()) if callable(text) else text)
    with pytest.raises(CheckpointError, match=said) as raised:
        read_table(tmp_path / "net")
    assert "Measure again." in str(raised.value) and str(raised.value).startswith("net/robustness.")
    assert len(str(raised.value)) < 800


def test_missing_and_unreadable_files_are_named(tmp_path: Path) -> None:
    for name in (TABLE, RECORD):
        write_table(tmp_path / "net", table_of())
        (tmp_path / "net" / name).write_bytes(b"\xff\xfe\xfa")
        with pytest.raises(CheckpointError, match=f"^net/{name} cannot be read"):
            read_table(tmp_path / "net")
        (tmp_path / "net" / name).unlink()
        with pytest.raises(CheckpointError, match=rf"^net/{name} cannot be read .*No such file"):
            read_table(tmp_path / "net")


# --- command


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """FER2013 as it would be with one picture of each emotion in a split."""
    return draw_dataset("fer2013-parquet", tmp_path_factory.mktemp("drawn") / "fer2013", per_class=1).root


SMALL = "mobilenetv2-fer2013"


def test_the_command_measures_keeps_and_tells(
    drawn: Path, tmp_path: Path, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = ["robustness", SMALL, "--data", str(drawn), "--device", "cpu"]
    kept = home / "evaluations" / SMALL
    assert command_line([*given, "--limit", "2", "--seed", "3"]) == 0
    told = capsys.readouterr()
    assert "labels fer2013, 2 pictures" in told.out and "Written nowhere" in told.err and not kept.exists()
    assert [each.title in told.out for each in CORRUPTIONS.values()] == [True] * len(CORRUPTIONS)

    assert command_line([*given, "--limit", "2", "--json", "--out", str(tmp_path / "out")]) == 0
    found = json.loads(capsys.readouterr().out)
    table = read_table(tmp_path / "out")
    assert len(found["rows_of_table"]) == len(table) == 1 + 5 * len(CORRUPTIONS)
    assert found["mean_corruption_accuracy"] == pytest.approx(summarize(table).corrupted, abs=1e-6)
    assert (found["rows"], found["checkpoint"], found["split"]) == (2, SMALL, "private_test")

    assert command_line([*given, "--split", "public_test"]) == 0
    assert "as they are" in capsys.readouterr().out
    assert setting_of(read_table(kept)).split == "public_test", "where the dashboard looks for it"

    copy = shutil.copytree(find_checkpoint(SMALL), tmp_path / "copy")
    assert command_line(["robustness", str(copy), "--data", str(drawn), "--limit", "1", "--split", "training"]) == 0
    assert "Written nowhere" in capsys.readouterr().err


def test_the_command_refuses_with_a_reason(drawn: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for more, said in ((["--limit", "0"], "limit of 1 or more"), (["--split", "no"], "has no split 'no'")):
        assert command_line(["robustness", DEFAULT_CHECKPOINT, "--data", str(drawn), *more]) == 1
        assert said in capsys.readouterr().err
    assert command_line(["robustness", "no-such-net", "--data", str(drawn)]) == 1
    assert "No checkpoint 'no-such-net'" in capsys.readouterr().err


def test_the_tables_of_the_document(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert printed.main(["--checkpoints", str(tmp_path)]) == 1
    assert "no robustness.csv" in capsys.readouterr().err
    write_table(tmp_path / "a", table_of({("eyes", 4): 0.05}))
    some = table_of(setting=dataclasses.replace(SETTING, labels="fer2013"))
    write_table(tmp_path / "b", some[some["corruption"].isin(["clean", "scale"])].assign())
    assert printed.main(["--checkpoints", str(tmp_path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[2].startswith("| `a` | fer2013 private_test | ferplus7 | 200 | 80.0 % | 49.6 % | 30.4 | 5.0 % (Eyes ")
    assert lines[2].endswith("| 30.0 |") and lines[3].endswith("| 80.0 % | 50.0 % | 30.0 | 30.0 % (Scaled, 5) | – |")
    assert "| Eyes covered | 43.0 % | – |" in lines and "| Scaled | 50.0 % | 50.0 % |" in lines
    (tmp_path / "a" / RECORD).unlink()
    assert printed.main(["--checkpoints", str(tmp_path)]) == 1
    assert "a/robustness.json cannot be read" in capsys.readouterr().err


# --- page


@pytest.fixture
def shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, home: Path) -> Path:
    """Two checkpoints in a folder of their own."""
    for name in (DEFAULT_CHECKPOINT, OTHER):
        (tmp_path / "shipped" / name).mkdir(parents=True)
        for file in ("card.json", "model.safetensors"):
            shutil.copy(checkpoints_folder() / name / file, tmp_path / "shipped" / name)
    monkeypatch.setenv("FER_CHECKPOINTS", str(tmp_path / "shipped"))
    return tmp_path / "shipped"


def sha256(path: Path) -> str:
    import hashlib

    return hashlib.sha256(path.read_bytes()).hexdigest()


def charts(app: Any) -> list[Any]:
    return [each.proto for each in app.get("plotly_chart")]


def robustness_page(checkpoint: str = DEFAULT_CHECKPOINT) -> Any:
    return open_page("model", checkpoint=checkpoint, view="Robustness")


def test_the_page_says_how_to_measure_where_nothing_was(shipped: Path) -> None:
    app = robustness_page()
    assert not app.exception and not app.error and not charts(app)
    assert "not measured yet" in words(app)
    assert any(f"robustness {DEFAULT_CHECKPOINT}" in each.value for each in app.code)
    (shipped / DEFAULT_CHECKPOINT / "model.safetensors").unlink()
    app = robustness_page()
    assert not app.exception and "weights are not here" in words(app)
    assert not [each for each in app.code if "fer_core robustness" in each.value]


def test_the_page_shows_a_table_in_words_and_as_a_heat_map(shipped: Path) -> None:
    folder = shipped / DEFAULT_CHECKPOINT
    setting = dataclasses.replace(SETTING, weights_sha256=sha256(folder / "model.safetensors"))
    write_table(folder, table_of({("jpeg", 2): 0.1, ("shift", 3): 0.85}, setting=setting))
    app = robustness_page()
    assert not app.exception and not app.error and not app.warning
    said = words(app).replace("\\", "")
    assert "80.0% of 200 pictures are right as they are, 49.8% on average over 17 corruptions" in said
    assert "The lowest is 10.0% (JPEG, strength 2)." in said and "off by 4 px of 48: 5.0 points more" in said
    assert "200 of 3,350 pictures" in said
    (chart,) = charts(app)
    figure = json.loads(chart.spec)
    (heat,) = figure["data"]
    assert heat["type"] == "heatmap" and heat["x"] == [*map(str, STRENGTHS), "mean"] and len(heat["y"]) == 17
    assert "80.0% of 200 pictures" in chart.alt and "Heat map" in chart.alt
    assert "All checkpoints" not in said, "there is nothing to compare with"
    write_table(folder, table_of())
    assert "others than those that were measured" in robustness_page().warning[0].value


def test_the_page_compares_checkpoints_and_survives_damage(shipped: Path, home: Path) -> None:
    write_table(shipped / DEFAULT_CHECKPOINT, table_of())
    other = dataclasses.replace(SETTING, checkpoint=OTHER, labels="fer2013", rows=3589, rows_there=3589)
    write_table(home / "evaluations" / OTHER, table_of({("shift", 3): 0.8}, setting=other))
    app = robustness_page()
    assert not app.exception and not app.error and len(charts(app)) == 2
    assert "they are" in charts(app)[1].alt and OTHER in charts(app)[1].alt
    rows = next(each.value for each in app.dataframe if "Corrupted, mean" in each.value)
    assert rows["Checkpoint"].tolist() == [OTHER, DEFAULT_CHECKPOINT], "the one that bears most first"
    assert rows["Lost"].tolist() == pytest.approx([30 - 6 / 17, 30.0])
    assert rows["Lost by 4 px"].tolist() == pytest.approx([0.0, 30.0], abs=1e-9)
    assert "no ranking" in words(app)

    (shipped / DEFAULT_CHECKPOINT / TABLE).write_text("x")
    app = robustness_page()
    assert not app.exception and "robustness.csv" in app.error[0].value.replace("\\", "")
    app = robustness_page(OTHER)
    assert not app.exception and not app.error and len(charts(app)) == 1, "the other one is still shown"


def test_of_two_tables_the_newer_counts(shipped: Path, home: Path) -> None:
    import os

    write_table(shipped / DEFAULT_CHECKPOINT, table_of())
    write_table(home / "evaluations" / DEFAULT_CHECKPOINT, table_of({("jpeg", 1): 0.0}))
    for folder, changed, lowest in ((shipped, 2, 0.0), (shipped, 2_000_000_000, 0.3)):
        for name in (TABLE, RECORD):
            os.utime(folder / DEFAULT_CHECKPOINT / name, (changed, changed))
        found = service.measured(DEFAULT_CHECKPOINT)
        assert found is not None and found.summary.worst[2] == pytest.approx(lowest)
