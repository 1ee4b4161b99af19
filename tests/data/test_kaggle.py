"""Data sets as people have them from Kaggle: other names, separators and splits than the authors'."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from fer_core.data import load_fer2013, open_dataset
from fer_core.emotions import EMOTIONS, EMOTIONS8
from fer_core.errors import DataError
from tests.support import layouts


@pytest.fixture(scope="module")
def csv_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return layouts.fer2013_csv(tmp_path_factory.mktemp("csv"))


def rows_of(csv_folder: Path) -> list[list[str]]:
    return [line.split(",") for line in (csv_folder / "fer2013.csv").read_text().splitlines()]


def columns(rows: list[list[str]], *names: str) -> list[list[str]]:
    at = [rows[0].index(name) for name in names]
    return [[row[i] for i in at] for row in rows]


def written(path: Path, rows: list[list[str]], between: str = ",", start: str = "") -> Path:
    path.write_text(start + "".join(between.join(row) + "\n" for row in rows), encoding="utf-8")
    return path


def test_the_challenges_own_table(csv_folder: Path, tmp_path: Path) -> None:
    """``icml_face_data.csv`` has blanks before two of its names, and another order."""
    rows = columns(rows_of(csv_folder), "emotion", "Usage", "pixels")
    rows[0] = ["emotion", " Usage", " pixels"]
    written(tmp_path / "icml_face_data.csv", rows)
    shutil.copy(csv_folder / "fer2013new.csv", tmp_path)
    found, known = open_dataset(tmp_path), open_dataset(csv_folder)
    assert (found.name, found.splits) == ("fer2013", known.splits)
    one, other = found.read("private_test"), known.read("private_test")
    assert one.ids.tolist() == other.ids.tolist() and one.has_votes
    np.testing.assert_array_equal(one.picture(1), other.picture(1))


@pytest.mark.parametrize(("between", "start"), [(",", ""), (";", ""), (";", "\ufeff"), (",", "\ufeff")])
@pytest.mark.parametrize(("name", "split"), [("train.csv", "training"), ("mine.csv", "all")])
def test_a_table_without_usage_in_any_form(
    csv_folder: Path, tmp_path: Path, between: str, start: str, name: str, split: str
) -> None:
    rows = columns(rows_of(csv_folder), "emotion", "pixels")
    path = written(tmp_path / name, rows, between, start)
    found = open_dataset(path)
    assert (found.name, found.splits, found.training_split) == ("fer2013", (split,), split)
    faces = found.read(split)
    assert faces.labels.tolist() == [int(row[0]) for row in rows[1:]]
    assert faces.picture(3).ravel().tolist() == [int(value) for value in rows[4][1].split()]
    assert len(load_fer2013(path, split)) == len(faces)
    assert name != "train.csv" or open_dataset(tmp_path).splits == ("training",)


def test_a_table_of_another_name_tells_splits_too(csv_folder: Path, tmp_path: Path) -> None:
    shutil.copy(csv_folder / "fer2013.csv", tmp_path / "copy of fer.csv")
    (tmp_path / "angry").mkdir()
    assert open_dataset(tmp_path / "copy of fer.csv").splits == open_dataset(csv_folder).splits


def test_columns_that_are_there_are_told(tmp_path: Path) -> None:
    written(tmp_path / "fer2013.csv", [["label", "data"], ["1", "2"]], ";")
    with pytest.raises(DataError, match="lacks the columns Usage, emotion, pixels; it has label, data"):
        open_dataset(tmp_path)


@pytest.mark.parametrize("spelled", ["{i} - {name}", "{i}_{name}", "0{i}.{name}"])
def test_folders_that_are_numbered_and_named(tmp_path: Path, spelled: str) -> None:
    folders = {spelled.format(i=i, name=name.title()): 2 for i, name in enumerate(EMOTIONS)}
    layouts.per_emotion(tmp_path / "faces", folders, split="train")
    found = open_dataset(tmp_path / "faces")
    assert found.counts("training") == dict.fromkeys(EMOTIONS, 2)


NAMES = ("Anger", "Contempt", "Disgust", "Fear", "Happy", "Neutral", "Sad", "Surprise")


def yolo(root: Path, *, box: str = "0.5 0.5 0.9 0.95") -> Path:
    for split in ("train", "valid"):
        (root / split / "labels").mkdir(parents=True)
        for i in range(16):
            layouts.draw(root / split / "images" / f"image{i:03d}.jpg")
            (root / split / "labels" / f"image{i:03d}.txt").write_text(f"{i % 8} {box}\n")
    (root / "data.yaml").write_text(f"nc: 8\nnames: {list(NAMES)}\n")
    return root


def test_affectnet_in_yolo_form(tmp_path: Path) -> None:
    root = yolo(tmp_path / "YOLO_format")
    (root / "train" / "labels" / "image000.txt").write_text("0 0.5 0.5 0.9 0.9\n3 0.2 0.2 0.1 0.1\n")
    (root / "train" / "labels" / "image001.txt").write_text("")
    (root / "train" / "labels" / "image002.txt").unlink()
    found = open_dataset(root)
    assert (found.name, found.splits) == ("yolo_format", ("training", "val"))
    faces = found.read("training")
    assert faces.cut and len(faces) == 13
    assert [EMOTIONS8[i] for i in faces.labels[:5]] == ["fear", "happy", "neutral", "sad", "surprise"]
    assert faces.left_out == {
        "with faces of several classes": 1, "without a face": 1, "without a label file": 1,
    }  # fmt: skip
    assert faces.picture(0).shape[:2] == (60, 60)


def test_photos_in_yolo_form_are_no_cut_faces(tmp_path: Path) -> None:
    assert not open_dataset(yolo(tmp_path / "photos", box="0.5 0.5 0.2 0.2")).read("val").cut


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda root: (root / "data.yaml").unlink(), "no data.yaml that names their classes"),
        (lambda root: (root / "data.yaml").write_text("names: [cat, dog]"), "'cat' is not an emotion"),
        (lambda root: (root / "data.yaml").write_text("["), "not valid yaml"),
        (lambda root: (root / "data.yaml").write_text("nc: 8"), "names no classes"),
        (lambda root: (root / "train/labels/image003.txt").write_text("9 0 0 1 1"), "class '9' is none of 0, 1"),
    ],
)
def test_what_is_wrong_in_yolo_form_is_told(tmp_path: Path, spoil: object, words: str) -> None:
    root = yolo(tmp_path / "faces")
    spoil(root)  # type: ignore[operator]
    with pytest.raises(DataError, match=words):
        open_dataset(root).read("training")
