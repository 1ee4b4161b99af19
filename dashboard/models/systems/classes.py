"""Figures class by class, theirs and ours, and our confusion matrices, from which one comes to the faces."""

from __future__ import annotations

from typing import Any

import streamlit as st

from dashboard.addresses import MODEL, MODELS
from dashboard.components.frame import plain
from dashboard.components.matrix import ANY, clicked
from dashboard.models.model.confusion import UNITS, draw, reports
from dashboard.models.model.header import GROUP_ENDING, sides_of
from dashboard.models.systems import captions
from dashboard.models.systems.captions import PERCENT, POINTS, percent
from dashboard.services import evaluations
from dashboard.services import systems as service
from dashboard.services.evaluations import Question
from fer_core.emotions import GROUPS
from fer_core.evaluation import COMPARED, Comparison, confusion, detected, group_confusion
from fer_core.systems import ClassTable, System

MATRIX = "system-matrix"


def classes_view(system: System) -> None:
    """Tables of the document beside ours, then our matrices."""
    st.markdown("#### Class by class, theirs and ours")
    if system.tables:
        tables = {table.title: table for table in system.tables}
        found = service.compared(system)
        first = next((i for i, table in enumerate(system.tables) if _main(table, found).state == COMPARED), 0)
        title = st.selectbox("Their table", list(tables), index=first, key="table", bind="query-params", width=520)
        _table(tables[title], found)
    else:
        st.caption("The document has no table of figures by class.")
    st.markdown("#### Our confusion")
    question = _choose(system)
    if question is not None:
        _matrices(question)


def _table(table: ClassTable, found: dict[str, tuple[Comparison, ...]]) -> None:
    """Theirs, ours and the difference for each column; where columns are epochs of one figure, ours stands once."""
    metrics = [claim.metric for claim in next(iter(table.rows.values()))]
    is_paired = len(set(metrics)) == len(metrics)
    rows: list[dict[str, Any]] = []
    for emotion, claims in table.rows.items():
        row: dict[str, Any] = {"Class": emotion}
        for claim in claims:
            pair, name = found[claim.id][0], claim.metric.capitalize()
            if is_paired:
                row |= {f"{name}, they": percent(claim.value), f"{name}, we": percent(pair.value)}
                row[f"{name} ±"] = percent(pair.difference)
            else:
                row[f"{name} after {claim.epochs}"] = percent(claim.value)
                row[f"{name}, we"] = row.pop(f"{name}, we", percent(pair.value))  # last
        rows.append(row)
    config = {name: POINTS if name.endswith("±") else PERCENT for name in rows[0] if name != "Class"}
    captions.rows_or(rows, "", **config)
    main = _main(table, found)
    st.caption(f"{plain(table.where)}. " + _about(main))
    if main.state != COMPARED:
        st.code(main.command, language="bash")


def _main(table: ClassTable, found: dict[str, tuple[Comparison, ...]]) -> Comparison:
    """What the first cell of a table is compared with, as all of them are."""
    return found[table.claims[0].id][0]


def _about(main: Comparison) -> str:
    """Which of our checkpoints stands in the table, or what is missing."""
    if main.ours is None:
        return f"Ours is {plain(main.state)}; this trains it:"
    length = f", {captions.epochs(main.ours)} epochs" if main.ours.epochs else ""
    remark = f" ({main.ours.remark})" if main.ours.remark else ""
    return plain(f"Ours: {', '.join(main.ours.checkpoints)}{length}, {captions.evaluated_on(main.against)}{remark}.")


def _choose(system: System) -> Question | None:
    """One of our evaluations. Its parameters are not those of a model's page, or they could not be handed over."""
    names = [name for name in service.of_system(system.name) if evaluations.tables(name)]
    if not names:
        st.info("No checkpoint of this system was evaluated here yet. Train one by its recipe, or evaluate one.")
        st.page_link(MODELS, label="Go to Models", icon=":material/deployed_code:")
        return None
    with st.container(horizontal=True, vertical_alignment="bottom"):
        checkpoint = st.selectbox("Checkpoint", names, key="ours", bind="query-params", width=300)
        table = st.selectbox(
            "Evaluated on", list(evaluations.tables(checkpoint)), key="on", bind="query-params", width=230
        )
        sets = list(evaluations.evaluation(checkpoint, table).labels)
        taught = service.trained()[checkpoint].labels
        labels = st.selectbox(
            "Judged by", sets, index=sets.index(taught) if taught in sets else 0, key="by", bind="query-params",
            width=190,
        )  # fmt: skip
        if st.button("Inspect its errors", icon=":material/search:"):
            _inspect(Question(checkpoint, table, labels))
    return Question(checkpoint, table, labels)


def _inspect(question: Question, true: str = "", predicted: str = "") -> None:
    """Go to a model's page with the same evaluation, and the cell that was chosen."""
    cell = {"true": true, "predicted": predicted, "outcome": "any"} if true else {}
    asked = {"checkpoint": question.checkpoint, "data": question.table, "labels": question.label_set}
    st.switch_page(MODEL, query_params={**asked, **cell})


def _matrices(question: Question) -> None:
    """Seven emotions and three groups in percent of the label; a click goes to the faces of the cell."""
    found = evaluations.outcomes(question)
    if not len(found):
        st.info("No picture has a label of this kind.")
        return
    for names, ending in ((found.names, ""), (GROUPS, GROUP_ENDING)):
        cell = clicked(f"{MATRIX}-{len(names)}", names)
        if cell is not None and cell != ANY:
            _inspect(question, *sides_of(cell, ending))
    counts = confusion(found)
    left, right = st.columns([7, 4], gap="large")
    with left:
        draw(f"{len(found.names)} emotions, % of the label", found.names, [counts], UNITS[0], None, MATRIX)
    with right:
        draw("3 groups, % of the label", GROUPS, [group_confusion(found)], UNITS[0], None, MATRIX)
        st.markdown(
            f"**{int(detected(counts).sum())} of {int((counts.sum(axis=1) > 0).sum())}** emotions are detected: the "
            "right answer is their most frequent one."
        )
        st.caption("Click a cell, a row or a column to see its faces on a model's page.")
    st.markdown("Precision, recall and F1 of ours")
    reports(found)
