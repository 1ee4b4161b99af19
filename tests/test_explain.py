"""Heatmaps and the regions of the face: aligned with the crop, true to the method, and nothing left on the model."""

from __future__ import annotations

import subprocess
import sys
from copy import deepcopy
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from fer_core.errors import InputError
from fer_core.explain import (
    METHODS,
    REGIONS,
    attention_shares,
    gradcam,
    heatmaps,
    landmarks_in_crop,
    layers,
    overlay,
    region_masks,
)
from fer_core.faces import CropGeometry, Faces, crop_faces
from fer_core.models.classifier import Classifier

RGB = NDArray[np.uint8]
FACE = np.array([[16, 18], [32, 18], [24, 28], [17, 36], [31, 36]], np.float32)
"""Upright landmarks in a crop of 48 px. The unit is 2.26 / 2.52 of the 18 px from eyes to mouth: 16.14 px."""


@pytest.fixture(scope="module")
def crops(portrait: RGB) -> RGB:
    """Three crops (3, 48, 48, 3) of the smiling face, each darker than the one before."""
    face = cv2.resize(portrait[40:180, 80:220], (48, 48), interpolation=cv2.INTER_AREA)
    return np.stack([(face * share).astype(np.uint8) for share in (1.0, 0.85, 0.7)])


@pytest.fixture(scope="module")
def maps(classifier: Classifier, crops: RGB) -> NDArray[np.float32]:
    return heatmaps(classifier, crops)


def with_head(classifier: Classifier, weight: torch.Tensor) -> Classifier:
    """The classifier with other weights of its last layer."""
    net = deepcopy(classifier.net)
    net.head.weight.data = weight
    return Classifier(net, classifier.card, device=str(classifier.device))


def correlation(one: NDArray, other: NDArray) -> float:
    return float(np.corrcoef(one.ravel(), other.ravel())[0, 1])


# --- heatmaps


@pytest.mark.parametrize("method", METHODS)
def test_maps_lie_in_what_the_network_sees(classifier: Classifier, crops: RGB, method: str) -> None:
    found = heatmaps(classifier, crops[:1], method=method)
    assert (found.dtype, found.shape) == (np.float32, (1, 48, 48))
    assert found.min() == 0 and found.max() == pytest.approx(1, abs=1e-5)
    border = np.ones((48, 48), bool)
    border[2:46, 2:46] = False  # the network sees 44 of 48 px
    assert not found[:, border].any()
    assert found[0, 2:46, 2:46].std() > 0.05


def test_a_map_is_put_back_where_the_network_saw_it() -> None:
    seen = np.zeros((1, 44, 44), np.float32)
    seen[0, 3, 40] = 1
    back = gradcam._onto_crop(seen, 48, 44 / 48)
    assert back[0, 5, 42] == pytest.approx(1, abs=1e-4)
    assert back.sum() == pytest.approx(1, abs=1e-3)
    twice = gradcam._onto_crop(seen, 96, 44 / 48)[0]
    assert [float(v) for v in np.argwhere(twice > 0.5).mean(axis=0)] == [10.5, 84.5]
    whole = np.random.default_rng(0).random((2, 44, 44), np.float32)
    np.testing.assert_allclose(gradcam._onto_crop(whole, 44, 1.0), whole, atol=1e-5)


def test_the_explained_input_is_the_one_of_predictions(classifier: Classifier, crops: RGB) -> None:
    with torch.no_grad():
        logits = classifier.net(classifier.network_input(crops)).cpu().numpy()
    np.testing.assert_allclose(logits, classifier.predict(crops).logits, atol=2e-4)


def test_gradcam_is_the_formula_of_the_paper(classifier: Classifier, crops: RGB) -> None:
    """Selvaraju et al. 2017, equations 1 and 2: channels weighed by their mean gradient, summed, cut at zero."""
    net, kept = deepcopy(classifier.net), {}
    net.backbone[13].register_forward_hook(lambda _block, _inputs, output: kept.update(a=output))
    logit = net(classifier.network_input(crops[:1]))[0, classifier.labels.index("sad")]
    (gradient,) = torch.autograd.grad(logit, kept["a"])
    cam = (gradient.mean(dim=(2, 3), keepdim=True) * kept["a"]).sum(dim=1)[0].relu().detach().cpu().numpy()
    wanted = cv2.resize((cam - cam.min()) / (cam.max() - cam.min()), (44, 44))
    found = heatmaps(classifier, crops[:1], "sad", layer="backbone.13")[0, 2:46, 2:46]
    assert cam.shape == (6, 6)
    np.testing.assert_allclose(found, (wanted - wanted.min()) / (wanted.max() - wanted.min()), atol=2e-3)


def test_a_batch_is_its_singles(classifier: Classifier, crops: RGB, maps: NDArray) -> None:
    np.testing.assert_allclose(np.concatenate([heatmaps(classifier, crop[None]) for crop in crops]), maps, atol=5e-3)
    np.testing.assert_allclose(heatmaps(classifier, crops, batch_size=2), maps, atol=5e-3)


def test_no_targets_are_the_predicted_ones(classifier: Classifier, crops: RGB, maps: NDArray) -> None:
    tops = [classifier.labels[i] for i in classifier.predict(crops).probabilities.argmax(axis=1)]
    np.testing.assert_array_equal(heatmaps(classifier, crops, tops), maps)


def test_emotions_have_different_maps(classifier: Classifier, crops: RGB) -> None:
    happy, sad, again = heatmaps(classifier, crops[[0, 0, 0]], ["happy", "sad", "happy"])
    assert correlation(happy, sad) < 0.9
    np.testing.assert_allclose(happy, again, atol=5e-3)
    np.testing.assert_allclose(heatmaps(classifier, crops[[0, 0]], "happy")[1], happy, atol=5e-3)


def test_a_map_depends_on_the_weights(classifier: Classifier, crops: RGB) -> None:
    """The sanity check of Adebayo et al. 2018: a heatmap that survives random weights explains nothing."""
    weight = torch.randn(classifier.net.head.weight.shape, generator=torch.Generator().manual_seed(0))
    random = with_head(classifier, weight)
    assert correlation(*(heatmaps(each, crops[:1], "happy")[0] for each in (classifier, random))) < 0.9


def test_nothing_speaks_for_an_emotion_of_zero_weights(classifier: Classifier, crops: RGB) -> None:
    blind = with_head(classifier, torch.zeros_like(classifier.net.head.weight))
    for method in ("gradcam", "gradcam++"):
        found = heatmaps(blind, crops, "happy", method=method)
        assert found.shape == (3, 48, 48) and not found.any()
    assert np.isnan(attention_shares(found[0], region_masks(FACE, 48))).all()


@pytest.mark.parametrize("method", METHODS)
def test_the_classifier_is_left_as_it_was(
    classifier: Classifier, crops: RGB, method: str, capfd: pytest.CaptureFixture[str]
) -> None:
    needs = [p.requires_grad for p in classifier.net.parameters()]
    before = classifier.predict(crops)
    heatmaps(classifier, crops[:1], method=method)
    after = classifier.predict(crops)
    np.testing.assert_array_equal(before.logits, after.logits)
    np.testing.assert_array_equal(before.features, after.features)
    modules = list(classifier.net.modules())
    assert not any(m.training or m._forward_hooks or m._backward_hooks for m in modules)
    assert [p.requires_grad for p in classifier.net.parameters()] == needs
    assert all(p.grad is None for p in classifier.net.parameters())
    assert capfd.readouterr() == ("", "")


def test_modes_of_the_caller_do_not_matter(classifier: Classifier, crops: RGB, maps: NDArray) -> None:
    with torch.inference_mode():
        np.testing.assert_array_equal(heatmaps(classifier, crops), maps)
    with torch.no_grad():
        np.testing.assert_array_equal(heatmaps(classifier, crops), maps)
    assert torch.is_grad_enabled()


def test_no_crop_has_no_map(classifier: Classifier) -> None:
    for targets in (None, [], "happy"):
        assert heatmaps(classifier, np.zeros((0, 48, 48, 3), np.uint8), targets).shape == (0, 48, 48)


def test_layers_are_the_blocks_with_a_map(classifier: Classifier, crops: RGB, maps: NDArray) -> None:
    names = layers(classifier)
    assert names == [f"backbone.{i}" for i in reversed(range(19))]
    np.testing.assert_array_equal(heatmaps(classifier, crops, layer="backbone.13"), maps)  # the default
    assert correlation(heatmaps(classifier, crops, layer=names[0]), maps) < 0.99


def test_what_cannot_be_explained_is_refused(classifier: Classifier, crops: RGB) -> None:
    for wrong in (crops.astype(np.float32), crops[0], crops[..., 0], crops[:, :40]):
        with pytest.raises(InputError, match=r"Expected crops uint8 \(n, s, s, 3\), got"):
            heatmaps(classifier, wrong)
    with pytest.raises(InputError, match="knows no 'joy'; expected one of angry, disgust"):
        heatmaps(classifier, crops, "joy")
    with pytest.raises(InputError, match="one for each of 3 crops, got 2"):
        heatmaps(classifier, crops, ["happy", "sad"])
    with pytest.raises(InputError, match=r"Unknown method 'lime'; known are gradcam, gradcam\+\+, scorecam"):
        heatmaps(classifier, crops, method="lime")
    with pytest.raises(InputError, match=r"no layer 'head' to explain; expected one of backbone\.18, backbone\.17"):
        heatmaps(classifier, crops, layer="head")


def test_regions_do_without_torch() -> None:
    code = "import sys; from fer_core.explain import region_masks; print('torch' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=Path(__file__).parents[1]
    )
    assert done.stdout.strip() == "False"


# --- the picture


def test_an_overlay_is_grey_where_nothing_speaks(crops: RGB) -> None:
    heat = np.zeros((48, 48), np.float32)
    cold = overlay(crops[0], heat, size=96)
    grey = cv2.resize(cv2.cvtColor(crops[0], cv2.COLOR_RGB2GRAY), (96, 96), interpolation=cv2.INTER_CUBIC)
    np.testing.assert_array_equal(cold, np.repeat(grey[..., None], 3, axis=2))
    heat[20:28, 20:28] = 1
    hot = overlay(np.zeros((48, 48, 3), np.uint8), heat, size=48)
    assert (hot.shape, hot.dtype) == ((48, 48, 3), np.uint8)
    np.testing.assert_allclose(hot[24, 24], 0.8 * np.array([252, 255, 164]), atol=1)  # the hot end of inferno, RGB
    assert not hot[0].any()


# --- regions


def region_at(masks: NDArray[np.bool_], x: float, y: float) -> str:
    return REGIONS[int(masks[:, int(y), int(x)].argmax())]


def test_regions_are_a_partition() -> None:
    turned = FACE.copy()
    turned[:2, 0] = 22, 26
    for landmarks in (FACE, turned, FACE * 2, FACE - 30, np.full((5, 2), 7, np.float32)):
        masks = region_masks(landmarks, 64)
        assert (masks.dtype, masks.shape) == (bool, (6, 64, 64))
        assert (masks.sum(axis=0) == 1).all()


@pytest.mark.parametrize(
    ("x", "y", "region"),
    [
        (16, 18, "eyes"), (32, 18, "eyes"), (24, 18, "nose"), (24, 28, "nose"), (16, 11, "brows"), (24, 10, "brows"),
        (17, 36, "mouth"), (24, 36, "mouth"), (24, 39, "mouth"), (24, 45, "rest of the face"),
        (10, 28, "rest of the face"), (24, 3, "rest of the face"), (1, 1, "outside"), (46, 46, "outside"),
    ],
)  # fmt: skip
def test_parts_of_a_face_are_in_their_region(x: float, y: float, region: str) -> None:
    assert region_at(region_masks(FACE, 48), x, y) == region
    angle = np.deg2rad(25)
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    far = np.array([(x + 0.25, y + 0.25)]) - 24  # from the crop's middle, so that a large crop holds it turned as well
    landmarks = ((FACE - 24) @ turn * 4 + 160).astype(np.float32)
    assert region_at(region_masks(landmarks, 320), *(far @ turn * 4 + 160)[0]) == region


def test_the_eyes_are_as_large_as_documented() -> None:
    """0.36 and 0.18 of 16.14 px: 5.81 px across hold 12 centres, 2.91 px up and down hold 6, twice."""
    eyes = region_masks(FACE, 48)[REGIONS.index("eyes")]
    assert eyes.sum() == 2 * 12 * 6
    assert np.argwhere(eyes).min(axis=0).tolist() == [15, 10]


def test_a_head_in_profile_keeps_its_size() -> None:
    profile = FACE.copy()
    profile[:2, 0] = 23, 25
    shares = [region_masks(each, 48)[REGIONS.index("outside")].mean() for each in (FACE, profile)]
    assert shares[0] == pytest.approx(shares[1], abs=0.01)


def test_shares_of_attention() -> None:
    masks = region_masks(FACE, 48)
    for k in range(6):
        np.testing.assert_allclose(attention_shares(masks[k].astype(np.float32), masks), np.eye(6)[k])
    quarter = masks[3] / masks[3].sum() + 3 * masks[2] / masks[2].sum()
    np.testing.assert_allclose(attention_shares(quarter.astype(np.float32), masks), [0, 0, 0.75, 0.25, 0, 0], atol=1e-6)
    assert np.isnan(attention_shares(np.zeros((48, 48), np.float32), masks)).all()


@pytest.mark.parametrize("geometry", [CropGeometry(size=96), CropGeometry(size=64, margin=1.4)])
def test_landmarks_in_a_crop_are_where_it_shows_them(geometry: CropGeometry) -> None:
    """White discs on a black picture are found again in the crop, by their centres of light."""
    dots = np.array([[120, 90], [170, 110], [136, 128], [104, 144], [150, 158]])
    picture = np.zeros((260, 300, 3), np.uint8)
    for x, y in dots.tolist():
        cv2.circle(picture, (x, y), 3, (255, 255, 255), -1)
    landmarks = (dots[None] + 0.5).astype(np.float32)
    faces = Faces(np.array([[80, 60, 200, 190]], np.float32), np.ones(1, np.float32), landmarks)
    light = crop_faces(picture, faces, geometry)[0, ..., 0].astype(float)
    rows, columns = np.mgrid[: geometry.size, : geometry.size] + 0.5
    for x, y in landmarks_in_crop(landmarks, geometry)[0]:
        near = light * (np.hypot(columns - x, rows - y) < 7)
        centre = (near * columns).sum() / near.sum(), (near * rows).sum() / near.sum()
        np.testing.assert_allclose(centre, (x, y), atol=0.15)


def test_no_face_has_no_landmarks() -> None:
    assert landmarks_in_crop(np.zeros((0, 5, 2), np.float32), CropGeometry()).shape == (0, 5, 2)


def test_impossible_landmarks_and_maps_are_refused() -> None:
    for wrong in (FACE[:4], np.full((5, 2), np.nan, np.float32)):
        with pytest.raises(InputError, match="Expected five finite landmarks"):
            region_masks(wrong, 48)
    with pytest.raises(InputError, match=r"Expected a map \(s, s\) and masks"):
        attention_shares(np.zeros((44, 44), np.float32), region_masks(FACE, 48))
