"""Face detectors: the Haar cascade, RetinaFace, and the way from published weights to a file that is safe to open."""

from __future__ import annotations

import dataclasses
import math
import os
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from fer_core.cli import main as command_line
from fer_core.errors import CheckpointError, InputError
from fer_core.faces import DETECTORS, Faces, Refiner, can_refine, crop_squares, iou_matrix, make_detector
from fer_core.faces.convert import convert
from fer_core.faces.convert import main as convert_command
from fer_core.faces.detectors import register
from fer_core.faces.haar import HaarDetector, faces_of_squares, score_of_weight
from fer_core.faces.retinaface import BACKBONES, RetinaFace, RetinaFaceDetector, load_retinaface
from fer_core.faces.retinaface.boxes import anchors, best, decode_boxes, decode_landmarks
from fer_core.faces.retinaface.detector import shrink
from fer_core.faces.retinaface.weights import FORMAT, published_names, shapes
from fer_core.live.live_view import LiveView
from fer_core.models.classifier import Classifier
from fer_core.signals.emotion import EmotionScores
from fer_core.video.modes import MODES
from fer_core.video.pipeline import Settings, analyze
from fer_core.video.reader import VideoReader
from fer_core.video.store import open_analysis
from tests.support.networks import Squares, classifier_of

RGB = NDArray[np.uint8]
SMALL = "retinaface-mobilenet025"


def same(some: list[Faces], others: list[Faces]) -> None:
    assert [len(faces) for faces in some] == [len(faces) for faces in others]
    for one, other in zip(some, others, strict=True):
        np.testing.assert_allclose(one.boxes, other.boxes, atol=0.05)
        np.testing.assert_allclose(one.landmarks, other.landmarks, atol=0.05)
        np.testing.assert_allclose(one.scores, other.scores, atol=1e-4)


# --- the registry


def test_detectors_are_known_by_name_and_say_what_they_lack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FER_DETECTORS", str(tmp_path))
    assert list(DETECTORS) == ["mtcnn", "haar", "retinaface-resnet50", SMALL]
    assert {name for name, kind in DETECTORS.items() if kind.missing} == {"retinaface-resnet50", SMALL}
    with pytest.raises(InputError) as error:
        make_detector("retinaface-resnet50")
    for words in (
        "PyTorch RetinaFace repository by biubug6",
        "python -m fer_core.faces.convert retinaface-resnet50 Resnet50_Final.pth",
        str(tmp_path / "retinaface-resnet50.safetensors"),
    ):
        assert words in str(error.value)


def test_a_detector_of_the_same_name_is_refused() -> None:
    with pytest.raises(ValueError, match="Detector 'haar' is registered twice"):
        register(dataclasses.replace(DETECTORS["haar"], title="Another"))
    assert DETECTORS["haar"].title == "Haar cascade"


def test_only_the_publishers_own_sentence_says_where_weights_are() -> None:
    other = dataclasses.replace(DETECTORS["haar"], name="other", weights_from="Ask their authors.")
    assert other.missing.startswith("Haar cascade needs weights") and "Ask their authors." in other.missing
    assert "RetinaFace" not in other.missing and str(other.weights) in other.missing


def test_detectors_say_whether_they_can_refine() -> None:
    there = [kind for kind in DETECTORS.values() if not kind.missing]
    assert {kind.name: kind.refines for kind in there} == {"mtcnn": True, "haar": False}
    assert all(can_refine(make_detector(kind.name)) == kind.refines for kind in there)
    assert issubclass(RetinaFaceDetector, Refiner) == DETECTORS[SMALL].refines
    assert MODES["fast"].endswith("(with MTCNN)")


def test_weights_lie_in_the_data_folder_unless_told_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FER_DETECTORS", raising=False)
    expected = Path(os.environ["FER_HOME"]).resolve() / "detectors" / f"{SMALL}.safetensors"
    assert DETECTORS[SMALL].weights == expected


def test_detectors_can_be_listed_without_loading_them() -> None:
    code = "import sys, fer_core.faces.detectors; print(*[name for name in ('cv2', 'torch') if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_the_command_line_lists_detectors_and_refuses_others(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        command_line(["analyze", "--help"])
    told = capsys.readouterr().out
    assert all(name in told for name in DETECTORS) and "its weights are not there yet" in told
    with pytest.raises(SystemExit):
        command_line(["analyze", "a.mp4", "--out", "x", "--detector", "eigenfaces"])
    assert "invalid choice: 'eigenfaces'" in capsys.readouterr().err


def test_an_analysis_keeps_the_name_of_its_detector(clip: Path, classifier: Classifier, tmp_path: Path) -> None:
    out = analyze(clip, tmp_path / "a", checkpoint=classifier, settings=Settings(detector="haar", per_second=5))
    analysis = open_analysis(out)
    assert analysis.record["settings"]["detector"] == "haar"
    assert analysis.record["time_check"]["frames_with_faces"] > 0


# --- the cascade


def test_the_cascade_finds_a_face_where_mtcnn_does(portrait: RGB) -> None:
    faces, known = (make_detector(name).detect([portrait])[0] for name in ("haar", "mtcnn"))
    assert len(faces) == 1 and iou_matrix(faces.boxes, known.boxes)[0, 0] > 0.6
    side = np.linalg.norm(crop_squares(known.landmarks)[0, 1])
    cuts = [crop_squares(each.landmarks)[0] for each in (faces, known)]
    middles = [cut[0] + (cut[1] + cut[2]) / 2 for cut in cuts]
    assert np.linalg.norm(middles[0] - middles[1]) < 0.08 * side
    assert np.linalg.norm(cuts[0][1]) == pytest.approx(side, rel=0.15)


def test_landmarks_of_a_square_by_hand() -> None:
    faces = faces_of_squares(np.array([[100, 50, 200, 200]], np.float32), np.array([3.0]))
    assert faces.boxes.tolist() == [[100, 50, 300, 250]] and faces.scores.tolist() == [0.5]
    expected = [[162, 128], [238, 128], [200, 172], [168, 212], [232, 212]]
    np.testing.assert_allclose(faces.landmarks[0], expected, atol=1e-3)


def test_scores_keep_the_order_of_the_weights() -> None:
    scores = score_of_weight(np.array([-3.0, 0.0, 4.5, 9.0, 14.0]))
    assert (np.diff(scores) > 0).all() and scores[0] > 0 and scores[-1] < 1
    assert scores[2] == pytest.approx(math.e / (1 + math.e))


def test_the_cascade_on_a_batch_is_that_of_singles(portrait: RGB) -> None:
    """Pictures without a face, of another size and smaller than a face among them."""
    blank, two = np.full_like(portrait, 128), np.hstack([portrait, cv2.convertScaleAbs(portrait[:, ::-1], alpha=0.6)])
    images = [portrait, blank, two, portrait[:, ::-1].copy(), np.zeros((8, 300, 3), np.uint8)]
    detector = HaarDetector()
    together = detector.detect(images)
    assert [len(faces) for faces in together] == [1, 0, 2, 1, 0]
    assert together[2].scores[0] > together[2].scores[1]
    same(together, [detector.detect([image])[0] for image in images])


def test_the_cascade_leaves_out_small_faces_and_odd_pictures(portrait: RGB) -> None:
    assert len(make_detector("haar", min_face_px=90).detect([portrait])[0]) == 1
    assert len(make_detector("haar", min_face_px=150).detect([portrait])[0]) == 0
    for shape in ((0, 0, 3), (1, 1, 3), (12, 12, 3), (40, 41, 3)):
        assert len(make_detector("haar", min_face_px=12).detect([np.zeros(shape, np.uint8)])[0]) == 0
    with pytest.raises(InputError, match="Expected an RGB picture uint8"):
        make_detector("haar").detect([np.zeros((50, 50), np.uint8)])
    assert make_detector("haar").detect([]) == []


def test_the_cascade_on_pictures_of_known_content(videos_dir: Path) -> None:
    with VideoReader(videos_dir / "multi_face.jpg") as reader:
        faces = make_detector("haar").detect([next(iter(reader.frames())).image])[0]
    assert len(faces) == 4 and (np.diff(faces.scores) <= 0).all()
    with VideoReader(videos_dir / "no_face.mp4") as reader:
        found = make_detector("haar").detect([frame.image for frame in reader.frames(per_second=5)])
    assert len(found) > 15 and sum(map(len, found)) == 0


# --- anchors and decoding, by hand


def test_anchors_by_hand() -> None:
    found = anchors(30, 17)  # 4 × 3, 2 × 2 and 1 × 1 places, two anchors each
    assert found.shape == (2 * (12 + 4 + 1), 4)
    assert found[:3].tolist() == [[4, 4, 16, 16], [4, 4, 32, 32], [12, 4, 16, 16]]
    assert found[2 * 3].tolist() == [4, 12, 16, 16]  # the second row
    assert found[24].tolist() == [8, 8, 64, 64] and found[27].tolist() == [24, 8, 128, 128]
    assert found[-2:].tolist() == [[16, 16, 256, 256], [16, 16, 512, 512]]


def test_decoding_by_hand() -> None:
    around = torch.tensor([[100.0, 60.0, 32.0, 32.0]])
    assert decode_boxes(torch.zeros(1, 4), around).tolist() == [[84, 44, 116, 76]]
    moved = decode_boxes(torch.tensor([[5.0, -10.0, math.log(2) / 0.2, 0.0]]), around)
    torch.testing.assert_close(moved, torch.tensor([[116 - 32, 28 - 16, 116 + 32, 28 + 16.0]]))
    points = decode_landmarks(torch.tensor([[0, 0, 1, -1, 2, 0, 0, 5, -10, 10.0]]), around)
    expected = torch.tensor([[[100, 60], [103.2, 56.8], [106.4, 60], [100, 76], [68, 92]]])
    torch.testing.assert_close(points, expected)
    assert torch.isfinite(decode_boxes(torch.full((1, 4), 1e4), around)).all()


def test_of_overlapping_boxes_the_better_one_stays() -> None:
    boxes = torch.tensor([[0, 0, 10, 10], [0, 0, 10, 9], [0, 0, 10, 4.1], [50, 0, 60, 10], [0, 0, 10, 3.9]])
    scores = torch.tensor([0.7, 0.9, 0.8, 0.95, 0.85])  # overlaps with the second: 0.9, -, 0.46, 0, 0.43
    assert best(boxes, scores, 0.6).tolist() == [3, 1]
    assert best(boxes[[0, 4]], scores[[0, 4]], 0.6).tolist() == [1, 0]  # an overlap of 0.39
    assert best(boxes, scores, 0.92).tolist() == [3]
    assert best(boxes, scores, 0.99).tolist() == []


def test_long_pictures_are_made_smaller_but_faces_never_below_an_anchor() -> None:
    assert shrink(360, 640, min_face_px=40) == 1
    assert shrink(2160, 3200, min_face_px=40) == 0.5
    assert shrink(2160, 3200, min_face_px=20) == 0.8
    assert shrink(2160, 3200, min_face_px=12) == 1


# --- the network


def silence(net: RetinaFace) -> RetinaFace:
    """Every convolution passes the middle pixel of the first channel on, and every head finds nothing anywhere."""
    with torch.no_grad():
        for module in net.modules():
            if isinstance(module, nn.Conv2d):
                module.weight.zero_()
                middle = module.kernel_size[0] // 2
                module.weight[slice(None) if module.groups > 1 else 0, 0, middle, middle] = 1
        for head in (*net.classes, *net.boxes, *net.landmarks):
            head.weight.zero_()
            head.bias.zero_()
        for head in net.classes:
            head.bias[0::2] = 20
    return net


@pytest.fixture
def spark() -> RetinaFace:
    """A network that takes a bright blue pixel at a multiple of 8 for a face: at its place the anchor of 32 px fires,
    and says: a fifth to the right, a tenth up, twice as wide, nose a fifth to the left."""
    net = silence(RetinaFace("mobilenet025"))
    with torch.no_grad():
        net.classes[0].weight[3, 0] = 1  # the second anchor's answer "face"
        net.boxes[0].bias[4:] = torch.tensor([2, -1, math.log(2) / 0.2, 0])
        net.landmarks[0].bias[14] = -2
    return net


def night(height: int, width: int, *lights: tuple[int, int], size: int = 1) -> RGB:
    """A black picture with blue squares at ``lights`` (row, column)."""
    image = np.zeros((height, width, 3), np.uint8)
    for row, column in lights:
        image[row : row + size, column : column + size, 2] = 255
    return image


def test_an_anchor_that_fires_is_a_box_in_the_picture(spark: RetinaFace) -> None:
    faces = RetinaFaceDetector(spark, min_face_px=20).detect([night(64, 96, (24, 40))])[0]
    assert len(faces) == 1 and faces.scores[0] > 0.99  # centre of the place 44, 28; of the box 44 + 6.4, 28 - 3.2
    np.testing.assert_allclose(faces.boxes, [[50.4 - 32, 24.8 - 16, 50.4 + 32, 24.8 + 16]], atol=1e-3)
    points = [[44, 28], [44, 28], [44 - 6.4, 28], [44, 28], [44, 28]]
    np.testing.assert_allclose(faces.landmarks[0], points, atol=1e-3)


def test_boxes_of_a_picture_that_was_made_smaller_are_in_the_picture(spark: RetinaFace) -> None:
    """Three times as wide and high: everything is three times as far and as large."""
    large = night(192, 288, (72, 120), size=3)
    faces = RetinaFaceDetector(spark, min_face_px=60, max_side=96).detect([large])[0]
    np.testing.assert_allclose(faces.boxes, 3 * np.array([[18.4, 8.8, 82.4, 40.8]]), atol=1e-2)
    np.testing.assert_allclose(faces.landmarks[0, 2], [3 * 37.6, 3 * 28], atol=1e-2)


def test_colours_reach_the_network_blue_first(spark: RetinaFace) -> None:
    red = night(64, 96, (24, 40))[..., ::-1].copy()
    assert len(RetinaFaceDetector(spark, min_face_px=20).detect([red])[0]) == 0


def test_small_faces_and_small_pictures_give_none(spark: RetinaFace) -> None:
    image = night(64, 96, (24, 40))  # the box is 64 × 32
    assert len(RetinaFaceDetector(spark, min_face_px=32).detect([image])[0]) == 1
    assert len(RetinaFaceDetector(spark, min_face_px=33).detect([image])[0]) == 0
    tiny = [np.zeros(shape, np.uint8) for shape in ((0, 0, 3), (1, 1, 3), (11, 500, 3))]
    assert [len(faces) for faces in RetinaFaceDetector(spark, min_face_px=12).detect(tiny)] == [0, 0, 0]
    for shape in ((12, 12, 3), (13, 37, 3)):
        assert len(RetinaFaceDetector(spark, min_face_px=12).detect([np.zeros(shape, np.uint8)])[0]) == 0


def test_faces_come_best_first(spark: RetinaFace) -> None:
    image = night(64, 160, (24, 24), (24, 104))
    image[24, 24, 2] = 126  # just brighter than the mean, so that the answer is less sure
    faces = RetinaFaceDetector(spark, min_face_px=20).detect([image])[0]
    assert faces.scores[0] > faces.scores[1] > 0.6 and faces.boxes[0, 0] > faces.boxes[1, 0]


def test_retinaface_on_a_batch_is_that_of_singles(portrait: RGB, spark: RetinaFace) -> None:
    """The pass of a GPU, with pictures without a face."""
    torch.manual_seed(0)
    small = cv2.resize(portrait, (96, 64))
    images = [small, np.full_like(small, 128), small[:, ::-1].copy()]
    wild = RetinaFaceDetector(RetinaFace("mobilenet025"), min_face_px=12, min_score=0.5)
    together = wild._detect_batch(images)
    assert all(len(faces) for faces in together)
    same(together, wild.detect(images))
    detector = RetinaFaceDetector(spark, min_face_px=20)
    images = [night(64, 96, (24, 40)), night(64, 96), night(64, 96, (40, 8), (8, 72))]
    together = detector._detect_batch(images)
    assert [len(faces) for faces in together] == [1, 0, 2]
    same(together, detector.detect(images))


def test_pictures_of_several_sizes_go_one_by_one(spark: RetinaFace) -> None:
    images = [night(64, 96, (24, 40)), night(40, 60), night(80, 64, (40, 24))]
    assert [len(faces) for faces in RetinaFaceDetector(spark, min_face_px=20).detect(images)] == [1, 0, 1]


# --- published weights


def pattern(backbone: str) -> dict[str, Tensor]:
    """A state dict with published names and values that only depend on the order of the names."""
    names, expected = published_names(backbone), shapes(backbone)
    state = {}
    for k, (theirs, shape) in enumerate(sorted((names[ours], shape) for ours, shape in expected.items())):
        count = math.prod(shape)
        wave = torch.sin(torch.arange(count, dtype=torch.float64) * (0.37 + 0.001 * k) + k).float().reshape(shape)
        if theirs.endswith("running_var"):
            state[theirs] = 1 + 0.5 * wave
        elif len(shape) == 1:
            state[theirs] = 1 + 0.2 * wave if theirs.endswith("weight") else 0.1 * wave
        else:
            state[theirs] = wave * math.sqrt(2 * shape[0] / count)
    return state


NAMES = {
    "mobilenet025": (253, {
        "body.stage1.0.0.weight": (8, 3, 3, 3), "body.stage1.1.0.weight": (8, 1, 3, 3),
        "body.stage1.1.3.weight": (16, 8, 1, 1), "body.stage2.5.4.running_mean": (128,),
        "body.stage3.1.3.weight": (256, 256, 1, 1), "fpn.output1.0.weight": (64, 64, 1, 1),
        "fpn.output3.0.weight": (64, 256, 1, 1), "fpn.merge2.0.weight": (64, 64, 3, 3),
        "ssh1.conv3X3.0.weight": (32, 64, 3, 3), "ssh2.conv7X7_2.1.bias": (16,),
        "ssh3.conv7x7_3.0.weight": (16, 16, 3, 3), "ClassHead.0.conv1x1.weight": (4, 64, 1, 1),
        "BboxHead.2.conv1x1.bias": (8,), "LandmarkHead.1.conv1x1.weight": (20, 64, 1, 1),
    }),
    "resnet50": (383, {
        "body.conv1.weight": (64, 3, 7, 7), "body.bn1.running_var": (64,),
        "body.layer1.0.downsample.0.weight": (256, 64, 1, 1), "body.layer4.2.conv3.weight": (2048, 512, 1, 1),
        "fpn.output1.0.weight": (256, 512, 1, 1), "fpn.output3.0.weight": (256, 2048, 1, 1),
        "fpn.merge1.0.weight": (256, 256, 3, 3), "ssh1.conv5X5_1.0.weight": (64, 256, 3, 3),
        "ssh2.conv5X5_2.0.weight": (64, 64, 3, 3), "LandmarkHead.0.conv1x1.weight": (20, 256, 1, 1),
    }),
}  # fmt: skip


@pytest.mark.parametrize("backbone", BACKBONES)
def test_every_weight_has_its_published_name_and_shape(backbone: str) -> None:
    names, expected = published_names(backbone), shapes(backbone)
    count, known = NAMES[backbone]
    assert len(names) == len(set(names.values())) == count and set(names) == set(expected)
    by_theirs = {names[ours]: tuple(shape) for ours, shape in expected.items()}
    assert {name: by_theirs.get(name) for name in known} == known


SAID = {
    "mobilenet025": (
        [0.109301, 0.067317], [0.059083, 0.156791, 0.142128, 0.014362], [0.198724, 0.193456, 0.161200, 0.106211],
    ),
    "resnet50": (
        [0.035954, 0.109197], [0.047152, 0.048520, 0.061028, 0.072205], [0.057953, 0.098483, 0.124522, 0.088638],
    ),
}  # fmt: skip


@pytest.mark.parametrize("backbone", ["mobilenet025", pytest.param("resnet50", marks=pytest.mark.nightly)])
def test_converted_weights_answer_as_in_the_published_network(backbone: str, tmp_path: Path) -> None:
    """The numbers are what the published network, run by itself, says about these weights and this input."""
    torch.save({f"module.{name}": value for name, value in pattern(backbone).items()}, tmp_path / "a.pth")
    out = tmp_path / "new" / "a.safetensors"
    assert convert(f"retinaface-{backbone}", tmp_path / "a.pth", out) == []
    net = load_retinaface(f"retinaface-{backbone}", out).eval()
    x = torch.sin(torch.arange(3 * 72 * 100).float() * 0.013).reshape(1, 3, 72, 100) * 100
    with torch.inference_mode():
        classes, boxes, landmarks = net(x)
    expected = [torch.tensor(values) for values in SAID[backbone]]
    for got, known in zip((classes[0, 5], boxes[0, 5], landmarks[0, -1, :4]), expected, strict=True):
        torch.testing.assert_close(got, known, atol=2e-5, rtol=1e-4)


@pytest.fixture(scope="module")
def published() -> dict[str, Tensor]:
    return pattern("mobilenet025")


def test_conversion_keeps_every_value_and_lists_what_it_leaves_out(
    tmp_path: Path, published: dict[str, Tensor]
) -> None:
    counters = {"body.stage1.0.1.num_batches_tracked": torch.tensor(7)}
    inner = {**published, **counters, "fc.weight": torch.ones(2)}
    torch.save({"epoch": 3, "state_dict": inner}, tmp_path / "old.pth", _use_new_zipfile_serialization=False)
    out = tmp_path / "new.safetensors"
    assert convert(SMALL, tmp_path / "old.pth", out) == ["fc.weight"]
    with safe_open(out, framework="pt") as file:
        assert file.metadata() == {"format": FORMAT, "backbone": "mobilenet025"}
        assert len(file.keys()) == len(published)
    state = load_retinaface(SMALL, out).state_dict()
    for ours, theirs in published_names("mobilenet025").items():
        torch.testing.assert_close(state[ours], published[theirs], rtol=0, atol=0)
    assert [path.name for path in tmp_path.iterdir() if path.suffix == ".tmp"] == []


def test_a_detector_runs_as_soon_as_its_weights_are_there(
    tmp_path: Path, published: dict[str, Tensor], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FER_DETECTORS", str(tmp_path / "detectors"))
    torch.save(published, tmp_path / "a.pth")
    assert convert_command([SMALL, str(tmp_path / "a.pth")]) == 0
    assert f"Written to {DETECTORS[SMALL].weights}" in capsys.readouterr().out
    assert DETECTORS[SMALL].missing == ""
    detector = make_detector(SMALL, min_face_px=20)
    assert detector.name == SMALL and len(detector.detect([np.zeros((32, 32, 3), np.uint8)])) == 1
    live = LiveView(detector, EmotionScores.of_checkpoint(classifier_of(Squares())))
    seen = [live.see(np.zeros((32, 32, 3), np.uint8), time_s) for time_s in (0.0, 0.1)]
    assert [len(each.tracks) for each in seen] == [len(detector.detect([np.zeros((32, 32, 3), np.uint8)])[0])] * 2


class Program:
    """Makes a folder when it is unpickled."""

    def __reduce__(self) -> tuple[Callable[[str], None], tuple[str]]:
        return os.mkdir, ("harm",)


def test_a_pickle_with_a_program_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"body.conv1.weight": Program()}, "bad.pth")
    assert convert_command([SMALL, "bad.pth", "out.safetensors"]) == 1
    told = capsys.readouterr().err
    assert "bad.pth was not opened" in told and "mkdir" in told and "could run as a program" in told
    assert not Path("harm").exists() and not Path("out.safetensors").exists()


def without(state: dict[str, Tensor], *names: str) -> dict[str, Tensor]:
    return {name: value for name, value in state.items() if name not in names}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda state: state | {"ssh1.conv3X3.0.weight": torch.zeros(3, 3)},
         r"ssh1.conv3X3.0.weight should have shape \(32, 64, 3, 3\), got \(3, 3\)"),
        (lambda state: without(state, "fpn.output1.0.weight", "ssh2.conv3X3.1.bias"),
         r"a.pth lacks 2 of 253 weights, first fpn.output1.0.weight"),
        (lambda state: state | {"fpn.output1.1.bias": torch.full((64,), math.nan)}, "fpn.output1.1.bias holds values"),
        (lambda state: state | {"fpn.output1.1.bias": 3}, "got int"),
        (lambda state: list(state.values()), "holds a list; expected named weights"),
        (lambda state: {}, "lacks 253 of 253"),
    ],
)  # fmt: skip
def test_weights_that_do_not_fit_are_named(
    tmp_path: Path, published: dict[str, Tensor], change: Callable[[dict[str, Tensor]], object], said: str
) -> None:
    torch.save(change(dict(published)), tmp_path / "a.pth")
    with pytest.raises(CheckpointError, match=said):
        convert(SMALL, tmp_path / "a.pth", tmp_path / "out.safetensors")
    assert not (tmp_path / "out.safetensors").exists()


def test_weights_of_the_other_backbone_are_refused(tmp_path: Path, published: dict[str, Tensor]) -> None:
    torch.save(published, tmp_path / "a.pth")
    with pytest.raises(CheckpointError, match=r"lacks 2\d\d of 383 weights, first body.conv1.weight"):
        convert("retinaface-resnet50", tmp_path / "a.pth", tmp_path / "out.safetensors")
    convert(SMALL, tmp_path / "a.pth", tmp_path / "out.safetensors")
    with pytest.raises(
        CheckpointError, match=r"expected format .* backbone 'resnet50', got .* backbone 'mobilenet025'"
    ):
        load_retinaface("retinaface-resnet50", tmp_path / "out.safetensors")


@pytest.mark.parametrize("content", [b"", b"no weights", b"PK\x03\x04 and no more"])
def test_damaged_files_are_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.pth").write_bytes(content)
    with pytest.raises(CheckpointError, match="is damaged or no file of weights"):
        convert(SMALL, tmp_path / "a.pth", tmp_path / "out.safetensors")
    with pytest.raises(CheckpointError, match="is not a whole safetensors file"):
        load_retinaface(SMALL, tmp_path / "a.pth")


def test_files_of_others_are_refused(tmp_path: Path) -> None:
    save_file({"a": torch.ones(1)}, tmp_path / "a.safetensors")
    with pytest.raises(CheckpointError, match="got format None"):
        load_retinaface(SMALL, tmp_path / "a.safetensors")
    save_file({"a": torch.ones(1)}, tmp_path / "b.safetensors", {"format": FORMAT, "backbone": "mobilenet025"})
    with pytest.raises(CheckpointError, match="lacks 253 of 253"):
        load_retinaface(SMALL, tmp_path / "b.safetensors")
    with pytest.raises(InputError, match="There is no file"):
        convert(SMALL, tmp_path / "c.pth", tmp_path / "out.safetensors")
    with pytest.raises(InputError, match="converted for retinaface-resnet50, retinaface-mobilenet025"):
        convert("haar", tmp_path / "a.safetensors", tmp_path / "out.safetensors")


@pytest.mark.parametrize("name", ["haar", "mtcnn"])
def test_pictures_side_by_side_do_not_get_in_each_others_way(portrait: np.ndarray, name: str) -> None:
    detector = make_detector(name)
    picture = cv2.resize(portrait, (320, 320))
    pictures = [np.roll(picture, 7 * i, axis=1) if i % 3 else np.full_like(picture, 9 * i) for i in range(12)]
    alone = [detector.detect([each])[0] for each in pictures]
    with ThreadPoolExecutor(6) as pool:
        together = list(pool.map(lambda each: detector.detect([each])[0], pictures * 3))
    for i, faces in enumerate(together):
        np.testing.assert_array_equal(faces.boxes, alone[i % 12].boxes)
