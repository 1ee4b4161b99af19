"""Labelled pictures as anybody has them: a table of files, labels and people; folders per person; photos and faces."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from fer_core.data import FaceSet, label_tables, open_dataset
from fer_core.data.pictures import look_cut
from fer_core.emotions import EMOTIONS8
from fer_core.errors import DataError
from tests.support import layouts

ROWS = "a.jpg,happy,anna\nb.jpg,Anger,bo\nc.jpg,sadness,anna\n"


def pictures(root: Path, *names: str, size: tuple[int, int] = (60, 60)) -> Path:
    for name in names or ("a.jpg", "b.jpg", "c.jpg"):
        layouts.draw(root / name, size=size)
    return root


def table(root: Path, text: str, name: str = "labels.csv") -> Path:
    (root / name).write_text(text, encoding="utf-8")
    return root / name


def labels_of(faces: FaceSet) -> list[str]:
    return [EMOTIONS8[label] for label in faces.labels]


@pytest.mark.parametrize(
    ("names", "told"),
    [
        ("file,label,person", "file: file, label: label, person: person"),
        ("Image Path,Emotion,Subject-ID", "file: Image Path, label: Emotion, person: Subject-ID"),
        ("filename,expression,actor", "file: filename, label: expression, person: actor"),
        ("img,class,who", "file: img, label: class, person: who"),
    ],
)
def test_columns_are_known_in_usual_spellings_and_told(tmp_path: Path, names: str, told: str) -> None:
    root = pictures(tmp_path / "My Faces")
    table(root, f"{names}\n{ROWS}")
    data = open_dataset(root)
    faces = data.read("all")
    assert (data.name, data.key, data.layout) == ("my_faces", "table", f"a table of pictures ({told})")
    assert labels_of(faces) == ["happy", "angry", "sad"] and faces.subjects.tolist() == ["anna", "bo", "anna"]
    assert faces.cut and faces.picture(1).shape == (60, 60, 3) and np.isnan(faces.boxes).all()


@pytest.mark.parametrize(
    ("name", "delimiter", "encoding"),
    [("l.csv", ";", "utf-8"), ("l.tsv", "\t", "utf-16"), ("l.CSV", ",", "utf-8-sig"), ("l.csv", "\t", "utf-8")],
)
def test_tables_as_spreadsheets_write_them(tmp_path: Path, name: str, delimiter: str, encoding: str) -> None:
    root = pictures(tmp_path, "ä, b.jpg")
    text = delimiter.join(("Note", "person", "label", "file")) + "\r\n\r\n"
    text += delimiter.join(('"two\nlines"', "Jürgen", " Fearful ", '"ä, b.jpg"')) + "\r\n"
    (root / name).write_bytes(text.encode(encoding))
    for given in (root, root / name):
        faces = open_dataset(given).read("all")
        assert (faces.ids.tolist(), labels_of(faces), faces.subjects.tolist()) == (["ä, b.jpg"], ["fear"], ["Jürgen"])


def test_columns_that_are_not_known_are_listed(tmp_path: Path) -> None:
    path = table(pictures(tmp_path), f"bild,gefuehl,person\n{ROWS}")
    words = "labels.csv has no column of files and labels that is known by its name. Its columns: 'bild', 'gefuehl', "
    for given in (path, tmp_path):
        with pytest.raises(DataError) as error:
            open_dataset(given)
        assert words in str(error.value) and "Call one of them as one of these, file: file, filename" in str(
            error.value
        )
    layouts.per_emotion(tmp_path, {"images": 1})
    with pytest.raises(DataError, match=r"no emotions: 'images' \(1 picture\).*'gefuehl'"):
        open_dataset(tmp_path)


def test_labels_that_are_no_emotions_are_counted_with_the_remedy(tmp_path: Path) -> None:
    pictures(tmp_path)
    path = table(tmp_path, "file,label\na.jpg,happy\nb.jpg,bored\nc.jpg,bored\nd.jpg,\ne.jpg,3\n")
    faces = open_dataset(path).read("all")
    reasons = {reason.split(";")[0]: n for reason, n in faces.left_out.items()}
    assert reasons == {"label 'bored' is no emotion": 2, "label '3' is no emotion": 1, "without a label": 1}
    assert "write angry, disgust, fear" in next(iter(faces.left_out)) and len(faces) == 1
    table(tmp_path, "file,label\na.jpg,bored\nb.jpg,bored\nc.jpg,tired\n")
    for given in (path, tmp_path):
        with pytest.raises(DataError, match=r"no emotion in its column 'label': 'bored' \(2\), 'tired' \(1\). Write"):
            open_dataset(given).read("all")
    table(tmp_path, "file,label\na.jpg,3\nb.jpg,0\n")
    with pytest.raises(DataError, match="Numbers stand for other emotions in each data set"):
        open_dataset(path).read("all")


def test_many_unknown_labels_are_summed_up(tmp_path: Path) -> None:
    path = table(pictures(tmp_path), "file,label\na.jpg,sad\n" + "".join(f"x{i}.jpg,mood {i}\n" for i in range(40)))
    left_out = open_dataset(path).read("all").left_out
    assert sum(left_out.values()) == 40 and len(left_out) == 13 and left_out["other labels are no emotions"] == 28


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            "file,label\nx.jpg,sad\ny.jpg,sad\n",
            "None of the 2 pictures that labels.csv lists is there; the first is 'x.",
        ),
        ("file,label\n", "no row with a label in its column 'label'"),
        ("", "has no column of files and labels"),
        ("file,label\na.jpg,sad,more\n", "line 2: expected 2 fields, got 3; mend that line"),
        ("file,label\n../a.jpg,sad\n", "line 2: '../a.jpg' is not a path inside"),
        ("file,label\n/etc/passwd,sad\n", "line 2: '/etc/passwd' is not a path inside"),
        ("file,label\na.jpg,sad\na.jpg,happy\n", "expected every picture once, got 'a.jpg' twice"),
        ('file,label\n"a.jpg,sad\n' + "x" * 200_000, "save the table again"),
        ("file,label,x,y,w,h\na.jpg,sad,1,2,x,4\n", "line 2: 1, 2, x, 4 is no box; expected x, y, w, h in pixels"),
        ("file,label,xmin,ymin,xmax,ymax\na.jpg,sad,9,9,9,12\n", "9, 9, 9, 12 is no box"),
    ],
)
def test_tables_that_are_wrong_say_where(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(DataError) as error:
        open_dataset(table(pictures(tmp_path), text)).read("all")
    assert words in str(error.value)


def test_a_picture_that_is_missing_is_told_when_it_is_read(tmp_path: Path) -> None:
    faces = open_dataset(table(pictures(tmp_path), "file,label\na.jpg,sad\ngone.jpg,sad\n")).read("all")
    assert len(faces) == 2 and faces.picture(0).size
    with pytest.raises(DataError, match=r"gone.jpg cannot be read \(No such file"):
        faces.picture(1)


def test_paths_start_at_the_table_or_a_folder_beside_it(tmp_path: Path) -> None:
    pictures(tmp_path / "photos")
    for row in ("a.jpg,sad", "photos/a.jpg,sad", "photos\\a.jpg,sad", f"{tmp_path.resolve()}/photos/a.jpg,sad"):
        faces = open_dataset(table(tmp_path, f"file,label\n{row}\n")).read("all")
        assert faces.picture(0).shape == (60, 60, 3) and faces.encoded(faces.index(str(faces.ids[0])))


def test_tables_called_like_splits_are_splits_and_others_must_be_meant(tmp_path: Path) -> None:
    pictures(tmp_path)
    for name in ("train.csv", "test.csv"):
        table(tmp_path, f"file,label\n{'ab'[name == 'test.csv']}.jpg,sad\n", name)
    data = open_dataset(tmp_path, "mine")
    assert (data.name, sorted(data.splits), data.default_split) == ("mine", ["test", "training"], "test")
    assert data.read("training").ids.tolist() == ["a.jpg"]
    (tmp_path / "train.csv").rename(tmp_path / "one.csv")
    (tmp_path / "test.csv").rename(tmp_path / "two.csv")
    with pytest.raises(DataError, match=r"several tables of pictures: one\.csv, two\.csv\. Pass the one that is meant"):
        open_dataset(tmp_path)
    assert open_dataset(tmp_path / "two.csv").read("all").ids.tolist() == ["b.jpg"]


def test_a_table_beside_folders_counts_where_it_is_one(tmp_path: Path) -> None:
    layouts.per_emotion(tmp_path, {"angry": 2, "happy": 1})
    table(tmp_path, "id,note\n1,hello\n")
    assert open_dataset(tmp_path).key == "folders"
    table(tmp_path, "path,label\ngone.jpg,sad\n", "b.csv")
    assert open_dataset(tmp_path).key == "folders"
    table(tmp_path, "path,label,person\nangry/0.jpg,sad,x\n", "c.csv")
    data = open_dataset(tmp_path)
    assert data.key == "table" and labels_of(data.read("all")) == ["sad"]


def test_a_table_that_is_named_is_not_another_one(tmp_path: Path) -> None:
    table(pictures(tmp_path), f"file,label,person\n{ROWS}", "good.csv")
    with pytest.raises(DataError, match=r"bad\.csv has no column"):
        open_dataset(table(tmp_path, "a,b\n1,2\n", "bad.csv"))
    with pytest.raises(DataError, match=r"list\.xlsx is no table\. Pass a folder, or a table saved as \.csv or \.tsv"):
        open_dataset(table(tmp_path, "", "list.xlsx"))
    with pytest.raises(DataError, match="There is no folder"):
        open_dataset(tmp_path / "gone.csv")


def test_a_box_says_which_face_is_meant(tmp_path: Path) -> None:
    """By a corner and a size, or by two corners; a photo may be listed once for every face."""
    pictures(tmp_path, size=(300, 200))
    text = "file,label,x,y,width,height\na.jpg,sad,10,20,30,40\na.jpg,happy,100,20,30,40.4\nb.jpg,sad,,,,\n"
    faces = open_dataset(table(tmp_path, text)).read("all")
    assert faces.ids.tolist() == ["a.jpg", "a.jpg#2", "b.jpg"] and not faces.cut
    assert faces.boxes[:2].tolist() == [[10, 20, 40, 60], [100, 20, 130, 60]] and np.isnan(faces.boxes[2]).all()
    assert faces.picture(1).shape == (200, 300, 3)
    assert faces.take(np.array([1])).boxes.tolist() == [[100, 20, 130, 60]]
    corners = "file,label,left,top,right,bottom\na.jpg,sad,10,20,40,60\n"
    assert open_dataset(table(tmp_path, corners)).read("all").boxes.tolist() == [[10, 20, 40, 60]]
    picture_sizes = "file,label,width,height\na.jpg,sad,300,200\n"
    assert np.isnan(open_dataset(table(tmp_path, picture_sizes)).read("all").boxes).all()


@pytest.mark.parametrize(
    ("size", "cut"), [((48, 48), True), ((128, 90), True), ((224, 224), True), ((129, 90), False), ((300, 300), False)]
)
def test_small_pictures_are_cut_faces_and_others_photos(tmp_path: Path, size: tuple[int, int], cut: bool) -> None:
    pictures(tmp_path, size=size)
    assert open_dataset(table(tmp_path, f"file,label,person\n{ROWS}")).read("all").cut == cut
    for i, name in enumerate(("angry", "happy")):
        layouts.draw(tmp_path / "folders" / name / "a.png", i, size=size)
    assert open_dataset(tmp_path / "folders").read("all").cut == cut


def test_damaged_pictures_do_not_decide_what_pictures_are(tmp_path: Path) -> None:
    pictures(tmp_path, "0.png", size=(300, 200))
    for i in range(1, 5):
        (tmp_path / f"{i}.png").write_bytes(b"damaged")
    assert not look_cut(tmp_path, [f"{i}.png" for i in range(5)])
    assert look_cut(tmp_path, []) and look_cut(tmp_path, ["1.png"])


@pytest.mark.parametrize(
    "names",
    [("anna/angry", "anna/happy", "bo/happy"), ("angry/anna", "happy/anna", "happy/bo")],
    ids=["folders of people", "folders of emotions"],
)
def test_folders_say_who_is_shown(tmp_path: Path, names: tuple[str, ...]) -> None:
    for i, name in enumerate(names):
        layouts.draw(tmp_path / "set" / name / f"{i}.jpg", i)
    data = open_dataset(tmp_path)  # through the folder that holds nothing but one
    faces = data.read("all")
    found = dict(zip(faces.ids.tolist(), zip(labels_of(faces), faces.subjects.tolist(), strict=True), strict=True))
    assert (data.name, data.key) == ("set", "folders")
    assert found == {
        f"{names[0]}/0.jpg": ("angry", "anna"), f"{names[1]}/1.jpg": ("happy", "anna"),
        f"{names[2]}/2.jpg": ("happy", "bo"),
    }  # fmt: skip


def test_one_folder_of_emotions_is_no_person(tmp_path: Path) -> None:
    layouts.per_emotion(tmp_path / "faces", {"angry": 1, "happy": 1})
    assert open_dataset(tmp_path).read("all").subjects.tolist() == ["", ""]


def test_people_below_splits(tmp_path: Path) -> None:
    for split in ("train", "test"):
        for who in ("anna", "bo"):
            layouts.draw(tmp_path / split / who / "sad" / "a.jpg")
    data = open_dataset(tmp_path)
    assert data.splits == ("training", "test") and data.read("test").subjects.tolist() == ["anna", "bo"]


def test_every_spelling_is_one_of_a_kind() -> None:
    spelled: Mapping[str, tuple[str, ...]] = label_tables.COLUMNS
    words = [word for each in spelled.values() for word in each]
    assert len(words) == len(set(words)) and all(word == word.lower() for word in words)
