"""Every page starts here: settings of the whole, navigation, the footer."""

import sys
from pathlib import Path

import streamlit as st

ROOT = str(Path(__file__).parents[1])
if ROOT not in sys.path:  # the project's folder, from wherever it is started
    sys.path.insert(0, ROOT)

from dashboard.components.frame import compact, footer, show_errors, take_over  # noqa: E402

st.set_page_config(page_title="FER workbench", page_icon=str(Path(__file__).with_name("icon.png")), layout="wide")
page = st.navigation(
    [
        st.Page("app_pages/analyze.py", title="Analyze", icon=":material/upload:", default=True),
        st.Page("app_pages/review.py", title="Review", icon=":material/timeline:"),
        st.Page("app_pages/library.py", title="Library", icon=":material/video_library:"),
        st.Page("app_pages/checkpoints.py", title="Checkpoints", icon=":material/deployed_code:"),
        st.Page("app_pages/systems.py", title="Systems", icon=":material/compare_arrows:"),
        st.Page("app_pages/inspect.py", title="Inspect", icon=":material/search:"),
        st.Page("app_pages/explain.py", title="Explain", icon=":material/center_focus_strong:"),
        st.Page("app_pages/datasets.py", title="Data sets", icon=":material/folder_open:"),
        st.Page("app_pages/responsible_use.py", title="Responsible use", icon=":material/info:"),
    ],
    position="top",
)
take_over()
compact()
body = st.container()
footer()  # first, so that a page that stops early has it too
with body, show_errors():
    page.run()
