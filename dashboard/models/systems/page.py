"""Systems: what the five source systems are, what their authors report, and what ours measure beside it."""

import streamlit as st

from dashboard.components.frame import end_page, show_errors
from dashboard.models.systems import balance, classes, curves, document, figures, head, overview, recipes
from fer_core.systems import NAMES, system

st.title("Five systems, their figures and ours")
name = head.choose_system(NAMES)
if name == head.ALL:
    with show_errors():
        overview.overview()
    end_page()
with show_errors():
    chosen = system(name)
    head.header(chosen)
    view = head.choose_view()
    if view == "Figures":
        figures.figures_view(chosen)
    elif view == "Classes":
        classes.classes_view(chosen)
    elif view == "Curves":
        curves.curves_view(chosen)
    elif view == "Balance":
        balance.balance_view(chosen)
    elif view == "Recipes":
        recipes.recipes_view(chosen)
    else:
        document.document_view(chosen)
