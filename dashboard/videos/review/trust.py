"""When not to trust it: how much time each reason takes, what it means, and the limits."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import streamlit as st

from dashboard.videos.review.tables import timeline_of
from fer_core.video.reasons import LIMITS, REASONS, Limit, Limits
from fer_core.video.store import Analysis
from fer_core.video.timeline import frame_steps, score_columns
from fer_core.video.view import Lens


def trust_view(analysis: Analysis, lens: Lens) -> None:
    """Share of the time seen that each reason takes, and the limits to change."""
    timeline = timeline_of(analysis, lens)
    seen = timeline[timeline["track"] >= 0]
    if seen.empty:
        st.info("No face was found, so there is nothing to doubt.")
        return
    times, lasts = frame_steps(timeline)
    weight = lasts[np.searchsorted(times, seen["time_s"].to_numpy(float))]
    weight = weight if weight.sum() > 0 else np.ones(len(seen))
    rows = [
        (reason.title, reason.text, 100 * float(weight[seen[f"why_{reason.code}"]].sum() / weight.sum()))
        for reason in REASONS
    ]
    st.caption("Share of the time seen in which each reason holds; hatched in the timeline, columns why_… in exports.")
    share = st.column_config.ProgressColumn("Time", format="%.1f %%", min_value=0, max_value=100)
    st.dataframe(
        pd.DataFrame(rows, columns=["Reason", "What it means", "Time"]), hide_index=True,
        column_config={"Time": share}, height=38 + 35 * len(rows),
    )  # fmt: skip
    _uncertain(analysis, seen, weight)
    with st.expander("Other limits"):
        _limits(analysis)


def _uncertain(analysis: Analysis, seen: pd.DataFrame, weight: np.ndarray) -> None:
    """The threshold for *uncertain*, with what share of the time each would leave."""
    top = seen[score_columns(seen)].to_numpy(float).max(axis=1)
    limits = analysis.state.limits
    now = round(100 * limits.min_probability)
    chosen = st.slider(
        "Uncertain: the top emotion has less than (%)", 0, 95, now, 5, key=f"uncertain-{analysis.id}-{now}"
    )
    left = {f"{t} %": float(weight[top >= t / 100].sum() / weight.sum()) for t in sorted({30, 50, 70, 90, chosen})}
    st.caption("Time left: " + ", ".join(f"at {name} **{share:.0%}**" for name, share in left.items()) + ".")
    if chosen != now:
        _set(analysis, dataclasses.replace(limits, min_probability=chosen / 100))


def _limits(analysis: Analysis) -> None:
    limits = analysis.state.limits
    with st.form(f"limits-{analysis.id}", border=False):
        columns = st.columns(2)
        values = {
            limit.name: columns[i % 2].number_input(
                limit.words, 0.0, limit.most, float(getattr(limits, limit.name)), limit.step
            )
            for i, limit in enumerate(_asked(limits))
        }
        if st.form_submit_button("Set limits"):
            _set(analysis, dataclasses.replace(limits, **values))
    if limits != Limits() and st.button("Back to the defaults"):
        _set(analysis, Limits())


def _asked(limits: Limits) -> list[Limit]:
    """Those that the form asks for: all that are in force but the one that has a slider of its own."""
    return [limit for name, limit in LIMITS.items() if name != "min_probability" and getattr(limits, name) is not None]


def _set(analysis: Analysis, limits: Limits) -> None:
    analysis.do({"do": "limits", "limits": dataclasses.asdict(limits)})
    st.rerun()
