"""Every recipe, on drawn data in the layout of its own data set: one of each system trains, resumes, is evaluated and
loaded, at night all do so, first those that together use everything a recipe can ask for; the others prepare their
pictures and take one step."""

from __future__ import annotations

import csv
import dataclasses
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from dashboard.services import checkpoints
from fer_core.data.drawn import draw_dataset
from fer_core.errors import CheckpointError, RecipeError
from fer_core.models.classifier import load
from fer_core.models.registry import describe
from tests.support import ROOT
from training import train as command
from training import trainer
from training.data import FerDataModule
from training.export import export_checkpoints
from training.prepare import PreparedData, choose_pictures, find_all, prepare
from training.recipe import IMAGENET, SCRATCH, EnsembleRecipe, Recipe, how_to_make, load_recipe, recipe_names
from training.recipes import __main__ as listing
from training.results import Results
from training.settings import Phase
from training.teach import start_net

RECIPES = {name: recipe for name in recipe_names() if isinstance(recipe := load_recipe(name), Recipe)}
LAYOUTS = {
    "fer2013": "fer2013-csv",
    "affectnet": "affectnet8-lists",
    "rafdb": "rafdb",
    "kdef": "kdef",
    "drawn": "folders",
}
TINY: dict[str, dict[str, Any]] = {
    "vit-b16": {"layers": 1, "width": 32, "heads": 2, "mlp": 32, "image_size": 32},
    "vit-b32": {"layers": 1, "width": 32, "heads": 2, "mlp": 32, "image_size": 32},
    "compact-resnet": {"widths": [8, 16, 16, 16]},
    "vgg19": {"hidden": [16, 16]},
    "vgg19-bn": {"hidden": [16, 16]},
}
"""Options that make a large network small enough to train here."""


SPLITS = True  # to draw the pictures twice costs less than to wait for all of these
DEEP = {"densenet121", "inceptionv3", "resnet50v2", "vgg16", "vgg19", "vgg19-bn", "efficientnetv2-b0"}
SMALL: tuple[str, dict[str, Any]] = ("compact-resnet", {"widths": [8, 16, 16, 16]})
"""What a deep network's recipe trains in its place; the network itself takes a step here and has tests of its own."""
TOLD = {"name", "system", "seed", "checkpoint", "document", "ours", "architecture", "options"}
"""Fields that change no way of training; every architecture takes a step here, and has tests of its own."""


def asked_for(value: Any, path: str = "") -> Iterator[tuple[str, object]]:
    """What a recipe asks for, as facts that recipes share: its words, and which numbers and lists are not empty."""
    if dataclasses.is_dataclass(value):
        for each in dataclasses.fields(value):
            if each.name not in TOLD or (path and each.name == "name"):  # of an optimiser
                yield from asked_for(getattr(value, each.name), f"{path}.{each.name}")
    elif isinstance(value, Mapping):
        for key, each in value.items():
            yield from asked_for(each, f"{path}.{key}")
    elif isinstance(value, list):
        yield path, bool(value)
        for each in value:
            yield from asked_for(each, path)
    elif isinstance(value, str):
        yield path, bool(value) if path.endswith(("head", "checkpoints")) else value
    else:
        yield path, value and value > 0


def cover() -> list[str]:
    """Recipes that together ask for everything that any recipe does, found greedily; deep networks where they must."""
    facts = {name: set(asked_for(recipe)) for name, recipe in RECIPES.items()}
    cost = {name: 3 if recipe.architecture in DEEP else 1 for name, recipe in RECIPES.items()}
    left, chosen = set[tuple[str, object]]().union(*facts.values()), []
    while left:
        chosen.append(max(facts, key=lambda name: len(facts[name] & left) / cost[name]))
        left -= facts[chosen[-1]]
    return chosen


COVER = cover()
BRIEFLY = list({RECIPES[name].system: name for name in reversed(COVER)}.values())
"""One of each system, which train to their end in every run; all of the cover do so at night."""
OTHERS = [name for name in RECIPES if name not in BRIEFLY]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    top = tmp_path_factory.mktemp("data")
    for name, layout in LAYOUTS.items():
        draw_dataset(layout, top / name, per_class=104 if name == "kdef" else 8, seed=1)  # ubb-2021 trains on 100
    return {name: top / name for name in LAYOUTS}


def shrunk(recipe: Recipe, epochs: int, swap: bool = False) -> Recipe:
    """The recipe with small pictures, a small network and few steps; everything else as it is."""
    size = max(describe(recipe.architecture).min_px, 64 if recipe.architecture == "mobilenet-attention" else 32)
    source = min(recipe.crop.source, 48)
    crop = dataclasses.replace(recipe.crop, source=source, field=min(recipe.crop.field, source))
    limited = [dataclasses.replace(part, per_class=min(part.per_class, 2)) for part in recipe.data.train]
    phases = [Phase(1, each.train, each.lr) for each in recipe.phases][:2]
    architecture, options = recipe.architecture, {**recipe.options, **TINY.get(recipe.architecture, {})}
    if swap and architecture in DEEP:
        architecture, options = SMALL
    return dataclasses.replace(
        recipe,
        epochs=epochs,
        batch_size=8,
        data=dataclasses.replace(recipe.data, train=limited),
        phases=phases,
        crop=crop,
        minutes=0.0,
        stages=[],
        input=dataclasses.replace(recipe.input, size=size),
        architecture=architecture,
        options=options,
    )


def history(run: Path) -> list[dict[str, str]]:
    with (run / "history.csv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def one_sitting(recipe: Recipe, data: dict[str, Path], run: Path) -> Any:
    command.start_run(run, recipe, "test", fresh=False)
    prepared = pictures_of(recipe, data, run)
    trainer.train(prepared, run)
    return prepared


def pictures_of(recipe: Recipe, data: dict[str, Path], run: Path) -> PreparedData:
    """A few pictures of each of its data sets, cut and split as the recipe says."""
    roots = find_all(recipe.data, {name: data[name] for name in recipe.data.names})
    chosen = choose_pictures(recipe, roots, limit=42 if recipe.data.folds else 14)
    return prepare(recipe, chosen, run / "pictures", fold=0 if recipe.data.folds else None)


def unreachable(net: Any) -> None:
    raise CheckpointError("There is no connection in a test.")


def test_the_cover_has_every_data_set_optimiser_and_balance() -> None:
    kinds = {"data": lambda r: set(r.data.names),
             "optimiser": lambda r: {r.optimiser.name}, "balance": lambda r: {r.balance.by}}  # fmt: skip
    for kind, of in kinds.items():
        everywhere, covered = (set().union(*(of(RECIPES[name]) for name in names)) for names in (RECIPES, COVER))
        assert covered == everywhere, kind
    assert len(COVER) < len(RECIPES) / 2


@pytest.mark.parametrize("name", [*BRIEFLY, *(pytest.param(name, marks=pytest.mark.nightly) for name in OTHERS)])
@pytest.mark.filterwarnings("ignore:.*")  # Lightning has advice on runs of two steps
def test_a_recipe_trains_resumes_and_becomes_a_checkpoint(
    name: str, data: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fer_core.models.trunks.TrunkNetwork.load_imagenet", unreachable)
    monkeypatch.setattr("fer_core.models.mobilenet.MobileNetV2.load_imagenet", unreachable)
    monkeypatch.setattr("fer_core.models.timm_nets.TimmNetwork.load_imagenet", unreachable)
    recipe = RECIPES[name]
    run, out = tmp_path / "run", tmp_path / "checkpoints"
    swap = name in COVER
    one_sitting(shrunk(recipe, 1, swap), data, run)
    assert [row["epoch"] for row in history(run)] == ["1"]
    small = shrunk(recipe, 2, swap)
    prepared = one_sitting(small, data, run)
    rows = history(run)
    assert [row["epoch"] for row in rows] == ["1", "2"]
    assert all(np.isfinite(float(value)) for row in rows for value in row.values())
    model = trainer.build_module(dataclasses.replace(prepared.recipe, weights="scratch", phases=[])).model
    folders = export_checkpoints(prepared, state=trainer.kept_state(run, small), results=Results(out, run), model=model)
    monkeypatch.setenv("FER_CHECKPOINTS", str(out))
    listed = {entry.name: entry for entry in checkpoints.entries()}
    for folder in folders:
        entry = listed[folder.name]
        assert entry.card is not None and entry.card.system == recipe.system and entry.figures()["n"] > 0
        assert any("from scratch" in note for note in entry.card.notes) == (recipe.weights == "imagenet")
        scores = load(folder.name).predict(np.zeros((2, 48, 48, 3), np.uint8))
        np.testing.assert_allclose(scores.probabilities.sum(axis=1), 1, atol=1e-5)
        assert list((folder / "evaluations").glob("*.parquet"))


@pytest.mark.parametrize("name", OTHERS)
def test_a_recipe_prepares_its_pictures_and_takes_a_step(name: str, data: dict[str, Path], tmp_path: Path) -> None:
    """With its own optimiser, balance, mixing and augmentation; without Lightning around it."""
    recipe = dataclasses.replace(shrunk(RECIPES[name], 1), weights="scratch", phases=[])
    prepared = pictures_of(recipe, data, tmp_path)
    module = trainer.build_module(prepared.recipe, prepared).train()
    loader = FerDataModule(prepared.recipe, prepared.train, prepared.choose)
    module.trainer = SimpleNamespace(global_step=0, num_training_batches=1)
    module.log = lambda *_, **__: None
    (optimiser,) = [module.configure_optimizers()]
    before = [values.detach().clone() for values in module.model.parameters()]
    loss = module.training_step(next(iter(loader.train_dataloader())), 0)
    loss.backward()
    optimiser.step()
    assert torch.isfinite(loss)
    assert any(not torch.equal(a, b) for a, b in zip(before, module.model.parameters(), strict=True))


def test_every_choice_of_a_recipe_is_explained() -> None:
    groups = {"architecture", "input", "crop", "data", "targets", "epochs", "batch_size", "optimiser", "weights"}
    for name, recipe in RECIPES.items():
        told = {*recipe.document, *recipe.ours}
        if name != "demo":
            assert groups <= told, f"{name} does not say where {groups - told} come from"
            assert recipe.ours, name


def test_every_checkpoint_that_a_recipe_needs_is_made_by_another() -> None:
    """What a recipe starts from and is taught by need not be there: it is said which command makes it."""
    makers = {each.checkpoint: name for name, recipe in RECIPES.items() for each in recipe.targets.values()}
    ready = set[str]()
    left = {name: needed(recipe) for name, recipe in RECIPES.items()}
    while now := {name for name, wanted in left.items() if {makers.get(each, each) for each in wanted} <= ready}:
        ready |= now
        left = {name: wanted for name, wanted in left.items() if name not in now}
    assert not left, f"nothing makes what these need: {left}"
    assert how_to_make("compact-resnet-ferplus") == "Make it first: python -m training.train workbench-resnet"
    ensemble = next(name for name in recipe_names() if name not in RECIPES)
    made = load_recipe(ensemble)
    assert isinstance(made, EnsembleRecipe) and how_to_make(made.checkpoint).endswith(f"training.train {ensemble}")
    with pytest.raises(RecipeError, match=r"needs nobody, which cannot be used: .* No recipe makes it"):
        start_net(dataclasses.replace(RECIPES["workbench-resnet-votes1"], weights="nobody"), ROOT / "nowhere")


def needed(recipe: Recipe) -> set[str]:
    """Names of checkpoints that a recipe starts from or is taught by."""
    targets = recipe.targets.values()
    taught_by = {name for each in targets if each.teacher for name in each.teacher.checkpoints}
    return ({recipe.weights, *(each.head for each in targets)} - {SCRATCH, IMAGENET, ""}) | taught_by


def test_the_list_of_recipes(capsys: pytest.CaptureFixture[str]) -> None:
    assert listing.main(["--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["name"] for row in rows] == recipe_names()
    five = {"usfq-2024", "mbstu-2021", "shsu-2023", "ubb-2021", "mru-2025"}
    assert {row["system"] for row in rows} == five | {"demo", "workbench"}
    assert listing.main([]) == 0
    assert all(name in capsys.readouterr().out for name in ["mru-2025-cnn"])
    assert listing.main(["mru-2025-cnn"]) == 0
    assert "What the document says" in capsys.readouterr().out
    assert listing.main(["mru-2025-cn"]) == 2
    assert "Did you mean 'mru-2025-cnn'?" in capsys.readouterr().err


OFFLINE = {"HF_HUB_OFFLINE": "1", "https_proxy": "http://127.0.0.1:9", "OMP_NUM_THREADS": "1"}


LATER = ("mbstu-2021-resnet18", "ubb-2021-mobilenetv2", "mru-2025-cnn")


@pytest.mark.nightly
@pytest.mark.parametrize("name", ["shsu-2023-cnn-balanced", *LATER])
def test_one_recipe_of_every_system_by_the_real_command(name: str, data: dict[str, Path], tmp_path: Path) -> None:
    """That of usfq-2024 is run in ``test_training``, where it is also killed and resumed."""
    recipe = load_recipe(name)
    where = [f"--data={each}={data[each]}" for each in recipe.data.names]
    done = subprocess.run(
        [sys.executable, "-m", "training.train", name, *where, "--out", "out", "--epochs", "1", "--limit", "14"],
        cwd=tmp_path, env=os.environ | OFFLINE | {"FER_RUNS": str(tmp_path / "runs"), "PYTHONPATH": str(ROOT)},
        capture_output=True, text=True, check=False, timeout=400,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "epoch 1 of 1" in done.stdout and "left out" in done.stdout
    assert ("balance by augment" in done.stdout) == (recipe.balance.by == "augment")  # type: ignore[union-attr]
    assert load(tmp_path / "out" / name).card.data["epochs"] == 1


def first_try(home: Path, *changes: str) -> float:
    """Accuracy (0-1) of what ``make demo-train`` trains."""
    done = subprocess.run(
        ["make", "demo-train", f"FER_HOME={home}", *changes],
        cwd=ROOT, capture_output=True, text=True, check=False, timeout=580,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "The checkpoint demo is on the dashboard's page Models" in done.stdout
    card = load(home / "checkpoints" / "demo").card
    return float(next(each["accuracy"] for each in card.metrics if each["split"] == "test"))


@pytest.mark.nightly
def test_a_first_try_without_data(tmp_path: Path) -> None:
    assert 0 <= first_try(tmp_path, "DEMO_FACES=8", "DEMO_OPTIONS=--epochs 1") <= 1


@pytest.mark.nightly
def test_drawn_faces_can_be_learnt_and_are_not_trivial(tmp_path: Path) -> None:
    assert 0.4 < first_try(tmp_path) < 0.95
