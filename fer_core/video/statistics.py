"""Figures of a span, and means around events.

Everything is weighted by time: a frame counts for as long as it is on screen, so that a variable rate counts no
stretch twice.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fer_core.emotions import GROUPS, OWN_GROUP
from fer_core.errors import InputError
from fer_core.video.timeline import frame_steps, labels_of_columns, score_columns, signal_means

MAX_OFFSETS = 10_000
MAX_TIME_S = 1e7
MIN_SPAN_S = 1e-4
_CRUMB_S = 1e-9
"""Shorter times than this come from rounding, not from the video."""
_BLOCK = 250_000
"""Values per emotion that are looked up at once, so that many events at many offsets fit into memory."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Around:
    """Mean course of one person's probabilities, or of other columns, around events; g offsets, k columns.

    Attributes:
        offset_s: float64 (g,), seconds from the event, rising, 0 among them.
        mean: float64 (g, k), mean over the events at which the person is seen; NaN where there is none.
        low: float64 (g, k), lower end of the 95 % interval of that mean; NaN where fewer than two are seen.
        high: float64 (g, k), upper end. The interval is symmetric and may reach beyond 0 and 1.
        n: int64 (g,), events at which the person is seen at that offset.
        labels: the k emotions or columns.
    """

    offset_s: Floats
    mean: Floats
    low: Floats
    high: Floats
    n: NDArray[np.int64]
    labels: tuple[str, ...]

    def __post_init__(self) -> None:
        g, k = len(self.offset_s), len(self.labels)
        shapes = (self.mean.shape, self.low.shape, self.high.shape, self.n.shape)
        if shapes != ((g, k), (g, k), (g, k), (g,)):
            raise ValueError(f"Expected mean, low, high ({g}, {k}) and n ({g},); got {shapes}.")


def check_span(start_s: float, end_s: float) -> None:
    """Raise ``InputError`` unless the span starts at 0 or later and lasts at least ``MIN_SPAN_S``."""
    if not (0 <= start_s < end_s < MAX_TIME_S and end_s - start_s >= MIN_SPAN_S):
        raise InputError(
            f"A span from {start_s} s to {end_s} s; expected a start at 0 s or later and an end at least "
            f"{MIN_SPAN_S:g} s after it. Choose another span."
        )


def row_times(timeline: pd.DataFrame) -> tuple[Floats, Floats]:
    """From when (n,) until when (n,) in s each row's frame is on screen, see ``frame_steps``."""
    times, lasts = frame_steps(timeline)
    at = timeline["time_s"].to_numpy(float)
    return at, at + lasts[np.searchsorted(times, at)]


def span_statistics(
    timeline: pd.DataFrame, *, start_s: float, end_s: float, track: int | None = None
) -> list[dict[str, Any]]:
    """Figures of each person who is seen in ``[start_s, end_s)``, or of ``track`` alone; ordered by number.

    A frame counts for the part of its time on screen that lies within the span. Keys of each:

    - ``track``; ``seen_s``, seconds seen within the span; ``span_s``, its length
    - ``mean``, ``std``: emotion → mean and standard deviation of its probability over the seen time, 0-1
    - ``emotion_share``, ``group_share``: share of the seen time in which an emotion or group is the top one, 0-1
    - ``changes``: how often the top emotion changes from a seen frame to the next
    - ``peak``: ``emotion``, ``time_s`` (within the span) and ``probability`` of the highest one that is not neutral
    - ``signals``: column → mean over the seen time of every column that says so (``Column.averages``), where known
    - ``usable_share``: share of the seen time that is usable, only where the table has a column ``usable``

    A ``track`` that is not seen in the span has ``seen_s`` 0, empty ``mean``, ``std``, ``signals`` and shares, no
    changes, and None for ``peak`` and ``usable_share``. The single frame of a picture lasts 0 s and still has its
    figures.

    Raises:
        InputError: the span starts before 0 or lasts less than ``MIN_SPAN_S``.
    """
    check_span(start_s, end_s)
    at, until = row_times(timeline)
    tracks = timeline["track"].to_numpy()
    weight = np.minimum(until, end_s) - np.maximum(at, start_s)
    is_picture = (until == at) & (at >= start_s) & (at < end_s)
    rows = np.flatnonzero((tracks >= 0) & ((weight > _CRUMB_S) | is_picture))
    people = np.unique(tracks[rows]).tolist() if track is None else [track]
    group_names = _groups_in(timeline)
    found = []
    for person in people:
        own = rows[tracks[rows] == person]
        figures = _figures(timeline.iloc[own], np.maximum(at[own], start_s), weight[own], group_names)
        found.append({"track": int(person), "seen_s": float(weight[own].sum()), "span_s": end_s - start_s} | figures)
    return found


def _groups_in(timeline: pd.DataFrame) -> tuple[str, ...]:
    return (*GROUPS, OWN_GROUP) if (timeline["group"] == OWN_GROUP).any() else GROUPS


def _figures(rows: pd.DataFrame, at: Floats, weight: Floats, group_names: tuple[str, ...]) -> dict[str, Any]:
    """Figures of one person's rows (n,), which are seen from ``at`` (n,) for ``weight`` (n,) seconds."""
    usable: dict[str, float | None] = {"usable_share": None} if "usable" in rows else {}
    if rows.empty:
        nothing: dict[str, Any] = {name: {} for name in ("mean", "std", "signals", "emotion_share", "group_share")}
        return nothing | {"changes": 0, "peak": None} | usable
    share = weight / weight.sum() if weight.sum() > 0 else np.full(len(rows), 1 / len(rows))
    labels = labels_of_columns(score_columns(rows))
    values = rows[score_columns(rows)].to_numpy(float)
    mean = share @ values
    emotion = pd.Index(labels).get_indexer(rows["emotion"].to_numpy(object))
    group = pd.Index(group_names).get_indexer(rows["group"].to_numpy(object))
    if usable:
        usable = {"usable_share": float(share[rows["usable"].to_numpy(bool, na_value=False)].sum())}
    return {
        "mean": _by_name(labels, mean),
        "std": _by_name(labels, np.sqrt(share @ (values - mean) ** 2)),
        "signals": signal_means(rows, share),
        "emotion_share": _by_name(labels, np.bincount(emotion, share, len(labels))),
        "group_share": _by_name(group_names, np.bincount(group, share, len(group_names))),
        "changes": int((emotion[1:] != emotion[:-1]).sum()),
        "peak": _peak(values, labels, at),
    } | usable


def _by_name(names: tuple[str, ...], values: NDArray) -> dict[str, float]:
    return dict(zip(names, values.tolist(), strict=True))


def _peak(values: Floats, labels: tuple[str, ...], at: Floats) -> dict[str, Any]:
    """The first of the highest probabilities that are not neutral's."""
    columns = [column for column, label in enumerate(labels) if label != "neutral"]
    row, column = divmod(int(values[:, columns].argmax()), len(columns))
    probability = float(values[row, columns[column]])
    return {"emotion": labels[columns[column]], "time_s": float(at[row]), "probability": probability}


def around(
    timeline: pd.DataFrame,
    times_s: Sequence[float] | Floats,
    *,
    track: int,
    before_s: float,
    after_s: float,
    step_s: float = 0.1,
    columns: Sequence[str] = (),
) -> Around:
    """Mean course of a person's probabilities, or of ``columns``, around events at ``times_s``: from ``before_s``
    before to ``after_s`` after them.

    An event's value at an offset is that of the frame on screen at that time: it holds until the next frame, at most
    ``longest_hold`` seconds, and is missing while the person is not seen. The interval is Student's, over the events
    seen at that offset, which are taken to be independent of each other. No events give n = 0 at every offset.

    Raises:
        InputError: a time that is no finite number, a column that is not there, a negative window, a step that is not
            positive, or more than ``MAX_OFFSETS`` offsets.
    """
    try:
        events = np.asarray(times_s, float).reshape(-1)
    except ValueError as error:
        raise InputError(f"The time of an event is no number ({error}); expected seconds.") from error
    if not np.isfinite(events).all():
        raise InputError("The time of an event is not finite; expected seconds. Correct or remove that event.")
    if unknown := [name for name in columns if name not in timeline]:
        raise InputError(f"The timeline has no column {unknown[0]!r}; it has {', '.join(timeline)}.")
    offsets = _offsets(before_s, after_s, step_s)
    at, until = row_times(timeline)
    own = (timeline["track"] == track).to_numpy()
    chosen = list(columns) or score_columns(timeline)
    values = timeline.loc[own, chosen].to_numpy(float)
    blocks = np.array_split(offsets, math.ceil(max(len(events), 1) * len(offsets) / _BLOCK))
    parts = [_moments(_on_screen(events + block[:, None], at[own], until[own], values)) for block in blocks]
    mean, half, n = (np.concatenate(each) for each in zip(*parts, strict=True))
    return Around(offsets, mean, mean - half, mean + half, n, labels_of_columns(chosen))


def _offsets(before_s: float, after_s: float, step_s: float) -> Floats:
    """Multiples of the step, 0 among them."""
    if not (0 <= before_s < math.inf and 0 <= after_s < math.inf and 0 < step_s < math.inf):
        raise InputError(
            f"A window of {before_s} s before and {after_s} s after in steps of {step_s} s; expected 0 s or more, and "
            "a step above 0 s."
        )
    if (before_s + after_s) / step_s >= MAX_OFFSETS:
        raise InputError(
            f"A window of {before_s + after_s:g} s in steps of {step_s:g} s has too many steps; expected fewer than "
            f"{MAX_OFFSETS:,}. Choose a shorter window or a longer step."
        )
    first, last = -math.floor(before_s / step_s + 1e-6), math.floor(after_s / step_s + 1e-6)
    return np.asarray(np.arange(first, last + 1) * step_s, np.float64)


def _on_screen(when: Floats, at: Floats, until: Floats, values: Floats) -> Floats:
    """What is on screen (…, k) at the times ``when`` (…); NaN where the person is not."""
    padded = np.vstack([values, np.full(values.shape[1], np.nan)])
    row = np.searchsorted(at, when + _CRUMB_S, side="right") - 1
    is_seen = (row >= 0) & (when + _CRUMB_S < np.append(until, -np.inf)[row])
    return padded[np.where(is_seen, row, len(values))]


def _moments(values: Floats) -> tuple[Floats, Floats, NDArray[np.int64]]:
    """Mean (g, k), half the width of its 95 % interval (g, k) and count (g,) over the e events of (g, e, k)."""
    from scipy.special import stdtrit  # quantiles of Student's t; scipy.stats takes seconds to import

    is_seen = np.asarray(np.isfinite(values).all(axis=2))
    n = np.asarray(is_seen.sum(axis=1), np.int64)
    some = np.where(n > 0, n, np.nan)[:, None]
    mean = np.where(is_seen[..., None], values, 0.0).sum(axis=1) / some
    squares = np.where(is_seen[..., None], (values - mean[:, None]) ** 2, 0.0).sum(axis=1)
    several = np.where(n > 1, n, np.nan)[:, None]
    half = stdtrit(several - 1, 0.975) * np.sqrt(squares / (several - 1) / several)
    return mean, half, n
