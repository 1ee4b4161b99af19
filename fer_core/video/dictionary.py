"""What every column of an exported timeline means."""

from __future__ import annotations

import math
from dataclasses import replace

import pandas as pd

from fer_core.signals import Column
from fer_core.video.columns import all_columns
from fer_core.video.store import Analysis
from fer_core.video.view import Lens, prior_in_words


def dictionary(analysis: Analysis, columns: list[str], lens: Lens = Lens()) -> pd.DataFrame:
    """``column``, ``meaning``, ``unit``, ``type``, ``least`` and ``most`` of each of ``columns``, as this analysis is
    seen through a lens; empty where there is no unit or limit."""
    known = all_columns()
    told = (_as_seen(known.get(name) or Column(name, "from another version"), analysis, lens) for name in columns)
    return pd.DataFrame([_row(column) for column in told])


def _as_seen(column: Column, analysis: Analysis, lens: Lens) -> Column:
    """With whose scores they are, under which prior, how they were smoothed, and the groups in force."""
    text = column.text
    if column.name.startswith("p_"):
        text += f", by {lens.model or analysis.models[0]}; {prior_in_words(analysis, lens.model)}"
    if column.smooths and lens.smoothing_s:
        text += f", mean over {lens.smoothing_s:g} s"
    if column.name in ("group", "valence"):
        groups = ", ".join(f"{emotion}: {group}" for emotion, group in analysis.state.groups.items())
        text += f" ({groups})"
    return replace(column, text=text)


def _row(column: Column) -> dict[str, object]:
    least, most = ("" if math.isinf(value) else f"{value:g}" for value in (column.least, column.most))
    return {
        "column": column.name, "meaning": column.text, "unit": column.unit, "type": column.dtype,
        "least": least, "most": most,
    }  # fmt: skip


__all__ = ["dictionary"]
