"""Ensembles: their weights, their answers, and that they are checkpoints like any other."""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file

from dashboard.services import checkpoints
from fer_core.data import ferplus_labels
from fer_core.data.drawn import draw_dataset
from fer_core.data.layouts import open_dataset
from fer_core.errors import CheckpointError, RecipeError
from fer_core.evaluation.run import evaluate_faces, table_array
from fer_core.faces.geometry import CropGeometry
from fer_core.models import registry
from fer_core.models.card import Card, InputSpec
from fer_core.models.checkpoint import save_checkpoint
from fer_core.models.classifier import load
from fer_core.models.ensemble import Average, Ensemble, Member, fusion
from fer_core.models.folders import runnable_names
from fer_core.models.onnx_net import OnnxNetwork, exported
from tests.support.faces_csv import FERPLUS_COLUMNS, write_fer2013_csv
from training.ensemble import fit, in_folds, run_ensemble, weights_by
from training.recipe import FERPLUS, EnsembleRecipe, load_recipe
from training.results import Results
from training.settings import Data, Fit, Part

RECIPE = EnsembleRecipe(
    "pair", "demo", "ensemble", ["small", "large"], "equal", "pair",
    Data([Part("drawn", "training")], [Part("drawn", "test")], [Part("drawn", "val")]),
)  # fmt: skip


def member(folder: Path, *, size: int, field: float, seed: int, temperature: float, crop: int = 48) -> None:
    torch.manual_seed(seed)
    options = {"widths": [4, 8], "kernels": [3, 3], "cells": 2, "hidden": [8], "dropout": 0.0}
    net = registry.build("shsu-cnn", n_labels=7, channels=1, **options).eval()
    for parameter in net.parameters():
        parameter.data.mul_(2)
    labels = ["angry", "disgust", "fear", "happy", "sad", "surprise", "neutral"]
    card = Card(
        folder.name, "shsu-cnn", labels, InputSpec(size, 1, [0.4], [0.2], field), CropGeometry(crop), temperature,
        options=options, data={"detector": "haar"},
    )  # fmt: skip
    save_checkpoint(folder, net, card)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    top = tmp_path_factory.mktemp("ensemble")
    draw_dataset("folders", top / "drawn", per_class=6, seed=0)
    (top / "drawn" / "test").rename(top / "drawn" / "val")
    draw_dataset("folders", top / "other", per_class=6, seed=1)
    (top / "other" / "test").rename(top / "drawn" / "test")
    member(top / "out" / "small", size=40, field=40 / 48, seed=0, temperature=1.5)
    member(top / "out" / "large", size=44, field=44 / 48, seed=1, temperature=0.7)
    return top / "drawn", top / "out"


def made_by(recipe: EnsembleRecipe, made: tuple[Path, Path], run: Path) -> Path:
    return run_ensemble(recipe, {"drawn": made[0]}, results=Results(made[1], run, replaces=True))


def test_an_ensemble_says_what_its_members_say_on_average(made: tuple[Path, Path], tmp_path: Path) -> None:
    recipe = dataclasses.replace(RECIPE, rule="hand", weights_by_hand=[3.0, 1.0])
    whole = load(made_by(recipe, made, tmp_path))
    assert whole.card.options["weights"] == [0.75, 0.25]
    faces = open_dataset(made[0]).read("test")
    parts = [table_array(evaluate_faces(load(made[1] / name), faces), "p_") for name in recipe.members]
    mean = 0.75 * parts[0] + 0.25 * parts[1]
    answers = evaluate_faces(whole, faces)
    logits = table_array(answers, "logit_").astype(np.float64)
    found = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(found, mean, atol=2e-3)  # half-precision weights, pictures resampled once more
    assert table_array(answers, "f_").shape == (len(faces), 14)


def test_an_ensemble_for_votes_is_fitted_on_votes(made: tuple[Path, Path], tmp_path: Path) -> None:
    data = Data(*([Part("fer2013", split)] for split in ("training", "private_test", "public_test")))
    recipe = dataclasses.replace(RECIPE, rule="rank", target=FERPLUS, checkpoint="voted", data=data)
    root = write_fer2013_csv(tmp_path / "fer2013", n_training=14, n_test=28)
    votes = pd.read_csv(root / "fer2013new.csv")
    columns = [name for name in FERPLUS_COLUMNS if name in votes]
    assert len(columns) == 10
    public = votes["Usage"] == "PublicTest"
    votes.loc[public, columns] = np.roll(votes.loc[public, columns].to_numpy(), 1, axis=1)  # other than the labels
    votes.to_csv(root / "fer2013new.csv", index=False)
    folder = run_ensemble(recipe, {"fer2013": root}, results=Results(made[1], tmp_path, replaces=True))
    card = load(folder).card
    faces = open_dataset(root).read("public_test")
    truth = ferplus_labels(faces.votes, "ferplus7")
    assert 0 < (truth >= 0).sum() < len(truth) and (truth != faces.labels).all()
    tables = [evaluate_faces(load(made[1] / name), faces) for name in recipe.members]
    right = [(table_array(each, "p_").argmax(axis=1) == truth)[truth >= 0].mean() for each in tables]
    assert card.options["weights"] == pytest.approx(weights_by(recipe, right), abs=1e-6)
    assert card.data["labels"] == "ferplus7"
    assert {figures["labels"] for figures in card.metrics} >= {"fer2013", "ferplus7"}


def test_a_batch_is_its_singles(made: tuple[Path, Path], tmp_path: Path) -> None:
    whole = load(made_by(RECIPE, made, tmp_path))
    crops = np.random.default_rng(0).integers(0, 256, (5, 48, 48, 3), dtype=np.uint8)
    together = whole.predict(crops, tta="tencrop").probabilities
    singles = [whole.predict(each[None], tta="tencrop").probabilities[0] for each in crops]
    np.testing.assert_allclose(together, singles, atol=1e-5)


def test_onnx_runtime_answers_as_an_ensemble_does() -> None:
    torch.manual_seed(0)
    members = [
        Member(
            registry.build("compact-resnet", n_labels=7, channels=1, stem=8, widths=[8], blocks=[1]),
            size=44, field=field, mean=[0.5], std=[0.25], temperature=1.5,
        )
        for field in (44 / 48, 46 / 48)  # whole pixels, and sampled ones
    ]  # fmt: skip
    whole = Ensemble(members, Average([1, 2], 7)).eval()
    graph = OnnxNetwork(exported(whole, InputSpec(48, 1, [0.0], [1.0], 1.0)), of="pair")
    pictures = torch.rand(5, 1, 48, 48)
    with torch.inference_mode():
        for mine, theirs in zip(graph.features_and_logits(pictures), whole.features_and_logits(pictures), strict=True):
            torch.testing.assert_close(mine, theirs, atol=1e-4, rtol=1e-4)


def test_an_ensemble_is_measured_like_any_other(made: tuple[Path, Path], tmp_path: Path) -> None:
    folder = made_by(RECIPE, made, tmp_path)
    card = load(folder).card
    assert {(figures["split"], figures["tta"]) for figures in card.metrics} == {
        ("val", "none"), ("test", "none"), ("test", "flip"), ("test", "tencrop"),
    }  # fmt: skip
    assert sorted(path.name for path in (folder / "evaluations").iterdir()) == [
        "drawn-test.parquet",
        "drawn-val.parquet",
    ]
    assert (folder / "reference.safetensors").is_file()
    assert card.data["detector"] == "haar"  # that of its members


@pytest.mark.parametrize(
    ("rule", "accuracies", "weights"),
    [
        ("equal", [0.5, 0.6, 0.7, 0.2], [0.25, 0.25, 0.25, 0.25]),
        ("rank", [0.5, 0.7, 0.6], [1 / 6, 3 / 6, 2 / 6]),
        ("rank", [0.5, 0.5], [0.5, 0.5]),
        ("hand", [0.1, 0.2], [0.8, 0.2]),
        ("trained", [0.1, 0.2], []),
    ],
)
def test_weights_by_rule(rule: str, accuracies: list[float], weights: list[float]) -> None:
    by_hand = [4.0, 1.0] if rule == "hand" else []
    recipe = dataclasses.replace(RECIPE, rule=rule, weights_by_hand=by_hand)
    assert weights_by(recipe, accuracies) == pytest.approx(weights, abs=1e-6)


def test_an_average_is_of_probabilities() -> None:
    probabilities = torch.tensor([[[0.9, 0.1], [0.2, 0.8]]])
    logits = Average([1, 3], 2)(probabilities.log().flatten(1))
    torch.testing.assert_close(logits.softmax(1), torch.tensor([[0.375, 0.625]]))


def test_a_trained_fusion_learns_whom_to_believe() -> None:
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 7, 700)
    good = np.full((700, 7), 0.05)
    good[np.arange(700), np.where(rng.random(700) < 0.9, truth, rng.integers(0, 7, 700))] = 0.7
    noise = rng.dirichlet(np.ones(7), 700)
    answers = np.log(np.concatenate([good / good.sum(1, keepdims=True), noise], axis=1))
    recipe = dataclasses.replace(RECIPE, rule="trained", fit=Fit(epochs=40, lr=0.05, pull=0.0))
    layer = fit(recipe, answers, truth, 2)
    x = torch.tensor(answers, dtype=torch.float32)
    with torch.no_grad():
        learnt = float((layer(x).argmax(1).numpy() == truth).mean())
        plain = float((fusion(2, 7, 0)(x).argmax(1).numpy() == truth).mean())
    assert learnt > plain and learnt > 0.88
    held = dataclasses.replace(recipe, fit=Fit(epochs=40, lr=0.05, pull=1e4))
    stiff = fit(dataclasses.replace(held, fit=Fit(epochs=40, lr=1e-6, pull=1e4)), answers, truth, 2)
    start = torch.eye(7).repeat(1, 2) / 2
    assert float((next(stiff.parameters()).detach() - start).abs().max()) < 0.01, "a strong pull keeps the mean"


def test_a_trained_fusion_is_judged_by_pictures_it_was_not_trained_on() -> None:
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 7, 200)
    answers = np.log(rng.dirichlet(np.ones(14), 200)) - 5
    recipe = dataclasses.replace(RECIPE, rule="trained", fit=Fit(epochs=100, pull=0.0, by="lbfgs"))
    layer = fit(recipe, answers, truth, 2)
    with torch.no_grad():
        seen = float((layer(torch.tensor(answers, dtype=torch.float32)).argmax(1).numpy() == truth).mean())
    assert seen > 0.25, "seven classes by chance: 14 %; a layer learns 200 answers by heart"
    assert in_folds(recipe, answers, truth, 2) < 0.22, "there is nothing to learn"


def test_lbfgs_finds_the_best_layer() -> None:
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 7, 300)
    answers = np.log(rng.dirichlet(np.ones(14), 300))
    x, y = torch.tensor(answers), torch.from_numpy(truth)
    start = fusion(2, 7, 0).double()

    def objective(layer: torch.nn.Module) -> torch.Tensor:
        pairs = zip(layer.parameters(), start.parameters(), strict=True)
        distance = torch.stack([((mine - theirs) ** 2).sum() for mine, theirs in pairs]).sum()
        return torch.nn.functional.cross_entropy(layer(x), y) + 0.1 * distance

    def fitted(**changes: Any) -> torch.nn.Module:
        return fit(
            dataclasses.replace(RECIPE, rule="trained", fit=Fit(pull=0.1, **changes)), answers, truth, 2
        ).double()

    best = fitted(by="lbfgs", epochs=500)
    gradients = torch.autograd.grad(objective(best), list(best.parameters()))
    assert max(float(each.abs().max()) for each in gradients) < 1e-4
    unfinished = [fitted(by="lbfgs", epochs=2), fitted(by="sgd"), start]
    with torch.no_grad():
        assert all(float(objective(best)) < float(objective(other)) - 1e-5 for other in unfinished)


def test_the_trained_fusion_of_the_document_runs(made: tuple[Path, Path], tmp_path: Path) -> None:
    recipe = load_recipe("mbstu-2021-fusion")
    assert isinstance(recipe, EnsembleRecipe) and recipe.rule == "trained"
    small = dataclasses.replace(recipe, members=["small", "large"], data=RECIPE.data, checkpoint="fused")
    whole = load(made_by(small, made, tmp_path))
    assert whole.card.options["weights"] == [] and whole.card.system == "mbstu-2021"
    assert 0 < whole.predict(np.zeros((1, 48, 48, 3), np.uint8)).probabilities.max() <= 1


def test_grey_members_see_the_same_grey_as_alone(made: tuple[Path, Path], tmp_path: Path) -> None:
    whole = load(made_by(dataclasses.replace(RECIPE, rule="hand", weights_by_hand=[1.0, 0.0]), made, tmp_path))
    members = [dict(each) for each in whole.card.options["members"]]
    colour = registry.build("ensemble", n_labels=7, channels=3, members=members, weights=[1.0, 0.0]).eval()
    colour.load_state_dict(whole.net.state_dict())
    x = torch.rand(2, 3, 44, 44)
    grey = (x * torch.tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)).sum(1, keepdim=True)
    with torch.no_grad():
        torch.testing.assert_close(colour(x), whole.net(grey), atol=1e-5, rtol=1e-5)


@pytest.fixture
def apart(made: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Makes ensembles in a folder of its own, which is that of the shipped checkpoints."""
    out = tmp_path / "out"
    for name in RECIPE.members:
        shutil.copytree(made[1] / name, out / name)
    monkeypatch.setenv("FER_CHECKPOINTS", str(out))

    def make(**changes: Any) -> Path:
        return run_ensemble(
            dataclasses.replace(RECIPE, **changes), {"drawn": made[0]}, results=Results(out, tmp_path, replaces=True)
        )

    return make


def test_members_keep_their_weights(apart: Callable[..., Path]) -> None:
    pair, fused = apart(), apart(rule="trained", checkpoint="fused")
    assert list(load_file(pair / "model.safetensors")) == [], "a plain mean has no weights of its own"
    assert sorted(load_file(fused / "model.safetensors")) == ["head.bias", "head.weight"]
    whole = load(pair).net.state_dict()
    for i, name in enumerate(RECIPE.members):
        for key, value in load(pair.parent / name).net.state_dict().items():
            torch.testing.assert_close(whole[f"backbone.{i}.net.{key}"], value)
    assert "five folds of the choosing split" in " ".join(load(fused).card.notes)
    sizes = [(pair.parent / name / "model.safetensors").stat().st_size for name in ("pair", *RECIPE.members)]
    assert checkpoints.entry("pair").n_bytes == sum(sizes)


def test_results_are_named_by_what_they_come_from(apart: Callable[..., Path]) -> None:
    first = load(apart()).sha256
    assert load(apart()).sha256 == first, "made again"
    others = [
        apart(members=["large", "small"], checkpoint="turned"),
        apart(rule="hand", weights_by_hand=[2.0, 1.0], checkpoint="weighed"),
    ]
    assert len({first, *(load(each).sha256 for each in others)}) == 3


def test_an_ensemble_says_which_member_is_missing(apart: Callable[..., Path]) -> None:
    folder = apart()
    out = folder.parent
    assert checkpoints.entry("pair").is_runnable and "pair" in runnable_names()
    assert checkpoints.ensembles_with("large") == ["pair"] and checkpoints.ensembles_with("pair") == []
    kept = {name: (out / name / "model.safetensors").read_bytes() for name in RECIPE.members}
    member(out / "large", size=44, field=44 / 48, seed=5, temperature=0.7)
    (out / "small" / "model.safetensors").unlink()
    for name, missing in (("small", "small, large"), ("large", "large")):
        with pytest.raises(CheckpointError, match=f"pair needs the weights of its member {name} as they were"):
            load(folder)
        assert not checkpoints.entry("pair").is_runnable and "pair" not in runnable_names()
        assert checkpoints.why_not_runnable("pair").startswith(f"pair needs the weights of {missing} as they were")
        (out / name / "model.safetensors").write_bytes(kept[name])
    assert load(folder).predict(np.zeros((1, 48, 48, 3), np.uint8)).probabilities.shape == (1, 7)


RARELY = [pytest.param(name, marks=pytest.mark.nightly) for name in ("..", ".", "/etc", "a" * 300, "a/b", None)]


@pytest.mark.parametrize("name", ["../small", "", 3, *RARELY])
def test_members_are_looked_for_by_names_only(name: object, apart: Callable[..., Path]) -> None:
    folder = apart()
    card = json.loads((folder / "card.json").read_text())
    card["options"]["members"][0]["name"] = name
    (folder / "card.json").write_text(json.dumps(card))
    with pytest.raises(CheckpointError, match="expected a name and the SHA-256"):
        load(folder)
    assert "expected a name and the SHA-256" in checkpoints.entry("pair").error
    assert "pair" not in runnable_names() and {each.name for each in checkpoints.entries()} >= {"pair", "small"}


GOOD = {
    "architecture": "shsu-cnn",
    "options": {"widths": [4, 8], "kernels": [3, 3], "cells": 2, "hidden": [8], "dropout": 0.0},
    "channels": 1, "size": 40, "field": 1.0, "mean": [0.0], "std": [1.0], "temperature": 1.0,
}  # fmt: skip


@pytest.mark.parametrize(
    "change",
    [
        {"std": [0.0]}, {"mean": ["a"]}, {"mean": []}, {"mean": "abc"}, {"temperature": 0}, {"temperature": "a"},
        {"temperature": float("nan")}, {"field": "x"}, {"size": 32.5}, {"size": -1}, {"size": 60000}, {"channels": 0},
        {"mean": [0.0, 0.0, 0.0]}, {"channels": 3}, {"options": 3}, {"architecture": "nothing"},
    ],
)  # fmt: skip
def test_impossible_members_are_refused_before_anything_runs(change: dict[str, object]) -> None:
    with pytest.raises(CheckpointError):
        registry.build("ensemble", n_labels=7, channels=1, members=[GOOD, GOOD | change], weights=[1, 1])


@pytest.mark.parametrize(
    "options",
    [
        {"weights": [float("nan"), 1]}, {"weights": [0, 0]}, {"weights": ["a", 1]}, {"hidden": 30_000_000},
        {"hidden": -1}, {"members": [GOOD] * 5000},
    ],
)  # fmt: skip
def test_impossible_ensembles_are_refused(options: dict[str, object]) -> None:
    with pytest.raises(CheckpointError):
        registry.build("ensemble", n_labels=7, channels=1, **{"members": [GOOD, GOOD], **options})


def test_what_does_not_fit_together_is_refused(made: tuple[Path, Path], tmp_path: Path) -> None:
    member(made[1] / "otherwise", size=44, field=1.0, seed=2, temperature=1.0, crop=64)
    with pytest.raises(CheckpointError, match="does not fit small"):
        made_by(dataclasses.replace(RECIPE, members=["small", "otherwise"]), made, tmp_path)
    with pytest.raises(RecipeError, match=r"Member nobody cannot be used: .* No recipe makes it"):
        made_by(dataclasses.replace(RECIPE, members=["small", "nobody"]), made, tmp_path)
    nested = {"architecture": "ensemble", "options": {}, "channels": 1}
    for options in (
        {"members": [nested, nested]},
        {"members": []},
        {"members": [1, 2]},
        {"members": [{"architecture": "resnet18"}] * 2},
    ):
        with pytest.raises(CheckpointError, match="does not take these options"):
            registry.build("ensemble", n_labels=7, channels=1, **options)
    with pytest.raises(RecipeError, match="expected 2 weights_by_hand"):
        load_recipe("mbstu-2021-fusion", rule="hand")
