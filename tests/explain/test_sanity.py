"""The checks of heatmaps: right about maps that are known to be right and wrong, and the same each time."""

from __future__ import annotations

import json
from copy import deepcopy

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.stats import spearmanr

from fer_core.errors import InputError
from fer_core.explain import Curves, Sanity, heatmaps, sanity
from fer_core.explain.checks import RANDOM_NETWORKS, RANDOM_ORDERS, STEPS, judged, randomised, rank_correlation
from fer_core.models.classifier import Classifier, load
from tests.support.networks import BRIGHT, SCALE, Squares, classifier_of, squares

RGB = NDArray[np.uint8]


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    """One whose layers these tests know by name."""
    return load("mobilenetv2-ferplus")


@pytest.fixture(scope="module")
def known() -> Classifier:
    return classifier_of(Squares())


@pytest.fixture(scope="module")
def face(portrait: RGB) -> RGB:
    return np.asarray(cv2.resize(portrait[40:180, 80:220], (48, 48), interpolation=cv2.INTER_AREA))


@pytest.fixture(scope="module")
def checked(classifier: Classifier, face: RGB) -> Sanity:
    return sanity(classifier, face, "happy")


def check(classifier: Classifier, maps: NDArray, target: str = "happy") -> Sanity:
    """The check of the first of given maps, for the picture with a white square only."""
    return judged(
        classifier, squares(dark=False), maps.astype(np.float32), target, method="gradcam", layer="blocks.0", seed=0,
        steps=STEPS,
    )  # fmt: skip


def test_a_true_map_passes_with_curves_by_hand(known: Classifier) -> None:
    """The white square is covered, or uncovered, with the first of eight steps. Its 64 of 48² places make a logit of
    1000 * 64 / 48²; without it all seven logits are 0."""
    found = sanity(known, squares(dark=False), "happy")
    logit = SCALE * 64 / 48**2
    np.testing.assert_allclose(found.own.deletion, [[1, *[1 / 7] * 8]], atol=1e-4)
    np.testing.assert_allclose(found.own.insertion, [[1 / 7, *[1] * 8]], atol=1e-4)
    np.testing.assert_allclose(found.own.deletion_areas, [1 / 7 + (1 - 1 / 7) / 16], atol=1e-4)
    np.testing.assert_allclose(found.own.insertion_areas, [1 - (1 - 1 / 7) / 16], atol=1e-4)
    np.testing.assert_allclose(found.own.gains, [logit * (3.5 - 0.5) / 4], rtol=1e-3)  # of four steps to the half
    assert found.passed and found.reasons == () and found.layer == "blocks.0"
    assert (found.random.gains < found.own.gains).all()


def test_a_map_of_another_place_is_found_out(known: Classifier) -> None:
    true = np.zeros((48, 48), np.float32)
    true[BRIGHT] = 1
    elsewhere, noise = np.roll(true, 24, axis=1), np.random.default_rng(0).random((3, 48, 48))
    assert check(known, np.stack([true, *noise])).passed
    wrong = check(known, np.stack([elsewhere, *noise]))
    assert not wrong.passed and len(wrong.reasons) == 1
    assert "random orders" in wrong.reasons[0] and "chance" in wrong.reasons[0]


def test_a_map_that_random_weights_draw_as_well_is_found_out(known: Classifier) -> None:
    true = np.random.default_rng(0).random((48, 48)) * 0.1
    true[BRIGHT] = 1
    found = check(known, np.stack([true, true + 0.01, true**2]))
    np.testing.assert_allclose(found.similarities, 1, atol=1e-6)
    assert [reason.split(" (")[0] for reason in found.reasons] == [
        "Networks with random weights draw nearly the same map"
    ]


def test_an_empty_map_is_found_out(known: Classifier) -> None:
    found = sanity(known, squares(dark=False), "fear")
    assert not found.heatmap.any() and not found.passed
    assert len(found.reasons) == 1 and found.reasons[0].startswith("The map is empty")
    np.testing.assert_array_equal(found.similarities, 0)


def test_the_record_is_whole(classifier: Classifier, face: RGB, checked: Sanity) -> None:
    np.testing.assert_allclose(checked.heatmap, heatmaps(classifier, face[None], "happy")[0], atol=5e-3)
    assert (checked.method, checked.layer, checked.target) == ("elementwise", "backbone.7", "happy")
    assert checked.random_maps.shape == (RANDOM_NETWORKS, 48, 48)
    assert checked.random.deletion.shape == checked.random.insertion.shape == (RANDOM_ORDERS, STEPS + 1)
    ends = classifier.predict(face[None]).probabilities[0, classifier.labels.index("happy")]
    for curves in (checked.own, checked.random, checked.spot):
        np.testing.assert_allclose(curves.deletion[:, 0], ends, atol=1e-4)  # nothing is covered yet
        np.testing.assert_allclose(curves.insertion[:, -1], ends, atol=1e-4)
        np.testing.assert_array_equal(curves.deletion[:, -1], curves.insertion[:, 0])
        assert curves.deletion.min() >= 0 and curves.insertion.max() <= 1


def test_the_record_goes_into_json(checked: Sanity) -> None:
    found = json.loads(json.dumps(checked.to_json(), allow_nan=False))
    assert (found["passed"], found["reasons"]) == (checked.passed, list(checked.reasons))
    assert found["shares"] == [i / STEPS for i in range(STEPS + 1)]
    np.testing.assert_allclose(found["curves"]["insertion"], checked.own.insertion[0], rtol=1e-6)
    np.testing.assert_allclose(found["curves"]["random deletion"], checked.random.deletion.mean(axis=0), rtol=1e-5)
    assert [row["order"] for row in found["figures"]] == ["this map", "random orders (mean)", "from the middle"]
    assert found["similarity"] == pytest.approx(checked.similarities.mean(), abs=1e-6)


def test_a_check_is_the_same_each_time_and_another_by_another_seed(classifier: Classifier, face: RGB) -> None:
    one, again, other = (sanity(classifier, face, "happy", steps=3, seed=seed) for seed in (0, 0, 1))
    np.testing.assert_allclose(again.similarities, one.similarities, atol=1e-3)
    np.testing.assert_allclose(again.random.gains, one.random.gains, atol=1e-3)
    assert np.abs(other.random.gains - one.random.gains).max() > 0.1
    assert np.abs(other.similarities - one.similarities).max() > 0.01
    np.testing.assert_allclose(other.own.deletion, one.own.deletion, atol=0.05)  # only ties are drawn anew


def test_a_group_is_checked_by_its_summed_probability(classifier: Classifier, face: RGB) -> None:
    group = ("angry", "fear", "sad")
    found = sanity(classifier, face, group, layer="backbone.12", steps=3)
    p = classifier.predict(face[None]).probabilities[0, [classifier.labels.index(name) for name in group]].sum()
    assert found.own.deletion.shape == (1, 4) and found.to_json()["target"] == list(group)
    np.testing.assert_allclose(found.own.deletion[0, 0], p, atol=1e-4)


def test_random_weights_are_drawn_by_the_seed_and_on_a_copy(classifier: Classifier) -> None:
    before = deepcopy(classifier.net.state_dict())
    one, same, other = (randomised(classifier, seed) for seed in (0, 0, 1))
    for name, value in classifier.net.state_dict().items():
        assert torch.equal(value, before[name]), name
    key = "backbone.13.conv.0.0.weight"
    assert torch.equal(one.state_dict()[key], same.state_dict()[key])
    for net in (other, classifier.net):
        assert abs(np.corrcoef(one.state_dict()[key].flatten(), net.state_dict()[key].cpu().flatten())[0, 1]) < 0.05
    assert float(one.state_dict()[key].std()) == pytest.approx((2 / 96) ** 0.5, rel=0.05)  # He et al.: 96 channels in
    norm = one.backbone[13].conv[0][1]
    assert norm.weight.eq(1).all() and norm.bias.eq(0).all() and norm.running_var.eq(1).all()


def test_rank_correlation_is_scipy_s() -> None:
    rng = np.random.default_rng(0)
    one, other = rng.integers(0, 9, (2, 20, 20)).astype(np.float32)
    assert rank_correlation(one, other) == pytest.approx(spearmanr(one.ravel(), other.ravel()).statistic)
    assert rank_correlation(one, one**3) == pytest.approx(1) and rank_correlation(one, -one) == pytest.approx(-1)
    assert rank_correlation(one, np.zeros((20, 20), np.float32)) == 0


def test_what_cannot_be_checked_is_refused(classifier: Classifier, face: RGB) -> None:
    for wrong in (face.astype(np.float32), face[..., 0], face[:40]):
        with pytest.raises(InputError, match=r"Expected crops uint8 \(n, s, s, 3\), got"):
            sanity(classifier, wrong, "happy")
    with pytest.raises(InputError, match="knows no 'joy'"):
        sanity(classifier, face, "joy")
    with pytest.raises(InputError, match="no layer 'head'"):
        sanity(classifier, face, "happy", layer="head")
    with pytest.raises(InputError, match="Unknown method 'lime'"):
        sanity(classifier, face, "happy", method="lime")
    with pytest.raises(InputError, match="two steps or more, got 1"):
        sanity(classifier, face, "happy", steps=1)
    with pytest.raises(InputError, match="Expected curves"):
        Curves(np.zeros((2, 9)), np.zeros((2, 8)), np.zeros(2))
