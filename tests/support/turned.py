"""Heads turned in space."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def rotation(yaw: float, pitch: float, roll: float) -> NDArray[np.float64]:
    """Matrix (3, 3) that turns by yaw, then pitch, then roll in degrees, as ``fer_core.signals.pose`` counts them: x to
    the right, y down, z towards the camera."""
    (cy, cp, cr), (sy, sp, sr) = np.cos(np.radians([yaw, pitch, roll])), np.sin(np.radians([yaw, pitch, roll]))
    by_yaw = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    by_pitch = np.array([[1, 0, 0], [0, cp, -sp], [0, sp, cp]])
    by_roll = np.array([[cr, -sr, 0], [sr, cr, 0], [0, 0, 1]])
    return np.asarray(by_roll @ by_pitch @ by_yaw)
