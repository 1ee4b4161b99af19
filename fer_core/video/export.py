"""A timeline for other programs: CSV, Parquet, JSON and WebVTT."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd

from fer_core.errors import InputError
from fer_core.video.annotate import person_name
from fer_core.video.store import Analysis
from fer_core.video.timeline import score_columns, segments, smooth, summary


def to_csv(timeline: pd.DataFrame) -> bytes:
    """Comma-separated, one row per face and frame, ``time_s`` with six decimals."""
    return timeline.assign(time_s=timeline["time_s"].round(6)).to_csv(index=False).encode()


def to_parquet(timeline: pd.DataFrame) -> bytes:
    """Parquet, the same columns."""
    buffer = io.BytesIO()
    timeline.to_parquet(buffer, index=False, compression="zstd")
    return buffer.getvalue()


def to_webvtt(timeline: pd.DataFrame, names: Mapping[int, str]) -> bytes:
    """Subtitles: a cue per segment with the person, the emotion and its mean probability."""
    lines = ["WEBVTT", ""]
    for row in segments(timeline).itertuples():
        if row.end_s > row.start_s:
            name = "".join(letter for letter in person_name(row.track, dict(names)) if letter not in "<>&\r\n")
            lines += [f"{_vtt_time(row.start_s)} --> {_vtt_time(row.end_s)}"]
            lines += [f"<v {name}>{row.emotion} ({row.confidence:.0%})", ""]
    return "\n".join(lines).encode()


def to_json(record: Mapping[str, Any], timeline: pd.DataFrame, *, smoothing_s: float = 0.0) -> bytes:
    """The analysis in one object: ``analysis.json``, ``smoothing_s``, ``summary``, ``segments``, ``frames``.

    A frame has ``frame``, ``time_s`` and ``faces`` (empty where there is none), a face ``track``, ``box`` (x0 y0 x1 y1
    in pixels), ``detection``, ``emotion``, ``group`` and ``probabilities``.
    """
    columns = score_columns(timeline)
    names = [column.removeprefix("p_") for column in columns]
    frames: list[dict[str, Any]] = []
    for row in timeline.to_dict("records"):
        if not frames or frames[-1]["frame"] != row["frame"]:
            frames.append({"frame": row["frame"], "time_s": round(row["time_s"], 6), "faces": []})
        if row["track"] >= 0:
            frames[-1]["faces"].append(
                {
                    "track": row["track"],
                    "box": [round(float(row[side]), 2) for side in ("x0", "y0", "x1", "y1")],
                    "detection": round(float(row["detection"]), 4),
                    "emotion": row["emotion"],
                    "group": row["group"],
                    "probabilities": dict(zip(names, np.round([row[c] for c in columns], 5).tolist(), strict=True)),
                }
            )
    whole = dict(record) | {
        "smoothing_s": smoothing_s,
        "summary": summary(timeline),
        "segments": segments(timeline).to_dict("records"),
        "frames": frames,
    }
    return json.dumps(whole, ensure_ascii=False).encode()


KINDS: Mapping[str, str] = MappingProxyType(
    {"csv": "text/csv", "parquet": "application/vnd.apache.parquet", "json": "application/json", "vtt": "text/vtt"}
)
"""File endings of the exports, with their media types."""


def export(analysis: Analysis, kind: str, *, smoothing_s: float = 0.0) -> bytes:
    """One of ``KINDS`` for a stored analysis, with its people's names and smoothing applied.

    Raises:
        InputError: another kind, or an impossible smoothing.
        StoreError: the analysis is damaged.
    """
    timeline = smooth(analysis.timeline(), smoothing_s)
    makers: dict[str, Callable[[], bytes]] = {
        "csv": lambda: to_csv(timeline),
        "parquet": lambda: to_parquet(timeline),
        "json": lambda: to_json(analysis.record, timeline, smoothing_s=smoothing_s),
        "vtt": lambda: to_webvtt(timeline, analysis.names),
    }
    if kind not in makers:
        raise InputError(f"Unknown export {kind!r}; expected one of {', '.join(KINDS)}.")
    return makers[kind]()


def _vtt_time(time_s: float) -> str:
    seconds, thousandths = divmod(round(time_s * 1000), 1000)
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}.{thousandths:03d}"
