"""Several data sets as one: joined names and labels, limits per class, how classes become ours, and counts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fer_core.data import VOTES, FaceSet, Mixture, at_most, class_mapping, counts_table, open_dataset
from fer_core.data.classes import LEFT_OUT
from fer_core.data.layouts import LAYOUTS
from fer_core.emotions import EMOTIONS, EMOTIONS8, emotion_of_name
from fer_core.errors import DataError
from tests.support import layouts


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    top = tmp_path_factory.mktemp("sets")
    layouts.affectnet_lists(top / "affectnet")
    layouts.kdef(top / "kdef")
    layouts.fer2013_csv(top / "fer2013")
    return top


def part(root: Path, name: str, split: str) -> FaceSet:
    return open_dataset(root / name).read(split)


def test_a_mixture_is_its_parts_one_after_the_other(root: Path) -> None:
    parts = part(root, "affectnet", "training"), part(root, "kdef", "all"), part(root, "fer2013", "public_test")
    mixed = Mixture(parts)
    assert len(mixed) == 2 + 3 + 7 == len(mixed.ids) == len(set(mixed.ids.tolist()))
    assert mixed.ids[0] == f"affectnet/training/{parts[0].ids[0]}" and mixed.ids[-1] == "fer2013/public_test/20"
    assert mixed.subjects.tolist() == ["", "", "kdef/F01", "kdef/F01", "kdef/M12", *[""] * 7]
    assert mixed.cut.tolist() == [True] * 2 + [False] * 3 + [True] * 7
    np.testing.assert_array_equal(mixed.labels, np.concatenate([each.labels for each in parts]))
    for i in range(len(mixed)):
        faces, row = mixed.place(i)
        assert mixed.ids[i] == f"{faces.name}/{faces.split}/{faces.ids[row]}"
    np.testing.assert_array_equal(mixed.picture(4), parts[1].picture(2))
    for wrong in (-1, 12):
        with pytest.raises(IndexError):
            mixed.place(wrong)


def test_votes_are_kept_only_where_all_parts_have_them(root: Path) -> None:
    fer = [part(root, "fer2013", split) for split in ("public_test", "private_test")]
    both = Mixture(tuple(fer))
    assert both.votes.shape == (14, len(VOTES)) and both.votes[13].tolist() == fer[1].votes[6].tolist()
    assert Mixture((*fer, part(root, "kdef", "all"))).votes.shape == (17, 0)


def test_mixtures_that_make_no_sense(root: Path) -> None:
    with pytest.raises(DataError, match="needs one data set or more, got none"):
        Mixture(())
    faces = part(root, "kdef", "all")
    with pytest.raises(DataError, match="kdef, all is in the mixture twice"):
        Mixture((faces, faces))


# --- limits


def test_a_limit_takes_so_many_of_each_class_by_seed() -> None:
    labels = np.repeat([0, 3, 5], [50, 4, 20])
    nobody = np.full(len(labels), "")
    rows = at_most(labels, nobody, 10, seed=1)
    assert np.bincount(labels[rows], minlength=6).tolist() == [10, 0, 0, 4, 0, 10]
    assert (np.diff(rows) > 0).all()
    np.testing.assert_array_equal(rows, at_most(labels, nobody, 10, seed=1))
    assert rows.tolist() != at_most(labels, nobody, 10, seed=2).tolist()


def test_a_limit_takes_people_whole_or_not_at_all() -> None:
    random = np.random.default_rng(0)
    for seed in range(20):
        labels = random.integers(0, 4, 200)
        people = np.array([f"p{i}" for i in random.integers(0, 40, 200)])
        people[random.random(200) < 0.2] = ""
        rows = at_most(labels, people, 20, seed=seed)
        assert np.bincount(labels[rows]).max() <= 20
        rest = np.setdiff1d(np.arange(200), rows)
        assert not set(people[rows].tolist()) & set(people[rest].tolist()) - {""}
        assert (np.bincount(labels[rows], minlength=4) >= 10).all()


def test_kdef_is_halved_as_in_the_recipe() -> None:
    """70 people twice in every class: 100 of each class are 50 people, and 40 of each class are left."""
    labels, people = np.tile(np.repeat(np.arange(7), 2), 70), np.repeat([f"{i:02d}" for i in range(70)], 14)
    rows = at_most(labels, people, 100)
    assert np.bincount(labels[rows]).tolist() == [100] * 7
    assert len(set(people[rows].tolist())) == 50


def test_limits_that_cannot_be_kept() -> None:
    labels, people = np.repeat([0, 1], 6), np.array(["a", "b"] * 6)
    with pytest.raises(DataError, match="2 pictures of each class are fewer than one person has of class 0"):
        at_most(labels, people, 2)
    with pytest.raises(DataError, match="Expected 1 picture of each class or more, got 0"):
        at_most(labels, people, 0)
    assert at_most(np.zeros(0, np.int64), np.zeros(0, "<U1"), 3).tolist() == []


# --- classes


@pytest.mark.parametrize(
    ("dataset", "code", "emotion"),
    [
        ("fer2013", 0, "angry"), ("fer2013", 6, "neutral"), ("ferplus", 0, "neutral"), ("ferplus", 7, "contempt"),
        ("affectnet", 6, "angry"), ("affectnet", 7, "contempt"), ("affectnet", 4, "fear"), ("rafdb", 1, "surprise"),
        ("rafdb", 4, "happy"), ("rafdb", 7, "neutral"), ("kdef", "AF", "fear"), ("kdef", "SU", "surprise"),
        ("ckplus", 2, "contempt"), ("ckplus", 7, "surprise"),
    ],
)  # fmt: skip
def test_codes_of_the_data_sets(dataset: str, code: str | int, emotion: str) -> None:
    assert LAYOUTS[dataset].emotion_of(code) == emotion


@pytest.mark.parametrize("dataset", LAYOUTS)
def test_codes_name_seven_or_eight_emotions_once(dataset: str) -> None:
    names = sorted(LAYOUTS[dataset].codes.values())
    assert names in (sorted(EMOTIONS), sorted(EMOTIONS8))


def test_unknown_codes_are_refused_with_what_is_known() -> None:
    with pytest.raises(DataError, match=r"codes are 1, 2, 3, 4, 5, 6, 7"):
        LAYOUTS["rafdb"].emotion_of(0)


@pytest.mark.parametrize("dataset", LAYOUTS)
def test_every_code_has_a_row_with_its_emotion(dataset: str) -> None:
    rows = {row.code: row for row in class_mapping(dataset, labels=EMOTIONS8)}
    for code, emotion in LAYOUTS[dataset].codes.items():
        assert rows[code].emotion == emotion
        assert emotion_of_name(rows[code].name) == emotion, "the authors' name says otherwise"


def test_seven_classes_leave_contempt_and_no_emotions_out() -> None:
    rows = class_mapping("affectnet")
    assert [row.code for row in rows] == [str(i) for i in range(11)]
    assert [row.name for row in rows if row.emotion == LEFT_OUT] == ["Contempt", "None", "Uncertain", "No face"]
    assert [row.emotion for row in class_mapping("affectnet", labels=EMOTIONS8) if row.code == "7"] == ["contempt"]
    assert [row.name for row in class_mapping("ferplus") if row.emotion == LEFT_OUT] == ["contempt", "unknown", "NF"]
    assert {row.emotion for row in class_mapping("folders")} == {*EMOTIONS, LEFT_OUT}
    with pytest.raises(DataError, match=r"Unknown data set 'cifar'; expected one of .*fer2013, "):
        class_mapping("cifar")


def test_the_mapping_of_an_opened_data_set_counts_its_pictures(root: Path) -> None:
    data = open_dataset(root / "affectnet", "my_faces")
    rows = class_mapping(data, faces=[data.read(split) for split in data.splits])
    counted = {row.name: row.n for row in rows if row.n}
    assert counted == {"Happy": 1, "Anger": 1, "Contempt": 1, "None": 1, "Uncertain": 1, "No face": 2}
    assert class_mapping(open_dataset(root / "kdef"))[0] == ("AN", "angry", "angry", 0)


@pytest.mark.parametrize(
    ("make", "name"),
    [(layouts.fer2013_csv, "fer2013"), (layouts.rafdb, "rafdb"), (layouts.ckplus_sequences, "ckplus"),
     (layouts.ckplus_folders, "ckplus")],
)  # fmt: skip
def test_every_layout_is_known_by_what_it_is(make: object, name: str, tmp_path: Path) -> None:
    data = open_dataset(make(tmp_path), "other")  # type: ignore[operator]
    assert class_mapping(data) == class_mapping(name)


def test_folders_of_any_data_set_map_by_name(tmp_path: Path) -> None:
    data = open_dataset(layouts.per_emotion(tmp_path, {"Anger": 1, "joy": 2}))
    faces = [data.read("all")]
    assert [(row.code, row.n) for row in class_mapping(data, faces=faces) if row.n] == [("angry", 1), ("happy", 2)]


# --- counts


def test_counts_are_told_by_class_and_part(root: Path) -> None:
    parts = [part(root, "affectnet", split) for split in ("training", "val")]
    training, val, together = counts_table(parts)
    assert list(training) == ["data", "split", *EMOTIONS, "all", "left out"]
    assert (training["data"], training["split"], training["happy"], training["all"]) == ("affectnet", "training", 1, 2)
    assert training["left out"] == 5
    assert (val["all"], val["left out"]) == (0, 1), "contempt is no class of seven"
    assert (together["data"], together["all"], together["left out"]) == ("together", 2, 6)
    eight = counts_table(parts, EMOTIONS8)
    assert eight[1]["contempt"] == 1 and eight[2]["left out"] == 5
    assert len(counts_table(parts[:1])) == 1 and counts_table([]) == []
