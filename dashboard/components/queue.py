"""The queue: progress of every job, drawn anew each second while something runs."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import streamlit as st

from dashboard.components.frame import clock, counted, plain, show_errors
from dashboard.services import jobs, kinds
from fer_core.emotions import EMOTION_COLOURS

if TYPE_CHECKING:
    import pandas as pd

SHOWN_FOR_S = 1800.0
REVIEW = "app_pages/review.py"


def queue() -> None:
    """Draw waiting, running and just ended jobs."""
    active = any(job.kind in kinds.UPLOADED for job in jobs.with_state(*jobs.ACTIVE))
    st.fragment(_queue, run_every=1.0 if active else None)(active)


def _queue(was_active: bool) -> None:
    found = [job for job in jobs.recent(time.time() - SHOWN_FOR_S) if job.kind in kinds.UPLOADED]
    ended = [job for job in found if job.state not in jobs.ACTIVE][-20:]
    shown = ended + [job for job in found if job.state in jobs.ACTIVE]
    if shown:
        st.subheader("Queue")
    for job in reversed(shown):
        with st.container(border=True, key=f"job-{job.id}"):
            _DRAW[job.state](job)
    if was_active and not any(job.state in jobs.ACTIVE for job in shown):
        st.rerun()  # everything ended: stop asking every second


def _waiting(job: jobs.Job) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"**{plain(job.name)}**  \n:small[waiting for its turn]", width="stretch")
        _cancel(job)


def _running(job: jobs.Job) -> None:
    left = job.remaining_s
    words = [job.stage or "starting", f"{job.share:.0%}", _counts(job)]
    words += [f"about {clock(left)} left"] if left is not None else []
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"**{plain(job.name)}**", width="stretch")
        _cancel(job)
    st.progress(job.share, text=", ".join(words))
    with show_errors():
        _strip_so_far(job)


def _cancel(job: jobs.Job) -> None:
    label = "Stopping" if job.cancel else "Cancel"
    if st.button(
        label, key=f"cancel-{job.id}", icon=":material/stop:", disabled=job.cancel, help="What is done so far is kept."
    ):
        jobs.cancel(job.id)
        st.rerun(scope="fragment")


def _done(job: jobs.Job) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        reached = job.info.get("reached")
        icon = ":orange[:material/incomplete_circle:]" if reached else ":green[:material/check_circle:]"
        words = _stopped(reached) if reached else f"Done in {clock((job.finished or 0) - (job.started or 0))}"
        st.markdown(f"{icon} **{plain(job.name)}**  \n:small[{plain(f'{words}, {_counts(job)}')}]", width="stretch")
        if st.button("Open in Review", key=f"open-{job.id}", type="primary", icon=":material/timeline:"):
            st.switch_page(REVIEW, query_params={"analysis": job.target})


def _counts(job: jobs.Job) -> str:
    return f"{counted(job.faces, 'face')} in {counted(job.frames, 'frame')}"


def _stopped(reached: dict[str, Any]) -> str:
    """``Stopped at 0:16 of 1:58 (14 %)``, or that the file itself ended there."""
    from_s, at_s, of_s = (float(reached[name]) for name in ("from_s", "at_s", "of_s"))
    share = min(max((at_s - from_s) / max(of_s - from_s, 1e-9), 0.0), 1.0)
    what = "The file ends early:" if reached["file_ended"] else "Stopped at"
    return f"{what} {clock(at_s)} of {clock(of_s)} ({100 * share:.0f} %)"


def _failed(job: jobs.Job) -> None:
    st.error(f"**{plain(job.name)}**: {plain(job.error)}", icon=":material/error:")


def _cancelled(job: jobs.Job) -> None:
    st.markdown(f":material/cancel: **{plain(job.name)}**  \n:small[cancelled before anything was analysed]")


_DRAW = {"queued": _waiting, "running": _running, "done": _done, "failed": _failed, "cancelled": _cancelled}


def _strip_so_far(job: jobs.Job) -> None:
    """Top emotion over time of what is on disk already, one line per person."""
    from dashboard.services.running import so_far  # loads pandas, which an empty page need not wait for

    rows = so_far(job.id)
    rows = rows[rows["track"] >= 0]
    if rows.empty:
        return
    asked = kinds.VIDEO.read(job.settings)
    start_s = asked.start_s
    total = (asked.end_s or float(job.info.get("duration_s", 0))) - start_s
    if total <= 0:
        return
    lines = [_line(person, start_s, total) for _, person in list(rows.groupby("track"))[:6]]
    st.html(f'<div role="img" aria-label="Expressions so far">{"".join(lines)}</div>')


def _line(person: pd.DataFrame, start_s: float, total_s: float) -> str:
    """A bar with the top emotion of each of 200 slices of the video."""
    slices = ((person["time_s"] - start_s) / total_s * 200).astype(int).clip(0, 199)
    tops = person.groupby(slices)["emotion"].agg(lambda names: names.mode().iloc[0])
    colours = [EMOTION_COLOURS[tops[i]] if i in tops.index else "transparent" for i in range(200)]
    stops = ",".join(f"{colour} {i / 2}% {(i + 1) / 2}%" for i, colour in enumerate(colours))
    return (
        '<div style="height:10px;border-radius:5px;margin:3px 0;'
        f'background:linear-gradient(90deg,{stops}),color-mix(in srgb,currentColor 10%,transparent)"></div>'
    )
