"""Why a model saw what it saw, along a video: heatmaps of a person's faces, and which part of the face they fall on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fer_core.errors import InputError, VideoError
from fer_core.explain import Target, attention_shares, heatmaps, landmarks_in_crop, overlay, region_masks
from fer_core.faces import Faces, crop_faces
from fer_core.faces.crops import crop_squares
from fer_core.faces.records import RGB
from fer_core.models.classifier import Classifier
from fer_core.progress import OnProgress, ShouldStop, Stage
from fer_core.video.annotate import Work, draw_heat, rewrite
from fer_core.video.columns import LANDMARK_COLUMNS
from fer_core.video.reader import Frame, VideoReader
from fer_core.video.timeline import score_columns

MAX_FACES = 240
MAX_CLIP_FACES = 900
"""Half a minute of a usual video."""
_LATE_S = 1e-4
_BATCH = 16
_STAGE = "explaining"


@dataclass(frozen=True)
class Explained:
    """n faces of one person, in order of time.

    Attributes:
        time_s: float64 (n,).
        crops: uint8 (n, s, s, 3), what the network was given.
        maps: float32 (n, s, s), 0-1, how much each place speaks for the target.
        targets: what is explained of each, an emotion or a group of them.
        shares: float32 (n, 6), of the attention in each of ``fer_core.explain.REGIONS``; NaN where a map is empty.
    """

    time_s: NDArray[np.float64]
    crops: RGB
    maps: NDArray[np.float32]
    targets: tuple[Target, ...]
    shares: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.time_s)

    def __repr__(self) -> str:
        side = self.crops.shape[1]
        told = ", ".join(sorted({each if isinstance(each, str) else "+".join(each) for each in self.targets}))
        return f"<Explained: {len(self)} faces of {side} px with their maps, why {told}>"

    def pictures(self, size: int) -> RGB:
        """The faces with their maps on top, uint8 (n, size, size, 3)."""
        drawn = [overlay(crop, heat, size=size) for crop, heat in zip(self.crops, self.maps, strict=True)]
        return np.stack(drawn) if drawn else np.zeros((0, size, size, 3), np.uint8)


def faces_between(timeline: pd.DataFrame, *, track: int, start_s: float, end_s: float, n: int = 60) -> pd.DataFrame:
    """At most ``n`` rows of a person, evenly spread over ``[start_s, end_s)``.

    Raises:
        InputError: the person is not seen there, or ``n`` is below 1.
    """
    if n < 1:
        raise InputError(f"Expected 1 face or more, got {n}.")
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
    target: Target = "",
    method: str | None = None,
    layer: str | None = None,
    picture_track: int | None = None,
    progress: OnProgress | None = None,
    should_stop: ShouldStop | None = None,
) -> Explained:
    """Heatmaps of the faces in ``rows`` of a timeline.

    Args:
        source: the video or picture.
        rows: of one person, in order of time, at least one.
        classifier: whose view is explained.
        target: the emotion to explain, or several as a group; empty takes each face's most probable one.
        method, layer: as for ``fer_core.explain.heatmaps``.
        picture_track: the one that was analysed, see ``Analysis.picture_track``; None is the one that players show.
        progress: told how far it is after every frame, and every few heatmaps.
        should_stop: asked after every frame, and every few heatmaps.

    Raises:
        InputError: no row, or none of a face; unknown target, method or layer; a network without convolutional maps.
        VideoError: the source cannot be read, or holds other frames than when it was analysed.
        Cancelled: stopped.
    """
    stage = Stage(_STAGE, progress, should_stop)
    how = _How(target, method, layer, picture_track)
    return _explained(source, rows, classifier, stage, how)


@dataclass(frozen=True)
class _How:
    """What is explained, and in which picture track; see ``explain``."""

    target: Target
    method: str | None
    layer: str | None
    picture_track: int | None


def _explained(source: Path, rows: pd.DataFrame, classifier: Classifier, stage: Stage, how: _How) -> Explained:
    _check(rows)
    targets: list[Target] = [how.target] * len(rows) if how.target else [*_top_emotions(rows)]
    side, method, layer = classifier.card.crop.size, how.method, how.layer
    heatmaps(
        classifier, np.zeros((0, side, side, 3), np.uint8), targets[0], method=method, layer=layer
    )  # refuses early
    crops = face_crops(source, rows, classifier, stage.part(0.0, 0.5), picture_track=how.picture_track)
    maps = []
    for i in range(0, len(crops), _BATCH):
        stage.part(0.5, 1.0).at(i / len(crops))
        maps.append(heatmaps(classifier, crops[i : i + _BATCH], targets[i : i + _BATCH], method=method, layer=layer))
    shares = _shares(np.concatenate(maps), rows, classifier)
    return Explained(rows["time_s"].to_numpy(float), crops, np.concatenate(maps), tuple(targets), shares)


def face_crops(
    source: Path, rows: pd.DataFrame, classifier: Classifier, stage: Stage = Stage(_STAGE), *,
    picture_track: int | None = None,
) -> RGB:  # fmt: skip
    """The faces in ``rows`` of a timeline as a classifier takes them, uint8 (n, s, s, 3); see ``explain``."""
    _check(rows)
    wanted = rows["time_s"].to_numpy(float)
    boxes, scores = rows[["x0", "y0", "x1", "y1"]].to_numpy(np.float32), rows["detection"].to_numpy(np.float32)
    faces = Faces(boxes, scores, _landmarks(rows))
    crops: list[RGB] = []
    with VideoReader(source, track=picture_track) as reader:
        for frame in reader.frames(start_s=max(wanted[0] - _LATE_S, 0.0), end_s=wanted[-1] + 1e-3):
            if len(crops) < len(wanted) and abs(frame.time_s - wanted[len(crops)]) < 5e-4:
                crops.append(crop_faces(frame.image, faces[np.array([len(crops)])], classifier.card.crop))
            stage.at(len(crops) / len(wanted))
    if len(crops) < len(wanted):
        raise VideoError("The video does not hold the frames that were analysed. Was it replaced? Analyse it again.")
    return np.concatenate(crops)


def explained_clip(
    source: Path,
    rows: pd.DataFrame,
    classifier: Classifier,
    out: Path,
    *,
    start_s: float,
    end_s: float,
    target: Target = "",
    method: str | None = None,
    layer: str | None = None,
    picture_track: int | None = None,
    progress: OnProgress | None = None,
    should_stop: ShouldStop | None = None,
) -> Path:
    """Write a range of a video with the heatmap on a person's face wherever it is seen.

    The frames keep their times, counted from the first one, and their sound; those without the face stay as they are.
    Where not every frame was analysed, a heatmap stays for the frames that its face stands for.

    Args:
        source: the analysed video.
        rows: of one person's timeline, in order of time.
        classifier: whose view is explained.
        out: the MP4 to write; appears when it is whole.
        start_s, end_s: the range, in seconds of the source; its first frame is at 0 in the result.
        target, method, layer, picture_track, progress, should_stop: as for ``explain``.

    Raises:
        InputError: the person is not seen in the range, or on more than ``MAX_CLIP_FACES`` frames; as ``explain``.
        VideoError: as ``explain``, or the source is a picture.
        Cancelled: stopped; nothing is left behind.
    """
    at = rows["time_s"].to_numpy(float)
    rows = rows[(at >= start_s - _LATE_S) & (at < end_s - _LATE_S)]
    if rows.empty:
        raise InputError(f"The person is not seen from {start_s:.2f} to {end_s:.2f} s. Choose another range.")
    if len(rows) > MAX_CLIP_FACES:
        raise InputError(
            f"The person is seen on {len(rows)} frames from {start_s:.2f} to {end_s:.2f} s; at most {MAX_CLIP_FACES} "
            "can be explained in one clip. Choose a shorter range."
        )
    stage = Stage(_STAGE, progress, should_stop)
    found = _explained(source, rows, classifier, stage.part(0.0, 0.6), _How(target, method, layer, picture_track))
    squares = crop_squares(_landmarks(rows), classifier.card.crop.margin)
    frames = rows["frame"].to_numpy(np.int64)
    stands_for = int(np.median(np.diff(frames))) if len(frames) > 1 else 1

    def draw(frame: Frame) -> RGB:
        last = int(np.searchsorted(frames, frame.index, side="right")) - 1
        if last < 0 or frame.index - frames[last] >= stands_for:
            return frame.image
        return draw_heat(frame.image, found.maps[last], squares[last])

    work = Work(stage.part(0.6, 1.0), start_s=max(start_s, 0.0), end_s=end_s, picture_track=picture_track)
    return rewrite(Path(source), Path(out), draw, work)


def _check(rows: pd.DataFrame) -> None:
    """Raise ``InputError`` unless rows are of faces, in order of time, at least one."""
    needed = ["frame", "time_s", "track", "x0", "y0", "x1", "y1", "detection", *LANDMARK_COLUMNS]
    if missing := [name for name in needed if name not in rows]:
        raise InputError(f"Expected rows of a timeline; the column {missing[0]} is not among theirs.")
    if rows.empty:
        raise InputError("There is no face to explain: expected rows of a person who is seen, got none.")
    if (rows["track"] < 0).any() or not rows["time_s"].is_monotonic_increasing:
        raise InputError("Expected rows of faces in order of time; leave out those with track -1, and sort by time_s.")


def _landmarks(rows: pd.DataFrame) -> NDArray[np.float32]:
    """Landmarks (n, 5, 2) of rows of a timeline."""
    return rows[list(LANDMARK_COLUMNS)].to_numpy(np.float32).reshape(-1, 5, 2)


def _top_emotions(rows: pd.DataFrame) -> list[str]:
    if not (columns := score_columns(rows)):
        raise InputError("These rows have no probabilities; say what to explain, such as target='happy'.")
    return [columns[top].removeprefix("p_") for top in rows[columns].to_numpy(float).argmax(axis=1)]


def _shares(maps: NDArray[np.float32], rows: pd.DataFrame, classifier: Classifier) -> NDArray[np.float32]:
    """Shares (n, 6) of the attention in each region of the face."""
    points = landmarks_in_crop(_landmarks(rows), classifier.card.crop)
    masks = [region_masks(each, maps.shape[1]) for each in points]
    return np.stack([attention_shares(heat, mask) for heat, mask in zip(maps, masks, strict=True)]).astype(np.float32)


__all__ = ["MAX_CLIP_FACES", "Explained", "explain", "explained_clip", "face_at", "face_crops", "faces_between"]
