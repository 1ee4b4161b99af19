"""What the player needs to know about an analysis, in one object of plain JSON."""

from __future__ import annotations

import base64
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dashboard.services import places
from fer_core.emotions import DEFAULT_GROUP_MAP, EMOTION_COLOURS, GROUP_COLOURS, GROUPS
from fer_core.errors import StoreError
from fer_core.video.store import Analysis
from fer_core.video.timeline import frame_steps, labels_of_columns, longest_hold, score_columns, smooth

P_SCALE = 65535


def playback(analysis: Analysis, *, smoothing_s: float = 0.0) -> dict[str, Any]:
    """Times, people, boxes and probabilities of an analysis, as the player draws them.

    Arrays are base64 of little-endian numbers: ``times`` float64 (f,) in s; per person ``frames`` uint32 (n,) positions
    in ``times``, ``boxes`` float32 (n, 4) in pixels, ``p`` uint16 (n, k) probabilities times 65535.

    Raises:
        InputError, StoreError: an impossible smoothing, or a damaged table.
    """
    timeline, source = smooth(analysis.timeline(), smoothing_s), analysis.record["source"]
    columns = score_columns(timeline)
    labels = labels_of_columns(columns)
    times, lasts = frame_steps(timeline)
    return {
        "id": analysis.id,
        "picture": bool(source["is_picture"]),
        "width": source["width"],
        "height": source["height"],
        "start_s": float(times[0]) if len(times) else 0.0,
        "hold_s": longest_hold(times),
        "end_s": float(times[-1] + lasts[-1]) if len(times) else 0.0,
        "emotions": [
            {"name": name, "colour": EMOTION_COLOURS[name], "group": DEFAULT_GROUP_MAP[name]} for name in labels
        ],
        "groups": [{"name": name, "colour": GROUP_COLOURS[name]} for name in GROUPS],
        "times": _packed(times, "<f8"),
        "people": [_person(analysis, int(track), rows, columns, times) for track, rows in _people(timeline)],
    }


def _people(timeline: pd.DataFrame) -> list[tuple[int, pd.DataFrame]]:
    return list(timeline[timeline["track"] >= 0].groupby("track"))


def _person(
    analysis: Analysis, track: int, rows: pd.DataFrame, columns: list[str], times: NDArray[np.float64]
) -> dict[str, Any]:
    return {
        "track": track,
        "name": analysis.names.get(track) or f"Person {track + 1}",
        "thumbnail": f"/api/thumbnail/{analysis.id}/{track}" if analysis.thumbnail(track) else None,
        "frames": _packed(np.searchsorted(times, rows["time_s"].to_numpy(float)), "<u4"),
        "boxes": _packed(rows[["x0", "y0", "x1", "y1"]].to_numpy(float), "<f4"),
        "p": _packed(np.rint(rows[columns].to_numpy(float) * P_SCALE), "<u2"),
    }


def _packed(values: NDArray[Any], kind: str) -> str:
    return base64.b64encode(np.ascontiguousarray(values, dtype=kind).tobytes()).decode()


@lru_cache(maxsize=4096)
def _read_part(path: Path) -> pd.DataFrame:
    """A part never changes once it is there."""
    return pd.read_parquet(path, columns=["time_s", "track", "emotion"])


def so_far(analysis_id: str) -> pd.DataFrame:
    """Rows of a running analysis that are on disk already; empty when there are none yet."""
    folder = places.store().folder(places.check_id(analysis_id))
    parts = []
    for path in sorted((folder.with_name(folder.name + ".tmp") / "parts").glob("timeline-*.parquet")):
        try:
            parts.append(_read_part(path))
        except (OSError, ValueError):  # the analysis ended this moment and removed its parts
            return pd.DataFrame(columns=["time_s", "track", "emotion"])
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=["time_s", "track", "emotion"])


def open_for_page(analysis_id: str) -> Analysis:
    """An analysis by the id in an address, which anyone may have typed.

    Raises:
        InputError, StoreError: there is none; the message says where to look.
    """
    try:
        return places.store().open(analysis_id)
    except StoreError as error:
        if (places.store().root / f"{analysis_id}.tmp").is_dir():
            raise StoreError("This analysis is still running. Watch it on the Analyze page.") from error
        raise
