"""Make a checkpoint small and fast for machines without a GPU: ONNX, whole numbers of 8 bits, fewer filters.

    python -m training.edge mobilenetv2-fer2013 --data /path/to/fer2013
    python -m training.edge mru-2025-cnn --prune 0.3 --epochs 5
    python -m training.edge mobilenetv2-fer2013 --runtime

The first writes ``mobilenetv2-fer2013-onnx`` and ``mobilenetv2-fer2013-int8``, checkpoint folders like any other, whose
``model.onnx`` ONNX Runtime runs. The second first writes ``mru-2025-cnn-pruned30``, then those two of it. The third
puts the INT8 graph into the checkpoint's own folder, see ``training.int8``. Every figure is measured again, on the
pictures that the checkpoint's recipe chooses and tests on; INT8 checkpoints get a temperature of their own.
``python -m benchmarks.edge`` compares size, accuracy and speed.
"""

from __future__ import annotations

import argparse
import copy
import dataclasses
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from fer_core.cli_parts import CAUSED_OUTSIDE, say
from fer_core.errors import CheckpointError, RecipeError
from fer_core.models.card import CHOOSE, ONNX, TEST, Card, read_card, write_card
from fer_core.models.classifier import Classifier, load
from fer_core.models.folders import find_checkpoint
from fer_core.models.onnx_net import INPUT, LOGITS, OnnxNetwork, exported
from fer_core.models.pca import PCA
from fer_core.models.registry import EmotionNetwork
from fer_core.models.trunks import TrunkNetwork
from training.class_prior import write_prior
from training.int8 import write_int8
from training.measure import fit_on, measure
from training.options import add_options
from training.prepare import PreparedData, choose_pictures, find_all, prepare
from training.prune import prune_checkpoint, pruned_name, target_of
from training.reading import Side
from training.recipe import FERPLUS, network_recipe
from training.reference import write_reference
from training.results import Results
from training.train import named_roots, quiet, runs_folder

ArrayF = NDArray[np.float32]
CALIBRATION, BATCH = 512, 32
"""Training pictures that show how far activations reach, and how many go through the network at once."""
EPOCHS = 5
TOLERANCE = 1e-3
"""Largest difference between the logits of torch and ONNX Runtime, in units of the largest logit (at least 1)."""
_BLOCK = (nn.Conv2d, nn.ReLU, nn.BatchNorm2d, nn.MaxPool2d, nn.Dropout)


def to_onnx(net: EmotionNetwork, card: Card) -> onnx.ModelProto:
    """The graph of a network in float32 for any number of pictures; batch norms are part of the convolutions."""
    net = copy.deepcopy(net)
    fold_norms(net)
    return without_notes(onnx.load_model_from_string(exported(net, card.input)))


def without_notes(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model without what the tools wrote into it, such as paths of this machine; changed in place."""
    graph = model.graph
    for each in (model, graph, *graph.node, *graph.input, *graph.output, *graph.initializer):
        del each.metadata_props[:]
        each.doc_string = ""
    del graph.value_info[:]
    for each in [each for each in model.opset_import if each.domain]:  # of tools; the nodes are all of the standard
        model.opset_import.remove(each)
    return model


@torch.no_grad()
def fold_norms(net: EmotionNetwork) -> int:
    """Make batch norms that stand behind a ReLU part of the convolutions before and after; how many were.

    Exporters join a batch norm with the convolution right before it. In ``mru-cnn`` a ReLU stands between, and the norm
    would stay a step of its own, in float32. ReLU and max-pool commute with a positive factor, and the shift passes a
    max-pool and a convolution without padding. A norm with a factor that is not positive stays where it is.
    """
    blocks = list(net.backbone.children()) if isinstance(net, TrunkNetwork) else []
    if not blocks or not all(tuple(type(each) for each in block.children()) == _BLOCK for block in blocks):
        return 0
    assert isinstance(net, TrunkNetwork)
    hidden = [each for each in net.neck.modules() if isinstance(each, nn.Linear)][:1]
    done = 0
    for block, after in zip(blocks, [*(each.get_submodule("0") for each in blocks[1:]), *hidden], strict=False):
        conv, norm = block.get_submodule("0"), block.get_submodule("2")
        assert isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d)
        assert isinstance(after, nn.Conv2d | nn.Linear)
        factor, shift = _line(norm)
        inputs = after.weight.flatten(2).sum(dim=2) if after.weight.ndim == 4 else after.weight
        if (factor <= 0).any() or getattr(after, "padding", (0, 0)) != (0, 0) or inputs.shape[1] != len(shift):
            continue
        conv.weight *= factor[:, None, None, None]
        assert conv.bias is not None and after.bias is not None
        conv.bias *= factor
        after.bias += inputs @ shift
        block.register_module("2", nn.Identity())
        done += 1
    return done


def _line(norm: nn.BatchNorm2d) -> tuple[Tensor, Tensor]:
    """Factor and shift of a batch norm, by channel."""
    assert norm.running_mean is not None and norm.running_var is not None
    factor = norm.weight / (norm.running_var + norm.eps).sqrt()
    return factor, norm.bias - norm.running_mean * factor


def quantised(model: onnx.ModelProto, batches: Iterable[ArrayF]) -> onnx.ModelProto:
    """The model with weights and activations of 8 bits, but for the last layer, so that logits are not rounded, and for
    batch norms that are left, which ONNX Runtime computes in float32 anyway.

    Static quantisation with pairs of QuantizeLinear and DequantizeLinear: weights signed and scaled by channel, without
    which depthwise convolutions lose much; activations unsigned, scaled by the range that they have on ``batches`` of
    network input (n, c, s, s).
    """
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    class Reader(CalibrationDataReader):
        def __init__(self) -> None:
            self.left = iter(batches)

        def get_next(self) -> dict[str, ArrayF] | None:
            batch = next(self.left, None)
            return None if batch is None else {INPUT: batch}

    with tempfile.TemporaryDirectory() as folder:
        plain, ready, made = (Path(folder) / f"{name}.onnx" for name in ("plain", "ready", "made"))
        onnx.save(model, plain)
        quant_pre_process(plain, ready, skip_symbolic_shape=True)
        nodes = onnx.load(ready).graph.node
        left = [node.name for node in nodes if LOGITS in node.output or node.op_type == "BatchNormalization"]
        quantize_static(
            ready, made, Reader(), quant_format=QuantFormat.QDQ, per_channel=True, activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8, nodes_to_exclude=left,
        )  # fmt: skip
        return without_notes(onnx.load(made))


def make_variants(
    source: Classifier, prepared: PreparedData, results: Results, *, n_calibration: int = CALIBRATION
) -> list[Path]:
    """Write the float32 and the INT8 checkpoint of a network; returns their folders.

    Raises:
        CheckpointError: ONNX Runtime answers otherwise than torch.
        RecipeError: no pictures to calibrate with.
    """
    card = source.card
    inputs, n_seen = seen_in_training(source, prepared.train, n_calibration)
    with torch.inference_mode():
        wanted = source.net.features_and_logits(torch.from_numpy(inputs[0]))[1].clone()
    model = to_onnx(source.net, card)
    far = _difference(model, inputs[0], wanted)
    note = f"Largest difference from {card.name}'s logits: {far:.1g}, on {len(inputs[0])} training pictures."
    plain = _card(source, "float32", notes=[note])
    small = _card(source, "int8", data={"calibration": {"split": card.data.get("train", ""), "n": n_seen}})
    return [
        _write(results, plain, model, source, prepared),
        _write(results, small, quantised(model, inputs), source, prepared),
    ]


def seen_in_training(source: Classifier, train: Side, n: int) -> tuple[list[ArrayF], int]:
    """What the network sees of ``n`` training pictures (or all, where there are fewer) as it was taught them, but for
    augmentation: batches (b, c, s, s), and how many pictures they are; always the same ones of a seed.

    Raises:
        RecipeError: none are asked for.
    """
    if n < 1:
        raise RecipeError(f"INT8 needs 1 or more training pictures to look at, not {n}.")
    rows = np.sort(np.random.default_rng(source.card.seed).permutation(len(train))[:n])
    seen = Classifier(
        source.net, source.card, device="cpu"
    )  # pictures went through the PCA already, where there is one
    with torch.inference_mode():
        batches = [train.images[rows[i : i + BATCH]] for i in range(0, len(rows), BATCH)]
        return [seen.network_input(each).contiguous().numpy() for each in batches], len(rows)


def _difference(model: onnx.ModelProto, x: ArrayF, wanted: Tensor) -> float:
    net = OnnxNetwork(model.SerializeToString(), of="")
    far = float((net(torch.from_numpy(x)) - wanted).abs().max())
    if not far <= TOLERANCE * max(1.0, float(wanted.abs().max())):
        raise CheckpointError(f"ONNX Runtime's logits differ from torch's by up to {far:.3g}, so nothing was written.")
    return far


def _card(source: Classifier, precision: str, *, data: dict[str, Any] | None = None, notes: Sequence[str] = ()) -> Card:
    card = source.card
    suffix = "onnx" if precision == "float32" else precision
    return dataclasses.replace(
        card,
        name=f"{card.name}-{suffix}",
        architecture=ONNX,
        options={"of": card.name, "architecture": card.architecture, "precision": precision},
        data={**card.data, **(data or {})},
        metrics=[],
        notes=[*card.notes, *notes],
    )


def _write(results: Results, card: Card, model: onnx.ModelProto, source: Classifier, prepared: PreparedData) -> Path:
    with results.folder(card.name) as folder:
        _fill(folder, card, model, source, prepared)
    return results.out / card.name


def _fill(folder: Path, card: Card, model: onnx.ModelProto, source: Classifier, prepared: PreparedData) -> None:
    """Put a checkpoint and everything that is measured of it into a folder."""
    (folder / card.weights_file).write_bytes(model.SerializeToString())
    write_card(folder, card)
    if source.pca is not None:
        source.pca.save(folder / PCA)
    if card.options["precision"] != "float32":
        card = dataclasses.replace(card, temperature=fit_on(load(folder), prepared.choose_sets, target_of(card)))
        write_card(folder, card)
    votes = FERPLUS in prepared.recipe.targets
    measure(folder, prepared.choose_sets, prepared.test_sets, with_votes=votes)
    write_prior(folder, prepared.train.votes, prepared.train.labels)
    write_reference(folder, load(folder), np.asarray(prepared.train.images), prepared.train.labels, card.seed)


def tell(folders: Sequence[Path]) -> None:
    """A line for each checkpoint: size, and the accuracy of a single view on every split."""
    for folder in folders:
        card = read_card(folder / "card.json")
        size = (folder / card.weights_file).stat().st_size / 1e6
        own = [each for each in card.metrics if each["tta"] == "none" and each["labels"] == each["data"]]
        figures = ", ".join(f"{each['split']} {each['accuracy']:.2%}" for each in own)
        print(f"{card.name}: {card.network}, {size:.2f} MB, {figures}")


def run_edge(args: argparse.Namespace) -> None:
    """Everything that the command line asks for."""
    source = load(args.checkpoint, device="cpu")
    if source.card.architecture == ONNX:
        raise RecipeError(f"{source.name} is an ONNX checkpoint already; give {source.card.options['of']}.")
    name, _, fold = source.card.recipe.partition("-fold")
    if not name:
        raise RecipeError(
            f"{source.name} was trained elsewhere: its card names no recipe whose pictures it could be measured on."
        )
    recipe = network_recipe(name)
    roots = find_all(recipe.data, named_roots(args.data, recipe.data.names))
    run = runs_folder() / f"{source.name}-edge"
    base = pruned_name(source.card, args.prune) if args.prune else source.name
    results, pruned = (Results(args.out, each, args.replace) for each in (run, runs_folder() / base))
    if not args.runtime:
        results.check([f"{base}-onnx", f"{base}-int8"])
    if args.prune:
        pruned.check([base])
    prepared = prepare(recipe, choose_pictures(recipe, roots), run / "pictures", fold=int(fold) if fold else None)
    if args.runtime:
        inputs, n_seen = seen_in_training(source, prepared.train, args.calibration)
        sides = {CHOOSE: prepared.choose_sets, TEST: prepared.test_sets}
        said = write_int8(
            find_checkpoint(args.checkpoint), source, quantised(to_onnx(source.net, source.card), inputs), n_seen, sides
        )
        for each in said["costs"]:
            print(
                f"{source.name} in 8 bits, {', '.join(each['splits'])}: {each['accuracy']:.2%} of {each['n']:,} "
                f"{each['labels']}, {each['cost']:+.2%} less; {each['changed']:.1%} answered otherwise"
            )
        return
    folders = []
    if args.prune:
        folders.append(
            prune_checkpoint(source, prepared, share=args.prune, epochs=args.epochs, results=pruned, fresh=args.fresh)
        )
        source = load(folders[0], device="cpu")
    folders += make_variants(source, prepared, results, n_calibration=args.calibration)
    tell(folders)


def main(argv: list[str] | None = None) -> int:
    """Command line; see the module's docstring."""
    quiet()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", help="name or folder of a checkpoint")
    parser.add_argument(
        "--data", action="append", default=[], metavar="[NAME=]PATH", help="folder of a data set (default: in FER_DATA)"
    )
    add_options(parser)
    parser.add_argument("--calibration", type=int, default=CALIBRATION, help="training pictures that INT8 looks at")
    parser.add_argument("--runtime", action="store_true", help="put the INT8 graph into the checkpoint's own folder")
    parser.add_argument("--prune", type=float, default=0.0, metavar="SHARE", help="of each convolution's filters")
    parser.add_argument("--epochs", type=int, default=EPOCHS, help="of learning after pruning (default: %(default)s)")
    parser.add_argument("--fresh", action="store_true", help="forget an earlier run of this pruning")
    args = parser.parse_args(argv)
    try:
        run_edge(args)
    except CAUSED_OUTSIDE as error:
        return say("error", error, failed=2)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
