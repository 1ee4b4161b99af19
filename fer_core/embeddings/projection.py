"""Layouts of features in two or three dimensions: UMAP, t-SNE and PCA.

All start from the features as they are: centred, not standardised, since a channel that hardly varies is one that the
network hardly uses. Neighbours are exact. UMAP and t-SNE start from the principal components, which keeps the large
picture (Kobak & Linderman 2021, "Initialization is critical for preserving global data structure").
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fer_core.embeddings.arrays import ArrayF, ArrayI, as_features
from fer_core.embeddings.nearest import nearest
from fer_core.errors import InputError
from fer_core.progress import OnProgress, ShouldStop, Stage

METHODS = ("umap", "tsne", "pca")
DIMENSIONS = (2, 3)
MIN_FACES = 4
MAX_SEED = 2**31
NOBODY = (np.zeros((0, 0), np.int64), np.zeros((0, 0), np.float32))
"""The neighbours that PCA looks at."""
SETTINGS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        # McInnes et al. 2018
        "umap": {"library": "umap-learn", "neighbours": 15, "min_dist": 0.1, "small_epochs": 500, "epochs": 200},
        # van der Maaten & Hinton 2008; steps and rates as in Belkina et al. 2019
        "tsne": {
            "library": "openTSNE",
            "perplexity": 30,
            "early": 250,
            "late": 500,
            "exaggeration": 12,
            "least_rate": 200,
        },
        "pca": {"library": "numpy"},
    }
)
SMALL = 10_000
"""Up to here UMAP takes more epochs, and t-SNE the gradient of Barnes and Hut, which is faster for few points."""


def project(
    features: ArrayLike,
    method: str,
    *,
    dimensions: int = 2,
    seed: int = 0,
    progress: OnProgress | None = None,
    should_stop: ShouldStop | None = None,
) -> ArrayF:
    """Positions float32 (n, dimensions) of faces in a map.

    The same features and seed give the same map, on the same machine and with the same libraries. For PCA the seed
    changes nothing. Few faces have fewer neighbours: at most n - 1.

    Args:
        features: float (n, d), n ≥ 4, d ≥ ``dimensions``.
        method: one of ``METHODS``.
        dimensions: 2 or 3.
        seed: 0 to 2³¹ - 1.
        progress: is told how far it is.
        should_stop: is asked between blocks and epochs whether to give up.

    Raises:
        InputError: an unknown method, too few faces, all of them alike, or features that are not finite.
        Cancelled: ``should_stop`` said so.
    """
    stage, found = Stage("projecting", progress, should_stop), checked(features, method, dimensions, seed)
    k = neighbours_for(method, len(found))
    near = nearest(found, k, stage.part(0, 0.2)) if k else NOBODY
    positions = layouts(found, method, dimensions, (seed,), near, stage.part(0.2, 1))[0]
    stage.at(1.0)
    return positions


def checked(features: ArrayLike, method: str, dimensions: int, seed: int) -> ArrayF:
    """The features as float32 (n, d); raises as ``project`` does."""
    if method not in METHODS or dimensions not in DIMENSIONS or not 0 <= seed < MAX_SEED:
        raise InputError(
            f"Got {method!r}, {dimensions} dimensions and seed {seed}; expected one of {', '.join(METHODS)}, "
            f"2 or 3 dimensions, and a seed from 0 to {MAX_SEED - 1}."
        )
    found = as_features(features, MIN_FACES)
    if found.shape[1] < dimensions:
        raise InputError(f"Expected at least {dimensions} features per face for a map, got {found.shape[1]}.")
    if (found == found[0]).all():
        raise InputError(f"All {len(found)} faces have the same features, so that there is nothing to map.")
    return found


def neighbours_for(method: str, n: int) -> int:
    """How many other faces a layout of n faces looks at."""
    wanted = {"umap": SETTINGS["umap"]["neighbours"], "tsne": 3 * SETTINGS["tsne"]["perplexity"], "pca": 0}
    return min(wanted[method], n - 1)


def principal(features: ArrayF, dimensions: int) -> tuple[ArrayF, ArrayF]:
    """Mean float32 (d,) and first principal components float32 (dimensions, d), rows of length 1.

    A component's largest entry is positive, so that the map is not mirrored by chance.
    """
    mean = features.mean(axis=0, dtype=np.float64)
    centred = features - mean
    axes = np.linalg.eigh(centred.T @ centred)[1][:, : -dimensions - 1 : -1].T
    largest = np.abs(axes).argmax(axis=1)
    signs = np.where(axes[np.arange(dimensions), largest] < 0, -1.0, 1.0)
    return mean.astype(np.float32), (axes * signs[:, None]).astype(np.float32)


def layouts(
    features: ArrayF, method: str, dimensions: int, seeds: Sequence[int], near: tuple[ArrayI, ArrayF], stage: Stage
) -> list[ArrayF]:
    """One layout per seed, see ``project``; ``near`` from ``nearest`` holds at least ``neighbours_for`` neighbours."""
    stage.at(0.0)
    if method == "pca":
        return [_linear(features, dimensions)] * len(seeds)
    k = neighbours_for(method, len(features))
    layout = (_umap if method == "umap" else _tsne)(features, dimensions, near[0][:, :k], near[1][:, :k])
    shares = np.linspace(0.1, 1, len(seeds) + 1)
    return [layout(seed, stage.part(*shares[i : i + 2])) for i, seed in enumerate(seeds)]


def _linear(features: ArrayF, dimensions: int) -> ArrayF:
    mean, axes = principal(features, dimensions)
    return np.asarray((features - mean) @ axes.T, np.float32)


Arrange = Callable[[int, Stage], ArrayF]


def _umap(features: ArrayF, dimensions: int, near: ArrayI, distances: ArrayF) -> Arrange:
    """UMAP from exact neighbours.

    The stages of ``umap.UMAP`` are called one by one: so both seeds share neighbours and graph, nothing is searched
    for approximately, and the spectral start, which takes longer than all the rest, falls away.
    """
    with warnings.catch_warnings(action="ignore", category=ImportWarning):  # of a part that needs TensorFlow
        from umap.umap_ import find_ab_params, fuzzy_simplicial_set, simplicial_set_embedding

    settings, n = SETTINGS["umap"], len(features)
    indices = np.ascontiguousarray(np.insert(near, 0, np.arange(n), axis=1), np.int32)
    lengths = np.ascontiguousarray(np.insert(distances, 0, 0, axis=1), np.float32)
    random = np.random.RandomState(0)  # is not drawn from, since the neighbours are given
    graph = fuzzy_simplicial_set(features, indices.shape[1], random, "euclidean", {}, indices, lengths)[0]
    a, b = find_ab_params(1.0, settings["min_dist"])
    epochs = settings["small_epochs" if n <= SMALL else "epochs"]

    def layout(seed: int, stage: Stage) -> ArrayF:
        bar = {"file": _Epochs(stage), "disable": False, "mininterval": 0, "miniters": 1, "bar_format": "{n}/{total}"}
        found, _ = simplicial_set_embedding(
            features, graph, dimensions, 1.0, a, b, 1.0, 5, epochs, "pca",
            np.random.RandomState(seed), "euclidean", {}, False, {}, False, tqdm_kwds=bar,
        )  # fmt: skip
        return np.asarray(found, np.float32)

    return layout


class _Epochs:
    """Takes what UMAP's progress bar writes, since UMAP tells its epochs in no other way."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage

    def write(self, text: str) -> None:
        done, _, total = text.strip().partition("/")
        if done.isdigit() and total.isdigit():
            self.stage.at(int(done) / int(total))

    def flush(self) -> None:
        """Nothing is held back."""


def _tsne(features: ArrayF, dimensions: int, near: ArrayI, distances: ArrayF) -> Arrange:
    """t-SNE with the fast gradient of Linderman et al. 2019; that of van der Maaten 2014 for few faces and for three
    dimensions, which the fast one cannot do. In one thread: two take longer wherever anything else runs."""
    from openTSNE import TSNEEmbedding
    from openTSNE.affinity import PerplexityBasedNN
    from openTSNE.initialization import jitter, rescale
    from openTSNE.nearest_neighbors import PrecomputedNeighbors

    settings, n = SETTINGS["tsne"], len(features)
    early, late = settings["early"], settings["late"]
    start = rescale(_linear(features, dimensions).astype(np.float64))
    gradient = "fft" if dimensions == 2 and n > SMALL else "bh"

    def layout(seed: int, stage: Stage) -> ArrayF:
        # built anew for each seed: exaggeration scales it up and down, and its rounding would reach the next map
        index = PrecomputedNeighbors(near, distances.astype(np.float64))
        affinities = PerplexityBasedNN(perplexity=near.shape[1] / 3, knn_index=index)
        first = jitter(start, random_state=seed)
        found = TSNEEmbedding(first, affinities, negative_gradient_method=gradient, random_state=seed)
        for steps, exaggeration, momentum, part in (
            (early, settings["exaggeration"], 0.5, stage.part(0, early / (early + late))),
            (late, 1, 0.8, stage.part(early / (early + late), 1)),
        ):
            found.optimize(
                steps, inplace=True, exaggeration=exaggeration, momentum=momentum,
                learning_rate=max(n / exaggeration, settings["least_rate"]),
                callbacks=[partial(_tell, part, steps)], callbacks_every_iters=10,
            )  # fmt: skip
        return np.asarray(found, np.float32)

    return layout


def _tell(stage: Stage, steps: int, step: int, error: float, positions: NDArray) -> None:
    """What t-SNE calls between its steps; to return something would stop it."""
    stage.at(step / steps)


__all__ = ["DIMENSIONS", "METHODS", "SETTINGS", "checked", "layouts", "neighbours_for", "principal", "project"]
