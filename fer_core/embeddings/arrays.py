"""What all of this package shares: the arrays that it takes, checked."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fer_core.errors import InputError

ArrayF = NDArray[np.float32]
ArrayI = NDArray[np.int64]


def as_features(values: ArrayLike, least: int = 1, columns: int | None = None) -> ArrayF:
    """``values`` as float32 (n, d).

    Args:
        least: the smallest n that will do.
        columns: the d that is expected; None: any.

    Raises:
        InputError: another shape, or values that are no numbers or not finite.
    """
    try:
        features = np.ascontiguousarray(values, np.float32)
    except ValueError as error:
        raise InputError(f"Expected features (n, d) as numbers: {error}.") from error
    width = "d" if columns is None else columns
    if features.ndim != 2 or len(features) < least or not features.shape[1] or columns not in (None, features.shape[1]):
        raise InputError(f"Expected features (n, {width}) of at least {least} faces, got {features.shape}.")
    if not np.isfinite(features).all():
        wrong = int((~np.isfinite(features)).any(axis=1).sum())
        raise InputError(f"The features of {wrong} of {len(features)} faces are not finite; leave those faces out.")
    return features


__all__ = ["ArrayF", "ArrayI", "as_features"]
