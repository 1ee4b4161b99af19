"""Videos: files in, what is at work, what is there, and the way to each of the four jobs."""

import streamlit as st

from dashboard.addresses import FACE, LIVE, MODEL
from dashboard.components.frame import show_errors
from dashboard.components.uploader import uploader
from dashboard.services import jobs, kinds, queues, samples
from dashboard.videos.form import ready_files, settings_form, summary
from dashboard.videos.library import library
from dashboard.videos.queue import at_work, set_aside

st.title("Who shows which expression, and when?")
st.write(
    "Upload a video or a picture. You get a timeline of seven facial expressions for every person in it, "
    "with the probabilities behind it."
)
set_aside()
with show_errors():
    uploader()
    with st.container(horizontal=True, vertical_alignment="center"):
        if st.button("Try the sample", icon=":material/play_circle:", help="A short clip that comes along."):
            samples.start()
            st.rerun()
        st.page_link(LIVE, label="Use the camera", icon=":material/videocam:", width="content")
        for page, label, icon, asked in (
            (MODEL, "See where a model errs", ":material/grid_on:", {"view": "Errors"}),
            (MODEL, "Map 7 against 3 classes", ":material/scatter_plot:", {"view": "Map"}),
            (FACE, "See what a model looks at", ":material/center_focus_strong:", {}),
        ):
            st.page_link(page, label=label, icon=icon, query_params=asked, width="content")

ready = [job for job in jobs.with_state("ready") if job.kind in kinds.UPLOADED]
if ready:
    ready_files(ready)
    request = settings_form(ready)
    label = "Analyze" if len(ready) == 1 else f"Analyze all {len(ready)}"
    with st.container(horizontal=True, vertical_alignment="center"):
        if st.button(label, type="primary", icon=":material/play_arrow:", disabled=request is None) and request:
            for job in ready:
                queues.start(job.id, request)
            st.rerun()
        if request:
            st.caption(summary(request, ready))
st.subheader("Your videos", anchor=False)
at_work()
library()
