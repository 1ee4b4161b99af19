"""What a checkpoint knows about its training pictures: how far a face is from them, and how a covered face looks to it.

Read from ``reference.safetensors`` in a checkpoint folder, which ``training.reference`` writes. Needs no torch.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file

from fer_core.errors import CheckpointError, InputError

ArrayF = NDArray[np.float32]
REFERENCE = "reference.safetensors"
SHRINKAGE = 0.1
"""Share of the covariance that is replaced by a sphere of the same mean variance, so that directions in which the
training pictures hardly vary do not decide alone."""
PERCENTILE = 99.0
SIDE_PX, CELL_PX = 48, 8
EDGES = (SIDE_PX // CELL_PX - 1) ** 2 * 4 * 9
"""Length of an edge histogram: blocks of 2×2 cells, each with nine directions."""
MAX_BYTES = 500_000_000


@dataclass(frozen=True)
class Reference:
    """Training pictures as a network's features (the layer before the logits) show them.

    Attributes:
        means: float32 (k, d), mean features of each class.
        covariance: float32 (d, d), of the features around their class mean.
        features: float32 (m, d), of some training pictures, m ≥ 1.
        occlusion_weights: float32 (EDGES,), of the logistic regression that tells covered faces from free ones by
            their edge histograms.
        occlusion_bias: float32 (1,); NaN where the checkpoint has no such regression.

    Raises:
        CheckpointError: shapes that do not fit, or values that are not finite.
    """

    means: ArrayF
    covariance: ArrayF
    features: ArrayF
    occlusion_weights: ArrayF = field(default_factory=lambda: np.zeros(EDGES, np.float32))
    occlusion_bias: ArrayF = field(default_factory=lambda: np.full(1, np.nan, np.float32))

    def __post_init__(self) -> None:
        shapes = [getattr(self, name).shape for name in self.__dataclass_fields__]
        (k, d), m = (*self.means.shape, 0, 0)[:2], (*self.features.shape, 0)[0]
        if shapes != [(k, d), (d, d), (m, d), (EDGES,), (1,)] or not k * d * m:
            names = ", ".join(self.__dataclass_fields__)
            raise CheckpointError(f"Expected {names} of shapes (k, d), (d, d), (m, d), ({EDGES},), (1,); got {shapes}.")
        finite = (self.means, self.covariance, self.features, self.occlusion_weights)
        if not all(np.isfinite(values).all() for values in finite):
            raise CheckpointError("The class means, covariance, features or weights hold values that are not finite.")
        if np.linalg.eigvalsh(self._shrunk).min() <= 0:
            raise CheckpointError("The covariance is not positive.")

    def distance(self, features: ArrayF) -> ArrayF:
        """How far faces are from the training pictures (n,), from their features (n, d).

        Mahalanobis distance to the nearest class mean (Lee et al. 2018, "A Simple Unified Framework for Detecting
        Out-of-Distribution Samples"), in units of the 99th percentile over the stored training pictures: 0 or more,
        above 1 lies what is farther than 99 % of them.

        Raises:
            InputError: features of another shape.
        """
        return self._mahalanobis(self._checked(features)) / self._scale

    def occlusion(self, crops: NDArray[np.uint8]) -> ArrayF:
        """Probability (n,), 0-1, that part of the face is covered; NaN without a regression.

        Args:
            crops: uint8 (n, s, s) grey or (n, s, s, 3) RGB, the same that the network sees.

        Raises:
            InputError: an array of another kind.
        """
        logits = edge_histograms(crops) @ self.occlusion_weights + self.occlusion_bias
        return 0.5 + 0.5 * np.tanh(0.5 * logits)  # the logistic function, without overflow

    def _checked(self, features: ArrayF) -> ArrayF:
        if features.ndim != 2 or features.shape[1] != self.means.shape[1]:
            raise InputError(f"Expected features (n, {self.means.shape[1]}), got {features.shape}.")
        return np.asarray(features, np.float32)

    def _mahalanobis(self, features: ArrayF) -> ArrayF:
        import torch  # pages that only show a reference do without

        white = (torch.from_numpy(features) @ torch.from_numpy(self._whitening)).numpy()  # on as many threads as torch
        squares = [np.square(white - mean).sum(axis=1) for mean in self.means @ self._whitening]
        return np.sqrt(np.min(squares, axis=0))

    @property
    def _shrunk(self) -> NDArray[np.float64]:
        covariance = self.covariance.astype(np.float64)
        sphere = np.eye(len(covariance)) * np.trace(covariance) / len(covariance)
        return np.asarray((1 - SHRINKAGE) * covariance + SHRINKAGE * sphere)

    @cached_property
    def _whitening(self) -> ArrayF:
        """(d, d): features times this have the unit matrix as covariance."""
        return np.linalg.inv(np.linalg.cholesky(self._shrunk)).T.astype(np.float32)

    @cached_property
    def _scale(self) -> np.float32:
        return np.float32(max(float(np.percentile(self._mahalanobis(self.features), PERCENTILE)), 1e-6))


def edge_histograms(crops: NDArray[np.uint8]) -> ArrayF:
    """Histograms of oriented gradients (Dalal & Triggs 2005) of crops, float32 (n, EDGES).

    Args:
        crops: uint8 (n, s, s) grey or (n, s, s, 3) RGB.

    Raises:
        InputError: an array of another kind.
    """
    if crops.dtype != np.uint8 or crops.ndim not in (3, 4) or (crops.ndim == 4 and crops.shape[3] != 3):
        raise InputError(f"Expected crops uint8 (n, s, s) or (n, s, s, 3), got {crops.dtype} {crops.shape}.")
    hog = cv2.HOGDescriptor((SIDE_PX, SIDE_PX), (2 * CELL_PX, 2 * CELL_PX), (CELL_PX, CELL_PX), (CELL_PX, CELL_PX), 9)
    found = np.zeros((len(crops), EDGES), np.float32)
    for i, crop in enumerate(crops):
        grey = cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY) if crop.ndim == 3 else crop
        is_small = grey.shape == (SIDE_PX, SIDE_PX)
        found[i] = hog.compute(grey if is_small else cv2.resize(grey, (SIDE_PX, SIDE_PX), interpolation=cv2.INTER_AREA))
    return found


def load_reference(folder: str | Path) -> Reference | None:
    """The reference of a checkpoint folder; None where it has none.

    Raises:
        CheckpointError: the file is damaged, or its arrays have wrong shapes.
    """
    path = Path(folder) / REFERENCE
    where = f"{path.parent.name}/{path.name}"
    if not path.is_file():
        return None
    if path.stat().st_size > MAX_BYTES:
        raise CheckpointError(f"{where} is larger than {MAX_BYTES // 10**6} MB and was not opened.")
    try:
        arrays = load_file(path)
    except (SafetensorError, OSError, ValueError, KeyError) as error:
        raise CheckpointError(f"{where} is not a whole safetensors file ({error}); copy it again.") from error
    names = set(arrays)
    if not {"means", "covariance", "features"} <= names <= set(Reference.__dataclass_fields__):
        raise CheckpointError(f"{where} holds {', '.join(sorted(names))}; expected means, covariance and features.")
    try:
        return Reference(**{name: value.astype(np.float32) for name, value in arrays.items()})
    except CheckpointError as error:
        raise CheckpointError(f"{where} cannot be used: {error} Copy it again or write it anew.") from error


__all__ = ["REFERENCE", "Reference", "edge_histograms", "load_reference"]
