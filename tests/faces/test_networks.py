"""Our way through MTCNN's networks against facenet-pytorch's own, step by step and as a whole."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from facenet_pytorch.models.mtcnn import MTCNN, ONet, PNet, RNet
from facenet_pytorch.models.utils import detect_face
from torch.nn import functional as F

from fer_core.faces import Faces
from fer_core.faces.mtcnn import networks
from fer_core.faces.mtcnn.networks import Networks, means, pyramid, strips, windows
from fer_core.faces.records import suppressed
from fer_core.faces.tracking import iou_matrix


def make_networks(min_face_px: int) -> Networks:
    return Networks(PNet(), RNet(), ONet(), min_face_px=min_face_px)


def crowd(portrait: np.ndarray, seed: int, *, height: int = 300, width: int = 421) -> np.ndarray:
    """The portrait in several sizes on noise."""
    random = np.random.default_rng(seed)
    picture = cv2.GaussianBlur(random.integers(0, 256, (height, width, 3), dtype=np.uint8), (0, 0), 3)
    for _ in range(4):
        side = int(random.integers(60, 150))
        x, y = (int(random.integers(0, limit - side)) for limit in (width, height))
        picture[y : y + side, x : x + side] = cv2.resize(portrait[:220, 40:260], (side, side))
    return picture


def theirs(picture: np.ndarray, min_face_px: int) -> Faces:
    boxes, scores, landmarks = MTCNN(keep_all=True, min_face_size=min_face_px).detect(picture, landmarks=True)
    if boxes is None:
        return Faces.none()
    return Faces(*(np.asarray(np.stack(each), np.float32) for each in (boxes, scores, landmarks)))


def check_same(ours: Faces, wanted: Faces) -> None:
    order, other = np.argsort(ours.scores), np.argsort(wanted.scores)
    np.testing.assert_allclose(ours.scores[order], wanted.scores[other], atol=1e-4)
    np.testing.assert_allclose(ours.boxes[order], wanted.boxes[other], atol=0.05)
    np.testing.assert_allclose(ours.landmarks[order], wanted.landmarks[other], atol=0.05)


@pytest.mark.parametrize("min_face_px", [20, 40])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_faces_are_those_of_the_library(portrait: np.ndarray, min_face_px: int, seed: int) -> None:
    picture = crowd(portrait, seed)
    wanted = theirs(picture, min_face_px)
    assert len(wanted) >= 1
    check_same(make_networks(min_face_px).detect(picture), wanted)


def test_many_people_are_those_of_the_library(videos_dir: Path) -> None:
    picture = cv2.imread(str(videos_dir / "multi_face.jpg"))[:, :, ::-1]
    wanted = theirs(picture.copy(), 30)
    assert len(wanted) >= 5
    check_same(make_networks(30).detect(picture), wanted)


@pytest.mark.parametrize("size", [(1, 1), (11, 400), (12, 12), (13, 15), (20, 21), (41, 40), (64, 300)])
def test_small_pictures_are_no_trouble(size: tuple[int, int]) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    for min_face_px in (12, 20, 40):
        found = make_networks(min_face_px).detect(picture)
        assert found.boxes.shape == (len(found), 4)
        assert found.boxes.dtype == found.scores.dtype == found.landmarks.dtype == np.float32


def test_a_plain_picture_has_no_face() -> None:
    assert not len(make_networks(40).detect(np.full((120, 160, 3), 127, np.uint8)))


@pytest.mark.parametrize("size", [(5, 7), (12, 12), (30, 100), (59, 120), (60, 121), (130, 31)])
def test_means_are_those_of_torch(size: tuple[int, int]) -> None:
    picture = np.random.default_rng(1).integers(0, 256, (60, 121, 3), dtype=np.uint8)
    x = torch.from_numpy(picture).permute(2, 0, 1)[None].float()
    wanted = F.interpolate(x, size=size, mode="area")[0].permute(1, 2, 0).numpy()
    got = means(cv2.integral(picture, sdepth=cv2.CV_32S), *size)
    assert got.dtype == np.float32
    np.testing.assert_allclose(got, wanted, atol=1e-3)


def test_sums_may_overflow() -> None:
    picture = np.random.default_rng(1).integers(0, 256, (40, 50, 3), dtype=np.uint8)
    sums = cv2.integral(picture, sdepth=cv2.CV_32S)
    beyond = (sums.astype(np.int64) + 2**31 - 1000).astype(np.uint32).view(np.int32)
    assert (np.diff(beyond[:, -1, 0].astype(np.int64)) < 0).any(), "none overflows"
    np.testing.assert_array_equal(means(beyond, 7, 9), means(sums, 7, 9))


def test_scales_are_those_of_the_library() -> None:
    found = [(scale, small.shape[:2]) for scale, small in pyramid(np.zeros((361, 641, 3), np.int32), 40)]
    assert [round(scale, 4) for scale, _ in found[:3]] == [0.3, 0.2127, 0.1508]
    assert [shape for _, shape in found[:2]] == [(109, 193), (77, 137)]
    assert len(found) == 7  # 360 · 0.3 · 0.709^6 is above 12, and the next one below


@pytest.mark.parametrize("size", [(13, 20), (57, 40), (58, 41), (90, 33)])
def test_strips_see_what_the_whole_picture_shows(size: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    picture = np.random.default_rng(2).uniform(0, 255, (*size, 3)).astype(np.float32)
    ours = make_networks(40)
    monkeypatch.setattr(networks, "_LOGIT", -100.0)  # every window
    whole = ours._of_strip(picture, 0, 1.0)
    for limit in (1, 700, 100_000):
        monkeypatch.setattr(networks, "STRIP_PX", limit)
        parts = torch.cat([ours._of_strip(strip, top, 1.0) for top, strip in strips(picture)])
        torch.testing.assert_close(parts, whole, atol=1e-4, rtol=1e-4)


def test_boxes_over_the_edge_are_cut_there() -> None:
    boxes = np.array([[-5.5, 3.2, 20.9, 30.9], [90, 40, 130, 70], [200, 200, 210, 210]], np.float32)
    assert windows(boxes, (100, 50)).tolist() == [[0, 2, 20, 30], [89, 39, 100, 50], [199, 199, 100, 50]]


def test_overlapping_boxes_are_judged_as_in_the_library() -> None:
    random = np.random.default_rng(3)
    corner = random.uniform(0, 60, (40, 2))
    boxes = np.concatenate([corner, corner + random.uniform(10, 50, (40, 2))], axis=1).astype(np.float32)
    scores = random.uniform(0.5, 1, 40).astype(np.float32)
    wanted = detect_face.nms_numpy(boxes, scores, 0.7, "Min")
    assert suppressed(boxes, scores, 0.7).tolist() == wanted.tolist() and 1 < len(wanted) < 40


@pytest.mark.parametrize("shift", [0.0, 0.1, -0.1])
def test_a_face_is_found_again_from_a_box_near_it(portrait: np.ndarray, shift: float) -> None:
    ours = make_networks(40)
    found = ours.detect(portrait)
    best = found.scores.argmax()
    box = found.boxes[best]
    again = ours.refine([portrait], (box + shift * (box[2] - box[0]))[None])
    assert again.scores[0] > 0.9
    assert iou_matrix(again.boxes, box[None])[0, 0] > 0.8
    assert np.abs(again.landmarks[0, :2] - found.landmarks[best, :2]).max() < 0.06 * (box[2] - box[0])


def test_every_box_is_judged_in_its_own_picture(portrait: np.ndarray) -> None:
    ours = make_networks(40)
    box = ours.detect(portrait).boxes[0]
    grey = np.full((90, 70, 3), 120, np.uint8)
    outside = np.array([-50, -50, -10, -10], np.float32)
    found = ours.refine([grey, portrait, portrait, grey], np.stack([box / 2, box, outside, outside]))
    assert (found.scores > 0.9).tolist() == [False, True, False, False] and found.scores[2] == 0
    alone = ours.refine([portrait], box[None])
    np.testing.assert_allclose(found.boxes[1], alone.boxes[0], atol=1e-2)
    assert len(ours.refine([], np.zeros((0, 4), np.float32))) == 0
