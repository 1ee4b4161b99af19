"""Small timeline tables with known values."""

from __future__ import annotations

import numpy as np
import pandas as pd

from fer_core.emotions import EMOTIONS
from fer_core.video.timeline import with_labels

COLUMNS = [f"p_{name}" for name in EMOTIONS]


def table(rows: list[tuple[int, float, int, dict[str, float]]]) -> pd.DataFrame:
    """Rows of (frame, time_s, track, probabilities of the emotions that matter; the rest is neutral)."""
    records = []
    for frame, time_s, track, given in rows:
        p = dict.fromkeys(EMOTIONS, 0.0 if track >= 0 else np.nan) | given
        if track >= 0:
            p["neutral"] += 1 - sum(p.values())
        record = {"frame": frame, "time_s": time_s, "track": track, "detection": 0.99 if track >= 0 else np.nan}
        records.append(
            record | dict.fromkeys(("x0", "y0", "x1", "y1"), 10.0) | {f"p_{name}": p[name] for name in EMOTIONS}
        )
    frame = pd.DataFrame(records)
    return with_labels(frame.astype(dict.fromkeys(COLUMNS, np.float32)))
