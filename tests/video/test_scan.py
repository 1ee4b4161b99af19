"""Faces of every frame: what lies between two looks, threads that end, and the modes of an analysis."""

from __future__ import annotations

import dataclasses
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from fer_core.errors import InputError, VideoError
from fer_core.faces import Faces, make_detector
from fer_core.faces.records import RGB, ArrayF
from fer_core.faces.tracking import iou_matrix
from fer_core.models.classifier import Classifier
from fer_core.video.modes import MODES
from fer_core.video.pipeline import Settings, analyze
from fer_core.video.reader import Frame
from fer_core.video.scan import KEY_FRAMES, KEY_S, MAX_SPANS, Scanned, fill, same_faces, scan
from tests.support.clips import write_clip

SIDE = 20


def faces_at(*corners: tuple[float, float], side: float = SIDE, score: float = 1.0) -> Faces:
    low = np.array(corners, np.float32).reshape(-1, 2)
    boxes = np.concatenate([low, low + side], axis=1)
    return Faces(boxes, np.full(len(low), score, np.float32), np.repeat(boxes[:, None, :2], 5, axis=1))


class Known:
    """A detector that knows where faces are: a picture's first pixel is the number of its frame."""

    name = "known"

    def __init__(self, truth: list[Faces], reach: float = 0.5) -> None:
        self.truth, self.reach = truth, reach
        self.looked: list[int] = []

    def detect(self, images: Sequence[RGB]) -> list[Faces]:
        self.looked += [int(image[0, 0, 0]) for image in images]
        return [self.truth[int(image[0, 0, 0])] for image in images]

    def refine(self, images: Sequence[RGB], boxes: ArrayF) -> Faces:
        """The true face nearest to each box, if it lies within its reach."""
        found = Faces(
            np.zeros((len(boxes), 4), np.float32),
            np.zeros(len(boxes), np.float32),
            np.zeros((len(boxes), 5, 2), np.float32),
        )
        for i, (image, box) in enumerate(zip(images, boxes, strict=True)):
            truth = self.truth[int(image[0, 0, 0])]
            if len(truth) and (away := np.abs(truth.boxes - box).max(axis=1)).min() <= self.reach * SIDE:
                best = away.argmin()
                found.boxes[i], found.scores[i] = truth.boxes[best], truth.scores[best]
                found.landmarks[i] = truth.landmarks[best]
        return found

    def glance(self, images: Sequence[RGB], boxes: ArrayF) -> NDArray[np.bool_]:
        return self.refine(images, boxes).scores > 0


def pictures(n: int) -> list[RGB]:
    return [np.full((36, 64, 3), i, np.uint8) for i in range(n)]


def frames(n: int, step_s: float = 0.04, images: list[RGB] | None = None) -> Iterator[Frame]:
    for i, image in enumerate(images or pictures(n)):
        yield Frame(i, i * step_s, image)


def filled(truth: list[Faces], reach: float = 0.5, times: Sequence[float] = ()) -> list[Faces]:
    at = np.array(times or range(len(truth)), float)
    return [faces for faces, _ in fill(pictures(len(truth)), at, truth[0], truth[-1], Known(truth, reach))]


def sources(scanned: Iterable[Scanned]) -> list[str]:
    """Of each frame's only face."""
    return [each.sources.item() for each in scanned]


def test_a_face_between_two_looks_has_its_own_box_in_every_picture() -> None:
    bend = [0, 8, 12, 14, 15, 15]  # not on the straight way
    truth = [faces_at((10 + x, 5)) for x in bend]
    got = fill(pictures(6), np.arange(6.0), truth[0], truth[-1], Known(truth))
    assert [faces.boxes[0, 0] for faces, _ in got] == [10 + x for x in (8, 12, 13.5, 15)]
    assert [faces.landmarks[0, 0, 0] for faces, _ in got] == [10 + x for x in (8, 12, 13.5, 15)]
    assert [source.tolist() for _, source in got] == [["refined"], ["refined"], ["midway"], ["refined"]], (
        "far from the first to the third, so the second was judged"
    )


def test_a_face_is_where_it_is_at_that_time() -> None:
    times = [0.0, 0.04, 0.4, 0.44]
    truth = [faces_at((10 + 20 * each, 5)) for each in times]
    got = filled(truth, times=times)
    np.testing.assert_allclose([each.boxes[0, 0] for each in got], [10.8, 18.0], atol=1e-4)
    np.testing.assert_allclose([each.landmarks[0, 0, 0] for each in got], [10.8, 18.0], atol=1e-4)


def test_faces_that_come_and_go_are_followed() -> None:
    stays, leaves, comes = (0.0, 0.0), (60.0, 0.0), (60.0, 60.0)
    truth = [faces_at(stays, *([leaves] if i < 3 else []), *([comes] if i >= 2 else [])) for i in range(6)]
    got = filled(truth)
    assert [len(each) for each in got] == [2, 3, 2, 2]
    assert [bool((each.boxes[:, 0] == 60).any() and (each.boxes[:, 1] == 0).any()) for each in got[:1]] == [True]
    assert 60 in got[1].boxes[:, 1]


def test_a_face_that_is_covered_for_a_moment_is_not_made_up() -> None:
    for covered in (2, 3):
        truth = [faces_at((10.0, 10.0)) for _ in range(7)]
        truth[covered] = Faces.none()
        assert [len(each) for each in filled(truth)] == [int(i != covered) for i in range(1, 6)]


def test_a_face_off_the_straight_way_is_found_from_its_neighbours() -> None:
    truth = [faces_at((x, 0.0)) for x in (0, 4, 8, 12, 16, 12, 8, 4, 0)]  # there and back
    assert [each.boxes[0, 0] for each in filled(truth, reach=0.3)] == [4, 8, 12, 16, 12, 8, 4]


def test_two_faces_that_became_one_count_once() -> None:
    two, one = faces_at((0.0, 0.0), (18.0, 0.0)), faces_at((8.0, 0.0))
    assert len(filled([two, one, one, one, two], reach=0.6)[1]) == 1


def test_the_same_faces_are_the_near_ones_of_like_size() -> None:
    first = faces_at((0, 0), (100, 0), (200, 0))
    last = faces_at((104, 2), (4, 2))
    assert same_faces(first, last).tolist() == [[0, 1], [1, 0]]
    assert len(same_faces(first, faces_at((0, 0), side=2 * SIDE))) == 0
    assert len(same_faces(Faces.none(), last)) == len(same_faces(last, Faces.none())) == 0


@pytest.mark.parametrize("n", [1, 2, 3, KEY_FRAMES, KEY_FRAMES + 1, 3 * KEY_FRAMES + 5])
def test_every_frame_comes_once_and_in_order(n: int) -> None:
    truth = [faces_at((10.0 + i / 10, 5.0)) for i in range(n)]
    for mode in ("exact", "fast"):
        detector = Known(truth)
        got = list(scan(frames(n, step_s=0.01), detector, mode))
        assert [each.frame.index for each in got] == list(range(n)), mode
        for each in got:
            np.testing.assert_allclose(each.faces.boxes, truth[each.frame.index].boxes, rtol=1e-6)
        looked = [each.frame.index for each in got if each.sources[0] == "detected"]
        assert sorted(detector.looked) == looked
    assert looked == sorted({*range(0, n, KEY_FRAMES), n - 1})


def test_a_look_is_never_longer_ago_than_it_may_be() -> None:
    truth = [faces_at((10.0, 5.0)) for _ in range(30)]
    got = list(scan(frames(30, step_s=0.15), Known(truth), "fast"))
    times = [each.frame.time_s for each in got if each.sources[0] == "detected"]
    assert max(np.diff(times)) <= KEY_S + 1e-6 and len(times) < 30
    sparse = list(scan(frames(10, step_s=0.5), Known(truth), "fast"))
    assert sources(sparse) == ["detected"] * 10


def test_both_sides_of_a_cut_are_looked_at() -> None:
    images = pictures(9)
    for i in range(4, 9):
        images[i][:, :, 1:] = 220  # other colours
    truth = [faces_at((10.0, 5.0)) if i < 4 else faces_at((40.0, 9.0)) for i in range(9)]
    got = list(scan(frames(9, images=images), Known(truth), "fast"))
    assert [each.frame.index for each in got if each.sources[0] == "detected"] == [0, 3, 4, 8]
    assert [each.faces.boxes[0, 0] for each in got] == [10.0] * 4 + [40.0] * 5


def test_a_cut_without_colours_is_looked_at_on_both_sides() -> None:
    """Black and white, as bright as before; the first pixel still tells the frame's number."""
    rooms = [np.random.default_rng(seed).permutation(np.repeat(np.arange(64, 192, 2, np.uint8), 36)) for seed in (1, 2)]
    images = [np.repeat(rooms[i >= 4].reshape(36, 64, 1), 3, axis=2) for i in range(9)]
    for i, image in enumerate(images):
        image[0, 0] = i
    known = Known([faces_at((10.0, 5.0)) for _ in range(9)])
    list(scan(frames(9, images=images), known, "fast"))
    assert sorted(known.looked) == [0, 3, 4, 8]


def test_a_face_judged_far_from_its_guess_or_of_another_size_is_none() -> None:
    """After a change of picture that was not noticed, the detector may be sure of something else altogether."""

    class Wild(Known):
        shift, side = 0.0, float(SIDE)

        def refine(self, images: Sequence[RGB], boxes: ArrayF) -> Faces:
            return faces_at(*((box[0] + self.shift, box[1]) for box in boxes), side=self.side)

    truth = [faces_at((10.0, 5.0)), Faces.none(), Faces.none(), Faces.none(), faces_at((10.0, 5.0))]
    for shift, side, n in ((0.0, SIDE, 1), (0.0, 3 * SIDE, 0), (2.0 * SIDE, SIDE, 0)):
        wild = Wild(truth)
        wild.shift, wild.side = shift, side
        got = fill(pictures(5), np.arange(5.0), truth[0], truth[-1], wild)
        assert [len(faces) for faces, _ in got] == [n] * 3, (shift, side)


def test_both_sides_of_a_long_time_without_a_frame_are_looked_at() -> None:
    known = Known([faces_at((10.0, 5.0))] * 10)
    late = (dataclasses.replace(frame, time_s=frame.time_s + 3.0 * (frame.index >= 5)) for frame in frames(10))
    assert len(list(scan(late, known, "fast"))) == 10
    assert {0, 4, 5, 9} <= set(known.looked)


def test_a_detector_that_cannot_refine_looks_at_every_frame() -> None:
    class Plain:
        name = "plain"

        def detect(self, images: Sequence[RGB]) -> list[Faces]:
            return [faces_at((1.0, 2.0)) for _ in images]

    assert sources(scan(frames(20), Plain(), "fast")) == ["detected"] * 20


def test_a_scan_that_is_closed_leaves_no_thread_behind() -> None:
    truth = [faces_at((10.0, 5.0)) for _ in range(200)]
    before = threading.active_count()
    for mode in ("exact", "fast"):
        scanned = scan(frames(200), Known(truth), mode)
        assert len(list(islice(scanned, 3))) == 3
        scanned.close()
    assert threading.active_count() <= before + 1


def test_errors_of_the_reader_and_the_detector_come_out() -> None:
    def breaks() -> Iterator[Frame]:
        yield from frames(5)
        raise VideoError("broken here")

    truth = [faces_at((10.0, 5.0)) for _ in range(5)]
    for mode in ("exact", "fast"):
        with pytest.raises(VideoError, match="broken here"):
            list(scan(breaks(), Known(truth), mode))
        with pytest.raises(IndexError):
            list(scan(frames(9), Known(truth), mode))


def test_the_reader_is_only_a_little_ahead() -> None:
    read: list[int] = []

    def counted() -> Iterator[Frame]:
        for frame in frames(250):
            read.append(frame.index)
            yield frame

    scanned = scan(counted(), Known([faces_at((10.0, 5.0))] * 250), "fast")
    next(scanned)
    time.sleep(0.3)
    assert len(read) <= MAX_SPANS * KEY_FRAMES + 5
    scanned.close()


# --- with MTCNN, and in an analysis


@pytest.fixture(scope="module")
def walk(portrait: np.ndarray, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Thirty frames in which a face wanders, with a covered one in the middle."""
    made = []
    for i in range(30):
        move = np.array([[1, 0, 20 * np.sin(i / 5)], [0, 1, i / 2 - 7]], np.float32)
        picture = cv2.warpAffine(portrait, move, portrait.shape[1::-1], borderMode=cv2.BORDER_REPLICATE)
        if i == 15:
            picture[20:200, 60:240] = 90
        made.append(picture)
    return write_clip(tmp_path_factory.mktemp("walk") / "walk.mp4", [i / 25 for i in range(30)], pictures=made)


def test_fast_finds_what_exact_finds(walk: Path, tmp_path: Path, classifier: Classifier) -> None:
    tables = {}
    for mode in ("exact", "fast"):
        analyze(walk, tmp_path / mode, checkpoint=classifier, settings=Settings(mode=mode))
        tables[mode] = pd.read_parquet(tmp_path / mode / "timeline.parquet")
    exact, fast = tables["exact"], tables["fast"]
    assert set(exact["source"].dropna()) == {"detected"} and (fast["source"] == "refined").sum() > 8
    assert (fast["source"] == "midway").sum() > 8
    assert exact["frame"].tolist() == fast["frame"].tolist() == list(range(30))
    seen = (exact["track"] >= 0).to_numpy()
    assert seen.sum() >= 28 and ((fast["track"] >= 0).to_numpy() == seen).mean() > 0.95
    both = seen & (fast["track"] >= 0).to_numpy()
    corners = ["x0", "y0", "x1", "y1"]
    overlap = [
        iou_matrix(a[None], b[None])[0, 0]
        for a, b in zip(exact.loc[both, corners].to_numpy(), fast.loc[both, corners].to_numpy(), strict=True)
    ]
    assert np.mean(overlap) > 0.85
    assert (exact.loc[both, "emotion"] == fast.loc[both, "emotion"]).mean() > 0.9


def test_a_preview_takes_two_frames_a_second(walk: Path, tmp_path: Path, classifier: Classifier) -> None:
    analyze(walk, tmp_path / "a", checkpoint=classifier, settings=Settings(mode="preview"))
    assert pd.read_parquet(tmp_path / "a" / "timeline.parquet")["time_s"].tolist() == pytest.approx(
        [0, 0.52, 1.0], abs=0.03
    )


def test_an_unknown_mode_is_refused(walk: Path, tmp_path: Path, classifier: Classifier) -> None:
    with pytest.raises(InputError, match="Unknown mode 'turbo'; expected one of fast, exact, preview"):
        analyze(walk, tmp_path / "a", checkpoint=classifier, settings=Settings(mode="turbo"))
    assert next(iter(MODES)) == Settings().mode


def test_one_thread_is_used_for_each_picture_and_given_back() -> None:
    import torch

    before = torch.get_num_threads()
    detector = make_detector("mtcnn")
    for scanned in scan(frames(3), detector, "exact"):
        assert torch.get_num_threads() == 1 and not len(scanned.faces)
    assert torch.get_num_threads() == before
