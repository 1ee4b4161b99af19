"""The parts of the Review page around the player."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import streamlit as st

from dashboard.components.frame import megabytes, plain
from dashboard.services import jobs, places, tasks
from dashboard.services.playback import open_for_page
from fer_core.emotions import DEFAULT_GROUP_MAP, EMOTIONS, GROUPS
from fer_core.video.store import Analysis
from fer_core.video.timeline import people_summary, score_columns, segments, smooth

WINDOWS_S = (0.0, 0.2, 0.5, 1.0, 2.0, 5.0)
ANALYZE = "app_pages/analyze.py"


def choose_analysis() -> Analysis:
    """The analysis that the address names, else the newest; stops the page with a hint where there is none.

    Raises:
        InputError, StoreError: the address names one that is not there.
    """
    wanted = st.query_params.get("analysis")
    if wanted:
        return open_for_page(wanted)
    newest = next((each for each in places.store().all() if isinstance(each, Analysis)), None)
    if newest is None:
        st.title("Review")
        st.info("There is no analysis yet. Upload a video, or try the sample.", icon=":material/timeline:")
        st.page_link(ANALYZE, label="Go to Analyze", icon=":material/upload:")
        st.stop()
    st.query_params["analysis"] = newest.id
    return newest


def header(analysis: Analysis) -> float:
    """Name, what it is, what to know about it; returns the smoothing chosen, in s."""
    source, check = analysis.record["source"], analysis.record["time_check"]
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.title(plain(analysis.name), width="stretch")
        smoothing_s = 0.0 if source["is_picture"] else _smoothing_choice()
    people = len(analysis.people)
    words = [
        f"{people} {'person' if people == 1 else 'people'}",
        "a picture" if source["is_picture"] else f"{check['frames_analysed']} frames",
        f"{source['width']} × {source['height']}",
        f"model {analysis.record['checkpoint']['name']}",
        f"{analysis.record['created'][:16].replace('T', ' ')} UTC",
    ]
    st.caption(plain(", ".join(words)))
    if not analysis.record["complete"]:
        st.warning("This analysis is not complete.", icon=":material/warning:")
    for message in analysis.record["messages"]:
        st.info(plain(message), icon=":material/info:")
    return smoothing_s


def _smoothing_choice() -> float:
    return float(
        st.segmented_control(
            "Smoothing", WINDOWS_S, default=0.0, format_func=lambda s: f"{s:g} s" if s else "off", required=True,
            help="Mean of the probabilities over this many seconds around each frame. Stored results stay as they are.",
        )
        or 0.0
    )  # fmt: skip


@st.cache_data(max_entries=8, show_spinner=False)
def _timeline(folder: str, changed: float, smoothing_s: float) -> pd.DataFrame:
    from fer_core.video.store import open_analysis

    return smooth(open_analysis(folder).timeline(), smoothing_s)


def timeline_of(analysis: Analysis, smoothing_s: float) -> pd.DataFrame:
    """The smoothed timeline, kept between runs of the page."""
    table = analysis.folder / "timeline.parquet"
    return _timeline(str(analysis.folder), table.stat().st_mtime if table.is_file() else 0.0, smoothing_s)


def _key(analysis: Analysis, smoothing_s: float) -> str:
    return f"segments-{analysis.id}-{smoothing_s:g}"


def seek_request(analysis: Analysis, smoothing_s: float) -> dict[str, Any] | None:
    """Where the player should go: the start of the segment that is chosen in the table."""
    rows = st.session_state.get(_key(analysis, smoothing_s), {"selection": {"rows": []}})["selection"]["rows"]
    if not rows:
        return None
    found = segments(timeline_of(analysis, smoothing_s))
    if rows[0] >= len(found):
        return None
    row = found.iloc[rows[0]]
    return {"id": f"{smoothing_s:g}-{rows[0]}", "time_s": float(row["start_s"]), "track": int(row["track"])}


def person_label(analysis: Analysis, track: int) -> str:
    """The user's name for a person, else a number from 1."""
    return analysis.names.get(track) or f"Person {track + 1}"


def segments_table(analysis: Analysis, timeline: pd.DataFrame, smoothing_s: float) -> None:
    """Stretches of one emotion; choosing a row moves the player there."""
    found = segments(timeline)
    if found.empty:
        st.info("No face was found, so there are no segments.")
        return
    shown = pd.DataFrame(
        {
            "person": [person_label(analysis, track) for track in found["track"]],
            "emotion": found["emotion"],
            "group": found["group"],
            "start_s": found["start_s"],
            "end_s": found["end_s"],
            "duration_s": found["duration_s"],
            "confidence": found["confidence"] * 100,
        }
    )
    st.caption("Choose a row to go to that moment.")
    st.dataframe(
        shown,
        key=_key(analysis, smoothing_s),
        on_select="rerun",
        selection_mode="single-row",
        hide_index=True,
        height=min(38 + 35 * len(shown), 400),
        column_config={
            "person": "Person",
            "emotion": "Emotion",
            "group": "Group",
            "start_s": st.column_config.NumberColumn("Start (s)", format="%.3f"),
            "end_s": st.column_config.NumberColumn("End (s)", format="%.3f"),
            "duration_s": st.column_config.NumberColumn("Length (s)", format="%.3f"),
            "confidence": st.column_config.ProgressColumn(
                "Mean probability", format="%.0f %%", min_value=0, max_value=100
            ),
        },
    )


def faces_table(analysis: Analysis, timeline: pd.DataFrame) -> None:
    """The faces of a picture, each with its probabilities."""
    faces = timeline[timeline["track"] >= 0]
    if faces.empty:
        st.info("No face was found in this picture.")
        return
    columns = score_columns(faces)
    shown = pd.DataFrame({"Person": [person_label(analysis, track) for track in faces["track"]]})
    shown[["Emotion", "Group"]] = faces[["emotion", "group"]].to_numpy()
    shown[[name.removeprefix("p_") for name in columns]] = 100 * faces[columns].to_numpy()
    percent = st.column_config.NumberColumn(format="%.1f %%")
    st.dataframe(shown, hide_index=True, column_config=dict.fromkeys(EMOTIONS, percent))


def people_table(analysis: Analysis, timeline: pd.DataFrame) -> None:
    """Per person: share of the time seen per emotion and group, changes, longest stretch, time unseen."""
    people = people_summary(timeline)
    if not people:
        st.info("Nobody was found in this video.")
        return
    rows = [
        {
            "Person": person_label(analysis, person["track"]),
            **{name: 100 * person["emotion_share"].get(name, 0.0) for name in EMOTIONS},
            **{f"{name} (group)": 100 * person["group_share"].get(name, 0.0) for name in GROUPS},
            "Changes": person["changes"],
            "Longest stretch": f"{person['longest']['emotion']}, {person['longest']['duration_s']:.2f} s",
            "Seen (s)": person["seen_s"],
            "Not seen (s)": person["unseen_s"],
        }
        for person in people
    ]
    percent = st.column_config.NumberColumn(format="%.1f %%")
    st.caption("Share of the time a person was seen, by the top emotion of each frame.")
    st.dataframe(
        pd.DataFrame(rows),
        hide_index=True,
        column_config=dict.fromkeys((*EMOTIONS, *(f"{group} (group)" for group in GROUPS)), percent),
    )
    groups = {group: ", ".join(name for name in EMOTIONS if DEFAULT_GROUP_MAP[name] == group) for group in GROUPS}
    st.caption("Groups: " + "; ".join(f"{group} = {names}" for group, names in groups.items()) + ".")


def facts(analysis: Analysis) -> None:
    """Settings, the time check and the versions, in plain words."""
    record = analysis.record
    check, settings = record["time_check"], record["settings"]
    rate = (
        f"variable (steps of {check['shortest_step_s']:.4f} to {check['longest_step_s']:.4f} s)"
        if check["variable_rate"]
        else "constant"
    )
    sampling = f"{settings['per_second']:g} per second" if settings["per_second"] else "every frame"
    end = f"{settings['end_s']:.2f} s" if settings["end_s"] is not None else "the end"
    rows = {
        "Frames decoded": check["frames_decoded"],
        "Frames analysed": f"{check['frames_analysed']} ({sampling}, from {settings['start_s']:.2f} s to {end})",
        "Frames with faces": check["frames_with_faces"],
        "Frames dropped or damaged": check["frames_dropped"],
        "Faces left out": f"{record['faces_left_out']} that flickered up for a frame or two (false alarms)",
        "Times": f"{check['first_s']:.3f} to {check['last_s']:.3f} s, as the stream itself says",
        "Frame rate": rate,
        "Error of counting frames instead": f"up to {check['drift_s']:.3f} s",
        "Detector": f"{settings['detector']}, faces from {settings['min_face_px']} px",
        "Model": f"{record['checkpoint']['name']} (SHA-256 {record['checkpoint']['sha256'][:12]})",
        "Speed": f"{record['frames_per_s']:.1f} frames/s on {record['device']}",
    }
    st.table(pd.DataFrame({"": [str(value) for value in rows.values()]}, index=list(rows)))


def downloads(analysis: Analysis, smoothing_s: float) -> None:
    """The timeline in four formats, and the annotated video."""
    from fer_core.video.export import KINDS, export

    st.caption(f"With smoothing {smoothing_s:g} s." if smoothing_s else "As measured, without smoothing.")
    stem = Path(analysis.name).stem
    names = {"csv": "CSV", "parquet": "Parquet", "json": "JSON", "vtt": "Subtitles (WebVTT)"}
    with st.container(horizontal=True):
        for kind, mime in KINDS.items():
            st.download_button(
                names[kind],
                data=partial(export, analysis, kind, smoothing_s=smoothing_s),
                file_name=f"{stem}.{kind}",
                mime=mime,
                on_click="ignore",
                icon=":material/download:",
                key=f"download-{kind}",
            )
    if not analysis.record["source"]["is_picture"] and analysis.source():
        job = jobs.of_target(analysis.id, "annotate")
        active = job is not None and job.state in jobs.ACTIVE
        st.fragment(_annotated, run_every=1.0 if active else None)(analysis, smoothing_s, active)


def _annotated(analysis: Analysis, smoothing_s: float, was_active: bool) -> None:
    job = jobs.of_target(analysis.id, "annotate")
    if job is not None and job.state in jobs.ACTIVE:
        st.progress(job.share, text=f"{job.stage or 'waiting'}, {job.share:.0%}")
        return
    if was_active:
        st.rerun()
    if job is not None and job.state == "failed":
        st.error(plain(job.error), icon=":material/error:")
    path = analysis.folder / "annotated.mp4"
    with st.container(horizontal=True, vertical_alignment="center"):
        if path.is_file():
            st.link_button(
                f"Annotated video ({megabytes(path.stat().st_size)})",
                f"/api/annotated/{analysis.id}",
                icon=":material/download:",
            )
        if st.button(
            "Make annotated video" if not path.is_file() else "Make it anew", icon=":material/movie:", key="annotate"
        ):
            new = places.new_id()
            jobs.add(
                new, kind="annotate", name=analysis.name, target=analysis.id, settings={"smoothing_s": smoothing_s},
            )  # fmt: skip
            tasks.start(new, {"smoothing_s": smoothing_s})
            st.rerun()
    if path.is_file() and job is not None:
        window = float(job.settings.get("smoothing_s", 0))
        st.caption(
            f"The annotated video has smoothing {window:g} s." if window else "The annotated video is not smoothed."
        )
