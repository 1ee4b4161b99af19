"""All systems in one table, and the way to each."""

from __future__ import annotations

from typing import Any

import streamlit as st

from dashboard.components.frame import plain
from dashboard.models.systems.captions import PERCENT, POINTS, data_of, doubt, epochs, percent, rows_or, state
from dashboard.models.systems.head import KEY
from dashboard.services import systems as service
from fer_core.evaluation import NOT_COMPARABLE, Trained, headline
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
        with st.container(border=True, gap="xsmall"):
            st.button(
                each.name, key=f"open-{each.name}", icon=":material/arrow_forward:", type="tertiary", on_click=_open,
                args=(each.name,),
            )  # fmt: skip
            st.markdown(f"**{plain(each.title)}**, {each.year}  \n{plain(each.summary)}")


def _open(name: str) -> None:
    st.session_state[KEY] = name


def _row(system: System, ours: dict[str, Trained]) -> dict[str, Any]:
    best = headline(system, ours)
    trained = [recipe for recipe in system.recipes if service.of_recipe(recipe, ours)]
    return {
        "System": system.name,
        "They report": percent(best.claim.value) if best else None,
        "We measure": percent(best.value) if best else None,
        "Difference": percent(best.difference) if best else None,
        "Their epochs": best.claim.epochs if best else None,
        "Our epochs": epochs(best.ours) if best else "",
        "Network": system.model(best.claim.model).title if best else "",
        "Data": data_of(best.claim) if best else "",
        "State": state(best) if best else f"none {NOT_COMPARABLE.replace('cannot', 'can')}",
        "Contradicted in the document": doubt(best.claim, system) if best else "",
        "Their figures": len(system.claims),
        "Comparable": sum(claim.comparable for claim in system.claims),
        "Recipes trained": f"{len(trained)} of {len(system.recipes)}",
        "Note": best.claim.note if best else "",
    }
