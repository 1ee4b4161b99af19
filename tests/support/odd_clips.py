"""Clips with what recorders, players and broken lines do to them."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.stream import Disposition
from numpy.typing import NDArray

from tests.support.clips import write_clip

CLAP_S = 0.4
Pictures = Sequence[NDArray[np.uint8]]


def with_matrix(source: Path, target: Path, matrix: tuple[float, float, float, float]) -> Path:
    """Copy an MP4 and set a, b, c, d of its picture track's display matrix: x' = a x + c y, y' = b x + d y."""
    data = bytearray(source.read_bytes())
    at = data.index(b"tkhd") + 4 + 40  # version 0: 40 bytes from the version field to the matrix
    a, b, c, d = (round(each * 65536) for each in matrix)
    data[at : at + 36] = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
    target.write_bytes(data)
    return target


def stored_for(picture: NDArray[np.uint8], matrix: tuple[int, int, int, int]) -> NDArray[np.uint8]:
    """What must be stored so that a player which follows the matrix, pixel by pixel, shows ``picture``."""
    a, b, c, d = matrix
    height, width = picture.shape[:2] if a else picture.shape[1::-1]
    y, x = np.mgrid[:height, :width]
    over, down = a * x + c * y, b * x + d * y
    return np.ascontiguousarray(picture[down - down.min(), over - over.min()])


def joined(target: Path, *parts: Path) -> Path:
    """Recordings one after the other, as they are."""
    target.write_bytes(b"".join(part.read_bytes() for part in parts))
    return target


def moved(source: Path, target: Path, by_s: float) -> Path:
    """Copy a clip whose clock shows another time."""
    with av.open(str(source)) as given, av.open(str(target), "w") as container:
        streams = {stream.index: container.add_stream_from_template(stream) for stream in given.streams}
        for packet in given.demux():
            if packet.dts is not None:
                shift = round(by_s / packet.time_base)
                packet.pts, packet.dts = packet.pts + shift, packet.dts + shift
                packet.stream = streams[packet.stream.index]
                container.mux(packet)
    return target


def write_tracks(path: Path, levels: Sequence[int], default: int) -> Path:
    """A file with a picture track of one second for each level of grey; ``default`` is the one that players show."""
    with av.open(str(path), "w") as container:
        streams = []
        for number, _ in enumerate(levels):
            stream = container.add_stream("libx264" if path.suffix != ".webm" else "libvpx", rate=25)
            stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
            stream.disposition = Disposition.default if number == default else Disposition(0)
            streams.append(stream)
        for index in range(25):
            for stream, level in zip(streams, levels, strict=True):
                frame = av.VideoFrame.from_ndarray(np.full((64, 96, 3), level, np.uint8), format="rgb24")
                frame.pts = index
                container.mux(stream.encode(frame))
        for stream in streams:
            container.mux(stream.encode())
    return path


def write_parts(path: Path, parts: Sequence[Pictures], codec: str = "libx264") -> Path:
    """A clip of 25 frames a second in one stream, whose parts were encoded anew, perhaps in another size."""
    base, n = Fraction(1, 25), 0
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25)
        stream.height, stream.width = parts[0][0].shape[:2]
        stream.pix_fmt = "yuv420p"
        for pictures in parts:
            encoder = av.CodecContext.create(codec, "w")
            encoder.height, encoder.width = pictures[0].shape[:2]
            encoder.pix_fmt, encoder.time_base, encoder.framerate = "yuv420p", base, 25
            encoder.options = {"bf": "0"} if codec == "libx264" else {}
            frames = [av.VideoFrame.from_ndarray(picture, format="rgb24") for picture in pictures]
            for frame in (*frames, None):
                if frame is not None:
                    frame.pts, frame.time_base, n = n, base, n + 1
                for packet in encoder.encode(frame):
                    packet.stream, packet.time_base = stream, base
                    container.mux(packet)
    return path


def retimed_avi(source: Path, target: Path, ticks: Sequence[int]) -> Path:
    """Copy an AVI so that its packets, in the order in which they lie, come at these ticks."""
    with av.open(str(source)) as given, av.open(str(target), "w") as container:
        (wanted,) = given.streams
        stream = container.add_stream_from_template(wanted)
        packets = [packet for packet in given.demux(wanted) if packet.size]
        for packet, tick in zip(packets, ticks, strict=True):
            packet.pts = packet.dts = tick
            packet.stream = stream
            container.mux(packet)
    return target


def without_packets(source: Path, target: Path, lost: range) -> Path:
    """Copy an MPEG transport stream without some of its packets of 188 bytes."""
    data = source.read_bytes()
    kept = [data[i : i + 188] for i in range(0, len(data), 188) if i // 188 not in lost]
    target.write_bytes(b"".join(kept))
    return target


def write_joined(path: Path, parts: int = 2, frames: int = 25) -> Path:
    """The same second, with sound, several times: every time its clock starts again."""
    is_stream = path.suffix == ".ts"
    part = write_clip(
        path.with_name(f"part{path.suffix}"), [i / 25 for i in range(frames)], time_base=Fraction(1, 25),
        codec="libx264" if is_stream else "mpeg2video", sound_from_s=0.0, sound_codec="aac" if is_stream else "mp2",
    )  # fmt: skip
    return joined(path, *[part] * parts)


def write_claps(path: Path, sound_codec: str, *, is_silent: bool = False) -> Path:
    """A second of black at 25 frames a second, with one white flash that beeps, from ``CLAP_S`` on for a fifth."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg2video", rate=25)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        sound = container.add_stream(sound_codec, rate=48_000, layout="mono")
        for i in range(25):
            is_white = CLAP_S <= i / 25 < CLAP_S + 0.2
            frame = av.VideoFrame.from_ndarray(np.full((64, 96, 3), 235 if is_white else 16, np.uint8), format="rgb24")
            frame.pts = i
            container.mux(stream.encode(frame))
        times = np.arange(48_000) / 48_000
        wave = np.where((times >= CLAP_S) & (times < CLAP_S + 0.2), 0.5 * np.sin(2 * np.pi * 1000 * times), 0.0)
        wave = np.zeros_like(wave) if is_silent else wave
        for start in range(0, 48_000, 1000):
            piece = av.AudioFrame.from_ndarray(wave[None, start : start + 1000].astype(np.float32), "fltp", "mono")
            piece.sample_rate, piece.pts, piece.time_base = 48_000, start, Fraction(1, 48_000)
            container.mux(sound.encode(piece))
        container.mux(stream.encode())
        container.mux(sound.encode())
    return path


def claps(path: Path) -> tuple[list[float], list[float]]:
    """When the flashes and the beeps of a video begin, in s from its start."""
    with av.open(str(path)) as container:
        start_s = (container.start_time or 0) / av.time_base
        frames = [(frame.time - start_s, frame.to_ndarray(format="gray").mean()) for frame in container.decode(video=0)]
    with av.open(str(path)) as container:
        pieces = [
            (
                frame.time - start_s + np.arange(frame.samples) / frame.sample_rate,
                np.abs(frame.to_ndarray()).max(axis=0),
            )
            for frame in container.decode(audio=0)
        ]
    at, loud = (np.concatenate(each) for each in zip(*pieces, strict=True))
    heard = at[loud > 0.1]
    begins = np.append(True, np.diff(heard) > 0.1) if len(heard) else np.zeros(0, bool)
    bright = np.array([level > 120 for _, level in frames])
    rises = np.flatnonzero(bright & ~np.append(False, bright[:-1]))
    return [frames[i][0] for i in rises], heard[begins].tolist()
