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
NEIGHBOURS = 10
PERCENTILE = 99.0
SIDE_PX, CELL_PX = 48, 8
EDGES = (SIDE_PX // CELL_PX - 1) ** 2 * 4 * 9
"""Length of an edge histogram: blocks of 2×2 cells, each with nine directions."""
MAX_BYTES = 500_000_000
BATCH = 1024
BEFORE = {"means", "covariance"}
"""What files of before 0.13 hold beside; nothing needs it any more."""


@dataclass(frozen=True)
class Reference:
    """Training pictures as a network's features (the layer before the logits) show them.

    Attributes:
        features: float32 (m, d), of some training pictures, m ≥ 1.
        occlusion_weights: float32 (EDGES,), of the logistic regression that tells covered faces from free ones by
            their edge histograms.
        occlusion_bias: float32 (1,); NaN where the checkpoint has no such regression.

    Raises:
        CheckpointError: shapes that do not fit, or values that are not finite.
    """

    features: ArrayF
    occlusion_weights: ArrayF = field(default_factory=lambda: np.zeros(EDGES, np.float32))
    occlusion_bias: ArrayF = field(default_factory=lambda: np.full(1, np.nan, np.float32))

    def __post_init__(self) -> None:
        shapes = [getattr(self, name).shape for name in self.__dataclass_fields__]
        m, d = (*self.features.shape, 0, 0)[:2]
        if shapes != [(m, d), (EDGES,), (1,)] or not m * d:
            names = ", ".join(self.__dataclass_fields__)
            raise CheckpointError(f"Expected {names} of shapes (m, d), ({EDGES},), (1,); got {shapes}.")
        if not all(np.isfinite(values).all() for values in (self.features, self.occlusion_weights)):
            raise CheckpointError("The features or weights hold values that are not finite.")

    def distance(self, features: ArrayF) -> ArrayF:
        """How far faces are from the training pictures (n,), from their features (n, d).

        One less the cosine to the tenth nearest of the stored training pictures (nearest neighbours: Sun et al. 2022,
        "Out-of-Distribution Detection with Deep Nearest Neighbors"), in units of what is the 99th percentile among
        these themselves: 0 or more, above 1 lies what is farther than 99 % of them.

        Raises:
            InputError: features of another shape.
        """
        if features.ndim != 2 or features.shape[1] != self.features.shape[1]:
            raise InputError(f"Expected features (n, {self.features.shape[1]}), got {features.shape}.")
        return self._apart(_directions(features), min(NEIGHBOURS, len(self.features))) / self._scale

    def occlusion(self, crops: NDArray[np.uint8]) -> ArrayF:
        """Probability (n,), 0-1, that part of the face is covered; NaN without a regression.

        Args:
            crops: uint8 (n, s, s) grey or (n, s, s, 3) RGB, the same that the network sees.

        Raises:
            InputError: an array of another kind.
        """
        logits = edge_histograms(crops) @ self.occlusion_weights + self.occlusion_bias
        return 0.5 + 0.5 * np.tanh(0.5 * logits)  # the logistic function, without overflow

    def _apart(self, directions: ArrayF, rank: int) -> ArrayF:
        """One less the cosine (n,) of unit vectors (n, d) to the stored picture that is the ``rank``-th nearest."""
        import torch  # pages that only show a reference do without

        known, found = torch.from_numpy(self._known), np.empty(len(directions), np.float32)
        for i in range(0, len(directions), BATCH):  # on as many threads as torch
            cosines = torch.from_numpy(directions[i : i + BATCH]) @ known.T
            found[i : i + BATCH] = 1 - cosines.topk(rank, dim=1).values[:, -1].numpy()
        return np.maximum(found, 0)

    @cached_property
    def _known(self) -> ArrayF:
        return _directions(self.features)

    @cached_property
    def _scale(self) -> np.float32:
        own = self._apart(self._known, min(NEIGHBOURS + 1, len(self.features)))  # each is nearest to itself
        return np.float32(max(float(np.percentile(own, PERCENTILE)), 1e-6))


def _directions(features: ArrayF) -> ArrayF:
    """Rows of length 1; 0 where a row is 0."""
    lengths = np.linalg.norm(features, axis=1, keepdims=True)
    return np.asarray(features / np.maximum(lengths, 1e-12), np.float32)


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
    known = set(Reference.__dataclass_fields__)
    if not {"features"} <= set(arrays) <= known | BEFORE:
        raise CheckpointError(f"{where} holds {', '.join(sorted(arrays))}; expected {', '.join(sorted(known))}.")
    try:
        return Reference(**{name: arrays[name].astype(np.float32) for name in known & set(arrays)})
    except CheckpointError as error:
        raise CheckpointError(f"{where} cannot be used: {error} Copy it again or write it anew.") from error


__all__ = ["REFERENCE", "Reference", "edge_histograms", "load_reference"]
