"""The graph of 8 bits that a checkpoint's folder may hold, as a faster way to run the same checkpoint on some CPUs.

    python -m training.edge compact-resnet-votes1-ferplus --runtime --data /path/to/fer2013

writes ``int8.onnx`` and what it costs into the card. ``fer_core.models.runtime`` takes it where it is the fastest.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from fer_core.data import FaceSet
from fer_core.errors import CheckpointError
from fer_core.files import replacing
from fer_core.models.card import CHOOSE, INT8_GRAPH, TEST, read_card
from fer_core.models.classifier import Classifier
from fer_core.models.folders import file_sha256
from fer_core.models.onnx_net import OnnxNetwork
from training.measure import answers_on
from training.prune import target_of

MOST_COST = 0.002
"""Share of the pictures that the epoch was chosen on that may be right no more."""


def write_int8(
    folder: Path, source: Classifier, model: onnx.ModelProto, n_seen: int, sides: Mapping[str, Sequence[FaceSet]]
) -> dict[str, Any]:
    """Put a graph of 8 bits into the folder of the checkpoint that it was made from; returns what the card says of it.

    Args:
        folder: the checkpoint's.
        source: the checkpoint in float32.
        model: see ``training.edge.quantised``.
        n_seen: training pictures that it was calibrated on.
        sides: data sets by ``CHOOSE`` and ``TEST``; costs are of single views, in the labels that it was taught.

    Raises:
        CheckpointError: it costs more than ``MOST_COST``, or there is nothing to see that on; nothing was written.
    """
    content = model.SerializeToString()
    small = source.run_by(OnnxNetwork(content, of=source.name))
    costs = [_cost(source, small, side, sets) for side in (CHOOSE, TEST) if (sets := sides.get(side))]
    if not costs or costs[0]["side"] != CHOOSE:
        raise CheckpointError(f"{source.name} has no pictures to choose on, so what 8 bits cost cannot be measured.")
    if costs[0]["cost"] > MOST_COST:
        raise CheckpointError(
            f"8 bits cost {source.name} {costs[0]['cost']:.2%} of {costs[0]['n']:,} pictures, more than "
            f"{MOST_COST:.1%}, so {INT8_GRAPH} was not written."
        )
    with replacing(folder / INT8_GRAPH) as new:
        new.write_bytes(content)
    said = {"sha256": file_sha256(folder / INT8_GRAPH), "calibration": n_seen, "costs": costs}
    card = dataclasses.replace(read_card(folder / "card.json"), int8=said)
    with replacing(folder / "card.json") as new:
        new.write_text(card.to_json(), encoding="utf-8")
    return said


def _cost(source: Classifier, small: Classifier, side: str, sets: Sequence[FaceSet]) -> dict[str, Any]:
    """How many of a side's pictures the graph gets right less than float32 does, as a share, and how many it answers
    otherwise."""
    logits, truth = answers_on(source, sets, target_of(source.card))
    found = answers_on(small, sets, target_of(source.card))[0].argmax(axis=1)
    plain = logits.argmax(axis=1)
    return {
        "side": side,
        "splits": [f"{each.name} {each.split}" for each in sets],
        "labels": source.card.data.get("labels"),
        "n": len(truth),
        "accuracy": round(float((found == truth).mean()), 5),
        "cost": round(float((plain == truth).mean() - (found == truth).mean()), 5),
        "changed": round(float(np.mean(plain != found)), 5),
    }
