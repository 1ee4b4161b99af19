"""Data sets that the workbench was pointed to: where they are, and single pictures of them.

``datasets.json`` holds names and folders; folders below ``FER_DATA`` that hold a data set are there by themselves.
Nothing is copied: where a folder is gone, the numbers stay and the pictures are missing.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from pathlib import Path

from dashboard.services import places
from fer_core.data import DataSet, FaceSet, open_dataset
from fer_core.data.classes import ClassRow, class_mapping
from fer_core.data.label_tables import TABLE_SUFFIXES
from fer_core.data.layouts import LAYOUTS, PUBLISHED
from fer_core.emotions import EMOTIONS8
from fer_core.errors import DataError, InputError
from fer_core.files import replacing

_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]{0,39}")
MOST_LISTED = 5000
MOST_LOOKED_AT = 24
"""Entries of a folder whose times tell whether a data set changed."""


@dataclass(frozen=True)
class Pointed:
    """A data set by name; ``is_given`` where it comes from ``FER_DATA`` and cannot be forgotten here."""

    name: str
    path: Path
    is_given: bool = False

    def open(self) -> DataSet:
        """Raises ``DataError`` where nothing readable is there (any more)."""
        return _open(str(self.path), self.name, self.version)

    @property
    def version(self) -> str:
        """Another one when files or folders of the data set came, went or were moved. Raises as ``open``."""
        try:
            stats = [path.stat() for path in (self.path, *_inside(self.path))]
        except OSError as error:
            raise DataError(
                f"{self.path} is not there any more, or cannot be read. Connect the disk, or forget this data set."
            ) from error
        said = [str(self.path), *((stat.st_mtime_ns, stat.st_size) for stat in stats)]
        return hashlib.sha256(repr(said).encode()).hexdigest()[:16]


def _inside(root: Path) -> list[Path]:
    """What may hold labels or pictures: the first entries of a folder, and of those that are folders."""
    top = [*_first(root), *_tables(root)] if root.is_dir() else []
    return top + [each for path in top if path.is_dir() for each in _first(path)]


def _tables(root: Path) -> list[Path]:
    """Files that may be tables of labels, which are changed where they are; among more files than are looked for
    only some."""
    with os.scandir(root) as entries:
        some = islice(entries, MOST_LISTED)
        return [Path(each.path) for each in some if each.name.lower().endswith(TABLE_SUFFIXES)]


def _first(folder: Path) -> list[Path]:
    with os.scandir(folder) as entries:  # reads no more than is asked for
        return [Path(entry.path) for entry in islice(entries, MOST_LOOKED_AT)]


@lru_cache(maxsize=32)
def _open(path: str, name: str, changed: str) -> DataSet:
    return open_dataset(Path(path), name or None)


@lru_cache(maxsize=8)
def _split(path: str, name: str, split: str, changed: str) -> FaceSet:
    return _open(path, name, changed).read(split)


def pointed() -> list[Pointed]:
    """All of them, in the order in which they were added; those of ``FER_DATA`` first."""
    own = [Pointed(each["name"], Path(each["path"])) for each in _stored()]
    return [each for each in _given() if each.name not in {one.name for one in own}] + own


def _given() -> list[Pointed]:
    root = os.environ.get("FER_DATA")
    folders = sorted(path for path in Path(root).iterdir() if path.is_dir()) if root and Path(root).is_dir() else []
    found: dict[str, Pointed] = {}
    for path in folders:
        try:
            name = _open(str(path), "", Pointed("", path).version).name
        except (DataError, OSError):  # a folder that holds something else
            continue
        name = _slug(path.name) if name in found else name  # the same data set twice, say in two layouts
        found.setdefault(name, Pointed(name, path, True))
    return list(found.values())


def _slug(name: str) -> str:
    return re.sub(r"[^a-z0-9_.]+", "_", name.lower()).strip("_.")[:40] or "data"


def _file() -> Path:
    return places.home() / "datasets.json"


def _stored() -> list[dict[str, str]]:
    try:
        found = json.loads(_file().read_text(encoding="utf-8"))
    except FileNotFoundError:
        return []
    except (OSError, ValueError) as error:
        raise DataError(f"{_file()} is damaged ({error}). Remove it and point to your data sets again.") from error
    entries = found if isinstance(found, list) else []
    return [each for each in entries if isinstance(each, dict) and _is_entry(each.get("name"), each.get("path"))]


def _is_entry(name: object, path: object) -> bool:
    return isinstance(name, str) and isinstance(path, str) and bool(_NAME.fullmatch(name)) and "\0" not in path


def _store(entries: list[dict[str, str]]) -> None:
    with replacing(_file()) as new:
        new.write_text(json.dumps(entries, indent=1), encoding="utf-8")


def add(path: str, name: str = "") -> Pointed:
    """Point to a data set; ``name`` is what its evaluations are called after (default: what the layout or the folder
    is called).

    Raises:
        DataError: nothing readable there.
        InputError: no path, or a name that is taken or not fit for a file.
    """
    if not path.strip():
        raise InputError("Give the path of a folder, for example /home/you/fer2013.")
    try:
        root = Path(path.strip()).expanduser()
        if not root.is_absolute():
            raise InputError(f"{root} is not a whole path; start it with / (or ~).")
        found = open_dataset(root)
    except (OSError, ValueError, RuntimeError) as error:  # not allowed, too long, or the home of nobody
        raise DataError(f"{path.strip()[:200]} cannot be read ({error}).") from error
    name = name.strip().lower() or _slug(found.name)
    if not _NAME.fullmatch(name):
        raise InputError(f"{name!r} cannot be a name; use small letters, digits, dashes, dots and underscores.")
    if name in {each.name for each in pointed()}:
        raise InputError(f"There is a data set {name!r} already. Give this one another name.")
    _store([*_stored(), {"name": name, "path": str(root)}])
    return Pointed(name, root)


def forget(name: str) -> None:
    """Forget where a data set is; its evaluations stay."""
    _store([each for each in _stored() if each["name"] != name])


def find(name: str) -> Pointed:
    """A data set by name.

    Raises:
        DataError: the workbench was not pointed to one of this name.
    """
    for each in pointed():
        if each.name == name:
            return each
    raise DataError(f"The workbench was not pointed to a data set {name!r}. Add its folder on the page Settings.")


def faces(name: str, split: str) -> FaceSet:
    """The pictures of a split.

    Raises:
        DataError: no such data set, or it has no such split.
    """
    where = find(name)
    where.open()
    return _split(str(where.path), name, split, where.version)


def known_layouts() -> dict[str, str]:
    """Every way in which a data set may lie, and what its folder then holds (in Markdown); those with a name first."""
    others = [each for each in LAYOUTS.values() if each not in PUBLISHED]
    return {title: what for each in (*PUBLISHED, *others) for title, what in each.holds.items()}


def classes(name: str) -> list[ClassRow]:
    """How the classes of a data set are read, with pictures of all splits; raises as ``find``."""
    where = find(name)
    opened = where.open()
    return class_mapping(opened, labels=EMOTIONS8, faces=[faces(name, split) for split in opened.splits])


def notes(name: str) -> list[str]:
    """What else there is to know of a data set, in whole sentences: who is shown, where faces are looked for, what is
    left out; raises as ``find``."""
    found = [faces(name, split) for split in find(name).open().splits]
    people = {who for each in found for who in each.subjects.tolist() if who}
    told = [f"{len(people):,} people are told apart, so that intervals are by person."] if people else []
    if photos := [each.split for each in found if not each.cut and len(each)]:
        told.append(f"Photos, in which faces are looked for: {', '.join(photos)}.")
    for each in found:
        told += [f"{each.split}: {n:,} left out, {why}." for why, n in each.left_out.items()]
    return told


def why_no_pictures(name: str, split: str) -> str:
    """Empty where the pictures of a split can be shown, else what to do, in words."""
    try:
        faces(name, split)
    except (DataError, OSError) as error:
        return str(error)
    return ""


def picture(name: str, split: str, picture_id: str) -> tuple[bytes, str]:
    """One picture as a browser shows it, with its media type.

    Raises:
        DataError: it is not there.
    """
    found = faces(name, split)
    return found.encoded(found.index(picture_id))
