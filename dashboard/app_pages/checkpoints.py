"""Checkpoints: which there are, how good they are, how they were trained; add one, evaluate one."""

import streamlit as st

from dashboard.components.checkpoints import add_form, details, outcome, overview
from dashboard.components.frame import show_errors
from dashboard.services import checkpoints

st.title("Checkpoints")
outcome()
entries = checkpoints.entries()
add_form()
if not entries:
    st.info("There is no checkpoint here. Add one above, or train one: see docs/training.md.", icon=":material/info:")
    st.stop()
overview(entries)
names = [entry.name for entry in entries]
chosen = st.selectbox("Look at", names, key="checkpoint", bind="query-params", width=300)
with show_errors():
    details(next(entry for entry in entries if entry.name == chosen))
