"""Reading videos and pictures: what they are, and their frames with the stream's own times.

``time_s`` of a frame is never a frame number divided by a rate, see ``fer_core.video.clock``; how it stands is told in
``fer_core.video.upright``, and which picture track is read in ``fer_core.video.tracks``. PyAV decodes, one frame at a
time: memory stays flat.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any

import av
import numpy as np

from fer_core.errors import FerError, VideoError, sentence
from fer_core.faces.looks import SceneLook, scene_look
from fer_core.video.animation import Animation, open_picture
from fer_core.video.clock import COUNTERS, Clock, Shown, Stamp, Ticks, length, measured_length
from fer_core.video.info import Place, ReadStats, VideoInfo, mean_rate
from fer_core.video.limits import MAX_FRAMES, MAX_VIDEO_PIXELS, check_container, check_size, decoding_threads
from fer_core.video.modes import check_range
from fer_core.video.opening import check_file, check_video, for_ffmpeg, readable, why_no_video
from fer_core.video.stills import Still
from fer_core.video.tracks import chosen, described, picture_streams, plays_in_browser
from fer_core.video.upright import RGB, Upright, shape_of, stored_as

FORMATS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,ogg,flv,asf,mxf,gif,ivf,dv,nut,wtv,yuv4mpegpipe"
"""Containers that are opened. No playlists, which name other files, and no bare streams without times."""
SEEKABLE = ("mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm")
"""Containers that find a key frame by its presentation time; others are decoded from the start to reach a range."""
OPEN_OPTIONS = {"format_whitelist": FORMATS, "protocol_whitelist": "file"}
_MEASURED: dict[tuple[Path, int, int, int], float] = {}


@dataclass(frozen=True)
class Frame:
    """One decoded frame: ``index`` counts presented frames from the file's first, ``image`` is RGB uint8 (h, w, 3).

    ``lasts_s`` is how long the file itself says that it stands, in s; 0 where it does not. ``place`` is where its
    reader was then.
    """

    index: int
    time_s: float
    image: RGB
    lasts_s: float = 0.0
    place: Place | None = None

    @cached_property
    def look(self) -> SceneLook:
        """``scene_look`` of the picture."""
        return scene_look(self.image)


@dataclass
class VideoReader:
    """Opens a video or picture; a context manager. ``name`` is what messages call it, by default its file name.

    ``track`` is the number of the picture track to read, of ``info.tracks``; None is the one that players show.

    Raises:
        VideoError: on opening, if the file is empty, damaged, of an unknown kind, or has no picture track.
        InputError: it has no such track.
    """

    path: Path
    name: str = ""
    stats: ReadStats = field(default_factory=ReadStats)
    track: int | None = None

    def __post_init__(self) -> None:
        self.path = Path(self.path)
        self.name = readable(self.name or self.path.name)
        self.notes: tuple[str, ...] = ()
        self._shown: Still | Animation | None = None
        self._container: Any = None
        self._length_is_sound = False
        self._start_s = 0.0
        self._clock = Clock(0.0, self.stats)
        try:
            self.info = self._open()
        except OSError as error:
            raise VideoError(f"{self.name} cannot be read: {sentence(error)} Is its drive still there?") from error

    def __enter__(self) -> VideoReader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._container is not None:
            self._container.close()

    def frames(
        self,
        *,
        start_s: float = 0.0,
        end_s: float | None = None,
        per_second: float | None = None,
        goes_on: Callable[[], bool] | None = None,
        after: Place | None = None,
        seek: bool = True,
    ) -> Iterator[Frame]:
        """Frames with ``start_s <= time_s < end_s``, in order; every one, or at most ``per_second``.

        With ``per_second`` = r the first frame at or after each multiple of 1/r is taken. Damaged frames are counted in
        ``stats`` and passed over. ``goes_on`` is asked after every frame that was decoded and not taken, of which there
        may be many in a row; nothing more comes when it says no.

        With ``after``, a place of an earlier reader of the same range and rate, the frame there comes once more, then
        those that follow, as they would have. It is looked for from the key frame before on, or, without ``seek`` or
        where a container cannot do that, from the start on; what lies before is decoded and counts for nothing.

        Raises:
            InputError: the range or rate makes no sense, or the range lies behind the end.
            VideoError: nothing can be read, or not at ``after``.
        """
        length_s = (
            self.info.duration_s if self.info.format == SEEKABLE[0] else 0.0
        )  # others may be longer than they say
        check_range(start_s, end_s, per_second, name=self.name, length_s=length_s)
        taken, due = 0, start_s
        if after is None:
            decoded = self._decode(start_s)
        else:
            decoded = self._decode_at(after, start_s, seek, goes_on)
            again = next(decoded, None)
            if again is None:
                return
            yield self._reached(again[0], after)
            taken, due = 1, after.due_s
        for (frame, time_s, lasts_s), index in decoded:
            if end_s is not None and time_s >= end_s:
                break
            if time_s < start_s - 1e-9:
                if goes_on is not None and not goes_on():
                    return
                continue
            self.stats.count(time_s, self.info.mean_fps, frame)
            if per_second is not None:
                if time_s < due - 1e-9:
                    if goes_on is not None and not goes_on():
                        return
                    continue
                due = (math.floor(time_s * per_second + 1e-6) + 1) / per_second
            taken += 1
            image = self._picture_of(frame, time_s)
            yield Frame(index, time_s, image, lasts_s, Place(index, time_s, due, self.stats.copied()))
        if not taken:
            raise VideoError(f"{self.name} has no readable frame between {start_s:g} s and its end.")
        self._check_end(end_s)

    def _decode_at(
        self, place: Place, start_s: float, seek: bool, goes_on: Callable[[], bool] | None
    ) -> Iterator[tuple[Shown, int]]:
        """Frames and their numbers from the one at a place on; none where ``goes_on`` says no before."""
        decoded = self._decode(place.time_s if seek and not place.stats.restarts_s else start_s)
        for shown, _ in decoded:
            if goes_on is not None and not goes_on():
                return
            if shown.time_s >= place.time_s:
                break
        else:
            raise VideoError(f"{self.name} ends before {place.time_s:g} s, though it once did not. Was it changed?")
        if shown.time_s != place.time_s:
            raise VideoError(f"{self.name} has no frame at {place.time_s:g} s any more. Was it changed?")
        yield shown, place.index
        for index, (following, _) in enumerate(decoded, place.index + 1):
            yield following, index

    def _reached(self, shown: Shown, place: Place) -> Frame:
        """The frame at a place once more; what was counted is as it was then."""
        if not isinstance(shown.frame, np.ndarray):
            self._stored_as, self._shape = stored_as(shown.frame), shape_of(shown.frame)
        image = self._picture_of(shown.frame, shown.time_s)
        self.stats.become(place.stats)
        return Frame(place.index, shown.time_s, image, shown.lasts_s, place)

    def _check_end(self, end_s: float | None) -> None:
        expected = min(self.info.duration_s, end_s or math.inf)
        short_by = expected - self.stats.end_s
        is_short = short_by > max(1.0, 3 * self.stats.max_step_s)
        self.stats.ended_early = is_short and not self.info.is_picture and not self._length_is_sound

    # opening

    def _open(self) -> VideoInfo:
        check_file(self.path, self.name)
        shown = self._shown = open_picture(self.path, self.name)
        if shown is None:
            return self._open_video()
        kind, (width, height), self.notes = shown.kind.lower(), shown.size, shown.notes
        seconds, rate, plays = shown.duration_s, shown.mean_fps, shown.plays_in_browser
        return VideoInfo(kind, kind, width, height, 0, seconds, rate, False, shown.is_picture, plays)

    def _open_video(self) -> VideoInfo:
        check_video(self.path, self.name)
        stream = self._open_stream()
        try:
            return self._describe(stream)
        except FerError:
            self._container.close()
            raise

    def _open_stream(self) -> Any:
        """Open the file, anew if it was open; returns the picture track to read."""
        if self._container is not None:
            self._container.close()
        try:
            name = for_ffmpeg(self.path)
            self._container = av.open(name, options=OPEN_OPTIONS, timeout=30, metadata_errors="replace")
        except (av.FFmpegError, ValueError, OSError) as error:
            check_file(self.path, self.name)  # it may be gone meanwhile
            raise VideoError(why_no_video(self.path, self.name)) from error
        try:
            streams = picture_streams(self._container)
            stream = chosen(streams, self.track, self.name)
            check_container(len(self._container.streams), len(streams), stream.frames, self.name)
        except FerError:
            self._container.close()
            raise
        stream.thread_type = "AUTO"
        if (codec := stream.codec_context) is not None:
            codec.thread_count = decoding_threads(codec.width, codec.height)
            codec.options = {"max_pixels": str(MAX_VIDEO_PIXELS)}  # also of frames that are larger than the file says
        return stream

    def _describe(self, stream: Any) -> VideoInfo:
        container, codec = self._container, stream.codec_context
        if not codec or not codec.width:
            raise VideoError(f"{self.name} does not say how large its pictures are, so it cannot be used.")
        check_size(codec.width, codec.height, self.name)
        self._start_s = (container.start_time or 0) / av.time_base
        streams = picture_streams(container)
        first = self._first(stream)
        self._upright = Upright(shape_of(first.frame), float(stream.sample_aspect_ratio or 1))
        check_size(*self._upright.size, self.name)
        self._stored_as, self._shape, turn = stored_as(first.frame), self._upright.first, self._upright.first.turn
        claimed, self._length_is_sound = length(container, stream)
        plays = turn.is_plain and plays_in_browser(self.path, container, stream)
        info = VideoInfo(
            format=container.format.name,
            codec=codec.name,
            width=self._upright.size[0],
            height=self._upright.size[1],
            rotation_deg=turn.rotation_deg,
            duration_s=claimed,
            mean_fps=mean_rate(stream),
            has_audio=bool(container.streams.audio),
            is_picture=False,
            plays_in_browser=plays,
            start_s=self._start_s,
            first_s=first.at_s - self._start_s,
            mirrored=turn.mirrored,
            track=1 + [each.index for each in streams].index(stream.index),
            tracks=described(streams),
        )
        tells = info.format not in COUNTERS and (claimed or "matroska" not in info.format)
        if tells:
            return info
        return replace(info, duration_s=self._measured(stream.index) or claimed)

    def _first(self, stream: Any) -> Stamp:
        """The first readable frame."""
        probe = ReadStats()
        for stamp in self._stamped(stream, probe):
            return stamp
        if probe.damaged:
            raise VideoError(f"{self.name}: no frame could be decoded. The file is damaged; copy it again.")
        raise VideoError(f"{self.name} holds no frame. Choose a file with video.")

    def _measured(self, index: int) -> float:
        """See ``measured_length``; a file is measured once."""
        state = self.path.stat()
        key = self.path, index, state.st_mtime_ns, state.st_size
        if key not in _MEASURED:
            stream = self._open_stream()
            _MEASURED[key] = measured_length(self._container, stream)
        return _MEASURED[key]

    def learnt(self) -> VideoInfo:
        """``info``, with what reading has shown: browsers show a picture that changes its size in another way, and go
        by a clock that starts again; such a file is longer than it says."""
        plays = self.info.plays_in_browser and not (self.stats.changes or self.stats.restarts_s)
        longer = self.stats.end_s if self.stats.restarts_s else 0.0
        return replace(self.info, plays_in_browser=plays, duration_s=max(self.info.duration_s, longer))

    @property
    def offsets_s(self) -> list[float]:
        """What is added to the stream's own seconds to get ``time_s``, for each part of a joined recording that was
        reached."""
        return self._clock.offsets_s

    # decoding

    def _decode(self, start_s: float) -> Iterator[tuple[Shown, int]]:
        """Frames and their numbers from the last key frame before ``start_s`` on."""
        if self._shown is not None:
            yield from self._pictures(self._shown)
            return
        stream = self._open_stream()
        before, name = self._seek(stream, start_s), self.info.format
        stream = self._open_stream() if before is None else stream
        self._clock = Clock(self._start_s, self.stats, name in COUNTERS, is_seamless=name == SEEKABLE[0])
        for index, shown in enumerate(self._clock.timed(self._stamped(stream, self.stats)), before or 0):
            if index >= MAX_FRAMES:
                raise VideoError(f"{self.name} holds more than {MAX_FRAMES:,} frames; the rest is not read.")
            self.stats.end_s = shown.time_s + shown.lasts_s
            yield shown, index

    def _stamped(self, stream: Any, stats: ReadStats) -> Iterator[Stamp]:
        """Decoded frames with the stream's own times."""
        ticks = Ticks() if self._container.format.name == "avi" else None
        falls, before = 0, -math.inf
        for packet in self._packets(stream, stats):
            if packet.dts is not None:
                falls, before = falls + (packet.dts < before), packet.dts
                if ticks is not None:
                    ticks.feed(packet.dts)
            for frame in self._decode_packet(packet, stats):
                stamp = frame.pts if ticks is None else ticks.of(frame.dts, stream.codec_context.reorder_depth)
                if stamp is None:
                    stats.damaged += 1
                    continue
                unit = frame.time_base
                yield Stamp(frame, float(stamp * unit), float((frame.duration or 0) * unit), falls)

    def _pictures(self, shown: Still | Animation) -> Iterator[tuple[Shown, int]]:
        """The frames of what FFmpeg does not read; damaged ones are those that never come."""
        n = 0
        for image, time_s, lasts_s in shown.frames():
            self.stats.end_s = time_s + lasts_s
            yield Shown(image, time_s, lasts_s), n
            n += 1
        self.stats.damaged += len(shown) - n

    def _packets(self, stream: Any, stats: ReadStats) -> Iterator[Any]:
        try:
            for packet in self._container.demux(stream):
                stats.packets += packet.size > 0 and not packet.is_discard
                yield packet
        except av.FFmpegError:  # cut off in the middle; _check_end tells how much is missing
            return

    def _decode_packet(self, packet: Any, stats: ReadStats) -> list[Any]:
        try:
            return list(packet.decode())
        except av.FFmpegError:
            stats.damaged += 1
            return []

    def _seek(self, stream: Any, start_s: float) -> int | None:
        """Go to the last key frame at or before ``start_s``; returns how many frames are presented before it. None: the
        clock starts again before that, so that the file is to be read from its beginning."""
        if start_s <= 2.0 or self.info.format not in SEEKABLE:
            return 0
        try:
            return self._seek_key(stream, start_s)
        except av.FFmpegError as error:
            raise VideoError(f"{self.name} cannot be read from {start_s:g} s on; its index is damaged.") from error

    def _seek_key(self, stream: Any, start_s: float) -> int | None:
        target = (start_s + self._start_s) / stream.time_base
        times, key, before = [], None, -math.inf
        for packet in self._container.demux(stream):
            if packet.pts is None or packet.is_discard:
                continue
            if packet.dts is not None and packet.dts < before:
                return None
            before = before if packet.dts is None else packet.dts
            if packet.pts > target + 2 / stream.time_base:
                break
            times.append(packet.pts)
            if packet.is_keyframe and packet.pts <= target:
                key = packet.pts
        if key is None:
            key = times[0] if times else 0
        self._container.seek(key, stream=stream, backward=True)
        return sum(pts < key for pts in times)

    def _picture_of(self, frame: Any, time_s: float) -> RGB:
        """RGB picture of what ``_decode`` gave, see ``Upright``; a change of its shape is noted."""
        if isinstance(frame, np.ndarray):
            return frame
        if stored_as(frame) != self._stored_as:
            self._stored_as, before, self._shape = stored_as(frame), self._shape, shape_of(frame)
            if self._shape != before:
                self.stats.changes.append((time_s, *self._upright.upright_size(self._shape)))
        return self._upright.picture(frame, self._shape)


__all__ = ["OPEN_OPTIONS", "RGB", "Frame", "VideoReader"]
