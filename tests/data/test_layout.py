"""One record says everything of a data set; messages, pages, help and the readme follow it."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from dashboard.services.datasets import known_layouts
from fer_core import cli
from fer_core.data import class_mapping, open_dataset
from fer_core.data.layouts import LAYOUTS, PUBLISHED, registered
from fer_core.errors import DataError
from tests.support import ROOT, layouts

TITLES = [layout.title for layout in PUBLISHED]


def test_a_data_set_of_the_same_key_is_refused() -> None:
    with pytest.raises(ValueError, match="Data set 'kdef' is registered twice"):
        registered((*LAYOUTS.values(), dataclasses.replace(LAYOUTS["kdef"], title="Another")))


def test_classes_without_a_name_and_unknown_emotions_are_refused() -> None:
    for wrong in ({"names": ("one",)}, {"codes": dict.fromkeys("abcdefg", "bored")}):
        with pytest.raises(ValueError, match="kdef: expected a name for each of"):
            dataclasses.replace(LAYOUTS["kdef"], **wrong)  # type: ignore[arg-type]


def test_every_published_one_is_named_wherever_they_are_listed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert TITLES == ["AffectNet", "CK+", "FER2013", "KDEF", "RAF-DB"]
    with pytest.raises(SystemExit):
        cli.main(["evaluate", "--help"])
    told = capsys.readouterr().out
    with pytest.raises(DataError) as error:
        open_dataset(tmp_path)
    listed = (ROOT / "docs" / "features.md").read_text(encoding="utf-8")
    for title in TITLES:
        assert title in told and title in str(error.value) and title in listed
        assert any(way.startswith(title) for way in known_layouts())
    assert list(known_layouts())[-1] == "anything else"


def test_a_data_set_is_known_by_its_key_whatever_it_says_and_is_called(tmp_path: Path) -> None:
    data = open_dataset(layouts.rafdb(tmp_path), "mine")
    assert (data.name, data.key, data.layout) == ("mine", "rafdb", "RAF-DB, label list")
    assert class_mapping(dataclasses.replace(data, layout="FER2013, as somebody says")) == class_mapping("rafdb")
    plain = open_dataset(layouts.per_emotion(tmp_path / "plain", {"Anger": 1, "joy": 1}))
    assert (plain.name, plain.key, plain.layout) == ("plain", "folders", "one folder per emotion")


def test_folders_by_code_are_those_of_the_set_with_the_fewest(tmp_path: Path) -> None:
    some = open_dataset(layouts.per_emotion(tmp_path / "some", {"1": 1, "7": 1}))
    more = open_dataset(layouts.per_emotion(tmp_path / "more", {"0": 1, "7": 1}))
    assert (some.key, more.key) == ("rafdb", "affectnet")


@pytest.mark.parametrize(
    ("there", "train", "choose", "test"),
    [
        (("training", "public_test", "private_test"), "training", "public_test", "private_test"),
        (("training", "val", "test"), "training", "val", "test"),
        (("training", "val"), "training", None, "val"),
        (("training", "test"), "training", None, "test"),
        (("all",), "all", None, "all"),
        (("other",), "other", None, "other"),
    ],
)
def test_splits_are_ranked_in_one_place(
    there: tuple[str, ...], train: str, choose: str | None, test: str, tmp_path: Path
) -> None:
    data = dataclasses.replace(open_dataset(layouts.rafdb(tmp_path)), splits=there)
    assert (data.training_split, data.choosing_split, data.default_split) == (train, choose, test)
