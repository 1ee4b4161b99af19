"""Review: one analysis, to watch, question and take home."""

import streamlit as st

from dashboard.components import review
from dashboard.components.player import player

analysis = review.choose_analysis()
smoothing_s = review.header(analysis)
player(analysis, smoothing_s=smoothing_s, seek=review.seek_request(analysis, smoothing_s))

timeline = review.timeline_of(analysis, smoothing_s)
is_picture = analysis.record["source"]["is_picture"]
names = ["Faces"] if is_picture else ["Segments", "People"]
*views, facts, downloads = st.tabs([*names, "How it was measured", "Downloads"])
if is_picture:
    with views[0]:
        review.faces_table(analysis, timeline)
else:
    with views[0]:
        review.segments_table(analysis, timeline, smoothing_s)
    with views[1]:
        review.people_table(analysis, timeline)
with facts:
    review.facts(analysis)
with downloads:
    review.downloads(analysis, smoothing_s)
