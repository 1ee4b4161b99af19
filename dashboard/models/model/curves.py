"""How a model learnt: loss, accuracy and macro F1 by epoch."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from dashboard.components.charts import FIRST, NO_BAR, SECOND, figure, line_at
from dashboard.components.frame import clock, plain
from dashboard.services import evaluations
from dashboard.services.checkpoints import Entry
from fer_core.errors import FerError


def curves_view(entry: Entry) -> None:
    """Loss and accuracy per epoch, from ``history.csv``."""
    path = entry.folder / "history.csv"
    if not path.is_file():
        st.info("There is no history.csv with this checkpoint.")
        return
    try:
        table = pd.read_csv(path)
    except (ValueError, OSError) as error:
        st.error(plain(f"history.csv cannot be read ({error})."), icon=":material/error:")
        return
    kinds_there = ["loss", "accuracy", *(["f1"] if any(name.endswith("_f1") for name in table.columns) else [])]
    columns = st.columns(len(kinds_there))
    for column, kind in zip(columns, kinds_there, strict=True):
        names = [name for name in table.columns if name.endswith(kind)]
        if "epoch" not in table or not names:
            column.info(f"history.csv has no column of {kind}.")
            continue
        chart = figure(
            height=300,
            xaxis_title="epoch",
            yaxis={"title": "macro F1" if kind == "f1" else kind} | ({} if kind == "loss" else {"tickformat": ".0%"}),
        )
        for name in names:
            line = {
                "color": (FIRST, SECOND)["fer2013" in name],
                "dash": "dot" if name.startswith("train") else "solid",
                "width": 2,
            }
            title = name.removesuffix(f"_{kind}").replace("choose", "validation").replace("_", " ")
            chart.add_scatter(x=table["epoch"], y=table[name], name=title, line=line)
        if kind == "accuracy":
            line_at(chart, *_ceiling(entry))
        column.plotly_chart(chart, key=f"curve-{kind}-{entry.name}", config=NO_BAR)
    minutes = pd.to_numeric(table.get("minutes", pd.Series(dtype=float)), errors="coerce").dropna()
    if len(minutes):
        st.caption(f"{len(table)} epochs in {clock(60 * float(minutes.iloc[-1]))}; dotted lines are training.")


def _ceiling(entry: Entry) -> tuple[float, str]:
    """What one person reaches on the table that the epochs were chosen on."""
    from fer_core.evaluation import human_agreement

    assert entry.card is not None
    table = f"{entry.card.data.get('dataset')}-{entry.card.data.get('choose')}"
    labels = str(entry.card.data.get("labels"))
    try:
        found = evaluations.outcomes(evaluations.Question(entry.name, table, labels))
    except FerError:
        return float("nan"), ""
    return human_agreement(found)[0], f"one person, {labels}"
