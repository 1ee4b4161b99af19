"""Their figures and ours side by side, what cannot be compared and why, and what is still to be trained."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import streamlit as st

from dashboard.components.frame import clock, plain
from dashboard.models.systems import captions
from dashboard.models.systems.captions import PERCENT, POINTS, percent, rows_or
from dashboard.services import checkpoints
from dashboard.services import systems as service
from fer_core.evaluation import Comparison
from fer_core.systems import Claim, System

_LOSS = st.column_config.NumberColumn(format="%.2f")
_LOSS_DIFFERENCE = st.column_config.NumberColumn(format="%+.2f", help="Ours minus theirs, in nats")


def figures_view(system: System) -> None:
    """Figures of single classes that stand in tables of the document are in the view Classes."""
    found = service.compared(system)
    tabled = {claim.id for table in system.tables for claim in table.claims}
    listed = [found[claim.id] for claim in system.claims if claim.comparable and claim.id not in tabled]
    shares = [pairs for pairs in listed if pairs[0].claim.metric != "loss"]
    losses = [pairs for pairs in listed if pairs[0].claim.metric == "loss"]
    st.markdown("#### Their figures and ours")
    rows_or(
        [_row(system, pairs, 100) for pairs in shares],
        "None of its figures can be compared with ours; the reasons stand below.",
        **{"They report": PERCENT, "We measure": PERCENT, "Difference": POINTS},
    )
    if losses:
        st.caption("Loss, in nats")
        config = {"They report": _LOSS, "We measure": _LOSS, "Difference": _LOSS_DIFFERENCE}
        rows_or([_row(system, pairs, 1) for pairs in losses], "", **config)
    _to_train(system)
    _not_comparable(system)
    _ours(system)


def _row(system: System, pairs: Sequence[Comparison], scale: float) -> dict[str, Any]:
    main, claim = pairs[0], pairs[0].claim
    return {
        "Figure": captions.what(claim, system),
        "They report": scale * claim.value,
        "We measure": None if main.value is None else scale * main.value,
        "Difference": None if main.difference is None else scale * main.difference,
        "Their epochs": claim.epochs,
        "Our epochs": captions.epochs(main.ours),
        "Data": captions.data_of(claim),
        "State": captions.state(main),
        "Our checkpoint": ", ".join(main.ours.checkpoints) if main.ours else "",
        "Ours on": captions.evaluated_on(main.against),
        "Beside it": "; ".join(_beside(pair, scale) for pair in pairs[1:]),
        "Trained on": captions.trained_on(main.ours),
        "In the document": claim.where,
        "Contradicted there": captions.doubt(claim, system),
        "Note": claim.note,
    }


def _beside(pair: Comparison, scale: float) -> str:
    """Another figure of ours for the same claim."""
    assert pair.ours is not None and pair.against is not None and pair.value is not None
    value = f"{scale * pair.value:.1f} %" if scale == 100 else f"{pair.value:.2f}"
    remark = f" ({pair.ours.remark})" if pair.ours.remark else ""
    return f"{value} of {', '.join(pair.ours.checkpoints)} on {captions.evaluated_on(pair.against)}{remark}"


def _to_train(system: System) -> None:
    ours = service.trained()
    commands = [f"python -m training.train {each}" for each in system.recipes if not service.of_recipe(each, ours)]
    if commands:
        n = len(commands)
        said = "One recipe is" if n == 1 else f"{n} recipes are"
        with st.expander(f"{said} not trained here yet: how to", icon=":material/model_training:"):
            st.caption("Each trains, measures and keeps a checkpoint; a stopped run goes on where it was. Add --data "
                       "PATH where FER\\_DATA does not name the data.")  # fmt: skip
            st.code("\n".join(commands), language="bash")


def _not_comparable(system: System) -> None:
    if not system.not_comparable:
        return
    st.markdown("#### What cannot be compared")
    for why, claims in system.not_comparable.items():
        st.markdown(plain(why))
        for is_loss, config in ((False, PERCENT), (True, _LOSS)):
            some = [claim for claim in claims if (claim.metric == "loss") == is_loss]
            if some:
                scale = 1 if is_loss else 100
                rows_or([_claim(system, claim, scale) for claim in some], "", **{"They report": config})


def _claim(system: System, claim: Claim, scale: float) -> dict[str, Any]:
    return {
        "Figure": captions.what(claim, system),
        "They report": scale * claim.value,
        "Epochs": claim.epochs,
        "Data": captions.data_of(claim),
        "In the document": claim.where,
        "Contradicted there": captions.doubt(claim, system),
        "Note": claim.note,
    }


def _ours(system: System) -> None:
    """Our checkpoints of the system, with what they measure on their own test."""
    st.markdown("#### Our checkpoints of this system")
    mine = service.of_system(system.name)
    rows = []
    for entry in checkpoints.entries():
        if entry.card is None or entry.name not in mine:
            continue
        figures = entry.figures()
        rows.append({
            "Checkpoint": entry.name,
            "Recipe": str(entry.card.recipe),
            "Accuracy": percent(figures.get("accuracy")),
            "Macro recall": percent(figures.get("macro_recall")),
            "Measured on": f"{figures.get('data', '?')} {figures.get('split', '?')}" if figures else "",
            "Labels": str(figures.get("labels", "")),
            "Our epochs": " + ".join(map(str, mine[entry.name].epochs)),
            "Time": clock(entry.card.wall_s) if entry.card.wall_s else "",
            "Trained on": str(entry.card.hardware),
        })  # fmt: skip
    rows_or(
        rows, "There is none yet. The view Recipes has the command that trains each.",
        **{"Accuracy": PERCENT, "Macro recall": PERCENT},
    )  # fmt: skip
    if rows:
        st.caption("Single views, on the test split and by the labels that are named. Time is hours, minutes, seconds.")
