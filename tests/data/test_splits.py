"""Splits that do not leak: people and pictures that look the same stay on one side, whatever the case."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from fer_core.data import folds, groups_of, hold_out, load_fer2013, pixel_hashes, without_copies
from fer_core.errors import DataError


def case(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Labels, subjects (some unknown) and pairs of a random data set."""
    random = np.random.default_rng(seed)
    n = int(random.integers(120, 400))
    shares = random.dirichlet(np.ones(7)) * 0.7 + 0.3 / 7
    labels = random.choice(7, n, p=shares)
    subjects = np.array([f"s{i}" for i in random.integers(0, random.integers(30, 200), n)])
    subjects[random.random(n) < random.random()] = ""
    return labels, subjects, random.integers(0, n, (int(random.integers(0, n // 6)), 2))


def leaks(one: np.ndarray, other: np.ndarray, subjects: np.ndarray, pairs: np.ndarray) -> bool:
    """Found out without groups: a person on both sides, or a pair across them."""
    here, there = set(one.tolist()), set(other.tolist())
    people = (set(subjects[list(here)].tolist()) & set(subjects[list(there)].tolist())) - {""}
    return bool(people or here & there or any((a in here) != (b in here) for a, b in pairs.tolist()))


@pytest.mark.parametrize("seed", range(25))
def test_nobody_and_no_pair_is_on_both_sides(seed: int) -> None:
    labels, subjects, pairs = case(seed)
    groups = groups_of(len(labels), subjects, pairs)
    train, held = hold_out(labels, 0.2, seed, groups)
    assert not leaks(train, held, subjects, pairs)
    assert sorted([*train.tolist(), *held.tolist()]) == list(range(len(labels)))
    assert set(labels[train].tolist()) == set(labels.tolist())
    every = []
    for rest, fold in folds(labels, 4, seed, groups):
        assert not leaks(rest, fold, subjects, pairs) and len(rest) + len(fold) == len(labels)
        every += fold.tolist()
    assert sorted(every) == list(range(len(labels)))


def test_what_is_joined_over_several_steps_is_one_group() -> None:
    subjects = np.array(["a", "", "b", "a", "", "", "b"])
    groups = groups_of(7, subjects, np.array([[1, 3], [4, 2], [2, 4]]))
    assert groups.tolist() == [0, 0, 1, 0, 1, 2, 1]
    assert groups_of(3).tolist() == [0, 1, 2]
    assert groups_of(4, pairs=np.array([[3, 2], [2, 1], [1, 0]])).tolist() == [0] * 4
    assert groups_of(0).tolist() == []


@pytest.mark.parametrize("pairs", [[[0, 3]], [[-1, 0]], [[0, 1, 2]], [0, 1]])
def test_pairs_must_fit(pairs: list[object]) -> None:
    with pytest.raises(DataError, match=r"Expected subjects \(3,\) and pairs \(m, 2\) of rows below 3"):
        groups_of(3, pairs=np.array(pairs))
    with pytest.raises(DataError, match="Expected subjects"):
        groups_of(3, np.array(["a"]))


def test_classes_are_shared_evenly_where_every_picture_is_its_own() -> None:
    labels = np.repeat(np.arange(7), [400, 44, 410, 720, 480, 320, 500])
    train, held = hold_out(labels, 0.1)
    assert len(held) == pytest.approx(len(labels) * 0.1, abs=1)
    assert np.abs(np.bincount(labels[held]) - np.bincount(labels) * 0.1).max() <= 1
    assert len(train) + len(held) == len(labels)
    for _, fold in folds(labels, 5):
        assert np.abs(np.bincount(labels[fold]) - np.bincount(labels) / 5).max() <= 1


def test_classes_are_nearly_even_with_people_of_unequal_size() -> None:
    random = np.random.default_rng(0)
    subjects = np.array([f"s{i}" for i in random.zipf(1.6, 2000) % 150])
    labels = random.choice(7, 2000, p=[0.3, 0.05, 0.1, 0.25, 0.1, 0.1, 0.1])
    for _, fold in folds(labels, 5, 0, groups_of(2000, subjects)):
        counts = np.bincount(labels[fold], minlength=7)
        if len(fold) < 600:  # one person has more pictures than a fold should
            assert (np.abs(counts / len(fold) - np.bincount(labels) / 2000) < 0.06).all()


def test_the_seed_decides() -> None:
    labels = np.arange(70) % 7
    for split in (lambda seed: hold_out(labels, 0.3, seed)[1], lambda seed: folds(labels, 3, seed)[0][1]):
        np.testing.assert_array_equal(split(4), split(4))
        assert split(4).tolist() != split(5).tolist()


def test_a_class_of_one_group_is_trained_on() -> None:
    labels, subjects = np.array([*[0, 1] * 20, 2, 2]), np.array([*[f"s{i // 4}" for i in range(40)], "s0", "s0"])
    groups = groups_of(42, subjects)
    for seed in range(10):
        train, held = hold_out(labels, 0.4, seed, groups)
        assert {40, 41, 0} <= set(train.tolist()) and len(held) > 8
    with pytest.raises(DataError, match="No picture of fear is left to train on"):
        folds(labels, 4, 0, groups)


@pytest.mark.parametrize(
    ("split", "words"),
    [
        (lambda: folds(np.zeros(4, int), 5), r"4 pictures in 4 groups .* cannot be shared among 5 sides"),
        (lambda: folds(np.zeros(9, int), 3, 0, np.array([0] * 5 + [1] * 4)), "9 pictures in 2 groups"),
        (lambda: folds(np.zeros(9, int), 1), "Expected 2 folds or more, got 1"),
        (lambda: hold_out(np.zeros(9, int), 0.0), r"Expected a share between 0 and 1 to hold back, got 0\.0"),
        (lambda: hold_out(np.zeros(9, int), 1.0), "Expected a share"),
        (lambda: hold_out(np.zeros(9, int), 0.5, 0, np.zeros(9, int)), "9 pictures in 1 groups"),
        (lambda: hold_out(np.zeros(0, int), 0.5), "Expected labels and groups"),
        (lambda: hold_out(np.zeros(3, int), 0.5, 0, np.zeros(4, int)), r"got \(3,\) and \(4,\)"),
        (lambda: hold_out(np.array([0, 1]), 0.5), "only one of a class; nothing can be held back"),
    ],
)
def test_what_cannot_be_split_is_told(split: Callable[[], object], words: str) -> None:
    with pytest.raises(DataError, match=words):
        split()


def test_every_side_gets_something_even_of_few_groups() -> None:
    for seed in range(10):
        train, held = hold_out(np.zeros(100, int), 0.05, seed, np.repeat([0, 1], 50))
        assert len(train) == len(held) == 50
        assert all(len(fold) for _, fold in folds(np.zeros(12, int), 4, seed, np.array([0] * 9 + [1, 2, 3])))


# --- copies


def test_pixel_copies_of_test_pictures_are_left_out() -> None:
    random = np.random.default_rng(0)
    train = random.integers(0, 256, (6, 4, 4), np.uint8)
    test = train[[4, 1]].copy()
    test[1, 0, 0] ^= 1  # almost a copy
    hashes = pixel_hashes(train)
    assert without_copies(hashes, pixel_hashes(test)).tolist() == [0, 1, 2, 3, 5]
    assert without_copies(hashes, pixel_hashes([])).tolist() == list(range(6))
    flat = pixel_hashes([np.zeros((2, 8), np.uint8), np.zeros((8, 2), np.uint8), np.zeros((2, 8), np.uint8)])
    assert flat[0] == flat[2] != flat[1]


def test_as_many_copies_are_found_in_fer2013_as_it_is_known_to_have(fer2013_dir: Path) -> None:
    """Eight in a hundred pictures of the private test are copies of training pictures."""
    hashes = {split: pixel_hashes(load_fer2013(fer2013_dir, split).images) for split in ("training", "private_test")}
    test = hashes["private_test"]
    assert 1 - len(without_copies(test, hashes["training"])) / len(test) == pytest.approx(0.08, abs=0.01)
