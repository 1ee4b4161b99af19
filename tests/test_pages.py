"""Every page opens, says what to do when it is empty, and shows an error of the user in its place."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from dashboard.services import jobs, places
from fer_core.video.store import Analysis

ROOT = Path(__file__).parents[1]
PAGES = ("analyze", "review", "library", "checkpoints", "systems", "inspect", "explain", "datasets", "responsible_use")


def open_page(page: str, **query: str) -> AppTest:
    app = AppTest.from_file(str(ROOT / "dashboard" / "main.py"), default_timeout=30)
    for name, value in query.items():
        app.query_params[name] = value
    app.run()
    return app.switch_page(f"app_pages/{page}.py").run()


def words(app: AppTest) -> str:
    """All text on the page."""
    kinds = ("title", "subheader", "markdown", "caption", "info", "warning", "error", "success")
    return "\n".join(str(each.value) for kind in kinds for each in getattr(app, kind))


INFO = {
    "width": 640,
    "height": 360,
    "is_picture": False,
    "duration_s": 19.0,
    "mean_fps": 24.0,
    "codec": "h264",
    "bytes": 1,
}


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


def test_analyze_does_not_wait_for_jobs_of_other_pages(home: Path) -> None:
    """Such a job is not in the queue that it shows: waiting for its end would run the page again and again."""
    for letter, kind in zip("abcd", ("explain", "evaluate", "map", "why"), strict=True):
        jobs.add(letter * 32, kind=kind, name="x", state="queued")
    app = open_page("analyze")
    assert not app.exception and "Queue" not in [each.value for each in app.subheader]


def test_analyze_hands_the_settings_over(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[tuple[str, dict]] = []
    monkeypatch.setattr("dashboard.services.tasks.start", lambda job_id, settings: started.append((job_id, settings)))
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
    settings = {
        "checkpoint": ["mobilenetv2-fer2013", "mobilenetv2-ferplus"], "detector": "haar", "mode": "preview",
        "per_second": 5.0, "min_face_px": 60, "start_s": 2.0, "end_s": 8.0,
    }  # fmt: skip
    assert started == [("a" * 32, settings)]


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
