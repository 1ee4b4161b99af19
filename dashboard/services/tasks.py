"""The queues and what their workers do. Pages only enqueue; ``dashboard.services.worker`` runs the tasks.

``analyses`` is for long work. ``inspector`` is a second process that keeps its models warm and answers pictures at
once, so that an hour of video never stands before a click.
"""

from __future__ import annotations

import errno
import logging
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

from huey import SqliteHuey

from dashboard.services import jobs, places
from fer_core.errors import Cancelled, FerError, StoreError
from fer_core.models.folders import find_checkpoint

BEAT_S = 3.0
MAX_ATTEMPTS = 2
_DISK_FULL = "The disk is full. Free some space, or delete analyses in the library."
_MISTAKE = "The program made a mistake here; the details are in the folder logs of the data folder."
_CRASH = "The program ended twice over this file, perhaps for lack of memory. Try fewer frames or a smaller video."
_log = logging.getLogger("fer.worker")


def _queue(name: str) -> SqliteHuey:
    return SqliteHuey(name, filename=str(places.home() / f"queue-{name}.sqlite"), results=False)


QUEUES = {name: _queue(name) for name in ("analyses", "inspector")}


_at_work: set[str] = set()
"""Jobs of this process; after a sleep of the machine their beat is old although they go on."""


def run_job(job_id: str) -> None:
    job = jobs.claim(job_id)
    if job is None:  # cancelled meanwhile, or taken by another worker
        return
    with _Heart(job_id):
        try:
            state = _WORK.get(job.kind, _analyse)(job)
            jobs.finish(job_id, state)
        except Cancelled:
            places.drop_upload(job_id)
            jobs.finish(job_id, "cancelled")
        except FerError as error:
            places.drop_upload(job_id)
            jobs.finish(job_id, "failed", str(error))
        except Exception as error:
            _log.exception("Job %s failed", job_id)
            full = isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)
            places.drop_upload(job_id)
            jobs.finish(job_id, "failed", _DISK_FULL if full else _MISTAKE)


_PRIORITY = {"copy": 2, "map": 1, "evaluate": 1}
_TASKS = {name: queue.task(name="run")(run_job) for name, queue in QUEUES.items()}


def enqueue(job: jobs.Job) -> None:
    """Hand a queued job to its worker; a result that can be watched comes first, a video last of all."""
    _TASKS[_queue_of(job)](job.id, priority=_PRIORITY.get(job.kind, 0))


def _queue_of(job: jobs.Job) -> str:
    return "inspector" if job.kind in jobs.INSPECTED else "analyses"


def start(job_id: str, settings: dict[str, Any]) -> None:
    """Queue a ready job with the user's settings."""
    if jobs.queue(job_id, settings):
        job = jobs.get(job_id)
        assert job is not None
        enqueue(job)


def requeue_lost(name: str) -> None:
    """Queue jobs again whose worker died; called by the worker of queue ``name`` every few seconds."""
    waiting = {task.args[0] for task in QUEUES[name].pending()}
    for job in jobs.stale():
        if _queue_of(job) != name or job.id in waiting or job.id in _at_work:
            continue
        if job.attempts >= MAX_ATTEMPTS:
            places.drop_upload(job.id)
            jobs.finish(job.id, "failed", _CRASH)
        elif jobs.requeue(job.id):
            enqueue(job)


def classifier(name: str) -> Any:
    """The network of a checkpoint; loaded anew when its files are others, as after another one took its name.

    Raises:
        CheckpointError: there is none, or it cannot be used.
    """
    folder = find_checkpoint(name)
    return _classifier(str(folder), tuple(path.stat().st_mtime_ns for path in sorted(folder.glob("*.*"))))


@lru_cache(maxsize=4)
def _classifier(folder: str, changed: tuple[int, ...]) -> Any:
    from fer_core.models.classifier import load

    return load(folder)


@lru_cache(maxsize=1)
def detector() -> Any:
    """The face detector for single pictures."""
    from fer_core.faces import make_detector

    return make_detector("mtcnn", min_face_px=30)


def _analyse(job: jobs.Job) -> str:
    from dashboard.services.playback import overview
    from fer_core.video.pipeline import Settings, analyze
    from fer_core.video.store import open_analysis
    from fer_core.video.view import Lens

    folder, uploaded = places.store().folder(job.id), places.source_of(job.id)
    reporter = _Reporter(job.id)
    if not folder.exists():  # else a worker died after the analysis
        if uploaded is None:
            raise StoreError("The uploaded file is gone. Upload it again.")
        shutil.rmtree(folder.with_name(folder.name + ".tmp"), ignore_errors=True)  # of a worker that died
        wanted = dict(job.settings)
        chosen = wanted.pop("checkpoint")
        analyze(
            uploaded,
            folder,
            checkpoint=[classifier(name) for name in ([chosen] if isinstance(chosen, str) else chosen)],
            settings=Settings(**wanted),
            name=job.name,
            progress=lambda now: reporter.tell(now.stage, now.share, now.frames, now.faces),
            should_stop=reporter.should_stop,
        )
    if uploaded is not None:
        shutil.move(uploaded, folder / uploaded.name)
        places.drop_upload(job.id)
    analysis = open_analysis(folder)
    _optional(lambda: overview(analysis, Lens()))  # so that it opens at once
    if not analysis.record["complete"]:
        jobs.tell(job.id, job.info | {"reached": _reached(analysis.record)})
    reporter.close(analysis.record["time_check"]["frames_analysed"], sum(p["frames"] for p in analysis.people))
    if analysis.source() is not None and not analysis.record["source"]["plays_in_browser"]:
        copy = places.new_id()
        jobs.add(copy, kind="copy", name=job.name, target=job.id)
        start(copy, {})
    return "done"


def _reached(record: dict[str, Any]) -> dict[str, Any]:
    """How far an analysis came that is not complete: from, to and of which second; and whether the file ended there."""
    settings, check = record["settings"], record["time_check"]
    of_s = record["source"]["duration_s"] if settings["end_s"] is None else settings["end_s"]
    return {"from_s": settings["start_s"], "at_s": check["last_s"], "of_s": of_s, "file_ended": check["ended_early"]}


def _copy(job: jobs.Job) -> str:
    """A playable copy of a video that browsers cannot play."""
    from fer_core.video.annotate import browser_proxy

    analysis, reporter = places.store().open(job.target), _Reporter(job.id)
    source = analysis.source()
    if source is None:
        raise StoreError("The video of this analysis is gone, so no copy of it can be made.")
    progress = reporter.copying("making a playable copy")
    browser_proxy(source, analysis.folder / "proxy.mp4", progress=progress, should_stop=reporter.should_stop)
    return "done"


def _optional(make: Callable[[], object]) -> None:
    """Make something without which the analysis is still good."""
    try:
        make()
    except Exception:
        _log.exception("The overview could not be made")


def _annotate(job: jobs.Job) -> str:
    from fer_core.video.annotate import annotate_video, to_blur
    from fer_core.video.view import Lens, view

    analysis, wanted = places.store().open(job.target), job.settings
    source = analysis.source()
    if source is None:
        raise StoreError("The video of this analysis is gone, so it cannot be annotated.")
    reporter = _Reporter(job.id)
    start_s, end_s, blurred = float(wanted.get("start_s", 0.0)), wanted.get("end_s"), None
    if wanted.get("blur"):
        blurred, start_s, end_s = to_blur(analysis, start_s, end_s)
    annotate_video(
        source,
        view(analysis, Lens(float(wanted.get("smoothing_s", 0.0)), str(wanted.get("model", "")))),
        analysis.folder / "annotated.mp4",
        names=dict(analysis.state.names),
        start_s=start_s,
        end_s=end_s,
        blurred=blurred,
        progress=reporter.copying("writing the annotated video"),
        should_stop=reporter.should_stop,
    )
    return "done"


def _why(job: jobs.Job) -> str:
    from dashboard.services import why

    reporter = _Reporter(job.id)
    why.make(job, progress=reporter.copying("explaining"), should_stop=reporter.should_stop)
    return "done"


def _explain(job: jobs.Job) -> str:
    from dashboard.services import explained

    explained.make(job, progress=_Reporter(job.id).copying("explaining"))
    return "done"


def _evaluate(job: jobs.Job) -> str:
    from dashboard.services import evaluations

    reporter = _Reporter(job.id)

    def progress(done: int, total: int) -> None:
        reporter.tell("evaluating", done / max(total, 1), done, 0)

    evaluations.make(job, progress=progress, should_stop=reporter.should_stop)
    return "done"


def _map(job: jobs.Job) -> str:
    from dashboard.services import maps

    reporter = _Reporter(job.id)
    maps.make(job, progress=reporter.copying("projecting"), should_stop=reporter.should_stop)
    return "done"


def _checkpoint(job: jobs.Job) -> str:
    from dashboard.services import checkpoints

    checkpoints.keep(job)
    return "done"


_WORK: dict[str, Callable[[jobs.Job], str]] = {
    "annotate": _annotate, "copy": _copy, "why": _why, "why_span": _why, "why_clip": _why, "explain": _explain,
    "evaluate": _evaluate, "map": _map, "checkpoint": _checkpoint,
}  # fmt: skip


class _Reporter:
    """Writes progress into the table at most twice a second, and learns there whether to stop."""

    def __init__(self, job_id: str) -> None:
        self.job_id, self.stop, self.frames, self.faces = job_id, False, 0, 0
        self._told = 0.0

    def tell(self, stage: str, share: float, frames: int, faces: int) -> None:
        if time.monotonic() - self._told >= 0.4:
            self._told, self.frames, self.faces = time.monotonic(), frames, faces
            self.stop = jobs.report(self.job_id, stage=stage, share=share, frames=frames, faces=faces)

    def copying(self, stage: str) -> Callable[[float], None]:
        return lambda share: self.tell(stage, share, self.frames, self.faces)

    def should_stop(self) -> bool:
        return self.stop

    def close(self, frames: int, faces: int) -> None:
        """The final counts; a wish to stop is fulfilled with them."""
        self._told, self.stop = 0.0, False
        jobs.forget_cancel(self.job_id)
        self.tell("writing", 1.0, frames, faces)


@contextmanager
def log_errors() -> Iterator[None]:
    """For the threads that must go on when the data base is busy or the disk is full for a moment."""
    try:
        yield
    except Exception:
        _log.exception("Going on after")


class _Heart:
    """Beats for a job while its worker lives, also in steps that report nothing."""

    def __init__(self, job_id: str) -> None:
        self.job_id, self._end = job_id, threading.Event()

    def __enter__(self) -> None:
        _at_work.add(self.job_id)
        threading.Thread(target=self._beat, daemon=True).start()

    def __exit__(self, *_: object) -> None:
        self._end.set()
        _at_work.discard(self.job_id)

    def _beat(self) -> None:
        while not self._end.wait(BEAT_S):
            with log_errors():
                jobs.beat(self.job_id)
