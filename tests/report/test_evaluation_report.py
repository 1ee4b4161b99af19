"""The report of an evaluation: its figures, drawn; pictures only where they are asked for."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from fer_core import cli
from fer_core.emotions import DEFAULT_GROUP_MAP
from fer_core.errors import DataError
from fer_core.evaluation import Outcomes, outcomes
from fer_core.report.evaluation import evaluation_report
from tests.support.evaluated import evaluation, judged


@pytest.fixture
def found() -> Outcomes:
    return judged("net <b>")


def test_its_figures_are_those_of_the_table(found: Outcomes) -> None:
    page = evaluation_report(found)
    assert evaluation_report(found) == page
    text = page.decode()
    assert "68.8 %" in text and "5 of 6" in text and "83 % of sad is taken for neutral" in text
    assert 'aria-label="Features by emotion"' in text and "<img" not in text and "<b>" not in text
    assert "happy (6)" in text and "neutral (4)" in text and text.count("<use ") >= 2 * len(found)


def test_pictures_of_the_worst_confusions_where_asked(found: Outcomes) -> None:
    asked = list[str]()

    def picture(name: str) -> np.ndarray:
        asked.append(name)
        return np.full((48, 48, 3), 90, np.uint8)

    text = evaluation_report(found, picture).decode()
    assert text.count("<img ") == len(asked) == 4 and set(asked) <= set("ghijkl")
    assert "sad taken for neutral" in text and re.search("[g-l]: neutral, 90 %", text)


def test_surprise_may_stand_alone(found: Outcomes) -> None:
    text = evaluation_report(found, group_map={**DEFAULT_GROUP_MAP, "surprise": "surprise"}).decode()
    assert "4 groups" in text and 'scope="row">surprise (0)' in text


def test_no_picture_left() -> None:
    table = evaluation(["happy"], ["happy"], people=[{"unknown": 10}])
    with pytest.raises(DataError, match="No image is left"):
        evaluation_report(outcomes(table, "ferplus7"))


def test_the_command_reports_a_shipped_network(
    tmp_path: Path, fer2013_dir: Path, capsys: pytest.CaptureFixture
) -> None:
    given = ["report", "mobilenetv2-ferplus", "--out", str(tmp_path / "net.html"), "--data", str(fer2013_dir)]
    assert cli.main([*given, "--pictures"]) == 0
    text = (tmp_path / "net.html").read_text(encoding="utf-8")
    assert len(re.findall(r"<img ", text)) >= 8 and "on fer2013 private_test, judged by ferplus7" in text
    assert len(text) < 5_000_000
    for more, told in ((["--table", "x"], "no evaluation 'x'"), (["--labels", "x"], "no labels 'x'")):
        assert cli.main([*given, *more]) == 1
        assert told in capsys.readouterr().err
