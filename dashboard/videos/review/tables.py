"""Segments, people and faces of an analysis as tables, and how it was measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import streamlit as st

from dashboard.components.frame import counted
from dashboard.services.prepared import version
from fer_core.emotions import EMOTIONS8, groups_of
from fer_core.signals import Column
from fer_core.video.columns import drawn_columns
from fer_core.video.export import Excerpt
from fer_core.video.modes import PREVIEW_PER_SECOND
from fer_core.video.statistics import span_statistics
from fer_core.video.store import Analysis
from fer_core.video.timeline import labels_of_columns, people_summary, score_columns, segments
from fer_core.video.view import Lens, view

PERCENT = st.column_config.NumberColumn(format="%.1f %%")


@st.cache_resource(max_entries=3, show_spinner="Reading the timeline")
def _view(folder: str, version: str, lens: Lens, _analysis: Analysis) -> pd.DataFrame:
    return view(_analysis, lens)


def timeline_of(analysis: Analysis, lens: Lens) -> pd.DataFrame:
    """The timeline as the reviewer sees it, kept between runs of the page; never to be changed."""
    return _view(str(analysis.folder), version(analysis), lens, analysis)


@st.cache_resource(max_entries=3, show_spinner=False)
def _segments(folder: str, version: str, lens: Lens, _analysis: Analysis) -> pd.DataFrame:
    return segments(timeline_of(_analysis, lens))


def _segments_of(analysis: Analysis, lens: Lens) -> pd.DataFrame:
    return _segments(str(analysis.folder), version(analysis), lens, analysis)


def _key(analysis: Analysis, lens: Lens) -> str:
    return f"segments-{analysis.id}-{version(analysis)}-{lens.smoothing_s:g}-{lens.model}"


def chosen_row(key: str) -> int | None:
    """The row that is chosen in the table of this key, before the table is drawn."""
    rows = st.session_state.get(key, {"selection": {"rows": []}})["selection"]["rows"]
    return rows[0] if rows else None


def chosen_segment(analysis: Analysis, lens: Lens) -> dict[str, Any] | None:
    """Where the player should go: the start of the segment that is chosen in the table."""
    key = _key(analysis, lens)
    row = chosen_row(key)
    if row is None or row >= len(found := _segments_of(analysis, lens)):
        return None
    return {
        "id": f"{key}-{row}",
        "time_s": float(found["start_s"].iloc[row]),
        "track": int(found["track"].iloc[row]),
    }


def segments_table(analysis: Analysis, lens: Lens) -> None:
    """Stretches of one emotion; choosing a row moves the player there."""
    found = _segments_of(analysis, lens)
    if found.empty:
        st.info("No face was found, so there are no segments.")
        return
    shown = found.drop(columns=["frames"]).assign(
        track=[analysis.state.name_of(track) for track in found["track"]], confidence=found["confidence"] * 100
    )
    st.caption(
        "Choose a row to go to that moment." + ("" if lens.smoothing_s else " Smoothing makes fewer, longer ones.")
    )
    columns: dict[str, Any] = {"track": "Person", "emotion": "Emotion", "group": "Group"}
    columns |= {name: st.column_config.NumberColumn(f"{text} (s)", format="%.3f") for name, text in _SECONDS.items()}
    columns["confidence"] = st.column_config.ProgressColumn(
        "Mean probability", format="%.0f %%", min_value=0, max_value=100
    )
    st.dataframe(
        shown, key=_key(analysis, lens), on_select="rerun", selection_mode="single-row", hide_index=True,
        height=min(38 + 35 * len(shown), 400), column_config=columns,
    )  # fmt: skip


_SECONDS = {"start_s": "Start", "end_s": "End", "duration_s": "Length"}


def faces_table(analysis: Analysis, lens: Lens) -> None:
    """The faces of a picture, each with its probabilities."""
    timeline = timeline_of(analysis, lens)
    faces = timeline[timeline["track"] >= 0]
    if faces.empty:
        st.info("No face was found in this picture.")
        return
    columns = score_columns(faces)
    shown = pd.DataFrame({"Person": [analysis.state.name_of(track) for track in faces["track"]]})
    shown[["Emotion", "Group"]] = faces[["emotion", "group"]].to_numpy()
    shown[[name.removeprefix("p_") for name in columns]] = 100 * faces[columns].to_numpy()
    st.dataframe(shown, hide_index=True, column_config=dict.fromkeys(EMOTIONS8, PERCENT))


def people_table(analysis: Analysis, lens: Lens) -> None:
    """Per person: share of the time seen per emotion and group, changes, longest stretch, time unseen."""
    timeline = timeline_of(analysis, lens)
    people, emotions = people_summary(timeline), labels_of_columns(score_columns(timeline))
    if not people:
        st.info("Nobody was found in this video.")
        return
    groups, lines = groups_of(analysis.state.groups), drawn_columns(timeline.columns)
    rows = [
        {
            "Person": analysis.state.name_of(person["track"]),
            **{name: 100 * person["emotion_share"].get(name, 0.0) for name in emotions},
            **{f"{name} (group)": 100 * person["group_share"].get(name, 0.0) for name in groups},
            **{line.drawn: person.get(f"mean_{line.name}") for line in lines},
            "Changes": person["changes"],
            "Longest stretch": f"{person['longest']['emotion']}, {person['longest']['duration_s']:.2f} s",
            "Seen (s)": person["seen_s"],
            "Not seen (s)": person["unseen_s"],
        }
        for person in people
    ]
    st.caption(
        "Share of the time a person was seen, by the top emotion of each frame. ⋯ beside a person changes people."
    )
    columns = (*emotions, *(f"{group} (group)" for group in groups))
    shown = dict.fromkeys(columns, PERCENT) | _means_of(lines)
    st.dataframe(pd.DataFrame(rows), hide_index=True, column_config=shown)


def selection_table(analysis: Analysis, lens: Lens, chosen: Excerpt) -> None:
    """Statistics of the selected span, or of the whole."""
    timeline = timeline_of(analysis, lens)
    times = timeline["time_s"]
    whole = chosen.end_s is None
    end_s = float(times.max()) + 1.0 if whole or chosen.end_s is None else chosen.end_s
    said = "everything (drag on the chart to select a span)" if whole else f"{chosen.start_s:.3f} to {end_s:.3f} s"
    st.caption(f"Of {said}: mean probabilities over the time seen, and what stands out.")
    if st.toggle("Only usable frames", help="Leave out every frame for which a reason to doubt holds"):
        timeline = Excerpt(only_usable=True).of(timeline)
    found = span_statistics(timeline, start_s=chosen.start_s, end_s=end_s) if len(times) else []
    if not found:
        st.info("Nobody is seen there.")
        return
    lines = drawn_columns(timeline.columns)
    rows = [
        {
            "Person": analysis.state.name_of(each["track"]),
            "Seen (s)": each["seen_s"],
            "Usable": 100 * (each["usable_share"] or 0.0),
            **{name: 100 * value for name, value in each["mean"].items()},
            **{line.drawn: each["signals"].get(line.name) for line in lines},
            "Changes": each["changes"],
            "Peak": _peak(each["peak"]),
        }
        for each in found
    ]
    shown = dict.fromkeys((*EMOTIONS8, "Usable"), PERCENT) | _means_of(lines)
    st.dataframe(pd.DataFrame(rows), hide_index=True, column_config=shown)


def _means_of(lines: Sequence[Column]) -> dict[str, Any]:
    """Headings of the means of columns that have a line of their own, each with what it means."""
    return {line.drawn: st.column_config.NumberColumn(format="%+.2f", help=f"Mean {line.text}") for line in lines}


def _peak(peak: dict[str, Any] | None) -> str:
    return f"{peak['emotion']} {peak['probability']:.0%} at {peak['time_s']:.2f} s" if peak else ""


def facts(analysis: Analysis) -> None:
    """The time check, settings and versions, in plain words."""
    record = analysis.record
    check, settings = record["time_check"], record["settings"]
    if not record["source"]["is_picture"]:
        _time_check(check)
    sampling = _sampling(settings)
    end = f"{settings['end_s']:.2f} s" if settings["end_s"] is not None else "the end"
    rows = {
        "Frames decoded": check["frames_decoded"],
        "Frames analysed": f"{check['frames_analysed']} ({sampling}, from {settings['start_s']:.2f} s to {end})",
        "Frames with faces": check["frames_with_faces"],
        "Faces left out": f"{record['faces_left_out']} that flickered up for a frame or two (false alarms)",
        "Times": f"{check['first_s']:.3f} to {check['last_s']:.3f} s, as the stream itself says",
        "Detector": f"{settings['detector']}, faces from {settings['min_face_px']} px",
        "Models": ", ".join(f"{model['name']} (SHA-256 {model['sha256'][:12]})" for model in analysis.checkpoints),
        "Speed": f"{record['frames_per_s']:.1f} frames/s on {record['device']}",
        "Scores computed by": _runtimes([record["checkpoint"], *record.get("other_checkpoints", [])]),
    }
    if not record["source"]["is_picture"]:
        rows["People"] = _who(analysis)
    st.table(pd.DataFrame({"": [str(value) for value in rows.values()]}, index=list(rows)))


def _who(analysis: Analysis) -> str:
    """How it was told who is who."""
    found = analysis.recognition
    if found is None:
        return "followed from frame to frame, not recognised"
    parts = [
        counted(found["strips"], "strip"),
        counted(found["cut"], "cut"),
        f"{found['people']} people by their faces",
    ]
    describer = found["describer"]
    return f"{', '.join(parts)} ({describer['name']}, {describer['version']}; {found['described']} faces described)"


def _runtimes(models: Sequence[Mapping[str, Any]]) -> str:
    """How each model was run, and what was measured; older analyses do not tell."""
    told = []
    for model in models:
        each = ", ".join(f"{name} {ms:.2f}" for name, ms in model.get("ms_per_face", {}).items())
        told.append(model.get("runtime", "torch float32") + (f" (ms a face on one core: {each})" if each else ""))
    return "; ".join(told)


def _sampling(settings: Mapping[str, Any]) -> str:
    """Which frames were looked at, and how; older analyses looked anew at each."""
    mode, rate = settings.get("mode", "exact"), settings["per_second"]
    rate = rate or (PREVIEW_PER_SECOND if mode == "preview" else None)
    return f"{mode}, {f'{rate:g} per second' if rate else 'every frame'}"


def _time_check(check: dict[str, Any]) -> None:
    variable = check["variable_rate"]
    steps = f"{1000 * (check['shortest_step_s'] or 0):.1f} to {1000 * (check['longest_step_s'] or 0):.1f} ms"
    repeated = check.get("frames_repeated")
    with st.container(border=True):
        st.markdown("**Time check**")
        rate = "variable" if variable else f"{check['mean_fps']:.2f} /s"
        figures = [
            ("Frame rate", rate, f"Steps of {steps}."),
            ("Error of counting frames", f"{check['drift_s']:.3f} s", _DRIFT),
            ("Frames dropped", check["frames_dropped"], "Packets without a picture, or damaged ones."),
            ("Frames repeated", "not counted" if repeated is None else repeated, _REPEATED),
        ]
        for column, (label, value, words) in zip(st.columns(4), figures, strict=True):
            column.metric(label, value, help=words)


_DRIFT = "How far times would be off at worst if frame numbers were divided by the mean rate."
_REPEATED = "Frames that show the very picture before once more; counted where every frame is analysed."
