"""Another class prior, against a computation by hand."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from fer_core.emotions import ALL_ALIKE, AS_TRAINED, HALFWAY, Prior
from fer_core.errors import InputError

SHARES = (0.1, 0.05, 0.05, 0.3, 0.1, 0.1, 0.3)
PRIOR = Prior(SHARES, 0.4)


def test_by_hand() -> None:
    two = Prior((0.9, 0.1))
    found = two.adjusted(np.array([[0.9, 0.1], [0.5, 0.5]]), 1.0)
    np.testing.assert_allclose(found, [[0.5, 0.5], [0.1, 0.9]], rtol=1e-12)
    half = two.adjusted(np.array([[0.9, 0.1]]), 0.5)  # weights 1 / sqrt(0.9) and 1 / sqrt(0.1): 0.949 to 0.316
    np.testing.assert_allclose(half, [[0.75, 0.25]], rtol=1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_rows_sum_to_one_and_keep_their_type(dtype: type) -> None:
    p: NDArray[np.floating] = np.random.default_rng(0).dirichlet(np.ones(7), 500).astype(dtype)
    for tau in (0.2, 0.5, 1.0):
        found = PRIOR.adjusted(p, tau)
        assert found.dtype == dtype
        np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-6)
        by_hand = p / np.array(SHARES) ** tau
        np.testing.assert_allclose(found, by_hand / by_hand.sum(axis=1, keepdims=True), rtol=1e-5)
    assert PRIOR.adjusted(p, 0.0) is p


def test_answers_of_faceless_rows_stay_empty_and_a_class_never_taught_is_not_raised_without_end() -> None:
    assert np.isnan(PRIOR.adjusted(np.full((1, 7), np.nan), 1.0)).all()
    without = Prior((0.5, 0.0, 0.1, 0.1, 0.1, 0.1, 0.1))
    found = without.adjusted(np.array([[0.9, 0.0, 0.1, 0.0, 0.0, 0.0, 0.0]]), 1.0)
    assert found[0, 1] == 0 and np.isfinite(found).all()


def test_choices() -> None:
    assert [PRIOR.tau(choice) for choice in (AS_TRAINED, HALFWAY, ALL_ALIKE)] == [0.0, 0.4, 1.0]
    with pytest.raises(InputError, match="expected one of as_trained, halfway, all_alike"):
        PRIOR.tau("none")


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"shares": [0.5] * 7}, "sum to 1"),
        ({"shares": [1.5, -0.5, 0, 0, 0, 0, 0]}, "0 or more"),
        ({"shares": [float("nan")] * 7}, "0 or more"),
        ({"shares": ["1", 0, 0, 0, 0, 0, 0]}, "numbers"),
        ({"shares": [1, 0, 0]}, "7 shares"),
        ({}, "7 shares"),
        ([], "7 shares"),
        ({"shares": list(SHARES), "halfway": 1.5}, "from 0 to 1"),
        ({"shares": list(SHARES), "source": 3}, "text"),
    ],
)
def test_impossible_priors_are_refused(values: dict[str, object], said: str) -> None:
    with pytest.raises(InputError, match=said):
        Prior.from_json(values, 7)


def test_what_a_later_version_adds_is_ignored() -> None:
    assert Prior.from_json({"shares": list(SHARES), "halfway": 0.4, "more": 1}, 7) == PRIOR
