"""Top of the Inspect page: whose answers, about what. The address holds all of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st

from dashboard.components.frame import plain
from dashboard.services import checkpoints, datasets
from dashboard.services.evaluations import Question, evaluation, outcomes, review, tables
from fer_core.emotions import DEFAULT_GROUP_MAP, GROUPS
from fer_core.evaluation import Outcomes

CHECKPOINTS, DATASETS = "app_pages/checkpoints.py", "app_pages/datasets.py"
VIEWS = ("Confusion", "Calibration", "Map", "Label quality", "Compare")
ANY = "any"
NO_SELECTION: Mapping[str, Any] = {
    "true": ANY, "predicted": ANY, "outcome": ANY, "people": ANY, "sure": (0.0, 100.0),
}  # fmt: skip
"""Keys of the selection's widgets, which are its names in the address too, where every picture is selected."""
_LABEL_SETS = """What counts as right. A data set's own labels; or those that FER+'s ten votes make: **ferplus7**, the
winner of seven emotions; **ferplus8_majority**, more than half of the votes, eight emotions; **ferplus8_argmax**, the
most votes."""


def select(**wanted: Any) -> None:
    """Make a new selection of faces (see ``NO_SELECTION``; ``set``: a key of ``selections``; ``face``: an id) and run
    the page again."""
    st.session_state["wanted"] = {**NO_SELECTION, "set": "", "face": "", **wanted}
    st.rerun()


def select_errors() -> None:
    """The selection that the page begins with."""
    select(outcome="wrong")


def choose_face(face: str) -> None:
    """Look at a face; the selection stays."""
    st.query_params["face"] = face
    st.rerun()


def apply_wanted() -> None:
    """What ``select`` asked for, before any widget is drawn."""
    wanted = st.session_state.pop("wanted", None)
    if wanted is None:
        return
    for name in ("set", "face"):
        value = wanted.pop(name)
        if value:
            st.query_params[name] = value
        elif name in st.query_params:
            del st.query_params[name]
    st.session_state.update(wanted)


def choose_question() -> Question:
    """Widgets for checkpoint, table and labels; stops the page with a hint where nothing was evaluated."""
    apply_wanted()
    names = [entry.name for entry in checkpoints.entries() if not entry.error]
    asked = st.query_params.get("checkpoint", "")
    if asked and asked not in names:
        st.warning(plain(f"There is no checkpoint {asked!r} here."), icon=":material/warning:")
    if not names:
        st.info("There is no checkpoint here yet. Add one on the page Checkpoints.")
        st.page_link(CHECKPOINTS, label="Go to Checkpoints", icon=":material/deployed_code:")
        st.stop()
    with st.container(horizontal=True, vertical_alignment="bottom"):
        checkpoint = st.selectbox("Checkpoint", names, key="checkpoint", bind="query-params", width=250)
        found = list(tables(checkpoint))
        if found:
            table = st.selectbox("Evaluated on", found, key="data", bind="query-params", width=230)
            sets = list(evaluation(checkpoint, table).labels)
            labels = st.selectbox(
                "Judged by", sets, key="labels", bind="query-params", width=190, index=_first(checkpoint, sets),
                help=_LABEL_SETS,
            )  # fmt: skip
            clean, corrected = _leave_out(table)
            _surprise()
    if not found:
        st.info(plain(f"{checkpoint} was not evaluated yet. Evaluate it on the page Checkpoints; it takes a minute."))
        st.page_link(CHECKPOINTS, label="Go to Checkpoints", icon=":material/deployed_code:")
        st.stop()
    return Question(checkpoint, table, labels, clean, corrected)


def _first(checkpoint: str, sets: list[str]) -> int:
    """The label set that a checkpoint was taught by, where the table has it."""
    card = next(entry.card for entry in checkpoints.entries() if entry.name == checkpoint)
    taught = (card.data if card else {}).get("labels", "")
    return sets.index(taught) if taught in sets else 0


def _leave_out(table: str) -> tuple[bool, bool]:
    with st.popover("Labels", icon=":material/rule:", help="Which labels count"):
        clean = st.toggle(
            "Without doubtful labels", key="clean", bind="query-params",
            help="Leave out pictures whose FER+ winner is another emotion than the label.",
        )  # fmt: skip
        changed = len(review(table.rsplit("-", 1)[0]).corrections)
        corrected = st.toggle(
            f"With my corrections ({changed})", key="corrected", bind="query-params",
            help="Relabel and drop what was decided in the view Label quality.",
        )  # fmt: skip
    return clean, corrected


def _surprise() -> None:
    with st.popover("Groups", icon=":material/palette:", help="Which emotions make up the three groups"):
        st.radio("Surprise is", GROUPS, index=1, key="surprise", bind="query-params")
        told = {group: [name for name, of in group_map().items() if of == group] for group in GROUPS}
        st.caption("; ".join(f"{group}: {', '.join(names) or 'none'}" for group, names in told.items()) + ".")


def group_map() -> Mapping[str, str]:
    """Which group each emotion counts to."""
    return {**DEFAULT_GROUP_MAP, "surprise": st.session_state.get("surprise", "neutral")}


def summary(question: Question) -> Outcomes:
    """The answers, with the figures that sum them up."""
    from fer_core.evaluation import human_agreement, report

    found = outcomes(question)
    if not len(found.rows):
        st.info("No picture is left under this reading of the labels. Choose another one.")
        st.stop()
    figures = report(found.probabilities, found.label, group_map=group_map())
    ceiling, how = human_agreement(found)
    with st.container(horizontal=True):
        st.metric("Pictures", f"{figures['n']:,}")
        st.metric("Accuracy", f"{figures['accuracy']:.1%}")
        st.metric("Macro recall", f"{figures['macro_recall']:.1%}", help="Mean of the recalls of the classes")
        st.metric("Worst class", f"{figures['worst_recall']:.1%}", help=f"Recall of {figures['worst_class']}")
        st.metric("Three groups", f"{figures['groups_macro_recall']:.1%}", help="Macro recall of the three groups")
        st.metric("ECE", f"{figures['ece']:.1%}", help="Expected calibration error of the top label, 15 equal bins")
        st.metric("One person", "–" if ceiling != ceiling else f"{ceiling:.1%}", help=how)
    missing = datasets.why_no_pictures(question.dataset, question.split)
    if missing:
        st.info(plain(f"Numbers without pictures: {missing}"), icon=":material/image_not_supported:")
        st.page_link(DATASETS, label="Point to the data set", icon=":material/folder_open:")
    return found
