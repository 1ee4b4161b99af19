"""The load benchmark measures what it says: pages that are drawn, answers that come, and mistakes that show."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from benchmarks.load import HALF_HOUR, Seen, load, share
from tests.support.app import running_app
from tests.support.long_analysis import write_long_analysis


def test_what_is_slow_wrong_or_grows_is_told() -> None:
    fine = Seen([1.0] * 20, [0.1] * 20, [], [200, 300, 300, 300, 301, 300])
    assert fine.verdict() == [] and share([*range(100)], 0.95) == 95
    assert Seen([1.0] * 18 + [3.0] * 2).verdict() == ["one of twenty pages takes more than 2.0 s"]
    assert Seen([], [0.1] * 18 + [0.6] * 2).verdict() == ["one of twenty answers takes more than 0.5 s"]
    assert Seen(memory_mb=[200, 300, 300, 320, 340, 360]).verdict() == ["the memory grows"]
    assert Seen(wrong=["/library: broken"]).verdict() == ["/library: broken"]


@pytest.mark.nightly
def test_two_visitors_draw_pages_while_jobs_run(home: Path) -> None:
    write_long_analysis(home / "analyses" / HALF_HOUR, frames=300)
    with running_app(home) as (address, pid):
        asked = load(int(address.rsplit(":", 1)[1]), pid, sessions=2, minutes=0.3, every_s=3.0)
        with ThreadPoolExecutor(1) as aside:  # the browser's driver has a loop of its own in this thread
            seen = aside.submit(asyncio.run, asked).result()
    assert len(seen.pages_s) >= 2 and len(seen.answers_s) >= 2 and seen.wrong == []
    assert seen.memory_mb[0] > 50
