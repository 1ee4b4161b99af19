"""A recipe as it is written: every setting, what the document says about it, and what was chosen here."""

from __future__ import annotations

import html
from collections.abc import Mapping
from typing import Any

import streamlit as st
import yaml

from dashboard.addresses import MODEL
from dashboard.components.frame import plain
from dashboard.services import systems as service
from dashboard.services.systems import RecipeText
from fer_core.systems import System

_NO_SETTING, _SAID = ("name", "system"), ("The document says", "Ours")


def recipes_view(system: System) -> None:
    """One recipe of the system."""
    name = st.selectbox("Recipe", system.recipes, key="recipe", bind="query-params", width=380)
    of = [model.title for model in system.models if name in model.recipes]
    became = service.of_recipe(name, service.trained())
    said = f"trained here as {', '.join(became)}" if became else "not trained here yet; this trains it"
    st.markdown(plain(f"{', '.join(of)}: {said}."))
    st.code(f"python -m training.train {name}", language="bash")
    if became:
        with st.container(horizontal=True):
            for checkpoint in became:
                if st.button(checkpoint, key=f"to-{checkpoint}", icon=":material/deployed_code:"):
                    st.switch_page(MODEL, query_params={"checkpoint": checkpoint, "view": "Card"})
    text = service.recipe(name)
    if text.extends:
        st.caption(plain(f"Extends {', which extends '.join(text.extends)}; this is all of it together."))
    st.html(_table(text))


def _table(text: RecipeText) -> str:
    """All settings as a table, which on a phone becomes a list."""
    keys = dict.fromkeys((*text.settings, *text.document, *text.ours))
    rows = [_row(text, key) for key in keys if key not in _NO_SETTING or key in text.ours]
    heads = "".join(f"<th>{head}</th>" for head in ("Setting", "Value", *_SAID))
    return f"{_STYLE}<table class='recipe'><thead><tr>{heads}</tr></thead><tbody>{''.join(rows)}</tbody></table>"


def _row(text: RecipeText, key: str) -> str:
    said = zip(_SAID, (text.document.get(key, ""), text.ours.get(key, "")), strict=True)
    cells = "".join(f"<td data-head='{head}'>{html.escape(words)}</td>" for head, words in said)
    lines = "<br>".join(html.escape(line) for line in _lines(text.settings.get(key)))
    return f"<tr><th>{html.escape(key)}</th><td><code>{lines}</code></td>{cells}</tr>"


def _lines(value: Any) -> list[str]:
    """A value in yaml; of a mapping one line for each key."""
    if isinstance(value, Mapping):
        return [f"{key}: {_flow(each)}" for key, each in value.items()]
    return [] if value is None else [_flow(value)]


def _flow(value: Any) -> str:
    text = yaml.safe_dump(value, default_flow_style=True, width=1000, sort_keys=False, allow_unicode=True)
    return text.removesuffix("...\n").strip()


_STYLE = """<style>
.recipe{width:100%;border-collapse:collapse;font-size:.875rem;line-height:1.45}
.recipe th,.recipe td{text-align:left;vertical-align:top;padding:.45rem .75rem .45rem 0;overflow-wrap:anywhere}
.recipe tr{border-bottom:1px solid rgba(128,128,128,.3)}
.recipe thead th{font-weight:400;opacity:.7}
.recipe tbody th{width:8rem}
.recipe td{width:30%}
.recipe code{font-size:.8rem}
@media (max-width:640px){
.recipe thead{display:none}
.recipe tr{display:block;padding:.5rem 0}
.recipe tbody th,.recipe td{display:block;width:auto;padding:.15rem 0}
.recipe td:empty{display:none}
.recipe td[data-head]::before{content:attr(data-head) ": ";opacity:.7}
}
</style>"""
