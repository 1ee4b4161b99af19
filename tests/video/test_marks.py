"""What a reviewer marks, and its way to and from CSV."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable

import pytest

from fer_core.errors import InputError
from fer_core.video.marks import MAX_BYTES, MAX_ROWS, Mark, marks_from_csv, marks_to_csv


@pytest.fixture
def new_id() -> Callable[[], str]:
    count = itertools.count(1)
    return lambda: f"m{next(count)}"


def test_a_mark_is_tidied_when_built() -> None:
    mark = Mark("m1", "  question\n\x00 one ", note=" first\r\nsecond\x07 ", start_s=3)
    assert (mark.label, mark.note, mark.start_s, mark.end_s, mark.track) == (
        "question one", "first\nsecond", 3.0, None, None,
    )  # fmt: skip
    assert isinstance(mark.start_s, float)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"label": " \n "}, "label of a mark is empty"),
        ({"label": "x" * 121}, "121 characters; expected at most 120"),
        ({"note": "x" * 2001}, "2001 characters; expected at most 2000"),
        ({"start_s": -0.1}, "starts at -0.1 s; expected 0 s or later, and a finite time"),
        ({"start_s": float("nan")}, "starts at nan s"),
        ({"start_s": 10**400}, "starts at"),
        ({"start_s": 2.0, "end_s": 2.0}, "ends at 2.0 s; expected a finite time after its start at 2 s"),
        ({"end_s": float("inf")}, "ends at inf s"),
        ({"track": -1}, "track -1; expected 0 or higher"),
        ({"id": ""}, "id of a mark is ''; expected 1 to 64 printable"),
        ({"id": "\ud800"}, "id of a mark is"),
    ],
)
def test_impossible_marks_are_refused(fields: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Mark(**({"id": "m1", "label": "a"} | fields))


def test_a_label_of_the_longest_length_is_fine() -> None:
    assert len(Mark("m1", "x" * 120 + "  ", note="x" * 2000).label) == 120


def test_json_and_back() -> None:
    for mark in (Mark("m1", "a"), Mark("m2", "b", "note", 1.5, 2.25, 3)):
        assert Mark.from_dict(json.loads(json.dumps(mark.to_dict()))) == mark
    assert Mark.from_dict({"id": "m", "label": "a", "start_s": 1}) == Mark("m", "a", start_s=1.0)


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ([], "expected an object with id, label"),
        ({"id": "m", "label": "a"}, "lacks 'start_s'"),
        ({"id": "m", "label": 5, "start_s": 0}, "label of a mark is 5; expected str"),
        ({"id": "m", "label": "a", "start_s": "1"}, "start_s of a mark is '1'; expected int or float"),
        ({"id": "m", "label": "a", "start_s": True}, "start_s of a mark"),
        ({"id": "m", "label": "a", "start_s": 0, "track": 1.5}, "expected int or null"),
        ({"id": "m", "label": "a", "start_s": 0, "colour": "red"}, "unknown field 'colour'"),
    ],
)
def test_json_that_is_no_mark_is_refused(record: object, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Mark.from_dict(record)


def test_csv_by_hand() -> None:
    marks = [Mark("m1", "start, really", start_s=1 / 3), Mark("m2", "b", 'a "note"', 1.0, 2.5, 0)]
    assert marks_to_csv(marks).decode() == (
        "start_s,end_s,label,note,person\n"
        '0.333333,,"start, really",,\n'
        '1.000000,2.500000,b,"a ""note""",1\n'
    )  # fmt: skip


HOSTILE = ["=cmd|' /C calc'!A0", "+1", "-1", "@SUM(A1)", "'=x", "''+x", "'quoted'", "<script>", 'a"b,c;d\te', "質問"]


def test_csv_and_back_with_hostile_texts(new_id: Callable[[], str]) -> None:
    marks = [Mark(f"m{i + 1}", text, f"{text}\nsecond line", i, i + 0.5, i) for i, text in enumerate(HOSTILE)]
    data = marks_to_csv(marks)
    assert marks_from_csv(data, new_id) == marks
    assert marks_from_csv(marks_to_csv([]), new_id) == []


def test_no_cell_of_an_export_begins_like_a_formula() -> None:
    import csv
    import io

    data = marks_to_csv([Mark("m", text, note=text) for text in HOSTILE]).decode()
    cells = [cell for row in csv.reader(io.StringIO(data, newline="")) for cell in row]
    assert not [cell for cell in cells if cell.startswith(("=", "+", "-", "@", "\t", "\r"))]
    assert "'=cmd|' /C calc'!A0" in cells


@pytest.mark.parametrize(
    "text",
    [
        "start_s,end_s,label\n62.5,70,a\n",
        "\ufeffLabel;START;End\r\na;62,5;1:10\r\n",
        "onset\tduration\ttrial_type\n62.5\t7.5\ta\n",
        " Time_S , Duration_S , Event \n1:02.500, 7.5, a\n",
        '"event";"time";"offset";"other"\r\r"a";"0:01:02,5";"0:01:10";"x"\r',
        "name,code,start,end\na,9,62.5,00:01:10.000\n\n,,,\n",
    ],
)
def test_tables_of_other_programs(text: str, new_id: Callable[[], str]) -> None:
    assert marks_from_csv(text.encode(), new_id) == [Mark("m1", "a", start_s=62.5, end_s=70.0)]


def test_moments_people_and_notes(new_id: Callable[[], str]) -> None:
    text = (
        "onset,duration,label,comment,person\n1,0,a,n/a,2\n2,n/a,b,see,2.0\n3,,c,,\n75:30,,d\n1:00:00,1:30,e,'=x,n/a\n"
    )
    marks = marks_from_csv(text.encode(), new_id)
    assert [(mark.start_s, mark.end_s, mark.track) for mark in marks] == [
        (1.0, None, 1), (2.0, None, 1), (3.0, None, None), (4530.0, None, None), (3600.0, 3690.0, None),
    ]  # fmt: skip
    assert [mark.note for mark in marks] == ["n/a", "see", "", "", "=x"]
    assert [mark.id for mark in marks] == ["m1", "m2", "m3", "m4", "m5"]
    assert marks_from_csv("time,end,label\n5,5,a\n".encode("utf-16"), new_id) == [Mark("m6", "a", start_s=5.0)]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "The file is empty"),
        (",,\n", "No column for the start"),
        ("time,when\n1,2\n", "No column for the label: the first row has 'time, when'; expected one of label, event"),
        ("label\na\n", "No column for the start"),
        ("time,label\n1,a\nsoon,b\n", "Row 3: 'soon' is no time; expected seconds such as 12.5, or mm:ss"),
        ("time,label\n\n1e999,a\n", "Row 3: 'a' starts at inf s"),
        ("time,label\n1:75,a\n", "Row 2: '1:75' is no time"),
        ("time,label\n1_0,a\n", "Row 2: '1_0' is no time"),
        ("time,label\n,a\n", "Row 2: the start is empty"),
        ("time,label\n1,\n", "Row 2: The label of a mark is empty"),
        ("time,end,label\n2,1,a\n", "Row 2: 'a' ends at 1.0 s; expected a finite time after its start at 2 s"),
        ("time,duration,label\n2,-1,a\n", "Row 2: 'a' ends at 1.0 s"),
        ("time,label\n1,5,a\n", "Row 2: 3 cells; expected 2"),
        ("time\tlabel\n1,5\ta\n", "Row 2: '1,5' is no time"),
        ('time,label\n1,"a\n2,b\n', "Row 2 cannot be read"),
        ("time,label,person\n1,a,0\n", "Row 2: '0' is no person; expected a number from 1"),
        ("time,label,track\n1,a,0\n", "expected 'person', which counts from 1"),
        ("time,label\n1," + "x" * 200_000, "Row 2 cannot be read"),
    ],
)
def test_errors_name_the_row_and_what_was_expected(text: str, message: str, new_id: Callable[[], str]) -> None:
    with pytest.raises(InputError, match=message):
        marks_from_csv(text.encode(), new_id)


def test_limits_of_an_import(new_id: Callable[[], str]) -> None:
    with pytest.raises(InputError, match="5,000,001 bytes; expected at most 5,000,000"):
        marks_from_csv(b"x" * (MAX_BYTES + 1), new_id)
    with pytest.raises(InputError, match="Save it as “CSV UTF-8”"):
        marks_from_csv("time,label\n1,Größe".encode("latin-1"), new_id)
    rows = "time,label\n" + "1,a\n" * MAX_ROWS
    assert len(marks_from_csv(rows.encode(), new_id)) == MAX_ROWS
    with pytest.raises(InputError, match="more than 10,000 marks"):
        marks_from_csv(f"{rows}1,a\n".encode(), new_id)
