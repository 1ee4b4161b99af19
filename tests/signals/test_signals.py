"""Signals: what each says of faces whose answer is known, and that the list of them keeps order."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from fer_core.emotions import DEFAULT_GROUP_MAP, EMOTIONS
from fer_core.errors import InputError
from fer_core.faces import Faces, make_detector
from fer_core.signals import POSE, QUALITY, SIGNALS, VALENCE, Column, Seen, head_pose, measured, register, viewed
from fer_core.signals.pose import MEAN_FACE
from fer_core.video.reader import VideoReader
from tests.support import ROOT
from tests.support.turned import rotation

RGB = NDArray[np.uint8]
SAMPLE = ROOT / "dashboard" / "sample" / "sample.mp4"
TURNS = [(0, 0, 0), (30, 0, 0), (-30, 0, 0), (0, 25, 0), (0, -25, 0), (0, 0, 40), (0, 0, -170), (35, -20, 15)]


# --- valence


def valence(p: dict[str, float], **groups: str) -> float:
    seen = Seen(
        probabilities=np.array([[p.get(label, 0.0) for label in EMOTIONS]], np.float32),
        labels=EMOTIONS,
        groups=dict(DEFAULT_GROUP_MAP) | groups,
    )
    return float(VALENCE.of(seen)[0, 0])


def test_valence_is_positive_less_negative_by_the_groups_in_force() -> None:
    mixed = {"happy": 0.5, "sad": 0.2, "fear": 0.1, "surprise": 0.15, "neutral": 0.05}
    assert valence(mixed) == pytest.approx(0.5 - 0.3)
    assert valence(mixed, surprise="positive") == pytest.approx(0.65 - 0.3)
    assert valence(mixed, surprise="surprise") == pytest.approx(0.5 - 0.3)
    assert (valence({"happy": 1}), valence({"angry": 1}), valence({"neutral": 1})) == (1, -1, 0)


# --- pose


def seen_from(points: NDArray, distance: float = 8.0) -> NDArray:
    """Points (5, 3) through a pinhole so many eye distances away, 60 px an eye distance."""
    return np.asarray(points[:, :2] * (distance / (distance - points[:, 2:])) * 60 + 200)


@pytest.mark.parametrize("turn", TURNS)
def test_a_turned_mean_face_is_turned_so_far(turn: tuple[float, float, float]) -> None:
    flat = 50 * (MEAN_FACE @ rotation(*turn).T)[:, :2] + 300
    np.testing.assert_allclose(head_pose(flat[None].astype(np.float32))[0], turn, atol=0.05)


def test_pose_is_near_for_faces_that_are_not_the_mean() -> None:
    """200 people: each coordinate of their points differs from the mean face by 10 % (normal), seen from near by, with
    landmarks off by 2 % of the eye distance."""
    random = np.random.default_rng(0)
    turns = random.uniform((-45, -30, -40), (45, 30, 40), (200, 3))
    people = MEAN_FACE * (1 + 0.1 * random.standard_normal((200, 5, 3)))
    marks = [
        seen_from((each - each.mean(axis=0)) @ rotation(*turn).T) for each, turn in zip(people, turns, strict=True)
    ]
    noisy = np.stack(marks) + 0.02 * 60 * random.standard_normal((200, 5, 2))
    error = np.median(np.abs(head_pose(noisy.astype(np.float32)) - turns), axis=0)
    assert (error <= (8, 10, 3)).all(), error


def test_no_pose_without_a_face_or_with_all_points_on_a_line() -> None:
    assert head_pose(np.zeros((0, 5, 2), np.float32)).shape == (0, 3)
    line = np.stack([np.arange(5), np.arange(5)], axis=1)
    assert np.isnan(head_pose(np.stack([np.zeros((5, 2)), line]).astype(np.float32))).all()


def turn_picture(picture: RGB, degrees: float) -> RGB:
    import cv2

    middle = (picture.shape[1] / 2, picture.shape[0] / 2)
    matrix = cv2.getRotationMatrix2D(middle, -degrees, 1.0)  # clockwise
    return np.asarray(cv2.warpAffine(picture, matrix, picture.shape[1::-1], borderMode=cv2.BORDER_REPLICATE))


def test_mirrors_and_turns_of_the_sample_through_the_detector() -> None:
    detector = make_detector("mtcnn")

    def pose(picture: RGB) -> NDArray[np.float32]:
        (faces,) = detector.detect([np.ascontiguousarray(picture)])
        assert isinstance(faces, Faces) and len(faces) == 1
        return np.asarray(POSE.of(Seen(landmarks=faces.landmarks))[0])

    with VideoReader(SAMPLE) as reader:
        times_s = (0.0, 3.0, 5.0, 8.0, 10.0, 11.0, 13.0)
        pictures = [frame.image for frame in reader.frames(per_second=1.0) if frame.time_s in times_s]
    assert len(pictures) == len(times_s)
    straight, mirrored, leaning = (
        np.stack([pose(change(picture)) for picture in pictures])
        for change in (lambda it: it, lambda it: it[:, ::-1], lambda it: turn_picture(it, 12))
    )
    # MTCNN's own landmarks are not quite those of the mirror image, so single frames are farther off
    assert np.median(np.abs(mirrored[:, 0] + straight[:, 0])) <= 3
    assert np.abs(mirrored[:, 0] + straight[:, 0]).max() <= 6
    assert np.abs(leaning[:, 2] - straight[:, 2] - 12).max() <= 3


# --- quality


def test_quality_is_that_of_the_crops() -> None:
    crops = np.zeros((2, 8, 8, 3), np.uint8)
    crops[1, :, 4:] = 255
    found = QUALITY.of(Seen(crops=crops))
    assert found.shape == (2, 2) and found.dtype == np.float32
    assert found[0].tolist() == [0, 0] and found[1, 1] == pytest.approx(0.5) and found[1, 0] > 0


# --- the list


class Toy:
    name, needs = "toy", "landmarks"
    columns = (Column("toy", "a toy"),)

    def of(self, seen: Seen) -> NDArray[np.float32]:
        assert seen.landmarks is not None
        return np.zeros((len(seen.landmarks), 1), np.float32)


def test_a_name_or_column_is_taken_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fer_core.signals.base.SIGNALS", dict(SIGNALS))
    register(Toy())
    with pytest.raises(ValueError, match="There is a signal toy already"):
        register(Toy())
    other = Toy()
    other.name = "other"
    with pytest.raises(ValueError, match="There is a column toy already"):
        register(other)
    other.needs = "thoughts"
    with pytest.raises(ValueError, match="needs 'thoughts'"):
        register(other)


def test_signals_are_measured_or_viewed_and_their_columns_are_whole() -> None:
    assert {signal.name for signal in (*measured(), *viewed())} == set(SIGNALS)
    assert QUALITY in measured() and {POSE, VALENCE} <= set(viewed())
    with pytest.raises(ValueError, match="finite range"):
        Column("endless", "a line without end", drawn="Endless")
    with pytest.raises(ValueError, match="expected one of"):
        Column("odd", "of no known type", dtype="complex64")
    assert replace(VALENCE.columns[0], drawn="").name == "valence"


def test_what_does_not_fit_together_is_refused() -> None:
    with pytest.raises(InputError, match="equally many"):
        Seen(crops=np.zeros((2, 8, 8, 3), np.uint8), landmarks=np.zeros((1, 5, 2), np.float32))
    with pytest.raises(InputError, match=r"Expected probabilities \(n, 7\)"):
        Seen(probabilities=np.zeros((1, 6)), labels=EMOTIONS)
