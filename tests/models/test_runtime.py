"""The way a network is run: the fastest of those that give its own scores."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from fer_core.models import runtime
from fer_core.models.card import InputSpec
from fer_core.models.classifier import Classifier, load
from fer_core.models.folders import DEFAULT_CHECKPOINT
from fer_core.models.onnx_net import OnnxNetwork
from fer_core.models.registry import EmotionNetwork
from fer_core.models.runtime import BFLOAT16, EXACT, ONNX_RUNTIME, TORCH, LowPrecision, fastest
from tests.support.networks import Wrapped, classifier_of, squares

GRAPHS: dict[bytes, bytes] = {}


@pytest.fixture(autouse=True)
def once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Which way is the fastest matters nowhere here: each is timed once, on a few faces; a graph is made once."""
    drawn, export = runtime._faces, runtime.exported

    def exported(net: EmotionNetwork, spec: InputSpec) -> bytes:
        weights = b"".join(values.numpy().tobytes() for values in net.state_dict().values())
        key = hashlib.sha256(weights + repr((net, spec)).encode()).digest()
        return GRAPHS.get(key) or GRAPHS.setdefault(key, export(net, spec))

    monkeypatch.setattr(runtime, "ROUNDS", 1)
    monkeypatch.setattr(runtime, "_faces", lambda size, n=8: drawn(size, n))
    monkeypatch.setattr(runtime, "exported", exported)


@pytest.fixture
def classifier() -> Classifier:
    """Nothing is known about it yet."""
    return load(DEFAULT_CHECKPOINT, device="cpu")


def kept(home: Path) -> list[Path]:
    return sorted((home / "runtimes").glob("*.json"))


def ways(
    classifier: Classifier, home: Path, tolerance: float = runtime.TOLERANCE
) -> dict[str, Callable[[], EmotionNetwork]]:
    return runtime._ways(classifier, home / "runtimes" / "graph.onnx", tolerance)


@pytest.fixture
def for_bfloat16(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtime, "computes_bfloat16", lambda: True)


@pytest.mark.usefixtures("for_bfloat16")
def test_a_shipped_network_gives_its_scores_whichever_way_it_is_run(home: Path, classifier: Classifier) -> None:
    crops = np.random.default_rng(1).integers(0, 256, (5, 48, 48, 3), dtype=np.uint8)
    wanted = classifier.predict(crops)
    for name, make in ways(classifier, home).items():
        found = classifier.run_by(make()).predict(crops)
        exact = name != BFLOAT16
        np.testing.assert_allclose(found.probabilities, wanted.probabilities, atol=1e-5 if exact else 0.05)
        assert found.features.shape == wanted.features.shape and found.features.dtype == np.float32
    assert set(ways(classifier, home)) == {TORCH, BFLOAT16, ONNX_RUNTIME}


def test_the_choice_is_measured_once_and_kept(
    home: Path, classifier: Classifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen, found = fastest(classifier)
    assert found.name == min(found.ms_per_face, key=found.ms_per_face.__getitem__) and TORCH in found.ms_per_face
    assert chosen.name == classifier.name and chosen.card is classifier.card
    (path,) = kept(home)
    assert json.loads(path.read_text())["name"] == found.name
    monkeypatch.setattr(runtime, "_measured", lambda *_: pytest.fail("measured again"))
    assert fastest(classifier) == (chosen, found), "ready"
    classifier.faster.clear()
    assert fastest(classifier)[1] == found, "read from the folder"


RARELY = [pytest.param(content, marks=pytest.mark.nightly) for content in ("{", "[]", '{"name": "torch float32"}')]


@pytest.mark.parametrize("content", ["", '{"name": "abacus"}', *RARELY])
def test_a_damaged_note_is_measured_again(home: Path, classifier: Classifier, content: str) -> None:
    fastest(classifier)
    (path,) = kept(home)
    path.write_text(content)
    classifier.faster.clear()
    found = fastest(classifier)[1]
    assert json.loads(path.read_text())["name"] == found.name and found.ms_per_face


def test_the_graph_is_made_once(home: Path, classifier: Classifier, monkeypatch: pytest.MonkeyPatch) -> None:
    made = ways(classifier, home)[ONNX_RUNTIME]()
    monkeypatch.setattr(runtime, "exported", lambda *_: pytest.fail("made again"))
    again = ways(classifier, home)[ONNX_RUNTIME]()
    answers = [classifier.run_by(each).predict(squares()[None]).logits for each in (made, again)]
    np.testing.assert_array_equal(*answers)


@pytest.mark.parametrize("note", [True, False])
def test_a_damaged_graph_is_made_again(
    home: Path, classifier: Classifier, monkeypatch: pytest.MonkeyPatch, note: bool
) -> None:
    monkeypatch.setattr(runtime, "_seconds", lambda tried, _: 1.0 - 0.5 * isinstance(tried.net, OnnxNetwork))
    assert fastest(classifier)[1].name == ONNX_RUNTIME
    (graph,) = (home / "runtimes").glob("*.onnx")
    graph.write_bytes(graph.read_bytes()[:1000])
    if not note:
        kept(home)[0].unlink()
    classifier.faster.clear()
    assert fastest(classifier)[1].name == ONNX_RUNTIME
    assert graph.stat().st_size > 1000


def test_a_network_of_other_options_is_measured_on_its_own(home: Path, classifier: Classifier) -> None:
    fastest(classifier)
    classifier.card = dataclasses.replace(classifier.card, options=classifier.card.options | {"negative_slope": 0.2})
    classifier.faster.clear()
    fastest(classifier)
    assert len(kept(home)) == 2


def test_a_way_that_came_to_answer_otherwise_is_out(home: Path, classifier: Classifier) -> None:
    fastest(classifier)
    with torch.no_grad():
        classifier.net.head.bias[0] += 3  # the same name and checksum, but not what the graph was made from
    classifier.faster.clear()
    chosen, _ = fastest(classifier)
    np.testing.assert_allclose(
        chosen.predict(squares()[None]).probabilities, classifier.predict(squares()[None]).probabilities, atol=0.02
    )


def test_a_cpu_without_instructions_for_bfloat16_is_not_asked_for_it(
    home: Path, classifier: Classifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, able in (("avx512_bf16", True), ("amx_bf16", True), ("bf16", True), ("avx2", False)):
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda name=name: {"avx512_bf16": False} | {name: True})
        assert (BFLOAT16 in ways(classifier, home)) == able


@pytest.mark.usefixtures("for_bfloat16")
def test_figures_that_are_published_do_not_come_from_lower_precision(
    home: Path, classifier: Classifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runtime, "_seconds", lambda tried, _: 1.0 - 0.5 * isinstance(tried.net, LowPrecision))
    assert fastest(classifier, 1.0)[1].name == BFLOAT16
    assert not list((home / "runtimes").glob("*.onnx")), "a graph that is not used is not kept"
    assert BFLOAT16 in fastest(classifier, EXACT)[1].refused


def test_other_weights_or_threads_are_measured_on_their_own(home: Path, classifier: Classifier) -> None:
    threads = torch.get_num_threads()
    fastest(classifier)
    fastest(load("mobilenetv2-fer2013", device="cpu"))
    torch.set_num_threads(threads + 1)
    try:
        fastest(classifier)
    finally:
        torch.set_num_threads(threads)
    assert len(kept(home)) == 3


class Odd(nn.Module):
    """Answers otherwise when a trace is made, or more than two pictures come."""

    def __init__(self, answer: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.answer = answer
        self.layer = nn.Linear(48 * 48, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.answer(self.layer(x.flatten(1)))


@pytest.mark.parametrize(
    "answer",
    [
        lambda x: x + 10 * torch.jit.is_tracing(),
        lambda x: x / (0 if torch.jit.is_tracing() else 1),
        lambda x: x.reshape(2, 3) if torch.jit.is_tracing() else x,
        lambda x: torch.from_numpy(x.numpy().copy()),
    ],
    ids=["other", "infinite", "two pictures only", "a constant"],
)
def test_what_answers_otherwise_is_out(home: Path, answer: Callable[[Tensor], Tensor]) -> None:
    torch.manual_seed(0)
    tried = classifier_of(Wrapped(Odd(answer), 3))
    chosen, found = fastest(tried)
    assert ONNX_RUNTIME in found.refused and ONNX_RUNTIME not in found.ms_per_face and TORCH in found.ms_per_face
    crops = np.stack([squares(), squares(dark=False)])
    np.testing.assert_allclose(chosen.predict(crops).probabilities, tried.predict(crops).probabilities, atol=0.02)
    assert kept(home) == [], "weights without a name are not remembered"


@pytest.mark.usefixtures("for_bfloat16")
def test_lower_precision_that_changes_scores_is_out(home: Path) -> None:
    """Every feature is a large number that all have in common, and what bfloat16 rounds away decides."""
    torch.manual_seed(0)
    many = nn.Linear(48 * 48, 64)
    nn.init.normal_(many.weight, mean=0.1, std=0.002)
    net = Wrapped(nn.Sequential(nn.Flatten(), many), 64)
    with torch.no_grad():
        net.head.weight.sub_(net.head.weight.mean(dim=1, keepdim=True)).mul_(10)
    assert BFLOAT16 in fastest(classifier_of(net))[1].refused


def test_onnx_checkpoints_run_as_they_are(home: Path, classifier: Classifier) -> None:
    net = ways(classifier, home)[ONNX_RUNTIME]()
    assert isinstance(net, OnnxNetwork)
    closed = classifier.run_by(net)
    chosen, found = fastest(closed)
    assert chosen is closed and found.name.startswith("ONNX Runtime") and not found.ms_per_face


def test_a_folder_that_cannot_be_written_to_does_not_matter(home: Path, classifier: Classifier) -> None:
    home.mkdir(exist_ok=True)
    (home / "runtimes").write_text("in the way")
    assert fastest(classifier)[1].ms_per_face


@pytest.mark.parametrize("name", ["compact-resnet-votes1-ferplus", "mobilenetv2-ferplus", "mru-2025-cnn"])
def test_low_precision_folds_batch_norms_in_a_copy_that_answers_alike(name: str) -> None:
    net = load(name, device="cpu").net
    norms = [each for each in net.modules() if isinstance(each, torch.nn.BatchNorm2d)]
    folded = LowPrecision(net, torch.float32).net
    left = [each for each in folded.modules() if isinstance(each, torch.nn.BatchNorm2d)]
    assert len(left) == (len(norms) if name == "mru-2025-cnn" else 0), "there an activation stands in between"
    assert norms == [each for each in net.modules() if isinstance(each, torch.nn.BatchNorm2d)], "the original is left"
    x = torch.randn(4, 1, 48, 48, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        for mine, theirs in zip(folded.features_and_logits(x), net.features_and_logits(x), strict=True):
            torch.testing.assert_close(mine, theirs, atol=1e-3, rtol=1e-3)


def test_low_precision_answers_in_float32(classifier: Classifier) -> None:
    net = LowPrecision(classifier.net, torch.bfloat16)
    with torch.inference_mode():
        answers = net.features_and_logits(torch.randn(2, 1, 44, 44))
    assert {each.dtype for each in answers} == {torch.float32}
