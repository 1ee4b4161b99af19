"""Describers of faces: how chips are cut for them, and dlib's network for real."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from fer_core.errors import InputError
from fer_core.faces import cut_squares, fitted_squares, make_detector
from fer_core.faces.identity import describers
from fer_core.faces.identity.describers import DescriberKind, make_describer, missing
from fer_core.faces.identity.likeness import Likeness
from fer_core.models.classifier import Classifier
from fer_core.video.pipeline import Settings, analyze
from fer_core.video.reader import VideoReader
from fer_core.video.store import open_analysis
from tests.support.clips import write_clip

RGB = NDArray[np.uint8]
PLACES = np.array([[0.3, 0.3], [0.7, 0.3], [0.5, 0.5], [0.35, 0.7], [0.65, 0.7]])


def in_square(square: NDArray[np.float64], points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Points of a picture in units of a square's side."""
    return np.asarray(np.linalg.solve(square[1:].T, (points - square[0]).T).T)


@pytest.mark.parametrize(("degrees", "side"), [(0, 100.0), (30, 55.0), (-140, 400.0)])
def test_landmarks_lie_where_they_are_wanted(degrees: float, side: float) -> None:
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    points = side * PLACES @ np.array([[c, s], [-s, c]]) + [40, 70]
    (square,) = fitted_squares(points[None].astype(np.float32), PLACES)
    np.testing.assert_allclose(in_square(square, points), PLACES, atol=1e-5)
    assert np.linalg.norm(square[1]) == pytest.approx(side, rel=1e-5)


def test_landmarks_that_fit_badly_are_as_near_as_can_be() -> None:
    """No other square that is moved, turned or scaled a little is nearer."""
    points = 100 * PLACES + np.random.default_rng(0).normal(0, 8, (5, 2))

    def far(square: NDArray[np.float64]) -> float:
        origin, x_axis, y_axis = square
        return float(((origin + PLACES[:, :1] * x_axis + PLACES[:, 1:] * y_axis - points) ** 2).sum())

    (best,) = fitted_squares(points[None].astype(np.float32), PLACES)
    for origin in (np.array([0.5, 0]), np.array([0, -0.5])):
        assert far(best) < far(np.stack([best[0] + origin, best[1], best[2]]))
    for turn in (
        np.array([[1.01, 0], [0, 1.01]]),
        np.array([[1, 0.01], [-0.01, 1]]),
        np.array([[1, -0.01], [0.01, 1]]),
    ):
        assert far(best) < far(np.stack([best[0], *(best[1:] @ turn)]))


def test_a_second_describer_of_one_name_is_a_bug() -> None:
    kind = describers.DESCRIBERS[describers.DEFAULT_DESCRIBER]
    with pytest.raises(ValueError, match="registered twice"):
        describers.register(DescriberKind(kind.name, kind.make, kind.lacks))


def test_likeness_in_another_order_is_refused() -> None:
    with pytest.raises(ValueError, match="joined ≤ jump"):
        Likeness(joined=0.7, jump=0.5, threshold=0.6, cut=0.8)


def test_what_is_missing_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(describers, "find_spec", lambda name: None)
    assert "pip install" in missing()
    with pytest.raises(InputError, match="needs one more package"):
        make_describer()


# --- dlib's network for real


@pytest.fixture(scope="module")
def others(videos_dir: Path) -> list[RGB]:
    """Pictures of a woman and of a man: the first frame of a clip, and one of another."""
    pictures = []
    for name, at_s in (("sad_to_happy.mp4", 15.0), ("face_then_none_vfr_hevc.mov", 1.5)):
        with VideoReader(videos_dir / name) as reader:
            pictures.append(next(iter(reader.frames(start_s=at_s))).image)
    return pictures


def described(*pictures: RGB) -> NDArray[np.float32]:
    describer, detector = make_describer(), make_detector("mtcnn")
    chips = []
    for picture in pictures:
        faces = detector.detect([picture])[0]
        chips.append(cut_squares(picture, fitted_squares(faces.landmarks[:1], describer.places), describer.size)[0])
    return describer.describe(np.stack(chips))


def test_one_person_is_near_and_two_are_far(portrait: RGB, others: list[RGB]) -> None:
    """Of a face that is larger, mirrored, darker and turned, against two other people."""
    turned = cv2.warpAffine(portrait, cv2.getRotationMatrix2D((160, 120), 15, 1), (320, 240))
    larger = cv2.resize(portrait, None, fx=2, fy=2)
    same = [portrait, larger, portrait[:, ::-1].copy(), (portrait * 0.6).astype(np.uint8), turned]
    vectors = described(*same, *others)
    assert vectors.shape == (7, 128) and vectors.dtype == np.float32
    apart = np.linalg.norm(vectors[:, None] - vectors[None], axis=2)
    likeness = make_describer().likeness
    assert apart[:5, :5].max() < likeness.joined
    assert apart[:5, 5:].min() > likeness.threshold and apart[5, 6] > likeness.threshold


@pytest.mark.parametrize("name", describers.DESCRIBERS)
def test_a_describer_has_the_name_it_is_chosen_by(name: str) -> None:
    describer = make_describer(name)
    assert describer.name == name and describer.version
    assert describer.places.shape == (5, 2) and 0 < describer.places.min() < describer.places.max() < 1


def test_no_face_gives_no_descriptor() -> None:
    assert make_describer().describe(np.zeros((0, 150, 150, 3), np.uint8)).shape == (0, 128)


def test_who_comes_back_after_somebody_else_is_the_same_person(
    tmp_path: Path, portrait: RGB, others: list[RGB], classifier: Classifier
) -> None:
    """A, B, A in one framing, with hard cuts: two people, the first of them twice."""

    def framed(picture: RGB) -> RGB:
        box = make_detector("mtcnn").detect([picture])[0].boxes[0]
        middle, half = (box[:2] + box[2:]) / 2, 1.1 * (box[3] - box[1])
        matrix = np.array(
            [[120 / half, 0, 160 - 120 / half * middle[0]], [0, 120 / half, 120 - 120 / half * middle[1]]]
        )
        return cv2.warpAffine(picture, matrix, (320, 240), borderMode=cv2.BORDER_REPLICATE)

    a, b = framed(portrait), framed(others[0])
    clip = write_clip(tmp_path / "c.mp4", [i / 10 for i in range(36)], pictures=[a] * 12 + [b] * 12 + [a] * 12)
    settings = Settings(identity=True)
    found = open_analysis(analyze(clip, tmp_path / "a", checkpoint=classifier, settings=settings))
    assert found.timeline()["track"].tolist() == [0] * 12 + [1] * 12 + [0] * 12
    assert found.recognition is not None and found.recognition["people"] == 2
    assert found.recognition["described"] <= 9
