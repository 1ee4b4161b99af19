"""What to take home: tables with a data dictionary, the figure, and the annotated video of a range."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import streamlit as st

from dashboard.components.frame import interruption, megabytes, plain, show_errors
from dashboard.services import jobs, kinds, queues
from dashboard.videos.review.tables import timeline_of
from fer_core.video.dictionary import dictionary
from fer_core.video.export import KINDS, Excerpt, export
from fer_core.video.store import Analysis
from fer_core.video.view import Lens, prior_in_words

_BLUR = """Every face that was found, also of people who were left out, and in the frames around it. A face that the
detector never saw stays visible: check the result."""


def downloads(analysis: Analysis, lens: Lens, chosen: Excerpt) -> None:
    """Everything that can be downloaded, of the selection or of all."""
    stem = Path(analysis.name).stem
    is_span = chosen.end_s is not None
    with st.container(horizontal=True, vertical_alignment="center"):
        only_span = st.toggle("Only the selected span", is_span, disabled=not is_span, key=f"span-{is_span}")
        only_person = st.toggle("Only the chosen person", False, disabled=chosen.track is None)
        only_usable = st.toggle("Only usable rows", False, help="Rows for which no reason to doubt holds")
    wanted = Excerpt(
        chosen.start_s if only_span else 0.0, chosen.end_s if only_span else None,
        chosen.track if only_person else None, only_usable,
    )  # fmt: skip
    st.caption(_words(analysis, lens, wanted))
    with st.container(horizontal=True):
        for kind in KINDS.values():
            st.download_button(
                kind.title, partial(export, analysis, kind.name, lens, wanted), f"{stem}.{kind.name}", kind.media_type,
                on_click="ignore", icon=":material/download:", key=f"download-{kind.name}",
            )  # fmt: skip
        st.download_button(
            "Data dictionary", partial(_dictionary, analysis, lens), f"{stem}-columns.csv", "text/csv",
            on_click="ignore", icon=":material/menu_book:",
        )  # fmt: skip
    if not analysis.record["source"]["is_picture"] and analysis.source():
        job = jobs.of_target(analysis.id, kinds.ANNOTATE.name)
        active = job is not None and job.state in jobs.ACTIVE
        st.fragment(_annotated, run_every=1.0 if active else None)(analysis, lens, wanted, active)
    st.caption("**figure** above the chart draws the part in view, or the selection, as SVG or PNG.")


def _words(analysis: Analysis, lens: Lens, wanted: Excerpt) -> str:
    parts = [f"smoothed over {lens.smoothing_s:g} s" if lens.smoothing_s else "not smoothed"]
    parts += [prior_in_words(analysis, lens.model)]
    parts += [f"{wanted.start_s:.3f} to {wanted.end_s:.3f} s"] if wanted.end_s is not None else ["the whole time"]
    parts += [] if wanted.track is None else [f"only {plain(analysis.state.name_of(wanted.track))}"]
    parts += ["only usable rows"] if wanted.only_usable else []
    return "With all edits; " + ", ".join(parts) + "."


def _dictionary(analysis: Analysis, lens: Lens) -> bytes:
    columns = timeline_of(analysis, lens).columns.tolist()
    return dictionary(analysis, ["person", *columns], lens).to_csv(index=False).encode()


def _annotated(analysis: Analysis, lens: Lens, wanted: Excerpt, was_active: bool) -> None:
    job = jobs.of_target(analysis.id, kinds.ANNOTATE.name)
    if job is not None and job.state in jobs.ACTIVE:
        words = ", ".join([job.stage or "waiting", f"{job.share:.0%}", *interruption(job)])
        st.progress(job.share, text=words)
        return
    if was_active:
        st.rerun()
    if job is not None and job.state == "failed":
        st.error(plain(job.error), icon=":material/error:")
    path = analysis.folder / "annotated.mp4"
    with st.container(horizontal=True, vertical_alignment="center"):
        if path.is_file():
            st.link_button(
                f"Annotated video ({megabytes(path.stat().st_size)})",
                f"/api/annotated/{analysis.id}",
                icon=":material/download:",
            )
        blur = st.checkbox("Blur faces", help=_BLUR)
        label = "Make it anew" if path.is_file() else "Make annotated video"
        if st.button(label, icon=":material/movie:", key="annotate"):
            _order(analysis, lens, wanted, blur)
    made = jobs.of_target(analysis.id, kinds.ANNOTATE.name, "done")
    if path.is_file() and made is not None:
        with show_errors():
            st.caption(_made_with(kinds.ANNOTATE.read(made.settings), analysis))


def _order(analysis: Analysis, lens: Lens, wanted: Excerpt, blur: bool) -> None:
    request = kinds.AnnotateRequest(lens.smoothing_s, lens.model, wanted.start_s, wanted.end_s, blur, analysis.revision)
    queues.ask(kinds.ANNOTATE, request, name=analysis.name, target=analysis.id)
    st.rerun()


def _made_with(asked: kinds.AnnotateRequest, analysis: Analysis) -> str:
    parts = [f"smoothing {asked.smoothing_s:g} s" if asked.smoothing_s else "no smoothing"]
    parts += [f"{asked.start_s:.2f} to {asked.end_s:.2f} s"] if asked.end_s is not None else []
    parts += ["blurred faces"] if asked.blur else []
    parts += [prior_in_words(analysis, asked.model)] if asked.revision == analysis.revision else []
    old = "" if asked.revision == analysis.revision else " It was made before the last edits."
    return f"The annotated video has {', '.join(parts)}.{old}"
