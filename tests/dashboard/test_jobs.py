"""Kinds of jobs: each can be asked and done, and what another version of the workbench queued ends with a reason."""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path
from typing import Any

import pytest
from huey import SqliteHuey

from dashboard.services import jobs, kinds, places, queues, work
from dashboard.services.kinds import KINDS, Kind, Request
from fer_core.errors import InputError
from fer_core.video.modes import Settings

ASK = {
    "checkpoint": "a",
    "target": ["angry", "sad"],
    "other": "happy",
    "method": "gradcam",
    "layer": "",
    "sanity": True,
}
STORED: dict[str, list[dict[str, Any]]] = {
    "video": [
        {"checkpoint": "a"},
        {
            "checkpoint": ["a", "b"], "detector": "haar", "min_face_px": 60, "mode": "preview", "per_second": 5.0,
            "start_s": 2.0, "end_s": 8,
        },
    ],
    "picture": [{"checkpoint": ["a"], "end_s": None, "per_second": None}],
    "annotate": [
        {},
        {"smoothing_s": 0.5, "model": "a", "start_s": 0.0, "end_s": None, "blur": True, "revision": "3f"},
    ],
    "copy": [{}],
    "why": [{"track": 0, "time_s": 0.21, "model": "", "target": "happy"}],
    "why_span": [
        {"track": 0, "start_s": 0.0, "end_s": 1.5, "n": 4, "model": "a", "target": ""},
        {"track": 0, "start_s": 0, "end_s": 1.5, "n": 4, "model": "a", "target": ["sad"], "method": "x", "layer": "y"},
    ],
    "why_clip": [{"track": 1, "start_s": 0.0, "end_s": 1.5, "n": 60, "model": "", "target": "", "method": "gradcam"}],
    "explain": [
        {
            "sources": [
                {"dataset": "d", "split": "test", "id": "7"},
                {"picture": "a.png", "face": 0},
                {"analysis": "a", "track": 0, "time_s": 1.5},
            ],
            "asks": [ASK | {"features": False}, ASK],
        },
    ],
    "evaluate": [{"checkpoint": "a", "dataset": "d", "split": "test", "skip_unreadable": True, "find_faces": False}],
    "map": [{"checkpoint": "a", "table": "d-test", "method": "tsne", "dimensions": 2, "seed": 0}],
    "checkpoint": [{}],
}  # fmt: skip
"""Settings as the versions 0.9 wrote them, by kind."""


def failed(kind: str, settings: str) -> str:
    """What is said about a queued job whose row has these settings, once a worker took it."""
    job_id = places.new_id()
    jobs.add(job_id, kind=kind, name="x", state="queued")
    with sqlite3.connect(places.home() / "jobs.sqlite") as table:
        table.execute("update jobs set settings=? where id=?", (settings, job_id))
    table.close()
    work.run_job(job_id)
    job = jobs.get(job_id)
    assert job is not None and job.state == "failed"
    return job.error


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_every_kind_has_work_and_a_request_that_is_read_again(kind: Kind[Any]) -> None:
    assert kind.name in work.WORK and kind.queue in kinds.QUEUES
    for values in STORED[kind.name]:
        request = kind.read(values)
        assert type(request) is kind.request and kind.read(request.to_json()) == request


def test_kinds_have_names_of_their_own_and_their_sets_follow() -> None:
    names = [kind.name for kind in KINDS]
    assert len(set(names)) == len(names) and work.WORK.keys() == set(names)
    assert {"picture", "why", "why_span", "why_clip", "explain", "checkpoint"} == kinds.INSPECTED
    assert {"video", "picture"} == kinds.UPLOADED


def test_settings_of_earlier_versions_mean_what_they_meant() -> None:
    sample, chosen = (kinds.VIDEO.read(values) for values in STORED["video"])
    assert (sample.checkpoint, sample.settings) == (("a",), Settings())
    assert chosen.checkpoint == ("a", "b")
    assert chosen.settings == Settings("haar", 60, 5.0, 2.0, 8.0, "preview")
    span = kinds.WHY_SPAN.read(STORED["why_span"][1])
    assert (span.target, span.method, span.layer) == (("sad",), "x", "y")
    assert kinds.EXPLAIN.read(STORED["explain"][0]).asks[1] == kinds.Ask(
        "a", ("angry", "sad"), "happy", "gradcam", sanity=True
    )


@pytest.mark.parametrize(
    ("kind", "settings", "said"),
    [
        ("video", "{}", r"missing checkpoint.*Upload the file again"),
        ("video", '{"checkpoint": "a", "min_face": 40}', "'min_face'; the nearest known key is 'min_face_px'"),
        ("video", '{"checkpoint": "a", "start_s": "2"}', "settings.start_s: expected float, got '2'"),
        ("copy", '{"quality": 3}', "unknown key 'quality'; none is expected"),
        ("why", '{"track": true, "time_s": 1.0}', "settings.track: expected int, got True"),
        ("explain", '{"sources": [{"film": 1}], "asks": []}', "expected a face told by dataset, split, id or picture"),
        ("explain", '{"sources": [{"picture": 1, "face": 0}], "asks": []}', "expected a face told by"),
        ("evaluate", '{"checkpoint": "a"', "'damaged'.*Ask for it again"),
        ("map", "[]", "'damaged'.*Ask for it again"),
        ("dance", "{}", r"no jobs of the kind 'dance', only video, .*ask for the work again"),
    ],
)  # fmt: skip
def test_a_job_that_cannot_be_read_fails_with_the_reason(home: Path, kind: str, settings: str, said: str) -> None:
    error = failed(kind, settings)
    with pytest.raises(InputError, match=said):
        raise InputError(error)
    assert "another version" in error and "made a mistake" not in error


def test_a_damaged_row_closes_no_list_of_jobs(home: Path) -> None:
    failed("map", "{")
    jobs.add("a" * 32, kind="copy", name="whole")
    assert [job.name for job in (*jobs.recent(0.0), *jobs.with_state("ready"))] == ["x", "whole"]


def test_an_unknown_kind_is_queued_again_where_it_will_be_refused(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    jobs.add("a" * 32, kind="dance", name="x")
    jobs.queue("a" * 32)
    now = time.time()
    monkeypatch.setattr(jobs.time, "time", lambda: now + jobs.STALE_S + 1)
    queues.requeue_lost(kinds.INSPECTOR)
    assert queues.QUEUES[kinds.INSPECTOR].pending() == []
    queues.requeue_lost(kinds.ANALYSES)
    assert [task.args for task in queues.QUEUES[kinds.ANALYSES].pending()] == [("a" * 32,)]


def test_what_an_earlier_version_put_into_a_queue_is_not_lost(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its message is a pickle, which nobody opens; the worker drops it, and the row is queued again."""
    jobs.add("a" * 32, kind="copy", name="x")
    jobs.queue("a" * 32)
    earlier = SqliteHuey(kinds.ANALYSES, filename=str(places.home() / "queue-analyses.sqlite"), results=False)
    earlier.task(name="run", __module__="dashboard.services.tasks")(lambda job_id: None)("a" * 32)
    with pytest.raises(ValueError, match="codec"):
        queues.QUEUES[kinds.ANALYSES].dequeue()
    now = time.time()
    monkeypatch.setattr(jobs.time, "time", lambda: now + jobs.STALE_S + 1)
    queues.requeue_lost(kinds.ANALYSES)
    assert [task.args for task in queues.QUEUES[kinds.ANALYSES].pending()] == [("a" * 32,)]


def test_a_queue_takes_the_copy_before_the_map_and_both_before_a_video(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for letter, kind in zip("abc", (kinds.VIDEO, kinds.MAP, kinds.COPY), strict=True):
        request = kind.read(STORED[kind.name][0])
        assert queues.ask(kind, request, name=kind.name, job_id=letter * 32) == letter * 32
    queue, run = queues.QUEUES[kinds.ANALYSES], []
    monkeypatch.setattr(queues, "_hands", [run.append])
    while (task := queue.dequeue()) is not None:
        queue.execute(task)
    assert run == ["c" * 32, "b" * 32, "a" * 32]


def test_a_job_without_a_target_belongs_to_itself(home: Path) -> None:
    job = jobs.get(queues.ask(kinds.CHECKPOINT, Request(), name="net"))
    assert job is not None and (job.target, job.state, job.settings) == (job.id, "queued", {})
