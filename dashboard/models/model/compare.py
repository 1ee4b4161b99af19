"""Two checkpoints on the same pictures: is the difference real, where is it, and on which faces do they disagree."""

from __future__ import annotations

import dataclasses

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from dashboard.addresses import MODELS
from dashboard.components.charts import FIRST, figure
from dashboard.components.choosing import NOTHING, choose_model
from dashboard.components.frame import plain
from dashboard.models.model.header import select
from dashboard.services import checkpoints, selections
from dashboard.services.evaluations import Question, compared, everybody, tables
from fer_core.evaluation import Outcomes, human_agreement, mcnemar


def choose_other(question: Question) -> Question | None:
    """The same question to a second checkpoint, where one is chosen."""
    others = [
        entry.name
        for entry in checkpoints.entries()
        if not entry.error and entry.name != question.checkpoint and question.table in tables(entry.name)
    ]
    if not others:
        return None
    name = choose_model("Compare with", [NOTHING, *others], "against", width=260)
    return dataclasses.replace(question, checkpoint=name) if name != NOTHING else None


def compare_view(question: Question, other: Question | None) -> None:
    """McNemar's test, differences with intervals, and the pictures on which the two disagree."""
    _everybody(question)
    if other is None:
        st.info(
            "Choose a second checkpoint above. There must be one that was evaluated on the same table; any can be, on "
            "the page Models."
        )
        st.page_link(MODELS, label="Go to Models", icon=":material/deployed_code:")
        return
    with st.spinner("Drawing samples"):
        a, b, differences = compared(question, other)
    names = question.checkpoint, other.checkpoint
    test = mcnemar(a.right, b.right)
    ceiling, how = human_agreement(a)
    with st.container(horizontal=True):
        st.metric(f"Right: {plain(names[0])}", f"{a.right.mean():.1%}")
        st.metric(f"Right: {plain(names[1])}", f"{b.right.mean():.1%}")
        st.metric(
            "McNemar p", f"{test['p']:.2g}",
            help="How likely so uneven a split of the pictures that only one of the two gets right would be, if both "
            "were equally good (McNemar 1947)",
        )  # fmt: skip
        st.metric("One person", "–" if ceiling != ceiling else f"{ceiling:.1%}", help=how)
    chart = figure(
        height=70 + 34 * len(differences), xaxis={"title": f"{names[0]} minus {names[1]}, points"},
        yaxis={"autorange": "reversed"}, showlegend=False,
    )  # fmt: skip
    middle = -100 * differences["difference"]  # the first minus the second, as in the matrices
    chart.add_scatter(
        x=middle, y=differences["class"], mode="markers", marker={"size": 9, "color": FIRST},
        error_x={
            "type": "data", "symmetric": False, "color": FIRST,
            "array": -100 * differences["low"] - middle, "arrayminus": middle + 100 * differences["high"],
        },
        customdata=100 * differences[["a", "b"]],
        hovertemplate="%{y}: %{customdata[0]:.1f} % and %{customdata[1]:.1f} %<extra></extra>",
    )  # fmt: skip
    chart.add_vline(0, line={"color": "#8A8F98", "width": 1})
    st.plotly_chart(chart, key="differences")
    st.caption(
        "Recall of each class, macro recall and accuracy; the lines are 95 % intervals of a paired bootstrap. Where a "
        "line crosses zero, the two cannot be told apart."
    )
    _disagreements(a, b, names)


def _everybody(question: Question) -> None:
    """All checkpoints on this table, however many."""
    rows = everybody(question)
    shares = {"accuracy": "Accuracy", "macro_recall": "Macro recall", "ece": "ECE"}
    shown = [row | {name: 100 * row[name] for name in shares} for row in rows]
    columns = {name: st.column_config.NumberColumn(title, format="%.1f %%") for name, title in shares.items()}
    columns["p"] = st.column_config.NumberColumn(f"McNemar p against {question.checkpoint}", format="%.2g")
    st.dataframe(
        shown, hide_index=True, placeholder="–", column_config={"checkpoint": "Checkpoint", "n": "Pictures", **columns}
    )


def _disagreements(a: Outcomes, b: Outcomes, names: tuple[str, str]) -> None:
    """Buttons that select where the two differ."""
    masks: dict[str, NDArray[np.bool_]] = {
        "They answer differently": a.prediction != b.prediction, f"Only {names[0]} is right": a.right & ~b.right,
        f"Only {names[1]} is right": ~a.right & b.right, "Both are wrong": ~a.right & ~b.right,
    }  # fmt: skip
    with st.container(horizontal=True):
        for label, mask in masks.items():
            if st.button(
                f"{plain(label)} ({int(mask.sum()):,})", icon=":material/filter_alt:", disabled=not mask.any()
            ):
                select(set=selections.keep(map(str, a.ids[mask])))
