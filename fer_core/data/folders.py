"""Data sets that lie as one folder per emotion, below split folders or not.

Names of folders and the first picture say which data set it is: every ``Layout`` is asked whether it knows them.
Folders called in words that none knows are a data set of their own.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from fer_core.data.layout import PER_EMOTION, FolderSigns, Layout, PerEmotion, coded
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
from fer_core.emotions import EMOTIONS8, emotion_of_name
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

_NUMBERED = re.compile(r"^\d{1,2}\s*[-_. ]\s*")
"""What may stand before an emotion in the name of its folder: ``0 - Anger``, ``3_happy``."""
_EXPECTED = (
    f"Expected one folder per emotion ({', '.join(EMOTIONS8)}), or one per code of a known data set, such as 0 to 7."
)
ANY_FOLDERS = Layout(
    key="folders",
    title="",
    codes=coded(EMOTIONS8, EMOTIONS8),
    names=EMOTIONS8,
    in_folders=lambda signs: PerEmotion(signs.emotions) if signs.emotions else None,
    holds={
        "anything else": f"{PER_EMOTION} (`angry/`, `Happiness/`, …), below split folders if there are any",
    },
)
"""Every data set of one folder per emotion that is none of the known ones."""


def find_folders(root: Path, name: str, among: Iterable[Layout]) -> DataSet | None:
    """A data set of one folder per emotion, or None if no picture lies where one would.

    Args:
        root: its folder.
        name: what to call it; "" takes the name of the data set, or of the folder where it is none of the known ones.
        among: the known ones, in the order in which they are asked.

    Raises:
        DataError: there are folders with pictures whose names are no emotions.
    """
    splits = {split: _with_pictures(folder) for split, folder in split_folders(root).items()}
    splits = {split: folders for split, folders in splits.items() if folders} or {"all": _with_pictures(root)}
    folders = [folder for each in splits.values() for folder in each]
    if not folders:
        return None
    layout, kind = _recognise(folders, among)

    def read(called: str, split: str) -> FaceSet:
        listed, left_out = _listed(root, splits[split], kind)
        return faces_of_files(root, called, split, listed, cut=kind.cut, grey=kind.grey, left_out=left_out)

    own = slug(root.name) if layout is ANY_FOLDERS else layout.key
    return layout.opened(name or own, PER_EMOTION, root, splits, read)


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


def _recognise(folders: Sequence[Path], among: Iterable[Layout]) -> tuple[Layout, PerEmotion]:
    signs = _signs(folders)
    for layout in (*among, ANY_FOLDERS):
        if layout.in_folders and (found := layout.in_folders(signs)):
            return layout, found
    names = sorted({**signs.codes, **signs.classes})
    raise DataError(f"The folders {', '.join(names)} are no codes of one data set. {_EXPECTED}")


def _signs(folders: Sequence[Path]) -> FolderSigns:
    names = {folder.name for folder in folders}
    example = first_picture(folders[0])
    assert example is not None
    are_codes = all(name.isascii() and name.isdigit() for name in names)
    codes = {name: str(int(name)) for name in names} if are_codes else {}
    classes = _class_numbers(names)
    emotions = {} if codes or classes else _by_name(folders)
    return FolderSigns(codes, classes, emotions, example, _header(example))


def _class_numbers(names: set[str]) -> dict[str, str]:
    """Numbers from 0 of folders such as ``class001``; empty unless all are called so."""
    found = {name: re.fullmatch(r"class_?(\d{1,3})", name.lower()) for name in names}
    numbers = {name: int(match[1]) for name, match in found.items() if match} if all(found.values()) else {}
    first = min(*numbers.values(), 1) if numbers else 0
    return {name: str(number - first) for name, number in numbers.items()}


def _header(picture: Path) -> Header | None:
    try:
        return read_header(read_file(picture.parent, picture.name), picture.name)
    except DataError:  # is told when the picture is read
        return None


def _by_name(folders: Sequence[Path]) -> dict[str, str]:
    labels, unknown = {}, []
    for folder in folders:
        try:
            labels[folder.name] = emotion_of_name(_NUMBERED.sub("", folder.name))
        except DataError:
            unknown.append(folder.name)
    if unknown:
        told = ", ".join(map(repr, sorted(set(unknown))[:5])) + (" …" if len(set(unknown)) > 5 else "")
        raise DataError(f"{folders[0].parent.name} holds folders that are no emotions: {told}. {_EXPECTED}")
    return labels


def _listed(root: Path, folders: Sequence[Path], kind: PerEmotion) -> tuple[list[Listed], dict[str, int]]:
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
        listed += [Listed(f"{where}/{name}", label, kind.subject(name)) for name in names]
    return listed, left_out
