"""Every page starts here: settings of the whole, navigation, the footer."""

import sys
from contextlib import suppress
from pathlib import Path

import streamlit as st

ROOT = str(Path(__file__).parents[1])
if ROOT not in sys.path:  # the project's folder, from wherever it is started
    sys.path.insert(0, ROOT)

from dashboard.addresses import EARLIER, PAGES  # noqa: E402
from dashboard.components.frame import PageEndedError, footer, leads_on, look, show_errors  # noqa: E402

st.set_page_config(page_title="FER workbench", page_icon=str(Path(__file__).with_name("icon.png")), layout="wide")
page = st.navigation(
    [
        *(
            st.Page(
                each.script, title=each.title, icon=each.icon, url_path=each.address or None,
                default=not each.address, visibility="visible" if each.is_place else "hidden",
            )
            for each in PAGES
        ),
        *(st.Page(leads_on(each), title="FER workbench", url_path=each, visibility="hidden") for each in EARLIER),
    ],
    position="top",
)  # fmt: skip
look()
body = st.container()
footer()  # first, so that a page that stops early has it too
with body, suppress(PageEndedError), show_errors():
    page.run()
