"""The record of how far some work is, and its parts."""

from __future__ import annotations

import pytest

from fer_core.errors import Cancelled
from fer_core.progress import Progress, Stage


def test_progress_along_a_video_is_never_more_than_whole() -> None:
    now = Progress.along("analysing", 3.0, 2.0, frames=7, faces=9)
    assert now == Progress("analysing", 1.0, frames=7, faces=9, done_s=3.0, total_s=2.0)
    assert Progress.along("reading", 0.0, 0.0).share == 0.0, "a picture has no length"


def test_progress_over_pictures_is_their_share() -> None:
    assert Progress.counted("evaluating", 3, 4) == Progress("evaluating", 0.75, frames=3, total_frames=4)
    assert Progress.counted("evaluating", 0, 0).share == 0.0


def test_parts_of_parts_tell_their_share_of_the_whole() -> None:
    told: list[Progress] = []
    whole = Stage("projecting", told.append)
    whole.part(0.5, 1.0).part(0.0, 0.5).at(0.5)
    whole.at(1.0)
    assert told == [Progress("projecting", 0.625), Progress("projecting", 1.0)]


def test_a_stage_that_should_stop_says_in_what() -> None:
    told: list[Progress] = []
    with pytest.raises(Cancelled, match="Stopped while projecting"):
        Stage("projecting", told.append, lambda: True).at(0.5)
    assert told == []
    Stage("projecting").at(0.5)  # nobody asks, nobody listens
