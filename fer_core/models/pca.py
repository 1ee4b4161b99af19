"""Pictures rebuilt from their principal components, each colour channel on its own: what little varies is smoothed away
before a network sees the picture (system ``shsu-2023``, on AffectNet with 95 % of the variance).

The same numbers serve training and inference: the components are rounded to half precision when they are fitted, so
that a stored file gives back the pixels that training saw. Needs no torch.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from fer_core.errors import CheckpointError, InputError

Pixels = NDArray[np.uint8]
ArrayF = NDArray[np.float32]
PCA = "pca.safetensors"
"""Name of the file in a checkpoint folder."""
EXACT_SIDE_PX = 64
"""Up to this side all components are computed from the covariance of the pixels (4096 × 4096); beyond, only as many as
are needed, by randomised subspace iteration (Halko, Martinsson & Tropp 2011); the last ones may differ a little."""
MAX_BYTES = 500_000_000
_BLOCK = 1024  # pictures at a time
_PASSES, _FIRST_WIDTH = 3, 256


@dataclass(frozen=True, eq=False)
class Pca:
    """Principal components of face crops, by colour channel (1 grey, 3 RGB).

    Attributes:
        mean: float32 (channels, s, s), the mean crop, 0-255.
        components: float16 (k, s * s) for every channel, k of its own, rows of length 1.
        share: of the variance that they hold, as asked for, above 0 and up to 1.

    Raises:
        CheckpointError: shapes or types that do not fit, or values that are not finite.
    """

    mean: ArrayF
    components: tuple[NDArray[np.float16], ...]
    share: float

    def __post_init__(self) -> None:
        channels, *sides = self.mean.shape or (0,)
        kinds = [self.mean.dtype, *(each.dtype for each in self.components)]
        shapes = [each.shape[1:] for each in self.components]
        if (
            channels not in (1, 3)
            or len(sides) != 2
            or sides[0] != sides[1]
            or shapes != [(sides[0] * sides[1],)] * channels
            or kinds != [np.float32] + [np.float16] * channels
        ):
            raise CheckpointError(
                "Expected a mean float32 (channels, s, s) and components float16 (k, s * s) for each of 1 or 3 "
                f"channels, got {self.mean.dtype} {self.mean.shape} and {[each.shape for each in self.components]}."
            )
        finite = np.isfinite(self.mean).all() and all(np.isfinite(each).all() for each in self.components)
        if not finite or not 0 < self.share <= 1:
            raise CheckpointError(f"The components hold values that are not finite, or a share of {self.share}.")

    @classmethod
    def fit(cls, crops: Pixels, share: float = 0.95, *, seed: int = 0) -> Pca:
        """The fewest components of each channel that together hold ``share`` of the variance of training crops.

        Memory beside the crops (which may be mapped from a file): twice 4 s⁴ bytes up to ``EXACT_SIDE_PX`` (67 MB each
        at 64 px), beyond it a few times 4 s² bytes for every component.

        Args:
            crops: uint8 (n, s, s) grey or (n, s, s, 3) RGB.
            share: above 0 and up to 1.
            seed: of the random start beyond ``EXACT_SIDE_PX``.

        Raises:
            InputError: no crops, another shape or type, or an impossible share.
        """
        if crops.dtype != np.uint8 or crops.ndim not in (3, 4) or (crops.ndim == 4 and crops.shape[3] != 3):
            raise InputError(f"Expected crops uint8 (n, s, s) or (n, s, s, 3), got {crops.dtype} {crops.shape}.")
        if not len(crops) or crops.shape[1] != crops.shape[2] or not 0 < share <= 1:
            raise InputError(f"Expected square crops and a share above 0 and up to 1, got {crops.shape} and {share}.")
        side, channels = crops.shape[1], 1 if crops.ndim == 3 else 3
        mean = crops.mean(axis=0, dtype=np.float64).reshape(side * side, channels).T.astype(np.float32)
        components = []
        for channel in range(channels):
            values, vectors, total = (
                _exact(crops, channel, mean[channel])
                if side <= EXACT_SIDE_PX
                else _randomised(crops, channel, mean[channel], share, seed)
            )
            reached = np.cumsum(values, dtype=np.float64) >= share * total * (1 - 1e-6)
            k = int(reached.argmax()) + 1 if reached.any() else len(values)
            components.append(np.ascontiguousarray(vectors[:, :k].T, np.float16))
        return cls(mean.reshape(channels, side, side), tuple(components), share)

    @classmethod
    def load(cls, path: str | Path) -> Pca:
        """Read what ``save`` wrote.

        Raises:
            CheckpointError: missing, too large, damaged, or arrays of other names and shapes.
        """
        file = Path(path)
        where = f"{file.parent.name}/{file.name}"
        if not file.is_file():
            raise CheckpointError(f"{where} is missing; copy the whole folder of the checkpoint again.")
        if file.stat().st_size > MAX_BYTES:
            raise CheckpointError(f"{where} is larger than {MAX_BYTES // 10**6} MB and was not opened.")
        try:
            arrays = load_file(file)
        except (SafetensorError, OSError, ValueError, KeyError) as error:
            raise CheckpointError(f"{where} is not a whole safetensors file ({error}); copy it again.") from error
        names = [f"components_{i}" for i in range(len(arrays) - 2)]
        if set(arrays) != {"mean", "share", *names} or arrays["share"].shape != (1,):
            raise CheckpointError(
                f"{where} holds {', '.join(sorted(arrays))}; expected mean, share and components_0, …"
            )
        try:
            return cls(arrays["mean"], tuple(arrays[name] for name in names), float(arrays["share"][0]))
        except CheckpointError as error:
            raise CheckpointError(f"{where} cannot be used: {error} Copy it again.") from error

    @property
    def channels(self) -> int:
        return len(self.components)

    @property
    def size(self) -> int:
        """Side of the crops in px."""
        return self.mean.shape[1]

    def reconstruct(self, crops: Pixels) -> Pixels:
        """Crops as their components show them, of the same shape.

        Args:
            crops: uint8 (n, s, s) for one channel, (n, s, s, 3) for three.

        Raises:
            InputError: another shape or type.
        """
        side = (self.size, self.size)
        if crops.dtype != np.uint8 or crops.shape[1:] != (side if self.channels == 1 else (*side, 3)):
            raise InputError(
                f"Expected crops uint8 (n, {self.size}, {self.size}) with {self.channels} channels, "
                f"got {crops.dtype} {crops.shape}."
            )
        rebuilt = np.empty(crops.shape, np.uint8)
        for channel, half in enumerate(self.components):
            mean, components = self.mean[channel].reshape(-1), half.astype(np.float32)
            done = 0
            for block in _blocks(crops, channel, mean):
                pixels = block @ components.T @ components + mean
                to = rebuilt.reshape(*crops.shape[:3], self.channels)[done : done + len(block), ..., channel]
                to[:] = np.clip(np.rint(pixels), 0, 255).reshape(to.shape)
                done += len(block)
        return rebuilt

    def save(self, path: str | Path) -> None:
        """Write a safetensors file."""
        components = {f"components_{i}": each for i, each in enumerate(self.components)}
        arrays = {"mean": self.mean, "share": np.array([self.share]), **components}
        save_file(
            {name: np.ascontiguousarray(each) for name, each in arrays.items()}, path
        )  # it writes memory as it is


def _blocks(crops: Pixels, channel: int, mean: ArrayF) -> Iterator[ArrayF]:
    """Pixels less their mean, float32 (m, s * s)."""
    for start in range(0, len(crops), _BLOCK):
        block = crops[start : start + _BLOCK].reshape(-1, len(mean), 1 if crops.ndim == 3 else 3)
        yield block[..., channel].astype(np.float32) - mean


Decomposed = tuple[ArrayF, ArrayF, float]
"""Variances (k,), the largest first; their directions (s * s, k); the variance of all directions together."""


def _exact(crops: Pixels, channel: int, mean: ArrayF) -> Decomposed:
    covariance = np.zeros((len(mean), len(mean)), np.float32)
    for block in _blocks(crops, channel, mean):
        covariance += block.T @ block / np.float32(len(crops))
    values, vectors = np.linalg.eigh(covariance)
    return np.maximum(values[::-1], 0), vectors[:, ::-1], float(np.trace(covariance, dtype=np.float64))


def _randomised(crops: Pixels, channel: int, mean: ArrayF, share: float, seed: int) -> Decomposed:
    """Twice as many directions as before, until they hold enough."""
    random, most = np.random.default_rng(seed), min(len(crops), len(mean))
    total = sum(float(np.square(block).sum(dtype=np.float64)) for block in _blocks(crops, channel, mean)) / len(crops)
    basis = np.zeros((len(mean), 0), np.float32)
    width = min(_FIRST_WIDTH, most)
    while True:
        new = random.standard_normal((len(mean), width - basis.shape[1]), dtype=np.float32)
        basis = np.concatenate([basis, new], axis=1)
        for _ in range(_PASSES):
            basis = np.linalg.qr(basis)[0]
            basis = sum((block.T @ (block @ basis) for block in _blocks(crops, channel, mean)), np.zeros_like(basis))
        basis = np.linalg.qr(basis)[0]
        inside = np.zeros((width, width), np.float32)
        for block in _blocks(crops, channel, mean):
            inside += (at := block @ basis).T @ at / np.float32(len(crops))
        values, turns = np.linalg.eigh(inside)
        if width == most or values.sum(dtype=np.float64) >= share * total:
            return np.maximum(values[::-1], 0), basis @ turns[:, ::-1], total
        width = min(2 * width, most)
