"""Where several models disagree about the same faces: how often, when, and whether three groups settle it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fer_core.video.timeline import frame_steps, longest_hold
from fer_core.video.view import differing


def agreement(timeline: pd.DataFrame, emotions: NDArray[np.int64], groups: NDArray[np.int64]) -> dict[str, float]:
    """Shares of the seen time (0-1), over all people.

    Args:
        timeline: n rows, see ``fer_core.video.timeline``.
        emotions, groups: (n, m) opinions of m models, see ``fer_core.video.view.opinions``.

    Returns:
        ``emotions`` and ``groups``: all models agree; ``settled``: of the time in which they disagree about emotions,
        the share in which they agree about the group. NaN where there is no such time.
    """
    times, lasts = frame_steps(timeline)
    seen = (timeline["track"] >= 0).to_numpy()
    weight = np.where(seen, lasts[np.searchsorted(times, timeline["time_s"].to_numpy(float))], 0.0)
    weight = weight if weight.sum() > 0 else seen.astype(float)
    by_emotion, by_group = differing(emotions), differing(groups)
    total, apart = weight.sum(), weight[by_emotion].sum()
    return {
        "emotions": _share(total - apart, total),
        "groups": _share(total - weight[by_group].sum(), total),
        "settled": _share(weight[by_emotion & ~by_group].sum(), apart),
    }


def _share(part: float, whole: float) -> float:
    return float(part / whole) if whole > 0 else float("nan")


def disagreements(
    timeline: pd.DataFrame,
    emotions: NDArray[np.int64],
    groups: NDArray[np.int64],
    *,
    models: Sequence[str],
    labels: Sequence[str],
) -> pd.DataFrame:
    """Stretches in which the models give one person different emotions, the longest first.

    Columns ``track, start_s, end_s, duration_s``, one per model with its emotion there, and ``settled``: the models
    agree about the group. A stretch ends when the models agree, one of them changes its emotion, or the person is
    missing.
    """
    times, lasts = frame_steps(timeline)
    hold_s = longest_hold(times)
    rows: list[dict[str, Any]] = []
    tracks, at = timeline["track"].to_numpy(), timeline["time_s"].to_numpy(float)
    apart, by_group = differing(emotions), differing(groups)
    for track in np.unique(tracks[tracks >= 0]):
        own = np.flatnonzero((tracks == track) & apart)
        if not len(own):
            continue
        position = np.searchsorted(times, at[own])
        is_hole = np.append(True, np.diff(at[own]) > np.fmax(hold_s, lasts[position[:-1]]) + 1e-9)
        is_other = np.append(True, (emotions[own[1:]] != emotions[own[:-1]]).any(axis=1))
        begins = np.flatnonzero((np.diff(position, prepend=-2) > 1) | is_hole | is_other)
        for first, last in zip(begins, [*(begins[1:] - 1), len(own) - 1], strict=True):
            end_s = float(at[own[last]] + lasts[position[last]])
            tops = [labels[int(each)] for each in emotions[own[first]]]
            rows.append(
                {
                    "track": int(track),
                    "start_s": float(at[own[first]]),
                    "end_s": end_s,
                    "duration_s": end_s - float(at[own[first]]),
                    **dict(zip(models, tops, strict=True)),
                    "settled": not by_group[own[first]],
                }
            )
    columns = ["track", "start_s", "end_s", "duration_s", *models, "settled"]
    return pd.DataFrame(rows, columns=columns).sort_values("duration_s", ascending=False, ignore_index=True)


__all__ = ["agreement", "disagreements"]
