"""Evaluation tables read as arrays, outcomes and their reasons, selections and matrices: by hand and against
scikit-learn."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import sklearn.metrics as sk

from fer_core.data import VOTES, load_fer2013
from fer_core.emotions import DEFAULT_GROUP_MAP, EMOTIONS, EMOTIONS8, GROUPS
from fer_core.errors import CheckpointError, InputError
from fer_core.evaluation import (
    REASONS,
    Evaluation,
    Outcomes,
    Selection,
    class_report,
    concatenated,
    confusion,
    detected,
    doubtful,
    group_confusion,
    group_report,
    human_agreement,
    in_words,
    most_confused,
    ordered,
    outcomes,
    percent_of,
    read_evaluation,
    report,
    selection_table,
)
from fer_core.models.folders import checkpoint_names, find_checkpoint
from tests.support.evaluated import evaluation, softmax, votes_for

# labels, answers and votes of six pictures, two rights and one error of each kind and one without votes
LABELS = ("fear", "happy", "fear", "fear", "angry", "sad")
ANSWERS = ("fear", "happy", "sad", "sad", "disgust", "neutral")
PEOPLE = ({"fear": 9, "sad": 1}, {"happy": 10}, {"fear": 5, "sad": 5}, {"sad": 8, "fear": 2}, {"angry": 6, "nf": 4}, {})


@pytest.fixture
def six() -> Evaluation:
    sure = np.array([0.9, 0.8, 0.7, 0.6, 0.5, 0.4])
    return evaluation(LABELS, ANSWERS, sure=sure, people=PEOPLE)


@pytest.fixture(scope="module")
def many() -> Outcomes:
    random = np.random.default_rng(3)
    labels = random.integers(0, 7, 800)
    logits = random.normal(size=(800, 7)) + 1.5 * np.eye(7)[labels]
    return outcomes(evaluation([EMOTIONS[i] for i in labels], logits=logits), "fer2013")


# tables


def written(folder: Path, **changes: Any) -> Path:
    """A table of three pictures as a file; a change of None removes a column."""
    logits = np.arange(21).reshape(3, 7) / 10
    columns: dict[str, Any] = {"id": ["7", "8", "9"], "label_fer2013": ["fear", "sad", "happy"]}
    columns |= {"label_ferplus": ["fear", None, "sad"], "votes_top_share": [0.9, 0.5, 1.0], "votes_entropy": [0, 1, 0]}
    columns |= {f"logit_{name}": logits[:, i] for i, name in enumerate(EMOTIONS)}
    columns |= {f"p_{name}": softmax(logits)[:, i] for i, name in enumerate(EMOTIONS)}
    columns |= {f"f_{i:03d}": np.array([i, 1, 2], np.float16) for i in range(4)}
    columns = {name: values for name, values in (columns | changes).items() if values is not None}
    path = folder / "fer2013-private_test.parquet"
    pd.DataFrame(columns).to_parquet(path)
    return path


def test_a_table_without_votes_has_the_labels_of_its_columns(tmp_path: Path) -> None:
    table = read_evaluation(written(tmp_path), "net")
    assert (table.checkpoint, table.dataset, table.split, table.own) == ("net", "fer2013", "private_test", "fer2013")
    assert table.ids.tolist() == ["7", "8", "9"] and table.classes == EMOTIONS and not table.has_votes
    assert {name: labels.tolist() for name, labels in table.labels.items()} == {
        "fer2013": [2, 4, 3],
        "ferplus7": [2, -1, 4],
    }
    assert table.features.shape == (3, 4) and table.features[0].tolist() == [0, 1, 2, 3]
    assert (table.logits.dtype, table.probabilities.dtype, table.features.dtype) == (np.float32,) * 3


def test_a_table_with_votes_has_all_protocols(tmp_path: Path) -> None:
    votes = votes_for([{"fear": 10}, {"sad": 4, "contempt": 6}, {"sad": 5, "fear": 5}])
    columns = {f"votes_{name}": votes[:, i].astype(np.int16) for i, name in enumerate(VOTES)}
    table = read_evaluation(written(tmp_path, **columns), "net")
    np.testing.assert_array_equal(table.votes, votes)
    assert {name: labels.tolist() for name, labels in table.labels.items()} == {
        "fer2013": [2, 4, 3],
        "ferplus7": [2, -1, -1],
        "ferplus8_majority": [2, 7, -1],
        "ferplus8_argmax": [2, 7, 2],
    }


def test_other_data_sets_and_networks_of_eight(tmp_path: Path) -> None:
    eight = {"p_contempt": [0.0] * 3, "logit_contempt": [-9.0] * 3}
    path = written(tmp_path, label_fer2013=None, label_ferplus=None, label_rafdb=["contempt"] * 3, **eight)
    table = read_evaluation(path.rename(tmp_path / "rafdb-test.parquet"), "net")
    assert (table.dataset, table.split, table.label_sets, table.classes) == ("rafdb", "test", ("rafdb",), EMOTIONS8)
    assert outcomes(table, "rafdb").names == EMOTIONS8


def test_categories_are_read_and_a_label_may_be_missing(tmp_path: Path) -> None:
    table = read_evaluation(written(tmp_path, label_fer2013=pd.Categorical(["fear", None, "happy"])), "net")
    assert table.labels["fer2013"].tolist() == [2, -1, 3]
    assert outcomes(table, "fer2013").ids.tolist() == ["7", "9"]


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"id": None}, "an id in every row"),
        ({"id": ["7", "7", "8"]}, "ids that occur once"),
        ({"id": ["7", None, "8"]}, "an id in every row"),
        ({"label_fer2013": None, "label_ferplus": None}, "expected a column label_fer2013"),
        ({"label_fer2013": ["fear", "joy", "sad"]}, "'joy'"),
        ({"label_fer2013": [1, 2, 3]}, "expected emotions in label_fer2013"),
        ({"p_fear": None}, "no p_fear"),
        ({"logit_fear": None}, "expected the classes"),
        ({"p_fear": [0.1, 0.1, np.nan]}, "finite probabilities"),
        ({"p_fear": [0.1, 0.1, 0.9]}, "sum to 1"),
        ({"logit_fear": [0.1, np.inf, 0.9]}, "finite logits"),
        ({"logit_fear": ["a", "b", "c"]}, "cannot be read"),
        ({"f_001": np.array([0, np.nan, 0], np.float16)}, "finite features"),
        ({"votes_angry": [1, 2, 3]}, "votes_contempt"),
        ({f"votes_{name}": [-1, 0, 9] for name in VOTES}, "votes"),
        ({f"votes_{name}": [0.5, 0.0, 9.0] for name in VOTES}, "whole numbers"),
    ],
)
def test_a_table_that_cannot_be_is_named(tmp_path: Path, changes: dict[str, Any], says: str) -> None:
    with pytest.raises(CheckpointError, match=r"fer2013-private_test\.parquet") as raised:
        read_evaluation(written(tmp_path, **changes), "net")
    assert says in str(raised.value)


def test_a_damaged_or_missing_file_is_named(tmp_path: Path) -> None:
    path = written(tmp_path)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(CheckpointError, match=r"fer2013-private_test\.parquet cannot be read"):
        read_evaluation(path, "net")
    with pytest.raises(CheckpointError, match=r"fer2013-none\.parquet cannot be read"):
        read_evaluation(tmp_path / "fer2013-none.parquet", "net")


def test_splits_are_put_together(six: Evaluation) -> None:
    other = evaluation(("sad",), ("sad",), people=({"sad": 9, "fear": 1},), ids=("x",), split="test")
    both = concatenated([six, other])
    assert both.split == "private_test+test" and both.ids.tolist() == [*six.ids.tolist(), "x"]
    assert both.votes.shape == (7, 10) and both.labels["ferplus7"][-1] == EMOTIONS.index("sad")
    without = concatenated([six, evaluation(("sad",), ("sad",), ids=("x",))])
    assert without.label_sets == ("fer2013",) and not without.has_votes
    with pytest.raises(CheckpointError, match="ids that occur once"):
        concatenated([six, six])
    with pytest.raises(InputError, match="got other on fer2013"):
        concatenated([six, evaluation(("sad",), ("sad",), ids=("x",), checkpoint="other")])
    with pytest.raises(InputError, match="at least one"):
        concatenated([])


# outcomes


def test_answers_losses_and_reasons_by_hand(six: Evaluation) -> None:
    found = outcomes(six, "fer2013")
    assert found.names == EMOTIONS and found.ids.tolist() == list("abcdef")
    assert [EMOTIONS[i] for i in found.label] == list(LABELS)
    assert [EMOTIONS[i] for i in found.prediction] == list(ANSWERS)
    assert found.right.tolist() == [True, True, False, False, False, False]
    np.testing.assert_allclose(found.confidence, [0.9, 0.8, 0.7, 0.6, 0.5, 0.4], rtol=1e-6)
    # the rest is shared by six: a label that was not the answer has a sixth of what is left
    shares = [0.9, 0.8, 0.3 / 6, 0.4 / 6, 0.5 / 6, 0.6 / 6]
    np.testing.assert_allclose(found.loss, -np.log(shares), rtol=1e-5)
    assert [REASONS[i] for i in found.reason] == ["", "", "people split", "label doubtful", "model alone", ""]
    # picture a: fear .9 against .9, sad .1 against .1 / 6, and 5 × .1 / 6 that nobody voted for
    assert found.disagreement[0] == pytest.approx(0.5 * (0.1 - 0.1 / 6 + 5 * 0.1 / 6), rel=1e-5)
    assert found.disagreement[4] == pytest.approx(1 - 0.5 / 6, rel=1e-5)  # "not a face" is no vote for an emotion
    assert np.isnan(found.disagreement[5])


@pytest.mark.parametrize(
    ("people", "seven", "eight"),
    [
        ({"fear": 6, "sad": 4}, "model alone", "model alone"),
        ({"fear": 5, "sad": 3, "neutral": 2}, "people split", "people split"),
        ({"sad": 6, "fear": 4}, "label doubtful", "label doubtful"),
        ({"contempt": 6, "fear": 4}, "people split", "label doubtful"),
        ({"unknown": 6, "fear": 4}, "people split", "people split"),
        ({"nf": 10}, "people split", "people split"),
    ],
)
def test_why_an_answer_is_wrong(people: dict[str, int], seven: str, eight: str) -> None:
    table = evaluation(("fear",), ("happy",), people=(people,))
    assert REASONS[outcomes(table, "fer2013").reason[0]] == seven
    as_eight = replace(table, labels={"ferplus8_argmax": table.labels["fer2013"]})
    assert REASONS[outcomes(as_eight, "ferplus8_argmax").reason[0]] == eight


def test_without_votes_nobody_knows_why() -> None:
    table = evaluation(("fear", "sad"), ("happy", "sad"))
    found = outcomes(table, "fer2013")
    assert found.reason.tolist() == [0, 0] and np.isnan(found.disagreement).all()
    agreed, words = human_agreement(found)
    assert np.isnan(agreed) and "no votes" in words
    assert not doubtful(table, "fer2013").any()


def test_contempt_is_wrong_for_a_network_of_seven() -> None:
    table = evaluation(("contempt", "sad"), ("sad", "sad"))
    found = outcomes(table, "fer2013")
    assert found.names == EMOTIONS8 and found.probabilities.shape == (2, 8)
    assert found.right.tolist() == [False, True]
    assert found.loss[0] == pytest.approx(-np.log(1e-6))
    assert confusion(found)[7].tolist() == [0, 0, 0, 0, 1, 0, 0, 0]


def test_label_sets_keep_their_pictures(six: Evaluation) -> None:
    assert outcomes(six, "ferplus7").ids.tolist() == ["a", "b", "d", "e"]
    assert [EMOTIONS[i] for i in outcomes(six, "ferplus7").label] == ["fear", "happy", "sad", "angry"]
    assert outcomes(six, "ferplus8_argmax").names == EMOTIONS8
    with pytest.raises(InputError, match="choose one of fer2013, ferplus7"):
        outcomes(six, "rafdb")


def test_doubtful_labels_are_left_out(six: Evaluation) -> None:
    assert doubtful(six, "fer2013").tolist() == [False, False, False, True, False, False]
    assert outcomes(six, "fer2013", without_doubtful=True).ids.tolist() == ["a", "b", "c", "e", "f"]
    assert not any(doubtful(six, name).any() for name in six.label_sets[1:])
    corrected = outcomes(six, "fer2013", without_doubtful=True, corrections={"d": "sad", "a": "happy"})
    assert corrected.ids.tolist() == ["b", "c", "d", "e", "f"]  # now people say the same of d, and another of a


def test_corrections_count(six: Evaluation) -> None:
    found = outcomes(six, "fer2013", corrections={"d": "sad", "b": None, "elsewhere": "fear"})
    assert found.ids.tolist() == ["a", "c", "d", "e", "f"]
    assert found.right.tolist() == [True, False, True, False, False]
    assert six.labels["fer2013"].tolist() == [EMOTIONS.index(name) for name in LABELS]  # the table stays
    assert "c" not in outcomes(six, "ferplus7", corrections={"c": "fear"}).ids  # what the set drops stays dropped
    assert outcomes(six, "fer2013", corrections={"d": "contempt"}).names == EMOTIONS8
    with pytest.raises(InputError, match="'joy', which is no emotion"):
        outcomes(six, "fer2013", corrections={"d": "joy"})


def test_a_table_without_pictures() -> None:
    found = outcomes(evaluation((), ()), "fer2013")
    assert len(found) == 0 and not Selection().mask(found).size and not confusion(found).any()
    assert np.isnan(human_agreement(found)[0]) and not len(class_report(found)) and not len(ordered(found, found.right))


def test_how_often_people_agree_by_hand(six: Evaluation) -> None:
    # votes that name the label: 9, 10, 5, 2, 6 of 10 each
    assert human_agreement(outcomes(six, "fer2013"))[0] == pytest.approx(3.2 / 5)
    # a 9:1: nine others say fear for all; b all agree; d 8:2 and e 6:4 (not a face) likewise say the same
    agreed, words = human_agreement(outcomes(six, "ferplus7"))
    assert agreed == pytest.approx((9 + 10 + 8 + 6) / 40)
    assert "the others" in words and "4 pictures" in words
    # 6:5: one of the six leaves 5:5, which is no label and does not count; one of the five is told otherwise
    tie = evaluation(("fear",), ("fear",), people=({"fear": 6, "sad": 5},))
    assert human_agreement(outcomes(tie, "ferplus7"))[0] == 0.0


def test_one_tagger_of_fer_plus_names_the_label_of_fer2013_in_five_of_nine(fer2013_dir: Path) -> None:
    faces = load_fer2013(fer2013_dir, "private_test")
    names = [EMOTIONS[i] for i in faces.emotion]
    people = [dict(zip(VOTES, map(int, row), strict=True)) for row in faces.votes]
    table = evaluation(names, names, people=people, ids=faces.ids.tolist())
    assert human_agreement(outcomes(table, "fer2013"))[0] == pytest.approx(0.556, abs=0.0005)
    by_set = {name: human_agreement(outcomes(table, name))[0] for name in table.label_sets}
    assert by_set["ferplus8_majority"] > by_set["ferplus7"] > by_set["ferplus8_argmax"] > by_set["fer2013"]


def test_the_most_striking_first(six: Evaluation) -> None:
    found = outcomes(six, "fer2013")
    wrong = ~found.right
    assert ordered(found, wrong, "confidence").tolist() == [2, 3, 4, 5]
    assert ordered(found, wrong, "loss").tolist() == [2, 3, 4, 5]
    assert ordered(found, wrong, "disagreement").tolist()[-1] == 5  # unknown
    assert ordered(found, found.right, "loss").tolist() == [1, 0]
    with pytest.raises(InputError, match="Unknown order 'reason'"):
        ordered(found, wrong, "reason")


def test_the_selection_as_a_table(six: Evaluation) -> None:
    found = outcomes(six, "fer2013")
    table = selection_table(found, Selection(outcome="wrong", reason="label doubtful").mask(found))
    row = table.iloc[0]
    assert len(table) == 1 and row["id"] == "d"
    assert (row["label"], row["prediction"], row["reason"]) == ("fear", "sad", "label doubtful")
    assert (row["votes_sad"], row["votes_fear"], row["p_sad"]) == (8, 2, pytest.approx(0.6))
    assert "p_contempt" not in table and list(table)[:6] == [
        "id", "label", "prediction", "confidence", "loss", "reason",
    ]  # fmt: skip
    without = selection_table(outcomes(evaluation(("sad",), ("sad",)), "fer2013"), np.array([True]))
    assert not any(name.startswith("votes_") for name in without)


# selections


def test_a_selection_by_hand(six: Evaluation) -> None:
    found = outcomes(six, "fer2013")

    def ids(**wanted: Any) -> str:
        return "".join(found.ids[Selection(**wanted).mask(found)])

    assert ids() == "abcdef"
    assert ids(true="fear") == "acd" and ids(predicted="sad") == "cd"
    assert ids(true="fear", predicted="sad", min_confidence=0.65) == "c"
    assert ids(true_group="negative", predicted_group="neutral") == "f"
    assert ids(outcome="right") == "ab" and ids(outcome="wrong") == "cdef"
    assert ids(reason="people split") == "c" and ids(reason="model alone") == "e"
    assert ids(chosen=frozenset("bfz")) == "bf" and ids(chosen=frozenset()) == ""
    assert ids(true="contempt") == ""
    assert Selection(true_group="positive").mask(found, {**DEFAULT_GROUP_MAP, "sad": "positive"}).tolist() == [
        False, True, False, False, False, True,
    ]  # fmt: skip
    with pytest.raises(InputError, match="The group of 'sad'"):
        Selection().mask(found, {**DEFAULT_GROUP_MAP, "sad": "bad"})


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        ({}, "all pictures"),
        ({"true": "fear", "predicted": "sad"}, "fear taken for sad"),
        ({"true": "fear"}, "labelled fear"),
        ({"predicted": "sad"}, "answered sad"),
        ({"true": "fear", "predicted": "fear"}, "fear recognised"),
        ({"true_group": "negative", "predicted_group": "neutral"}, "negative taken for neutral"),
        ({"min_confidence": 0.6, "max_confidence": 0.8}, "60–80 % sure"),
        ({"min_confidence": 0.6}, "more than 60 % sure"),
        ({"max_confidence": 1 / 3}, "at most 33.3 % sure"),
        ({"reason": "label doubtful"}, "errors in which the label is doubtful"),
        ({"reason": "people split", "outcome": "wrong"}, "errors on which people are split"),
        ({"outcome": "right", "true": "sad"}, "labelled sad, right answers"),
        ({"outcome": "wrong"}, "errors"),
        ({"chosen": frozenset(map(str, range(37)))}, "37 chosen"),
        (
            {"true": "fear", "predicted": "sad", "min_confidence": 0.5, "reason": "model alone"},
            "fear taken for sad, errors of the model alone, more than 50 % sure",
        ),
    ],
)
def test_a_selection_in_words(wanted: dict[str, Any], words: str) -> None:
    selection = Selection(**wanted)
    assert selection.words() == words
    assert selection.is_empty == (not wanted)


@pytest.mark.parametrize(
    "wanted",
    [
        {"true": "joy"},
        {"predicted": "fear; drop table"},
        {"true_group": "bad"},
        {"predicted_group": "fear"},
        {"outcome": "maybe"},
        {"reason": "weather"},
        {"min_confidence": 0.8, "max_confidence": 0.6},
        {"max_confidence": 2.0},
        {"min_confidence": -0.1},
        {"max_confidence": float("inf")},
        {"true": "x" * 10_000},
    ],
)
def test_an_impossible_selection_is_refused(wanted: dict[str, Any]) -> None:
    with pytest.raises(InputError) as raised:
        Selection(**wanted)
    assert len(str(raised.value)) < 300


def test_no_number_is_no_confidence() -> None:
    with pytest.raises(InputError, match="from 0 to 1"):
        Selection(min_confidence=float("nan"))


# matrices


def test_matrices_against_scikit_learn(many: Outcomes) -> None:
    matrix = confusion(many)
    np.testing.assert_array_equal(matrix, sk.confusion_matrix(many.label, many.prediction))
    for axis, name in (("row", "true"), ("column", "pred")):
        theirs = sk.confusion_matrix(many.label, many.prediction, normalize=name)
        np.testing.assert_allclose(percent_of(matrix, axis), 100 * theirs)
    table = class_report(many)
    theirs = sk.precision_recall_fscore_support(many.label, many.prediction)
    assert table["class"].tolist() == list(EMOTIONS)
    np.testing.assert_allclose(table[["precision", "recall", "f1", "support"]].to_numpy().T, np.array(theirs))
    groups = np.array([GROUPS.index(DEFAULT_GROUP_MAP[name]) for name in EMOTIONS])
    np.testing.assert_array_equal(
        group_confusion(many), sk.confusion_matrix(groups[many.label], groups[many.prediction])
    )
    theirs = sk.precision_recall_fscore_support(groups[many.label], groups[many.prediction])
    np.testing.assert_allclose(group_report(many)[["precision", "recall", "f1", "support"]].to_numpy().T, theirs)


def test_surprise_may_be_a_group_of_its_own(many: Outcomes) -> None:
    group_map = {**DEFAULT_GROUP_MAP, "surprise": "surprise"}
    matrix = group_confusion(many, group_map)
    assert matrix.shape == (4, 4) and matrix[3].sum() == (many.label == EMOTIONS.index("surprise")).sum()
    assert group_report(many, group_map)["class"].tolist() == ["negative", "neutral", "positive", "surprise"]


def test_a_class_without_pictures_has_no_figures(six: Evaluation) -> None:
    table = class_report(outcomes(six, "fer2013")).set_index("class")
    assert "surprise" not in table.index  # neither labelled nor answered
    assert table.loc["disgust", "precision"] == 0 and np.isnan(table.loc["disgust", "recall"])
    assert np.isnan(table.loc["angry", "precision"]) and table.loc["angry", "recall"] == table.loc["angry", "f1"] == 0
    matrix = confusion(outcomes(six, "fer2013"))
    assert np.isnan(percent_of(matrix, "row")[EMOTIONS.index("surprise")]).all()


def test_detected_and_confused_by_hand() -> None:
    matrix = np.array([[5, 4, 1], [3, 3, 0], [0, 0, 0]])
    assert detected(matrix).tolist() == [True, False, False]  # as many wrong as right is not detected
    pairs = most_confused(matrix, ("fear", "sad", "happy"), n=2, least=1)
    assert pairs == [("sad", "fear", 3, 0.5), ("fear", "sad", 4, 0.4)]
    assert [in_words(pair) for pair in pairs] == [
        "50 % of sad is taken for fear (3 of 6)",
        "40 % of fear is taken for sad (4 of 10)",
    ]
    assert len(most_confused(matrix, ("fear", "sad", "happy"), least=1)) == 3
    assert most_confused(matrix, ("fear", "sad", "happy"), least=4) == [("fear", "sad", 4, 0.4)]
    assert most_confused(np.eye(3, dtype=np.int64), ("fear", "sad", "happy")) == []


# what ships, and what loads


@pytest.mark.parametrize("name", checkpoint_names(find_checkpoint("mobilenetv2-ferplus").parent))
def test_shipped_tables(name: str) -> None:
    paths = sorted((find_checkpoint(name) / "evaluations").glob("*.parquet"))
    assert paths
    for path in paths:
        table = read_evaluation(path, name)
        assert table.own == table.dataset and len(table) > 1000
        for label_set in table.label_sets:
            found = outcomes(table, label_set)
            figures = report(found.probabilities, found.label)
            assert figures["accuracy"] == pytest.approx(found.right.mean())
            assert confusion(found).trace() == found.right.sum() and confusion(found).sum() == len(found)
            assert found.loss.mean() == pytest.approx(figures["nll"])
            parts = [Selection(true=true).mask(found).sum() for true in found.names]
            assert sum(parts) == len(found)
            if table.has_votes:
                assert ((found.reason > 0) == ~found.right).all()


def test_reading_tables_loads_no_torch() -> None:
    code = (
        "import sys; from fer_core.evaluation import read_evaluation, outcomes, near_duplicates, suspicious, mcnemar, "
        "reliability, confusion, Selection, LabelReview; print([n for n in ('torch', 'sklearn') if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_names_of_the_package() -> None:
    import fer_core.evaluation

    assert all(getattr(fer_core.evaluation, name) is not None for name in fer_core.evaluation.__all__)
    with pytest.raises(AttributeError, match="has no attribute 'guess'"):
        _ = fer_core.evaluation.guess
