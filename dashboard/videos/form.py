"""Files that wait for an analysis, and the settings for it."""

from __future__ import annotations

from collections.abc import Container
from typing import Any

import streamlit as st

from dashboard.components.frame import clock, counted, megabytes, plain
from dashboard.services import defaults, jobs
from dashboard.services.kinds import AnalyzeRequest
from dashboard.videos import plans
from dashboard.videos.plans import KEPT_SETTINGS
from dashboard.videos.review.commonness import SENTENCE, TITLE, UNKNOWN
from fer_core.emotions import HALFWAY, PRIORS
from fer_core.faces.detectors import DEFAULT_DETECTOR, DETECTORS
from fer_core.faces.identity import describers
from fer_core.models.folders import runnable_names, titled
from fer_core.video.modes import MODES, PREVIEW_PER_SECOND

RATES = (1.0, 2.0, 5.0, 10.0)
FACE_PX = 20, 200
DEFAULTS = {
    "mode": next(iter(MODES)), "per_second": PREVIEW_PER_SECOND, "min_face_px": 40, "detector": DEFAULT_DETECTOR,
    "identity": False, "prior": HALFWAY, "keep_pictures": True,
}  # fmt: skip
_FORGET = "Analyze and forget"
_IDENTITY = """Whoever comes back after a cut or an absence is the same person again, and who is not surely the same is
proposed in Review."""
_BIOMETRIC = """For that, descriptors of the faces are computed: biometric data in the sense of the EU’s GDPR, kept only
with this analysis and deleted with it."""


def ready_files(ready: list[jobs.Job]) -> None:
    """The list of uploaded files, each with what it is and a way to drop it."""
    st.subheader("Ready to analyze")
    for job in ready:
        with st.container(horizontal=True, vertical_alignment="center", border=True):
            failed = f"  \n:red[:material/error:] {plain(job.error)}" if job.error else ""
            st.markdown(f"**{plain(job.name)}**  \n:small[{plain(describe(job.info))}]{failed}", width="stretch")
            if st.button("Remove", key=f"remove-{job.id}", icon=":material/close:", type="tertiary"):
                jobs.cancel(job.id)
                st.rerun()


def describe(info: dict[str, Any]) -> str:
    """``640 × 360, 0:19, 24 frames/s, H264, 1.6 MB``."""
    parts = [f"{info['width']} × {info['height']}"]
    if not info["is_picture"]:
        parts += [clock(info["duration_s"]), f"{info['mean_fps']:.4g} frames/s"]
    return ", ".join([*parts, str(info["codec"]).upper(), megabytes(info["bytes"])])


def settings_form(ready: list[jobs.Job]) -> AnalyzeRequest | None:
    """Widgets for the settings.

    What is chosen stays with the files that wait, so that neither a look at another page nor a reload changes it, and
    for the next files while the page is open. None where there is no model, or the chosen detector cannot run; the
    page then says what it lacks.
    """
    names = runnable_names()
    if not names:
        st.warning("No checkpoint here has weights. Add or train one, see the page Models.")
        return None
    kept = st.session_state.get(KEPT_SETTINGS) or next((job.settings for job in ready if job.settings), {})
    if kept.get("plan"):
        return plans.follow(kept, ready)
    kept = defaults.kept() | kept
    with st.expander("Settings", icon=":material/tune:", key="settings", on_change="rerun"):
        left, right = st.columns(2)
        chosen = left.multiselect(
            "Models", names, [each for each in kept.get("checkpoint", []) if each in names] or names[:1],
            key="models", placeholder=titled(names[0]), format_func=titled,
            help="One, or several to compare: faces are found once, and Review shows where the models disagree. What "
            "each was taught and how good it is stands below.",
        )  # fmt: skip
        for name in chosen or names[:1]:
            left.caption(plain(_about(name)))
        with right:
            mode, per_second = _mode(kept)
        min_face_px = left.slider(
            "Smallest face (pixels)",
            *FACE_PX,
            _begins("min_face_px", kept, range(FACE_PX[0], FACE_PX[1] + 1)),
            step=5,
            key="min_face_px",
            help="Smaller faces are not looked for. A smaller value is slower.",
        )
        with right:
            start_s, end_s = _clip_range(ready)
        detector = _detector(kept)
        prior = _prior(kept)
        identity = _identity(kept)
        keep_pictures = _keep_pictures(kept)
        below = st.container(horizontal=True, vertical_alignment="bottom")
        with below:
            plans.take(ready)
    if not detector:
        return None
    request = AnalyzeRequest(
        checkpoint=tuple(chosen or names[:1]), detector=detector, min_face_px=min_face_px, mode=mode,
        per_second=per_second, start_s=start_s, end_s=end_s, identity=identity, prior=prior,
        keep_pictures=keep_pictures,
    )  # fmt: skip
    with below:
        plans.save(request)
    settings = st.session_state[KEPT_SETTINGS] = request.to_json()
    for job in ready:
        if job.settings != settings:
            jobs.plan(job.id, settings)
    return request


def _begins(key: str, kept: dict[str, Any], choices: Container[Any]) -> Any:
    """What a widget begins with on a new page: the kept value, if it can still be chosen. Given as the widget's own
    default, as the browser draws a widget that comes back from that, not from the session."""
    value = kept.get(key)
    return value if value in choices else DEFAULTS[key]


def summary(request: AnalyzeRequest, ready: list[jobs.Job]) -> str:
    """What a start would do, in a line: ``1 model · fast · whole clip · faces from 40 px``."""
    parts = ["by the plan"] if request.plan else []
    parts += [counted(len(request.checkpoint), "model")]
    if not all(job.info["is_picture"] for job in ready):
        start_s, end_s, rate = request.start_s, request.end_s, request.per_second
        parts += [f"{request.mode}, {rate:g} frames/s" if rate else request.mode]
        until = float(ready[0].info["duration_s"]) if end_s is None else end_s
        parts += ["whole clip" if not start_s and end_s is None else f"{start_s:.1f} to {until:.1f} s"]
    parts += [f"faces from {request.min_face_px} px"]
    parts += [DETECTORS[request.detector].title] if request.detector != DEFAULT_DETECTOR else []
    parts += ["people by their faces"] if request.identity else []
    parts += [f"how common emotions are: {PRIORS[request.prior]}"] if request.prior != HALFWAY else []
    parts += [] if request.keep_pictures else ["no picture kept"]
    return " · ".join(parts)


def _about(name: str) -> str:
    """A checkpoint in a line: what it was taught and how good it is."""
    from dashboard.services import checkpoints  # its cards need OpenCV, the first page does not

    entry = checkpoints.entry(name)
    if entry.card is None:
        return f"{name}: {entry.error}"
    data, figures = entry.card.data, entry.figures()
    taught = f", taught by {data['labels']} labels" if "labels" in data else ""
    if entry.answers():
        taught += f", {', '.join(entry.card.answers)} only"
    accuracy, n = figures.get("accuracy"), figures.get("n")
    where = f"{figures.get('data', '')} {figures.get('split', '')}".strip()
    right = (
        f"; {accuracy:.1%} of {n:,} faces right ({where})" if isinstance(accuracy, float) and isinstance(n, int) else ""
    )
    only = "" if entry.knows_prior else f" {name} {UNKNOWN}."
    return f"{name}: {entry.card.network}{taught}{right}.{only}"


def _mode(kept: dict[str, Any]) -> tuple[str, float | None]:
    """The mode, and frames per second where it takes few."""
    told = " ".join(f"**{name}** {what}." for name, what in MODES.items())
    first = _begins("mode", kept, MODES)
    mode = str(st.segmented_control("Mode", list(MODES), default=first, required=True, help=told, key="mode"))
    if mode != "preview":
        return mode, None
    rate = _begins("per_second", kept, RATES)
    return mode, st.select_slider("Frames per second", RATES, rate, format_func="{:g}".format, key="per_second")


def _detector(kept: dict[str, Any]) -> str:
    """The name of a face detector that can run, else an empty one with the reason below the widget."""
    name = st.selectbox(
        "Face detector",
        list(DETECTORS),
        list(DETECTORS).index(_begins("detector", kept, DETECTORS)),
        key="detector",
        format_func=_detector_label,
        help="What looks for faces. The default suits most videos.",
    )
    if missing := DETECTORS[name].missing:
        st.warning(plain(missing), icon=":material/deployed_code_alert:")
        return ""
    return str(name)


def _prior(kept: dict[str, Any]) -> str:
    first = list(PRIORS).index(_begins("prior", kept, PRIORS))
    chosen = st.selectbox(TITLE, list(PRIORS), first, key="prior", format_func=PRIORS.__getitem__)
    st.caption(f"{SENTENCE} It can be changed in Review; what is stored is as trained.")
    return str(chosen)


def _identity(kept: dict[str, Any]) -> bool:
    """Whether people are recognised by their faces; where that cannot run, what to install."""
    lacking = describers.missing()
    first = not lacking and _begins("identity", kept, (False, True))
    chosen = st.toggle("Recognise people by their face", first, key="identity", disabled=bool(lacking), help=_IDENTITY)
    st.caption(_BIOMETRIC)
    if lacking:
        st.caption(plain(lacking))
    return bool(chosen) and not lacking


def _keep_pictures(kept: dict[str, Any]) -> bool:
    forgets = st.toggle(_FORGET, not _begins("keep_pictures", kept, (False, True)), key="forget")
    st.caption(
        "Keeps the tables alone: no video, no picture of anybody. Review opens without pictures, and “Why?” has "
        "nothing to look at."
    )
    return not forgets


def _detector_label(name: str) -> str:
    kind = DETECTORS[name]
    return f"{kind.title} (weights missing)" if kind.missing else f"{kind.title}: {kind.note}"


def _clip_range(ready: list[jobs.Job]) -> tuple[float, float | None]:
    """Seconds from and to; None is the end."""
    length = float(ready[0].info["duration_s"])
    if len(ready) > 1 or length < 1:
        st.caption("A clip range can be chosen for one video at a time.")
        return 0.0, None
    from_s, to_s = ready[0].settings.get("start_s", 0.0), ready[0].settings.get("end_s")
    chosen = from_s, length if to_s is None else to_s
    start_s, end_s = st.slider(
        "Clip range (seconds)", 0.0, length, chosen, 0.1, format="%.1f", key=f"range-{ready[0].id}"
    )
    return start_s, None if end_s >= length - 0.05 else end_s
