"""Pictures that are in a data set more than once, and whether their labels agree."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from fer_core.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

SIDE_PX = 16
THRESHOLD = 0.98
MAX_PAIRS = 1_000_000
_BLOCK = 1024
_Unit = NDArray[np.float32]


def near_duplicates(images: NDArray[np.uint8], threshold: float = THRESHOLD) -> pd.DataFrame:
    """Pairs of pictures that look the same, also mirrored: the correlation of their pixels at 16×16 reaches the
    threshold.

    Pictures of one single grey value correlate with nothing and are in no pair. Besides the pairs, memory is needed for
    512 numbers a picture and for a block of correlations.

    Args:
        images: uint8 (n, h, w), grey.
        threshold: above 0, up to 1.

    Returns:
        ``first`` < ``second`` (indices), ``correlation`` (the larger of both ways), ``is_mirrored``; the most alike
        first.

    Raises:
        InputError: another shape or type, an impossible threshold, or more than a million pairs.
    """
    import pandas as pd

    if images.ndim != 3 or images.dtype != np.uint8:
        raise InputError(f"Expected images uint8 (n, h, w), got {images.dtype} {images.shape}.")
    if not 0 < threshold <= 1:
        raise InputError(f"Expected a threshold above 0 and up to 1, got {threshold}.")
    straight, mirrored = _unit(small := _small(images)), _unit(small[:, :, ::-1])
    parts, n = [np.zeros((0, 4))], 0
    for top in range(0, len(images), _BLOCK):
        for left in range(top, len(images), _BLOCK):
            parts.append(_pairs(straight, mirrored, top, left, threshold))
            n += len(parts[-1])
            if n > MAX_PAIRS:
                raise InputError(f"More than {MAX_PAIRS:,} pairs reach {threshold:g}. Choose a higher threshold.")
    pairs = np.concatenate(parts)
    table = pd.DataFrame(pairs[:, :2].astype(np.int64), columns=["first", "second"])
    table = table.assign(correlation=np.minimum(pairs[:, 2], 1.0), is_mirrored=pairs[:, 3] > 0)
    return table.sort_values("correlation", ascending=False, kind="stable", ignore_index=True)


def _small(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    import cv2

    small = np.empty((len(images), SIDE_PX, SIDE_PX), np.float32)
    for i, image in enumerate(images):
        small[i] = cv2.resize(image, (SIDE_PX, SIDE_PX), interpolation=cv2.INTER_AREA)
    return small


def _unit(small: NDArray[np.float32]) -> _Unit:
    """Pixels (n, 256) with mean 0 and length 1, so that a dot product is a correlation; zeros for a flat picture."""
    flat = small.reshape(len(small), SIDE_PX * SIDE_PX)
    flat = flat - flat.mean(axis=1, keepdims=True)
    length = np.linalg.norm(flat, axis=1, keepdims=True)
    return np.asarray(np.where(length > 1e-3, flat / np.maximum(length, 1e-3), 0), np.float32)


def _pairs(straight: _Unit, mirrored: _Unit, top: int, left: int, threshold: float) -> NDArray[np.float64]:
    """Rows (first, second, correlation, is mirrored) of one block of the upper triangle."""
    here, there = straight[top : top + _BLOCK], slice(left, left + _BLOCK)
    plain, turned = here @ straight[there].T, here @ mirrored[there].T
    alike = np.maximum(plain, turned)
    first, second = np.nonzero(alike >= threshold - 1e-6)  # a copy may correlate with 0.9999999
    upper = first + top < second + left
    at = first[upper], second[upper]
    return np.column_stack([at[0] + top, at[1] + left, alike[at], turned[at] > plain[at]]).astype(np.float64)


def contradictions(pairs: pd.DataFrame, labels: NDArray) -> pd.DataFrame:
    """The pairs of ``near_duplicates`` whose labels differ, with ``label_first`` and ``label_second``.

    Args:
        pairs: with ``first`` and ``second``.
        labels: (n,), names or indices.
    """
    table = pairs.assign(label_first=labels[pairs["first"]], label_second=labels[pairs["second"]])
    return table[table["label_first"] != table["label_second"]].reset_index(drop=True)
