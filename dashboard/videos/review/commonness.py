"""How common each emotion is taken to be: in words, as a choice above an analysis, and what it does to figures."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from dashboard.components.frame import plain
from fer_core.emotions import AS_TRAINED, PRIORS, Prior

if TYPE_CHECKING:
    from fer_core.evaluation import Outcomes
    from fer_core.video.store import Analysis

TITLE = "How common emotions are"
SENTENCE = (
    "A network leans towards the emotions that were frequent in its training pictures, above all towards neutral: "
    "*halfway* takes about half of that away, *all seven alike* all of it."
)
UNKNOWN = "does not tell how common emotions were in its training pictures, so its scores are shown as trained"


def choose_prior(analysis: Analysis) -> None:
    """What holds, and a choice that is kept with the analysis."""
    from fer_core.video.view import priors_of  # loads pandas, which the first page need not wait for

    known = priors_of(analysis)
    options = list(PRIORS) if known else [AS_TRAINED]
    holds = analysis.prior if known else AS_TRAINED
    with st.popover(
        f"How common: {PRIORS[holds]}", icon=":material/balance:", help="How common each emotion is taken to be"
    ):
        chosen = st.radio(
            TITLE, options, options.index(holds), format_func=PRIORS.__getitem__, key=f"prior-{analysis.id}-{holds}"
        )
        st.caption(SENTENCE)
        for name, labels in {each["name"]: each["labels"] for each in analysis.checkpoints}.items():
            told = f"was taught {in_training(known[name], labels)}" if name in known else UNKNOWN
            st.caption(f"{plain(name)} {told}.")
    if chosen != holds:
        analysis.do({"do": "prior", "choice": chosen})
        st.rerun()


def in_training(prior: Prior, labels: list[str]) -> str:
    """``33 % neutral, 27 % happy, …``, the most common first."""
    shares = sorted(zip(prior.shares, labels, strict=True), reverse=True)
    return ", ".join(f"{100 * share:.2g}\u00a0%\u00a0{label}" for share, label in shares)


def under_priors(found: Outcomes, labels: list[str], prior: Prior) -> None:
    """What each choice does to the figures of a network of these labels, and what it was taught."""
    from fer_core.evaluation import prior_report  # the Review page does without

    if not len(found):
        return
    report = prior_report(found.probabilities[:, : len(labels)], found.label, prior)
    st.markdown(f"**{TITLE}**")
    st.dataframe(
        [
            {"": PRIORS[choice], "τ": figures["tau"]}
            | {name: 100 * figures[key] for name, key in (("Accuracy", "accuracy"), ("Macro recall", "macro_recall"))}
            | {"ECE": 100 * figures["ece"], "of ECE, 95 %": _interval(figures["ece_interval"])}
            | {name: 100 * recall for name, recall in figures["recalls"].items()}
            for choice, figures in report.items()
        ],
        hide_index=True, column_config=dict.fromkeys(
            ("Accuracy", "Macro recall", "ECE", *labels), st.column_config.NumberColumn(format="%.1f %%")
        ),
    )  # fmt: skip
    fitted = f"fitted on {prior.fitted_on}" if prior.fitted_on else "not fitted"
    st.caption(
        f"{SENTENCE} It was taught {in_training(prior, labels)}, by {plain(prior.source)}; halfway is {fitted}. "
        "The columns of emotions are their recalls."
    )


def _interval(values: list[float]) -> str:
    low, high = (f"{100 * value:.1f}" for value in values)
    return f"{low} to {high} %"
