"""Deleted means deleted: afterwards nothing of a person or of a name is in any file of the data folder."""

from __future__ import annotations

import base64
import hashlib
import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from dashboard.services import deletion, explained, jobs, owner, pictures, places, queues, uploads, why, work
from dashboard.services.kinds import AnalyzeRequest
from fer_core.errors import StoreError
from fer_core.home.tables import set_aside
from fer_core.models.folders import DEFAULT_CHECKPOINT
from fer_core.video import keeping
from tests.support.pages import open_page, words
from tests.support.reading import content

NAME, TITLE, PERSON = "Interview with Ada Quellenbach.mp4", "Quellenbach, second part", "Ada Quellenbach-Ruiz"
ASK = [explained.make_ask(DEFAULT_CHECKPOINT)]


def holding(what: bytes) -> list[str]:
    """Files of the data folder that hold these bytes, or have them in their name."""
    return [
        str(path.relative_to(places.home()))
        for path in places.home().rglob("*")
        if path.is_file() and (what in content(path) or what in str(path.relative_to(places.home())).encode())
    ]


def traces(picture: bytes) -> list[bytes]:
    """By what a picture would be found: its bytes, also within text, its digest, and rows of its pixels as they would
    stand in a file that is not compressed."""
    pixels = cv2.imdecode(np.frombuffer(picture, np.uint8), cv2.IMREAD_COLOR)
    rows = [pixels[len(pixels) // 2, 8:40], pixels[len(pixels) // 3, 8:40]]
    text = base64.b64encode(picture)
    found = [
        picture[len(picture) // 2 :][:64],
        text[len(text) // 2 :][:64],
        hashlib.sha256(picture).hexdigest()[:32].encode(),
    ]
    return found + [np.ascontiguousarray(row[..., order]).tobytes() for row in rows for order in ([0, 1, 2], [2, 1, 0])]


def analysed(clip: Path) -> str:
    """An analysis that was looked at in every way; its id."""
    job = uploads.add_copy(clip, NAME)
    queues.start(job.id, AnalyzeRequest(checkpoint=(DEFAULT_CHECKPOINT,)))
    work.run_job(job.id)
    places.store().rename(job.id, TITLE)
    places.store().open(job.id).do({"do": "rename", "person": 0, "name": PERSON})
    face = {"analysis": job.id, "track": 0, "time_s": 0.2}
    work.run_job(explained.ask([face], ASK))
    work.run_job(why.ask(job.id, track=0, time_s=0.2))
    folder = places.store().folder(job.id)
    for copy in ("annotated.mp4", "proxy.mp4"):
        shutil.copyfile(clip, folder / copy)
    left = folder.with_name(f"{folder.name}.unfinished")
    left.mkdir()
    shutil.copyfile(folder / "crops" / "track_0.jpg", left / "track_0.jpg")
    (places.logs() / "analyses.log").write_text(
        f"WARNING a line\nERROR {NAME} cannot be read\nINFO {job.id} x\nERROR no {PERSON}\nINFO {TITLE}\n"
    )
    return job.id


def answers_of(analysis_id: str) -> list[jobs.Job]:
    return [job for job in jobs.of_kind("explain") if job.settings["sources"][0].get("analysis") == analysis_id]


def test_nothing_of_a_deleted_analysis_is_left(home: Path, clip: Path) -> None:
    first, second = analysed(clip), analysed(clip)
    shutil.copyfile(home / "jobs.sqlite", home / "jobs-old.sqlite")
    set_aside(home / "jobs-old.sqlite")
    (mine,) = answers_of(first)
    crop = json.loads((home / "explained" / f"{mine.id}.json").read_text())["sources"][0]["crop"]
    thumbnail = (places.store().folder(first) / "crops" / "track_0.jpg").read_bytes()
    video = clip.read_bytes()
    secrets = [first.encode(), NAME.encode(), TITLE.encode(), PERSON.encode(), crop.encode(), base64.b64decode(crop)]
    secrets += [*traces(thumbnail), video[len(video) // 2 :][:64], hashlib.sha256(video).hexdigest().encode()]
    assert "queue-analyses.sqlite" in " ".join(holding(first.encode())) and owner.damaged()
    assert len(holding(crop.encode())) == 2
    deletion.delete_analysis(second)
    assert holding(second.encode()) == [] and owner.damaged() == []
    assert holding(crop.encode()) == [f"explained/{mine.id}.json"], "others stay"
    assert [job.id for job in jobs.of_kind("explain")] == [mine.id]
    deletion.delete_analysis(first)
    assert {secret: holding(secret) for secret in secrets if holding(secret)} == {}
    assert (places.logs() / "analyses.log").read_text() == "WARNING a line\n"
    with pytest.raises(StoreError, match="deleted already"):
        deletion.delete_analysis(first)


def test_nothing_of_deleted_pictures_is_left_and_the_tables_stay(home: Path, clip: Path) -> None:
    analysis_id = analysed(clip)
    folder = places.store().folder(analysis_id)
    shutil.rmtree(folder.with_name(f"{folder.name}.unfinished"))
    thumbnail, video = (folder / "crops" / "track_0.jpg").read_bytes(), clip.read_bytes()[2000:2064]
    deletion.delete_pictures(analysis_id, keeping.VIDEO)
    assert holding(video) == [] and len(holding(thumbnail)) == 1 and answers_of(analysis_id)
    assert sorted(path.name for path in folder.iterdir()) == [
        "analysis.json", "crops", "edits.json", "features.parquet", "keeping.json", "scores", "timeline.csv",
        "timeline.parquet", "views", "why",
    ]  # fmt: skip
    deletion.delete_pictures(analysis_id, keeping.PICTURES)
    assert {secret: holding(secret) for secret in traces(thumbnail) if holding(secret)} == {}
    assert not answers_of(analysis_id) and list((home / "explained").iterdir()) == []
    assert not [path.name for path in folder.iterdir() if path.name in ("crops", "why")]
    analysis = places.store().open(analysis_id)
    assert len(analysis.timeline()) == 16 and analysis.state.name_of(0) == PERSON
    assert keeping.missing_video(analysis).startswith("The video of this analysis was deleted on 2")
    with pytest.raises(StoreError, match=r"was deleted on .* Analyze the file again"):
        why.ask(analysis_id, track=0, time_s=0.2)


def test_what_is_still_at_work_on_it_leaves_nothing(home: Path, clip: Path) -> None:
    analysis_id = analysed(clip)
    face = {"analysis": analysis_id, "track": 0, "time_s": 0.6}
    running, waiting = (explained.ask([face | {"time_s": time_s}], ASK) for time_s in (1.4, 2.0))
    looking = why.ask(analysis_id, track=0, time_s=1.4)
    jobs.claim(running)
    asked = jobs.get(running)
    assert asked is not None
    deletion.delete_analysis(analysis_id)
    with pytest.raises(StoreError):
        work.WORK["explain"](asked, work.kinds.EXPLAIN.read(asked.settings))
    for job_id in (waiting, looking):
        work.run_job(job_id)
    jobs.finish(running, "done")
    assert jobs.get(running) is None and jobs.get(waiting) is None and not list((home / "explained").iterdir())
    assert [holding(each.encode()) for each in (analysis_id, running, waiting, looking)] == [[], [], [], []]


def test_a_job_that_breaks_off_over_a_deletion_writes_no_name(home: Path, caplog: pytest.LogCaptureFixture) -> None:
    jobs.add("a" * 32, kind="why", name=NAME, target="b" * 32, state="queued", settings={"track": 0, "time_s": 0.0})

    def work_on(job: jobs.Job, _: object) -> None:
        jobs.forget(job.target)
        raise OSError(f"{NAME} is not there")

    work.runner.run("a" * 32, {"why": work_on})
    assert NAME not in caplog.text and jobs.get("a" * 32) is None


def test_answers_whose_row_is_lost_go_too(home: Path) -> None:
    """As after the list of jobs was damaged and begun anew: nobody knows any more whom they show."""
    lost = places.below("explained") / f"{'a' * 32}.json"
    lost.write_text('{"sources": []}')
    with pytest.raises(StoreError, match="deleted already"):
        deletion.delete_analysis("b" * 32)
    assert not lost.exists()


def test_pictures_given_to_explain_are_listed_and_deleted_one_by_one(home: Path, portrait: np.ndarray) -> None:
    mine, other = (cv2.imencode(".jpg", picture[..., ::-1])[1].tobytes() for picture in (portrait, portrait[:, ::-1]))
    keys = {name: pictures.keep(name, data) for name, data in (("Ada *1*.jpg", mine), ("other.jpg", other))}
    answers = {name: explained.ask([{"picture": key, "face": 0}], ASK) for name, key in keys.items()}
    work.run_job(answers["Ada *1*.jpg"])
    crop = json.loads((home / "explained" / f"{answers['Ada *1*.jpg']}.json").read_text())["sources"][0]["crop"]
    app = open_page("face")
    text = words(app)
    assert not app.exception and r"Ada \*1\*" in text and "other" in text and "kB" in text
    app.button(key=f"delete-{keys['Ada *1*.jpg']}").click().run()
    assert not app.exception and "Ada" not in words(app) and "other" in words(app)
    secrets = [b"Ada *1*", crop.encode(), keys["Ada *1*.jpg"][:32].encode(), *traces(mine)]
    assert {secret: holding(secret) for secret in secrets if holding(secret)} == {}
    assert [each.name for each in pictures.given()] == ["other.jpg"] and jobs.get(answers["other.jpg"]) is not None
    with pytest.raises(StoreError, match="deleted already"):
        pictures.forget(keys["Ada *1*.jpg"])
    app.button(key="delete-all-kept").click().run()
    assert not app.exception and jobs.get(answers["other.jpg"]) is None
    assert list((home / "pictures").iterdir()) == list((home / "explained").iterdir()) == []


def test_only_the_newest_pictures_are_kept_and_old_ones_take_their_answers_along(
    home: Path, portrait: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pictures, "KEPT", 2)
    keys = []
    for i in range(3):
        data = cv2.imencode(".png", np.roll(portrait[:60, :60], i, axis=1))[1].tobytes()
        keys.append(pictures.keep(f"{i}.png", data))
        explained.ask([{"picture": keys[-1], "face": 0}], ASK)
    assert [each.name for each in pictures.given()] == ["2.png", "1.png"]
    assert {job.settings["sources"][0]["picture"] for job in jobs.of_kind("explain")} == set(keys[1:])
    assert {path.stem for path in (home / "pictures").iterdir()} == {key[:32] for key in keys[1:]}
