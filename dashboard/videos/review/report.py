"""What to hand on: the report, the archive, the plan; and what the people in the video were told."""

from __future__ import annotations

from datetime import date
from functools import partial
from pathlib import Path

import streamlit as st

from dashboard.components.frame import plain, show_errors
from fer_core.report import FRAMES
from fer_core.report.notice import LANGUAGES, Notice, keep_notice, kept_notice, notice_page
from fer_core.report.pdf import MISSING, can_print, to_pdf
from fer_core.video.plan import deviations, kept_plan, plan_of
from fer_core.video.store import MAX_NOTE, Analysis
from fer_core.video.view import Lens

_FRAMES_HELP = "Blurred: wherever the detector found a face. Look at them before you pass the report on."


def report_view(analysis: Analysis, lens: Lens) -> None:
    """Everything that is handed on as a whole."""
    _planned(analysis, lens)
    _downloads(analysis, lens)
    left, right = st.columns(2, gap="large")
    with left:
        _agreed(analysis)
    with right:
        _notice(analysis)


def _planned(analysis: Analysis, lens: Lens) -> None:
    """Whether it is as planned."""
    plan = kept_plan(analysis)
    if plan is None:
        return
    named = f" “{plain(plan.title)}”" if plan.title else ""
    found = deviations(analysis, plan, lens)
    if not found:
        st.success(f"As planned{named}.", icon=":material/assignment_turned_in:")
        return
    lines = "".join(f"\n- {plain(each)}" for each in found)
    st.warning(f"Not as planned{named}:\n{lines}", icon=":material/assignment_late:")


def _downloads(analysis: Analysis, lens: Lens) -> None:
    stem = Path(analysis.name).stem
    with st.container(horizontal=True, vertical_alignment="bottom"):
        frames = st.segmented_control(
            "Faces in key frames", list(FRAMES), default=FRAMES[0], required=True, help=_FRAMES_HELP
        )
        frames = frames or FRAMES[0]
        made = partial(_report, analysis, lens, frames)
        st.download_button(
            "Report", made, f"{stem}-report.html", "text/html", on_click="ignore", type="primary",
            icon=":material/summarize:", help="One page that opens offline in any browser.",
        )  # fmt: skip
        st.download_button(
            "PDF", lambda: to_pdf(made()), f"{stem}-report.pdf", "application/pdf", on_click="ignore",
            icon=":material/picture_as_pdf:", disabled=not can_print(), help=None if can_print() else MISSING,
        )  # fmt: skip
        st.download_button(
            "Archive", partial(_archive, analysis, lens, frames), f"{stem}.zip", "application/zip",
            on_click="ignore", icon=":material/folder_zip:",
            help="Tables, data dictionary, report, plan and cards in one file, for OSF or Zenodo. No video is in it.",
        )  # fmt: skip
        st.download_button(
            "Plan", plan_of(analysis, lens.smoothing_s, lens.model).to_yaml(), f"{stem}-plan.yaml", "application/yaml",
            on_click="ignore", icon=":material/assignment:",
            help="All settings, to analyze other videos in the same way.",
        )  # fmt: skip


def _report(analysis: Analysis, lens: Lens, frames: str) -> bytes:
    from fer_core.report.analysis import analysis_report  # needs what decodes video, which a page need not wait for

    return analysis_report(analysis, lens, frames=frames)


def _archive(analysis: Analysis, lens: Lens, frames: str) -> bytes:
    from fer_core.report.archive import archive

    return archive(analysis, lens, frames=frames)


def _agreed(analysis: Analysis) -> None:
    """When the people in it were told and agreed."""
    said = analysis.agreed
    st.subheader("Told and agreed", anchor=False)
    if said:
        st.markdown(f":material/task_alt: **{said['date']}** {plain(said['note'])}")
    else:
        st.caption("Not written down. It stands in every report and in exports.")
    with st.form(f"agreed-{analysis.id}", border=False), show_errors():
        day = st.date_input("Day", date.fromisoformat(said["date"]) if said else None, format="YYYY-MM-DD")
        note = st.text_area(
            "Note", said["note"] if said else "", max_chars=MAX_NOTE, placeholder="By letter, to all four"
        )
        if st.form_submit_button("Save", icon=":material/save:"):
            analysis.agree(day.isoformat() if isinstance(day, date) else "", note)
            st.rerun()


def _notice(analysis: Analysis) -> None:
    """A notice for those who are filmed, to print and to keep."""
    kept = kept_notice(analysis)
    st.subheader("Notice for the people in it", anchor=False)
    if kept is not None:
        st.download_button(
            f"Notice ({LANGUAGES[kept.language]})", partial(notice_page, kept), f"notice-{kept.language}.html",
            "text/html", on_click="ignore", icon=":material/print:",
        )  # fmt: skip
    else:
        st.caption("Filled from this form, printable, kept with the analysis. Check it before you rely on it.")
    with (
        st.expander("Write it" if kept is None else "Change it", expanded=False),
        st.form(f"notice-{analysis.id}", border=False),
    ):
        language = st.selectbox(
            "Language",
            list(LANGUAGES),
            list(LANGUAGES).index(kept.language) if kept else 0,
            format_func=LANGUAGES.__getitem__,
        )
        who = st.text_input("Who is responsible", kept.who if kept else "", placeholder="Name, institution")
        what = st.text_input("What is recorded", kept.what if kept else "", placeholder="Video of your face while …")
        purpose = st.text_input("What for", kept.purpose if kept else "")
        how_long = st.text_input("For how long it is kept", kept.how_long if kept else "")
        contact = st.text_input("Contact", kept.contact if kept else "", placeholder="Address, e-mail")
        if st.form_submit_button("Save", icon=":material/save:"):
            with show_errors():
                keep_notice(analysis, Notice(who, what, purpose, how_long, contact, language))
                st.rerun()
