"""Events and spans that a reviewer sets on a video, and their way to and from CSV."""

from __future__ import annotations

import codecs
import csv
import io
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from types import MappingProxyType, NoneType
from typing import Any

from fer_core.errors import InputError

MAX_LABEL = 120
MAX_NOTE = 2000
MAX_ROWS = 10_000
MAX_BYTES = 5_000_000
CSV_COLUMNS = ("start_s", "end_s", "label", "note", "person")
_MAX_ID = 64
_TOO_LATE_S = 1e9
_MAX_TRACK = 1_000_000
_TYPES: Mapping[str, tuple[type, ...]] = MappingProxyType(
    {
        "id": (str,),
        "label": (str,),
        "note": (str,),
        "start_s": (int, float),
        "end_s": (int, float, NoneType),
        "track": (int, NoneType),
    }
)
_SPELLINGS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "start": ("start_s", "start", "time_s", "time", "onset"),
        "end": ("end_s", "end", "offset"),
        "duration": ("duration_s", "duration"),
        "label": ("label", "event", "name", "trial_type", "code"),
        "note": ("note", "comment"),
        "person": ("person",),
    }
)
"""Column names that are understood; of several with one meaning the first listed here counts."""
_NOTHING = ("", "n/a", "na", "nan")
_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?")
_CLOCK = re.compile(r"(?:([0-9]{1,6}):(?=[0-5]?[0-9]:))?([0-9]{1,6}):([0-5]?[0-9](?:\.[0-9]*)?)")
_PERSON = re.compile(r"([1-9][0-9]{0,5})(?:\.0*)?")
_FORMULA = re.compile(r"'*[=+\-@\t\r]")


@dataclass(frozen=True)
class Mark:
    """A moment or a span of a video that somebody named.

    Attributes:
        id: 1-64 printable characters, unique among the marks of an analysis (which is up to who gives it).
        label: 1-120 characters; white space is collapsed and control characters are removed.
        note: up to 2000 characters, may have several lines.
        start_s: seconds since the start of the video, 0 or later.
        end_s: where the span ends (it does not contain that time), after ``start_s``; None for a moment.
        track: whom it is about, 0 or higher; None for all people.

    Raises:
        InputError: a value is outside these limits.
    """

    id: str
    label: str
    note: str = ""
    start_s: float = 0.0
    end_s: float | None = None
    track: int | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "label", " ".join(printable(self.label).split()))
        object.__setattr__(self, "note", printable(self.note.replace("\r\n", "\n").replace("\r", "\n")).strip())
        _check_texts(self)
        _check_times(self)
        object.__setattr__(self, "start_s", float(self.start_s))
        object.__setattr__(self, "end_s", None if self.end_s is None else float(self.end_s))
        object.__setattr__(self, "track", None if self.track is None else int(self.track))

    def to_dict(self) -> dict[str, Any]:
        """The fields by name, for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, record: object) -> Mark:
        """The mark that ``to_dict`` made this of; ``note``, ``end_s`` and ``track`` may be left out.

        Raises:
            InputError: something else, or a field that is missing, unknown, of another type or outside its limits.
        """
        if not isinstance(record, Mapping):
            raise InputError(f"A mark is {_shown(record)}; expected an object with {', '.join(_TYPES)}.")
        for name in ("id", "label", "start_s"):
            if name not in record:
                raise InputError(f"A mark lacks {name!r}; expected an object with {', '.join(_TYPES)}.")
        for name, value in record.items():
            _check_type(name, value)
        return cls(**record)


def _check_type(name: object, value: object) -> None:
    types = _TYPES.get(name) if isinstance(name, str) else None
    if types is None:
        raise InputError(f"A mark has an unknown field {_shown(name)}; expected only {', '.join(_TYPES)}.")
    if isinstance(value, bool) or not isinstance(value, types):
        expected = " or ".join("null" if each is NoneType else each.__name__ for each in types)
        raise InputError(f"The {name} of a mark is {_shown(value)}; expected {expected}.")


def _check_texts(mark: Mark) -> None:
    if not (1 <= len(mark.id) <= _MAX_ID and mark.id.isprintable()):
        raise InputError(f"The id of a mark is {_shown(mark.id)}; expected 1 to {_MAX_ID} printable characters.")
    if not mark.label:
        raise InputError(f"The label of a mark is empty; expected 1 to {MAX_LABEL} characters. Give it a name.")
    if len(mark.label) > MAX_LABEL:
        raise InputError(
            f"The label {_shown(mark.label)} has {len(mark.label)} characters; expected at most {MAX_LABEL}. "
            "Shorten it, and put the rest into the note."
        )
    if len(mark.note) > MAX_NOTE:
        raise InputError(
            f"The note of {_shown(mark.label)} has {len(mark.note)} characters; expected at most {MAX_NOTE}. "
            "Shorten it."
        )


def _check_times(mark: Mark) -> None:
    who = _shown(mark.label)
    if not 0 <= mark.start_s < _TOO_LATE_S:
        raise InputError(
            f"{who} starts at {_shown(mark.start_s)} s; expected 0 s or later, and a finite time. Set another start."
        )
    if mark.end_s is not None and not mark.start_s < mark.end_s < _TOO_LATE_S:
        raise InputError(
            f"{who} ends at {_shown(mark.end_s)} s; expected a finite time after its start at {mark.start_s:g} s. "
            "Set a later end, or none for a moment."
        )
    if mark.track is not None and not 0 <= mark.track < _MAX_TRACK:
        raise InputError(f"{who} is about track {_shown(mark.track)}; expected 0 or higher, or none for all people.")


def printable(text: str) -> str:
    """Without what no file or page can show: control characters (other than white space) and half characters."""
    return "".join(letter for letter in text if letter.isspace() or unicodedata.category(letter) not in ("Cc", "Cs"))


def _shown(value: object) -> str:
    """A value for a message: never longer than a line."""
    text = repr(value[:60] if isinstance(value, str) else value)
    return text if len(text) <= 80 else f"{text[:80]}…"


def marks_to_csv(marks: Iterable[Mark]) -> bytes:
    """Comma-separated UTF-8, one row per mark: ``start_s, end_s, label, note, person``.

    Times have six decimals; ``end_s`` is empty for a moment, ``person`` (from 1) for all people. A text that a
    spreadsheet could take for a formula gets a leading apostrophe, which ``marks_from_csv`` takes off again.
    """
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(CSV_COLUMNS)
    for mark in marks:
        end = "" if mark.end_s is None else f"{mark.end_s:.6f}"
        person = "" if mark.track is None else mark.track + 1
        writer.writerow([f"{mark.start_s:.6f}", end, guarded(mark.label), guarded(mark.note), person])
    return text.getvalue().encode()


def guarded(text: str) -> str:
    """``text`` so that no spreadsheet takes it for a formula. Apostrophes that are there already count too, so that
    taking one off always gives the text back."""
    return f"'{text}" if _FORMULA.match(text) else text


def _unguarded(text: str) -> str:
    return text[1:] if text.startswith("'") and _FORMULA.match(text) else text


def marks_from_csv(data: bytes, new_id: Callable[[], str]) -> list[Mark]:
    """Marks of a table from here or from another program, in its order; ``new_id`` is asked once per row.

    Separated by commas, semicolons or tabs, with a header in any order and case. The start is ``start_s``, ``start``,
    ``time_s``, ``time`` or ``onset``; the end ``end_s``, ``end`` or ``offset``, or follows from ``duration_s`` or
    ``duration``; the label is ``label``, ``event``, ``name``, ``trial_type`` or ``code``; ``note`` or ``comment`` and
    ``person`` (from 1) may be there. Other columns are ignored. Times are seconds, ``mm:ss.mmm`` or ``h:mm:ss``, with
    a decimal comma too where semicolons separate. No end, an end equal to the start or a duration of 0 is a moment.

    Raises:
        InputError: too large, not UTF-8 (or UTF-16 with its mark), no such columns, or a row that is no mark; the
            message names the row as a spreadsheet counts it.
    """
    text = _text(data)
    separator = _separator(text)
    rows = _rows(text, separator)
    _, header = next(rows, (0, []))
    columns = _columns_of(header)
    marks: list[Mark] = []
    for number, cells in rows:
        if len(marks) == MAX_ROWS:
            raise InputError(f"The file has more than {MAX_ROWS:,} marks. Split it, and import the part you need.")
        try:
            marks.append(_mark(_named(cells, header, columns), separator == ";", new_id()))
        except InputError as error:
            raise InputError(f"Row {number}: {error}") from None
    return marks


def _text(data: bytes) -> str:
    if len(data) > MAX_BYTES:
        raise InputError(f"The file has {len(data):,} bytes; expected at most {MAX_BYTES:,}. Import a part of it.")
    try:
        return data.decode("utf-16" if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else "utf-8-sig")
    except UnicodeDecodeError:
        raise InputError("The file is no UTF-8 text; expected a CSV file. Save it as “CSV UTF-8”.") from None


def _separator(text: str) -> str:
    """What separates the cells of the first line that is not empty."""
    first = next((line for line in text.splitlines() if line.strip()), "")
    if not first:
        raise InputError(f"The file is empty; expected a CSV file with the columns {', '.join(CSV_COLUMNS)}.")
    return max(",;\t", key=first.count)


def _rows(text: str, separator: str) -> Iterator[tuple[int, list[str]]]:
    """Every row that is not empty, with its number from 1."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, skipinitialspace=True, strict=True)
    number = 0
    try:
        for number, cells in enumerate(reader, 1):
            if any(cell.strip() for cell in cells):
                yield number, cells
    except csv.Error as error:
        raise InputError(
            f"Row {number + 1} cannot be read ({error}); expected cells whose quotes are closed and doubled inside."
        ) from None


def _columns_of(header: Sequence[str]) -> dict[str, int]:
    """Meaning → position."""
    names = ["_".join(cell.lower().split()) for cell in header]
    known = {meaning: [names.index(name) for name in spelt if name in names] for meaning, spelt in _SPELLINGS.items()}
    columns = {meaning: positions[0] for meaning, positions in known.items() if positions}
    for meaning in ("start", "label"):
        if meaning not in columns:
            raise InputError(
                f"No column for the {meaning}: the first row has {_shown(', '.join(names))}; expected one of "
                f"{', '.join(_SPELLINGS[meaning])}. Name the column so."
            )
    if "track" in names and "person" not in columns:
        raise InputError(
            "People are in a column 'track'; expected 'person', which counts from 1 as the pages do. Rename the column "
            "and add 1 to its numbers, or remove it."
        )
    return columns


def _named(cells: Sequence[str], header: Sequence[str], columns: Mapping[str, int]) -> dict[str, str]:
    """Meaning → text of the cell, empty where the row is too short."""
    if any(cell.strip() for cell in cells[len(header) :]):
        raise InputError(
            f"{len(cells)} cells; expected {len(header)} as in the first row. Put a text that contains the separator "
            "into quotes, and write decimals with a point."
        )
    return {meaning: cells[at].strip() if at < len(cells) else "" for meaning, at in columns.items()}


def _mark(cells: Mapping[str, str], decimal_comma: bool, mark_id: str) -> Mark:
    start_s, end_s, duration_s = (_seconds(cells.get(name, ""), decimal_comma) for name in ("start", "end", "duration"))
    if start_s is None:
        raise InputError("the start is empty; expected a time such as 12.5 or 0:12.5.")
    if end_s is None and duration_s is not None:
        end_s = start_s + duration_s
    return Mark(
        id=mark_id,
        label=_unguarded(cells["label"]),
        note=_unguarded(cells.get("note", "")),
        start_s=start_s,
        end_s=None if end_s == start_s else end_s,
        track=_track(cells.get("person", "")),
    )


def _seconds(text: str, decimal_comma: bool) -> float | None:
    """Seconds of ``12.5``, ``0:12.5`` or ``1:00:12``; None where nothing is written."""
    if text.lower() in _NOTHING:
        return None
    plain = text.replace(",", ".") if decimal_comma else text
    if _NUMBER.fullmatch(plain):
        return float(plain)
    if clock := _CLOCK.fullmatch(plain):
        hours, minutes, seconds = clock.groups("0")
        return int(hours) * 3600 + int(minutes) * 60 + float(seconds)
    raise InputError(f"{_shown(text)} is no time; expected seconds such as 12.5, or mm:ss.mmm, or h:mm:ss.")


def _track(text: str) -> int | None:
    if text.lower() in _NOTHING:
        return None
    if person := _PERSON.fullmatch(text):
        return int(person[1]) - 1
    raise InputError(f"{_shown(text)} is no person; expected a number from 1, or nothing for all people.")
