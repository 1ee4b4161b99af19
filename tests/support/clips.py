"""Small clips made for the tests."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

TIME_BASE = Fraction(1, 1000)


def grey_level(index: int) -> int:
    """Brightness that marks frame ``index`` of ``write_clip``, far enough apart to survive compression."""
    return 20 + index * 7 % 220


def write_clip(
    path: Path,
    times_s: Sequence[float],
    *,
    pictures: Sequence[NDArray[np.uint8]] | None = None,
    size: tuple[int, int] = (96, 64),
    codec: str = "libx264",
    sound_from_s: float | None = None,
    sound_to_s: float | None = None,
    sound_codec: str = "aac",
    key_every: int = 5,
    b_frames: int = 0,
    pixel_ratio: Fraction = Fraction(1),
    time_base: Fraction = TIME_BASE,
    title: bytes = b"",
) -> Path:
    """Write frames (flat grey unless ``pictures`` are given, RGB) at the given times, and a tone where wanted."""
    with av.open(str(path), "w") as container:
        if title:
            container.metadata["title"] = title.decode()
        stream = container.add_stream(codec, rate=25)
        height, width = pictures[0].shape[:2] if pictures else size[::-1]
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.codec_context.time_base = time_base
        stream.codec_context.sample_aspect_ratio = pixel_ratio
        stream.codec_context.gop_size = key_every
        if codec == "libx265":  # with its own threads and B-frames it now and then gives packets that no muxer takes
            stream.options = {"x265-params": "bframes=0:pools=none:frame-threads=1:log-level=error"}
        if codec == "libx264":
            stream.options = {"bf": str(b_frames)}
        tone = None if sound_from_s is None else container.add_stream(sound_codec, rate=48_000, layout="mono")
        for index, time_s in enumerate(times_s):
            image = pictures[index] if pictures else np.full((height, width, 3), grey_level(index), np.uint8)
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.pts, frame.time_base = round(time_s / time_base), time_base
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
        if tone is not None:
            _write_tone(container, tone, sound_from_s or 0.0, sound_to_s or times_s[-1])
    return path


def write_tone(path: Path, seconds: float = 1.0) -> Path:
    """A file with sound alone."""
    with av.open(str(path), "w") as container:
        _write_tone(container, container.add_stream("aac", rate=48_000, layout="mono"), 0.0, seconds)
    return path


def _write_tone(container: object, stream: object, start_s: float, end_s: float) -> None:
    rate, size = 48_000, 1024
    for start in range(int(start_s * rate), int(max(end_s, start_s + 0.2) * rate), size):
        wave = 0.1 * np.sin(2 * np.pi * 440 * (start + np.arange(size)) / rate)
        frame = av.AudioFrame.from_ndarray(wave[None].astype(np.float32), format="fltp", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = rate, start, Fraction(1, rate)
        container.mux(stream.encode(frame))
    container.mux(stream.encode())
