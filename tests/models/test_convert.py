"""Networks from elsewhere become checkpoints that answer as they did, in our order; what cannot be says why."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnx
import onnxruntime
import pytest
import timm
import torch
import torchvision
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from fer_core import cli
from fer_core.data import open_dataset
from fer_core.emotions import EMOTIONS, EMOTIONS8
from fer_core.errors import CheckpointError
from fer_core.evaluation.label_order import better_order
from fer_core.explain import heatmaps
from fer_core.models import catalogue, foreign, registry
from fer_core.models.convert import ForeignNetwork, _by_place, convert, unwrapped
from fer_core.models.foreign_onnx import convert_graph
from tests.support import ROOT

IMAGEFOLDER = ("angry", "disgust", "fear", "happy", "neutral", "sad", "surprise")
ORDER = [IMAGEFOLDER.index(name) for name in EMOTIONS]
FERPLUS = ("neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt")


def drawn(net: nn.Module) -> nn.Module:
    """The network with drawn weights and statistics of its batch norms, so that nothing is 0 or 1 by chance."""
    generator = torch.Generator().manual_seed(0)
    for name, value in net.state_dict().items():
        if name.endswith("running_var"):
            value.copy_(torch.rand(value.shape, generator=generator) + 0.5)
        elif name.endswith("running_mean"):
            value.copy_(torch.randn(value.shape, generator=generator) * 0.1)
    return net.eval()


def pictures(n: int, side: int, *, grey: bool = False) -> Any:
    shape = (n, side, side) if grey else (n, side, side, 3)
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


def normalised(crops: Any, mean: float, std: float) -> torch.Tensor:
    return (torch.from_numpy(crops).permute(0, 3, 1, 2) / 255 - mean) / std


@pytest.fixture
def in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files are read here; that a process of its own does it is tested with the command."""
    monkeypatch.setattr("fer_core.models.convert.read_state", foreign.state_of)


def test_a_resnet_in_imagefolders_order_answers_as_torch_does(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    net = drawn(torchvision.models.resnet18(num_classes=7))
    state = {f"module.{name}": value for name, value in net.state_dict().items()}
    torch.save({"epoch": 3, "state_dict": state, "optimizer": {"lr": 0.1}}, tmp_path / "best.pth")
    options = ["--architecture", "resnet18", "--labels", ",".join(IMAGEFOLDER), "--mean", "0.5", "--std", "0.25"]
    asked = ["convert", str(tmp_path / "best.pth"), *options, "--size", "64", "--out", str(tmp_path)]
    assert cli.main(asked) == 0
    assert f"best is in {tmp_path / 'best'}" in capsys.readouterr().out
    from fer_core.models.classifier import load

    found, crops = load(tmp_path / "best", device="cpu"), pictures(3, 64)
    with torch.inference_mode():
        expected = net(normalised(crops, 0.5, 0.25)).numpy()[:, ORDER]
    np.testing.assert_allclose(found.predict(crops).logits, expected, atol=1e-5, rtol=0)
    assert found.labels == EMOTIONS and found.card.data["converted"]["labels"] == list(IMAGEFOLDER)
    assert heatmaps(found, crops[:1], "happy").shape[0] == 1, "one can look into it"
    assert cli.main(asked) == 1 and "There is a checkpoint 'best' already" in capsys.readouterr().err


@pytest.mark.usefixtures("in_this_process")
@pytest.mark.parametrize("model", ["mobilenetv3_small_050", "resnet10t", "convnext_atto"])
def test_any_network_of_timm_answers_as_it_does(model: str, tmp_path: Path) -> None:
    from fer_core.models.classifier import load

    net = drawn(timm.create_model(model, num_classes=7))
    torch.save(net.state_dict(), tmp_path / "a.pt")
    convert(
        tmp_path / "a.pt",
        tmp_path,
        ForeignNetwork(IMAGEFOLDER, f"timm:{model}", size=64, mean=[0.5], std=[0.5]),
        name="a",
    )
    found, crops = load(tmp_path, device="cpu"), pictures(2, 64)
    with torch.inference_mode():
        expected = net(normalised(crops, 0.5, 0.5)).numpy()[:, ORDER]
    np.testing.assert_allclose(found.predict(crops).logits, expected, atol=1e-5 * max(1, np.abs(expected).max()))
    assert found.card.architecture == f"timm:{model}"


def test_a_card_names_networks_of_timm_and_nothing_else() -> None:
    for name in ("timm:hf-hub:someone/net", "timm:local-dir:/tmp", "timm:no_such_net"):
        with pytest.raises(CheckpointError, match="timm has no network"):
            registry.build(name, n_labels=7, channels=3)
    with pytest.raises(CheckpointError, match="checkpoint_path is none of"):
        registry.build("timm:resnet10t", n_labels=7, channels=3, checkpoint_path="/tmp/a")
    with pytest.raises(CheckpointError, match="does not take these options"):
        registry.build("resnet18:b", n_labels=7, channels=3)
    assert registry.describe("timm:resnet10t").name == "timm"


@pytest.mark.usefixtures("in_this_process")
def test_classes_that_a_network_was_not_taught_are_never_said(tmp_path: Path) -> None:
    from fer_core.models.classifier import load

    net = drawn(torchvision.models.resnet18(num_classes=4))
    torch.save(net.state_dict(), tmp_path / "a.pth")
    origin = ForeignNetwork(("Happiness", "-", "sadness", "neutral"), "resnet18", size=64)
    card = convert(tmp_path / "a.pth", tmp_path, origin, name="a")
    found = load(tmp_path, device="cpu").predict(pictures(2, 64))
    with torch.inference_mode():
        mean, std = (torch.tensor(each).view(1, 3, 1, 1) for each in ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]))
        expected = net((normalised(pictures(2, 64), 0.0, 1.0) - mean) / std).numpy()[:, [0, 2, 3]]
    np.testing.assert_allclose(found.logits[:, [3, 4, 6]], expected, atol=1e-5)
    assert found.probabilities[:, [0, 1, 2, 5]].max() == 0
    assert any("not taught angry, disgust, fear, surprise" in note for note in card.notes)


def ferplus_graph(path: Path, *, softmax: bool = False) -> onnx.ModelProto:
    """A graph as that of FER+'s authors: one grey picture of 64×64 with pixels to 255, sizes written for one picture,
    weights that are reshaped, eight scores."""
    draw = np.random.default_rng(0)
    numbers = {
        "mean": np.array([127.5], np.float32), "scale": np.array([1 / 128], np.float32),
        "w1": draw.normal(size=(4, 1, 5, 5)).astype(np.float32), "b1": draw.normal(size=(4, 1, 1)).astype(np.float32),
        "w2": draw.normal(size=(4, 4, 4, 8)).astype(np.float32), "shape2": np.array([64, 8], np.int64),
        "flat": np.array([1, 64], np.int64), "b2": draw.normal(size=(1, 8)).astype(np.float32),
    }  # fmt: skip
    nodes = [
        helper.make_node("Sub", ["Input3", "mean"], ["a"]),
        helper.make_node("Mul", ["a", "scale"], ["b"]),
        helper.make_node("Conv", ["b", "w1"], ["c"], kernel_shape=[5, 5], auto_pad="SAME_UPPER"),
        helper.make_node("Add", ["c", "b1"], ["d"]),
        helper.make_node("Relu", ["d"], ["e"]),
        helper.make_node("MaxPool", ["e"], ["f"], kernel_shape=[16, 16], strides=[16, 16]),
        helper.make_node("Reshape", ["f", "flat"], ["g"]),
        helper.make_node("Reshape", ["w2", "shape2"], ["h"]),
        helper.make_node("MatMul", ["g", "h"], ["i"]),
        helper.make_node("Add", ["i", "b2"], ["j" if softmax else "Plus692_Output_0"]),
        *([helper.make_node("Softmax", ["j"], ["Plus692_Output_0"], axis=1)] if softmax else []),
    ]
    graph = helper.make_graph(
        nodes, "CNTKGraph",
        [helper.make_tensor_value_info("Input3", TensorProto.FLOAT, [1, 1, 64, 64])],
        [helper.make_tensor_value_info("Plus692_Output_0", TensorProto.FLOAT, [1, 8])],
        [numpy_helper.from_array(value, name) for name, value in numbers.items()],
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 8)], ir_version=4)
    onnx.save(model, path)
    return model


def test_an_onnx_file_of_ferplus_answers_as_it_does(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from fer_core.models.classifier import load

    model = ferplus_graph(tmp_path / "ferplus.onnx")
    asked = ["convert", str(tmp_path / "ferplus.onnx"), "--labels", ",".join(FERPLUS), "--pixels", "255"]
    assert cli.main([*asked, "--out", str(tmp_path)]) == 0
    found, crops = load(tmp_path / "ferplus"), pictures(3, 64, grey=True)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    given = crops.astype(np.float32)[:, None]
    expected = np.concatenate([session.run(None, {"Input3": given[i : i + 1]})[0] for i in range(3)])
    from fer_core.emotions import emotion_of_name

    order = [[emotion_of_name(each) for each in FERPLUS].index(name) for name in EMOTIONS8]
    scores = found.predict(crops)
    np.testing.assert_allclose(scores.logits, expected[:, order], atol=1e-5 * np.abs(expected).max())
    assert found.labels == EMOTIONS8 and scores.features.shape == (3, 64)
    assert found.card.input.size == 64 and found.card.input.channels == 1
    assert found.card.training_command == "" and "of elsewhere" not in found.net.closed


def test_a_softmax_at_the_end_is_left_out(tmp_path: Path) -> None:
    with_it, plain = ferplus_graph(tmp_path / "a.onnx", softmax=True), ferplus_graph(tmp_path / "b.onnx")
    assert with_it.graph.node[-1].op_type == "Softmax" != plain.graph.node[-1].op_type
    made = [tmp_path / f"{name}-made.onnx" for name in ("a", "b")]
    told = [convert_graph(tmp_path / f"{path.name[0]}.onnx", path, list(range(8)), 8) for path in made]
    assert [each["softmax"] for each in told] == [True, False]
    x = np.random.default_rng(1).normal(size=(2, 1, 64, 64)).astype(np.float32)
    answers = [
        onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"]).run(["logits"], {"pictures": x})[0]
        for path in made
    ]
    np.testing.assert_array_equal(answers[0], answers[1])


def brightness_graph(path: Path, classes: tuple[str, ...]) -> None:
    """A network that tells seven classes by how bright a picture is: ``levels`` of ``EMOTIONS``, in the order given."""
    levels = np.array([EMOTIONS.index(name) / 7 + 1 / 14 for name in classes], np.float32)
    numbers = {"w": (200 * levels)[:, None], "b": -100 * levels**2}
    nodes = [
        helper.make_node("GlobalAveragePool", ["x"], ["a"]),
        helper.make_node("Flatten", ["a"], ["c"]),
        helper.make_node("Gemm", ["c", "w", "b"], ["y"], transB=1),
    ]
    graph = helper.make_graph(
        nodes, "brightness",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 1, 32, 32])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", 7])],
        [numpy_helper.from_array(value, name) for name, value in numbers.items()],
    )  # fmt: skip
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)


@pytest.fixture
def bright(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Pictures of seven brightnesses; graphs are rewritten in this process."""
    root = tmp_path / "bright"
    for split in ("train", "val", "test"):
        for i, name in enumerate(EMOTIONS):
            (root / split / name).mkdir(parents=True)
            for k in range(6):
                level = round(255 * (i / 7 + 1 / 14) + k - 3)
                cv2.imwrite(str(root / split / name / f"{k}.png"), np.full((40, 40), level, np.uint8))

    def here(what: str, path: Path, made: Path, settings: dict[str, Any]) -> dict[str, Any]:
        return convert_graph(path, made, **settings)

    monkeypatch.setattr("fer_core.models.convert.in_own_process", here)
    return root


def test_a_converted_network_is_judged_and_its_tables_are_there(
    bright: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from fer_core.evaluation import read_evaluation
    from fer_core.models.card import read_card

    brightness_graph(tmp_path / "net.onnx", IMAGEFOLDER)
    asked = ["convert", str(tmp_path / "net.onnx"), "--labels", ",".join(IMAGEFOLDER), "--data", str(bright)]
    assert cli.main([*asked, "--out", str(tmp_path / "out")]) == 0
    said = capsys.readouterr().out
    assert "bright test: 100.0% of 42 right" in said and "permuted" not in said
    card = read_card(tmp_path / "out" / "net" / "card.json")
    assert card.headline["split"] == "test" and card.headline["accuracy"] == 1.0
    assert read_evaluation(tmp_path / "out" / "net" / "evaluations" / "bright-val.parquet", "net") is not None
    assert open_dataset(bright).default_split == "test"


def test_a_permuted_list_of_labels_is_noticed(bright: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    brightness_graph(tmp_path / "net.onnx", IMAGEFOLDER)
    asked = ["convert", str(tmp_path / "net.onnx"), "--labels", ",".join(EMOTIONS), "--data", str(bright)]
    assert cli.main([*asked, "--out", str(tmp_path / "out")]) == 0
    said = capsys.readouterr().out
    assert "bright test: 57.1% of 42 right" in said
    assert f"look permuted: 100.0% would be right with --labels {','.join(IMAGEFOLDER)}" in said


def test_a_poor_network_is_not_called_permuted() -> None:
    draw = np.random.default_rng(0)
    labels = draw.integers(0, 7, 700)
    assert better_order(draw.dirichlet(np.ones(7), 700), labels) is None
    right = np.eye(7)[labels]
    assert better_order(right, labels) is None
    swapped = better_order(right[:, [1, 0, 2, 3, 4, 5, 6]], labels)
    assert swapped is not None and swapped.order == (1, 0, 2, 3, 4, 5, 6) and swapped.better == 1.0
    assert swapped.in_words(EMOTIONS).endswith("if what it calls angry is disgust, what it calls disgust is angry.")
    assert better_order(right[:20, [1, 0, 2, 3, 4, 5, 6]], labels[:20]) is None


class Trap:
    """Writes a file when it is unpickled."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (Path(self.path),)


def script(path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.script(nn.Linear(2, 7)).save(str(path))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("write", "words"),
    [
        (lambda path: torch.save(nn.Linear(2, 7), path), "holds more than weights"),
        (lambda path: torch.save({"state_dict": {}, "x": Trap(str(path.with_name("ran")))}, path), "never opened"),
        (script, "TorchScript"),
        (lambda path: path.write_bytes(b"PK\x03\x04 half"), "not a whole file"),
        (lambda path: path.write_bytes(b""), "not a whole file"),
        (lambda path: torch.save({"epoch": 3}, path), "no weights by name"),
    ],
)
def test_what_is_no_state_is_refused_and_nothing_is_run(
    tmp_path: Path, write: Callable[[Path], Any], words: str
) -> None:
    write(tmp_path / "a.pth")
    with pytest.raises(CheckpointError, match=words):
        foreign.state_of(tmp_path / "a.pth")
    assert not (tmp_path / "ran").exists()


@pytest.mark.usefixtures("in_this_process")
@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"labels": IMAGEFOLDER[:6]}, "no full layer of 6 outputs, one for each label; its full layers are fc"),
        ({"labels": (*IMAGEFOLDER[:6], "bored")}, "'bored' is not an emotion.*give -"),
        ({"labels": (*IMAGEFOLDER[:6], "angry")}, "each once"),
        ({"architecture": ""}, "says nothing about its network; give --architecture"),
        ({"architecture": "timm:resnet34"}, "does not fit timm:resnet34: it lacks layer1.2.bn1.bias"),
        ({"architecture": "mobilenetv2"}, "The last layer of a.pth is"),
        ({"grey": True}, "takes 3 channels"),
        ({"mean": [0.1, 0.2], "std": [1.0, 1.0]}, "mean and positive std"),
    ],
)
def test_what_does_not_fit_says_what_would(changes: dict[str, Any], words: str, tmp_path: Path) -> None:
    torch.save(torchvision.models.resnet18(num_classes=7).state_dict(), tmp_path / "a.pth")
    origin = ForeignNetwork(**{"labels": IMAGEFOLDER, "architecture": "resnet18", "size": 64, **changes})
    with pytest.raises(CheckpointError, match=words):
        convert(tmp_path / "a.pth", tmp_path, origin, name="a")


def test_a_file_that_takes_too_long_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(foreign, "LIMIT_S", 0.01)
    torch.save({"a": torch.zeros(1)}, tmp_path / "a.pth")
    with pytest.raises(CheckpointError, match="took longer"):
        foreign.read_state(tmp_path / "a.pth")


@pytest.mark.nightly  # another process for it
def test_a_few_bytes_that_stand_for_too_much_memory_are_given_up(tmp_path: Path) -> None:
    torch.save({"fc.weight": torch.zeros(1).expand(10**10)}, tmp_path / "a.pth")
    assert (tmp_path / "a.pth").stat().st_size < 10_000
    with pytest.raises(CheckpointError, match="too much memory"):
        foreign.read_state(tmp_path / "a.pth")


def test_wrappers_of_a_training_are_taken_off_and_layers_found_by_their_place() -> None:
    assert set(unwrapped({"module.model.fc.weight": torch.zeros(1), "module.model.conv.weight": torch.zeros(1)})) == {
        "fc.weight", "conv.weight",
    }  # fmt: skip
    own = {"backbone.a.weight": torch.zeros(2, 3), "backbone.a.num_batches_tracked": torch.zeros(())}
    value = torch.ones(2, 3)
    assert _by_place(own, {"features.0.weight": value}) == {"backbone.a.weight": value}
    assert _by_place(own, {"features.0.bias": value}) is None
    assert _by_place(own, {"features.0.weight": torch.ones(3, 2)}) is None


def test_a_file_of_ones_own_registers_an_architecture(tmp_path: Path) -> None:
    own = tmp_path / "mine.py"
    own.write_text(
        "from torch import nn\n"
        "from fer_core.models.registry import register\n"
        "from fer_core.models.trunks import Hidden, TrunkNetwork\n"
        "@register('mine')\n"
        "def mine(*, n_labels, channels, width=4):\n"
        "    return TrunkNetwork(nn.Sequential(nn.Conv2d(channels, width, 3)), width, n_labels, Hidden())\n"
    )
    catalogue._run_own(own)
    try:
        assert registry.build("mine", n_labels=7, channels=1, width=6).head.in_features == 6
    finally:
        del registry._BUILDERS["mine"], registry._DESCRIPTIONS["mine"]
    with pytest.raises(CheckpointError, match="no file of Python"):
        catalogue._run_own(tmp_path / "nothing.py")


@pytest.mark.nightly  # 20 s
def test_the_page_about_it_runs_as_written(bright: Path, tmp_path: Path) -> None:
    bright.rename(tmp_path / "pictures")
    torch.save(torchvision.models.resnet18(num_classes=7).state_dict(), tmp_path / "weights.pth")
    text = (ROOT / "docs" / "own-network.md").read_text(encoding="utf-8")
    ((_, shell), (_, block)) = re.findall(r"```(bash|python)\n(.*?)```", text, flags=re.S)
    shell = shell.replace("python ", f"{sys.executable} ", 1)
    environment = os.environ | {"PYTHONPATH": str(ROOT), "FER_HOME": str(tmp_path / "home")}
    for command in (["bash", "-ec", shell], [sys.executable, "-c", block]):
        done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=environment, check=False)
        assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1].startswith("(1, ") and "(42, 2)" in done.stdout
