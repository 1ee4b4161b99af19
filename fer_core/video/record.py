"""What an analysis writes down about itself: source, settings, time check, summary, messages and versions."""

from __future__ import annotations

import dataclasses
import json
import platform
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pandas as pd

from fer_core.faces import can_refine
from fer_core.signals.emotion import EmotionScores
from fer_core.video.reader import ReadStats
from fer_core.video.run import Run
from fer_core.video.store import FORMAT
from fer_core.video.timeline import summary


def time_check(
    stats: ReadStats, *, mean_fps: float, frames: int, with_faces: int, whole: bool, repeated: int | None = None
) -> dict[str, Any]:
    """What the times of the frames say about the file.

    ``frames_dropped`` counts packets that gave no frame (only when the whole file was read) or were damaged;
    ``frames_repeated`` those that show the picture before once more (None where not every frame was analysed);
    ``drift_s`` is the largest error that dividing frame numbers by the mean rate would have made.
    """
    missing = max(stats.packets - stats.decoded, 0) if whole else 0
    spread = stats.max_step_s - stats.min_step_s if stats.decoded > 1 else 0.0
    return {
        "frames_decoded": stats.decoded,
        "frames_analysed": frames,
        "frames_with_faces": with_faces,
        "frames_dropped": max(missing, stats.damaged),
        "frames_repeated": repeated,
        "first_s": round(stats.first_s, 6),
        "last_s": round(stats.last_s, 6),
        "mean_fps": round(mean_fps, 6),
        "variable_rate": spread > 0.0025,
        "shortest_step_s": round(stats.min_step_s, 6) if stats.decoded > 1 else None,
        "longest_step_s": round(stats.max_step_s, 6) if stats.decoded > 1 else None,
        "drift_s": round(stats.drift_s, 6),
        "ended_early": stats.ended_early,
    }


def write_record(folder: Path, run: Run, name: str) -> None:
    """Write ``analysis.json`` of a finished pass into ``folder``."""
    reader, settings, stats = run.reader, run.settings, run.reader.stats
    first = run.scores[0]
    kept = ["frame", "time_s", "track", "detection", *(column.name for column in first.columns), "emotion", "group"]
    timeline = pd.read_parquet(folder / "timeline.parquet", columns=kept)
    seconds = time.monotonic() - run.started
    whole = settings.start_s == 0 and settings.end_s is None and not (run.stopped or run.broken)
    with_faces = int(timeline.loc[timeline["track"] >= 0, "frame"].nunique())
    record = {
        "format": FORMAT,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "complete": not (run.stopped or run.broken or stats.ended_early),
        "source": {
            "name": name,
            **dataclasses.asdict(run.fingerprint),
            **dataclasses.asdict(reader.info),
        },
        "settings": dataclasses.asdict(settings),
        "checkpoint": _described(first),
        "other_checkpoints": [_described(each) for each in run.scores[1:]],
        "device": run.device,
        "time_check": time_check(
            stats,
            mean_fps=reader.info.mean_fps,
            frames=run.parts.frames,
            with_faces=with_faces,
            whole=whole,
            repeated=run.repeated if settings.rate is None else None,
        ),
        "faces_left_out": run.parts.faces_left_out,
        "summary": summary(timeline),
        "messages": list(_messages(run, with_faces)),
        "wall_s": round(seconds, 3),
        "frames_per_s": round(run.parts.frames / max(seconds, 1e-9), 2),
        "versions": _versions(),
    }
    (folder / "analysis.json").write_text(json.dumps(record, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _described(scores: EmotionScores) -> dict[str, Any]:
    classifier, card = scores.classifier, scores.classifier.card
    return {
        "name": classifier.name,
        "sha256": classifier.sha256,
        "labels": classifier.labels,
        "margin": card.crop.margin,
        "field": card.input.field,
        "runtime": scores.runtime.name,
        "ms_per_face": scores.runtime.ms_per_face,
    }


def _messages(run: Run, with_faces: int) -> Iterator[str]:
    """What a reader of the result should know, in plain words."""
    stats, info = run.reader.stats, run.reader.info
    yield from run.reader.notes
    if with_faces == 0:
        yield _nobody(run)
    if run.settings.mode == "fast" and not can_refine(run.detector) and not info.is_picture:
        yield f"The detector {run.detector.name} cannot refine faces, so they were looked for anew in every frame."
    if run.stopped:
        yield f"Stopped by request at {run.last_s:.2f} s; everything before that is here."
    if run.broken:
        yield f"The analysis broke off at {run.last_s:.2f} s: {run.broken} Everything before that is here."
    elif stats.ended_early:
        yield (
            f"The file ends early: {stats.last_s:.2f} s of {info.duration_s:.2f} s could be read. It may be cut off or "
            f"damaged; everything up to there is here."
        )
    if stats.decoded == 1 and not info.is_picture:
        yield "This video has a single frame, so there is a moment here, but no course over time."
    if stats.damaged:
        yield f"{stats.damaged} damaged frames were passed over."
    if not run.fingerprint.still_fits(run.reader.path):
        yield "The file changed while it was analysed, so its hash is that of what it was before."


def _nobody(run: Run) -> str:
    """Why no face may have been found."""
    what = "picture" if run.reader.info.is_picture else "video"
    if run.turned:
        return (
            f"No face was found in this {what} as it is, but one was when it was turned {run.turned}. Turn it so that "
            f"heads are upright, and analyse it again."
        )
    return (
        f"No face was found in this {what}. Faces that are smaller than {run.settings.min_face_px} px, turned away, "
        f"covered, lying on their side or in the dark are not found. If there are people in it, try a smaller size of "
        f"faces, or turn the {what} so that heads are upright."
    )


def _versions() -> dict[str, str]:
    packages = ("torch", "torchvision", "facenet-pytorch", "opencv-python-headless", "av", "numpy", "pandas")
    return {"python": platform.python_version(), **{package: version(package) for package in packages}}
