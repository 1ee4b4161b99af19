"""Intervals of figures by person or by picture, checked by hand, by drawing one by one, and by how often they hold."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from fer_core.emotions import DEFAULT_GROUP_MAP, EMOTIONS
from fer_core.errors import InputError
from fer_core.evaluation import Intervals, intervals_of, paired_differences, report
from fer_core.evaluation.intervals import DRAWS, FEW, MEASURES

NOBODY = np.full(0, "")


def answers(given: NDArray[np.int64], sure: NDArray | float = 0.9) -> NDArray[np.float64]:
    """Probabilities (n, 7) with ``sure`` at the answers."""
    found = np.tile(((1 - np.broadcast_to(sure, len(given))) / 6)[:, None], (1, 7))
    found[np.arange(len(given)), given] = sure
    return found


def some(n: int = 90, seed: int = 0) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.str_]]:
    """Probabilities, labels and people: six of them, who are not named in every tenth picture."""
    random = np.random.default_rng(seed)
    labels = random.integers(0, 5, n)
    people = np.array([f"p{i % 6}" if i % 10 else "" for i in range(n)])
    given = np.where(random.random(n) < 0.6, labels, random.integers(0, 7, n))
    return answers(given, random.uniform(0.3, 1, n)), labels, people


def test_the_draws_are_those_of_people_one_by_one() -> None:
    """The same figures as of pictures that were really put together from drawn people."""
    probabilities, labels, people = some()
    found = intervals_of(probabilities, labels, people)
    alone = np.array([who or f"#{i}" for i, who in enumerate(people)])
    names = np.array(list(dict.fromkeys(alone)))
    random, drawn = np.random.default_rng(1), {name: list[float]() for name in (*MEASURES, "happy")}
    for _ in range(400):
        rows = np.concatenate([np.flatnonzero(alone == who) for who in random.choice(names, len(names))])
        figures = report(probabilities[rows], labels[rows])
        for name in MEASURES:
            drawn[name].append(float(figures[name]))  # type: ignore[arg-type]
        drawn["happy"].append(figures["recalls"].get("happy", np.nan))  # type: ignore[union-attr]
    for name in MEASURES:
        low, high = np.percentile(drawn[name], [2.5, 97.5])
        if name == "ece":
            middle = float(report(probabilities, labels)["ece"])  # type: ignore[arg-type]
            low, high = max(2 * middle - high, 0), 2 * middle - low
        assert found.of[name] == pytest.approx((low, high), abs=0.04), name
    assert found.recalls["happy"] == pytest.approx(np.nanpercentile(drawn["happy"], [2.5, 97.5]), abs=0.06)
    assert (found.people, found.clusters, sum(found.pictures.values())) == (6, 6 + 9, 90)
    assert "6 people and 9 pictures of nobody named" in found.told


def test_the_same_is_drawn_again_and_holds_the_figures() -> None:
    probabilities, labels, people = some()
    found, figures = intervals_of(probabilities, labels, people), report(probabilities, labels)
    assert found == intervals_of(probabilities, labels, people)
    assert found != intervals_of(probabilities, labels, people, seed=1)
    for name in MEASURES:
        low, high = found.of[name]
        assert 0 <= low <= figures[name] <= high <= 1  # type: ignore[operator]
    for name, (low, high) in found.recalls.items():
        assert low <= figures["recalls"][name] <= high  # type: ignore[index]
    assert found.recalls.keys() == found.pictures.keys() == figures["recalls"].keys()  # type: ignore[union-attr]


def test_people_who_are_alike_make_intervals_wider() -> None:
    """Ten people of twenty pictures, each all right or all wrong, say no more than ten pictures do."""
    labels = np.zeros(200, np.int64)
    given = np.where(np.arange(200) // 20 < 6, 0, 3)
    people = np.array([f"p{i // 20}" for i in range(200)])
    by_person = intervals_of(answers(given), labels, people).of["accuracy"]
    by_picture = intervals_of(answers(given), labels, np.full(200, "")).of["accuracy"]
    ten = intervals_of(answers(given[::20]), labels[::20], np.full(10, "")).of["accuracy"]
    assert by_person == pytest.approx(ten, abs=0.02)
    assert by_person[1] - by_person[0] > 3 * (by_picture[1] - by_picture[0])


@pytest.mark.parametrize(("people", "words"), [("anna", "all of it shows one person"), ("", "all of it shows one pic")])
def test_one_person_gives_no_interval_and_says_so(people: str, words: str) -> None:
    n = 5 if people else 1
    labels = np.arange(n)
    found = intervals_of(answers(labels), labels, np.full(n, people))
    assert not found.of and not found.recalls and not found.groups and words in found.told
    assert found.to_json()["told"] == found.told and sum(found.pictures.values()) == n
    difference = paired_differences(answers(labels), answers(0 * labels), labels, np.full(n, people))
    assert np.isnan(difference["accuracy"][1:]).all() and difference["accuracy"][0] == pytest.approx(1 - 1 / n)


def test_a_class_of_one_person_has_no_interval() -> None:
    labels, people = np.array([0, 0, 3, 3, 3]), np.array(["a", "b", "c", "c", "c"])
    found = intervals_of(answers(np.array([0, 1, 3, 4, 3])), labels, people)
    assert set(found.recalls) == {"angry"} and found.pictures == {"angry": 2, "happy": 3}
    assert set(found.groups) == {"negative"} and set(found.of) == set(MEASURES)


def test_all_right_or_none_is_exact_for_as_many_people() -> None:
    """Clopper and Pearson: of n right ones the lower end is 0.025^(1/n)."""
    labels = np.repeat([0, 3], 20)
    people = np.array([f"p{i % 5}" for i in range(40)])
    right = intervals_of(answers(labels), labels, people)
    for ends in (*right.recalls.values(), *right.groups.values(), right.of["accuracy"], right.of["macro_recall"]):
        assert ends == pytest.approx((0.025 ** (1 / 5), 1))
    wrong = intervals_of(answers(np.full(40, 5)), labels, np.full(40, ""))
    assert wrong.recalls["angry"] == pytest.approx((0, 1 - 0.025 ** (1 / 20)))
    assert wrong.of["accuracy"] == pytest.approx((0, 1 - 0.025 ** (1 / 40)))


def test_the_interval_of_the_calibration_error_holds_it_where_percentiles_do_not() -> None:
    """Three hundred answers, right 5 points less often than they say: drawing anew makes the error larger."""
    random, held, below = np.random.default_rng(0), 0, 0
    for _ in range(60):
        sure = random.uniform(0.4, 1, 300)
        labels = np.where(random.random(300) < sure - 0.05, 0, 1)
        found = intervals_of(answers(np.zeros(300, np.int64), sure), labels, np.full(300, ""), draws=200)
        low, high = found.of["ece"]
        held, below = held + (low <= 0.05 <= high), below + (high < 0.05)
    assert held >= 45 and below <= 12


def test_how_many_people_are_few_is_told() -> None:
    labels = np.arange(24) % 3
    for n, rough in ((FEW - 1, True), (FEW, False)):
        found = intervals_of(answers(labels), labels, np.array([f"p{i % n}" for i in range(24)]))
        assert ("rough" in found.told) == rough and f"({n} people)" in found.told
    assert "nothing says who is shown" in intervals_of(answers(labels), labels, np.full(24, "")).told


def test_contempt_that_a_network_of_seven_cannot_say_counts_as_wrong() -> None:
    labels = np.array([7, 7, 3, 3])
    found = intervals_of(answers(np.array([0, 3, 3, 3])), labels, np.full(4, ""))
    assert found.recalls["contempt"][0] == 0 and found.pictures == {"happy": 2, "contempt": 2}


def test_groups_follow_the_map() -> None:
    labels = np.array([5, 5, 3, 3, 3])
    given = answers(np.array([3, 5, 3, 3, 5]))
    as_neutral = intervals_of(given, labels, np.full(5, ""))
    as_positive = intervals_of(given, labels, np.full(5, ""), group_map={**DEFAULT_GROUP_MAP, "surprise": "positive"})
    assert set(as_neutral.groups) == {"neutral", "positive"} and set(as_positive.groups) == {"positive"}
    assert as_positive.of["groups_accuracy"][1] == 1


def test_differences_are_of_the_same_draws() -> None:
    """Of two who answer alike there is none; else the difference with what is always right varies as the other does."""
    probabilities, labels, people = some()
    assert all(each == [0, 0, 0] for each in paired_differences(probabilities, probabilities, labels, people).values())
    better = answers(labels)
    found = paired_differences(better, probabilities, labels, people)
    mine, theirs = report(better, labels), report(probabilities, labels)
    assert found["accuracy"][0] == pytest.approx(mine["accuracy"] - theirs["accuracy"])  # type: ignore[operator]
    assert found["recall of happy"][0] == pytest.approx(1 - theirs["recalls"]["happy"])  # type: ignore[index]
    assert set(found) == {*MEASURES, *(f"recall of {name}" for name in EMOTIONS[:5])}
    low, high = found["accuracy"][1:]
    alone = intervals_of(probabilities, labels, people).of["accuracy"]
    assert 0 < low <= found["accuracy"][0] <= high and high - low == pytest.approx(alone[1] - alone[0], abs=1e-9)


def test_arrays_that_do_not_fit_are_refused() -> None:
    for probabilities, labels, people in (
        (np.zeros((0, 7)), NOBODY.astype(np.int64), NOBODY),
        (answers(np.arange(3)), np.arange(2), np.full(2, "")),
        (answers(np.arange(3)), np.arange(3), np.full(2, "")),
    ):
        with pytest.raises(InputError, match="Expected probabilities"):
            intervals_of(probabilities, labels, people)


def test_no_interval_is_plain_values_too() -> None:
    told = Intervals(1, 1).to_json()
    assert (told["by"], told["people"], told["recalls"]) == ("person", 1, {}) and DRAWS >= 1000
