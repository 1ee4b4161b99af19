"""Where the face comes from: a data set, a picture, the webcam, or an analysed video."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import streamlit as st

from dashboard.addresses import SETTINGS, VIDEOS
from dashboard.components.frame import clock, moment_address
from dashboard.services import datasets, explained, pictures, places
from dashboard.services.places import open_for_page
from fer_core.video.store import Analysis
from fer_core.video.view import Lens, view

KINDS = ("Data set", "Picture", "Webcam", "Video")


def choose_source() -> explained.Source | None:
    """The face to explain, or None where none is chosen yet; the page says what to do."""
    kind = st.segmented_control("Face from", KINDS, key="from", bind="query-params", required=True, default=KINDS[0])
    return dict(zip(KINDS, (_data, _picture, _webcam, _video), strict=True))[kind or KINDS[0]]()


def _data() -> explained.Source | None:
    known = {each.name: each for each in datasets.pointed()}
    if not known:
        st.info("The workbench was not pointed to a data set yet. A picture, the webcam or a video work without.")
        st.page_link(SETTINGS, label="Point to a data set", icon=":material/folder_open:")
        return None
    with st.container(horizontal=True, vertical_alignment="bottom"):
        name = st.selectbox("Data set", list(known), key="dataset", bind="query-params", width=200, on_change=_anew)
        splits = known[name].open().splits
        split = st.selectbox(
            "Split",
            splits,
            index=splits.index(known[name].open().default_split),
            key="split",
            bind="query-params",
            width=180,
            on_change=_anew,
        )
        faces = datasets.faces(name, split)
        if not len(faces):
            st.info("There is no picture in this split.")
            return None
        first = str(faces.ids[0])
        if st.session_state.pop("begin-anew", False):
            st.session_state["id"] = first
        wanted = st.text_input(
            "Picture", first, key="id", bind="query-params", width=200, help=f"Its id, such as {first}"
        )
        row = faces.index(wanted.strip())
        for label, step in (("Previous", -1), ("Next", 1)):
            st.button(
                label, on_click=_go, args=(str(faces.ids[(row + step) % len(faces)]),), key=f"go-{label}",
                icon=f":material/chevron_{'left' if step < 0 else 'right'}:",
            )  # fmt: skip
    return {"dataset": name, "split": split, "id": wanted.strip()}


def _anew() -> None:
    """Another data set or split: it does not have the picture that was looked at."""
    st.session_state["begin-anew"] = True


def _go(picture_id: str) -> None:
    st.session_state["id"] = picture_id


def _picture() -> explained.Source | None:
    given = st.file_uploader(
        "A picture with a face", max_upload_size=30, help="JPEG, PNG, WebP, TIFF … It stays on this machine."
    )
    return _kept(given.name, given.getvalue()) if given else None


def _webcam() -> explained.Source | None:
    given = st.camera_input("A snapshot", help="It stays on this machine.")
    return _kept("snapshot.jpg", given.getvalue()) if given else None


def _kept(name: str, data: bytes) -> explained.Source:
    which = st.number_input("Face (1 is the largest)", 1, 50, 1, width=180)
    return {"picture": pictures.keep(name, data), "face": int(which) - 1}


def _video() -> explained.Source | None:
    found = {
        each.id: each for each in places.store().all() if isinstance(each, Analysis) and each.source() and each.tracks
    }
    if not found:
        st.info("There is no analysed video with a face in it yet.")
        st.page_link(VIDEOS, label="Go to Videos", icon=":material/upload:")
        return None
    with st.container(horizontal=True, vertical_alignment="bottom"):
        asked = st.query_params.get("analysis", "")
        chosen = st.selectbox(
            "Video", list(found), list(found).index(asked) if asked in found else 0,
            format_func=lambda each: found[each].name, key="video", width=300,
        )  # fmt: skip
        analysis = open_for_page(chosen)
        people, person = analysis.tracks, st.query_params.get("person", "")
        track = st.selectbox(
            "Person", people, people.index(int(person) - 1) if person.isdecimal() and int(person) - 1 in people else 0,
            format_func=analysis.state.name_of, key=f"person-{chosen}", width=180,
        )  # fmt: skip
        times = _times(analysis, track)
        at = st.select_slider(
            "Moment", times, _nearest(times, st.query_params.get("t", "")), key=f"moment-{chosen}-{track}", width=360,
            format_func=lambda each: f"{clock(each)} ({each:.2f} s)",
        )  # fmt: skip
    st.query_params.update(moment_address(chosen, float(at), int(track)))
    return {"analysis": chosen, "track": int(track), "time_s": float(at)}


def _nearest(times: list[float], asked: str) -> float:
    """The time that an address names, or the middle one."""
    try:
        wanted = float(asked)
    except ValueError:
        return times[len(times) // 2]
    return min(times, key=lambda each: abs(each - wanted)) if math.isfinite(wanted) else times[len(times) // 2]


def _times(analysis: Analysis, track: int) -> list[float]:
    """Moments at which a person is seen, at most 300 of them, evenly spread."""
    timeline = view(analysis, Lens())
    seen = timeline.loc[timeline["track"] == track, "time_s"].to_numpy(float)
    return [
        float(each) for each in seen[np.unique(np.linspace(0, len(seen) - 1, min(300, len(seen))).round().astype(int))]
    ]


def words(source: dict[str, Any]) -> str:
    """What a source is, for a title."""
    if "dataset" in source:
        return f"picture {source['id']} of {source['dataset']}"
    return "the chosen moment" if "analysis" in source else "your picture"
