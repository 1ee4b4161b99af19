"""Every page opens, says what to do when it is empty, and shows an error of the user in its place."""

from __future__ import annotations

import io
import json
import shutil
import zipfile
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest
from streamlit.testing.v1.element_tree import Radio

from dashboard.addresses import FACE, MODEL, MODELS, SCRIPTS, VIDEOS, now_at
from dashboard.services import defaults, jobs, places
from dashboard.services.kinds import AnalyzeRequest, Request
from dashboard.services.together import archive
from fer_core.video.export import export
from fer_core.video.store import Analysis
from tests.support import ROOT
from tests.support.pages import INFO, can_be_deleted, open_page, words


@pytest.fixture
def stored(home: Path, analysis: Analysis) -> str:
    """An analysis in the library; its id."""
    analysis_id = "ab" * 16
    shutil.copytree(analysis.folder, places.store().folder(analysis_id))
    return analysis_id


@pytest.mark.parametrize("page", SCRIPTS)
def test_pages_open_on_an_empty_data_folder(home: Path, page: str) -> None:
    app = open_page(page)
    assert not app.exception and not app.error
    assert "not what people feel" in words(app)  # the footer
    if page in ("review", "videos"):
        assert "Upload a video" in words(app) or "Every video you analyse" in words(app)


@pytest.mark.parametrize("page", SCRIPTS)
def test_pages_open_with_an_analysis(stored: str, page: str) -> None:
    app = open_page(page)
    assert not app.exception and not app.error


def test_analyze_shows_ready_files_and_ended_jobs(home: Path) -> None:
    jobs.add("a" * 32, kind="video", name="**bold** <b>.mp4", info=INFO)
    jobs.add("b" * 32, kind="video", name="broken.mp4", info=INFO, state="queued")
    jobs.finish("b" * 32, "failed", "It [cannot](x) be read.")
    app = open_page("videos")
    assert not app.exception
    assert r"\*\*bold\*\*" in words(app) and r"\<b\>" in words(app)
    assert r"It \[cannot\]" in words(app)
    assert {"Analyze", "Remove", "Try the sample"} <= {button.label for button in app.button}
    next(button for button in app.button if button.label == "Remove").click().run()
    assert jobs.with_state("ready") == []


@pytest.mark.parametrize(
    ("span", "at_s", "ended_early", "said"),
    [
        ((0.0, 118.0), 16.2, False, "Stopped at 0:16 of 1:58 (14 %)"),
        ((10.0, 30.0), 12.0, False, "Stopped at 0:12 of 0:30 (10 %)"),
        ((0.0, 20.0), 3.0, True, "The file ends early: 0:03 of 0:20 (15 %)"),
        (None, 0.0, False, ""),
    ],
)
def test_what_was_stopped_or_cut_off_is_not_ticked_as_done(
    stored: str, span: tuple[float, float] | None, at_s: float, ended_early: bool, said: str
) -> None:
    path = places.store().folder(stored) / "analysis.json"
    record = json.loads(path.read_text())
    if span:
        record["settings"] |= {"start_s": span[0], "end_s": span[1]}
        record["time_check"] |= {"last_s": at_s, "ended_early": ended_early}
        record["complete"] = False
        path.write_text(json.dumps(record))
    for page in ("videos", "review"):
        text = words(open_page(page)).replace("\\", "")
        warned = [each.value for each in open_page("review").warning]
        assert said in text + " ".join(warned) and ("Stopped" in text) == said.startswith("Stopped"), page
    assert ("check_circle" in words(open_page("videos"))) == (span is None)


def common(page: AppTest) -> Radio:
    (choice,) = (radio for radio in page.radio if radio.label == "How common emotions are")
    return choice


def test_how_common_emotions_are_is_asked_told_and_kept(home: Path, stored: str) -> None:
    jobs.add("a" * 32, kind="video", name="a.mp4", info=INFO)
    app = open_page("videos")
    assert "A network leans towards the emotions that were frequent in its training pictures" in words(app)
    assert "how common emotions are" not in words(app), "halfway goes without saying"
    app.selectbox(key="prior").set_value("all_alike").run()
    assert "faces from 40 px · how common emotions are: all seven alike" in words(app)
    assert jobs.get("a" * 32).settings["prior"] == "all_alike"
    assert AnalyzeRequest(checkpoint=("a",)).settings.prior == "halfway"
    review = open_page("review")
    choice = common(review)
    assert choice.value == "halfway" and "neutral" in words(review)
    choice.set_value("as_trained").run()
    assert not review.exception and places.store().open(stored).prior == "as_trained"
    assert common(open_page("review")).value == "as_trained"


def test_a_model_that_tells_no_prior_offers_only_as_trained(home: Path, stored: str) -> None:
    path = places.store().folder(stored) / "analysis.json"
    record = json.loads(path.read_text())
    record["checkpoint"] |= {"prior": None, "sha256": "0" * 64}
    path.write_text(json.dumps(record))
    review = open_page("review")
    choice = common(review)
    assert choice.options == ["as in the training pictures"]
    assert "does not tell how common emotions were in its training pictures" in words(review)
    assert places.store().open(stored).edits.done == ()


def test_settings_stay_with_the_files_that_wait(home: Path) -> None:
    """For a page that is opened anew, as after a reload, and told beside the button."""
    jobs.add("a" * 32, kind="video", name="a.mp4", info=INFO)
    app = open_page("videos")
    assert "1 model · fast · whole clip · faces from 40 px" in words(app)
    app.segmented_control(key="mode").set_value("preview").run()
    app.select_slider[0].set_value(5.0)
    app.slider[0].set_value(60)
    app.slider[1].set_value((2.0, 8.0))
    app.selectbox[0].set_value("haar")
    app.multiselect[0].set_value(["mobilenetv2-fer2013", "mobilenetv2-ferplus"]).run()
    chosen = "2 models · preview, 5 frames/s · 2.0 to 8.0 s · faces from 60 px · Haar"
    assert chosen in words(app)
    assert chosen in words(app.switch_page(MODELS).run().switch_page(VIDEOS).run())
    assert chosen in words(open_page("videos"))
    settings = jobs.get("a" * 32).settings  # type: ignore[union-attr]
    jobs.plan("a" * 32, settings | {"checkpoint": ["gone"], "mode": "slow", "detector": "none", "min_face_px": 7})
    assert "1 model · fast" in words(open_page("videos")), "what cannot be chosen any more is the default again"


def test_analyze_does_not_wait_for_jobs_of_other_pages(home: Path) -> None:
    """Such a job is not in the queue that it shows: waiting for its end would run the page again and again."""
    for letter, kind in zip("abcd", ("explain", "evaluate", "map", "why"), strict=True):
        jobs.add(letter * 32, kind=kind, name="x", state="queued")
    app = open_page("videos")
    assert not app.exception and not [each for each in app.button if each.label == "Cancel"]


def test_analyze_hands_the_settings_over(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[tuple[str, Request]] = []
    monkeypatch.setattr("dashboard.services.queues.start", lambda job_id, asked: started.append((job_id, asked)))
    jobs.add("a" * 32, kind="video", name="a.mp4", info=INFO)
    app = open_page("videos")
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
    app = open_page("videos")
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
        "Segments", "People", "Selection", "Marks", "Trust", "Why", "How it was measured", "Report",
        "Downloads",
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
    app = open_page("videos")
    assert not app.exception and "is damaged" in words(app).replace("\\", "")
    assert can_be_deleted(app, stored)


HURT: dict[str, dict[str, Any]] = {
    "source": {}, "summary": {}, "checkpoint": "a name", "created": 3, "complete": None, "settings": [],
    "time_check": None,
}  # fmt: skip
NAMED = '{"format": "fer-workbench-edits/1", "name": {"a": 1}, "done": [1]}'
FILES = {
    "crops/track_0.jpg": b"", "edits.json": b"{", "analysis.json": b"[]", "edits.json nested": b"[" * 100_000,
    "edits.json named": NAMED.encode(), "edits.json binary": bytes(range(256)),
}  # fmt: skip


@pytest.mark.parametrize("part", [*HURT, "summary.people", *FILES])
def test_a_damaged_analysis_hides_no_other(stored: str, part: str) -> None:
    """Whatever is wrong with one, it has a row that says so, can be deleted, and the others are there."""
    store = places.store()
    whole, folder = store.open(stored).name, shutil.copytree(store.folder(stored), store.folder("ef" * 16))
    if part in FILES:
        (folder / part.split()[0]).write_bytes(FILES[part])
    else:
        record = json.loads((folder / "analysis.json").read_text())
        record |= {part: HURT[part]} if part in HURT else {"summary": record["summary"] | {"people": [{"track": "x"}]}}
        (folder / "analysis.json").write_text(json.dumps(record))
    app = open_page("videos")
    assert not app.exception and whole in words(app).replace("\\", "")
    assert can_be_deleted(app, stored) and can_be_deleted(app, "ef" * 16)
    if part not in ("crops/track_0.jpg", "edits.json named"):
        assert part.split()[0].split(".")[0] in words(app).replace("\\", "")
    app = open_page("review", analysis="ef" * 16)
    assert not app.exception


def test_the_list_is_searched_in_names_as_the_user_wrote_them(stored: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dashboard.videos.library.SEARCH_FROM", 1)
    places.store().rename(stored, "Interview *1*")
    app = open_page("videos")
    assert r"Interview \*1\*" in words(app)
    app.text_input[0].set_value("no such name").run()
    assert "No analysis has this in its name" in words(app)
    app.text_input[0].set_value("VIEW int").run()
    assert r"Interview \*1\*" in words(app)


def test_several_analyses_are_exported_together_and_deleted(stored: str) -> None:
    other = "ef" * 16
    shutil.copytree(places.store().folder(stored), places.store().folder(other))
    app = open_page("videos")
    assert not [each for each in app.button if each.key == "delete-several"]
    for each in (stored, other):
        app.checkbox(key=f"pick-{each}").check()
    app.run()
    assert not app.exception and "2 videos chosen" in words(app)
    with zipfile.ZipFile(io.BytesIO(archive([stored, other]))) as packed:
        tables = [packed.read(name) for name in packed.namelist() if not name.endswith("-columns.csv")]
        assert len(packed.namelist()) == 4 and tables[0] == tables[1] == export(places.store().open(stored), "csv")
    assert archive([stored, other]) == archive([stored, other])
    app.button(key="delete-several").click().run()
    assert not app.exception and "2 analyses" in words(app)


def test_an_analysis_can_be_made_again_with_other_settings(stored: str, clip: Path) -> None:
    folder = places.store().folder(stored)
    shutil.copyfile(clip, folder / "source.mp4")
    app = open_page("videos")
    app.menu_button(key=f"more-{stored}").click("Analyze again").run()
    (job,) = jobs.with_state("ready")
    before = places.store().open(stored)
    assert not app.exception and job.settings["checkpoint"] == before.models
    assert job.settings["mode"] == before.record["settings"]["mode"] and "Ready to analyze" in words(app)
    (folder / "source.mp4").unlink()
    open_page("videos").menu_button(key=f"more-{stored}").click("Analyze again").run()
    assert len(jobs.with_state("ready")) == 1


@pytest.mark.parametrize(
    ("earlier", "asked", "page", "told"),
    [
        ("library", {}, VIDEOS, {}),
        ("inspect", {"view": "Confusion", "checkpoint": "a"}, MODEL, {"view": "Errors", "checkpoint": "a"}),
        ("checkpoints", {}, MODELS, {}),
        ("checkpoints", {"checkpoint": "a", "part": "Robustness"}, MODEL, {"checkpoint": "a", "view": "Robustness"}),
        ("checkpoints", {"checkpoint": "a"}, MODEL, {"checkpoint": "a", "view": "Card"}),
        ("explain", {"from": "Picture"}, FACE, {"from": "Picture"}),
    ],
)
def test_addresses_of_before_lead_on(earlier: str, asked: dict[str, str], page: str, told: dict[str, str]) -> None:
    assert now_at(earlier, asked) == (page, told)


def test_what_a_new_analysis_begins_with_can_be_chosen(home: Path) -> None:
    app = open_page("settings", part="New analyses")
    app.selectbox(key="default-model").set_value("mobilenetv2-ferplus")
    app.selectbox(key="default-mode").set_value("exact")
    app.selectbox(key="default-prior").set_value("as_trained").run()
    app.button(key="save-defaults").click().run()
    assert not app.exception and app.button(key="save-defaults").disabled
    jobs.add("a" * 32, kind="video", name="a.mp4", info=INFO)
    open_page("videos")
    planned = jobs.get("a" * 32).settings  # type: ignore[union-attr]
    assert [planned[name] for name in defaults.KNOWN] == [["mobilenetv2-ferplus"], "exact", "as_trained"]
    (home / "defaults.json").write_text("[")
    assert defaults.kept() == {} and not open_page("settings", part="New analyses").exception


@pytest.mark.parametrize("path", SCRIPTS.values())
def test_pages_are_short(path: str) -> None:
    assert len((ROOT / "dashboard" / path).read_text().splitlines()) <= 60
