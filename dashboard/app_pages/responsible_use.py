"""Responsible use: what the results mean, and what they must not be used for."""

from pathlib import Path

import streamlit as st

st.markdown((Path(__file__).parents[2] / "docs" / "responsible-use.md").read_text("utf-8"))
