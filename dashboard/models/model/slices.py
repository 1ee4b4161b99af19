"""Does it err more on dark, flat or blurred pictures: its figures in slices of each quality, with their intervals."""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from dashboard.addresses import MODELS
from dashboard.components.charts import FIRST, NO_BAR, SECOND, figure, line_at
from dashboard.components.frame import plain
from dashboard.models.model.header import select
from dashboard.services import selections
from fer_core.evaluation import Outcomes, report, slice_of, slice_report
from fer_core.evaluation.slices import MEASURES, quality_of
from fer_core.faces import QUALITIES

ENDS = {
    "brightness": ("darkest", "brightest"),
    "contrast": ("flattest", "strongest"),
    "sharpness": ("most blurred", "sharpest"),
}
UNITS = {
    "brightness": "mean grey value, 0–1",
    "contrast": "standard deviation of the grey values, 0–1",
    "sharpness": "variance of the Laplacian",
}
_CAPTION = """Each point is about a fifth of these pictures, measured on the crops that the network gets; click one to
see its faces. Lines are 95 % intervals of a bootstrap within the slice. **Orange**: the interval of the difference to
all other pictures leaves out zero; if quality did not matter at all, about one of fifteen would still be orange by
luck. A slice may hold other emotions than the rest do: *macro recall* counts every emotion the same. This makes no
claims about age, gender or skin: the data have no such labels, and how bright a picture is depends on the light as much
as on the face."""


def slices_view(found: Outcomes) -> None:
    """A chart with intervals for each quality, what it says in words, and the way to the faces of a slice."""
    if set(QUALITIES) - set(found.evaluation.qualities):
        st.info(
            plain(
                f"This table of {found.evaluation.checkpoint} does not hold how bright, rich in contrast and sharp the "
                "faces are; it is from before that was measured. Evaluate it again on the page Models, which "
                "takes a minute."
            )
        )
        st.page_link(MODELS, label="Go to Models", icon=":material/deployed_code:")
        return
    titles = {measure: measure.replace("_", " ").capitalize() for measure in MEASURES}
    measure = st.segmented_control(
        "Figure", MEASURES, format_func=lambda each: titles[each], key="figure", bind="query-params", required=True,
        default=MEASURES[0],
    )  # fmt: skip
    measure = measure or MEASURES[0]  # an address may have an empty one
    tables = {quality: slice_report(found, quality) for quality in QUALITIES}
    for column, (quality, table) in zip(st.columns(len(tables), gap="large"), tables.items(), strict=True):
        with column:
            st.markdown(f"**By {quality}**")
            _quality(found, quality, table, measure, _scale(tables.values(), measure))
    st.caption(_CAPTION)


def _scale(tables: Iterable[pd.DataFrame], measure: str) -> tuple[float, float]:
    """Ends of an axis that shows every interval of all tables, so that charts can be compared."""
    joined = pd.concat(list(tables))
    return float(joined[f"{measure}_low"].min()) - 0.02, float(joined[f"{measure}_high"].max()) + 0.02


def _quality(found: Outcomes, quality: str, table: pd.DataFrame, measure: str, scale: tuple[float, float]) -> None:
    overall = cast(float, report(found.probabilities, found.label)[measure])
    key = f"slices-{quality}-{st.session_state.get('slices-clicks', 0)}"
    event = st.plotly_chart(
        _chart(table, quality, measure, overall, scale), key=key, on_select="rerun", selection_mode="points",
        config=NO_BAR,
    )  # fmt: skip
    points = event["selection"]["points"] if event else []
    if points:
        st.session_state["slices-clicks"] = st.session_state.get("slices-clicks", 0) + 1
        _show(found, quality, int(points[0]["point_index"]))
    ends = dict(zip(ENDS[quality], (0, len(table) - 1), strict=True)) if len(table) > 1 else {}
    for name, row in ends.items():
        st.markdown(_in_words(name, table.iloc[row], measure))
    with st.container(horizontal=True):
        for name, row in ends.items():
            if st.button(name.capitalize(), key=f"slice-{quality}-{row}", icon=":material/filter_alt:"):
                _show(found, quality, row)


def _show(found: Outcomes, quality: str, row: int) -> None:
    """Select the faces of a slice."""
    which, _ = slice_of(quality_of(found, quality))
    select(set=selections.keep(map(str, found.ids[which == row])))


def _in_words(name: str, row: pd.Series, measure: str) -> str:
    low, middle, high = (100 * row[f"{measure}_difference{ending}"] for ending in ("_low", "", "_high"))
    less = "below" if middle < 0 else "above"
    return (
        f"The **{name}** {int(row['n']):,} pictures: {row[measure]:.1%}, {abs(middle):.1f} points {less} the rest "
        f"({low:+.1f} to {high:+.1f})."
    )


def _chart(
    table: pd.DataFrame, quality: str, measure: str, overall: float, scale: tuple[float, float]
) -> go.Figure:  # fmt: skip
    """A point with its interval for each slice; the edges between the slices are the ticks."""
    digits = ".0f" if quality == "sharpness" else ".2f"
    edges = [table["low"].iloc[0], *table["high"]]
    middle, low, high = (100 * table[f"{measure}_difference{ending}"] for ending in ("", "_low", "_high"))
    colours = np.where((low > 0) | (high < 0), SECOND, FIRST)
    chart = figure(
        height=280, showlegend=False, yaxis={"tickformat": ".0%", "range": scale},
        xaxis={
            "title": UNITS[quality], "range": [-0.9, len(table) - 0.1], "tickangle": 0, "showgrid": True,
            "tickvals": [i - 0.5 for i in range(len(edges))], "ticktext": [f"{edge:{digits}}" for edge in edges],
        },
    )  # fmt: skip
    chart.add_scatter(
        x=table.index, y=table[measure], mode="markers", marker={"size": 11, "color": colours},
        error_y={
            "type": "data", "symmetric": False, "color": FIRST, "array": table[f"{measure}_high"] - table[measure],
            "arrayminus": table[measure] - table[f"{measure}_low"],
        },
        customdata=np.column_stack([table["n"], middle, low, high]),
        hovertemplate="%{customdata[0]:,} pictures, %{y:.1%}; %{customdata[1]:+.1f} points from the rest "
        "(%{customdata[2]:+.1f} to %{customdata[3]:+.1f})<extra></extra>",
    )  # fmt: skip
    line_at(chart, overall, "all")
    return chart
