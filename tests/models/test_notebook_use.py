"""The library as somebody meets it in a notebook: lines that say what a thing is, bars, and errors in words."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import fer_core
from fer_core.errors import FerError, InputError
from fer_core.evaluation import outcomes, read_evaluation, read_history
from fer_core.models.folders import DEFAULT_CHECKPOINT, checkpoints_folder
from fer_core.progress import Progress
from tests.support import ROOT

SHIPPED = checkpoints_folder() / "mru-2025-cnn"


def test_things_say_what_they_are() -> None:
    classifier = fer_core.load(SHIPPED, device="cpu")
    assert repr(classifier).startswith("<Classifier mru-2025-cnn: mru-cnn, 48 px grey of crops of 48 px, angry,")
    scores = classifier.predict(np.zeros((3, 48, 48), np.uint8))
    assert repr(scores).startswith("<Scores of 3 faces: logits and probabilities (3, 7), features (3, ")
    table = read_evaluation(SHIPPED / "evaluations" / "fer2013-private_test.parquet", "a")
    assert repr(table).startswith("<Evaluation of a on fer2013 private_test: 3589 pictures, labels fer2013")
    found = outcomes(table, "fer2013")
    assert repr(found) == (
        f"<Outcomes of a on fer2013 private_test: 3589 pictures judged by fer2013, {found.right.mean():.1%} right>"
    )


@pytest.mark.parametrize(
    ("crops", "options", "words"),
    [
        (np.zeros((2, 48, 60), np.uint8), {}, r"square crops, got \(2, 48, 60\)"),
        (np.zeros((2, 48, 60, 3), np.uint8), {}, "square crops"),
        ([[0]], {}, "numpy array uint8 .* got <class 'list'>"),
        (torch.zeros(1, 48, 48), {}, "numpy array"),
        (np.zeros((1, 48, 48), np.uint8), {"tta": "five"}, "'five'; expected none, flip or tencrop"),
        (np.zeros((0, 48, 48), np.uint8), {"tta": "five"}, "'five'"),
        (np.zeros((1, 48, 48), np.uint8), {"batch_size": 0}, "batch_size of 1 or more"),
    ],
)
def test_wrong_arguments_are_told_in_words(crops: Any, options: dict[str, Any], words: str) -> None:
    classifier = fer_core.load(SHIPPED, device="cpu")
    with pytest.raises(InputError, match=words):
        classifier.predict(crops, **options)
    assert issubclass(InputError, FerError)


def test_a_history_may_be_given_as_its_file() -> None:
    folder = checkpoints_folder() / DEFAULT_CHECKPOINT
    assert len(read_history(folder / "history.csv")) == len(read_history(folder)) > 0


def test_a_bar_is_drawn_and_closed(capsys: pytest.CaptureFixture[str]) -> None:
    tell = fer_core.progress_bar("clip")
    tell(Progress.counted("evaluating", 5, 10))
    tell(Progress.counted("evaluating", 10, 10))
    drawn = capsys.readouterr().err
    assert "clip" in drawn and "100%" in drawn and "evaluating, 10 of 10" in drawn


def test_the_library_installs_with_its_types_and_tables() -> None:
    setup = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]
    assert "fer_core*" in setup["packages"]["find"]["include"] and (ROOT / "fer_core" / "py.typed").is_file()
    shipped = {each for pattern in setup["package-data"]["fer_core"] for each in (ROOT / "fer_core").glob(pattern)}
    beside = {path for path in (ROOT / "fer_core").rglob("*") if path.is_file() and path.suffix not in (".py", ".pyc")}
    assert beside <= {Path(each) for each in shipped}, "what lies beside the code is installed too"
