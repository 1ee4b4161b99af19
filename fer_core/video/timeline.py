"""The timeline table and the views computed from it.

One row per face and frame; a frame without a face has one row with ``track`` -1 and empty values. Views (smoothing,
segments, groups, people) never change the table: they return new ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fer_core.emotions import DEFAULT_GROUP_MAP, EMOTIONS, group_matrix, groups_of
from fer_core.errors import InputError
from fer_core.video.columns import averaged_columns, smoothed_columns

MAX_HOLD_S = 2.0
MAX_GAP_FRAMES = 2
"""A person who is missing in more analysed frames than this starts a new segment."""


def score_columns(timeline: pd.DataFrame) -> list[str]:
    """The probability columns ``p_…``, in label order."""
    return [f"p_{name}" for name in (*EMOTIONS, "contempt") if f"p_{name}" in timeline]


def person_name(track: int, names: Mapping[int, str]) -> str:
    """What a person is called: the user's name, else a number from 1."""
    return names.get(track) or f"Person {track + 1}"


def labels_of_columns(columns: list[str]) -> tuple[str, ...]:
    """``p_happy`` → ``happy``."""
    return tuple(column.removeprefix("p_") for column in columns)


def with_labels(timeline: pd.DataFrame, group_map: Mapping[str, str] = DEFAULT_GROUP_MAP) -> pd.DataFrame:
    """The table with ``emotion`` (top probability) and ``group`` (that of the top emotion) set anew."""
    names = labels_of_columns(score_columns(timeline))
    top = top_emotions(timeline)
    emotions = np.array([*names, None], dtype=object)[top]
    groups = np.array([*(group_map[name] for name in names), None], dtype=object)[top]
    return timeline.assign(emotion=pd.array(emotions, dtype="str"), group=pd.array(groups, dtype="str"))


def top_emotions(timeline: pd.DataFrame) -> NDArray[np.int64]:
    """Index (n,) of each row's most probable emotion in label order; -1 in rows without a face."""
    probabilities = timeline[score_columns(timeline)].to_numpy(np.float32)
    return np.where((timeline["track"] >= 0).to_numpy(), np.nan_to_num(probabilities).argmax(axis=1), -1)


def group_sums(timeline: pd.DataFrame, group_map: Mapping[str, str] = DEFAULT_GROUP_MAP) -> pd.DataFrame:
    """Summed probability per group, a column for each of ``groups_of(group_map)``, one row per row."""
    columns = score_columns(timeline)
    sums = timeline[columns].to_numpy(float) @ group_matrix(labels_of_columns(columns), group_map)
    return pd.DataFrame(sums, columns=list(groups_of(group_map)), index=timeline.index)


def without_rows(timeline: pd.DataFrame, gone: NDArray[np.bool_]) -> pd.DataFrame:
    """The table without the rows (n,) marked in ``gone``; a frame left without any face gets its faceless row."""
    frames = timeline["frame"].to_numpy()
    empty = timeline[gone & ~np.isin(frames, frames[~gone])].drop_duplicates("frame")
    own = [name for name in ("frame", "time_s", "lasts_s") if name in empty]
    faceless = empty[own].assign(track=-1).reindex(columns=timeline.columns)
    kept = timeline[~gone]
    if not len(faceless):
        return kept
    faceless = faceless.astype({name: kept[name].dtype for name in (*own, "track")})
    return pd.concat([kept, faceless]).sort_values("frame", kind="stable")


def frame_steps(timeline: pd.DataFrame) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Times (f,) of the frames in s, and how long each lasts (f,): until the next, but at most ``longest_hold`` seconds
    or as long as the file itself says (``lasts_s``, which older tables lack); the last as long as is typical, or as the
    file says."""
    times, first = _frames(timeline)
    if not len(times):
        return times, np.zeros(0)
    steps = np.diff(times)
    lasts = np.append(np.minimum(steps, longest_hold(times)), np.median(steps) if len(steps) else 0.0)
    if "lasts_s" in timeline:
        told = timeline["lasts_s"].to_numpy(float)[first]
        lasts = np.fmax(lasts, np.minimum(told, np.append(steps, np.inf)))
    return times, lasts


def _frames(timeline: pd.DataFrame) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Times (f,) of the frames, and the row (f,) in which each comes first."""
    times = timeline["time_s"].to_numpy(float)
    steps = np.diff(
        times, prepend=-np.inf
    )  # most tables are in order of time, and sorting hours of video takes a while
    if (steps >= 0).all():
        first = np.flatnonzero(steps > 0)
        return times[first], first
    found, first = np.unique(times, return_index=True)
    return found, first


def longest_hold(times: NDArray[np.float64]) -> float:
    """Seconds for which a frame at most stands for what follows it: ``MAX_HOLD_S``, or three steps where few frames
    were analysed. A longer time without a frame is a hole in the file, in which nothing was measured."""
    return max(MAX_HOLD_S, 3 * float(np.median(np.diff(times)))) if len(times) > 1 else MAX_HOLD_S


def smooth(timeline: pd.DataFrame, window_s: float) -> pd.DataFrame:
    """The table with smoothed probabilities (see ``smooth_scores``), and labels to match; 0 s changes nothing."""
    smoothed = smooth_scores(timeline, window_s)
    return with_labels(smoothed) if window_s else smoothed


def smooth_scores(timeline: pd.DataFrame, window_s: float) -> pd.DataFrame:
    """Mean of each person's probabilities, and of other columns that say so (``Column.smooths``), over a window of
    ``window_s`` seconds around the middle of each frame.

    A frame counts for as long as it is on screen within the window, so that a variable rate counts no stretch twice;
    times at which the person is not seen do not count, and nothing is mixed across people. Probabilities are smoothed,
    not labels; rows keep summing to 1. ``window_s`` = 0 changes nothing; labels are left as they are.

    Raises:
        InputError: a negative or infinite window.
    """
    if not 0 <= window_s < 1e6:
        raise InputError(f"A smoothing window is 0 s or longer, got {window_s}.")
    columns = smoothed_columns(timeline.columns)
    if window_s == 0 or timeline.empty:
        return timeline
    times, lasts = frame_steps(timeline)
    probabilities = timeline[columns].to_numpy(np.float32, copy=True)
    tracks = timeline["track"].to_numpy()
    for track in np.unique(tracks[tracks >= 0]):
        own = np.flatnonzero(tracks == track)
        at = timeline["time_s"].to_numpy(float)[own]
        last = np.maximum(lasts[np.searchsorted(times, at)], 1e-9)
        values = timeline[columns].to_numpy(float)[own]
        probabilities[own] = _windowed_mean(at, at + last, values, window_s)
    return timeline.assign(**dict(zip(columns, probabilities.T, strict=True)))


def _windowed_mean(
    start: NDArray[np.float64], end: NDArray[np.float64], values: NDArray[np.float64], window_s: float
) -> NDArray[np.float64]:
    """Mean over a window around each middle of what is ``values`` (n, k) from ``start`` to ``end`` (n,)."""
    knots = np.stack([start, end], axis=1).ravel()  # between an end and the next start nothing is seen
    weighted = np.column_stack([values, np.ones(len(values))]) * (end - start)[:, None]
    until = np.concatenate([np.zeros((1, weighted.shape[1])), np.cumsum(weighted, axis=0)])
    integral = np.stack([until[:-1], until[1:]], axis=1).reshape(len(knots), -1)
    middle = (start + end) / 2
    low, high = middle - window_s / 2, middle + window_s / 2
    sums = np.stack([np.interp(high, knots, column) - np.interp(low, knots, column) for column in integral.T], axis=1)
    return np.asarray(sums[:, :-1] / sums[:, -1:])


def segments(timeline: pd.DataFrame) -> pd.DataFrame:
    """Stretches in which a person keeps one emotion.

    Columns ``track, start_s, end_s, duration_s, emotion, group, confidence`` (mean probability of that emotion),
    ``frames``. A segment ends when the emotion changes or the person is missing in more than ``MAX_GAP_FRAMES``
    analysed frames or for longer than ``longest_hold`` and their last frame lasts; ``end_s`` includes the last frame's
    own duration. Sorted by start.
    """
    times, lasts = frame_steps(timeline)
    parts = []
    for track, rows in timeline[timeline["track"] >= 0].groupby("track"):
        at, emotion = rows["time_s"].to_numpy(float), rows["emotion"].to_numpy(object)
        position = np.searchsorted(times, at)
        is_hole = np.diff(at) > np.fmax(longest_hold(times), lasts[position[:-1]]) + 1e-9
        breaks = (emotion[1:] != emotion[:-1]) | (np.diff(position) > MAX_GAP_FRAMES + 1) | is_hole
        starts = np.concatenate([[0], np.flatnonzero(breaks) + 1])
        ends = np.concatenate([starts[1:] - 1, [len(rows) - 1]])
        confidence = rows[score_columns(timeline)].to_numpy(float).max(axis=1)
        sums = np.concatenate([[0.0], np.cumsum(confidence)])
        end_s = at[ends] + lasts[position[ends]]
        parts.append(
            pd.DataFrame(
                {
                    "track": track,
                    "start_s": at[starts],
                    "end_s": end_s,
                    "duration_s": end_s - at[starts],
                    "emotion": emotion[starts],
                    "group": rows["group"].to_numpy(object)[starts],
                    "confidence": (sums[ends + 1] - sums[starts]) / (ends - starts + 1),
                    "frames": ends - starts + 1,
                }
            )
        )
    if not parts:
        names = ["track", "start_s", "end_s", "duration_s", "emotion", "group", "confidence", "frames"]
        return pd.DataFrame({name: [] for name in names})
    return pd.concat(parts).sort_values(["start_s", "track"], ignore_index=True)


def people_summary(timeline: pd.DataFrame) -> list[dict[str, Any]]:
    """Per person: seconds seen and unseen, share of the seen time per emotion and per group, changes of emotion, the
    longest stretch of one emotion, mean detection score, and the mean over the time seen of every column that says so
    (``Column.averages``), as ``mean_valence``. Ordered by number."""
    times, lasts = frame_steps(timeline)
    total = float(lasts.sum())
    stretches = segments(timeline)
    people = []
    for track, rows in timeline[timeline["track"] >= 0].groupby("track"):
        weight = lasts[np.searchsorted(times, rows["time_s"].to_numpy(float))]
        weight = weight if weight.sum() > 0 else np.ones(len(rows))
        own = stretches[stretches["track"] == track]
        longest = own.loc[own["duration_s"].idxmax()]
        shares = {
            column: {
                str(name): round(float(weight[rows[column].to_numpy(object) == name].sum() / weight.sum()), 6)
                for name in rows[column].unique()
            }
            for column in ("emotion", "group")
        }
        people.append(
            {
                "track": int(track),
                "first_s": float(rows["time_s"].min()),
                "last_s": float(rows["time_s"].max()),
                "frames": len(rows),
                "seen_s": round(float(weight.sum()) if total else 0.0, 6),
                "unseen_s": round(max(total - float(weight.sum()), 0.0) if total else 0.0, 6),
                "emotion_share": shares["emotion"],
                "group_share": shares["group"],
                "changes": int((own["emotion"].to_numpy(object)[1:] != own["emotion"].to_numpy(object)[:-1]).sum()),
                "longest": {
                    "emotion": str(longest["emotion"]),
                    "start_s": float(longest["start_s"]),
                    "duration_s": float(longest["duration_s"]),
                },
                "mean_detection": round(float(rows["detection"].mean()), 6),
                **{f"mean_{name}": round(mean, 6) for name, mean in signal_means(rows, weight).items()},
            }
        )
    return people


def signal_means(rows: pd.DataFrame, weight: NDArray[np.float64]) -> dict[str, float]:
    """Mean, weighted with ``weight`` (n,), of every column of the n rows that says so (``Column.averages``); columns
    without a known value are left out."""
    means = {}
    for column in averaged_columns(rows.columns):
        values = rows[column.name].to_numpy(float)
        known = np.isfinite(values)
        if weight[known].sum() > 0:
            means[column.name] = float(np.average(values[known], weights=weight[known]))
    return means


def summary(timeline: pd.DataFrame) -> dict[str, Any]:
    """The whole in short: frames, frames without a face and their seconds, people."""
    times, lasts = frame_steps(timeline)
    faceless = timeline.loc[timeline["track"] < 0, "time_s"].to_numpy(float)
    return {
        "frames": len(times),
        "faceless_frames": len(faceless),
        "faceless_s": round(float(lasts[np.searchsorted(times, faceless)].sum()), 6),
        "duration_s": round(float(lasts.sum()), 6),
        "people": people_summary(timeline),
    }
