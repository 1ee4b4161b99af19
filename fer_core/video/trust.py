"""When not to trust a face's scores: reasons per row of the timeline, each with a limit that can be changed.

How each reason is measured, and where its limit comes from, is written in ``docs/trust.md``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fer_core.faces.crops import crop_squares
from fer_core.signals import Seen, head_pose
from fer_core.video.columns import seen_in
from fer_core.video.reasons import REASONS, Limits

MEASURES = (
    "side_px", "sharpness", "brightness", "yaw", "pitch", "roll", "turn", "nod", "occlusion", "outside", "distance",
    "entropy", "probability",
)  # fmt: skip
KEPT = ("sharpness", "brightness", "occlusion", "distance")
"""Those of the measures that an analysis keeps as columns."""
LINES = 16
"""The share outside of the picture is measured along this many lines through the crop."""


NOSE_HEIGHT = 0.53
"""Height of the nose between eyes (0) and mouth (1) in a face seen from the front, measured on FER2013."""


def measures(timeline: pd.DataFrame, *, width: int, height: int) -> pd.DataFrame:
    """What the reasons are decided on, float32 columns ``MEASURES``, one row per row of the timeline.

    Args:
        timeline: rows as ``fer_core.video.timeline`` describes them, with ``distance`` and ``occlusion`` if known.
        width, height: of the video's pictures, in pixels.

    Returns:
        NaN in faceless rows, and in columns whose source the timeline lacks; for the units see ``Limits``.
    """
    seen = (timeline["track"] >= 0).to_numpy()
    faces = timeline[seen]
    found = face_measures(seen_in(faces), {name: _column(faces, name) for name in KEPT}, width=width, height=height)
    values = np.full((len(timeline), len(MEASURES)), np.nan, np.float32)
    values[seen] = np.stack([found[name] for name in MEASURES], axis=1)
    return pd.DataFrame(values, columns=list(MEASURES), index=timeline.index)


def face_measures(
    seen: Seen, kept: Mapping[str, NDArray[np.float32]], *, width: int, height: int
) -> dict[str, NDArray[np.float32]]:
    """``MEASURES`` of n faces, float32 (n,) each, from their landmarks, probabilities and ``KEPT`` columns (n,); NaN
    where those are missing."""
    found = dict.fromkeys(MEASURES, np.full(len(kept[KEPT[0]]), np.nan, np.float32)) | dict(kept)
    if seen.landmarks is not None:
        found |= _geometry(seen.landmarks, width, height)
    if seen.probabilities is not None:
        found |= _certainty(seen.probabilities)
    return found


def reasons(timeline: pd.DataFrame, *, width: int, height: int, limits: Limits = Limits()) -> NDArray[np.bool_]:
    """Which reasons hold, bool (n, len(REASONS)) in the order of ``REASONS``; none in faceless rows or where a value is
    missing. Arguments as of ``measures``."""
    found = measures(timeline, width=width, height=height)
    return holding({name: found[name].to_numpy() for name in MEASURES}, limits)


def holding(found: Mapping[str, NDArray[np.float32]], limits: Limits = Limits()) -> NDArray[np.bool_]:
    """Which reasons hold for n faces, bool (n, len(REASONS)), by their ``MEASURES`` (n,)."""
    holds = np.zeros((len(found[MEASURES[0]]), len(REASONS)), bool)
    for i, reason in enumerate(REASONS):
        for limit in reason.limits:
            if (bound := getattr(limits, limit.name)) is not None:
                size = np.abs(found[limit.measure])
                holds[:, i] |= size > bound if limit.above else size < bound
    return holds


def with_reasons(timeline: pd.DataFrame, *, width: int, height: int, limits: Limits = Limits()) -> pd.DataFrame:
    """The table with bool columns ``why_<code>`` and ``usable``: a face is there and no reason holds."""
    found = reasons(timeline, width=width, height=height, limits=limits)
    usable = (timeline["track"] >= 0).to_numpy() & ~found.any(axis=1)
    columns = dict(zip((f"why_{reason.code}" for reason in REASONS), found.T, strict=True))
    return timeline.assign(**columns, usable=usable)


def nose_offsets(points: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Turn and nod (n,) from landmarks (n, 5, 2): where the nose lies between the eyes, and towards the mouth."""
    eyes, mouth = points[:, :2].mean(axis=1), points[:, 3:].mean(axis=1)
    across, down = points[:, 1] - points[:, 0], mouth - eyes
    squares = [np.maximum(np.square(line).sum(axis=1), 1e-6) for line in (across, down)]
    nose = points[:, 2] - eyes
    turn = np.abs((nose * across).sum(axis=1)) / squares[0]
    return turn, np.abs((nose * down).sum(axis=1) / squares[1] - NOSE_HEIGHT)


def _column(faces: pd.DataFrame, name: str) -> NDArray[np.float32]:
    return faces[name].to_numpy(np.float32) if name in faces else np.full(len(faces), np.nan, np.float32)


def _geometry(points: NDArray[np.float32], width: int, height: int) -> dict[str, NDArray[np.float32]]:
    """Place and pose of each face, from its landmarks (n, 5, 2)."""
    names = ("side_px", "yaw", "pitch", "roll", "turn", "nod", "outside")
    squares = crop_squares(points)
    side = np.linalg.norm(squares[:, 1], axis=1)
    measured = (side, *head_pose(points).T, *nose_offsets(points), _outside(squares, width, height))
    return dict(zip(names, measured, strict=True))


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


def _certainty(p: NDArray[np.floating[Any]]) -> dict[str, NDArray[np.float32]]:
    """Entropy (in units of log k) and top of probabilities (n, k)."""
    nats = -(p * np.log(np.maximum(p, 1e-12))).sum(axis=1)
    return {"entropy": nats / np.float32(np.log(p.shape[1])), "probability": p.max(axis=1)}


__all__ = [
    "KEPT",
    "MEASURES",
    "NOSE_HEIGHT",
    "Limits",
    "face_measures",
    "holding",
    "measures",
    "nose_offsets",
    "reasons",
    "with_reasons",
]
