"""Which data set lies in a folder, and how: told by what the folder holds.

data = open_dataset("/data/RAF-DB")
faces = data.read("test")           # labels and names; nothing is decoded
faces.picture(0)                    # one picture
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType

from fer_core.data.affectnet import AFFECTNET
from fer_core.data.ckplus import CKPLUS
from fer_core.data.fer2013 import FER2013, open_csv
from fer_core.data.ferplus import FERPLUS
from fer_core.data.folders import ANY_FOLDERS, find_folders
from fer_core.data.kdef import KDEF
from fer_core.data.label_tables import TABLE_SUFFIXES, TABLES, open_table, why_no_table
from fer_core.data.layout import PER_EMOTION, Layout
from fer_core.data.pictures import folders_in
from fer_core.data.rafdb import RAFDB
from fer_core.data.records import DataSet, readable
from fer_core.data.yolo import YOLO
from fer_core.errors import DataError


def registered(layouts: Iterable[Layout]) -> Mapping[str, Layout]:
    """Layouts by key, in their order; two of one key are a bug."""
    found: dict[str, Layout] = {}
    for layout in layouts:
        if layout.key in found:
            raise ValueError(f"Data set {layout.key!r} is registered twice.")
        found[layout.key] = layout
    return MappingProxyType(found)


LAYOUTS = registered((CKPLUS, FER2013, RAFDB, AFFECTNET, KDEF, FERPLUS, YOLO, TABLES, ANY_FOLDERS))
"""All by key. The first that knows a folder is taken, so what looks more closely stands first: CK+ by the names of its
frames, FER2013 by the size of its pictures, RAF-DB by fewer codes than AffectNet."""
PUBLISHED: tuple[Layout, ...] = tuple(
    sorted((layout for layout in LAYOUTS.values() if layout.find and layout.title), key=lambda layout: layout.title)
)
"""Those with pictures that authors give out, in the order in which people read them."""
_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]{0,39}")
_DEPTH = 3
"""How many folders that hold nothing but one folder are passed through, as archives unpack."""


def open_dataset(root: str | Path, name: str | None = None) -> DataSet:
    """Find out which data set lies in ``root``; pictures and labels are read later.

    Known are all of ``LAYOUTS``: those published, and any data set with one folder per emotion or told by a table.

    Args:
        root: a folder, or a table in it: a csv as Kaggle has it of FER2013, by whatever name, or one of pictures and
            emotions (csv or tsv).
        name: what evaluations on it are called after (small letters, digits, ``_ . -``); default: the data set's own.

    Raises:
        DataError: nothing there, nothing that is known, or a name that cannot be part of a file's name.
    """
    if name is not None and not _NAME.fullmatch(name):
        raise DataError(f"{name!r} cannot be a name; use up to 40 small letters, digits, dashes, dots and underscores.")
    folder = Path(root)
    if folder.is_file():
        return _of_file(folder, name or "")
    if not folder.is_dir():
        raise DataError(f"There is no folder {folder}. Pass the folder that holds the data set, or a table in it.")
    with readable(str(root)):
        for _ in range(_DEPTH):
            if (found := _found(folder, name or "")) is not None:
                return found
            inside = folders_in(folder)
            if len(inside) != 1:
                break
            folder = inside[0]
    *titles, last = (layout.title for layout in PUBLISHED)
    expected = (
        f"Expected {PER_EMOTION} (also below train/ and test/), a table of pictures and emotions, or "
        f"{', '.join(titles)} or {last} as their authors or Kaggle give them out."
    )
    raise DataError(f"No known data set in {root}. {expected} {why_no_table(folder)}".rstrip())


def _of_file(path: Path, name: str) -> DataSet:
    """The data set of a table that was named itself, or of a published one that it belongs to."""
    if path.suffix.lower() not in TABLE_SUFFIXES:
        raise DataError(f"{path.name} is no table. Pass a folder, or a table saved as {' or '.join(TABLE_SUFFIXES)}.")
    with readable(str(path)):
        if path.suffix == ".csv" and (table := open_csv(path, name)) is not None:
            return table
        try:
            return open_table(path, name)
        except DataError:
            found = _by_finders(path.parent, name)
            if found is None or found.key == TABLES.key:  # another table
                raise
            return found


def _by_finders(folder: Path, name: str) -> DataSet | None:
    finders = (find for layout in LAYOUTS.values() for find in layout.find)
    return next((data for find in finders if (data := find(folder, name)) is not None), None)


def _found(folder: Path, name: str) -> DataSet | None:
    if (found := _by_finders(folder, name)) is not None:
        return found
    try:
        return find_folders(folder, name, LAYOUTS.values())
    except DataError as error:
        raise DataError(f"{error} {why_no_table(folder)}".rstrip()) from error
