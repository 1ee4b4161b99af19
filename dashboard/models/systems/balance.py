"""Before and after the smaller classes were filled up: their accuracies, ours, and the classes themselves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st

from dashboard.components.charts import FIRST, NO_BAR, QUIET, figure
from dashboard.models.systems.captions import PERCENT, POINTS, percent, rows_or
from dashboard.services import systems as service
from fer_core.emotions import EMOTIONS8
from fer_core.evaluation import Balanced, Trained, balanced
from fer_core.systems import System


def balance_view(system: System) -> None:
    """The table, where the authors compare the two; then the classes that a checkpoint was trained on."""
    st.markdown("#### Before and after balancing")
    rows = [_row(system, each) for each in balanced(system, service.trained())]
    names = ("They, before", "They, after", "We, before", "We, after")
    rows_or(
        rows, "This document does not compare training before and after balancing its classes.",
        **dict.fromkeys(names, PERCENT), **dict.fromkeys(("Their change", "Our change"), POINTS),
    )  # fmt: skip
    if rows:
        st.caption(
            "Accuracy; changes are after minus before, in percentage points. Ours are there once the recipe and the "
            "one of the same name with “-balanced” are trained."
        )
    _classes(service.of_system(system.name))


def _row(system: System, each: Balanced) -> dict[str, Any]:
    before, after = each.before, each.after
    return {
        "Network": system.model(each.model).title,
        "Data": each.dataset,
        "They, before": percent(before.claim.value) if before else None,
        "They, after": percent(after.claim.value) if after else None,
        "Their change": percent(each.theirs),
        "We, before": percent(before.value) if before else None,
        "We, after": percent(after.value) if after else None,
        "Our change": percent(each.ours),
    }


def _classes(mine: Mapping[str, Trained]) -> None:
    """Pictures of each class that a checkpoint was trained on."""
    st.markdown("#### The classes trained on")
    known = {name: found for name, each in mine.items() if (found := _counts(each))}
    if not known:
        st.caption("No checkpoint of this system here tells the classes that it was trained on.")
        return
    first = next((i for i, found in enumerate(known.values()) if "after balancing" in found), 0)
    name = st.selectbox("Checkpoint", list(known), index=first, key="classes-of", width=340)
    chart = figure(height=340, barmode="group", yaxis={"title": "pictures"})
    colours = {"as they come": QUIET, "after balancing": FIRST}
    for title, counts in known[name].items():
        names = [emotion for emotion in EMOTIONS8 if emotion in counts]
        values = [counts[emotion] for emotion in names]
        chart.add_bar(
            x=names, y=values, name=title, marker_color=colours[title], text=[f"{n:,}" for n in values],
            textposition="outside", cliponaxis=False,
        )  # fmt: skip
    chart.update_layout(uniformtext={"minsize": 8, "mode": "hide"})  # no numbers on a phone
    st.plotly_chart(chart, key="class-counts", config=NO_BAR)


def _counts(each: Trained) -> dict[str, Mapping[str, int]]:
    """Counts by emotion as the card tells them, which may hold anything."""
    found = {"as they come": each.card.data.get("counts"), "after balancing": each.card.data.get("counts_balanced")}
    return {
        title: {name: n for name, n in counts.items() if type(n) is int}
        for title, counts in found.items()
        if isinstance(counts, Mapping) and any(type(n) is int for n in counts.values())
    }
