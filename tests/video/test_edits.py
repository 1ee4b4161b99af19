"""The reviewer's edits: what they do to the table, by hand; undo; and what is refused."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from fer_core.emotions import DEFAULT_GROUP_MAP
from fer_core.errors import InputError, StoreError
from fer_core.video.edits import Edits, State, apply, checked, left_out, people_after
from fer_core.video.marks import Mark
from fer_core.video.store import Analysis, AnalysisStore, open_analysis
from fer_core.video.view import Lens, view
from tests.support.tables import table

HAPPY, SAD = {"happy": 0.9}, {"sad": 0.8}


@pytest.fixture
def rows() -> pd.DataFrame:
    """Person 0 in frames 0-2, person 1 in 2 and 3, nobody in 4, person 2 in 5-9."""
    return table(
        [(0, 0.0, 0, HAPPY), (1, 0.1, 0, HAPPY), (2, 0.2, 0, HAPPY), (2, 0.2, 1, SAD), (3, 0.3, 1, SAD),
         (4, 0.4, -1, {}), *((i, i / 10, 2, SAD) for i in range(5, 10))]
    )  # fmt: skip


def tracks(rows: pd.DataFrame, *steps: dict) -> list[tuple[int, int]]:
    done = apply(rows, steps)
    return list(zip(done["frame"], done["track"], strict=True))


def test_merge_joins_two_people(rows: pd.DataFrame) -> None:
    found = tracks(rows, {"do": "merge", "person": 2, "into": 1})
    assert found == [(0, 0), (1, 0), (2, 0), (2, 1), (3, 1), (4, -1), *((i, 1) for i in range(5, 10))]


def test_a_merged_person_keeps_the_better_face_of_a_frame(rows: pd.DataFrame) -> None:
    better = rows.assign(detection=np.where(rows["track"] == 1, 0.999, rows["detection"]))
    done = apply(better, [{"do": "merge", "person": 1, "into": 0}])
    assert done["frame"].tolist() == list(range(10))
    assert done.loc[done["frame"] == 2, "emotion"].tolist() == ["sad"]


def test_split_starts_another_person_at_the_cursor(rows: pd.DataFrame) -> None:
    found = tracks(rows, {"do": "split", "person": 2, "at_s": 0.7, "new": 3})
    assert found[-5:] == [(5, 2), (6, 2), (7, 3), (8, 3), (9, 3)]


def test_excluded_faces_leave_faceless_frames(rows: pd.DataFrame) -> None:
    step = {"do": "exclude", "person": 2, "start_s": 0.6, "end_s": 0.8}
    done = apply(rows, [step])
    assert done["frame"].tolist() == rows["frame"].tolist()
    assert done.loc[done["frame"].isin([6, 7]), "track"].tolist() == [-1, -1]
    assert done.loc[done["frame"] == 6, ["p_sad", "emotion", "detection"]].isna().all(axis=None)
    everybody = apply(rows, [{"do": "exclude", "person": None, "start_s": 0.15, "end_s": None}])
    assert everybody["track"].tolist() == [0, 0, *[-1] * 8]
    assert len(everybody) == 10  # one row per frame: two people of frame 2 became one faceless row


def test_steps_hold_in_their_order(rows: pd.DataFrame) -> None:
    split, merge = {"do": "split", "person": 2, "at_s": 0.7, "new": 3}, {"do": "merge", "person": 3, "into": 1}
    assert tracks(rows, split, merge)[-3:] == [(7, 1), (8, 1), (9, 1)]
    assert tracks(rows, merge, split)[-3:] == [(7, 3), (8, 3), (9, 3)]


def test_undo_and_redo_walk_along_the_edits() -> None:
    edits = Edits().add({"do": "rename", "person": 0, "name": "Ada"}).add({"do": "rename", "person": 0, "name": "Bo"})
    assert edits.state.names == {0: "Bo"}
    assert edits.undo().state.names == {0: "Ada"} and edits.undo().undo().state.names == {}
    assert edits.undo().undo().undo().done == ()
    assert edits.undo().undo().redo().state.names == {0: "Ada"}
    assert edits.undo().add({"do": "rename", "person": 1, "name": "Cy"}).redo().state.names == {0: "Ada", 1: "Cy"}
    assert Edits.from_dict(json.loads(json.dumps(edits.undo().to_dict()))) == edits.undo()


def test_a_merged_persons_name_is_kept() -> None:
    named = Edits().add({"do": "rename", "person": 1, "name": "Ada"}).add({"do": "merge", "person": 1, "into": 0})
    assert named.state.name_of(0) == "Ada"
    both = Edits((*named.done[:1], {"do": "rename", "person": 0, "name": "Bo"}, named.done[1]))
    assert both.state.name_of(0) == "Bo" and State().name_of(4) == "Person 5"


def test_two_who_are_told_apart_stay_so_until_that_is_undone(rows: pd.DataFrame) -> None:
    edits = Edits().add(checked({"do": "apart", "person": 2, "other": 0}, rows, State()))
    assert edits.state.apart == {(0, 2)} and edits.state.steps == () and edits.undo().state.apart == frozenset()
    assert Edits.from_dict(json.loads(json.dumps(edits.to_dict()))).state == edits.state
    followed = edits.add({"do": "merge", "person": 2, "into": 1})
    assert followed.state.apart == {(0, 1)} and followed.undo().state.apart == {(0, 2)}


def marks(*chosen: Mark, remove: tuple[str, ...] = ()) -> dict:
    return {"do": "marks", "set": [mark.to_dict() for mark in chosen], "remove": list(remove)}


def test_marks_are_kept_in_order_and_replaced_by_id() -> None:
    late, early = Mark("a", "late", start_s=5.0), Mark("b", "early", start_s=1.0, end_s=2.0)
    edits = Edits().add(marks(late)).add(marks(early))
    assert edits.state.marks == (early, late)
    moved = Mark("a", "first", start_s=0.5)
    assert edits.add(marks(moved)).state.marks == (moved, early)
    assert edits.add(marks(remove=("b",))).state.marks == (late,)


def test_marks_stay_with_the_person_they_are_about() -> None:
    early, late = Mark("a", "x", start_s=1.0, track=1), Mark("b", "x", start_s=3.0, track=1)
    edits = Edits().add(marks(early, late, Mark("c", "all", start_s=4.0)))
    split = edits.add({"do": "split", "person": 1, "at_s": 2.0, "new": 5})
    assert [mark.track for mark in split.state.marks] == [1, 5, None]
    merged = split.add({"do": "merge", "person": 5, "into": 0})
    assert [mark.track for mark in merged.state.marks] == [1, 0, None]
    assert [mark.track for mark in merged.undo().undo().state.marks] == [1, 1, None]


def test_people_after_the_steps() -> None:
    split, merge = {"do": "split", "person": 0, "at_s": 1.0, "new": 4}, {"do": "merge", "person": 1, "into": 0}
    assert people_after([0, 1, 2], [split, merge]) == [0, 2, 4]
    gone = {"do": "exclude", "person": 2, "start_s": None, "end_s": None}
    assert people_after([0, 1, 2], [gone, {**gone, "person": 0, "start_s": 1.0}]) == [0, 1]
    assert people_after([0, 1], [{**gone, "person": None}]) == []


def test_who_was_left_out_is_known_and_can_be_shown_again(rows: pd.DataFrame) -> None:
    gone = checked({"do": "exclude", "person": 2}, rows, State())
    edits = Edits().add(gone).add(checked({"do": "rename", "person": 0, "name": "Ada"}, rows, State()))
    assert left_out(edits.state) == [2] and 2 not in apply(rows, edits.state.steps)["track"].tolist()
    back = edits.add(checked({"do": "include", "person": 2}, rows, edits.state))
    assert left_out(back.state) == [] and back.state.name_of(0) == "Ada", "later edits stay"
    pd.testing.assert_frame_equal(apply(rows, back.state.steps), rows)
    in_part = Edits().add({**gone, "start_s": 0.6, "end_s": 0.8})
    assert left_out(in_part.state) == []
    with pytest.raises(InputError, match="not left out"):
        checked({"do": "include", "person": 2}, rows, in_part.state)


def test_a_split_takes_the_frame_on_screen_along(rows: pd.DataFrame) -> None:
    assert checked({"do": "split", "person": 2, "at_s": 0.73}, rows, State())["at_s"] == 0.7


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        ("text", "no edit"),
        ({"do": "drop table"}, "no edit"),
        ({"do": "rename", "person": 9, "name": "x"}, "person 10"),
        ({"do": "rename", "name": "x"}, "lacks"),
        ({"do": "rename", "person": 0, "name": "x" * 61}, "60 characters"),
        ({"do": "merge", "person": 0, "into": 0}, "same person"),
        ({"do": "merge", "person": 0, "into": 1}, "together"),
        ({"do": "apart", "person": 0, "other": 0}, "same person"),
        ({"do": "apart", "person": 0, "other": 7}, "person 8"),
        ({"do": "apart", "person": 0}, "lacks"),
        ({"do": "split", "person": 2, "at_s": 0.5}, "cursor between"),
        ({"do": "split", "person": 2, "at_s": float("nan")}, "number of seconds"),
        ({"do": "exclude", "person": 0, "start_s": 5.0}, "no face"),
        ({"do": "marks"}, "no mark"),
        ({"do": ["x"]}, "no edit"),
        ({"do": "rename", "person": float("inf"), "name": "x"}, "wrong value"),
        ({"do": "groups", "map": {"contempt": "bogus"}}, "contempt"),
        ({"do": "limits", "limits": {"min_probability": 5}}, "from 0 to 1"),
        ({"do": "marks", "set": [{"id": "a", "label": "x", "start_s": 0, "track": 10**40}]}, "track"),
        ({"do": "groups", "map": {"sad": "blue"}}, "sad"),
        ({"do": "groups", "map": {"love": "positive"}}, "love"),
        ({"do": "limits", "limits": {"max_tilt_deg": float("inf")}}, "limit"),
        ({"do": "limits", "limits": {"x": 1}}, "no limit x"),
        ({"do": "marks", "set": [{"id": "a", "label": "", "start_s": 0}]}, "label"),
        ({"do": "marks", "set": [{"id": "a", "label": "x", "start_s": 0}] * 2}, "same id"),
    ],
)
def test_what_makes_no_sense_is_refused(rows: pd.DataFrame, edit: object, said: str) -> None:
    with pytest.raises(InputError, match=said):
        checked(edit, rows, State())


def test_a_split_person_gets_a_number_that_was_never_used(rows: pd.DataFrame) -> None:
    first = checked({"do": "split", "person": 2, "at_s": 0.7}, rows, State())
    assert first["new"] == 3
    assert checked({"do": "split", "person": 2, "at_s": 0.6}, rows, State(steps=(first,)))["new"] == 4


def test_edits_flow_into_the_view_and_raw_tables_stay(mine: Analysis) -> None:
    before = (mine.folder / "timeline.parquet").read_bytes()
    mine.do({"do": "split", "person": 0, "at_s": 1.2}).do({"do": "rename", "person": 1, "name": "  Ada\n L. "})
    mine = mine.do({"do": "groups", "map": {"happy": "positive", "surprise": "positive"}})
    seen = view(mine)
    assert seen["track"].tolist() == [0] * 6 + [-1] * 4 + [1] * 6
    assert mine.state.name_of(1) == "Ada L." and mine.state.groups == {**DEFAULT_GROUP_MAP, "surprise": "positive"}
    assert (mine.folder / "timeline.parquet").read_bytes() == before
    assert view(mine.undo().undo().undo())["track"].tolist() == [0] * 6 + [-1] * 4 + [0] * 6
    assert open_analysis(mine.folder).redo().edits.done[-1]["do"] == "split"


def test_a_rename_in_the_library_and_edits_do_not_harm_each_other(mine: Analysis) -> None:
    store = AnalysisStore(mine.folder.parent)
    mine.do({"do": "rename", "person": 0, "name": "Ada"})
    renamed = store.rename(mine.id, "Talk")
    assert (renamed.name, renamed.state.names) == ("Talk", {0: "Ada"})
    assert open_analysis(mine.folder).undo().name == "Talk"


def test_renames_and_edits_of_several_threads_all_arrive(mine: Analysis) -> None:
    from concurrent.futures import ThreadPoolExecutor

    store = AnalysisStore(mine.folder.parent)
    with ThreadPoolExecutor(4) as pool:
        for i in range(40):
            pool.submit(store.rename, mine.id, f"name {i}")
            pool.submit(mine.do, {"do": "rename", "person": 0, "name": f"name {i}"})
    found = open_analysis(mine.folder)
    assert len(found.edits.done) == 40 and found.name.startswith("name")


@pytest.mark.parametrize(
    "text",
    [
        '{"done": [1]}',
        '{"done": 3}',
        '{"done": [{"do": "rename"}]}',
        "{",
        '{"done": [{"do": "split", "person": 0}]}',
        '{"done": [{"do": "groups", "map": {}}]}',
        '{"done": [{"do": []}]}',
        '{"done": [{"do": "apart", "person": 1}]}',
    ],
)
def test_damaged_edits_say_so(mine: Analysis, text: str) -> None:
    text = text.replace('{"done', '{"format": "fer-workbench-edits/1", "done')
    (mine.folder / "edits.json").write_text(text)
    with pytest.raises(StoreError, match=r"edits\.json"):
        _ = open_analysis(mine.folder).state


def test_smoothing_and_limits_change_the_view(mine: Analysis) -> None:
    limits = {"min_probability": 1.0}
    doubtful = view(mine.do({"do": "limits", "limits": limits}))
    assert doubtful["why_uncertain"].sum() == 12 and not doubtful["usable"].any()
    plain, smoothed = view(mine), view(mine, Lens(1.0))
    assert plain["p_happy"].std() > smoothed["p_happy"].std()
