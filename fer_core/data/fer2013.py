"""FER2013 with its FER+ votes, in the three layouts in which people have it.

* ``<split>.parquet``: columns ``row``, ``emotion``, ``image`` (encoded picture) and ``votes_*``;
* ``fer2013.csv`` of the Kaggle challenge (``emotion``, ``pixels``, ``Usage``), also as ``icml_face_data.csv``, as
  ``train.csv`` without ``Usage`` (all of it is ``training``), or under a name of its own that is given (without
  ``Usage`` all of it is ``all``); with FER+'s ``fer2013new.csv`` beside it if there are votes;
* Kaggle's folders ``train/angry/*.jpg`` and ``test/angry/*.jpg`` (here ``test`` is public and private test together).
"""

from __future__ import annotations

import csv
import dataclasses
import mmap
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fer_core.data.ferplus import FERPLUS_ORDER
from fer_core.data.folders import find_folders
from fer_core.data.layout import FolderSigns, Layout, PerEmotion, coded
from fer_core.data.pictures import as_png, as_shown, decode, no_votes, square
from fer_core.data.records import VOTES, DataSet, FaceSet, LabelledFaces, Picture
from fer_core.emotions import EMOTIONS, emotion_of_name
from fer_core.errors import DataError

FER2013_PX = 48
SPLITS: tuple[str, ...] = ("training", "public_test", "private_test")
ALL = "all"
_USAGE = {b"Training": "training", b"PublicTest": "public_test", b"PrivateTest": "private_test"}
_CSV, _VOTES_CSV, _TRAIN_CSV = "fer2013.csv", "fer2013new.csv", "train.csv"
_CSVS = (_CSV, "icml_face_data.csv", _TRAIN_CSV)


def load_fer2013(root: str | Path, split: str) -> LabelledFaces:
    """Read one split of FER2013 into memory from ``root`` (a folder in one of the layouts above, or the csv itself).

    Raises:
        DataError: nothing readable there, or the split is unknown; the message says what was looked for.
    """
    folder = Path(root).parent if Path(root).suffix == ".csv" else Path(root)
    given = open_csv(Path(root), "") if Path(root).suffix == ".csv" else None
    for find in (find_parquet, find_csv, _find_fer2013_folders):
        found = given or find(folder, "")
        if found is not None and split in found.splits:
            return _in_memory(found.read(split))
    raise DataError(
        f"No split {split!r} of FER2013 in {root}. Expected {split}.parquet, fer2013.csv, or the folders train/ and "
        f"test/ with one folder per emotion. Splits are {', '.join(SPLITS)} (folders: training, test)."
    )


def _find_fer2013_folders(root: Path, name: str) -> DataSet | None:
    """Folders in words are taken for FER2013 whatever their pictures look like, as the caller says that they are."""
    said = dataclasses.replace(FER2013, in_folders=_in_words)
    return find_folders(root, name, (said,)) if root.is_dir() else None


def _in_memory(faces: FaceSet) -> LabelledFaces:
    pictures = [square(faces.picture(i), FER2013_PX) for i in range(len(faces))]
    images = np.stack(pictures) if pictures else np.zeros((0, FER2013_PX, FER2013_PX), np.uint8)
    return LabelledFaces(faces.ids, images, faces.labels, faces.votes)


def find_parquet(root: Path, name: str) -> DataSet | None:
    """The splits of FER2013 as parquet tables in ``root``, or None if there are none."""
    splits = tuple(split for split in SPLITS if (root / f"{split}.parquet").is_file())

    def read(called: str, split: str) -> FaceSet:
        return _read_parquet(root / f"{split}.parquet", called, split)

    return FER2013.opened(name, "parquet tables", root, splits, read) if splits else None


def _read_parquet(path: Path, name: str, split: str) -> FaceSet:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(path)
        columns = file.schema_arrow.names
        if missing := {"row", "emotion", "image"} - set(columns):
            raise DataError(f"{path.name} lacks the columns {', '.join(sorted(missing))}.")
        votes = _vote_columns(columns)
        table = file.read(columns=["row", "emotion", *votes])
        rows, labels, *counts = (np.array(column.to_pylist(), np.int64) for column in table.columns)
    except (OSError, ValueError, TypeError, OverflowError, pa.ArrowException) as error:
        raise DataError(f"{path.name} cannot be read as a parquet table ({error}); copy it again.") from error
    _check_labels(labels, path.name)
    return FaceSet(
        name=name,
        split=split,
        ids=np.array([str(row) for row in rows.tolist()], dtype=str),
        labels=labels,
        votes=np.stack(counts, axis=1) if counts else no_votes(len(rows)),
        subjects=np.full(len(rows), ""),
        cut=True,
        source=_ParquetPictures(path.name, rows, file),
    )


def _vote_columns(columns: Sequence[str]) -> list[str]:
    """Names of the columns with votes (such as ``votes_happiness``) in our order; none unless all are there."""
    found: dict[str, str] = {}
    for column in columns:
        if column.startswith("votes_"):
            name = column.removeprefix("votes_")
            found[name if name in VOTES else emotion_of_name(name)] = column
    return [found[name] for name in VOTES] if set(found) == set(VOTES) else []


def _check_labels(labels: NDArray[np.int64], where: str) -> None:
    wrong = np.flatnonzero((labels < 0) | (labels >= len(EMOTIONS)))
    if len(wrong):
        raise DataError(
            f"{where}: expected emotions 0 to {len(EMOTIONS) - 1}, got {labels[wrong[0]]} ({len(wrong)} such rows)."
        )


@dataclass(frozen=True)
class _ParquetPictures:
    """Encoded pictures of a parquet file; row groups are read when a picture of theirs is asked for, and kept."""

    name: str
    rows: NDArray[np.int64]
    file: Any
    _groups: dict[int, Any] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    def picture(self, i: int) -> Picture:
        return decode(self._bytes(i), self._called(i), grey=True)

    def encoded(self, i: int) -> tuple[bytes, str]:
        return as_shown(self._bytes(i), self._called(i))

    def _called(self, i: int) -> str:
        return f"Row {self.rows[i]} of {self.name}"

    def _bytes(self, i: int) -> bytes:
        group = 0
        while i >= (n := self.file.metadata.row_group(group).num_rows):
            group, i = group + 1, i - n
        with self._lock:
            if group not in self._groups:
                self._groups[group] = self._read(group)
        data = self._groups[group][i].as_py()
        return data if isinstance(data, bytes) else b""

    def _read(self, group: int) -> Any:
        try:
            return self.file.read_row_group(group, columns=["image"])["image"]
        except (OSError, ValueError) as error:
            raise DataError(f"{self.name} is damaged ({error}); copy it again.") from error


def find_csv(root: Path, name: str) -> DataSet | None:
    """FER2013 as one of the csvs of the Kaggle challenge in ``root``, or None if there is none.

    Raises:
        DataError: as ``open_csv``.
    """
    paths = (root / file for file in _CSVS)
    return next((found for path in paths if (found := open_csv(path, name)) is not None), None)


def open_csv(path: Path, name: str) -> DataSet | None:
    """A table as Kaggle's of FER2013 in a file; None where it is not there, or under another name than Kaggle's has
    neither pixels nor emotions.

    Only where the rows begin and end is found out; pixels are read when a picture is asked for.

    Raises:
        DataError: the file is no such table; the message names the row.
    """
    if not path.is_file() or (path.name != _CSV and not _has_pixels(path)):
        return None
    table = _index_csv(path)
    splits = tuple(split for split in (*SPLITS, ALL) if (table.split == split).any())

    def read(called: str, split: str) -> FaceSet:
        chosen = np.flatnonzero(table.split == split)
        _check_labels(table.emotion[chosen], path.name)
        return FaceSet(
            name=called,
            split=split,
            ids=chosen.astype(str),
            labels=table.emotion[chosen],
            votes=_ferplus_csv(path, len(table.split))[chosen] if table.has_usage else no_votes(len(chosen)),
            subjects=np.full(len(chosen), ""),
            cut=True,
            source=_CsvPictures(path.name, table.content, chosen, table.pixels[chosen]),
        )

    return FER2013.opened(name, "Kaggle's csv", path.parent, splits, read) if splits else None


def _has_pixels(path: Path) -> bool:
    with path.open("rb") as file:
        names = _header(file.readline(100_000))[0]
    return {"emotion", "pixels"} <= set(names)


def _header(line: bytes) -> tuple[list[str], bytes]:
    """Names of the columns, and what stands between them."""
    between = b";" if b";" in line and b"," not in line else b","
    names = [field.strip(b'" \r\n\xef\xbb\xbf').decode("latin-1") for field in line.split(between)]
    return [{"usage": "Usage"}.get(each.lower(), each) for each in names], between


@dataclass(frozen=True)
class _CsvTable:
    """Where the rows of a csv are.

    ``content`` is the whole file, mapped; ``emotion`` int64 (n,); ``split`` str (n,), "" where ``Usage`` names none;
    ``pixels`` int64 (n, 2), first byte and end of the pixels in ``content``; ``has_usage``: whether it tells splits.
    """

    content: mmap.mmap
    emotion: NDArray[np.int64]
    split: NDArray[np.str_]
    pixels: NDArray[np.int64]
    has_usage: bool


def _index_csv(path: Path) -> _CsvTable:
    with path.open("rb") as file:
        try:
            content = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except ValueError as error:  # nothing to map
            raise DataError(f"{path.name} is empty; copy it again.") from error
    names, between = _header(content.readline())
    has_usage = "Usage" in names or path.name == _CSV
    if missing := {"emotion", "pixels", *(["Usage"] if has_usage else [])} - set(names):
        told = ", ".join(names)[:200]
        raise DataError(f"{path.name} lacks the columns {', '.join(sorted(missing))}; it has {told}.")
    only = "training" if path.name == _TRAIN_CSV else ALL
    emotion: list[int] = []
    usage: list[str] = []
    pixels: list[tuple[int, int]] = []
    start = content.tell()
    for line in iter(content.readline, b""):
        fields = line.rstrip().split(between)
        if len(fields) == len(names):
            at = names.index("pixels")
            first = start + sum(len(field) + 1 for field in fields[:at])
            pixels.append((first, first + len(fields[at])))
            usage.append(_USAGE.get(fields[names.index("Usage")].strip(b'" '), "") if has_usage else only)
            emotion.append(_number(fields[names.index("emotion")], len(emotion), path.name))
        elif line.strip():
            raise DataError(
                f"{path.name}: row {len(emotion)} has {len(fields)} fields, expected {len(names)}; copy it again."
            )
        start += len(line)
    spans = np.array(pixels, np.int64).reshape(-1, 2)
    return _CsvTable(content, np.array(emotion, np.int64), np.array(usage, dtype=str), spans, has_usage)


def _number(field: bytes, row: int, file: str) -> int:
    word = field.strip(b'" ')
    if len(word) != 1 or not word.isdigit():
        raise DataError(f"{file}: the emotion of row {row} is {word[:20]!r}; expected a code from 0 to 6.")
    return int(word)


@dataclass(frozen=True)
class _CsvPictures:
    file: str
    content: mmap.mmap
    rows: NDArray[np.int64]
    spans: NDArray[np.int64]

    def picture(self, i: int) -> Picture:
        first, end = self.spans[i].tolist()
        try:
            values = np.array(self.content[first:end].strip(b'" ').split(), np.uint8)
        except (ValueError, OverflowError) as error:
            raise DataError(f"{self.file}: row {self.rows[i]} holds other things than pixels from 0 to 255.") from error
        if values.size != FER2013_PX**2:
            raise DataError(f"{self.file}: row {self.rows[i]} does not hold {FER2013_PX}×{FER2013_PX} pixels.")
        return values.reshape(FER2013_PX, FER2013_PX)

    def encoded(self, i: int) -> tuple[bytes, str]:
        return as_png(self.picture(i))


def _ferplus_csv(table: Path, n: int) -> NDArray[np.int64]:
    """Votes (n, 10) in our order from FER+'s csv beside a ``table`` of n pictures, or (n, 0) if it is not there.

    Raises:
        DataError: not row for row with the table, or no numbers.
    """
    path = table.with_name(_VOTES_CSV)
    if not path.is_file():
        return no_votes(n)
    try:
        with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
            rows = [row for row in csv.reader(file) if row][1:]
    except csv.Error as error:
        raise DataError(f"{path.name} cannot be read as a table ({error}); copy it again.") from error
    if len(rows) != n or any(len(row) != 12 for row in rows):
        raise DataError(f"{path.name} has {len(rows)} rows; expected {n} of 12 fields, row for row with {table.name}.")
    try:
        votes = np.array([row[2:] for row in rows], dtype=str).astype(np.int64).reshape(n, 10)
    except ValueError as error:
        raise DataError(f"{path.name} holds votes that are no numbers; copy it again.") from error
    return votes[:, [FERPLUS_ORDER.index(name) for name in VOTES]]


def _in_folders(signs: FolderSigns) -> PerEmotion | None:
    """By its pictures of 48×48 that are grey, in folders called in words, as Kaggle has it, or by code."""
    if signs.header is None or signs.header[1:] != (FER2013_PX, FER2013_PX, True):
        return None
    if found := FER2013.by_codes(signs.codes):
        return dataclasses.replace(found, grey=True)
    return _in_words(signs) if set(signs.emotions.values()) <= set(EMOTIONS) else None


def _in_words(signs: FolderSigns) -> PerEmotion | None:
    return PerEmotion(signs.emotions, grey=True) if signs.emotions else None


FER2013 = Layout(
    key="fer2013",
    title="FER2013",
    codes=coded(range(len(EMOTIONS)), EMOTIONS),  # column "emotion" of Kaggle's csv
    names=("Angry", "Disgust", "Fear", "Happy", "Sad", "Surprise", "Neutral"),
    find=(find_parquet, find_csv),
    in_folders=_in_folders,
    note="parquet tables, csv, folders",
    holds={
        "FER2013, Kaggle csv": "`fer2013.csv`, `icml_face_data.csv`, `train.csv`, or a csv of these columns itself; "
        f"FER+ votes where `{_VOTES_CSV}` lies beside it",
        "FER2013, Kaggle folders": "`train/angry/*.jpg` …, `test/angry/*.jpg` …",
        "FER2013 with votes": "`training.parquet`, `public_test.parquet`, `private_test.parquet`",
    },
)
