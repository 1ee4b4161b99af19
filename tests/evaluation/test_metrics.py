"""Figures of merit against scikit-learn and by hand."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import sklearn.metrics as sk
from numpy.typing import NDArray

from fer_core.errors import DataError
from fer_core.evaluation.metrics import (
    brier_score,
    confusion_matrix,
    expected_calibration_error,
    fit_temperature,
    negative_log_likelihood,
    recalls,
    report,
)


@pytest.fixture(scope="module")
def case() -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    random = np.random.default_rng(1)
    labels = random.integers(0, 7, 500)
    logits = random.normal(size=(500, 7)) + 2 * np.eye(7)[labels]
    p = np.exp(logits)
    return p / p.sum(axis=1, keepdims=True), labels


def test_against_scikit_learn(case: tuple[NDArray[np.float64], NDArray[np.int64]]) -> None:
    p, labels = case
    top = p.argmax(axis=1)
    np.testing.assert_array_equal(confusion_matrix(labels, top, 7), sk.confusion_matrix(labels, top))
    np.testing.assert_allclose(recalls(confusion_matrix(labels, top, 7)), sk.recall_score(labels, top, average=None))
    figures = report(p, labels)
    assert figures["accuracy"] == pytest.approx(sk.accuracy_score(labels, top))
    assert figures["macro_recall"] == pytest.approx(sk.balanced_accuracy_score(labels, top))
    assert negative_log_likelihood(p, labels) == pytest.approx(sk.log_loss(labels, p, labels=range(7)))
    assert brier_score(p, labels) == pytest.approx(((p - np.eye(7)[labels]) ** 2).sum(axis=1).mean())
    group = np.array([0, 0, 0, 2, 0, 1, 1])
    assert figures["groups_macro_recall"] == pytest.approx(sk.balanced_accuracy_score(group[labels], group[top]))


def test_calibration_error_by_hand() -> None:
    p = np.array([[0.9, 0.1], [0.9, 0.1], [0.6, 0.4], [0.6, 0.4]])
    labels = np.array([0, 1, 0, 0])
    # bin of 0.9: right half of the time, gap 0.4; bin of 0.6: always right, gap 0.4
    assert expected_calibration_error(p, labels) == pytest.approx(0.4)
    assert expected_calibration_error(np.array([[1.0, 0.0]]), np.array([0])) == 0.0


def test_a_label_the_network_does_not_know_counts_as_wrong() -> None:
    p = np.full((2, 7), 1 / 7)
    p[:, 3] += 0.5
    p /= p.sum(axis=1, keepdims=True)
    figures = report(p, np.array([3, 7]))
    assert (figures["accuracy"], figures["worst_class"], figures["worst_recall"]) == (0.5, "contempt", 0.0)


def test_the_temperature_is_found_again(case: tuple[NDArray[np.float64], NDArray[np.int64]]) -> None:
    p, labels = case
    logits = np.log(p)
    best = fit_temperature(logits, labels)
    assert fit_temperature(logits * 3, labels) == pytest.approx(3 * best, rel=1e-3)


def test_nothing_to_evaluate_is_an_error() -> None:
    with pytest.raises(DataError, match="No image is left"):
        report(np.zeros((0, 7)), np.zeros(0, np.int64))


@pytest.mark.parametrize(
    "figure", [report, expected_calibration_error, negative_log_likelihood, brier_score, fit_temperature]
)
def test_arrays_that_do_not_fit_together_are_said(
    figure: Callable[..., object], case: tuple[NDArray[np.float64], NDArray[np.int64]]
) -> None:
    p, labels = case
    for wrong in ((p, labels[:-1]), (p[:, 0], labels), (p, labels[:, None])):
        with pytest.raises(DataError, match="Expected"):
            figure(*wrong)


def test_predictions_and_labels_are_as_many() -> None:
    with pytest.raises(DataError, match="as many"):
        confusion_matrix(np.array([0, 1]), np.array([0]), 7)


def test_no_picture_has_no_temperature() -> None:
    with pytest.raises(DataError, match="nothing to fit"):
        fit_temperature(np.zeros((2, 7)), np.array([7, 7]))
