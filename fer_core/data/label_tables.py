"""Pictures that a table names: a file and an emotion in every row; who is shown and where, where it says so.

The table is a ``.csv`` or ``.tsv`` with a line of names, as any spreadsheet writes it. Its columns are known by the
names that people give them (``COLUMNS``), in any order and beside any others; paths start at its folder, or at a folder
in it.
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from types import MappingProxyType

from fer_core.data.folders import SPLIT_FOLDERS, emotion_of_folder, slug
from fer_core.data.layout import Layout, coded
from fer_core.data.pictures import (
    SUFFIXES,
    Box,
    Listed,
    check_relative,
    faces_of_files,
    folders_in,
    look_cut,
    read_file,
)
from fer_core.data.records import DataSet, FaceSet
from fer_core.emotions import EMOTIONS8
from fer_core.errors import DataError

TABLE_SUFFIXES = (".csv", ".tsv")
COLUMNS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "file": (
            "file", "filename", "file_name", "path", "filepath", "file_path", "image", "image_path", "image_file",
            "image_name", "img", "img_path", "img_name", "picture", "photo", "pth",
        ),
        "label": (
            "label", "emotion", "expression", "facial_expression", "emotion_label", "class", "class_name", "label_name",
            "category", "target",
        ),
        "person": (
            "person", "person_id", "subject", "subject_id", "participant", "participant_id", "identity", "actor",
            "actor_id", "individual", "who",
        ),
    }
)  # fmt: skip
"""What a column is called, in small letters with underscores, by what it holds; the first that is there is taken."""
_CORNERS = (("x0", "xmin", "x_min", "left"), ("y0", "ymin", "y_min", "top"), ("x1", "xmax", "x_max", "right"),
            ("y1", "ymax", "y_max", "bottom"))  # fmt: skip
_SIZES = (("x", "face_x", "box_x", "left"), ("y", "face_y", "box_y", "top"), ("width", "w", "face_width", "box_width"),
          ("height", "h", "face_height", "box_height"))  # fmt: skip
_MAX_BYTES = 100_000_000
_HEAD = 50
"""Rows that tell whether a table that happens to lie in a folder is one of pictures and emotions."""
_TRIED = 500
"""Rows whose pictures are looked for to find the folder at which paths start."""
_MOST_WORDS = 12
_NAMES = ", ".join(EMOTIONS8)


@dataclass(frozen=True)
class LabelTable:
    """A table that is one of pictures and emotions.

    Attributes:
        path: the file.
        delimiter: what stands between its fields.
        names: of its columns, as they stand there.
        columns: what it holds (``file``, ``label``, ``person``) → number of the column.
        box: numbers of the columns of a box, empty without one.
        has_corners: the box is told by two corners, not by one and its size.
    """

    path: Path
    delimiter: str
    names: tuple[str, ...]
    columns: Mapping[str, int]
    box: tuple[int, ...] = ()
    has_corners: bool = False

    @classmethod
    def open(cls, path: Path) -> LabelTable:
        """By its line of names.

        Raises:
            DataError: it cannot be read, or has no column of files or labels; the message lists the names.
        """
        first = _text(path).splitlines()[:1] or [""]
        delimiter = "\t" if path.suffix.lower() == ".tsv" else max(",;\t", key=first[0].count)
        names = next(_rows(path, first[0], delimiter), (1, []))[1]
        words = ["_".join(name.strip().lower().replace("-", " ").replace(".", " ").split()) for name in names]
        columns = {
            what: words.index(next(each for each in spelled if each in words))
            for what, spelled in COLUMNS.items()
            if set(spelled) & set(words)
        }
        if missing := [what for what in ("file", "label") if what not in columns]:
            expected = "; ".join(f"{what}: {', '.join(COLUMNS[what])}" for what in missing)
            told = ", ".join(map(repr, names[:20])) or "none"
            raise DataError(
                f"{path.name} has no column of {' and '.join(f'{what}s' for what in missing)} that is known by its "
                f"name. Its columns: {told}. Call one of them as one of these, {expected}."
            )
        corners, sizes = (_all_of(spelled, words) for spelled in (_CORNERS, _SIZES))
        return cls(path, delimiter, tuple(names), columns, corners or sizes, bool(corners))

    @property
    def told(self) -> str:
        """Which columns are read as what."""
        read = [f"{what}: {self.names[i]}" for what, i in self.columns.items()]
        read += [f"box: {', '.join(self.names[i] for i in self.box)}"] if self.box else []
        return ", ".join(read)

    def rows(self) -> Iterator[tuple[int, list[str]]]:
        """Line number and fields of every row that is not empty.

        Raises:
            DataError: not a table, or a row of another length.
        """
        rows = _rows(self.path, _text(self.path), self.delimiter)
        next(rows, None)
        for line, row in rows:
            if len(row) != len(self.names):
                raise DataError(
                    f"{self.path.name}, line {line}: expected {len(self.names)} fields, got {len(row)}; mend that line."
                )
            yield line, row

    def file_of(self, row: Sequence[str], line: int) -> str:
        """The path in a row, with slashes, below the table's folder or a folder in it.

        Raises:
            DataError: it leads out of there.
        """
        path = row[self.columns["file"]].strip().replace("\\", "/")
        root = f"{self.path.parent.resolve().as_posix().rstrip('/')}/"
        return check_relative(path.removeprefix(root), f"{self.path.name}, line {line}")

    def box_of(self, row: Sequence[str], line: int) -> Box | None:
        """The box in a row, None where its fields are empty.

        Raises:
            DataError: other things than numbers, or no area.
        """
        fields = [row[i].strip() for i in self.box]
        if not any(fields):
            return None
        try:
            x, y, across, down = (round(float(field)) for field in fields)
        except (ValueError, OverflowError):
            x = y = across = down = 0
        if self.has_corners:
            across, down = across - x, down - y
        if across <= 0 or down <= 0:
            raise DataError(
                f"{self.path.name}, line {line}: {', '.join(fields)} is no box; expected {self.told.split('box: ')[1]} "
                "in pixels."
            )
        return x, y, across, down


def _all_of(spelled: Sequence[Sequence[str]], words: Sequence[str]) -> tuple[int, ...]:
    """The column of each of four measures, or nothing."""
    found = [next((words.index(each) for each in names if each in words), -1) for names in spelled]
    return tuple(found) if min(found) >= 0 and len(set(found)) == len(found) else ()


def _text(path: Path) -> str:
    data = read_file(path.parent, path.name, limit=_MAX_BYTES)
    return data.decode("utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig", "replace")


def _rows(path: Path, text: str, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        for row in reader:
            if any(field.strip() for field in row):
                yield reader.line_num, row
    except csv.Error as error:
        raise DataError(f"{path.name}, line {reader.line_num}: {error}; save the table again.") from error


# --- the data set


def open_table(path: Path, name: str) -> DataSet:
    """The data set that a table lists, called ``name`` or as the folder is.

    Raises:
        DataError: its columns are not known.
    """
    return _opened(path.parent, name, {_split_of(path) or "all": LabelTable.open(path)})


def find_tables(root: Path, name: str) -> DataSet | None:
    """The data set that a table in ``root`` lists, or several that are called like splits; None without one whose
    first rows hold pictures that are there and emotions.

    Raises:
        DataError: several that are not called like splits.
    """
    there = [table for table in map(_usable, tables_in(root)) if isinstance(table, LabelTable)]
    splits = {split: table for table in there if (split := _split_of(table.path))}
    if splits:
        return _opened(root, name, splits)
    if len(there) > 1:
        names = ", ".join(table.path.name for table in there)
        raise DataError(f"{root.name} has several tables of pictures: {names}. Pass the one that is meant.")
    return _opened(root, name, {"all": there[0]}) if there else None


def why_no_table(root: Path) -> str:
    """Why tables in a folder are not read as pictures and emotions, in whole sentences; empty where none is there."""
    return " ".join(why for why in map(_usable, tables_in(root)) if isinstance(why, str))


def tables_in(root: Path) -> list[Path]:
    """Files in a folder that may be tables, by name."""
    found = (path for path in root.iterdir() if path.suffix.lower() in TABLE_SUFFIXES and path.is_file())
    return sorted(path for path in found if not path.name.startswith("."))


def _usable(path: Path) -> LabelTable | str:
    """The table, or why it is not one of pictures that are there and emotions."""
    try:
        table = LabelTable.open(path)
        head = list(islice(table.rows(), _HEAD))
        if not any(_emotion(row[table.columns["label"]]) for _, row in head):
            _refuse_labels(table, Counter(row[table.columns["label"]].strip() for _, row in head))
        _base(table, [table.file_of(row, line) for line, row in head])
    except DataError as error:
        return str(error)
    return table


def _split_of(path: Path) -> str:
    return SPLIT_FOLDERS.get(path.stem.lower(), "")


def _opened(root: Path, name: str, tables: Mapping[str, LabelTable]) -> DataSet:
    told = f"a table of pictures ({next(iter(tables.values())).told})"
    return TABLES.opened(name or slug(root.name), told, root, tables, partial(_read, tables))


def _read(tables: Mapping[str, LabelTable], called: str, split: str) -> FaceSet:
    table = tables[split]
    listed, left_out = _listed(table)
    base = _base(table, [each.path for each in listed])
    cut = not any(each.box for each in listed) and look_cut(base, [each.path for each in listed])
    return faces_of_files(base, called, split, listed, cut=cut, left_out=left_out)


def _listed(table: LabelTable) -> tuple[list[Listed], dict[str, int]]:
    """Its pictures, and how many rows are left out for which reason."""
    listed: list[Listed] = []
    unknown, n_empty = Counter[str](), 0
    for line, row in table.rows():
        word = row[table.columns["label"]].strip()
        emotion = _emotion(word)
        if emotion:
            person = row[table.columns["person"]].strip() if "person" in table.columns else ""
            box = table.box_of(row, line) if table.box else None
            listed.append(Listed(table.file_of(row, line), EMOTIONS8.index(emotion), person, box))
        elif word:
            unknown[word] += 1
        else:
            n_empty += 1
    if not listed:
        _refuse_labels(table, unknown)
    reasons = {
        f"label {word[:40]!r} is no emotion; write {_NAMES} where it is one": n
        for word, n in unknown.most_common(_MOST_WORDS)
    }
    if others := unknown.total() - sum(reasons.values()):
        reasons["other labels are no emotions"] = others
    return listed, reasons | ({"without a label": n_empty} if n_empty else {})


def _emotion(word: str) -> str:
    """Our label for a word, empty where it is none."""
    try:
        return emotion_of_folder(word)
    except DataError:
        return ""


def _refuse_labels(table: LabelTable, words: Counter[str]) -> None:
    """Raise ``DataError``: no row has an emotion."""
    name, column = table.path.name, table.names[table.columns["label"]]
    if not words.total():
        raise DataError(f"{name} has no row with a label in its column {column!r}; expected one of {_NAMES}.")
    told = ", ".join(f"{word[:40]!r} ({n})" for word, n in words.most_common(_MOST_WORDS))
    codes = " Numbers stand for other emotions in each data set." if all(word.isdigit() for word in words) else ""
    raise DataError(f"{name} has no emotion in its column {column!r}: {told}.{codes} Write names there: {_NAMES}.")


def _base(table: LabelTable, paths: Sequence[str]) -> Path:
    """The folder at which the paths start: the table's, or one in it.

    Raises:
        DataError: none of the pictures is there.
    """
    root = table.path.parent
    some = paths[:: max(len(paths) // _TRIED, 1)]
    for base in (root, *folders_in(root)):
        if any((base / path).is_file() for path in some):
            return base
    first = f"; the first is {paths[0][:80]!r}" if paths else ""
    raise DataError(
        f"None of the {len(paths)} pictures that {table.path.name} lists is there{first}. Paths start at the folder of "
        f"the table and end as the files do ({', '.join(SUFFIXES)}); put it beside the pictures."
    )


TABLES = Layout(
    key="table",
    title="",
    codes=coded(EMOTIONS8, EMOTIONS8),
    names=EMOTIONS8,
    find=(find_tables,),
    holds={
        "a table of pictures": "a `.csv` or `.tsv` with a column `file` and a column `label` (an emotion in words); "
        "`person` and a box (`x`, `y`, `width`, `height`) if they are known",
    },
)
"""Every data set that is told by a table of somebody's own."""
