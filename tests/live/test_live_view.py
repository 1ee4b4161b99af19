"""A live view: what it answers frame by frame, beside the analysis of the same file."""

from __future__ import annotations

import io
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dashboard.sample.make import SAMPLE
from fer_core.emotions import ALL_ALIKE, AS_TRAINED
from fer_core.errors import InputError
from fer_core.faces import Faces, make_detector
from fer_core.faces.tracking import iou_matrix
from fer_core.live.follower import SOON_S, Follower
from fer_core.live.live_view import LiveFrame, LiveView
from fer_core.live.pictures import MAX_PIXELS, picture_of
from fer_core.models.classifier import Classifier
from fer_core.signals.emotion import EmotionScores
from fer_core.video.pipeline import Settings, analyze
from fer_core.video.reader import Frame, VideoReader
from fer_core.video.reasons import REASONS, Limits
from fer_core.video.scan import KEY_FRAMES
from fer_core.video.store import open_analysis
from fer_core.video.timeline import score_columns
from fer_core.video.view import view
from tests.support.networks import Squares, classifier_of


@pytest.fixture(scope="module")
def scores(classifier: Classifier) -> EmotionScores:
    return EmotionScores.of_checkpoint(classifier)


def frames(end_s: float | None) -> Iterator[Frame]:
    with VideoReader(SAMPLE) as reader:
        yield from reader.frames(end_s=end_s)


@pytest.mark.parametrize("end_s", [1.6, pytest.param(None, marks=pytest.mark.nightly)])
def test_it_sees_what_the_analysis_of_the_file_sees(
    tmp_path: Path, classifier: Classifier, scores: EmotionScores, end_s: float | None
) -> None:
    analysis = open_analysis(analyze(SAMPLE, tmp_path / "a", checkpoint=classifier, settings=Settings(end_s=end_s)))
    table = view(analysis)
    table = table[table["track"] >= 0]
    live = LiveView(make_detector(), scores)
    alike, agreed = [], []
    for frame in frames(end_s):
        seen, wanted = live.see(frame.image, frame.time_s), table[table["frame"] == frame.index]
        shared = iou_matrix(wanted[["x0", "y0", "x1", "y1"]].to_numpy(np.float32), seen.faces.boxes)
        alike.append(len(seen.tracks) == len(wanted) and (shared.max(axis=1, initial=0) >= 0.8).all())
        for (_, row), best in zip(wanted.iterrows(), shared.argmax(axis=1) if shared.size else [], strict=False):
            if row[score_columns(table)].max() > 0.6:
                agreed.append(seen.plain()[best]["emotion"] == row["emotion"])
    assert len(alike) >= 40 and len(agreed) >= 30
    assert np.mean(alike) >= 0.95 and np.mean(agreed) >= 0.9


def test_numbers_stay_while_the_face_moves_and_after_it_was_away(portrait: np.ndarray, scores: EmotionScores) -> None:
    live, empty = LiveView(make_detector(), scores), np.full_like(portrait, 90)
    shown = [np.roll(portrait, 2 * i, axis=1) for i in range(8)]
    found = [live.see(image, i / 25) for i, image in enumerate([*shown, empty, empty, *shown[::-1]])]
    assert [each.tracks.tolist() for each in found[:8]] == [[0]] * 8
    assert [len(each.tracks) for each in found[8:10]] == [0, 0]
    assert found[-1].tracks.tolist() == [0], "the same person once more"
    moved = found[7].faces.boxes[0, 0] - found[0].faces.boxes[0, 0]
    assert moved == pytest.approx(14, abs=4)


def test_probabilities_reasons_and_valence_are_those_of_an_analysis(
    tmp_path: Path, clip: Path, classifier: Classifier, scores: EmotionScores
) -> None:
    """Of one frame: looked for in both, so that every number is the same."""
    strict = Limits(min_sharpness=1e5, max_yaw_deg=0.01)
    analysis = open_analysis(analyze(clip, tmp_path / "a", checkpoint=classifier, settings=Settings(end_s=0.05)))
    (row,) = view(analysis).to_dict("records")
    with VideoReader(clip) as reader:
        image = next(reader.frames()).image
    seen = LiveView(make_detector(), scores).see(image, 0.0)
    (face,) = seen.plain()
    assert face["box"] == pytest.approx([row[name] for name in ("x0", "y0", "x1", "y1")], abs=0.01)
    assert face["p"] == pytest.approx({label: row[f"p_{label}"] for label in classifier.labels}, abs=1e-3)
    assert face["emotion"] == row["emotion"] and face["group"] == row["group"]
    assert face["confidence"] == max(face["p"].values())
    assert face["valence"] == pytest.approx(row["valence"], abs=1e-3)
    assert face["reasons"] == [reason.code for reason in REASONS if row[f"why_{reason.code}"]]
    doubtful = LiveView(make_detector(), scores, limits=strict).see(image, 0.0).plain()[0]["reasons"]
    assert {"blurred", "turned"} <= set(doubtful)


def test_the_class_prior_is_the_one_that_is_asked_for(portrait: np.ndarray, scores: EmotionScores) -> None:
    def p(prior: str) -> np.ndarray:
        return LiveView(make_detector(), scores, prior=prior).see(portrait, 0.0).probabilities[0]

    assert scores.prior is not None
    assert p(ALL_ALIKE) == pytest.approx(scores.prior.adjusted(p(AS_TRAINED), 1.0), abs=1e-5)
    assert p("halfway") == pytest.approx(scores.prior.adjusted(p(AS_TRAINED), scores.prior.halfway), abs=1e-5)
    with pytest.raises(InputError, match="Unknown prior"):
        LiveView(make_detector(), scores, prior="none")


def test_without_a_face_there_are_no_values(scores: EmotionScores) -> None:
    live = LiveView(make_detector(), scores)
    seen = live.see(np.zeros((120, 160, 3), np.uint8), 1.0)
    assert (seen.width, seen.height, seen.plain(), seen.probabilities.shape) == (160, 120, [], (0, 7))
    for time_s in (1.0, 0.5, float("nan"), float("inf")):
        with pytest.raises(InputError, match=r"later than 1\.000 s"):
            live.see(np.zeros((120, 160, 3), np.uint8), time_s)
    with pytest.raises(InputError, match="RGB picture"):
        live.see(np.zeros((120, 160), np.uint8), 2.0)
    assert live.see(np.zeros((60, 400, 3), np.uint8), 2.0).width == 400, "a camera may change its size"


def test_a_record_whose_values_do_not_fit_is_refused() -> None:
    with pytest.raises(InputError, match="Expected values of 1 faces and 7 emotions"):
        LiveFrame(
            0.0, 10, 10, np.zeros(1, np.int32), Faces.none(), classifier_of(Squares()).labels,
            np.zeros((1, 7), np.float32), np.zeros(1, np.float32), np.zeros((1, len(REASONS)), bool),
        )  # fmt: skip


class Counting:
    """A detector that can follow: sees one face wherever it looks, or nothing where it shall be blind."""

    name = "counting"

    def __init__(self) -> None:
        self.looks, self.is_blind = 0, False

    def detect(self, images: list[np.ndarray]) -> list[Faces]:
        self.looks += len(images)
        return [self._found(len(images[0])) for _ in images]

    def refine(self, images: list[np.ndarray], boxes: np.ndarray) -> Faces:
        found = Faces(boxes, np.ones(len(boxes), np.float32), np.zeros((len(boxes), 5, 2), np.float32))
        return Faces(found.boxes, found.scores * (not self.is_blind), found.landmarks)

    def glance(self, images: list[np.ndarray], boxes: np.ndarray) -> np.ndarray:
        return np.ones(len(boxes), bool)

    def _found(self, side: int) -> Faces:
        if self.is_blind:
            return Faces.none()
        return Faces(np.array([[10, 10, 50, 50]], np.float32), np.ones(1, np.float32), np.zeros((1, 5, 2), np.float32))


def still(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (90, 160, 3), dtype=np.uint8)


def test_looks_are_rare_while_nothing_happens() -> None:
    detector = Counting()
    follower = Follower(detector)
    sources = [str(follower.find(Frame(i, i / 30, still())).sources[0]) for i in range(2 * KEY_FRAMES)]
    assert detector.looks == 2 and sources.count("detected") == 2 and sources[0] == sources[KEY_FRAMES] == "detected"
    detector.looks = 0
    slow = Follower(detector)
    for i in range(9):
        slow.find(Frame(i, i / 4, still()))
    assert detector.looks == 5, "twice a second, however few frames there are"


def test_it_looks_anew_at_a_cut_and_soon_after_somebody_was_lost() -> None:
    detector = Counting()
    follower = Follower(detector)
    follower.find(Frame(0, 0.0, still()))
    follower.find(Frame(1, 0.03, still(1)))
    assert detector.looks == 2, "another scene"
    detector.is_blind, detector.looks = True, 0
    for i in range(2, 32):
        assert not len(follower.find(Frame(i, i * 0.03, still(1))).faces)
    assert detector.looks == pytest.approx(0.9 / SOON_S, abs=1), "nobody there"


def test_two_faces_that_become_one_are_one() -> None:
    class Two(Counting):
        def _found(self, side: int) -> Faces:
            boxes = np.array([[10, 10, 50, 50], [80, 10, 120, 50]], np.float32)
            return Faces(boxes, np.array([0.9, 1.0], np.float32), np.zeros((2, 5, 2), np.float32))

        def refine(self, images: list[np.ndarray], boxes: np.ndarray) -> Faces:
            middle = np.tile(np.array([[45, 10, 85, 50]], np.float32), (len(boxes), 1))
            return Faces(middle, np.array([0.9, 1.0], np.float32), np.zeros((len(boxes), 5, 2), np.float32))

    follower = Follower(Two())
    assert len(follower.find(Frame(0, 0.0, still())).faces) == 2
    found = follower.find(Frame(1, 0.03, still())).faces
    assert len(found) == 1 and found.scores.tolist() == [1.0]


# pictures


def encoded(kind: str, size: tuple[int, int] = (64, 48), **options: object) -> bytes:
    data = io.BytesIO()
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 255, (*size[::-1], 3), dtype=np.uint8))
    picture.save(data, kind, **options)
    return data.getvalue()


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_pictures_are_read_upright(kind: str) -> None:
    assert picture_of(encoded(kind)).shape == (48, 64, 3)
    turned = Image.Exif()
    turned[0x0112] = 6
    if kind == "JPEG":
        assert picture_of(encoded(kind, exif=turned)).shape == (64, 48, 3)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "no JPEG, PNG or WebP"),
        (b"\xff\xd8\xff\xe0 not a picture", "no JPEG, PNG or WebP"),
        (encoded("GIF"), "no JPEG, PNG or WebP"),
        (encoded("BMP"), "no JPEG, PNG or WebP"),
        (encoded("JPEG")[:900], "damaged"),
        (encoded("PNG")[:900], "damaged"),
        (encoded("WEBP", lossless=True)[:900], "damaged|no JPEG"),
        (encoded("PNG", (15, 300)), "15×300 px"),
        (b"x" * 2_000_001, "at most 2 MB"),
    ],
    ids=range(9),
)
def test_what_is_no_picture_is_said_so(data: bytes, said: str) -> None:
    with pytest.raises(InputError, match=said):
        picture_of(data)


def test_a_small_file_of_a_huge_picture_is_refused_before_it_is_decoded() -> None:
    small = encoded("PNG")
    size = (60_000).to_bytes(4, "big") * 2
    head = b"IHDR" + size + small[24:29]
    huge = small[:12] + head + zlib.crc32(head).to_bytes(4, "big") + small[33:]
    assert 100 * MAX_PIXELS < 60_000**2
    with pytest.raises(InputError, match=r"60000×60000 px|no JPEG"):  # Pillow has a limit of its own
        picture_of(huge)
