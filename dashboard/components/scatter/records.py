"""What a map shows and what was picked in it. Every record checks itself, and knows how it travels to the browser."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from fer_core.errors import InputError

MAX_LABELS = 255
_HEX = re.compile(r"#[0-9A-Fa-f]{6}")


@dataclass(frozen=True, eq=False)
class Categories:
    """A colouring by class.

    ``values`` (n,) are indices into ``labels``, at most 255, which share their order with ``colours`` (``#RRGGBB``).
    """

    name: str
    values: np.ndarray
    labels: tuple[str, ...]
    colours: tuple[str, ...]

    def __post_init__(self) -> None:
        if len(self.colours) != len(self.labels) or not all(map(_HEX.fullmatch, self.colours)):
            raise InputError(f"Expected a colour #RRGGBB for each of {self.labels}, got {self.colours}.")
        _check_indices(self.name, self.values, len(self.labels), MAX_LABELS)

    def packed(self) -> dict[str, Any]:
        known = {"name": self.name, "labels": list(self.labels), "colours": list(self.colours)}
        return known | {"kind": "category", "values": pack(self.values, "u1")}


@dataclass(frozen=True, eq=False)
class Numbers:
    """A colouring by a number, on a scale from ``low`` to ``high``; values outside take the colour of its end.

    ``values`` (n,) float, NaN where not known: drawn grey, and counted in the legend. ``unit`` follows both ends.
    """

    name: str
    values: np.ndarray
    low: float
    high: float
    unit: str = ""

    def __post_init__(self) -> None:
        if self.values.ndim != 1:
            raise InputError(f"Expected numbers (n,) for {self.name}, got an array {self.values.shape}.")
        if not (np.isfinite([self.low, self.high]).all() and self.low < self.high):
            raise InputError(f"Expected a scale from a lower to a higher number, got {self.low} to {self.high}.")

    def packed(self) -> dict[str, Any]:
        share = np.clip((self.values.astype(float) - self.low) / (self.high - self.low), 0, 1)
        levels = np.where(np.isnan(share), 0, 1 + np.rint(254 * np.nan_to_num(share)))  # 0: not known
        known = {"name": self.name, "low": float(self.low), "high": float(self.high), "unit": self.unit}
        return known | {"kind": "number", "values": pack(levels, "u1")}


@dataclass(frozen=True, eq=False)
class Words:
    """A line of the card over a point: ``values`` (n,) are indices into ``labels``, at most 65,535."""

    name: str
    values: np.ndarray
    labels: tuple[str, ...]

    def __post_init__(self) -> None:
        _check_indices(self.name, self.values, len(self.labels), 65535)

    def packed(self) -> dict[str, Any]:
        is_wide = len(self.labels) > 256
        known = {"name": self.name, "labels": list(self.labels), "wide": is_wide}
        return known | {"values": pack(self.values, "<u2" if is_wide else "u1")}


@dataclass(frozen=True, eq=False)
class Trail:
    """Faces in order of time, a line through the map.

    ``positions`` float (m, dimensions) on the map's own scale, ``times_s`` (m,) ascending, ``far`` bool (m,) where a
    face is far from the training data: its place means little, so its dot is hollow and its line dashed. ``values`` has
    one entry per colouring of the map, (m,) as there, or None where faces have no such value.
    """

    name: str
    positions: np.ndarray
    times_s: np.ndarray
    far: np.ndarray
    values: tuple[np.ndarray | None, ...] = ()

    def __post_init__(self) -> None:
        lengths = {len(each) for each in (self.positions, self.times_s, self.far, *self.values) if each is not None}
        if len(lengths) != 1 or self.positions.ndim != 2:
            raise InputError(f"Expected positions (m, d) and arrays (m,), got lengths {sorted(lengths)}.")
        if np.any(np.diff(self.times_s) < 0):
            raise InputError("Expected the times of a trail in ascending order.")

    def packed(self, colourings: Sequence[Categories | Numbers]) -> dict[str, Any]:
        values: list[str | None] = []
        for colouring, own in zip(colourings, self.values or (None,) * len(colourings), strict=True):
            same = None if own is None else type(colouring)(**(vars(colouring) | {"values": own}))
            values.append(same.packed()["values"] if same else None)
        known = {"name": self.name, "n": len(self.positions), "values": values}
        return known | {
            "positions": pack(self.positions, "<f4"), "times": pack(self.times_s, "<f8"), "far": pack(self.far, "u1"),
        }  # fmt: skip


@dataclass(frozen=True)
class Picked:
    """What was newly picked: ``rows`` of a lasso (empty: the selection was cleared), a clicked ``point``, a clicked
    ``path_point`` of the trail. None: nothing new."""

    rows: tuple[int, ...] | None = None
    point: int | None = None
    path_point: int | None = None


def pack(values: np.ndarray, kind: str) -> str:
    """Base64 of an array's values, row by row; ``kind`` is NumPy's name of a little-endian type."""
    return base64.b64encode(np.ascontiguousarray(values, kind).tobytes()).decode()


def pack_mask(mask: np.ndarray) -> str:
    """Base64 of one bit per row, the first row in the lowest bit."""
    return base64.b64encode(np.packbits(mask, bitorder="little").tobytes()).decode()


def unpack_mask(text: str, n: int) -> tuple[int, ...] | None:
    """Rows of a mask of n bits; None if it is of another length, as after the map was exchanged."""
    try:
        octets = np.frombuffer(base64.b64decode(text, validate=True), np.uint8)
    except (binascii.Error, ValueError):
        return None
    if len(octets) != -(-n // 8):
        return None
    return tuple(np.flatnonzero(np.unpackbits(octets, bitorder="little")[:n]).tolist())


def _check_indices(name: str, values: np.ndarray, k: int, most: int) -> None:
    if k > most:
        raise InputError(f"Expected at most {most} labels for {name}, got {k}.")
    if values.ndim != 1 or values.dtype.kind not in "iub":
        raise InputError(f"Expected indices (n,) for {name}, got {values.dtype} {values.shape}.")
    if len(values) and not (values.min() >= 0 and values.max() < k):
        raise InputError(f"Expected indices below {k} for {name}, got {values.min()} to {values.max()}.")
