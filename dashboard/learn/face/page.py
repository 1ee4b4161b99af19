"""Try a face: which places of a face speak for an emotion, and whether the map can be trusted."""

import streamlit as st

from dashboard.components.frame import end_page, show_errors
from dashboard.learn.face.kept import kept
from dashboard.learn.face.maps import choose_wanted, maps_view
from dashboard.learn.face.source import choose_source
from dashboard.learn.face.span import span_view

st.title("Why this answer?")
body = st.container()
kept()
with body, show_errors():
    source = choose_source()
    wanted = choose_wanted(source)
    if source is None or wanted is None:
        end_page()
    maps_view(source, wanted)
    if "analysis" in source:
        span_view(source, wanted)
