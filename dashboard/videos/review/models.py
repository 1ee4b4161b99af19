"""Several models about the same faces: how often they agree, and where they do not."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

from dashboard.services.prepared import version
from dashboard.videos.review.tables import chosen_row, timeline_of
from fer_core.emotions import EMOTIONS8
from fer_core.video.agreement import agreement, disagreements
from fer_core.video.store import Analysis
from fer_core.video.view import Lens, opinions


@st.cache_resource(max_entries=2, show_spinner="Comparing the models")
def _compared(folder: str, version: str, lens: Lens, _analysis: Analysis) -> tuple[dict[str, float], pd.DataFrame]:
    timeline, found = timeline_of(_analysis, lens), opinions(_analysis, lens.smoothing_s)
    return agreement(timeline, *found), disagreements(timeline, *found, models=_analysis.models, labels=EMOTIONS8)


def _found(analysis: Analysis, lens: Lens) -> tuple[dict[str, float], pd.DataFrame]:
    return _compared(str(analysis.folder), version(analysis), lens, analysis)


def _key(analysis: Analysis, lens: Lens) -> str:
    return f"differ-{analysis.id}-{version(analysis)}-{lens.smoothing_s:g}"


def _shown(analysis: Analysis, lens: Lens) -> pd.DataFrame:
    stretches = _found(analysis, lens)[1]
    only_groups = st.session_state.get(f"only-groups-{analysis.id}", False)
    return stretches[~stretches["settled"].astype(bool)].reset_index(drop=True) if only_groups else stretches


def chosen_disagreement(analysis: Analysis, lens: Lens) -> dict[str, Any] | None:
    """Where the player should go: the start of the stretch that is chosen in the list."""
    row = chosen_row(_key(analysis, lens))
    if row is None or row >= len(found := _shown(analysis, lens)):
        return None
    return {
        "id": f"{_key(analysis, lens)}-{row}-{len(found)}",
        "time_s": float(found["start_s"].iloc[row]),
        "track": int(found["track"].iloc[row]),
    }


def models_view(analysis: Analysis, lens: Lens) -> None:
    """Agreement in figures, and a list of the stretches in which the models differ."""
    shares, stretches = _found(analysis, lens)
    cards = st.columns(3)
    cards[0].metric(
        "Same emotion", _percent(shares["emotions"]), help="Share of the time seen in which all models agree"
    )
    cards[1].metric("Same group", _percent(shares["groups"]), help="The same for negative, neutral, positive")
    cards[2].metric(
        "Settled by groups", _percent(shares["settled"]),
        help="Of the time in which they disagree about the emotion: the share in which they agree about the group",
    )  # fmt: skip
    st.toggle("Only where the groups differ too", key=f"only-groups-{analysis.id}")
    shown = _shown(analysis, lens)
    if shown.empty:
        st.info("The models agree everywhere." if stretches.empty else "Three groups settle every disagreement.")
        return
    st.caption(f"{len(shown)} stretches, the longest first. Choose a row to go there; ( and ) jump in the player.")
    seconds = {
        name: st.column_config.NumberColumn(f"{label} (s)", format="%.3f")
        for name, label in (("start_s", "Start"), ("end_s", "End"), ("duration_s", "Length"))
    }
    names = [analysis.state.name_of(track) for track in shown["track"]]
    st.dataframe(
        shown.assign(track=names), key=_key(analysis, lens), on_select="rerun", selection_mode="single-row",
        hide_index=True, height=min(38 + 35 * len(shown), 400),
        column_config=seconds | {"track": "Person", "settled": "Same group"},
    )  # fmt: skip


def _percent(share: float) -> str:
    return "–" if share != share else f"{share:.1%}"
