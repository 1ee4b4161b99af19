"""Heatmaps on request: asked for by a page or the player, made by the inspector's worker, kept with the analysis.

An answer is ``<analysis>/why/<job>.json``; it names the moments, the explained emotions, the shares of the attention
by region, and holds the pictures in a row as one PNG (base64). Of a clip it names the span; the clip itself is
``<analysis>/why/<job>.mp4``.
"""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from dashboard.services import checkpoints, jobs, kinds, places, queues, warm
from dashboard.services.kinds import Kind, R
from fer_core.errors import InputError, StoreError
from fer_core.files import keep_newest, replacing
from fer_core.models.folders import checkpoint_names, with_weights
from fer_core.progress import OnProgress, ShouldStop
from fer_core.video.keeping import video_of
from fer_core.video.store import Analysis

FACE_PX, STRIP_PX = 240, 72
KEPT = 40
"""Answers kept for an analysis."""


def ask(analysis_id: str, *, track: int, time_s: float, model: str = "", target: str = "") -> str:
    """Ask for the heatmap of one face; returns the job.

    Raises:
        StoreError: no such analysis, or its video or its network is gone.
    """
    return _start(analysis_id, kinds.WHY, kinds.WhyRequest(track, time_s, model, target), model)


def ask_span(
    analysis_id: str, *, track: int, start_s: float, end_s: float, model: str = "", target: str | list[str] = "",
    method: str = "", layer: str = "", n: int = 60, clip: bool = False,
) -> str:  # fmt: skip
    """Ask for the heatmaps of ``n`` faces over a span, or for a clip of it with a heatmap on every face; returns the
    job. ``target`` is an emotion, those of a group, or empty for each face's most probable one."""
    told = target if isinstance(target, str) else tuple(target)
    request = kinds.WhySpanRequest(track, start_s, end_s, n, model, told, method, layer)
    return _start(analysis_id, kinds.WHY_CLIP if clip else kinds.WHY_SPAN, request, model)


def missing(analysis: Analysis, model: str = "") -> str:
    """Which network a heatmap needs, where it is not there as it was; "" where it is."""
    known = {str(each["name"]): each for each in analysis.checkpoints}
    name = model or analysis.models[0]
    if name not in known or with_weights(name, known[name].get("sha256")) is not None:
        return ""
    now = "Another network goes by that name now." if name in checkpoint_names() else "It is not here any more."
    return (
        f"A heatmap needs the network that gave these scores, {name} (SHA-256 {str(known[name].get('sha256'))[:12]}). "
        f"{now} Scores and everything else of this analysis are whole. Add the folder of that network on the page "
        "Checkpoints, or analyse the video again with another."
    )


def _start(analysis_id: str, kind: Kind[R], request: R, model: str) -> str:
    analysis = places.store().open(analysis_id)
    video_of(analysis)
    if words := missing(analysis, model):
        raise StoreError(words)
    return queues.ask(kind, request, name=analysis.name, target=analysis_id)


def answer(analysis_id: str, job_id: str) -> dict[str, Any]:
    """``{"state": …}`` of a job, with ``error`` where it failed and everything else once it is done.

    Raises:
        InputError, StoreError: not an id; no such job.
    """
    job = jobs.get(places.check_id(job_id))
    if job is None or job.target != places.check_id(analysis_id):
        raise StoreError("There is no such request.")
    if job.state != "done":
        return {"state": job.state, "share": job.share, "error": job.error}
    path = places.store().folder(analysis_id) / "why" / f"{job_id}.json"
    try:
        return {"state": "done", **json.loads(path.read_text(encoding="utf-8"))}
    except (OSError, ValueError, TypeError) as error:
        raise StoreError("The answer was removed meanwhile, or is damaged; ask again.") from error


def make(
    job: jobs.Job, asked: kinds.WhyRequest | kinds.WhySpanRequest, *, progress: OnProgress, should_stop: ShouldStop
) -> None:
    """The worker's part for single faces: explain what is asked, and write the answer.

    Raises:
        InputError, StoreError, VideoError, CheckpointError: as their messages say.
    """
    from fer_core.explain import REGIONS, in_words, pick_layer, pick_method
    from fer_core.video.view import edited
    from fer_core.video.why import explain, face_at, faces_between

    analysis, source, model = _opened(job, asked.model)
    table, how = edited(analysis, model), {"method": "", "layer": ""}
    if isinstance(asked, kinds.WhyRequest):
        rows, side = face_at(table, track=asked.track, time_s=asked.time_s), FACE_PX
    else:
        rows = faces_between(table, track=asked.track, start_s=asked.start_s, end_s=asked.end_s, n=asked.n)
        side, how = STRIP_PX, {"method": asked.method, "layer": asked.layer}
    classifier = warm.classifier(model)
    method, layer = pick_method(classifier, how["method"] or None), pick_layer(classifier, how["layer"] or None)
    found = explain(
        source, rows, classifier, target=asked.target, method=method, layer=layer,
        picture_track=analysis.picture_track, progress=progress, should_stop=should_stop,
    )  # fmt: skip
    pictures = found.pictures(side)
    _write(
        analysis,
        job.id,
        {
            **asked.to_json(),
            "model": model,
            "made": in_words(method, layer),
            "doubt": checkpoints.heat_doubt(model),
            "times_s": found.time_s.tolist(),
            "targets": list(found.targets),
            "regions": list(REGIONS),
            "shares": [[None if value != value else value for value in row] for row in found.shares.tolist()],
            "picture": _png(np.concatenate(list(pictures), axis=1)),
            "side": pictures.shape[1],
        },
    )


def make_clip(job: jobs.Job, asked: kinds.WhySpanRequest, *, progress: OnProgress, should_stop: ShouldStop) -> None:
    """The worker's part for a clip.

    Raises:
        InputError, StoreError, VideoError, CheckpointError: as their messages say.
    """
    from fer_core.video.view import edited
    from fer_core.video.why import explained_clip

    analysis, source, model = _opened(job, asked.model)
    table = edited(analysis, model)
    folder, own = analysis.folder / "why", table[table["track"] == asked.track]
    folder.mkdir(exist_ok=True)
    explained_clip(
        source, own, warm.classifier(model), folder / f"{job.id}.mp4", start_s=asked.start_s, end_s=asked.end_s,
        target=asked.target, method=asked.method or None, layer=asked.layer or None,
        picture_track=analysis.picture_track, progress=progress, should_stop=should_stop,
    )  # fmt: skip
    _write(analysis, job.id, {**asked.to_json(), "model": model})


def _opened(job: jobs.Job, model: str) -> tuple[Analysis, Path, str]:
    """The analysis of a job, its video, and the model to explain, the first one where none is named."""
    from fer_core.video.view import MEAN

    analysis = places.store().open(job.target)
    source, model = video_of(analysis), model or analysis.models[0]
    if model == MEAN:
        raise InputError("A mean of models has no heatmap; choose one of the models.")
    return analysis, source, model


def _write(analysis: Analysis, job_id: str, found: dict[str, Any]) -> None:
    folder = analysis.folder / "why"
    folder.mkdir(exist_ok=True)
    path = folder / f"{job_id}.json"
    with replacing(path) as new:
        new.write_text(json.dumps(found), encoding="utf-8")
    for old in keep_newest(folder, "*.json", KEPT):
        old.with_suffix(".mp4").unlink(missing_ok=True)


def _png(picture: np.ndarray) -> str:
    done, data = cv2.imencode(".png", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
    assert done
    return base64.b64encode(data.tobytes()).decode()
