"""The same along a video: a strip of faces with their heatmaps, and a clip with the heat on the face."""

from __future__ import annotations

from typing import Any

import streamlit as st

from dashboard.components.frame import plain, show_errors
from dashboard.components.waiting import is_there
from dashboard.learn.face.maps import Wanted
from dashboard.services import explained, jobs, kinds, places, why
from dashboard.videos.review.why import span_answer
from fer_core.video.store import Analysis

AROUND_S = 3.0


def span_view(source: explained.Source, wanted: Wanted) -> None:
    """A span around the moment, and two ways to see it."""
    analysis = places.store().open(source["analysis"])
    model = wanted["checkpoints"][0]
    st.subheader("Along the video", anchor=False)
    if model not in analysis.models:
        st.info(
            plain(
                f"This video was not analysed with {model}; along a video, choose one of {', '.join(analysis.models)}."
            )
        )
        return
    last_s = float(analysis.record["time_check"]["last_s"]) + 0.1
    first, end = max(source["time_s"] - AROUND_S, 0.0), min(source["time_s"] + AROUND_S, last_s)
    start_s, end_s = st.slider(
        "Span (seconds)", 0.0, last_s, (first, end), 0.1, key=f"span-{analysis.id}-{source['time_s']:.2f}"
    )
    asked = {
        "track": source["track"], "start_s": start_s, "end_s": end_s, "model": model, "target": wanted["target"],
        "method": wanted["methods"][0], "layer": wanted["layer"],
    }  # fmt: skip
    with st.container(horizontal=True):
        if st.button("Strip of faces", icon=":material/view_column:"):
            why.ask_span(analysis.id, **asked)
        if st.button("Clip with heatmaps", icon=":material/movie:"):
            why.ask_span(analysis.id, **asked, clip=True)
    for kind, draw in ((kinds.WHY_CLIP, _clip), (kinds.WHY_SPAN, span_answer)):
        job = jobs.of_target(analysis.id, kind.name)
        if job is not None:
            active = job.state in jobs.ACTIVE
            st.fragment(draw, run_every=1.0 if active else None)(analysis, job.id, active)


@show_errors()  # which the page does not do when only this runs again
def _clip(analysis: Analysis, job_id: str, was_active: bool) -> None:
    found: dict[str, Any] = why.answer(analysis.id, job_id)
    if not is_there(found, "making the clip", was_active=was_active):
        return
    address = f"/api/clip/{analysis.id}/{job_id}"
    st.caption(f"{found['start_s']:.2f} to {found['end_s']:.2f} s, {plain(found['model'])}")
    style = "max-width:100%;max-height:420px"
    st.html(f'<video controls loop muted preload="metadata" style="{style}" src="{address}"></video>')
