"""A plan: every setting of an analysis in one file that can be registered beforehand and applied to new videos.

What was analysed by a plan keeps it as ``plan.yaml`` beside its tables; ``deviations`` then says where the analysis, as
it is seen now, is not what was planned.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from fer_core.emotions import DEFAULT_GROUP_MAP, check_choice, check_group_map
from fer_core.errors import InputError, StoreError
from fer_core.faces.detectors import DETECTORS
from fer_core.files import replacing
from fer_core.typed_yaml import TypedYaml
from fer_core.video.marks import printable
from fer_core.video.modes import Settings, check_mode, check_range
from fer_core.video.reasons import LIMITS, Limits, check_limits

if TYPE_CHECKING:
    from fer_core.video.store import Analysis
    from fer_core.video.view import Lens

FORMAT = "fer-workbench-plan/1"
FILE = "plan.yaml"
MAX_BYTES, MAX_TITLE = 200_000, 200
_YAML = TypedYaml(InputError)
_ODD = (ValueError, LookupError, AttributeError, OverflowError, RecursionError)
"""What PyYAML raises, beside its own errors, for values that are none, such as the 45th of December."""
_HEAD = """\
# How videos are analysed, to be registered before they are: python -m fer_core analyze VIDEO --out DIR --plan FILE
"""


@dataclass(frozen=True)
class PlannedView:
    """How results are looked at and exported.

    Attributes:
        smoothing_s: window of the smoothing in s, 0 for none.
        model: whose scores; empty for the first one's, else one of the models or ``fer_core.video.view.MEAN``.
        groups: the group of every emotion.
        limits: from where on a face counts as doubtful.
    """

    smoothing_s: float = 0.0
    groups: Mapping[str, str] = field(default_factory=lambda: dict(DEFAULT_GROUP_MAP))
    limits: Limits = Limits()
    model: str = ""


@dataclass(frozen=True)
class Plan:
    """What is decided before a video is looked at.

    Attributes:
        models: names of the checkpoints, the one whose scores count first.
        format: of the file.
        title: what it is for, a line.
        weights: by model, the SHA-256 of its weights; a model that is not named may have any.
        analysis: what of a video is analysed, and how thoroughly.
        view: how results are looked at.
    """

    models: tuple[str, ...]
    format: str = FORMAT
    title: str = ""
    weights: Mapping[str, str] = field(default_factory=dict)
    analysis: Settings = Settings()
    view: PlannedView = PlannedView()

    def check(self) -> None:
        """Raise ``InputError`` for a value that no analysis could have; one that was analysed long ago may have one."""
        if self.format != FORMAT:
            raise InputError(f"format is {self.format!r}; expected {FORMAT!r}.")
        if not self.models or len(set(self.models)) < len(self.models):
            raise InputError(f"models are {', '.join(self.models) or 'none'}; expected one or several, each once.")
        if len(self.title) > MAX_TITLE or printable(self.title) != self.title:
            raise InputError(f"title must be a line of at most {MAX_TITLE} characters.")
        if unknown := [name for name in self.weights if name not in self.models]:
            raise InputError(f"weights names {unknown[0]!r}, which is none of the models.")
        _check_analysis(self.analysis)
        if not 0 <= self.view.smoothing_s < 1e6:
            raise InputError(f"view.smoothing_s is {self.view.smoothing_s}; expected 0 s or more.")
        check_group_map(self.view.groups)
        check_limits(self.view.limits)

    def to_yaml(self) -> str:
        """The file, with everything said, whatever is default."""
        return _HEAD + yaml.safe_dump(self._values(), sort_keys=False, allow_unicode=True, width=110)

    @property
    def sha256(self) -> str:
        """Of what it says; comments and order of the file do not count."""
        values = json.loads(json.dumps(self._values()), parse_int=float)  # 30 and 30.0 say the same
        return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()

    def _values(self) -> dict[str, Any]:
        """Plain values; ``format`` first."""
        values: dict[str, Any] = json.loads(json.dumps(dataclasses.asdict(self)))
        return {"format": values.pop("format"), "title": values.pop("title"), **values}


def _check_analysis(settings: Settings) -> None:
    """Raise ``InputError`` for a value that no analysis could have."""
    if settings.detector not in DETECTORS:
        raise InputError(f"analysis.detector is {settings.detector!r}; expected one of {', '.join(DETECTORS)}.")
    check_mode(settings.mode)
    check_choice(settings.prior)
    if settings.min_face_px < 1:
        raise InputError(f"analysis.min_face_px is {settings.min_face_px}; expected 1 or more.")
    check_range(settings.start_s, settings.end_s, settings.per_second, name="a video", length_s=0)
    if settings.end_s is not None and not math.isfinite(settings.end_s):
        raise InputError(f"analysis.end_s is {settings.end_s}; expected a time, or null for the end.")
    if settings.track is not None and settings.track < 1:
        raise InputError(f"analysis.track is {settings.track}; expected 1 or more, or null.")


def read_plan(text: str, name: str = FILE) -> Plan:
    """The plan of a file's text.

    Raises:
        InputError: it is no plan, or an unknown key or a wrong value is in it; the message names it.
    """
    if len(text) > MAX_BYTES:
        raise InputError(f"{name} is too large for a plan; expected at most {MAX_BYTES / 1000:.0f} kB.")
    try:
        if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(text, Loader=yaml.SafeLoader)):
            raise InputError(f"{name} uses anchors (&, *); say every value where it belongs.")  # they can grow for ever
        values = yaml.safe_load(text)
    except (yaml.YAMLError, *_ODD) as error:
        raise InputError(f"{name} is not valid yaml: {' '.join(str(error).split())[:300]}") from error
    try:
        plan = _YAML.build(Plan, values, name)
        plan.check()
        return plan
    except _ODD as error:
        raise InputError(f"{name} holds a value that is none ({type(error).__name__}).") from error
    except InputError as error:
        said = str(error)
        raise InputError(said if said.startswith(name) else f"{name}: {said}") from error


def open_plan(path: Path) -> Plan:
    """The plan in a file.

    Raises:
        InputError: it cannot be read, or as of ``read_plan``.
    """
    try:
        if path.exists() and not path.is_file():
            raise InputError(f"{path.name} is no file.")  # a pipe would be read for ever
        if path.stat().st_size > MAX_BYTES:
            raise InputError(f"{path.name} is too large for a plan; expected at most {MAX_BYTES / 1000:.0f} kB.")
        return read_plan(path.read_text(encoding="utf-8"), path.name)
    except OSError as error:
        raise InputError(f"{path.name} cannot be read ({error.strerror or error}).") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path.name} is no text in UTF-8. Save the plan as UTF-8.") from error


def plan_of(analysis: Analysis, smoothing_s: float = 0.0, model: str = "", title: str = "") -> Plan:
    """The plan that an analysis would follow as it is seen now, smoothed and with the scores of ``model`` first (empty:
    the first one's): for new videos like this one."""
    known = {each.name for each in dataclasses.fields(Settings)}
    stored = {"mode": "exact"} | analysis.record["settings"]  # before there were modes, every frame was looked at
    settings = Settings(**{name: value for name, value in stored.items() if name in known})
    models = tuple(dict.fromkeys([model, *analysis.models] if model in analysis.models else analysis.models))
    whose = "" if model in ("", *analysis.models) else model
    weights = {str(each["name"]): str(each["sha256"]) for each in analysis.checkpoints if each.get("sha256")}
    return Plan(
        models=models,
        title=title,
        weights=weights,
        analysis=dataclasses.replace(settings, prior=analysis.prior),
        view=PlannedView(smoothing_s, dict(analysis.state.groups), analysis.state.limits, whose),
    )


def keep_plan(analysis: Analysis, plan: Plan) -> Analysis:
    """Write down that an analysis was made by a plan, with groups and limits as planned; returns it as it is then."""
    if dict(analysis.state.groups) != dict(plan.view.groups):
        analysis = analysis.do({"do": "groups", "map": dict(plan.view.groups)})
    if analysis.state.limits != plan.view.limits:
        analysis = analysis.do({"do": "limits", "limits": dataclasses.asdict(plan.view.limits)})
    with replacing(analysis.folder / FILE) as new:
        new.write_text(plan.to_yaml(), "utf-8")
    return analysis


def kept_plan(analysis: Analysis) -> Plan | None:
    """The plan that an analysis was made by, None where there was none.

    Raises:
        StoreError: ``plan.yaml`` is damaged.
    """
    path = analysis.folder / FILE
    if not os.path.lexists(path):
        return None
    try:
        return open_plan(path)
    except InputError as error:
        raise StoreError(f"{analysis.id}: {error}") from error


def planned_smoothing(analysis: Analysis) -> float:
    """Window of the smoothing in s of the plan that an analysis was made by; 0 where there was none."""
    plan = kept_plan(analysis)
    return 0.0 if plan is None else plan.view.smoothing_s


def deviations(analysis: Analysis, plan: Plan, lens: Lens | None = None) -> list[str]:
    """Where an analysis, seen through ``lens`` (None: however it is looked at), is not what was planned, each in a
    sentence; empty where it followed the plan."""
    now = plan_of(analysis) if lens is None else plan_of(analysis, lens.smoothing_s, lens.model)
    told = [*_models(plan, now, lens is not None and bool(lens.model))]
    told += _different("analysis", dataclasses.asdict(plan.analysis), dataclasses.asdict(now.analysis))
    if lens is not None:
        told += _different("view", *({"smoothing_s": v.smoothing_s, "model": v.model} for v in (plan.view, now.view)))
    told += _different("group of", dict(plan.view.groups), dict(now.view.groups))
    told += _different("limit", dataclasses.asdict(plan.view.limits), dataclasses.asdict(now.view.limits))
    steps = [step["do"] for step in analysis.state.steps]
    told += [
        f"{_WORDS[do]} after the analysis: {n} time{'' if n == 1 else 's'}."
        for do in dict.fromkeys(steps)
        if (n := steps.count(do))
    ]
    if not analysis.record["complete"]:
        told.append("The analysis is not complete.")
    return told


_WORDS = {"merge": "People were merged", "split": "A person was split", "exclude": "Something was excluded"}


def _models(plan: Plan, now: Plan, chosen: bool) -> list[str]:
    """Other models, or other weights of the same."""
    ordered = now.models if chosen else plan.models if set(now.models) == set(plan.models) else now.models
    told = []
    if ordered != plan.models:
        told.append(f"models: planned {_listed(plan.models)}, here {_listed(ordered)}.")
    for name, sha256 in plan.weights.items():
        if name in now.models and now.weights.get(name) != sha256:
            here = now.weights.get(name, "unknown")[:12]
            told.append(f"weights of {name}: planned {sha256[:12]}…, here {here}{'' if here == 'unknown' else '…'}.")
    return told


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names)


def _different(what: str, planned: Mapping[str, Any], here: Mapping[str, Any]) -> list[str]:
    """A sentence for each value that differs."""
    names = {name: (LIMITS[name].words if what == "limit" and name in LIMITS else name) for name in planned}
    return [
        f"{what} {names[name]}: planned {_shown(value)}, here {_shown(here.get(name))}."
        for name, value in planned.items()
        if here.get(name) != value
    ]


def _shown(value: Any) -> str:
    return "none" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


__all__ = [
    "FILE", "FORMAT", "Plan", "PlannedView", "deviations", "keep_plan", "kept_plan", "open_plan", "plan_of",
    "planned_smoothing", "read_plan",
]  # fmt: skip
