"""Stored analyses: opening one, listing, renaming and deleting them.

An analysis is a folder that ``fer_core.video.pipeline.analyze`` wrote. What a user changes later lives in
``edits.json`` beside the tables and is applied as a view; the tables are never rewritten.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fer_core.emotions import AS_TRAINED, PRIORS
from fer_core.errors import InputError, StoreError, sentence
from fer_core.files import alone_with, remove_tree, replacing
from fer_core.video.marks import printable
from fer_core.video.stored_files import AGAIN, read_json, read_table

if TYPE_CHECKING:
    import pandas as pd

    from fer_core.video.edits import Edits, State

FORMAT = "fer-workbench-analysis/1"
EDITS_FORMAT = "fer-workbench-edits/1"
PROXY, PROXY_STILL = "proxy.mp4", "proxy.jpg"
"""Copies that browsers show of a video or a picture that they do not."""
PEOPLE_FORMAT = "fer-workbench-people/1"
GONE = ".deleted.tmp"
"""How the name of a folder ends that is being deleted; one that is left goes at the next start."""
MAX_NAME = 120
MAX_NOTE = 2_000
MAX_EDITS_BYTES = 20_000_000
_RECORD = "Save what can be saved of it in the list of videos, and run the analysis again."
_WITHOUT_EDITS = "Repair it in the list of videos: as many edits as can be read are kept."
_SHAPE: dict[str, type | tuple[type, ...]] = {
    "created": str, "complete": bool, "settings": dict, "time_check": dict, "source": dict, "source.name": str,
    "source.is_picture": bool, "source.plays_in_browser": bool, "checkpoint": dict, "checkpoint.name": str,
    "summary": dict, "summary.duration_s": (int, float), "summary.people": list,
}  # fmt: skip
"""What of a record every page relies on."""
_KEYS = frozenset({"frame", "time_s", "track"})
_ID = re.compile(r"[0-9a-f]{12,64}")


@dataclass(frozen=True)
class Analysis:
    """One analysis folder, read when asked; ``record`` is its ``analysis.json``."""

    folder: Path
    record: dict[str, Any]

    def __repr__(self) -> str:
        source, summary = self.record["source"], self.record["summary"]
        n = len(summary["people"])
        told = f"{summary['frames']} frames in {summary['duration_s']:g} s, {n} {'person' if n == 1 else 'people'}"
        whole = "" if self.record.get("complete", True) else "; incomplete"
        return f"<Analysis of {source['name']}: {told}, scores of {', '.join(self.models)}{whole}; in {self.folder}>"

    @property
    def id(self) -> str:
        return self.folder.name

    @cached_property
    def _changes(self) -> dict[str, Any]:
        """What the user changed; empty where nothing was."""
        path = self.folder / "edits.json"
        return read_json(path, EDITS_FORMAT, _WITHOUT_EDITS) if os.path.lexists(path) else {"format": EDITS_FORMAT}

    @cached_property
    def edits(self) -> Edits:
        """The reviewer's edits, see ``fer_core.video.edits``.

        Raises:
            StoreError: ``edits.json`` is damaged.
        """
        from fer_core.video.edits import Edits  # loads pandas, which a page that only lists analyses need not wait for

        try:
            return Edits.from_dict(self._changes)
        except InputError as error:
            raise StoreError(f"{self.folder.name}/edits.json: {error} {_WITHOUT_EDITS}") from error

    @cached_property
    def state(self) -> State:
        """What the edits come to: names, marks, groups, limits …"""
        return self.edits.state

    @property
    def prior(self) -> str:
        """How common each emotion is taken to be, one of ``fer_core.emotions.PRIORS``: as the reviewer chose, else as
        it was analysed; as trained in an analysis from before it could be chosen."""
        chosen = self.state.prior or self.record["settings"].get("prior")
        return str(chosen) if chosen in PRIORS else AS_TRAINED

    @property
    def revision(self) -> str:
        """Another one after every edit; 12 hex digits."""
        return hashlib.sha256(json.dumps(self._changes.get("done", [])).encode()).hexdigest()[:12]

    @property
    def name(self) -> str:
        """The user's name for it, else the source's."""
        return str(self._changes.get("name") or self.record["source"]["name"])

    @property
    def agreed(self) -> dict[str, str] | None:
        """When the people in it were told and agreed (``date``, as 2026-12-01) and a ``note``; None where nobody wrote
        it down."""
        said = self._changes.get("agreed")
        if not isinstance(said, dict) or not _is_day(str(said.get("date", ""))):
            return None
        return {"date": str(said.get("date", "")), "note": str(said.get("note", ""))}

    @property
    def checkpoints(self) -> list[dict[str, Any]]:
        """``name``, ``sha256``, ``labels``, ``margin`` and ``field`` of each whose scores are there, the chosen one
        first."""
        return [self.record["checkpoint"], *self.record.get("other_checkpoints", [])]

    @property
    def models(self) -> list[str]:
        """Names of the checkpoints whose scores are there, the chosen one first."""
        return [str(each["name"]) for each in self.checkpoints]

    def left_out(self) -> pd.DataFrame | None:
        """Faces that flickered up and are in no other table (where and when, and measured signals), or None."""
        path = self.folder / "left_out.parquet"
        return read_table(path) if path.is_file() else None

    @property
    def tracks(self) -> list[int]:
        """The people as the reviewer sees them: merged, split and left out."""
        measured = [int(person["track"]) for person in self.people]
        if not self._changes.get("done"):
            return measured
        from fer_core.video.edits import people_after

        return people_after(measured, self.state.steps)

    @property
    def picture_track(self) -> int:
        """Number of the picture track that was analysed; version 0.9 always took the first."""
        return int(self.record["source"].get("track", 1))

    @property
    def people(self) -> list[dict[str, Any]]:
        """Summary per person as measured, see ``fer_core.video.timeline.people_summary``."""
        return list(self.record["summary"]["people"])

    @property
    def recognition(self) -> dict[str, Any] | None:
        """How people were recognised by their faces, see ``fer_core.video.people``; None where they were not.

        Raises:
            StoreError: ``people.json`` is damaged.
        """
        path = self.folder / "people.json"
        return read_json(path, PEOPLE_FORMAT) if os.path.lexists(path) else None

    def timeline(self, columns: list[str] | None = None) -> pd.DataFrame:
        """The timeline table as it was measured, see ``fer_core.video.timeline``; ``columns`` None reads all.
        What an earlier version did not write is left out.

        Raises:
            StoreError: the table is missing or damaged.
        """
        table = read_table(self.folder / "timeline.parquet", columns)
        if columns is None and (lacking := _KEYS.difference(table.columns)):
            raise StoreError(f"{self.folder.name}/timeline.parquet lacks {', '.join(sorted(lacking))}. {AGAIN}")
        return table

    def scores(self, model: str) -> pd.DataFrame:
        """Scores of one checkpoint, one row per face in the order of the timeline: ``frame``, ``track``, ``p_…``,
        ``distance``, ``occlusion``.

        Raises:
            StoreError: there is no such model here, or its table is missing or damaged.
        """
        if model not in self.models:
            raise StoreError(f"This analysis has no scores of {model!r}; it has those of {', '.join(self.models)}.")
        return read_table(self.folder / "scores" / f"{model}.parquet")

    def thumbnail(self, track: int) -> Path | None:
        """Picture of a person's face, or None where there is none."""
        path = self.folder / "crops" / f"track_{int(track)}.jpg"
        return path if path.is_file() else None

    def source(self) -> Path | None:
        """The video or picture itself, where it was kept beside the tables."""
        return next(iter(sorted(self.folder.glob("source.*"))), None)

    def playable(self) -> Path | None:
        """What a browser can show: the copy where one was made, else the source if it plays by itself."""
        copy = browser_copy(self.folder)
        return copy or (self.source() if self.record["source"]["plays_in_browser"] else None)

    def size_bytes(self) -> int:
        """Disk space of the whole folder."""
        return folder_bytes(self.folder)

    def rename(self, name: str) -> Analysis:
        """With another name."""
        with _editing(self.folder):
            return open_analysis(self.folder)._write(name=name)

    def agree(self, day: str, note: str = "") -> Analysis:
        """With the day on which the people in it were told and agreed, and a note; an empty day takes both away.

        Raises:
            InputError: no day of the calendar, or a note that is too long.
        """
        if day and not _is_day(day):
            raise InputError(f"{day!r} is no day; expected year, month and day as 2026-12-01.")
        if len(note) > MAX_NOTE:
            raise InputError(f"A note has at most {MAX_NOTE} characters; this one has {len(note)}.")
        with _editing(self.folder):
            said = {"date": day, "note": printable(note.strip())} if day else None
            return open_analysis(self.folder)._write(agreed=said)

    def do(self, edit: Any) -> Analysis:
        """With one more edit, see ``fer_core.video.edits``.

        Raises:
            InputError: an impossible edit.
        """
        from fer_core.video.edits import checked

        with _editing(self.folder):
            now = open_analysis(self.folder)
            table = now.timeline(["frame", "time_s", "track", "detection"])
            return now._write(**now.edits.add(checked(edit, table, now.state)).to_dict())

    def undo(self) -> Analysis:
        """Without the last edit."""
        with _editing(self.folder):
            now = open_analysis(self.folder)
            return now._write(**now.edits.undo().to_dict())

    def redo(self) -> Analysis:
        """With the edit back that was undone last."""
        with _editing(self.folder):
            now = open_analysis(self.folder)
            return now._write(**now.edits.redo().to_dict())

    def _write(self, **changes: Any) -> Analysis:
        """Write into ``edits.json``, whole or not at all; only in a block of ``_editing``."""
        text = json.dumps(self._changes | changes, indent=1, ensure_ascii=False)
        if len(text) > MAX_EDITS_BYTES:
            raise InputError("The edits of this analysis have grown too large; undo some, or import fewer marks.")
        with replacing(self.folder / "edits.json") as new:
            new.write_text(text, "utf-8")
        return Analysis(self.folder, self.record)


def open_analysis(folder: str | Path) -> Analysis:
    """Open an analysis folder.

    Raises:
        StoreError: the folder or its record is missing, damaged or of another format.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise StoreError(f"There is no analysis {folder.name}. It may have been deleted; choose one from the library.")
    record = read_json(folder / "analysis.json", FORMAT, _RECORD)
    wrong = [name for name, kind in _SHAPE.items() if not isinstance(_part(record, name), kind)]
    people = [] if wrong else record["summary"]["people"]
    wrong += [] if all(isinstance(_part(each, "track"), int) for each in people) else ["summary.people"]
    if wrong:
        raise StoreError(f"{folder.name}/analysis.json lacks {', '.join(wrong)}, or holds it damaged. {_RECORD}")
    return Analysis(folder, record)


def _is_day(text: str) -> bool:
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


@contextmanager
def _editing(folder: Path) -> Iterator[None]:
    """Edits are made one after the other, whichever process makes them.

    Raises:
        StoreError: the analysis is gone.
    """
    try:
        with alone_with(folder / "analysis.json"):
            yield
    except FileNotFoundError as error:
        raise StoreError(
            f"There is no analysis {folder.name} any more. Choose another one from the library."
        ) from error


def _part(record: Any, name: str) -> Any:
    """What stands at a path with dots, or None."""
    for key in name.split("."):
        record = record.get(key) if isinstance(record, dict) else None
    return record


class AnalysisStore:
    """All analyses under one folder, each under its id (12 or more lower-case hex digits)."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def folder(self, analysis_id: str) -> Path:
        """Where an analysis is or will be.

        Raises:
            StoreError: not an id.
        """
        if not _ID.fullmatch(analysis_id):
            raise StoreError("That is not the id of an analysis. Choose one from the library.")
        return self.root / analysis_id

    def open(self, analysis_id: str) -> Analysis:
        """See ``open_analysis``."""
        return open_analysis(self.folder(analysis_id))

    def all(self) -> Iterator[Analysis | tuple[str, StoreError]]:
        """Every analysis, newest first; for a folder that cannot be opened, its id and why."""
        found: list[tuple[str, Analysis | tuple[str, StoreError]]] = []
        for path in self.root.iterdir() if self.root.is_dir() else ():
            if _ID.fullmatch(path.name):
                try:
                    analysis = open_analysis(path)
                    found.append((str(analysis.record["created"]), analysis))
                except StoreError as error:
                    found.append(("", (path.name, error)))
        return iter([each for _, each in sorted(found, key=lambda pair: pair[0], reverse=True)])

    def rename(self, analysis_id: str, name: str) -> Analysis:
        """Give an analysis another name.

        Raises:
            InputError: an empty name, or one longer than ``MAX_NAME`` characters.
        """
        name = " ".join(printable(name).split())
        if not 1 <= len(name) <= MAX_NAME:
            raise InputError(f"A name has 1 to {MAX_NAME} characters; this one has {len(name)}.")
        return self.open(analysis_id).rename(name)

    def delete(self, analysis_id: str) -> None:
        """Remove an analysis with its video, for good, or whatever has its name.

        Raises:
            StoreError: it is gone already, or cannot be removed.
        """
        folder = self.folder(analysis_id)
        if not os.path.lexists(folder):
            raise StoreError("That analysis has been deleted already.")
        gone = folder.with_name(f"{folder.name}{GONE}")
        try:
            if os.path.lexists(gone):
                remove_tree(gone)
            folder.rename(gone)  # what still writes into it finds nothing, and what is broken off is no analysis
            remove_tree(gone)
        except OSError as error:
            raise StoreError(
                f"That analysis cannot be removed: {sentence(error)} See to the rights of {folder}."
            ) from error


def browser_copy(folder: Path) -> Path | None:
    """The H.264 or JPEG copy in an analysis folder, or None where none was made."""
    return next((folder / name for name in (PROXY, PROXY_STILL) if (folder / name).is_file()), None)


def folder_bytes(folder: Path) -> int:
    """Bytes of all files below ``folder``; what vanishes meanwhile does not count."""
    total = 0
    for where, _, names in os.walk(folder):
        for name in names:
            with suppress(OSError):
                total += os.lstat(os.path.join(where, name)).st_size
    return total
