"""The list of models: plain names, one yardstick for all, and the way to each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import streamlit as st

from dashboard.addresses import MODEL
from dashboard.components.frame import megabytes, plain
from dashboard.services import evaluations
from dashboard.services.checkpoints import Entry
from fer_core.models.folders import DEFAULT_CHECKPOINT

WORKBENCH = "workbench"
WHOSE = ("All", "Of the workbench", "From the papers", "Added")
YARDSTICKS = {"ferplus7": "people's votes", "fer2013": "original labels"}
_TEST = {"data": "fer2013", "split": "private_test", "tta": "none"}
YARDSTICK = (
    "Right: share of FER2013's test faces for which the model says what most of ten people voted (FER+, 3,350 faces), "
    "and what the data set's own label says (3,589), each face seen once. Models are trained on the one or the other."
)


def choose_whose() -> str:
    """Which models are listed."""
    chosen = st.segmented_control(
        "Whose", WHOSE, key="whose", bind="query-params", default=WHOSE[0], required=True, label_visibility="collapsed"
    )
    return chosen or WHOSE[0]


def listing(entries: Sequence[Entry], whose: str) -> None:
    """A row for each."""
    shown = [each for each in entries if whose == WHOSE[0] or whose == _whose(each)]
    if not shown:
        st.info("None of these is here yet.", icon=":material/info:")
        return
    st.caption(YARDSTICK)
    for entry in shown:
        _row(entry)


def _whose(entry: Entry) -> str:
    if entry.is_added:
        return "Added"
    system = entry.card.system if entry.card else WORKBENCH
    return "Of the workbench" if system in ("", WORKBENCH) else "From the papers"


def _row(entry: Entry) -> None:
    with st.container(border=True, horizontal=True, vertical_alignment="center", key=f"model-{entry.name}"):
        if entry.card is None:
            st.markdown(f":material/error: **{plain(entry.name)}**  \n:small[{plain(entry.error)}]", width="stretch")
            return
        title = entry.card.title or entry.name
        best = " :green-badge[Recommended]" if entry.name == DEFAULT_CHECKPOINT else ""
        size = megabytes(entry.n_bytes) if entry.is_runnable else "evaluations only"
        small = ", ".join([entry.name, entry.card.network, size])
        st.markdown(f"**{plain(title)}**{best}  \n:small[{plain(small)}]", width="stretch")
        for labels, words in YARDSTICKS.items():
            share = right(entry, labels)
            told = "–" if share is None else f"{share:.1%}"
            st.markdown(f"**{told}**  \n:small[{words}]", width=120)
        is_evaluated = bool(evaluations.tables(entry.name))
        if st.button("Open", key=f"open-{entry.name}", icon=":material/search:"):
            asked = {"checkpoint": entry.name, "view": "Errors" if is_evaluated else "Card"}
            st.switch_page(MODEL, query_params=asked)


def right(entry: Entry, labels: str) -> float | None:
    """The share of FER2013's private test that it gets right, by these labels; None where the card does not say."""
    wanted: dict[str, Any] = {**_TEST, "labels": labels}
    for figures in entry.card.metrics if entry.card else ():
        if all(figures.get(name) == value for name, value in wanted.items()):
            share = figures.get("accuracy")
            return float(share) if isinstance(share, int | float) else None
    return None
