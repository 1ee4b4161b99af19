"""Library: all analyses on this machine."""

import streamlit as st

from dashboard.components.library import analysis_row, broken_row, disk_use, matching, page_of
from dashboard.services import places

st.title("Library")
everything = list(places.store().all())
disk_use(len(everything))
if not everything:
    st.info(
        "Nothing here yet. Every video you analyse is kept here until you delete it.", icon=":material/video_library:"
    )
    st.page_link("app_pages/analyze.py", label="Go to Analyze", icon=":material/upload:")
    st.stop()
found = matching(everything, st.text_input("Search", placeholder="Part of a name", icon=":material/search:"))
if not found:
    st.info("No analysis has this in its name. Try fewer letters.")
for entry in page_of(found):
    if isinstance(entry, tuple):
        broken_row(*entry)
    else:
        analysis_row(entry)
