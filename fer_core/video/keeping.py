"""What of an analysis is kept, and for how long: its video, the pictures of its people, everything.

``keeping.json`` beside the tables holds what was removed and when, and the rule of this analysis, where it has one of
its own. Tables are never changed: without a video, an analysis opens as before.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from fer_core.errors import InputError, StoreError, sentence
from fer_core.files import replacing
from fer_core.video.store import Analysis
from fer_core.video.stored_files import read_json

FORMAT = "fer-workbench-keeping/1"
FILE = "keeping.json"
KEEP, VIDEO, PICTURES, EVERYTHING = "keep", "video", "pictures", "everything"
WHAT: Mapping[str, str] = {
    KEEP: "nothing", VIDEO: "the video", PICTURES: "the video and all pictures of people", EVERYTHING: "everything",
}  # fmt: skip
"""What a rule deletes, in words; each holds what stands before it."""
MAX_DAYS = 3650
DAY_S = 86_400.0
_FILES = {
    VIDEO: ("source.*", "proxy.*", "annotated*", "why/*.mp4"),
    PICTURES: ("source.*", "proxy.*", "annotated*", "crops", "why"),
}


@dataclass(frozen=True)
class Rule:
    """Delete ``what``, one of ``WHAT``, so many days after an analysis was made.

    Raises:
        InputError: no such thing, or an impossible number of days.
    """

    what: str = KEEP
    days: int = 30

    def __post_init__(self) -> None:
        if self.what not in WHAT:
            raise InputError(f"Cannot delete {self.what!r} later; expected one of {', '.join(WHAT)}.")
        if isinstance(self.days, bool) or not isinstance(self.days, int) or not 1 <= self.days <= MAX_DAYS:
            raise InputError(f"Something is deleted after 1 to {MAX_DAYS:,} days, got {self.days!r}.")

    def to_json(self) -> dict[str, Any]:
        """Plain values, as ``read_rule`` takes them."""
        return {"what": self.what, "days": self.days}


def read_rule(path: Path) -> Rule | None:
    """The rule in a ``keeping.json``, or None where there is no such file, or no rule in it.

    Raises:
        StoreError: the file is damaged.
    """
    told = _read(path)
    try:
        return Rule(told["what"], told["days"]) if "what" in told else None
    except (InputError, KeyError) as error:
        raise StoreError(_damaged(path, error)) from error


def write_rule(path: Path, rule: Rule | None) -> None:
    """Write a rule into a ``keeping.json``, or take it out. What else stands there stays; a damaged one is replaced.

    Raises:
        StoreError: it cannot be written.
    """
    told: dict[str, Any] = {}
    with suppress(StoreError):
        told = {name: value for name, value in _read(path).items() if name not in ("what", "days")}
    try:
        _write(path, told | (rule.to_json() if rule else {}))
    except OSError as error:
        raise StoreError(f"{path} cannot be written: {sentence(error)} Free some space, or move it away.") from error


def age_s(folder: Path, record: Mapping[str, Any] | None, now_s: float) -> float:
    """Seconds since an analysis was made; of one whose record cannot be read, since its folder was changed."""
    with suppress(ValueError, TypeError, KeyError):
        if record is not None:
            made = datetime.fromisoformat(record["created"])
            return now_s - (made if made.tzinfo else made.replace(tzinfo=UTC)).timestamp()
    return now_s - folder.stat().st_mtime


def holds(folder: Path, what: str) -> bool:
    """Whether there is anything of ``VIDEO`` or ``PICTURES`` in an analysis folder."""
    return any(not path.is_dir() or any(path.iterdir()) for path in _parts(folder, what))


def remove(folder: Path, what: str, now_s: float) -> None:
    """Remove the ``VIDEO`` or the ``PICTURES`` of an analysis, and note when. What is removed already stays noted.

    Raises:
        StoreError: something cannot be removed.
    """
    path, told = folder / FILE, dict[str, Any]()
    with suppress(StoreError):
        told = _read(path)
    before = told.get("removed")
    removed: dict[str, Any] = before if isinstance(before, dict) else {}
    day = datetime.fromtimestamp(now_s, UTC).isoformat(timespec="seconds")
    new = {each: day for each in (VIDEO, PICTURES) if holds(folder, each) and (each == VIDEO or what == PICTURES)}
    try:
        _write(path, told | {"removed": {**removed, **new}})  # first: a page never shows what is half gone as whole
        for each in list(_parts(folder, what)):
            shutil.rmtree(each) if each.is_dir() and not each.is_symlink() else each.unlink(missing_ok=True)
    except OSError as error:
        raise StoreError(
            f"{folder.name} cannot be changed: {sentence(error)} See to the rights of its folder."
        ) from error


def missing_video(analysis: Analysis) -> str:
    """Why the video or picture of an analysis is not there, in a sentence; empty where it is."""
    if analysis.source() is not None:
        return ""
    what = "picture" if analysis.record["source"]["is_picture"] else "video"
    if not analysis.record["settings"].get("keep_pictures", True):
        return f"This analysis was made without keeping any picture, so the {what} itself is not here."
    told: Any = {}
    with suppress(StoreError):
        told = _read(analysis.folder / FILE).get("removed")
    day = told.get(VIDEO) if isinstance(told, dict) else None
    if isinstance(day, str):
        return f"The {what} of this analysis was deleted on {day[:10]}."
    return f"The {what} itself is not kept with this analysis."


def video_of(analysis: Analysis) -> Path:
    """The video or picture of an analysis, for what cannot be done without.

    Raises:
        StoreError: it is not there; the message says why.
    """
    source = analysis.source()
    if source is None:
        raise StoreError(f"{missing_video(analysis)} Analyze the file again for what needs its pictures.")
    return source


def _parts(folder: Path, what: str) -> Iterator[Path]:
    for pattern in _FILES[what]:
        yield from folder.glob(pattern)


def _read(path: Path) -> dict[str, Any]:
    return read_json(path, FORMAT, "Choose again what is deleted later.") if os.path.lexists(path) else {}


def _write(path: Path, told: Mapping[str, Any]) -> None:
    with replacing(path) as new:
        new.write_text(json.dumps({**told, "format": FORMAT}, indent=1), encoding="utf-8")


def _damaged(path: Path, error: Exception) -> str:
    return f"{path.parent.name}/{path.name} is damaged ({error}). Choose again what is deleted later."
