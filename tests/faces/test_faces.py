"""Faces: detection, people, and crops that are cut as the training pictures were."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from fer_core.errors import CheckpointError, InputError
from fer_core.faces import CropGeometry, Faces, crop_faces, make_detector
from fer_core.faces.crops import crop_qualities, crop_squares
from fer_core.video.reader import VideoReader

RGB = NDArray[np.uint8]
UPRIGHT = np.array([[30, 40], [70, 40], [50, 60], [35, 80], [65, 80]], np.float32)


def faces_at(*boxes: tuple[float, float, float]) -> Faces:
    """Faces as squares (x, y of the upper left corner, side), with landmarks where a face has them."""
    landmarks = [np.array([x, y]) + UPRIGHT / 100 * side for x, y, side in boxes]
    return Faces(
        np.array([[x, y, x + side, y + side] for x, y, side in boxes], np.float32).reshape(-1, 4),
        np.full(len(boxes), 0.99, np.float32),
        np.array(landmarks, np.float32).reshape(-1, 5, 2),
    )


@pytest.fixture(scope="module")
def two_faces(portrait: RGB) -> RGB:
    return np.hstack([portrait, portrait[:, ::-1]])


# --- detection


def test_a_face_is_found_where_it_is(portrait: RGB) -> None:
    faces = make_detector("mtcnn").detect([portrait])[0]
    assert len(faces) == 1 and faces.scores[0] > 0.99
    x0, y0, x1, y1 = faces.boxes[0]
    left_eye, right_eye, nose, *_ = faces.landmarks[0]
    assert left_eye[0] < nose[0] < right_eye[0] and max(left_eye[1], right_eye[1]) < nose[1]
    assert x0 < left_eye[0] and right_eye[0] < x1 and y0 < left_eye[1] and nose[1] < y1


def test_detection_of_a_batch_is_that_of_singles(portrait: RGB, two_faces: RGB) -> None:
    """Faceless pictures and pictures of other sizes among them."""
    detector = make_detector("mtcnn")
    blank = np.full_like(portrait, 128)
    images = [portrait, blank, portrait[:, ::-1].copy(), two_faces]
    batch = detector.detect(images)
    singles = [detector.detect([image])[0] for image in images]
    assert [len(faces) for faces in batch] == [1, 0, 1, 2]
    for one, other in zip(batch, singles, strict=True):
        np.testing.assert_allclose(one.boxes, other.boxes, atol=0.05)
        np.testing.assert_allclose(one.landmarks, other.landmarks, atol=0.05)
        np.testing.assert_allclose(one.scores, other.scores, atol=1e-4)


def test_small_faces_are_left_out_on_demand(portrait: RGB) -> None:
    assert len(make_detector("mtcnn", min_face_px=60).detect([portrait])[0]) == 1
    assert len(make_detector("mtcnn", min_face_px=200).detect([portrait])[0]) == 0
    assert len(make_detector("mtcnn").detect([np.zeros((8, 8, 3), np.uint8)])[0]) == 0


@pytest.mark.parametrize("image", [np.zeros((9, 9), np.uint8), np.zeros((9, 9, 3), np.float32), "face.png"])
def test_what_is_no_rgb_picture_is_refused(image: object) -> None:
    with pytest.raises(InputError, match="Expected an RGB picture uint8"):
        make_detector("mtcnn").detect([image])  # type: ignore[list-item]


def test_impossible_detectors_are_refused() -> None:
    with pytest.raises(InputError, match="known are mtcnn"):
        make_detector("haarcascade")
    with pytest.raises(InputError, match="12 to 2000 px, got 0"):
        make_detector("mtcnn", min_face_px=0)


# --- crops


def test_crops_put_eyes_and_mouth_where_training_pictures_have_them() -> None:
    """The middle between eyes and mouth at (0.505, 0.583) of the side, eyes level, whatever the size and the tilt."""
    for angle, scale in ((0.0, 1.0), (25.0, 3.0), (-40.0, 0.5)):
        turn = cv2.getRotationMatrix2D((50, 60), angle, scale)
        points = (UPRIGHT @ turn[:, :2].T + turn[:, 2]).astype(np.float32)
        origin, x_axis, y_axis = crop_squares(points[None])[0]
        inside = np.linalg.solve(np.stack([x_axis, y_axis], axis=1), (points - origin).T).T
        middle = (inside[:2].mean(axis=0) + inside[3:].mean(axis=0)) / 2
        np.testing.assert_allclose(middle, [0.505, 0.583], atol=0.002)
        assert inside[0, 1] == pytest.approx(inside[1, 1], abs=1e-3)
        assert np.linalg.norm(x_axis) == pytest.approx(max(2.52 * 40, 2.26 * 40) * scale, rel=0.01)


def test_a_larger_margin_keeps_the_middle_and_shows_more() -> None:
    close, wide = (crop_squares(UPRIGHT[None], margin)[0] for margin in (1.0, 1.5))
    np.testing.assert_allclose(np.linalg.norm(wide[1]), 1.5 * np.linalg.norm(close[1]))
    np.testing.assert_allclose(wide[0] + wide[1:].sum(axis=0) / 2, close[0] + close[1:].sum(axis=0) / 2)


def test_crops_of_a_batch_are_those_of_singles(two_faces: RGB) -> None:
    faces = make_detector("mtcnn").detect([two_faces])[0]
    together = crop_faces(two_faces, faces, CropGeometry())
    assert together.shape == (2, 48, 48, 3)
    for i in range(2):
        np.testing.assert_array_equal(crop_faces(two_faces, faces[np.array([i])], CropGeometry())[0], together[i])
    assert crop_faces(two_faces, Faces.none(), CropGeometry()).shape == (0, 48, 48, 3)


def test_a_tilted_and_enlarged_picture_gives_the_same_crop(portrait: RGB) -> None:
    straight = make_detector("mtcnn").detect([portrait])[0]
    turn = cv2.getRotationMatrix2D((160, 120), 20, 1.4)
    turned = cv2.warpAffine(portrait, turn, (400, 320))
    points = (straight.landmarks[0] @ turn[:, :2].T + turn[:, 2]).astype(np.float32)
    moved = Faces(straight.boxes, straight.scores, points[None])
    one, other = crop_faces(portrait, straight, CropGeometry()), crop_faces(turned, moved, CropGeometry())
    assert np.abs(one.astype(int) - other).mean() < 4


def test_crops_outside_the_picture_repeat_its_edge() -> None:
    picture = np.full((60, 60, 3), (200, 30, 60), np.uint8)
    crop = crop_faces(picture, faces_at((-30, -30, 60)), CropGeometry())
    np.testing.assert_array_equal(crop, np.broadcast_to((200, 30, 60), crop.shape))


def test_colours_stay_rgb_from_the_file_to_the_crop(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "red.png"), np.full((60, 60, 3), (0, 0, 255), np.uint8))  # OpenCV writes BGR
    with VideoReader(tmp_path / "red.png") as reader:
        picture = next(iter(reader.frames())).image
    assert crop_faces(picture, faces_at((5, 5, 50)), CropGeometry())[0, 24, 24].tolist() == [255, 0, 0]


def test_qualities_by_hand() -> None:
    flat = np.full((16, 16, 3), 51, np.uint8)
    checks = (np.indices((16, 16)).sum(axis=0) % 2 * 255).astype(np.uint8)[..., None].repeat(3, axis=2)
    found = crop_qualities(np.stack([flat, checks]))
    np.testing.assert_allclose(found["brightness"], [0.2, 0.5], atol=1e-3)
    assert found["sharpness"][0] == 0 and found["sharpness"][1] > 10_000


def test_impossible_geometries_are_refused() -> None:
    with pytest.raises(CheckpointError, match="Unknown face alignment 'nose'"):
        CropGeometry(align="nose")
    with pytest.raises(CheckpointError, match="outside 8-1024 px"):
        CropGeometry(size=0)


def test_records_are_checked() -> None:
    with pytest.raises(InputError, match=r"Expected boxes \(n, 4\)"):
        Faces(np.zeros((2, 4), np.float32), np.zeros(1, np.float32), np.zeros((2, 5, 2), np.float32))


def test_the_package_does_not_load_a_detector() -> None:
    code = "import sys, fer_core.faces; print('facenet_pytorch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
