"""A made-up analysis of two hours with three people, 648,000 rows, for measuring how Review copes with it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd

from fer_core.emotions import EMOTIONS
from fer_core.video.columns import LANDMARK_COLUMNS
from fer_core.video.store import FORMAT
from fer_core.video.timeline import summary, with_labels

FACE = np.array([[30, 40], [70, 40], [50, 60], [35, 80], [65, 80]], float)
PEAK = 123_456
"""Frame in which the first person shows a single frame of disgust."""


def write_long_analysis(
    folder: Path, *, frames: int = 216_000, people: int = 3, seed: int = 0, fps: float = 30.0
) -> Path:
    """Write ``folder`` as an analysis would; there is no video."""
    rng = np.random.default_rng(seed)
    tables = [_person(rng, track, frames, fps) for track in range(people)]
    timeline = pd.concat(tables).sort_values(["frame", "track"], kind="stable", ignore_index=True)
    folder.mkdir(parents=True)
    timeline = with_labels(timeline)
    timeline.to_parquet(folder / "timeline.parquet", index=False, compression="zstd")
    (folder / "analysis.json").write_text(json.dumps(_record(timeline, frames, fps)), encoding="utf-8")
    return folder


def _person(rng: np.random.Generator, track: int, frames: int, fps: float) -> pd.DataFrame:
    """A slow walk among the emotions with noise on it."""
    knots = rng.normal(size=(frames // 90 + 2, 7)) * 2.5
    at = np.arange(frames) / 90
    logits = np.stack([np.interp(at, np.arange(len(knots)), knots[:, j]) for j in range(7)], axis=1)
    logits += rng.normal(size=logits.shape) * 0.4
    if track == 0 and frames > PEAK:
        logits[PEAK] = np.where(np.array(EMOTIONS) == "disgust", 9.0, 0.0)
    p = np.exp(logits - logits.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    left = 40 + 200 * track + 10 * np.sin(np.arange(frames) / 50)
    columns = {"frame": np.arange(frames), "time_s": np.arange(frames) / fps, "track": np.full(frames, track)}
    columns |= {"x0": left, "y0": np.full(frames, 60.0), "x1": left + 100, "y1": np.full(frames, 180.0)}
    columns |= {"detection": np.full(frames, 0.99), "source": np.full(frames, "detected", object)}
    points = (FACE + np.array([0, 60])).reshape(-1)
    shifts = np.where(np.arange(10) % 2 == 0, 1.0, 0.0)
    landmarks = points + left[:, None] * shifts
    columns |= dict(zip(LANDMARK_COLUMNS, landmarks.T.astype(np.float32), strict=True))
    columns |= {"sharpness": rng.uniform(60, 900, frames), "brightness": np.full(frames, 0.5)}
    columns |= {f"p_{name}": p[:, j].astype(np.float32) for j, name in enumerate(EMOTIONS)}
    return pd.DataFrame(columns | {"distance": rng.uniform(0, 1.1, frames), "occlusion": np.full(frames, 0.1)})


def _record(timeline: pd.DataFrame, frames: int, fps: float) -> dict:
    source = {
        "name": "two hours.mp4", "size": 0, "sha256": "0" * 64, "format": "mp4", "codec": "h264", "width": 640,
        "height": 360, "rotation_deg": 0, "duration_s": frames / fps, "mean_fps": fps, "has_audio": False,
        "is_picture": False, "plays_in_browser": True,
    }  # fmt: skip
    check = {
        "frames_decoded": frames, "frames_analysed": frames, "frames_with_faces": frames, "frames_dropped": 0,
        "frames_repeated": 0, "first_s": 0.0, "last_s": (frames - 1) / fps, "mean_fps": fps, "variable_rate": False,
        "shortest_step_s": 1 / fps, "longest_step_s": 1 / fps, "drift_s": 0.0, "ended_early": False,
    }  # fmt: skip
    settings = {"detector": "mtcnn", "min_face_px": 40, "per_second": None, "start_s": 0.0, "end_s": None}
    return {
        "format": FORMAT, "created": "2026-01-01T00:00:00+00:00", "complete": True, "source": source,
        "settings": settings, "checkpoint": {"name": "made-up", "sha256": "0" * 64, "labels": list(EMOTIONS)},
        "time_check": check, "faces_left_out": 0, "summary": summary(timeline), "messages": [], "wall_s": 1.0,
        "frames_per_s": 1.0, "device": "cpu",
    }  # fmt: skip
