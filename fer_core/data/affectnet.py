"""AffectNet as its authors give it out (Mollahosseini et al. 2017): lists of photos with face boxes, or cut faces with
one array per label; or one folder per code.

* ``training.csv`` and ``validation.csv`` (the second without a line of names) in the folder or in
  ``Manually_Annotated_file_lists/``, beside ``Manually_Annotated_Images/``;
* ``train_set/images/*.jpg`` with ``train_set/annotations/*_exp.npy``, and ``val_set/`` alike.

Pictures labelled none, uncertain or no face are left out and counted.
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from fer_core.data.folders import split_folders
from fer_core.data.layout import FolderSigns, Layout, PerEmotion, coded
from fer_core.data.pictures import Box, Listed, check_relative, faces_of_files, first_picture, picture_names, read_file
from fer_core.data.records import DataSet, FaceSet
from fer_core.errors import DataError

COLUMNS = (
    "subDirectory_filePath", "face_x", "face_y", "face_width", "face_height",
    "facial_landmarks", "expression", "valence", "arousal",
)  # fmt: skip
_TABLES = {"training": "training.csv", "val": "validation.csv"}
_IMAGES = ("Manually_Annotated_Images", "Manually_Annotated/Manually_Annotated_Images")
_LISTS = ("", "Manually_Annotated_file_lists", "Manually_Annotated")
_NPY_BYTES = 10_000


def find_lists(root: Path, name: str) -> DataSet | None:
    """AffectNet's lists of photos in ``root``, or None if there are none.

    Raises:
        DataError: lists without their pictures.
    """
    tables = {
        split: root / folder / file
        for split, file in _TABLES.items()
        for folder in _LISTS
        if (root / folder / file).is_file() and _is_list(root / folder / file)
    }
    if not tables:
        return None
    images = next((folder for folder in _IMAGES if (root / folder).is_dir()), None)
    if images is None:
        raise DataError(f"{root.name} has AffectNet's lists but no folder {_IMAGES[0]} with the pictures.")

    def read(called: str, split: str) -> FaceSet:
        listed, left_out = _listed(tables[split], images)
        return faces_of_files(root, called, split, listed, cut=True, left_out=left_out)

    return AFFECTNET.opened(name, "lists of photos with face boxes", root, tables, read)


def _is_list(path: Path) -> bool:
    """By its line of names, or, where there is none, by what the first line holds."""
    with path.open(encoding="utf-8", errors="replace") as file:
        fields = file.readline(100_000).split(",")
    return fields[0].strip('\ufeff" ') == COLUMNS[0] or (len(fields) == len(COLUMNS) and "/" in fields[0])


def _rows(path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """Line number and values by column of every row.

    Raises:
        DataError: not a table, a column is missing, or a row of another length.
    """
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
        reader = csv.reader(file)
        names: tuple[str, ...] = COLUMNS
        try:
            for row in reader:
                if reader.line_num == 1 and row[:1] == [COLUMNS[0]]:
                    names = tuple(row)
                elif row and len(row) != len(names):
                    raise DataError(
                        f"{path.name}, line {reader.line_num}: expected {len(names)} fields, got {len(row)}."
                    )
                elif row:
                    yield reader.line_num, dict(zip(names, row, strict=True))
        except csv.Error as error:
            raise DataError(f"{path.name}, line {reader.line_num}: {error}; copy the file again.") from error


def _listed(path: Path, images: str) -> tuple[list[Listed], Mapping[str, int]]:
    listed, left_out = [], Counter[str]()
    for line, row in _rows(path):
        where = f"{path.name}, line {line}"
        missing = set(COLUMNS[:5] + COLUMNS[6:7]) - set(row)
        if missing:
            raise DataError(f"{path.name} lacks the columns {', '.join(sorted(missing))}.")
        code = row["expression"].strip()
        box = _box(row)
        if code in AFFECTNET.reasons:
            left_out[AFFECTNET.reasons[code]] += 1
        elif box is None:
            left_out["without a face box"] += 1
        else:
            picture = check_relative(row[COLUMNS[0]].strip(), where)
            listed.append(Listed(f"{images}/{picture}", _label(code, where), box=box))
    return listed, left_out


def _label(code: str, where: str) -> int:
    try:
        return AFFECTNET.label_of(code)
    except DataError as error:
        raise DataError(f"{where}: {error}") from error


def _box(row: Mapping[str, str]) -> Box | None:
    try:
        x, y, width, height = (int(float(row[column])) for column in COLUMNS[1:5])
    except (ValueError, OverflowError):  # NULL
        return None
    return (x, y, width, height) if width > 0 and height > 0 else None


def find_arrays(root: Path, name: str) -> DataSet | None:
    """AffectNet's cut faces with a label array each in ``root``, or None if there are none."""
    splits = {
        split: folder
        for split, folder in split_folders(root).items()
        if (folder / "annotations").is_dir() and (folder / "images").is_dir() and first_picture(folder / "images")
    }
    if not splits:
        return None

    def read(called: str, split: str) -> FaceSet:
        folder, left_out, listed = splits[split].name, Counter[str](), []
        for picture in sorted(picture_names(root / folder / "images")):
            array = f"{folder}/annotations/{Path(picture).stem}_exp.npy"
            code = _code(root, array)
            if code in AFFECTNET.reasons:
                left_out[AFFECTNET.reasons[code]] += 1
            else:
                listed.append(Listed(f"{folder}/images/{picture}", _label(code, array)))
        return faces_of_files(root, called, split, listed, cut=True, left_out=left_out)

    return AFFECTNET.opened(name, "cut faces with label arrays", root, splits, read)


def _code(root: Path, path: str) -> str:
    """The one value of a label array; AffectNet stores it as text."""
    data = read_file(root, path, limit=_NPY_BYTES)
    try:
        value = np.load(io.BytesIO(data), allow_pickle=False)
        return str(value.item()).strip()
    except Exception as error:  # numpy's reader raises whatever damaged bytes lead it to
        raise DataError(f"{path} does not hold one label; copy it again.") from error


def _in_folders(signs: FolderSigns) -> PerEmotion | None:
    return AFFECTNET.by_codes(signs.codes or signs.classes)


AFFECTNET = Layout(
    key="affectnet",
    title="AffectNet",
    codes=coded(range(8), ("neutral", "happy", "sad", "surprise", "fear", "disgust", "angry", "contempt")),
    names=("Neutral", "Happy", "Sad", "Surprise", "Fear", "Disgust", "Anger", "Contempt"),
    no_emotion={"8": ("None", "none"), "9": ("Uncertain", "uncertain"), "10": ("No face", "no face")},
    find=(find_lists, find_arrays),
    in_folders=_in_folders,
    holds={"AffectNet": "the annotation csv with its pictures, or one folder per class"},
)
