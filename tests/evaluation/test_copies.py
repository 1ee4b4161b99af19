"""Figures on the official rows and on the clean ones, and the commands that give them."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import fer_core
from fer_core import cli
from fer_core.data import LabelledFaces, open_dataset
from fer_core.data.drawn import draw_face, grey, write_csv
from fer_core.emotions import EMOTIONS
from fer_core.evaluation import copies_of, figures_of, find_copies, published_copies
from fer_core.evaluation.metrics import report
from fer_core.evaluation.run import labels_of, table_array
from fer_core.models.folders import find_checkpoint
from tests.support import ROOT
from training import measure

MODEL = "mobilenetv2-fer2013"
N = 14
COPIED = (2, 5, 9)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """FER2013's csv of drawn faces; three pictures of the private test are copies of training pictures."""
    random, splits = np.random.default_rng(3), {}
    for start, split in enumerate(("training", "public_test", "private_test")):
        rows = np.arange(N) + N * start
        emotion = rows % len(EMOTIONS)
        images = np.stack([grey(draw_face(int(code), random)) for code in emotion])
        if split == "private_test":
            images[list(COPIED)] = splits["training"].images[[0, 1, 13]]
        splits[split] = LabelledFaces(rows.astype(str), images, emotion)
    return write_csv(tmp_path_factory.mktemp("copies") / "fer2013", splits)


def test_copies_are_found_pixel_by_pixel(folder: Path) -> None:
    data = open_dataset(folder)
    found = copies_of(data.read("private_test"), data)
    assert found is not None and np.flatnonzero(found).tolist() == list(COPIED)
    assert not find_copies(data.read("public_test"), data.read("training")).any()
    assert copies_of(data.read("training"), data) is None
    assert copies_of(data.read("private_test")) is None, "nobody can know without the training pictures"


def test_figures_are_given_with_and_without_copies(folder: Path) -> None:
    faces = open_dataset(folder).read("private_test")
    table = pd.DataFrame({"id": faces.ids, "label_fer2013": [EMOTIONS[i] for i in faces.labels]})
    for i, name in enumerate(EMOTIONS):
        table[f"p_{name}"] = np.where(np.arange(N) < 7, faces.labels == i, i == 3).astype(float)
    copies = np.isin(np.arange(N), COPIED)
    figures = figures_of(table, faces, "fer2013", "none", copies)
    assert figures["n"] == N and figures["accuracy"] == pytest.approx(8 / N)  # the first seven, and the happy one
    clean = figures["clean"]
    assert clean["n"] == N - 3 and clean["accuracy"] == pytest.approx(6 / (N - 3))
    assert clean.keys() == figures.keys() - {"clean"}
    assert "clean" not in figures_of(table, faces, "fer2013", "none")
    assert "clean" not in figures_of(table, faces, "fer2013", "none", np.ones(N, bool))
    gone = table.drop(index=[0, 2])  # unreadable pictures have no row
    assert figures_of(gone, faces, "fer2013", "none", copies)["clean"]["n"] == N - 4


def test_the_command_reports_every_view_and_writes_what_the_pages_read(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["evaluate", MODEL, "--data", str(folder)]
    assert cli.main([*arguments, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [each["tta"] for each in found["reports"]] == ["none", "flip", "tencrop"]
    top = {key: value for key, value in found.items() if key != "reports"}
    assert top == found["reports"][0] and top["clean"]["n"] == N - 3 and top["labels"] == "fer2013"
    assert top["clean"].keys() == top.keys() - {"clean"}
    plain = top["prior_adjusted"]["as_trained"]
    assert all(top[key] == plain[key] for key in ("n", "accuracy", "macro_recall", "recalls", "ece"))
    table = pd.read_parquet(Path(os.environ["FER_HOME"]) / "evaluations" / MODEL / "fer2013-private_test.parquet")
    truth = labels_of(table, "fer2013")
    again = report(table_array(table, "p_").astype(np.float64), truth)
    assert again["accuracy"] == top["accuracy"] and again["nll"] == top["nll"]
    assert cli.main(arguments) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert [line[:3] for line in lines if line[:1] == ["tencrop"]] == [
        ["tencrop", "official", str(N)],
        ["tencrop", "clean", str(N - 3)],
    ]
    assert [line[1] for line in lines if line[:1] == ["prior"]] == ["halfway", "all_alike"]
    shutil.rmtree(Path(os.environ["FER_HOME"]) / "evaluations" / MODEL)


def test_a_folder_that_no_page_lists_gets_no_table(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(find_checkpoint(MODEL), tmp_path / "mine")
    assert cli.main(["evaluate", str(tmp_path / "mine"), "--data", str(folder), "--tta", "none", "--json"]) == 0
    said = capsys.readouterr()
    assert "written" not in said.err and json.loads(said.out)["n"] == N
    assert not (Path(os.environ["FER_HOME"]) / "evaluations" / MODEL).exists()


def test_copies_are_listed(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["copies", "--data", str(folder), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"public_test": [], "private_test": [2 * N + row for row in COPIED]}
    assert cli.main(["copies", "--data", str(folder)]) == 0
    assert "private_test: 3 of 14" in capsys.readouterr().out
    for name in ("happy", "sad"):
        (tmp_path / name).mkdir()
        shutil.copy(ROOT / "dashboard" / "icon.png", tmp_path / name / "a.png")
    assert cli.main(["copies", "--data", str(tmp_path)]) == 1
    assert "no training split" in capsys.readouterr().err


def test_published_rows_are_those_of_the_pictures(fer2013_dir: Path) -> None:
    data = open_dataset(fer2013_dir)
    training = data.read("training")
    for split, n in (("public_test", 280), ("private_test", 288)):
        faces = data.read(split)
        found = find_copies(faces, training)
        assert faces.ids[found].astype(int).tolist() == list(published_copies("fer2013", split))
        assert found.sum() == n and np.array_equal(found, copies_of(faces))


def test_a_folder_is_measured_again_from_its_weights(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mine = Path(shutil.copytree(find_checkpoint(MODEL), tmp_path / MODEL))
    assert measure.main([str(mine), "--data", str(folder)]) == 0
    card = json.loads((mine / "card.json").read_text())
    told = next(each for each in card["metrics"] if each["split"] == "private_test" and each["tta"] == "tencrop")
    expected = fer_core.evaluate(mine, folder, tta="tencrop")
    assert told["n"] == N and told["accuracy"] == pytest.approx(expected["accuracy"], abs=1e-5)
    assert len(pd.read_parquet(mine / "evaluations" / "fer2013-private_test.parquet")) == N
    assert measure.main([str(mine), "--data", str(tmp_path / "nothing")]) == 2
    assert "error:" in capsys.readouterr().err
