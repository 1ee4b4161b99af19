"""Data sets that lie as one folder per emotion, below split folders or not.

Names of folders and the first picture say which data set it is: every ``Layout`` is asked whether it knows them.
Folders called in words that none knows are a data set of their own. Where each emotion has a folder per person, or each
person a folder per emotion, who is shown is known too.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from fer_core.data.layout import PER_EMOTION, FolderSigns, Layout, PerEmotion, coded
from fer_core.data.pictures import (
    Header,
    Listed,
    faces_of_files,
    first_picture,
    folders_in,
    look_cut,
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
        "anything else": f"{PER_EMOTION} (`angry/`, `Happiness/`, …), below split folders if there are any; with a "
        "folder per person in each, or around them, who is shown is known too",
    },
)
"""Every data set of one folder per emotion that is none of the known ones."""


class _Place(NamedTuple):
    """A folder of pictures, the name that says their label, and who is shown, "" where that is not known."""

    folder: Path
    name: str
    person: str = ""


def find_folders(root: Path, name: str, among: Iterable[Layout]) -> DataSet | None:
    """A data set of one folder per emotion, or None if no picture lies where one would.

    Args:
        root: its folder.
        name: what to call it; "" takes the name of the data set, or of the folder where it is none of the known ones.
        among: the known ones, in the order in which they are asked.

    Raises:
        DataError: there are folders with pictures whose names are no emotions.
    """
    splits = {split: _places(folder) for split, folder in split_folders(root).items()}
    splits = {split: places for split, places in splits.items() if places} or {"all": _places(root)}
    places = [place for each in splits.values() for place in each]
    if not places:
        return None
    layout, kind = _recognise(root, places, among)

    def read(called: str, split: str) -> FaceSet:
        listed, left_out = _listed(root, splits[split], kind)
        cut = kind.cut and (layout is not ANY_FOLDERS or look_cut(root, [each.path for each in listed]))
        return faces_of_files(root, called, split, listed, cut=cut, grey=kind.grey, left_out=left_out)

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


def emotion_of_folder(name: str) -> str:
    """Our label for a name that may have a number before it; raises ``DataError`` as ``emotion_of_name``."""
    return emotion_of_name(_NUMBERED.sub("", name))


def _is_emotion(name: str) -> bool:
    try:
        emotion_of_folder(name)
    except DataError:
        return False
    return True


def _places(root: Path) -> list[_Place]:
    """Folders of pictures in ``root``; where none has pictures itself, those of persons in or around emotions."""
    folders = folders_in(root)
    if direct := [_Place(each, each.name) for each in folders if first_picture(each)]:
        return direct
    below = [(each, inner) for each in folders for inner in folders_in(each) if first_picture(inner)]
    if len({each.name for each, _ in below}) > 1:
        if all(_is_emotion(inner.name) for _, inner in below):
            return [_Place(inner, inner.name, each.name) for each, inner in below]
        if all(_is_emotion(each.name) for each, _ in below):
            return [_Place(inner, each.name, inner.name) for each, inner in below]
    return []


def _recognise(root: Path, places: Sequence[_Place], among: Iterable[Layout]) -> tuple[Layout, PerEmotion]:
    signs = _signs(root, places)
    for layout in (*among, ANY_FOLDERS):
        if layout.in_folders and (found := layout.in_folders(signs)):
            return layout, found
    names = sorted({**signs.codes, **signs.classes})
    raise DataError(f"The folders {', '.join(names)} are no codes of one data set. {_EXPECTED}")


def _signs(root: Path, places: Sequence[_Place]) -> FolderSigns:
    names = {place.name for place in places}
    example = first_picture(places[0].folder)
    assert example is not None
    are_codes = all(name.isascii() and name.isdigit() for name in names)
    codes = {name: str(int(name)) for name in names} if are_codes else {}
    classes = _class_numbers(names)
    emotions = {} if codes or classes else _by_name(root, places)
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


def _by_name(root: Path, places: Sequence[_Place]) -> dict[str, str]:
    labels, unknown = {}, Counter[str]()
    for place in places:
        try:
            labels[place.name] = emotion_of_folder(place.name)
        except DataError:
            unknown[place.name] += sum(1 for _ in picture_names(place.folder))
    if unknown:
        counted = [f"{name!r} ({n} picture{'s' * (n != 1)})" for name, n in sorted(unknown.items())]
        told = ", ".join(counted[:5]) + (" …" if len(counted) > 5 else "")
        remedy = "Rename them, or move out what is no emotion."
        raise DataError(f"{root.name} holds folders that are no emotions: {told}. {remedy} {_EXPECTED}")
    return labels


def _listed(root: Path, places: Sequence[_Place], kind: PerEmotion) -> tuple[list[Listed], dict[str, int]]:
    """Pictures in the order of their folders and names, and how many are left out for which reason."""
    listed: list[Listed] = []
    left_out = Counter[str]()
    for folder, called, person in places:
        where = folder.relative_to(root).as_posix()
        names = sorted(picture_names(folder))
        if called in kind.dropped:
            left_out[kind.dropped[called]] += len(names)
            continue
        label = EMOTIONS8.index(kind.labels[called])
        listed += [Listed(f"{where}/{name}", label, person or kind.subject(name)) for name in names]
    return listed, dict(left_out)
