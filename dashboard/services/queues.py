"""The queues: pages ask for work here, and ``dashboard.services.worker`` takes it from here.

``analyses`` is for long work. ``inspector`` is a second process that keeps its models warm and answers pictures at
once, so that an hour of video never stands before a click. A queue only wakes its worker: the table of jobs is the
truth, and what a queue loses is queued again.
"""

from __future__ import annotations

from collections.abc import Callable

from huey import SqliteHuey

from dashboard.services import jobs, kinds, places
from dashboard.services.kinds import Kind, R
from dashboard.services.runner import AT_WORK
from fer_core.errors import InputError

MAX_ATTEMPTS = 2
_CRASH = "The program ended twice over this file, perhaps for lack of memory. Try fewer frames or a smaller video."
_hands: list[Callable[[str], None]] = []


def _queue(name: str) -> SqliteHuey:
    return SqliteHuey(name, filename=str(places.home() / f"queue-{name}.sqlite"), results=False)


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
    """
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


def _enqueue(job: jobs.Job) -> None:
    """Hand a queued job to its worker; a result that can be watched comes first, a video last of all."""
    try:
        priority = kinds.kind_of(job.kind).priority
    except InputError:
        priority = 0
    _TASKS[queue_of(job.kind)](job.id, priority=priority)


def requeue_lost(name: str) -> None:
    """Queue jobs again whose worker died; called by the worker of queue ``name`` every few seconds."""
    waiting = {task.args[0] for task in QUEUES[name].pending()}
    for job in jobs.stale():
        if queue_of(job.kind) != name or job.id in waiting or job.id in AT_WORK:
            continue
        if job.attempts >= MAX_ATTEMPTS:
            places.drop_upload(job.id)
            jobs.finish(job.id, "failed", _CRASH)
        elif jobs.requeue(job.id):
            _enqueue(job)


def abandon(name: str) -> None:
    """The worker of queue ``name`` has ended: what it was at work on is stale at once."""
    jobs.lose([job.id for job in jobs.with_state("running") if queue_of(job.kind) == name])
