"""The commands that measure how faces are cut: exact where the place of a face is known, and run on a few pictures."""

from __future__ import annotations

import json
from argparse import Namespace
from pathlib import Path

import cv2
import numpy as np
import pytest

from benchmarks import crop_match, pasted_faces
from benchmarks.pasted_faces import Answers, Variant, judged, matched, moved, paste, place_squares, scenes
from fer_core.data import VOTES, LabelledFaces
from fer_core.data.drawn import draw_face, grey, save_picture, write_csv
from fer_core.data.pictures import square
from fer_core.emotions import EMOTIONS
from fer_core.faces import CropGeometry, Faces, crop_faces, crop_squares, cut_squares, make_detector
from fer_core.faces.crops import MIDDLE, SIDE_PER_EYE_DISTANCE, SIDE_PER_EYE_MOUTH_DISTANCE

RGB = np.ndarray
HAPPY = EMOTIONS.index("happy")
PLACE = np.array([420, 230, 120])


def upright(place: np.ndarray) -> np.ndarray:
    """Landmarks (1, 5, 2) of a face that fills a place exactly as the training pictures do on average."""
    eyes, mouth = (MIDDLE[1] + sign / (2 * SIDE_PER_EYE_MOUTH_DISTANCE) for sign in (-1, 1))
    half = 1 / (2 * SIDE_PER_EYE_DISTANCE)
    x = MIDDLE[0]
    points = [(x - half, eyes), (x + half, eyes), (x, MIDDLE[1]), (x - 0.1, mouth), (x + 0.1, mouth)]
    return (place[:2] + place[2] * np.array([points])).astype(np.float32)


@pytest.fixture(scope="module")
def picture() -> np.ndarray:
    """A drawn face, 48 px, a little blurred: what is enlarged and made small again must come back."""
    return cv2.GaussianBlur(square(grey(draw_face(HAPPY, np.random.default_rng(0), size=(96, 96))), 48), (0, 0), 1.5)


def pasted(picture: np.ndarray, place: np.ndarray = PLACE) -> RGB:
    image = pasted_faces.background(np.random.default_rng(0))
    paste(image, picture, place)
    return image


def as_faces(landmarks: np.ndarray) -> Faces:
    return Faces(np.zeros((len(landmarks), 4), np.float32), np.ones(len(landmarks), np.float32), landmarks)


# --- pasting


@pytest.mark.parametrize("side", [60, 120, 250])
def test_a_pasted_face_comes_back_as_the_picture_that_it_was(picture: np.ndarray, side: int) -> None:
    place = np.array([420, 230, side])
    image = pasted(picture, place)
    np.testing.assert_allclose(crop_squares(upright(place)), place_squares(place[None]), atol=1e-3)
    crop = crop_faces(image, as_faces(upright(place)), CropGeometry())[0]
    assert np.ptp(crop[1:-1, 1:-1], axis=2).max() == 0, "the coloured background is not in it"
    assert np.abs(crop[..., 0].astype(int) - picture).max() <= 4
    exact = cut_squares(image, place_squares(place[None]), 48)[0]
    assert np.abs(exact.astype(int) - crop).max() <= 1


def test_a_shifted_cut_shows_the_face_at_another_place(picture: np.ndarray) -> None:
    image, squares = pasted(picture), crop_squares(upright(PLACE))
    expected = {"right": np.s_[:, 4:], "left": np.s_[:, :-4], "down": np.s_[4:], "up": np.s_[:-4]}
    at = {"right": np.s_[:, :-4], "left": np.s_[:, 4:], "down": np.s_[:-4], "up": np.s_[4:]}
    for way, part in expected.items():
        crop = cut_squares(image, moved(squares, 4, way), 48)[0, ..., 0].astype(int)
        assert np.abs(crop[at[way]] - picture[part]).max() <= 4, way
    np.testing.assert_array_equal(moved(squares, 4, ""), squares)


def test_a_shift_goes_along_the_axes_of_a_leaning_face() -> None:
    leaning = np.array([[[0.0, 0], [0, 96], [-96, 0]]])  # x axis downwards, y axis to the left
    assert moved(leaning, 12, "right")[0, 0].tolist() == [0, 24]
    assert moved(leaning, 12, "down")[0, 0].tolist() == [-24, 0]


def test_the_edge_of_a_pasted_picture_fades_into_the_background(picture: np.ndarray) -> None:
    before, after = pasted_faces.background(np.random.default_rng(0)).astype(int), pasted(picture).astype(int)
    x, y, side = PLACE
    fade = pasted_faces.fade_px(side)
    changed = np.zeros(before.shape[:2], bool)
    changed[y - fade : y + side + fade, x - fade : x + side + fade] = True
    np.testing.assert_array_equal(after[~changed], before[~changed])
    row = y + side // 2
    far = np.abs(after[row, x - fade : x] - before[row, x - fade : x]).sum()
    full = np.abs(after[row, x] - before[row, x - fade : x]).sum()
    assert 0 < far < 0.8 * full and (after[row, x - fade] == before[row, x - fade]).all()


def test_every_picture_is_pasted_once_and_none_over_another() -> None:
    pictures = [np.full((48, 48), 5 * i, np.uint8) for i in range(30)]
    found = list(scenes(pictures, seed=4))
    assert np.concatenate([scene.rows for scene in found]).tolist() == list(range(30))
    assert len(found) > 1 and all(scene.image.shape == (720, 1280, 3) for scene in found)
    for scene in found:
        boxes = pasted_faces.with_edges(scene.places)
        assert boxes.min() >= 0 and (boxes[:, 2] <= 1280).all() and (boxes[:, 3] <= 720).all()
        covered = np.zeros((720, 1280), int)
        for (x0, y0, x1, y1), (x, y, side), row in zip(boxes, scene.places, scene.rows, strict=True):
            covered[y0:y1, x0:x1] += 1
            assert 60 <= side <= 250 and (scene.image[y : y + side, x : x + side] == 5 * row).all()
        assert covered.max() == 1
    again = list(scenes(pictures, seed=4))
    assert all((one.image == other.image).all() for one, other in zip(found, again, strict=True))
    assert (next(scenes(pictures, seed=5)).image != found[0].image).any()


def test_boxes_are_matched_with_the_squares_that_they_cover() -> None:
    places = np.array([[0, 0, 100], [200, 0, 100], [400, 0, 100]])
    boxes = np.array([[210, 10, 290, 95], [0, 0, 54, 54], [20, 5, 80, 95]], np.float32)
    assert matched(boxes, places).tolist() == [2, 0, -1]
    assert matched(boxes[:0], places).tolist() == [-1, -1, -1]


def test_figures_of_six_faces_by_hand() -> None:
    truth = np.array([1, 1, 1, 1, 1, -1])  # the last has no label
    main, shifted = Variant(1.0), [Variant(1.0, 2, way) for way in ("right", "left", "down", "up")]
    told = Answers(
        direct=np.array([1, 1, 0, 0, 1, 1]),
        by_square=np.array([1, 1, 1, 0, 1, 1]),
        cut={
            main: np.array([1, 0, 1, 1, -1, 1]),  # the fifth was not found
            Variant(0.8): np.array([0, 0, 0, 0, -1, 1]),
            **{each: np.array([1, 1, 1, 0, -1, 1]) for each in shifted[:3]},
            shifted[3]: np.array([1, 1, 1, 1, -1, 1]),
        },
    )
    found = judged(told, truth, np.array([60, 89, 90, 250, 100, 100]), seed=0)
    assert (found["labelled"], found["n"], found["direct"], found["end_to_end"]) == (5, 4, 0.5, 0.75)
    assert found["difference"]["points"] == 25.0
    assert found["difference"]["low"] < 25 < found["difference"]["high"]
    assert (found["by_square"], found["same_answer"]) == (0.75, 0.25)
    assert found["margins"] == {"0.8": 0.0, "1": 0.75}
    assert found["shifts"] == {"2": {"right": 0.75, "left": 0.75, "down": 0.75, "up": 1.0, "mean": 0.8125}}
    assert [(band["from_px"], band["n"], band.get("direct")) for band in found["bands"]] == [
        (60, 2, 1.0), (90, 1, 0.0), (140, 1, 0.0),
    ]  # fmt: skip
    nothing = judged(told, truth * 0 - 1, np.full(6, 100), seed=0)
    assert nothing == {"labelled": 0, "margin": 1.0, "n": 0}


def test_intervals_are_paired() -> None:
    right = np.random.default_rng(0).random(400) < 0.5
    assert pasted_faces.difference(right, right, 0) == {"points": 0.0, "low": 0.0, "high": 0.0}
    worse = right & (np.arange(400) >= 40)
    points, low, high = pasted_faces.difference(right, worse, 0).values()
    lost = (right & ~worse).sum() / 400
    deviation = np.sqrt(lost * (1 - lost) / 400)
    assert points == pytest.approx(-100 * lost, abs=0.01)
    np.testing.assert_allclose([low, high], [points - 196 * deviation, points + 196 * deviation], atol=0.4)


# --- the commands


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory, portrait: RGB) -> Path:
    """FER2013's csv with six pictures in each split, all of one smiling face, one of them by two labels."""
    found = make_detector("mtcnn").detect([portrait])[0]
    image = cv2.cvtColor(crop_faces(portrait, found, CropGeometry())[0], cv2.COLOR_RGB2GRAY)
    votes = np.tile(10 * np.eye(len(VOTES), dtype=np.int64)[HAPPY], (6, 1))
    votes[5, HAPPY] = votes[5, 0] = 5
    splits = {
        split: LabelledFaces(np.arange(6 * i, 6 * i + 6).astype(str), np.stack([image] * 6), np.full(6, HAPPY), votes)
        for i, split in enumerate(("training", "public_test", "private_test"))
    }
    return write_csv(tmp_path_factory.mktemp("fer2013"), splits)


def printed(capsys: pytest.CaptureFixture[str]) -> str:
    return capsys.readouterr().out


def test_pasted_faces_are_found_and_read(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asked = ["--data", str(data), "--n", "6", "--margins", "0.9", "--shifts", "2"]
    assert pasted_faces.main([*asked, "--json", "--checkpoint", "mobilenetv2-ferplus", "mobilenetv2-fer2013"]) == 0
    found = json.loads(printed(capsys))
    assert (found["faces"], found["frames"]) == (6, 1) and found["found"] >= 5
    assert sum(band["n"] for band in found["bands"]) == 6
    plus, own = found["checkpoints"].values()
    assert (plus["labels"], plus["labelled"], own["labels"], own["labelled"]) == ("ferplus7", 5, "fer2013", 6)
    for each in (plus, own):
        assert each["direct"] == each["end_to_end"] == each["by_square"] == 1.0, "a broad smile"
        assert set(each["margins"]) == {"0.9", "1"} and set(each["shifts"]["2"]) == {
            "right", "left", "down", "up", "mean",
        }  # fmt: skip


def test_pasted_faces_are_told_in_words(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pasted_faces.show(
        pasted_faces.measure(
            pasted_faces.open_dataset(data).read("private_test").take(np.array([0, 5])),
            Namespace(checkpoint=["mobilenetv2-ferplus"], margins=[], shifts=[3.0], detector="mtcnn", seed=1),
        )
    )
    text = printed(capsys)
    assert "of 2 faces found in 1 frames" in text and "1 with a label" in text and "shift 3 px: right" in text


@pytest.fixture(scope="module")
def photo(tmp_path_factory: pytest.TempPathFactory, portrait: RGB) -> Path:
    return save_picture(tmp_path_factory.mktemp("photo") / "portrait.png", portrait)


def test_crops_of_the_same_face_lie_as_in_the_training_pictures(
    data: Path, photo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    blank = save_picture(tmp_path / "blank.png", np.full((200, 200, 3), 90, np.uint8))
    sheet = tmp_path / "sheet.png"
    asked = [str(photo), str(blank), "--data", str(data), "--n", "2", "--json", "--crops", str(sheet)]
    assert crop_match.main(asked) == 0
    found = json.loads(printed(capsys))
    assert list(found) == [crop_match.TRAINING, str(photo), str(blank), crop_match.EVERY_FILE]
    assert [(each["pictures"], each["marked"]) for each in found.values()] == [(2, 2), (1, 1), (0, 0), (1, 1)]
    for name in crop_match.NAMES:
        np.testing.assert_allclose(found[str(photo)][name]["quantiles"], found[crop_match.TRAINING][name]["quantiles"])
        assert found[str(photo)][name]["within"] == 1.0
    assert 0.3 < found[str(photo)]["eye_distance"]["quantiles"][2] < 0.45
    assert cv2.imread(str(sheet)).shape == (2 * (48 + 4 + 48 + 4 + 4), 2 * 20 * 48, 3)


def test_a_wider_cut_is_seen_in_the_distances(data: Path, photo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    eyes = []
    for margin in ("1.0", "1.4"):
        asked = [str(photo), "--data", str(data), "--n", "1", "--margin", margin]
        crop_match.main([*asked, "--json"])
        found = json.loads(printed(capsys))[str(photo)]
        eyes.append(found["eye_distance"]["quantiles"][2])
    assert eyes[0] / eyes[1] == pytest.approx(1.4, rel=0.08) and found["eye_distance"]["within"] == 0.0
    crop_match.main(asked)
    assert "portrait.png" in (text := printed(capsys)) and "eye_mouth_distance" in text and "0.0%" in text


def test_measures_of_landmarks_by_hand() -> None:
    points = np.array([[[0.3, 0.4], [0.7, 0.4], [0.5, 0.5], [0.4, 0.8], [0.6, 0.8]]])
    found = {name: values.tolist() for name, values in crop_match.measures(points).items()}
    assert {name: values[0] for name, values in found.items()} == pytest.approx(
        {"eye_distance": 0.4, "eye_mouth_distance": 0.4, "middle_x": 0.5, "middle_y": 0.6, "lean_deg": 0.0}
    )
    spread = crop_match.spread(np.array([1.0, 2, 3, 4]), np.arange(11.0))
    assert spread["within"] == 1.0 and spread["quantiles"][2] == 2.5
    assert crop_match.spread(np.array([0.0, 5, 10, 9]), np.arange(11.0))["within"] == 0.5
    assert crop_match.spread(np.array([1.0]), np.zeros(0))["within"] is None
