"""Settings: data sets, what is stored, what a new analysis begins with, and the look."""

from collections.abc import Callable

import streamlit as st

from dashboard.components.frame import show_errors
from dashboard.settings import datasets, defaults, storage

st.title("Settings")
PARTS: dict[str, Callable[[], None]] = {
    "Data sets": datasets.datasets_view, "Storage": storage.storage, "New analyses": defaults.defaults_view,
    "Look": defaults.look_view,
}  # fmt: skip
for tab, draw in zip(
    st.tabs(list(PARTS), key="part", bind="query-params", on_change="rerun"), PARTS.values(), strict=True
):
    if tab.open:
        with tab, show_errors():
            draw()
