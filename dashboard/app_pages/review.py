"""Review: one analysis, to watch, question and take home."""

import streamlit as st

from dashboard.components.player import player
from dashboard.components.review import (
    choose_analysis,
    downloads,
    facts,
    header,
    people_table,
    seek_request,
    segments_table,
    timeline_of,
)

analysis = choose_analysis()
smoothing_s = header(analysis)
player(analysis, smoothing_s=smoothing_s, seek=seek_request(analysis, smoothing_s))

timeline = timeline_of(analysis, smoothing_s)
segments_tab, people_tab, facts_tab, downloads_tab = st.tabs(["Segments", "People", "How it was measured", "Downloads"])
with segments_tab:
    segments_table(analysis, timeline, smoothing_s)
with people_tab:
    people_table(analysis, timeline)
with facts_tab:
    facts(analysis)
with downloads_tab:
    downloads(analysis, smoothing_s)
