"""A timeline for other programs: CSV, Parquet, JSON and WebVTT."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd

from fer_core.errors import InputError
from fer_core.video.edits import State
from fer_core.video.marks import guarded
from fer_core.video.store import Analysis
from fer_core.video.timeline import person_name, score_columns, segments, summary, without_rows
from fer_core.video.view import Lens, view


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
            name = "".join(letter for letter in person_name(row.track, names) if letter not in "<>&\r\n")
            lines += [f"{_vtt_time(row.start_s)} --> {_vtt_time(row.end_s)}"]
            lines += [f"<v {name}>{row.emotion} ({row.confidence:.0%})", ""]
    return "\n".join(lines).encode()


def to_json(record: Mapping[str, Any], timeline: pd.DataFrame, *, state: State = State(), lens: Lens = Lens()) -> bytes:
    """The analysis in one object: ``analysis.json`` with ``model``, ``smoothing_s``, ``people`` (their names by track),
    ``marks``, ``groups`` and ``limits`` as the reviewer has them; ``summary``, ``segments``, ``frames`` of the table.

    A frame has ``frame``, ``time_s`` and ``faces`` (empty where there is none), a face ``track``, ``box`` (x0 y0 x1 y1
    in pixels), ``detection``, ``emotion``, ``group``, ``probabilities`` and ``why`` (reasons to doubt).
    """
    columns = score_columns(timeline)
    names = [column.removeprefix("p_") for column in columns]
    reasons = [column for column in timeline.columns if column.startswith("why_")]
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
                    "why": [column.removeprefix("why_") for column in reasons if row[column]],
                }
            )
    people = timeline["track"].unique().tolist()
    whole = dict(record) | {
        "model": lens.model or record["checkpoint"]["name"],
        "smoothing_s": lens.smoothing_s,
        "people": {track: state.name_of(track) for track in people if track >= 0},
        "marks": [mark.to_dict() for mark in state.marks],
        "groups": dict(state.groups),
        "limits": asdict(state.limits),
        "summary": summary(timeline),
        "segments": segments(timeline).to_dict("records"),
        "frames": frames,
    }
    return json.dumps(whole, ensure_ascii=False).encode()


@dataclass(frozen=True)
class Selection:
    """Which faces: in ``[start_s, end_s)`` (None: to the end), of one person or all, only those without a reason to
    doubt. A frame of the span in which no such face is left has its faceless row, so that the time axis has no
    holes."""

    start_s: float = 0.0
    end_s: float | None = None
    track: int | None = None
    only_usable: bool = False

    def of(self, timeline: pd.DataFrame) -> pd.DataFrame:
        """The selected rows of a table made by ``fer_core.video.view.view``.

        Raises:
            InputError: an impossible span.
        """
        end_s = math.inf if self.end_s is None else self.end_s
        if not 0 <= self.start_s < end_s:
            raise InputError(f"A selection runs from 0 or later to a later time, got {self.start_s} to {self.end_s}.")
        at, tracks = timeline["time_s"].to_numpy(float), timeline["track"].to_numpy()
        inside, gone = (at >= self.start_s - 1e-6) & (at < end_s - 1e-6), np.zeros(len(at), bool)
        if self.track is not None:
            gone |= tracks != self.track
        if self.only_usable:
            gone |= ~timeline["usable"].to_numpy()
        return without_rows(timeline[inside], (gone & (tracks >= 0))[inside])


KINDS: Mapping[str, str] = MappingProxyType(
    {"csv": "text/csv", "parquet": "application/vnd.apache.parquet", "json": "application/json", "vtt": "text/vtt"}
)
"""File endings of the exports, with their media types."""


def export(analysis: Analysis, kind: str, lens: Lens = Lens(), selection: Selection = Selection()) -> bytes:
    """One of ``KINDS`` for a stored analysis, with the reviewer's edits, through a lens.

    Raises:
        InputError: another kind, an impossible smoothing or span.
        StoreError: the analysis is damaged.
    """
    if kind not in KINDS:
        raise InputError(f"Unknown export {kind!r}; expected one of {', '.join(KINDS)}.")
    timeline, names = selection.of(view(analysis, lens)), analysis.state.names
    makers: dict[str, Callable[[], bytes]] = {
        "csv": lambda: to_csv(_named(timeline, analysis, guard=True)),
        "parquet": lambda: to_parquet(_named(timeline, analysis)),
        "json": lambda: to_json(analysis.record, timeline, state=analysis.state, lens=lens),
        "vtt": lambda: to_webvtt(timeline, names),
    }
    return makers[kind]()


def _named(timeline: pd.DataFrame, analysis: Analysis, *, guard: bool = False) -> pd.DataFrame:
    """With the column ``person`` behind ``track``; guarded where a spreadsheet could take a name for a formula."""
    people = {track: analysis.state.name_of(track) for track in timeline["track"].unique().tolist() if track >= 0}
    people = {track: guarded(name) if guard else name for track, name in people.items()}
    named = timeline.copy()
    named.insert(named.columns.get_loc("track") + 1, "person", timeline["track"].map(people).astype("str"))
    return named


def _vtt_time(time_s: float) -> str:
    seconds, thousandths = divmod(round(time_s * 1000), 1000)
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}.{thousandths:03d}"
