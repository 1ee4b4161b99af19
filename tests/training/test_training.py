"""Training by the real command on a miniature data set: it ends, it resumes, and what it writes can be loaded."""

from __future__ import annotations

import csv
import dataclasses
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from fer_core.errors import RecipeError
from fer_core.models.classifier import load
from tests.support import ROOT
from tests.support.faces_csv import write_fer2013_csv
from training import train as command
from training.augment import train_batch
from training.data import Draw, EpochBatches
from training.recipe import Recipe, load_recipe, network_recipe, recipe_names

RECIPE = "usfq-2024-fer2013"
EPOCHS = 3


@pytest.fixture(scope="module")
def miniature(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_fer2013_csv(tmp_path_factory.mktemp("fer2013"), n_training=192, n_test=21)


def start(data: Path, runs: Path, out: Path, *more: str) -> subprocess.Popen[str]:
    arguments = [RECIPE, "--data", str(data), "--out", str(out), "--epochs", str(EPOCHS), *more]
    environment = os.environ | {"FER_RUNS": str(runs), "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(
        [sys.executable, "-m", "training.train", *arguments],
        cwd=runs.parent, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def history(run: Path) -> list[dict[str, str]]:
    with (run / "history.csv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def trained(miniature: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Folder of the run and of the checkpoints of a training that was killed after its first epoch and resumed."""
    top = tmp_path_factory.mktemp("training")
    run, out = top / "runs" / RECIPE, top / "checkpoints"
    first = start(miniature, top / "runs", out)
    deadline = time.monotonic() + 300
    while not (run / "last.ckpt").is_file():
        assert first.poll() is None, first.communicate()[1]
        assert time.monotonic() < deadline, "no checkpoint after 300 s"
        time.sleep(0.05)
    first.send_signal(signal.SIGKILL)
    first.communicate()
    assert not out.exists(), "the run was over before it could be stopped"
    second = start(miniature, top / "runs", out)
    _, said = second.communicate(timeout=400)
    assert second.returncode == 0, said
    return run, out


def test_a_killed_run_resumes_and_writes_every_file(trained: tuple[Path, Path]) -> None:
    run, out = trained
    rows = history(run)
    assert [row["epoch"] for row in rows] == ["1", "2", "3"]
    minutes = [float(row["minutes"]) for row in rows]
    assert minutes == sorted(minutes)
    for name in ("mobilenetv2-ferplus", "mobilenetv2-fer2013"):
        files = {path.relative_to(out / name).as_posix() for path in (out / name).rglob("*") if path.is_file()}
        assert files == {
            "card.json", "model.safetensors", "history.csv", "reference.safetensors",
            "evaluations/fer2013-public_test.parquet", "evaluations/fer2013-private_test.parquet",
        }  # fmt: skip


def test_the_card_tells_how_the_weights_came_about(trained: tuple[Path, Path], miniature: Path) -> None:
    folder = trained[1] / "mobilenetv2-fer2013"
    card = json.loads((folder / "card.json").read_text())
    recipe = dataclasses.replace(network_recipe(RECIPE), epochs=EPOCHS)
    assert (card["recipe"], card["recipe_sha256"], card["seed"]) == (RECIPE, recipe.sha256, 0)
    assert card["n_params"] > 2_000_000 and card["wall_s"] > 0 and card["hardware"]
    labels = {(entry["split"], entry["labels"], entry["tta"]) for entry in card["metrics"]}
    assert {("private_test", "fer2013", "flip"), ("private_test", "ferplus7", "tencrop")} <= labels
    assert all(entry["n"] == 21 for entry in card["metrics"])
    assert str(miniature) not in json.dumps(card)


def test_the_stored_table_is_what_the_loaded_network_says(trained: tuple[Path, Path], miniature: Path) -> None:
    from fer_core.data import load_fer2013

    folder = trained[1] / "mobilenetv2-ferplus"
    table = pd.read_parquet(folder / "evaluations/fer2013-private_test.parquet")
    faces = load_fer2013(miniature, "private_test")
    scores = load(folder).predict(faces.images)
    np.testing.assert_allclose(table.filter(regex="^logit_"), scores.logits, atol=1e-3)
    np.testing.assert_allclose(table.filter(regex="^p_"), scores.probabilities, atol=1e-3)
    assert table["label_ferplus"].tolist() == table["label_fer2013"].tolist()
    np.testing.assert_allclose(table["votes_top_share"], 0.8)
    np.testing.assert_allclose(table["votes_entropy"], -(0.8 * np.log(0.8) + 0.2 * np.log(0.2)), rtol=1e-6)


def test_another_schedule_does_not_go_on_with_an_old_run(
    trained: tuple[Path, Path], miniature: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run, out = trained
    monkeypatch.setenv("FER_RUNS", str(run.parent))
    assert command.main([RECIPE, "--data", str(miniature), "--out", str(out), "--limit", "8"]) == 2
    assert "add --fresh" in capsys.readouterr().err


def test_the_command_says_what_is_wrong(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert command.main(["usfq-2023"]) == 2
    assert "Did you mean 'usfq-2024-fer2013'?" in capsys.readouterr().err
    assert command.main([RECIPE, "--data", str(tmp_path / "nothing")]) == 2
    assert "Pass the folder that holds the data set fer2013" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: [", "is not valid yaml"),
        ("[]", "expected keys and values"),
        ("epoch: 3", "unknown key 'epoch'; the nearest known key is 'epochs'"),
        ("name: x", "missing "),
        ("!!python/object/apply:os.system ['true']", "is not valid yaml"),
    ],
)
def test_recipes_are_checked(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "r.yaml").write_text(text)
    with pytest.raises(RecipeError) as error:
        load_recipe(str(tmp_path / "r.yaml"))
    assert words in str(error.value)


def test_values_of_the_wrong_kind_are_refused() -> None:
    with pytest.raises(RecipeError, match=r"epochs: expected int, got 'many'"):
        load_recipe(RECIPE, epochs="many")


@pytest.mark.parametrize("name", recipe_names())
def test_shipped_recipes_are_readable(name: str) -> None:
    recipe = load_recipe(name)
    assert recipe.name == name
    chosen = {(part.dataset, part.split) for part in [*recipe.data.choose, *recipe.data.train]}
    tested = {(part.dataset, part.split) for part in recipe.data.test}
    assert not chosen & tested, "what is tested on neither teaches nor chooses"
    if isinstance(recipe, Recipe):
        assert sum(phase.epochs for phase in recipe.phases) in (0, recipe.epochs)


def test_a_resumed_epoch_sees_the_same_batches() -> None:
    one, other = (EpochBatches(Draw(np.arange(100)), 10, seed=3, shuffle=True) for _ in range(2))
    for epoch in range(3):
        one.set_epoch(epoch)
        drawn = list(one)
    other.set_epoch(2)
    assert list(other) == drawn
    assert sorted(index for batch in drawn for index in batch) == list(range(100))


def test_augmented_batches_keep_range_and_differ() -> None:
    recipe = network_recipe(RECIPE)
    torch.manual_seed(0)
    faces = torch.randint(0, 256, (8, 48, 48), dtype=torch.uint8)
    one, other = train_batch(faces, recipe, 36), train_batch(faces, recipe, 36)
    assert one.shape == (8, 1, 36, 36) and torch.isfinite(one).all()
    assert (one - other).abs().mean() > 0.05
