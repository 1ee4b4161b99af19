"""Learn: a face to try, and what the results mean and must not be used for."""

from pathlib import Path

import streamlit as st

from dashboard.addresses import FACE

st.title("Learn")
with st.container(border=True, horizontal=True, vertical_alignment="center"):
    st.markdown(
        "**Try a face**  \nWhich places of a face speak for an emotion, for any model: a picture of yours, one of a "
        "data set, a moment of a video.",
        width="stretch",
    )
    st.page_link(FACE, label="Try a face", icon=":material/center_focus_strong:", width="content")
st.markdown((Path(__file__).parents[2] / "docs" / "responsible-use.md").read_text("utf-8"))
