"""Reading videos and pictures: what they are, and their frames with the stream's own times.

``time_s`` of a frame is its presentation time minus the container's start, which is what a browser's ``currentTime``
shows. It is never a frame number divided by a rate. PyAV decodes, one frame at a time: memory stays flat.
"""

from __future__ import annotations

import math
import mmap
import re
import weakref
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any

import av
import numpy as np
from av.stream import Disposition
from numpy.typing import NDArray

from fer_core.errors import InputError, VideoError
from fer_core.faces.looks import SceneLook, scene_look
from fer_core.video.stills import MAX_PIXELS, PICTURES, picture_kind, read_picture

RGB = NDArray[np.uint8]
FORMATS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,ogg,flv,asf,mxf,gif,ivf"
"""Containers that are opened. No playlists, which name other files, and no bare streams without times."""
SEEKABLE = ("mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm")
"""Containers that find a key frame by its presentation time; others are decoded from the start to reach a range."""
OPEN_OPTIONS = {"format_whitelist": FORMATS, "protocol_whitelist": "file"}
_PICTURE_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"mif1", b"avif")
BROWSER_CODECS = ("h264", "vp8", "vp9", "av1")
BROWSER_FORMATS = (".mp4", ".webm", ".m4v", ".mov")


@dataclass(frozen=True)
class Frame:
    """One decoded frame: ``index`` counts presented frames from the file's first, ``image`` is RGB uint8 (h, w, 3)."""

    index: int
    time_s: float
    image: RGB

    @cached_property
    def look(self) -> SceneLook:
        """``scene_look`` of the picture."""
        return scene_look(self.image)


@dataclass(frozen=True)
class VideoInfo:
    """What a probe tells without decoding everything.

    ``width`` and ``height`` are as displayed, with square pixels and after ``rotation_deg`` (clockwise); every frame
    has this size. ``duration_s`` and ``mean_fps`` are the file's claims, 0.0 where it makes none.
    ``is_picture`` marks a still picture.
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


@dataclass
class ReadStats:
    """Counted while frames are read; ``min_step_s`` and ``max_step_s`` are the shortest and longest time between two
    successive decoded frames, ``drift_s`` how far a constant rate would have been off at worst."""

    packets: int = 0
    decoded: int = 0
    damaged: int = 0
    first_s: float = math.nan
    last_s: float = math.nan
    min_step_s: float = math.inf
    max_step_s: float = 0.0
    drift_s: float = 0.0
    ended_early: bool = False

    def count(self, time_s: float, mean_fps: float) -> None:
        """Take note of one decoded frame."""
        if self.decoded:
            step = time_s - self.last_s
            self.min_step_s, self.max_step_s = min(self.min_step_s, step), max(self.max_step_s, step)
            if mean_fps > 0:
                self.drift_s = max(self.drift_s, abs(time_s - self.first_s - self.decoded / mean_fps))
        else:
            self.first_s = time_s
        self.decoded += 1
        self.last_s = time_s


@dataclass
class VideoReader:
    """Opens a video or picture; a context manager. ``name`` is what messages call it, by default its file name.

    Raises:
        VideoError: on opening, if the file is empty, damaged, of an unknown kind, or has no picture track.
    """

    path: Path
    name: str = ""
    stats: ReadStats = field(default_factory=ReadStats)

    def __post_init__(self) -> None:
        self.path = Path(self.path)
        self.name = self.name or self.path.name
        self._picture: RGB | None = None
        self._container: Any = None
        self._last_end_s = 0.0
        self._length_is_sound = False
        self.info = self._open()

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
    ) -> Iterator[Frame]:
        """Frames with ``start_s <= time_s < end_s``, in order; every one, or at most ``per_second``.

        With ``per_second`` = r the first frame at or after each multiple of 1/r is taken. Damaged frames are counted in
        ``stats`` and passed over. ``goes_on`` is asked after every frame that was decoded and not taken, of which there
        may be many in a row; nothing more comes when it says no.

        Raises:
            InputError: the range or rate makes no sense, or the range lies behind the end.
        """
        self._check_range(start_s, end_s, per_second)
        memory, taken, due = _Memory(), 0, start_s
        for frame, time_s, index in self._decode(start_s):
            if end_s is not None and time_s >= end_s:
                break
            if time_s < start_s - 1e-9:
                if goes_on is not None and not goes_on():
                    return
                continue
            self.stats.count(time_s, self.info.mean_fps)
            if per_second is not None:
                if time_s < due - 1e-9:
                    if goes_on is not None and not goes_on():
                        return
                    continue
                due = (math.floor(time_s * per_second + 1e-6) + 1) / per_second
            taken += 1
            yield Frame(index, time_s, frame if isinstance(frame, np.ndarray) else self._upright(frame, memory))
        if not taken:
            raise VideoError(f"{self.name} has no readable frame between {start_s:g} s and its end.")
        self._check_end(end_s)

    def _check_range(self, start_s: float, end_s: float | None, per_second: float | None) -> None:
        length = self.info.duration_s
        if not (math.isfinite(start_s) and start_s >= 0) or (end_s is not None and not end_s > start_s):
            raise InputError(f"A range must start at 0 s or later and end after its start, got {start_s} to {end_s} s.")
        if length and start_s >= length:
            raise InputError(f"The range starts at {start_s:g} s, but {self.name} is only {length:.2f} s long.")
        if per_second is not None and not 0 < per_second <= 1000:
            raise InputError(f"Frames per second must be above 0 and at most 1000, got {per_second}.")

    def _check_end(self, end_s: float | None) -> None:
        expected = min(self.info.duration_s, end_s or math.inf)
        short_by = expected - self._last_end_s
        is_short = short_by > max(1.0, 3 * self.stats.max_step_s)
        self.stats.ended_early = is_short and not self.info.is_picture and not self._length_is_sound

    # opening

    def _open(self) -> VideoInfo:
        if not self.path.is_file():
            raise VideoError(f"There is no file {self.name}.")
        if self.path.stat().st_size == 0:
            raise VideoError(f"{self.name} is empty (0 bytes). Copy or export it again.")
        kind = picture_kind(self.path, self.name)
        if kind or self.path.suffix.lower() in {ending for endings in PICTURES.values() for ending in endings}:
            return self._open_picture(kind)
        return self._open_video()

    def _open_picture(self, kind: str | None) -> VideoInfo:
        self._picture = read_picture(self.path, self.name, kind)
        name, (height, width) = (kind or "").lower(), self._picture.shape[:2]
        return VideoInfo(name, name, width, height, 0, 0.0, 0.0, False, True, True)

    def _open_video(self) -> VideoInfo:
        with self.path.open("rb") as file:
            head = file.read(12)
        if head[4:8] == b"ftyp" and head[8:12] in _PICTURE_BRANDS:
            raise VideoError(f"{self.name} is a HEIC or AVIF picture. Save it as JPEG or PNG first.")
        stream = self._open_stream()
        try:
            return self._describe(stream)
        except VideoError:
            self._container.close()
            raise

    def _open_stream(self) -> Any:
        """Open the file, anew if it was open; returns the first video stream that is no cover picture."""
        if self._container is not None:
            self._container.close()
        try:
            self._container = av.open(str(self.path), options=OPEN_OPTIONS, timeout=30, metadata_errors="replace")
        except (av.FFmpegError, ValueError, OSError) as error:
            raise VideoError(
                f"{self.name} cannot be opened as a video. It may be damaged, cut off before its index was written, or "
                f"another kind of file. Expected a video such as MP4, MOV, WebM, MKV or AVI, or a picture."
            ) from error
        streams = [s for s in self._container.streams.video if not s.disposition & Disposition.attached_pic]
        if not streams:
            self._container.close()
            raise VideoError(f"{self.name} has no picture track, only sound or data. Choose a file with video.")
        streams[0].thread_type = "AUTO"
        return streams[0]

    def _describe(self, stream: Any) -> VideoInfo:
        container, codec = self._container, stream.codec_context
        if not codec or not codec.width or codec.width * codec.height > MAX_PIXELS:
            size = f"{codec.width}×{codec.height}" if codec else "unknown"
            raise VideoError(f"{self.name} has a picture size that cannot be used ({size}).")
        self._start_s = (container.start_time or 0) / av.time_base
        rotation = self._rotation(stream)
        ratio = float(stream.sample_aspect_ratio or 1)
        self._size = max(round(codec.width * (ratio if 0.1 < ratio < 10 else 1.0)), 1), codec.height
        width, height = self._size[::-1] if rotation % 180 else self._size
        length = container.duration / av.time_base if container.duration else 0.0
        if container.streams.audio:  # may be longer than the picture
            own = self._own_length(stream)
            length, self._length_is_sound = own or length, own is None
        return VideoInfo(
            format=container.format.name,
            codec=codec.name,
            width=width,
            height=height,
            rotation_deg=rotation,
            duration_s=length,
            mean_fps=float(stream.average_rate or 0),
            has_audio=bool(container.streams.audio),
            is_picture=False,
            plays_in_browser=_plays_in_browser(self.path, codec),
        )

    def _own_length(self, stream: Any) -> float | None:
        """Where the picture track ends, in s, if the file says so."""
        if stream.duration:
            return float((stream.duration + (stream.start_time or 0)) * stream.time_base) - self._start_s
        told = re.fullmatch(r"(\d+):(\d+):(\d+(?:\.\d+)?)", stream.metadata.get("DURATION", ""))  # Matroska
        return int(told[1]) * 3600 + int(told[2]) * 60 + float(told[3]) if told else None

    def _rotation(self, stream: Any) -> int:
        """Degrees clockwise that the first readable frame must be turned."""
        probe = ReadStats()
        for packet in self._packets(stream, probe):
            for frame in self._decode_packet(packet, probe):
                return int(-frame.rotation) % 360
        if probe.damaged:
            raise VideoError(f"{self.name}: no frame could be decoded. The file is damaged; copy it again.")
        raise VideoError(f"{self.name} holds no frame. Choose a file with video.")

    # decoding

    def _decode(self, start_s: float) -> Iterator[tuple[Any, float, int]]:
        """(frame, time in s, index) from the last key frame before ``start_s`` on."""
        if self._picture is not None:
            yield self._picture, 0.0, 0
            return
        stream = self._open_stream()
        index = self._seek(stream, start_s)
        last, ticks, shift, keys = -math.inf, -1, None, [0]
        for packet in self._packets(stream, self.stats):
            if shift is None and packet.is_keyframe and packet.dts is not None:
                keys.append(packet.dts)
            for frame in self._decode_packet(packet, self.stats):
                stamp = frame.pts
                if self.info.format == "avi":  # no presentation times, but ticks of the frame rate, in order
                    if shift is None:  # the first frame is a key frame; its tick tells the decoder's delay
                        shift = max(key for key in keys if key <= (frame.dts or 0)) - (frame.dts or 0)
                    stamp = ticks = ticks + 1 if frame.dts is None else frame.dts + shift
                if stamp is None:
                    self.stats.damaged += 1
                    continue
                time_s = float(stamp * frame.time_base) - self._start_s
                if time_s <= last:  # the same moment twice: a player shows the later one, a table keeps the first
                    self.stats.damaged += 1
                    continue
                last = time_s
                self._last_end_s = time_s + float((frame.duration or 0) * frame.time_base)
                yield frame, time_s, index
                index += 1

    def _packets(self, stream: Any, stats: ReadStats) -> Iterator[Any]:
        try:
            for packet in self._container.demux(stream):
                stats.packets += packet.size > 0 and not packet.is_discard
                yield packet
        except av.FFmpegError:  # cut off in the middle; _check_end tells how much is missing
            return

    def _decode_packet(self, packet: Any, stats: ReadStats) -> list[Any]:
        try:
            return [frame for frame in packet.decode() if not frame.is_corrupt]
        except av.FFmpegError:
            stats.damaged += 1
            return []

    def _seek(self, stream: Any, start_s: float) -> int:
        """Go to the last key frame at or before ``start_s``; returns how many frames are presented before it."""
        if start_s <= 2.0 or self.info.format not in SEEKABLE:
            return 0
        try:
            return self._seek_key(stream, start_s)
        except av.FFmpegError as error:
            raise VideoError(f"{self.name} cannot be read from {start_s:g} s on; its index is damaged.") from error

    def _seek_key(self, stream: Any, start_s: float) -> int:
        target = (start_s + self._start_s) / stream.time_base
        times, key = [], None
        for packet in self._container.demux(stream):
            if packet.pts is None or packet.is_discard:
                continue
            if packet.pts > target + 2 / stream.time_base:
                break
            times.append(packet.pts)
            if packet.is_keyframe and packet.pts <= target:
                key = packet.pts
        if key is None:
            key = times[0] if times else 0
        self._container.seek(key, stream=stream, backward=True)
        return sum(pts < key for pts in times)

    def _upright(self, frame: Any, memory: _Memory) -> RGB:
        """RGB picture of a decoded frame: square pixels, one size for the whole video, turned as the file says."""
        image = frame.to_ndarray(format="rgb24", width=self._size[0], height=self._size[1], threads=1)
        turns = self.info.rotation_deg // 90 % 4  # clockwise
        return memory.copy(np.rot90(image, -turns))


class _Memory:
    """Room for pictures; that of pictures which nobody holds any more is used again.

    Pictures live in one thread and die in others, of which the usual allocator makes twice the memory.
    """

    def __init__(self) -> None:
        self._free: dict[int, list[mmap.mmap]] = {}

    def copy(self, image: RGB) -> RGB:
        """The same picture, C-contiguous; what is cut from it keeps it, too."""
        free = self._free.setdefault(image.nbytes, [])
        try:
            room = free.pop()
        except IndexError:
            room = mmap.mmap(-1, image.nbytes, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        flat = np.frombuffer(room, np.uint8)
        weakref.finalize(flat, free.append, room).atexit = False
        picture = flat.reshape(image.shape)
        picture[:] = image
        return picture


def _plays_in_browser(path: Path, codec: Any) -> bool:
    """Whether Chromium, Firefox and Safari all play it: an 8-bit 4:2:0 picture in a known codec and container."""
    name = {"libdav1d": "av1", "libaom-av1": "av1", "libvpx": "vp8", "libvpx-vp9": "vp9"}.get(codec.name, codec.name)
    is_plain = codec.pix_fmt in ("yuv420p", "yuvj420p")
    return name in BROWSER_CODECS and is_plain and path.suffix.lower() in BROWSER_FORMATS
