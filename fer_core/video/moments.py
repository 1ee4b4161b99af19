"""Moments of a video in which two emotions compete: the two most probable ones of a face, in either order."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from fer_core.errors import InputError
from fer_core.video.store import Analysis
from fer_core.video.timeline import labels_of_columns, score_columns
from fer_core.video.view import Lens, view


@dataclass(frozen=True)
class Moment:
    """A stretch of a person's frames in which exactly two emotions are the most probable.

    Attributes:
        track: the person.
        start_s, end_s: times of its first and last frame in s.
        peak_s: time of the frame in which the two are nearest to each other, that is the least decided one.
        p_first, p_second: probabilities there, 0-1, in the order asked for.
        usable: share of its frames without a reason to doubt, 0-1.
    """

    track: int
    start_s: float
    end_s: float
    peak_s: float
    p_first: float
    p_second: float
    usable: float

    @property
    def margin(self) -> float:
        """How far apart the two are at the peak, 0-1."""
        return abs(self.p_first - self.p_second)


def pair_moments(timeline: pd.DataFrame, first: str, second: str, *, limit: int = 12) -> list[Moment]:
    """Stretches in which ``first`` and ``second`` are a person's two most probable emotions; mostly usable ones first,
    then the least decided.

    A stretch ends where a frame has another pair, or where the person is not seen.

    Args:
        timeline: as ``fer_core.video.view.view`` gives it.
        first, second: two emotions of its scores.
        limit: moments at most.

    Raises:
        InputError: the same emotion twice, or one without scores.
    """
    columns = score_columns(timeline)
    labels = labels_of_columns(columns)
    if first == second or not {first, second} <= set(labels):
        raise InputError(f"Expected two of {', '.join(labels)}, got {first!r} and {second!r}.")
    table = timeline.assign(position=timeline["time_s"].rank(method="dense").to_numpy() - 1)
    table = table[table["track"] >= 0].sort_values(["track", "time_s"], kind="stable")
    p = table[columns].to_numpy(np.float32)
    pair = p[:, [labels.index(first), labels.index(second)]]
    others = np.delete(p, [labels.index(first), labels.index(second)], axis=1)
    is_pair = pair.min(axis=1) > others.max(axis=1, initial=0.0)
    track, position = table["track"].to_numpy(), table["position"].to_numpy()
    begins = is_pair & ~(
        np.r_[False, is_pair[:-1]] & (np.diff(track, prepend=-1) == 0) & (np.diff(position, prepend=-9) == 1)
    )
    usable = table["usable"].to_numpy(float) if "usable" in table else np.ones(len(table))
    every = {
        "stretch": np.cumsum(begins), "track": track, "time_s": table["time_s"].to_numpy(float), "first": pair[:, 0],
        "second": pair[:, 1], "usable": usable,
    }  # fmt: skip
    return _least_decided(pd.DataFrame(every)[is_pair].reset_index(drop=True), limit)


def _least_decided(rows: pd.DataFrame, limit: int) -> list[Moment]:
    if rows.empty:
        return []
    margin = (rows["first"] - rows["second"]).abs()
    peaks = rows.loc[margin.groupby(rows["stretch"]).idxmin()].set_index("stretch")
    spans = rows.groupby("stretch").agg(start=("time_s", "min"), end=("time_s", "max"), share=("usable", "mean"))
    joined = peaks.join(spans).assign(margin=(peaks["first"] - peaks["second"]).abs())
    joined = (
        joined.assign(doubtful=joined["share"] < 0.5).sort_values(["doubtful", "margin"], kind="stable").head(limit)
    )
    return [
        Moment(int(row.track), row.start, row.end, row.time_s, float(row.first), float(row.second), float(row.share))
        for row in joined.itertuples()
    ]


def moments_in(analysis: Analysis, lens: Lens, first: str, second: str, *, limit: int = 12) -> list[Moment]:
    """``pair_moments`` of an analysis as the reviewer sees it; none where its model does not know both emotions.

    Raises:
        InputError: the same emotion twice.
        StoreError: a table of the analysis is missing or damaged.
    """
    timeline = view(analysis, lens)
    known = set(labels_of_columns(score_columns(timeline)))
    return pair_moments(timeline, first, second, limit=limit) if {first, second} <= known else []


__all__ = ["Moment", "moments_in", "pair_moments"]
