"""Two checkpoints on the same pictures: by hand, against scipy and against drawing one by one."""

from __future__ import annotations

from math import comb

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import chi2

from fer_core.emotions import EMOTIONS
from fer_core.errors import InputError
from fer_core.evaluation import Outcomes, aligned, class_differences, disagreements, mcnemar, outcomes, read_evaluation
from fer_core.models.folders import find_checkpoint
from tests.support.evaluated import evaluation


def drawn(seed: int, n: int = 400, skill: float = 1.0, n_classes: int = 7) -> Outcomes:
    """Answers of some skill to the same labels for every seed."""
    labels = np.random.default_rng(0).integers(0, n_classes, n)
    logits = np.random.default_rng(seed).normal(size=(n, 7)) + skill * np.eye(7)[labels]
    return outcomes(evaluation([EMOTIONS[i] for i in labels], logits=logits, checkpoint=f"net{seed}"), "fer2013")


def rights(only_a: int, only_b: int, both: int = 30, neither: int = 10) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    counts = (only_a, only_b, both, neither)
    return np.repeat([True, False, True, False], counts), np.repeat([False, True, True, False], counts)


def test_mcnemar_is_exact_where_few_differ() -> None:
    test = mcnemar(*rights(3, 9))
    assert (test["n10"], test["n01"], test["exact"], test["statistic"]) == (3, 9, 1, 3)
    assert test["p"] == pytest.approx(2 * sum(comb(12, k) for k in range(4)) / 2**12)
    assert mcnemar(*rights(5, 5))["p"] == 1.0
    assert mcnemar(*rights(0, 0))["p"] == 1.0
    assert mcnemar(*rights(12, 12))["exact"] == 1


def test_mcnemar_with_continuity_correction_where_many_differ() -> None:
    test = mcnemar(*rights(121, 59))
    assert test["exact"] == 0 and test["statistic"] == pytest.approx(61**2 / 180)
    assert test["p"] == pytest.approx(chi2.sf(61**2 / 180, 1))
    assert mcnemar(*rights(59, 121))["p"] == test["p"]
    assert mcnemar(*rights(13, 12))["exact"] == 0


def test_outcomes_are_put_in_the_same_order() -> None:
    a = outcomes(evaluation(("sad", "fear", "happy"), ("sad", "sad", "sad"), ids=("1", "2", "3")), "fer2013")
    b = outcomes(evaluation(("happy", "sad", "fear"), ("happy", "fear", "fear"), ids=("3", "1", "2")), "fer2013")
    first, second = aligned(a, b)
    assert first.ids.tolist() == second.ids.tolist() == ["1", "2", "3"]
    assert first.right.tolist() == [True, False, False] and second.right.tolist() == [False, True, True]
    np.testing.assert_array_equal(second.probabilities, b.probabilities[[1, 2, 0]])


def test_other_pictures_and_labels_are_refused() -> None:
    a = outcomes(evaluation(("sad", "fear"), ("sad", "sad"), ids=("1", "2")), "fer2013")
    b = outcomes(evaluation(("fear", "happy"), ("fear", "fear"), ids=("2", "3"), checkpoint="other"), "fer2013")
    with pytest.raises(InputError, match="net answered 2 pictures and other 2; 1 are the same"):
        aligned(a, b)
    first, second = aligned(a, b, partly=True)
    assert first.ids.tolist() == second.ids.tolist() == ["2"]
    apart = outcomes(evaluation(("fear",), ("fear",), ids=("9",)), "fer2013")
    with pytest.raises(InputError, match="0 are the same"):
        aligned(a, apart, partly=True)
    relabelled = outcomes(evaluation(("sad", "angry"), ("sad", "sad"), ids=("1", "2")), "fer2013")
    with pytest.raises(InputError, match="1 of 2 pictures have two labels"):
        aligned(a, relabelled)


def test_differences_by_hand() -> None:
    labels = ("fear", "fear", "fear", "fear", "sad", "sad")
    a = outcomes(evaluation(labels, ("fear", "fear", "fear", "sad", "sad", "sad")), "fer2013")
    b = outcomes(evaluation(labels, ("fear", "sad", "sad", "sad", "sad", "fear")), "fer2013")
    table = class_differences(a, b, n_boot=200).set_index("class")
    assert table.index.tolist() == ["fear", "sad", "accuracy", "macro recall"]
    np.testing.assert_allclose(table["a"], [0.75, 1, 5 / 6, 0.875])
    np.testing.assert_allclose(table["b"], [0.25, 0.5, 2 / 6, 0.375])
    np.testing.assert_allclose(table["difference"], table["b"] - table["a"])
    assert (table["low"] <= table["difference"]).all() and (table["difference"] <= table["high"]).all()
    same = class_differences(a, a, n_boot=50)
    assert not same[["difference", "low", "high"]].to_numpy().any()


def test_the_bootstrap_is_that_of_drawing_pictures_one_by_one() -> None:
    a, b = aligned(drawn(1, skill=1.6), drawn(2, skill=1.2))
    table = class_differences(a, b).set_index("class")
    random, samples = np.random.default_rng(9), []
    for _ in range(1500):
        at = random.integers(0, len(a), len(a))
        row = [b.right[at][a.label[at] == c].mean() - a.right[at][a.label[at] == c].mean() for c in range(7)]
        samples.append([*row, b.right[at].mean() - a.right[at].mean(), np.mean(row)])
    low, high = np.percentile(samples, [2.5, 97.5], axis=0)
    np.testing.assert_allclose(table["low"], low, atol=0.03)
    np.testing.assert_allclose(table["high"], high, atol=0.03)
    width = (table["high"] - table["low"])["accuracy"]
    assert width == pytest.approx((high - low)[7], rel=0.1)
    assert class_differences(a, b).equals(class_differences(a, b))  # seeded


def test_outcomes_must_be_aligned() -> None:
    with pytest.raises(InputError, match="align them first"):
        class_differences(drawn(1), drawn(1, n=300))


def test_disagreements_by_hand() -> None:
    labels = ("fear", "fear", "sad", "sad")
    a = outcomes(evaluation(labels, ("fear", "fear", "happy", "sad"), sure=np.array([0.9, 0.6, 0.7, 0.9])), "fer2013")
    b = outcomes(evaluation(labels, ("sad", "fear", "angry", "fear"), sure=np.array([0.5, 0.6, 0.8, 0.6])), "fer2013")
    table = disagreements(a, b)
    assert table["row"].tolist() == [2, 3, 0]  # sure by 0.7, 0.6 and 0.5 of the less sure one
    assert table["id"].tolist() == ["c", "d", "a"] and table["right"].tolist() == ["neither", "a", "a"]
    assert table.iloc[0][["label", "a", "b"]].tolist() == ["sad", "happy", "angry"]
    assert table["confidence_a"].tolist() == pytest.approx([0.7, 0.9, 0.9])


def test_shipped_checkpoints_are_compared() -> None:
    names = ("mobilenetv2-fer2013", "mobilenetv2-ferplus")
    tables = [
        read_evaluation(find_checkpoint(name) / "evaluations/fer2013-private_test.parquet", name) for name in names
    ]
    for label_set, better in (("fer2013", -1), ("ferplus7", 1)):  # each is better at what it was taught
        a, b = aligned(*(outcomes(table, label_set) for table in tables))
        test, table = mcnemar(a.right, b.right), class_differences(a, b).set_index("class")
        assert test["n01"] - test["n10"] == pytest.approx(len(a) * table.loc["accuracy", "difference"])
        assert better * table.loc["accuracy", "low"] > 0 < better * table.loc["accuracy", "high"] and test["p"] < 0.001
        assert len(disagreements(a, b)) == (a.prediction != b.prediction).sum()
