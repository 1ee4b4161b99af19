"""An analysis as a reviewer sees it: one model's scores, with the reviewer's edits, smoothing and reasons to doubt.

Every table, figure, statistic and export starts from ``view``; nothing else applies edits.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fer_core.emotions import group_indices
from fer_core.errors import InputError
from fer_core.signals.scores import DOUBTS
from fer_core.video.columns import with_signals
from fer_core.video.edits import apply
from fer_core.video.store import Analysis
from fer_core.video.timeline import (
    labels_of_columns,
    score_columns,
    smooth_scores,
    top_emotions,
    with_labels,
)
from fer_core.video.trust import with_reasons

MEAN = "mean of all"
"""The ensemble: the mean of the probabilities of all models of an analysis."""


@dataclass(frozen=True)
class Lens:
    """How to look: window of the smoothing in s (0 is as measured), and whose scores (empty: the first model's)."""

    smoothing_s: float = 0.0
    model: str = ""


def view(analysis: Analysis, lens: Lens = Lens()) -> pd.DataFrame:
    """The timeline table as the reviewer sees it: with the signals that follow from it (``fer_core.signals``),
    ``emotion`` and ``group`` under the group map of the analysis, ``why_…`` and ``usable`` under its limits (see
    ``fer_core.video.trust``).

    Raises:
        InputError: an impossible smoothing.
        StoreError: there is no such model, or a table is damaged.
    """
    source, state = analysis.record["source"], analysis.state
    smoothed = smooth_scores(edited(analysis, lens.model), lens.smoothing_s)
    table = with_labels(with_signals(smoothed, state.groups), state.groups)
    return with_reasons(table, width=source["width"], height=source["height"], limits=state.limits)


def choices(analysis: Analysis) -> list[str]:
    """Whose scores can be looked at: every model, and their mean where there are several of the same emotions."""
    several = len({tuple(each["labels"]) for each in analysis.checkpoints}) == 1 and len(analysis.models) > 1
    return [*analysis.models, *([MEAN] if several else [])]


def edited(analysis: Analysis, model: str = "") -> pd.DataFrame:
    """The table as it was measured, with the scores of ``model`` and the reviewer's people; no labels."""
    return apply(_measured(analysis, model), analysis.state.steps)


def _measured(analysis: Analysis, model: str) -> pd.DataFrame:
    table = analysis.timeline().drop(columns=["emotion", "group"])
    return table if model in ("", analysis.models[0]) else _with_scores(table, _scores(analysis, model))


def _with_scores(table: pd.DataFrame, scores: pd.DataFrame) -> pd.DataFrame:
    seen = (table["track"] >= 0).to_numpy()
    names = [name for name in scores.columns if name not in ("frame", "track")]
    values = np.full((len(table), len(names)), np.nan, np.float32)
    values[seen] = scores[names].to_numpy(np.float32)
    kept = table.drop(columns=[name for name in table.columns if name in names or name.startswith("p_")])
    return pd.concat([kept, pd.DataFrame(values, columns=names, index=table.index)], axis=1)


def _scores(analysis: Analysis, model: str) -> pd.DataFrame:
    if model != MEAN:
        return analysis.scores(model)
    if MEAN not in choices(analysis):
        raise InputError("There is no mean of all models here; it takes two or more of the same emotions.")
    tables = [analysis.scores(name) for name in analysis.models]
    scores = [name for name in tables[0].columns if name.startswith("p_")]
    doubts = [column.name for column in DOUBTS if any(column.name in table for table in tables)]
    mean = tables[0][["frame", "track"]].copy()
    mean[scores] = np.mean([table[scores].to_numpy(np.float32) for table in tables], axis=0)
    for name in doubts:  # a model that knows nothing about its training pictures has no say
        known = pd.concat([table[name] for table in tables if name in table], axis=1)
        mean[name] = known.mean(axis=1).astype(np.float32)
    return mean


# where models disagree


def opinions(analysis: Analysis, smoothing_s: float = 0.0) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Top emotion (n, m) and its group (n, m) of every row of ``view`` by every model, as indices; -1 without a face.

    Emotions are numbered as in ``EMOTIONS8``, groups as in ``groups_of``.
    """
    emotions, groups = [], []
    for name in analysis.models:
        table = smooth_scores(edited(analysis, name), smoothing_s)
        top = top_emotions(table)
        to_group = group_indices(labels_of_columns(score_columns(table)), analysis.state.groups)
        emotions.append(top)
        groups.append(np.where(top >= 0, to_group[top], -1))
    return np.stack(emotions, axis=1), np.stack(groups, axis=1)


def differing(opinion: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Rows (n,) of ``opinion`` (n, m) in which not all models say the same."""
    return np.asarray((opinion != opinion[:, :1]).any(axis=1))


__all__ = ["MEAN", "Lens", "choices", "differing", "edited", "opinions", "view"]
