"""Moments of a video in which a face lies between two emotions, such as those that a network confuses."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fer_core.errors import InputError
from fer_core.video.store import Analysis
from fer_core.video.timeline import frame_steps, labels_of_columns, score_columns, smooth_scores
from fer_core.video.trust import with_reasons
from fer_core.video.view import Lens, edited

SAME_TIME_S = 1e-6


@dataclass(frozen=True)
class Moment:
    """A stretch in which the two most probable emotions of a person are one pair.

    Attributes:
        track: the person.
        start_s, end_s: of the stretch; ``end_s`` includes the last frame's own duration.
        peak_s: time of the frame in which the two are closest to each other, among the usable ones if there are any.
        p_first, p_second: probabilities of the two at the peak, 0-1.
        usable: share of the frames with this pair whose scores can be used, 0-1.
    """

    track: int
    start_s: float
    end_s: float
    peak_s: float
    p_first: float
    p_second: float
    usable: float


def pair_moments(
    timeline: pd.DataFrame, first: str, second: str, *, limit: int = 12, min_gap_s: float = 1.0
) -> list[Moment]:
    """Moments in which the two most probable emotions of a person are ``first`` and ``second``, either way round.

    Those with a usable frame come first, then those in which the two are closest to each other at the peak. A frame
    in which a third emotion is as probable as one of the two does not count.

    Args:
        timeline: as ``fer_core.video.view.view`` gives it; without ``usable``, all faces count as usable.
        first, second: two emotions that have scores.
        limit: how many moments to return at most.
        min_gap_s: stretches of one person that are no further apart, in s, are one moment, whatever lies between.

    Raises:
        InputError: not two emotions that have scores, or a negative limit or gap.
    """
    rows = _rows_between(timeline, first, second)
    usable = timeline["usable"].to_numpy(bool)[rows] if "usable" in timeline else np.ones(len(rows), bool)
    return _moments(timeline, rows, usable, (first, second), limit, min_gap_s)


def moments_in(
    analysis: Analysis, lens: Lens, first: str, second: str, limit: int = 12, min_gap_s: float = 1.0
) -> list[Moment]:
    """``pair_moments`` of ``view(analysis, lens)``; only the faces between the two are judged for being usable.

    Raises:
        InputError: as of ``pair_moments``.
        StoreError: there is no such model, or a table is damaged.
    """
    source = analysis.record["source"]
    timeline = smooth_scores(edited(analysis, lens.model), lens.smoothing_s)
    rows = _rows_between(timeline, first, second)
    near = with_reasons(
        timeline.iloc[rows], width=source["width"], height=source["height"], limits=analysis.state.limits
    )
    return _moments(timeline, rows, near["usable"].to_numpy(bool), (first, second), limit, min_gap_s)


def _rows_between(timeline: pd.DataFrame, first: str, second: str) -> NDArray[np.int64]:
    """Rows in which both emotions are more probable than every other, by person and time."""
    columns = score_columns(timeline)
    pair = [f"p_{first}", f"p_{second}"]
    if len({*pair} & {*columns}) < 2:
        known = ", ".join(labels_of_columns(columns))
        raise InputError(f"Expected two different emotions of {known}; got {first!r} and {second!r}.")
    lesser = np.minimum(*(timeline[name].to_numpy(np.float32) for name in pair))
    is_between = lesser > 0  # false where there is no face
    for name in columns:
        if name not in pair:
            is_between &= lesser > timeline[name].to_numpy(np.float32)
    rows = np.flatnonzero(is_between)
    return rows[np.lexsort((timeline["time_s"].to_numpy()[rows], timeline["track"].to_numpy()[rows]))]


def _moments(
    timeline: pd.DataFrame,
    rows: NDArray[np.int64],
    usable: NDArray[np.bool_],
    pair: tuple[str, str],
    limit: int,
    min_gap_s: float,
) -> list[Moment]:
    """Moments of ``rows`` (m,), of which ``usable`` (m,) can be used; see ``pair_moments``."""
    if limit < 0 or not min_gap_s >= 0:
        raise InputError(f"Expected a limit and a gap of 0 or more; got {limit} and {min_gap_s} s.")
    if not len(rows):
        return []
    times, lasts = frame_steps(timeline)
    track, start = (timeline[name].to_numpy()[rows] for name in ("track", "time_s"))
    end = start + lasts[np.searchsorted(times, start)]
    p = np.stack([timeline[f"p_{name}"].to_numpy(np.float32)[rows] for name in pair], axis=1)
    margin = np.abs(p[:, 0] - p[:, 1])
    begins = (np.diff(track, prepend=-1) != 0) | (start - np.roll(end, 1) > max(min_gap_s, SAME_TIME_S))
    firsts = np.flatnonzero(begins)
    peaks = np.lexsort((margin, ~usable, np.cumsum(begins)))[firsts]
    lasting = np.append(firsts[1:], len(rows)) - 1
    share = np.add.reduceat(usable, firsts, dtype=float) / (lasting - firsts + 1)
    return [
        Moment(
            track=int(track[peaks[i]]),
            start_s=float(start[firsts[i]]),
            end_s=float(end[lasting[i]]),
            peak_s=float(start[peaks[i]]),
            p_first=float(p[peaks[i], 0]),
            p_second=float(p[peaks[i], 1]),
            usable=float(share[i]),
        )
        for i in np.lexsort((start[firsts], margin[peaks], ~usable[peaks]))[:limit]
    ]


__all__ = ["Moment", "moments_in", "pair_moments"]
