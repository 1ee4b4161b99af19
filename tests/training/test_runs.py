"""Runs as a researcher makes them: what is never overwritten, what stops a run, how it ends, and several of them."""

from __future__ import annotations

import argparse
import dataclasses
import errno
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from filelock import FileLock
from sklearn.metrics import f1_score

from dashboard.services import checkpoints
from fer_core.data import open_dataset
from fer_core.errors import RecipeError
from fer_core.evaluation.history import read_history
from fer_core.evaluation.run import labels_of, table_array
from fer_core.models.card import Card, read_card
from fer_core.models.classifier import load
from fer_core.models.folders import added_folder, checkpoint_folders, checkpoints_folder, file_sha256
from fer_core.places import data_home
from tests.support import ROOT
from training import train as command
from training import trainer
from training.results import Results
from training.trainer import epochs_done

WEIGHTS = "model.safetensors"


def test_another_ones_checkpoint_is_never_overwritten_unasked(
    tmp_path: Path, run_tiny: Callable[..., tuple[int, str, str]]
) -> None:
    there = tmp_path / "out" / "demo"
    shutil.copytree(checkpoints_folder() / "mru-2025-cnn", there)
    before = {path: path.read_bytes() for path in there.rglob("*") if path.is_file()}
    status, said, complaint = run_tiny()
    assert status == 2 and "epoch" not in said, "it is said before any time is spent"
    assert all(word in complaint for word in ("a checkpoint 'demo'", "--name", "--out", "--replace"))
    assert {path: path.read_bytes() for path in there.rglob("*") if path.is_file()} == before
    assert "name 'my net' must be" in run_tiny("--name", "my net")[2]
    assert run_tiny("--name", "mine")[0] == 0
    assert load(tmp_path / "out" / "mine").card.metrics
    assert run_tiny("--replace")[0] == 0
    names = {path.name for path in (there / "evaluations").iterdir()}
    assert names == {"drawn-held_out.parquet", "drawn-test.parquet"}, "nothing of the other network is left"
    assert run_tiny()[0] == 0, "a run may write its own checkpoint again"
    assert run_tiny("--fresh")[0] == 2


def test_results_go_to_the_users_own_folder_and_hide_no_shipped_one(
    run_tiny: Callable[..., tuple[int, str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    stale = data_home() / "evaluations" / "mbstu-2021-vgg19bn"
    stale.mkdir(parents=True)
    weights = file_sha256(checkpoints_folder() / "mru-2025-cnn" / WEIGHTS)
    try:
        status, _, complaint = run_tiny("--name", "mru-2025-cnn", out=None)
        assert status == 2 and str(checkpoints_folder()) in complaint
        assert run_tiny("--name", "mbstu-2021-vgg19bn", out=None)[0] == 0, (
            "shipped without weights, so the name is free"
        )
        assert checkpoint_folders()["mbstu-2021-vgg19bn"].parent == added_folder()
        assert not stale.exists(), "what the dashboard measured of another one under that name"
        assert checkpoint_folders()["mru-2025-cnn"].parent == checkpoints_folder()
        assert file_sha256(checkpoints_folder() / "mru-2025-cnn" / WEIGHTS) == weights
    finally:
        shutil.rmtree(added_folder(), ignore_errors=True)
        shutil.rmtree(stale, ignore_errors=True)


def test_a_checkpoint_is_there_whole_or_not_at_all(tmp_path: Path) -> None:
    results = Results(tmp_path / "out", tmp_path / "run")
    card = (checkpoints_folder() / "mru-2025-cnn" / "card.json").read_bytes()

    def breaks() -> None:
        with results.folder("a") as folder:
            (folder / "card.json").write_bytes(card)
            assert checkpoint_folders(tmp_path / "out") == {}
            raise KeyError

    with pytest.raises(KeyError):
        breaks()
    assert list((tmp_path / "out").iterdir()) == []


def test_the_headline_is_of_the_test_split_whatever_was_left_out_of_it(
    drawn: Path, tmp_path: Path, run_tiny: Callable[..., tuple[int, str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    n_all = len(open_dataset(drawn).read("test"))
    assert run_tiny("--limit", str(n_all - 2), "--epochs", "1")[0] == 0
    folder = tmp_path / "out" / "demo"
    card = read_card(folder / "card.json")
    assert {each["split"] for each in card.metrics} == {"held_out", "test_part"}
    test = next(each for each in card.metrics if each["split"] == "test_part" and each["tta"] == "none")
    assert card.headline == test and test["side"] == "test"
    assert test["left_out"] == {"not drawn": 2}
    monkeypatch.setenv("FER_CHECKPOINTS", str(tmp_path / "out"))
    (entry,) = checkpoints.entries()
    assert entry.figures() == test
    assert entry.measured_on() == "test_part, drawn; left out: 2 not drawn"


@pytest.mark.parametrize(
    ("data", "splits", "expected"),
    [
        ({"test": "test", "choose": "val"}, ("val", "test_part"), "test"),
        ({"test": "test", "choose": "held_out"}, ("held_out", "test"), "test"),
        ({"test": "", "choose": "held_out"}, ("held_out",), "choose"),
        ({"test": "a test, b test (at most 20 a class)", "choose": "val"}, ("val", "test_part"), "test"),
    ],
)
def test_cards_of_before_tell_their_sides_by_their_splits(
    data: dict[str, str], splits: tuple[str, ...], expected: str
) -> None:
    metrics = [{"data": "b", "split": split, "labels": "b", "tta": "none"} for split in splits]
    card = dataclasses.replace(shipped_card(), data={**data, "labels": "b"}, metrics=metrics)
    assert card.headline == metrics[-1] and card.side_of(card.headline) == expected
    assert dataclasses.replace(card, metrics=[]).headline == {}


def shipped_card() -> Card:
    return read_card(checkpoints_folder() / "mru-2025-cnn" / "card.json")


def test_a_run_that_diverges_stops_at_once_and_leaves_nothing_to_list(
    tmp_path: Path, run_tiny: Callable[..., tuple[int, str, str]]
) -> None:
    options = ("--lr", "1e9", "--set", "optimiser.name=sgd", "--set", "epochs=30", "--set", "ema=0.0")
    status, said, complaint = run_tiny(*options)
    assert status == 2 and said.count("epoch ") < 3
    assert re.search(
        r"diverged in epoch \d+: the loss is \S+\. (No epoch was finished|The state after).*--lr", complaint
    )
    assert not (tmp_path / "out").exists()


def test_the_state_before_a_divergence_is_kept(
    tmp_path: Path, run_tiny: Callable[..., tuple[int, str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    loss = trainer.EmotionModule._loss
    broken = {"from": 1}

    def breaks(module: trainer.EmotionModule, name: str, logits: Any, batch: Any) -> Any:
        return loss(module, name, logits, batch) * (float("nan") if module.current_epoch >= broken["from"] else 1)

    monkeypatch.setattr(trainer.EmotionModule, "_loss", breaks)
    status, _, complaint = run_tiny()
    assert status == 2 and "diverged in epoch 2: the loss is nan. The state after epoch 1 is kept" in complaint
    assert epochs_done(tmp_path / "runs" / "tiny") == 1
    broken["from"] = 9
    assert run_tiny()[0] == 0
    assert epochs_done(tmp_path / "runs" / "tiny") == 2


def test_weights_that_half_precision_cannot_hold_are_never_written(
    tmp_path: Path, run_tiny: Callable[..., tuple[int, str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("training.module.EmotionModule.check", lambda module, loss: None)
    status, _, complaint = run_tiny("--lr", "1e9", "--set", "optimiser.name=sgd", "--set", "ema=0.0")
    assert status == 2 and "nothing was written: the run diverged" in complaint
    assert not (tmp_path / "out").exists()


def test_a_killed_run_ends_in_the_same_weights(
    tmp_path: Path, run_tiny: Callable[..., tuple[int, str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run_tiny("--name", "whole")[0] == 0
    append = trainer.HistoryFile.on_train_epoch_end

    def killed(self: trainer.HistoryFile, lightning: Any, module: Any) -> None:
        if lightning.current_epoch == 1:
            raise RecipeError("killed in its second epoch")
        append(self, lightning, module)

    with monkeypatch.context() as patch:
        patch.setattr(trainer.HistoryFile, "on_train_epoch_end", killed)
        assert run_tiny("--name", "broken")[0] == 2
    assert epochs_done(tmp_path / "runs" / "broken") == 1
    assert run_tiny("--name", "broken")[0] == 0
    hashes = {file_sha256(tmp_path / "out" / name / WEIGHTS) for name in ("whole", "broken")}
    assert len(hashes) == 1
    rows = [read_history(tmp_path / "out" / name).columns for name in ("whole", "broken")]
    for name in rows[0]:
        if name != "minutes":
            np.testing.assert_array_equal(rows[0][name], rows[1][name], err_msg=name)


@pytest.mark.nightly
def test_torchrun_alone_makes_one_run_of_its_processes(drawn: Path, tiny: Path, tmp_path: Path) -> None:
    arguments = [str(tiny), "--data", str(drawn), "--out", str(tmp_path / "out")]
    launcher = ["-m", "torch.distributed.run", "--nproc_per_node", "2", "--master_port", "29517"]
    done = subprocess.run(
        [sys.executable, *launcher, "-m", "training.train", *arguments, "--accelerator", "cpu"], check=False,
        env=os.environ | {"FER_RUNS": str(tmp_path / "runs"), "PYTHONPATH": str(ROOT)}, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    assert read_history(tmp_path / "out" / "demo").epochs.tolist() == [1, 2]
    assert done.stdout.count("epoch 1 of 2") == 1


def test_two_commands_never_share_a_run(tmp_path: Path, run_tiny: Callable[..., tuple[int, str, str]]) -> None:
    (tmp_path / "runs").mkdir()
    with FileLock(tmp_path / "runs" / "tiny.lock"):
        status, _, complaint = run_tiny()
    assert status == 2 and "Another command trains in" in complaint


def test_fewer_epochs_than_a_run_has_are_refused(run_tiny: Callable[..., tuple[int, str, str]]) -> None:
    assert run_tiny()[0] == 0
    status, _, complaint = run_tiny("--epochs", "1")
    assert status == 2 and "has 2 epochs already, more than the 1 asked for" in complaint


def test_a_full_disk_is_one_sentence(
    run_tiny: Callable[..., tuple[int, str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "last.ckpt")

    monkeypatch.setattr(command, "train", full)
    status, _, complaint = run_tiny()
    assert status == 2 and complaint.count("\n") == 1 and "The disk is full." in complaint


def test_a_run_ends_by_saying_where_and_how_good(tmp_path: Path, run_tiny: Callable[..., tuple[int, str, str]]) -> None:
    _, said, _ = run_tiny()
    figures = read_card(tmp_path / "out" / "demo" / "card.json").headline
    assert f"demo is in {tmp_path / 'out' / 'demo'}" in said
    assert "drawn held_out, drawn (chosen and calibrated on it):" in said
    assert f"drawn test, drawn: {figures['accuracy']:.1%} of {figures['n']} right" in said
    assert f"three groups {figures['groups_accuracy']:.1%}, ECE {figures['ece']:.1%}" in said and "temperature" in said


def test_a_temperature_at_its_bound_is_said() -> None:
    from training.summary import _at_bound

    assert "the end of what is tried" in _at_bound(12.18) and "the end" in _at_bound(0.0821)
    assert _at_bound(1.3) == ""


def test_skipped_pictures_and_empty_classes_are_told(
    drawn: Path, tmp_path: Path, run_tiny: Callable[..., tuple[int, str, str]]
) -> None:
    data = tmp_path / "drawn"
    shutil.copytree(drawn, data)
    shutil.rmtree(next(data.glob("train*/disgust")))
    bad = [sorted(data.glob(f"{split}*/happy/*"))[0] for split in ("train", "test")]
    for path in bad:
        path.write_bytes(b"no picture")
    assert run_tiny("--epochs", "1", data=data)[0] == 2
    status, said, _ = run_tiny("--epochs", "1", "--skip-unreadable", "--fresh", data=data)
    assert status == 0 and "2 pictures could not be read and were left out" in said
    assert all(path.name in said for path in bad)
    assert "warning: no picture to train on shows disgust" in said
    assert "--classes angry,fear,happy,sad,surprise,neutral" in said
    card = read_card(tmp_path / "out" / "demo" / "card.json")
    assert card.data["unreadable"] == 2 and card.headline["left_out"] == {"unreadable": 1}


def test_macro_f1_of_every_epoch_is_in_the_history(
    drawn: Path, tmp_path: Path, run_tiny: Callable[..., tuple[int, str, str]]
) -> None:
    assert run_tiny("--epochs", "1", "--set", "ema=0.0")[0] == 0
    folder = tmp_path / "out" / "demo"
    curve = read_history(folder).curve("choose", "f1", "own")
    table = evaluation_of(folder)
    assert curve is not None
    truth, said = labels_of(table, "drawn"), table_array(table, "logit_").argmax(axis=1)
    expected = f1_score(truth, said, average="macro", labels=sorted({*truth.tolist(), *said.tolist()}))
    assert curve[-1] == pytest.approx(expected, abs=0.03)  # that network ran in bf16


def evaluation_of(folder: Path) -> Any:
    import pandas as pd

    return pd.read_parquet(folder / "evaluations" / "drawn-held_out.parquet")


def test_a_run_of_before_goes_on_in_its_own_columns(tmp_path: Path) -> None:
    path = tmp_path / "history.csv"
    path.write_text("epoch,minutes,lr,choose_own_loss\n1,0.1,0.01,2.0\n")

    class Module(trainer.EmotionModule):
        minutes = 0.2

        def __init__(self) -> None:
            pass

    class Lightning:
        is_global_zero, current_epoch, max_epochs = True, 1, 2
        callback_metrics = {"choose_own_f1": 0.5, "choose_own_loss": 1.5}  # noqa: RUF012
        optimizers = [argparse.Namespace(param_groups=[{"lr": 0.01}])]  # noqa: RUF012

    trainer.HistoryFile(path).on_train_epoch_end(Lightning(), Module())  # type: ignore[arg-type]
    assert read_history(tmp_path).columns["choose_own_loss"].tolist() == [2.0, 1.5]
