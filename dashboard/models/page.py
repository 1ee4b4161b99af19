"""Models: one list, the way to each, and to a model of one's own."""

import streamlit as st

from dashboard.addresses import SYSTEMS
from dashboard.components.frame import end_page
from dashboard.models.adding import add_form, outcome
from dashboard.models.listing import WHOSE, choose_whose, listing
from dashboard.services import checkpoints

st.title("Models")
outcome()
with st.container(horizontal=True, vertical_alignment="center"):
    whose = choose_whose()
    st.page_link(SYSTEMS, label="The five papers, their figures beside ours", icon=":material/compare_arrows:")
add_form(whose == WHOSE[-1])
entries = checkpoints.entries()
if not entries:
    st.info("There is no model here. Add one above, or train one: see docs/training.md.", icon=":material/info:")
    end_page()
listing(entries, whose)
