"""Top of the Inspect page: whose answers, about what. The address holds all of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st

from dashboard.components.frame import plain
from dashboard.components.gallery import picked
from dashboard.components.matrix import clicked
from dashboard.services import checkpoints, datasets
from dashboard.services.evaluations import Question, evaluation, outcomes, review, tables
from fer_core.emotions import DEFAULT_GROUP_MAP, EMOTIONS, EMOTIONS8, GROUPS
from fer_core.evaluation import Outcomes

CHECKPOINTS, DATASETS = "app_pages/checkpoints.py", "app_pages/datasets.py"
VIEWS = ("Confusion", "Calibration", "Slices", "Map", "Label quality", "Compare")
ANY = "any"
EVERYTHING: Mapping[str, Any] = {
    "true": ANY, "predicted": ANY, "outcome": ANY, "people": ANY, "sure": (0.0, 100.0), "set": "", "face": "",
}  # fmt: skip
"""The selection of every picture: keys of its widgets, which are its names in the address too; ``set`` is a key of
``selections``, ``face`` the id of the one that is looked at."""
GROUP_ENDING = " (group)"
MATRICES = (("matrix-7", EMOTIONS, ""), ("matrix-8", EMOTIONS8, ""), ("matrix-3", GROUPS, GROUP_ENDING))
GALLERIES = ("faces", "neighbours")
_LABEL_SETS = """What counts as right. A data set's own labels; or those that FER+'s ten votes make: **ferplus7**, the
winner of seven emotions; **ferplus8_majority**, more than half of the votes, eight emotions; **ferplus8_argmax**, the
most votes."""


def select(**wanted: Any) -> None:
    """Make a new selection of faces, see ``EVERYTHING``, and run the page again."""
    st.session_state["wanted"] = {**EVERYTHING, **wanted}
    st.rerun()


def select_errors() -> None:
    """The selection that the page begins with."""
    select(outcome="wrong")


def choose_face(face: str) -> None:
    """Look at a face; the selection stays."""
    st.query_params["face"] = face
    st.rerun()


def take_choices() -> None:
    """What was chosen in the last run's views, before any widget is drawn: a cell, a face, or what ``select`` was asked
    for."""
    for key, names, ending in MATRICES:
        if (cell := clicked(key, names)) is not None:
            _apply({**EVERYTHING, **dict(zip(("true", "predicted"), sides_of(cell, ending), strict=True))})
    for key in GALLERIES:
        if (face := picked(key)) is not None:
            st.query_params["face"] = face
    if (wanted := st.session_state.pop("wanted", None)) is not None:
        _apply(wanted)


def _apply(wanted: Mapping[str, Any]) -> None:
    for name in ("set", "face"):
        if wanted[name]:
            st.query_params[name] = wanted[name]
        elif name in st.query_params:
            del st.query_params[name]
    st.session_state.update({name: value for name, value in wanted.items() if name not in ("set", "face")})


def sides_of(cell: tuple[str, str], ending: str = "") -> tuple[str, str]:
    """A cell as the widgets name its sides."""
    true, predicted = (each + ending if each else ANY for each in cell)
    return true, predicted


def choose_question() -> Question:
    """Widgets for checkpoint, table and labels; stops the page with a hint where nothing was evaluated."""
    take_choices()
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
    return found


def missing_pictures(question: Question) -> None:
    """Where the pictures are missing: why, and the way to point to them."""
    missing = datasets.why_no_pictures(question.dataset, question.split)
    if missing:
        with st.container(horizontal=True, vertical_alignment="center"):
            st.info(plain(f"Numbers without pictures: {missing}"), icon=":material/image_not_supported:")
            st.page_link(DATASETS, label="Point to the data set", icon=":material/folder_open:", width="content")
