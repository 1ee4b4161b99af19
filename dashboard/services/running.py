"""What a running analysis has found already."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import pandas as pd

from dashboard.services import places


@lru_cache(maxsize=4096)
def _read_part(path: Path) -> pd.DataFrame:
    """A part never changes once it is there."""
    return pd.read_parquet(path, columns=["time_s", "track", "emotion"])


def so_far(analysis_id: str) -> pd.DataFrame:
    """Rows of a running analysis that are on disk already; empty when there are none yet."""
    parts = []
    for path in sorted(
        path for folder in places.unfinished(analysis_id) for path in folder.glob("parts/timeline-*.parquet")
    ):
        try:
            parts.append(_read_part(path))
        except (OSError, ValueError):  # the analysis ended this moment and removed its parts
            return pd.DataFrame(columns=["time_s", "track", "emotion"])
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=["time_s", "track", "emotion"])
