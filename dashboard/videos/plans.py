"""Plans in the form for new analyses: taking one, following it, and saving what is chosen as one."""

from __future__ import annotations

import dataclasses
from typing import Any

import streamlit as st

from dashboard.components.frame import plain
from dashboard.services import jobs
from dashboard.services.kinds import AnalyzeRequest
from fer_core.errors import InputError
from fer_core.faces.detectors import DETECTORS
from fer_core.models.folders import runnable_names, titled
from fer_core.video.plan import Plan, read_plan

KEPT_SETTINGS = "kept-settings"
_HELP = """A file in which all settings were decided, and perhaps registered, before the video is looked at. Every
analysis made by it says whether it followed it, and where not."""


def follow(kept: dict[str, Any], ready: list[jobs.Job]) -> AnalyzeRequest | None:
    """The request of the plan that was chosen, with what it says; None where there is none, or it cannot be followed
    here."""
    try:
        plan = read_plan(str(kept["plan"]))
    except InputError as error:
        st.error(plain(str(error)), icon=":material/error:")
        plan = None
    with st.container(horizontal=True, vertical_alignment="center", border=True):
        st.markdown(_about(plan), width="stretch")
        if st.button("Without the plan", type="tertiary", icon=":material/close:"):
            _plan_for(ready, {})
    if plan is None:
        return None
    if lacking := _lacking(plan):
        st.error(plain(lacking), icon=":material/error:")
        return None
    return _request(plan)


def _about(plan: Plan | None) -> str:
    """What the settings are by."""
    if plan is None:
        return ":material/assignment: A plan that cannot be read"
    named = f"**{plain(plan.title)}**" if plan.title else "The settings are those of the plan"
    return f":material/assignment: {named}, {', '.join(plain(titled(name)) for name in plan.models)}"


def take(ready: list[jobs.Job]) -> None:
    """Ask for a plan; one that is given holds from then on."""
    given = st.file_uploader("Use a plan", ["yaml", "yml"], key="plan", max_upload_size=1, help=_HELP)
    if given is None:
        return
    try:
        plan = read_plan(given.getvalue().decode("utf-8"), given.name)
        read_plan(plan.to_yaml())  # with everything said, it may be too long
    except UnicodeDecodeError:
        st.error("The plan is no text in UTF-8. Save it as UTF-8.", icon=":material/error:")
    except InputError as error:
        st.error(plain(str(error)), icon=":material/error:")
    else:
        _plan_for(ready, _request(plan).to_json())


def save(request: AnalyzeRequest) -> None:
    """Offer what is chosen as a plan."""
    plan = Plan(models=request.checkpoint, analysis=request.settings)
    st.download_button(
        "Save as a plan", plan.to_yaml(), "plan.yaml", "application/yaml", on_click="ignore",
        icon=":material/download:", help=_HELP,
    )  # fmt: skip


def _request(plan: Plan) -> AnalyzeRequest:
    return AnalyzeRequest(checkpoint=plan.models, plan=plan.to_yaml(), **dataclasses.asdict(plan.analysis))


def _lacking(plan: Plan) -> str:
    """What of a plan cannot be done here."""
    if gone := [name for name in plan.models if name not in runnable_names()]:
        return f"The plan asks for the model {gone[0]}, which is not here. Add it on the page Models."
    return DETECTORS[plan.analysis.detector].missing


def _plan_for(ready: list[jobs.Job], settings: dict[str, Any]) -> None:
    """Let the files that wait have these settings, and none that was kept."""
    st.session_state[KEPT_SETTINGS] = settings
    for job in ready:
        jobs.plan(job.id, settings)
    st.rerun()
