"""ONNX graphs that were not made here, in the form that ``fer_core.models.onnx_net`` runs.

The input and the scores are found and renamed, any number of pictures is allowed, a softmax at the end is left out,
scores are put into our order, and what comes before the last layer is given out as features.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

from fer_core.errors import CheckpointError
from fer_core.models.onnx_net import FEATURES, INPUT, LOGITS, problem_of

NEVER = -1000.0
"""Logit of a class that the network does not have."""
_PASSES = ("Identity", "Flatten", "Squeeze", "Dropout")
TOLERANCE = 1e-4


def convert_graph(path: Path, made: Path, order: list[int], n_given: int) -> dict[str, Any]:
    """Write ``made`` from the graph in ``path``.

    Args:
        path: an ONNX file.
        made: where the result goes.
        order: for each of our classes the number of its score there, -1 where there is none.
        n_given: number of scores that are expected there.

    Returns:
        ``size`` and ``channels`` of its pictures, and whether its answers were ``softmax``.

    Raises:
        CheckpointError: it is no graph of one picture in and one row of scores out, or cannot be made to take several.
    """
    model = _read(path)
    given = _only_input(model, path.name)
    batch, channels, height, width = _shape(given)
    if channels not in (1, 3) or height != width or not height:
        raise CheckpointError(
            f"{path.name} takes pictures of shape {(batch, channels, height, width)}; expected (n, 1 or 3, s, s). "
            "Export it with the channels first and one side for height and width."
        )
    before = model.SerializeToString()
    said = scores = _scores(model, n_given, path.name)
    softmax = _producer(model, scores)
    is_softmax = softmax is not None and softmax.op_type == "Softmax"
    if softmax is not None and is_softmax:
        scores = softmax.input[0]
    _free_batch(model)
    _rewire(model, given.name, scores, order, n_given, (channels, height))
    made.write_bytes(model.SerializeToString())
    _compare(before, made, (given.name, said), (channels, height), order, is_softmax=is_softmax, name=path.name)
    return {"size": height, "channels": channels, "softmax": is_softmax}


def _read(path: Path) -> ModelProto:
    try:
        model = onnx.load_model(path, load_external_data=False)
    except Exception as error:  # protobuf's have no parent of their own
        raise CheckpointError(f"{path.name} is not a whole ONNX file ({str(error)[:120]}).") from error
    if problem := problem_of(model):
        raise CheckpointError(f"{path.name} {problem}, so it cannot be used here.")
    return model


def _only_input(model: ModelProto, name: str) -> Any:
    numbers = {each.name for each in model.graph.initializer}
    inputs = [each for each in model.graph.input if each.name not in numbers]
    if len(inputs) != 1 or inputs[0].type.tensor_type.elem_type != TensorProto.FLOAT or len(_shape(inputs[0])) != 4:
        told = ", ".join(f"{each.name} {_shape(each)}" for each in inputs) or "none"
        raise CheckpointError(f"{name} has the inputs {told}; expected one, pictures (n, channels, s, s) as float32.")
    return inputs[0]


def _shape(value: Any) -> tuple[int, ...]:
    """Sizes of an input; 0 where one is free."""
    return tuple(each.dim_value for each in value.type.tensor_type.shape.dim)


def _scores(model: ModelProto, n: int, name: str) -> str:
    """The output that has a score for each class."""
    found = [each for each in model.graph.output if _shape(each)[-1:] in ((n,), (0,))]
    if len(found) != 1:
        told = ", ".join(f"{each.name} {_shape(each)}" for each in model.graph.output)
        raise CheckpointError(f"{name} gives out {told}; expected one output of {n} scores, one for each label.")
    return str(found[0].name)


def _producer(model: ModelProto, value: str) -> NodeProto | None:
    return next((node for node in model.graph.node if value in node.output), None)


def _free_batch(model: ModelProto) -> None:
    """Let reshapes that were written for one picture take any number: a first size of 1 becomes that of their input."""
    numbers = {each.name: each for each in model.graph.initializer}
    constants = {node.output[0]: node for node in model.graph.node if node.op_type == "Constant"}
    for node in model.graph.node:
        if node.op_type != "Reshape" or node.input[0] in numbers or node.input[0] in constants:
            continue
        tensor = numbers.get(node.input[1])
        if tensor is None and node.input[1] in constants:
            tensor = next((each.t for each in constants[node.input[1]].attribute if each.name == "value"), None)
        if tensor is not None:
            sizes = numpy_helper.to_array(tensor).copy()
            if sizes.size and sizes[0] == 1:
                sizes[0] = 0
                tensor.CopyFrom(numpy_helper.from_array(sizes, tensor.name))
    for value in [*model.graph.input, *model.graph.output]:
        if value.type.tensor_type.shape.dim:
            value.type.tensor_type.shape.dim[0].dim_param = "n"
    del model.graph.value_info[:]  # says the sizes of before


def _rewire(
    model: ModelProto, pictures: str, scores: str, order: list[int], n_given: int, size: tuple[int, int]
) -> None:
    """Our names for the input, features and scores in our order; numbers are no inputs."""
    graph = model.graph
    features = _before_last(model, scores)
    opset = next(each.version for each in model.opset_import if each.domain in ("", "ai.onnx"))
    for node in graph.node:
        for i, name in enumerate(node.input):
            if name == pictures:
                node.input[i] = INPUT
    features = INPUT if features == pictures else features
    rows = numpy_helper.from_array(np.array([i if i >= 0 else n_given for i in order], np.int64), "fer_order")
    pads, never = [0, 0, 0, 1], numpy_helper.from_array(np.array(NEVER, np.float32), "fer_never")
    graph.initializer.append(rows)
    flat = "fer_scores"
    graph.node.append(helper.make_node("Flatten", [scores], [flat], name="fer_flat", axis=1))
    if opset >= 11:
        graph.initializer.extend([numpy_helper.from_array(np.array(pads, np.int64), "fer_pads"), never])
        graph.node.append(helper.make_node("Pad", [flat, "fer_pads", "fer_never"], ["fer_padded"], name="fer_pad"))
    else:
        graph.node.append(helper.make_node("Pad", [flat], ["fer_padded"], name="fer_pad", pads=pads, value=NEVER))
    graph.node.append(helper.make_node("Gather", ["fer_padded", "fer_order"], [LOGITS], name="fer_sort", axis=1))
    graph.node.append(helper.make_node("Flatten", [features], [FEATURES], name="fer_features", axis=1))
    del graph.input[:]
    del graph.output[:]
    shape: list[str | int | None] = ["n", size[0], size[1], size[1]]
    graph.input.append(helper.make_tensor_value_info(INPUT, TensorProto.FLOAT, shape))
    graph.output.append(helper.make_tensor_value_info(FEATURES, TensorProto.FLOAT, ["n", None]))
    graph.output.append(helper.make_tensor_value_info(LOGITS, TensorProto.FLOAT, ["n", len(order)]))
    model.ir_version = max(model.ir_version, 4)  # numbers need not be inputs from there on


def _before_last(model: ModelProto, scores: str) -> str:
    """What the last full layer is given; the scores themselves where no such layer is found."""
    numbers = {each.name for each in model.graph.initializer} | {
        node.output[0] for node in model.graph.node if node.op_type == "Constant"
    }
    value = scores
    for _ in range(8):
        node = _producer(model, value)
        if node is None:
            return scores
        moving = [name for name in node.input if name not in numbers]
        if node.op_type in ("Gemm", "MatMul") and moving:
            return moving[0]
        if node.op_type not in ("Add", *_PASSES) or not moving:
            return scores
        value = moving[0]
    return scores


def _compare(
    before: bytes,
    made: Path,
    names: tuple[str, str],
    size: tuple[int, int],
    order: list[int],
    *,
    is_softmax: bool,
    name: str,
) -> None:
    """Make sure that two pictures at once are answered as the file answers each of them; ``names`` are those of its
    input and of its scores.

    Raises:
        CheckpointError: they are not.
    """
    import onnxruntime

    warnings.simplefilter("ignore")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 4
    x = np.random.default_rng(0).normal(size=(2, size[0], size[1], size[1])).astype(np.float32)
    try:
        old, new = (
            onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
            for content in (before, made.read_bytes())
        )
        single = np.concatenate([_row(old.run([names[1]], {names[0]: x[i : i + 1]})[0]) for i in range(2)])
        features, logits = new.run([FEATURES, LOGITS], {INPUT: x})
    except Exception as error:  # ONNX Runtime's errors have no common parent
        raise CheckpointError(
            f"{name} cannot be made to take several pictures at once ({str(error).splitlines()[0][:200]}). Export it "
            "again with a free first size of its input, in torch: dynamic_axes={'input': {0: 'n'}}."
        ) from error
    known = [i for i, each in enumerate(order) if each >= 0]
    wanted = single[:, [order[i] for i in known]]
    found = logits[:, known].astype(np.float64)
    if is_softmax:
        powers = np.exp(logits - logits.max(axis=1, keepdims=True))[:, known]
        found, wanted = powers / powers.sum(axis=1, keepdims=True), wanted / wanted.sum(axis=1, keepdims=True)
    far = float(np.abs(found - wanted).max())
    if not far <= TOLERANCE * max(1.0, float(np.abs(wanted).max())) or features.shape[0] != 2:
        raise CheckpointError(
            f"{name} answers two pictures at once otherwise than each alone (by up to {far:.3g}). Export it again with "
            "a free first size of its input."
        )


def _row(scores: Any) -> NDArray[np.floating]:
    return np.asarray(scores).reshape(1, -1)
