"""Emotions of faces as YOLO has them, such as AffectNet on Kaggle: ``train/images/*.jpg``, ``train/labels/*.txt`` and
the names of the classes in ``data.yaml``.

A line of a label file is the number of its class and a box (centre, width, height, as shares of the picture). A picture
with faces of several classes, or of none, is left out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import yaml

from fer_core.data.folders import slug, split_folders
from fer_core.data.layout import Layout, coded
from fer_core.data.pictures import Listed, faces_of_files, first_picture, picture_names, read_file
from fer_core.data.records import DataSet, FaceSet
from fer_core.emotions import EMOTIONS8, emotion_of_name
from fer_core.errors import DataError

_NAMES = ("data.yaml", "data.yml")
_BYTES = 100_000
FILLS = 0.6
"""Where the box of the first face fills this share of both sides, the pictures are cut faces."""


def find_yolo(root: Path, name: str) -> DataSet | None:
    """Pictures with label files in ``root``, or None if there are none.

    Raises:
        DataError: the names of the classes are not there, or are no emotions.
    """
    splits = {
        split: folder
        for split, folder in split_folders(root).items()
        if (folder / "labels").is_dir() and first_picture(folder / "images")
    }
    if not splits:
        return None
    labels = _class_names(root)

    def read(called: str, split: str) -> FaceSet:
        folder = splits[split]
        listed, left_out, cut = _listed(root, folder, labels)
        return faces_of_files(root, called, split, listed, cut=cut, left_out=left_out)

    return YOLO.opened(name or slug(root.name), "pictures with YOLO's label files", root, splits, read)


def _class_names(root: Path) -> dict[str, int]:
    """Number of a class → index into ``EMOTIONS8``."""
    file = next((each for each in _NAMES if (root / each).is_file()), None)
    if file is None:
        raise DataError(f"{root.name} has YOLO's label files but no {_NAMES[0]} that names their classes.")
    try:
        content = yaml.safe_load(read_file(root, file, limit=_BYTES).decode("utf-8", "replace"))
    except yaml.YAMLError as error:
        raise DataError(f"{root.name}/{file} is not valid yaml; copy it again.") from error
    names = content.get("names") if isinstance(content, Mapping) else None
    pairs = names.items() if isinstance(names, Mapping) else enumerate(names) if isinstance(names, list) else ()
    found = {str(number): EMOTIONS8.index(emotion_of_name(str(each))) for number, each in pairs}
    if not found:
        raise DataError(f"{root.name}/{file} names no classes; expected names: [Anger, …].")
    return found


def _listed(root: Path, folder: Path, labels: Mapping[str, int]) -> tuple[list[Listed], dict[str, int], bool]:
    """Pictures by name, how many are left out for which reason, and whether they are cut faces."""
    listed, left_out, boxes = [], Counter[str](), []
    where = folder.relative_to(root).as_posix()
    for name in sorted(picture_names(folder / "images")):
        path = f"{where}/labels/{Path(name).stem}.txt"
        if not (root / path).is_file():
            left_out["without a label file"] += 1
            continue
        rows = [
            line.split() for line in read_file(root, path, limit=_BYTES).decode("latin-1").splitlines() if line.strip()
        ]
        codes = {row[0] for row in rows}
        if unknown := codes - set(labels):
            raise DataError(f"{path}: class {sorted(unknown)[0][:20]!r} is none of {', '.join(labels)}.")
        if len(codes) != 1:
            left_out["with faces of several classes" if codes else "without a face"] += 1
            continue
        boxes += rows[:1]
        listed.append(Listed(f"{where}/images/{name}", labels[codes.pop()]))
    return listed, dict(left_out), bool(boxes) and _fills(boxes[0])


def _fills(row: list[str]) -> bool:
    try:
        return min(float(row[3]), float(row[4])) >= FILLS
    except (IndexError, ValueError):
        return True  # a number alone: the picture is the face


YOLO = Layout(
    key="yolo",
    title="",
    codes=coded(EMOTIONS8, EMOTIONS8),
    names=EMOTIONS8,
    find=(find_yolo,),
    holds={"AffectNet in YOLO form": "`train/images/`, `train/labels/`, `data.yaml` with the names of the classes"},
)
