"""A recipe as it is written: every setting, what the document says about it, and what was chosen here."""

from __future__ import annotations

from typing import Any

import streamlit as st
import yaml

from dashboard.components.frame import plain
from dashboard.services import systems as service
from fer_core.systems import System

_NO_SETTING = ("name", "system", "seed")
CHECKPOINTS = "app_pages/checkpoints.py"


def recipes_view(system: System) -> None:
    """One recipe of the system."""
    name = st.selectbox("Recipe", system.recipes, key="recipe", bind="query-params", width=380)
    of = [model.title for model in system.models if name in model.recipes]
    became = service.of_recipe(name)
    said = f"trained here as {', '.join(became)}" if became else "not trained here yet; this trains it"
    st.markdown(plain(f"{', '.join(of)}: {said}."))
    st.code(f"python -m training.train {name}", language="bash")
    if became:
        with st.container(horizontal=True):
            for checkpoint in became:
                if st.button(checkpoint, key=f"to-{checkpoint}", icon=":material/deployed_code:"):
                    st.switch_page(CHECKPOINTS, query_params={"checkpoint": checkpoint})
    text = service.recipe(name)
    if text.extends:
        st.caption(plain(f"Extends {', which extends '.join(text.extends)}; this is all of it together."))
    keys = dict.fromkeys((*text.settings, *text.document, *text.ours))
    st.table(
        [
            {
                "Setting": f"**{plain(key)}**",
                "Value": plain(_value(text.settings.get(key))),
                "The document says": plain(text.document.get(key, "")),
                "Ours": plain(text.ours.get(key, "")),
            }
            for key in keys
            if key not in _NO_SETTING or key in text.ours
        ],
        border="horizontal",
        hide_index=True,
    )
    st.caption("What the document says stands in its own column; ours says what was added or changed, and why.")


def _value(value: Any) -> str:
    """A value in yaml, on as few lines as it takes."""
    if value is None:
        return ""
    text = yaml.safe_dump(value, default_flow_style=True, width=1000, sort_keys=False, allow_unicode=True)
    return text.removesuffix("...\n").strip()
