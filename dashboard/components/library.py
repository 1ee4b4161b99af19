"""Rows of the Library page."""

from __future__ import annotations

import streamlit as st

from dashboard.components.frame import clock, megabytes, plain, show_errors
from dashboard.services import jobs, places
from fer_core.errors import StoreError
from fer_core.video.store import MAX_NAME, Analysis, folder_bytes

PER_PAGE = 20
Entry = Analysis | tuple[str, StoreError]


def disk_use(n: int) -> None:
    used, free = folder_bytes(places.home()), places.free_bytes()
    st.caption(
        plain(
            f"{n} {'analysis' if n == 1 else 'analyses'}, {megabytes(used)} in {places.home()}; {megabytes(free)} free."
        )
    )


def matching(entries: list[Entry], words: str) -> list[Entry]:
    """Entries whose name has all words in it."""
    wanted = words.casefold().split()
    return [each for each in entries if not wanted or all(w in _name(each).casefold() for w in wanted)]


def _name(entry: Entry) -> str:
    return entry.name if isinstance(entry, Analysis) else entry[0]


def page_of(entries: list[Entry]) -> list[Entry]:
    """The entries of the page that is chosen, where there are more than fit."""
    pages = -(-len(entries) // PER_PAGE)
    chosen = st.pagination(pages, key="page") if pages > 1 else 1
    return entries[(chosen - 1) * PER_PAGE : chosen * PER_PAGE]


def analysis_row(analysis: Analysis) -> None:
    source, people = analysis.record["source"], analysis.tracks
    words = ["picture" if source["is_picture"] else clock(analysis.record["summary"]["duration_s"])]
    words += [f"{len(people)} {'person' if len(people) == 1 else 'people'}", analysis.record["checkpoint"]["name"]]
    words += [megabytes(analysis.size_bytes()), analysis.record["created"][:16].replace("T", " ")]
    words += [] if analysis.record["complete"] else ["not complete"]
    with st.container(border=True, horizontal=True, vertical_alignment="center", key=f"row-{analysis.id}"):
        picture = analysis.thumbnail(people[0]) if people else None
        if picture is not None:
            st.image(str(picture), width=56)
        st.markdown(f"**{plain(analysis.name)}**  \n:small[{plain(', '.join(words))}]", width="stretch")
        if st.button("Open", key=f"open-{analysis.id}", icon=":material/timeline:"):
            st.switch_page("app_pages/review.py", query_params={"analysis": analysis.id})
        if st.button("Rename", key=f"rename-{analysis.id}", icon=":material/edit:", type="tertiary"):
            _rename(analysis)
        if st.button("Delete", key=f"delete-{analysis.id}", icon=":material/delete:", type="tertiary"):
            _delete(analysis.id, analysis.name)


def broken_row(analysis_id: str, error: StoreError) -> None:
    """An analysis that cannot be opened: why, and the way to be rid of it."""
    with st.container(border=True, horizontal=True, vertical_alignment="center"):
        st.markdown(f":material/error: {plain(str(error))}", width="stretch")
        if st.button("Delete", key=f"delete-{analysis_id}", icon=":material/delete:", type="tertiary"):
            _delete(analysis_id, "this damaged analysis")


@st.dialog("Rename")
def _rename(analysis: Analysis) -> None:
    name = st.text_input("Name", analysis.name, max_chars=MAX_NAME)
    with show_errors():
        if st.button("Save", type="primary"):
            places.store().rename(analysis.id, name)
            st.rerun()


@st.dialog("Delete for good?")
def _delete(analysis_id: str, name: str) -> None:
    st.markdown(
        f"**{plain(name)}**, its video and its results will be removed from this machine. This cannot be undone."
    )
    with show_errors(), st.container(horizontal=True):
        if st.button("Delete", type="primary", icon=":material/delete:"):
            places.store().delete(analysis_id)
            jobs.forget(analysis_id)
            st.rerun()
        if st.button("Keep"):
            st.rerun()
