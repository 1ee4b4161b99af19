"""Reliability, risk and coverage, and temperatures: by hand and against scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
import sklearn.metrics as sk

from fer_core.emotions import EMOTIONS
from fer_core.errors import DataError
from fer_core.evaluation import (
    Outcomes,
    Selection,
    area_under,
    at_threshold,
    calibration_report,
    outcomes,
    probabilities_at,
    read_evaluation,
    reliability,
    risk_coverage,
    stored_temperature,
)
from fer_core.evaluation.metrics import bin_of, expected_calibration_error, negative_log_likelihood
from fer_core.models.folders import checkpoint_names, find_checkpoint
from tests.support.evaluated import evaluation, softmax


@pytest.fixture(scope="module")
def sharp() -> Outcomes:
    """A network that is far surer than it is right."""
    random = np.random.default_rng(5)
    labels = random.integers(0, 7, 600)
    logits = 3 * (random.normal(size=(600, 7)) + 1.5 * np.eye(7)[labels])
    table = evaluation(
        [EMOTIONS[i] for i in labels], logits=logits, probabilities=softmax(logits / 2).astype(np.float32)
    )
    return outcomes(table, "fer2013")


def test_bins_contain_their_upper_edge() -> None:
    assert bin_of(np.array([0.0, 0.2, 0.2001, 0.4, 0.99, 1.0]), 5).tolist() == [0, 0, 1, 1, 4, 4]


def test_reliability_by_hand() -> None:
    table = reliability(np.array([0.3, 0.5, 0.9, 0.9, 0.8]), np.array([True, False, True, True, False]), bins=2)
    assert table["low"].tolist() == [0, 0.5] and table["high"].tolist() == [0.5, 1]
    assert table["n"].tolist() == [2, 3]
    np.testing.assert_allclose(table["confidence"], [0.4, 2.6 / 3])
    np.testing.assert_allclose(table["accuracy"], [0.5, 2 / 3])
    assert reliability(np.array([0.9]), np.array([True]), bins=2)["accuracy"].isna().tolist() == [True, False]


def test_reliability_adds_up_to_the_error_and_to_selections(sharp: Outcomes) -> None:
    table = reliability(sharp.confidence, sharp.right)
    filled = table.dropna()
    gap = (filled["n"] * (filled["confidence"] - filled["accuracy"]).abs()).sum() / len(sharp)
    assert gap == pytest.approx(expected_calibration_error(sharp.probabilities, sharp.label))
    for row in table.itertuples():
        chosen = Selection(min_confidence=row.low, max_confidence=row.high).mask(sharp)
        assert chosen.sum() == row.n
        assert not row.n or sharp.right[chosen].mean() == pytest.approx(row.accuracy)


def test_risk_and_coverage_by_hand() -> None:
    curve = risk_coverage(np.array([0.9, 0.6, 0.8, 0.6]), np.array([True, False, False, True]))
    assert curve["threshold"].tolist() == [0.9, 0.8, 0.6]  # both of 0.6 are answered, or neither
    assert curve["coverage"].tolist() == [0.25, 0.5, 1.0]
    assert curve["risk"].tolist() == [0, 0.5, 0.5]
    assert at_threshold(curve, 0.8) == at_threshold(curve, 0.7) == (0.5, 0.5)
    assert at_threshold(curve, 0.0) == (1.0, 0.5)
    nothing = at_threshold(curve, 0.95)
    assert nothing.coverage == 0 and np.isnan(nothing.risk)
    assert area_under(curve) == pytest.approx((0 + 0.5 + 2 * 0.5) / 4)
    with pytest.raises(DataError, match="no picture"):
        risk_coverage(np.zeros(0), np.zeros(0, bool))


def test_the_area_is_the_mean_risk_over_all_coverages() -> None:
    random = np.random.default_rng(2)
    confidence, right = random.random(300), random.random(300) < 0.7
    order = np.argsort(-confidence)
    risks = [1 - right[order[: n + 1]].mean() for n in range(300)]
    curve = risk_coverage(confidence, right)
    assert area_under(curve) == pytest.approx(np.mean(risks))
    for threshold in (0.2, 0.5, 0.9):
        answered = confidence >= threshold
        assert at_threshold(curve, threshold) == pytest.approx((answered.mean(), 1 - right[answered].mean()))
    best = risk_coverage(right + 0.0, right)
    assert area_under(best) < area_under(curve) < area_under(risk_coverage(-(right + 0.0), right))


def test_a_temperature_divides_logits() -> None:
    logits = np.array([[1000.0, 999.0], [0.0, 0.0]], np.float32)
    np.testing.assert_allclose(probabilities_at(logits, 1.0), [[1 / (1 + np.exp(-1)), 1 / (1 + np.e)], [0.5, 0.5]])
    np.testing.assert_allclose(probabilities_at(logits, 2.0)[0, 0], 1 / (1 + np.exp(-0.5)))
    assert stored_temperature(logits, probabilities_at(logits, 2.5)) == pytest.approx(2.5)
    assert np.isnan(stored_temperature(logits, np.array([[0.5, 0.5], [0.9, 0.1]])))


def test_calibration_before_and_after(sharp: Outcomes) -> None:
    table = calibration_report(sharp).set_index("probabilities")
    assert table["is_fitted_here"].tolist() == [False, False, True]
    assert table["temperature"].tolist()[:2] == pytest.approx([1.0, 2.0], rel=1e-4)
    assert table["nll"].idxmin() == "fitted here" and table["nll"].idxmax() == "uncalibrated"
    stored = table.loc["as stored"]
    whole = sharp.probabilities / sharp.probabilities.sum(axis=1, keepdims=True)  # they are rounded to 32 bits
    assert stored["nll"] == pytest.approx(sk.log_loss(sharp.label, whole, labels=range(7)))
    expected = ((sharp.probabilities - np.eye(7)[sharp.label]) ** 2).sum(axis=1).mean()
    assert stored["brier"] == pytest.approx(expected)
    assert table.loc["uncalibrated", "ece"] > stored["ece"] > 0
    with pytest.raises(DataError, match="no picture"):
        calibration_report(outcomes(evaluation((), ()), "fer2013"))


def test_labels_that_the_network_does_not_know_do_not_stop_it() -> None:
    random = np.random.default_rng(1)
    labels = [*(EMOTIONS[i] for i in random.integers(0, 7, 60)), "contempt"]
    found = outcomes(evaluation(labels, logits=random.normal(size=(61, 7))), "fer2013")
    table = calibration_report(found).set_index("probabilities")
    assert table.loc["as stored", "nll"] == pytest.approx(negative_log_likelihood(found.probabilities, found.label))
    assert np.isfinite(table["temperature"]).all()


@pytest.mark.parametrize("name", checkpoint_names(find_checkpoint("mobilenetv2-ferplus").parent))
def test_the_shipped_temperature_is_found_and_helps(name: str) -> None:
    from fer_core.models.card import read_card

    folder = find_checkpoint(name)
    card = read_card(folder / "card.json")
    paths = sorted((folder / "evaluations").glob("*.parquet"))
    assert paths
    for path in paths:
        found = outcomes(read_evaluation(path, name), card.data["labels"])
        table = calibration_report(found).set_index("probabilities")
        assert table.loc["as stored", "temperature"] == pytest.approx(card.temperature, abs=1e-3)
        chosen_on = path.stem.endswith(card.data["choose"])
        assert table.loc["as stored", "nll"] <= table.loc["uncalibrated", "nll"] + (1e-4 if chosen_on else 0.01)
        assert table.loc["fitted here", "nll"] <= table.loc["as stored", "nll"] + 1e-6
        curve = risk_coverage(found.confidence, found.right)
        assert area_under(curve) < 1 - found.right.mean()  # sure answers are right more often than others
