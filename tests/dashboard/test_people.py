"""People by their faces on the pages: the switch on Analyze, and the proposals in Review."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from dashboard.services import jobs, places
from dashboard.services.kinds import AnalyzeRequest, Request
from fer_core.faces.identity import describers
from fer_core.video.edits import left_out
from fer_core.video.export import export
from fer_core.video.store import PEOPLE_FORMAT
from tests.support.long_analysis import write_long_analysis
from tests.support.pages import INFO, open_page, words

SUMMARY = "faces from 40 px · people by their faces"


def test_recognising_is_off_until_it_is_switched_on(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[tuple[str, Request]] = []
    monkeypatch.setattr("dashboard.services.queues.start", lambda job_id, asked: started.append((job_id, asked)))
    jobs.add("a" * 32, kind="video", name="a.mp4", info=INFO)
    app = open_page("videos")
    assert app.toggle(key="identity").value is False and "biometric data" in words(app)
    assert SUMMARY not in words(app)
    app.toggle(key="identity").set_value(True).run()
    assert SUMMARY in words(app)
    assert SUMMARY in words(open_page("videos")), "it stays with the files that wait"
    next(button for button in app.button if button.label == "Analyze").click().run()
    ((_, asked),) = started
    assert isinstance(asked, AnalyzeRequest) and asked.settings.identity is True


def test_without_the_extra_the_switch_says_what_to_install(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    jobs.add("a" * 32, kind="video", name="a.mp4", info=INFO, state="ready")
    jobs.plan("a" * 32, {"identity": True})  # of a time when it was there
    monkeypatch.setattr(describers, "find_spec", lambda _: None)
    app = open_page("videos")
    assert app.toggle(key="identity").disabled and app.toggle(key="identity").value is False
    assert describers.INSTALL in words(app).replace("\\", "")
    assert SUMMARY not in words(app)
    assert not next(button for button in app.button if button.label == "Analyze").disabled


def test_what_an_earlier_version_queued_is_read_as_off() -> None:
    assert AnalyzeRequest.from_json({"checkpoint": ["a"], "mode": "exact"}).identity is False


@pytest.fixture
def proposed(home: Path) -> str:
    """An analysis of three people, of whom two and two may be one; its id."""
    analysis_id = "ab" * 16
    folder = write_long_analysis(places.store().folder(analysis_id), frames=60, people=3, fps=10)
    record = {
        "format": PEOPLE_FORMAT, "strips": 4, "cut": 1, "people": 3, "described": 12, "compared": 5, "described_s": 1.0,
        "describer": {"name": "toy", "version": "1", "joined": 0.4, "jump": 0.5, "threshold": 0.6, "cut": 0.7},
        "proposals": [
            {"person": 0, "other": 2, "distance": 0.45}, {"person": 1, "other": 2, "distance": 0.58},
        ],
    }  # fmt: skip
    (folder / "people.json").write_text(json.dumps(record))
    return analysis_id


def drawn(analysis_id: str, part: str) -> AppTest:
    """A part of Review without its page, whose other tabs are drawn when they are opened."""
    code = f"""
from dashboard.videos.review import people, tables
from dashboard.services import places
from fer_core.video.view import Lens
analysis = places.store().open({analysis_id!r})
{part}
"""
    return AppTest.from_string(code, default_timeout=90).run()


def facts(analysis_id: str) -> str:
    return "; ".join(drawn(analysis_id, FACTS).table[0].value[""])


PEOPLE, FACTS = "people.people_view(analysis, Lens())", "tables.facts(analysis)"


def test_a_proposal_is_a_card_with_words_and_two_buttons(proposed: str) -> None:
    app = drawn(proposed, PEOPLE)
    text = words(app).replace("\\", "")
    assert "**Person 1** and **Person 3**" in text and "very much alike, distance 0.45" in text
    assert "**Person 2** and **Person 3**" in text and "somewhat alike, distance 0.58" in text
    assert "4 strips, 1 cut, 3 people by their faces (toy, 1; 12 faces described)" in facts(proposed)
    next(button for button in app.button if button.label == "Different people").click().run()
    assert places.store().open(proposed).edits.done == ({"do": "apart", "person": 0, "other": 2},)
    assert [button.label for button in app.button].count("Different people") == 1
    places.store().open(proposed).undo()
    assert [button.label for button in app.run().button].count("Different people") == 2


def test_what_cannot_be_merged_says_why_and_stays(proposed: str) -> None:
    """The made-up people are seen together, as real proposals never are."""
    app = drawn(proposed, PEOPLE)
    next(button for button in app.button if button.label == "Same person").click().run()
    assert not app.exception and "are seen together" in words(app)
    assert places.store().open(proposed).edits.done == ()


def test_an_analysis_without_descriptors_proposes_nothing(proposed: str) -> None:
    (places.store().folder(proposed) / "people.json").unlink()
    assert "May be one person" not in words(drawn(proposed, PEOPLE))
    assert "not recognised" in facts(proposed)


def test_who_was_left_out_is_listed_and_shown_again(proposed: str) -> None:
    places.store().open(proposed).do({"do": "exclude", "person": 1})
    app = open_page("review")
    assert "2 people, 1 left out" in words(app).replace("\\", "")
    told = json.loads(export(places.store().open(proposed), "json"))
    assert told["left_out"] == ["Person 2"] and set(told["people"]) == {"0", "2"}
    form = AppTest.from_function(_people, default_timeout=90).run()
    assert "Person 2 is left out" in words(form).replace("*", "")
    form.button(key="include-1").click().run()
    assert not form.exception and left_out(places.store().open(proposed).state) == []
    assert "3 people" in words(open_page("review"))


def _people() -> None:
    """The tab of people alone."""
    from dashboard.services import places
    from dashboard.videos.review.people import people_view
    from fer_core.video.view import Lens

    people_view(places.store().open("ab" * 16), Lens())
