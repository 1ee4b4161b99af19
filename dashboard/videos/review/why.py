"""Where a model looks over a span: shares of its attention by part of the face, and the faces with their heatmaps."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import streamlit as st
from numpy.typing import NDArray

from dashboard.addresses import FACE
from dashboard.components.frame import plain, show_errors
from dashboard.components.waiting import is_there
from dashboard.services import jobs, kinds, why
from fer_core.video.export import Excerpt
from fer_core.video.keeping import missing_video
from fer_core.video.store import Analysis
from fer_core.video.view import MEAN, Lens

REGION_COLOURS = ("#3B1F2B", "#6B3F54", "#A26B82", "#D3A6B7", "#C9CCD3", "#4B4F58")
"""Of parts of the face; none is that of an emotion."""
GAP_S = 0.5
"""A person who is not seen for longer is not drawn as if she had been."""


def why_view(analysis: Analysis, lens: Lens, chosen: Excerpt) -> None:
    """A form to ask, and the newest answer."""
    if missing := missing_video(analysis):
        st.info(plain(f"{missing} There is nothing for “Why?” to look at."))
        return
    st.caption(
        "Which places of the face speak for an emotion. **Why?** beside the player explains one face; here "
        "it runs over the selected span (or everything) of the chosen person. It shows where the model looks, not "
        "whether it is right."
    )
    people = analysis.tracks
    if not people:
        st.info("There is no face to explain.")
        return
    if st.button("Other methods, checks and clips", icon=":material/open_in_new:", type="tertiary"):
        st.switch_page(FACE, query_params={"from": "Video", "analysis": analysis.id})
    with st.container(horizontal=True, vertical_alignment="bottom"):
        models = [name for name in analysis.models if name != MEAN]
        model = st.selectbox("Model", models, index=models.index(lens.model) if lens.model in models else 0, width=260)
        target = st.selectbox(
            "Explain", ["", *_labels(analysis, model)], format_func=lambda name: name or "its answer", width=160
        )
        gone = why.missing(analysis, model)
        n = st.slider("Faces", 10, 240, 60, 10, width=200)
        if st.button("Explain the span", icon=":material/center_focus_strong:", disabled=bool(gone)):
            end_s = analysis.record["time_check"]["last_s"] + 1.0 if chosen.end_s is None else chosen.end_s
            track = chosen.track if chosen.track in people else people[0]
            why.ask_span(analysis.id, track=track, start_s=chosen.start_s, end_s=end_s, model=model, target=target, n=n)
    if gone:
        st.info(gone)
    job = jobs.of_target(analysis.id, kinds.WHY_SPAN.name)
    if job is not None:
        active = job.state in jobs.ACTIVE
        st.fragment(span_answer, run_every=1.0 if active else None)(analysis, job.id, active)


def _labels(analysis: Analysis, model: str) -> list[str]:
    return next(list(each["labels"]) for each in analysis.checkpoints if each["name"] == model)


@show_errors()  # which the page does not do when only this runs again
def span_answer(analysis: Analysis, job_id: str, was_active: bool) -> None:
    """How far a strip of faces is, and the strip."""
    found = why.answer(analysis.id, job_id)
    if not is_there(found, "explaining", was_active=was_active):
        return
    name = analysis.state.name_of(found["track"])
    st.markdown(f"**{plain(name)}**, {plain(found['model'])}: what speaks for {_told(found['target'])}")
    if "made" in found:  # not in answers of before
        st.caption(plain(f"{found['made']}. {found['doubt']}".strip()))
    timeline = analysis.timeline(["time_s", "track"])
    seen_s = timeline["time_s"][timeline["track"] == found["track"]].to_numpy(float)
    st.plotly_chart(span_figure(found, seen_s), key=f"why-{job_id}")
    st.html(_strip(found))


def _told(target: str | list[str]) -> str:
    return target or "its answer" if isinstance(target, str) else " or ".join(target)


def pieces(times_s: Sequence[float], seen_s: NDArray[np.float64]) -> list[slice]:
    """Where a course of values at these times is drawn in one piece: not across a time in which the person was not
    seen, given all times at which she was."""
    cuts = [0]
    for i, (start, end) in enumerate(itertools.pairwise(times_s), 1):
        inside = seen_s[(seen_s >= start - 1e-6) & (seen_s <= end + 1e-6)]
        if np.diff(np.concatenate([[start], inside, [end]])).max() > GAP_S:
            cuts.append(i)
    return [slice(start, end) for start, end in itertools.pairwise([*cuts, len(times_s)])]


def span_figure(found: dict[str, Any], seen_s: NDArray[np.float64]) -> go.Figure:
    """Shares of attention by part of the face over the span."""
    shares = pd.DataFrame(found["shares"], columns=found["regions"], dtype=float)
    figure = go.Figure()
    for i, piece in enumerate(pieces(found["times_s"], seen_s)):
        for (name, values), colour in zip(shares.items(), REGION_COLOURS, strict=True):
            figure.add_scatter(
                x=found["times_s"][piece], y=values[piece], name=name, stackgroup=f"piece {i}", legendgroup=name,
                showlegend=i == 0, line={"width": 0, "color": colour}, fillcolor=colour,
            )  # fmt: skip
    figure.update_layout(
        height=260, margin={"l": 0, "r": 0, "t": 10, "b": 0}, hovermode="x unified", xaxis_title="seconds",
        yaxis={"title": "share of attention", "range": [0, 1], "tickformat": ".0%"},
    )  # fmt: skip
    return figure


def _strip(found: dict[str, Any]) -> str:
    """The faces in a row that can be scrolled, each with its time."""
    side, n = found["side"], len(found["times_s"])
    words = "".join(
        f'<span style="display:inline-block;width:{side}px;text-align:center">{time_s:.2f} s<br>{_told(target)}</span>'
        for time_s, target in zip(found["times_s"], found["targets"], strict=True)
    )
    return (
        f'<div style="overflow-x:auto"><div style="width:{side * n}px;font-size:0.7rem;line-height:1.2">'
        f'<img alt="Faces with heatmaps" width="{side * n}" height="{side}" style="max-width:none;display:block" '
        f'src="data:image/png;base64,{found["picture"]}">{words}</div></div>'
    )
