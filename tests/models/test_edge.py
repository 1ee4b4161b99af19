"""Checkpoints for small machines: what ONNX Runtime and a pruned network answer, and what is refused."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pandas as pd
import pytest
import torch
from onnx import AttributeProto, ModelProto, TensorProto, helper, numpy_helper
from torch import nn

from benchmarks.edge import variants
from dashboard.services import checkpoints, explained, jobs, pictures, work
from fer_core.data import load_fer2013
from fer_core.emotions import EMOTIONS
from fer_core.errors import CheckpointError, InputError, RecipeError
from fer_core.explain import feature_maps, heatmaps, layers, sanity
from fer_core.faces import make_detector
from fer_core.faces.geometry import CropGeometry
from fer_core.live.live_view import LiveView
from fer_core.models import onnx_net, registry
from fer_core.models.card import Card, InputSpec, read_card
from fer_core.models.checkpoint import save_checkpoint
from fer_core.models.classifier import Classifier, load
from fer_core.models.folders import added_folder
from fer_core.models.onnx_net import OnnxNetwork, open_onnx, providers
from fer_core.models.registry import EmotionNetwork
from fer_core.signals.emotion import EmotionScores
from fer_core.video.pipeline import analyze
from fer_core.video.store import open_analysis
from fer_core.video.timeline import score_columns
from tests.support import ROOT
from tests.support.faces_csv import write_fer2013_csv
from tests.support.networks import classifier_of
from training import edge
from training.edge import fold_norms, to_onnx
from training.prune import filter_norms, links, prune

TORCH, FLOAT32, INT8 = "tiny-pruned50", "tiny-pruned50-onnx", "tiny-pruned50-int8"
TINY = {"widths": [16, 16, 32], "hidden": [8], "dropout": [0.3]}


def tiny(architecture: str = "mru-cnn", **options: Any) -> EmotionNetwork:
    """A small network whose batch norms have seen something; all of them have positive factors."""
    torch.manual_seed(5)
    net = registry.build(architecture, n_labels=7, channels=1, **{**TINY, **options})
    for norm in (each for each in net.modules() if isinstance(each, nn.BatchNorm2d)):
        nn.init.uniform_(norm.weight, 0.5, 1.5)
        nn.init.normal_(norm.bias, 0.0, 0.3)
        assert norm.running_mean is not None and norm.running_var is not None
        norm.running_mean.normal_(0.1, 0.1)
        norm.running_var.uniform_(0.5, 1.5)
    return net.eval()


def card_of(**changes: Any) -> Card:
    spec, options = InputSpec(48, 1, [0.0], [1.0]), changes.pop("options", TINY)
    card = Card("tiny", "mru-cnn", list(EMOTIONS), spec, CropGeometry(48), 1.0, options=options)
    data = {"labels": "fer2013", "train": "training", "test": "private_test"}
    return dataclasses.replace(card, recipe="mru-2025-cnn", data=data, **changes)


@pytest.fixture(scope="module")
def miniature(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_fer2013_csv(tmp_path_factory.mktemp("fer2013"), n_training=96, n_test=21)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, miniature: Path) -> Path:
    """Folder of a checkpoint without half of its filters, and of its two ONNX checkpoints, made by the real command."""
    top = tmp_path_factory.mktemp("edge")
    save_checkpoint(top / "tiny", tiny(), card_of())
    command = [sys.executable, "-m", "training.edge", str(top / "tiny"), "--data", str(miniature), "--out", str(top)]
    done = subprocess.run(
        [*command, "--prune", "0.5", "--epochs", "1", "--calibration", "64"],
        cwd=top, env=os.environ | {"FER_RUNS": str(top / "runs"), "PYTHONPATH": str(ROOT)},
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert [line.split(":")[0] for line in done.stdout.splitlines()[-3:]] == [TORCH, FLOAT32, INT8]
    return top


@pytest.fixture(scope="module")
def crops(miniature: Path) -> np.ndarray:
    """Pictures (21, 48, 48) of the private test."""
    return np.asarray(load_fer2013(miniature, "private_test").images)


def test_onnx_runtime_answers_as_torch_does(made: Path, crops: np.ndarray) -> None:
    mine, theirs = load(made / TORCH, device="cpu"), load(made / FLOAT32, device="cpu")
    for tta in ("none", "flip"):
        wanted, found = mine.predict(crops, tta=tta), theirs.predict(crops, tta=tta)
        np.testing.assert_allclose(found.logits, wanted.logits, atol=1e-4)
        np.testing.assert_allclose(found.probabilities, wanted.probabilities, atol=1e-5)
    one_by_one, many = theirs.predict(crops, batch_size=1), theirs.predict(crops)
    np.testing.assert_allclose(one_by_one.logits, many.logits, atol=1e-5)
    np.testing.assert_allclose(one_by_one.features, many.features, atol=1e-5)
    assert many.features.shape == (21, 8) and np.ptp(many.logits, axis=0).min() > 1e-3
    assert len(theirs.predict(crops[:0])) == 0


def test_the_files_hold_what_their_names_say(made: Path) -> None:
    plain, small = (onnx.load(made / name / "model.onnx") for name in (FLOAT32, INT8))
    kinds = [node.op_type for node in plain.graph.node]
    assert "BatchNormalization" not in kinds and kinds.count("Conv") == 3
    assert "QuantizeLinear" in [node.op_type for node in small.graph.node]
    convolutions = [node for node in small.graph.node if node.op_type == "Conv"]
    made_by = {node.output[0]: node for node in small.graph.node}
    weights = {tensor.name: tensor for tensor in small.graph.initializer}
    for node in convolutions:
        levels, scales = (weights[name] for name in made_by[node.input[1]].input[:2])
        assert levels.data_type == TensorProto.INT8 and list(scales.dims) == [levels.dims[0]], "not one for each filter"
    for name in (FLOAT32, INT8):
        text = (made / name / "model.onnx").read_bytes()
        assert not any(word in text for word in (str(ROOT).encode(), str(made).encode(), b".py")), "paths of a machine"


def test_int8_answers_nearly_the_same_and_says_how_it_was_made(made: Path, crops: np.ndarray) -> None:
    plain, small = load(made / FLOAT32), load(made / INT8)
    far = np.abs(small.predict(crops).logits - plain.predict(crops).logits)
    assert 1e-6 < far.mean() < 0.1 * plain.predict(crops).logits.std()
    assert small.card.options == {"of": TORCH, "architecture": "mru-cnn", "precision": "int8"}
    assert small.card.data["calibration"] == {"split": "training", "n": 64}
    assert small.card.network == "mru-cnn, ONNX int8" and small.card.temperature != plain.card.temperature
    assert small.sha256 != plain.sha256 and small.reference is not None
    reports = {(each["split"], each["tta"]): each for each in small.card.metrics}
    assert set(reports) == {("public_test", "none"), *(("private_test", tta) for tta in ("none", "flip", "tencrop"))}
    truth = np.arange(21) % 7
    accuracy = float((small.predict(crops).logits.argmax(axis=1) == truth).mean())
    assert reports["private_test", "none"]["accuracy"] == pytest.approx(accuracy, abs=1e-4)
    table = pd.read_parquet(made / INT8 / "evaluations/fer2013-private_test.parquet")
    np.testing.assert_allclose(table.filter(regex="^logit_"), small.predict(crops).logits, atol=1e-4)


def test_a_video_is_analysed_by_onnx_as_by_torch(made: Path, clip: Path, tmp_path: Path) -> None:
    models = [load(made / name, device="cpu") for name in (TORCH, FLOAT32)]
    found = open_analysis(analyze(clip, tmp_path / "a", checkpoint=models))
    mine, theirs = (found.scores(name) for name in (TORCH, FLOAT32))
    columns = score_columns(mine)
    np.testing.assert_allclose(theirs[columns], mine[columns], atol=1e-4)
    assert len(theirs) == 12 and len(columns) == 7 and np.ptp(theirs[columns].to_numpy()) > 1e-3


def test_what_cannot_be_looked_into_says_where_one_can(made: Path, crops: np.ndarray) -> None:
    closed, colour = load(made / FLOAT32), np.repeat(crops[:1, ..., None], 3, axis=3)
    assert layers(closed) == [] and layers(load(made / TORCH)) != []
    for look in (
        lambda: heatmaps(closed, colour),
        lambda: feature_maps(closed, colour[0]),
        lambda: sanity(closed, colour[0], "happy"),
    ):
        with pytest.raises(InputError, match=f"{FLOAT32} cannot be explained.*Choose {TORCH}"):
            look()
    with pytest.raises(CheckpointError, match="cannot be classified on their own"):
        closed.net.classify(torch.zeros(1, 8))


def test_a_live_view_asks_int8_of_what_a_haar_cascade_finds(made: Path, portrait: np.ndarray) -> None:
    live = LiveView(make_detector("haar"), EmotionScores.of_checkpoint(load(made / INT8)))
    seen = [live.see(portrait, i / 10) for i in range(3)]
    assert [each.tracks.tolist() for each in seen] == [[0]] * 3
    assert all(each.probabilities.sum() == pytest.approx(1, abs=1e-5) for each in seen)


def test_pages_list_it_and_say_why_it_has_no_heatmap(made: Path, home: Path, portrait: np.ndarray) -> None:
    import cv2

    shutil.copytree(made / INT8, added_folder() / INT8)
    try:
        entry = next(each for each in checkpoints.entries() if each.name == INT8)
        assert entry.n_bytes == (made / INT8 / "model.onnx").stat().st_size and entry.is_added
        data = cv2.imencode(".png", cv2.cvtColor(portrait, cv2.COLOR_RGB2BGR))[1].tobytes()
        source = {"picture": pictures.keep("a.png", data), "face": 0}
        key = explained.ask([source], [explained.make_ask(INT8)])
        work.run_job(key)
        job = jobs.get(key)
        assert job is not None and job.state == "failed" and f"Choose {TORCH}" in job.error
    finally:
        shutil.rmtree(added_folder() / INT8)


def edit(change: Callable[[ModelProto], None]) -> Callable[[Path], None]:
    """Change the model of a folder."""

    def apply(folder: Path) -> None:
        model = onnx.load(folder / "model.onnx")
        change(model)
        (folder / "model.onnx").write_bytes(model.SerializeToString())

    return apply


def edit_card(**values: Any) -> Callable[[Path], None]:
    def apply(folder: Path) -> None:
        card = json.loads((folder / "card.json").read_text())
        (folder / "card.json").write_text(json.dumps(card | values))

    return apply


def elsewhere(model: ModelProto) -> None:
    """Let the first weights be those of a file."""
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    entry = tensor.external_data.add()
    entry.key, entry.value = "location", "../../../etc/passwd"


def elsewhere_in_a_node(model: ModelProto) -> None:
    tensor = TensorProto(name="c", data_type=TensorProto.FLOAT, dims=[1], data_location=TensorProto.EXTERNAL)
    tensor.external_data.add(key="location", value="secret")
    model.graph.node.append(helper.make_node("Constant", [], ["c"], value=tensor))


def branch(model: ModelProto) -> None:
    inner = helper.make_graph([], "inner", [], [])
    model.graph.node.append(helper.make_node("If", ["logits"], ["x"], then_branch=inner, else_branch=inner))


def foreign(model: ModelProto) -> None:
    model.graph.node[0].domain = "com.microsoft"


def not_finite(model: ModelProto) -> None:
    tensor = next(each for each in model.graph.initializer if each.data_type == TensorProto.FLOAT)
    values = numpy_helper.to_array(tensor).copy()
    values.reshape(-1)[0] = np.nan
    tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))


def unknown_operator(model: ModelProto) -> None:
    model.graph.node[0].op_type = "Frobnicate"


def another_output(model: ModelProto) -> None:
    model.graph.output[0].name = model.graph.node[0].output[0]


def cut(folder: Path) -> None:
    data = (folder / "model.onnx").read_bytes()
    (folder / "model.onnx").write_bytes(data[: len(data) // 2])


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda folder: (folder / "model.onnx").unlink(), "is missing; copy the whole folder"),
        (cut, "is not a whole ONNX file"),
        (lambda folder: (folder / "model.onnx").write_bytes(b""), "cannot be used"),
        (lambda folder: (folder / "model.onnx").write_bytes(b"\x80\x04\x95evil."), "is not a whole ONNX file"),
        (edit(elsewhere), "keeps its numbers in another file, which is never opened"),
        (edit(elsewhere_in_a_node), "keeps its numbers in another file, which is never opened"),
        (edit(branch), "has functions or branches of its own"),
        (edit(lambda model: model.functions.add(name="f", domain="g")), "has functions or branches of its own"),
        (edit(foreign), r"not of the ONNX standard \(com.microsoft"),
        (edit(not_finite), "numbers that are not finite"),
        (edit(unknown_operator), "cannot be used: .*Frobnicate"),
        (edit(another_output), "expected the input pictures and the outputs features and logits"),
        (
            edit_card(input={"size": 44, "channels": 1, "mean": [0.0], "std": [1.0]}),
            r"the card says \(1, 44, 44\) and 7",
        ),
        (edit_card(labels=[*EMOTIONS, "contempt"], prior=None), r"the card says \(1, 48, 48\) and 8"),
        (edit_card(options={"of": "x", "precision": "int3"}), r"card.json: expected the options of .*float32 or int8"),
        (edit_card(options={"precision": "int8", "file": "../other.onnx"}), "card.json: expected the options of"),
    ],
)
def test_what_is_no_network_of_ours_is_refused(
    made: Path, tmp_path: Path, spoil: Callable[[Path], None], words: str
) -> None:
    folder = shutil.copytree(made / FLOAT32, tmp_path / "mine")
    spoil(folder)
    with pytest.raises(CheckpointError, match=f"^mine/.*{words}"):
        load(folder)


def test_a_huge_file_is_not_opened(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnx_net, "MAX_ONNX_BYTES", 1000)
    with pytest.raises(CheckpointError, match="was not opened"):
        load(made / FLOAT32)


def test_where_it_runs() -> None:
    """The providers of machines that this one is not; nothing but the CPU is run here."""
    every = ["TensorrtExecutionProvider", "CUDAExecutionProvider", "CoreMLExecutionProvider", "CPUExecutionProvider"]
    cpu, second = "CPUExecutionProvider", {"device_id": "1"}
    assert providers(torch.device("cpu"), every) == [cpu]
    assert providers(torch.device("cuda:1"), every) == [*((name, second) for name in every[:2]), cpu]
    assert providers(torch.device("mps"), every) == [("CoreMLExecutionProvider", {}), cpu]
    assert providers(torch.device("cuda"), [cpu]) == [cpu]


def test_it_takes_as_many_threads_as_torch(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    session = onnxruntime.InferenceSession
    monkeypatch.setattr(torch, "get_num_threads", lambda: 3)
    monkeypatch.setattr(
        onnxruntime, "InferenceSession",
        lambda model, options, **more: asked.append(options) or session(model, options, **more),
    )  # fmt: skip
    open_onnx(made / FLOAT32, read_card(made / FLOAT32 / "card.json"))
    assert [(each.intra_op_num_threads, each.inter_op_num_threads) for each in asked] == [(3, 1)]


def test_any_number_of_pictures_goes_through_a_transformer() -> None:
    """Some networks made a constant of the number of pictures, which the exporter takes without a word."""
    options = {"image_size": 32, "layers": 1, "width": 16, "heads": 2, "mlp": 16, "hidden": [8]}
    net = registry.build("vit-b16", n_labels=7, channels=1, **options).eval()
    spec = InputSpec(32, 1, [0.0], [1.0])
    model = to_onnx(net, dataclasses.replace(card_of(), architecture="vit-b16", options=options, input=spec))
    x = torch.randn(5, 1, 32, 32)
    found = OnnxNetwork(model.SerializeToString(), of="tiny").features_and_logits(x)
    torch.testing.assert_close(found, net.features_and_logits(x), atol=1e-4, rtol=1e-4)
    assert onnx_net.problem_of(model) == ""


def test_joining_batch_norms_changes_no_answer() -> None:
    x, net = torch.randn(4, 1, 48, 48), tiny()
    features, logits = net.features_and_logits(x)
    assert fold_norms(net) == 3 and not any(isinstance(each, nn.BatchNorm2d) for each in net.modules())
    torch.testing.assert_close(net.features_and_logits(x), (features, logits), atol=1e-4, rtol=1e-4)


def test_a_batch_norm_that_turns_its_sign_stays() -> None:
    x, net = torch.randn(4, 1, 48, 48), tiny()
    norm = net.get_submodule("backbone.1.2")
    assert isinstance(norm, nn.BatchNorm2d)
    nn.init.constant_(norm.weight[:1], -0.5)
    before = net(x)
    assert fold_norms(net) == 2 and net.get_submodule("backbone.1.2") is norm
    torch.testing.assert_close(net(x), before, atol=1e-4, rtol=1e-4)
    assert fold_norms(tiny("shsu-cnn", kernels=[3, 3, 3])) == 0, "the exporter does these itself"


@pytest.mark.parametrize(("architecture", "more"), [("mru-cnn", {}), ("shsu-cnn", {"kernels": [3, 5, 3], "cells": 2})])
def test_filters_that_say_nothing_are_the_ones_that_go(architecture: str, more: dict[str, Any]) -> None:
    """Half of the filters are silent, in no order; without them the network answers as before."""
    net = tiny(architecture, **more)
    for link in links(net):
        silent = torch.randperm(int(net.get_submodule(link.conv).weight.shape[0]))[::2]
        for name in (link.conv, link.norm):
            for parameter in net.get_submodule(name).parameters():
                parameter.data[silent] = 0
        net.get_submodule(link.norm).running_mean[silent] = 0
        assert (filter_norms(net, link) == 0).sum() == len(silent)
    classifier = classifier_of(net)
    classifier.card = card_of(architecture=architecture, options={**TINY, **more})
    small, options = prune(classifier, 0.5)
    assert options == {**TINY, **more, "widths": [8, 8, 16]}
    x = torch.randn(4, 1, 48, 48)
    torch.testing.assert_close(small(x), net(x), atol=1e-5, rtol=1e-5)
    assert sum(each.numel() for each in small.parameters()) < 0.4 * sum(each.numel() for each in net.parameters())


def test_a_pruned_checkpoint_is_one_like_any_other(made: Path, crops: np.ndarray) -> None:
    before, after = (read_card(made / name / "card.json") for name in ("tiny", TORCH))
    assert after.options == {**TINY, "widths": [8, 8, 16]} and after.architecture == "mru-cnn"
    assert after.data["pruned"] == {"of": "tiny", "share": 0.5} and after.recipe == "mru-2025-cnn"
    assert after.data["epochs"] == 1 and after.n_params < sum(each.numel() for each in tiny().parameters())
    assert after.metrics and not before.metrics
    learned = load(made / TORCH).net.state_dict()
    start, _ = prune(load(made / "tiny", device="cpu"), 0.5)
    moved = [float((learned[name] - value).abs().max()) for name, value in start.state_dict().items() if value.ndim > 1]
    assert 0 < max(moved) < 0.05, "fine-tuning starts from the filters that are left"


def test_what_cannot_be_pruned_or_exported_is_told(
    made: Path, miniature: Path, capsys: pytest.CaptureFixture[str], classifier: Classifier
) -> None:
    with pytest.raises(RecipeError, match=rf"{classifier.name} is a {classifier.card.architecture}.*mru-cnn and shsu"):
        prune(classifier, 0.3)
    with pytest.raises(RecipeError, match="between 0 and 1"):
        prune(load(made / "tiny"), 1.5)
    assert edge.main([str(made / FLOAT32), "--data", str(miniature)]) == 2
    assert f"is an ONNX checkpoint already; give {TORCH}" in capsys.readouterr().err
    assert edge.main(["nothing"]) == 2 and "No checkpoint" in capsys.readouterr().err


def test_the_benchmark_finds_everything_made_from_a_checkpoint(made: Path) -> None:
    assert [each.card.name for each in variants(str(made / "tiny"))] == ["tiny", TORCH, FLOAT32, INT8]


def test_graphs_have_no_other_way_out() -> None:
    """Whatever kind of attribute ONNX has, it is one that was thought of."""
    known = {"UNDEFINED", "FLOAT", "INT", "STRING", "TENSOR", "GRAPH", "SPARSE_TENSOR", "TYPE_PROTO"}
    plural = {"FLOATS", "INTS", "STRINGS", "TENSORS", "GRAPHS", "SPARSE_TENSORS", "TYPE_PROTOS"}
    assert set(AttributeProto.AttributeType.keys()) == known | plural
