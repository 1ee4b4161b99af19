"""Every error that a user can cause, as one tree.

    FerError
    ├── InputError            the file or value that was given cannot be used
    │   ├── VideoError        not a video or image, damaged, without a picture, or a range outside it
    │   ├── DataError         a data set is missing, of an unknown layout or damaged
    │   └── UploadError       an upload was refused (size, name, disk)
    ├── CheckpointError       a checkpoint folder is incomplete, of another format or unsafe
    ├── RecipeError           a training recipe has an unknown key or an impossible value
    ├── StoreError            the analysis asked for does not exist or is damaged
    ├── Cancelled             the caller asked to stop
    └── TakenOver             another process goes on with the work

A message says what was wrong, what was expected, and what to do. "No face here" is a result, not an error.
Anything that is not a ``FerError`` is a bug and should look like one.
"""

from __future__ import annotations

import errno
import os
import sqlite3

__all__ = [
    "FULL_DISK",
    "NO_MEMORY",
    "Cancelled",
    "CheckpointError",
    "DataError",
    "FerError",
    "InputError",
    "RecipeError",
    "StoreError",
    "TakenOver",
    "UploadError",
    "VideoError",
    "is_full_disk",
    "is_no_memory",
    "sentence",
]
FULL_DISK = "The disk is full. Free some space, or delete analyses in the list of videos."
NO_MEMORY = "There is not enough memory for this. Close other programs, or scale the video or picture down first."


def is_full_disk(error: BaseException) -> bool:
    """Whether something went wrong because the disk is full, or the user's share of it."""
    if isinstance(error, sqlite3.OperationalError):
        return error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_FULL
    return isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)


def is_no_memory(error: BaseException) -> bool:
    """Whether something went wrong because there is no memory left, or no more that a process may take."""
    words = ("can't allocate memory", "Insufficient memory", "out of memory", "bad allocation", "std::bad_alloc")
    is_said = isinstance(error, RuntimeError | OSError) or type(error).__module__ == "cv2"
    return isinstance(error, MemoryError) or (is_said and any(each in str(error) for each in words))


def sentence(error: BaseException) -> str:
    """What went wrong, in one sentence: our own message, or what the system says of which file."""
    if not isinstance(error, OSError):
        return str(error)
    if is_full_disk(error):
        return "The disk is full."
    name = os.fsencode(error.filename).decode("utf-8", "replace") if isinstance(error.filename, str | bytes) else ""
    what = os.strerror(error.errno) if error.errno else str(error)  # other libraries add words of their own
    return f"{what.removesuffix('.')}{f' ({name})' if name else ''}."


class FerError(Exception):
    """Base of all errors that carry a message for the user."""


class InputError(FerError):
    """A file or value from the user cannot be used."""


class VideoError(InputError):
    """A video or image cannot be read as such."""


class DataError(InputError):
    """A data set cannot be read."""


class UploadError(InputError):
    """An upload was refused."""


class CheckpointError(FerError):
    """A checkpoint folder cannot be used."""


class RecipeError(FerError):
    """A training recipe is wrong."""


class StoreError(FerError):
    """A stored analysis is missing or damaged."""


class Cancelled(FerError):  # noqa: N818  (not an error, but what the user asked for)
    """The work was stopped because the caller asked for it."""


class TakenOver(FerError):  # noqa: N818  (not an error either: nothing is lost by it)
    """Another process has taken the work over; whatever this one has is not needed, and must not be written."""
