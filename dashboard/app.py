"""The server, ``streamlit run dashboard/app.py``: pages, our own routes, and workers that live as long as it does."""

import os
import sys
from pathlib import Path

import streamlit as st
from streamlit import config

if config.get_option("server.address") is None:  # .streamlit/config.toml was not read: the server would be open to all
    sys.exit("Start the workbench in its own folder, with 'make run', so that its settings hold.")

sys.path.insert(0, str(Path(__file__).parents[1]))  # the project's folder, from wherever it is started

from dashboard.services import places

os.umask(places.OWNER_ONLY)  # before anything is written: other accounts of the machine do not see whose face is where
places.tighten()

from dashboard.services.routes import ROUTES  # noqa: E402
from dashboard.services.workers import lifespan  # noqa: E402

app = st.App(Path(__file__).with_name("main.py"), routes=ROUTES, lifespan=lifespan)
