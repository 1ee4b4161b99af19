"""The kinds of jobs: who works on each, when its turn comes, and what it is asked with.

A new kind is a ``Kind`` here, in ``KINDS``, and what it does in ``dashboard.services.work``.

What a job is asked with is a frozen record. In the table of jobs it is JSON, where it may wait while the workbench is
updated: what another version wrote is read as far as it means the same, and else refused with the reason.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Generic, Self, TypeVar

from fer_core.errors import InputError
from fer_core.typed_yaml import TypedYaml
from fer_core.video.modes import Settings

ANALYSES, INSPECTOR = "analyses", "inspector"
QUEUES = (ANALYSES, INSPECTOR)
"""Queues, each with a worker process of its own: for long work, and for what somebody waits for before the screen."""
_RECORDS = TypedYaml(InputError)
Emotions = tuple[str, ...] | str
"""An emotion, those of a group, or empty for the network's own answer."""


@dataclass(frozen=True)
class Request:
    """What a job is asked with; this one says nothing, for jobs whose target and files say all."""

    def to_json(self) -> dict[str, Any]:
        """Plain values, as ``from_json`` takes them."""
        values: dict[str, Any] = json.loads(json.dumps(dataclasses.asdict(self)))
        return values

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """The record of plain values; what is not said has its default.

        Raises:
            InputError: a key is unknown or missing, or a value is of another type; the message names it.
        """
        return _RECORDS.build(cls, values, "settings")


@dataclass(frozen=True, kw_only=True)
class AnalyzeRequest(Settings, Request):
    """How a file is analysed, and by which models; the first one fills the timeline. ``plan`` is the text of the plan
    (``fer_core.video.plan``) that says so, where there is one."""

    checkpoint: tuple[str, ...]
    plan: str = ""

    @property
    def settings(self) -> Settings:
        """Without the models, as ``analyze`` takes them."""
        return Settings(**{field.name: getattr(self, field.name) for field in dataclasses.fields(Settings)})

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """As of every request; a single model may be text, as earlier versions and the sample wrote it."""
        chosen = values.get("checkpoint")
        return super().from_json({**values, "checkpoint": [chosen]} if isinstance(chosen, str) else values)


@dataclass(frozen=True)
class AnnotateRequest(Request):
    """Which part of a video is written with what is seen in it, smoothed how, of which model, with blurred faces;
    ``revision`` tells the edits that were in force."""

    smoothing_s: float = 0.0
    model: str = ""
    start_s: float = 0.0
    end_s: float | None = None
    blur: bool = False
    revision: str = ""


@dataclass(frozen=True)
class WhyRequest(Request):
    """Of which face of an analysed video a heatmap is wanted; an empty ``model`` is the first one."""

    track: int
    time_s: float
    model: str = ""
    target: Emotions = ""


@dataclass(frozen=True)
class WhySpanRequest(Request):
    """Of which ``n`` faces of a person, or of which part of a video, heatmaps are wanted."""

    track: int
    start_s: float
    end_s: float
    n: int = 60
    model: str = ""
    target: Emotions = ""
    method: str = ""
    layer: str = ""


@dataclass(frozen=True)
class Ask:
    """What is wanted of a face; see ``dashboard.services.explained``."""

    checkpoint: str
    target: Emotions = ""
    other: Emotions = ""
    method: str = ""
    layer: str = ""
    sanity: bool = False
    features: bool = False


_SOURCES: tuple[dict[str, type | tuple[type, ...]], ...] = (
    {"dataset": str, "split": str, "id": str},
    {"picture": str, "face": int},
    {"analysis": str, "track": int, "time_s": (float, int)},
)
"""What says which face, and the types of its parts."""


@dataclass(frozen=True)
class ExplainRequest(Request):
    """Every ask of every source; see ``dashboard.services.explained``."""

    sources: tuple[Mapping[str, Any], ...]
    asks: tuple[Ask, ...]

    def __post_init__(self) -> None:
        for source in self.sources:
            if not any(source.keys() == kinds.keys() and _are(source, kinds) for kinds in _SOURCES):
                known = " or ".join(", ".join(kinds) for kinds in _SOURCES)
                raise ValueError(f"expected a face told by {known}, got {source!r}.")


def _are(values: Mapping[str, Any], kinds: Mapping[str, Any]) -> bool:
    return all(isinstance(values[name], kind) for name, kind in kinds.items())


@dataclass(frozen=True)
class EvaluateRequest(Request):
    """Which checkpoint is run on which split of which data set, and how."""

    checkpoint: str
    dataset: str
    split: str
    skip_unreadable: bool = False
    find_faces: bool = False


@dataclass(frozen=True)
class MapRequest(Request):
    """Of which evaluation table the features are projected, and how."""

    checkpoint: str
    table: str
    method: str
    dimensions: int
    seed: int


@dataclass(frozen=True)
class ConvertRequest(Request):
    """What has to be known of weights that came without a card: see ``fer_core.models.convert``; ``labels`` is empty
    where a card came with them."""

    labels: tuple[str, ...] = ()
    architecture: str = ""
    size: int = 0


R = TypeVar("R", bound=Request)


@dataclass(frozen=True)
class Kind(Generic[R]):
    """A kind of jobs.

    Attributes:
        name: what the table of jobs calls it; never changed, or waiting jobs are lost.
        queue: one of ``QUEUES``.
        request: what it is asked with.
        priority: of the jobs that wait in a queue, the highest comes first.
        is_uploaded: a file was sent for it to be analysed, so it stands in the list of the page Videos.
    """

    name: str
    queue: str
    request: type[R]
    priority: int = 0
    is_uploaded: bool = False

    def read(self, settings: Mapping[str, Any]) -> R:
        """What a job of this kind is asked with.

        Raises:
            InputError: its stored settings cannot be read; the message says what is wrong and what to do.
        """
        try:
            return self.request.from_json(settings)
        except InputError as error:
            again = "Upload the file again." if self.is_uploaded else "Ask for it again."
            raise InputError(
                "What was asked cannot be read; another version of the workbench may have queued it, or its row in "
                f"jobs.sqlite is damaged ({str(error).removesuffix('.')}). {again}"
            ) from error


VIDEO = Kind("video", ANALYSES, AnalyzeRequest, is_uploaded=True)
PICTURE = Kind("picture", INSPECTOR, AnalyzeRequest, priority=-100, is_uploaded=True)  # of many, none before a click
ANNOTATE = Kind("annotate", ANALYSES, AnnotateRequest)
COPY = Kind("copy", ANALYSES, Request, priority=2)
WHY = Kind("why", INSPECTOR, WhyRequest)
WHY_SPAN = Kind("why_span", INSPECTOR, WhySpanRequest)
WHY_CLIP = Kind("why_clip", INSPECTOR, WhySpanRequest)
EXPLAIN = Kind("explain", INSPECTOR, ExplainRequest)
EVALUATE = Kind("evaluate", ANALYSES, EvaluateRequest, priority=1)
MAP = Kind("map", ANALYSES, MapRequest, priority=1)
CHECKPOINT = Kind("checkpoint", INSPECTOR, ConvertRequest)
KINDS: tuple[Kind[Any], ...] = (
    VIDEO, PICTURE, ANNOTATE, COPY, WHY, WHY_SPAN, WHY_CLIP, EXPLAIN, EVALUATE, MAP, CHECKPOINT,
)  # fmt: skip
INSPECTED = frozenset(kind.name for kind in KINDS if kind.queue == INSPECTOR)
UPLOADED = frozenset(kind.name for kind in KINDS if kind.is_uploaded)
_BY_NAME = {kind.name: kind for kind in KINDS}


def kind_of(name: str) -> Kind[Any]:
    """The kind of a name.

    Raises:
        InputError: there is none, as of a job that another version queued.
    """
    if name not in _BY_NAME:
        raise InputError(
            f"This version of the workbench knows no jobs of the kind {name!r}, only {', '.join(_BY_NAME)}; another "
            "version may have queued this one. Start that version, or ask for the work again."
        )
    return _BY_NAME[name]
