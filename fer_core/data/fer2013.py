"""FER2013 with its FER+ votes, in the three layouts in which people have it.

* ``<split>.parquet``: columns ``row``, ``emotion``, ``image`` (encoded picture) and ``votes_*``;
* ``fer2013.csv`` of the Kaggle challenge (``emotion``, ``pixels``, ``Usage``), with FER+'s ``fer2013new.csv`` beside
  it if there are votes;
* Kaggle's folders ``train/angry/*.jpg`` and ``test/angry/*.jpg`` (here ``test`` is public and private test together).
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fer_core.data.records import VOTES, LabelledFaces
from fer_core.emotions import DATASET_CODES, EMOTIONS, emotion_of_name
from fer_core.errors import DataError

SPLITS: tuple[str, ...] = ("training", "public_test", "private_test")
SIZE_PX = 48
_USAGE = {"training": "Training", "public_test": "PublicTest", "private_test": "PrivateTest"}
_FOLDERS = {"training": "train", "test": "test"}


def load_fer2013(root: str | Path, split: str) -> LabelledFaces:
    """Read one split of FER2013 from ``root`` (a folder in one of the layouts above, or the csv itself).

    Raises:
        DataError: nothing readable there, or the split is unknown; the message says what was looked for.
    """
    root = Path(root)
    folder = root.parent if root.suffix == ".csv" else root
    if (folder / f"{split}.parquet").is_file():
        return _from_parquet(folder / f"{split}.parquet")
    if (folder / "fer2013.csv").is_file() and split in _USAGE:
        return _from_csv(folder, split)
    if split in _FOLDERS and (folder / _FOLDERS[split]).is_dir():
        return _from_folders(folder / _FOLDERS[split])
    raise DataError(
        f"No split {split!r} of FER2013 in {root}. Expected {split}.parquet, fer2013.csv, or the folders train/ and "
        f"test/ with one folder per emotion. Splits are {', '.join(SPLITS)} (folders: training, test)."
    )


def decode_grey(data: bytes, name: str) -> NDArray[np.uint8]:
    """Decode one encoded picture to grey uint8 (48, 48). Raises ``DataError`` with ``name`` if it is none."""
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_GRAYSCALE) if data else None
    if image is None:
        raise DataError(f"{name} is not a readable picture; remove it or copy it again.")
    if image.shape != (SIZE_PX, SIZE_PX):
        image = cv2.resize(image, (SIZE_PX, SIZE_PX), interpolation=cv2.INTER_AREA)
    return np.asarray(image, np.uint8)


def _from_parquet(path: Path) -> LabelledFaces:
    try:
        table = pd.read_parquet(path)
    except (OSError, ValueError) as error:
        raise DataError(f"{path.name} cannot be read as a parquet table ({error}); copy it again.") from error
    missing = {"row", "emotion", "image"} - set(table)
    if missing:
        raise DataError(f"{path.name} lacks the columns {', '.join(sorted(missing))}.")
    images = [
        decode_grey(data, f"Row {row} of {path.name}") for row, data in zip(table["row"], table["image"], strict=True)
    ]
    return LabelledFaces(
        ids=table["row"].astype(str).to_numpy(str),
        images=_stack(images),
        emotion=table["emotion"].to_numpy(np.int64),
        votes=_vote_columns(table),
    )


def _vote_columns(table: pd.DataFrame) -> NDArray[np.int64]:
    """Votes (n, 10) from columns such as ``votes_happiness``, or (n, 0) if the table has none."""
    columns: dict[str, str] = {}
    for column in table.columns:
        if column.startswith("votes_"):
            name = column.removeprefix("votes_")
            columns[name if name in VOTES else emotion_of_name(name)] = column
    if set(columns) != set(VOTES):
        return np.zeros((len(table), 0), np.int64)
    return table[[columns[name] for name in VOTES]].to_numpy(np.int64)


def _from_csv(folder: Path, split: str) -> LabelledFaces:
    table = pd.read_csv(folder / "fer2013.csv")
    missing = {"emotion", "pixels", "Usage"} - set(table)
    if missing:
        raise DataError(f"fer2013.csv lacks the columns {', '.join(sorted(missing))}.")
    chosen = (table["Usage"] == _USAGE[split]).to_numpy()
    rows = np.flatnonzero(chosen)
    pixels = [np.array(text.split(), np.uint8) for text in table.loc[chosen, "pixels"]]
    wrong = [int(row) for row, values in zip(rows, pixels, strict=True) if values.size != SIZE_PX * SIZE_PX]
    if wrong:
        raise DataError(
            f"fer2013.csv: row {wrong[0]} does not hold {SIZE_PX}×{SIZE_PX} pixels ({len(wrong)} such rows)."
        )
    return LabelledFaces(
        ids=rows.astype(str),
        images=_stack([values.reshape(SIZE_PX, SIZE_PX) for values in pixels]),
        emotion=table.loc[chosen, "emotion"].to_numpy(np.int64),
        votes=_ferplus_csv(folder / "fer2013new.csv", len(table))[chosen],
    )


def _ferplus_csv(path: Path, n: int) -> NDArray[np.int64]:
    """Votes (n, 10) in our order from FER+'s csv, or (n, 0) if it is not there."""
    if not path.is_file():
        return np.zeros((n, 0), np.int64)
    table = pd.read_csv(path)
    if len(table) != n or table.shape[1] != 12:
        raise DataError(f"{path.name} has {table.shape}; expected ({n}, 12), row for row with fer2013.csv.")
    theirs = [*DATASET_CODES["ferplus"].values(), "unknown", "nf"]
    return table.iloc[:, 2:].to_numpy(np.int64)[:, [theirs.index(name) for name in VOTES]]


def _from_folders(root: Path) -> LabelledFaces:
    files: list[Path] = []
    emotion: list[int] = []
    for folder in sorted(path for path in root.iterdir() if path.is_dir()):
        pictures = sorted(p for p in folder.iterdir() if p.suffix.lower() in (".jpg", ".jpeg", ".png", ".webp"))
        files += pictures
        emotion += [EMOTIONS.index(emotion_of_name(folder.name))] * len(pictures)
    return LabelledFaces(
        ids=np.array([str(path.relative_to(root.parent)) for path in files], dtype=str),
        images=_stack([decode_grey(path.read_bytes(), str(path.relative_to(root.parent))) for path in files]),
        emotion=np.array(emotion, np.int64),
    )


def _stack(images: list[NDArray]) -> NDArray[np.uint8]:
    return np.stack(images) if images else np.zeros((0, SIZE_PX, SIZE_PX), np.uint8)
