"""Data sets: where they are on this machine, and what is in them."""

import streamlit as st

from dashboard.components.datasets import add_form, row
from dashboard.components.frame import show_errors
from dashboard.services import datasets

st.title("Data sets")
st.write(
    "Point the workbench to data sets that are on this machine. Nothing is copied or changed; pictures are shown from "
    "where they are, and any checkpoint can be evaluated on them."
)
add_form()
with show_errors():
    known = datasets.pointed()
    if not known:
        st.info(
            "None yet. The shipped evaluations work without; with FER2013 at hand, their pictures are shown too.",
            icon=":material/folder_open:",
        )
    for where in known:
        row(where)
