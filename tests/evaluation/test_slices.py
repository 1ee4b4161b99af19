"""Figures in slices of picture quality: by hand, against drawing pictures one by one, in tables and on the page."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from dashboard.services import places
from fer_core.data import open_dataset
from fer_core.emotions import EMOTIONS
from fer_core.errors import CheckpointError, DataError, InputError
from fer_core.evaluation import (
    Outcomes,
    concatenated,
    evaluate_faces,
    outcomes,
    read_evaluation,
    slice_of,
    slice_report,
    write_table,
)
from fer_core.faces import QUALITIES, crop_qualities
from fer_core.models.classifier import Classifier
from fer_core.models.folders import DEFAULT_CHECKPOINT
from tests.support.evaluated import evaluation
from tests.support.layouts import fer2013_csv
from tests.support.pages import open_page, words

# --- qualities of crops


def test_qualities_of_crops_by_hand() -> None:
    flat = np.full((16, 16), 51, np.uint8)
    checks = (np.indices((16, 16)).sum(axis=0) % 2 * 255).astype(np.uint8)
    step = np.zeros((16, 16), np.uint8)
    step[:, 8:] = 100  # the Laplacian is 100 left of the edge, -100 right of it, 0 elsewhere
    found = crop_qualities(np.stack([flat, checks, step]))
    assert tuple(found) == QUALITIES and all(values.dtype == np.float32 for values in found.values())
    np.testing.assert_allclose(found["brightness"], [0.2, 0.5, 50 / 255], rtol=1e-5)
    np.testing.assert_allclose(found["contrast"], [0, 0.5, 50 / 255], rtol=1e-5)
    np.testing.assert_allclose(found["sharpness"][[0, 2]], [0, 100**2 / 8], rtol=1e-5)
    assert found["sharpness"][1] > 100_000


def test_grey_crops_have_the_qualities_of_their_rgb_crops() -> None:
    grey = np.random.default_rng(0).integers(0, 256, (3, 20, 20), dtype=np.uint8)
    for one, other in zip(
        crop_qualities(grey).values(), crop_qualities(np.repeat(grey[..., None], 3, axis=3)).values(), strict=True
    ):
        np.testing.assert_array_equal(one, other)
    assert all(values.shape == (0,) for values in crop_qualities(grey[:0]).values())


# --- slices


def measured(labels: list[str], answers: list[str], brightness: Any) -> Outcomes:
    values = {"brightness": np.array(brightness, np.float32)}
    return outcomes(evaluation(labels, answers, qualities=values), "fer2013")


def test_slices_hold_as_many_values_each_and_their_upper_edge() -> None:
    which, edges = slice_of(np.array([9, 1, 5, 3, 7, 2, 4, 6, 8, 10], np.float32))
    assert which.tolist() == [4, 0, 2, 1, 3, 0, 1, 2, 3, 4] and edges.tolist() == [1, 2, 4, 6, 8, 10]


def test_equal_values_stay_together_and_no_slice_is_empty() -> None:
    which, edges = slice_of(np.array([0.0, 0, 0, 0, 1]))
    assert which.tolist() == [0, 0, 0, 0, 1] and edges.tolist() == [0, 0, 1]
    assert [each.tolist() for each in slice_of(np.array([2.0, 2, 2]))] == [[0, 0, 0], [2, 2]]
    for n in range(1, 40):
        which, edges = slice_of(np.random.default_rng(n).normal(size=n))
        assert len(edges) == min(n, 5) + 1 and np.ptp(np.bincount(which)) <= 1
    with pytest.raises(DataError, match="no picture"):
        slice_of(np.zeros(0))
    with pytest.raises(InputError, match="at least one slice"):
        slice_of(np.zeros(3), 0)


def test_figures_of_two_slices_by_hand() -> None:
    labels = ["sad", "sad", "sad", "happy", "happy", "sad"]
    answers = ["sad", "happy", "happy", "happy", "happy", "fear"]
    report = slice_report(measured(labels, answers, [1, 2, 3, 4, 5, 6]), "brightness", n_slices=2)
    assert report[["low", "high", "n"]].to_numpy().tolist() == [[1, 3, 3], [3, 6, 3]]
    np.testing.assert_allclose(report["accuracy"], [1 / 3, 2 / 3])
    np.testing.assert_allclose(report["macro_recall"], [1 / 3, 0.5])  # of sad alone; of sad 0 and happy 1
    np.testing.assert_allclose(report["accuracy_difference"], [-1 / 3, 1 / 3])
    np.testing.assert_allclose(report["macro_recall_difference"], [1 / 3 - 0.5, 0.5 - 1 / 3])
    for name in ("accuracy", "macro_recall", "accuracy_difference", "macro_recall_difference"):
        assert (report[f"{name}_low"] <= report[name]).all() and (report[name] <= report[f"{name}_high"]).all()


def test_slices_without_doubt_have_intervals_of_no_width_and_one_slice_has_no_rest() -> None:
    report = slice_report(measured(["sad"] * 4, ["sad", "sad", "fear", "fear"], [1, 2, 3, 4]), "brightness", n_slices=2)
    for name, values in {"accuracy": [1, 0], "accuracy_difference": [1, -1]}.items():
        for ending in ("", "_low", "_high"):
            np.testing.assert_array_equal(report[name + ending], values)
    alone = slice_report(measured(["sad"] * 3, ["sad", "sad", "fear"], [1, 1, 1]), "brightness")
    assert len(alone) == 1 and alone["n"].item() == 3
    assert alone.filter(like="difference").isna().all(axis=None) and not alone["accuracy_high"].isna().any()


def random_outcomes(n: int, seed: int) -> Outcomes:
    """Answers that are right in 40 % of the darker half and in 70 % of the brighter one."""
    random = np.random.default_rng(seed)
    bright, labels = random.uniform(size=n), random.integers(0, 7, n)
    right = random.uniform(size=n) < np.where(bright < 0.5, 0.4, 0.7)
    answers = np.where(right, labels, (labels + random.integers(1, 7, n)) % 7)
    return measured([EMOTIONS[i] for i in labels], [EMOTIONS[i] for i in answers], bright)


def test_drawing_counts_is_drawing_pictures_one_by_one() -> None:
    given = random_outcomes(300, 1)
    report = slice_report(given, "brightness", n_slices=2, n_boot=4000)
    which, _ = slice_of(given.evaluation.qualities["brightness"], 2)
    random, drawn = np.random.default_rng(5), []
    for _ in range(4000):
        figures = []
        for part in (0, 1):
            chosen = random.choice(np.flatnonzero(which == part), (which == part).sum())
            right, label = given.right[chosen], given.label[chosen]
            figures.append((right.mean(), np.mean([right[label == each].mean() for each in np.unique(label)])))
        drawn.append(np.ravel([figures[0], np.subtract(figures[0], figures[1])]))
    low, high = np.percentile(drawn, [2.5, 97.5], axis=0)
    names = ("accuracy", "macro_recall", "accuracy_difference", "macro_recall_difference")
    np.testing.assert_allclose(report.loc[0, [f"{name}_low" for name in names]].astype(float), low, atol=0.015)
    np.testing.assert_allclose(report.loc[0, [f"{name}_high" for name in names]].astype(float), high, atol=0.015)


def test_intervals_cover_what_is_true_about_as_often_as_they_say() -> None:
    covered = []
    for seed in range(120):
        report = slice_report(random_outcomes(200, seed), "brightness", n_slices=2, n_boot=300)
        for row, accuracy in enumerate((0.4, 0.7)):
            less = 2 * accuracy - 1.1
            covered.append(
                [
                    report["accuracy_low"][row] <= accuracy <= report["accuracy_high"][row],
                    report["accuracy_difference_low"][row] <= less <= report["accuracy_difference_high"][row],
                ]
            )
    assert ((np.mean(covered, axis=0) > 0.88) & (np.mean(covered, axis=0) < 0.99)).all()


def test_the_same_seed_gives_the_same_intervals() -> None:
    given = random_outcomes(100, 3)
    one, same, other = (slice_report(given, "brightness", seed=seed, n_boot=100) for seed in (0, 0, 1))
    pd.testing.assert_frame_equal(one, same)
    assert not one.equals(other)


def test_what_was_not_measured_is_told() -> None:
    given = measured(["sad"], ["sad"], [0.5])
    with pytest.raises(InputError, match=r"before contrast was measured. Evaluate again"):
        slice_report(given, "contrast")
    with pytest.raises(InputError, match="Unknown quality 'age'; expected one of brightness, contrast, sharpness"):
        slice_report(given, "age")
    with pytest.raises(DataError, match="no picture"):
        slice_report(outcomes(evaluation([], [], qualities={"brightness": np.zeros(0, np.float32)}), "fer2013"),
                     "brightness")  # fmt: skip


# --- tables


def qualities(n: int) -> dict[str, np.ndarray]:
    return {name: np.arange(n, dtype=np.float32) + i for i, name in enumerate(QUALITIES)}


def test_an_evaluation_measures_the_crops_that_the_network_gets(tmp_path: Path, classifier: Classifier) -> None:
    faces = open_dataset(fer2013_csv(tmp_path)).read("private_test")
    table = evaluate_faces(classifier, faces)
    wanted = crop_qualities(np.stack([faces.picture(i) for i in range(len(faces))]))
    write_table(table, tmp_path / "fer2013-private_test.parquet")
    read = read_evaluation(tmp_path / "fer2013-private_test.parquet", "net")
    assert tuple(read.qualities) == QUALITIES
    for name in QUALITIES:
        assert table[name].dtype == read.qualities[name].dtype == np.float32
        np.testing.assert_array_equal(read.qualities[name], wanted[name])
    assert set(slice_report(outcomes(read, "fer2013"), "sharpness", n_boot=10)["n"]) == {1, 2}

    table.drop(columns=list(QUALITIES)).to_parquet(tmp_path / "fer2013-old.parquet")
    assert read_evaluation(tmp_path / "fer2013-old.parquet", "net").qualities == {}
    for spoilt, told in ((np.nan, "got contrast"), (-0.1, "got contrast"), ("much", "cannot be read")):
        table.assign(contrast=spoilt).to_parquet(tmp_path / "fer2013-odd.parquet")
        with pytest.raises(CheckpointError, match=f"{told}.* Evaluate again"):
            read_evaluation(tmp_path / "fer2013-odd.parquet", "net")


def test_qualities_are_checked_and_joined_where_all_tables_have_them() -> None:
    one = evaluation(["sad", "fear"], ["sad", "fear"], qualities=qualities(2), ids=["a", "b"])
    other = evaluation(["happy"], ["sad"], qualities=qualities(1), ids=["c"], split="public_test")
    assert concatenated([one, other]).qualities["contrast"].tolist() == [1, 2, 1]
    assert concatenated([one, replace(other, qualities={})]).qualities == {}
    for bad in ({"age": np.zeros(2, np.float32)}, {"contrast": np.zeros(3, np.float32)}):
        with pytest.raises(CheckpointError, match=r"expected brightness, contrast, sharpness \(2,\) from 0"):
            replace(one, qualities=bad)


def test_outcomes_take_the_rows_that_a_label_set_keeps() -> None:
    people = [{"sad": 10}, {"sad": 5, "fear": 5}, {"happy": 10}]
    table = evaluation(["sad"] * 3, ["sad"] * 3, people=people, qualities=qualities(3))
    report = slice_report(outcomes(table, "ferplus7"), "brightness", n_slices=2, n_boot=10)
    assert report[["low", "high", "accuracy"]].to_numpy().tolist() == [[0, 0, 1], [0, 2, 0]]


# --- the page


@pytest.fixture
def table(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[pd.DataFrame]:
    """A table of 60 answers, half of them right, the darker half."""
    monkeypatch.delenv("FER_DATA", raising=False)
    right = np.arange(60) < 30
    logits = 3.0 * np.eye(7)[np.where(right, 4, 3)]
    powers = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    columns: dict[str, Any] = {"id": list(map(str, range(60))), "label_odd": ["sad"] * 60}
    columns |= {f"logit_{name}": logits[:, i] for i, name in enumerate(EMOTIONS)}
    columns |= {f"p_{name}": powers[:, i] for i, name in enumerate(EMOTIONS)}
    yield pd.DataFrame(columns | qualities(60))
    shutil.rmtree(places.below("evaluations"))


def shown(table: pd.DataFrame, **asked: str) -> AppTest:
    folder = places.below("evaluations") / DEFAULT_CHECKPOINT
    folder.mkdir(exist_ok=True)
    table.to_parquet(folder / "odd-test.parquet")
    return open_page("model", data="odd-test", view="Slices", **asked)


def test_the_page_shows_slices_and_leads_to_their_faces(table: pd.DataFrame) -> None:
    app = shown(table)
    assert not app.exception and not app.error
    text = words(app).replace("\\", "")
    assert "The **darkest** 12 pictures: 100.0%, 62.5 points above the rest" in text
    assert "The **sharpest** 12 pictures: 0.0%, 62.5 points below the rest" in text
    assert "no claims about age, gender or skin" in " ".join(text.split())
    next(button for button in app.button if button.label == "Brightest").click().run()
    assert not app.exception and "12 chosen" in words(app) and "12 of 60 pictures" in words(app)
    assert "view" in app.query_params and app.query_params["set"]


def test_the_page_says_what_to_do_with_a_table_from_before(table: pd.DataFrame) -> None:
    for missing in (list(QUALITIES), ["contrast"]):
        app = shown(table.drop(columns=missing))
        assert not app.exception and not app.error
        assert "Evaluate it again on the page Models" in words(app)
        assert "darkest" not in words(app)


@pytest.mark.parametrize("figure", ["macro_recall", "", "<b>", "[]"])
def test_any_figure_in_the_address_opens(table: pd.DataFrame, figure: str) -> None:
    app = shown(table, figure=figure)
    assert not app.exception and not app.error and "The **darkest** 12 pictures" in words(app)


def test_pictures_that_are_all_alike_make_one_slice(table: pd.DataFrame) -> None:
    app = shown(table.assign(**dict.fromkeys(QUALITIES, np.float32(0.5))))
    assert not app.exception and not app.error
    assert "darkest" not in words(app) and "By brightness" in words(app)
