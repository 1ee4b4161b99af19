"""The analysis: a video or picture in, an analysis folder out.

    file → frames → faces → people → crops → emotion scores → tables

Each stage hands the next one record. Pictures and crops are forgotten once they are classified, and rows go to disk in
parts; only at the end, when all pictures are gone, some columns of the table are read for the summary. The folder is
built as ``<out>.tmp`` and renamed when it is whole.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import platform
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from fer_core.errors import Cancelled, InputError, StoreError
from fer_core.faces import Tracker, can_refine, make_detector
from fer_core.models.classifier import Classifier, load
from fer_core.models.folders import DEFAULT_CHECKPOINT
from fer_core.models.runtime import fastest
from fer_core.progress import OnProgress, Progress, ShouldStop
from fer_core.signals.emotion import EmotionScores
from fer_core.video.modes import Settings, check_mode
from fer_core.video.parts import PartWriter
from fer_core.video.reader import RGB, ReadStats, VideoReader
from fer_core.video.scan import one_thread_each, scan
from fer_core.video.store import FORMAT
from fer_core.video.timeline import summary

Checkpoint = str | Path | Classifier


def analyze(
    source: str | Path,
    out: str | Path,
    *,
    checkpoint: Checkpoint | Sequence[Checkpoint] = DEFAULT_CHECKPOINT,
    settings: Settings = Settings(),
    device: str = "auto",
    name: str | None = None,
    progress: OnProgress | None = None,
    should_stop: ShouldStop | None = None,
) -> Path:
    """Analyse a video or picture and write an analysis folder.

    Args:
        source: the file.
        out: the folder to write; must not hold anything yet.
        checkpoint: name, folder or a loaded classifier; or several, of which the first fills the timeline. Decoding,
            detection, tracking and equal crops are done once for all.
        settings: what to analyse.
        device: ``auto``, ``cpu``, ``cuda`` or ``mps``.
        name: what the source is called in the results, by default its file name.
        progress: called about twice a second, with frames, faces and seconds of video so far.
        should_stop: asked after every frame; when it says yes, what was analysed so far is kept as an incomplete
            analysis (``complete`` is false in ``analysis.json``).

    Returns:
        ``out``, with ``scores/<checkpoint>.parquet``, ``features.parquet``, ``timeline.parquet``,
        ``timeline.csv``, ``crops/`` and ``analysis.json``.

    Raises:
        VideoError, CheckpointError, InputError: the input cannot be used; nothing is left behind.
        StoreError: ``out`` is taken.
        Cancelled: stopped before the first frame was analysed.
    """
    source, out = Path(source), Path(out).absolute()
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise StoreError(f"{out} already exists and is not empty; choose another folder or remove it.")
    check_mode(settings.mode)
    temporary = out.with_name(out.name + ".tmp")
    if temporary.exists() and not any((temporary / name).exists() for name in ("parts", "timeline.parquet")):
        raise StoreError(f"{temporary} is in the way and no unfinished analysis; remove it or choose another folder.")
    shutil.rmtree(temporary, ignore_errors=True)
    try:
        with one_thread_each(), VideoReader(source, name=name or source.name) as reader:
            scores = _scores(checkpoint, device)
            (temporary / "parts").mkdir(parents=True)
            run = _Run(reader, scores, settings, temporary, progress, should_stop or (lambda: False))
            run.go()
            _write_record(temporary, run, reader.name)
        if out.exists():
            out.rmdir()
        temporary.rename(out)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return out


class _Run:
    """One pass over a video."""

    def __init__(
        self, reader: VideoReader, scores: list[EmotionScores], settings: Settings, folder: Path,
        progress: OnProgress | None, should_stop: ShouldStop,
    ) -> None:  # fmt: skip
        self.reader, self.scores, self.settings = reader, scores, settings
        self.device = str(scores[0].classifier.device)
        self.detector = make_detector(settings.detector, min_face_px=settings.min_face_px, device=self.device)
        self.parts = PartWriter(folder, scores)
        self.repeated = 0
        self._last_look: RGB = np.zeros((0, 0, 3), np.uint8)
        self.progress, self.should_stop = progress, should_stop
        self.stopped, self.last_s = False, settings.start_s
        self.started, self._told = time.monotonic(), -1.0
        end_s = reader.info.duration_s if settings.end_s is None else min(settings.end_s, reader.info.duration_s)
        self.total_s = max(end_s - settings.start_s, 0.0)

    def go(self) -> None:
        tracker, settings = Tracker(), self.settings
        frames = self.reader.frames(
            start_s=settings.start_s, end_s=settings.end_s, per_second=settings.rate, goes_on=self._goes_on
        )
        self._tell("reading", 0.0)
        with closing(scan(frames, self.detector, settings.mode)) as scanned:
            for frame, faces, sources in scanned:
                tracks = tracker.update(frame.time_s, faces, frame.image, frame.colours)
                order = np.argsort(tracks)
                self.parts.add(frame, faces[order], tracks[order], sources[order])
                self._compare(frame.image)
                self.last_s = frame.time_s
                self._tell("analysing", frame.time_s - settings.start_s)
                if self.should_stop():
                    self.stopped = True
                    break
        if not self.parts.frames:
            raise Cancelled("The analysis was stopped before the first frame.")
        self._tell("writing", self.total_s, always=True)
        self.parts.finish()

    def _compare(self, image: RGB) -> None:
        """Count a frame whose picture is the one before once more."""
        look = image[::8].copy()  # whole rows: single pixels take longer to gather
        self.repeated += np.array_equal(look, self._last_look)
        self._last_look = look

    def _goes_on(self) -> bool:
        before = self.settings.start_s and not self.parts.frames
        self._tell("looking for the start" if before else "analysing", self.last_s - self.settings.start_s)
        self.stopped = self.stopped or self.should_stop()
        return not self.stopped

    def _tell(self, stage: str, done_s: float, always: bool = False) -> None:
        now = time.monotonic()
        if self.progress is not None and (always or now - self._told > 0.5):
            self._told = now
            counts = {"frames": self.parts.frames, "faces": self.parts.faces}
            self.progress(Progress.along(stage, max(done_s, 0.0), self.total_s, **counts))


def _scores(checkpoint: Checkpoint | Sequence[Checkpoint], device: str) -> list[EmotionScores]:
    wanted = [checkpoint] if isinstance(checkpoint, str | Path | Classifier) else list(checkpoint)
    loaded = [each if isinstance(each, Classifier) else load(each, device=device) for each in wanted]
    names = [classifier.name for classifier in loaded]
    if not names or len(set(names)) < len(names):
        raise InputError(f"Expected one or more models of different names, got {', '.join(names) or 'none'}.")
    return [EmotionScores(*fastest(classifier)) for classifier in loaded]


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


def _write_record(folder: Path, run: _Run, name: str) -> None:
    reader, settings, stats = run.reader, run.settings, run.reader.stats
    first = run.scores[0]
    kept = ["frame", "time_s", "track", "detection", *(column.name for column in first.columns), "emotion", "group"]
    timeline = pd.read_parquet(folder / "timeline.parquet", columns=kept)
    seconds = time.monotonic() - run.started
    whole = settings.start_s == 0 and settings.end_s is None and not run.stopped
    with_faces = int(timeline.loc[timeline["track"] >= 0, "frame"].nunique())
    record = {
        "format": FORMAT,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "complete": not (run.stopped or stats.ended_early),
        "source": {
            "name": name,
            "size": reader.path.stat().st_size,
            "sha256": _sha256(reader.path),
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


def _messages(run: _Run, with_faces: int) -> Iterator[str]:
    """What a reader of the result should know, in plain words."""
    stats, info = run.reader.stats, run.reader.info
    if with_faces == 0:
        what = "picture" if info.is_picture else "video"
        yield (
            f"No face was found in this {what}. Faces smaller than {run.settings.min_face_px} px are not looked for; "
            f"if there are people in it, try a smaller value."
        )
    if run.settings.mode == "fast" and not can_refine(run.detector) and not info.is_picture:
        yield f"The detector {run.detector.name} cannot refine faces, so they were looked for anew in every frame."
    if run.stopped:
        yield f"Stopped by request at {run.last_s:.2f} s; everything before that is here."
    if stats.ended_early:
        yield (
            f"The file ends early: {stats.last_s:.2f} s of {info.duration_s:.2f} s could be read. It may be cut off or "
            f"damaged; everything up to there is here."
        )
    if stats.decoded == 1 and not info.is_picture:
        yield "This video has a single frame, so there is a moment here, but no course over time."
    if stats.damaged:
        yield f"{stats.damaged} damaged frames were passed over."


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _versions() -> dict[str, str]:
    packages = ("torch", "torchvision", "facenet-pytorch", "opencv-python-headless", "av", "numpy", "pandas")
    return {"python": platform.python_version(), **{package: version(package) for package in packages}}


__all__ = ["Settings", "analyze", "time_check"]
