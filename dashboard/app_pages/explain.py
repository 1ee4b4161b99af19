"""Explain: which places of a face speak for an emotion, and whether the map can be trusted."""

import streamlit as st

from dashboard.components.explain.maps import choose_wanted, maps_view
from dashboard.components.explain.source import choose_source
from dashboard.components.explain.span import span_view
from dashboard.components.frame import show_errors

st.title("Why this answer?")
with show_errors():
    source = choose_source()
    wanted = choose_wanted(source)
    if source is None or wanted is None:
        st.stop()
    maps_view(source, wanted)
    if "analysis" in source:
        span_view(source, wanted)
