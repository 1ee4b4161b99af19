"""Networks that learn from others: where they start, the softened answers, the loss, and a run from end to end."""

from __future__ import annotations

import dataclasses
import shutil
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch._dynamo.utils import counters as dynamo_counters
from torch.nn import functional as F

from fer_core.errors import RecipeError
from fer_core.models.classifier import load
from fer_core.models.runtime import EXACT
from training import train as command
from training import trainer
from training.data import FaceTensors, teacher_of
from training.export import export_checkpoints
from training.options import parser
from training.prepare import PreparedData, choose_pictures, find_all, prepare
from training.recipe import FERPLUS, OWN, Recipe, load_recipe, network_recipe
from training.results import Results
from training.settings import Target, Teacher
from training.teach import softened, start_heads, start_net, teachers_answers

OPTIONS = {"widths": [4, 4, 8, 8], "kernels": [3, 3, 3, 3], "hidden": [8], "dropout": 0.0, "map_dropout": 0.0}
DEMO = dataclasses.replace(network_recipe("demo"), options=OPTIONS, epochs=1, batch_size=16)


def taught(**changes: Any) -> Recipe:
    target = Target(1.0, 0.0, "student", Teacher(["teacher"], **changes))
    return dataclasses.replace(DEMO, name="student", targets={OWN: target})


def prepared(recipe: Recipe, drawn: Path, run: Path) -> PreparedData:
    return prepare(recipe, choose_pictures(recipe, find_all(recipe.data, {"drawn": drawn})), run / "pictures")


def trained(recipe: Recipe, drawn: Path, run: Path, out: Path) -> Path:
    command.start_run(run, recipe, "test", fresh=False)
    ready = prepared(recipe, drawn, run)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Lightning has advice on runs of a few steps
        trainer.train(ready, run, teachers=teachers_answers(ready, run, out))
    model = trainer.build_module(ready.recipe).model
    return export_checkpoints(ready, state=trainer.kept_state(run, recipe), results=Results(out, run), model=model)[0]


@pytest.fixture(scope="module")
def out(drawn: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a trained checkpoint ``teacher``."""
    folder = tmp_path_factory.mktemp("out")
    target = Target(1.0, 0.0, "teacher")
    trained(dataclasses.replace(DEMO, targets={OWN: target}), drawn, folder / "run", folder)
    return folder


def test_answers_are_softened_as_logits_are() -> None:
    logits = torch.tensor([[2.0, 0.0, -1.0], [0.5, 0.5, 3.0]])
    expected = (logits / 3).softmax(dim=1).numpy()
    np.testing.assert_allclose(softened(logits.softmax(dim=1).numpy(), 3.0), expected, atol=1e-6)
    assert np.isfinite(softened(np.array([[1.0, 0.0]], np.float32), 2.0)).all()


INDUCTOR = pytest.param(
    "inductor", marks=[pytest.mark.nightly, pytest.mark.skipif(
        not (shutil.which("g++") or shutil.which("clang++")), reason="torch compiles with a C++ compiler",
    )],
)  # fmt: skip


@pytest.mark.parametrize("backend", ["aot_eager", INDUCTOR])
def test_a_compiled_network_learns_the_same(
    drawn: Path, tmp_path: Path, backend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is traced is the same whichever program is written from it; torch's own writes C++, which takes long."""
    compile_ = torch.nn.Module.compile
    monkeypatch.setattr(torch.nn.Module, "compile", lambda net, **how: compile_(net, backend=backend, **how))
    sgd = dataclasses.replace(DEMO.optimiser, name="sgd", lr=0.1)  # Adam would blow up what is left of rounding
    recipe = dataclasses.replace(DEMO, name="student", optimiser=sgd, precision="32-true")
    states, known = [], dynamo_counters["frames"]["ok"]
    for compiles in (False, True):
        run = tmp_path / str(compiles)
        command.start_run(run, recipe, "test", fresh=False)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # as above
            trainer.train(prepared(recipe, drawn, run), run, trainer.Machine(compiles=compiles))
        states.append(torch.load(trainer.kept_state(run, recipe), weights_only=True)["state_dict"])
    assert states[0].keys() == states[1].keys()
    for name, eager in states[0].items():
        torch.testing.assert_close(states[1][name], eager, rtol=1e-3, atol=1e-4)
    assert dynamo_counters["frames"]["ok"] > known


def test_the_loss_is_shared_between_labels_and_teachers(drawn: Path, tmp_path: Path) -> None:
    recipe = taught(weight=0.25, temperature=2.0)
    module = trainer.build_module(recipe, prepared(recipe, drawn, tmp_path))
    logits, labels = torch.randn(4, 7), torch.tensor([0, 3, 3, 6])
    answers = torch.rand(4, 7).softmax(dim=1)
    got = module._loss(OWN, logits, {OWN: labels, teacher_of(OWN): answers})
    soft = -(answers * (logits / 2).log_softmax(dim=1)).sum(dim=1).mean()
    torch.testing.assert_close(got, 0.75 * F.cross_entropy(logits, labels) + 0.25 * 4 * soft)
    torch.testing.assert_close(module._loss(OWN, logits, {OWN: labels}), F.cross_entropy(logits, labels))


def test_a_student_is_trained_on_the_answers_of_its_teacher(drawn: Path, out: Path, tmp_path: Path) -> None:
    recipe = taught(weight=1.0, temperature=1.0)
    ready = prepared(recipe, drawn, tmp_path)
    answers = teachers_answers(ready, tmp_path, out)[OWN]
    expected = load(out / "teacher").predict(np.asarray(ready.seen.images), tta="flip").probabilities
    np.testing.assert_allclose(answers, expected, atol=EXACT)  # whichever way of running them is the fastest now
    batch = FaceTensors(ready.train, needs_votes=False, teachers={OWN: answers})[[5, 0]]
    np.testing.assert_allclose(batch[teacher_of(OWN)].numpy(), answers[[5, 0]])
    card = load(trained(recipe, drawn, tmp_path / "run", out)).card
    assert card.name == "student" and card.recipe_sha256 == recipe.sha256


def test_answers_are_kept_until_the_teacher_changes(
    drawn: Path, out: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ready = prepared(taught(), drawn, tmp_path)
    first = teachers_answers(ready, tmp_path, out)[OWN]
    predict = "fer_core.models.classifier.Classifier.predict"
    monkeypatch.setattr(predict, None)
    np.testing.assert_array_equal(teachers_answers(ready, tmp_path, out)[OWN], first)
    record = tmp_path / "teacher-own.json"
    record.write_text(record.read_text().replace("[[", '[["older", ', 1))
    with pytest.raises(TypeError):
        teachers_answers(ready, tmp_path, out)


def test_a_run_starts_from_the_weights_of_a_checkpoint(drawn: Path, out: Path, tmp_path: Path) -> None:
    recipe = dataclasses.replace(DEMO, name="later", weights="teacher", targets={OWN: Target(1.0, 0.0, "later")})
    args = parser("").parse_args(["demo", "--data", str(drawn), "--out", str(out)])
    args.recipe_name = recipe.name
    taken = start_net(recipe, out)
    assert taken is not None and start_net(DEMO, out) is None
    expected = load(out / "teacher").net.state_dict()
    assert all(torch.equal(value, expected[name]) for name, value in taken.state_dict().items())
    assert all(each.training for each in taken.modules())
    still = dataclasses.replace(recipe, optimiser=dataclasses.replace(recipe.optimiser, lr=1e-9), ema=0.0)
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        patch.setenv("FER_RUNS", str(tmp_path))
        command.run_recipe(still, recipe.name, args)
    later = load(out / "later")
    assert any(note.startswith("Started from the weights of teacher") for note in later.card.notes)
    learnt = {name for name, _ in later.net.named_parameters()}
    for name, value in later.net.state_dict().items():
        if name in learnt:
            torch.testing.assert_close(value, expected[name], atol=2e-3, rtol=2e-3)


def test_a_target_starts_from_the_last_layer_that_it_names(drawn: Path, out: Path, tmp_path: Path) -> None:
    other = tmp_path / "out"
    another = dataclasses.replace(DEMO, seed=5, targets={OWN: Target(1.0, 0.0, "other")})
    trained(another, drawn, tmp_path / "run", other)
    shutil.copytree(out / "teacher", other / "teacher")
    targets = {OWN: Target(1.0, 0.0, "own"), FERPLUS: Target(1.0, 0.0, "votes", head="other")}
    recipe = dataclasses.replace(DEMO, weights="teacher", targets=targets)
    model = trainer.build_module(recipe, net=start_net(recipe, other), heads=start_heads(recipe, other)).model
    for name, expected in ((OWN, "teacher"), (FERPLUS, "other")):
        torch.testing.assert_close(model.heads[name].weight, load(other / expected).net.head.weight)
    assert not torch.equal(model.heads[OWN].weight, model.heads[FERPLUS].weight)
    with pytest.raises(RecipeError, match="needs the trunk that it learnt on"):
        start_heads(dataclasses.replace(recipe, weights="scratch"), other)


def test_rare_answers_are_raised_after_training(drawn: Path, out: Path, tmp_path: Path) -> None:
    target = Target(1.0, 0.0, "raised", floor=0.99)
    raised = load(trained(dataclasses.replace(DEMO, name="raised", targets={OWN: target}), drawn, tmp_path, tmp_path))
    found = (raised.net.head.bias - load(out / "teacher").net.head.bias).detach()
    assert found.max() > 0.02 and found.min() > -0.01  # all else as in the run without a floor
    (note,) = (each for each in raised.card.notes if "logits were raised after training" in each)
    assert raised.labels[int(found.argmax())] in note
    with pytest.raises(ValueError, match="floor"):
        Target(1.0, 0.0, "raised", floor=1.0)


def test_a_start_with_other_layers_is_refused(out: Path) -> None:
    wider = DEMO.options | {"widths": [4, 4, 8, 16]}
    with pytest.raises(RecipeError, match="cannot start from teacher: it has other layers"):
        start_net(dataclasses.replace(DEMO, weights="teacher", options=wider), out)
    with pytest.raises(ValueError, match="name of a checkpoint"):
        dataclasses.replace(DEMO, weights="")


@pytest.mark.parametrize(
    ("teacher", "words"),
    [
        ({"checkpoints": ["nobody"]}, "needs nobody, which cannot be used: .* No recipe makes it"),
        ({"checkpoints": []}, "one checkpoint or more"),
        ({"checkpoints": ["teacher"], "weight": 1.5}, "up to 1"),
        ({"checkpoint": ["teacher"]}, "'checkpoints'"),
    ],
)
def test_what_is_wrong_with_a_teacher_is_said(
    teacher: dict[str, Any], words: str, drawn: Path, out: Path, tmp_path: Path
) -> None:
    target = {"weight": 1.0, "smoothing": 0.0, "checkpoint": "student", "teacher": teacher}

    def ask() -> None:
        recipe = load_recipe("demo", targets={OWN: target})
        assert isinstance(recipe, Recipe)
        teachers_answers(prepared(recipe, drawn, tmp_path), tmp_path, out)

    with pytest.raises(RecipeError, match=words):
        ask()


def test_a_teacher_of_other_classes_is_refused(drawn: Path, out: Path, tmp_path: Path) -> None:
    eight = dataclasses.replace(taught(), data=dataclasses.replace(DEMO.data, labels=8))
    ready = dataclasses.replace(prepared(taught(), drawn, tmp_path), recipe=eight)
    with pytest.raises(RecipeError, match="contempt; teacher angry"):
        teachers_answers(ready, tmp_path, out)


def test_a_setting_at_its_default_does_not_change_the_hash() -> None:
    said = dataclasses.replace(DEMO, mix=dataclasses.replace(DEMO.mix, until=1.0), ema=0.0)
    assert said.sha256 == DEMO.sha256 != taught().sha256
    assert dataclasses.replace(DEMO, ema=0.9).sha256 != DEMO.sha256
