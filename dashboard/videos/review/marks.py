"""Marks: a table to change, CSV in and out, and the mean course around them."""

from __future__ import annotations

import uuid
from typing import Any

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from dashboard.components.frame import show_errors
from dashboard.videos.review.tables import timeline_of
from fer_core.emotions import EMOTION_COLOURS
from fer_core.errors import InputError
from fer_core.signals import Column
from fer_core.video.columns import averaged_columns
from fer_core.video.marks import Mark, marks_from_csv, marks_to_csv
from fer_core.video.statistics import Around, around
from fer_core.video.store import Analysis
from fer_core.video.view import Lens

PROBABILITY = Column("probability", "of an emotion", least=0, most=1)
ACCENT = "#1f6f78"


def _new_id() -> str:
    return uuid.uuid4().hex[:12]


def marks_view(analysis: Analysis, lens: Lens, track: int | None) -> None:
    """Everything about marks."""
    marks = list(analysis.state.marks)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        file = st.file_uploader(
            "Import marks (CSV)", type=["csv", "tsv", "txt"], max_upload_size=10, key=f"marks-{analysis.revision}"
        )
        st.download_button(
            "Export marks", marks_to_csv(marks), "marks.csv", "text/csv", icon=":material/download:",
            on_click="ignore", disabled=not marks,
        )  # fmt: skip
    if file is not None:
        with show_errors():
            _import(analysis, marks, marks_from_csv(file.getvalue(), _new_id))
    if not marks:
        st.info("No marks yet. Press M in the player to mark the moment or the selection, or import a CSV with the "
                "columns start_s, end_s, label, note.")  # fmt: skip
        return
    _table(analysis, marks)
    _around(analysis, lens, marks, track)


def _import(analysis: Analysis, marks: list[Mark], found: list[Mark]) -> None:
    """Add the marks of a file that are not there yet."""
    known = {(mark.start_s, mark.end_s, mark.label, mark.track) for mark in marks}
    new = [mark for mark in found if (mark.start_s, mark.end_s, mark.label, mark.track) not in known]
    if new:
        st.toast(f"{len(new)} marks imported, {len(found) - len(new)} were there already.")
        _set(analysis, new, [])
    st.warning("There is no new mark in this file. Nothing was imported.", icon=":material/warning:")


def _table(analysis: Analysis, marks: list[Mark]) -> None:
    rows = pd.DataFrame([mark.to_dict() for mark in marks])[["id", "start_s", "end_s", "label", "note", "track"]]
    rows["track"] = rows["track"].astype("Int64") + 1
    edited = st.data_editor(
        rows.astype({"end_s": "float64"}), key=f"marks-table-{analysis.id}-{hash(tuple(marks))}", num_rows="dynamic",
        hide_index=True, column_order=["start_s", "end_s", "label", "note", "track"],
        column_config={
            "start_s": st.column_config.NumberColumn("Start (s)", min_value=0.0, format="%.3f", required=True),
            "end_s": st.column_config.NumberColumn("End (s)", min_value=0.0, format="%.3f"),
            "label": st.column_config.TextColumn("Label", required=True, max_chars=120),
            "note": st.column_config.TextColumn("Note", max_chars=2000),
            "track": st.column_config.NumberColumn("Person", min_value=1, step=1),
        },
    )  # fmt: skip
    now = [_mark(row) for row in edited.to_dict("records")]
    changed, removed = [mark for mark in now if mark not in marks], {mark.id for mark in marks} - {m.id for m in now}
    if (changed or removed) and st.button("Save the changes", type="primary"):
        _set(analysis, changed, sorted(removed))


def _mark(row: dict[str, Any]) -> Mark:
    def value(name: str) -> Any:
        return None if pd.isna(row[name]) else row[name]

    track, end_s = value("track"), value("end_s")
    return Mark(
        id=str(value("id") or _new_id()),
        label=str(value("label") or ""),
        note=str(value("note") or ""),
        start_s=float(value("start_s") or 0.0),
        end_s=None if end_s is None else float(end_s),
        track=None if track is None else int(track) - 1,
    )


def _set(analysis: Analysis, marks: list[Mark], removed: list[str]) -> None:
    analysis.do({"do": "marks", "set": [mark.to_dict() for mark in marks], "remove": removed})
    st.rerun()


def _around(analysis: Analysis, lens: Lens, marks: list[Mark], track: int | None) -> None:
    """Mean curve of a person around the marks of one label, with its 95 % interval."""
    people = [int(each) for each in timeline_of(analysis, lens)["track"].unique() if each >= 0]
    if not people:
        return
    st.markdown("**Around marks**")
    timeline = timeline_of(analysis, lens)
    lines = {column.name: column for column in averaged_columns(timeline.columns)}
    columns = st.columns(5)
    label = columns[0].selectbox("Label", sorted({mark.label for mark in marks}))
    person = columns[1].selectbox(
        "Person", people, index=people.index(track) if track in people else 0, format_func=analysis.state.name_of
    )
    seconds = columns[2].slider("Seconds before and after", 0.5, 10.0, 2.0, 0.5)
    times = [m.start_s for m in marks if m.label == label and m.track in (None, person)]
    what = columns[3].selectbox("Values", ["emotions", *lines])
    of = [] if what == "emotions" else [what]
    try:
        found = around(timeline, times, track=person, before_s=seconds, after_s=seconds, columns=of)
    except InputError as error:
        st.warning(str(error))
        return
    if of:
        figure = _figure(found, of, lines[what])
    else:
        figure = _figure(found, columns[4].multiselect("Emotions", found.labels, default=_largest(found)), PROBABILITY)
    st.plotly_chart(figure, key=f"around-{analysis.id}")
    n = f"{len(times)} mark{'s' if len(times) != 1 else ''}"
    st.caption(f"Mean over {n}; bands are the 95 % interval of that mean (Student), drawn where two or more are seen.")


def _largest(found: Around) -> list[str]:
    mean = pd.DataFrame(found.mean, columns=list(found.labels)).max().sort_values(ascending=False)
    return list(mean.index[:3])


def _figure(found: Around, shown: list[str], column: Column) -> go.Figure:
    """Mean and interval of each shown value, whose range is the column's."""
    figure, least, most = go.Figure(), column.least, column.most
    for name in shown:
        j, colour = found.labels.index(name), EMOTION_COLOURS.get(name, ACCENT)
        low, high = found.low[:, j].clip(least, most), found.high[:, j].clip(least, most)
        band = {"mode": "lines", "line": {"width": 0}, "hoverinfo": "skip", "showlegend": False}
        figure.add_scatter(x=found.offset_s, y=high, **band)
        figure.add_scatter(x=found.offset_s, y=low, fill="tonexty", fillcolor=_pale(colour), **band)
        figure.add_scatter(x=found.offset_s, y=found.mean[:, j], name=name, mode="lines", line={"color": colour})
    figure.add_vline(x=0, line_dash="dot")
    figure.update_layout(
        height=300, margin={"l": 0, "r": 0, "t": 10, "b": 0}, xaxis_title="seconds from the mark",
        yaxis={"title": column.unit or column.name, "range": [least, most]}, hovermode="x unified",
    )  # fmt: skip
    return figure


def _pale(colour: str) -> str:
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red},{green},{blue},0.18)"
