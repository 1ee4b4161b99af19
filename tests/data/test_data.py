"""FER2013 in its three layouts, and the three FER+ protocols."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest

from fer_core.data import VOTES, LabelledFaces, ferplus_labels, load_fer2013, vote_distribution
from fer_core.data.locate import find_dataset
from fer_core.emotions import EMOTIONS
from fer_core.errors import DataError
from tests.support.faces_csv import FERPLUS_COLUMNS

USAGES = ("Training", "Training", "PublicTest", "PrivateTest")


def votes(**given: int) -> list[int]:
    """A row in the order of ``VOTES``."""
    return [given.get(name, 0) for name in VOTES]


@pytest.fixture
def csv_folder(tmp_path: Path) -> Path:
    """Four pictures in the layout of the Kaggle challenge with FER+'s file beside it."""
    pictures = np.random.default_rng(0).integers(0, 256, (4, 48 * 48))
    pixels = [" ".join(map(str, picture)) for picture in pictures]
    pd.DataFrame({"emotion": [3, 0, 6, 4], "pixels": pixels, "Usage": USAGES}).to_csv(
        tmp_path / "fer2013.csv", index=False
    )
    table = pd.DataFrame(0, index=range(4), columns=list(FERPLUS_COLUMNS))
    table.loc[0, ["happiness", "neutral"]] = 9, 1
    table.loc[2, ["neutral", "sadness"]] = 6, 4
    table.insert(0, "Image name", [f"fer{i:07d}.png" for i in range(4)])
    table.insert(0, "Usage", list(USAGES))
    table.to_csv(tmp_path / "fer2013new.csv", index=False)
    return tmp_path


def test_the_kaggle_csv_with_votes(csv_folder: Path) -> None:
    faces = load_fer2013(csv_folder, "training")
    assert (len(faces), faces.images.shape) == (2, (2, 48, 48))
    assert [EMOTIONS[i] for i in faces.emotion] == ["happy", "angry"]
    assert faces.votes[0].tolist() == votes(happy=9, neutral=1)
    public = load_fer2013(csv_folder / "fer2013.csv", "public_test")
    assert public.ids.tolist() == ["2"]
    assert public.votes[0].tolist() == votes(neutral=6, sad=4)


def test_folders_of_pictures(tmp_path: Path) -> None:
    for name, grey in (("angry", 10), ("happiness", 200)):
        (tmp_path / "test" / name).mkdir(parents=True)
        cv2.imwrite(str(tmp_path / "test" / name / "a.png"), np.full((48, 48), grey, np.uint8))
    faces = load_fer2013(tmp_path, "test")
    assert faces.ids.tolist() == ["test/angry/a.png", "test/happiness/a.png"]
    assert [EMOTIONS[i] for i in faces.emotion] == ["angry", "happy"]
    assert faces.images[:, 0, 0].tolist() == [10, 200]
    assert not faces.has_votes
    with pytest.raises(DataError, match="needs FER"):
        ferplus_labels(faces.votes, "ferplus7")


def test_unreadable_data_is_named(tmp_path: Path, csv_folder: Path) -> None:
    with pytest.raises(DataError, match=r"Expected private_test.parquet, fer2013.csv, or the folders"):
        load_fer2013(tmp_path / "nothing", "private_test")
    (tmp_path / "training.parquet").write_bytes(b"PAR1 not really")
    with pytest.raises(DataError, match=r"training.parquet cannot be read"):
        load_fer2013(tmp_path, "training")
    (tmp_path / "test" / "sad").mkdir(parents=True)
    (tmp_path / "test" / "sad" / "broken.jpg").write_bytes(b"no picture")
    with pytest.raises(DataError, match=r"test/sad/broken.jpg is not a readable picture"):
        load_fer2013(tmp_path, "test")
    (csv_folder / "training.parquet").unlink()
    text = (csv_folder / "fer2013.csv").read_text().splitlines()
    (csv_folder / "fer2013.csv").write_text("\n".join([text[0], "3,1 2 3,Training", *text[2:]]))
    with pytest.raises(DataError, match="row 0 does not hold 48×48 pixels"):
        load_fer2013(csv_folder, "training")


def test_records_are_checked() -> None:
    with pytest.raises(DataError, match="one length"):
        LabelledFaces(np.array(["a"]), np.zeros((2, 4, 4), np.uint8), np.zeros(2, np.int64))
    with pytest.raises(DataError, match="uint8"):
        LabelledFaces(np.array(["a"]), np.zeros((1, 4, 4), np.float32), np.zeros(1, np.int64))


def test_the_data_set_is_found_or_the_way_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "fer2013").mkdir()
    monkeypatch.setenv("FER_DATA", str(tmp_path))
    assert find_dataset("fer2013") == tmp_path / "fer2013"
    with pytest.raises(DataError, match="has no folder rafdb"):
        find_dataset("rafdb")
    monkeypatch.delenv("FER_DATA")
    with pytest.raises(DataError, match="FER_DATA is not set"):
        find_dataset("fer2013")


@pytest.mark.parametrize(
    ("row", "seven", "majority", "argmax"),
    [
        (votes(happy=10), "happy", "happy", "happy"),
        (votes(happy=5, sad=5), None, None, "happy"),  # a tie; argmax takes the first
        (votes(angry=4, sad=3, neutral=3), "angry", None, "angry"),
        (votes(contempt=6, neutral=4), None, "contempt", "contempt"),
        (votes(unknown=6, sad=4), None, None, "sad"),
        (votes(nf=6, sad=4), None, None, None),
        (votes(happy=4, unknown=4, sad=2), None, None, "happy"),
        (votes(happy=5, sad=1, fear=1, angry=1, disgust=1, neutral=1), "happy", "happy", "happy"),  # singles are noise
    ],
)
def test_three_protocols(row: list[int], seven: str | None, majority: str | None, argmax: str | None) -> None:
    for protocol, expected in (("ferplus7", seven), ("ferplus8_majority", majority), ("ferplus8_argmax", argmax)):
        label = int(ferplus_labels(np.array([row]), protocol)[0])
        assert (None if label < 0 else VOTES[label]) == expected, protocol


def test_vote_shares_are_over_the_seven() -> None:
    shares = vote_distribution(np.array([votes(happy=6, sad=2, contempt=2), votes(unknown=10)]))
    np.testing.assert_allclose(shares[0, [3, 4]], [0.75, 0.25])
    assert shares[1].sum() == 0


def test_the_protocols_keep_the_known_numbers_of_real_images(fer2013_dir: Path) -> None:
    faces = load_fer2013(fer2013_dir, "private_test")
    kept = [
        int((ferplus_labels(faces.votes, name) >= 0).sum())
        for name in ("ferplus7", "ferplus8_majority", "ferplus8_argmax")
    ]
    assert (len(faces), kept) == (3589, [3350, 3153, 3573])
    np.testing.assert_array_equal(np.bincount(faces.emotion), [491, 55, 528, 879, 594, 416, 626])
