"""Live: the camera in the browser, what is seen in it at once, and recordings that become analyses."""

import streamlit as st

from dashboard.addresses import VIDEOS
from dashboard.components.frame import show_errors
from dashboard.components.live import live
from dashboard.services import queues
from dashboard.services.kinds import AnalyzeRequest
from dashboard.videos.queue import at_work

st.title("Live")
st.write("Only for people who agreed to it; in the European Union it is banned on pupils and staff.")
asked = st.query_params
with show_errors():
    said = live(checkpoint=asked.get("checkpoint", ""), detector=asked.get("detector", ""))
    if said.still:
        st.switch_page(VIDEOS)
    if made := said.recorded:
        queues.start(made.job, AnalyzeRequest(checkpoint=(made.checkpoint,), detector=made.detector))
at_work(with_done=True)
