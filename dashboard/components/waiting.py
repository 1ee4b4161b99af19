"""An answer that a worker is making."""

from __future__ import annotations

from typing import Any

import streamlit as st

from dashboard.components.frame import plain
from dashboard.services import jobs


def is_there(answer: dict[str, Any], text: str, *, was_active: bool) -> bool:
    """Whether the answer of a job is there; else its progress or its error is drawn. Where it was still being made when
    the page ran, the whole page runs again, which ends the asking."""
    if answer["state"] in jobs.ACTIVE:
        st.progress(answer["share"], text=text)
        return False
    if was_active:
        st.rerun()
    if answer["state"] != "done":
        st.error(plain(answer["error"] or "Stopped."), icon=":material/error:")
    return bool(answer["state"] == "done")
