"""A map as a record: made once, kept in a folder under a key that its contents decide, read by pages."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from fer_core.embeddings.measures import measured, most
from fer_core.embeddings.nearest import nearest, place
from fer_core.embeddings.projection import MAX_SEED, METHODS, SETTINGS, checked, layouts, neighbours_for, principal
from fer_core.embeddings.work import ArrayF, ArrayI, WorkPart, as_features
from fer_core.errors import InputError

FORMAT = "fer-workbench-map/1"
"""To be counted up when a change here or in the layouts makes other maps of the same features."""
K = 15
MAX_BYTES = 200_000_000
_KEY = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Map:
    """Faces laid out in two or three dimensions.

    Attributes:
        key: see ``map_key``.
        method: one of ``METHODS``.
        seed: of the layout; ``seed + 1`` is the one it was compared with.
        positions: float32 (n, dimensions), finite, in the order of the features.
        quality: see ``fer_core.embeddings.quality``.
        mean, components: float32 (d,) and (dimensions, d), with which PCA makes positions from features; empty for the
            other methods, which have no such formula.

    Raises:
        InputError: values that do not fit.
    """

    key: str
    method: str
    seed: int
    positions: ArrayF
    quality: Mapping[str, float] = field(default_factory=dict)
    mean: ArrayF = field(default_factory=lambda: np.zeros(0, np.float32))
    components: ArrayF = field(default_factory=lambda: np.zeros((0, 0), np.float32))

    def __post_init__(self) -> None:
        arrays = (self.positions, self.mean, self.components)
        wide = (self.positions.shape[1] if self.method == "pca" else 0, len(self.mean))
        if self.method not in METHODS or not _KEY.fullmatch(self.key) or not isinstance(self.seed, int):
            raise InputError(f"Expected a map by {', '.join(METHODS)} with its key, got {self.method!r} {self.key!r}.")
        if self.positions.ndim != 2 or self.positions.shape[1] not in (2, 3) or self.components.shape != wide:
            raise InputError(
                f"Expected positions (n, 2 or 3) and, for PCA only, components (2 or 3, d); got "
                f"{self.positions.shape} and {self.components.shape} for {self.method}."
            )
        if not all(each.dtype == np.float32 and np.isfinite(each).all() for each in arrays):
            raise InputError("Expected finite positions and components in float32.")

    @property
    def dimensions(self) -> int:
        return int(self.positions.shape[1])

    @property
    def stability(self) -> float:
        """Share (0-1) of a face's nearest that it keeps with another seed; NaN if not known."""
        return self.quality.get("stability", float("nan"))

    def place(self, new_features: ArrayLike, features: ArrayLike, k: int = 10) -> tuple[ArrayF, ArrayF]:
        """Positions (m, dimensions) of new faces in this map, and how far (m,) they are from the faces in it.

        PCA projects them; for the other methods see ``fer_core.embeddings.place``, as for arguments, ratios and
        errors. ``features`` are those that the map was made of.
        """
        positions, ratio = place(new_features, features, self.positions, k)
        if self.method == "pca":
            positions[:] = (as_features(new_features, 0, len(self.mean)) - self.mean) @ self.components.T
        return positions, ratio


def map_key(
    features: ArrayLike, labels: ArrayI, groups: ArrayI, method: str, dimensions: int = 2, seed: int = 0
) -> str:
    """The key (64 hex digits) of the map that ``make_map`` makes of the same arguments.

    It changes with the features, the labels (which the quality depends on), the settings and the version of the
    library that makes the layout.

    Raises:
        InputError: as of ``project``.
    """
    found, settings = checked(features, method, dimensions, seed), dict(SETTINGS[method])
    about = [FORMAT, method, dimensions, seed, settings, version(settings["library"]), K, found.shape]
    if not np.shape(labels) == np.shape(groups) == (len(found),):
        shapes = f"{np.shape(labels)} and {np.shape(groups)}"
        raise InputError(f"Expected labels and groups of {len(found)} faces, got {shapes}.")
    content = hashlib.sha256(json.dumps(about).encode())
    for array in (found, np.asarray(labels, np.int64), np.asarray(groups, np.int64)):
        content.update(np.ascontiguousarray(array).data)
    return content.hexdigest()


def make_map(
    features: ArrayLike,
    labels: ArrayI,
    groups: ArrayI,
    method: str,
    dimensions: int = 2,
    seed: int = 0,
    progress: Callable[[float], None] | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> Map:
    """Lay out faces, and measure how far the map can be trusted; a second layout tells how stable it is.

    Args:
        features: float (n, d), n ≥ 4.
        labels, groups: int (n,), class of each face, say of seven and of three; -1 where there is none.
        method, dimensions, seed, progress, should_stop: see ``fer_core.embeddings.project``.

    Raises:
        InputError: as of ``project``, or labels of another length.
        Cancelled: ``should_stop`` said so.
    """
    work, key = WorkPart(progress, should_stop), map_key(features, labels, groups, method, dimensions, seed)
    found = checked(features, method, dimensions, seed)
    n, is_pca = len(found), method == "pca"
    before, after = (0.3, 0.35) if is_pca else (0.1, 0.7)
    near = nearest(found, max(most(K, n), neighbours_for(method, n)), work.part(0, before))
    maps = layouts(found, method, dimensions, (seed, (seed + 1) % MAX_SEED), near, work.part(before, after))
    figures = measured(found, near[0][:, : most(K, n)], maps, labels, groups, work.part(after, 1))
    linear = dict(zip(("mean", "components"), principal(found, dimensions), strict=True)) if is_pca else {}
    return Map(key, method, seed, maps[0], MappingProxyType(figures), **linear)


def save_map(folder: str | Path, made: Map) -> Path:
    """Write ``<folder>/<key>.safetensors``, whole or not at all; the folder is made where it is missing."""
    from safetensors.numpy import save

    path = Path(folder) / f"{made.key}.safetensors"
    about = {"key": made.key, "method": made.method, "seed": made.seed, "quality": dict(made.quality)}
    arrays = {name: np.ascontiguousarray(getattr(made, name)) for name in ("positions", "mean", "components")}
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(f".{os.getpid()}.part")
    part.write_bytes(save(arrays, {"format": FORMAT, "map": json.dumps(about)}))
    os.replace(part, path)
    return path


def load_map(folder: str | Path, key: str) -> Map | None:
    """The map under a key, or None where there is none.

    A file that is damaged, of another format or not what its name says counts as none: a map can be made again from
    the same features, and writing it replaces the file.

    Raises:
        InputError: not a key.
    """
    from safetensors import SafetensorError

    if not _KEY.fullmatch(key):
        raise InputError("That is not the key of a map.")
    path = Path(folder) / f"{key}.safetensors"
    if not path.is_file() or path.stat().st_size > MAX_BYTES:
        return None
    try:
        made = _read(path)
    except (SafetensorError, OSError, ValueError, KeyError, TypeError, AttributeError, InputError):
        return None
    return made if made.key == key else None


def _read(path: Path) -> Map:
    from safetensors import safe_open

    with safe_open(path, framework="numpy") as file:
        header = file.metadata()
        if header["format"] != FORMAT:
            raise InputError(f"Expected {FORMAT}, got {header['format']!r}.")
        arrays: dict[str, Any] = {name: file.get_tensor(name) for name in ("positions", "mean", "components")}
    about = json.loads(header["map"])
    figures = {str(name): float(value) for name, value in about["quality"].items()}
    return Map(about["key"], about["method"], about["seed"], quality=MappingProxyType(figures), **arrays)


__all__ = ["FORMAT", "Map", "load_map", "make_map", "map_key", "save_map"]
