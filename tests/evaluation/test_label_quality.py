"""Labels that look wrong, near copies, and a reviewer's decisions."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from benchmarks import label_quality as benchmark
from fer_core.data import load_fer2013
from fer_core.emotions import EMOTIONS
from fer_core.errors import InputError, StoreError
from fer_core.evaluation import (
    LabelReview,
    Outcomes,
    concatenated,
    confident_joint,
    contradictions,
    doubtful,
    estimated_errors,
    label_quality_report,
    near_duplicates,
    outcomes,
    precision_at,
    random_baseline,
    read_evaluation,
    suspicious,
)
from fer_core.models.folders import find_checkpoint
from tests.support.evaluated import evaluation

# confident learning


def known(p_fear: list[float], labels: list[str]) -> Outcomes:
    """Pictures of fear or sadness; the network gives the rest of the probability to sadness."""
    p = np.full((len(labels), 7), 1e-9)
    p[:, EMOTIONS.index("fear")] = p_fear
    p[:, EMOTIONS.index("sad")] = 1 - np.array(p_fear)
    return outcomes(evaluation(labels, logits=np.log(p)), "fer2013")


def test_confident_learning_by_hand() -> None:
    # thresholds: fear (.9 + .8 + .7 + .2) / 4 = .65, sad (.9 + .9 + .6) / 3 = .8
    found = known([0.9, 0.8, 0.7, 0.2, 0.1, 0.1, 0.4], ["fear"] * 4 + ["sad"] * 3)
    fear, sad = EMOTIONS.index("fear"), EMOTIONS.index("sad")
    joint = confident_joint(found)
    assert joint[fear, [fear, sad]].tolist() == [3, 1] and joint[sad, [fear, sad]].tolist() == [0, 2]
    assert joint.sum() == 6  # of the last picture the network is sure of nothing: .4 < .65 and .6 < .8
    assert estimated_errors(found) == pytest.approx((4 * 1 / 4 + 3 * 0) / 7)
    table = suspicious(found)
    assert table["id"].tolist() == ["d", "g", "c", "b", "a", "e", "f"]  # .2 .6 .7 .8 .9 .9 .9
    assert table["row"].tolist() == [3, 6, 2, 1, 0, 4, 5]
    assert table["score"].tolist() == pytest.approx([0.8, 0.4, 0.3, 0.2, 0.1, 0.1, 0.1])
    assert table["flagged"].tolist() == [True] + [False] * 6  # one of four labels of fear is wrong, none of sadness
    assert table.iloc[0][["label", "suggested"]].tolist() == ["fear", "sad"]


def test_planted_errors_are_found() -> None:
    random = np.random.default_rng(4)
    truth = random.integers(0, 7, 2000)
    is_wrong = random.random(2000) < 0.1
    given = np.where(is_wrong, (truth + random.integers(1, 7, 2000)) % 7, truth)
    logits = 4 * np.eye(7)[truth] + random.normal(size=(2000, 7))
    found = outcomes(evaluation([EMOTIONS[i] for i in given], logits=logits), "fer2013")
    assert estimated_errors(found) == pytest.approx(0.1, abs=0.03)
    table = suspicious(found)
    assert len(table) == 2000 and table["flagged"].sum() == pytest.approx(200, abs=60)
    assert table["score"].is_monotonic_decreasing and (table["label"] != table["suggested"]).all()
    assert is_wrong[table["row"][table["flagged"]]].mean() > 0.8
    assert precision_at(table["row"].to_numpy(), is_wrong, [50])[0] > 0.95


def test_what_the_network_does_not_know_is_not_judged() -> None:
    found = outcomes(evaluation(("contempt", "sad", "sad"), ("sad", "sad", "sad")), "fer2013")
    assert suspicious(found)["id"].tolist() == ["b", "c"] and confident_joint(found).sum() == 2
    nothing = outcomes(evaluation((), ()), "fer2013")
    assert suspicious(nothing).empty and np.isnan(estimated_errors(nothing))


def test_precision_and_a_random_order_by_hand() -> None:
    relevant = np.array([True, False, True, False])
    assert precision_at(np.array([0, 2, 1, 3]), relevant, [1, 2, 3, 4]).tolist() == [1, 1, 2 / 3, 0.5]
    assert np.isnan(precision_at(np.array([0]), relevant, [2])).all()
    random = np.random.default_rng(0)
    row = random_baseline(60, 20, [30]).iloc[0]
    order = np.array([random.permutation(60)[:30] for _ in range(4000)])
    shares = (order < 20).mean(axis=1)
    assert row["random"] == pytest.approx(1 / 3) == pytest.approx(shares.mean(), abs=0.01)
    assert [row["random_low"], row["random_high"]] == pytest.approx(
        np.percentile(shares, [2.5, 97.5]).tolist(), abs=1 / 30
    )
    assert random_baseline(5, 2, ()).empty


def test_the_report_counts_what_people_contradict() -> None:
    people = ({"sad": 10}, {"fear": 9, "sad": 1}, {"sad": 5, "fear": 5}, {"fear": 6, "sad": 4})
    p = np.full((4, 7), 0.02)
    p[:, [EMOTIONS.index("fear"), EMOTIONS.index("sad")]] = [[0.1, 0.8], [0.8, 0.1], [0.05, 0.85], [0.3, 0.6]]
    found = outcomes(evaluation(("fear",) * 4, logits=np.log(p), people=people), "fer2013")
    report = label_quality_report(found, (1, 2, 3, 4))
    # most doubtful first: c (nobody can say), a (contradicted), d, b
    assert (report.judged, report.contradicted, report.base_rate) == (3, 1, 1 / 3)
    assert report.table["k"].tolist() == [1, 2, 3] and report.table["precision"].tolist() == [1, 1 / 2, 1 / 3]
    assert report.table["random"].tolist() == [1 / 3] * 3
    with pytest.raises(InputError, match="measured against FER"):
        label_quality_report(outcomes(found.evaluation, "ferplus7"))
    with pytest.raises(InputError, match="measured against FER"):
        label_quality_report(outcomes(evaluation(("fear",), ("sad",)), "fer2013"))
    with pytest.raises(InputError, match="Of no picture"):
        label_quality_report(outcomes(evaluation(("fear",), ("sad",), people=({"unknown": 10},)), "fer2013"))


@pytest.fixture(scope="module", params=["mobilenetv2-fer2013", "mobilenetv2-ferplus"])
def shipped(request: pytest.FixtureRequest) -> Outcomes:
    folder = find_checkpoint(request.param) / "evaluations"
    splits = ("public_test", "private_test")
    tables = [read_evaluation(folder / f"fer2013-{split}.parquet", request.param) for split in splits]
    return outcomes(concatenated(tables), "fer2013")


def test_people_contradict_the_labels_that_look_wrong_to_shipped_networks(shipped: Outcomes) -> None:
    report = label_quality_report(shipped)
    table = report.table
    assert table["k"].tolist() == [100, 500, 1000]
    assert (table["precision"] > table["random_high"]).all() and table["precision"].is_monotonic_decreasing
    assert (table["random_low"] < table["random"]).all() and (table["random"] < table["random_high"]).all()
    assert report.base_rate == table["random"][0] == doubtful(shipped.evaluation, "fer2013").sum() / report.judged
    assert report.flagged_precision > 1.5 * report.base_rate
    assert suspicious(shipped)["flagged"].mean() == pytest.approx(estimated_errors(shipped), abs=0.001)


def test_the_benchmark_prints_what_the_report_says(shipped: Outcomes, capsys: pytest.CaptureFixture[str]) -> None:
    benchmark.show(shipped)
    printed = capsys.readouterr().out
    assert all(f"{100 * each:.1f} %" in printed for each in label_quality_report(shipped).table["precision"])


# near copies


def textured(n: int, seed: int = 0) -> NDArray[np.uint8]:
    """Smooth random pictures (n, 48, 48), no two alike."""
    small = np.random.default_rng(seed).integers(0, 256, (n, 8, 8), np.uint8)
    large = [cv2.resize(each, (48, 48), interpolation=cv2.INTER_CUBIC) for each in small]
    return np.array(large, np.uint8).reshape(n, 48, 48)


def pairs_of(table: pd.DataFrame) -> set[tuple[int, int]]:
    return set(zip(table["first"].tolist(), table["second"].tolist(), strict=True))


def test_copies_are_found_also_mirrored_and_brighter() -> None:
    images = textured(30)
    images[7] = images[3]
    images[9] = images[4][:, ::-1]
    images[20] = np.clip(images[5] * 0.7 + 40, 0, 255).astype(np.uint8)
    images[[11, 12]] = 90  # blank pictures are no copies of each other
    found = near_duplicates(images)
    assert pairs_of(found) == {(3, 7), (4, 9), (5, 20)}
    assert found.iloc[-1][["first", "second", "is_mirrored"]].tolist() == [5, 20, False]
    assert found["correlation"].tolist()[:2] == pytest.approx([1, 1]) and 0.98 <= found["correlation"].iloc[-1] < 1
    assert found["is_mirrored"].tolist().count(True) == 1 and near_duplicates(images[:5]).empty
    assert near_duplicates(textured(0)).empty
    labels = np.where(np.arange(30) < 8, "sad", "fear")
    differing = contradictions(found, labels)
    assert pairs_of(differing) == {(4, 9), (5, 20)}
    assert differing[["label_first", "label_second"]].to_numpy().tolist() == [["sad", "fear"]] * 2


def test_pairs_are_those_of_one_large_matrix(monkeypatch: pytest.MonkeyPatch) -> None:
    images = np.concatenate([textured(40), textured(40)[:, :, ::-1], textured(25, seed=1)])
    whole = near_duplicates(images, 0.6)
    monkeypatch.setattr("fer_core.evaluation.duplicates._BLOCK", 16)
    blocks = near_duplicates(images, 0.6)
    pd.testing.assert_frame_equal(
        *(table.sort_values(["first", "second"], ignore_index=True) for table in (whole, blocks))
    )
    small = np.array([cv2.resize(each, (16, 16), interpolation=cv2.INTER_AREA) for each in images])
    n = len(images)
    both = np.corrcoef(np.concatenate([small, small[:, :, ::-1]]).reshape(2 * n, -1))
    alike = np.triu(np.maximum(both[:n, :n], both[:n, n:]) >= 0.6, 1)
    assert pairs_of(whole) == {(i, j) for i, j in np.argwhere(alike).tolist()}


def test_what_cannot_be_compared_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match=r"Expected images uint8 \(n, h, w\), got float64"):
        near_duplicates(np.zeros((2, 4, 4)))  # type: ignore[arg-type]
    for threshold in (0.0, 1.1, float("nan")):
        with pytest.raises(InputError, match="Expected a threshold"):
            near_duplicates(textured(2), threshold)
    monkeypatch.setattr("fer_core.evaluation.duplicates.MAX_PAIRS", 10)
    with pytest.raises(InputError, match="Choose a higher threshold"):
        near_duplicates(np.repeat(textured(1), 9, axis=0))


def test_copies_in_the_private_test(fer2013_dir: Path) -> None:
    faces = load_fer2013(fer2013_dir, "private_test")
    pairs = near_duplicates(faces.images)
    differing = contradictions(pairs, faces.emotion)
    assert 0 < len(differing) < len(pairs) < len(faces.images)
    first: dict[bytes, int] = {}
    found = pairs_of(pairs)
    copies = [
        (first[key], i)
        for i, image in enumerate(faces.images)
        if first.setdefault(key := image.tobytes(), i) != i and image.std() > 1
    ]
    assert copies and set(copies) <= found


# a reviewer's decisions


def decided(*events: tuple[Any, ...]) -> Callable[[LabelReview], LabelReview]:
    """A change: one event after the other, each (do, id, label[, new label])."""

    def how(review: LabelReview) -> LabelReview:
        for do, name, was, *new in events:
            review = review.decide(do, {name: was}, *new)
        return review

    return how


def test_decisions_are_kept_undone_and_redone(tmp_path: Path) -> None:
    folder = tmp_path / "reviews"
    review = LabelReview.load(folder, "fer2013")
    assert review == LabelReview("fer2013") and not folder.exists()
    how = decided(("keep", "1", "sad"), ("relabel", "2", "fear", "sad"), ("drop", "3", "happy"))
    review = LabelReview.change(folder, "fer2013", how)
    assert review.corrections == {"2": "sad", "3": None} and review.kept == {"1"}
    assert LabelReview.load(folder, "fer2013") == review
    assert LabelReview.load(folder, "rafdb").corrections == {}
    review = LabelReview.change(folder, "fer2013", lambda each: each.undo().undo())
    assert review.corrections == {} and review.kept == {"1"} and len(review.undone) == 2
    assert review.redo().corrections == {"2": "sad"}
    again = LabelReview.load(folder, "fer2013").redo().decide("relabel", {"1": "sad"}, "angry")
    assert again.corrections == {"2": "sad", "1": "angry"} and not again.undone and again.kept == set()
    assert again.decide("restore", {"1": "sad"}).decisions.keys() == {"2"}
    assert [each.name for each in folder.iterdir()] == ["fer2013.json"]


def test_many_are_decided_at_once() -> None:
    review = LabelReview("fer2013").decide("relabel", {"1": "sad", "2": "fear"}, "neutral")
    assert review.corrections == {"1": "neutral", "2": "neutral"}
    assert review.undo().corrections == {}


def test_undoing_nothing_changes_nothing() -> None:
    assert LabelReview("fer2013").undo().redo() == LabelReview("fer2013")


def test_what_is_decided_at_the_same_time_is_not_lost(tmp_path: Path) -> None:
    def decide(name: str) -> None:
        LabelReview.change(tmp_path, "fer2013", decided(("drop", name, "fear")))

    threads = [threading.Thread(target=decide, args=(str(i),)) for i in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(LabelReview.load(tmp_path, "fer2013").decisions) == 20


def test_decisions_as_csv() -> None:
    how = decided(("keep", "1", "sad"), ("relabel", "a,b", "fear", "sad"), ("drop", "3", "happy"))
    assert how(LabelReview("fer2013")).to_csv().decode().splitlines() == [
        "id,label,decision,new_label", "1,sad,keep,sad", '"a,b",fear,relabel,sad', "3,happy,drop,",
    ]  # fmt: skip


def test_decisions_reach_the_outcomes() -> None:
    table = evaluation(("fear", "sad", "happy"), ("sad", "sad", "sad"))
    review = decided(("relabel", "a", "fear", "sad"), ("drop", "c", "happy"), ("keep", "b", "sad"))(LabelReview("x"))
    found = outcomes(table, "fer2013", corrections=review.corrections)
    assert found.ids.tolist() == ["a", "b"] and found.right.all()


@pytest.mark.parametrize(
    ("do", "was", "label", "says"),
    [
        ("delete", {"1": "sad"}, None, "Unknown decision 'delete'"),
        ("keep", {}, None, "at least one picture"),
        ("keep", {"": "sad"}, None, "no id of a picture"),
        ("keep", {"a\nb": "sad"}, None, "no id of a picture"),
        ("keep", {"1": "joy"}, None, "The label of '1' is 'joy'"),
        ("keep", {"1": "sad"}, "fear", "only to that"),
        ("relabel", {"1": "sad"}, None, "belongs to relabelling"),
        ("relabel", {"1": "sad"}, "joy", "The new label is 'joy'"),
        ("relabel", {"1": "sad"}, "sad", "labelled sad already"),
        ("restore", {"1": "sad"}, None, "Nothing was decided about '1'"),
    ],
)
def test_impossible_decisions(tmp_path: Path, do: str, was: dict[str, str], label: str | None, says: str) -> None:
    review = LabelReview.change(tmp_path, "fer2013", decided(("keep", "9", "fear")))
    with pytest.raises(InputError, match=says):
        LabelReview.change(tmp_path, "fer2013", lambda each: each.decide(do, was, label))
    assert LabelReview.load(tmp_path, "fer2013") == review


@pytest.mark.parametrize("name", ["", "../x", "a/b", ".hidden", "x" * 100, "a\0b"])
def test_a_name_that_is_no_file_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match="no name of a data set"):
        LabelReview.load(tmp_path, name)


GOOD = {"do": "keep", "was": {"1": "sad"}}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        "[" * 100_000,
        json.dumps({"format": "other", "done": [], "undone": []}),
        json.dumps({"format": "fer-workbench-label-review/1", "done": []}),
        json.dumps({"format": "fer-workbench-label-review/1", "done": 3, "undone": []}),
        json.dumps({"format": "fer-workbench-label-review/1", "done": ["keep"], "undone": []}),
        json.dumps({"format": "fer-workbench-label-review/1", "done": [GOOD, {"do": "burn"}], "undone": []}),
        json.dumps({"format": "fer-workbench-label-review/1", "done": [GOOD | {"was": {"1": ["sad"]}}], "undone": []}),
        json.dumps({"format": "fer-workbench-label-review/1", "done": [GOOD | {"do": ["keep"]}], "undone": []}),
        json.dumps({"format": "fer-workbench-label-review/1", "done": [], "undone": [GOOD | {"label": "sad"}]}),
    ],
)
def test_a_damaged_file_is_named_and_stays(tmp_path: Path, text: str) -> None:
    path = tmp_path / "fer2013.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(StoreError, match=r"fer2013\.json is damaged.*Move it away"):
        LabelReview.load(tmp_path, "fer2013")
    with pytest.raises(StoreError, match="damaged"):
        LabelReview.change(tmp_path, "fer2013", decided(("keep", "1", "sad")))
    assert path.read_text(encoding="utf-8") == text


def test_a_review_that_grows_too_large_stays_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    review = LabelReview.change(tmp_path, "fer2013", decided(("keep", "1", "sad")))
    monkeypatch.setattr("fer_core.evaluation.reviews.MAX_BYTES", 10)
    with pytest.raises(InputError, match="grown too large"):
        LabelReview.change(tmp_path, "fer2013", decided(("keep", "2", "sad")))
    assert LabelReview.load(tmp_path, "fer2013") == review
