"""What a new analysis begins with, and light or dark."""

from __future__ import annotations

import streamlit as st

from dashboard.services import defaults
from fer_core.emotions import HALFWAY, PRIORS
from fer_core.models.folders import runnable_names, titled
from fer_core.video.modes import MODES


def defaults_view() -> None:
    """Model, mode and prior of new analyses; each can be changed for one where it is begun."""
    names, holds = runnable_names(), defaults.kept()
    if not names:
        st.info("No model here has weights. Add or train one, see the page Models.")
        return
    first = names.index(defaults.first_checkpoint(names))
    checkpoint = st.selectbox("Model", names, first, format_func=titled, key="default-model", width=460)
    modes = list(MODES)
    mode = st.selectbox(
        "Mode", modes, modes.index(holds["mode"]) if holds.get("mode") in modes else 0, key="default-mode", width=460,
        help=" ".join(f"**{name}** {what}." for name, what in MODES.items()),
    )  # fmt: skip
    priors = list(PRIORS)
    prior = st.selectbox(
        "How common emotions are", priors, priors.index(holds["prior"] if holds.get("prior") in priors else HALFWAY),
        format_func=PRIORS.__getitem__, key="default-prior", width=460,
    )  # fmt: skip
    chosen = {"checkpoint": [checkpoint], "mode": mode, "prior": prior}
    if st.button("Save", type="primary", disabled=chosen == holds, key="save-defaults"):
        defaults.keep(chosen)
        st.toast("New analyses begin with these.")
        st.rerun()


def look_view() -> None:
    """How to change it, which Streamlit does itself."""
    st.markdown(
        "Light or dark follows this computer. For a projector choose it yourself: the menu **⋮** at the upper right, "
        "**Settings**, **Theme**. The browser's zoom (Ctrl and +) makes everything larger; charts and videos follow."
    )
