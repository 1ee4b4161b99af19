"""What the browser components are told, and which of their answers count."""

from __future__ import annotations

import numpy as np
import pytest

from dashboard.components.gallery import _tile
from dashboard.components.live import Recorded, _recorded
from dashboard.components.matrix import _known, _labels, _tips
from dashboard.components.scatter import Categories, Numbers
from dashboard.components.scatter.records import pack_mask, unpack_mask
from dashboard.models.model.colourings import NAMES, card_lines, colouring
from dashboard.services import evaluations
from dashboard.services.evaluations import Question
from dashboard.videos.review.why import REGION_COLOURS, pieces, span_figure
from fer_core.emotions import DEFAULT_GROUP_MAP, EMOTION_COLOURS, GROUPS
from fer_core.evaluation import mcnemar
from fer_core.models.folders import DEFAULT_CHECKPOINT

COUNTS = np.array([[3, 1], [0, 2]])
ASKED = Question(DEFAULT_CHECKPOINT, "fer2013-private_test", "ferplus7")


def test_cells_of_a_matrix_are_named_and_explained() -> None:
    labels = _labels(("fear", "sad"), COUNTS, [["3", "1"], ["0", "2"]], [True, True])
    assert labels[1] == [
        "all labelled fear, detected",
        "labelled fear, answered fear: 3",
        "labelled fear, answered sad: 1",
    ]
    tips = _tips(("fear", "sad"), COUNTS, None, [True, True])
    assert tips[1][2].replace("\u00a0", " ") == "fear taken for sad: 1 of 4 (25.0 %)"
    difference = _tips(("fear", "sad"), COUNTS - 2, None, [True, True])
    assert difference[1][2] == "fear taken for sad: −1"


@pytest.mark.parametrize("said", [None, "fear", ["fear"], ["fear", "joy"], ["fear", "sad", "sad"], {"a": 1}, [1, 2]])
def test_only_cells_of_the_matrix_count(said: object) -> None:
    assert _known(["fear", "sad"], ("fear", "sad")) == ("fear", "sad")
    assert _known(["", ""], ("fear", "sad")) == ("", "")
    assert _known(said, ("fear", "sad")) is None


def test_a_tile_says_what_it_shows() -> None:
    tile = _tile({
        "id": "7", "src": None, "label": "fear", "prediction": "sad", "confidence": 0.931, "right": False,
        "reason": "people split", "votes": [0, 0, 0.4, 0, 0.5, 0, 0],
    })  # fmt: skip
    assert (
        tile["words"].replace("\u00a0", " ").startswith("labelled fear, answered sad, wrong, 93 % sure, people split")
    )
    assert [(vote["name"], vote["share"]) for vote in tile["votes"]] == [("fear", 0.4), ("sad", 0.5), ("other", 0.1)]


@pytest.mark.parametrize("n", [1, 7, 8, 9, 3589])
def test_a_lasso_travels_as_bits(n: int) -> None:
    mask = np.random.default_rng(n).random(n) < 0.3
    assert unpack_mask(pack_mask(mask), n) == tuple(np.flatnonzero(mask))
    assert unpack_mask(pack_mask(mask), n + 8) is None and unpack_mask("%", n) is None


@pytest.mark.parametrize("name", NAMES)
def test_every_picture_has_a_colour_and_dropped_ones_are_not_judged(name: str) -> None:
    found = evaluations.outcomes(ASKED)
    other = evaluations.outcomes(Question("mobilenetv2-fer2013", ASKED.table, ASKED.label_set))
    made, n = colouring(name, found, other, DEFAULT_GROUP_MAP), len(found.evaluation)
    assert len(found) < n == len(made.values)
    dropped = np.setdiff1d(np.arange(n), found.rows)
    if isinstance(made, Numbers):
        assert np.isnan(made.values[dropped]).all()
        np.testing.assert_allclose(made.values[found.rows], 100 * found.confidence)
        return
    assert isinstance(made, Categories) and made.labels[-1] == "not judged"
    assert (made.values[dropped] == len(made.labels) - 1).all() and (
        made.values[found.rows] < len(made.labels) - 1
    ).all()
    if name == "3 groups":
        for row, label in zip(found.rows[:50], found.label[:50], strict=True):
            assert GROUPS[made.values[row]] == DEFAULT_GROUP_MAP[found.names[label]]
    if name == "which checkpoint is right":
        right = found.right, other.right
        assert np.bincount(made.values[found.rows], minlength=4).tolist() == [
            int((right[0] & right[1]).sum()), int((right[0] & ~right[1]).sum()), int((~right[0] & right[1]).sum()),
            int((~right[0] & ~right[1]).sum()),
        ]  # fmt: skip


def test_the_card_over_a_point_names_its_row() -> None:
    found = evaluations.outcomes(ASKED)
    labelled, answered, sure = card_lines(found)
    for i in (0, 7, len(found) - 1):
        row = found.rows[i]
        assert labelled.labels[labelled.values[row]] == found.names[found.label[i]]
        assert answered.labels[answered.values[row]] == found.names[found.prediction[i]]
        assert sure.labels[sure.values[row]] == f"{round(100 * found.confidence[i])} %"


def test_everybody_on_a_table_is_compared_with_the_one_asked() -> None:
    rows = {row["checkpoint"]: row for row in evaluations.everybody(ASKED)}
    a, b, _ = evaluations.compared(ASKED, Question("mobilenetv2-fer2013", ASKED.table, ASKED.label_set))
    assert rows[DEFAULT_CHECKPOINT]["p"] is None and rows[DEFAULT_CHECKPOINT]["accuracy"] == a.right.mean()
    assert rows["mobilenetv2-fer2013"]["p"] == mcnemar(a.right, b.right)["p"]


@pytest.mark.parametrize("said", [None, "", {}])
def test_a_live_view_from_which_nothing_came_recorded_nothing(said: object) -> None:
    assert _recorded(said) is None
    assert _recorded({"id": "a" * 32, "checkpoint": "net", "detector": "haar"}) == Recorded("a" * 32, "net", "haar")


def test_a_span_is_not_drawn_across_a_time_without_the_person() -> None:
    times = [0.0, 1.0, 2.0, 4.0, 5.0]
    seen = np.concatenate([np.arange(0, 2.05, 0.04), np.arange(3.9, 5.05, 0.04)])
    assert pieces(times, seen) == [slice(0, 3), slice(3, 5)] and pieces(times, np.arange(0, 5.05, 0.04)) == [
        slice(0, 5)
    ]
    found = {"times_s": times, "regions": list("abcdef"), "shares": [[1 / 6] * 6] * 5}
    drawn = span_figure(found, seen).data
    assert [len(each.x) for each in drawn] == [3] * 6 + [2] * 6 and sum(bool(each.showlegend) for each in drawn) == 6
    assert not {colour.lower() for colour in REGION_COLOURS[:4]} & {each.lower() for each in EMOTION_COLOURS.values()}
