"""Every layout in which people have data sets, what hostile copies of them do, and evaluations on them."""

from __future__ import annotations

import re
import shutil
import sys
import zlib
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from fer_core import cli
from fer_core.data import FaceSet, fer2013, load_fer2013, open_dataset, pictures
from fer_core.data.drawn import DRAWINGS, draw_dataset
from fer_core.data.drawn.fer2013 import usage
from fer_core.emotions import EMOTIONS, EMOTIONS8
from fer_core.errors import Cancelled, DataError, InputError
from fer_core.evaluation.run import check_labels, evaluate_faces, face_crop, figures_of, labels_of, write_table
from fer_core.models.classifier import Classifier
from fer_core.progress import Progress
from tests.support import layouts


def names_of(faces: FaceSet) -> dict[str, str]:
    """Emotion of every id."""
    return dict(zip(faces.ids.tolist(), [EMOTIONS8[label] for label in faces.labels], strict=True))


@pytest.fixture(scope="module")
def csv_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return layouts.fer2013_csv(tmp_path_factory.mktemp("csv"))


# --- FER2013


def test_three_layouts_of_fer2013_give_the_same_pictures(tmp_path: Path, csv_folder: Path) -> None:
    parquet = open_dataset(layouts.fer2013_parquet(tmp_path / "parquet", csv_folder))
    folders = open_dataset(layouts.fer2013_folders(tmp_path / "folders", csv_folder))
    table = open_dataset(csv_folder / "fer2013.csv")
    assert [each.name for each in (parquet, table, folders)] == ["fer2013"] * 3
    assert (table.splits, parquet.splits) == (fer2013.SPLITS, fer2013.SPLITS)
    assert (folders.splits, folders.default_split, table.default_split) == (
        ("training", "test"),
        "test",
        "private_test",
    )
    for split in fer2013.SPLITS:
        one, other = table.read(split), parquet.read(split)
        assert one.cut and other.cut and one.has_votes
        by_row = folders.read("training" if split == "training" else "test")
        for i in range(len(one)):
            assert one.ids[i] == other.ids[i] and one.labels[i] == other.labels[i]
            folder = f"{'train' if split == 'training' else 'test'}/{EMOTIONS[one.labels[i]]}"
            k = by_row.index(f"{folder}/{usage(split)}_{one.ids[i]}.png")
            for same in (
                other.picture(i),
                by_row.picture(k),
                cv2.imdecode(np.frombuffer(one.encoded(i)[0], np.uint8), 0),
            ):
                np.testing.assert_array_equal(one.picture(i), same)
        np.testing.assert_array_equal(one.votes, other.votes)


def test_opening_the_csv_reads_no_pixels(csv_folder: Path, tmp_path: Path) -> None:
    """Rows whose pixels are no numbers are found out only when their picture is asked for."""
    lines = (csv_folder / "fer2013.csv").read_text().splitlines()
    lines[1:] = [line.replace(" ", " x", 1) if i % 2 else line for i, line in enumerate(lines[1:])]
    (tmp_path / "fer2013.csv").write_text("\n".join(lines))
    data = open_dataset(tmp_path)
    faces = data.read("training")
    assert data.counts("training") == dict.fromkeys(EMOTIONS, 2)
    assert not faces.has_votes
    np.testing.assert_array_equal(faces.picture(2), load_fer2013(csv_folder, "training").images[2])
    with pytest.raises(DataError, match="row 1 holds other things than pixels"):
        faces.picture(1)


def test_columns_in_another_order_and_quotes(csv_folder: Path, tmp_path: Path) -> None:
    table = pd.read_csv(csv_folder / "fer2013.csv")
    text = "".join(
        f'"{u}", "{e}","{p}"\r\n' for u, e, p in zip(table["Usage"], table["emotion"], table["pixels"], strict=True)
    )
    (tmp_path / "fer2013.csv").write_bytes(b"\xef\xbb\xbfUsage, emotion,pixels\r\n\r\n" + text.encode())
    faces = open_dataset(tmp_path).read("private_test")
    assert faces.ids.tolist() == [str(row) for row in range(21, 28)]
    np.testing.assert_array_equal(faces.picture(3), load_fer2013(csv_folder, "private_test").images[3])


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("3,1 2,3,Training", "row 0 has 4 fields, expected 3"),
        ("x,1 2,Training", "the emotion of row 0 is b'x'"),
        ("9,1 2,Training", "expected emotions 0 to 6, got 9"),
        ("3,1 2 3,Training", "row 0 does not hold 48×48 pixels"),
        ("3," + "300 " * 2304 + ",Training", "row 0 holds other things"),
    ],
)
def test_rows_that_are_wrong_are_named(tmp_path: Path, line: str, words: str) -> None:
    (tmp_path / "fer2013.csv").write_text(f"emotion,pixels,Usage\n{line}\n")
    with pytest.raises(DataError) as error:
        open_dataset(tmp_path).read("training").picture(0)
    assert words in str(error.value)


def test_votes_must_go_with_the_pictures(csv_folder: Path, tmp_path: Path) -> None:
    shutil.copytree(csv_folder, tmp_path, dirs_exist_ok=True)
    votes = (tmp_path / "fer2013new.csv").read_text().splitlines()
    for changed, words in (
        (votes[:-1], "has 27 rows; expected 28 of 12 fields"),
        ([*votes[:-1], "Training,x" + ",many" * 10], "votes that are no numbers"),
    ):
        (tmp_path / "fer2013new.csv").write_text("\n".join(changed))
        with pytest.raises(DataError, match=words):
            open_dataset(tmp_path).read("training")


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ({"row": [0], "emotion": [7], "image": [b""]}, "expected emotions 0 to 6, got 7"),
        ({"row": [0], "emotion": [None], "image": [b""]}, "cannot be read as a parquet table"),
        ({"row": [0], "image": [b""]}, "lacks the columns emotion"),
        ({"row": [4], "emotion": [1], "image": [b"no"]}, "Row 4 of test.parquet is not a readable picture"),
        ({"row": [4], "emotion": [1], "image": ["text"]}, "Row 4 of test.parquet is not a readable picture"),
        ({"row": [4, 4], "emotion": [1, 1], "image": [b"", b""]}, "'4' twice"),
    ],
)
def test_parquet_tables_are_checked(tmp_path: Path, table: dict[str, list[object]], words: str) -> None:
    pd.DataFrame(table).to_parquet(tmp_path / "private_test.parquet")
    with pytest.raises(DataError) as error:
        open_dataset(tmp_path).read("private_test").picture(0)
    assert words.replace("test.parquet", "private_test.parquet") in str(error.value)


# --- AffectNet


def test_affectnet_lists_cut_the_face_by_its_box(tmp_path: Path) -> None:
    data = open_dataset(layouts.affectnet_lists(tmp_path))
    assert (data.name, data.splits, data.default_split) == ("affectnet", ("training", "val"), "val")
    faces = data.read("training")
    images = "Manually_Annotated_Images"
    assert names_of(faces) == {f"{images}/1/smile.jpg": "happy", f"{images}/1/angry, very.png": "angry"}
    assert faces.left_out == {"none": 1, "uncertain": 1, "no face": 2, "without a face box": 1}
    assert faces.cut and names_of(data.read("val")) == {f"{images}/2/contempt.jpg": "contempt"}
    whole = cv2.imread(str(tmp_path / images / "1/angry, very.png"), cv2.IMREAD_COLOR_RGB)
    np.testing.assert_array_equal(faces.picture(1), whole[20:80, 30:90])
    shown, kind = faces.encoded(1)
    assert kind == "image/png"
    np.testing.assert_array_equal(
        cv2.imdecode(np.frombuffer(shown, np.uint8), cv2.IMREAD_COLOR_RGB), whole[20:80, 30:90]
    )


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("../../secret.jpg,0,0,9,9,x,1,0,0", "'../../secret.jpg' is not a path inside"),
        ("/etc/passwd,0,0,9,9,x,1,0,0", "is not a path inside"),
        ("a\\b.jpg,0,0,9,9,x,1,0,0", "is not a path inside"),
        ("a/b.jpg,0,0,9,9,x,11,0,0", "line 2: affectnet has no emotion code '11'"),
        ("a/b.jpg,0,0,9,9,1", "line 2: expected 9 fields, got 6"),
        ('"a/b.jpg,0,0,9,9,x,1,0,0\n' + "x" * 200_000, "field larger than field limit"),
        ("1/smile.jpg,900,0,9,9,x,1,0,0", "the face box (900, 0, 9, 9) lies outside of the picture (100×80)"),
        ("1/smile.jpg,0,0,9,9,x,1,0,0\n1/smile.jpg,0,0,9,9,x,1,0,0", "1/smile.jpg' twice"),
        ("1/gone.jpg,0,0,9,9,x,1,0,0", "1/gone.jpg cannot be read (No such file"),
    ],
)
def test_lists_that_are_wrong_are_named(tmp_path: Path, row: str, words: str) -> None:
    layouts.affectnet_lists(tmp_path)
    path = tmp_path / "Manually_Annotated_file_lists/training.csv"
    path.write_text(f"{layouts.AFFECTNET_NAMES}\n{row}\n")
    with pytest.raises(DataError) as error:
        open_dataset(tmp_path).read("training").picture(0)
    assert words in str(error.value)


def test_affectnet_lists_without_their_pictures(tmp_path: Path) -> None:
    shutil.rmtree(layouts.affectnet_lists(tmp_path) / "Manually_Annotated_Images")
    with pytest.raises(DataError, match="no folder Manually_Annotated_Images"):
        open_dataset(tmp_path)


def test_affectnet_arrays(tmp_path: Path) -> None:
    data = open_dataset(layouts.affectnet_arrays(tmp_path))
    faces = data.read("training")
    assert (data.name, data.splits, faces.cut) == ("affectnet", ("training", "val"), True)
    assert names_of(faces) == {"train_set/images/0.jpg": "happy", "train_set/images/1.jpg": "surprise"}
    assert faces.left_out == {"uncertain": 1}
    assert names_of(data.read("val")) == {"val_set/images/0.jpg": "angry"}


def test_a_damaged_row_group_is_an_error_of_its_file(tmp_path: Path, csv_folder: Path) -> None:
    path = layouts.fer2013_parquet(tmp_path, csv_folder) / "private_test.parquet"
    column = pq.ParquetFile(path).metadata.row_group(0).column(2)
    start = column.dictionary_page_offset or column.data_page_offset
    data = path.read_bytes()
    path.write_bytes(data[:start] + b"\xff" * 20 + data[start + 20 :])
    faces = open_dataset(tmp_path).read("private_test")
    with pytest.raises(DataError, match=r"private_test\.parquet is damaged"):
        faces.picture(0)
    assert faces.picture(3).shape == (48, 48)  # the next row group


def test_pickled_or_damaged_arrays_are_refused(tmp_path: Path) -> None:
    array = layouts.affectnet_arrays(tmp_path) / "val_set/annotations/0_exp.npy"
    np.save(array, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    for damage in (
        lambda: None,
        lambda: array.write_bytes(b"\x93NUMPY\x01\x00"),
        lambda: array.write_bytes(b"\x93NUMPY\x01\x00\x04\x00{'a("),
        lambda: np.save(array, np.arange(3)),
    ):
        damage()
        with pytest.raises(DataError, match=r"0_exp.npy does not hold one label"):
            open_dataset(tmp_path).read("val")
    array.write_bytes(b"x" * 20_000)
    with pytest.raises(DataError, match=r"0_exp.npy is larger than"):
        open_dataset(tmp_path).read("val")


@pytest.mark.parametrize(
    ("names", "name", "expected"),
    [
        ({str(i): 1 for i in range(8)}, "affectnet", "neutral happy sad surprise fear disgust angry contempt"),
        (
            {f"class{i + 1:03d}": 1 for i in range(8)},
            "affectnet",
            "neutral happy sad surprise fear disgust angry contempt",
        ),
        ({str(i): 1 for i in range(1, 8)}, "rafdb", "surprise fear disgust happy sad angry neutral"),
    ],
)
def test_folders_with_codes(tmp_path: Path, names: dict[str, int], name: str, expected: str) -> None:
    layouts.per_emotion(tmp_path, names, split="train_class")
    layouts.per_emotion(tmp_path, {list(names)[1]: 2}, split="val_class")
    data = open_dataset(tmp_path)
    assert (data.name, data.splits) == (name, ("training", "val"))
    assert [EMOTIONS8[label] for label in data.read("training").labels] == expected.split()
    assert data.counts("val") == {expected.split()[1]: 2}


def test_affectnet_folders_of_no_emotion_are_counted(tmp_path: Path) -> None:
    faces = open_dataset(layouts.per_emotion(tmp_path, {"0": 1, "7": 1, "8": 3, "10": 2})).read("all")
    assert names_of(faces) == {"0/0.jpg": "neutral", "7/0.jpg": "contempt"}
    assert faces.left_out == {"none": 3, "no face": 2}


# --- RAF-DB, KDEF, CK+


def test_rafdb(tmp_path: Path) -> None:
    data = open_dataset(layouts.rafdb(tmp_path))
    faces = data.read("training")
    assert (data.name, data.splits, data.default_split) == ("rafdb", ("training", "test"), "test")
    assert list(names_of(faces).values()) == ["happy", "angry", "neutral"]
    assert names_of(data.read("test")) == {"Image/aligned/test_0001_aligned.jpg": "surprise"}
    assert faces.cut and faces.picture(0).shape == (100, 100, 3)
    shutil.rmtree(tmp_path / "Image/aligned")
    photos = open_dataset(tmp_path).read("test")
    assert not photos.cut and photos.ids.tolist() == ["Image/original/test_0001.jpg"]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("train_00001.jpg 8", "line 1: rafdb has no emotion code '8'"),
        ("../../train_1.jpg 4", "line 1: expected a line such as"),
        ("train_/../../x.jpg 4", "line 1: expected a line such as"),
        ("\0", "line 1: expected a line such as"),
    ],
)
def test_rafdb_lists_that_are_wrong(tmp_path: Path, line: str, words: str) -> None:
    (layouts.rafdb(tmp_path) / "EmoLabel/list_patition_label.txt").write_text(line)
    with pytest.raises(DataError) as error:
        open_dataset(tmp_path).read("training")
    assert words in str(error.value)


def test_kdef_keeps_pictures_from_the_front_and_knows_who_they_show(tmp_path: Path) -> None:
    data = open_dataset(layouts.kdef(tmp_path))
    faces = data.read("all")
    assert (data.name, data.root.name, faces.cut) == ("kdef", "KDEF_and_AKDEF", False)
    assert names_of(faces) == {
        "KDEF/AF01/AF01AFS.JPG": "fear", "KDEF/AF01/AF01ANS.JPG": "angry", "KDEF/BM12/BM12DIS.JPG": "disgust",
    }  # fmt: skip
    assert faces.subjects.tolist() == ["F01", "F01", "M12"]
    assert faces.left_out == {"not from the front": 2, "name of another kind": 1}
    assert faces.encoded(0) == ((data.root / faces.ids[0]).read_bytes(), "image/jpeg")


def test_ckplus_takes_the_last_frame_of_labelled_sequences(tmp_path: Path) -> None:
    faces = open_dataset(layouts.ckplus_sequences(tmp_path)).read("all")
    images = "cohn-kanade-images"
    assert names_of(faces) == {
        f"{images}/S005/001/S005_001_00000011.png": "disgust",
        f"{images}/S010/004/S010_004_00000002.png": "contempt",
    }
    assert (faces.name, faces.subjects.tolist(), faces.cut) == ("ckplus", ["S005", "S010"], False)
    assert faces.picture(0).shape == (49, 64)


@pytest.mark.parametrize("text", ["", "joy", "8", "nan", "1e999"])
def test_emotion_files_that_are_wrong(tmp_path: Path, text: str) -> None:
    layouts.ckplus_sequences(tmp_path)
    (tmp_path / "Emotion/S010/004/S010_004_00000002_emotion.txt").write_text(text)
    with pytest.raises(DataError, match=r"S010_004_00000002_emotion\.txt"):
        open_dataset(tmp_path).read("all")


def test_ckplus_without_its_halves(tmp_path: Path) -> None:
    layouts.ckplus_sequences(tmp_path)
    shutil.rmtree(tmp_path / "cohn-kanade-images/S010/004")
    with pytest.raises(DataError, match="S010/004 has no pictures"):
        open_dataset(tmp_path).read("all")
    shutil.rmtree(tmp_path / "Emotion")
    with pytest.raises(DataError, match="no folder Emotion with the labels"):
        open_dataset(tmp_path)


@pytest.mark.parametrize(("size", "cut"), [((48, 48), True), ((64, 49), False)])
def test_ckplus_in_folders(tmp_path: Path, size: tuple[int, int], cut: bool) -> None:
    """Small squares are faces already; whole frames are photos."""
    faces = open_dataset(layouts.ckplus_folders(tmp_path, size=size)).read("all")
    assert (faces.name, faces.cut) == ("ckplus", cut)
    assert names_of(faces)["contempt/S138_008_00000007.png"] == "contempt"
    assert faces.subjects.tolist() == ["S010", "S138", "S010"]


# --- any folders


def test_plain_folders_in_any_spelling(tmp_path: Path) -> None:
    for split in ("Train", "valid", "TEST"):
        layouts.per_emotion(
            tmp_path / "My Faces!", {"Anger": 1, "happiness": 2, "contempt": 1, "README": 0}, split=split
        )
    data = open_dataset(tmp_path)
    assert (data.name, data.splits) == ("my_faces", ("training", "val", "test"))
    assert data.counts("test") == {"angry": 1, "happy": 2, "contempt": 1}
    assert data.read("val").subjects.tolist() == [""] * 4
    assert open_dataset(tmp_path, "mine").read("test").name == "mine"
    assert data.read("test").picture(3).shape == (50, 60, 3)


def test_folders_that_are_no_emotions_are_named(tmp_path: Path) -> None:
    layouts.per_emotion(tmp_path, {"angry": 1, "hungry": 1, "sleepy": 1})
    with pytest.raises(DataError, match=r"'hungry' \(1 picture\), 'sleepy' \(1 picture\). Rename them, .*\(angry, "):
        open_dataset(tmp_path)
    other = layouts.per_emotion(tmp_path / "codes", {"0": 1, "17": 1})
    with pytest.raises(DataError, match="folders 0, 17 are no codes of one data set"):
        open_dataset(other)


def test_nothing_to_open(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no folder"):
        open_dataset(tmp_path / "gone")
    layouts.per_emotion(tmp_path, {"angry": 0, "happy": 0})
    with pytest.raises(DataError, match="No known data set in"):
        open_dataset(tmp_path)
    layouts.draw(tmp_path / "angry/a.png")
    for wrong in ("../x", "", "A", "x" * 41):
        with pytest.raises(DataError, match="cannot be a name"):
            open_dataset(tmp_path, wrong)
    with pytest.raises(DataError, match=r"has no split 'test' in .*; it has all"):
        open_dataset(tmp_path).read("test")
    layouts.per_emotion(tmp_path / "two", {"sad": 1}, split="val")
    layouts.per_emotion(tmp_path / "two", {"sad": 1}, split="valid")
    with pytest.raises(DataError, match="has val and valid; keep one"):
        open_dataset(tmp_path / "two")


# --- what every layout has to stand


OF_FILES = [layout for layout in DRAWINGS if layout not in ("fer2013-csv", "fer2013-parquet")]


def replaced(root: Path, old: str, new: str) -> None:
    """Change the lists of a data set that has lists."""
    for path in [*root.rglob("*.csv"), *root.rglob("*.txt")]:
        path.write_text(path.read_text().replace(old, new))


@pytest.mark.parametrize("layout", OF_FILES)
def test_truncated_and_missing_pictures_are_named(layout: str, tmp_path: Path) -> None:
    data = draw_dataset(layout, tmp_path, per_class=1)
    faces = data.read(data.splits[0])
    path, name = data.root / faces.ids[0], re.escape(str(faces.ids[0]))
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
    with pytest.raises(DataError, match=f"{name} is not a readable picture"):
        faces.picture(0)
    path.unlink()
    with pytest.raises(DataError, match=rf"{name} cannot be read \(No such file"):
        faces.picture(0)
    assert faces.picture(1).size


@pytest.mark.parametrize("layout", OF_FILES)
def test_endings_may_be_in_capitals_or_not(layout: str, tmp_path: Path) -> None:
    before = draw_dataset(layout, tmp_path, per_class=1)
    counts = {split: before.counts(split) for split in before.splits}
    for path in [path for path in tmp_path.rglob("*") if path.suffix.lower() in (".jpg", ".png")]:
        path.rename(path.with_suffix(path.suffix.swapcase()))
    replaced(tmp_path, ".jpg", ".JPG")
    data = open_dataset(tmp_path, before.name)
    assert {split: data.counts(split) for split in data.splits} == counts
    faces = data.read(data.splits[0])
    assert all(faces.picture(i).size for i in range(len(faces)))


@pytest.mark.parametrize("layout", DRAWINGS)
def test_a_class_without_pictures_is_no_obstacle(layout: str, tmp_path: Path) -> None:
    before = draw_dataset(layout, tmp_path, per_class=1)
    split = before.splits[0]
    faces = before.read(split)
    for gone in [str(faces.ids[i]) for i in np.flatnonzero(faces.labels == EMOTIONS.index("disgust"))]:
        without(tmp_path, before.root, gone, faces)
    data = open_dataset(tmp_path, before.name)
    assert data.layout == before.layout
    assert data.counts(split) == {name: n for name, n in before.counts(split).items() if name != "disgust"}


def without(top: Path, root: Path, gone: str, faces: FaceSet) -> None:
    """Take one picture out of a data set as its owner would."""
    name = gone.rsplit("/", 1)[-1].removesuffix(".jpg").removesuffix(".png").removesuffix("_aligned")
    if (table := top / f"{faces.split}.parquet").is_file():
        rows = pd.read_parquet(table)
        rows[rows["row"] != int(gone)].to_parquet(table)
    elif (table := top / "fer2013.csv").is_file():
        (top / "fer2013new.csv").unlink(missing_ok=True)
        pd.read_csv(table).drop(index=int(gone)).to_csv(table, index=False)
    else:
        (root / gone).unlink()
        for path in [*top.rglob("*.csv"), *top.rglob("list_*.txt")]:
            path.write_text("".join(line for line in path.read_text().splitlines(True) if name not in line))
        for path in [*top.rglob(f"{name}_emotion.txt"), *top.rglob(f"{name}_???.npy")]:
            if path.parts[-3] in gone or path.suffix == ".txt":
                path.unlink()


def test_labels_that_are_no_codes(tmp_path: Path) -> None:
    """In arrays, folders and names of files; those in tables and lists are tested above."""
    arrays = draw_dataset("affectnet8-arrays", tmp_path / "arrays", per_class=1)
    for value in ("11", "happy", ""):
        np.save(tmp_path / "arrays/train_set/annotations/0_exp.npy", np.array(value))
        with pytest.raises(DataError, match=rf"0_exp\.npy: affectnet has no emotion code '{value}'"):
            arrays.read("training")
    (tmp_path / "arrays/train_set/annotations/0_exp.npy").unlink()
    with pytest.raises(DataError, match=r"0_exp\.npy cannot be read \(No such file"):
        arrays.read("training")

    draw_dataset("affectnet8-folders", tmp_path / "folders", per_class=1)
    (tmp_path / "folders/train_class/class001").rename(tmp_path / "folders/train_class/class009")
    assert open_dataset(tmp_path / "folders").read("training").left_out == {"none": 1}
    (tmp_path / "folders/train_class/class009").rename(tmp_path / "folders/train_class/class012")
    with pytest.raises(DataError, match="class012 are no codes of one data set"):
        open_dataset(tmp_path / "folders")

    kdef = draw_dataset("kdef", tmp_path / "kdef", per_class=1)
    (kdef.root / "KDEF/AF01/AF01ANS.JPG").rename(kdef.root / "KDEF/AF01/AF01XXS.JPG")
    faces = kdef.read("all")
    assert (len(faces), faces.left_out) == (6, {"name of another kind": 1})


def test_lists_without_a_column_or_their_pictures(tmp_path: Path) -> None:
    draw_dataset("affectnet7-lists", tmp_path / "affectnet", per_class=1)
    replaced(tmp_path / "affectnet", "expression", "emotion")
    with pytest.raises(DataError, match=r"training\.csv lacks the columns expression"):
        open_dataset(tmp_path / "affectnet").read("training")
    draw_dataset("rafdb", tmp_path / "rafdb", per_class=1)
    shutil.rmtree(tmp_path / "rafdb/Image")
    with pytest.raises(DataError, match=r"has RAF-DB's list_patition_label\.txt but no folder Image/aligned"):
        open_dataset(tmp_path / "rafdb")


def test_a_table_that_was_cut_off(tmp_path: Path) -> None:
    """In the pixels of its last row, or before them; as parquet."""
    draw_dataset("fer2013-csv", tmp_path / "csv", per_class=1)
    (tmp_path / "csv/fer2013new.csv").unlink()
    table = tmp_path / "csv/fer2013.csv"
    table.write_text(table.read_text()[:-200])
    with pytest.raises(DataError, match="row 20 has 2 fields, expected 3; copy it again"):
        open_dataset(tmp_path / "csv")
    table.write_text("")
    with pytest.raises(DataError, match=r"fer2013\.csv is empty"):
        open_dataset(tmp_path / "csv")
    draw_dataset("fer2013-parquet", tmp_path / "parquet", per_class=1)
    parquet = tmp_path / "parquet/training.parquet"
    parquet.write_bytes(parquet.read_bytes()[:-200])
    with pytest.raises(DataError, match=r"training\.parquet cannot be read as a parquet table"):
        open_dataset(tmp_path / "parquet").read("training")


# --- hostile pictures


def test_pictures_that_cannot_be_read_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = layouts.draw(tmp_path / "secret.png")
    root = layouts.per_emotion(tmp_path / "root", {"happy": 1})
    (root / "happy/1.png").symlink_to(secret)
    (root / "happy/2.png").write_bytes(b"GIF89a<script>")
    (root / "happy/3.png").write_bytes(secret.read_bytes()[:60])
    faces = open_dataset(root).read("all")
    for i, words in (
        (1, "1.png is a link out of the data set's folder"),
        (2, "2.png is not a readable"),
        (3, "3.png is not a"),
    ):
        for read in (faces.picture, faces.encoded) if i < 3 else (faces.picture,):
            with pytest.raises(DataError, match=words):
                read(i)
    monkeypatch.setattr(pictures, "MAX_PIXELS", 2000)
    monkeypatch.setattr(cv2, "imdecode", lambda *_: pytest.fail("decoded"))
    with pytest.raises(DataError, match="megapixels"):
        faces.picture(0)
    with pytest.raises(DataError, match="larger than"):
        pictures.read_file(root, "happy/0.jpg", limit=10)
    with pytest.raises(DataError, match=r"has no picture 'happy/9\.jpg'"):
        faces.index("happy/9.jpg")


def test_a_bomb_is_seen_before_it_is_decoded(tmp_path: Path) -> None:
    """A valid PNG header of 60,000 × 60,000 pixels in a few bytes."""
    data = bytearray(layouts.draw(tmp_path / "happy/0.png").read_bytes())
    data[16:24] = (60_000).to_bytes(4, "big") * 2
    data[29:33] = zlib.crc32(bytes(data[12:29])).to_bytes(4, "big")
    (tmp_path / "happy/0.png").write_bytes(data)
    with pytest.raises(DataError, match="more than 64 megapixels"):
        open_dataset(tmp_path).read("all").picture(0)


def test_formats_that_browsers_do_not_show_become_png(tmp_path: Path) -> None:
    layouts.draw(tmp_path / "sad/a.bmp")
    faces = open_dataset(tmp_path).read("all")
    data, kind = faces.encoded(0)
    assert kind == "image/png"
    np.testing.assert_array_equal(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB), faces.picture(0))


# --- evaluation


def test_the_table_holds_what_the_network_says_of_each_picture(csv_folder: Path, classifier: Classifier) -> None:
    steps: list[Progress] = []
    faces = open_dataset(csv_folder).read("private_test")
    table = evaluate_faces(classifier, faces, progress=steps.append)
    scores = classifier.predict(load_fer2013(csv_folder, "private_test").images)
    np.testing.assert_array_equal(table[[f"p_{name}" for name in EMOTIONS]], scores.probabilities)
    np.testing.assert_array_equal(table[[f"logit_{name}" for name in EMOTIONS]], scores.logits)
    np.testing.assert_array_equal(table["f_007"], scores.features[:, 7].astype(np.float16))
    assert table["id"].tolist() == faces.ids.tolist() and table["label_fer2013"].tolist() == list(EMOTIONS)
    assert table.loc[3, ["votes_happy", "votes_unknown", "votes_nf"]].tolist() == [8, 2, 0]
    assert table["votes_happy"].dtype == np.int16 and "face_found" not in table
    assert steps == [Progress("evaluating", 1.0, frames=7, total_frames=7)]
    assert labels_of(table, "fer2013").tolist() == labels_of(table, "ferplus7").tolist() == list(range(7))
    told = figures_of(table, faces, "fer2013", "none")
    right = (scores.probabilities.argmax(axis=1) == np.arange(7)).mean()
    assert (told["data"], told["n"], told["accuracy"]) == ("fer2013", 7, pytest.approx(right))


def test_a_batch_is_like_its_pictures_one_by_one(
    tmp_path: Path, classifier: Classifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pictures of several sizes and colours are made crops of one size."""
    layouts.per_emotion(tmp_path, {"angry": 3, "happy": 2})
    layouts.draw(tmp_path / "happy/grey.png", size=(70, 70), grey=True)
    faces = open_dataset(tmp_path).read("all")
    together = evaluate_faces(classifier, faces)
    monkeypatch.setattr(sys.modules[evaluate_faces.__module__], "BATCH", 1)
    np.testing.assert_allclose(
        evaluate_faces(classifier, faces).filter(like="logit_"), together.filter(like="logit_"), atol=1e-4
    )
    whole = cv2.resize(faces.picture(1), (48, 48), interpolation=cv2.INTER_AREA)
    np.testing.assert_allclose(
        together.filter(like="logit_").loc[1], classifier.predict(whole[None]).logits[0], atol=1e-4
    )


def test_faces_are_found_in_photos(tmp_path: Path, classifier: Classifier, portrait: np.ndarray) -> None:
    """A photo with a face, the same one large, and one without a face, of which the whole is taken."""
    photos = tmp_path / "AF01"
    photos.mkdir()
    bgr = cv2.cvtColor(portrait, cv2.COLOR_RGB2BGR)
    cv2.imwrite(str(photos / "AF01HAS.JPG"), bgr)
    cv2.imwrite(str(photos / "AF02HAS.JPG"), cv2.resize(bgr, None, fx=6, fy=6))
    cv2.imwrite(str(photos / "AF03NES.JPG"), np.full((90, 120, 3), 128, np.uint8))
    faces = open_dataset(tmp_path).read("all")
    table = evaluate_faces(classifier, faces)
    assert table["face_found"].tolist() == [True, True, False]
    assert table["p_happy"][0] > 0.8 and table["p_happy"][1] == pytest.approx(table["p_happy"][0], abs=0.1)
    plain = evaluate_faces(classifier, faces, find_faces=False)
    assert "face_found" not in plain and plain["p_happy"][2] == pytest.approx(table["p_happy"][2], abs=1e-5)
    assert abs(plain["p_happy"][0] - table["p_happy"][0]) > 0.01
    crop = face_crop(classifier, faces, 0)
    assert crop.shape == (48, 48, 3)
    np.testing.assert_allclose(classifier.predict(crop[None]).logits[0], table.filter(like="logit_").loc[0], atol=1e-4)


def test_unreadable_pictures_stop_or_are_left_out_by_name(tmp_path: Path, classifier: Classifier) -> None:
    layouts.per_emotion(tmp_path, {"angry": 2, "happy": 1})
    (tmp_path / "angry/1.jpg").write_bytes(b"damaged")
    faces = open_dataset(tmp_path, "mine").read("all")
    with pytest.raises(DataError, match=r"angry/1.jpg is not a readable picture"):
        evaluate_faces(classifier, faces)
    table = evaluate_faces(classifier, faces, skip_unreadable=True)
    assert table["id"].tolist() == ["angry/0.jpg", "happy/0.jpg"] and table["label_mine"].tolist() == ["angry", "happy"]
    assert [text.split()[0] for text in table.attrs["unreadable"]] == ["angry/1.jpg"]
    for path in tmp_path.glob("*/*.jpg"):
        path.write_bytes(b"")
    with pytest.raises(DataError, match=r"no picture that can be read. The first problem: angry/0.jpg"):
        evaluate_faces(classifier, faces, skip_unreadable=True)


def test_an_evaluation_can_be_stopped(csv_folder: Path, classifier: Classifier) -> None:
    asked: list[int] = []
    with pytest.raises(Cancelled):
        evaluate_faces(
            classifier, open_dataset(csv_folder).read("training"), should_stop=lambda: len(asked) > 3 or asked.append(1)
        )
    assert len(asked) == 4


def test_label_sets_are_checked_before_the_network_runs(csv_folder: Path, tmp_path: Path) -> None:
    faces = open_dataset(csv_folder).read("training")
    assert (check_labels(faces, None), check_labels(faces, "ferplus8_majority")) == ("fer2013", "ferplus8_majority")
    with pytest.raises(InputError, match="expected one of fer2013, ferplus7"):
        check_labels(faces, "rafdb")
    with pytest.raises(DataError, match=r"needs FER\+ votes"):
        check_labels(open_dataset(layouts.rafdb(tmp_path)).read("test"), "ferplus7")


@pytest.mark.parametrize(
    ("make", "split", "n"),
    [
        (layouts.fer2013_csv, "private_test", 7), (layouts.affectnet_lists, "val", 1), (layouts.rafdb, "test", 1),
        (layouts.kdef, "all", 3), (layouts.ckplus_folders, "all", 3),
    ],
)  # fmt: skip
def test_the_command_takes_every_data_set(
    tmp_path: Path, make: Callable[[Path], Path], split: str, n: int, capsys: pytest.CaptureFixture[str]
) -> None:
    table = tmp_path / "out" / "table.parquet"
    (tmp_path / "data").mkdir()
    root = make(tmp_path / "data")
    arguments = ["evaluate", "mobilenetv2-ferplus", "--data", str(root), "--table", str(table), "--json"]
    assert cli.main(arguments) == 0
    said = capsys.readouterr()
    assert f'"split": "{split}"' in said.out and said.out.count("\n") == 1
    found = pd.read_parquet(table)
    assert len(found) == n and [path.name for path in table.parent.iterdir()] == ["table.parquet"]
    assert ("face_found" in found) == (make is layouts.kdef)
    assert ("2 left out: not from the front" in said.err) == (make is layouts.kdef)


def test_the_command_leaves_out_what_it_is_told_to(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    layouts.per_emotion(tmp_path, {"angry": 2, "contempt": 1})
    (tmp_path / "angry/1.jpg").write_bytes(b"damaged")
    arguments = ["evaluate", "mobilenetv2-ferplus", "--data", str(tmp_path)]
    assert cli.main(arguments) == 1
    assert "angry/1.jpg is not a readable picture" in capsys.readouterr().err
    assert cli.main([*arguments, "--skip-unreadable", "--find-faces"]) == 0
    said = capsys.readouterr()
    assert "angry/1.jpg is not a readable picture" in said.err and "contempt" in said.out


def test_tables_have_a_place_and_single_views(
    tmp_path: Path, csv_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["evaluate", "mobilenetv2-ferplus", "--data", str(csv_folder), "--table"]
    assert cli.main([*arguments, str(tmp_path / "a.csv")]) == 1
    assert "end it in .parquet" in capsys.readouterr().err
    assert cli.main([*arguments, str(tmp_path / "a.parquet"), "--tta", "flip"]) == 1
    assert "single views" in capsys.readouterr().err
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be written"):
        write_table(pd.DataFrame({"id": ["1"]}), tmp_path / "file" / "a.parquet")
