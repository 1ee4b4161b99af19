"""The list of analyses on the first page: each with its state, what can be done with it, and with several at once."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import streamlit as st
from PIL import Image

from dashboard.addresses import REVIEW
from dashboard.components import later
from dashboard.components.frame import clock, counted, local_time, megabytes, plain, show_errors
from dashboard.services import deletion, jobs, places, uploads
from dashboard.services.repairs import findings, repaired
from dashboard.videos.plans import KEPT_SETTINGS
from dashboard.videos.states import stopped
from fer_core.errors import FerError, StoreError, sentence
from fer_core.home.analyses import savable
from fer_core.models.folders import titled
from fer_core.video.store import MAX_NAME, Analysis

PER_PAGE, SEARCH_FROM = 20, 4
PICKED = "pick-"
Entry = Analysis | tuple[str, StoreError]


def library() -> None:
    """All analyses, the newest first."""
    everything = list(places.store().all())
    if not everything:
        st.caption("Nothing here yet. Every video you analyse is kept here until you delete it.")
        return
    search = ""
    if len(everything) >= SEARCH_FROM:
        search = st.text_input(
            "Search", placeholder="Part of a name", icon=":material/search:", label_visibility="collapsed"
        )
    found = matching(everything, search)
    if not found:
        st.info("No analysis has this in its name. Try fewer letters.")
    shown = page_of(found)
    _with_several([_id(each) for each in shown])
    for entry in shown:
        row(entry)


def _id(entry: Entry) -> str:
    return entry[0] if isinstance(entry, tuple) else entry.id


def _with_several(ids: list[str]) -> None:
    """What can be done with all that are ticked."""
    picked = [each for each in ids if st.session_state.get(PICKED + each)]
    if not picked:
        return
    with st.container(border=True, horizontal=True, vertical_alignment="center", key="several"):
        st.markdown(f"**{counted(len(picked), 'video')} chosen**", width="stretch")
        st.download_button(
            "Export together", lambda: _archive(picked), "analyses.zip", "application/zip", on_click="ignore",
            icon=":material/download:", help="The timeline of each as CSV, with a data dictionary.",
        )  # fmt: skip
        if st.button("Delete", key="delete-several", icon=":material/delete:", type="tertiary"):
            _delete(picked, f"{len(picked)} analyses" if len(picked) > 1 else "one analysis")


def _archive(picked: list[str]) -> bytes:
    from dashboard.services.together import archive  # loads pandas, which a list need not wait for

    return archive(picked)


def matching(entries: list[Entry], words: str) -> list[Entry]:
    """Entries whose name has all words in it."""
    wanted = words.casefold().split()
    return [each for each in entries if not wanted or all(w in _name(each).casefold() for w in wanted)]


def _name(entry: Entry) -> str:
    if isinstance(entry, Analysis):
        with suppress(StoreError):  # of edits; their row says so
            return entry.name
        return str(entry.record["source"]["name"])
    return entry[0]


def page_of(entries: list[Entry]) -> list[Entry]:
    """The entries of the page that is chosen, where there are more than fit."""
    pages = -(-len(entries) // PER_PAGE)
    chosen = st.pagination(pages, key="page") if pages > 1 else 1
    return entries[(chosen - 1) * PER_PAGE : chosen * PER_PAGE]


def row(entry: Entry) -> None:
    """One analysis, or why it cannot be shown."""
    try:
        if isinstance(entry, tuple):
            raise entry[1]
        _analysis_row(entry)
    except (FerError, OSError) as error:
        _broken_row(entry[0] if isinstance(entry, tuple) else entry.id, sentence(error))


def _analysis_row(analysis: Analysis) -> None:
    name, source, people = analysis.name, analysis.record["source"], analysis.tracks
    state = stopped(analysis)
    words = [state] if state else []
    words += ["picture" if source["is_picture"] else clock(analysis.record["summary"]["duration_s"])]
    words += [f"{len(people)} {'person' if len(people) == 1 else 'people'}"]
    words += [titled(analysis.record["checkpoint"]["name"]), megabytes(analysis.size_bytes())]
    words += [local_time(analysis.record["created"]), *later.words(analysis)]
    icon = ":orange[:material/incomplete_circle:]" if state else ":green[:material/check_circle:]"
    with st.container(border=True, horizontal=True, vertical_alignment="center", key=f"row-{analysis.id}"):
        st.checkbox(f"Choose {name}", key=PICKED + analysis.id, label_visibility="collapsed")
        if people and (picture := _face(analysis, people[0])) is not None:
            st.image(picture, width=56, alt=f"A face in {name}")
        st.markdown(f"{icon} **{plain(name)}**  \n:small[{plain(', '.join(words))}]", width="stretch")
        if st.button("Open", key=f"open-{analysis.id}", icon=":material/timeline:"):
            st.switch_page(REVIEW, query_params={"analysis": analysis.id})
        chosen = st.menu_button("More", list(_MORE), key=f"more-{analysis.id}", type="tertiary")
        if chosen is not None:
            _MORE[chosen](analysis)


def _face(analysis: Analysis, track: int) -> Image.Image | None:
    """A person's face; None where there is none, or where the picture is damaged."""
    with suppress(Exception):  # Pillow raises many kinds
        if (path := analysis.thumbnail(track)) is not None:
            with Image.open(path) as picture:
                return picture.convert("RGB")
    return None


def _broken_row(analysis_id: str, why: str) -> None:
    """An analysis that cannot be opened: why, what of it can be saved or repaired, and the way to be rid of it."""
    folder = places.store().folder(analysis_id)
    saved = savable(folder)
    words = f"{why} {'What can be saved: ' + ' and '.join(saved) + '.' if saved else 'Nothing of it can be saved.'}"
    with st.container(border=True, horizontal=True, vertical_alignment="center", key=f"row-{analysis_id}"):
        st.markdown(f":material/error: {plain(words)}", width="stretch")
        if "the video" in saved:
            st.link_button("Video", f"/api/media/{analysis_id}", icon=":material/download:")
        if "the timeline" in saved:
            table = saved["the timeline"]
            st.download_button(
                "Timeline", table.read_bytes, f"{analysis_id}{table.suffix}", on_click="ignore",
                icon=":material/download:", key=f"save-{analysis_id}",
            )  # fmt: skip
        if any(each.repair for each in findings(folder)) and st.button(
            "Repair", key=f"repair-{analysis_id}", icon=":material/build:"
        ):
            with show_errors():
                repaired(folder)
                st.rerun()
        if st.button("Delete", key=f"delete-{analysis_id}", icon=":material/delete:", type="tertiary"):
            _delete([analysis_id], "This damaged analysis")


def _again(analysis: Analysis) -> None:
    """Its video waits once more, with the settings that it had, for other ones or another model."""
    source = analysis.source()
    if source is None:
        st.toast("Its video is no longer here, so it cannot be analysed again.", icon=":material/error:")
        return
    with st.spinner("Copying the video"), show_errors():
        job = uploads.add_copy(source, str(analysis.record["source"]["name"]))
        jobs.plan(job.id, analysis.record["settings"] | {"checkpoint": analysis.models})
        st.session_state.pop(KEPT_SETTINGS, None)
        st.rerun()


@st.dialog("Rename")
def _rename(analysis: Analysis) -> None:
    name = st.text_input("Name", analysis.name, max_chars=MAX_NAME)
    with show_errors():
        if st.button("Save", type="primary"):
            places.store().rename(analysis.id, name)
            st.rerun()


@st.dialog("Delete for good?")
def _delete(analysis_ids: list[str], name: str) -> None:
    st.markdown(
        f"**{plain(name)}**, with videos, results and what was made from them, will be removed from this machine. "
        "This cannot be undone."
    )
    with show_errors(), st.container(horizontal=True):
        if st.button("Delete", type="primary", icon=":material/delete:"):
            for each in analysis_ids:
                deletion.delete_analysis(each)
            st.rerun()
        if st.button("Keep"):
            st.rerun()


_MORE: dict[str, Callable[[Analysis], None]] = {
    "Analyze again": _again,
    "Rename": lambda analysis: _rename(analysis),
    "Delete later": lambda analysis: later.of_analysis(analysis),
    "Delete": lambda analysis: _delete([analysis.id], analysis.name),
}
