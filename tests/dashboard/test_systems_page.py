"""The authors' figures beside ours: what is held against what, the page that shows it, and folders without weights."""

from __future__ import annotations

import dataclasses
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from dashboard.models.systems.head import VIEWS
from dashboard.services import evaluations, jobs
from dashboard.services import systems as service
from dashboard.services.evaluations import Question
from fer_core.emotions import EMOTIONS, EMOTIONS8, GROUPS
from fer_core.errors import CheckpointError, RecipeError
from fer_core.evaluation import (
    COMPARED,
    NOT_COMPARABLE,
    NOT_TRAINED,
    Counts,
    History,
    Trained,
    balanced,
    class_report,
    comparisons,
    confusion,
    detected,
    group_confusion,
    headline,
    outcomes,
    overall,
    read_history,
    system_of,
)
from fer_core.evaluation.claims import NOT_MEASURED
from fer_core.models.card import Card, read_card
from fer_core.models.classifier import load
from fer_core.models.folders import DEFAULT_CHECKPOINT, checkpoint_names, runnable_names, titled
from fer_core.systems import NAMES, system, systems
from tests.support import ROOT
from tests.support.app import at_rest, running_app, watched_tab
from tests.support.evaluated import evaluation
from tests.support.pages import INFO, open_page, words
from training.recipe import load_recipe, recipe_names

SHIPPED = ROOT / "checkpoints"
COUNTS = {"angry": 3995, "disgust": 436, "fear": 4097, "happy": 7215, "sad": 4830, "surprise": 3171, "neutral": 4965}
CARD = read_card(SHIPPED / "mobilenetv2-fer2013" / "card.json")
NOTHING = History(np.zeros(0, np.int64), {})


def figures(value: float, *, data: str = "fer2013", split: str = "private_test", tta: str = "none", **more: Any) -> Any:
    return {"data": data, "split": split, "labels": data, "tta": tta, "accuracy": value, **more}


def run(name: str, *metrics: Mapping[str, Any], card: Mapping[str, Any] | None = None, **given: Any) -> Trained:
    """A checkpoint of ours with a card made by hand."""
    made = dataclasses.replace(CARD, name=name, recipe=name, metrics=list(metrics), hardware="H", wall_s=60.0)
    epochs = given.pop("epochs", 20)
    made = dataclasses.replace(made, data={**CARD.data, "choose": "public_test", "epochs": epochs}, **(card or {}))
    return Trained(name, made, given.pop("history", NOTHING), given.pop("counts", lambda *_: None))


def history(*epochs: int, **columns: Sequence[float]) -> History:
    return History(np.array(epochs, np.int64), {name: np.array(values, float) for name, values in columns.items()})


def pairs(name: str, claim: str, *ours: Trained) -> tuple[Any, ...]:
    of = system(name)
    return comparisons(of, of.claim(claim), {each.name: each for each in ours})


def test_a_claim_is_held_against_the_same_view_else_the_difference_is_told() -> None:
    both = run("mbstu-2021-resnet18", figures(0.5), figures(0.55, tta="tencrop"))
    (first,) = pairs("mbstu-2021", "resnet18-20", both)
    assert (first.state, first.value, first.ours.remark) == (COMPARED, 0.55, "")
    assert first.difference == pytest.approx(0.55 - 0.5360) and not first.other_epochs
    assert (first.ours.hardware, first.ours.wall_s, first.ours.epochs) == ("H", 60.0, (20,))
    assert pairs("mbstu-2021", "resnet18-300", both)[0].other_epochs, "they 300, we 20"
    (single,) = pairs("mbstu-2021", "resnet18-20", run("mbstu-2021-resnet18", figures(0.5)))
    assert (single.value, single.ours.remark) == (0.5, "ours: single views")


def test_further_evaluations_stand_beside_the_main_one() -> None:
    metrics = figures(0.5, tta="tencrop"), figures(0.52, split="public_test")
    first, second = pairs("mbstu-2021", "vgg19-20", run("mbstu-2021-vgg19bn", *metrics))
    assert [each.against.split for each in (first, second)] == ["private_test", "public_test"]
    assert {each.against.recipe for each in (first, second)} == {"mbstu-2021-vgg19bn"}, "the main one is not trained"
    assert (first.value, second.value) == (0.5, 0.52)


def test_what_is_missing_is_said_with_the_command() -> None:
    (nothing,) = pairs("mbstu-2021", "vgg19-20")
    assert (nothing.state, nothing.value, nothing.difference) == (NOT_TRAINED, None, None)
    assert nothing.command == "python -m training.train mbstu-2021-vgg19"
    (elsewhere,) = pairs("mbstu-2021", "vgg19-20", run("mbstu-2021-vgg19", figures(0.5, data="rafdb", split="test")))
    assert elsewhere.state == NOT_MEASURED and elsewhere.value is None
    assert "no accuracy on fer2013 private_test" in elsewhere.ours.remark
    (never,) = pairs("ubb-2021", "resnet50v2-third", run("ubb-2021-resnet50v2", figures(0.5)))
    assert never.state == NOT_COMPARABLE and never.command == "" and "test set" in never.claim.why_not


@pytest.mark.parametrize("value", ["0.5", None, float("nan"), True, [0.5]])
def test_a_card_may_hold_anything(value: object) -> None:
    ours = run("mru-2025-cnn", figures(value), epochs=value)  # type: ignore[arg-type]
    assert pairs("mru-2025", "test", ours)[0].state == NOT_MEASURED
    assert ours.epochs == ()


def test_points_along_a_run_are_held_against_the_same_epoch() -> None:
    along = history(1, 5, 8, choose_own_accuracy=[0.2, 0.4, 0.5], train_own_loss=[2, 1.5, 1])
    ours = run("mru-2025-cnn", figures(0.66, split="public_test"), history=along, epochs=8)
    (at_5,) = pairs("mru-2025", "validation-5", ours)
    assert (at_5.value, at_5.ours.epochs, at_5.other_epochs) == (0.4, (5,), False)
    (at_10,) = pairs("mru-2025", "validation-10", ours)
    assert (at_10.value, at_10.ours.epochs, at_10.other_epochs) == (0.5, (8,), True), "the run is shorter"
    (training,) = pairs("mru-2025", "training-5", ours)
    assert training.state == NOT_MEASURED and "training side" in training.ours.remark


def test_a_system_of_older_columns_and_its_loss() -> None:
    along = history(1, 2, choose_affectnet_accuracy=[0.2, 0.4], choose_own_loss=[2, 1.5], train_own_loss=[2, 1])
    ours = run("usfq-2024-mobilenetv2", history=along, card={"metrics": []})
    found = {claim: pairs("usfq-2024", claim, ours)[0] for claim in ("accuracy-validation", "loss-training")}
    assert found["accuracy-validation"].value == 0.4 and found["loss-training"].value == 1
    assert found["loss-training"].difference == pytest.approx(1 - 0.68)


def test_folds_stand_for_the_recipe_as_their_mean() -> None:
    folds = [
        run(f"shsu-2023-mobilenet-rafdb-fold{i}", figures(0.7 + i / 10, data="rafdb", split="test")) for i in (0, 1)
    ]
    (found,) = pairs("shsu-2023", "rafdb-mobilenet-folds", *folds)
    assert found.value == pytest.approx(0.75) and found.ours.remark == "mean of 2 folds"
    assert found.ours.checkpoints == tuple(each.name for each in folds) and found.ours.wall_s == 120.0


def test_members_of_an_ensemble_keep_their_epochs_apart() -> None:
    fused = run("mbstu-2021-fusion", figures(0.6, tta="tencrop"), epochs=[20, 30])
    (found, *_) = pairs("mbstu-2021", "ensemble-20", fused)
    assert found.ours.epochs == (20, 30) and found.other_epochs


def test_other_classes_are_not_passed_off_as_the_same() -> None:
    seven = run("shsu-2023-cnn-affectnet", figures(0.4, data="affectnet", split="val"))
    assert pairs("shsu-2023", "affectnet-cnn", seven)[0].ours.remark == "ours: 7 classes"
    card = {"labels": list(EMOTIONS8), "prior": None}
    eight = run("shsu-2023-cnn-affectnet", figures(0.4, data="affectnet", split="val"), card=card)
    assert pairs("shsu-2023", "affectnet-cnn", eight)[0].ours.remark == ""


def test_figures_of_classes_are_those_of_the_report() -> None:
    found = outcomes(evaluation([*EMOTIONS, "fear", "sad", "sad"], [*EMOTIONS, "sad", "fear", "fear"]), "fer2013")
    counts = Counts(found.names, confusion(found))
    for row in class_report(found).to_dict("records"):
        for metric in ("precision", "recall", "f1"):
            assert counts.figure(metric, row["class"]) == pytest.approx(row[metric])
    assert counts.figure("accuracy") == pytest.approx(found.right.mean())
    assert (
        counts.figure("classes_detected") == pytest.approx(detected(counts.matrix).mean())
        and 0 < counts.figure("classes_detected") < 1
    )
    assert counts.figure("recall") == pytest.approx(class_report(found)["recall"].mean())
    assert (counts.grouped().matrix == group_confusion(found)).all() and counts.grouped().names == GROUPS
    assert np.isnan(counts.figure("precision", "contempt"))
    ours = run("shsu-2023-cnn", counts=lambda table, labels: counts if table == "fer2013-private_test" else None)
    (cell,) = pairs("shsu-2023", "table-VI/precision/fear", ours)
    assert cell.value == pytest.approx(counts.figure("precision", "fear"))


def test_recalls_in_the_authors_view_come_from_the_card() -> None:
    metrics = figures(0.5, recalls={"fear": 0.1}), figures(0.5, tta="tencrop", recalls={"fear": 0.2})
    assert pairs("mbstu-2021", "table-5.1/20/fear", run("mbstu-2021-resnet18", *metrics))[0].value == 0.2


def test_the_headline_is_one_that_we_measured_too_if_there_is_any() -> None:
    shsu, best = system("shsu-2023"), 0.81
    assert headline(shsu, {}) == comparisons(shsu, shsu.claim("rafdb-mobilenet-before"), {})[0]
    assert headline(shsu, {}).claim.value == best  # type: ignore[union-attr]
    ours = {"shsu-2023-cnn": run("shsu-2023-cnn", figures(0.5))}
    chosen = headline(shsu, ours)
    assert chosen is not None and (chosen.claim.id, chosen.value) == ("fer2013-cnn-before", 0.5)
    assert headline(system("ubb-2021"), ours) is None
    assert all(claim.split != "training" and not claim.emotion for each in systems() for claim in overall(each))


def test_before_and_after_balancing_are_paired() -> None:
    ours = {
        name: run(name, figures(value)) for name, value in (("shsu-2023-cnn", 0.5), ("shsu-2023-cnn-balanced", 0.4))
    }
    found = {(each.model, each.dataset): each for each in balanced(system("shsu-2023"), ours)}
    cnn = found["cnn", "fer2013"]
    assert cnn.theirs == pytest.approx(-0.01) and cnn.ours == pytest.approx(-0.1)
    assert found["cnn", "rafdb"].ours is None and found["cnn", "rafdb"].theirs == pytest.approx(0.01)
    assert found["vgg16", "fer2013"].after is None and found["vgg16", "fer2013"].theirs is None
    assert balanced(system("mru-2025"), ours) == ()


@pytest.mark.parametrize(
    ("system_name", "recipe", "found"),
    [("", "usfq-2024-fer2013", "usfq-2024"), ("mru-2025", "mine", "mru-2025"), ("", "demo", ""), ("", "", "")],
)
def test_the_system_of_a_card(system_name: str, recipe: str, found: str) -> None:
    assert system_of(dataclasses.replace(CARD, system=system_name, recipe=recipe)) == found


def test_learning_curves_are_read_and_damaged_ones_refused(tmp_path: Path) -> None:
    assert len(read_history(tmp_path)) == 0
    (tmp_path / "history.csv").write_text("epoch,minutes,choose_own_accuracy\n1,0.5,0.2\n2,1.0,\n")
    found = read_history(tmp_path)
    assert found.epochs.tolist() == [1, 2] and found.curve("choose", "accuracy", "fer2013") is not None
    assert np.isnan(found.columns["choose_own_accuracy"][1]) and found.curve("train", "loss", "fer2013") is None
    assert [found.at(epoch) for epoch in (0, 1, 2, 9)] == [-1, 0, 1, 1]
    for bad in ("epoch,a\n2,1\n1,1\n", "epoch,a\n0,1\n", "a\n1\n", "epoch,a\n1,x\n", "epoch,a,b\n1,2\n3,4,5,6\n\x00"):
        (tmp_path / "history.csv").write_text(bad)
        if bad.endswith("\x00"):
            (tmp_path / "history.csv").write_bytes(b"\xff\xfe\x00")
        with pytest.raises(CheckpointError, match="cannot be read as learning curves"):
            read_history(tmp_path)


def test_the_votes_curve_is_told_from_the_own_one() -> None:
    both = read_history(SHIPPED / "mobilenetv2-ferplus")
    own, votes = (both.curve("choose", "accuracy", labels) for labels in ("fer2013", "ferplus7"))
    assert own is not None and votes is not None and not np.array_equal(own, votes)


@pytest.mark.parametrize("name", recipe_names())
def test_recipes_are_shown_as_training_reads_them(name: str) -> None:
    text, read = service.recipe(name), load_recipe(name)
    assert (text.document, text.ours) == (dict(read.document), dict(read.ours))
    assert text.settings["architecture"] == read.architecture and text.settings["data"].get("test") is not None
    assert "extends" not in text.settings


def test_recipes_that_cannot_be_shown_say_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "RECIPES", tmp_path)
    for name, content in {"a": "extends: b", "b": "extends: a", "c": "[", "d": "- 1", "e": "document: 3"}.items():
        (tmp_path / f"{name}.yaml").write_text(content)
    for name, said in {
        "a": "extends itself", "c": "cannot be read", "d": "not hold", "e": "not hold", "../a": "no recipe"
    }.items():  # fmt: skip
        with pytest.raises(RecipeError, match=said):
            service.recipe(name)
    monkeypatch.setattr(service, "RECIPES", tmp_path / "gone")
    with pytest.raises(RecipeError, match="not here"):
        service.recipe("a")


def lend(folder: Path, name: str, recipe: str, **data: Any) -> Path:
    """The shipped checkpoint of FER2013 labels without its weights, as if it came from another recipe."""
    shutil.copytree(SHIPPED / "mobilenetv2-fer2013", folder / name)
    (folder / name / "model.safetensors").unlink()
    card = json.loads((folder / name / "card.json").read_text())
    card |= {"name": name, "recipe": recipe, "system": "-".join(recipe.split("-")[:2])}
    card["data"] |= data
    (folder / name / "card.json").write_text(json.dumps(card))
    return folder / name


def lend_some(folder: Path) -> None:
    """Three that have evaluations only, beside a shipped one with weights."""
    (folder / DEFAULT_CHECKPOINT).symlink_to(SHIPPED / DEFAULT_CHECKPOINT)
    lend(folder, "shsu-2023-cnn", "shsu-2023-cnn", epochs=40, counts=COUNTS)
    after = dict.fromkeys(COUNTS, 7215)
    lend(folder, "shsu-2023-cnn-balanced", "shsu-2023-cnn-balanced", epochs=9, counts=COUNTS, counts_balanced=after)
    lend(folder, "mbstu-2021-resnet18", "mbstu-2021-resnet18", epochs=20)


@pytest.fixture
def lent(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of shipped checkpoints of which some have evaluations only."""
    folder = tmp_path / "checkpoints"
    folder.mkdir()
    lend_some(folder)
    monkeypatch.setenv("FER_CHECKPOINTS", str(folder))
    monkeypatch.delenv("FER_DATA", raising=False)
    return folder


def accuracy(card: Card, split: str, tta: str) -> float:
    said = {"data": "fer2013", "split": split, "labels": "fer2013", "tta": tta}
    return next(float(each["accuracy"]) for each in card.metrics if said.items() <= each.items())


def tables(app: AppTest) -> list[Any]:
    return [each.value for each in app.dataframe]


def test_the_overview_has_all_five_and_opens_each(lent: Path) -> None:
    app = open_page("systems")
    assert not app.exception and not app.error
    table = tables(app)[0].set_index("System")
    assert tuple(table.index) == NAMES
    ours = 100 * accuracy(CARD, "private_test", "none")
    assert table.loc["shsu-2023", "We measure"] == pytest.approx(ours)
    assert table.loc["shsu-2023", "Difference"] == pytest.approx(ours - 63)
    assert "none can be compared" in table.loc["ubb-2021", "State"]
    assert table.loc["shsu-2023", "Recipes trained"].startswith("2 of ")
    app.button(key="open-mru-2025").click().run()
    assert "Malla Reddy" in words(app)


@pytest.mark.parametrize("name", NAMES)
def test_every_view_opens_with_the_shipped_checkpoints_alone(home: Path, name: str) -> None:
    app = open_page("systems", system=name)
    assert system(name).summary[:20] in words(app).replace("\\", "")
    for view in VIEWS:
        app.segmented_control(key="show").set_value(view).run()
        assert not app.exception and not app.error, view
    assert "contradicts itself" in words(app)


@pytest.mark.parametrize(
    "asked", [{"system": "<b>"}, {"show": "x"}, {"system": ""}, {"show": "Recipes", "recipe": "../x"}]
)
def test_addresses_with_nonsense_are_no_crash(home: Path, asked: dict[str, str]) -> None:
    app = open_page("systems", **({"system": "shsu-2023"} | asked))
    assert not app.exception and not app.error


def test_without_any_checkpoint_the_claims_and_commands_stand(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FER_CHECKPOINTS", str(tmp_path))
    app = open_page("systems", system="mru-2025")
    assert not app.exception and not app.error
    assert set(tables(app)[0]["State"]) == {NOT_TRAINED} and tables(app)[0]["We measure"].isna().all()
    assert "python -m training.train mru-2025-cnn" in app.code[0].value
    app.segmented_control(key="show").set_value("Curves").run()
    assert "only the authors' points" in words(app)
    app.segmented_control(key="show").set_value("Classes").run()
    assert "evaluated here yet" in words(app)


def test_figures_stand_beside_each_other_with_epochs(lent: Path) -> None:
    table = tables(open_page("systems", system="mbstu-2021"))[0].set_index("Figure")
    rows = table.loc["ResNet18, accuracy"]
    ours = 100 * accuracy(CARD, "private_test", "tencrop")
    assert rows["We measure"].tolist() == pytest.approx([ours] * 3)
    assert rows["Difference"].tolist() == pytest.approx([ours - theirs for theirs in (53.60, 55.11, 64.61)])
    assert rows["State"].tolist() == ["compared", *["compared, other epochs"] * 2]
    assert rows["Our epochs"].tolist() == ["20"] * 3 and rows["Their epochs"].tolist() == [20, 30, 300]
    assert set(rows["Beside it"]) == {
        f"{100 * accuracy(CARD, 'public_test', 'none'):.1f} % of mbstu-2021-resnet18 on fer2013 public_test, ten crops "
        "(ours: single views)"
    }
    assert table.loc["VGG19, accuracy", "State"].tolist() == [NOT_TRAINED] * 3
    found = evaluations.outcomes(Question("mbstu-2021-resnet18", "fer2013-private_test", "fer2013"))
    assert set(table.loc["ResNet18, classes detected", "We measure"]) == {100 * detected(confusion(found)).mean()}


def test_reasons_stand_with_the_claims_they_are_of(home: Path) -> None:
    app = open_page("systems", system="ubb-2021")
    ubb = system("ubb-2021")
    text = words(app).replace("\\", "")
    assert all(why in text for why in ubb.not_comparable)
    shown = sum(len(table) for table in tables(app) if "They report" in table)
    assert shown == len(ubb.claims)


def test_classes_theirs_and_ours(lent: Path) -> None:
    app = open_page("systems", system="shsu-2023", show="Classes")
    assert app.selectbox(key="table").value == "CNN on FER2013 before augmentation", "the first that ours is there for"
    table = tables(app)[0].set_index("Class")
    found = evaluations.outcomes(Question("shsu-2023-cnn", "fer2013-private_test", "fer2013"))
    report = class_report(found).set_index("class")
    for metric, title in (("precision", "Precision"), ("recall", "Recall"), ("f1", "F1")):
        ours = 100 * report.loc[table.index, metric]
        assert table[f"{title}, we"].tolist() == pytest.approx(ours.tolist(), abs=1e-3)  # cards are rounded
        assert (table[f"{title}, we"] - table[f"{title}, they"]).tolist() == pytest.approx(table[f"{title} ±"].tolist())
    app = open_page("systems", system="mbstu-2021", show="Classes")
    assert list(tables(app)[0]) == [
        "Class", "Recall after 20", "Recall after 30", "Recall after 300", "Recall, we",
    ]  # fmt: skip


def test_balancing_shows_both_sides_and_the_classes(lent: Path) -> None:
    app = open_page("systems", system="shsu-2023", show="Balance")
    assert not app.exception and not app.error
    table = tables(app)[0].set_index(["Network", "Data"])
    assert table.loc[("CNN", "fer2013"), "Our change"] == pytest.approx(0)
    assert table.loc[("CNN", "fer2013"), "Their change"] == pytest.approx(-1)
    assert app.selectbox(key="classes-of").value == "shsu-2023-cnn-balanced"


def test_a_recipe_is_shown_or_its_absence_said(lent: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = open_page("systems", system="shsu-2023", show="Recipes", recipe="shsu-2023-cnn-balanced")
    shown = "".join(str(each.proto) for each in app.get("html"))
    assert "by: augment" in shown and "rmsprop" in shown, "its own and the extended settings"
    assert app.button(key="to-shsu-2023-cnn-balanced")
    monkeypatch.setattr(service, "RECIPES", tmp_path / "gone")
    app = open_page("systems", system="shsu-2023", show="Recipes")
    assert not app.exception and "not here" in app.error[0].value
    assert "python -m training.train shsu-2023-cnn" in app.code[0].value


def test_damaged_files_of_one_checkpoint_leave_the_page_whole(lent: Path) -> None:
    (lent / "shsu-2023-cnn" / "history.csv").write_text("epoch\nx\n")
    (lent / "shsu-2023-cnn" / "evaluations" / "fer2013-private_test.parquet").write_bytes(b"PAR1")
    for view in ("Figures", "Curves", "Balance"):
        app = open_page("systems", system="shsu-2023", show=view)
        assert not app.exception and not app.error, view
    app = open_page("systems", system="shsu-2023", show="Classes", ours="shsu-2023-cnn", on="fer2013-private_test")
    assert not app.exception and "cannot be read" in app.error[0].value


def test_folders_without_weights_can_be_looked_at_but_not_run(lent: Path) -> None:
    assert set(checkpoint_names()) - set(runnable_names()) == {
        "shsu-2023-cnn", "shsu-2023-cnn-balanced", "mbstu-2021-resnet18"
    }  # fmt: skip
    assert runnable_names() == [DEFAULT_CHECKPOINT]
    listed = words(open_page("models")).replace("\\", "")
    small = {line.strip().split(",")[0]: line for line in listed.splitlines() if line.count(",") >= 2}
    assert "evaluations only" in small[":small[shsu-2023-cnn"] and "MB" in small[f":small[{DEFAULT_CHECKPOINT}"]
    app = open_page("model", checkpoint="shsu-2023-cnn", view="Card")
    assert not app.exception and not app.error
    assert "training.train shsu-2023-cnn" in words(app).replace("\\", "")
    app = open_page("model", checkpoint="shsu-2023-cnn", labels="fer2013")
    assert not app.exception and not app.error
    assert app.selectbox(key="checkpoint").value == "shsu-2023-cnn" and "of 3,589 pictures" in words(app)
    with pytest.raises(CheckpointError, match=r"training\.train shsu-2023-cnn"):
        evaluations.ask("shsu-2023-cnn", "fer2013", "private_test", skip_unreadable=False, find_faces=False)
    with pytest.raises(CheckpointError, match=r"safetensors is missing.* training\.train shsu-2023-cnn"):
        load("shsu-2023-cnn")


def test_only_checkpoints_with_weights_are_offered_where_one_must_run(lent: Path, data_dir: Path) -> None:
    jobs.add("a" * 32, kind="video", name="a.mp4", info=INFO)
    models = next(each for each in open_page("videos").multiselect if each.label == "Models")
    assert models.options == [titled(DEFAULT_CHECKPOINT)]
    from dashboard.services import datasets

    datasets.add(str(data_dir / "fer2013"))
    app = open_page("face", checkpoint="shsu-2023-cnn")
    assert app.selectbox(key="checkpoint").options == [titled(DEFAULT_CHECKPOINT)]
    assert "weights of shsu-2023-cnn are missing" in words(app).replace("\\", "")
    app = open_page("model", checkpoint="shsu-2023-cnn", view="Card")
    assert not [each for each in app.button if each.label == "Evaluate"]


def test_where_nothing_can_run_the_pages_say_so(lent: Path) -> None:
    (lent / DEFAULT_CHECKPOINT).unlink()
    jobs.add("a" * 32, kind="video", name="a.mp4", info=INFO)
    app = open_page("videos")
    assert not app.exception and "No checkpoint here has weights" in words(app)
    assert next(each for each in app.button if each.label == "Analyze").disabled


@pytest.mark.parametrize(
    ("changes", "command"),
    [
        ({"recipe": "mru-2025-cnn"}, "python -m training.train mru-2025-cnn"),
        (
            {
                "recipe": "shsu-2023-mobilenet-rafdb-fold3",
                "data": {"command": {"recipe": "shsu-2023-mobilenet", "fold": 3, "dataset": "rafdb", "epochs": 9}},
            },
            "python -m training.train shsu-2023-mobilenet --dataset rafdb --fold 3 --epochs 9",
        ),
        ({"recipe": "x; echo"}, ""),
        ({"data": {"command": {"recipe": "mru-2025-cnn", "epochs": "9 | sh"}}}, ""),
        ({"architecture": "onnx", "options": {"of": "mru-2025-cnn"}}, "python -m training.edge mru-2025-cnn"),
        (
            {"data": {"pruned": {"of": "mru-2025-cnn", "share": 0.3}}},
            "python -m training.edge mru-2025-cnn --prune 0.3",
        ),
        ({"recipe": ""}, ""),
    ],
)
def test_cards_name_the_command_that_makes_their_weights(changes: dict[str, Any], command: str) -> None:
    assert dataclasses.replace(CARD, **changes).training_command == command


def test_the_notebook_example_runs() -> None:
    text = (SHIPPED.parent / "docs" / "systems.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"```python\n(.*?)```", text, flags=re.S)
    done = subprocess.run(
        [sys.executable, "-c", block], capture_output=True, text=True, cwd=SHIPPED.parent, check=False
    )
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == len(system("mru-2025").claims) and "mru-2025-cnn" in done.stdout


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory, browser: Any) -> Iterator[str]:
    """The app with some checkpoints that have evaluations only."""
    folder = tmp_path_factory.mktemp("lent")
    lend_some(folder)
    with ExitStack() as stack:
        with pytest.MonkeyPatch.context() as patch:  # for the app alone
            patch.setenv("FER_CHECKPOINTS", str(folder))
            patch.delenv("FER_DATA", raising=False)
            address, _ = stack.enter_context(running_app(tmp_path_factory.mktemp("systems")))
        yield address


@pytest.mark.browser
def test_from_the_overview_to_the_faces_of_a_cell(browser: Any, address: str) -> None:
    with watched_tab(browser, height=1600) as tab:
        tab.goto(f"{address}/systems")
        tab.get_by_test_id("stDataFrame").wait_for()
        tab.get_by_role("button", name="shsu-2023").last.click()
        tab.get_by_role("heading", name="Real-Time Human Emotion Recognition").wait_for()
        tab.get_by_role("heading", name="Their figures and ours", exact=True).wait_for()
        tab.wait_for_url("**system=shsu-2023**")
        tab.get_by_test_id("stDataFrame").get_by_text("CNN, accuracy, before balancing").first.wait_for(
            state="attached"
        )
        tab.get_by_text("Classes", exact=True).click()
        tab.get_by_role("grid", name="7 emotions").wait_for()
        found = evaluations.outcomes(Question("mobilenetv2-fer2013", "fer2013-private_test", "fer2013"))
        n = int(confusion(found)[found.names.index("fear"), found.names.index("sad")])
        tab.get_by_role("button", name=f"labelled fear, answered sad: {n},").click()
        tab.get_by_text(f"{n:,} of 3,589 pictures").wait_for()
        assert all(part in tab.url for part in ("/model", "checkpoint=shsu-2023-cnn", "true=fear", "predicted=sad"))


@pytest.mark.browser
def test_from_a_recipe_to_its_checkpoint_and_its_errors(browser: Any, address: str) -> None:
    with watched_tab(browser, height=1200) as tab:
        tab.goto(f"{address}/systems?system=mbstu-2021&show=Recipes&recipe=mbstu-2021-resnet18")
        tab.get_by_role("button", name="mbstu-2021-resnet18").last.click()
        tab.get_by_text("The weights of mbstu-2021-resnet18 are missing").wait_for()
        tab.get_by_text("Errors", exact=True).click()
        tab.get_by_text("of 3,589 pictures").wait_for()
        assert "/model?" in tab.url and "checkpoint=mbstu-2021-resnet18" in tab.url


@pytest.mark.browser
def test_no_view_scrolls_sideways_on_a_phone(browser: Any, address: str) -> None:
    with watched_tab(browser, width=390, height=844) as tab:
        tab.goto(f"{address}/systems?system=shsu-2023")
        for view in VIEWS:
            tab.get_by_text(view, exact=True).first.click()
            tab.wait_for_url(f"**show={view}**") if view != VIEWS[0] else at_rest(tab)
            tab.get_by_text("Measures facial expressions").wait_for()
            at_rest(tab)
            assert tab.evaluate("document.scrollingElement.scrollWidth") <= 390, view
            assert tab.get_by_text("Traceback").count() == 0
