"""What a checkpoint bears: accuracy by corruption and strength, and checkpoints beside each other."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import plotly.graph_objects as go
import streamlit as st

from dashboard.components.charts import FIRST, NO_BAR, QUIET, SECOND, figure
from dashboard.components.frame import plain, show_errors
from dashboard.services import robustness as service
from dashboard.services.checkpoints import Entry
from dashboard.services.robustness import Measured
from fer_core.evaluation.corruptions import CORRUPTIONS
from fer_core.evaluation.robustness import SHIFT_PX

SCALE, INK = ((0.0, "#E79A4D"), (0.5, "#F6EFE3"), (1.0, "#6DBBB8")), "#17212B"  # read on light and dark pages
_PERCENT = st.column_config.NumberColumn(format="%.1f %%")
_POINTS = st.column_config.NumberColumn(format="%.1f", help="Percentage points; below zero: more were right")


def robustness_view(entry: Entry) -> None:
    """The table of one checkpoint, then all that have one."""
    with show_errors():
        found = service.measured(entry.name)
        if found is None:
            _nothing(entry)
        else:
            _one(found)
    _beside(service.everybody())


def _nothing(entry: Entry) -> None:
    if not entry.is_runnable:
        st.info("It was not measured how this checkpoint bears corrupted pictures, and its weights are not here.")
        return
    st.info("It was not measured yet how this checkpoint bears corrupted pictures. This command does:")
    st.code(f"python -m fer_core robustness {entry.name} --data PATH", language="bash")


def _one(found: Measured) -> None:
    said = in_words(found)
    st.markdown(plain(said))
    if service.is_outdated(found):
        st.warning("The weights of this checkpoint are others than those that were measured.", icon=":material/update:")
    st.plotly_chart(
        _heat_map(found), key=f"robustness-{found.checkpoint}", config=NO_BAR,
        alt=f"Heat map of accuracy, a row for each corruption and a column for each strength. {said}",
    )  # fmt: skip
    st.caption(
        f"Accuracy in %: {plain(_where(found))}. Strengths grow from left to right; their amplitudes appear when the "
        "pointer rests on a cell. What each corruption is says docs/robustness.md."
    )
    with st.expander("The same as a table, with macro recall"):
        st.dataframe(_rows(found), hide_index=True)


def in_words(found: Measured) -> str:
    """The summary as sentences."""
    summary, setting = found.summary, found.setting
    name, strength, lowest = summary.worst
    said = (
        f"{summary.clean:.1%} of {setting.rows:,} pictures are right as they are, {summary.corrupted:.1%} on average "
        f"over {len(found.accuracy)} corruptions in five strengths: {_points(summary.lost)}. "
        f"The lowest is {lowest:.1%} ({CORRUPTIONS[name].title}, strength {strength})."
    )
    if math.isnan(summary.lost_by_shift):
        return said
    return f"{said} A crop that is off by {SHIFT_PX} px of 48: {_points(summary.lost_by_shift)}."


def _points(lost: float) -> str:
    return f"{abs(100 * lost):.1f} points {'less' if lost >= 0 else 'more'}"


def _where(found: Measured) -> str:
    setting = found.setting
    part = "" if setting.rows == setting.rows_there else f" of {setting.rows_there:,}"
    return f"{setting.data}, {setting.split}, labels {setting.labels}, {setting.rows:,}{part} pictures, single view"


def _heat_map(found: Measured) -> go.Figure:
    table = found.accuracy
    kinds = [CORRUPTIONS[name] for name in table.index]
    told = [
        [f"{each.title}, {each.told(strength)}<br>macro recall {recall:.1%}" for strength, recall in row.items()]
        + [f"{each.title}, mean of five strengths"]
        for each, (_, row) in zip(kinds, found.macro_recall.iterrows(), strict=True)
    ]
    percent = [[100 * share for share in (*row, found.summary.by_corruption[name])] for name, row in table.iterrows()]
    chart = figure(
        height=60 + 25 * len(table), xaxis={"side": "top", "type": "category", "fixedrange": True, "tickangle": 0},
        yaxis={"autorange": "reversed", "fixedrange": True},
    )  # fmt: skip
    chart.add_heatmap(
        z=percent, x=[*map(str, table.columns), "mean"], y=[each.title for each in kinds], customdata=told, zmin=0,
        zmax=100, colorscale=SCALE, showscale=False, xgap=2, ygap=2, texttemplate="%{z:.0f}", textfont={"color": INK},
        hovertemplate="%{customdata}<br>accuracy %{z:.1f}%<extra></extra>",
    )  # fmt: skip
    return chart


def _rows(found: Measured) -> list[dict[str, Any]]:
    return [
        {
            "Family": CORRUPTIONS[name].family,
            "Corruption": CORRUPTIONS[name].title,
            "Strength": strength,
            "Amplitude": CORRUPTIONS[name].told(strength),
            "Accuracy": f"{share:.1%}",
            "Macro recall": f"{found.macro_recall.loc[name, strength]:.1%}",
        }
        for name, row in found.accuracy.iterrows()
        for strength, share in row.items()
    ]


def _beside(tables: Sequence[Measured]) -> None:
    """Clean against corrupted, where more than one checkpoint was measured."""
    if len(tables) < 2:
        return
    st.markdown("#### All checkpoints that were measured")
    chart = figure(
        height=90 + 30 * len(tables), xaxis={"title": "accuracy", "tickformat": ".0%"}, yaxis={"autorange": "reversed"}
    )
    names = [each.checkpoint for each in tables]
    clean, corrupted = ([getattr(each.summary, key) for each in tables] for key in ("clean", "corrupted"))
    for name, *ends in zip(names, corrupted, clean, strict=True):
        line = {"color": QUIET, "width": 2}
        chart.add_scatter(x=ends, y=[name, name], mode="lines", line=line, hoverinfo="skip", showlegend=False)
    sides = (("corrupted, mean", corrupted, SECOND, "diamond"), ("as they are", clean, FIRST, "circle"))
    for title, shares, colour, symbol in sides:
        chart.add_scatter(
            x=shares, y=names, mode="markers", name=title, marker={"size": 11, "color": colour, "symbol": symbol},
            hovertemplate=f"%{{y}}, {title}: %{{x:.1%}}<extra></extra>",
        )  # fmt: skip
    told = "; ".join(f"{each.checkpoint} {each.summary.clean:.1%}, {each.summary.corrupted:.1%}" for each in tables)
    st.plotly_chart(
        chart, key="robustness-all", config=NO_BAR, alt=f"Accuracy on pictures as they are, and corrupted: {told}."
    )
    config = dict.fromkeys(("As they are", "Corrupted, mean", "Lowest"), _PERCENT)
    config |= dict.fromkeys(("Lost", f"Lost by {SHIFT_PX} px"), _POINTS)
    st.dataframe([_row(each) for each in tables], hide_index=True, placeholder="–", column_config=config)
    if not all(each.setting.is_like(tables[0].setting) for each in tables):
        st.caption("Not all were measured on the same pictures under the same labels: their figures are no ranking.")


def _row(found: Measured) -> dict[str, Any]:
    summary, setting = found.summary, found.setting
    shift = summary.lost_by_shift
    return {
        "Checkpoint": found.checkpoint,
        "As they are": 100 * summary.clean,
        "Corrupted, mean": 100 * summary.corrupted,
        "Lost": 100 * summary.lost,
        f"Lost by {SHIFT_PX} px": None if math.isnan(shift) else 100 * shift,
        "Lowest": 100 * summary.worst[2],
        "with": f"{CORRUPTIONS[summary.worst[0]].title}, {summary.worst[1]}",
        "Data": f"{setting.data}, {setting.split}",
        "Labels": setting.labels,
        "Pictures": setting.rows,
        "Seed": setting.seed,
    }
