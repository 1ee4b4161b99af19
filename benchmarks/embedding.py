"""How long maps of faces take, and how much memory: layout, quality and neighbours, for each method.

    python -m benchmarks.embedding [--n 35887] [--methods umap tsne pca] [--dimensions 2] [--made-up] [--json]

The features are those of a checkpoint's evaluation tables, repeated with noise up to ``--n`` faces; or, with
``--made-up``, 128-dimensional clouds around seven centres. Each method runs in a process of its own, so that the first
layout's time includes what it loads and compiles, and the memory is its own.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fer_core.embeddings import METHODS, make_map, neighbours, place, project, quality
from fer_core.emotions import EMOTIONS, group_indices
from fer_core.models.folders import DEFAULT_CHECKPOINT, checkpoints_folder

NOISE = 0.3
"""Of the repeated features, in units of each feature's standard deviation."""


def stored(n: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Features (n, d) and labels (n,) of the default checkpoint's tables, repeated with noise."""
    folder = checkpoints_folder() / DEFAULT_CHECKPOINT / "evaluations"
    table = pd.concat([pd.read_parquet(path) for path in sorted(folder.glob("fer2013-*.parquet"))])
    features = table[[name for name in table.columns if name.startswith("f_")]].to_numpy(np.float32)
    labels = np.array([EMOTIONS.index(name) for name in table["label_fer2013"]])
    rows, rng = np.arange(n) % len(features), np.random.default_rng(0)
    noise = rng.normal(size=(n, features.shape[1])) * NOISE * features.std(axis=0)
    return features[rows] + (noise * (np.arange(n) >= len(features))[:, None]).astype(np.float32), labels[rows]


def made_up(n: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Clouds around seven centres."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, len(EMOTIONS), n)
    centres = rng.normal(size=(len(EMOTIONS), 128)) * 0.5
    return (centres[labels] + rng.normal(size=(n, 128))).astype(np.float32), labels


@contextmanager
def timed(steps: dict[str, float], name: str) -> Iterator[None]:
    """Notes how long the block takes, and the processor time of all its threads, in s."""
    start, busy = time.perf_counter(), time.process_time()
    yield
    steps[f"{name}_s"] = round(time.perf_counter() - start, 3)
    steps[f"{name}_cpu_s"] = round(time.process_time() - busy, 3)


def measure(method: str, n: int, dimensions: int, is_made_up: bool) -> dict[str, object]:
    """Seconds of each step with one method, its peak memory in MB, and the map's quality."""
    features, labels = (made_up if is_made_up else stored)(n)
    groups = group_indices()[labels]
    steps: dict[str, float] = {}
    with timed(steps, "project"):
        positions = project(features, method, dimensions=dimensions)
    with timed(steps, "quality"):
        quality(features, positions, labels, groups)
    with timed(steps, "make_map"):
        made = make_map(features, labels, groups, method, dimensions)
    assert np.array_equal(made.positions, positions), "the same seed gave another map"
    with timed(steps, "neighbours_of_one"):
        neighbours(features, np.array([n // 2]), 12)
    with timed(steps, "place_100"):
        place(features[:100] + np.float32(0.01), features, positions)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1000
    return {"method": method, "n": n, **steps, "peak_mb": peak, **{k: round(v, 4) for k, v in made.quality.items()}}


def main(argv: list[str] | None = None) -> int:
    """Command line; see the module's docstring."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, default=35_887)
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS))
    parser.add_argument("--dimensions", type=int, choices=(2, 3), default=2)
    parser.add_argument("--made-up", action="store_true")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args(argv)
    if len(args.methods) > 1:
        common = [sys.executable, "-m", "benchmarks.embedding", *(sys.argv[1:] if argv is None else argv), "--methods"]
        return max(subprocess.run([*common, name], cwd=Path(__file__).parents[1]).returncode for name in args.methods)
    values = measure(args.methods[0], args.n, args.dimensions, args.made_up)
    print(json.dumps(values) if args.json else "\n".join(f"{name:28}{value}" for name, value in values.items()))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
