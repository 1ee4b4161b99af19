"""Drawn data sets: named like the real ones, the same by seed, to be learnt from but not without mistakes."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from fer_core.data import FaceSet, ferplus_labels, open_dataset
from fer_core.data.drawn import DRAWINGS, draw_dataset, draw_face, draw_person, draw_photo, grey, shown_emotions
from fer_core.emotions import EMOTIONS, EMOTIONS8
from fer_core.errors import DataError
from fer_core.faces import make_detector
from fer_core.models.reference import edge_histograms
from training import drawn as command

HEX = "[0-9a-f]{32}"
# data set, splits, is cut, side or (height, width), names of the pictures, other files
EXPECTED = {
    "fer2013-csv": ("fer2013", "training public_test private_test", True, 48, r"\d+",
                    ["fer2013.csv", "fer2013new.csv"]),
    "fer2013-folders": ("fer2013", "training test", True, 48, r"(train/\w+/Training|test/\w+/P\w+Test)_\d+\.jpg", []),
    "fer2013-parquet": ("fer2013", "training public_test private_test", True, 48, r"\d+",
                        ["private_test.parquet", "public_test.parquet", "training.parquet"]),
    "affectnet7-lists": ("affectnet", "training val", True, None, rf"Manually_Annotated_Images/[1-5]/{HEX}\.jpg",
                         ["training.csv", "validation.csv"]),
    "affectnet8-lists": ("affectnet", "training val", True, None, rf"Manually_Annotated_Images/[1-5]/{HEX}\.jpg",
                         ["training.csv", "validation.csv"]),
    "affectnet7-arrays": ("affectnet", "training val", True, 96, r"(train|val)_set/images/\d+\.jpg", None),
    "affectnet8-arrays": ("affectnet", "training val", True, 96, r"(train|val)_set/images/\d+\.jpg", None),
    "affectnet7-folders": ("affectnet", "training val", True, 96, r"(train|val)_class/class00[1-7]/\d{6}\.jpg", []),
    "affectnet8-folders": ("affectnet", "training val", True, 96, r"(train|val)_class/class00[1-8]/\d{6}\.jpg", []),
    "rafdb": ("rafdb", "training test", True, 100, r"Image/aligned/(train_\d{5}|test_\d{4})_aligned\.jpg",
              ["list_patition_label.txt"]),
    "rafdb-folders": ("rafdb", "training test", True, 100,
                      r"(train|test)/[1-7]/(train_\d{5}|test_\d{4})_aligned\.jpg", []),
    "kdef": ("kdef", "all", False, (254, 187), r"KDEF/([AB][FM]\d\d)/\1(AF|AN|DI|HA|NE|SA|SU)S\.JPG", []),
    "ckplus": ("ckplus", "all", False, (163, 213), r"cohn-kanade-images/(S\d{3})/(\d{3})/\1_\2_\d{8}\.png",
               [f"{who}_{code:03d}_00000003_emotion.txt" for who in ("S001", "S002") for code in range(1, 8)]),
    "ckplus-folders": ("ckplus", "all", True, 48, r"[a-z]+/S\d{3}_\d{3}_\d{8}\.png", []),
    "folders": ("mine", "training test", True, 64, r"(train|test)/[a-z]+/\d{5}\.png", []),
}  # fmt: skip


def classes(layout: str) -> set[str]:
    if layout.startswith("ckplus"):
        return set(EMOTIONS8) - {"neutral"}  # the published set has no neutral label
    return set(EMOTIONS8 if "8" in layout else EMOTIONS)


def files(root: Path) -> dict[str, bytes]:
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def test_every_layout_is_expected() -> None:
    assert set(EXPECTED) == set(DRAWINGS)


@pytest.mark.parametrize("layout", DRAWINGS)
def test_a_drawn_data_set_is_read_as_the_real_one(layout: str, tmp_path: Path) -> None:
    name, splits, is_cut, side, pattern, others = EXPECTED[layout]
    data = draw_dataset(layout, tmp_path / "mine", per_class=2, seed=3)
    assert (data.name, " ".join(data.splits)) == (name, splits)
    for split in data.splits:
        n = 2 if split in ("training", "all") or layout == "fer2013-folders" else 1
        assert data.counts(split) == {each: n for each in EMOTIONS8 if each in classes(layout)}
        faces = data.read(split)
        assert faces.cut == is_cut and all(re.fullmatch(pattern, each) for each in faces.ids.tolist())
        assert faces.has_votes == (layout in ("fer2013-csv", "fer2013-parquet"))
        if side is not None:
            assert faces.picture(0).shape[:2] == (side if isinstance(side, tuple) else (side, side))
        assert faces.picture(0).std() > 10
    if others is not None:
        pictures = (".jpg", ".JPG", ".png")
        assert sorted(p.name for p in (tmp_path / "mine").rglob("*.*") if p.suffix not in pictures) == others


@pytest.mark.parametrize("layout", ["fer2013-csv", "affectnet8-lists", "ckplus"])
def test_the_seed_decides_every_byte(layout: str, tmp_path: Path) -> None:
    for name, seed in (("one", 1), ("same", 1), ("other", 2)):
        draw_dataset(layout, tmp_path / name, per_class=1, seed=seed)
    one = files(tmp_path / "one")
    assert one == files(tmp_path / "same")
    assert one != files(tmp_path / "other")


def test_the_three_layouts_of_fer2013_hold_the_same_faces(tmp_path: Path) -> None:
    table, parquet = (draw_dataset(f"fer2013-{kind}", tmp_path / kind, per_class=1) for kind in ("csv", "parquet"))
    for split in table.splits:
        one, other = table.read(split), parquet.read(split)
        np.testing.assert_array_equal(one.votes, other.votes)
        np.testing.assert_array_equal(one.labels, other.labels)
        assert one.ids.tolist() == other.ids.tolist()
        np.testing.assert_array_equal(one.picture(6), other.picture(6))


def test_people_are_known_where_the_real_set_knows_them(tmp_path: Path) -> None:
    kdef = draw_dataset("kdef", tmp_path / "kdef", per_class=5).read("all")
    assert np.unique(kdef.subjects, return_counts=True)[1].tolist() == [14, 7, 14]
    assert set(kdef.subjects.tolist()) == {"F01", "M01", "F02"}
    assert sorted({each.split("/")[1] for each in kdef.ids.tolist()}) == ["AF01", "AF02", "AM01", "BF01", "BM01"]
    cut = draw_dataset("ckplus-folders", tmp_path / "ck", per_class=4).read("all")
    assert np.unique(cut.subjects, return_counts=True)[1].tolist() == [21, 7]


def test_photos_labelled_as_no_emotion_are_left_out(tmp_path: Path) -> None:
    data = draw_dataset("affectnet8-lists", tmp_path / "a", per_class=4)
    faces = data.read("training")
    assert faces.left_out == {"none": 1, "uncertain": 1, "no face": 1}
    assert min(min(faces.picture(i).shape[:2]) for i in range(len(faces))) > 20


# --- faces


def test_a_face_has_the_size_and_colour_that_is_asked_for() -> None:
    random = np.random.default_rng(0)
    face = draw_face(3, random, size=(70, 50))
    assert (face.shape, face.dtype) == ((50, 70, 3), np.uint8)
    assert np.abs(face.astype(int) - face.mean(axis=2, keepdims=True)).mean() > 3
    assert grey(face).shape == (50, 70)
    photo, (x, y, width, height) = draw_photo(3, random, size=(120, 160))
    assert photo.shape == (160, 120, 3)
    assert x >= 0 and y >= 0 and x + width <= 120 and y + height <= 160
    assert 0.1 < width * height / (120 * 160) < 0.7


def test_a_person_looks_alike_in_all_pictures() -> None:
    """The mean of some pictures of a person is nearer to the mean of others of the same than of anybody else."""
    random = np.random.default_rng(0)
    people = [draw_person(random) for _ in range(6)]
    halves = np.stack(
        [[np.mean([draw_face(6, random, person=each) for _ in range(24)], axis=0) for each in people] for _ in "ab"]
    ).reshape(2, 6, -1)
    apart = np.linalg.norm(halves[0][:, None] - halves[1][None], axis=2)
    assert (apart.argmin(axis=1) == np.arange(6)).mean() > 0.8


def test_emotions_are_faint_or_mixed_and_always_there() -> None:
    random = np.random.default_rng(0)
    shares = np.stack([shown_emotions(3, random) for _ in range(300)])
    np.testing.assert_allclose(shares.sum(axis=1), 1)
    assert 0.2 < shares[:, 3].min() < 0.3 and shares[:, 3].max() > 0.95
    others = shares[:, [i for i in range(8) if i not in (3, EMOTIONS8.index("neutral"))]].sum(axis=1)
    assert 0.15 < (others > 0).mean() < 0.4
    np.testing.assert_allclose(shown_emotions(6, random).sum(), 1)


def features(n: int, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    labels = np.arange(n) % len(EMOTIONS)
    return edge_histograms(np.stack([grey(draw_face(int(each), random)) for each in labels])), labels


def test_the_emotion_can_be_learnt_but_not_always_told() -> None:
    """A linear model on edges is right far more often than by chance (1/7) and often wrong."""
    random = np.random.default_rng(5)
    model = LogisticRegression(C=0.1, max_iter=300).fit(*features(60 * 7, random))
    seen, labels = features(30 * 7, random)
    right = model.predict(seen) == labels
    assert 0.3 < right.mean() < 0.85
    assert min(right[labels == k].mean() for k in range(7)) > 1 / 7


def test_taggers_see_more_often_what_is_shown_more(tmp_path: Path) -> None:
    faces = draw_dataset("fer2013-csv", tmp_path / "f", per_class=30).read("training")
    assert (faces.votes.sum(axis=1) == 10).all()
    said = ferplus_labels(faces.votes, "ferplus8_argmax")
    neutral = EMOTIONS.index("neutral")
    assert 0.4 < (said == faces.labels).mean() < 0.9
    assert (said == neutral)[faces.labels != neutral].mean() > 0.1
    assert faces.votes[:, 8:].any()


def test_a_detector_finds_some_of_the_drawn_heads(tmp_path: Path) -> None:
    faces = draw_dataset("ckplus", tmp_path / "c", per_class=2).read("all")
    photos = [np.repeat(faces.picture(i)[..., None], 3, axis=2) for i in range(len(faces))]
    found = [len(each) > 0 for each in make_detector("haar").detect(photos)]
    assert sum(found) >= 4


# --- refused


def test_what_cannot_be_drawn_is_told(tmp_path: Path) -> None:
    with pytest.raises(
        DataError, match=r"Unknown layout 'fer2013-cvs'; the nearest is 'fer2013-csv'. Known are fer2013"
    ):
        draw_dataset("fer2013-cvs", tmp_path / "x")
    for wrong in ({"per_class": 0}, {"per_class": 397}, {"seed": -1}):
        with pytest.raises(
            DataError, match="Expected 1 to 396 pictures of each class for kdef and a seed of 0 or more"
        ):
            draw_dataset("kdef", tmp_path / "x", **wrong)
    assert not (tmp_path / "x").exists()
    (tmp_path / "file").write_text("mine")
    with pytest.raises(DataError, match="cannot be written"):
        draw_dataset("kdef", tmp_path / "file")
    with pytest.raises(DataError, match="is not empty; choose a new folder"):
        draw_dataset("kdef", tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_the_command_draws_and_tells_what(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["folders", str(tmp_path / "drawn"), "--per-class", "4", "--seed", "1"]
    assert command.main(arguments) == 0
    said = capsys.readouterr().out
    assert "one folder per emotion, in" in said and "training: angry 4, disgust 4" in said and "test: angry 1" in said
    faces: FaceSet = open_dataset(tmp_path / "drawn").read("training")
    assert len(faces) == 28
    assert command.main(arguments) == 2
    assert "is not empty" in capsys.readouterr().err


def test_help_lists_the_layouts(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        command.main(["--help"])
    said = capsys.readouterr().out
    assert all(f"    {name} " in said for name in DRAWINGS)
