"""People of an analysis: whom their faces say to be one person, to be decided, and what was measured of each."""

from __future__ import annotations

from html import escape

import streamlit as st

from dashboard.components.frame import counted, plain, show_errors
from dashboard.videos.review import tables
from fer_core.video.edits import Edit, left_out
from fer_core.video.proposals import Proposal, proposals
from fer_core.video.store import Analysis
from fer_core.video.view import Lens

MOST_SHOWN = 12


def people_view(analysis: Analysis, lens: Lens) -> None:
    """Proposals, and the table of people."""
    with show_errors():
        _proposals(analysis)
    tables.people_table(analysis, lens)
    for person in left_out(analysis.state):
        with st.container(horizontal=True, vertical_alignment="center", key=f"left-out-{person}"):
            name = analysis.state.name_of(person)
            st.markdown(f"**{plain(name)}** is left out: in no table, chart or export.", width="stretch")
            if st.button("Show again", key=f"include-{person}", icon=":material/undo:"):
                _decide(analysis, {"do": "include", "person": person})


def _proposals(analysis: Analysis) -> None:
    """A card for each two who may be one person; a decision is an edit, which undo takes back."""
    found, recognition = proposals(analysis), analysis.recognition
    if not found or recognition is None:
        return
    likeness = recognition["describer"]
    st.markdown("**May be one person**")
    st.caption(
        f"By their faces. The distance says how unlike two faces are and is no probability: up to "
        f"{likeness['joined']:g} people were joined, from {likeness['threshold']:g} on the network's maker takes them "
        "for two. Undo in the player takes a decision back."
    )
    for proposal in found[:MOST_SHOWN]:
        _card(analysis, proposal, proposal.likeness(likeness["joined"], likeness["threshold"]))
    if len(found) > MOST_SHOWN:
        st.caption(f"{counted(len(found) - MOST_SHOWN, 'less likely pair')} not shown yet.")


def _card(analysis: Analysis, proposal: Proposal, words: str) -> None:
    pair = proposal.person, proposal.other
    key = f"{analysis.revision}-{pair[0]}-{pair[1]}"
    names = [analysis.state.name_of(person) for person in pair]
    with st.container(border=True, horizontal=True, vertical_alignment="center"):
        faces = [_face(analysis.id, *each) for each in zip(pair, names, strict=True) if analysis.thumbnail(each[0])]
        if faces:
            st.html("".join(faces), width=176)
        st.markdown(
            f"**{plain(names[0])}** and **{plain(names[1])}**  \n:small[{words}, distance {proposal.distance:.2f}]",
            width="stretch",
        )
        if st.button("Same person", key=f"same-{key}", icon=":material/merge:"):
            _decide(analysis, {"do": "merge", "person": pair[1], "into": pair[0]})
        if st.button("Different people", key=f"apart-{key}", icon=":material/call_split:"):
            _decide(analysis, {"do": "apart", "person": pair[0], "other": pair[1]})


def _face(analysis_id: str, person: int, name: str) -> str:
    return (
        f'<img src="/api/thumbnail/{analysis_id}/{person}" alt="{escape(name, quote=True)}" width="80" height="80" '
        'style="border-radius:6px;margin-right:6px">'
    )


def _decide(analysis: Analysis, edit: Edit) -> None:
    analysis.do(edit)
    st.rerun()
