"""Small data sets of drawn faces, in every layout that ``fer_core.data.open_dataset`` knows."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from fer_core.data import load_fer2013
from fer_core.data.drawn import draw_face, save_picture, write_folders, write_parquet
from fer_core.data.drawn import grey as as_grey
from fer_core.data.fer2013 import SPLITS
from tests.support.faces_csv import write_fer2013_csv

AFFECTNET_NAMES = (
    "subDirectory_filePath,face_x,face_y,face_width,face_height,facial_landmarks,expression,valence,arousal"
)


def draw(path: Path, emotion: int = 3, *, size: tuple[int, int] = (60, 60), grey: bool = False) -> Path:
    """Write a drawn face of (width, height); the ending of ``path`` is the format."""
    face = draw_face(emotion, np.random.default_rng(emotion), size=size)
    return save_picture(path, as_grey(face) if grey else face)


def fer2013_csv(folder: Path) -> Path:
    """FER2013's csv with votes: 14 pictures to train on, 7 in each test split; labels 0, 1, … 6, 0, …"""
    return write_fer2013_csv(folder, n_training=14, n_test=7)


def fer2013_parquet(folder: Path, source: Path) -> Path:
    """The pictures of ``source`` (see ``fer2013_csv``) as parquet tables, in row groups of three."""
    return write_parquet(folder, {split: load_fer2013(source, split) for split in SPLITS}, row_group_size=3)


def fer2013_folders(folder: Path, source: Path) -> Path:
    """The pictures of ``source`` in Kaggle's folders, without loss."""
    return write_folders(folder, {split: load_fer2013(source, split) for split in SPLITS}, suffix=".png")


def affectnet_lists(folder: Path) -> Path:
    """Two lists: photos of 100×80 with the face at 30, 20 (60×60), and one of each kind that is left out."""
    images = folder / "Manually_Annotated_Images"
    draw(images / "1/smile.jpg", size=(100, 80))
    draw(images / "1/angry, very.png", 0, size=(100, 80))
    draw(images / "2/contempt.jpg", 5, size=(100, 80))
    lists = folder / "Manually_Annotated_file_lists"
    lists.mkdir()
    box = "30,20,60,60,1.0;2.0"
    rows = [
        f"1/smile.jpg,{box},1,0.8,0.1", f'"1/angry, very.png",{box},6,-0.5,0.5', f"1/gone.jpg,{box},8,-2,-2",
        f"1/gone.jpg,{box},9,-2,-2", "1/gone.jpg,NULL,NULL,NULL,NULL,NULL,10,-2,-2", f"1/gone.jpg,{box},10,-2,-2",
        "1/nobox.jpg,NULL,NULL,NULL,NULL,NULL,1,-2,-2",
    ]  # fmt: skip
    (lists / "training.csv").write_text("\n".join([AFFECTNET_NAMES, *rows]) + "\n")
    (lists / "validation.csv").write_text(f"2/contempt.jpg,{box},7,-0.4,0.2\n")  # the published one has no names
    return folder


def affectnet_arrays(folder: Path) -> Path:
    """Cut faces with arrays: happy (1), surprise (3) and an uncertain one (9) to train on, anger (6) to validate on."""
    for split, labels in (("train_set", (1, 3, 9)), ("val_set", (6,))):
        (folder / split / "annotations").mkdir(parents=True)
        for i, label in enumerate(labels):
            draw(folder / split / "images" / f"{i}.jpg", i)
            np.save(folder / split / "annotations" / f"{i}_exp.npy", np.array(str(label)))
            np.save(folder / split / "annotations" / f"{i}_val.npy", np.array("0.5"))
    return folder


def rafdb(folder: Path) -> Path:
    """RAF-DB's list with three pictures to train on (happy 4, anger 6, neutral 7) and one to test on (surprise 1)."""
    lines = {"train_00001": 4, "train_00002": 6, "train_00003": 7, "test_0001": 1}
    for i, name in enumerate(lines):
        draw(folder / "Image/aligned" / f"{name}_aligned.jpg", i, size=(100, 100))
        draw(folder / "Image/original" / f"{name}.jpg", i, size=(200, 150))
    (folder / "EmoLabel").mkdir()
    text = "".join(f"{name}.jpg {label}\n" for name, label in lines.items())
    (folder / "EmoLabel/list_patition_label.txt").write_text(text)
    return folder


def kdef(folder: Path) -> Path:
    """Woman 01 and man 12 of KDEF from the front and from the side, and the misnamed file of the published set."""
    for name in ("AF01ANS", "AF01AFS", "AF01SUHL", "AF01HAFR", "AF31V"):
        draw(folder / "KDEF_and_AKDEF/KDEF/AF01" / f"{name}.JPG", size=(56, 76))
    draw(folder / "KDEF_and_AKDEF/KDEF/BM12/BM12DIS.JPG", size=(56, 76))
    return folder


def ckplus_sequences(folder: Path) -> Path:
    """Three sequences of CK+, the last one without an emotion file."""
    for sequence, n in (("S005/001", 11), ("S010/004", 2), ("S010/005", 3)):
        name = sequence.replace("/", "_")
        for i in range(1, n + 1):
            draw(folder / "cohn-kanade-images" / sequence / f"{name}_{i:08d}.png", size=(64, 49), grey=True)
    for sequence, name, text in (
        ("S005/001", "S005_001_00000011", "   3.0000000e+00\n"),
        ("S010/004", "S010_004_00000002", "   2.0000000e+00\n"),
    ):
        (folder / "Emotion" / sequence).mkdir(parents=True)
        (folder / "Emotion" / sequence / f"{name}_emotion.txt").write_text(text)
    (folder / "Emotion/S010/005").mkdir()
    return folder


def ckplus_folders(folder: Path, *, size: tuple[int, int] = (48, 48)) -> Path:
    """CK+ as it is passed on: anger, contempt and happy with the names of frames."""
    for emotion, name in (
        ("anger", "S010_004_00000017"),
        ("contempt", "S138_008_00000007"),
        ("happy", "S010_006_00000013"),
    ):
        draw(folder / "CK+48" / emotion / f"{name}.png", size=size, grey=True)
    return folder


def per_emotion(folder: Path, names: dict[str, int], *, split: str = "", suffix: str = ".jpg") -> Path:
    """``names`` maps a folder's name to how many colour pictures it gets."""
    for i, (name, n) in enumerate(names.items()):
        (folder / split / name).mkdir(parents=True, exist_ok=True)
        for k in range(n):
            draw(folder / split / name / f"{k}{suffix}", i % 7, size=(50 + 10 * k, 50))
    return folder
