"""The server, ``streamlit run dashboard/app.py``: pages, our own routes, and workers that live as long as it does."""

import logging
import os
import sys
from pathlib import Path

import streamlit as st
from streamlit import config

if (address := config.get_option("server.address")) is None:  # .streamlit/config.toml was not read
    sys.exit("Start the workbench in its own folder, with 'make run', so that its settings hold.")
if address not in ("localhost", "127.0.0.1", "::1"):
    sys.exit(
        f"The address {address} would show every analysis to whoever reaches this machine, as there is no login. Leave "
        "--server.address away; from another machine use 'ssh -L 8501:localhost:8501', or a reverse proxy with a login "
        "(docs/security.md)."
    )

sys.path.insert(0, str(Path(__file__).parents[1]))  # the project's folder, from wherever it is started

from dashboard.services import access, owner, places
from fer_core.errors import InputError, StoreError
from fer_core.home import version

os.umask(places.OWNER_ONLY)  # before anything is written: other accounts of the machine do not see whose face is where
try:
    version.check_version(places.home())
    other = owner.take()
    if other is None:
        version.migrate(places.home())
except StoreError as error:
    sys.exit(str(error))
if other is not None:
    sys.exit(
        f"The workbench runs already with the data folder {places.home()}{f': open {other}' if other else ''}. "
        "Set FER_HOME to another folder for a second one."
    )
places.tighten()
owner.set_aside()
try:
    access.token()
except InputError as error:
    sys.exit(str(error))
logging.getLogger("uvicorn.error").setLevel(logging.WARNING)  # its address has no token; ours stands last

from dashboard.services.doors import MIDDLEWARE  # noqa: E402
from dashboard.services.patience import see_to_connections  # noqa: E402
from dashboard.services.routes import ROUTES  # noqa: E402
from dashboard.services.workers import lifespan  # noqa: E402

see_to_connections()
app = st.App(Path(__file__).with_name("main.py"), routes=ROUTES, middleware=MIDDLEWARE, lifespan=lifespan)
