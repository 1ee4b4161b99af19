"""Our learning curves with the authors' points over them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import streamlit as st

from dashboard.components.charts import NO_BAR, QUIET, figure
from dashboard.components.frame import plain
from dashboard.services import systems as service
from fer_core.evaluation import Trained
from fer_core.systems import Curve, System

COLOURS = ("#1F6F78", "#D9822B", "#7A5195", "#5B8E3E", "#C2455A", "#4C78C8", "#A0782C", "#2F9E9E")
_SIDES = (("choose", "solid"), ("train", "dot"))
_SYMBOLS = {"train": "diamond-open", "choose": "diamond", "test": "square"}
_LOG_FROM = 4
"""How many times longer than ours their training must be for a logarithmic axis."""


def curves_view(system: System) -> None:
    """Accuracy and loss along our runs, and what the authors say at their epochs."""
    mine = {name: each for name, each in service.of_system(system.name).items() if len(each.history)}
    chosen = list(mine)
    if len(mine) > 1:
        chosen = st.multiselect("Our checkpoints", list(mine), default=list(mine)[: len(COLOURS)], key="curves-of")
    theirs = _once(system.curves)
    if not mine and not theirs:
        st.info("There is no curve yet: the document gives no figure per epoch, and nothing is trained here.")
        return
    if not mine:
        st.info(
            "Nothing of this system is trained here yet, so only the authors' points are drawn. The view Recipes has "
            "the command that trains each.",
            icon=":material/model_training:",
        )
    columns = st.columns(2)
    for column, metric in zip(columns, ("accuracy", "loss"), strict=True):
        with column:
            _chart(metric, {name: mine[name] for name in chosen}, theirs)
    st.caption(
        "Solid lines: the split that a run is judged on while it goes on; dotted lines: its training pictures, as far "
        "as they were measured. Diamonds and squares: the authors' figures."
    )
    for note in dict.fromkeys(f"{curve.title}: {curve.note}" for curve in theirs if curve.note):
        st.caption(plain(note))


def _once(curves: Sequence[Curve]) -> list[Curve]:
    """Curves without those that repeat the points of another one, for a second checkpoint of ours."""
    return list({tuple(claim.id for claim in curve.claims): curve for curve in reversed(curves)}.values())[::-1]


def _chart(metric: str, mine: Mapping[str, Trained], theirs: Sequence[Curve]) -> None:
    shown = [curve for curve in theirs if curve.claims[0].metric == metric]
    last = max([1, *(int(each.history.epochs[-1]) for each in mine.values())])
    is_log = any(curve.points[-1][0] > _LOG_FROM * last for curve in shown) and bool(mine)
    chart = figure(
        height=420,
        xaxis={"title": "epoch", **({"type": "log", "dtick": "D2"} if is_log else {})},
        yaxis={"title": metric, **({"tickformat": ".0%"} if metric == "accuracy" else {})},
    )
    chart.update_layout(legend={"y": -0.2, "yanchor": "top"})
    for (name, each), colour in zip(mine.items(), COLOURS * 4, strict=False):
        for side, dash in _SIDES:
            values = each.history.curve(side, metric, each.labels)
            if values is not None:
                title = name if side == "choose" else f"{name}, training"
                line = {"color": colour, "dash": dash, "width": 2}
                chart.add_scatter(x=each.history.epochs, y=values, name=title, line=line, mode="lines")
    for i, curve in enumerate(shown):
        x, y = zip(*curve.points, strict=True)
        chart.add_scatter(
            x=x, y=y, name=f"authors: {curve.title}", mode="lines+markers" if curve.one_run else "markers",
            line={"color": QUIET, "dash": "dash", "width": 1},
            marker={"symbol": _SYMBOLS[curve.side], "size": 11, "color": COLOURS[::-1][i % len(COLOURS)]},
        )  # fmt: skip
    if not chart.data:
        st.info(f"No {metric} was measured along a run.")
        return
    st.plotly_chart(chart, key=f"system-{metric}", config=NO_BAR)
