"""Figures under another class prior, and the τ that is called halfway, against computations by hand."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import sklearn.metrics as sk
from numpy.typing import NDArray

from fer_core.emotions import ALL_ALIKE, AS_TRAINED, EMOTIONS, HALFWAY, Prior
from fer_core.errors import CheckpointError, DataError
from fer_core.evaluation import expected_calibration_error, fit_halfway, prior_report, report
from fer_core.evaluation.priors import TAUS, class_loss
from fer_core.models.card import read_card
from fer_core.models.classifier import Classifier
from fer_core.models.reference import EDGES, Reference
from fer_core.models.taught import prior_of
from tests.support.networks import Squares, classifier_of

SHARES = (0.1, 0.02, 0.05, 0.3, 0.13, 0.1, 0.3)


@pytest.fixture(scope="module")
def case() -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Calibrated answers to pictures whose classes are as common as in the training: Bayes' own, of a noisy sight."""
    rng = np.random.default_rng(3)
    labels = rng.choice(7, 3000, p=SHARES)
    seen = 1.2 * np.eye(7)[labels] + rng.normal(size=(3000, 7))
    logits = 1.2 * seen + np.log(SHARES)
    p = np.exp(logits)
    return p / p.sum(axis=1, keepdims=True), labels


def test_halfway_is_the_best_class_loss_at_a_bearable_cost(case: tuple) -> None:
    p, labels = case
    prior = Prior(SHARES)
    halfway = fit_halfway(p, labels, prior)
    right = {tau: (prior.adjusted(p, tau).argmax(axis=1) == labels).mean() for tau in TAUS}
    assert 0 < halfway < 1
    assert right[0.0] - right[halfway] <= 0.01
    loss = {tau: class_loss(prior.adjusted(p, tau), labels) for tau in TAUS}
    assert all(loss[tau] > loss[halfway] for tau in TAUS if tau != halfway and right[0.0] - right[tau] <= 0.01)


def test_the_class_loss_counts_every_class_once() -> None:
    p = np.array([[0.8, 0.2], [0.8, 0.2], [0.8, 0.2], [0.5, 0.5]])
    assert class_loss(p, np.array([0, 0, 0, 1])) == pytest.approx((-np.log(0.8) - np.log(0.5)) / 2)


def test_the_report_is_that_of_the_adjusted_probabilities(case: tuple) -> None:
    p, labels = case
    prior = Prior(SHARES, 0.5)
    found = prior_report(p, labels, prior)
    assert list(found) == [AS_TRAINED, HALFWAY, ALL_ALIKE]
    for choice, figures in found.items():
        other = prior.adjusted(p, figures["tau"])
        assert figures["tau"] == prior.tau(choice)
        assert figures["accuracy"] == pytest.approx(sk.accuracy_score(labels, other.argmax(axis=1)))
        assert figures["macro_recall"] == pytest.approx(sk.balanced_accuracy_score(labels, other.argmax(axis=1)))
        assert figures["ece"] == pytest.approx(expected_calibration_error(other, labels))
    told = report(p, labels)
    assert all(found[AS_TRAINED][key] == told[key] for key in ("n", "accuracy", "macro_recall", "ece", "recalls"))
    macro = [figures["macro_recall"] for figures in found.values()]
    assert macro == sorted(macro), "what is common everywhere costs the rare ones less and less"


def test_intervals_are_those_of_drawing_pictures_one_by_one(case: tuple) -> None:
    p, labels = (each[:400] for each in case)
    rng = np.random.default_rng(1)
    macro, ece = [], []
    for _ in range(400):
        rows = rng.integers(len(labels), size=len(labels))
        drawn = report(p[rows], labels[rows])
        macro.append(drawn["macro_recall"])
        ece.append(drawn["ece"])
    found = prior_report(p, labels, Prior(SHARES))[AS_TRAINED]
    np.testing.assert_allclose(
        found["macro_recall_interval"], np.percentile(np.array(macro, float), [2.5, 97.5]), atol=0.015
    )
    np.testing.assert_allclose(found["ece_interval"], np.percentile(np.array(ece, float), [2.5, 97.5]), atol=0.01)


def test_nothing_to_report_is_an_error() -> None:
    with pytest.raises(DataError):
        prior_report(np.zeros((0, 7)), np.zeros(0, np.int64), Prior(SHARES))


# cards


def with_reference(features: NDArray[np.float32]) -> Classifier:
    reference = Reference(features)
    assert reference.occlusion_weights.shape == (EDGES,)
    plain = classifier_of(Squares())
    return Classifier(plain.net, plain.card, device="cpu", reference=reference)


def test_a_card_without_one_gets_it_from_the_training_pictures_of_its_reference() -> None:
    features = np.zeros((4, 7), np.float32)
    features[0, EMOTIONS.index("happy")] = features[1, EMOTIONS.index("sad")] = 1.0  # a thousand in logits: sure
    found = prior_of(with_reference(features))
    assert found is not None
    by_hand = np.full(7, 2 / 7 / 4)  # two answers are sure, two say nothing
    by_hand[[EMOTIONS.index("happy"), EMOTIONS.index("sad")]] += 0.25
    np.testing.assert_allclose(found.shares, by_hand, atol=1e-5)
    assert found.fitted_on == "" and "4 of its training pictures" in found.source


def test_the_cards_own_comes_first_and_without_either_there_is_none() -> None:
    classifier = with_reference(np.zeros((1, 7), np.float32))
    classifier.card = dataclasses.replace(classifier.card, prior=Prior(SHARES, 0.3))
    assert prior_of(classifier) == Prior(SHARES, 0.3)
    assert prior_of(classifier_of(Squares())) is None


def test_cards_with_and_without_one_are_read(tmp_path: Path) -> None:
    card = classifier_of(Squares()).card
    path = tmp_path / "card.json"
    path.write_text(dataclasses.replace(card, prior=Prior(SHARES, 0.35, "labels", "val")).to_json(), encoding="utf-8")
    assert read_card(path).prior == Prior(SHARES, 0.35, "labels", "val")
    values = json.loads(card.to_json())
    assert values.pop("prior") is None
    path.write_text(json.dumps(values), encoding="utf-8")
    assert read_card(path) == card, "as cards of before"
    path.write_text(json.dumps(values | {"prior": {"shares": [0.5, 0.5]}}), encoding="utf-8")
    with pytest.raises(CheckpointError, match=r"card.json: A class prior here has 7 shares"):
        read_card(path)
