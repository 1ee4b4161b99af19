"""Moments of all analysed videos in which two emotions compete."""

from __future__ import annotations

from functools import lru_cache

from dashboard.services import places
from dashboard.services.prepared import version
from fer_core.video.moments import Moment, moments_in
from fer_core.video.store import Analysis
from fer_core.video.view import Lens


def between(first: str, second: str, limit: int) -> tuple[list[tuple[Analysis, Moment]], int]:
    """The clearest moments of all videos whose two most probable emotions are ``first`` and ``second``, and how many
    videos were searched."""
    videos = [
        each for each in places.store().all() if isinstance(each, Analysis) and not each.record["source"]["is_picture"]
    ]
    found = [(video, moment) for video in videos for moment in _of(video.id, version(video), first, second, limit)]
    found.sort(key=lambda each: (each[1].usable < 0.5, abs(each[1].p_first - each[1].p_second)))
    return found[:limit], len(videos)


@lru_cache(maxsize=256)
def _of(analysis_id: str, version: str, first: str, second: str, limit: int) -> tuple[Moment, ...]:
    return tuple(moments_in(places.store().open(analysis_id), Lens(), first, second, limit=limit))
