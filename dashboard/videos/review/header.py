"""Top of the Review page: which analysis, what it is, and how to look at it."""

from __future__ import annotations

import math
from typing import Any

import streamlit as st

from dashboard.addresses import VIDEOS
from dashboard.components.frame import end_page, local_time, plain
from dashboard.services import jobs, kinds, places
from dashboard.services.places import open_for_page
from dashboard.videos.review.commonness import choose_prior
from dashboard.videos.states import stopped
from fer_core.emotions import DEFAULT_GROUP_MAP, GROUPS, OWN_GROUP
from fer_core.video.edits import left_out
from fer_core.video.store import Analysis
from fer_core.video.view import Lens, choices

WINDOWS_S = (0.0, 0.2, 0.5, 1.0, 2.0, 5.0)
READINGS = {"neutral": "neutral", "positive": "positive", "negative": "negative", OWN_GROUP: "a group of its own"}


def choose_analysis() -> Analysis:
    """The analysis that the address names, else the newest; stops the page with a hint where there is none.

    Raises:
        InputError, StoreError: the address names one that is not there.
    """
    wanted = st.query_params.get("analysis")
    if wanted:
        return open_for_page(wanted)
    newest = next((each for each in places.store().all() if isinstance(each, Analysis)), None)
    if newest is None:
        st.title("Review")
        st.info("There is no analysis yet. Upload a video, or try the sample.", icon=":material/timeline:")
        st.page_link(VIDEOS, label="Go to Videos", icon=":material/upload:")
        end_page()
    st.query_params["analysis"] = newest.id
    return newest


def linked_moment() -> dict[str, Any] | None:
    """The moment that the address names with ``t`` (s) and ``person`` (from 1), for the player, or None."""
    try:
        time_s = float(st.query_params.get("t", ""))
        person = int(st.query_params.get("person", "0"))
    except ValueError:
        return None
    if not math.isfinite(time_s):
        return None
    return {"id": f"link-{time_s}-{person}", "time_s": time_s, "track": person - 1 if person > 0 else None}


def header(analysis: Analysis) -> Lens:
    """Name, what it is, what to know about it; returns how to look at it."""
    source, check = analysis.record["source"], analysis.record["time_check"]
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.title(plain(analysis.name), width="stretch")
        lens = Lens(0.0 if source["is_picture"] else _smoothing(), _model(analysis))
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        about = st.container(width=640)
        choose_prior(analysis)
        _groups(analysis)
    people, gone = len(analysis.tracks), left_out(analysis.state)
    words = [
        f"{people} {'person' if people == 1 else 'people'}",
        *([f"{len(gone)} left out"] if gone else []),
        "a picture" if source["is_picture"] else f"{check['frames_analysed']} frames",
        f"{source['width']} × {source['height']}",
        f"{'model' if len(analysis.models) == 1 else 'models'} {', '.join(analysis.models)}",
        local_time(analysis.record["created"]),
    ]
    about.caption(plain(", ".join(words)))
    if state := stopped(analysis):
        st.warning(f"{state}. What was analysed until then is shown.", icon=":material/warning:")
    for message in analysis.record["messages"]:
        st.info(plain(message), icon=":material/info:")
    if analysis.playable() is None:
        job = jobs.of_target(analysis.id, kinds.COPY.name)
        st.fragment(_copy, run_every=2.0 if job is not None and job.state in jobs.ACTIVE else None)(job)
    return lens


def _copy(job: jobs.Job | None) -> None:
    """How far the playable copy is, for a video that browsers cannot play."""
    if job is None or (now := jobs.get(job.id)) is None:
        return
    if now.state in jobs.ACTIVE:
        st.progress(now.share, text=f"A copy that browsers can play is being made, {now.share:.0%}")
    elif now.state != job.state:
        st.rerun()


def _smoothing() -> float:
    chosen = st.segmented_control(
        "Smoothing", WINDOWS_S, default=st.session_state.get("kept_smoothing_s", 0.0), key="smoothing", required=True,
        format_func=lambda s: f"{s:g} s" if s else "off",
        help="Mean of the probabilities over this many seconds around each frame. Stored results stay as they are.",
    )  # fmt: skip
    st.session_state["kept_smoothing_s"] = float(chosen or 0.0)  # the widget's own value ends with a look elsewhere
    return float(chosen or 0.0)


def _model(analysis: Analysis) -> str:
    found = choices(analysis)
    if len(found) < 2:
        return ""
    key = f"model-{analysis.id}"
    kept = st.session_state.get(f"kept-{key}")
    first = found.index(kept) if kept in found else 0
    st.session_state[f"kept-{key}"] = st.selectbox("Scores of", found, first, width=260, key=key)  # as above
    return str(st.session_state[f"kept-{key}"])


def _groups(analysis: Analysis) -> None:
    """What surprise counts as, kept with the analysis."""
    holds = analysis.state.groups.get("surprise", "neutral")
    with st.popover("Groups", icon=":material/palette:", help="Which emotions make up the three groups"):
        chosen = st.radio(
            "Surprise is", list(READINGS), index=list(READINGS).index(holds), format_func=READINGS.__getitem__,
            key=f"surprise-{analysis.id}-{holds}",
        )  # fmt: skip
        told = {group: [name for name, of in analysis.state.groups.items() if of == group] for group in GROUPS}
        st.caption("; ".join(f"{group}: {', '.join(names) or 'none'}" for group, names in told.items()) + ".")
    if chosen != holds:
        analysis.do({"do": "groups", "map": {**DEFAULT_GROUP_MAP, "surprise": chosen}})
        st.rerun()
