"""How far a map can be trusted: whether classes lie apart, in the features and in the map, and what the map keeps.

Nothing is sampled: every face is compared with every other, a block of rows at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import ArrayLike

from fer_core.embeddings.nearest import BLOCK, nearest
from fer_core.embeddings.work import ArrayF, ArrayI, WorkPart, as_features
from fer_core.errors import InputError


def quality(
    features: ArrayLike,
    positions: ArrayLike,
    labels: ArrayI,
    groups: ArrayI,
    *,
    other: ArrayLike | None = None,
    k: int = 15,
    progress: Callable[[float], None] | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> dict[str, float]:
    """What a map shows and what it loses, over all faces.

    Args:
        features: float (n, d), n ≥ 4.
        positions: float (n, dimensions), the map.
        labels, groups: int (n,), class of each face, say of seven and of three; -1 where there is none.
        other: float (n, dimensions), the map from a second seed.
        k: how many neighbours are looked at; at most (n - 1) // 2 are.
        progress: is told the share that is done (0-1).
        should_stop: is asked between blocks whether to give up.

    Returns:
        For ``labels`` as ``emotions`` and for ``groups``, in the features (``_space``) and in the map (``_map``):

        - ``silhouette_emotions_space`` …: mean silhouette (Rousseeuw 1987), -1 to 1, of the faces that have a class;
          NaN unless there are two classes.
        - ``purity_emotions_space`` …: share (0-1) of a face's k nearest others with its class, among those that have
          one; the mean over all faces. ``chance_emotions``, ``chance_groups``: the same for neighbours at random.

        And of the map: ``trustworthiness``, 0-1 (Venna & Kaski 2001): 1 unless faces are neighbours in the map that
        are far apart in the features. Only with ``other``: ``stability``, share (0-1) of a face's k nearest that it
        has in both maps; ``procrustes``, 0-1, what is left of the squared differences between the two maps after
        shifting, turning, mirroring and scaling.

    Raises:
        InputError: shapes that do not fit, or values that are not finite.
        Cancelled: ``should_stop`` said so.
    """
    work, found = WorkPart(progress, should_stop), as_features(features, 4)
    near = nearest(found, most(k, len(found)), work.part(0, 0.3))[0]
    placed = [as_features(each, 4) for each in (positions, other) if each is not None]
    return measured(found, near, placed, labels, groups, work.part(0.3, 1))


def most(k: int, n: int) -> int:
    """How many neighbours of n faces are looked at, where k are wanted: trustworthiness is defined below n / 2."""
    return max(1, min(k, (n - 1) // 2))


def measured(
    features: ArrayF, near: ArrayI, maps: list[ArrayF], labels: ArrayI, groups: ArrayI, work: WorkPart
) -> dict[str, float]:
    """As ``quality``, with the neighbours (n, k) in the features known already, and one map or two."""
    classes = {"emotions": np.asarray(labels), "groups": np.asarray(groups)}
    n, shapes = len(features), [*(each.shape for each in maps), *(each.shape for each in classes.values())]
    if any(shape != (n, maps[0].shape[1]) for shape in shapes[:-2]) or shapes[-2:] != [(n,), (n,)]:
        raise InputError(f"Expected maps (n, dimensions), labels and groups (n,) of {n} faces, got shapes {shapes}.")
    beside = [nearest(points, near.shape[1], work.part(0, 0.1))[0] for points in maps]
    sums, ranks = _compared(features, list(classes.values()), beside[0], work.part(0.1, 0.7))
    sums_in_map, _ = _compared(maps[0], list(classes.values()), near[:, :0], work.part(0.7, 1))
    figures: dict[str, float] = {}
    for i, (name, labelled) in enumerate(classes.items()):
        figures |= {
            f"silhouette_{name}_space": _silhouette(sums[i], labelled),
            f"silhouette_{name}_map": _silhouette(sums_in_map[i], labelled),
            f"purity_{name}_space": _purity(near, labelled),
            f"purity_{name}_map": _purity(beside[0], labelled),
            f"chance_{name}": _chance(labelled),
        }
    figures["trustworthiness"] = _trustworthiness(ranks)
    if len(maps) > 1:
        figures |= {"stability": _common(*beside), "procrustes": _procrustes(*maps)}
    work.at(1.0)
    return figures


def _blocks(points: ArrayF, work: WorkPart) -> Iterator[tuple[int, ArrayF]]:
    """The first row of every block, and Euclidean distances (b, n) of its rows to all points."""
    centred = points - points.mean(axis=0)  # near the origin, float32 keeps more digits
    squares = np.einsum("ij,ij->i", centred, centred)
    step = max(1, BLOCK // len(points))
    for first in range(0, len(points), step):
        work.at(first / len(points))
        block = centred[first : first + step]
        if points.shape[1] <= 3:  # in a map, near points are so near that their products would cancel out
            found = np.square(block[:, :1] - centred[:, 0])
            for axis in range(1, points.shape[1]):
                found += np.square(block[:, axis, None] - centred[:, axis])
        else:
            found = block @ (-2 * centred.T)
            found += squares
            found += squares[first : first + step, None]
            np.maximum(found, 0, out=found)
        np.sqrt(found, out=found)
        found[np.arange(len(block)), np.arange(first, first + len(block))] = 0
        yield first, found


def _compared(points: ArrayF, classes: list[ArrayI], near: ArrayI, work: WorkPart) -> tuple[list[ArrayF], ArrayI]:
    """One pass over all distances.

    Returns:
        Per entry of ``classes``, the summed distance (n, c) of every point to those of each class; and the rank (n, k)
        by distance that each of ``near`` (n, k) has among the others of its row, 1 for the nearest.
    """
    widths = [max(int(each.max(initial=-1)) + 1, 1) for each in classes]
    members = np.hstack([_members(each, width) for each, width in zip(classes, widths, strict=True)])
    sums = np.zeros((len(points), sum(widths)), np.float32)
    ranks = np.zeros(near.shape, np.int64)
    for first, distances in _blocks(points, work):
        rows = slice(first, first + len(distances))
        sums[rows] = distances @ members
        ranks[rows] = [
            [np.count_nonzero(row < limit) for limit in row[others]]
            for row, others in zip(distances, near[rows], strict=True)
        ]
    return np.split(sums, np.cumsum(widths)[:-1], axis=1), ranks


def _members(labels: ArrayI, width: int) -> ArrayF:
    """1 where a face (n,) is of a class (width,), else 0."""
    return (labels[:, None] == np.arange(width)).astype(np.float32)


def _silhouette(sums: ArrayF, labels: ArrayI) -> float:
    """Mean silhouette from the summed distances (n, c) to each class; 0 for a face that is alone in its class."""
    has, counts = labels >= 0, np.bincount(labels[labels >= 0], minlength=sums.shape[1])
    if (counts > 0).sum() < 2:
        return float("nan")
    rows, own = np.arange(has.sum()), labels[has]
    means = sums[has].astype(np.float64) / np.where(counts > 0, counts, np.nan)
    inside = sums[has][rows, own] / np.maximum(counts[own] - 1, 1)
    means[rows, own] = np.nan
    outside = np.nanmin(means, axis=1)
    width = (outside - inside) / np.maximum(np.maximum(inside, outside), np.finfo(np.float32).tiny)
    return float(np.where(counts[own] > 1, width, 0.0).mean())


def _purity(near: ArrayI, labels: ArrayI) -> float:
    """Share of the k nearest (n, k) with the same label, among those that have one; NaN where none has."""
    of = labels[near]
    counts = (of >= 0).sum(axis=1)
    counted = (labels >= 0) & (counts > 0)
    same = (of == labels[:, None]).sum(axis=1)
    return float((same[counted] / counts[counted]).mean()) if counted.any() else float("nan")


def _chance(labels: ArrayI) -> float:
    """Share of pairs of labelled faces that have the same label."""
    counts = np.bincount(labels[labels >= 0]).astype(float)
    n = counts.sum()
    return float((counts * (counts - 1)).sum() / (n * (n - 1))) if n > 1 else float("nan")


def _trustworthiness(ranks: ArrayI) -> float:
    """From the ranks (n, k) in the features of those that are neighbours in the map."""
    n, k = ranks.shape
    return float(1 - np.maximum(ranks - k, 0).sum() * 2 / (n * k * (2 * n - 3 * k - 1)))


def _common(near: ArrayI, other: ArrayI) -> float:
    """Share of neighbours (n, k) that a point has in both."""
    both = np.sort(np.hstack([near, other]), axis=1)
    return float((both[:, 1:] == both[:, :-1]).sum() / near.size)


def _procrustes(first: ArrayF, second: ArrayF) -> float:
    """Disparity (Gower 1975) of two point sets (n, dimensions), both first scaled to the same size."""
    from scipy.spatial import procrustes

    return float(procrustes(first, second)[2])


__all__ = ["measured", "most", "quality"]
