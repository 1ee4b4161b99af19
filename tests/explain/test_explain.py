"""Heatmaps and the regions of the face: aligned with the crop, true to the method, and nothing left on the model."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from skimage.color import deltaE_ciede2000
from torch import nn
from torchvision.models import ConvNeXt, SwinTransformer, VisionTransformer
from torchvision.models.convnext import CNBlockConfig
from torchvision.models.vision_transformer import ConvStemConfig

from fer_core.errors import InputError
from fer_core.explain import (
    METHODS,
    REGIONS,
    attention_shares,
    cams,
    contrast,
    feature_maps,
    feature_sheet,
    gradcam,
    heatmaps,
    landmarks_in_crop,
    layers,
    overlay,
    overlay_signed,
    region_masks,
    sanity,
)
from fer_core.explain.pictures import AGAINST, FOR
from fer_core.explain.placing import placing
from fer_core.faces import CropGeometry, Faces, crop_faces
from fer_core.models.classifier import Classifier, load
from tests.support import ROOT
from tests.support.colours import MACHADO, lab, linear
from tests.support.networks import BRIGHT, DARK, Squares, Wrapped, classifier_of, squares

RGB = NDArray[np.uint8]
FACE = np.array([[16, 18], [32, 18], [24, 28], [17, 36], [31, 36]], np.float32)
"""Upright landmarks in a crop of 48 px. The unit is 2.26 / 2.52 of the 18 px from eyes to mouth: 16.14 px."""


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    """MobileNetV2: the layers below are its own."""
    return load("mobilenetv2-ferplus")


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


def laid(classifier: Classifier, cells: torch.Tensor) -> NDArray[np.float32]:
    """Cells (1, 6, 6) of ``backbone.13`` over the network's input, from 0 to 1."""
    wanted = placing(classifier, "backbone.13").onto(cells, 44)[0].cpu().numpy()
    return (wanted - wanted.min()) / (wanted.max() - wanted.min())


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
    back = gradcam.onto_crop(seen, 48, 44 / 48)
    assert back[0, 5, 42] == pytest.approx(1, abs=1e-4)
    assert back.sum() == pytest.approx(1, abs=1e-3)
    twice = gradcam.onto_crop(seen, 96, 44 / 48)[0]
    assert [float(v) for v in np.argwhere(twice > 0.5).mean(axis=0)] == [10.5, 84.5]
    whole = np.random.default_rng(0).random((2, 44, 44), np.float32)
    np.testing.assert_allclose(gradcam.onto_crop(whole, 44, 1.0), whole, atol=1e-5)


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
    cam = (gradient.mean(dim=(2, 3), keepdim=True) * kept["a"]).sum(dim=1).relu().detach()
    found = heatmaps(classifier, crops[:1], "sad", method="gradcam", layer="backbone.13")[0, 2:46, 2:46]
    assert cam.shape == (1, 6, 6)
    np.testing.assert_allclose(found, laid(classifier, cam), atol=2e-3)


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


def state_of(classifier: Classifier) -> dict[str, NDArray]:
    return {name: value.cpu().numpy().copy() for name, value in classifier.net.state_dict().items()}


def assert_untouched(classifier: Classifier, before: dict[str, NDArray]) -> None:
    """Bit for bit the same weights, and neither hooks, gradients nor training left on the network."""
    after = state_of(classifier)
    assert before.keys() == after.keys() and all(np.array_equal(before[name], after[name]) for name in before)
    for module in classifier.net.modules():
        hooks = (module._forward_hooks, module._forward_pre_hooks, module._backward_hooks)
        assert not any(hooks) and not module.training
    assert all(each.requires_grad and each.grad is None for each in classifier.net.parameters())


USES: dict[str, Callable[[Classifier, RGB], object]] = {
    **{name: lambda c, crops, name=name: heatmaps(c, crops[:1], "sad", method=name) for name in METHODS},
    "contrast": lambda c, crops: contrast(c, crops, "happy", ("sad", "fear")),
    "feature maps": lambda c, crops: feature_maps(c, crops[0]),
    "sanity": lambda c, crops: sanity(c, crops[0], "happy", steps=2).own.deletion,
    "layers": lambda c, _crops: layers(c),
}


@pytest.fixture
def shared(classifier: Classifier) -> Classifier:
    """The classifier anew, with a network of its own whose weights want gradients, and nothing remembered of it."""
    return Classifier(deepcopy(classifier.net).requires_grad_(), classifier.card, device=str(classifier.device))


@pytest.mark.parametrize("use", USES)
def test_the_classifier_is_left_as_it_was(
    shared: Classifier, crops: RGB, use: str, capfd: pytest.CaptureFixture[str]
) -> None:
    before, scores = state_of(shared), shared.predict(crops)
    USES[use](shared, crops)
    assert_untouched(shared, before)
    np.testing.assert_array_equal(shared.predict(crops).logits, scores.logits)
    assert capfd.readouterr() == ("", "")


RARELY = {"gradcam++", "contrast", "sanity"}


@pytest.mark.parametrize(
    "use",
    [pytest.param(name, marks=pytest.mark.nightly if name in RARELY else ()) for name in USES if name != "layers"],
)
def test_the_classifier_is_left_as_it_was_by_what_fails(
    shared: Classifier, crops: RGB, use: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = state_of(shared)

    def fail(*_args: object) -> None:
        raise RuntimeError("halfway")

    with monkeypatch.context() as patched:
        patched.setattr(Classifier, "network_input" if use == "feature maps" else "_channels", fail)
        with pytest.raises(RuntimeError, match="halfway"):
            USES[use](shared, crops)
    if use != "feature maps":
        with monkeypatch.context() as patched:
            patched.setattr(cams, "score", fail)
            with pytest.raises(RuntimeError, match="halfway"):
                USES[use](shared, crops)
    assert_untouched(shared, before)
    assert USES[use](shared, crops) is not None


def test_several_threads_may_share_a_classifier(shared: Classifier, crops: RGB) -> None:
    uses = [USES[name] for name in ("gradcam", "gradcam++", "contrast", "feature maps", "sanity")]
    before, alone = state_of(shared), [use(shared, crops) for use in uses]
    with ThreadPoolExecutor(5) as pool:
        together = list(pool.map(lambda use: use(shared, crops), uses * 3))
    for one, other in zip(alone * 3, together, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-4)  # type: ignore[arg-type]
    assert_untouched(shared, before)


def test_modes_of_the_caller_do_not_matter(classifier: Classifier, crops: RGB, maps: NDArray) -> None:
    with torch.inference_mode():
        np.testing.assert_array_equal(heatmaps(classifier, crops), maps)
    with torch.no_grad():
        np.testing.assert_array_equal(heatmaps(classifier, crops), maps)
    assert torch.is_grad_enabled()


def test_a_network_that_was_made_in_inference_mode_has_maps_too(
    classifier: Classifier, crops: RGB, maps: NDArray
) -> None:
    with torch.inference_mode():
        made = Classifier(deepcopy(classifier.net), classifier.card, device=str(classifier.device))
    np.testing.assert_array_equal(heatmaps(made, crops), maps)


def test_no_crop_has_no_map(classifier: Classifier) -> None:
    for targets in (None, [], "happy"):
        assert heatmaps(classifier, np.zeros((0, 48, 48, 3), np.uint8), targets).shape == (0, 48, 48)


def test_layers_are_the_blocks_with_a_map(classifier: Classifier, crops: RGB, maps: NDArray) -> None:
    names = layers(classifier)
    assert names == [f"backbone.{i}" for i in reversed(range(19))]
    np.testing.assert_array_equal(heatmaps(classifier, crops, layer="backbone.7"), maps)  # the default
    assert correlation(heatmaps(classifier, crops, layer=names[0]), maps) < 0.99


def test_what_cannot_be_explained_is_refused(classifier: Classifier, crops: RGB) -> None:
    for wrong in (crops.astype(np.float32), crops[0], crops[..., 0], crops[:, :40]):
        with pytest.raises(InputError, match=r"Expected crops uint8 \(n, s, s, 3\), got"):
            heatmaps(classifier, wrong)
    with pytest.raises(InputError, match="knows no 'joy'; expected one of angry, disgust"):
        heatmaps(classifier, crops, "joy")
    with pytest.raises(InputError, match="one for each of 3 crops, got 2"):
        heatmaps(classifier, crops, ["happy", "sad"])
    with pytest.raises(InputError, match=r"Unknown method 'lime'; known are gradcam, gradcam\+\+, hirescam"):
        heatmaps(classifier, crops, method="lime")
    with pytest.raises(InputError, match="batch_size of 1 or more, got 0"):
        heatmaps(classifier, crops, batch_size=0)
    with pytest.raises(InputError, match=r"no layer 'head' to explain; expected one of backbone\.18, backbone\.17"):
        heatmaps(classifier, crops, layer="head")


def test_groups_that_cannot_be_are_refused(classifier: Classifier, crops: RGB) -> None:
    for wrong in ((), ("sad", "sad")):
        with pytest.raises(InputError, match="at least one emotion, and each only once, got"):
            heatmaps(classifier, crops, wrong)
    with pytest.raises(InputError, match="knows no 'joy'"):
        contrast(classifier, crops, "happy", ("sad", "joy"))


# --- networks whose maps are known


@pytest.fixture(scope="module")
def known() -> Classifier:
    return classifier_of(Squares())


def places(*where: tuple[slice, slice]) -> NDArray[np.float32]:
    found = np.zeros((48, 48), np.float32)
    for each in where:
        found[each] = 1
    return found


@pytest.mark.parametrize("method", METHODS)
def test_a_map_is_what_the_network_is_made_to_see(known: Classifier, method: str) -> None:
    picture = squares()
    targets: list[gradcam.Target] = ["happy", "sad", ("happy", "sad"), ("happy", "fear")]
    found = heatmaps(known, np.repeat(picture[None], 4, axis=0), targets, method=method)
    wanted = [places(BRIGHT), places(DARK), places(BRIGHT, DARK), places(BRIGHT)]
    np.testing.assert_allclose(found, wanted, atol=1e-4)
    one = heatmaps(known, picture[None], ("happy", "sad"), method=method)  # a tuple is a group, not one for each
    np.testing.assert_allclose(one, found[2:3], atol=1e-4)


@pytest.mark.parametrize("method", METHODS)
def test_a_contrast_is_the_difference_of_two_maps(known: Classifier, method: str) -> None:
    picture = squares()[None]
    found = contrast(known, picture, "happy", "sad", method=method)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found[0], places(BRIGHT) - places(DARK), atol=1e-4)
    assert np.abs(contrast(known, picture, "happy", ("happy", "fear"), method=method)).max() < 1e-4


def test_a_contrast_of_a_batch_takes_each_by_its_targets(classifier: Classifier, crops: RGB) -> None:
    found = contrast(classifier, crops, ["happy", "sad", "fear"], "neutral", layer="backbone.12")
    first = heatmaps(classifier, crops, ["happy", "sad", "fear"], layer="backbone.12")
    second = heatmaps(classifier, crops, "neutral", layer="backbone.12")
    np.testing.assert_allclose(found, first - second, atol=5e-3)
    assert contrast(classifier, crops[:0], "happy", "sad").shape == (0, 48, 48)


def test_a_group_is_explained_by_the_log_sum_exp(classifier: Classifier, crops: RGB) -> None:
    """Its gradient is the mean of the emotions' gradients, weighed by their probabilities among themselves."""
    net, kept = deepcopy(classifier.net), {}
    net.backbone[13].register_forward_hook(lambda _block, _inputs, output: kept.update(a=output))
    logits = net(classifier.network_input(crops[:1]))[0]
    members = [classifier.labels.index(name) for name in ("angry", "fear", "sad")]
    weights = logits[members].softmax(dim=0).detach()
    (gradient,) = torch.autograd.grad((logits[members] * weights).sum(), kept["a"])
    cam = (gradient.mean(dim=(2, 3), keepdim=True) * kept["a"]).sum(dim=1).relu().detach()
    how = {"method": "gradcam", "layer": "backbone.13"}
    found = heatmaps(classifier, crops[:1], ("angry", "fear", "sad"), **how)[0, 2:46, 2:46]
    np.testing.assert_allclose(found, laid(classifier, cam), atol=2e-3)


def test_feature_maps_are_the_layer_s_output(known: Classifier, classifier: Classifier, crops: RGB) -> None:
    found = feature_maps(known, squares(), "blocks.0")
    assert (found.dtype, found.shape) == (np.float32, (7, 48, 48))
    np.testing.assert_allclose(found[3], places(BRIGHT), atol=1e-4)
    np.testing.assert_allclose(found[4], places(DARK), atol=2e-2)
    assert not found[[0, 1, 2, 5, 6]].any()
    assert feature_maps(classifier, crops[0]).shape == (64, 6, 6)  # the default layer
    with pytest.raises(InputError, match="no layer 'blocks'"):
        feature_maps(known, squares(), "blocks")
    with pytest.raises(InputError, match=r"Expected crops uint8 \(n, s, s, 3\)"):
        feature_maps(known, squares()[..., 0], "blocks.0")


class Bare(nn.Module):
    """Convolutions without an ``nn.Sequential`` around them."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(1, 4, 3, padding=1), nn.Conv2d(4, 4, 3, stride=4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.second(self.first(x).relu()).mean(dim=(2, 3))


def transformer(*, stem: bool = False) -> nn.Module:
    convs = [ConvStemConfig(8, 3, 2), ConvStemConfig(8, 3, 2), ConvStemConfig(8, 3, 2)] if stem else None
    vit = VisionTransformer(32, 8, num_layers=1, num_heads=2, hidden_dim=16, mlp_dim=32, conv_stem_configs=convs)
    vit.heads = nn.Identity()
    return vit


def test_convolutions_of_any_make_have_maps() -> None:
    assert layers(classifier_of(Wrapped(Bare(), 4))) == ["inner.second", "inner.first"]
    convnext = ConvNeXt([CNBlockConfig(8, 16, 1), CNBlockConfig(16, None, 1)], num_classes=8)
    found = classifier_of(Wrapped(convnext, 8), size=64, channels=3)
    assert layers(found)[0] == "inner.features.3"
    assert heatmaps(found, np.random.default_rng(0).integers(0, 255, (1, 64, 64, 3)).astype(np.uint8), "sad").any()


@pytest.mark.parametrize("kind", ["vit", "vit with a stem", "swin"])
def test_networks_without_convolutional_maps_are_refused(kind: str) -> None:
    """What cuts the picture into patches is a convolution as well, but its map says nothing of the scores."""
    swin = SwinTransformer([4, 4], 16, [2], [2], [4, 4], num_classes=16)
    net = swin if kind == "swin" else transformer(stem="stem" in kind)
    without = classifier_of(Wrapped(net, 16), size=32, channels=3)
    crops = np.zeros((1, 32, 32, 3), np.uint8)
    assert layers(without) == []
    for use in (
        lambda: heatmaps(without, crops, "sad"),
        lambda: heatmaps(without, crops, "sad", layer="inner.conv_proj"),
        lambda: contrast(without, crops, "sad", "fear"),
        lambda: feature_maps(without, crops[0]),
        lambda: sanity(without, crops[0], "sad"),
    ):
        with pytest.raises(InputError, match=r"no convolutional maps.*rollout.*class.*Choose a checkpoint"):
            use()


def test_regions_and_pictures_do_without_torch() -> None:
    code = "import sys; from fer_core.explain import overlay_signed, region_masks; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
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


@pytest.mark.parametrize("draw", [overlay, overlay_signed])
def test_pictures_that_cannot_be_drawn_are_refused(draw: Callable[..., RGB], crops: RGB) -> None:
    heat = np.zeros((48, 48), np.float32)
    for size in (0, -1, 10**6):
        with pytest.raises(InputError, match="Expected a size of 1 to 8192 pixels"):
            draw(crops[0], heat, size=size)
    for crop in (crops, crops[0].astype(np.float32), crops[0, :0]):
        with pytest.raises(InputError, match=r"Expected a crop uint8 \(s, s, 3\)"):
            draw(crop, heat, size=48)
    for wrong in (heat[None], heat[:0]):
        with pytest.raises(InputError, match="Expected one map"):
            draw(crops[0], wrong, size=48)


def test_a_signed_overlay_tells_for_from_against() -> None:
    signed, black = np.zeros((48, 48), np.float32), np.zeros((48, 48, 3), np.uint8)
    signed[8:16, 8:16], signed[30:38, 28:36] = 1, -1
    found = overlay_signed(black, signed, size=48)
    np.testing.assert_allclose(found[12, 12], np.multiply(FOR, 0.8), atol=1)
    np.testing.assert_allclose(found[34, 32], np.multiply(AGAINST, 0.8), atol=1)
    assert not found[20:28].any()
    half = overlay_signed(black, signed / 2, size=96)
    np.testing.assert_allclose(half[24, 24], np.multiply(FOR, 0.4), atol=1)


@pytest.mark.parametrize("blindness", [None, *MACHADO])
def test_the_two_sides_of_a_contrast_stay_apart(blindness: str | None) -> None:
    """CIEDE2000 differences of 10 are plain at a glance; on grey, as opaque as they get."""
    seen = np.eye(3) if blindness is None else np.array(MACHADO[blindness])
    for grey in (0, 128, 255):
        drawn = [np.multiply(colour, 0.8) + 0.2 * grey for colour in (FOR, AGAINST)]
        names = ["#{:02X}{:02X}{:02X}".format(*(round(v) for v in each)) for each in (*drawn, (grey,) * 3)]
        orange, blue, bare = (lab(seen @ linear(name)) for name in names)
        for one, other in ((orange, blue), (orange, bare), (blue, bare)):
            assert deltaE_ciede2000(one, other) > 10, (grey, blindness)


def test_a_feature_sheet_starts_with_the_strongest_channel() -> None:
    maps = np.zeros((5, 2, 2), np.float32)
    maps[1] = 9  # the same everywhere: shows nothing
    maps[3, 0, 0], maps[4, 1, 1] = 1, -4
    sheet = feature_sheet(maps, columns=2, size=10)
    assert (sheet.shape, sheet.dtype) == ((22, 22, 3), np.uint8)
    yellow, blue = (253, 231, 37), (68, 1, 84)  # the ends of viridis, RGB
    first, second = sheet[:10, :10], sheet[:10, 12:]
    np.testing.assert_allclose(first[7, 7], blue, atol=1)  # channel 4: its least value, the others its greatest
    np.testing.assert_allclose(first[2, 2], yellow, atol=1)
    np.testing.assert_allclose(second[2, 2], yellow, atol=1)  # channel 3
    np.testing.assert_allclose(second[7, 7], blue, atol=1)
    assert (sheet[10:12] == 255).all() and (sheet[:, 10:12] == 255).all()  # four of five channels are shown
    assert feature_sheet(maps[:3], columns=8, size=4).shape == (4, 46, 3)
    for wrong in (maps[0], maps[:0]):
        with pytest.raises(InputError, match=r"Expected maps \(c, h, w\)"):
            feature_sheet(wrong)
    with pytest.raises(InputError, match="columns"):
        feature_sheet(maps, columns=0)


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
    with pytest.raises(InputError, match="Expected a size of 1 pixel or more"):
        region_masks(FACE, 0)
    with pytest.raises(InputError, match=r"Expected a map \(s, s\) and masks"):
        attention_shares(np.zeros((44, 44), np.float32), region_masks(FACE, 48))
