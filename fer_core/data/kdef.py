"""KDEF: everything stands in the names of the files, wherever they lie (Lundqvist et al. 1998).

``AF01ANS.JPG`` is series A, woman 01, angry, straight. Only pictures from the front are read; others are counted.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from pathlib import Path

from fer_core.data.layout import Layout, coded
from fer_core.data.pictures import Listed, faces_of_files, first_picture, folders_in, picture_names
from fer_core.data.records import DataSet, FaceSet

_NAME = re.compile(r"[AB]([FM]\d{2})(AF|AN|DI|HA|NE|SA|SU)(FL|HL|S|HR|FR)\.jpe?g", re.IGNORECASE)


def find_kdef(root: Path, name: str) -> DataSet | None:
    """KDEF in ``root`` or the two levels of folders below it, or None if no picture there is called like its."""
    below = folders_in(root)
    places = [root, *below, *(each for folder in below for each in folders_in(folder))]
    if not any((picture := first_picture(place)) and _NAME.fullmatch(picture.name) for place in places):
        return None

    def read(called: str, split: str) -> FaceSet:
        listed, left_out = _listed(root)
        return faces_of_files(root, called, split, listed, cut=False, left_out=left_out)

    return KDEF.opened(name, "file names", root, ("all",), read)


def _listed(root: Path) -> tuple[list[Listed], dict[str, int]]:
    listed, left_out = [], Counter[str]()
    for folder, below, _ in os.walk(root):
        below.sort()
        where = Path(folder).relative_to(root)
        for name in sorted(picture_names(Path(folder))):
            match = _NAME.fullmatch(name)
            if match is None:
                left_out["name of another kind"] += 1
            elif match[3].upper() != "S":
                left_out["not from the front"] += 1
            else:
                label = KDEF.label_of(match[2].upper())
                listed.append(Listed((where / name).as_posix(), label, match[1].upper()))
    return listed, dict(left_out)


KDEF = Layout(
    key="kdef",
    title="KDEF",
    codes=coded(  # characters 5 and 6 of the file name
        ("AN", "DI", "AF", "HA", "SA", "SU", "NE"),
        ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral"),
    ),
    names=("angry", "disgusted", "afraid", "happy", "sad", "surprised", "neutral"),
    find=(find_kdef,),
    note="from the front",
    holds={"KDEF": "pictures named like `AF01ANS.JPG`; frontal views are used"},
)
