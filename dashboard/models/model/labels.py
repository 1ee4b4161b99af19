"""Labels that look wrong: a ranking by the network's own doubt, measured against people, and a reviewer's decisions."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from dashboard.components.frame import plain, show_errors
from dashboard.models.model.header import select
from dashboard.services import evaluations, quality, selections
from dashboard.services.evaluations import Question
from fer_core.errors import InputError
from fer_core.evaluation import Outcomes, label_quality_report, suspicious

SHOWN = (50, 100, 200, 500)


def labels_view(question: Question, found: Outcomes) -> None:
    """The ranking, how good it is, contradicting copies, and what was decided so far."""
    left, right = st.columns(2, gap="large")
    with left:
        _ranking(found)
    with right:
        _measured(found)
        _copies(question, found)
    _decided(question)


def _ranking(found: Outcomes) -> None:
    ranked = suspicious(found)
    n = int(ranked["flagged"].sum())
    st.markdown(f"**{n:,} of {len(ranked):,} labels look wrong** to {plain(found.evaluation.checkpoint)}")
    st.caption(
        "Sorted by the probability of the label, the smallest first. Flagged are as many labels of each emotion as "
        "confident learning estimates to be wrong (Northcutt et al. 2021). Honest only on pictures that the network "
        "was not trained on."
    )
    with st.container(horizontal=True):
        for k in SHOWN:
            if st.button(f"Top {k}", key=f"top-{k}", icon=":material/filter_alt:", disabled=len(ranked) < k):
                select(set=selections.keep(map(str, ranked["id"].head(k))))
    st.dataframe(
        ranked.drop(columns="row").head(500), hide_index=True, height=230,
        column_config={"score": st.column_config.NumberColumn(format="%.3f")},
    )  # fmt: skip


def _measured(found: Outcomes) -> None:
    """How many of the first are really contradicted by people, beside a random order."""
    st.markdown("**How good is the ranking?**")
    try:
        measured = label_quality_report(found)
    except InputError as error:
        st.caption(plain(str(error)))
        return
    titles = {"precision": "precision", "random": "random order", "random_low": "from", "random_high": "to (95 %)"}
    shown = measured.table.assign(**{name: 100 * measured.table[name] for name in titles})
    columns = {name: st.column_config.NumberColumn(title, format="%.1f %%") for name, title in titles.items()}
    st.dataframe(shown, hide_index=True, column_config={"k": "first", **columns})
    st.caption(
        f"Share of the first whose FER+ winner is another emotion than the label, beside a random order with its 95 % "
        f"range. Counted on the {measured.judged:,} pictures on which people have a winner; {measured.base_rate:.1%} "
        "of these are contradicted."
    )


def _copies(question: Question, found: Outcomes) -> None:
    """Nearly the same picture with two labels."""
    missing = quality.why_no_pairs(question)
    if missing:
        st.caption(plain(f"Copies with contradicting labels need the pictures: {missing}"))
        return
    with st.spinner("Comparing all pictures with each other"):
        pairs = quality.contradicting(question, found)
    st.markdown(f"**{len(pairs):,} pairs** are nearly the same picture with two different labels.")
    if pairs and st.button("Show them", icon=":material/filter_alt:"):
        select(set=selections.keep({each for pair in pairs for each in pair}))


def _decided(question: Question) -> None:
    review = evaluations.review(question.dataset)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"**Your decisions**: {len(review.decisions):,}", width="stretch")
        if st.button("Undo", icon=":material/undo:", disabled=not review.done, key="review-undo"):
            evaluations.change_review(question.dataset, lambda each: each.undo())
            st.rerun()
        if st.button("Redo", icon=":material/redo:", disabled=not review.undone, key="review-redo"):
            evaluations.change_review(question.dataset, lambda each: each.redo())
            st.rerun()
        st.download_button(
            "CSV", review.to_csv(), f"{question.dataset}-labels.csv", "text/csv", on_click="ignore",
            icon=":material/download:", disabled=not review.decisions, key="review-csv",
        )  # fmt: skip
    if review.decisions:
        rows = [(name, each.do, each.was, each.label or "") for name, each in reversed(review.decisions.items())]
        st.dataframe(
            pd.DataFrame(rows, columns=["id", "decision", "was", "now"]),
            hide_index=True,
            height=min(38 + 35 * len(rows), 240),
        )


def decide(question: Question, face: str, label: str, classes: Sequence[str]) -> None:
    """Keep, relabel or drop the face that is looked at, which the data set labels ``label``; what holds for it so far.
    It can become one of ``classes``, those that the network knows: another would count as its error for ever."""
    names = [*classes, *({label} - set(classes))]
    holds = evaluations.review(question.dataset).decisions.get(face)
    with show_errors(), st.container(horizontal=True, vertical_alignment="bottom"):
        new = st.selectbox(
            "The right label", names, index=names.index(label), width=150, key=f"new-{face}",
            help=f"The data set's own label is {label}.",
        )  # fmt: skip
        asked: tuple[str, str | None] | None = None
        if st.button("Keep", icon=":material/check:", help="The label is right"):
            asked = ("keep", None)
        if st.button("Relabel", icon=":material/edit:", disabled=new == label):
            asked = ("relabel", new)
        if st.button("Drop", icon=":material/block:", help="No face, or no single right label"):
            asked = ("drop", None)
        if asked is not None:
            do, to = asked
            evaluations.change_review(question.dataset, lambda each: each.decide(do, {face: label}, to))
            st.rerun()
    if holds is not None:
        st.caption(f"Decided: {holds.do}" + (f" to {holds.label}" if holds.do == "relabel" else ""))
