"""The dashboard's services without a browser: uploads through the real routes, jobs through the real task."""

from __future__ import annotations

import pickle
import re
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
from starlette.routing import Route
from starlette.testclient import TestClient

from dashboard.services import jobs, kinds, owner, places, queues, runner, uploads, work, workers
from dashboard.services.routes import ROUTES
from fer_core.errors import InputError
from fer_core.models.folders import DEFAULT_CHECKPOINT
from fer_core.video.store import open_analysis
from tests.support.bad_files import write_bad
from tests.support.clips import write_clip

SETTINGS = {"checkpoint": DEFAULT_CHECKPOINT}


def send(client: TestClient, path: Path, *, name: str | None = None, slice_bytes: int = 10_000) -> dict:
    """Upload a file as the page does; the last answer, with ``status``."""
    upload_id, data = places.new_id(), path.read_bytes()
    for offset in range(0, max(len(data), 1), slice_bytes):
        answer = client.put(
            f"/api/upload/{upload_id}", content=data[offset : offset + slice_bytes],
            params={"name": name or path.name, "offset": offset, "total": len(data)},
        )  # fmt: skip
        if answer.status_code != 200:
            break
    return answer.json() | {"status": answer.status_code, "id": upload_id}


def left_behind() -> list[str]:
    return [path.name for path in (*places.uploads().iterdir(), *places.store().root.iterdir())]


def test_an_upload_in_slices_is_the_same_file_and_becomes_a_job(client: TestClient, clip: Path) -> None:
    answer = send(client, clip, slice_bytes=1000)
    job = jobs.get(answer["job"])
    assert job is not None and (job.state, job.kind, job.name) == ("ready", "video", "talk.mp4")
    source = places.source_of(job.id)
    assert source is not None and source.read_bytes() == clip.read_bytes()
    assert job.info["width"] == 320


def test_an_upload_that_the_user_stops_leaves_nothing_but_a_whole_one_stays(client: TestClient, clip: Path) -> None:
    upload_id = places.new_id()
    params = {"name": "a.mp4", "offset": 0, "total": clip.stat().st_size}
    client.put(f"/api/upload/{upload_id}", params=params, content=clip.read_bytes()[:1000])
    assert left_behind() == [upload_id]
    client.delete(f"/api/upload/{upload_id}")
    assert left_behind() == []
    whole = send(client, clip)["job"]
    client.delete(f"/api/upload/{whole}")
    assert left_behind() == [whole]


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("empty", "empty"), ("text", "text file"), ("truncated", "cut off"), ("sound", "no picture track"),
        ("heic", "HEIC picture"), ("playlist", "a playlist"),
    ],
)  # fmt: skip
def test_bad_files_get_a_message_and_nothing_is_left(client: TestClient, tmp_path: Path, kind: str, words: str) -> None:
    answer = send(client, write_bad(tmp_path, kind))
    assert answer["status"] == 422 and words in answer["error"]
    assert "source." not in answer["error"] and str(places.home()) not in answer["error"]
    assert left_behind() == [] and jobs.with_state("ready") == []


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("../../etc/passwd.mp4", "passwd.mp4"), ("C:\\videos\\talk.mp4", "talk.mp4"),
        ("<img src=x onerror=alert(1)>.mp4", "<img src=x onerror=alert(1)>.mp4"),
        ("a\x00b\n.mp4", "a b .mp4"), ("..", "video"), ("", "video"), ("x" * 500 + ".mp4", "x" * 106 + ".mp4"),
    ],
)  # fmt: skip
def test_names_never_become_paths(client: TestClient, clip: Path, given: str, kept: str) -> None:
    answer = send(client, clip, name=given or " ", slice_bytes=10**9)
    if kept == "video":
        assert uploads.clean_name(given) == kept
        return
    job = jobs.get(answer["job"])
    assert job is not None and job.name == kept
    source = places.source_of(job.id)
    assert source is not None and source.parent == places.uploads() / job.id and source.name == "source.mp4"


@pytest.mark.parametrize(
    "headers",
    [{"Origin": "http://evil.example"}, {"Host": "evil.example:8501"}, {"Sec-Fetch-Site": "cross-site"}],
)
def test_other_sites_are_refused(client: TestClient, headers: dict[str, str]) -> None:
    url = f"/api/upload/{places.new_id()}"
    assert client.put(url, content=b"x", params={"name": "a.mp4", "total": 1}, headers=headers).status_code == 403
    assert client.get(f"/api/media/{places.new_id()}", headers=headers).status_code == 403
    assert left_behind() == []
    own = {"Origin": "http://127.0.0.1:8501", "Sec-Fetch-Site": "same-origin"}
    assert client.get(url, headers=own).json() == {"received": 0, "total": 0}


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.path)
def test_no_route_is_open_to_other_sites(client: TestClient, route: Route) -> None:
    path = re.sub(r"{[^}]*}", "0", route.path)
    for method in route.methods or ():
        assert client.request(method, path, headers={"Origin": "http://localhost:9"}).status_code == 403, method


@pytest.mark.parametrize("hurt", [b"", b"SQLite format 3\0" + bytes(4000), b"not a table at all " * 300])
def test_damaged_tables_are_begun_anew_and_what_waited_is_found(client: TestClient, clip: Path, hurt: bytes) -> None:
    job_id = send(client, clip)["job"]
    for path in places.home().glob("jobs.sqlite*"):
        path.unlink()
    (places.home() / "jobs.sqlite").write_bytes(hurt)
    moved = owner.set_aside()
    assert [path.read_bytes() for path in moved] == ([hurt] if hurt else []) and owner.damaged() == moved
    uploads.find_lost()
    job = jobs.get(job_id)
    assert job is not None and (job.state, job.name) == ("ready", "recovered.mp4") and job.info["width"] == 320
    owner.dismiss()
    assert owner.damaged() == [] and places.upload_of(job_id) is not None


def test_a_queue_runs_nothing_that_somebody_wrote_into_its_file(home: Path, caplog: pytest.LogCaptureFixture) -> None:
    class Planted:
        def __reduce__(self) -> tuple[object, tuple[object, ...]]:
            return Path.touch, (home / "planted",)

    queue = queues.QUEUES[kinds.ANALYSES]
    queue.flush()
    queue.storage.enqueue(pickle.dumps(Planted()))
    queue.storage.enqueue(b"[]")
    queues._TASKS[kinds.ANALYSES]("an id", priority=3)
    (waiting,) = queue.pending()
    assert (waiting.args, waiting.priority) == (("an id",), 3) and not (home / "planted").exists()
    queue.flush()


@pytest.mark.parametrize("bad", ["..", "abc", "A" * 32, "g" * 32, "a" * 32 + "%0a"])
def test_ids_that_are_none_are_refused(client: TestClient, bad: str) -> None:
    """Before anything is looked up: the answer is not the one for an id that does not exist."""
    for route in ("upload", "media", "timeline", "annotated", "thumbnail"):
        answer = client.get(f"/api/{route}/{bad.replace('..', '%2e%2e')}{'/0' if route == 'thumbnail' else ''}")
        said = answer.json()["error"]
        assert "not a valid id" in said or "not the id of an analysis" in said, route


def test_size_limits_and_order_are_kept(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    url, name = f"/api/upload/{places.new_id()}", "a.mp4"
    too_large = client.put(url, content=b"x", params={"name": name, "total": uploads.MAX_BYTES + 1})
    assert too_large.status_code == 422 and "2 GB" in too_large.json()["error"]
    assert client.put(url, content=b"abc", params={"name": name, "total": 10}).json() == {"received": 3}
    assert client.put(url, content=b"abc", params={"name": name, "total": 10, "offset": 5}).status_code == 422
    assert client.get(url).json() == {"received": 3, "total": 10}
    grown = client.put(url, content=b"x" * 50, params={"name": name, "total": 10, "offset": 3})
    assert grown.status_code == 422 and left_behind() == []
    assert client.put(url, content=b"abc", params={"name": name, "total": 10}).json() == {"received": 3}
    longer = client.put(url, content=b"x", params={"name": name, "total": 11, "offset": 3})
    assert longer.status_code == 422 and "changed its length" in longer.json()["error"] and left_behind() == []
    monkeypatch.setattr(places, "free_bytes", lambda: 1000)
    full = client.put(f"/api/upload/{places.new_id()}", content=b"x", params={"name": name, "total": 10})
    assert full.status_code == 422 and "disk space" in full.json()["error"]


def test_a_job_runs_and_its_media_and_timeline_are_served(client: TestClient, clip: Path) -> None:
    job_id = send(client, clip)["job"]
    assert jobs.queue(job_id, SETTINGS)
    work.run_job(job_id)
    job = jobs.get(job_id)
    assert job is not None and (job.state, job.error, job.share) == ("done", "", 1.0)
    assert left_behind() == [job_id]
    part = client.get(f"/api/media/{job_id}", headers={"Range": "bytes=10-19"})
    assert (part.status_code, part.content) == (206, clip.read_bytes()[10:20])
    assert client.get(f"/api/thumbnail/{job_id}/0").headers["content-type"] == "image/jpeg"
    assert client.get(f"/api/thumbnail/{job_id}/7").status_code == 404
    data = client.get(f"/api/timeline/{job_id}").json()
    (person,) = data["people"]
    assert (len(data["emotions"]), person["name"], person["track"]) == (7, "Person 1", 0)
    assert client.get(f"/api/timeline/{job_id}?smoothing_s=nan").status_code == 422


def test_annotated_video_is_a_job_of_its_own(client: TestClient, clip: Path) -> None:
    job_id = send(client, clip)["job"]
    jobs.queue(job_id, SETTINGS)
    work.run_job(job_id)
    other = places.new_id()
    jobs.add(other, kind="annotate", name="talk", target=job_id, state="queued")
    work.run_job(other)
    assert jobs.of_target(job_id, "annotate").state == "done"  # type: ignore[union-attr]
    answer = client.get(f"/api/annotated/{job_id}")
    assert answer.headers["content-disposition"].startswith("attachment") and b"moov" in answer.content


def test_cancelling_a_waiting_job_drops_its_file(client: TestClient, clip: Path) -> None:
    job_id = send(client, clip)["job"]
    jobs.cancel(job_id)
    assert jobs.get(job_id).state == "cancelled" and left_behind() == []  # type: ignore[union-attr]
    work.run_job(job_id)
    assert jobs.get(job_id).state == "cancelled"  # type: ignore[union-attr]


def test_cancelling_a_running_job_keeps_what_is_done(
    client: TestClient, tmp_path: Path, portrait: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The request arrives when the first progress is told; frames until then are kept."""
    clip = write_clip(tmp_path / "long.mp4", [i / 25 for i in range(900)], pictures=[portrait] * 900)
    job_id = send(client, clip, slice_bytes=10**9)["job"]
    jobs.queue(job_id, SETTINGS)
    report = jobs.report

    def report_and_cancel(job: str, **values: object) -> bool:
        if values["frames"]:
            jobs.cancel(job)
        return report(job, **values)  # type: ignore[arg-type]

    monkeypatch.setattr(jobs, "report", report_and_cancel)
    work.run_job(job_id)
    record = open_analysis(places.store().folder(job_id)).record
    assert record["complete"] is False and 0 < record["time_check"]["frames_analysed"] < 900
    job = jobs.get(job_id)
    assert job is not None and job.state == "done"
    last_s = record["time_check"]["last_s"]
    assert job.info["reached"] == {"from_s": 0.0, "at_s": last_s, "of_s": pytest.approx(36.0), "file_ended": False}


def test_a_file_that_is_cut_off_is_told_from_one_that_was_stopped(
    client: TestClient, tmp_path: Path, portrait: np.ndarray
) -> None:
    """A Matroska file that ends in its middle: its length is known, its second half is not there."""
    clip = write_clip(tmp_path / "cut.mkv", [i / 25 for i in range(100)], pictures=[portrait] * 100)
    clip.write_bytes(clip.read_bytes()[: clip.stat().st_size // 2])
    job_id = send(client, clip, slice_bytes=10**9)["job"]
    jobs.queue(job_id, SETTINGS | {"mode": "preview"})
    work.run_job(job_id)
    reached = jobs.get(job_id).info["reached"]  # type: ignore[union-attr]
    assert reached["file_ended"] is True and 0 < reached["at_s"] < reached["of_s"] == pytest.approx(4.0, abs=0.05)


def test_a_file_whose_analysis_fails_waits_again_and_says_why(client: TestClient, clip: Path) -> None:
    job_id = send(client, clip)["job"]
    jobs.queue(job_id, SETTINGS | {"start_s": 100.0})
    work.run_job(job_id)
    job = jobs.get(job_id)
    assert job is not None and job.state == "ready" and "only 2" in job.error and "talk.mp4" in job.error
    assert (job.attempts, job.share, job.started) == (0, 0, None) and left_behind() == [job_id]
    source = places.upload_of(job_id)
    assert source is not None and source.read_bytes() == clip.read_bytes()
    jobs.queue(job_id, SETTINGS)
    work.run_job(job_id)
    job = jobs.get(job_id)
    assert job is not None and (job.state, job.error) == ("done", "")


def test_a_job_whose_worker_died_is_taken_up_again(
    client: TestClient, clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id = send(client, clip)["job"]
    jobs.queue(job_id, SETTINGS)
    assert jobs.claim(job_id) is not None and jobs.claim(job_id) is None
    assert jobs.stale() == []
    now = time.time()
    monkeypatch.setattr(jobs.time, "time", lambda: now + jobs.STALE_S + 1)
    assert [job.id for job in jobs.stale()] == [job_id]
    queues.requeue_lost("analyses")
    assert jobs.get(job_id).state == "queued"  # type: ignore[union-attr]
    assert [task.args[0] for task in queues.QUEUES["analyses"].pending()] == [job_id]
    queues.requeue_lost("analyses")  # it waits already: not a second time
    assert len(queues.QUEUES["analyses"].pending()) == 1


def test_what_an_ended_worker_was_at_work_on_need_not_grow_old(client: TestClient, clip: Path) -> None:
    job_id = send(client, clip)["job"]
    jobs.queue(job_id, SETTINGS)
    jobs.claim(job_id)
    queues.abandon("inspector")
    assert jobs.stale() == []
    queues.abandon("analyses")
    assert [job.id for job in jobs.stale()] == [job_id]


def test_a_worker_that_hangs_is_told_from_one_that_works(
    client: TestClient, clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id = send(client, clip)["job"]
    wall, stillness = time.time(), workers.Stillness()
    monkeypatch.setattr(jobs.time, "time", lambda: wall)
    jobs.queue(job_id, SETTINGS)
    jobs.claim(job_id)
    assert stillness.hang(0.0) == stillness.hang(workers.SILENT_S - 1) == set()
    jobs.beat(job_id)  # the same moment by the wall's clock: no sign of life
    assert stillness.hang(workers.SILENT_S + 1) == {kinds.ANALYSES}
    for second in range(0, 2000, 50):  # it beats, but comes no further
        wall += 50
        jobs.report(job_id, stage="analysing", share=0.5, frames=7, faces=7)
        hangs = stillness.hang(1000.0 + second)
        assert hangs == ({kinds.ANALYSES} if second > workers.STILL_S else set()), second
    jobs.report(job_id, stage="analysing", share=0.5, frames=8, faces=8)
    assert stillness.hang(2960.0) == set()
    wall += 8 * 3600  # the machine slept: this clock stood, and the worker with it
    assert stillness.hang(2962.0) == set()


def test_a_file_over_which_the_worker_dies_twice_is_given_up(
    client: TestClient, clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id = send(client, clip)["job"]
    jobs.queue(job_id, SETTINGS)
    now = time.time()
    for attempt in range(1, 3):
        assert jobs.claim(job_id) is not None  # and the worker is gone
        monkeypatch.setattr(jobs.time, "time", lambda attempt=attempt: now + attempt * (jobs.STALE_S + 1))
        queues.QUEUES["analyses"].flush()
        queues.requeue_lost("analyses")
    job = jobs.get(job_id)
    assert job is not None and job.state == "ready" and "ended twice over this file" in job.error
    assert left_behind() == [job_id], "the file waits for other settings"


def test_stopping_the_workbench_is_no_failure_of_the_job(
    client: TestClient, clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stopped and started three times in the middle of the work, and with a folder that is half removed."""
    job_id = send(client, clip)["job"]
    jobs.queue(job_id, SETTINGS)
    now = time.time()
    for restart in range(1, 4):
        assert jobs.claim(job_id) is not None
        monkeypatch.setattr(jobs.time, "time", lambda restart=restart: now + restart * (jobs.STALE_S + 1))
        queues.QUEUES["analyses"].flush()
        jobs.forgive_restart()
        queues.requeue_lost("analyses")
    left = places.store().folder(job_id).with_name(f"{job_id}.tmp")
    left.mkdir()
    (left / "analysis.json").write_text("{}")
    work.run_job(job_id)
    assert jobs.get(job_id).state == "done"  # type: ignore[union-attr]


def test_a_job_at_work_in_this_process_is_not_lost(
    client: TestClient, clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after a sleep of the machine, when its last beat is old."""
    job_id = send(client, clip)["job"]
    jobs.queue(job_id, SETTINGS)
    assert jobs.claim(job_id) is not None
    now = time.time()
    with runner.Heart(job_id):
        monkeypatch.setattr(jobs.time, "time", lambda: now + 3600)
        queues.requeue_lost("analyses")
        assert jobs.get(job_id).state == "running"  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (PermissionError(13, "no"), "made a mistake"),
        (OSError(28, "no space"), "disk is full"),
        (ValueError(), "mistake"),
        (MemoryError(), "not enough memory"),
        (RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory"), "scale the video"),
    ],
)
def test_what_nobody_foresaw_fails_the_job_once(
    client: TestClient, clip: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, words: str
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise error

    job_id = send(client, clip)["job"]
    jobs.queue(job_id, SETTINGS)
    monkeypatch.setattr("fer_core.video.pipeline.analyze", broken)
    work.run_job(job_id)
    job = jobs.get(job_id)
    assert job is not None and job.state == "ready" and words in job.error and places.upload_of(job_id) is not None


def test_a_copy_that_browsers_play_is_a_job_of_its_own(client: TestClient, tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "a.mkv", [0.0, 0.1])
    job_id = send(client, clip, slice_bytes=10**9)["job"]
    jobs.queue(job_id, SETTINGS)
    work.run_job(job_id)
    copy = jobs.of_target(job_id, "copy")
    assert copy is not None and copy.state == "queued" and places.store().open(job_id).playable() is None
    work.run_job(copy.id)
    assert jobs.get(copy.id).state == "done"  # type: ignore[union-attr]
    assert client.get(f"/api/media/{job_id}").headers["content-type"] == "video/mp4"


@pytest.mark.parametrize(
    ("name", "kind", "media", "copied"),
    [
        ("a.tiff", ".tiff", "image/jpeg", True), ("scan", ".ppm", "image/jpeg", True),
        ("a.jp2", ".jp2", "image/jpeg", True), ("no ending", ".png", "image/png", False),
        ("a.mp4", ".jpg", "image/jpeg", False), ("a.jfif", ".jpg", "image/jpeg", False),
    ],
)  # fmt: skip
def test_every_kind_of_picture_is_shown(
    client: TestClient, tmp_path: Path, portrait: np.ndarray, name: str, kind: str, media: str, copied: bool
) -> None:
    (tmp_path / "a").write_bytes(cv2.imencode(kind, portrait[:, :, ::-1])[1].tobytes())
    job_id = send(client, tmp_path / "a", name=name, slice_bytes=10**9)["job"]
    jobs.queue(job_id, SETTINGS)
    work.run_job(job_id)
    analysis = places.store().open(job_id)
    assert jobs.get(job_id).kind == "picture" and len(analysis.people) == 1  # type: ignore[union-attr]
    assert (analysis.folder / "proxy.jpg").is_file() == copied and jobs.of_target(job_id, "copy") is None
    answer = client.get(f"/api/media/{job_id}")
    assert answer.headers["content-type"] == media
    shown = cv2.imdecode(np.frombuffer(answer.content, np.uint8), cv2.IMREAD_COLOR_RGB)
    np.testing.assert_allclose(shown.mean(axis=(0, 1)), portrait.mean(axis=(0, 1)), atol=2)


def test_a_picture_of_many_bits_is_shown_as_it_was_analysed(
    client: TestClient, tmp_path: Path, portrait: np.ndarray
) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), portrait[:, :, 0].astype(np.uint16) * 16)
    job_id = send(client, tmp_path / "a.png", slice_bytes=10**9)["job"]
    jobs.queue(job_id, SETTINGS)
    work.run_job(job_id)
    shown = cv2.imdecode(np.frombuffer(client.get(f"/api/media/{job_id}").content, np.uint8), cv2.IMREAD_COLOR)
    assert shown.max() > 200 and "12 of its 16 bits" in places.store().open(job_id).record["messages"][0]


def test_a_copy_that_cannot_be_made_does_not_spoil_the_analysis(
    client: TestClient, tmp_path: Path, portrait: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("no encoder")

    monkeypatch.setattr("fer_core.video.annotate.browser_proxy", broken)
    clip = write_clip(tmp_path / "a.mkv", [0.0, 0.1], pictures=[portrait] * 2)
    job_id = send(client, clip, slice_bytes=10**9)["job"]
    jobs.queue(job_id, SETTINGS)
    work.run_job(job_id)
    copy = jobs.of_target(job_id, "copy")
    assert copy is not None
    work.run_job(copy.id)
    assert jobs.get(job_id).state == "done" and jobs.get(copy.id).state == "failed"  # type: ignore[union-attr]
    assert places.store().open(job_id).playable() is None


def test_a_slice_that_comes_twice_does_no_harm(client: TestClient, clip: Path) -> None:
    """As when the connection broke after the first had arrived: the second is refused or lands in the same place."""
    upload_id, data = places.new_id(), clip.read_bytes()
    params = {"name": "a.mp4", "offset": 0, "total": len(data)}
    client.put(f"/api/upload/{upload_id}", params=params, content=data[:5000])
    client.put(f"/api/upload/{upload_id}", params=params, content=data[:5000])
    assert client.get(f"/api/upload/{upload_id}").json()["received"] in (0, 5000)


def test_what_a_crash_left_behind_is_removed(home: Path) -> None:
    import os

    for upload_id, age in (("a" * 32, 2 * 24 * 3600), ("b" * 32, 60), ("c" * 32, 2 * 24 * 3600)):
        folder = places.upload_folder(upload_id)
        folder.mkdir()
        (folder / ("source.mp4" if upload_id[0] == "a" else "part")).write_bytes(b"x")
        for path in (folder / "part", folder / "source.mp4", folder):
            if path.exists():
                os.utime(path, (time.time() - age,) * 2)
    jobs.add("c" * 32, kind="video", name="waits for the user")
    jobs.add("d" * 32, kind="video", name="runs", state="running")
    (places.uploads() / ".DS_Store").touch()
    for name in ("d", "e"):
        (places.store().root / f"{name * 32}.tmp").mkdir()
    for name, age in (("old", 2 * 24 * 3600), ("new", 60)):
        path = places.below("maps") / f"{name}.safetensors.1-2.tmp"
        path.touch()
        os.utime(path, (time.time() - age,) * 2)
    uploads.drop_abandoned()
    assert [path.name for path in places.below("maps").iterdir()] == ["new.safetensors.1-2.tmp"]
    assert sorted(left_behind()) == [".DS_Store", "b" * 32, "c" * 32, f"{'d' * 32}.tmp"]
    (places.uploads() / ".DS_Store").unlink()


def test_ids_guard_every_path() -> None:
    for bad in ("../x", "", "a" * 31, "A" * 32):
        with pytest.raises(InputError):
            places.upload_folder(bad)
