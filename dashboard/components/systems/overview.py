"""All systems in one table, and the way to each."""

from __future__ import annotations

from typing import Any

import streamlit as st

from dashboard.components.frame import plain
from dashboard.components.systems.head import KEY
from dashboard.components.systems.words import PERCENT, POINTS, data_of, epochs, model_title, percent, rows_or, state
from dashboard.services import systems as service
from fer_core.evaluation import NOT_COMPARABLE, Trained, headline, system_of
from fer_core.systems import System, systems


def overview() -> None:
    """One row for each system, then what each is."""
    ours = service.trained()
    rows_or(
        [_row(each, ours) for each in systems()],
        "",
        **{"They report": PERCENT, "We measure": PERCENT, "Difference": POINTS},
    )
    st.caption(
        "Of each system the highest accuracy that can be compared, if possible one beside which we have a figure. "
        "Differences are ours minus theirs, in percentage points; they say little where the epochs differ."
    )
    for each in systems():
        with st.container(horizontal=True, vertical_alignment="center", border=True):
            st.markdown(
                f"**{plain(each.name)}**, {each.year}  \n{plain(each.summary)}",
                width="stretch",
            )
            st.button(
                "Open", key=f"open-{each.name}", icon=":material/arrow_forward:", on_click=_open, args=(each.name,)
            )


def _open(name: str) -> None:
    st.session_state[KEY] = name


def _row(system: System, ours: dict[str, Trained]) -> dict[str, Any]:
    best = headline(system, ours)
    mine = [each for each in ours.values() if system_of(each.card) == system.name]
    recipes = {str(each.card.recipe).partition("-fold")[0] for each in mine} & set(system.recipes)
    return {
        "System": system.name,
        "They report": percent(best.claim.value) if best else None,
        "We measure": percent(best.value) if best else None,
        "Difference": percent(best.difference) if best else None,
        "Network": model_title(system, best.claim) if best else "",
        "Data": data_of(best.claim) if best else "",
        "Their epochs": best.claim.epochs if best else None,
        "Our epochs": epochs(best.ours) if best else "",
        "State": state(best) if best else f"none {NOT_COMPARABLE.replace('cannot', 'can')}",
        "Their figures": len(system.claims),
        "Comparable": sum(claim.comparable for claim in system.claims),
        "Recipes trained": f"{len(recipes)} of {len(system.recipes)}",
    }
