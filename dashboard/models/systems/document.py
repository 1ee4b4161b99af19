"""What a document says about training and results, and where it contradicts itself."""

from __future__ import annotations

import streamlit as st

from dashboard.components.frame import plain
from dashboard.models.systems.head import bullets
from fer_core.systems import Contradiction, System


def document_view(system: System) -> None:
    """Contradictions, then the rest of what was read."""
    st.markdown("#### Where the document contradicts itself")
    if not system.contradictions:
        st.caption("Nothing was found.")
    columns = st.columns(2)
    for i, each in enumerate(system.contradictions):
        with columns[i % 2]:
            _contradiction(each, any(claim.contradiction == each.id for claim in system.claims))
    st.markdown("#### What else it says")
    left, right = st.columns(2, gap="large")
    left.markdown("**Training**\n" + bullets(system.optimisation))
    right.markdown("**Results to reproduce**\n" + bullets(system.outputs))
    if system.notes:
        st.markdown("**To know when reading it**\n" + bullets(system.notes))


def _contradiction(each: Contradiction, is_of_figure: bool) -> None:
    with st.container(border=True):
        st.markdown(f"**{plain(_sentence(each.about))}**" + (" :small[(touches a figure)]" if is_of_figure else ""))
        st.markdown("".join(f"- {plain(said.says)} :small[({plain(said.where)})]\n" for said in each.readings))
        st.markdown(f"**Taken**: {plain(each.taken)}  \n:small[{plain(each.why)}]")


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]
