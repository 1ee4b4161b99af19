"""Claims and figures of ours in a few words, and the columns that tables of them share."""

from __future__ import annotations

from typing import Any

import streamlit as st

from dashboard.components.frame import clock
from fer_core.evaluation import Comparison, Ours
from fer_core.systems import Against, Claim, System

PERCENT = st.column_config.NumberColumn(format="%.1f %%")
POINTS = st.column_config.NumberColumn(format="%+.1f", help="Ours minus theirs, in percentage points")
_WHOLE, _RIGHT = st.column_config.NumberColumn(format="%d"), st.column_config.TextColumn(alignment="right")
_EPOCHS = {"Their epochs": _WHOLE, "Epochs": _WHOLE, "Our epochs": _RIGHT}
_VIEWS = {"none": "", "flip": ", with the mirror image", "tencrop": ", ten crops"}


def percent(share: object) -> float | None:
    """A share (0-1) as a number for a percent column; None for anything else, as a card may hold."""
    return 100 * share if isinstance(share, int | float) else None


def what(claim: Claim, system: System) -> str:
    """Such as "CNN, recall of fear, before balancing"."""
    of = claim.emotion or claim.group
    parts = [
        system.model(claim.model).title,
        claim.metric.replace("_", " ") + (f" of {of}" if of else ""),
        f"{claim.n_classes} classes" if claim.n_classes != 7 else "",
        f"{claim.balanced} balancing" if claim.balanced else "",
    ]
    return ", ".join(filter(None, parts))


def doubt(claim: Claim, system: System) -> str:
    """The matter on which the document contradicts itself where the figure stands; "" if none."""
    return next((each.about for each in system.contradictions if each.id == claim.contradiction), "")


def data_of(claim: Claim) -> str:
    return f"{claim.dataset} {claim.split}".strip()


def evaluated_on(against: Against | None) -> str:
    """What ours is evaluated on."""
    return f"{against.dataset} {against.split}{_VIEWS[against.tta]}" if against else ""


def epochs(ours: Ours | None) -> str:
    """``25``, or ``20 + 30`` for an ensemble of two."""
    return " + ".join(map(str, ours.epochs)) if ours else ""


def state(pair: Comparison) -> str:
    """What became of a comparison."""
    other = "other epochs" if pair.other_epochs and pair.value is not None else ""
    return ", ".join(filter(None, (pair.state, other, pair.ours.remark if pair.ours else "")))


def trained_on(ours: Ours | None) -> str:
    """Machine and time."""
    if ours is None:
        return ""
    return ", ".join(filter(None, (str(ours.hardware), clock(ours.wall_s) if ours.wall_s else "")))


def rows_or(rows: list[dict[str, Any]], nothing: str, **config: Any) -> None:
    """A table without an index and without columns in which no row says anything; a caption where it has no row."""
    if not rows:
        st.caption(nothing)
        return
    empty = [key for key in rows[0] if all(row[key] == "" for row in rows)]
    shown = [{key: value for key, value in row.items() if key not in empty} for row in rows]
    st.dataframe(shown, hide_index=True, placeholder="–", height="content", column_config=_EPOCHS | config)
