"""What recipes can ask for, part by part: optimisers, schedules, frozen layers, balance, mixing, splits, processes."""

from __future__ import annotations

import csv
import dataclasses
import os
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from torch import nn

from fer_core.data.drawn import draw_dataset
from fer_core.errors import DataError, RecipeError
from fer_core.models import registry
from fer_core.models.classifier import load
from tests.support import ROOT
from training import train as command
from training import trainer
from training.augment import mix, named_transforms, train_batch
from training.data import EpochBatches, FaceTensors, FerDataModule, balanced
from training.held_out import held_out_rows
from training.module import MultiHead
from training.prepare import choose_pictures, find_all, mean_and_std, prepare
from training.reading import HowToRead
from training.recipe import Recipe, load_recipe, network_recipe
from training.schedule import LearningRate, freeze, make_optimiser
from training.settings import OPTIMISERS, Augment, Balance, Data, Mix, Optimiser, Part, Phase, Schedule

DEMO = network_recipe("demo")
TINY = {"widths": [4, 4, 8, 8], "kernels": [3, 3, 3, 3], "hidden": [8], "dropout": 0.0, "map_dropout": 0.0}


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("drawn") / "drawn"
    draw_dataset("folders", folder, per_class=8, seed=0)
    return folder


def network() -> registry.EmotionNetwork:
    return registry.build("shsu-cnn", n_labels=7, channels=1, **TINY)


def changed(**changes: Any) -> Recipe:
    return dataclasses.replace(DEMO, **changes)


@pytest.mark.parametrize("name", OPTIMISERS)
def test_every_optimiser_learns_with_its_own_rates(name: str) -> None:
    torch.manual_seed(0)
    net = network()
    options = Optimiser(lr=0.01, name=name, backbone_lr=0.0001, weight_decay=0.1)
    optimiser = make_optimiser(net, net, options)
    assert {group["share"] for group in optimiser.param_groups} == {0.01, 1.0}
    assert sum(len(group["params"]) for group in optimiser.param_groups) == len(list(net.parameters()))
    for group in optimiser.param_groups:
        assert all(each.ndim > 1 for each in group["params"]) == (group["weight_decay"] > 0)
    x, y = torch.rand(14, 1, 48, 48), torch.arange(14) % 7
    losses = []
    for _ in range(12):
        loss = nn.functional.cross_entropy(net(x), y)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < losses[0]


def test_earlier_stages_of_a_backbone_learn_slower() -> None:
    net = network()
    model = MultiHead(net, ["own"])
    options = Optimiser(lr=0.03, backbone_lr=0.01, weight_decay=0.1, layer_decay=0.5)
    share = {
        each: group["share"] for group in make_optimiser(model, net, options).param_groups for each in group["params"]
    }
    assert share.keys() == set(model.parameters()), "each is taught, once"
    layers = [[share[each] for each in layer.parameters()] for layer in net.layers() if [*layer.parameters()]]
    assert all(len(set(layer)) == 1 for layer in layers), "a layer has one rate"
    rates = [layer[0] for layer in layers]
    assert rates == sorted(rates) and rates[-1] == pytest.approx(1 / 3) and rates[0] == pytest.approx(1 / 3 * 0.5**7)
    assert all(share[each] == 1 for each in [*model.heads.parameters(), *net.neck.parameters()])  # type: ignore[union-attr]
    plain = make_optimiser(model, net, dataclasses.replace(options, layer_decay=1.0)).param_groups
    assert [group["share"] for group in plain] == pytest.approx([1 / 3, 1 / 3, 1, 1])
    with pytest.raises(ValueError, match="layer_decay above 0 and up to 1, got 2"):
        Optimiser(lr=0.1, layer_decay=2)


def test_learning_rates_over_the_schedule() -> None:
    rate = LearningRate(changed(schedule=Schedule("cosine", warmup=0.1), optimiser=Optimiser(lr=0.2)))
    assert rate.at(0.05, 0) == pytest.approx(0.1)
    assert rate.at(0.1, 0) == pytest.approx(0.2)
    assert rate.at(0.55, 0) == pytest.approx(0.1)
    assert rate.at(1.0, 0) < 1e-4
    constant = LearningRate(changed(schedule=Schedule("constant"), phases=[Phase(1, "head"), Phase(2, 3, lr=1e-5)]))
    assert constant.at(0.2, 0) == DEMO.optimiser.lr
    assert constant.at(0.2, 1) == constant.at(0.9, 5) == pytest.approx(1e-5)


def test_a_plateau_lowers_the_rate_and_is_resumed() -> None:
    recipe = changed(schedule=Schedule("plateau", factor=0.1, patience=2, floor=1e-4), optimiser=Optimiser(lr=0.01))
    rate = LearningRate(recipe)
    for loss in (1.0, 0.9, 0.95):
        rate.saw(loss)
    resumed = LearningRate(recipe)
    resumed.load(rate.state())
    for each in (rate, resumed):
        assert each.at(0.5, 0) == pytest.approx(0.01)
        each.saw(0.9)
        assert each.at(0.5, 0) == pytest.approx(0.001)
        for loss in (1.0, 1.0, 1.0, 1.0):
            each.saw(loss)
        assert each.at(0.5, 0) == pytest.approx(1e-4), "not below its floor"


def test_frozen_layers_stay_as_they_are() -> None:
    net = network().train()
    layers = net.layers()
    freeze(net, Phase(1, "head"))
    assert not any(each.requires_grad for each in net.backbone.parameters())
    assert all(each.requires_grad for each in [*net.neck.parameters(), *net.head.parameters()])  # type: ignore[union-attr]
    before = {name: value.clone() for name, value in net.state_dict().items()}
    optimiser = make_optimiser(net, net, Optimiser(lr=0.1))
    nn.functional.cross_entropy(net(torch.rand(7, 1, 48, 48)), torch.arange(7)).backward()
    optimiser.step()
    now = net.state_dict()
    same = {name for name, value in now.items() if torch.equal(value, before[name])}
    assert {name for name in now if name.startswith("backbone")} <= same, "batch norms keep their statistics too"
    assert "head.weight" not in same
    net.train()
    freeze(net, Phase(1, 5))
    learning = [any(each.requires_grad for each in layer.parameters()) for layer in layers]
    assert not any(learning[:-5]) and any(learning[-5:])
    freeze(net, Phase(1, "all"))
    assert all(each.requires_grad for each in net.parameters())


def test_small_classes_are_filled_with_augmented_copies_only() -> None:
    labels = np.repeat([0, 1, 2], [10, 4, 1])
    draw = balanced(labels, Balance("augment"), seed=0)
    shown = np.bincount(labels[draw.rows % 15])
    assert shown.tolist() == [10, 10, 10]
    assert np.array_equal(draw.rows[:15], np.arange(15)), "every picture once as it is"
    copies = draw.rows[15:] % 15
    assert set(labels[copies].tolist()) == {1, 2} and (draw.rows[15:] >= 15).all()
    assert np.ptp(np.bincount(copies)[10:14]) <= 1, "all pictures of a class equally often, give or take one"
    half = balanced(labels, Balance("augment", to=0.5), seed=0)
    assert np.bincount(labels[half.rows % 15]).tolist() == [10, 5, 5]


def test_copies_change_as_the_balance_says_and_the_others_do_not() -> None:
    recipe = changed(
        augment=Augment(), balance=Balance("augment", augment=Augment(rotate_deg=40)),
        input=dataclasses.replace(DEMO.input, mean=[0.0], std=[1.0]),
    )  # fmt: skip
    images = torch.randint(0, 256, (6, 48, 48), dtype=torch.uint8)
    copy = torch.tensor([False, True, False, True, False, True])
    x = train_batch(images, recipe, 48, originals=torch.tensor([0, 2, 4]), copies=torch.tensor([1, 3, 5]))
    plain = images.float().div(255).unsqueeze(1)
    assert (x[~copy] - plain[~copy]).abs().max() < 1e-5
    assert (x[copy] - plain[copy]).abs().mean(dim=(1, 2, 3)).min() > 0.02


def test_noise_is_on_some_pictures_and_as_strong_as_said() -> None:
    torch.manual_seed(0)
    grey = torch.full((400, 48, 48), 128, dtype=torch.uint8)
    recipe = changed(augment=Augment(noise=0.25), input=dataclasses.replace(DEMO.input, mean=[0.0], std=[1.0]))
    spread = train_batch(grey, recipe, 48).std(dim=(1, 2, 3))
    noisy = spread > 1e-5
    assert 0.15 < noisy.float().mean() < 0.35
    assert spread.max() < 0.085 and 0.03 < spread[noisy].mean() < 0.05, "evenly up to 0.08"
    white = train_batch(torch.full_like(grey, 255), recipe, 48)
    assert white.min() < 0.95 and white.max() <= 1, "pixels stay in 0-1"


def test_sampling_draws_each_class_equally_often() -> None:
    labels = np.repeat([0, 1], [900, 100])
    draw = balanced(labels, Balance("sample"), seed=0)
    batches = EpochBatches(draw, 100, seed=0, shuffle=True)
    drawn_labels = labels[np.concatenate(list(batches))]
    assert 0.44 < drawn_labels.mean() < 0.56


def test_a_weighted_loss_weighs_small_classes_more(drawn: Path, tmp_path: Path) -> None:
    prepared = prepared_from(changed(balance=Balance("loss")), drawn, tmp_path)
    uneven = prepared.train.take(
        np.flatnonzero((prepared.train.labels != 1) | (np.arange(len(prepared.train)) % 3 == 0))
    )
    weights = trainer._class_weights(prepared.recipe, dataclasses.replace(prepared, train=uneven))
    assert weights is not None
    counts = np.bincount(uneven.labels, minlength=7)
    assert int(weights.argmax()) == int(counts.argmin())
    assert float((weights.numpy() * counts).sum() / counts.sum()) == pytest.approx(1.0)


@pytest.mark.parametrize("options", [Mix(mixup=0.4, probability=1.0), Mix(cutmix=1.0, probability=1.0)])
def test_mixed_pictures_hold_as_much_of_each_as_the_labels_say(options: Mix) -> None:
    torch.manual_seed(1)
    x = torch.stack([torch.full((1, 32, 32), float(i)) for i in range(8)])
    mixed, partner, share = mix(x, options, progress=0.0)
    expected = torch.arange(8) * share + partner * (1 - share)
    assert 0 < share < 1
    torch.testing.assert_close(mixed.mean(dim=(1, 2, 3)), expected, atol=1e-5, rtol=0)
    same, _, whole = mix(x, dataclasses.replace(options, until=0.8), progress=0.9)
    assert whole == 1.0 and same is x


def test_transforms_are_torchvisions_by_name() -> None:
    change = named_transforms("- {ColorJitter: {brightness: 0.2}}\n- {RandomGrayscale: {p: 1.0}}")
    assert change(torch.rand(3, 8, 8)).shape == (3, 8, 8)
    with pytest.raises(RecipeError, match="the nearest is 'ColorJitter'"):
        named_transforms("- {ColourJitter: {}}")
    with pytest.raises(RecipeError, match="does not take"):
        named_transforms("- {ColorJitter: {brigthness: 1}}")


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("optimiser", {"lr": 0.1, "name": "adm"}, "unknown optimiser 'adm'; the nearest .* is 'adam'"),
        ("optimiser", {"lr": 0.1, "momentun": 0.9}, "unknown key 'momentun'; the nearest known key is 'momentum'"),
        ("balance", {"by": "augmnt"}, "is 'augment'"),
        ("schedule", {"kind": "cosin"}, "is 'cosine'"),
        ("phases", [{"epochs": 1, "train": "heads"}], "expected head, all or a number"),
        ("data", {"train": [], "test": []}, "train names no data set"),
        ("data", {"train": [{"dataset": "a", "split": "b"}], "test": []}, "exactly one of choose, held_out and folds"),
        ("targets", {"fer2013": {"weight": 1, "smoothing": 0, "checkpoint": "x"}}, "unknown target"),
        ("input", {"size": 48, "channels": 2}, "expected 1 or 3 channels"),
        ("keep", "best", "unknown keep"),
        ("epochs", True, "expected int, got True"),
        ("stages", 3, "expected a list"),
    ],
)
def test_what_is_wrong_in_a_recipe_is_said(key: str, value: Any, words: str) -> None:
    with pytest.raises(RecipeError, match=words):
        load_recipe("demo", **{key: value})


def test_a_recipe_takes_what_it_does_not_say_from_the_one_it_extends(tmp_path: Path) -> None:
    path = tmp_path / "wide.yaml"
    path.write_text("extends: demo\nname: wide\nepochs: 3\nours: {epochs: fewer}\n")
    recipe = load_recipe(str(path))
    assert isinstance(recipe, Recipe)
    assert (recipe.name, recipe.epochs, recipe.architecture) == ("wide", 3, DEMO.architecture)
    assert recipe.ours == {**DEMO.ours, "epochs": "fewer"}
    path.write_text(f"extends: {path}\nname: wide\n")
    with pytest.raises(RecipeError, match="extends itself"):
        load_recipe(str(path))


def prepared_from(recipe: Recipe, drawn: Path, run: Path, **more: Any) -> Any:
    chosen = choose_pictures(recipe, find_all(recipe.data, {"drawn": drawn}))
    return prepare(recipe, chosen, run / "pictures", **more)


def test_people_stand_on_one_side_only(drawn: Path, tmp_path: Path) -> None:
    prepared = prepared_from(DEMO, drawn, tmp_path)
    assert len(prepared.train) + len(prepared.choose) == 56
    assert not set(prepared.train.ids) & set(prepared.choose.ids)
    assert [faces.split for faces in prepared.choose_sets] == ["held_out"]
    assert len(prepared.choose_sets[0]) == len(prepared.choose)
    known = dataclasses.replace(prepared.train, subjects=np.array([f"s{i % 6}" for i in range(len(prepared.train))]))
    rows, held = held_out_rows(known.labels, known.subjects, known.images, DEMO, None)
    assert not set(known.subjects[rows]) & set(known.subjects[held])


def test_folds_hold_every_picture_out_once(drawn: Path, tmp_path: Path) -> None:
    recipe = changed(data=Data([Part("drawn", "training")], [Part("drawn", "test")], folds=3))
    held = [set(prepared_from(recipe, drawn, tmp_path, fold=fold).choose.ids) for fold in range(3)]
    assert sum(map(len, held)) == len(set.union(*held)) == 56
    with pytest.raises(DataError, match="--fold 0 to 2"):
        prepared_from(recipe, drawn, tmp_path, fold=3)


def test_what_is_tested_on_is_never_trained_on(drawn: Path, tmp_path: Path) -> None:
    overlap = changed(
        data=Data([Part("drawn", "training"), Part("drawn", "test")], [Part("drawn", "test")], held_out=0.2)
    )
    chosen = choose_pictures(overlap, {"drawn": drawn})
    assert len(chosen.train[1]) == 0 and chosen.train[1].left_out == {"on another side": len(chosen.test[0])}


def test_copies_of_test_pictures_are_dropped_when_asked(tmp_path: Path) -> None:
    folder = tmp_path / "drawn"
    draw_dataset("folders", folder, per_class=6, seed=0)
    first = sorted((folder / "test").rglob("*.*"))[0]
    (folder / "train" / first.parent.name / f"copy{first.suffix}").write_bytes(first.read_bytes())
    for drop in (False, True):
        recipe = changed(data=dataclasses.replace(DEMO.data, drop_copies=drop))
        prepared = prepared_from(recipe, folder, tmp_path / str(drop))
        ids = {side: getattr(prepared, side).ids.tolist() for side in ("train", "choose")}
        assert not any("copy" in each for each in ids["choose"]), "this seed trains on the copy"
        assert any("copy" in each for each in ids["train"]) == (not drop)
        assert len(ids["train"]) + len(ids["choose"]) == 6 * 7 + (not drop)


def test_unreadable_pictures_are_named_and_left_out_only_when_asked(tmp_path: Path) -> None:
    folder = tmp_path / "drawn"
    draw_dataset("folders", folder, per_class=6, seed=0)
    broken = sorted((folder / "train").rglob("*.*"))[3]
    broken.write_bytes(broken.read_bytes()[:40])
    with pytest.raises(DataError, match=broken.name):
        prepared_from(DEMO, folder, tmp_path / "a")
    prepared = prepared_from(DEMO, folder, tmp_path / "b", how=HowToRead(skip_unreadable=True))
    assert len(prepared.train) + len(prepared.choose) == 41
    assert not any(broken.name in each for each in prepared.train.ids.tolist())


def test_mean_and_std_are_those_of_the_training_pictures(drawn: Path, tmp_path: Path) -> None:
    prepared = prepared_from(DEMO, drawn, tmp_path)
    values = prepared.train.images / 255
    assert prepared.recipe.input.mean == [pytest.approx(values.mean(), abs=1e-4)]
    assert prepared.recipe.input.std == [pytest.approx(values.std(), abs=1e-4)]
    rgb = np.stack([prepared.train.images] * 3, axis=3)
    assert mean_and_std(rgb)[0] == prepared.recipe.input.mean * 3


def test_a_resumed_run_opens_its_pictures_again(drawn: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = prepared_from(DEMO, drawn, tmp_path)
    monkeypatch.setattr("training.reading._decode", None)
    again = prepared_from(DEMO, drawn, tmp_path)
    assert np.array_equal(first.train.images, again.train.images)


def run_command(arguments: list[str], runs: Path, launcher: tuple[str, ...] = ()) -> str:
    environment = os.environ | {"FER_RUNS": str(runs), "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, *launcher, "-m", "training.train", *arguments],
        cwd=runs, env=environment, capture_output=True, text=True, check=False, timeout=400,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def curve(run: Path) -> list[tuple[float, float]]:
    with (run / "history.csv").open(encoding="utf-8") as file:
        return [(float(row["train_own_loss"]), float(row["choose_own_loss"])) for row in csv.DictReader(file)]


TORCHRUN = ("-m", "torch.distributed.run", "--nproc-per-node", "2")  # starts all at once


@pytest.mark.parametrize("launcher", [(), pytest.param(TORCHRUN, marks=pytest.mark.nightly)], ids=["own", "torchrun"])
@pytest.mark.filterwarnings("ignore:.*")  # what Lightning says of runs of a few steps
def test_two_processes_learn_what_one_learns(
    drawn: Path, tmp_path: Path, launcher: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = tmp_path / "plain.yaml"
    recipe.write_text(
        "extends: demo\nname: plain\narchitecture: vit-b32\n"  # has no batch norm
        "options: {layers: 1, width: 32, heads: 2, mlp: 32, image_size: 32, norm: none}\n"
        "input: {size: 32, channels: 1}\nepochs: 2\nbatch_size: 14\nprecision: 32-true\n"
        "optimiser: {name: adam, lr: 0.003}\nschedule: {kind: constant}\naugment: {}\n"
    )
    asked = [str(recipe), "--data", str(drawn), "--accelerator", "cpu", "--limit", "35"]
    monkeypatch.setenv("FER_RUNS", str(tmp_path / "one"))
    assert command.main([*asked, "--out", str(tmp_path / "out1"), "--devices", "1"]) == 0
    (tmp_path / "two").mkdir()
    said = run_command([*asked, "--out", str(tmp_path / "out2"), "--devices", "2"], tmp_path / "two", launcher)
    assert said.count("epoch 2 of 2") == 1, "only the first process speaks"
    one, two = (np.array(curve(tmp_path / name / "plain")) for name in ("one", "two"))
    assert abs(one[0, 0] - one[1, 0]) > 1e-3, "nothing was learnt"
    np.testing.assert_allclose(one, two, atol=2e-4)


@pytest.fixture
def by_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., str]:
    """The command in this process: what it printed. Runs and checkpoints lie in ``runs`` and ``out``."""
    monkeypatch.setenv("FER_RUNS", str(tmp_path / "runs"))

    def run(*arguments: str) -> str:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Lightning has advice on runs of a few steps
            assert command.main([*arguments, "--out", str(tmp_path / "out")]) == 0
        return capsys.readouterr().out

    return run


def test_a_recipe_on_another_data_set(tmp_path: Path, by_command: Callable[..., str]) -> None:
    draw_dataset("rafdb", tmp_path / "raf", per_class=5, seed=0)
    said = by_command("demo", "--dataset", "rafdb", "--data", str(tmp_path / "raf"), "--epochs", "1")
    assert "Surprise -> surprise" in said and "rafdb" in said
    card = load(tmp_path / "out" / "demo-rafdb").card
    assert card.data["dataset"] == "rafdb" and card.data["choose"] == "held_out"
    assert card.training_command == "python -m training.train demo --dataset rafdb --epochs 1"


def test_a_cpu_without_instructions_for_bf16_trains_in_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = load_recipe("workbench-resnet")
    monkeypatch.setattr("torch.accelerator.is_available", lambda: False)
    for able, expected in ((True, "bf16-mixed"), (False, "32-true")):
        monkeypatch.setattr("training.trainer.computes_bfloat16", lambda able=able: able)
        assert trainer.precision_here(recipe) == expected
        assert trainer.precision_here(dataclasses.replace(recipe, precision="64-true")) == "64-true"
    monkeypatch.setattr("torch.accelerator.is_available", lambda: True)
    assert trainer.precision_here(recipe) == "bf16-mixed"
    assert trainer.precision_here(recipe, trainer.Machine("cpu")) == "32-true"


@pytest.mark.filterwarnings("ignore:.*")  # what Lightning says of runs of one step
def test_pixels_are_taken_from_the_same_places_in_half_precision(drawn: Path, tmp_path: Path) -> None:
    prepared = prepared_from(DEMO, drawn, tmp_path)
    seen: list[torch.Tensor] = []
    for precision in ("32-true", "bf16-mixed"):
        recipe = dataclasses.replace(prepared.recipe, precision=precision, augment=Augment(), epochs=1, batch_size=8)
        module = trainer.build_module(recipe)
        kept: list[torch.Tensor] = []
        module.model.register_forward_pre_hook(lambda net, given, kept=kept: kept.append(given[0].clone()))
        lightning = pl.Trainer(
            accelerator="cpu", precision=precision, max_epochs=1, limit_train_batches=1, logger=False,
            enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False, num_sanity_val_steps=0,
        )  # fmt: skip
        lightning.fit(module, FerDataModule(recipe, prepared.train, prepared.choose))
        seen.append(torch.cat(kept[:2]).float())
    torch.testing.assert_close(seen[0], seen[1], rtol=0, atol=0)


def test_pictures_move_to_a_gpu_where_they_fit(drawn: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    faces = FaceTensors(prepared_from(DEMO, drawn, tmp_path).train, needs_votes=False)
    moved: list[torch.device] = []
    monkeypatch.setattr(torch.Tensor, "to", lambda tensor, device, **_: moved.append(device) or tensor)
    size = sum(tensor.nbytes for tensor in faces.tensors.values())
    for free, device, wanted in ((0, "cuda", 0), (size, "cuda", 0), (3 * size, "cuda", 2), (0, "cpu", 2)):
        moved.clear()
        monkeypatch.setattr("training.data._free_bytes", lambda _, free=free: free)
        faces.move_to(torch.device(device))
        assert len(moved) == wanted
    assert len(faces[[3, 1]]["images"]) == 2


def test_the_best_epoch_is_remembered_by_a_resumed_run(tmp_path: Path) -> None:
    kinds = [type(each).__name__ for each in trainer._callbacks(changed(keep="loss"), tmp_path, "own")]
    names = [
        each.filename for each in trainer._callbacks(changed(keep="loss"), tmp_path, "own") if hasattr(each, "filename")
    ]
    assert kinds.count("ModelCheckpoint") == 2
    assert names == ["best", "last"], "the last state is saved after the best one is known"


def test_norms_of_layers_that_thaw_learn_again() -> None:
    net = network().train()
    norms = [layer for layer in net.layers() if isinstance(layer, nn.BatchNorm2d)]
    freeze(net, Phase(1, "head"))
    assert not any(norm.training for norm in norms)
    freeze(net, Phase(1, 5))
    assert [norm.training for norm in norms] == [norm in net.layers()[-5:] for norm in norms]
    freeze(net, Phase(1, "all"))
    assert all(norm.training for norm in norms)


def test_a_finished_run_stays_as_it_is(drawn: Path, tmp_path: Path, by_command: Callable[..., str]) -> None:
    asked = ["demo", "--data", str(drawn), "--epochs", "2"]
    assert "epoch 2 of 2" in by_command(*asked)
    weights = (tmp_path / "out/demo/model.safetensors").read_bytes()
    assert "epoch" not in by_command(*asked)
    assert (tmp_path / "out/demo/model.safetensors").read_bytes() == weights


def test_a_data_set_without_a_test_is_held_out_by_people(tmp_path: Path, by_command: Callable[..., str]) -> None:
    draw_dataset("kdef", tmp_path / "kdef", per_class=6, seed=0)
    by_command("demo", "--dataset", "kdef", "--data", str(tmp_path / "kdef"), "--epochs", "1")
    card = load(tmp_path / "out" / "demo-kdef").card
    assert {each["split"] for each in card.metrics} == {"held_out"}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["demo", "--fold", "0"], "has no folds"),
        (["usfq-2024-fer2013", "--devices", "2"], "cannot share a time budget"),
        (["mbstu-2021-fusion", "--epochs", "3"], "do not apply"),
    ],
)
def test_what_cannot_be_asked_together_is_said(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command.main(arguments) == 2
    assert words in capsys.readouterr().err


def test_other_pictures_under_the_same_names_are_read_anew(tmp_path: Path) -> None:
    sides = []
    for seed in (0, 1):
        folder = tmp_path / str(seed) / "drawn"
        draw_dataset("folders", folder, per_class=6, seed=seed)
        sides.append(prepared_from(DEMO, folder, tmp_path / "run"))
    assert not np.array_equal(sides[0].seen.images, sides[1].seen.images)
