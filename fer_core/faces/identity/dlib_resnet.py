"""dlib's face recognition network (29 layers, 128 numbers a face), by Davis King, 2017, run by ONNX Runtime.

Its maker's notes (https://github.com/davisking/dlib-models) say what it was trained on and that two faces nearer than
0.6 are taken for one person's. It was trained on chips that dlib's own five points (corners of the eyes, base of the
nose) align; ours are aligned by the five landmarks that every detector here gives, put where they lie in dlib's chips
(``python -m benchmarks.descriptors places``).
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import onnxruntime
import torch

from fer_core.faces.identity.dlib_file import (
    BLOCKS,
    CHANNELS,
    MEANS,
    NUMBERS,
    SHA256,
    SIZE,
    Convolution,
    Weights,
    load_weights,
)
from fer_core.faces.identity.likeness import Likeness
from fer_core.faces.records import RGB, ArrayF

if TYPE_CHECKING:
    from onnx import NodeProto, TensorProto

PLACES = np.array([[47.5, 46.5], [102.5, 46.5], [75.0, 78.0], [52.0, 105.0], [98.0, 105.0]]) / SIZE
CHIPS, VECTORS = "chips", "vectors"
"""Names in the graph: chips uint8 (n, SIZE, SIZE, 3), vectors float32 (n, NUMBERS)."""
OPSET, IR_VERSION = 17, 8
BATCH = 8
"""Faces at once; more are no quicker (``python -m benchmarks.descriptors describe``) and take more memory."""


class DlibResnet:
    """See ``Describer``. Runs on as many threads as torch, which do not spin while they wait.

    Its numbers are those of ``dlib.face_recognition_model_v1`` within 1e-6.

    Args:
        weights: the file that was published.

    Raises:
        InputError: it is another one.
    """

    name, size, places = "dlib-resnet", SIZE, PLACES
    version = f"weights {SHA256[:12]}"
    likeness = Likeness(joined=0.4, jump=0.6, threshold=0.6, cut=0.7)

    def __init__(self, weights: Path) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = torch.get_num_threads(), 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        graph = network_graph(load_weights(weights))
        self._session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])

    def describe(self, chips: RGB) -> ArrayF:
        found = [np.zeros((0, NUMBERS), np.float32)]
        for start in range(0, len(chips), BATCH):
            (vectors,) = self._session.run([VECTORS], {CHIPS: np.ascontiguousarray(chips[start : start + BATCH])})
            found.append(vectors)
        return np.concatenate(found)


def network_graph(weights: Weights) -> bytes:
    """The network as an ONNX file.

    A block adds what goes in to what two convolutions make of it. One that halves the picture averages what goes in
    over 2 x 2 px; channels and edges that one of the two lacks count as 0.
    """
    from onnx import TensorProto, helper

    graph = _Graph()
    x = graph.add("Cast", CHIPS, to=TensorProto.FLOAT)
    x = graph.add("Transpose", x, perm=[0, 3, 1, 2])
    x = graph.add("Sub", x, graph.number(MEANS.reshape(CHANNELS, 1, 1)))
    x = graph.add("Div", x, graph.number(np.array(256, np.float32)))
    first, *rest = weights.convolutions
    x = graph.add("Relu", graph.convolution(x, first))
    x = graph.add("MaxPool", x, kernel_shape=[3, 3], strides=[2, 2])
    channels, side = len(first.bias), _halved(_halved(SIZE, 7), 3)
    for (filters, halves), a, b in zip(BLOCKS, rest[::2], rest[1::2], strict=True):
        y = graph.convolution(graph.add("Relu", graph.convolution(x, a)), b)
        if halves:
            x = graph.add("AveragePool", x, kernel_shape=[2, 2], strides=[2, 2])
            x = graph.padded(x, channels=filters - channels)
            y = graph.padded(y, edge=side // 2 - _halved(side, 3))
            channels, side = filters, side // 2
        x = graph.add("Relu", graph.add("Add", x, y))
    x = graph.add("Flatten", graph.add("GlobalAveragePool", x))
    graph.add("MatMul", x, graph.number(weights.last), output=VECTORS)
    chips = helper.make_tensor_value_info(CHIPS, TensorProto.UINT8, ["n", SIZE, SIZE, CHANNELS])
    vectors = helper.make_tensor_value_info(VECTORS, TensorProto.FLOAT, ["n", NUMBERS])
    whole = helper.make_graph(graph.nodes, "dlib-resnet", [chips], [vectors], graph.numbers)
    opsets = [helper.make_opsetid("", OPSET)]
    return bytes(helper.make_model(whole, opset_imports=opsets, ir_version=IR_VERSION).SerializeToString())


def _halved(side: int, window: int) -> int:
    """How often a window lies in a side in steps of two px."""
    return (side - window) // 2 + 1


class _Graph:
    """Nodes and numbers so far, named by how many there are."""

    def __init__(self) -> None:
        self.nodes: list[NodeProto] = []
        self.numbers: list[TensorProto] = []

    def add(self, operator: str, *inputs: str, output: str = "", **attributes: Any) -> str:
        """One operator; the name of its output."""
        from onnx import helper

        name = output or f"x{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, inputs, [name], **attributes))
        return name

    def number(self, values: np.ndarray) -> str:
        from onnx import numpy_helper

        name = f"w{len(self.numbers)}"
        self.numbers.append(numpy_helper.from_array(values, name))
        return name

    def convolution(self, x: str, of: Convolution) -> str:
        return self.add(
            "Conv", x, self.number(of.weights), self.number(of.bias), strides=[of.stride] * 2, pads=[of.padding] * 4
        )

    def padded(self, x: str, *, channels: int = 0, edge: int = 0) -> str:
        """With so many more channels, rows below and columns to the right, all 0."""
        if not channels and not edge:
            return x
        return self.add("Pad", x, self.number(np.array([0, 0, 0, 0, 0, channels, edge, edge], np.int64)))
