"""The queues: pages ask for work here, and ``dashboard.services.worker`` takes it from here.

``analyses`` is for long work. ``inspector`` is a second process that keeps its models warm and answers pictures at
once, so that an hour of video never stands before a click. A queue only wakes its worker: the table of jobs is the
truth, and what a queue loses is queued again.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from huey import SqliteHuey
from huey.registry import Message
from huey.serializer import Serializer

from dashboard.services import jobs, kinds, places
from dashboard.services.kinds import Kind, R
from dashboard.services.runner import AT_WORK, drop, fail
from fer_core.errors import InputError
from fer_core.home import tables
from fer_core.video.in_making import last_kept

MAX_ATTEMPTS = 2
MAX_OF_ONE, MAX_CLICKS = 8, 64
"""Clicks that may wait for the inspector: of one analysis, and of all."""
_CRASH = "The program ended twice over this file, perhaps for lack of memory. Try fewer frames or a smaller video."
_hands: list[Callable[[str], None]] = []


class JsonMessages(Serializer):
    """A queue's messages as JSON. huey would pickle them, so that whoever can write the file could run anything."""

    def _serialize(self, data: Any) -> bytes:
        return json.dumps(Message._asdict(data)).encode()

    def _deserialize(self, data: bytes) -> Message:
        told = json.loads(data)
        return Message(**{**told, "args": tuple(told["args"])})


def _queue(name: str) -> SqliteHuey:
    path = places.home() / f"queue-{name}.sqlite"
    return SqliteHuey(name, filename=str(path), results=False, serializer=JsonMessages())


QUEUES = {name: _queue(name) for name in kinds.QUEUES}


def hand_in(run: Callable[[str], None]) -> None:
    """Say what runs a job, given its id. Only a worker knows: whoever asks for work need not be able to do it."""
    _hands[:] = [run]


def _run(job_id: str) -> None:
    _hands[0](job_id)


_TASKS = {name: queue.task(name="run")(_run) for name, queue in QUEUES.items()}


def queue_of(kind: str) -> str:
    """The queue of a kind of jobs; the long one also of unknown kinds, which its worker refuses with the reason."""
    return kinds.INSPECTOR if kind in kinds.INSPECTED else kinds.ANALYSES


def ask(kind: Kind[R], request: R, *, name: str, target: str = "", job_id: str = "") -> str:
    """Add a job and queue it; returns its id.

    Args:
        kind: what is to be done.
        request: what it is asked with.
        name: what people call it.
        target: what it belongs to; itself if empty.
        job_id: a new one if empty.

    Raises:
        InputError: too much of it waits already.
    """
    if kind.queue == kinds.INSPECTOR:
        _check_room(target)
    job_id = job_id or places.new_id()
    jobs.add(job_id, kind=kind.name, name=name, target=target)
    start(job_id, request)
    return job_id


def start(job_id: str, request: kinds.Request) -> None:
    """Queue a ready job with what the user asked."""
    if jobs.queue(job_id, request.to_json()):
        job = jobs.get(job_id)
        assert job is not None
        _enqueue(job)


def _check_room(target: str) -> None:
    waiting = _clicks()
    if len(waiting) >= MAX_CLICKS:
        raise InputError("The workbench has many questions to answer just now. Ask again in a minute.")
    if target and sum(each.target == target for each in waiting) >= MAX_OF_ONE:
        raise InputError(f"{MAX_OF_ONE} questions about this video wait already. Ask again when they are answered.")


def _clicks() -> list[jobs.Job]:
    """What somebody asked of the inspector and waits for, without pictures, of which many may be analysed at once."""
    return [job for job in jobs.with_state("queued") if job.kind in kinds.INSPECTED - kinds.UPLOADED]


def _enqueue(job: jobs.Job) -> None:
    """Hand a queued job to its worker; a result that can be watched comes first, a video last of all. Of clicks, those
    about a video come one by one between those about others, however many somebody made."""
    try:
        priority = kinds.kind_of(job.kind).priority
    except InputError:
        priority = 0
    if job.kind in kinds.INSPECTED:
        priority -= sum(each.target == job.target for each in _clicks() if each.id != job.id)
    _TASKS[queue_of(job.kind)](job.id, priority=priority)


def requeue_lost(name: str) -> None:
    """Queue jobs again whose worker died; called by the worker of queue ``name`` every few seconds."""
    waiting = {task.args[0] for task in QUEUES[name].pending()}
    for job in jobs.stale():
        if queue_of(job.kind) != name or job.id in waiting or job.id in AT_WORK:
            continue
        at_s = kept_at(job)
        came_further = at_s is not None and job.started is not None and at_s > job.started
        is_stuck = job.attempts >= MAX_ATTEMPTS and not came_further
        if is_stuck and (job.cancel or at_s is None):
            fail(job, _CRASH)
            continue
        if is_stuck:  # what was analysed before is kept
            jobs.tell(job.id, {"crashed": True})
            jobs.cancel(job.id)
        elif job.cancel and at_s is None:
            drop(job)
        if jobs.requeue(job.id, came_further=came_further):
            _enqueue(job)


def tidy() -> bool:
    """Take the messages of jobs that were deleted out of the queues, and what earlier ones left in their files; false
    where a worker is at work in one of these, so that it is to be tried again."""
    done = True
    for queue in QUEUES.values():
        for number, data in queue.storage.sql("select id, data from task", results=True):
            if jobs.get(_job_of(data)) is None:  # a job has its row before its message
                queue.storage.sql("delete from task where id=?", (number,), commit=True)
        done = tables.scrub(Path(queue.storage.filename)) and done
    return done


def _job_of(message: bytes) -> str:
    """The job of a message, or empty where it cannot be read."""
    try:
        return str(json.loads(message)["args"][0])
    except (ValueError, LookupError, TypeError):
        return ""


def kept_at(job: jobs.Job) -> float | None:
    """When something was last kept that a job can go on from, in seconds since 1970; None: it has to begin anew."""
    return last_kept(places.store().folder(job.target)) if job.kind in kinds.UPLOADED else None


def give_up(job: jobs.Job) -> None:
    """The worker of a job was ended because it did not hear that it should stop: another one keeps what was analysed,
    or there is nothing, and the job is cancelled."""
    if kept_at(job) is None:
        drop(job)
        return
    jobs.lose([job.id])
    if jobs.requeue(job.id):
        _enqueue(job)


def abandon(name: str) -> None:
    """The worker of queue ``name`` has ended: what it was at work on is stale at once."""
    jobs.lose([job.id for job in jobs.with_state("running") if queue_of(job.kind) == name])
