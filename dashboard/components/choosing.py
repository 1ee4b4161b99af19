"""Choosing a model by its title, while the address says its name."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from fer_core.models.folders import titled

NOTHING = "nothing"


def choose_model(label: str, names: Sequence[str], key: str, *, width: int = 420) -> str:
    """A list of models of which the address's parameter ``key`` names the chosen one.

    ``bind="query-params"`` would write titles into addresses, which change; the name of a folder stays.
    """
    asked, kept = st.query_params.get(key), f"{key}-was"
    if asked in names and st.session_state.get(kept) != asked:
        st.session_state[key] = asked
    elif st.session_state.get(key) not in (None, *names):
        del st.session_state[key]
    chosen = st.selectbox(label, names, key=key, format_func=_shown, width=width)
    st.session_state[kept] = chosen
    if chosen != (asked if asked in names else names[0]):
        st.query_params[key] = chosen
    return str(chosen)


def _shown(name: str) -> str:
    return name if name == NOTHING else titled(name)
