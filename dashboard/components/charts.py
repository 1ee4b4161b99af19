"""Plotly figures of the inspection pages: one look, and the human ceiling where accuracy is drawn."""

from __future__ import annotations

from typing import Any

import plotly.graph_objects as go

FIRST, SECOND, QUIET = "#1F6F78", "#D9822B", "#8A8F98"
NO_BAR = {"displayModeBar": False}  # config of charts so narrow that the bar would cover the legend


def figure(*, height: int = 320, **layout: Any) -> go.Figure:
    """An empty figure in the house's look."""
    made = go.Figure()
    legend = {"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0}
    made.update_layout(height=height, margin={"l": 0, "r": 8, "t": 28, "b": 0}, legend=legend, **layout)
    return made


def line_at(chart: go.Figure, share: float, text: str) -> None:
    """A dotted line across, such as what one person reaches; nothing for NaN."""
    if share == share:
        chart.add_hline(
            share, line={"dash": "dot", "color": QUIET, "width": 1.5}, annotation_text=text,
            annotation_position="bottom left", annotation_font_size=11,
        )  # fmt: skip
