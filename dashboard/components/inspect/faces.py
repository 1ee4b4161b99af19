"""The selection that all views share: a bar of filters, a gallery, and the way to take it home."""

from __future__ import annotations

from urllib.parse import quote, urlencode

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from dashboard.components.frame import plain
from dashboard.components.gallery import Face, gallery
from dashboard.components.inspect.header import ANY, choose_face, group_map, select, select_errors
from dashboard.services import datasets, explained, jobs, selections
from dashboard.services.evaluations import Question
from fer_core.data import vote_distribution
from fer_core.emotions import GROUPS
from fer_core.evaluation import ORDERS, REASONS, Outcomes, Selection, ordered, selection_table

PER_PAGE = 60
_ORDERS = ("the most certain first", "the largest loss first", "the farthest from the votes first")
HEAT_S = 20.0
ERRORS = Selection(outcome="wrong")
_GROUP = " (group)"
_PEOPLE = """Of errors: *people split*, no emotion has more than half of the votes; *label doubtful*, people agree on
another emotion than the label; *model alone*, people agree with the label."""


def filter_bar(found: Outcomes) -> Selection:
    """Widgets of the selection, in which the choices of all other views show too; returns it.

    Raises:
        InputError: faces chosen by hand that are not kept any more.
    """
    sides = [ANY, *found.names, *(group + _GROUP for group in GROUPS)]
    with st.container(horizontal=True, vertical_alignment="bottom"):
        cells = {
            key: st.selectbox(label, sides, key=key, bind="query-params", width=160)
            for key, label in (("true", "Labelled"), ("predicted", "Answered"))
        }
        outcome = st.selectbox("Outcome", ["wrong", "right", ANY], key="outcome", bind="query-params", width=120)
        people = st.selectbox("People", [ANY, *REASONS[1:]], key="people", bind="query-params", width=160, help=_PEOPLE)
        low, high = st.slider(
            "Sure (%)", 0.0, 100.0, (0.0, 100.0), 1.0, "%.0f", key="sure", bind="query-params", width=200
        )
    low, high = (low, high) if low < high else (max(low - 1.0, 0.0), min(high + 1.0, 100.0))
    key = st.query_params.get("set", "")
    return Selection(
        **dict(_side(*cell) for cell in cells.items()), outcome="" if outcome == ANY else outcome,
        reason="" if people == ANY else people, min_confidence=low / 100, max_confidence=high / 100,
        chosen=selections.kept(key) if key else None,
    )  # fmt: skip


def _side(name: str, value: str) -> tuple[str, str]:
    """Field of the selection, and its value, for a side of a cell."""
    if value.endswith(_GROUP):
        return f"{name}_group", value.removesuffix(_GROUP)
    return name, "" if value == ANY else value


def select_cell(true: str, predicted: str, *, groups: bool = False) -> None:
    """Select a cell of a confusion matrix; "" is any, so a whole row or column."""
    ending = _GROUP if groups else ""
    select(true=true + ending if true else ANY, predicted=predicted + ending if predicted else ANY)


def gallery_section(question: Question, found: Outcomes, selection: Selection) -> str | None:
    """The faces of the selection; returns the one that is looked at."""
    mask = selection.mask(found, group_map())
    face = st.query_params.get("face") or None
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.markdown(
            f"**{plain(selection.words())}**  \n:small[{int(mask.sum()):,} of {len(mask):,} pictures]",
            width="stretch",
        )
        by = st.selectbox(
            "Sorted by", ORDERS, key="by", bind="query-params", width=170, help=", ".join(_ORDERS),
        )  # fmt: skip
        heat = st.toggle("Heatmaps", key="heat", bind="query-params", help="Grad-CAM for the answer, on every face")
        st.download_button(
            "CSV", lambda: selection_table(found, mask).to_csv(index=False).encode(), "selection.csv", "text/csv",
            on_click="ignore", icon=":material/download:",
        )  # fmt: skip
        is_first = selection == ERRORS and not face
        if st.button("Clear", icon=":material/close:", disabled=is_first, help="Back to all errors"):
            select_errors()
    rows = ordered(found, mask, by)
    pages = max(-(-len(rows) // PER_PAGE), 1)
    page = st.session_state.get("page", 1) if pages > 1 else 1
    shown = rows[(min(page, pages) - 1) * PER_PAGE : min(page, pages) * PER_PAGE]
    clicked = gallery(
        items=_items(question, found, shown, heat), chosen=face, key="faces", heat=heat, height=420,
        footer=f"{len(shown)} of {len(rows):,} shown", empty="Nothing is selected. Clear the filters, or widen them.",
    )  # fmt: skip
    if pages > 1:
        st.pagination(pages, key="page")
    if clicked:
        choose_face(clicked)
    return face


def _items(question: Question, found: Outcomes, rows: NDArray[np.int64], heat: bool) -> list[Face]:
    heats = _heats(question, [str(found.ids[row]) for row in rows]) if heat else {}
    return [item(question, found, row, heat=heats.get(str(found.ids[row]))) for row in rows]


def item(question: Question, found: Outcomes, row: int, *, caption: str = "", heat: str | None = None) -> Face:
    """A face of the gallery."""
    votes = found.evaluation.votes[found.rows[row]]
    return {
        "id": str(found.ids[row]), "src": picture_url(question, str(found.ids[row])),
        "label": found.names[found.label[row]], "prediction": found.names[found.prediction[row]],
        "confidence": float(found.confidence[row]), "right": bool(found.right[row]),
        "reason": REASONS[found.reason[row]], "caption": caption, "heat": heat,
        "votes": vote_distribution(votes[None])[0].tolist() if len(votes) else None,
    }  # fmt: skip


def picture_url(question: Question, picture_id: str) -> str | None:
    """Where the browser finds a picture, or None where it is missing."""
    if datasets.why_no_pictures(question.dataset, question.split):
        return None
    where = f"/api/picture/{quote(question.dataset, safe='')}/{quote(question.split, safe='')}"
    return f"{where}?{urlencode({'id': picture_id})}"


def _heats(question: Question, ids: list[str]) -> dict[str, str]:
    """Heatmaps of many faces as data URLs; a hint where they cannot be had."""
    if not ids or datasets.why_no_pictures(question.dataset, question.split):
        return {}
    sources = [{"dataset": question.dataset, "split": question.split, "id": each} for each in ids]
    with st.spinner("Explaining the faces"):
        done = explained.wait(explained.ask(sources, [explained.make_ask(question.checkpoint)]), seconds=HEAT_S)
    if done["state"] != "done":
        busy = done["state"] in jobs.ACTIVE
        st.warning(
            "The heatmaps take longer than usual. Switch them off and on again." if busy else plain(done["error"])
        )
        return {}
    pictures = (source["answers"][0]["picture"] for source in done["sources"])
    return {each: f"data:image/png;base64,{picture}" for each, picture in zip(ids, pictures, strict=True)}
