"""Top of a model's page: whose answers, about what, and how to look at them. The address holds all of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from dashboard.addresses import MODELS, SETTINGS
from dashboard.components.choosing import choose_model
from dashboard.components.frame import end_page, plain
from dashboard.components.gallery import picked
from dashboard.components.matrix import clicked
from dashboard.services import checkpoints, datasets
from dashboard.services.checkpoints import Entry
from dashboard.services.evaluations import Question, evaluation, intervals, outcomes, review, tables
from fer_core.emotions import DEFAULT_GROUP_MAP, EMOTIONS, EMOTIONS8, GROUPS
from fer_core.evaluation import Outcomes, faces_found
from fer_core.systems import NAMES

VIEWS = ("Errors", "Map", "Calibration", "Label quality", "Slices", "Compare")
ABOUT = ("Robustness", "Curves", "Card")
REPRODUCTION = "Reproduction"
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


def choose_entry() -> Entry:
    """The model that the address names; stops the page with a hint where there is none."""
    if "removed" in st.session_state:
        st.switch_page(MODELS, query_params={})
    take_choices()
    entries = {entry.name: entry for entry in checkpoints.entries()}
    asked = st.query_params.get("checkpoint", "")
    if asked and asked not in entries:
        st.warning(plain(f"There is no model {asked!r} here."), icon=":material/warning:")
    if not entries:
        st.info("There is no model here yet. Add one on the page Models.")
        st.page_link(MODELS, label="Go to Models", icon=":material/deployed_code:")
        end_page()
    entry = entries[choose_model("Model", list(entries), "checkpoint", width=300)]
    if entry.card is None:
        st.error(plain(entry.error), icon=":material/error:")
        end_page()
    return entry


def choose_view(entry: Entry) -> str:
    """What to look at."""
    views = [*VIEWS, *ABOUT, *([REPRODUCTION] if entry.card and entry.card.system in NAMES else [])]
    first = VIEWS[0] if tables(entry.name) else ABOUT[-1]
    view = st.segmented_control(
        "View", views, key="view", bind="query-params", required=True, default=first, label_visibility="collapsed"
    )
    return view or first  # an address with an empty one


def choose_question(checkpoint: str) -> Question:
    """Widgets for table and labels; stops the page with a hint where nothing was evaluated."""
    found = list(tables(checkpoint))
    if not found:
        st.info("This model was not evaluated yet. Evaluate it in the view Card; it takes a minute.")
        end_page()
    table = st.selectbox("Evaluated on", found, key="data", bind="query-params", width=200)
    sets = list(evaluation(checkpoint, table).labels)
    labels = st.selectbox(
        "Judged by", sets, key="labels", bind="query-params", width=150, index=_first(checkpoint, sets),
        help=_LABEL_SETS,
    )  # fmt: skip
    clean, corrected = _leave_out(table)
    _surprise()
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
        end_page()
    figures = report(found.probabilities, found.label, group_map=group_map())
    ceiling, how = human_agreement(found)
    spread = intervals(found, group_map())
    worst = str(figures["worst_class"])
    with st.container(horizontal=True):
        st.metric("Pictures", f"{figures['n']:,}")
        for title, share, ends, what in (
            ("Accuracy", figures["accuracy"], spread.of.get("accuracy"), None),
            ("Macro recall", figures["macro_recall"], spread.of.get("macro_recall"), "Mean of all classes' recalls"),
            ("Worst class", figures["worst_recall"], spread.recalls.get(worst), f"Recall of {worst}"),
            ("Three groups", figures["groups_macro_recall"], spread.of.get("groups_macro_recall"),
             "Macro recall of the three groups"),
            ("ECE", figures["ece"], spread.of.get("ece"), "Expected calibration error of the top label, 15 equal bins"),
        ):  # fmt: skip
            _metric(title, cast(float, share), ends, what)
        st.metric("One person", "–" if ceiling != ceiling else f"{ceiling:.1%}", help=how)
    st.caption(plain(spread.told))
    _odd_photos(found)
    return found


def _metric(title: str, share: float, ends: tuple[float, float] | None, what: str | None) -> None:
    """A figure with its interval below it."""
    between = f"{100 * ends[0]:.1f} – {100 * ends[1]:.1f}" if ends else None
    st.metric(title, f"{share:.1%}", between, delta_color="off", delta_arrow="off", help=what)


def _odd_photos(found: Outcomes) -> None:
    """Photos in which no face was found, or several."""
    told = faces_found(found.ids, found.evaluation.n_faces[found.rows]).sentences(most=50)
    if told:
        with st.expander(" ".join(each.split(":")[0] + "." for each in told), icon=":material/person_search:"):
            for each in told:
                st.markdown(plain(each))


def missing_pictures(question: Question) -> None:
    """Where the pictures are missing: why, and the way to point to them."""
    missing = datasets.why_no_pictures(question.dataset, question.split)
    if missing:
        with st.container(horizontal=True, vertical_alignment="center"):
            st.info(plain(f"Numbers without pictures: {missing}"), icon=":material/image_not_supported:")
            st.page_link(SETTINGS, label="Point to the data set", icon=":material/folder_open:", width="content")


_PANEL = """<style>
.st-key-panel { position: sticky; top: 4rem; max-height: calc(100vh - 5rem); overflow-y: auto; padding-right: 0.5rem }
</style>"""
_SHEET = """<style>@media (max-width: 640px) { .st-key-panel {
    position: fixed; inset: auto 0 0 0; z-index: 99; max-height: 62vh; padding: 0.75rem 1rem;
    background: var(--panel-ground, canvas); border-top: 1px solid color-mix(in srgb, currentColor 25%, transparent);
    box-shadow: 0 -6px 24px rgb(0 0 0 / 0.25)
} }</style>"""


def panel() -> DeltaGenerator:
    """Where what was clicked shows: beside the view, and on a phone a sheet over its lower part."""
    st.html(_PANEL)
    chosen = any(st.session_state.get(name, ANY) != ANY for name in ("true", "predicted"))
    if chosen or any(name in st.query_params for name in ("face", "set")):
        st.html(_SHEET)
    return st.container(key="panel")
