"""RAF-DB, basic emotions, as its authors give it out (Li et al. 2017).

``EmoLabel/list_patition_label.txt`` (lines such as ``train_00001.jpg 5``) beside ``Image/aligned/`` with
``train_00001_aligned.jpg``; where only ``Image/original/`` is there, the photos are read instead.
"""

from __future__ import annotations

import re
from pathlib import Path

from fer_core.data.layout import FolderSigns, Layout, PerEmotion, coded
from fer_core.data.pictures import Listed, faces_of_files, read_file
from fer_core.data.records import DataSet, FaceSet
from fer_core.errors import DataError

LIST = "list_patition_label.txt"  # the authors' spelling
_IMAGES = (("Image/aligned", "_aligned"), ("aligned", "_aligned"), ("Image/original", ""), ("original", ""))
_LINE = re.compile(r"((train|test)_[\w-]+)(\.\w+)\s+(\S+)")
_SPLITS = {"training": "train", "test": "test"}
_MAX_LIST_BYTES = 10_000_000


def find_rafdb(root: Path, name: str) -> DataSet | None:
    """RAF-DB in ``root``, or None if its list is not there.

    Raises:
        DataError: the list without its pictures.
    """
    places = [root / folder for folder in ("", "EmoLabel", "basic/EmoLabel") if (root / folder / LIST).is_file()]
    if not places:
        return None
    base = places[0].parent if places[0].name == "EmoLabel" else places[0]
    found = next(((folder, ending) for folder, ending in _IMAGES if (base / folder).is_dir()), None)
    if found is None:
        raise DataError(f"{root.name} has RAF-DB's {LIST} but no folder Image/aligned with the pictures.")
    folder, ending = found

    def read(called: str, split: str) -> FaceSet:
        listed = _listed(base, (places[0] / LIST).relative_to(base).as_posix(), _SPLITS[split], folder, ending)
        return faces_of_files(base, called, split, listed, cut=bool(ending))

    return RAFDB.opened(name, "label list", base, _SPLITS, read)


def _listed(base: Path, path: str, split: str, folder: str, ending: str) -> list[Listed]:
    listed = []
    text = read_file(base, path, limit=_MAX_LIST_BYTES).decode("utf-8", "replace")
    for number, line in enumerate(text.splitlines(), 1):
        match = _LINE.fullmatch(line.strip())
        if match is None:
            if line.strip():
                raise DataError(
                    f"{LIST}, line {number}: expected a line such as 'train_00001.jpg 5', got {line[:60]!r}."
                )
            continue
        stem, its_split, suffix, code = match.groups()
        try:
            label = RAFDB.label_of(code)
        except DataError as error:
            raise DataError(f"{LIST}, line {number}: {error}") from error
        if its_split == split:
            listed.append(Listed(f"{folder}/{stem}{ending}{suffix}", label))
    return listed


def _in_folders(signs: FolderSigns) -> PerEmotion | None:
    return RAFDB.by_codes(signs.codes)


RAFDB = Layout(
    key="rafdb",
    title="RAF-DB",
    codes=coded(range(1, 8), ("surprise", "fear", "disgust", "happy", "sad", "angry", "neutral")),
    names=("Surprise", "Fear", "Disgust", "Happiness", "Sadness", "Anger", "Neutral"),
    find=(find_rafdb,),
    in_folders=_in_folders,
    holds={"RAF-DB": f"`{LIST}` with `Image/aligned/`, or one folder per code"},
)
