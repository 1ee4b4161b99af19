"""When not to trust a face's scores: reasons per row of the timeline, each with a limit that can be changed.

How each reason is measured, and where its limit comes from, is written in ``docs/trust.md``.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from types import MappingProxyType

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fer_core.errors import InputError
from fer_core.faces.crops import crop_squares
from fer_core.video.timeline import LANDMARK_COLUMNS, score_columns

CODES = MappingProxyType(
    {
        "small": "The face is only a few pixels large in the video.",
        "blurred": "The face is out of focus, blurred by movement, or hardly has any contrast.",
        "dark": "The face is very dark.",
        "turned": "The head is turned to the side or nodded far up or down.",
        "tilted": "The head leans far towards a shoulder.",
        "occluded": "Something probably covers part of the face, such as a hand, a mask or sunglasses.",
        "predicted": "The face was not found in this frame; its place is guessed from the frames around it.",
        "edge": "The face reaches over the edge of the picture.",
        "far": "The face looks unlike the pictures that the network was trained on.",
        "flat": "The network hardly prefers any emotion.",
        "uncertain": "The most probable emotion has a low probability.",
    }
)
"""Reasons in the order of their columns, in the words that users read."""
MEASURES = (
    "side_px", "sharpness", "brightness", "turn", "nod", "tilt_deg", "occlusion", "outside", "distance", "entropy",
    "probability",
)  # fmt: skip
LINES = 16
"""The share outside of the picture is measured along this many lines through the crop."""


@dataclass(frozen=True)
class Limits:
    """From where on a face's scores are not to be trusted; ``docs/trust.md`` tells how the defaults were chosen.

    Attributes:
        min_side_px: side of the square that is cut around the face, in pixels of the video.
        min_sharpness: variance of the Laplacian of the crop (grey, 0-255).
        min_brightness: mean grey value of the crop, 0-1.
        max_turn: how far the nose lies from the middle between the eyes, in eye distances.
        max_nod: how far the nose's height between eyes (0) and mouth (1) lies from that of a face seen from the front.
        max_tilt_deg: angle between the eyes and the horizontal, in degrees.
        max_occlusion: probability that part of the face is covered, 0-1.
        max_outside: share of the square that lies outside of the picture, 0-1.
        max_distance: distance from the training pictures; 1 is farther than 99 % of them.
        max_entropy: entropy of the probabilities in units of the largest possible one, 0-1.
        min_probability: of the top emotion, 0-1; 0 asks for nothing.
    """

    min_side_px: float = 20.0
    min_sharpness: float = 100.0
    min_brightness: float = 0.1
    max_turn: float = 0.4
    max_nod: float = 0.3
    max_tilt_deg: float = 35.0
    max_occlusion: float = 0.5
    max_outside: float = 0.2
    max_distance: float = 1.0
    max_entropy: float = 0.4
    min_probability: float = 0.0

    def __post_init__(self) -> None:
        wrong = [name for name, value in asdict(self).items() if not math.isfinite(value)]
        if wrong:
            raise InputError(f"The limit {wrong[0]} is {getattr(self, wrong[0])}; expected a finite number.")


NOSE_HEIGHT = 0.53
"""Height of the nose between eyes (0) and mouth (1) in a face seen from the front, measured on FER2013."""


def measures(timeline: pd.DataFrame, *, width: int, height: int) -> pd.DataFrame:
    """What the reasons are decided on, float32 columns ``MEASURES``, one row per row of the timeline.

    Args:
        timeline: rows as ``fer_core.video.timeline`` describes them, with ``distance`` and ``occlusion`` if known.
        width, height: of the video's pictures, in pixels.

    Returns:
        NaN in faceless rows, and in columns whose source the timeline lacks; see ``Limits`` for the units.
    """
    seen = (timeline["track"] >= 0).to_numpy()
    faces = timeline[seen]
    known = {name: _column(faces, name) for name in ("sharpness", "brightness", "occlusion", "distance")}
    found = known | _geometry(faces, width, height) | _certainty(faces)
    values = np.full((len(timeline), len(MEASURES)), np.nan, np.float32)
    values[seen] = np.stack([found[name] for name in MEASURES], axis=1)
    return pd.DataFrame(values, columns=list(MEASURES), index=timeline.index)


def reasons(timeline: pd.DataFrame, *, width: int, height: int, limits: Limits = Limits()) -> NDArray[np.bool_]:
    """Which reasons hold, bool (n, len(CODES)) in the order of ``CODES``; none in faceless rows or where a value is
    missing. Arguments as of ``measures``."""
    m = {name: column.to_numpy() for name, column in measures(timeline, width=width, height=height).items()}
    holds = {
        "small": m["side_px"] < limits.min_side_px,
        "blurred": m["sharpness"] < limits.min_sharpness,
        "dark": m["brightness"] < limits.min_brightness,
        "turned": (m["turn"] > limits.max_turn) | (m["nod"] > limits.max_nod),
        "tilted": m["tilt_deg"] > limits.max_tilt_deg,
        "occluded": m["occlusion"] > limits.max_occlusion,
        "predicted": _is_predicted(timeline),
        "edge": m["outside"] > limits.max_outside,
        "far": m["distance"] > limits.max_distance,
        "flat": m["entropy"] > limits.max_entropy,
        "uncertain": m["probability"] < limits.min_probability,
    }
    return np.stack([holds[code] for code in CODES], axis=1)


def with_reasons(timeline: pd.DataFrame, *, width: int, height: int, limits: Limits = Limits()) -> pd.DataFrame:
    """The table with bool columns ``why_<code>`` and ``usable``: a face is there and no reason holds."""
    found = reasons(timeline, width=width, height=height, limits=limits)
    usable = (timeline["track"] >= 0).to_numpy() & ~found.any(axis=1)
    columns = dict(zip((f"why_{code}" for code in CODES), found.T, strict=True))
    return timeline.assign(**columns, usable=usable)


def pose(points: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """Turn, nod and tilt (n,) from landmarks (n, 5, 2): where the nose lies between the eyes and towards the mouth."""
    eyes, mouth = points[:, :2].mean(axis=1), points[:, 3:].mean(axis=1)
    across, down = points[:, 1] - points[:, 0], mouth - eyes
    squares = [np.maximum(np.square(line).sum(axis=1), 1e-6) for line in (across, down)]
    nose = points[:, 2] - eyes
    turn = np.abs((nose * across).sum(axis=1)) / squares[0]
    nod = np.abs((nose * down).sum(axis=1) / squares[1] - NOSE_HEIGHT)
    return turn, nod, np.abs(np.degrees(np.arctan2(across[:, 1], across[:, 0])))


def _column(faces: pd.DataFrame, name: str) -> NDArray[np.float32]:
    return faces[name].to_numpy(np.float32) if name in faces else np.full(len(faces), np.nan, np.float32)


def _is_predicted(timeline: pd.DataFrame) -> NDArray[np.bool_]:
    if "source" not in timeline:
        return np.zeros(len(timeline), bool)
    return ((timeline["track"] >= 0) & (timeline["source"] == "predicted").fillna(False)).to_numpy(bool)


def _geometry(faces: pd.DataFrame, width: int, height: int) -> dict[str, NDArray[np.float32]]:
    """Place and pose of each face, from its landmarks."""
    names = ("side_px", "turn", "nod", "tilt_deg", "outside")
    if not set(LANDMARK_COLUMNS) <= set(faces.columns):
        return dict.fromkeys(names, np.full(len(faces), np.nan, np.float32))
    points = faces[list(LANDMARK_COLUMNS)].to_numpy(np.float32).reshape(-1, 5, 2)
    squares = crop_squares(points)
    side = np.linalg.norm(squares[:, 1], axis=1)
    return dict(zip(names, (side, *pose(points), _outside(squares, width, height)), strict=True))


def _outside(squares: NDArray[np.float64], width: int, height: int) -> NDArray[np.float32]:
    """Share (n,) of each square (n, 3, 2) that lies outside of the picture, measured along lines through it."""
    origin, x_axis, y_axis = (squares[:, i].astype(np.float32) for i in range(3))
    corners = np.stack([origin, origin + x_axis, origin + y_axis, origin + x_axis + y_axis])
    share = np.where(np.isfinite(origin).all(axis=1), np.float32(0), np.float32(np.nan))
    over = (share == 0) & ~((corners >= 0) & (corners <= (width, height))).all(axis=(0, 2))
    down = (np.arange(LINES, dtype=np.float32) + 0.5) / LINES
    first, last = np.zeros((2, int(over.sum()), LINES), np.float32)
    last += 1
    for axis, size in enumerate((width, height)):  # where along each line the picture begins and ends
        start = origin[over, axis, None] + down * y_axis[over, axis, None]
        step = x_axis[over, axis, None]
        step = np.where(np.abs(step) < 1e-6, np.float32(1e-6), step)
        ends = -start / step, (size - start) / step
        first, last = np.maximum(first, np.minimum(*ends)), np.minimum(last, np.maximum(*ends))
    share[over] = 1 - np.maximum(last - first, 0).mean(axis=1)
    return np.asarray(share, np.float32)


def _certainty(faces: pd.DataFrame) -> dict[str, NDArray[np.float32]]:
    """Entropy (in units of log k) and top of the probabilities."""
    columns = score_columns(faces)
    if not columns:
        return dict.fromkeys(("entropy", "probability"), np.full(len(faces), np.nan, np.float32))
    p = faces[columns].to_numpy(np.float32)
    nats = -(p * np.log(np.maximum(p, 1e-12))).sum(axis=1)
    return {"entropy": nats / np.float32(np.log(len(columns))), "probability": p.max(axis=1)}


__all__ = [
    "CODES",
    "MEASURES",
    "NOSE_HEIGHT",
    "Limits",
    "measures",
    "pose",
    "reasons",
    "with_reasons",
]
