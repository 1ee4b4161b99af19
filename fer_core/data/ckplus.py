"""CK+ as its authors give it out (Lucey et al. 2010): the last frame of every sequence that has an emotion file.

``cohn-kanade-images/S005/001/S005_001_00000011.png`` and ``Emotion/S005/001/S005_001_00000011_emotion.txt``, which
holds a code such as ``3.0000000e+00``. As one folder per emotion it is known by the names of its frames.
"""

from __future__ import annotations

import re
from pathlib import Path

from fer_core.data.layout import FolderSigns, Layout, PerEmotion, coded
from fer_core.data.pictures import Listed, faces_of_files, folders_in, picture_names, read_file
from fer_core.data.records import DataSet, FaceSet
from fer_core.errors import DataError

IMAGES, EMOTION = "cohn-kanade-images", "Emotion"
_FOLDERS = {
    IMAGES: (IMAGES, f"extended-{IMAGES}/{IMAGES}"),
    EMOTION: (EMOTION, f"Emotion_labels/{EMOTION}", "Emotion_labels"),
}
_MAX_LABEL_BYTES = 1000
_FRAME = re.compile(r"(S\d{3})_\d{3}_\d{8}\b")


def find_sequences(root: Path, name: str) -> DataSet | None:
    """CK+'s sequences in ``root``, or None if their folder is not there.

    Raises:
        DataError: sequences without emotion files.
    """
    there = {what: [folder for folder in folders if (root / folder).is_dir()] for what, folders in _FOLDERS.items()}
    if not there[IMAGES]:
        return None
    if not there[EMOTION]:
        raise DataError(f"{root.name} has {IMAGES} but no folder {EMOTION} with the labels.")

    def read(called: str, split: str) -> FaceSet:
        listed = _listed(root, there[IMAGES][0], there[EMOTION][0])
        return faces_of_files(root, called, split, listed, cut=False)

    return CKPLUS.opened(name, "sequences with emotion files", root, ("all",), read)


def _listed(root: Path, images: str, emotion: str) -> list[Listed]:
    listed = []
    for subject in folders_in(root / emotion):
        for sequence in folders_in(subject):
            for label_file in sorted(sequence.glob("*_emotion.txt")):
                where = f"{images}/{subject.name}/{sequence.name}"
                frames = sorted(picture_names(root / where)) if (root / where).is_dir() else []
                if not frames:
                    raise DataError(f"{where} has no pictures, but there is {label_file.name}; copy the frames again.")
                label = _label(root, label_file.relative_to(root).as_posix())
                listed.append(Listed(f"{where}/{frames[-1]}", label, subject.name))
    return listed


def _label(root: Path, path: str) -> int:
    try:
        code = str(int(float(read_file(root, path, limit=_MAX_LABEL_BYTES))))
        return CKPLUS.label_of(code)
    except (ValueError, OverflowError) as error:
        raise DataError(f"{path} does not hold a code from 0 to 7; copy it again.") from error
    except DataError as error:
        raise DataError(f"{path}: {error}") from error


def _in_folders(signs: FolderSigns) -> PerEmotion | None:
    """Square pictures are cut faces; whole frames are 640×490."""
    if not signs.emotions or not _FRAME.match(signs.example.name):
        return None
    is_square = signs.header is not None and signs.header.width == signs.header.height
    return PerEmotion(signs.emotions, cut=is_square, subject=_subject)


def _subject(name: str) -> str:
    found = _FRAME.match(name)
    return found[1] if found else ""


CKPLUS = Layout(
    key="ckplus",
    title="CK+",
    codes=coded(range(8), ("neutral", "angry", "contempt", "disgust", "fear", "happy", "sad", "surprise")),
    names=("neutral", "anger", "contempt", "disgust", "fear", "happy", "sadness", "surprise"),
    find=(find_sequences,),
    in_folders=_in_folders,
    note="last frames",
    holds={"CK+": f"`{IMAGES}/` with `{EMOTION}/`, or one folder per emotion"},
)
