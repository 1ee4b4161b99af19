"""The server, ``streamlit run dashboard/app.py``: pages, our own routes, and workers that live as long as it does."""

import sys
from pathlib import Path

import streamlit as st

sys.path.insert(0, str(Path(__file__).parents[1]))  # the project's folder, from wherever it is started

from dashboard.services.routes import ROUTES
from dashboard.services.workers import lifespan

app = st.App(Path(__file__).with_name("main.py"), routes=ROUTES, lifespan=lifespan)
