"""Picture tracks of a file: which there are, which one players show, and whether browsers play it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from av.stream import Disposition

from fer_core.errors import InputError, VideoError

BROWSER_CODECS = ("h264", "vp8", "vp9", "av1")
BROWSER_FORMATS = (".mp4", ".webm", ".m4v", ".mov")
_NO_VIDEO = Disposition.attached_pic | Disposition.timed_thumbnails | Disposition.still_image


@dataclass(frozen=True)
class PictureTrack:
    """A picture track: ``number`` counts from 1, ``title`` and ``language`` are empty where the file tells none."""

    number: int
    title: str
    language: str
    width: int
    height: int
    is_default: bool


def picture_streams(container: Any) -> list[Any]:
    """The video streams that are no cover picture, thumbnail or still image."""
    return [stream for stream in container.streams.video if not stream.disposition & _NO_VIDEO]


def described(streams: list[Any]) -> tuple[PictureTrack, ...]:
    """What a user can choose from."""
    return tuple(
        PictureTrack(
            number=number,
            title=stream.metadata.get("title", ""),
            language=stream.metadata.get("language", "").removeprefix("und"),
            width=stream.codec_context.width if stream.codec_context else 0,
            height=stream.codec_context.height if stream.codec_context else 0,
            is_default=bool(stream.disposition & Disposition.default),
        )
        for number, stream in enumerate(streams, 1)
    )


def shown(streams: list[Any]) -> Any:
    """The one that players show or play: the first that is marked as default, else the first."""
    return next((stream for stream in streams if stream.disposition & Disposition.default), streams[0])


def chosen(streams: list[Any], number: int | None, name: str) -> Any:
    """The track of that number, counted from 1; None is the one that players show.

    Raises:
        VideoError: the file called ``name`` has no track at all.
        InputError: it has no such track.
    """
    if not streams:
        raise VideoError(f"{name} has no picture track, only sound or data. Choose a file with video.")
    if number is None:
        return shown(streams)
    if not 1 <= number <= len(streams):
        several = "tracks" if len(streams) > 1 else "track"
        raise InputError(f"{name} has {len(streams)} picture {several}, so there is no track {number}; choose another.")
    return streams[number - 1]


def plays_in_browser(path: Path, container: Any, stream: Any) -> bool:
    """Whether Chromium, Firefox and Safari all play this track by themselves: an 8-bit 4:2:0 picture in a known codec
    and container."""
    codec, streams = stream.codec_context, picture_streams(container)
    name = {"libdav1d": "av1", "libaom-av1": "av1", "libvpx": "vp8", "libvpx-vp9": "vp9"}.get(codec.name, codec.name)
    is_known = name in BROWSER_CODECS and codec.pix_fmt in ("yuv420p", "yuvj420p")
    by_browsers = streams[0] if "matroska" in container.format.name else shown(streams)  # there they heed no default
    is_shown = stream.index == by_browsers.index
    return is_known and is_shown and path.suffix.lower() in BROWSER_FORMATS


__all__ = ["PictureTrack", "chosen", "described", "picture_streams", "plays_in_browser", "shown"]
