"""Networks that ONNX Runtime runs from ``model.onnx``, for machines where torch's layers are too slow.

The file names operators and holds numbers. What could make it more than that is refused before it is opened: other
files that it points to, functions and branches of its own, and operators that are not of the ONNX standard.
"""

from __future__ import annotations

import copy
import tempfile
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from fer_core.errors import CheckpointError
from fer_core.models.card import ONNX_PRECISIONS, ONNX_WEIGHTS, Card, InputSpec
from fer_core.models.registry import EmotionNetwork

if TYPE_CHECKING:
    from onnx import AttributeProto, ModelProto, TensorProto

INPUT, FEATURES, LOGITS = "pictures", "features", "logits"
"""Names in the graph: pictures (n, channels, size, size), features (n, d), logits (n, k), all float32."""
MAX_ONNX_BYTES = 1_000_000_000
CPU = torch.device("cpu")
_OF_DEVICE = {"cuda": ("TensorrtExecutionProvider", "CUDAExecutionProvider"), "mps": ("CoreMLExecutionProvider",)}


class OnnxNetwork(EmotionNetwork):
    """An ONNX Runtime session as a network: features and logits come from one run, and nothing can be looked into.

    It runs on as many threads as torch, which do not spin while they wait: that halves the processor time on small
    networks and costs no measurable latency.

    Args:
        model: content of ``model.onnx``, checked by ``read_onnx``.
        of: name of the checkpoint that it was made from; "" for a graph from elsewhere.
        device: where it runs; see ``providers``.

    Raises:
        CheckpointError: ONNX Runtime does not take the model; the message has its reason.
    """

    def __init__(self, model: bytes, *, of: str, device: torch.device = CPU) -> None:
        super().__init__()
        self.head = torch.nn.Identity()
        self.closed = "ONNX Runtime gives scores alone, no maps and no gradients." + (
            f" Choose {of}, the checkpoint it was made from." if of else ""
        )
        self.session = _open(model, device)

    def features_and_logits(self, x: Tensor) -> tuple[Tensor, Tensor]:
        pictures = x.detach().to("cpu", torch.float32).contiguous().numpy()
        features, logits = self.session.run([FEATURES, LOGITS], {INPUT: pictures})
        return torch.from_numpy(features).to(x.device), torch.from_numpy(logits).to(x.device)

    def features(self, x: Tensor) -> Tensor:
        return self.features_and_logits(x)[0]

    def forward(self, x: Tensor) -> Tensor:
        return self.features_and_logits(x)[1]

    def classify(self, features: Tensor) -> Tensor:
        """Not possible: the last layer is part of the graph.

        Raises:
            CheckpointError: always.
        """
        raise CheckpointError(f"Features cannot be classified on their own. {self.closed}")


def open_onnx(folder: Path, card: Card, device: torch.device = CPU) -> OnnxNetwork:
    """The network of a checkpoint folder whose card has the architecture ``onnx``.

    Raises:
        CheckpointError: the card's options or the file are not what they should be; the message names the file.
    """
    path = folder / card.weights_file
    where = f"{folder.name}/{path.name}"
    of, precision = card.options.get("of"), card.options.get("precision")
    if not isinstance(of, str) or precision not in ONNX_PRECISIONS:
        raise CheckpointError(
            f"{folder.name}/card.json: expected the options of (a checkpoint's name, or nothing) and precision "
            f"({' or '.join(ONNX_PRECISIONS)}), got {dict(card.options)}."
        )
    model = read_onnx(path)
    errors: tuple[type[Exception], ...] = (CheckpointError, *_refusals())
    try:
        net = OnnxNetwork(model, of=of, device=device)
        _check_shapes(net.session, card)
        blank = torch.zeros(2, card.input.channels, card.input.size, card.input.size)
        answers = net.features_and_logits(blank)
    except errors as error:
        raise CheckpointError(f"{where} cannot be used: {_first_line(error)} Export it again.") from error
    if answers[1].shape != (2, len(card.labels)) or not all(torch.isfinite(each).all() for each in answers):
        raise CheckpointError(f"{where} answers a blank picture with {tuple(answers[1].shape)} or not finite numbers.")
    return net


class _Both(nn.Module):
    """Pictures → features and logits, as the graph has them."""

    def __init__(self, net: EmotionNetwork) -> None:
        super().__init__()
        self.net = net

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return self.net.features_and_logits(x)


def exported(net: EmotionNetwork, spec: InputSpec) -> bytes:
    """The graph of a network in float32, for any number of pictures as ``spec`` has them.

    By torch's older exporter, which follows one run of the network: a second instead of twelve for a MobileNetV2.
    Nothing here tells a graph that holds for the traced number of pictures only: compare its answers.
    """
    net = copy.deepcopy(net).cpu().float().eval().to(memory_format=torch.contiguous_format)
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        graph = Path(folder) / ONNX_WEIGHTS
        warnings.simplefilter("ignore")  # that it is old, and of every number that the trace takes as given
        torch.onnx.export(
            _Both(net).eval(),
            (torch.zeros(2, spec.channels, spec.size, spec.size),),
            graph,
            input_names=[INPUT],
            output_names=[FEATURES, LOGITS],
            dynamic_axes={name: {0: "n"} for name in (INPUT, FEATURES, LOGITS)},
            dynamo=False,
            verbose=False,
        )
        return graph.read_bytes()


def read_onnx(path: Path) -> bytes:
    """Content of an ONNX file once it is known to be nothing but a graph of standard operators with its own numbers.

    Raises:
        CheckpointError: missing, too large, damaged, or more than that; the message names the file.
    """
    import onnx
    from google.protobuf.message import DecodeError

    where = f"{path.parent.name}/{path.name}"
    if not path.is_file():
        raise CheckpointError(f"{where} is missing; copy the whole folder, or export it again with training.edge.")
    if path.stat().st_size > MAX_ONNX_BYTES:
        raise CheckpointError(f"{where} is larger than {MAX_ONNX_BYTES // 10**6} MB and was not opened.")
    content = path.read_bytes()
    try:
        model = onnx.load_model_from_string(content)
    except (DecodeError, ValueError) as error:
        raise CheckpointError(f"{where} is not a whole ONNX file ({error}); copy it again.") from error
    if problem := problem_of(model):
        raise CheckpointError(f"{where} {problem}; export it again with training.edge.")
    return content


def problem_of(model: ModelProto) -> str:
    """What makes a model more than a graph of standard operators with finite numbers of its own; "" if nothing."""
    from onnx import AttributeProto

    attributes: list[AttributeProto] = [each for node in model.graph.node for each in node.attribute]
    foreign = sorted(
        {f"{node.domain}.{node.op_type}" for node in model.graph.node if node.domain not in ("", "ai.onnx")}
    )
    if foreign:
        return f"has operators that are not of the ONNX standard ({', '.join(foreign)})"
    if model.functions or any(each.type in (AttributeProto.GRAPH, AttributeProto.GRAPHS) for each in attributes):
        return "has functions or branches of its own"
    tensors = _tensors(model, attributes)
    if any(each.data_location or each.external_data for each in tensors):
        return "keeps its numbers in another file, which is never opened"
    if model.graph.sparse_initializer or any(each.HasField("sparse_tensor") for each in attributes):
        return "has sparse numbers, which no export of ours writes"
    bad = next((each.name for each in tensors if not _is_finite(each)), None)
    return "" if bad is None else f"holds numbers that are not finite, or damaged ones ({bad})"


def _tensors(model: ModelProto, attributes: Sequence[AttributeProto]) -> list[TensorProto]:
    inside = [tensor for each in attributes for tensor in (each.t, *each.tensors)]
    return [*model.graph.initializer, *inside]


def _is_finite(tensor: TensorProto) -> bool:
    from onnx import TensorProto, numpy_helper

    if tensor.data_type not in (TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.DOUBLE):
        return True
    try:
        return bool(np.isfinite(numpy_helper.to_array(tensor)).all())
    except (ValueError, TypeError):
        return False


def providers(device: torch.device, available: Sequence[str]) -> list[str | tuple[str, dict[str, str]]]:
    """What ONNX Runtime tries, the first first: TensorRT and CUDA on ``cuda``, CoreML on ``mps``, where this build has
    them, and always the CPU. Only the CPU has been tried.

    Args:
        device: as torch names it.
        available: what ``onnxruntime.get_available_providers`` says.
    """
    here = [name for name in _OF_DEVICE.get(device.type, ()) if name in available]
    number = {"device_id": str(device.index or 0)} if device.type == "cuda" else {}
    return [*((name, number) for name in here), "CPUExecutionProvider"]


def _open(model: bytes, device: torch.device) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = torch.get_num_threads(), 1
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    wanted = providers(device, onnxruntime.get_available_providers())
    errors: tuple[type[Exception], ...] = (ValueError, *_refusals())
    try:
        return onnxruntime.InferenceSession(model, options, providers=wanted)
    except errors as error:
        raise CheckpointError(_first_line(error)) from error


def _refusals() -> tuple[type[Exception], ...]:
    """What ONNX Runtime raises; its errors have no common parent."""
    from onnxruntime.capi import onnxruntime_pybind11_state as state

    names = ("EPFail", "EngineError", "Fail", "InvalidArgument", "InvalidGraph", "InvalidProtobuf", "NotImplemented")
    return (*(getattr(state, name) for name in names), state.RuntimeException)


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0].rstrip(".") + "."


def _check_shapes(session: Any, card: Card) -> None:
    """Raise ``CheckpointError`` unless inputs and outputs are those of the card; n is free."""
    spec = card.input
    found = {each.name: (each.type, tuple(each.shape)) for each in (*session.get_inputs(), *session.get_outputs())}
    pictures, features, logits = (found.get(name, ("", ())) for name in (INPUT, FEATURES, LOGITS))
    is_float = all(kind == "tensor(float)" for kind, _ in found.values())
    is_free = all(shape and not isinstance(shape[0], int) for _, shape in found.values())
    if len(found) != 3 or not is_float or not is_free or len(features[1]) != 2:
        raise CheckpointError(
            f"expected the input {INPUT} and the outputs {FEATURES} and {LOGITS}, float32 for any number of pictures, "
            f"got {found}."
        )
    wanted = (spec.channels, spec.size, spec.size)
    if pictures[1][1:] != wanted or logits[1][1:] != (len(card.labels),):
        raise CheckpointError(
            f"its pictures are {pictures[1][1:]} and its logits {logits[1][1:]}; the card says {wanted} and "
            f"{len(card.labels)}."
        )
