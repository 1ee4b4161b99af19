"""The source systems as data: the files are sound, figures are those of the documents, recipes exist and explain."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

import fer_core.models.catalogue
from fer_core.emotions import EMOTIONS, EMOTIONS8
from fer_core.errors import InputError
from fer_core.evaluation.run import TTA
from fer_core.faces.detectors import DETECTORS
from fer_core.models.registry import build, describe
from fer_core.systems import NAMES, System, read_system, system, systems
from fer_core.systems.records import VIEWS
from tests.support import ROOT
from training.recipe import RECIPES, EnsembleRecipe, Recipe, load_recipe, recipe_names

FER2013_PRIVATE = {"angry": 491, "disgust": 55, "fear": 528, "happy": 879, "sad": 594, "surprise": 416, "neutral": 626}
RAFDB_TEST = {"angry": 162, "disgust": 160, "fear": 74, "happy": 1185, "sad": 478, "surprise": 329, "neutral": 680}

# read from the documents once more, independently of the files
FIGURES = {
    ("usfq-2024", "accuracy-validation"): 0.7708,
    ("usfq-2024", "accuracy-test"): 0.7538,
    ("usfq-2024", "loss-training"): 0.68,
    ("usfq-2024", "recall-disgust"): 0.276,
    ("usfq-2024", "recall-neutral"): 0.818,
    ("usfq-2024", "group-negative"): 0.942,
    ("mbstu-2021", "resnet18-30"): 0.5511,
    ("mbstu-2021", "vgg19-300"): 0.6890,
    ("mbstu-2021", "ensemble-20"): 0.5748,
    ("mbstu-2021", "ensemble-300"): 0.6954,
    ("mbstu-2021", "ensemble-30-detected"): 0.8571,
    ("mbstu-2021", "table-5.1/30/neutral"): 0.56,
    ("mbstu-2021", "table-5.2/20/disgust"): 0.0,
    ("mbstu-2021", "table-5.3/300/surprise"): 0.83,
    ("shsu-2023", "rafdb-mobilenet-before"): 0.81,
    ("shsu-2023", "rafdb-efficientnetv2b0-after"): 0.79,
    ("shsu-2023", "fer2013-cnn-before"): 0.63,
    ("shsu-2023", "fer2013-densenet121-before"): 0.61,
    ("shsu-2023", "affectnet-densenet121-pca"): 0.54,
    ("shsu-2023", "affectnet-vit-b16"): 0.60,
    ("shsu-2023", "table-I/precision/fear"): 0.88,
    ("shsu-2023", "table-VIII/recall/surprise"): 0.81,
    ("shsu-2023", "table-XIII/f1/contempt"): 0.48,
    ("ubb-2021", "mobilenetv2-first"): 0.75,
    ("ubb-2021", "inceptionv3-second"): 0.81,
    ("ubb-2021", "resnet50v2-third"): 0.87,
    ("ubb-2021", "resnet50v2-table"): 0.43,
    ("mru-2025", "validation-25"): 0.6032,
    ("mru-2025", "training-5"): 0.4443,
    ("mru-2025", "test"): 0.75,
}


@pytest.fixture(params=NAMES)
def each_system(request: pytest.FixtureRequest) -> System:
    return system(request.param)


def recipes_of(name: str) -> dict[str, Recipe | EnsembleRecipe]:
    return {each: load_recipe(each) for each in recipe_names() if load_recipe(each).system == name}


def test_there_are_five_in_a_fixed_order() -> None:
    assert [each.name for each in systems()] == list(NAMES)
    assert systems() is systems()
    assert {path.stem for path in (ROOT / "fer_core/systems").glob("*.yaml")} == set(NAMES)


def test_they_load_without_anything_heavy() -> None:
    code = "import sys, fer_core.systems as s; s.systems(); print([m for m in ('torch', 'pandas') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT).stdout.strip() == "[]"


@pytest.mark.parametrize(("name", "claim"), list(FIGURES), ids=lambda each: each)
def test_figures_are_those_of_the_documents(name: str, claim: str) -> None:
    assert system(name).claim(claim).value == FIGURES[name, claim]


def test_every_claim_has_a_place_and_a_comparison_or_a_reason(each_system: System) -> None:
    assert each_system.claims
    for claim in each_system.claims:
        assert claim.where, claim.id
        assert claim.comparable == bool(claim.against) == (not claim.why_not), claim.id
        assert claim.metric == "loss" or 0 <= claim.value <= 1, claim.id
    told = sum(map(len, each_system.not_comparable.values()))
    assert told == sum(not claim.comparable for claim in each_system.claims)
    for text in (each_system.summary, each_system.detector, *each_system.data, *each_system.outputs):
        assert text


def test_live_settings_are_a_shipped_checkpoint_of_the_system_and_a_detector_that_is_known(each_system: System) -> None:
    """The two systems whose documents describe a live view have them."""
    assert (each_system.live is not None) == (each_system.name in ("shsu-2023", "mru-2025"))
    if (live := each_system.live) is not None:
        assert live.checkpoint in {folder.name for folder in (ROOT / "checkpoints").iterdir()}
        assert live.checkpoint.startswith(each_system.name) and live.detector in DETECTORS


def test_views_are_those_of_an_evaluation() -> None:
    assert VIEWS == TTA


def test_every_contradiction_says_what_was_taken(each_system: System) -> None:
    assert each_system.contradictions
    for each in each_system.contradictions:
        assert each.taken and each.why and all(reading.says and reading.where for reading in each.readings), each.id


def test_tables_are_complete(each_system: System) -> None:
    for table in each_system.tables:
        n_classes = {claim.n_classes for claim in table.claims}
        assert n_classes in ({7}, {8})
        assert set(table.rows) == set(EMOTIONS8 if n_classes == {8} else EMOTIONS), table.id
        assert set(table.claims) <= set(each_system.claims)
        assert all(row[0].emotion == emotion for emotion, row in table.rows.items())


def test_recalls_agree_with_the_accuracies_they_stand_beside() -> None:
    """Transcription is checked by arithmetic: recalls weighted by class counts give the accuracy of the same run."""
    mbstu, shsu = system("mbstu-2021"), system("shsu-2023")
    pairs = [
        *((mbstu, f"table-{t}/{n}", f"{m}-{n}", FER2013_PRIVATE, 0.01)
          for t, m in (("5.1", "resnet18"), ("5.2", "vgg19"), ("5.3", "ensemble")) for n in (20, 30, 300)),
        *((shsu, f"table-{t}/recall", f"rafdb-{m}", RAFDB_TEST, 0.007)
          for t, m in (("I", "cnn-before"), ("II", "cnn-after"), ("III", "mobilenet-before"))),
        *((shsu, f"table-{t}/recall", f"fer2013-{m}", FER2013_PRIVATE, 0.007)
          for t, m in (("VI", "cnn-before"), ("VII", "cnn-after"), ("VIII", "mobilenet-before"))),
    ]  # fmt: skip
    for source, row, accuracy, counts, room in pairs:
        found = sum(source.claim(f"{row}/{name}").value * n for name, n in counts.items()) / sum(counts.values())
        assert found == pytest.approx(source.claim(accuracy).value, abs=room), row


def test_f1_agrees_with_precision_and_recall() -> None:
    told = {"table-III/sad", "table-XII/fear"}  # the documents' own slips, named as contradictions
    for table in system("shsu-2023").tables:
        for emotion, (precision, recall, f1) in table.rows.items():
            right = 2 * precision.value * recall.value / (precision.value + recall.value)
            assert (abs(right - f1.value) > 0.0101) == (f"{table.id}/{emotion}" in told), (table.id, emotion)


def test_detected_classes_are_sevenths() -> None:
    shares = {claim.value for claim in system("mbstu-2021").claims if claim.metric == "classes_detected"}
    assert shares == {int(n / 7 * 10_000) / 10_000 for n in (4, 5, 6, 7)}


def test_the_test_figure_of_usfq_is_a_mean_of_three_groups() -> None:
    usfq = system("usfq-2024")
    mean = sum(usfq.claim(f"group-{name}").value for name in ("neutral", "positive", "negative")) / 3
    assert mean == pytest.approx(usfq.claim("accuracy-test").value, abs=1e-4)
    assert not usfq.claim("accuracy-test").comparable
    assert usfq.claim("accuracy-validation").comparable


def test_nothing_of_ubb_is_compared() -> None:
    assert not any(claim.comparable for claim in system("ubb-2021").claims)
    assert len(system("ubb-2021").not_comparable) == 2


def test_curves_are_points_at_epochs() -> None:
    mru = {curve.id: curve for curve in system("mru-2025").curves}
    assert mru["validation"].points == ((5, 0.4860), (10, 0.5505), (15, 0.5801), (20, 0.5913), (25, 0.6032))
    assert mru["validation"].one_run and mru["training"].side == "train"
    mbstu = {curve.id: curve for curve in system("mbstu-2021").curves}
    assert mbstu["ensemble"].points == ((20, 0.5748), (30, 0.6076), (300, 0.6954))
    assert not mbstu["ensemble"].one_run


def test_every_recipe_named_exists_and_belongs_to_the_system(each_system: System) -> None:
    known = recipes_of(each_system.name)
    assert set(each_system.recipes) == set(known)
    of_models = [recipe for model in each_system.models for recipe in model.recipes]
    assert sorted(of_models) == sorted(each_system.recipes)


def test_every_comparison_is_with_what_a_recipe_makes(each_system: System) -> None:
    for against in {each for claim in each_system.claims for each in claim.against}:
        recipe = load_recipe(against.recipe)
        assert against.checkpoint in _checkpoints(recipe), against
        sides = {"test": recipe.data.test, "choose": recipe.data.choose, "train": recipe.data.train}
        splits = {(part.dataset, part.split) for parts in sides.values() for part in parts}
        splits |= {(part.dataset, "choose") for part in recipe.data.train}
        assert (against.dataset, against.split) in splits, against
        assert against.labels == against.dataset
    for curve in each_system.curves:
        assert curve.checkpoint in _checkpoints(load_recipe(curve.recipe))


def _checkpoints(recipe: Recipe | EnsembleRecipe) -> set[str]:
    if isinstance(recipe, EnsembleRecipe):
        return {recipe.checkpoint}
    return {target.checkpoint for target in recipe.targets.values()}


def test_before_and_after_are_compared_with_a_pair_of_recipes() -> None:
    for claim in system("shsu-2023").claims:
        if claim.balanced:
            recipe = load_recipe(claim.against[0].recipe)
            assert isinstance(recipe, Recipe)
            assert recipe.balance.by == ("none" if claim.balanced == "before" else "augment"), claim.id


NEEDED = (
    "architecture", "weights", "input", "crop", "data", "targets", "epochs", "batch_size", "optimiser", "schedule",
    "augment", "balance", "keep", "seed",
)  # fmt: skip
WORKBENCH = {
    "workbench-ensemble-fer2013", "workbench-ensemble-ferplus", "workbench-lite0", "workbench-lite0-settled0",
    "workbench-lite0-votes0", "workbench-lite0-votes1", "workbench-mobilenetv2", "workbench-resnet",
    "workbench-resnet-seed1",
    "workbench-resnet-settled0", "workbench-resnet-settled1", "workbench-resnet-taught", "workbench-resnet-votes0",
    "workbench-resnet-votes1", "workbench-resnet-wide",
}  # fmt: skip
OURS = {"demo", "usfq-2024-fer2013", *WORKBENCH}
WHERE_USED = ("pca", "phases", "transforms", "stages", "mix", "ema")


@pytest.mark.parametrize("name", [each for each in recipe_names() if each not in OURS])
def test_recipes_explain_every_choice(name: str) -> None:
    recipe = load_recipe(name)
    assert recipe.name == name
    assert recipe.system in NAMES
    told = {**recipe.document, **recipe.ours}
    assert set(told) <= {each.name for each in dataclasses.fields(recipe)}
    if isinstance(recipe, EnsembleRecipe):
        assert set(recipe.members) <= set(recipe_names())
        assert {"members", "rule", "data"} <= set(told)
        return
    used = [key for key in WHERE_USED if _is_set(recipe, key)]
    assert set(NEEDED) | set(used) <= set(told)
    assert not recipe.stop.patience or "stop" in told
    assert not recipe.phases or sum(phase.epochs for phase in recipe.phases) == recipe.epochs
    assert describe(recipe.architecture).min_px <= recipe.input.size
    assert recipe.targets["own"].checkpoint == name


def _is_set(recipe: Recipe, key: str) -> bool:
    value = getattr(recipe, key)
    return bool(value.probability) if key == "mix" else bool(value)


def _networks() -> dict[str, Recipe]:
    """One recipe for each way in which an architecture is built."""
    found = (load_recipe(name) for name in recipe_names())
    return {
        f"{each.architecture} {each.options} {each.input.channels}": each for each in found if isinstance(each, Recipe)
    }


@pytest.mark.parametrize("recipe", _networks().values(), ids=lambda recipe: recipe.name)
def test_architectures_take_the_options_of_the_recipes(recipe: Recipe) -> None:
    assert fer_core.models.catalogue  # fills the registry
    with torch.device("meta"):  # shapes without numbers: a vision transformer costs nothing
        net = build(recipe.architecture, n_labels=recipe.data.labels, channels=recipe.input.channels, **recipe.options)
        logits = net.eval()(torch.zeros(2, recipe.input.channels, recipe.input.size, recipe.input.size))
    assert logits.shape == (2, recipe.data.labels)
    trained = [phase.train for phase in recipe.phases if isinstance(phase.train, int)]
    assert all(n < len(net.layers()) for n in trained)


def test_the_figures_of_the_documents_stand_in_the_recipes() -> None:
    def read(name: str) -> Recipe:
        recipe = load_recipe(name)
        assert isinstance(recipe, Recipe)
        return recipe

    resnet18, usfq, ubb = read("mbstu-2021-resnet18"), read("usfq-2024-mobilenetv2"), read("ubb-2021-mobilenetv2")
    assert (resnet18.batch_size, resnet18.optimiser.name, resnet18.input.size, resnet18.crop.source) == (
        128,
        "sgd",
        40,
        48,
    )
    assert resnet18.augment.shift * resnet18.crop.source == pytest.approx(4, abs=0.01)
    assert (usfq.optimiser.backbone_lr, usfq.optimiser.lr, usfq.optimiser.weight_decay) == (1e-5, 1e-3, 0.01)
    assert (usfq.batch_size, usfq.epochs, usfq.data.held_out) == (32, 50, 0.2)
    assert [phase.train for phase in ubb.phases] == ["head", 56] and ubb.phases[1].lr == 1e-5
    assert [part.per_class for part in ubb.data.train] == [3200, 100]
    assert ubb.input.mean == []  # measured, as feature-wise centring is
    assert read("shsu-2023-cnn").optimiser.name == "rmsprop" and read("shsu-2023-vit-b16").optimiser.name == "radam"
    assert read("shsu-2023-mobilenet-rafdb").data.folds == 5
    assert read("shsu-2023-densenet121-affectnet-pca").pca == 0.95
    mru = read("mru-2025-cnn")
    assert (mru.optimiser.lr, mru.batch_size, mru.epochs, mru.stop.patience) == (1e-3, 32, 50, 10)


def test_recipes_of_one_pair_differ_in_the_balance_only() -> None:
    for name in recipe_names():
        if name.endswith("-balanced"):
            before, after = (load_recipe(each) for each in (name.removesuffix("-balanced"), name))
            assert isinstance(before, Recipe) and isinstance(after, Recipe)
            same: dict[str, Any] = {
                key: getattr(before, key) for key in ("name", "targets", "balance", "document", "ours")
            }
            assert dataclasses.replace(after, **same) == before


GOOD: dict[str, Any] = {
    "name": "x", "title": "t", "authors": ["a"], "institution": "i", "year": 2020, "kind": "k", "summary": "s",
    "detector": "d", "data": ["d"], "optimisation": [], "outputs": [], "recipes": ["r"],
    "models": [{"name": "m", "title": "M", "what": "w", "recipes": ["r"]}],
    "not_comparable": {"private": "private data"},
    "against": {"ours": [{"recipe": "r", "checkpoint": "r", "dataset": "d", "split": "test", "labels": "d"}]},
    "claims": [
        {"id": "c", "model": "m", "dataset": "d", "split": "test", "metric": "accuracy", "value": 0.5, "where": "p. 1",
         "epochs": 3, "against": "ours"},
    ],
    "curves": [
        {"id": "k", "title": "t", "recipe": "r", "checkpoint": "r", "side": "test", "one_run": True, "claims": ["c"]},
    ],
}  # fmt: skip


def written(folder: Path, **changes: Any) -> Path:
    path = folder / "x.yaml"
    path.write_text(yaml.safe_dump({**GOOD, **changes}), encoding="utf-8")
    return path


def changed(key: str, **changes: Any) -> dict[str, Any]:
    kept = {name: value for name, value in GOOD[key][0].items() if changes.get(name, value) is not None}
    return {key: [{**kept, **{name: value for name, value in changes.items() if value is not None}}]}


def test_a_good_file_is_read(tmp_path: Path) -> None:
    read = read_system(written(tmp_path))
    assert read.claims[0].against[0].tta == "none"
    assert read.curves[0].points == ((3, 0.5),)
    assert read.model("m").recipes == ("r",)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"titel": "t"}, r"x: unknown key 'titel'; the nearest known key is 'title'"),
        ({"year": "2020"}, r"x\.year: expected int, got '2020'"),
        ({"data": "one"}, r"x\.data: expected a list, got 'one'"),
        ({"models": [{"name": "m", "title": "M", "what": "w"}]}, r"x\.models\[0\]: missing recipes"),
        (changed("claims", valeu=0.5), r"x\.claims\[0\]: unknown key 'valeu'; the nearest known key is 'value'"),
        (changed("claims", value=50), r"expected a value in 0-1 .* got 50"),
        (changed("claims", value=None), r"missing value"),
        (changed("claims", metric="acuracy"), r"unknown metric 'acuracy'; the nearest is 'accuracy'"),
        (changed("claims", emotion="anger"), r"unknown emotion 'anger'; the nearest is 'angry'"),
        (changed("claims", model="n"), r"unknown model of 'c': 'n'; the nearest is 'm'"),
        (changed("claims", contradiction="z"), r"unknown contradiction of 'c': 'z'"),
        (changed("claims", against="our"), r"no entry for x\.claims\[0\]\.against 'our'.* Did you mean 'ours'"),
        (changed("claims", against=None), r"either 'against' or 'why_not'"),
        (changed("claims", why_not="private"), r"either 'against' or 'why_not'"),
        (changed("claims", where=""), r"expected a place in the document"),
        ({"claims": GOOD["claims"] * 2}, r"'c' stands there twice"),
        (changed("curves", claims=["d"]), r"no claim for x\.curves\[0\] 'd'.* Did you mean 'c'"),
        (changed("curves", side="tests"), r"unknown side 'tests'; the nearest is 'test'"),
        (changed("curves", recipe="q"), r"unknown recipe 'q'; the nearest is 'r'"),
        (changed("claims", epochs=0), r"1 or more epochs"),
        ({"contradictions": [{"id": "z", "about": "a", "readings": [], "taken": "t", "why": "w"}]}, r"two or more"),
    ],
    ids=lambda each: each if isinstance(each, str) else "",
)
def test_a_wrong_file_is_refused_and_says_where(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_system(written(tmp_path, **changes))


def test_tables_are_refused_when_a_value_is_missing(tmp_path: Path) -> None:
    table = {
        "id": "t", "title": "T", "where": "table 1", "model": "m", "dataset": "d", "split": "test", "metric": "recall",
        "against": "ours", "columns": {"a": {"epochs": 1}, "b": {"epochs": 2}}, "rows": {"sad": [0.1, 0.2]},
    }  # fmt: skip
    read = read_system(written(tmp_path, tables=[table]))
    assert read.claim("t/b/sad").value == 0.2
    assert read.claim("t/b/sad").epochs == 2
    with pytest.raises(InputError, match=r"sad: expected 2 values, got 1"):
        read_system(written(tmp_path, tables=[{**table, "rows": {"sad": [0.1]}}]))
    with pytest.raises(InputError, match=r"tables\[0\]: missing where"):
        read_system(written(tmp_path, tables=[{key: value for key, value in table.items() if key != "where"}]))


@pytest.mark.parametrize("content", ["- a list", "a: [", "!!python/object/apply:os.getcwd []", "\x00"])
def test_what_is_no_mapping_of_plain_values_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "x.yaml"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(InputError, match="x"):
        read_system(path)


def test_unknown_names_are_answered_with_the_nearest() -> None:
    with pytest.raises(InputError, match=r"no system 'mru'.* Did you mean 'mru-2025'"):
        system("mru")
    with pytest.raises(InputError, match=r"Did you mean 'validation-25'"):
        system("mru-2025").claim("validation-26")
    with pytest.raises(InputError, match=r"Did you mean 'vgg16'"):
        system("mru-2025").model("vgg19")


def test_every_file_of_a_recipe_is_a_network_or_an_ensemble_of_a_system() -> None:
    assert {path.stem for path in RECIPES.glob("*.yaml")} == set(recipe_names())
    named = {recipe for each in systems() for recipe in each.recipes}
    assert set(recipe_names()) - named == {"demo", *WORKBENCH}
