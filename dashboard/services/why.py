"""Heatmaps on request: asked for by a page or the player, made by the inspector's worker, kept with the analysis.

An answer is ``<analysis>/why/<job>.json``; it names the moments, the explained emotions, the shares of the attention
by region, and holds the pictures in a row as one PNG (base64). Of a clip it names the span; the clip itself is
``<analysis>/why/<job>.mp4``.
"""

from __future__ import annotations

import base64
import json
from typing import Any

import cv2
import numpy as np

from dashboard.services import jobs, places, tasks
from fer_core.errors import InputError, StoreError
from fer_core.video.store import Analysis

FACE_PX, STRIP_PX = 240, 72
KEPT = 40
"""Answers kept for an analysis."""


def ask(analysis_id: str, *, track: int, time_s: float, model: str = "", target: str = "") -> str:
    """Ask for the heatmap of one face; returns the job.

    Raises:
        StoreError: no such analysis, or its video is gone.
    """
    return _start(analysis_id, {"track": track, "time_s": time_s, "model": model, "target": target})


def ask_span(
    analysis_id: str, *, track: int, start_s: float, end_s: float, model: str = "", target: str | list[str] = "",
    method: str = "gradcam", layer: str = "", n: int = 60, clip: bool = False,
) -> str:  # fmt: skip
    """Ask for the heatmaps of ``n`` faces over a span, or for a clip of it with a heatmap on every face; returns the
    job. ``target`` is an emotion, those of a group, or empty for each face's most probable one."""
    span = {"track": track, "start_s": start_s, "end_s": end_s, "n": n, "model": model, "target": target}
    return _start(analysis_id, span | {"method": method, "layer": layer}, "why_clip" if clip else "why_span")


def _start(analysis_id: str, settings: dict[str, Any], kind: str = "why") -> str:
    analysis = places.store().open(analysis_id)
    if analysis.source() is None:
        raise StoreError("The video is not kept with this analysis, so nothing can be explained.")
    job = places.new_id()
    jobs.add(job, kind=kind, name=analysis.name, target=analysis_id, settings=settings)
    tasks.start(job, settings)
    return job


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


def make(job: jobs.Job, *, progress: Any, should_stop: Any) -> None:
    """The worker's part: explain what the job's settings name, and write the answer.

    Raises:
        InputError, StoreError, VideoError, CheckpointError: as their messages say.
    """
    from fer_core.explain import REGIONS
    from fer_core.video.view import MEAN, edited
    from fer_core.video.why import explain, face_at, faces_between

    analysis, asked = places.store().open(job.target), job.settings
    source, model = analysis.source(), asked["model"] or analysis.models[0]
    if source is None:
        raise StoreError("The video is not kept with this analysis, so nothing can be explained.")
    if model == MEAN:
        raise InputError("A mean of models has no heatmap; choose one of the models.")
    if job.kind == "why_clip":
        _make_clip(job, analysis, model, progress=progress, should_stop=should_stop)
        return
    table, is_face = edited(analysis, model), "time_s" in asked
    rows = (
        face_at(table, track=asked["track"], time_s=asked["time_s"])
        if is_face
        else faces_between(table, **{name: asked[name] for name in ("track", "start_s", "end_s", "n")})
    )
    found = explain(
        source, rows, tasks.classifier(model), target=_target(asked), method=asked.get("method", "gradcam"),
        layer=asked.get("layer") or None, progress=progress, should_stop=should_stop,
    )  # fmt: skip
    pictures = found.pictures(FACE_PX if is_face else STRIP_PX)
    _write(
        analysis,
        job.id,
        {
            **asked,
            "model": model,
            "times_s": found.time_s.tolist(),
            "targets": list(found.targets),
            "regions": list(REGIONS),
            "shares": [[None if value != value else value for value in row] for row in found.shares.tolist()],
            "picture": _png(np.concatenate(list(pictures), axis=1)),
            "side": pictures.shape[1],
        },
    )


def _target(asked: dict[str, Any]) -> str | tuple[str, ...]:
    return asked["target"] if isinstance(asked["target"], str) else tuple(asked["target"])


def _make_clip(job: jobs.Job, analysis: Analysis, model: str, *, progress: Any, should_stop: Any) -> None:
    from fer_core.video.view import edited
    from fer_core.video.why import explained_clip

    asked, source = job.settings, analysis.source()
    assert source is not None
    table = edited(analysis, model)
    folder, own = analysis.folder / "why", table[table["track"] == asked["track"]]
    folder.mkdir(exist_ok=True)
    explained_clip(
        source, own, tasks.classifier(model), folder / f"{job.id}.mp4", start_s=asked["start_s"],
        end_s=asked["end_s"], target=_target(asked), method=asked["method"], layer=asked["layer"] or None,
        progress=progress, should_stop=should_stop,
    )  # fmt: skip
    _write(analysis, job.id, {**asked, "model": model})


def _write(analysis: Analysis, job_id: str, found: dict[str, Any]) -> None:
    folder = analysis.folder / "why"
    folder.mkdir(exist_ok=True)
    path = folder / f"{job_id}.json"
    path.with_suffix(".new").write_text(json.dumps(found), encoding="utf-8")
    path.with_suffix(".new").rename(path)
    for old in sorted(folder.glob("*.json"), key=lambda each: each.stat().st_mtime)[:-KEPT]:
        old.unlink(missing_ok=True)
        old.with_suffix(".mp4").unlink(missing_ok=True)


def _png(picture: np.ndarray) -> str:
    done, data = cv2.imencode(".png", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
    assert done
    return base64.b64encode(data.tobytes()).decode()
