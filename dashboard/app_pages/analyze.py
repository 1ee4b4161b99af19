"""Analyze: files in, progress, and the way to the results."""

import streamlit as st

from dashboard.components.analyze_form import ready_files, settings_form, summary
from dashboard.components.frame import show_errors
from dashboard.components.queue import queue
from dashboard.components.uploader import uploader
from dashboard.services import jobs, kinds, queues, samples

st.title("Who shows which expression, and when?")
st.write(
    "Upload a video or a picture. You get a timeline of seven facial expressions for every person in it, "
    "with the probabilities behind it."
)
with show_errors():
    uploader()
    if st.button("Try the sample", icon=":material/play_circle:", help="A short clip that comes with the workbench."):
        samples.start()
        st.rerun()

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
queue()
