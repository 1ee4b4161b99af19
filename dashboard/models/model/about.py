"""What is known of a model beside its answers to single pictures."""

from __future__ import annotations

import streamlit as st

from dashboard.addresses import SYSTEMS
from dashboard.components.frame import plain
from dashboard.models.model.card import card_view
from dashboard.models.model.curves import curves_view
from dashboard.models.model.header import REPRODUCTION
from dashboard.models.model.robustness import robustness_view
from dashboard.models.systems import figures
from dashboard.services.checkpoints import Entry
from fer_core.systems import system


def about_view(view: str, entry: Entry) -> None:
    """Draw one of ``header.ABOUT`` or the reproduction of the paper that it is from."""
    if view == REPRODUCTION:
        assert entry.card is not None
        paper = system(entry.card.system)
        st.markdown(f"**{plain(paper.title)}**, {paper.year}")
        asked = {"system": paper.name}
        st.page_link(SYSTEMS, label="All of this paper", icon=":material/compare_arrows:", query_params=asked)
        figures.figures_view(paper)
        return
    {"Robustness": robustness_view, "Curves": curves_view, "Card": card_view}[view](entry)
