"""Workers that die, sleep, hang or are replaced, and disks that are full: nothing is lost, and nothing done twice."""

from __future__ import annotations

import errno
import multiprocessing
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from starlette.testclient import TestClient

from dashboard.components.frame import interruption
from dashboard.services import jobs, kinds, places, queues, runner, uploads, work, workers
from dashboard.services.progress import Reporter
from fer_core.errors import TakenOver, is_full_disk
from fer_core.models.classifier import Classifier
from fer_core.models.folders import DEFAULT_CHECKPOINT
from fer_core.progress import Progress
from fer_core.video.pipeline import analyze
from fer_core.video.store import Analysis, open_analysis
from tests.support import ROOT
from tests.support.app import PATIENCE_S, children_of, running_app
from tests.support.clips import write_clip
from tests.support.interrupted import assert_same, cut_off, kept_often, kept_s, moving_clip

ASKED = kinds.AnalyzeRequest.from_json({"checkpoint": DEFAULT_CHECKPOINT})


def added(state: str = "queued", kind: str = "video") -> str:
    job_id = places.new_id()
    jobs.add(job_id, kind=kind, name="a", state=state, settings=ASKED.to_json() if kind == "video" else {})
    return job_id


def row(job_id: str) -> jobs.Job:
    job = jobs.get(job_id)
    assert job is not None
    return job


# claims


def test_what_a_replaced_worker_writes_counts_for_nothing(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A slept while B did the job; then A wakes, and says all that a worker can say."""
    job_id = added()
    a = jobs.claim(job_id)
    jobs.lose([job_id])
    assert jobs.requeue(job_id)
    b = jobs.claim(job_id)
    assert a is not None and b is not None and b.token > a.token
    jobs.check(b)
    reporter = Reporter(a)
    with pytest.raises(TakenOver):
        reporter.tell(Progress("analysing", 0.9, frames=900))
    with pytest.raises(TakenOver):
        jobs.check(a)
    assert not jobs.finish(job_id, "failed", "no", a.token) and not jobs.give_back(job_id, "no", a.token)
    jobs.tell(job_id, {"reached": {}}, a.token)
    beat = row(job_id).beat
    jobs.beat(job_id, a.token)
    runner.fail(a, "no")
    runner.drop(a)
    after = row(job_id)
    assert (after.state, after.frames, after.error, after.info, after.beat) == ("running", 0, "", {}, beat)
    assert jobs.finish(job_id, "done", token=b.token)
    assert not jobs.finish(job_id, "failed", "no", a.token) and row(job_id).state == "done"


def test_a_worker_whose_claim_is_lost_writes_no_results(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from fer_core.files import replacing

    job_id, written = added(kind="copy"), home / "result"
    written.write_text("of the other")

    def slow(job: jobs.Job, _: object) -> None:
        with replacing(written) as new:
            new.write_text("of this one")
            jobs.lose([job.id]), jobs.requeue(job.id), jobs.claim(job.id)

    runner.run(job_id, {"copy": slow})
    assert (written.read_text(), row(job_id).state, row(job_id).token) == ("of the other", "running", 2)
    assert not list(home.glob("result.*"))


def test_a_table_of_an_earlier_version_gets_what_it_lacks(home: Path) -> None:
    job_id = added()
    with closing(sqlite3.connect(home / "jobs.sqlite", isolation_level=None)) as table:
        for name in ("token", "interrupted"):
            table.execute(f"alter table jobs drop column {name}")
    claimed = jobs.claim(job_id)
    assert claimed is not None and (claimed.token, claimed.interrupted) == (1, 0)


# stopping


def test_a_worker_that_does_not_hear_the_wish_to_stop_is_ended(home: Path) -> None:
    deaf, heeding, wishes = added(), added(), workers.Wishes()
    claimed = jobs.claim(heeding)
    assert claimed is not None and jobs.claim(deaf) is not None and wishes.unheard(0.0) == []
    for each in (deaf, heeding):
        jobs.cancel(each)
    reporter = Reporter(claimed)
    reporter.tell(Progress("analysing", 0.1))
    assert reporter.should_stop() and wishes.unheard(10.0) == []
    assert wishes.unheard(10.0 + workers.DEAF_S) == []
    (found,) = wishes.unheard(10.1 + workers.DEAF_S)
    assert found.id == deaf and workers.DEAF_S + 2 * workers.LOOK_S <= 3
    queues.give_up(found)
    assert row(deaf).state == "cancelled" and row(heeding).state == "running"


@pytest.fixture
def cut(home: Path, tmp_path: Path, classifier: Classifier) -> tuple[str, float]:
    """A job whose worker was killed in the middle: its id, and up to where its results are kept, in s."""
    job = uploads.add_copy(moving_clip(tmp_path / "c.mp4"), "c.mp4")
    jobs.queue(job.id, ASKED.to_json())
    claimed = jobs.claim(job.id)
    assert claimed is not None
    source, folder = places.upload_of(job.id), places.store().folder(job.id)
    assert source is not None
    with kept_often():
        cut_off(source, folder, 40, checkpoint=classifier, token=str(claimed.token), name="c.mp4")
    return job.id, kept_s(folder)


def test_a_job_goes_on_where_its_worker_was_killed_and_says_so(
    cut: tuple[str, float], tmp_path: Path, classifier: Classifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id, until_s = cut
    monkeypatch.setattr(work.warm, "classifier", lambda _: classifier)  # run the same way, however fast others are
    jobs.lose([job_id])
    queues.requeue_lost(kinds.ANALYSES)
    assert row(job_id).state == "queued"
    with kept_often():
        work.run_job(job_id)
        whole = analyze(tmp_path / "c.mp4", tmp_path / "whole", checkpoint=classifier, name="c.mp4")
    job = row(job_id)
    assert (job.state, job.attempts, job.interrupted, job.info["went_on_s"]) == ("done", 1, 1, until_s)
    assert interruption(job) == [f"went on from 0:0{round(until_s)} after an interruption"]
    analysis = open_analysis(places.store().folder(job_id))
    (analysis.folder / "source.mp4").unlink()
    shutil.rmtree(analysis.folder / "views", ignore_errors=True)
    assert_same(analysis.folder, whole)
    assert [path.name for path in places.store().root.iterdir()] == [job_id] and not list(places.uploads().iterdir())


@pytest.mark.parametrize("why", ["stopped", "crashed"])
def test_what_was_analysed_is_kept_where_a_worker_had_to_be_ended(cut: tuple[str, float], why: str) -> None:
    """It did not hear the wish to stop, or ended over the same place a second time."""
    job_id, until_s = cut
    if why == "stopped":
        jobs.cancel(job_id)
        queues.give_up(row(job_id))
    else:
        with closing(sqlite3.connect(places.home() / "jobs.sqlite", isolation_level=None)) as table:
            table.execute("update jobs set attempts=?, started=?", (queues.MAX_ATTEMPTS, time.time() + 60))
        jobs.lose([job_id])
        queues.requeue_lost(kinds.ANALYSES)
    assert row(job_id).state == "queued" and row(job_id).answers, "nobody ends its next worker for not hearing"
    with kept_often():
        work.run_job(job_id)
    job = row(job_id)
    assert job.state == "done" and job.info["reached"]["at_s"] == pytest.approx(until_s, abs=1e-6)
    assert job.info.get("crashed", False) == (why == "crashed")
    assert open_analysis(places.store().folder(job_id)).record["complete"] is False


def test_a_job_that_waits_to_go_on_keeps_what_it_has_when_it_is_cancelled(cut: tuple[str, float]) -> None:
    job_id, _ = cut
    jobs.lose([job_id])
    jobs.requeue(job_id)
    jobs.cancel(job_id)
    assert (row(job_id).state, row(job_id).cancel) == ("queued", True)
    with kept_often():
        work.run_job(job_id)
    assert row(job_id).state == "done" and "reached" in row(job_id).info


def test_dropping_a_file_drops_what_was_found_in_it(cut: tuple[str, float]) -> None:
    places.drop_upload(cut[0])
    assert not list(places.store().root.iterdir()) and not list(places.uploads().iterdir())


def test_what_is_kept_outlives_a_start_of_the_workbench(cut: tuple[str, float]) -> None:
    (folder,) = places.unfinished(cut[0])
    uploads.drop_abandoned()
    assert folder.is_dir()
    jobs.finish(cut[0], "failed")
    uploads.drop_abandoned()
    assert not folder.exists(), "nobody waits for it any more"


# disks


def _renames(folder: Path, who: int) -> None:
    analysis = open_analysis(folder)
    for i in range(8):
        analysis.do({"do": "rename", "person": 0, "name": f"{who} {i}"})


def test_edits_of_several_processes_are_all_kept(tmp_path: Path, analysis: Analysis) -> None:
    folder = shutil.copytree(analysis.folder, tmp_path / "a")
    (folder / "edits.json").unlink(missing_ok=True)
    fork = multiprocessing.get_context("fork")
    all_of_them = [fork.Process(target=_renames, args=(folder, who)) for who in range(4)]
    for each in all_of_them:
        each.start()
    for each in all_of_them:
        each.join()
    assert [each.exitcode for each in all_of_them] == [0] * 4
    names = sorted(str(edit["name"]) for edit in open_analysis(folder).edits.to_dict()["done"])
    assert names == sorted(f"{who} {i}" for who in range(4) for i in range(8))
    assert sorted(path.name for path in folder.iterdir() if "edits" in path.name) == ["edits.json"]


@contextmanager
def full_disk() -> Iterator[None]:
    """No file reaches the disk any more."""

    def fsync(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", fsync)
        yield


def test_a_full_disk_fails_an_edit_in_words_and_touches_nothing(client: TestClient, analysis: Analysis) -> None:
    job_id = "ab" * 16
    folder = shutil.copytree(analysis.folder, places.store().folder(job_id))
    edits = f"/api/edits/{job_id}"
    assert client.post(edits, json={"do": "rename", "person": 0, "name": "Ann"}).status_code == 200
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    with full_disk():
        answer = client.post(edits, json={"do": "rename", "person": 0, "name": "Bob"})
    assert answer.status_code == 507 and "disk is full" in answer.json()["error"]
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before
    assert client.post(edits, json={"do": "rename", "person": 0, "name": "Bob"}).status_code == 200


def test_a_full_table_of_jobs_is_a_full_disk(client: TestClient, analysis: Analysis, tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "t", isolation_level=None)) as table:
        table.execute("create table a (b)")
        table.execute("pragma max_page_count = 3")
        with pytest.raises(sqlite3.OperationalError) as full:
            table.execute("insert into a values (zeroblob(100000))")
        with pytest.raises(sqlite3.OperationalError) as other:
            table.execute("select c from a")
    assert is_full_disk(full.value) and not is_full_disk(other.value)
    job_id = "ab" * 16
    shutil.copytree(analysis.folder, places.store().folder(job_id))
    (places.store().folder(job_id) / "source.mp4").touch()

    def refuse(*_: object, **__: object) -> None:
        raise full.value

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(jobs, "add", refuse)
        answer = client.post(f"/api/why/{job_id}", params={"track": 0, "time_s": 0.1})
    assert answer.status_code == 507 and "disk is full" in answer.json()["error"]


# real processes


@contextmanager
def worker() -> Iterator[subprocess.Popen[bytes]]:
    """A worker of the long queue in this process's data folder."""
    with subprocess.Popen(
        [sys.executable, "-m", "dashboard.services.worker", kinds.ANALYSES], cwd=ROOT, stdin=subprocess.PIPE
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def until(is_so: Callable[[], Any], patience_s: float = 4 * PATIENCE_S) -> None:
    end = time.monotonic() + patience_s
    while not is_so():
        assert time.monotonic() < end, "it did not come about"
        time.sleep(0.05)


def long_clip(path: Path, portrait: np.ndarray, frames: int = 300) -> Path:
    moved = [np.roll(portrait, i, axis=1) for i in range(40)]
    pictures = [moved[i % 40] for i in range(frames)]
    return write_clip(path, [i / 25 for i in range(frames)], pictures=pictures, key_every=50)


def asked(path: Path, name: str) -> str:
    job = uploads.add_copy(path, name)
    queues.start(job.id, ASKED)
    return job.id


def assert_as_undisturbed(job_id: str, clip: Path, whole: Path) -> None:
    folder = places.store().folder(job_id)
    assert (folder / "source.mp4").read_bytes() == clip.read_bytes()
    (folder / "source.mp4").unlink()
    shutil.rmtree(folder / "views", ignore_errors=True)
    assert_same(folder, whole)


@pytest.mark.nightly
def test_a_worker_that_wakes_after_another_has_finished_loses_and_doubles_nothing(
    home: Path, tmp_path: Path, portrait: np.ndarray, classifier: Classifier
) -> None:
    clip = long_clip(tmp_path / "long.mp4", portrait)
    job_id = asked(clip, "long.mp4")
    with worker() as sleeper:
        until(lambda: row(job_id).frames > 60 and queues.kept_at(row(job_id)))
        sleeper.send_signal(signal.SIGSTOP)
        jobs.lose([job_id])
        with worker():
            until(lambda: row(job_id).state == "done")
            before = row(job_id)
            sleeper.send_signal(signal.SIGCONT)
            time.sleep(10)
        assert sleeper.poll() is None, "it goes on with the next job"
    assert row(job_id) == before and before.info["went_on_s"] > 0
    assert [path.name for path in places.store().root.iterdir()] == [job_id] and not list(places.uploads().iterdir())
    assert_as_undisturbed(job_id, clip, analyze(clip, tmp_path / "whole", checkpoint=classifier))


@pytest.mark.nightly
def test_killed_at_random_points_the_result_is_the_same(
    tmp_path: Path,
    portrait: np.ndarray,
    classifier: Classifier,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """SIGKILL of the worker and of the whole app in turns of chance, twelve times or FER_KILLS, in one analysis; the
    seed is printed. A state is kept every four seconds, in which a fast machine analyses 700 frames."""
    seed, n = (
        int(os.environ.get("FER_SEED", random.SystemRandom().randrange(10**6))),
        int(os.environ.get("FER_KILLS", 12)),
    )
    rng = random.Random(seed)
    with capsys.disabled():
        sys.stdout.write(f"\nseed {seed}\n")
    monkeypatch.setenv("FER_HOME", str(tmp_path / "home"))
    clip = long_clip(tmp_path / "long.mp4", portrait, 700 * n)
    job_id, killed, seen_s = asked(clip, "long.mp4"), {"worker": 0, "app": 0}, [0.0]
    for way in rng.sample(["worker", "app"] * (n // 2), n):
        if row(job_id).state == "done":
            break
        kept_s = queues.kept_at(row(job_id)) or 0.0
        with running_app(tmp_path / "home") as (_, pid):
            (own,) = children_of(pid, "dashboard.services.worker analyses")
            until(lambda kept_s=kept_s: row(job_id).state == "done" or (queues.kept_at(row(job_id)) or 0) > kept_s)  # type: ignore[misc]
            time.sleep(rng.uniform(0, 4))
            os.kill(own if way == "worker" else pid, signal.SIGKILL)
            killed[way] += 1
            if way == "worker":
                until(lambda own=own: children_of(pid, "dashboard.services.worker analyses") != [own])  # type: ignore[misc]
        seen_s.append(float(row(job_id).info.get("went_on_s") or 0.0))
    with running_app(tmp_path / "home"):
        until(lambda: row(job_id).state not in jobs.ACTIVE)
    with capsys.disabled():
        sys.stdout.write(f"killed {killed}, went on from {seen_s} s\n")
    assert row(job_id).state == "done" and min(killed.values()) >= n // 4 and seen_s == sorted(seen_s)
    assert_as_undisturbed(job_id, clip, analyze(clip, tmp_path / "whole", checkpoint=classifier, name="long.mp4"))


@pytest.mark.nightly
def test_a_job_that_hangs_ends_within_three_seconds_of_the_wish_and_the_next_one_goes_on(
    tmp_path: Path, portrait: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FER_HOME", str(tmp_path / "home"))
    clip = long_clip(tmp_path / "long.mp4", portrait, 300)
    with running_app(tmp_path / "home") as (_, pid):
        hangs, follows = asked(clip, "hangs.mp4"), asked(clip, "follows.mp4")
        (own,) = children_of(pid, "dashboard.services.worker analyses")
        until(lambda: row(hangs).state == "running")
        os.kill(own, signal.SIGSTOP)
        jobs.cancel(hangs)
        began = time.monotonic()
        until(lambda: own not in children_of(pid, "dashboard.services.worker analyses"), 10)
        assert time.monotonic() - began < 3.5
        until(lambda: row(hangs).state not in jobs.ACTIVE)
        assert row(hangs).state == ("done" if "reached" in row(hangs).info else "cancelled")
        until(lambda: row(follows).state == "done")
