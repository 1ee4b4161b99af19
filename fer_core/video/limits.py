"""How much a file may be before it is refused: far above what people record, far below what fills a machine. A file of
a few kilobytes can hold a picture of gigabytes, so that what counts is what comes out of it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator

from fer_core.errors import VideoError

MAX_PIXELS = 8192 * 8192
"""Of a still picture."""
MAX_VIDEO_PIXELS = 40_000_000
"""Of a frame, as stored and as displayed; 8K has 33 million. Decoders keep a dozen of them at a time."""
MAX_PICTURE_BYTES = 512 * 1024**2
"""Of a picture's file, which is read as a whole; the largest picture of 16 bits has 384 MiB uncompressed."""
MAX_FRAMES = 10_000_000
"""Of a video: a day at 115 frames per second."""
MAX_PICTURES = 100_000
"""Of an animation, whose times are read before it is shown."""
MAX_TRACKS, MAX_STREAMS = 16, 64
"""Picture tracks, and streams of any kind with sound, subtitles and data."""
_THREADED_PIXELS = 128_000_000


def check_size(width: int, height: int, name: str) -> None:
    """Refuse a frame of more than ``MAX_VIDEO_PIXELS``.

    Raises:
        VideoError: it is as large as that.
    """
    if width * height > MAX_VIDEO_PIXELS:
        raise VideoError(
            f"{name} has frames of {width}×{height} pixels, more than {MAX_VIDEO_PIXELS // 10**6} million; scale it "
            "down to 8K (7680×4320) or less first."
        )


def check_container(n_streams: int, n_tracks: int, n_frames: int, name: str) -> None:
    """Refuse a file that holds, or says that it holds, more than any recording does.

    Raises:
        VideoError: too many streams, picture tracks or frames; the message says which.
    """
    for n, most, what in (
        (n_streams, MAX_STREAMS, "streams"), (n_tracks, MAX_TRACKS, "picture tracks"), (n_frames, MAX_FRAMES, "frames"),
    ):  # fmt: skip
        if n > most:
            raise VideoError(f"{name} holds {n:,} {what}; at most {most:,} can be read. Cut or convert it first.")


def at_most(n: int, items: Iterable[float], name: str) -> Iterator[float]:
    """The items, of which there are no more than ``n``.

    Raises:
        VideoError: there are more.
    """
    for index, item in enumerate(items):
        if index >= n:
            raise VideoError(f"{name} holds more than {n:,} pictures. Cut or convert it first.")
        yield item


def decoding_threads(width: int, height: int) -> int:
    """How many frames may be decoded at a time, each of which takes its memory; 0 leaves it to the decoder."""
    fitting = _THREADED_PIXELS // max(width * height, 1)
    return 0 if fitting >= (os.cpu_count() or 1) else max(fitting, 1)
