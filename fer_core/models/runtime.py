"""The fastest way to run a network here that still gives the network's own scores.

torch in float32 is the measure. ONNX Runtime and lower precision are tried beside it on drawn faces: what answers
otherwise is out, the fastest of the rest is taken. On CPUs that are made for it, the graph in whole numbers of 8 bits
that a checkpoint's folder may hold is among them; its card says what that costs in accuracy. What was found is kept in
the data folder with the graph of ONNX Runtime, for the next time with the same weights, device, threads and versions.
"""

from __future__ import annotations

import copy
import hashlib
import itertools
import json
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from fer_core import __version__
from fer_core.files import replacing
from fer_core.models.classifier import ArrayF, Classifier
from fer_core.models.onnx_net import OnnxNetwork, exported, read_onnx
from fer_core.models.registry import EmotionNetwork
from fer_core.places import data_home

TORCH, BFLOAT16, HALF, ONNX_RUNTIME = "torch float32", "torch bfloat16", "torch float16", "ONNX Runtime float32"
INT8 = "ONNX Runtime int8"
BATCH, FEW, ROUNDS = 32, 3, 3
TOLERANCE, EXACT = 0.02, 1e-4
"""No probability of a face may differ by more: for videos, and for figures that are published."""
INT8_TOLERANCE = 0.4
"""Drawn faces are not what its ranges were measured on: a graph that differs by more is damaged, or of others."""
FEW_WEIGHTS = 1 << 16
"""A full layer with fewer is computed in float32."""
MAX_GRAPH_BYTES = 100_000_000
"""Larger graphs are made anew each time."""


@dataclass(frozen=True)
class Runtime:
    """What was chosen, and why.

    Attributes:
        name: of the way chosen.
        ms_per_face: of each way that gives the network's scores, in batches of ``BATCH`` faces.
        refused: why others are out, by name.
    """

    name: str
    ms_per_face: dict[str, float] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)


class LowPrecision(EmotionNetwork):
    """A copy of a network whose layers compute in fewer bits where torch holds that to be safe; answers are float32.

    Batch norms become part of the convolutions before them, and weights are rounded once instead of at every call.
    Full layers with few weights stay as they are: to compute them takes less than to prepare fewer bits.
    """

    def __init__(self, net: EmotionNetwork, dtype: torch.dtype) -> None:
        super().__init__()
        self.net, self.dtype = _folded(net), dtype
        self.head = self.net.head
        for module in self.net.modules():
            if type(module) is nn.Linear and module.weight.numel() < FEW_WEIGHTS:
                module.__class__ = _Float32Linear
            elif isinstance(module, nn.Conv2d | nn.Linear):
                module.to(dtype)

    def features_and_logits(self, x: Tensor) -> tuple[Tensor, Tensor]:
        with torch.autocast(x.device.type, self.dtype):
            features, logits = self.net.features_and_logits(x)
        return features.float(), logits.float()


class _Float32Linear(nn.Linear):
    def forward(self, input: Tensor) -> Tensor:
        with torch.autocast(input.device.type, enabled=False):
            return super().forward(input.float()).to(input.dtype)


def _folded(net: EmotionNetwork) -> EmotionNetwork:
    """A copy without the batch norms that follow a convolution in a sequence, and whose ReLUs in sequences overwrite
    what they were given; its answers are the same."""
    net = copy.deepcopy(net).eval()
    for module in net.modules():
        names = list(module._modules) if isinstance(module, nn.Sequential) else []
        for name, after in reversed(list(itertools.pairwise(names))):  # a ReLU is seen before its batch norm is folded
            layer, next_layer = module._modules[name], module._modules[after]
            if type(next_layer) is nn.ReLU and type(layer) in (nn.Conv2d, nn.BatchNorm2d):
                next_layer.inplace = True
            if type(layer) is nn.Conv2d and type(next_layer) is nn.BatchNorm2d:
                module._modules[name], module._modules[after] = fuse_conv_bn_eval(layer, next_layer), nn.Identity()
    return net


def fastest(classifier: Classifier, tolerance: float = TOLERANCE) -> tuple[Classifier, Runtime]:
    """The same classifier, run the fastest way, and what that is. Measured with as many threads as torch has now.

    No probability of a drawn face differs by more than ``tolerance``; with ``EXACT`` a table of figures is the same on
    every machine. A graph of 8 bits is among the ways from ``TOLERANCE`` on. A classifier that comes again is ready.
    """
    asked = torch.get_num_threads(), tolerance
    if asked not in classifier.faster:
        classifier.faster[asked] = _chosen(classifier, tolerance)
    chosen, found = classifier.faster[asked]
    return chosen, found


def _chosen(classifier: Classifier, tolerance: float) -> tuple[Classifier, Runtime]:
    kept = _kept_at(classifier, tolerance)
    graph = kept.with_suffix(".onnx")
    ways = _ways(classifier, graph, tolerance)
    if len(ways) < 2:
        return classifier, Runtime(next(iter(ways)))
    known = _read(kept)
    if known is not None and known.name in ways:
        try:
            tried = classifier.run_by(ways[known.name]())
            faces = _faces(classifier.card.crop.size, FEW)
            if not _problem(tried, faces, classifier.predict(faces).probabilities, _allowed(known.name, tolerance)):
                return tried, known
        except Exception:  # an exporter or a runtime may fail in any way; then all is measured again
            pass
    _forget(kept, graph)
    chosen, found = _measured(classifier, ways, tolerance)
    if found.name != ONNX_RUNTIME:
        _forget(graph)
    if classifier.sha256:
        told = {"name": found.name, "ms_per_face": found.ms_per_face, "refused": found.refused}
        _write(kept, json.dumps(told).encode())
    return chosen, found


def _forget(*paths: Path) -> None:
    for path in paths:
        with suppress(OSError):
            path.unlink()


def _allowed(name: str, tolerance: float) -> float:
    return INT8_TOLERANCE if name == INT8 else tolerance


def _ways(classifier: Classifier, graph: Path, tolerance: float) -> dict[str, Callable[[], EmotionNetwork]]:
    net, device = classifier.net, classifier.device
    if net.closed:
        return {f"ONNX Runtime {classifier.card.options.get('precision', '')}".strip(): lambda: net}
    ways: dict[str, Callable[[], EmotionNetwork]] = {TORCH: lambda: net}
    if device.type == "cuda":
        ways[HALF] = partial(LowPrecision, net, torch.float16)
    if device.type == "cpu":
        if computes_bfloat16():
            ways[BFLOAT16] = partial(LowPrecision, net, torch.bfloat16)
        ways[ONNX_RUNTIME] = lambda: OnnxNetwork(_graph(classifier, graph), of=classifier.name)
        if (small := classifier.int8) is not None and tolerance >= TOLERANCE and computes_int8():
            ways[INT8] = lambda: OnnxNetwork(read_onnx(small), of=classifier.name)
    return ways


def computes_int8() -> bool:
    """Whether this CPU has instructions that add products of 8 bits in 32. One without is not faster with them, and the
    sums of older instructions overflow."""
    capabilities = torch.cpu.get_capabilities()
    return any(capabilities.get(name) for name in ("avx512_vnni", "avx_vnni", "amx_int8"))


def computes_bfloat16() -> bool:
    """Whether this CPU has instructions for bfloat16. One without makes do with many others and is several times slower
    than in float32; ``python -m benchmarks.train_step`` measures how much."""
    capabilities = torch.cpu.get_capabilities()
    return any(capabilities.get(name) for name in ("avx512_bf16", "amx_bf16", "bf16"))


def _graph(classifier: Classifier, kept: Path) -> bytes:
    """The network as a graph, from the last time where it was kept."""
    if classifier.sha256 and kept.is_file():
        return kept.read_bytes()
    graph = exported(classifier.net, classifier.card.input)
    if classifier.sha256 and len(graph) <= MAX_GRAPH_BYTES:
        _write(kept, graph)
    return graph


def _measured(
    classifier: Classifier, ways: dict[str, Callable[[], EmotionNetwork]], tolerance: float
) -> tuple[Classifier, Runtime]:
    faces = _faces(classifier.card.crop.size)
    wanted = classifier.predict(faces[:-1]).probabilities
    ready: dict[str, Classifier] = {}
    refused: dict[str, str] = {}
    for name, make in ways.items():
        try:
            tried = classifier.run_by(make())
            if problem := _problem(tried, faces[:-1], wanted, _allowed(name, tolerance)):
                refused[name] = problem
            else:
                ready[name] = tried
        except Exception as error:  # as above
            refused[name] = (str(error).strip().splitlines() or [type(error).__name__])[0]
    spent: dict[str, list[float]] = {name: [] for name in ready}
    for _ in range(ROUNDS):
        for name, tried in ready.items():
            spent[name].append(_seconds(tried, faces))
    cost = {name: round(1000 * min(each) / len(faces), 3) for name, each in spent.items()}
    best = min(cost, key=cost.__getitem__)
    return ready[best], Runtime(best, cost, refused)


def _problem(tried: Classifier, faces: NDArray[np.uint8], wanted: ArrayF, tolerance: float) -> str:
    found = tried.predict(faces).probabilities
    if found.shape != wanted.shape or not np.isfinite(found).all():
        return "its answers are not finite, or of another shape"
    far = float(np.abs(found - wanted).max())
    return f"a probability differs by {far:.2g}" if far > tolerance else ""


def _seconds(tried: Classifier, faces: NDArray[np.uint8]) -> float:
    if tried.device.type == "cuda":
        torch.cuda.synchronize(tried.device)
    started = time.perf_counter()
    tried.predict(faces)  # its answers are copied to the CPU, so that it has ended
    return time.perf_counter() - started


def _faces(size: int, n: int = BATCH) -> NDArray[np.uint8]:
    """Drawn faces uint8 (n, size, size, 3), always the same."""
    from fer_core.data.drawn.faces import draw_face

    random = np.random.default_rng(0)
    return np.stack([draw_face(i % 7, random, size=(size, size)) for i in range(n)])


def _kept_at(classifier: Classifier, tolerance: float) -> Path:
    on = classifier.device
    device = torch.cuda.get_device_name(on) if on.type == "cuda" else torch.backends.cpu.get_cpu_capability()
    versions = [__version__, *(f"{name} {version(name)}" for name in ("torch", "onnxruntime"))]
    card = classifier.card
    network = f"{card.architecture} {json.dumps(dict(card.options), sort_keys=True, default=str)} {card.input}"
    small = str(card.int8.get("sha256", ""))
    what = [classifier.sha256, small, network, device, str(torch.get_num_threads()), str(tolerance), *versions]
    return data_home() / "runtimes" / f"{hashlib.sha256(' '.join(what).encode()).hexdigest()[:24]}.json"


def _read(path: Path) -> Runtime | None:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        return Runtime(str(found["name"]), dict(found["ms_per_face"]), dict(found["refused"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None  # not measured yet, or damaged: measured again


def _write(path: Path, content: bytes) -> None:
    with suppress(OSError):  # a folder that cannot be written to costs a measurement the next time, nothing else
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as new:
            new.write_bytes(content)
