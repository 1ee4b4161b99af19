"""Why a model saw what it saw, along a video: heatmaps of a person's faces, and which part of the face they fall on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fer_core.errors import Cancelled, InputError, VideoError
from fer_core.explain import attention_shares, heatmaps, landmarks_in_crop, overlay, region_masks
from fer_core.faces import Faces, crop_faces
from fer_core.faces.records import RGB
from fer_core.models.classifier import Classifier
from fer_core.video.reader import VideoReader
from fer_core.video.timeline import LANDMARK_COLUMNS, score_columns

MAX_FACES = 240
_LATE_S = 1e-4


@dataclass(frozen=True)
class Explained:
    """n faces of one person, in order of time.

    Attributes:
        time_s: float64 (n,).
        crops: uint8 (n, s, s, 3), what the network was given.
        maps: float32 (n, s, s), 0-1, how much each place speaks for the target.
        targets: the explained emotion of each.
        shares: float32 (n, 6), of the attention in each of ``fer_core.explain.REGIONS``; NaN where a map is empty.
    """

    time_s: NDArray[np.float64]
    crops: RGB
    maps: NDArray[np.float32]
    targets: tuple[str, ...]
    shares: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.time_s)

    def pictures(self, size: int) -> RGB:
        """The faces with their maps on top, uint8 (n, size, size, 3)."""
        drawn = [overlay(crop, heat, size=size) for crop, heat in zip(self.crops, self.maps, strict=True)]
        return np.stack(drawn) if drawn else np.zeros((0, size, size, 3), np.uint8)


def faces_between(timeline: pd.DataFrame, *, track: int, start_s: float, end_s: float, n: int = 60) -> pd.DataFrame:
    """At most ``n`` rows of a person, evenly spread over ``[start_s, end_s)``.

    Raises:
        InputError: the person is not seen there.
    """
    at = timeline["time_s"].to_numpy(float)
    own = timeline[(timeline["track"] == track) & (at >= start_s - _LATE_S) & (at < end_s - _LATE_S)]
    if own.empty:
        raise InputError(f"Person {track + 1} is not seen from {start_s:.2f} to {end_s:.2f} s. Choose another span.")
    return own.iloc[np.unique(np.linspace(0, len(own) - 1, min(n, MAX_FACES, len(own))).round().astype(int))]


def face_at(timeline: pd.DataFrame, *, track: int, time_s: float) -> pd.DataFrame:
    """The row of the person's face that is on screen at a time.

    Raises:
        InputError: the person is not seen then.
    """
    times = timeline["time_s"].to_numpy(float)
    before = times[times <= time_s + 5e-4]
    own = timeline[(timeline["track"] == track) & (times == before.max())] if len(before) else timeline.iloc[:0]
    if own.empty:
        raise InputError(f"Person {track + 1} is not seen at {time_s:.2f} s. Move to a moment with a face.")
    return own.iloc[:1]


def explain(
    source: Path,
    rows: pd.DataFrame,
    classifier: Classifier,
    *,
    target: str = "",
    method: str = "gradcam",
    progress: Callable[[float], None] | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> Explained:
    """Heatmaps of the faces in ``rows`` of a timeline.

    Args:
        source: the video or picture.
        rows: of one person, in order of time.
        classifier: whose view is explained.
        target: the emotion to explain; empty takes each face's most probable one.
        method: see ``fer_core.explain``.
        progress: called with the share done, 0-1.
        should_stop: asked after every frame.

    Raises:
        InputError: unknown target or method.
        VideoError: the source cannot be read, or holds other frames than when it was analysed.
        Cancelled: stopped.
    """
    wanted = rows["time_s"].to_numpy(float)
    landmarks = rows[list(LANDMARK_COLUMNS)].to_numpy(np.float32).reshape(-1, 5, 2)
    boxes, scores = rows[["x0", "y0", "x1", "y1"]].to_numpy(np.float32), rows["detection"].to_numpy(np.float32)
    faces = Faces(boxes, scores, landmarks)
    crops: list[RGB] = []
    with VideoReader(source) as reader:
        for frame in reader.frames(start_s=max(wanted[0] - _LATE_S, 0.0), end_s=wanted[-1] + 1e-3):
            if should_stop is not None and should_stop():
                raise Cancelled("Stopped while faces were explained.")
            if len(crops) < len(wanted) and abs(frame.time_s - wanted[len(crops)]) < 5e-4:
                crops.append(crop_faces(frame.image, faces[np.array([len(crops)])], classifier.card.crop))
                if progress is not None:
                    progress(0.8 * len(crops) / len(wanted))
    if len(crops) < len(wanted):
        raise VideoError("The video does not hold the frames that were analysed. Was it replaced? Analyse it again.")
    return _explained(np.concatenate(crops), wanted, landmarks, _targets(rows, classifier, target), classifier, method)


def _targets(rows: pd.DataFrame, classifier: Classifier, target: str) -> list[str]:
    if target and target not in classifier.labels:
        raise InputError(f"{classifier.name} knows no {target!r}; expected one of {', '.join(classifier.labels)}.")
    columns = score_columns(rows)
    tops = rows[columns].to_numpy(float).argmax(axis=1)
    return [target or columns[top].removeprefix("p_") for top in tops]


def _explained(
    crops: RGB, time_s: NDArray, landmarks: NDArray, targets: Sequence[str], classifier: Classifier, method: str
) -> Explained:
    maps = heatmaps(classifier, crops, targets, method=method)
    points = landmarks_in_crop(landmarks, classifier.card.crop)
    masks = [region_masks(each, crops.shape[1]) for each in points]
    shares = np.stack([attention_shares(heat, mask) for heat, mask in zip(maps, masks, strict=True)])
    return Explained(time_s, crops, maps, tuple(targets), shares.astype(np.float32))


__all__ = ["Explained", "explain", "face_at", "faces_between"]
