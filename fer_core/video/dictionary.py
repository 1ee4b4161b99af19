"""What every column of an exported timeline means."""

from __future__ import annotations

import pandas as pd

from fer_core.video.store import Analysis
from fer_core.video.timeline import LANDMARK_COLUMNS
from fer_core.video.trust import CODES
from fer_core.video.view import Lens

_FIXED = {
    "frame": "number of the frame, counted from the first of the file",
    "time_s": "presentation time of the frame in s, minus the start of the file",
    "track": "number of the person from 0; -1 in a frame without a face, whose other values are empty",
    "person": "what the person is called",
    "x0": "left edge of the box, px of the upright picture",
    "y0": "upper edge of the box, px",
    "x1": "right edge of the box, px",
    "y1": "lower edge of the box, px",
    "detection": "how sure the detector is that this is a face, 0-1; every detector has its own scale",
    "source": "where the box comes from: detected, refined, midway (between neighbours, and seen there) or predicted",
    "sharpness": "variance of the Laplacian of the face crop, grey values 0-255",
    "brightness": "mean grey value of the face crop, 0-1",
    "distance": "distance of the face's features from the training pictures; above 1 is farther than 99 % of those",
    "occlusion": "probability that a part of the face is covered, 0-1",
    "emotion": "the most probable emotion",
    "group": "the group of the most probable emotion",
    "usable": "whether none of the why_ columns holds",
}


def dictionary(analysis: Analysis, columns: list[str], lens: Lens = Lens()) -> pd.DataFrame:
    """``column`` and ``meaning`` of each of ``columns``, as this analysis is seen through a lens."""
    return pd.DataFrame([{"column": name, "meaning": _meaning(name, analysis, lens)} for name in columns])


def _meaning(name: str, analysis: Analysis, lens: Lens) -> str:
    if name in _FIXED:
        groups = ", ".join(f"{emotion}: {group}" for emotion, group in analysis.state.groups.items())
        return f"{_FIXED[name]} ({groups})" if name == "group" else _FIXED[name]
    if name in LANDMARK_COLUMNS:
        parts = ("the eye on the left", "the eye on the right", "the nose", "the left of the mouth", "its right")
        return f"{name[-1]} of {parts[int(name[2])]}, px"
    if name.startswith("p_"):
        how = f", mean over {lens.smoothing_s:g} s" if lens.smoothing_s else ""
        return f"calibrated probability of {name[2:]}, 0-1, by {lens.model or analysis.models[0]}{how}"
    return CODES[name.removeprefix("why_")]


__all__ = ["dictionary"]
