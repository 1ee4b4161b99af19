"""How many heatmaps stand their checks: what the limits of ``fer_core.explain.checks`` are chosen on.

    python -m benchmarks.heatmap_sanity --data /path/to/fer2013 [--n 64] [--scorecam]

For faces of FER2013's private test: maps of the predicted emotion and of the next most probable one, by method and
layer, and, as a counter-check, maps of networks with random weights that are passed off as the model's own.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fer_core.data import load_fer2013
from fer_core.data.locate import find_dataset
from fer_core.explain import Sanity, layers, sanity
from fer_core.explain.checks import MAX_SIMILARITY, RANDOM_NETWORKS, STEPS, judged, randomised
from fer_core.explain.gradcam import class_indices, maps_of_input
from fer_core.explain.network import map_sides, pick_layer, pick_method
from fer_core.models.classifier import Classifier, load
from fer_core.models.folders import DEFAULT_CHECKPOINT

RGB = NDArray[np.uint8]
Check = Callable[[RGB, int], Sanity]


def last_of(classifier: Classifier, cells: int) -> str:
    """The last layer with so many cells along a side."""
    return next(name for name, side in map_sides(classifier).items() if side >= cells)


def passed_off(classifier: Classifier, crop: RGB, target: str, seed: int) -> Sanity:
    """The check of a map whose weights are random, against other such maps."""
    layer, classes = last_of(classifier, 5), [class_indices(classifier, target)]
    nets = [randomised(classifier, 1000 + seed * (RANDOM_NETWORKS + 1) + i) for i in range(RANDOM_NETWORKS + 1)]
    maps = np.concatenate([maps_of_input(classifier, net, crop[None], classes, "gradcam", layer) for net in nets])
    return judged(classifier, crop, maps, target, method="gradcam", layer=layer, seed=seed, steps=STEPS)


def show(name: str, check: Check, crops: RGB) -> None:
    """One row of the table."""
    started = time.perf_counter()
    found = [check(crop, i) for i, crop in enumerate(crops)]
    seconds = (time.perf_counter() - started) / len(crops)
    similar = np.array([each.similarities.mean() for each in found])
    beaten = np.array([(each.own.gains > each.random.gains).all() for each in found])
    areas = [
        f"{np.mean([curves(each).insertion_areas.mean() for each in found]):6.2f}"
        f"{np.mean([curves(each).deletion_areas.mean() for each in found]):6.2f}"
        for curves in (lambda each: each.own, lambda each: each.random, lambda each: each.spot)
    ]
    shares = [np.mean([each.passed for each in found]), np.mean(similar > MAX_SIMILARITY), np.mean(~beaten)]
    spot = np.mean([each.own.gains[0] > each.spot.gains[0] for each in found])
    print(
        f"{name:34}"
        + "".join(f"{share:8.0%}" for share in shares)
        + f"{np.median(similar):8.2f}{np.percentile(similar, 95):6.2f}"
        + "".join(f"{area:>14}" for area in areas)
        + f"{spot:8.0%}{seconds:7.2f}",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--n", type=int, default=64)
    parser.add_argument("--checkpoint", default=DEFAULT_CHECKPOINT)
    parser.add_argument("--scorecam", action="store_true", help="also Score-CAM, which takes several times as long")
    args = parser.parse_args()
    classifier = load(args.checkpoint)
    faces = load_fer2013(find_dataset("fer2013", args.data), "private_test").images
    chosen = np.random.default_rng(0).choice(len(faces), args.n, replace=False)
    crops = np.repeat(faces[chosen][..., None], 3, axis=3)
    ranked = np.argsort(-classifier.predict(crops).logits, axis=1)
    first, second = ([classifier.labels[top] for top in ranked[:, i]] for i in (0, 1))
    names, default, own = layers(classifier), last_of(classifier, 5), pick_layer(classifier)

    def by(targets: list[str], method: str = "gradcam", layer: str = default) -> Check:
        return lambda crop, i: sanity(classifier, crop, targets[i], method=method, layer=layer, seed=i)

    print(f"{args.n} faces, {classifier.name}; similarity: median and 95 %; areas: insertion and deletion")
    print(
        f"{'map':34}{'passed':>8}{'similar':>8}{'random':>8}{'similarity':>14}{'own':>14}{'random':>14}{'spot':>14}"
        f"{'> spot':>8}{'s':>7}"
    )
    show(f"{pick_method(classifier)} {own}, its own", by(first, pick_method(classifier), own), crops)
    show(f"gradcam {default}", by(first), crops)
    show(f"gradcam {default}, next emotion", by(second), crops)
    show(f"gradcam {names[0]}", by(first, layer=names[0]), crops)
    show(f"gradcam {names[-6]}", by(first, layer=names[-6]), crops)
    show(f"gradcam++ {default}", by(first, "gradcam++"), crops)
    if args.scorecam:
        show(f"scorecam {default}", by(first, "scorecam"), crops)
    show("random weights, passed off", lambda crop, i: passed_off(classifier, crop, first[i], i), crops)


if __name__ == "__main__":
    main()
