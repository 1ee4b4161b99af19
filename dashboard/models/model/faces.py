"""The selection that all views share: a bar of filters, a gallery, and the way to take it home."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import repeat
from urllib.parse import quote, urlencode

import streamlit as st

from dashboard.components.frame import plain
from dashboard.components.gallery import Face, gallery
from dashboard.models.model.header import ANY, GROUP_ENDING, group_map, select_errors
from dashboard.services import checkpoints, datasets, explained, jobs, selections
from dashboard.services.evaluations import Question
from fer_core.data import vote_distribution
from fer_core.emotions import GROUPS
from fer_core.evaluation import ORDERS, REASONS, Outcomes, Selection, ordered, selection_table

PER_PAGE = 60
_ORDERS = ("the most certain first", "the largest loss first", "the farthest from the votes first")
HEAT_S = 5.0
ERRORS = Selection(outcome="wrong")
_PEOPLE = """Of errors: *people split*, no emotion has more than half of the votes; *label doubtful*, people agree on
another emotion than the label; *model alone*, people agree with the label."""


def filter_bar(found: Outcomes) -> Selection:
    """Widgets of the selection, in which the choices of all other views show too; returns it.

    Raises:
        InputError: faces chosen by hand that are not kept any more.
    """
    sides = [ANY, *found.names, *(group + GROUP_ENDING for group in GROUPS)]
    with st.popover("Filter", icon=":material/filter_list:"):
        cells = {
            key: st.selectbox(label, sides, key=key, bind="query-params")
            for key, label in (("true", "Labelled"), ("predicted", "Answered"))
        }
        outcome = st.selectbox("Outcome", ["wrong", "right", ANY], key="outcome", bind="query-params")
        people = st.selectbox("People", [ANY, *REASONS[1:]], key="people", bind="query-params", help=_PEOPLE)
        low, high = st.slider("Sure (%)", 0.0, 100.0, (0.0, 100.0), 1.0, "%.0f", key="sure", bind="query-params")
    low, high = (low, high) if low < high else (max(low - 1.0, 0.0), min(high + 1.0, 100.0))
    key = st.query_params.get("set", "")
    return Selection(
        **dict(_side(*cell) for cell in cells.items()), outcome="" if outcome == ANY else outcome,
        reason="" if people == ANY else people, min_confidence=low / 100, max_confidence=high / 100,
        chosen=selections.kept(key) & frozenset(found.ids) if key else None,  # others are not judged by these labels
    )  # fmt: skip


def _side(name: str, value: str) -> tuple[str, str]:
    """Field of the selection, and its value, for a side of a cell."""
    if value.endswith(GROUP_ENDING):
        return f"{name}_group", value.removesuffix(GROUP_ENDING)
    return name, "" if value == ANY else value


def gallery_section(
    question: Question, found: Outcomes, selection: Selection, other: Outcomes | None = None
) -> tuple[str | None, list[str]]:
    """The faces of the selection, with what a second checkpoint answered; returns the id of the one that is looked at,
    and those in view."""
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
        heat = st.toggle(
            "Heatmaps", key="heat", bind="query-params",
            disabled=_pictures_at(question) is None or bool(checkpoints.why_not_runnable(question.checkpoint)),
            help="Heatmaps for the answer, on every face; needs the pictures and the weights",
        )  # fmt: skip
        st.download_button(
            "CSV", lambda: selection_table(found, mask).to_csv(index=False).encode(), "selection.csv", "text/csv",
            on_click="ignore", icon=":material/download:",
        )  # fmt: skip
        is_first = selection == ERRORS and not face
        if st.button("Clear", icon=":material/close:", disabled=is_first, help="Back to all errors"):
            select_errors()
    rows = ordered(found, mask, by)
    pages = max(-(-len(rows) // PER_PAGE), 1)
    pager = f"page-{selection.words()}-{st.query_params.get('set', '')}-{by}"  # other faces begin at their first page
    page = st.session_state.get(pager, 1) if pages > 1 else 1
    shown = rows[(min(page, pages) - 1) * PER_PAGE : min(page, pages) * PER_PAGE]
    tiles = items(question, found, shown, _answers(other, found.ids[shown]) if other else repeat(""))
    if heat:
        heats = _heats(question, [tile["id"] for tile in tiles])
        tiles = [{**tile, "heat": heats.get(tile["id"])} for tile in tiles]
    gallery(
        items=tiles, chosen=face, key="faces", heat=heat, height=440,
        footer=f"{len(shown)} of {len(rows):,} shown", empty="Nothing is selected. Clear the filters, or widen them.",
    )  # fmt: skip
    if pages > 1:
        st.pagination(pages, key=pager)
    return face, [tile["id"] for tile in tiles]


def _answers(other: Outcomes, ids: Iterable[str]) -> list[str]:
    """What a second checkpoint answered about pictures."""
    rows = {each: row for row, each in enumerate(other.ids)}
    found = (rows.get(each) for each in ids)
    return ["" if row is None else f"the other: {other.names[other.prediction[row]]}" for row in found]


def items(question: Question, found: Outcomes, rows: Iterable[int], captions: Iterable[str] = repeat("")) -> list[Face]:
    """Faces for a gallery."""
    at = _pictures_at(question)
    return [_item(found, int(row), at, caption) for row, caption in zip(rows, captions, strict=False)]


def _item(found: Outcomes, row: int, at: str | None, caption: str) -> Face:
    votes, picture_id = found.evaluation.votes[found.rows[row]], str(found.ids[row])
    return {
        "id": picture_id, "src": f"{at}?{urlencode({'id': picture_id})}" if at else None,
        "label": found.names[found.label[row]], "prediction": found.names[found.prediction[row]],
        "confidence": float(found.confidence[row]), "right": bool(found.right[row]),
        "reason": REASONS[found.reason[row]], "caption": caption,
        "votes": vote_distribution(votes[None])[0].tolist() if len(votes) else None,
    }  # fmt: skip


def _pictures_at(question: Question) -> str | None:
    """Where the browser finds the pictures, or None where they are missing."""
    if datasets.why_no_pictures(question.dataset, question.split):
        return None
    return f"/api/picture/{quote(question.dataset, safe='')}/{quote(question.split, safe='')}"


def _heats(question: Question, ids: list[str]) -> dict[str, str]:
    """Heatmaps of many faces as data URLs; a hint where they cannot be had."""
    if not ids or datasets.why_no_pictures(question.dataset, question.split):
        return {}
    if missing := checkpoints.why_not_runnable(question.checkpoint):
        st.info(plain(missing), icon=":material/inventory_2:")
        return {}
    sources = [{"dataset": question.dataset, "split": question.split, "id": each} for each in ids]
    with st.spinner("Explaining the faces"):
        key = explained.ask(sources, [explained.make_ask(question.checkpoint)])
        done = explained.wait(key, seconds=HEAT_S)
    if done["state"] in jobs.ACTIVE:
        st.fragment(_await_heats, run_every=1.0)(key)
        return {}
    if done["state"] != "done":
        st.warning(plain(done["error"]))
        return {}
    pictures = (source["answers"][0]["picture"] for source in done["sources"])
    return {each: f"data:image/png;base64,{picture}" for each, picture in zip(ids, pictures, strict=True)}


def _await_heats(key: str) -> None:
    """Draw the page again once the heatmaps are there."""
    done = explained.answer(key)
    if done["state"] not in jobs.ACTIVE:
        st.rerun()
    st.progress(done["share"], text="Explaining the faces. The first time after a start can take half a minute.")
