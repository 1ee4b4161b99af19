"""When frames are shown: one clock for the whole of a video, and how long the file says that it is.

``time_s`` of a frame is its presentation time minus the container's start. Where the stream's own clock starts again,
as in recordings that were joined or whose recorder was set anew, times go on after the last frame.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import av

from fer_core.video.info import ReadStats

COUNTERS = ("mpegts", "mpeg")
"""Containers whose times are those of a counter in the recorder, not of the file: it can be set anew in between."""
MAX_GAP_S = 3600.0
"""A counter that jumps ahead farther than this was set anew; a shorter jump is a gap in the recording."""
_DOUBT_S = 10.0
"""After a jump ahead of more than this, or one back, the next frame tells whether one time stamp alone was wrong."""


class Stamp(NamedTuple):
    """A decoded frame and the stream's own time of it and length, in s (0: not known); ``falls`` counts how often the
    decoding times had gone back by then."""

    frame: Any
    at_s: float
    own_s: float
    falls: int


class Shown(NamedTuple):
    """A frame, ``time_s``, how long the file says that it stands in s (0: not known)."""

    frame: Any
    time_s: float
    lasts_s: float


@dataclass
class Clock:
    """Gives the frames of a stream their times.

    Attributes:
        start_s: the container's start, in the stream's own seconds.
        stats: where restarts, and frames that are passed over because they are out of order, are noted.
        is_counter: the container is one of ``COUNTERS``.
        is_seamless: every frame stands until the next one, as in MP4.
        offsets_s: what is added to the stream's own seconds, for each part of the recording that was reached.
        step_s: the latest step from frame to frame, for where a container does not say how long a frame stands.
    """

    start_s: float
    stats: ReadStats
    is_counter: bool = False
    is_seamless: bool = False
    offsets_s: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.offsets_s.append(-self.start_s)
        self._falls = 0
        self.step_s = 0.04

    def timed(self, stamps: Iterator[Stamp]) -> Iterator[Shown]:
        """The frames in order of time; those that are out of order are left out."""
        last: Stamp | None = None
        doubted: Stamp | None = None
        for stamp in stamps:
            if last is None:
                last = stamp
                continue
            if doubted is not None:
                if last.at_s < stamp.at_s <= last.at_s + _DOUBT_S:
                    self.stats.damaged += 1
                else:
                    yield self._until(last, doubted)
                    last = doubted
                doubted = None
            step = stamp.at_s - last.at_s
            if step > _DOUBT_S or (step < 0 and stamp.falls > self._falls):
                doubted = stamp
            elif step <= 0:  # the same moment twice: a player shows the later one, a table keeps the first
                self.stats.damaged += 1
            else:
                yield self._until(last, stamp)
                last = stamp
        if doubted is not None and last is not None:
            if doubted.at_s > last.at_s:
                yield self._until(last, doubted)
                last = doubted
            else:
                self.stats.damaged += 1
        if last is not None:
            yield Shown(last.frame, last.at_s + self.offsets_s[-1], last.own_s)

    def _until(self, last: Stamp, following: Stamp) -> Shown:
        """The last frame, now that the following one is known."""
        time_s, step = last.at_s + self.offsets_s[-1], following.at_s - last.at_s
        if starts_again(step, self.is_counter):
            end_s = time_s + (last.own_s or self.step_s)
            self.offsets_s.append(end_s - following.at_s)
            self.stats.restarts_s.append(end_s)
            self._falls = following.falls
            return Shown(last.frame, time_s, last.own_s)
        self.step_s = step
        return Shown(last.frame, time_s, step if self.is_seamless else last.own_s)


def starts_again(step_s: float, is_counter: bool) -> bool:
    """Whether a step of the stream's own time, that is no mistake of one frame alone, is a new beginning."""
    return step_s < 0 or (is_counter and step_s > MAX_GAP_S)


class Ticks:
    """Presentation times of AVI, which tells none: its frames are shown in order at the ticks at which packets lie, and
    a decoder gives the first one after as many packets as it holds back."""

    def __init__(self) -> None:
        self._fed: list[int] = []
        self._next = 0

    def feed(self, tick: int) -> None:
        """Take note of a packet that goes into the decoder."""
        self._fed.append(tick)

    def of(self, tick: int | None, held_back: int) -> int | None:
        """The tick at which a frame is shown that the decoder gave at that tick, or at the end (None)."""
        if tick is not None:
            self._next = max(bisect_left(self._fed, tick) - held_back, self._next)
        found = self._fed[self._next] if self._next < len(self._fed) else None
        self._next += 1
        return found


# lengths


def length(container: Any, stream: Any) -> tuple[float, bool]:
    """What the file says of the length of a picture track, in s from the container's start (0: nothing), and whether it
    says only that of the whole, in which sound may go on after the picture."""
    start_s = (container.start_time or 0) / av.time_base
    whole = container.duration / av.time_base if container.duration else 0.0
    has_sound = bool(container.streams.audio)
    if "matroska" in container.format.name:
        early = start_s if container.metadata.get("ENCODER", "").startswith("Lavf") else 0.0  # it writes the end
        own = _told(stream) if has_sound else 0.0
        return max((own or whole) - early, 0.0), has_sound and not own
    if container.format.name == "avi" and (ticks := max(stream.duration or 0, stream.frames)):
        return float(ticks * stream.time_base), False  # a file that was cut off has lost its index, not its head
    if has_sound and stream.duration:
        return float((stream.duration + (stream.start_time or 0)) * stream.time_base) - start_s, False
    return whole, has_sound


def _told(stream: Any) -> float:
    """Seconds that a tag of a Matroska track tells; 0 where there is none."""
    told = re.fullmatch(r"(\d+):(\d+):(\d+(?:\.\d+)?)", stream.metadata.get("DURATION", ""))
    return int(told[1]) * 3600 + int(told[2]) * 60 + float(told[3]) if told else 0.0


def measured_length(container: Any, stream: Any) -> float:
    """Length in s of a track that does not tell it, as in ``COUNTERS`` and in what a browser records, from the times of
    all packets; 0 if none has one. Nothing is decoded, but the whole file is read."""
    is_counter = container.format.name in COUNTERS
    clock = Clock((container.start_time or 0) / av.time_base, ReadStats(), is_counter=is_counter)
    end_s = 0.0
    for shown in clock.timed(_decoding_times(container, stream)):
        end_s = shown.time_s + (shown.lasts_s or clock.step_s)
    return end_s


def _decoding_times(container: Any, stream: Any) -> Iterator[Stamp]:
    """Those of all packets, moved so far that the first one lies where its picture is shown."""
    falls, before, delay = 0, None, None
    try:
        for packet in container.demux(stream):
            if packet.dts is None:
                continue
            delay = (packet.pts or packet.dts) - packet.dts if delay is None else delay
            falls += before is not None and packet.dts < before
            before = packet.dts
            at, own = packet.dts + delay, packet.duration or 0
            yield Stamp(None, float(at * packet.time_base), float(own * packet.time_base), falls)
    except av.FFmpegError:  # cut off in the middle
        return


__all__ = ["COUNTERS", "MAX_GAP_S", "Clock", "Shown", "Stamp", "Ticks", "length", "measured_length", "starts_again"]
