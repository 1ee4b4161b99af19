"""Data sets that lie as one folder per emotion, below split folders or not.

The names of the folders say which data set it is: spelled-out emotions (FER2013 as Kaggle has it where the pictures are
48×48 and grey, CK+ where the files are called like its frames, else any data set), AffectNet's codes 0-7 or
``class001`` … ``class008`` (taken as the codes in their order), RAF-DB's codes 1-7.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from fer_core.data.pictures import (
    Header,
    Listed,
    faces_of_files,
    first_picture,
    folders_in,
    picture_names,
    read_file,
    read_header,
)
from fer_core.data.records import DataSet, FaceSet
from fer_core.emotions import DATASET_CODES, EMOTIONS, EMOTIONS8, emotion_of_name
from fer_core.errors import DataError

SPLIT_FOLDERS: Mapping[str, str] = MappingProxyType(
    {
        **dict.fromkeys(("train", "training", "train_set", "train_class"), "training"),
        **dict.fromkeys(("val", "valid", "validation", "val_set", "val_class"), "val"),
        **dict.fromkeys(("test", "testing", "test_set", "test_class"), "test"),
        **dict.fromkeys(("publictest", "public_test"), "public_test"),
        **dict.fromkeys(("privatetest", "private_test"), "private_test"),
    }
)
"""What a split is called, by the name of its folder in small letters."""

NO_EMOTION: Mapping[str, str] = MappingProxyType({"8": "none", "9": "uncertain", "10": "no face"})
"""AffectNet's codes that are no emotions (Mollahosseini et al. 2017)."""

FER2013_PX = 48
_CK_FRAME = re.compile(r"(S\d{3})_\d{3}_\d{8}\b")
_PER_EMOTION = "one folder per emotion"
_LAYOUTS = {
    which: f"{told}, {_PER_EMOTION}"
    for which, told in {"fer2013": "FER2013", "affectnet": "AffectNet", "rafdb": "RAF-DB", "ckplus": "CK+"}.items()
}
_EXPECTED = (
    f"Expected one folder per emotion ({', '.join(EMOTIONS8)}), AffectNet's codes 0 to 7, or RAF-DB's codes 1 to 7."
)


@dataclass(frozen=True)
class _Folders:
    """What the folders of a data set are: which emotion each holds, and what is known of all pictures.

    ``labels`` maps the name of a folder to an emotion; ``dropped`` to the reason why its pictures are left out.
    """

    layout: str
    labels: Mapping[str, str]
    name: str = ""
    dropped: Mapping[str, str] = field(default_factory=dict)
    cut: bool = True
    grey: bool = False


def find_folders(root: Path, name: str, *, is_fer2013: bool = False) -> DataSet | None:
    """A data set of one folder per emotion, or None if no picture lies where one would.

    Args:
        root: its folder.
        name: what to call it; "" takes the name of the data set, or of the folder where it is none of the known ones.
        is_fer2013: take it for FER2013 without looking.

    Raises:
        DataError: there are folders with pictures whose names are no emotions.
    """
    splits = {split: _with_pictures(folder) for split, folder in split_folders(root).items()}
    splits = {split: folders for split, folders in splits.items() if folders} or {"all": _with_pictures(root)}
    folders = [folder for each in splits.values() for folder in each]
    if not folders:
        return None
    kind = _fer2013(_by_name(folders)) if is_fer2013 else _recognise(folders)
    called = name or kind.name or slug(root.name)

    def read(split: str) -> FaceSet:
        listed, left_out = _listed(root, splits[split], kind)
        return faces_of_files(root, called, split, listed, cut=kind.cut, grey=kind.grey, left_out=left_out)

    return DataSet(called, kind.layout, root, tuple(splits), read)


def split_folders(root: Path) -> dict[str, Path]:
    """Folders below ``root`` that are named like a split, by our name of it.

    Raises:
        DataError: two folders of one meaning.
    """
    found: dict[str, Path] = {}
    for folder in folders_in(root):
        split = SPLIT_FOLDERS.get(folder.name.lower())
        if split in found:
            raise DataError(f"{root.name} has {found[split].name} and {folder.name}; keep one of them.")
        if split:
            found[split] = folder
    return dict(sorted(found.items(), key=lambda item: list(SPLIT_FOLDERS.values()).index(item[0])))


def slug(name: str) -> str:
    """A folder's name as the name of a data set: small letters, digits, underscores."""
    return re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")[:40] or "faces"


def _with_pictures(folder: Path) -> list[Path]:
    return [each for each in folders_in(folder) if first_picture(each)]


def _recognise(folders: Sequence[Path]) -> _Folders:
    names = {folder.name for folder in folders}
    example = first_picture(folders[0])
    assert example is not None
    header = _header(example)
    is_small = header is not None and header[1:] == (FER2013_PX, FER2013_PX, True)
    if all(name.isascii() and name.isdigit() for name in names):
        codes = {name: str(int(name)) for name in names}
        return _by_code(codes, *(("fer2013",) if is_small else ()), "rafdb", "affectnet")
    if numbers := _class_numbers(names):
        first = min(*numbers.values(), 1)
        return _by_code({name: str(number - first) for name, number in numbers.items()}, "affectnet")
    labels = _by_name(folders)
    if _CK_FRAME.match(example.name):
        is_square = header is not None and header.width == header.height  # whole frames are 640×490
        return _Folders(_LAYOUTS["ckplus"], labels, "ckplus", cut=is_square)
    return _fer2013(labels) if is_small and set(labels.values()) <= set(EMOTIONS) else _Folders(_PER_EMOTION, labels)


def _class_numbers(names: set[str]) -> dict[str, int]:
    """Numbers of folders such as ``class001``; empty unless all are called so."""
    found = {name: re.fullmatch(r"class_?(\d{1,3})", name.lower()) for name in names}
    return {name: int(match[1]) for name, match in found.items() if match} if all(found.values()) else {}


def _fer2013(labels: Mapping[str, str]) -> _Folders:
    return _Folders(_LAYOUTS["fer2013"], labels, "fer2013", grey=True)


def _header(picture: Path) -> Header | None:
    try:
        return read_header(read_file(picture.parent, picture.name), picture.name)
    except DataError:  # is told when the picture is read
        return None


def _by_name(folders: Sequence[Path]) -> dict[str, str]:
    labels, unknown = {}, []
    for folder in folders:
        try:
            labels[folder.name] = emotion_of_name(folder.name)
        except DataError:
            unknown.append(folder.name)
    if unknown:
        told = ", ".join(map(repr, sorted(set(unknown))[:5])) + (" …" if len(set(unknown)) > 5 else "")
        raise DataError(f"{folders[0].parent.name} holds folders that are no emotions: {told}. {_EXPECTED}")
    return labels


def _by_code(codes: Mapping[str, str], *among: str) -> _Folders:
    """The first data set of ``among`` that has all the ``codes`` (by folder name)."""
    for which in among:
        known = {**DATASET_CODES["affectnet8"], **NO_EMOTION} if which == "affectnet" else DATASET_CODES[which]
        if set(codes.values()) <= set(known):
            found = {name: known[code] for name, code in codes.items()}
            labels = {name: label for name, label in found.items() if label in EMOTIONS8}
            dropped = {name: label for name, label in found.items() if label not in EMOTIONS8}
            return _Folders(_LAYOUTS[which], labels, which, dropped, grey=which == "fer2013")
    raise DataError(f"The folders {', '.join(sorted(codes))} are no codes of one data set. {_EXPECTED}")


def _listed(root: Path, folders: Sequence[Path], kind: _Folders) -> tuple[list[Listed], dict[str, int]]:
    """Pictures in the order of their folders and names, and how many are left out for which reason."""
    listed: list[Listed] = []
    left_out: dict[str, int] = {}
    for folder in folders:
        where = folder.relative_to(root).as_posix()
        names = sorted(picture_names(folder))
        if folder.name in kind.dropped:
            left_out[kind.dropped[folder.name]] = len(names)
            continue
        label = EMOTIONS8.index(kind.labels[folder.name])
        listed += [Listed(f"{where}/{name}", label, _subject(name)) for name in names]
    return listed, left_out


def _subject(name: str) -> str:
    found = _CK_FRAME.match(name)
    return found[1] if found else ""
