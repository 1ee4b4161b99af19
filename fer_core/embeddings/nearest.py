"""Which faces are alike: the nearest in the network's features by Euclidean distance, exactly, without an index.

Distances are Euclidean, as in the maps and their quality. The features are not standardised: their scale is the one
that the network's last layer reads.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from fer_core.embeddings.work import ArrayF, ArrayI, WorkPart, as_features
from fer_core.errors import InputError

BLOCK = 2**23
"""Distances that are held at a time."""
SPARE = 8
"""Candidates beyond k, so that rounding in float32 loses none of the k nearest."""
TINY = np.float32(1e-12)


def neighbours(features: ArrayLike, queries: ArrayLike, k: int) -> tuple[ArrayI, ArrayF]:
    """The k nearest of some faces, nearest first.

    Args:
        features: float (n, d), all faces.
        queries: int (m,), rows of ``features``, none of which is its own neighbour; or float (m, d), other faces.
        k: at least 1; where there are fewer faces, all are returned.

    Returns:
        Rows of ``features`` int64 (m, k), and Euclidean distances float32 (m, k). Faces that are equally near are in
        order of their rows.

    Raises:
        InputError: shapes that do not fit, rows that do not exist, or values that are not finite.
    """
    features, asked = as_features(features), np.asarray(queries)
    if k < 1:
        raise InputError(f"Expected at least 1 neighbour, got {k}.")
    if asked.ndim != 1:
        return _found(features, as_features(asked, 0, features.shape[1]), np.full(len(asked), -1), k)
    if asked.size and not (asked.dtype.kind in "iu" and 0 <= asked.min() <= asked.max() < len(features)):
        raise InputError(f"Expected rows from 0 to {len(features) - 1}, or features (m, {features.shape[1]}).")
    rows = asked.astype(np.int64)
    return _found(features, features[rows], rows, k)


def _found(features: ArrayF, queries: ArrayF, own: ArrayI, k: int) -> tuple[ArrayI, ArrayF]:
    """As ``neighbours``; ``own`` (m,) is the row that a query does not count as its neighbour, or -1."""
    k = min(k, len(features) - int((own >= 0).any()))
    kept = min(k + 1 + SPARE, len(features))
    middle = features.mean(axis=0)  # near the origin, float32 keeps more digits
    centred = features - middle
    squares = np.einsum("ij,ij->i", centred, centred)
    found, distances = np.zeros((len(queries), k), np.int64), np.zeros((len(queries), k), np.float32)
    step = max(1, BLOCK // len(features))
    for first in range(0, len(queries), step):
        block = slice(first, first + step)
        nearness = squares - 2 * (queries[block] - middle) @ centred.T
        near = np.sort(np.argpartition(nearness, kept - 1, axis=1)[:, :kept], axis=1)
        exact = np.linalg.norm(features[near] - queries[block, None], axis=2)
        exact[near == own[block, None]] = np.inf
        order = np.argsort(exact, axis=1, kind="stable")[:, :k]
        found[block], distances[block] = np.take_along_axis(near, order, 1), np.take_along_axis(exact, order, 1)
    return found, distances


def nearest(points: ArrayF, k: int, work: WorkPart = WorkPart()) -> tuple[ArrayI, ArrayF]:
    """The k nearest others of every point, nearest first: rows int64 (n, k) and Euclidean distances float32 (n, k).

    For whole data sets, faster than ``neighbours``, which need not load scikit-learn. k is below n.
    """
    from sklearn.neighbors import NearestNeighbors

    index = NearestNeighbors(n_neighbors=k + 1).fit(points)
    found, distances = np.zeros((len(points), k), np.int64), np.zeros((len(points), k), np.float32)
    step = max(1, 16 * BLOCK // len(points))
    for first in range(0, len(points), step):
        work.at(first / len(points))
        block = slice(first, first + step)
        distance, near = index.kneighbors(points[block])
        is_own = near == np.arange(first, first + len(near))[:, None]
        is_own[~is_own.any(axis=1), -1] = True  # more than k others lie in the same place
        near, distance = near[~is_own].reshape(-1, k), distance[~is_own].reshape(-1, k).astype(np.float32)
        order = np.lexsort((near, distance))  # of equally near ones, the library's order is that of its threads
        found[block], distances[block] = np.take_along_axis(near, order, 1), np.take_along_axis(distance, order, 1)
    return found, distances


def place(new_features: ArrayLike, features: ArrayLike, positions: ArrayF, k: int = 10) -> tuple[ArrayF, ArrayF]:
    """Where new faces belong in a map that stays as it is.

    A new face is put at the mean of the positions of its k nearest stored faces, weighted by one over their distance
    (Shepard 1968). That is a guess for looking, not a projection: it never lies outside of its neighbours, and a face
    that is like none of them gets a place all the same. So a ratio tells how far it is from them.

    Args:
        new_features: float (m, d).
        features: float (n, d) of the stored faces, n ≥ 2.
        positions: float32 (n, dimensions), the map.
        k: at least 1.

    Returns:
        Positions float32 (m, dimensions), exactly that of a stored face with the same features; and ratios
        float32 (m,): the mean distance to the k neighbours over the neighbours' own mean distance to theirs (the
        simplified local outlier factor of Schubert, Zimek & Kriegel 2014). About 1 is as near as the stored faces are
        to each other; well above 1 is unlike what the map shows.

    Raises:
        InputError: shapes that do not fit, or values that are not finite.
    """
    features = as_features(features, 2)
    if positions.ndim != 2 or len(positions) != len(features):
        raise InputError(f"Expected positions of {len(features)} faces, got {positions.shape}.")
    near, distances = neighbours(features, as_features(new_features, 0, features.shape[1]), k)
    closest = distances[:, :1]
    weights = np.where(closest > 0, closest / np.maximum(distances, TINY), distances == 0).astype(np.float32)
    placed = np.einsum("ij,ijk->ik", weights / weights.sum(axis=1, keepdims=True), positions[near])
    known, back = np.unique(near, return_inverse=True)
    typical = neighbours(features, known, k)[1].mean(axis=1)[back.reshape(near.shape)].mean(axis=1)
    return placed.astype(np.float32), distances.mean(axis=1) / np.maximum(typical, TINY)


__all__ = ["nearest", "neighbours", "place"]
