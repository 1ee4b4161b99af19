"""Every page opens, says what to do when it is empty, and shows an error of the user in its place."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from dashboard.services import jobs, places
from dashboard.services.kinds import AnalyzeRequest, Request
from fer_core.video.store import Analysis
from tests.support import ROOT
from tests.support.pages import INFO, open_page, words

PAGES = ("analyze", "review", "library", "checkpoints", "systems", "inspect", "explain", "datasets", "responsible_use")


@pytest.fixture
def stored(home: Path, analysis: Analysis) -> str:
    """An analysis in the library; its id."""
    analysis_id = "ab" * 16
    shutil.copytree(analysis.folder, places.store().folder(analysis_id))
    return analysis_id


@pytest.mark.parametrize("page", PAGES)
def test_pages_open_on_an_empty_data_folder(home: Path, page: str) -> None:
    app = open_page(page)
    assert not app.exception and not app.error
    assert "not what people feel" in words(app)  # the footer
    if page in ("review", "library"):
        assert "Upload a video" in words(app) or "Every video you analyse" in words(app)


@pytest.mark.parametrize("page", PAGES)
def test_pages_open_with_an_analysis(stored: str, page: str) -> None:
    app = open_page(page)
    assert not app.exception and not app.error


def test_analyze_shows_ready_files_and_ended_jobs(home: Path) -> None:
    jobs.add("a" * 32, kind="video", name="**bold** <b>.mp4", info=INFO)
    jobs.add("b" * 32, kind="video", name="broken.mp4", info=INFO, state="queued")
    jobs.finish("b" * 32, "failed", "It [cannot](x) be read.")
    app = open_page("analyze")
    assert not app.exception
    assert r"\*\*bold\*\*" in words(app) and r"\<b\>" in words(app)
    assert r"It \[cannot\]" in words(app)
    assert {"Analyze", "Remove", "Try the sample"} <= {button.label for button in app.button}
    next(button for button in app.button if button.label == "Remove").click().run()
    assert jobs.with_state("ready") == []


@pytest.mark.parametrize(
    ("reached", "said"),
    [
        ({"from_s": 0.0, "at_s": 16.2, "of_s": 118.0, "file_ended": False}, "Stopped at 0:16 of 1:58 (14 %)"),
        ({"from_s": 10.0, "at_s": 12.0, "of_s": 30.0, "file_ended": False}, "Stopped at 0:12 of 0:30 (10 %)"),
        ({"from_s": 0.0, "at_s": 3.0, "of_s": 20.0, "file_ended": True}, "The file ends early: 0:03 of 0:20 (15 %)"),
        (None, "Done in 0:"),
    ],
)
def test_what_was_stopped_or_cut_off_is_not_ticked_as_done(home: Path, reached: dict | None, said: str) -> None:
    jobs.add(
        "c" * 32, kind="video", name="a.mp4", info=INFO | ({"reached": reached} if reached else {}), state="queued"
    )
    jobs.claim("c" * 32)
    jobs.report("c" * 32, stage="writing", share=0.1, frames=1, faces=1)
    jobs.finish("c" * 32, "done")
    text = words(open_page("analyze")).replace("\\", "")
    assert said in text and "1 face in 1 frame" in text
    assert ("check_circle" in text, "Done" in text) == ((reached is None),) * 2


def test_settings_stay_with_the_files_that_wait(home: Path) -> None:
    """For a page that is opened anew, as after a reload, and told beside the button."""
    jobs.add("a" * 32, kind="video", name="a.mp4", info=INFO)
    app = open_page("analyze")
    assert "1 model · fast · whole clip · faces from 40 px" in words(app)
    app.segmented_control(key="mode").set_value("preview").run()
    app.select_slider[0].set_value(5.0)
    app.slider[0].set_value(60)
    app.slider[1].set_value((2.0, 8.0))
    app.selectbox[0].set_value("haar")
    app.multiselect[0].set_value(["mobilenetv2-fer2013", "mobilenetv2-ferplus"]).run()
    chosen = "2 models · preview, 5 frames/s · 2.0 to 8.0 s · faces from 60 px · Haar"
    assert chosen in words(app)
    assert chosen in words(app.switch_page("app_pages/library.py").run().switch_page("app_pages/analyze.py").run())
    assert chosen in words(open_page("analyze"))
    settings = jobs.get("a" * 32).settings  # type: ignore[union-attr]
    jobs.plan("a" * 32, settings | {"checkpoint": ["gone"], "mode": "slow", "detector": "none", "min_face_px": 7})
    assert "1 model · fast" in words(open_page("analyze")), "what cannot be chosen any more is the default again"


def test_analyze_does_not_wait_for_jobs_of_other_pages(home: Path) -> None:
    """Such a job is not in the queue that it shows: waiting for its end would run the page again and again."""
    for letter, kind in zip("abcd", ("explain", "evaluate", "map", "why"), strict=True):
        jobs.add(letter * 32, kind=kind, name="x", state="queued")
    app = open_page("analyze")
    assert not app.exception and "Queue" not in [each.value for each in app.subheader]


def test_analyze_hands_the_settings_over(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[tuple[str, Request]] = []
    monkeypatch.setattr("dashboard.services.queues.start", lambda job_id, asked: started.append((job_id, asked)))
    jobs.add("a" * 32, kind="video", name="a.mp4", info=INFO)
    app = open_page("analyze")
    app.slider[0].set_value(60)
    app.segmented_control(key="mode").set_value("preview").run()
    app.select_slider[0].set_value(5.0)
    app.selectbox[0].set_value("haar")
    app.multiselect[0].set_value(["mobilenetv2-fer2013", "mobilenetv2-ferplus"])
    app.slider[1].set_value((2.0, 8.0))
    app.run()
    told = [caption.value.replace("\\", "") for caption in app.caption if "faces right" in caption.value]
    assert len(told) == 2 and told[0].startswith("mobilenetv2-fer2013: mobilenetv2, taught by fer2013 labels; 67.")
    next(button for button in app.button if button.label == "Analyze").click().run()
    asked = AnalyzeRequest(
        checkpoint=("mobilenetv2-fer2013", "mobilenetv2-ferplus"), detector="haar", mode="preview", per_second=5.0,
        min_face_px=60, start_s=2.0, end_s=8.0,
    )  # fmt: skip
    assert started == [("a" * 32, asked)]


def test_a_detector_without_its_weights_is_shown_with_what_it_lacks(home: Path) -> None:
    jobs.add("a" * 32, kind="video", name="a.mp4", info=INFO)
    app = open_page("analyze")
    detector = next(each for each in app.selectbox if each.label == "Face detector")
    assert detector.options[0].startswith("MTCNN: ") and detector.options[2].endswith("(weights missing)")
    detector.set_value("retinaface-resnet50").run()
    assert "RetinaFace repository" in words(app) and "retinaface-resnet50.safetensors" in words(app).replace("\\", "")
    assert next(button for button in app.button if button.label == "Analyze").disabled
    detector.set_value("mtcnn").run()
    assert not next(button for button in app.button if button.label == "Analyze").disabled


def test_review_shows_summary_segments_and_the_time_check(stored: str) -> None:
    app = open_page("review")
    text = words(app)
    assert "1 person" in text and "16 frames" in text
    assert [tab.label for tab in app.tabs] == [
        "Segments", "People", "Selection", "Marks", "Trust", "Why", "How it was measured", "Downloads",
    ]  # fmt: skip
    assert app.dataframe[0].value["emotion"].tolist() == ["happy", "happy"]


@pytest.mark.parametrize(
    ("asked", "said"), [("ef" * 16, "no analysis"), ("../../etc", "not the id"), ("<b>", "not the id")]
)
def test_review_of_what_is_not_there_is_a_clear_error(home: Path, asked: str, said: str) -> None:
    app = open_page("review", analysis=asked)
    assert not app.exception
    assert len(app.error) == 1 and said in app.error[0].value.replace("\\", "")


def test_a_damaged_analysis_is_listed_with_its_reason(stored: str) -> None:
    (places.store().folder(stored) / "analysis.json").write_text("{")
    app = open_page("library")
    assert not app.exception and "is damaged" in words(app).replace("\\", "")
    assert app.button(key=f"delete-{stored}").label == "Delete"


def test_library_searches_in_names_as_the_user_wrote_them(stored: str) -> None:
    places.store().rename(stored, "Interview *1*")
    app = open_page("library")
    assert r"Interview \*1\*" in words(app)
    app.text_input[0].set_value("no such name").run()
    assert "No analysis has this in its name" in words(app)
    app.text_input[0].set_value("VIEW int").run()
    assert r"Interview \*1\*" in words(app)


@pytest.mark.parametrize("path", sorted((ROOT / "dashboard" / "app_pages").glob("*.py")), ids=lambda path: path.stem)
def test_pages_are_short(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= 60
