"""What every kind of job does. Only a worker imports this room, and hands it to the queues."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable

from dashboard.services import kinds, places, queues, runner, warm
from dashboard.services.jobs import Job, check, tell
from dashboard.services.kinds import Kind, R
from dashboard.services.progress import Reporter
from dashboard.services.reached import reached
from fer_core.errors import Cancelled, StoreError
from fer_core.files import to_disk
from fer_core.video.in_making import STATE, last_kept
from fer_core.video.store import Analysis

WORK: dict[str, runner.Work] = {}
_log = logging.getLogger("fer.worker")


def run_job(job_id: str) -> None:
    """Do a queued job; see ``runner.run``."""
    runner.run(job_id, WORK)


def _does(*of: Kind[R]) -> Callable[[Callable[[Job, R], None]], Callable[[Job, R], None]]:
    """Register the work of some kinds."""

    def register(work: Callable[[Job, R], None]) -> Callable[[Job, R], None]:
        WORK.update(dict.fromkeys((kind.name for kind in of), work))
        return work

    return register


@_does(kinds.VIDEO, kinds.PICTURE)
def _analyse(job: Job, asked: kinds.AnalyzeRequest) -> None:
    from dashboard.services.playback import overview
    from fer_core.video.pipeline import analyze
    from fer_core.video.plan import keep_plan, kept_plan, read_plan
    from fer_core.video.store import open_analysis
    from fer_core.video.view import Lens

    folder, uploaded = places.store().folder(job.id), places.source_of(job.id)
    reporter = Reporter(job)
    if not folder.exists():  # else a worker died after the analysis
        if uploaded is None:
            raise StoreError("The uploaded file is gone. Upload it again.")
        if job.cancel and last_kept(folder) is None:
            raise Cancelled("Stopped before anything was analysed.")
        analyze(
            uploaded,
            folder,
            checkpoint=[warm.classifier(name) for name in asked.checkpoint],
            settings=asked.settings,
            name=job.name,
            progress=reporter.tell,
            should_stop=reporter.should_stop,
            token=str(job.token),
        )
    check(job)
    (folder / STATE).unlink(missing_ok=True)
    if uploaded is not None and uploaded.is_file():  # a drive may be gone, with the video on it
        if asked.keep_pictures:
            shutil.move(uploaded, folder / uploaded.name)
            to_disk(folder / uploaded.name, folder)
        places.drop_upload(job.id)
    analysis = open_analysis(folder)
    if asked.plan and kept_plan(analysis) is None:
        analysis = keep_plan(analysis, read_plan(asked.plan))
    _optional(lambda: overview(analysis, Lens()))  # so that it opens at once
    if not analysis.record["complete"]:
        tell(job.id, {"reached": reached(analysis.record)}, job.token)
    reporter.close(analysis.record["time_check"]["frames_analysed"], sum(p["frames"] for p in analysis.people))
    if analysis.source() is None or analysis.record["source"]["plays_in_browser"]:
        return
    if analysis.record["source"]["is_picture"]:
        _optional(lambda: _copy_still(analysis))
    else:
        queues.ask(kinds.COPY, kinds.Request(), name=job.name, target=job.id)


def _optional(make: Callable[[], object]) -> None:
    """Make something without which the analysis is still good."""
    try:
        make()
    except Exception:
        _log.exception("Something could not be made that the analysis is good without")


def _copy_still(analysis: Analysis) -> None:
    """A picture as browsers show it."""
    from fer_core.video.reader import VideoReader
    from fer_core.video.stills import save_for_browsers
    from fer_core.video.store import PROXY_STILL

    source = analysis.source()
    assert source is not None
    with VideoReader(source) as reader:
        save_for_browsers(next(iter(reader.frames())).image, analysis.folder / PROXY_STILL)


@_does(kinds.COPY)
def _copy(job: Job, asked: kinds.Request) -> None:
    """A playable copy of a video that browsers cannot play."""
    from fer_core.video.annotate import browser_proxy
    from fer_core.video.keeping import video_of
    from fer_core.video.store import PROXY

    analysis, reporter = places.store().open(job.target), Reporter(job)
    browser_proxy(
        video_of(analysis), analysis.folder / PROXY, picture_track=analysis.picture_track, progress=reporter.tell,
        should_stop=reporter.should_stop,
    )  # fmt: skip


@_does(kinds.ANNOTATE)
def _annotate(job: Job, asked: kinds.AnnotateRequest) -> None:
    from fer_core.video.annotate import annotate_video, to_blur
    from fer_core.video.keeping import video_of
    from fer_core.video.view import Lens, view

    analysis = places.store().open(job.target)
    source, reporter = video_of(analysis), Reporter(job)
    start_s, end_s, blurred = asked.start_s, asked.end_s, None
    if asked.blur:
        blurred, start_s, end_s = to_blur(analysis, start_s, end_s)
    annotate_video(
        source,
        view(analysis, Lens(asked.smoothing_s, asked.model)),
        analysis.folder / "annotated.mp4",
        picture_track=analysis.picture_track,
        names=dict(analysis.state.names),
        start_s=start_s,
        end_s=end_s,
        blurred=blurred,
        progress=reporter.tell,
        should_stop=reporter.should_stop,
    )


@_does(kinds.WHY)
def _why(job: Job, asked: kinds.WhyRequest) -> None:
    _heatmaps(job, asked)


@_does(kinds.WHY_SPAN)
def _why_span(job: Job, asked: kinds.WhySpanRequest) -> None:
    _heatmaps(job, asked)


def _heatmaps(job: Job, asked: kinds.WhyRequest | kinds.WhySpanRequest) -> None:
    from dashboard.services import why

    reporter = Reporter(job)
    why.make(job, asked, progress=reporter.tell, should_stop=reporter.should_stop)


@_does(kinds.WHY_CLIP)
def _why_clip(job: Job, asked: kinds.WhySpanRequest) -> None:
    from dashboard.services import why

    reporter = Reporter(job)
    why.make_clip(job, asked, progress=reporter.tell, should_stop=reporter.should_stop)


@_does(kinds.EXPLAIN)
def _explain(job: Job, asked: kinds.ExplainRequest) -> None:
    from dashboard.services import explained

    explained.make(job, asked, progress=Reporter(job).tell)


@_does(kinds.EVALUATE)
def _evaluate(job: Job, asked: kinds.EvaluateRequest) -> None:
    from dashboard.services import evaluations

    reporter = Reporter(job)
    evaluations.make(job, asked, progress=reporter.tell, should_stop=reporter.should_stop)


@_does(kinds.MAP)
def _map(job: Job, asked: kinds.MapRequest) -> None:
    from dashboard.services import maps

    reporter = Reporter(job)
    maps.make(asked, progress=reporter.tell, should_stop=reporter.should_stop)


@_does(kinds.CHECKPOINT)
def _checkpoint(job: Job, asked: kinds.ConvertRequest) -> None:
    from dashboard.services import checkpoints

    checkpoints.keep(job, asked)
