"""Animated WebP, PNG and AVIF, which FFmpeg does not read: their pictures with their own times, one at a time.

Times are read from the file's index, which takes no decoding. A picture that shall be shown for 10 ms or less is shown
for 100, as browsers do.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import av
from PIL import Image

from fer_core.video.limits import MAX_PICTURES, at_most
from fer_core.video.opening import for_ffmpeg
from fer_core.video.stills import RGB, Still, opened, read_still, to_8_bits, upright

SHORTEST_S, SHORT_S = 0.011, 0.1


@dataclass(frozen=True)
class Animation:
    """``kind`` is what Pillow calls it, ``size`` width and height in px, ``lasts_s`` (n,) how long each picture is
    shown; ``skipped`` pictures come first that are not part of it."""

    path: Path
    name: str
    kind: str
    size: tuple[int, int]
    lasts_s: tuple[float, ...]
    skipped: int = 0
    notes: tuple[str, ...] = ()
    is_picture = plays_in_browser = False

    @property
    def duration_s(self) -> float:
        """One course, however often it is repeated."""
        return math.fsum(self.lasts_s)

    @property
    def mean_fps(self) -> float:
        """Pictures per second, on average."""
        return len(self.lasts_s) / self.duration_s

    def __len__(self) -> int:
        return len(self.lasts_s)

    def frames(self) -> Iterator[tuple[RGB, float, float]]:
        """(RGB uint8 (h, w, 3), time in s, how long it is shown in s) of each picture; ends where the file is
        damaged."""
        picture, time_s = opened(self.path, self.name), 0.0
        if picture is None:
            return
        with picture:
            for index, lasts_s in enumerate(self.lasts_s):
                try:
                    picture.seek(index + self.skipped)
                    image = to_8_bits(upright(picture))[0]
                except Exception:  # Pillow raises many kinds for what is damaged
                    return
                yield image, time_s, lasts_s
                time_s += lasts_s


def open_picture(path: Path, name: str) -> Still | Animation | None:
    """A picture or animation, or None where it is for FFmpeg to read, or to refuse.

    Raises:
        VideoError: it is damaged or too large.
    """
    picture = opened(path, name)
    if picture is None:
        return None
    with picture:
        moves = getattr(picture, "is_animated", False)
        if moves and picture.format == "GIF":
            return None
        found = _animation(picture, path, name) if moves and picture.format in _TIMES else None
        return found or read_still(picture, path, name)


def _animation(picture: Image.Image, path: Path, name: str) -> Animation | None:
    """What is known of an opened file, or None where it shows a single picture."""
    told = at_most(MAX_PICTURES, _TIMES[picture.format or ""](path), name)
    lasts_s = tuple(SHORT_S if each < SHORTEST_S else each for each in told)
    if len(lasts_s) < 2:
        return None
    width, height = upright(picture).shape[1::-1]
    skipped = int(getattr(picture, "default_image", False))
    return Animation(path, name, picture.format or "", (width, height), lasts_s, skipped)


def _webp(path: Path) -> Iterator[float]:
    """Seconds of each picture: of an ANMF chunk, bytes 12 to 14, in ms."""
    with path.open("rb") as file:
        end, at = file.seek(0, os.SEEK_END), 12
        while at + 8 <= end:
            file.seek(at)
            head = file.read(24)
            if head[:4] == b"ANMF" and len(head) == 24:
                yield int.from_bytes(head[20:23], "little") / 1000
            at += 8 + int.from_bytes(head[4:8], "little") + head[4] % 2


def _png(path: Path) -> Iterator[float]:
    """Seconds of each picture: of an fcTL chunk, a fraction in bytes 20 to 23, whose 0 below means hundredths."""
    with path.open("rb") as file:
        end, at = file.seek(0, os.SEEK_END), 8
        while at + 8 <= end:
            file.seek(at)
            head = file.read(32)
            if head[4:8] == b"fcTL" and len(head) == 32:
                yield int.from_bytes(head[28:30], "big") / (int.from_bytes(head[30:32], "big") or 100)
            at += 12 + int.from_bytes(head[:4], "big")


def _avif(path: Path) -> Iterator[float]:
    """Seconds of each picture: of the packets of the longest track, beside which a still one may stand."""
    options = {"format_whitelist": "mov", "protocol_whitelist": "file"}
    with av.open(for_ffmpeg(path), options=options, metadata_errors="replace") as container:
        track = max(container.streams.video, key=lambda each: each.frames)
        for packet in container.demux(track):
            if packet.size:
                yield float((packet.duration or 0) * packet.time_base)


_TIMES: dict[str, Callable[[Path], Iterator[float]]] = {"WEBP": _webp, "PNG": _png, "AVIF": _avif}
