"""Which data set lies in a folder, and how: told by what the folder holds.

data = open_dataset("/data/RAF-DB")
faces = data.read("test")           # labels and names; nothing is decoded
faces.picture(0)                    # one picture
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from fer_core.data.affectnet import find_arrays, find_lists
from fer_core.data.ckplus import find_sequences
from fer_core.data.fer2013 import find_csv, find_parquet
from fer_core.data.folders import find_folders
from fer_core.data.kdef import find_kdef
from fer_core.data.pictures import folders_in
from fer_core.data.rafdb import find_rafdb
from fer_core.data.records import DataSet, readable
from fer_core.errors import DataError

LAYOUTS: tuple[Callable[[Path, str], DataSet | None], ...] = (
    find_parquet, find_csv, find_lists, find_arrays, find_rafdb, find_sequences, find_kdef, find_folders,
)  # fmt: skip
"""Each looks into a folder and gives the data set that it knows, or None; the first to find something is taken."""

_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]{0,39}")
_DEPTH = 3
"""How many folders that hold nothing but one folder are passed through, as archives unpack."""


def open_dataset(root: str | Path, name: str | None = None) -> DataSet:
    """Find out which data set lies in ``root``; pictures and labels are read later.

    Known are FER2013 (parquet tables, Kaggle's csv, Kaggle's folders), AffectNet (lists of photos, label arrays,
    folders), RAF-DB (label list, folders), KDEF, CK+ (emotion files, folders), and any data set with one folder per
    emotion.

    Args:
        root: a folder, or ``fer2013.csv`` itself.
        name: what evaluations on it are called after (small letters, digits, ``_ . -``); default: the data set's own.

    Raises:
        DataError: nothing there, nothing that is known, or a name that cannot be part of a file's name.
    """
    if name is not None and not _NAME.fullmatch(name):
        raise DataError(f"{name!r} cannot be a name; use up to 40 small letters, digits, dashes, dots and underscores.")
    folder = Path(root).parent if Path(root).suffix == ".csv" else Path(root)
    if not folder.is_dir():
        raise DataError(f"There is no folder {folder}. Pass the folder that holds the data set.")
    with readable(str(root)):
        for _ in range(_DEPTH):
            for find in LAYOUTS:
                if (found := find(folder, name or "")) is not None:
                    return found
            inside = folders_in(folder)
            if len(inside) != 1:
                break
            folder = inside[0]
    raise DataError(
        f"No known data set in {root}. Expected one folder per emotion (also below train/ and test/), or FER2013, "
        "AffectNet, RAF-DB, KDEF or CK+ as their authors or Kaggle give them out."
    )
