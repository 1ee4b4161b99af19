"""Videos made from a video: annotated with faces and emotions, merely playable in a browser, or drawn on by others.

All are H.264 in MP4 (yuv420p, index first) with the sound kept, upright, with every frame at the source's own time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import chain
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from fer_core.emotions import EMOTION_COLOURS
from fer_core.errors import InputError, VideoError
from fer_core.explain.pictures import with_heat
from fer_core.files import replacing
from fer_core.progress import OnProgress, ShouldStop, Stage
from fer_core.video.columns import PLACE
from fer_core.video.opening import for_ffmpeg
from fer_core.video.reader import RGB, Frame, VideoReader
from fer_core.video.sound import Sound
from fer_core.video.store import Analysis
from fer_core.video.timeline import frame_steps, person_name, score_columns

Draw = Callable[[Frame], RGB]
_MAX_PROXY_SIDE = 1280


def annotate_video(
    source: str | Path,
    timeline: pd.DataFrame,
    out: str | Path,
    *,
    names: dict[int, str] | None = None,
    start_s: float = 0.0,
    end_s: float | None = None,
    blurred: pd.DataFrame | None = None,
    picture_track: int | None = None,
    progress: OnProgress | None = None,
    should_stop: ShouldStop | None = None,
) -> Path:
    """Write the video, or a range of it, with a box, the emotion and its probability at every face.

    Args:
        source: the analysed video.
        timeline: its timeline table, smoothed or not. A frame that was not analysed shows the last one's faces for at
            most half a second.
        out: the MP4 to write; appears when it is whole.
        names: what people are called, by track; ``Person 1`` for track 0 otherwise.
        start_s, end_s: the range, in seconds of the source; its first frame is at 0 in the result.
        blurred: a timeline whose faces are made unrecognisable, with those of 0.4 s before and after so that a
            frame in which a face was missed does not show it. A face that was never found stays visible.
        picture_track: the one that was analysed, see ``Analysis.picture_track``; None is the one that players show.
        progress: told how far it is after every frame.
        should_stop: asked after every frame.

    Raises:
        VideoError: the source cannot be read.
        Cancelled: stopped; nothing is left behind.
    """
    faces = FacesAt(timeline)
    hidden = None if blurred is None else FacesAt(blurred)

    def draw(frame: Frame) -> RGB:
        image = frame.image if hidden is None else blur_faces(frame.image, hidden.around(frame.time_s))
        return draw_faces(image, faces.at(frame), names or {})

    stage = Stage("writing the annotated video", progress, should_stop)
    work = Work(stage, start_s=start_s, end_s=end_s, picture_track=picture_track)
    return rewrite(Path(source), Path(out), draw, work)


def browser_proxy(
    source: str | Path, out: str | Path, *, picture_track: int | None = None, progress: OnProgress | None = None,
    should_stop: ShouldStop | None = None,
) -> Path:  # fmt: skip
    """Write a copy that every browser plays (longer side at most 1280 px); see ``annotate_video`` for the rest."""
    work = Work(
        Stage("making a playable copy", progress, should_stop), max_side=_MAX_PROXY_SIDE, picture_track=picture_track
    )
    return rewrite(Path(source), Path(out), lambda frame: frame.image, work)


def draw_faces(image: RGB, faces: pd.DataFrame, names: dict[int, str]) -> RGB:
    """A copy of RGB ``image`` (h, w, 3) with the rows of a timeline drawn on it."""
    if faces.empty:
        return image
    picture = Image.fromarray(image)
    pen = ImageDraw.Draw(picture)
    unit = max(min(image.shape[:2]) / 360, 0.5)
    font = ImageFont.load_default(size=round(14 * unit))
    columns = score_columns(faces)
    for row in faces.to_dict("records"):
        colour = EMOTION_COLOURS[row["emotion"]]
        box = (row["x0"], row["y0"], row["x1"], row["y1"])
        pen.rectangle(box, outline=colour, width=max(round(2.5 * unit), 1))
        share = max(row[column] for column in columns)
        _draw_label(pen, box, f"{person_name(int(row['track']), names)}: {row['emotion']} {share:.0%}", colour, font)
    return np.asarray(picture)


def blur_faces(image: RGB, faces: pd.DataFrame) -> RGB:
    """A copy of RGB ``image`` (h, w, 3) in which the faces are coarse squares of a few colours, a sixth wider than
    their boxes on every side."""
    if faces.empty:
        return image
    picture, (height, width) = image.copy(), image.shape[:2]
    for x0, y0, x1, y1 in faces[["x0", "y0", "x1", "y1"]].to_numpy(float):
        more_x, more_y = (x1 - x0) / 6, (y1 - y0) / 6
        left, right = (int(np.clip(x, 0, width)) for x in (x0 - more_x, x1 + more_x + 1))
        top, bottom = (int(np.clip(y, 0, height)) for y in (y0 - more_y, y1 + more_y + 1))
        if right > left and bottom > top:
            coarse = cv2.resize(picture[top:bottom, left:right], (6, 6), interpolation=cv2.INTER_AREA)
            size = (right - left, bottom - top)
            picture[top:bottom, left:right] = cv2.resize(coarse, size, interpolation=cv2.INTER_NEAREST)
    return picture


def draw_heat(image: RGB, heat: NDArray[np.float32], square: NDArray[np.float64]) -> RGB:
    """A copy of RGB ``image`` (h, w, 3) with a heatmap (s, s) in 0-1 on the square (3, 2: origin, x axis, y axis) that
    its face was cut as, also where the square is turned or reaches over the edge."""
    origin, x_axis, y_axis = square
    corners = origin + np.stack([np.zeros(2), x_axis, y_axis, x_axis + y_axis])
    limits = image.shape[1::-1]
    left, top = (int(v) for v in np.clip(np.floor(corners.min(axis=0)), 0, limits))
    right, bottom = (int(v) for v in np.clip(np.ceil(corners.max(axis=0)), 0, limits))
    if right <= left or bottom <= top:
        return image
    step = np.stack([x_axis, y_axis], axis=1) / len(heat)
    start = origin + step @ (0.5, 0.5) - 0.5 - (left, top)  # the centre of the first cell, in pixel centres of the part
    placed = cv2.warpAffine(heat, np.column_stack([step, start]), (right - left, bottom - top), flags=cv2.INTER_LINEAR)
    picture = image.copy()
    picture[top:bottom, left:right] = with_heat(picture[top:bottom, left:right], placed)
    return picture


def _draw_label(pen: ImageDraw.ImageDraw, box: tuple[float, ...], text: str, colour: str, font: Any) -> None:
    """Text on a plate above the box, or inside it where there is no room."""
    left, top, right, bottom = pen.textbbox((0, 0), text, font=font)
    height, pad = bottom - top, (bottom - top) / 3
    y = box[1] - height - 2 * pad if box[1] > height + 2 * pad else box[1]
    pen.rectangle((box[0], y, box[0] + right - left + 2 * pad, y + height + 2 * pad), fill=colour)
    pen.text((box[0] + pad - left, y + pad - top), text, fill="black" if _is_bright(colour) else "white", font=font)


def _is_bright(colour: str) -> bool:
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return 0.299 * red + 0.587 * green + 0.114 * blue > 140


def to_blur(analysis: Analysis, start_s: float, end_s: float | None) -> tuple[pd.DataFrame, float, float]:
    """Every face that was found, also of people who were left out, and the part of a range that was analysed.

    Raises:
        InputError: not every frame was analysed, or none of the range: a face in between would stay visible.
    """
    timeline = analysis.timeline([column.name for column in PLACE])
    frames = np.unique(timeline["frame"].to_numpy())
    skips_none = (np.diff(frames) == 1).all()  # frames are numbered as they are shown, whatever the settings were
    if not skips_none or len(frames) < 2 <= analysis.record["time_check"]["frames_decoded"]:
        raise InputError("Faces can be blurred where every frame was analysed. Analyse the video again, every frame.")
    times, lasts = frame_steps(timeline)
    start_s = max(start_s, float(times[0]))
    end_s = min(float(times[-1] + lasts[-1]), np.inf if end_s is None else end_s)
    if start_s >= end_s:
        raise InputError("Nothing of this range was analysed, so no face in it can be blurred. Choose another one.")
    left_out = analysis.left_out()
    return timeline if left_out is None else pd.concat([timeline, left_out]), start_s, end_s


class FacesAt:
    """Rows of a timeline by time; a frame between two analysed ones gets the earlier one's."""

    HOLD_S = 0.5
    BLUR_S = 0.4

    def __init__(self, timeline: pd.DataFrame) -> None:
        order = timeline.sort_values("frame", kind="stable")
        self.seen = order[order["track"] >= 0]
        first = order.drop_duplicates("frame")
        self.frames, self.times = first["frame"].to_numpy(), first["time_s"].to_numpy(float)
        self.row_frames = self.seen["frame"].to_numpy()

    def at(self, frame: Frame) -> pd.DataFrame:
        last = int(np.searchsorted(self.times, frame.time_s + 1e-4, side="right")) - 1
        if last < 0 or frame.time_s - self.times[last] > self.HOLD_S:
            return self.seen.iloc[:0]
        low, high = np.searchsorted(self.row_frames, [self.frames[last], self.frames[last] + 1])
        return self.seen.iloc[low:high]

    def around(self, time_s: float) -> pd.DataFrame:
        """Faces of all frames within ``BLUR_S``, and at least those of the last one before and the next one after."""
        low, high = np.searchsorted(self.times, [time_s - self.BLUR_S, time_s + self.BLUR_S])
        here = int(np.searchsorted(self.times, time_s))
        first, last = min(low, max(here - 1, 0)), min(max(high, here + 1), len(self.times))
        frames = self.frames[first:last]
        if not len(frames):
            return self.seen.iloc[:0]
        begin, end = np.searchsorted(self.row_frames, [frames[0], frames[-1] + 1])
        return self.seen.iloc[begin:end]


# writing


@dataclass(frozen=True)
class Work:
    """How a video is written: as which stage of what, the range in s, the longest side in px (None: as it is), and of
    which picture track (None: the one that players show)."""

    stage: Stage
    start_s: float = 0.0
    end_s: float | None = None
    max_side: int | None = None
    picture_track: int | None = None

    def tell(self, time_s: float, duration_s: float) -> None:
        length = (duration_s if self.end_s is None else min(self.end_s, duration_s)) - self.start_s
        self.stage.at(float(np.clip((time_s - self.start_s) / length, 0, 1)) if length > 0 else 0.0)


def rewrite(source: Path, out: Path, draw: Draw, work: Work) -> Path:
    """Write what ``draw`` makes of every frame, with the source's sound and times; ``out`` appears when it is whole.

    Raises:
        VideoError: the source cannot be read, or is a picture.
        Cancelled: stopped; nothing is left behind.
    """
    try:
        with replacing(out) as temporary, VideoReader(source, track=work.picture_track) as reader:
            if reader.info.is_picture:
                raise VideoError(f"{source.name} is a picture; only videos can be written as video.")
            frames = reader.frames(start_s=work.start_s, end_s=work.end_s)
            first = next(frames)
            if work.start_s:  # or else sound that starts between two frames would come first, and shift all times
                work = replace(work, start_s=first.time_s)
            with written(temporary, _size(reader, work), reader.info.mean_fps, _sound(reader, work)) as writer:
                for frame in chain((first,), frames):
                    writer.add(draw(frame), frame.time_s - work.start_s, frame.lasts_s)
                    work.tell(frame.time_s, reader.info.duration_s)
    except av.FFmpegError as error:
        raise VideoError(f"{source.name} could not be written as a video ({error}).") from error
    return out


def _size(reader: VideoReader, work: Work) -> tuple[float, float]:
    width, height = reader.info.width, reader.info.height
    scale = min(1.0, work.max_side / max(width, height)) if work.max_side else 1.0
    return width * scale, height * scale


def _sound(reader: VideoReader, work: Work) -> Callable[[Any], Sound] | None:
    if not reader.info.has_audio:
        return None
    return lambda container: Sound(container, reader, work.start_s, work.end_s)


@contextmanager
def written(
    path: Path, size: tuple[float, float], per_second: float, sound: Callable[[Any], Sound] | None = None
) -> Iterator[Mp4]:
    """An MP4 to which pictures are added, whole in the end; its width and height in px are even.

    ``per_second`` is how many pictures are to be expected, 0 where that is not known; ``sound`` makes its sound track.
    """
    with av.open(for_ffmpeg(path), "w", format="mp4", options={"movflags": "+faststart"}) as container:
        writer = Mp4(container, size, per_second, sound)
        yield writer
        writer.finish()


class Mp4:
    """An MP4 that is being written, with one picture track and at most one sound track."""

    def __init__(
        self,
        container: Any,
        size: tuple[float, float],
        per_second: float,
        sound: Callable[[Any], Sound] | None,
    ) -> None:
        self.size = tuple(max(int(side) // 2 * 2, 2) for side in size)
        self.container = container
        self.stream = container.add_stream("libx264", rate=round(per_second) or 25)
        self.stream.width, self.stream.height = self.size
        self.stream.pix_fmt = "yuv420p"
        self.stream.options = {
            "crf": "21",
            "preset": "veryfast",
            "bf": "0",
        }  # no B-frames: no edit list shifts the times
        self.time_base = Fraction(1, 90_000)
        self.stream.codec_context.time_base = self.time_base
        self.last_lasts_s = 0.0
        self.sound = None if sound is None else sound(container)

    def add(self, image: RGB, time_s: float, lasts_s: float) -> None:
        """Write a frame that is shown at ``time_s`` and, if it is the last one, for ``lasts_s`` (0: not known)."""
        self.last_lasts_s = lasts_s
        if image.shape[1::-1] != self.size:
            image = cv2.resize(image, self.size, interpolation=cv2.INTER_AREA)
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
        frame.pts, frame.time_base = round(time_s / self.time_base), self.time_base
        self.container.mux(self.stream.encode(frame))
        if self.sound is not None:
            self.sound.until(time_s)

    def finish(self) -> None:
        packets = self.stream.encode()
        if packets and self.last_lasts_s:
            packets[-1].duration = round(self.last_lasts_s / packets[-1].time_base)
        self.container.mux(packets)
        if self.sound is not None:
            self.sound.finish()
