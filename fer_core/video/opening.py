"""Before a file is decoded: whether it can be read at all, what FFmpeg shall call it, and why it is no video.

What a file is, is told by its content; its name says nothing.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from fer_core.errors import VideoError

HEAD_BYTES = 4096
_EXPECTED = "Expected a video such as MP4, MOV, WebM, MKV or AVI, or a picture such as JPEG, PNG or TIFF."
_AS_PICTURE = "Save it as JPEG, PNG or TIFF first."
_PACKED = "Unpack it and choose a video or picture in it."
_SOUND = "Choose a file with video."
_LIST = "It only names other files; choose the video itself."
_BARE = "Put it into a container first, for example with ffmpeg -i FILE -c copy FILE.mkv."
_MAGIC: tuple[tuple[int, bytes, str, str], ...] = (
    (0, b"%PDF", "a PDF document", _EXPECTED),
    (0, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an Office document", _EXPECTED),
    (0, b"{\\rtf", "a text document", _EXPECTED),
    (0, b"Rar!", "an archive", _PACKED),
    (0, b"7z\xbc\xaf\x27\x1c", "an archive", _PACKED),
    (0, b"\x1f\x8b", "an archive", _PACKED),
    (0, b"BZh", "an archive", _PACKED),
    (0, b"\xfd7zXZ\0", "an archive", _PACKED),
    (0, b"\x28\xb5\x2f\xfd", "an archive", _PACKED),
    (257, b"ustar", "an archive", _PACKED),
    (0, b"#EXTM3U", "a playlist", _LIST),
    (0, b"[playlist]", "a playlist", _LIST),
    (0, b"ffconcat", "a playlist", _LIST),
    (0, b"ID3", "sound alone", _SOUND),
    (0, b"fLaC", "sound alone", _SOUND),
    (8, b"WAVE", "sound alone", _SOUND),
    (8, b"AIFF", "sound alone", _SOUND),
    (0, b"\xff\xfb", "sound alone", _SOUND),
    (0, b"\xff\xf1", "sound alone", _SOUND),
    (0, b"#!AMR", "sound alone", _SOUND),
    (0, b"8BPS", "a Photoshop picture", _AS_PICTURE),
    (0, b"\xff\x0a", "a JPEG XL picture", _AS_PICTURE),
    (4, b"JXL \r\n", "a JPEG XL picture", _AS_PICTURE),
    (0, b"%!PS", "a PostScript drawing", _AS_PICTURE),
    (0, b"\0\0\1\0", "an icon", _AS_PICTURE),
    (0, b"icns", "an icon", _AS_PICTURE),
    (0, b"\x76\x2f\x31\x01", "an OpenEXR picture", _AS_PICTURE),
    (0, b"#?RADIANCE", "a Radiance picture", _AS_PICTURE),
    (0, b"SIMPLE  =", "a FITS picture", _AS_PICTURE),
    (0, b"DDS ", "a DDS picture", _AS_PICTURE),
    (0, b"P7\n", "a PAM picture", _AS_PICTURE),
    (0, b"FUJIFILMCCD-RAW", "a raw picture of a camera", _AS_PICTURE),
    (128, b"DICM", "a medical DICOM file", "Export its pictures as PNG, or its video as MP4."),
    (0, b"\0\0\0\1", "a bare video stream without times", _BARE),
    (0, b"\0\0\1\xb3", "a bare video stream without times", _BARE),
    (0, b"\xff\xd8\xff", "a damaged JPEG picture", "Save or copy it again."),
    (0, b"\x89PNG", "a damaged PNG picture", "Save or copy it again."),
    (0, b"BM", "a damaged BMP picture", "Save or copy it again."),
    (0, b"GIF8", "a damaged GIF picture", "Save or copy it again."),
    (8, b"WEBP", "a damaged WebP picture", "Save or copy it again."),
    (0, b"II*\0", "a damaged TIFF picture, or a raw one of a camera", "Save it as JPEG, PNG or TIFF again."),
    (0, b"MM\0*", "a damaged TIFF picture, or a raw one of a camera", "Save it as JPEG, PNG or TIFF again."),
    (0, b"II+\0", "a TIFF picture of a kind for very large ones", _AS_PICTURE),
    (4, b"jP  \r\n", "a damaged JPEG 2000 picture", "Save or copy it again."),
)  # fmt: skip
"""Where a file holds which bytes, what it then seems to be, and what to do."""
_OFFICE = (b"word/", b"xl/", b"ppt/", b"mimetypeapplication/vnd.oasis")
_HEIC = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")
_AVIF = (b"avif", b"avis")
_PROTECTED = (b"encv", b"drmi")
_ASF_PROTECTED = bytes.fromhex("fbb3112223bdd211b4b700a0c955fc6e")


def readable(name: str) -> str:
    """A file name, or path, that can be written down: bytes that are no UTF-8 become replacement characters."""
    return os.fsencode(name).decode("utf-8", "replace")


def for_ffmpeg(path: Path) -> str:
    """What FFmpeg is given, so that a name with a colon is never taken for an address."""
    return f"file:{path}"


def check_file(path: Path, name: str) -> None:
    """Make sure that there is a file with something in it, which opening does not wait for.

    Raises:
        VideoError: there is none; the message calls it ``name``, or as it was given where that is its own name.
    """
    given = readable(str(path)) if name == readable(path.name) else name
    try:
        found = path.stat()
    except (FileNotFoundError, NotADirectoryError, ValueError) as error:
        raise VideoError(f"There is no file {given}. Check its name and folder.") from error
    except OSError as error:
        raise VideoError(f"{given} cannot be read ({error.strerror}). Check its name, and who may read it.") from error
    if stat.S_ISDIR(found.st_mode):
        raise VideoError(f"{given} is a folder. Choose a video or picture in it.")
    if not stat.S_ISREG(found.st_mode):
        raise VideoError(f"{given} is a pipe or device, not a file. Save what comes from it as a file first.")
    if found.st_size == 0:
        raise VideoError(f"{name} is empty (0 bytes). Copy or export it again.")
    if not os.access(path, os.R_OK):
        raise VideoError(f"{given} may not be read by this account. Change who may read it, or copy it.")


def check_video(path: Path, name: str) -> None:
    """Refuse what FFmpeg might open, but would not show.

    Raises:
        VideoError: it is a HEIC picture, a playlist, or a protected video.
    """
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
        if head[4:8] == b"ftyp" and head[8:12] in _HEIC:
            raise VideoError(
                f"{name} is a HEIC picture, which cannot be read here. Save it as JPEG, or let the phone take JPEG "
                f"pictures (iPhone: Settings, Camera, Formats, Most Compatible)."
            )
        if _is_protected(file, head):
            raise VideoError(f"{name} is protected against copying (DRM). Choose a video without protection.")


def why_no_video(path: Path, name: str) -> str:
    """A sentence on why FFmpeg cannot open a file, as far as its bytes tell."""
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
        is_mp4 = head[4:8] in (b"ftyp", b"mdat", b"wide", b"free") and head[8:12] not in _AVIF
        boxes = {kind for kind, _, _ in _boxes(file)} if is_mp4 else set()
    if boxes and b"moov" not in boxes:
        return (
            f"{name} was cut off before its index was written, as when a recording breaks off or a copy is not "
            f"finished. Copy it again, or repair it with a tool for that."
        )
    if what := _seems(head):
        return f"{name} cannot be opened as a video: it seems to be {what[0]}. {what[1]}"
    return f"{name} cannot be opened as a video. It may be damaged, cut off, or of a kind not known here. {_EXPECTED}"


def _seems(head: bytes) -> tuple[str, str] | None:
    """What the first bytes of a file seem to be, and what to do."""
    if head.startswith(b"PK\x03\x04"):
        return ("an Office document", _EXPECTED) if any(each in head for each in _OFFICE) else ("an archive", _PACKED)
    if head[4:8] == b"ftyp" and head[8:12] in _AVIF:
        return "a damaged AVIF picture", "Save or copy it again."
    for at, magic, what, advice in _MAGIC:
        if head[at : at + len(magic)] == magic:
            return what, advice
    if not head.strip(b"\0"):
        return "nothing but zeros, as when a download is not finished", "Copy it again."
    text = head.decode("utf-8", "ignore").lstrip("\ufeff \t\r\n").lower()
    if b"\0" in head or len(text.encode()) < 0.9 * len(head.strip()) or re.search(r"[\x01-\x08\x0e-\x1a]", text):
        return None
    if text.startswith(("<!doctype html", "<html")):
        return "a web page, as when a download needs a login", "Download the video itself."
    if text.startswith(("<mpd", "<asx", "<smil")) or "<mpd" in text:
        return "a playlist", _LIST
    if "<svg" in text:
        return "an SVG drawing", _AS_PICTURE
    return "a text file", _EXPECTED


def _boxes(file: BinaryIO) -> Iterator[tuple[bytes, int, int]]:
    """(kind, where its content begins, where it ends) of the boxes of an MP4."""
    end, at = file.seek(0, os.SEEK_END), 0
    while at + 8 <= end:
        file.seek(at)
        head = file.read(16)
        size, begin = int.from_bytes(head[:4], "big"), at + 8
        if size == 1:
            size, begin = int.from_bytes(head[8:16], "big"), at + 16
        elif size == 0:
            size = end - at
        if size < begin - at:
            return
        yield head[4:8], begin, min(at + size, end)
        at += size


def _is_protected(file: BinaryIO, head: bytes) -> bool:
    """Whether an MP4's tracks are encrypted, or a WMV says that it is."""
    if head.startswith(b"\x30\x26\xb2\x75"):
        return _ASF_PROTECTED in head
    if head[4:8] != b"ftyp":
        return False
    for kind, begin, end in _boxes(file):
        if kind == b"moov":
            file.seek(begin)
            index = file.read(end - begin)
            return any(index[at.start() + 16 : at.start() + 20] in _PROTECTED for at in re.finditer(b"stsd", index))
    return False
