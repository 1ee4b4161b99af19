"""Files that wait for an analysis, and the settings for it."""

from __future__ import annotations

from typing import Any

import streamlit as st

from dashboard.components.frame import clock, megabytes, plain
from dashboard.services import jobs
from fer_core.faces.detectors import DEFAULT_DETECTOR, DETECTORS
from fer_core.models.folders import runnable_names
from fer_core.video.modes import MODES, PREVIEW_PER_SECOND

RATES = (1.0, 2.0, 5.0, 10.0)


def ready_files(ready: list[jobs.Job]) -> None:
    """The list of uploaded files, each with what it is and a way to drop it."""
    st.subheader("Ready to analyze")
    for job in ready:
        with st.container(horizontal=True, vertical_alignment="center", border=True):
            st.markdown(f"**{plain(job.name)}**  \n:small[{plain(describe(job.info))}]", width="stretch")
            if st.button("Remove", key=f"remove-{job.id}", icon=":material/close:", type="tertiary"):
                jobs.cancel(job.id)
                st.rerun()


def describe(info: dict[str, Any]) -> str:
    """``640 × 360, 0:19, 24 frames/s, H264, 1.6 MB``."""
    parts = [f"{info['width']} × {info['height']}"]
    if not info["is_picture"]:
        parts += [clock(info["duration_s"]), f"{info['mean_fps']:.4g} frames/s"]
    return ", ".join([*parts, str(info["codec"]).upper(), megabytes(info["bytes"])])


def settings_form(ready: list[jobs.Job]) -> dict[str, Any]:
    """Widgets for the settings: as ``fer_core.video.pipeline.Settings`` takes them, with ``checkpoint``.

    Empty where there is no model, or the chosen detector cannot run; the page then says what it lacks.
    """
    names = runnable_names()
    if not names:
        st.warning("No checkpoint here has weights. Add or train one, see the page Checkpoints.")
        return {}
    with st.expander("Settings", icon=":material/tune:"):
        left, right = st.columns(2)
        chosen = left.multiselect(
            "Models", names, default=names[:1], placeholder=names[0],
            help="One, or several to compare: faces are found once, and Review shows where the models disagree. What "
            "each was taught and how good it is stands below.",
        )  # fmt: skip
        for name in chosen or names[:1]:
            left.caption(plain(_about(name)))
        with right:
            mode, per_second = _mode()
        min_face_px = left.slider(
            "Smallest face (pixels)",
            20,
            200,
            40,
            5,
            help="Smaller faces are not looked for. A smaller value is slower.",
        )
        with right:
            start_s, end_s = _clip_range(ready)
        detector = _detector()
    if not detector:
        return {}
    sampling = {"mode": mode, "per_second": per_second, "start_s": start_s, "end_s": end_s}
    return {"checkpoint": chosen or names[:1], "detector": detector, "min_face_px": min_face_px, **sampling}


def _about(name: str) -> str:
    """A checkpoint in a line: what it was taught and how good it is."""
    from dashboard.services import checkpoints  # its cards need OpenCV, the first page does not

    entry = checkpoints.entry(name)
    if entry.card is None:
        return f"{name}: {entry.error}"
    data, figures = entry.card.data, entry.figures()
    taught = f", taught by {data['labels']} labels" if "labels" in data else ""
    accuracy, n = figures.get("accuracy"), figures.get("n")
    where = f"{figures.get('data', '')} {figures.get('split', '')}".strip()
    right = (
        f"; {accuracy:.1%} of {n:,} faces right ({where})" if isinstance(accuracy, float) and isinstance(n, int) else ""
    )
    return f"{name}: {entry.card.network}{taught}{right}."


def _mode() -> tuple[str, float | None]:
    """The mode, and frames per second where it takes few."""
    told = " ".join(f"**{name}** {what}." for name, what in MODES.items())
    mode = str(
        st.segmented_control("Mode", list(MODES), default=next(iter(MODES)), required=True, help=told, key="mode")
    )
    if mode != "preview":
        return mode, None
    return mode, st.select_slider("Frames per second", RATES, PREVIEW_PER_SECOND, format_func=lambda each: f"{each:g}")


def _detector() -> str:
    """The name of a face detector that can run, else an empty one with the reason below the widget."""
    name = st.selectbox(
        "Face detector",
        list(DETECTORS),
        index=list(DETECTORS).index(DEFAULT_DETECTOR),
        format_func=_detector_label,
        help="What looks for faces. The default suits most videos.",
    )
    if missing := DETECTORS[name].missing:
        st.warning(plain(missing), icon=":material/deployed_code_alert:")
        return ""
    return str(name)


def _detector_label(name: str) -> str:
    kind = DETECTORS[name]
    return f"{kind.title} (weights missing)" if kind.missing else f"{kind.title}: {kind.note}"


def _clip_range(ready: list[jobs.Job]) -> tuple[float, float | None]:
    """Seconds from and to; None is the end."""
    length = float(ready[0].info["duration_s"])
    if len(ready) > 1 or length < 1:
        st.caption("A clip range can be chosen for one video at a time.")
        return 0.0, None
    start_s, end_s = st.slider(
        "Clip range (seconds)", 0.0, length, (0.0, length), 0.1, format="%.1f", key=f"range-{ready[0].id}"
    )
    return start_s, None if end_s >= length - 0.05 else end_s
