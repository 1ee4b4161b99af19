"""Does the network know when it is right: reliability, and what is gained by answering only when sure."""

from __future__ import annotations

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from dashboard.components.charts import FIRST, NO_BAR, QUIET, SECOND, figure, line_at
from dashboard.models.model.header import select
from fer_core.evaluation import (
    Outcomes,
    area_under,
    at_threshold,
    calibration_report,
    human_agreement,
    probabilities_at,
    reliability,
    risk_coverage,
)

FEW = 20


def calibration_view(found: Outcomes) -> None:
    """Reliability diagram, figures before and after the temperature, and the risk-coverage curve."""
    left, right = st.columns(2, gap="large")
    with left:
        _reliability(found)
    with right:
        _coverage(found)


def _reliability(found: Outcomes) -> None:
    st.markdown("**When it says 80 %, is it right in 80 %?**")
    after = reliability(found.confidence, found.right)
    raw = probabilities_at(found.evaluation.logits[found.rows], 1.0)
    before = reliability(raw.max(axis=1), raw.argmax(axis=1) == found.label)
    chart = _diagram(before, after)
    key = f"reliability-{st.session_state.get('reliability-clicks', 0)}"
    event = st.plotly_chart(chart, key=key, on_select="rerun", selection_mode="points", config=NO_BAR)
    points = event["selection"]["points"] if event else []
    if points:
        st.session_state["reliability-clicks"] = st.session_state.get("reliability-clicks", 0) + 1
        bar = after.iloc[points[0]["point_index"]]
        select(sure=(100 * float(bar["low"]), 100 * float(bar["high"])))
    st.caption(
        "Click a bar to see its faces. Bars below the dashed line: too sure; above it: not sure enough. Pale bars hold "
        f"fewer than {FEW} pictures and say little. The grey steps are before calibration, which divides the logits by "
        "a temperature; the row *fitted here* shows what one could reach at best: it saw these very labels."
    )
    table = calibration_report(found).drop(columns="is_fitted_here")
    st.dataframe(table, hide_index=True, column_config={
        "probabilities": "Probabilities",
        "ece": st.column_config.NumberColumn(
            "ECE", format="%.4f", help="Expected calibration error: how far bars and dashed line are apart on average"
        ),
        "brier": st.column_config.NumberColumn(
            "Brier", format="%.4f", help="Squared distance of the probabilities from the right answer; 0 is best"
        ),
        "nll": st.column_config.NumberColumn(
            "NLL", format="%.4f", help="Mean of -log of the right answer's probability; 0 is best"
        ),
        "temperature": st.column_config.NumberColumn("Temperature", format="%.3f"),
    })  # fmt: skip


def _diagram(before: pd.DataFrame, after: pd.DataFrame) -> go.Figure:
    chart = figure(
        xaxis={"title": "confidence", "range": [0, 1], "tickformat": ".0%"},
        yaxis={"title": "share right", "range": [0, 1], "tickformat": ".0%"}, bargap=0.04,
    )  # fmt: skip
    chart.add_bar(
        x=(after["low"] + after["high"]) / 2, y=after["accuracy"], width=after["high"] - after["low"],
        name="calibrated", customdata=after[["low", "high", "n", "confidence"]],
        marker={"color": FIRST, "opacity": np.where(after["n"] < FEW, 0.3, 1.0)},
        hovertemplate="%{customdata[2]} pictures, %{customdata[3]:.1%} sure on average, %{y:.1%} right<extra></extra>",
    )  # fmt: skip
    chart.add_scatter(
        x=before["low"], y=before["accuracy"], mode="lines", line={"shape": "hv", "color": QUIET, "width": 2},
        name="before", hoverinfo="skip", connectgaps=True,
    )  # fmt: skip
    chart.add_scatter(
        x=[0, 1], y=[0, 1], mode="lines", line={"dash": "dash", "color": SECOND, "width": 1.5}, name="perfect",
        hoverinfo="skip",
    )  # fmt: skip
    return chart


def _coverage(found: Outcomes) -> None:
    st.markdown("**Answer only when sure**")
    curve = risk_coverage(found.confidence, found.right)
    least = st.slider(
        "Answer when at least so sure (%)", 0, 100, 50, key="least", bind="query-params",
        help="Below it, the network gives no answer.",
    )  # fmt: skip
    point = at_threshold(curve, least / 100)
    with st.container(horizontal=True):
        st.metric("Answered", f"{point.coverage:.1%}")
        st.metric("Right among them", "–" if point.risk != point.risk else f"{1 - point.risk:.1%}")
        st.metric(
            "Mean risk (AURC)", f"{area_under(curve):.3f}",
            help="Share of wrong answers, averaged over all shares answered: 0 is best (Geifman et al. 2019)",
        )  # fmt: skip
    ceiling, _ = human_agreement(found)
    accuracy = 1 - curve["risk"]
    chart = figure(
        height=280, xaxis={"title": "share answered", "tickformat": ".0%", "range": [0, 1]},
        yaxis={"title": "share right among the answered", "tickformat": ".0%"},
    )  # fmt: skip
    chart.add_scatter(
        x=curve["coverage"], y=accuracy, mode="lines", line={"color": FIRST, "width": 2}, showlegend=False,
        customdata=curve["threshold"],
        hovertemplate="at least %{customdata:.1%} sure: %{x:.1%} answered, %{y:.1%} right<extra></extra>",
    )  # fmt: skip
    chart.add_scatter(
        x=[point.coverage], y=[1 - point.risk], mode="markers", marker={"size": 11, "color": SECOND},
        showlegend=False, hoverinfo="skip",
    )  # fmt: skip
    line_at(chart, ceiling, "one person against the others" if found.label_set.startswith("ferplus") else "one person")
    st.plotly_chart(chart, key="coverage")
    if st.button("Show the faces below", icon=":material/filter_alt:"):
        select(sure=(0.0, float(least)))
