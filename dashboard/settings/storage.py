"""What is stored where, with sizes, and the way to be rid of what can be made anew."""

from __future__ import annotations

import streamlit as st

from dashboard.components import later
from dashboard.components.frame import megabytes, plain, show_errors, size
from dashboard.services import places
from dashboard.services import storage as stored
from fer_core.home.layout import BY_NAME


def storage() -> None:
    """The rule of all, and a line for every group of files that there is."""
    later.rule_of_all()
    st.subheader("Stored on this machine")
    used = stored.used()
    st.caption(
        plain(
            f"{megabytes(sum(used.values()))} in {places.home()}. A copy of this folder is a backup, also while the "
            "workbench runs."
        )
    )
    for name in sorted(used, key=used.__getitem__, reverse=True):
        if used[name]:
            _line(name, used[name])


def _line(name: str, n_bytes: int) -> None:
    group = BY_NAME[name]
    with st.container(horizontal=True, vertical_alignment="center", key=f"stored-{name}"):
        st.markdown(f"**{group.title}**, {plain(size(n_bytes))}  \n:small[{plain(group.holds)}]", width="stretch")
        if group.costs and st.button("Delete", key=f"clear-{name}", icon=":material/delete:", type="tertiary"):
            _clear(name)


@st.dialog("Delete for good?")
def _clear(name: str) -> None:
    group = BY_NAME[name]
    st.markdown(f"**{group.title}** will be deleted from this machine. {group.costs}")
    with show_errors(), st.container(horizontal=True):
        if st.button("Delete", type="primary", icon=":material/delete:"):
            stored.clear(name)
            st.rerun()
        if st.button("Keep"):
            st.rerun()
