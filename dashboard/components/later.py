"""Delete later: forms for the rule of all analyses, and for the own one of an analysis."""

from __future__ import annotations

import streamlit as st

from dashboard.components.frame import counted, plain, show_errors
from dashboard.services import deletion, retention
from fer_core.errors import StoreError, sentence
from fer_core.video import keeping
from fer_core.video.keeping import KEEP, MAX_DAYS, PICTURES, VIDEO, WHAT, Rule
from fer_core.video.store import Analysis

_AS_ALL = "as for all"
_NOW = {VIDEO: "Delete the video now", PICTURES: "Delete the video and all pictures of people now"}


def words(analysis: Analysis) -> list[str]:
    """What is gone of an analysis, and what goes when, for its row."""
    found = []
    try:
        if analysis.source() is None:
            found += ["no video" if any(analysis.folder.glob("crops/*")) else "no pictures"]
        left = retention.days_left(analysis)
    except (StoreError, OSError) as error:
        return [*found, sentence(error)]
    return found + ([f"{WHAT[left[0]]} deleted in {counted(left[1], 'day')}"] if left else [])


def rule_of_all() -> None:
    """The form for all analyses."""
    st.subheader("Delete later")
    st.caption(
        "For every analysis without a choice of its own, for files that wait, and for what Try a face keeps. The "
        "workbench looks at its start and once an hour. Tables stay unless everything is deleted: without its video "
        "an analysis opens in Review as before, but shows no picture."
    )
    with show_errors():
        try:
            holds, damaged = retention.rule(), ""
        except StoreError as error:
            holds, damaged = Rule(), str(error)
        if damaged:
            st.warning(plain(f"{damaged} Until then nothing is deleted by itself."), icon=":material/warning:")
        chosen = _choice(holds, list(WHAT), "all")
        if chosen is None:
            return
        is_new = chosen != holds or bool(damaged)
        if is_new and chosen.what != KEEP and (n := len(retention.due(of_all=chosen))):
            st.warning(
                f"That deletes {WHAT[chosen.what]} of {counted(n, 'analysis').replace('analysiss', 'analyses')} within "
                "the hour. It cannot be undone.",
                icon=":material/warning:",
            )
        if st.button("Save", disabled=not is_new, key="save-later"):
            retention.set_rule(chosen)
            st.rerun()


@st.dialog("Delete later")
def of_analysis(analysis: Analysis) -> None:
    """A dialog of ``form``."""
    form(analysis)


def form(analysis: Analysis) -> None:
    """The form for one analysis, and what can be deleted of it now."""
    st.markdown(f"**{plain(analysis.name)}**")
    with show_errors():
        try:
            own = retention.own_rule(analysis.id)
        except StoreError as error:
            st.warning(plain(str(error)), icon=":material/warning:")
            own = None
        chosen = _choice(own or retention.rule(), [_AS_ALL, *WHAT], analysis.id, is_own=own is not None)
        if st.button("Save", type="primary", key=f"save-later-{analysis.id}"):
            retention.set_own_rule(analysis.id, chosen)
            st.rerun()
        there = [what for what in _NOW if keeping.holds(analysis.folder, what)]
        if there:
            st.caption("Or at once; this cannot be undone.")
        for what in there:
            if st.button(_NOW[what], key=f"now-{what}-{analysis.id}", icon=":material/delete:", type="tertiary"):
                deletion.delete_pictures(analysis.id, what)
                st.rerun()


def _choice(holds: Rule, options: list[str], key: str, *, is_own: bool = True) -> Rule | None:
    """Widgets for a rule; None is the rule of all."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        what = st.selectbox(
            "Delete", options, options.index(holds.what if is_own else _AS_ALL), width=300, key=f"later-what-{key}",
            format_func=lambda each: _as_all() if each == _AS_ALL else WHAT[each],
        )  # fmt: skip
        if what in (_AS_ALL, KEEP):
            return None if what == _AS_ALL else Rule(KEEP, holds.days)
        days = st.number_input("Days after the analysis", 1, MAX_DAYS, holds.days, width=200, key=f"later-days-{key}")
    return Rule(what, int(days))


def _as_all() -> str:
    holds = retention.rule()
    return f"as for all: {WHAT[holds.what]}" + ("" if holds.what == KEEP else f" after {counted(holds.days, 'day')}")
