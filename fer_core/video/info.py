"""What is known of a video: before its frames are read, and while they are."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Any

import av

from fer_core.video.tracks import PictureTrack


@dataclass(frozen=True)
class VideoInfo:
    """What a probe tells without decoding everything.

    ``width`` and ``height`` are as displayed, with square pixels, after the stored picture was turned by
    ``rotation_deg`` clockwise and then, if ``mirrored``, from left to right; every frame has this size.
    ``duration_s`` and ``mean_fps`` are the file's claims, 0.0 where it makes none; the length of MPEG streams and of
    what browsers record, which do not tell it, is measured.
    ``is_picture`` marks a still picture. ``start_s`` is the container's start: what a player that does not subtract it
    shows at ``time_s`` 0. ``first_s`` is ``time_s`` of the file's first presented frame. ``track`` is the number of the
    picture track that is read, of ``tracks``; a picture has none of them.
    """

    format: str
    codec: str
    width: int
    height: int
    rotation_deg: int
    duration_s: float
    mean_fps: float
    has_audio: bool
    is_picture: bool
    plays_in_browser: bool
    start_s: float = 0.0
    first_s: float = 0.0
    mirrored: bool = False
    track: int = 1
    tracks: tuple[PictureTrack, ...] = ()


@dataclass
class ReadStats:
    """Counted while frames are read; ``min_step_s`` and ``max_step_s`` are the shortest and longest time between two
    successive decoded frames, ``drift_s`` how far a constant rate would have been off at worst.

    ``damaged`` frames gave no picture or lie out of order, and are passed over; ``corrupt`` ones came with a warning of
    the decoder that parts of them are missing, and are kept, as players do. ``restarts_s`` are the times at which the
    stream's own clock starts again, ``changes`` those at which the stored picture changes its size or is turned
    otherwise, each with its new width and height. ``end_s`` is when the last decoded frame ends.
    """

    packets: int = 0
    decoded: int = 0
    damaged: int = 0
    corrupt: int = 0
    interlaced: int = 0
    restarts_s: list[float] = field(default_factory=list)
    changes: list[tuple[float, int, int]] = field(default_factory=list)
    first_s: float = math.nan
    last_s: float = math.nan
    min_step_s: float = math.inf
    max_step_s: float = 0.0
    drift_s: float = 0.0
    end_s: float = 0.0
    ended_early: bool = False

    def count(self, time_s: float, mean_fps: float, frame: Any) -> None:
        """Take note of one decoded frame, of PyAV or a picture."""
        if isinstance(frame, av.VideoFrame):
            self.corrupt += frame.is_corrupt
            self.interlaced += frame.interlaced_frame
        if self.decoded:
            step = time_s - self.last_s
            self.min_step_s, self.max_step_s = min(self.min_step_s, step), max(self.max_step_s, step)
            if mean_fps > 0:
                self.drift_s = max(self.drift_s, abs(time_s - self.first_s - self.decoded / mean_fps))
        else:
            self.first_s = time_s
        self.decoded += 1
        self.last_s = time_s

    def copied(self) -> ReadStats:
        """As they are now."""
        return replace(self, restarts_s=list(self.restarts_s), changes=list(self.changes))

    def become(self, other: ReadStats) -> None:
        """Take over what others counted."""
        vars(self).update(vars(other.copied()))


@dataclass(frozen=True)
class Place:
    """Where a reader is: everything up to this frame has been read.

    Attributes:
        index, time_s: of the frame.
        due_s: from when on the next one is taken, where not every frame is.
        stats: what was counted up to there.
    """

    index: int
    time_s: float
    due_s: float
    stats: ReadStats


def mean_rate(stream: Any) -> float:
    """Frames per second as the file claims, 0.0 where it does not; raw DV claims its ticks."""
    rate = float(stream.average_rate or 0)
    return rate if rate <= 1000 else float(stream.guessed_rate or 0)


__all__ = ["Place", "ReadStats", "VideoInfo", "mean_rate"]
