"""What an analysis writes down about itself: source, settings, time check, summary, messages and versions."""

from __future__ import annotations

import dataclasses
import json
import platform
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pandas as pd

import fer_core
from fer_core.faces import can_refine
from fer_core.signals.emotion import EmotionScores
from fer_core.video.columns import FRAME
from fer_core.video.info import ReadStats
from fer_core.video.run import Run
from fer_core.video.store import FORMAT
from fer_core.video.timeline import summary


def time_check(
    stats: ReadStats, *, mean_fps: float, frames: int, with_faces: int, whole: bool, repeated: int | None = None
) -> dict[str, Any]:
    """What the times of the frames say about the file.

    ``frames_dropped`` counts packets that gave no frame (only when the whole file was read) or were damaged;
    ``frames_repeated`` those that show the picture before once more (None where not every frame was analysed);
    ``frames_corrupt`` those that the decoder gave with a warning; ``drift_s`` is the largest error that dividing frame
    numbers by the mean rate would have made. The stream's own clock starts again at ``restarts_s``, and the stored
    picture changes its size or is turned at ``size_changes_s``.
    """
    missing = max(stats.packets - stats.decoded, 0) if whole else 0
    spread = stats.max_step_s - stats.min_step_s if stats.decoded > 1 else 0.0
    return {
        "frames_decoded": stats.decoded,
        "frames_analysed": frames,
        "frames_with_faces": with_faces,
        "frames_dropped": max(missing, stats.damaged),
        "frames_repeated": repeated,
        "frames_corrupt": stats.corrupt,
        "first_s": round(stats.first_s, 6),
        "last_s": round(stats.last_s, 6),
        "mean_fps": round(mean_fps, 6),
        "variable_rate": spread > 0.0025,
        "shortest_step_s": round(stats.min_step_s, 6) if stats.decoded > 1 else None,
        "longest_step_s": round(stats.max_step_s, 6) if stats.decoded > 1 else None,
        "drift_s": round(stats.drift_s, 6),
        "ended_early": stats.ended_early,
        "restarts_s": [round(each, 6) for each in stats.restarts_s if stats.first_s < each <= stats.last_s],
        "size_changes_s": [round(time_s, 6) for time_s, _, _ in stats.changes],
        "interlaced": stats.interlaced > stats.decoded / 2,
    }


def write_record(folder: Path, run: Run, name: str) -> None:
    """Write ``analysis.json`` of a finished pass into ``folder``."""
    reader, settings, stats = run.reader, run.settings, run.reader.stats
    first = run.scores[0]
    own = (*(column.name for column in FRAME), "detection", *(column.name for column in first.columns))
    timeline = pd.read_parquet(folder / "timeline.parquet", columns=[*own, "emotion", "group"])
    seconds = time.monotonic() - run.started
    whole = settings.start_s == 0 and settings.end_s is None and not (run.stopped or run.broken)
    with_faces = int(timeline.loc[timeline["track"] >= 0, "frame"].nunique())
    check = time_check(
        stats,
        mean_fps=reader.info.mean_fps,
        frames=run.parts.frames,
        with_faces=with_faces,
        whole=whole,
        repeated=run.repeated if settings.rate is None else None,
    )
    record = {
        "format": FORMAT,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "complete": not (run.stopped or run.broken or stats.ended_early),
        "source": {
            "name": name,
            **dataclasses.asdict(run.fingerprint),
            **dataclasses.asdict(reader.learnt()),
        },
        "settings": dataclasses.asdict(settings),
        "checkpoint": _described(first),
        "other_checkpoints": [_described(each) for each in run.scores[1:]],
        "device": run.device,
        "time_check": check,
        "faces_left_out": run.parts.faces_left_out,
        "summary": summary(timeline),
        "messages": [*_messages(run, with_faces), *_file_messages(run, check)],
        "wall_s": round(seconds, 3),
        "frames_per_s": round(run.parts.frames / max(seconds, 1e-9), 2),
        "versions": versions(),
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
        "prior": None if scores.prior is None else dataclasses.asdict(scores.prior),
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


def _file_messages(run: Run, check: Mapping[str, Any]) -> Iterator[str]:
    """What is unusual about the file itself."""
    stats, info = run.reader.stats, run.reader.info
    if stats.damaged:
        yield f"{stats.damaged} damaged frames were passed over."
    if stats.corrupt:
        yield (
            f"{stats.corrupt} of {stats.decoded} frames are corrupt, and some that follow them may be: parts of the "
            f"picture are missing or smeared. They were analysed as players show them; look before you rely on them."
        )
    if check["restarts_s"]:
        yield (
            f"The clock of this file starts again at {_moments(check['restarts_s'])}: recordings were joined there, or "
            f"the recorder was set anew. Times go on after the last frame before."
        )
    if stats.changes:
        _, width, height = stats.changes[0]
        yield (
            f"The picture changes its size or is turned at {_moments(check['size_changes_s'])}, first to "
            f"{width}×{height}. It is shown undistorted within {info.width}×{info.height}, between black bars."
        )
    if check["interlaced"]:
        yield "This recording is interlaced: where a face moves fast, every other line shows it a moment later."
    if len(info.tracks) > 1:
        track = info.tracks[info.track - 1]
        named = ", ".join(each for each in (track.title, track.language, f"{track.width}×{track.height}") if each)
        which = "the one that players show" if run.settings.track is None else "the one that was chosen"
        yield (
            f"This file has {len(info.tracks)} picture tracks; {which} ({info.track}: {named}) was analysed. Another "
            f"can be chosen on the command line with --track."
        )
    if not run.fingerprint.still_fits(run.reader.path):
        yield "The file changed while it was analysed, so its hash is that of what it was before."


def _moments(times_s: list[float]) -> str:
    """The first few of them."""
    told = ", ".join(f"{time_s:.2f} s" for time_s in times_s[:5])
    return told if len(times_s) <= 5 else f"{told} and {len(times_s) - 5} more"


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


def versions() -> dict[str, str]:
    """Of the workbench, Python and what a result depends on."""
    packages = ("torch", "torchvision", "facenet-pytorch", "opencv-python-headless", "av", "numpy", "pandas")
    own = {"fer-workbench": fer_core.__version__, "python": platform.python_version()}
    return {**own, **{package: version(package) for package in packages}}
