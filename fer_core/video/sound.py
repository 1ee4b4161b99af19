"""The sound of a video that is written anew: in step with its pictures, also where the source's clock starts again."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, NamedTuple

import av

from fer_core.video.clock import COUNTERS, starts_again
from fer_core.video.opening import for_ffmpeg
from fer_core.video.reader import OPEN_OPTIONS, VideoReader
from fer_core.video.tracks import shown

_COPIED = ("aac", "mp3")
_AAC_RATES = (8000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000, 64_000, 88_200, 96_000)
_JITTER_S = 0.1
"""Sound whose time goes back by less than this is untidy, and no new beginning."""


class _Sounded(NamedTuple):
    """A packet or decoded frame, the part of a joined recording that it is of, and the stream's own time in s."""

    data: Any
    part: int
    at_s: float


class Sound:
    """The sound track that players play, copied where MP4 and browsers take it as it is, else encoded anew as AAC.

    Args:
        container: the MP4 that is written; gets a sound track.
        reader: of the source, whose frames are read meanwhile: they tell when each part of a joined recording begins.
        start_s, end_s: the range, in seconds of the source; what is sounded at ``start_s`` is at 0 in the result.
    """

    def __init__(self, container: Any, reader: VideoReader, start_s: float, end_s: float | None) -> None:
        self._target, self._reader, self._start_s = container, reader, start_s
        self._from_s = 0.0 if start_s else -math.inf
        self._length_s = math.inf if end_s is None else end_s - start_s
        self._input: Any = av.open(for_ffmpeg(reader.path), options=OPEN_OPTIONS, metadata_errors="replace")
        track = shown(list(self._input.streams.audio))
        self._copies = track.codec_context.name in _COPIED
        if self._copies:
            self._stream = container.add_stream_from_template(track)
        else:
            rate = track.codec_context.sample_rate
            self._stream = container.add_stream("aac", rate=rate if rate in _AAC_RATES else 48_000)
            self._stream.layout = "stereo" if (track.codec_context.layout.nb_channels or 1) > 1 else "mono"
        self._part, self._end_s = 0, 0.0
        self._pieces = self._read(track)
        self._next = next(self._pieces, None)

    def until(self, time_s: float) -> None:
        """Write what is heard up to ``time_s`` of the result, of the parts that the pictures have reached."""
        offsets = self._reader.offsets_s
        while self._next is not None and self._next.part < len(offsets):
            offset_s = offsets[self._next.part] - self._start_s
            at_s = self._next.at_s + offset_s
            if at_s >= self._length_s:
                self._next = None
            elif at_s <= time_s:
                self._write(self._next, offset_s, at_s)
                self._next = next(self._pieces, None)
            else:
                return

    def finish(self) -> None:
        """Write what is left."""
        self.until(math.inf)
        if not self._copies:
            self._target.mux(self._stream.encode())
        self._input.close()

    def _write(self, piece: _Sounded, offset_s: float, at_s: float) -> None:
        data = piece.data
        if piece.part > self._part:  # it may begin while the sound of the part before goes on
            self._part, self._from_s = piece.part, self._end_s - 1e-3
        if at_s < self._from_s:
            return
        shift = round(offset_s / data.time_base)
        if self._copies:
            self._end_s = at_s + float((data.duration or 0) * data.time_base)
            data.pts, data.dts = data.pts + shift, (data.dts or data.pts) + shift
            data.stream = self._stream
            with suppress(av.error.InvalidDataError):  # a packet that was damaged on its way
                self._target.mux(data)
        else:
            self._end_s = at_s + data.samples / data.sample_rate
            data.pts = None if data.pts is None else data.pts + shift
            self._target.mux(self._stream.encode(data))

    def _read(self, track: Any) -> Iterator[_Sounded]:
        """The sound in order, without what is damaged; ends quietly where the file is cut off."""
        part, before_s, is_counter = 0, -math.inf, self._input.format.name in COUNTERS
        try:
            for packet in self._input.demux(track):
                if packet.pts is not None:
                    at_s = float(packet.pts * packet.time_base)
                    step_s = at_s - before_s if math.isfinite(before_s) else 0.0
                    part += starts_again(step_s, is_counter) and abs(step_s) > _JITTER_S
                    before_s = at_s
                    if self._copies:
                        yield _Sounded(packet, part, at_s)
                for frame in () if self._copies else _decoded(packet):
                    yield _Sounded(frame, part, float((frame.pts or 0) * frame.time_base))
        except av.FFmpegError:
            return


def _decoded(packet: Any) -> list[Any]:
    try:
        return list(packet.decode())
    except av.FFmpegError:
        return []


__all__ = ["Sound"]
