"""An analysis as a reviewer sees it: one model's scores under a class prior, with the reviewer's edits, smoothing and
reasons to doubt.

Every table, figure, statistic and export starts from ``view``; nothing else applies edits. Stored probabilities are as
trained; the prior is applied first, then smoothing, then groups.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fer_core.emotions import AS_TRAINED, PRIORS, Prior, group_indices
from fer_core.errors import CheckpointError, InputError, StoreError
from fer_core.models.card import read_card
from fer_core.models.folders import with_weights
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
    """How to look: window of the smoothing in s (0 is none), and whose scores (empty: the first model's)."""

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
    """The table with the scores of ``model`` under the prior in force and the reviewer's people; no labels."""
    return apply(_measured(analysis, model), analysis.state.steps)


def _measured(analysis: Analysis, model: str) -> pd.DataFrame:
    table, first = analysis.timeline().drop(columns=["emotion", "group"]), analysis.models[0]
    if model in ("", first):
        return _under_prior(table, priors_in_force(analysis).get(first))
    return _with_scores(table, _scores(analysis, model))


def _with_scores(table: pd.DataFrame, scores: pd.DataFrame) -> pd.DataFrame:
    seen = (table["track"] >= 0).to_numpy()
    names = [name for name in scores.columns if name not in ("frame", "track")]
    values = np.full((len(table), len(names)), np.nan, np.float32)
    values[seen] = scores[names].to_numpy(np.float32)
    kept = table.drop(columns=[name for name in table.columns if name in names or name.startswith("p_")])
    return pd.concat([kept, pd.DataFrame(values, columns=names, index=table.index)], axis=1)


def _scores(analysis: Analysis, model: str) -> pd.DataFrame:
    if model != MEAN:
        return _under_prior(analysis.scores(model), priors_in_force(analysis).get(model))
    if MEAN not in choices(analysis):
        raise InputError("There is no mean of all models here; it takes two or more of the same emotions.")
    tables = [_scores(analysis, name) for name in analysis.models]
    scores = [name for name in tables[0].columns if name.startswith("p_")]
    doubts = [column.name for column in DOUBTS if any(column.name in table for table in tables)]
    mean = tables[0][["frame", "track"]].copy()
    mean[scores] = np.mean([table[scores].to_numpy(np.float32) for table in tables], axis=0)
    for name in doubts:  # a model that knows nothing about its training pictures has no say
        known = pd.concat([table[name] for table in tables if name in table], axis=1)
        mean[name] = known.mean(axis=1).astype(np.float32)
    return mean


# how common each emotion is taken to be


def priors_of(analysis: Analysis) -> dict[str, Prior]:
    """Class priors by model, without those that are not known: as it was written down, else that of the checkpoint
    here with the very weights.

    Raises:
        StoreError: one that is damaged.
    """
    try:
        found = {str(each["name"]): _prior_of(each) for each in analysis.checkpoints}
    except InputError as error:
        raise StoreError(f"{analysis.id}/analysis.json: {error} Run the analysis again.") from error
    return {name: prior for name, prior in found.items() if prior is not None}


def _prior_of(checkpoint: Mapping[str, Any]) -> Prior | None:
    if told := checkpoint.get("prior"):
        return Prior.from_json(told, len(checkpoint["labels"]))
    folder = with_weights(str(checkpoint["name"]), checkpoint.get("sha256"))
    if folder is None:
        return None
    try:
        return read_card(folder / "card.json").prior
    except CheckpointError:
        return None


def priors_in_force(analysis: Analysis) -> dict[str, tuple[Prior, float]]:
    """Class prior and τ (see ``Prior.adjusted``) by model, without those whose scores are seen as trained.

    Raises:
        StoreError: a prior that is damaged.
    """
    if analysis.prior == AS_TRAINED:
        return {}
    found = {name: (prior, prior.tau(analysis.prior)) for name, prior in priors_of(analysis).items()}
    return {name: (prior, tau) for name, (prior, tau) in found.items() if tau}


def prior_in_words(analysis: Analysis, model: str = "") -> str:
    """What is in force for ``model``, for captions: ``how common emotions are: halfway``."""
    looked_at = analysis.models if model == MEAN else [model or analysis.models[0]]
    held = [name for name in looked_at if name in priors_in_force(analysis)]
    only = f" (for {', '.join(held)})" if 0 < len(held) < len(looked_at) else ""
    return f"how common emotions are: {PRIORS[analysis.prior if held else AS_TRAINED]}{only}"


def _under_prior(table: pd.DataFrame, held: tuple[Prior, float] | None) -> pd.DataFrame:
    if held is None:
        return table
    columns, (prior, tau) = score_columns(table), held
    adjusted = prior.adjusted(table[columns].to_numpy(np.float32), tau)
    return table.assign(**dict(zip(columns, adjusted.T, strict=True)))


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


__all__ = [
    "MEAN", "Lens", "choices", "differing", "edited", "opinions", "prior_in_words", "priors_in_force", "priors_of",
    "view",
]  # fmt: skip
