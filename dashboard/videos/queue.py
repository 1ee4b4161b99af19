"""What is at work: progress of every job, drawn anew each second while something runs."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import streamlit as st

from dashboard.addresses import REVIEW
from dashboard.components.frame import clock, counted, interruption, plain, show_errors
from dashboard.services import jobs, kinds, owner
from fer_core.emotions import EMOTION_COLOURS

if TYPE_CHECKING:
    import pandas as pd

SHOWN_FOR_S = 1800.0


def at_work(*, with_done: bool = False) -> None:
    """Draw what waits, runs or just failed, anew each second while something runs; ``with_done`` also what is done,
    where no list of analyses stands below."""
    active = _active()
    st.fragment(_queue, run_every=1.0 if active else None)(active, with_done)


def _active() -> frozenset[str]:
    return frozenset(job.id for job in jobs.with_state(*jobs.ACTIVE) if job.kind in kinds.UPLOADED)


def set_aside() -> None:
    """Say that tables were damaged and begun anew, until somebody has read it."""
    if not owner.damaged():
        return
    with st.container(border=True, horizontal=True, vertical_alignment="center"):
        st.markdown(
            ":orange[:material/warning:] The list of jobs was damaged, as by a full disk, and has begun anew. Finished "
            "analyses are still there; files that waited are ready again.",
            width="stretch",
        )
        if st.button("Understood", icon=":material/check:"):
            owner.dismiss()
            st.rerun()


def _queue(was_active: frozenset[str], with_done: bool) -> None:
    found = [job for job in jobs.recent(time.time() - SHOWN_FOR_S) if job.kind in kinds.UPLOADED]
    ended = [job for job in found if job.state not in jobs.ACTIVE and (with_done or job.state != "done")][-20:]
    shown = ended + [job for job in found if job.state in jobs.ACTIVE]
    for job in reversed(shown):
        with st.container(border=True, key=f"job-{job.id}"):
            _DRAW[job.state](job)
    if was_active - _active():
        st.rerun()  # something ended: it stands in the list below now


def _waiting(job: jobs.Job) -> None:
    words = "waiting to go on after an interruption" if job.interrupted else "waiting for its turn"
    words = "stopping; what is done so far is kept" if job.cancel else words
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"**{plain(job.name)}**  \n:small[{words}]", width="stretch")
        _cancel(job)


def _running(job: jobs.Job) -> None:
    left = job.remaining_s
    words = [job.stage or "starting", f"{job.share:.0%}", _counts(job)]
    words += [f"about {clock(left)} left"] if left is not None else []
    words += interruption(job)
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
        st.markdown(f":green[:material/check_circle:] **{plain(job.name)}**", width="stretch")
        if st.button("Open", key=f"open-{job.id}", type="primary", icon=":material/timeline:"):
            st.switch_page(REVIEW, query_params={"analysis": job.target})


def _counts(job: jobs.Job) -> str:
    return f"{counted(job.faces, 'face')} in {counted(job.frames, 'frame')}"


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
