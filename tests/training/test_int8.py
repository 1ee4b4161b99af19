"""The graph of 8 bits in a checkpoint's own folder: what it costs, when it is taken, and when it is left."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from fer_core.data import FaceSet, open_dataset
from fer_core.data.fer2013 import load_fer2013
from fer_core.emotions import EMOTIONS
from fer_core.errors import CheckpointError
from fer_core.faces.geometry import CropGeometry
from fer_core.models import registry, runtime
from fer_core.models.card import CHOOSE, INT8_GRAPH, TEST, Card, InputSpec, read_card
from fer_core.models.checkpoint import save_checkpoint
from fer_core.models.classifier import Classifier, load
from fer_core.models.onnx_net import OnnxNetwork
from fer_core.models.runtime import EXACT, INT8, INT8_TOLERANCE, TOLERANCE, fastest
from tests.support.faces_csv import write_fer2013_csv
from training import edge
from training.edge import quantised, to_onnx
from training.int8 import write_int8

OPTIONS = {"widths": [16, 16, 32], "hidden": [8], "dropout": [0.3]}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_fer2013_csv(tmp_path_factory.mktemp("fer2013"), n_training=64, n_test=35)


@pytest.fixture(scope="module")
def sides(data: Path) -> dict[str, list[FaceSet]]:
    known = open_dataset(data)
    return {CHOOSE: [known.read("public_test")], TEST: [known.read("private_test")]}


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    """A checkpoint with random weights, whose logits differ enough to be told from each other."""
    torch.manual_seed(5)
    net = registry.build("mru-cnn", n_labels=7, channels=1, **OPTIONS).eval()
    with torch.no_grad():
        net.get_parameter("head.weight").mul_(20)
    card = Card("tiny", "mru-cnn", list(EMOTIONS), InputSpec(48, 1, [0.5], [0.25]), CropGeometry(48), 1.0, OPTIONS)
    save_checkpoint(tmp_path / "tiny", net, dataclasses.replace(card, data={"labels": "fer2013"}))
    return tmp_path / "tiny"


def graph_of(source: Classifier, pictures: np.ndarray) -> onnx.ModelProto:
    return quantised(to_onnx(source.net, source.card), [source.network_input(pictures).contiguous().numpy()])


@pytest.fixture
def folder(plain: Path, data: Path, sides: dict[str, list[FaceSet]]) -> Path:
    source = load(plain, device="cpu")
    model = graph_of(source, load_fer2013(data, "training").images)
    write_int8(plain, source, model, 64, sides)
    return plain


@pytest.fixture
def with_instructions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtime, "computes_int8", lambda: True)


def test_the_card_says_what_it_costs(folder: Path, data: Path, sides: dict[str, list[FaceSet]]) -> None:
    said, source = read_card(folder / "card.json").int8, load(folder, device="cpu")
    assert said["calibration"] == 64 and [each["side"] for each in said["costs"]] == [CHOOSE, TEST]
    assert source.int8 == folder / INT8_GRAPH
    small = source.run_by(OnnxNetwork((folder / INT8_GRAPH).read_bytes(), of="tiny"))
    for each, (faces,) in zip(said["costs"], sides.values(), strict=True):
        truth = faces.labels
        images = load_fer2013(data, faces.split).images
        mine, theirs = (who.predict(images).logits.argmax(axis=1) for who in (source, small))
        assert each["n"] == len(truth) == 35 and each["accuracy"] == round(float((theirs == truth).mean()), 5)
        assert each["cost"] == pytest.approx(float((mine == truth).mean() - (theirs == truth).mean()), abs=1e-5)
        assert each["changed"] == round(float((mine != theirs).mean()), 5)


@pytest.mark.usefixtures("with_instructions")
def test_it_is_among_the_ways_for_videos_and_not_for_figures(folder: Path, home: Path) -> None:
    source = load(folder, device="cpu")
    assert INT8 in runtime._ways(source, home / "graph.onnx", TOLERANCE)
    assert INT8 not in runtime._ways(source, home / "graph.onnx", EXACT)


@pytest.mark.usefixtures("with_instructions")
def test_it_is_taken_where_it_is_the_fastest(folder: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = (folder / INT8_GRAPH).read_bytes()
    opened: list[OnnxNetwork] = []

    def network(model: bytes, of: str) -> OnnxNetwork:
        made = OnnxNetwork(model, of=of)
        opened.extend([made] * (model == content))
        return made

    monkeypatch.setattr(runtime, "OnnxNetwork", network)
    monkeypatch.setattr(runtime, "_seconds", lambda tried, _: 0.5 if tried.net in opened else 1.0)
    chosen, found = fastest(load(folder, device="cpu"))
    assert found.name == INT8, found
    again, known = fastest(load(folder, device="cpu"))
    assert known == found, "read from the folder"
    crops = np.random.default_rng(0).integers(0, 256, (9, 48, 48), dtype=np.uint8)
    together = chosen.predict(crops)
    alone = np.concatenate([again.predict(crops[i : i + 1]).logits for i in range(len(crops))])
    np.testing.assert_allclose(together.logits, alone, atol=1e-4)
    assert np.abs(together.logits - load(folder, device="cpu").predict(crops).logits).max() > 1e-4


def test_a_cpu_without_its_instructions_is_not_asked(folder: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx2": True, "avx512_f": True})
    assert INT8 not in runtime._ways(load(folder, device="cpu"), home / "graph.onnx", TOLERANCE)
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx_vnni": True})
    assert INT8 in runtime._ways(load(folder, device="cpu"), home / "graph.onnx", TOLERANCE)


@pytest.mark.usefixtures("with_instructions")
def test_a_graph_of_others_is_left_alone(folder: Path, home: Path) -> None:
    """One that was changed, one that is gone, and one that answers otherwise although its card agrees."""
    path, content = folder / INT8_GRAPH, (folder / INT8_GRAPH).read_bytes()
    path.write_bytes(content + b"\0")
    assert load(folder, device="cpu").int8 is None
    path.unlink()
    assert load(folder, device="cpu").int8 is None and len(load(folder).predict(np.zeros((2, 48, 48), np.uint8))) == 2
    path.write_bytes(content)
    source = load(folder, device="cpu")
    model = onnx.load_model_from_string(content)
    for node in (each for each in model.graph.node if "logits" in each.output):  # its labels are in another order
        node.output[0] = "others"
    order = onnx.numpy_helper.from_array(np.arange(7)[::-1].copy(), "order")
    model.graph.initializer.append(order)
    model.graph.node.append(onnx.helper.make_node("Gather", ["others", "order"], ["logits"], axis=1))
    path.write_bytes(model.SerializeToString())
    found = fastest(source)[1]
    assert found.name != INT8 and "differs by" in found.refused[INT8]
    assert float(found.refused[INT8].rsplit(" ", 1)[1]) > INT8_TOLERANCE


def test_what_costs_too_much_is_not_written(plain: Path, data: Path, sides: dict[str, list[FaceSet]]) -> None:
    source = load(plain, device="cpu")
    answers = source.predict(load_fer2013(data, "public_test").images).logits.argmax(axis=1)
    told = dataclasses.replace(sides[CHOOSE][0], labels=answers)  # float32 is always right
    model = graph_of(source, np.zeros((4, 48, 48), np.uint8))  # ranges of black pictures hold nothing
    with pytest.raises(CheckpointError, match=rf"8 bits cost tiny .* of 35 pictures, more than 0.2%, so {INT8_GRAPH}"):
        write_int8(plain, source, model, 4, {CHOOSE: [told], TEST: sides[TEST]})
    with pytest.raises(CheckpointError, match="has no pictures to choose on"):
        write_int8(plain, source, model, 4, {TEST: sides[TEST]})
    assert not (plain / INT8_GRAPH).exists() and not read_card(plain / "card.json").int8


@pytest.mark.parametrize("said", [{"sha256": "x"}, {"sha256": None}, [1], "yes", {"costs": []}])
def test_a_card_that_says_it_wrongly_is_refused(plain: Path, said: object) -> None:
    card = json.loads((plain / "card.json").read_text())
    (plain / "card.json").write_text(json.dumps({**card, "int8": said}))
    with pytest.raises(CheckpointError, match=r"expected nothing, or sha256 and costs of int8\.onnx"):
        load(plain)


def test_the_command_writes_it_into_the_folder(
    plain: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FER_RUNS", str(tmp_path / "runs"))
    monkeypatch.setattr("training.int8.MOST_COST", 1.0)
    copy = shutil.copytree(plain, tmp_path / "mine")
    card = json.loads((copy / "card.json").read_text()) | {"recipe": "mru-2025-cnn"}
    (copy / "card.json").write_text(json.dumps(card))
    assert edge.main([str(copy), "--runtime", "--data", str(data), "--calibration", "32"]) == 0
    assert read_card(copy / "card.json").int8["calibration"] == 32 and (copy / INT8_GRAPH).is_file()
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in lines[-2:]] == [
        "tiny in 8 bits, fer2013 public_test", "tiny in 8 bits, fer2013 private_test",
    ]  # fmt: skip
