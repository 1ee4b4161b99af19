"""What is deleted later by itself, by a clock that is moved; and analyses that keep no picture from the start."""

from __future__ import annotations

import json
import os
import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from dashboard.services import explained, jobs, pictures, places, queues, retention, uploads, why, work
from dashboard.services.kinds import AnalyzeRequest
from fer_core.errors import InputError, StoreError
from fer_core.models.folders import DEFAULT_CHECKPOINT
from fer_core.video.export import KINDS, export
from fer_core.video.keeping import DAY_S, EVERYTHING, KEEP, PICTURES, VIDEO, Rule, missing_video
from fer_core.video.store import Analysis
from tests.support.pages import INFO, open_page, words

NOW = datetime(2030, 5, 1, tzinfo=UTC).timestamp()


def put(analysis: Analysis, letter: str, days: float) -> Path:
    """A copy of the analysis in the library that was made so many days before ``NOW``, with a video and heatmaps."""
    folder = places.store().folder(letter * 32)
    shutil.copytree(analysis.folder, folder)
    record = json.loads((folder / "analysis.json").read_text())
    record["created"] = datetime.fromtimestamp(NOW - days * DAY_S, UTC).isoformat(timespec="seconds")
    (folder / "analysis.json").write_text(json.dumps(record))
    (folder / "why").mkdir()
    for name in ("source.mp4", "proxy.mp4", "annotated.mp4", "why/a.json", "why/a.mp4"):
        (folder / name).write_bytes(b"a face")
    return folder


def there(folder: Path) -> str:
    """What is there of an analysis, in a word."""
    if not folder.exists():
        return "nothing"
    has = any(folder.glob("source.*")), any(folder.glob("crops/*"))
    return {(True, True): "all", (False, True): "faces", (False, False): "tables"}[has]


@pytest.mark.parametrize(
    ("what", "left"), [(KEEP, "all"), (VIDEO, "faces"), (PICTURES, "tables"), (EVERYTHING, "nothing")]
)
def test_the_rule_of_all_deletes_what_is_old(home: Path, analysis: Analysis, what: str, left: str) -> None:
    old, young = put(analysis, "a", 30.1), put(analysis, "b", 29.9)
    retention.carry_out(NOW)
    assert (there(old), there(young)) == ("all", "all"), "by default everything is kept"
    assert [each for each, _ in retention.due(NOW, Rule(what, 30))] == ([] if what == KEEP else ["a" * 32])
    retention.set_rule(Rule(what, 30))
    retention.carry_out(NOW)
    assert (there(old), there(young)) == (left, "all")
    assert any(old.glob("*.mp4")) == (left == "all")
    retention.carry_out(NOW)
    retention.carry_out(NOW + 0.2 * DAY_S)
    assert (there(old), there(young)) == (left, left)
    assert retention.due(NOW + 0.2 * DAY_S) == [], "what is gone is not due again"


def test_an_own_rule_holds_instead_of_that_of_all(home: Path, analysis: Analysis) -> None:
    kept, sooner, broken = put(analysis, "a", 100), put(analysis, "b", 3), put(analysis, "c", 100)
    retention.set_rule(Rule(EVERYTHING, 50))
    retention.set_own_rule("a" * 32, Rule(KEEP))
    retention.set_own_rule("b" * 32, Rule(PICTURES, 2))
    (broken / "keeping.json").write_text("{")
    retention.carry_out(NOW)
    assert [there(each) for each in (kept, sooner, broken)] == ["all", "tables", "all"]
    assert retention.own_rule("b" * 32) == Rule(PICTURES, 2), "a deletion leaves the rule"
    retention.set_own_rule("a" * 32, None)
    retention.set_own_rule("c" * 32, None)
    retention.carry_out(NOW)
    assert [there(each) for each in (kept, sooner, broken)] == ["nothing", "tables", "nothing"]
    with pytest.raises(StoreError, match="deleted already"):
        retention.set_own_rule("a" * 32, None)


def test_a_damaged_rule_of_all_deletes_nothing_and_is_told(home: Path, analysis: Analysis) -> None:
    old = put(analysis, "a", 1000)
    for damage in ("{", '{"format": "fer-workbench-keeping/1", "what": "all", "days": 1}', "[]", "", '{"what": 1}'):
        (home / "keeping.json").write_text(damage)
        retention.carry_out(NOW)
        assert there(old) == "all", damage
        with pytest.raises(StoreError):
            retention.rule()
    app = AppTest.from_function(_storage, default_timeout=90).run()
    assert not app.exception and "nothing is deleted by itself" in words(app)
    for what, days in (("all", 3), (VIDEO, 0), (VIDEO, 10_000), (VIDEO, True)):
        with pytest.raises(InputError):
            Rule(what, days)


def _form() -> None:
    from dashboard.components.later import form
    from dashboard.services import places

    form(places.store().open("a" * 32))


def _storage() -> None:
    from dashboard.settings.storage import storage

    storage()


def test_files_that_wait_and_what_explain_keeps_go_by_the_rule_of_all(home: Path, clip: Path) -> None:
    data = (Path(__file__).parents[2] / "dashboard" / "icon.png").read_bytes()
    waiting, key = uploads.add_copy(clip, "old.mp4"), pictures.keep("me.png", data)
    asked = explained.ask([{"picture": key, "face": 0}], [explained.make_ask(DEFAULT_CHECKPOINT)])
    jobs.finish(asked, "done")
    left = places.store().root / f"{'d' * 32}.unfinished"
    left.mkdir()
    now_s = time.time()
    retention.carry_out(now_s + 100 * DAY_S)
    assert places.upload_of(waiting.id) and pictures.given() and left.exists()
    retention.set_rule(Rule(VIDEO, 10))
    retention.carry_out(now_s + 9 * DAY_S)
    assert places.upload_of(waiting.id) and pictures.given() and left.exists()
    retention.carry_out(now_s + 11 * DAY_S)
    assert not places.upload_of(waiting.id) and not pictures.given() and not left.exists()
    assert jobs.get(asked) is None
    retention.carry_out(now_s + 13 * DAY_S)
    assert jobs.get(waiting.id) is None, "nor its name"


def test_a_damaged_analysis_is_old_by_its_folder(home: Path, analysis: Analysis) -> None:
    folder = put(analysis, "a", 1)
    (folder / "analysis.json").write_text("{")
    os.utime(folder, (NOW - 40 * DAY_S,) * 2)
    retention.set_rule(Rule(EVERYTHING, 41))
    retention.carry_out(NOW)
    assert folder.exists()
    retention.set_rule(Rule(EVERYTHING, 39))
    retention.carry_out(NOW)
    assert not folder.exists()


def test_the_server_carries_it_out_at_its_start(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import asyncio

    from dashboard.services import workers

    called: list[float] = []

    def carry_out() -> int:
        called.append(0.0)
        if len(called) == 1:
            raise OSError("the disk is full")  # which must not end it
        return 0

    async def twice() -> None:
        task = asyncio.create_task(workers._keep_house())
        while len(called) < 2:
            await asyncio.sleep(0.01)
        task.cancel()

    assert retention.EVERY_S == 3600
    monkeypatch.setattr(workers.retention, "EVERY_S", 0.01)
    monkeypatch.setattr(workers.retention, "carry_out", carry_out)
    with ThreadPoolExecutor(1) as other:  # this thread may have a loop of the browser's
        other.submit(lambda: asyncio.run(asyncio.wait_for(twice(), 60))).result()


def test_the_library_asks_for_it_and_tells_what_goes_when(home: Path, analysis: Analysis) -> None:
    now = time.time()
    folder = put(analysis, "a", (NOW - now) / DAY_S + 4)
    retention.set_rule(Rule(VIDEO, 10))
    app = open_page("videos")
    assert not app.exception and "the video deleted in 6 days" in words(app)
    app.menu_button(key=f"more-{'a' * 32}").click("Delete later").run()
    assert (
        not app.exception
        and app.selectbox(key=f"later-what-{'a' * 32}").options[0] == "as for all: the video after 10 days"
    )
    app = AppTest.from_function(_form, default_timeout=90).run()  # what a dialog holds lives in the browser
    app.selectbox(key=f"later-what-{'a' * 32}").set_value(PICTURES).run()
    app.number_input(key=f"later-days-{'a' * 32}").set_value(20).run()
    app.button(key=f"save-later-{'a' * 32}").click().run()
    assert not app.exception and retention.own_rule("a" * 32) == Rule(PICTURES, 20)
    assert "the video and all pictures of people deleted in 16 days" in words(open_page("videos"))
    app = AppTest.from_function(_form, default_timeout=90).run()
    app.button(key=f"now-{VIDEO}-{'a' * 32}").click().run()
    assert not app.exception and there(folder) == "faces"
    assert "no video" in words(open_page("videos"))


def test_the_form_says_what_a_rule_would_delete(home: Path, analysis: Analysis) -> None:
    put(analysis, "a", (NOW - time.time()) / DAY_S + 40)
    app = AppTest.from_function(_storage, default_timeout=90).run()
    assert not app.exception and "Tables" in words(app)
    app.selectbox(key="later-what-all").set_value(VIDEO).run()
    assert "deletes the video of 1 analysis within" in words(app) and retention.rule() == Rule()
    app.number_input(key="later-days-all").set_value(50).run()
    assert "within the hour" not in words(app)
    app.button(key="save-later").click().run()
    assert not app.exception and retention.rule() == Rule(VIDEO, 50)


def test_analyze_and_forget_keeps_tables_alone(home: Path, clip: Path) -> None:
    job = uploads.add_copy(clip, "secret.mp4")
    queues.start(job.id, AnalyzeRequest(checkpoint=(DEFAULT_CHECKPOINT,), keep_pictures=False))
    work.run_job(job.id)
    assert jobs.get(job.id).state == "done" and list(places.uploads().iterdir()) == []  # type: ignore[union-attr]
    folder = places.store().folder(job.id)
    names = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert all(name.endswith((".parquet", ".csv", ".json")) for name in names), names
    analysis = places.store().open(job.id)
    assert len(analysis.timeline()) == 16 and missing_video(analysis).startswith("This analysis was made without")
    assert all(export(analysis, kind) for kind in KINDS)
    with pytest.raises(StoreError, match="without keeping any picture"):
        why.ask(job.id, track=0, time_s=0.2)
    app = open_page("review")
    assert not app.exception and not app.error
    app = open_page("videos")
    assert not app.exception and "no pictures" in words(app)
    assert app.button(key=f"open-{job.id}")


def test_the_page_asks_whether_to_forget(home: Path) -> None:
    jobs.add("a" * 32, kind="video", name="a.mp4", info=INFO)
    app = open_page("videos")
    assert "no picture kept" not in words(app) and jobs.get("a" * 32).settings["keep_pictures"]  # type: ignore[union-attr]
    app.toggle(key="forget").set_value(True).run()
    assert not app.exception and "no picture kept" in words(app)
    assert not jobs.get("a" * 32).settings["keep_pictures"]  # type: ignore[union-attr]
    assert "no picture kept" in words(open_page("videos")), "it stays with the file that waits"
    old = {
        name: value for name, value in AnalyzeRequest(checkpoint=("a",)).to_json().items() if name != "keep_pictures"
    }
    assert AnalyzeRequest.from_json(old).keep_pictures, "what an earlier version queued"
