"""Size, accuracy and speed of a checkpoint and of what ``training.edge`` made of it.

    python -m benchmarks.edge CHECKPOINT… [--data /path/to/fer2013] [--runs 200] [--threads 1 2] [--json]

Beside each CHECKPOINT stand the ONNX and the pruned ones made from it, which lie in the same folder or among the known
checkpoints. Everything is measured in one process: the networks take turns, 50 runs each, so that other work on the
machine slows all of them. What is timed is the network alone, from normalised pictures to features and logits.

MB is that of the weights on disk, where torch's are kept in half precision; "smaller" is against the float32 weights of
the checkpoint. Times are of one picture: the median, and where a twentieth of the runs are faster or slower. "faster"
is against torch with as many threads, by the median.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from fer_core.data.locate import find_dataset
from fer_core.errors import DataError
from fer_core.evaluation.run import evaluate
from fer_core.models.card import ONNX, Card, read_card
from fer_core.models.classifier import Classifier, load
from fer_core.models.folders import checkpoint_folders, find_checkpoint, weights_bytes, weights_in

BLOCK, WARM_UP, BATCH, BATCH_RUNS = 50, 10, 64, 9


@dataclass
class Variant:
    """One network, what is known of it, and its times in s by (threads, pictures at once)."""

    folder: Path
    card: Card
    times: dict[tuple[int, int], list[float]] = field(default_factory=dict)
    accuracy: float | None = None

    @property
    def n_bytes(self) -> int:
        return weights_bytes(self.folder, self.card)

    def median_ms(self, threads: int, n: int = 1) -> float:
        return 1000 * float(np.median(self.times[threads, n]))


def variants(checkpoint: str) -> list[Variant]:
    """A checkpoint and all that was made from it, pruned ones and theirs too."""
    folder = find_checkpoint(checkpoint)
    beside = {path.parent.name: path.parent for path in folder.parent.glob("*/card.json")}
    cards = {
        each: read_card(each / "card.json") for each in {**checkpoint_folders(), **beside}.values() if weights_in(each)
    }
    cards = dict(sorted(cards.items(), key=lambda item: (item[1].network, item[0])))
    first = read_card(folder / "card.json")
    found = [Variant(folder, first)]
    for made in found:  # grows meanwhile
        found += [Variant(each, card) for each, card in cards.items() if _source(card) == made.card.name]
    return found


def _source(card: Card) -> str | None:
    """Name of the checkpoint that another one was made from."""
    if card.architecture == ONNX:
        return str(card.options["of"])
    return card.data.get("pruned", {}).get("of")


def measure(found: list[Variant], threads: int, runs: int) -> None:
    """Fill the times with one picture and with ``BATCH`` pictures at once."""
    torch.set_num_threads(threads)
    loaded = [(each, load(each.folder, device="cpu")) for each in found]
    for n, total, block in ((1, runs, BLOCK), (BATCH, BATCH_RUNS, 3)):
        for each, classifier in loaded:
            each.times[threads, n] = []
            list(_seconds(classifier, n, WARM_UP if n == 1 else 1))
        for _ in range(-(-total // block)):
            for each, classifier in loaded:
                each.times[threads, n] += _seconds(classifier, n, block)


@torch.inference_mode()
def _seconds(classifier: Classifier, n: int, runs: int) -> Iterator[float]:
    """How long each run over ``n`` random pictures takes."""
    spec = classifier.card.input
    x = torch.randn(n, spec.channels, spec.size, spec.size).contiguous(memory_format=torch.channels_last)
    for _ in range(runs):
        start = time.perf_counter()
        classifier.net.features_and_logits(x)
        yield time.perf_counter() - start


def rows(found: list[Variant], threads: list[int]) -> list[dict[str, Any]]:
    """A row for each variant and count of threads; the first variant is what the others are compared with."""
    first, made = found[0], []
    for each in found:
        size = {"mb": each.n_bytes / 1e6, "smaller": 4 * first.card.n_params / each.n_bytes}
        for count in threads:
            low, median, high = 1000 * np.percentile(each.times[count, 1], (5, 50, 95))
            times = {"ms": median, "p5_ms": low, "p95_ms": high, "faster": first.median_ms(count) / median}
            known = {"checkpoint": each.card.name, "network": each.card.network, **size, "accuracy": each.accuracy}
            made.append({**known, "threads": count, **times, "per_s": 1000 * BATCH / each.median_ms(count, BATCH)})
    return made


def show(table: list[dict[str, Any]]) -> None:
    """Print the table in Markdown."""
    heads = ("checkpoint", "network", "MB", "smaller", "accuracy", "threads", "ms", "5 %", "95 %", "faster", "per s")
    print("| " + " | ".join(heads) + " |\n" + "| --- " * len(heads) + "|")
    for row in table:
        accuracy = "" if row["accuracy"] is None else f"{row['accuracy']:.2%}"
        cells = [row["checkpoint"], row["network"], f"{row['mb']:.2f}", f"{row['smaller']:.1f}×", accuracy]
        cells += [str(row["threads"]), *(f"{row[key]:.2f}" for key in ("ms", "p5_ms", "p95_ms"))]
        print("| " + " | ".join([*cells, f"{row['faster']:.1f}×", f"{row['per_s']:.0f}"]) + " |")


def main(argv: list[str] | None = None) -> None:
    """Command line; see the module's docstring."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoints", nargs="+", metavar="CHECKPOINT")
    parser.add_argument("--data", type=Path, help="FER2013, whose private test is counted (default: in FER_DATA)")
    parser.add_argument("--runs", type=int, default=200, help="with one picture (default: %(default)s)")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args(argv)
    data: Path | None = None
    with suppress(DataError):
        data = find_dataset("fer2013", args.data)
    tables = []
    for name in args.checkpoints:
        found = variants(name)
        for threads in args.threads:
            measure(found, threads, args.runs)
        for each in found:
            if data is not None:
                each.accuracy = evaluate(load(each.folder, device="cpu"), data, split="private_test")["accuracy"]
        tables.append(rows(found, args.threads))
        if not args.json:
            show(tables[-1])
    if args.json:
        print(json.dumps(tables, indent=2))


if __name__ == "__main__":
    main()
