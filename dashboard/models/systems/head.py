"""Top of the Systems page: which system, which view of it, and what the system is. The address holds the choices."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import streamlit as st

from dashboard.addresses import LIVE
from dashboard.components.frame import plain
from fer_core.faces.detectors import DETECTORS
from fer_core.systems import System

ALL = "All"
VIEWS = ("Figures", "Classes", "Curves", "Balance", "Recipes", "Document")
KEY = "system"


def choose_system(names: Sequence[str]) -> str:
    """The widget; ``ALL`` for all of them."""
    options = (ALL, *names)
    name = st.segmented_control(
        "System", options, key=KEY, bind="query-params", required=True, default=ALL, label_visibility="collapsed"
    )
    return name or ALL  # an address may have an empty one


def choose_view() -> str:
    """What to show of a system."""
    view = st.segmented_control("Show", VIEWS, key="show", bind="query-params", required=True, default=VIEWS[0])
    return view or VIEWS[0]


def header(system: System) -> None:
    """Who, when, what in short, and with which data, detector and models."""
    st.subheader(plain(system.title), anchor=False)
    about = ", ".join(system.authors), system.institution, f"{system.kind}, {system.year}"
    st.caption(plain(" · ".join(about)))
    st.markdown(plain(system.summary))
    st.markdown(f"**Face detector**: {plain(system.detector)}")
    if (live := system.live) is not None:
        st.page_link(
            LIVE, label=f"Live with {live.checkpoint} and {DETECTORS[live.detector].title}", icon=":material/videocam:",
            query_params={"checkpoint": live.checkpoint, "detector": live.detector},
        )  # fmt: skip
    with st.expander("Data and models", icon=":material/info:"):
        left, right = st.columns(2, gap="large")
        left.markdown("**Data**\n" + bullets(system.data))
        right.markdown("**Models**\n" + bullets(f"{model.title}: {model.what}" for model in system.models))


def bullets(lines: Iterable[str]) -> str:
    """A Markdown list, each line as it is."""
    return "".join(f"\n- {plain(line)}" for line in lines)
