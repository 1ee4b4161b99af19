"""What options change: the machine, keys of the recipe, classes, seeds, and a learning rate that is looked for."""

from __future__ import annotations

import argparse
import dataclasses
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from dashboard.services import checkpoints
from fer_core.data import open_dataset
from fer_core.data.drawn import draw_dataset
from fer_core.data.records import DataSet
from fer_core.errors import RecipeError
from fer_core.evaluation.history import read_history
from fer_core.evaluation.run import evaluate_faces, table_array
from fer_core.models.card import read_card
from fer_core.models.classifier import load
from training.data import teacher_of
from training.options import machine_of, parser
from training.recipe import OWN, network_recipe
from training.settings import Target, Teacher
from training.train import on_what_is_there
from training.trainer import build_module, epochs_done


def asked(*words: str) -> argparse.Namespace:
    return parser("").parse_args(["demo", *words])


@pytest.mark.parametrize(
    ("words", "environment", "devices", "nodes"),
    [
        ((), {}, 1, 1),
        (("--devices", "auto"), {}, 1, 1),
        (("--devices", "2"), {"WORLD_SIZE": "2", "LOCAL_RANK": "1"}, 2, 1),
        ((), {"WORLD_SIZE": "4", "LOCAL_WORLD_SIZE": "2", "RANK": "3"}, 2, 2),
        ((), {"SLURM_STEP_NUM_TASKS": "8", "SLURM_STEP_NUM_NODES": "2"}, 4, 2),
        ((), {"SLURM_NTASKS": "8"}, 1, 1),
    ],
)
def test_processes_that_torchrun_or_srun_started_are_taken_as_one_run(
    words: tuple[str, ...], environment: dict[str, str], devices: int, nodes: int
) -> None:
    found = machine_of(asked("--accelerator", "cpu", *words), environment)
    assert (found.devices, found.nodes) == (devices, nodes)


@pytest.mark.parametrize(
    ("words", "environment", "says"),
    [
        (("--devices", "8"), {"WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2"}, "2 processes were started on 1 machines"),
        (("--accelerator", "cuda:0"), {}, "'cuda:0'; expected one of auto, cpu, gpu, cuda, mps"),
        (("--accelerator", "gpu"), {}, "no GPU here that torch can use"),
        (("--accelerator", "gpu", "--devices", "8"), {}, "no GPU here that torch can use"),
    ],
)
def test_a_machine_that_is_not_there_is_refused_in_a_sentence(
    words: tuple[str, ...], environment: dict[str, str], says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("training.options._n_gpus", lambda: 0)
    with pytest.raises(RecipeError, match=re.escape(says)):
        machine_of(asked(*words), environment)


def test_more_processes_than_gpus_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("training.options._n_gpus", lambda: 2)
    with pytest.raises(RecipeError, match="--devices is 8, and there are 2 GPUs"):
        machine_of(asked("--devices", "8"), {})
    assert machine_of(asked("--devices", "auto"), {}).devices == 2


def test_a_loss_is_shared_among_the_classes_that_are_taught() -> None:
    demo = network_recipe("demo")
    target = Target(1.0, 0.1, "own", Teacher(["teacher"], weight=0.5, temperature=1.0))
    some = dataclasses.replace(demo.data, classes=["neutral", "happy"])
    module = build_module(dataclasses.replace(demo, data=some, targets={OWN: target}))
    logits, labels = module._logits(torch.rand(4, 1, 48, 48))[OWN], torch.tensor([3, 6, 6, 3])
    assert set(logits.argmax(dim=1).tolist()) <= {3, 6} and logits[:, [0, 1, 2, 4, 5]].max() < -500
    answers = torch.rand(4, 7).softmax(dim=1)
    known, mine = logits[:, [3, 6]], answers[:, [3, 6]] / answers[:, [3, 6]].sum(dim=1, keepdim=True)
    hard = F.cross_entropy(known, torch.tensor([0, 1, 1, 0]), label_smoothing=0.1)
    expected = 0.5 * hard - 0.5 * (mine * known.log_softmax(dim=1)).sum(dim=1).mean()
    torch.testing.assert_close(module._loss(OWN, logits, {OWN: labels, teacher_of(OWN): answers}), expected)


def test_some_classes_only_are_taught_tested_and_said(
    drawn: Path, tmp_path: Path, run_tiny: Callable[..., tuple[int, str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run_tiny("--classes", "happy,sad,neutral")[0] == 0
    found = load(tmp_path / "out" / "demo")
    assert found.card.data["classes"] == ["happy", "sad", "neutral"] and set(found.card.data["counts"]) == {
        "happy", "sad", "neutral",
    }  # fmt: skip
    assert any(note.startswith("Taught and tested on happy, sad, neutral only") for note in found.card.notes)
    faces = open_dataset(drawn).read("test")
    probabilities = table_array(evaluate_faces(found, faces), "p_")
    assert probabilities[:, [0, 1, 2, 5]].max() == 0 and probabilities[:, [3, 4, 6]].min() > 0
    assert set(found.card.headline["recalls"]) == {"happy", "sad", "neutral"}
    assert found.card.answers == ["happy", "sad", "neutral"] and "48 px, happy, sad, neutral; on" in repr(found)
    monkeypatch.setenv("FER_CHECKPOINTS", str(tmp_path / "out"))
    assert "taught happy, sad and neutral, and says nothing else" in checkpoints.entry("demo").answers()
    monkeypatch.delenv("FER_CHECKPOINTS")
    assert checkpoints.entry("mobilenetv2-ferplus").answers() == ""
    curve = read_history(tmp_path / "out" / "demo").curve("choose", "loss", "own")
    assert curve is not None and curve.max() < 2.0, "of three classes, without those that are never said"
    assert found.card.headline["left_out"]["of other classes"] == int(np.isin(faces.labels, [0, 1, 2, 5]).sum())
    assert found.card.training_command.endswith("--classes happy,sad,neutral")
    assert "unknown class 'glad'" in run_tiny("--classes", "happy,glad")[2]
    assert "two classes or more" in run_tiny("--classes", "happy")[2]


def test_options_change_keys_of_the_recipe_and_stand_in_the_card(
    tmp_path: Path, run_tiny: Callable[..., tuple[int, str, str]]
) -> None:
    options = ("--epochs", "1", "--lr", "0.002", "--batch-size", "8", "--set", "augment.flip=0", "--seed", "3")
    assert run_tiny(*options)[0] == 0
    card = read_card(tmp_path / "out" / "demo-seed3" / "card.json")
    assert card.seed == 3 and card.recipe == "tiny" and (tmp_path / "runs" / "tiny-seed3").is_dir()
    told = "--epochs 1 --seed 3 --lr 0.002 --batch-size 8 --set augment.flip=0"
    assert card.training_command == f"python -m training.train tiny {told}"
    status, _, complaint = run_tiny("--epochs", "1", "--seed", "3")
    assert status == 2 and "other settings" in complaint and "--fresh" in complaint
    assert "the nearest known key is 'flip'" in run_tiny("--set", "augment.flop=1")[2]
    assert "expected KEY=VALUE" in run_tiny("--set", "augment.flip")[2]
    assert "has no keys of its own" in run_tiny("--set", "epochs.flip=1")[2]


def test_several_seeds_are_told_as_mean_and_spread(
    tmp_path: Path, run_tiny: Callable[..., tuple[int, str, str]]
) -> None:
    status, said, _ = run_tiny("--seeds", "2", "--epochs", "1")
    assert status == 0
    cards = [read_card(tmp_path / "out" / f"demo-seed{i}" / "card.json") for i in range(2)]
    assert [card.seed for card in cards] == [0, 1]
    values = np.array([card.headline["accuracy"] for card in cards])
    assert f"accuracy {values.mean():.1%} ± {values.std(ddof=1):.1%}" in said and "2 runs on drawn test" in said


def test_a_learning_rate_is_found_and_nothing_is_kept_of_the_trial(
    tmp_path: Path, run_tiny: Callable[..., tuple[int, str, str]]
) -> None:
    status, said, _ = run_tiny("--find-lr")
    assert status == 0 and not (tmp_path / "out").exists()
    rate = float(re.search(r"falls fastest at (\S+): take --lr", said)[1])  # type: ignore[index]
    assert 1e-6 < rate < 1.0 and epochs_done(tmp_path / "runs" / "tiny") == 0
    assert not (tmp_path / "runs" / "tiny" / "last.ckpt").exists()


def test_a_recipe_takes_the_splits_that_are_there_and_says_so(
    tmp_path: Path, tiny: Path, run_tiny: Callable[..., tuple[int, str, str]]
) -> None:
    """Kaggle's folders of FER2013 have one test split and none to choose on."""
    draw_dataset("folders", tmp_path / "fer2013", per_class=8, seed=0)
    data = "data: {train: [{dataset: fer2013, split: training}], test: [{dataset: fer2013, split: private_test}], "
    tiny.write_text(tiny.read_text() + data + "choose: [{dataset: fer2013, split: public_test}]}\n")
    status, said, complaint = run_tiny("--epochs", "1", data=tmp_path / "fer2013")
    assert status == 0, complaint
    assert "note: fer2013 has no private_test; test is taken." in said
    card = read_card(tmp_path / "out" / "demo" / "card.json")
    assert (card.data["test"], card.data["choose"], card.headline["split"]) == ("test", "held_out", "test")
    assert any("no public_test; it is left out. 15 % of the training pictures" in note for note in card.notes)


@pytest.mark.parametrize(
    ("splits", "train", "test", "choose", "held_out"),
    [
        (("training", "test"), "training", "test", None, 0.15),
        (("training", "val"), "training", "val", None, 0.15),
        (("training", "val", "test"), "training", "test", "val", 0.0),
        (("all",), "all", None, None, 0.15),
        (("training", "public_test", "private_test"), "training", "private_test", "public_test", 0.0),
    ],
)
def test_what_stands_for_a_split_that_is_missing(
    splits: tuple[str, ...], train: str, test: str | None, choose: str | None, held_out: float,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    there = DataSet("fer2013", "", Path(), splits, lambda _: pytest.fail("nothing is read"), "fer2013")
    monkeypatch.setattr("training.train.open_dataset", lambda root, name: there)
    data = on_what_is_there(network_recipe("mru-2025-cnn"), {"fer2013": Path()}).data
    assert [[part.split for part in side] for side in (data.train, data.test, data.choose)] == [
        [train], [test] if test else [], [choose] if choose else [],
    ]  # fmt: skip
    assert data.held_out == held_out


def test_any_network_of_timm_is_trained_by_its_name(
    tmp_path: Path, run_tiny: Callable[..., tuple[int, str, str]]
) -> None:
    options = ("--set", "architecture=timm:test_resnet", "--set", "options={}", "--epochs", "1")
    assert run_tiny(*options)[0] == 0
    found = load(tmp_path / "out" / "demo")
    assert found.card.architecture == "timm:test_resnet" and found.card.metrics
    assert "timm has no network 'test_resnett'; near are test_resnet" in run_tiny(
        "--set", "architecture=timm:test_resnett", "--set", "options={}", "--name", "b"
    )[2]  # fmt: skip
