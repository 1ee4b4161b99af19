"""A timeline for other programs: tables, JSON and subtitles."""

from __future__ import annotations

import io
import json
import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from fer_core.emotions import AS_TRAINED
from fer_core.errors import InputError
from fer_core.signals import SIGNALS
from fer_core.video.edits import State, left_out
from fer_core.video.marks import guarded
from fer_core.video.store import Analysis
from fer_core.video.timeline import person_name, score_columns, segments, summary, without_rows
from fer_core.video.view import Lens, priors_in_force, view

_AS_TRAINED: Mapping[str, Any] = {"choice": AS_TRAINED, "tau": {}, "shares": {}}


def to_csv(timeline: pd.DataFrame) -> bytes:
    """Comma-separated, one row per face and frame, ``time_s`` with six decimals."""
    return (
        timeline.assign(**{name: timeline[name].round(6) for name in ("time_s", "lasts_s") if name in timeline})
        .to_csv(index=False)
        .encode()
    )


def to_parquet(timeline: pd.DataFrame) -> bytes:
    """Parquet, the same columns."""
    buffer = io.BytesIO()
    timeline.to_parquet(buffer, index=False, compression="zstd")
    return buffer.getvalue()


def to_webvtt(timeline: pd.DataFrame, names: Mapping[int, str], note: str = "") -> bytes:
    """WebVTT subtitles: a cue per segment with the person, the emotion and its mean probability; first a ``note``."""
    lines = ["WEBVTT", "", *([f"NOTE {' '.join(re.sub('-+>', '→', note).split())}", ""] if note else [])]
    for cue in _cues(timeline, names):
        lines += [f"{_clock(cue.start_s, '.')} --> {_clock(cue.end_s, '.')}", f"<v {cue.name}>{cue.text}", ""]
    return "\n".join(lines).encode()


def to_srt(timeline: pd.DataFrame, names: Mapping[int, str]) -> bytes:
    """SubRip subtitles, which every player reads: the same cues, numbered from 1."""
    lines = []
    for number, cue in enumerate(_cues(timeline, names), 1):
        lines += [
            str(number),
            f"{_clock(cue.start_s, ',')} --> {_clock(cue.end_s, ',')}",
            f"{cue.name}: {cue.text}",
            "",
        ]
    return "\n".join(lines).encode()


class _Cue(NamedTuple):
    start_s: float
    end_s: float
    name: str
    text: str


def _cues(timeline: pd.DataFrame, names: Mapping[int, str]) -> Iterator[_Cue]:
    for row in segments(timeline).itertuples():
        if row.end_s > row.start_s:
            name = "".join(letter for letter in person_name(row.track, names) if letter not in "<>&\r\n")
            yield _Cue(row.start_s, row.end_s, name, f"{row.emotion} ({row.confidence:.0%})")


def to_json(
    record: Mapping[str, Any],
    timeline: pd.DataFrame,
    *,
    state: State = State(),
    lens: Lens = Lens(),
    prior: Mapping[str, Any] = _AS_TRAINED,
    agreed: Mapping[str, str] | None = None,
) -> bytes:
    """The analysis in one object: ``analysis.json`` with ``model``, ``prior`` (its ``choice`` in force, and by model
    ``tau`` and ``shares`` of those whose scores are not as trained), ``smoothing_s``, ``people`` (their names by
    track), ``left_out`` (names of people who were left out), ``marks``, ``groups`` and ``limits`` as the reviewer has
    them; ``agreed`` (when the people in it were told and agreed, see ``Analysis.agreed``); ``summary``, ``segments``,
    ``frames`` of the table.

    A frame has ``frame``, ``time_s`` and ``faces`` (empty where there is none), a face ``track``, ``box`` (x0 y0 x1 y1
    in pixels), ``detection``, ``emotion``, ``group``, ``probabilities``, ``signals`` (null where unknown) and ``why``
    (reasons to doubt).
    """
    columns = score_columns(timeline)
    names = [column.removeprefix("p_") for column in columns]
    reasons = [column for column in timeline.columns if column.startswith("why_")]
    signals = [name for signal in SIGNALS.values() for name in (c.name for c in signal.columns) if name in timeline]
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
                    "signals": {name: _rounded(row[name]) for name in signals},
                    "why": [column.removeprefix("why_") for column in reasons if row[column]],
                }
            )
    people = timeline["track"].unique().tolist()
    whole = dict(record) | {
        "model": lens.model or record["checkpoint"]["name"],
        "prior": prior,
        "smoothing_s": lens.smoothing_s,
        "people": {track: state.name_of(track) for track in people if track >= 0},
        "left_out": [state.name_of(track) for track in left_out(state)],
        "marks": [mark.to_dict() for mark in state.marks],
        "groups": dict(state.groups),
        "limits": asdict(state.limits),
        "agreed": agreed,
        "summary": summary(timeline),
        "segments": segments(timeline).to_dict("records"),
        "frames": frames,
    }
    return json.dumps(whole, ensure_ascii=False).encode()


@dataclass(frozen=True)
class Excerpt:
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


@dataclass(frozen=True)
class ExportFormat:
    """A format of exports.

    Attributes:
        name: its file ending.
        title: what people call it.
        media_type: for browsers.
        make: an analysis, its rows as they are seen and selected, and the lens → the file.
    """

    name: str
    title: str
    media_type: str
    make: Callable[[Analysis, pd.DataFrame, Lens], bytes]


def _csv(analysis: Analysis, timeline: pd.DataFrame, lens: Lens) -> bytes:
    return to_csv(_named(timeline, analysis, guard=True))


def _parquet(analysis: Analysis, timeline: pd.DataFrame, lens: Lens) -> bytes:
    named = _named(timeline, analysis)
    if analysis.agreed:
        named.attrs["agreed"] = analysis.agreed  # pandas writes it into the file's metadata and reads it back
    return to_parquet(named)


def _json(analysis: Analysis, timeline: pd.DataFrame, lens: Lens) -> bytes:
    held = priors_in_force(analysis)
    prior = {
        "choice": analysis.prior if held else AS_TRAINED,
        "tau": {name: tau for name, (_, tau) in held.items()},
        "shares": {name: prior.shares for name, (prior, _) in held.items()},
    }
    return to_json(analysis.record, timeline, state=analysis.state, lens=lens, prior=prior, agreed=analysis.agreed)


def _vtt(analysis: Analysis, timeline: pd.DataFrame, lens: Lens) -> bytes:
    return to_webvtt(timeline, analysis.state.names, agreed_in_words(analysis))


def _srt(analysis: Analysis, timeline: pd.DataFrame, lens: Lens) -> bytes:
    return to_srt(timeline, analysis.state.names)


KINDS: dict[str, ExportFormat] = {}
"""Every format, in the order in which people see them."""


def register(kind: ExportFormat) -> None:
    """Make a format known; a second one of the same name is a bug."""
    if kind.name in KINDS:
        raise ValueError(f"Export {kind.name!r} is registered twice.")
    KINDS[kind.name] = kind


def export(analysis: Analysis, kind: str, lens: Lens = Lens(), selection: Excerpt = Excerpt()) -> bytes:
    """One of ``KINDS`` for a stored analysis, with the reviewer's edits, through a lens.

    Raises:
        InputError: another kind, an impossible smoothing or span.
        StoreError: the analysis is damaged.
    """
    if kind not in KINDS:
        raise InputError(f"Unknown export {kind!r}; expected one of {', '.join(KINDS)}.")
    return KINDS[kind].make(analysis, selection.of(view(analysis, lens)), lens)


def agreed_in_words(analysis: Analysis) -> str:
    """``Told and agreed on 2026-12-01: by letter``; empty where nobody wrote it down."""
    said = analysis.agreed
    if said is None:
        return ""
    return f"Told and agreed on {said['date']}{': ' if said['note'] else ''}{said['note']}"


def _named(timeline: pd.DataFrame, analysis: Analysis, *, guard: bool = False) -> pd.DataFrame:
    """With the column ``person`` behind ``track``; guarded where a spreadsheet could take a name for a formula."""
    people = {track: analysis.state.name_of(track) for track in timeline["track"].unique().tolist() if track >= 0}
    people = {track: guarded(name) if guard else name for track, name in people.items()}
    named = timeline.copy()
    named.insert(named.columns.get_loc("track") + 1, "person", timeline["track"].map(people).astype("str"))
    return named


def _rounded(value: float) -> float | None:
    return round(float(value), 4) if math.isfinite(value) else None


def _clock(time_s: float, point: str) -> str:
    seconds, thousandths = divmod(round(time_s * 1000), 1000)
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}{point}{thousandths:03d}"


for _kind in (
    ExportFormat("csv", "CSV", "text/csv", _csv),
    ExportFormat("parquet", "Parquet", "application/vnd.apache.parquet", _parquet),
    ExportFormat("json", "JSON", "application/json", _json),
    ExportFormat("vtt", "Subtitles (WebVTT)", "text/vtt", _vtt),
    ExportFormat("srt", "Subtitles (SRT)", "application/x-subrip", _srt),
):
    register(_kind)
