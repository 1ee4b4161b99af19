"""Every file of an analysis and of the data folder, damaged in every way: nothing takes a list or a page down, no route
answers with a mistake of ours, and what is damaged can be deleted."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from dashboard.services import jobs, owner, pictures, places, retention
from fer_core.home import doctor
from fer_core.models.folders import DEFAULT_CHECKPOINT
from fer_core.video.store import Analysis
from tests.support.damage import DAMAGES, hurt
from tests.support.pages import can_be_deleted, open_page, words

WHOLE = "ab" * 16
FILES = (
    "analysis.json", "edits.json", "keeping.json", "timeline.parquet", "timeline.csv",
    f"scores/{DEFAULT_CHECKPOINT}.parquet", "features.parquet", "crops/track_0.jpg", "people.json",
    "source.mp4", "views/v.json", "why/w.json", "annotated.mp4",
)  # fmt: skip
HOME_FILES = (
    "version", "keeping.json", "datasets.json", "running.txt", "pictures/x.picture", "pictures/x.json",
    "explained/x.json", "selections/x.json", "reviews/x.json", "runtimes/x.json", "logs/analyses.log",
    "maps/x.safetensors", f"evaluations/{DEFAULT_CHECKPOINT}/x-test.parquet", "checkpoints/x/card.json",
    "uploads/x/source.mp4", "analyses/0123456789ab",
)  # fmt: skip
OFTEN = ("analysis.json", "edits.json", "timeline.parquet")
"""Those that every run looks at; a nightly one at all."""
READ = (
    "timeline/{id}", "tiles/{id}/0/0", "frames/{id}/0", "jump/{id}?what=change&track=0&time_s=0&by=1",
    "figure/{id}?track=0&start_s=0&end_s=2", "thumbnail/{id}/0", "media/{id}", "annotated/{id}",
    f"why/{{id}}/{'c' * 32}", f"clip/{{id}}/{'c' * 32}",
)  # fmt: skip


@pytest.fixture
def stored(home: Path, analysis: Analysis, clip: Path) -> Path:
    """A whole analysis that was looked at in every way."""
    folder = places.store().folder(WHOLE)
    shutil.copytree(analysis.folder, folder)
    shutil.copyfile(clip, folder / "source.mp4")
    shutil.copyfile(clip, folder / "annotated.mp4")
    opened = places.store().rename(WHOLE, "Whole")
    opened.do({"do": "rename", "person": 0, "name": "Ada"})
    retention.set_own_rule(WHOLE, retention.Rule("video", 3000))
    (folder / "people.json").write_text('{"format": "fer-workbench-people/1", "describer": {}, "pairs": []}')
    for name in ("views/v.json", "why/w.json"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text("{}")
    return folder


def copies(whole: Path, file: str) -> dict[str, str]:
    """Copies of the analysis, each with the file damaged in one way: kinds of damage and their ids."""
    found = {}
    for i, how in enumerate(DAMAGES):
        found[how] = f"{i:02d}" * 16
        hurt(shutil.copytree(whole, whole.with_name(found[how])) / file, how)
    return found


def ask(client: TestClient, analysis_id: str) -> dict[str, int]:
    """What the routes answer; a mistake of ours would be raised here."""
    some = {"Range": "bytes=0-99"}
    answers = {route: client.get(f"/api/{route.format(id=analysis_id)}", headers=some).status_code for route in READ}
    edit = {"do": "rename", "person": 0, "name": "Eve"}
    return answers | {"edits": client.post(f"/api/edits/{analysis_id}", json=edit).status_code}


@pytest.mark.parametrize(
    "file", [pytest.param(file, marks=() if file in OFTEN else pytest.mark.nightly) for file in FILES]
)
def test_a_damaged_file_takes_nothing_else_down(stored: Path, client: TestClient, file: str) -> None:
    assert (stored / file).is_file() and set(ask(client, WHOLE).values()) <= {200, 206, 404}
    damaged = copies(stored, file)
    for how, analysis_id in damaged.items():
        assert set(ask(client, analysis_id).values()) <= {200, 206, 404, 409, 416, 422, 503}, how
    list(doctor.check(places.home()))
    retention.carry_out()
    app = open_page("videos")
    assert not app.exception and "Whole" in words(app)
    assert all(can_be_deleted(app, each) for each in (WHOLE, *damaged.values()))
    for each in damaged.values():
        places.store().delete(each)
    assert {path.name for path in places.store().root.iterdir()} == {WHOLE}


@pytest.mark.nightly  # minutes
@pytest.mark.parametrize("file", FILES)
def test_review_of_a_damaged_analysis_says_so_or_does_without(stored: Path, file: str) -> None:
    for how, analysis_id in copies(stored, file).items():
        app = open_page("review", analysis=analysis_id)
        assert not app.exception, (how, app.exception)
        if file == "timeline.parquet":
            assert any("doctor" in each.value for each in app.error), how


@pytest.mark.parametrize("how", ["cut", "folder", "wrong columns"])
def test_review_of_an_analysis_with_a_damaged_table_says_what_to_do(stored: Path, how: str) -> None:
    hurt(stored / "timeline.parquet", how)
    app = open_page("review", analysis=WHOLE)
    assert not app.exception and any("doctor" in each.value for each in app.error)


def written(home: Path) -> None:
    """One file of every kind that the data folder may hold."""
    for name in HOME_FILES:
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_text("{}")
    (home / "version").write_text("2\n")
    retention.set_rule(retention.Rule())
    (home / "datasets.json").write_text("[]")


@pytest.mark.nightly  # some seconds each
@pytest.mark.parametrize("file", HOME_FILES)
def test_a_damaged_file_of_the_data_folder_closes_no_page(stored: Path, home: Path, file: str) -> None:
    for how in DAMAGES:
        written(home)
        hurt(home / file, how)
        list(doctor.check(home))
        retention.carry_out()
        assert pictures.given() is not None
        for path in (home / file, *home.glob(f"{file}*")):
            if os.path.lexists(path):
                doctor.remove_tree(path)
    written(home)
    hurt(home / file, "garbage")
    for page in ("videos", "face"):
        app = open_page(page)
        assert not app.exception, page
    assert "Whole" in words(open_page("videos"))


@pytest.mark.parametrize("name", ["analyses", "explained", "pictures", "logs", "uploads"])
def test_a_file_in_place_of_a_folder_is_told(home: Path, name: str) -> None:
    shutil.rmtree(home / name, ignore_errors=True)
    (home / name).write_text("x")
    try:
        for page in ("videos", "face"):
            assert not open_page(page).exception
        told = [finding for finding in doctor.check(home) if finding.what == "no folder"]
        assert [finding.path.name for finding in told] == [name]
        assert [why for _, why in doctor.repair(iter(told))] == [""] and not (home / name).exists()
    finally:
        for path in home.glob(f"{name}*"):
            doctor.remove_tree(path)


@pytest.mark.parametrize("how", [how for how in DAMAGES if how != "pipe"])
def test_a_damaged_list_of_jobs_begins_anew(stored: Path, home: Path, how: str) -> None:
    jobs.add("a" * 32, kind="explain", name="x")
    hurt(home / "jobs.sqlite", how)
    for ending in ("-wal", "-shm"):
        (home / f"jobs.sqlite{ending}").unlink(missing_ok=True)
    owner.set_aside()
    app = open_page("videos")
    assert not app.exception and "Whole" in words(app)
    for path in owner.damaged():
        doctor.remove_tree(path)


@contextmanager
def somebody_else() -> Iterator[None]:
    """As an account that is not the administrator, to whom rights mean nothing."""
    if os.geteuid() != 0:
        yield
        return
    for path in (places.home(), *places.home().rglob("*")):
        os.chown(path, 65534, 65534, follow_symlinks=False)
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.mark.skipif(os.name == "nt", reason="needs permissions of POSIX")
@pytest.mark.parametrize("file", [".", "analysis.json", "edits.json", "timeline.parquet", "crops", "crops/track_0.jpg"])
def test_without_rights_an_analysis_is_told_and_can_be_deleted(stored: Path, client: TestClient, file: str) -> None:
    hurt_id = "cd" * 16
    folder = shutil.copytree(stored, places.store().folder(hurt_id))
    (places.home() / "jobs.sqlite").touch()
    ask(client, WHOLE)  # loads what is loaded late, which that account may not read
    with somebody_else():
        (folder / file).chmod(0)
        assert set(ask(client, hurt_id).values()) <= {200, 206, 404, 416, 422, 503}
        app = open_page("videos")
        assert not app.exception and "Whole" in words(app) and can_be_deleted(app, hurt_id)
        list(doctor.check(places.home()))
        places.store().delete(hurt_id)
    assert not folder.exists()


def test_what_can_be_saved_is_offered_and_edits_are_repaired(stored: Path) -> None:
    broken, edited = (shutil.copytree(stored, places.store().folder(each * 16)) for each in ("cd", "ef"))
    (broken / "analysis.json").write_text("{")
    hurt(edited / "edits.json", "cut")
    app = open_page("videos")
    text = words(app).replace("\\", "")
    assert not app.exception and "What can be saved: the video and the timeline." in text
    assert [each.key for each in app.button if each.label == "Repair"] == [f"repair-{'ef' * 16}"]
    app.button(key=f"repair-{'ef' * 16}").click().run()
    assert not app.exception and not [each for each in app.button if each.label == "Repair"]
    assert places.store().open("ef" * 16).name == "Whole"
    assert json.loads((edited / "edits.json").read_text())["format"] == "fer-workbench-edits/1"
