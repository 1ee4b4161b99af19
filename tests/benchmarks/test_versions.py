"""The command that compares two versions really runs both sides."""

from __future__ import annotations

import json

import pytest

from benchmarks import versions
from dashboard.sample.make import SAMPLE


@pytest.mark.nightly
def test_a_version_beside_itself(capsys: pytest.CaptureFixture[str]) -> None:
    versions.main([str(SAMPLE), "--rounds", "1", "--setting", '{"mode": "preview"}'])
    told = json.loads(capsys.readouterr().out)
    assert told["median"] == pytest.approx(told["new_s"][0] / told["old_s"][0], rel=1e-2)
    assert told["new_s"][0] < told["old_s"][0]  # two frames a second instead of all


@pytest.mark.nightly
def test_a_side_that_fails_says_so() -> None:
    with versions.Side(versions.ROOT, {"no such": "setting"}) as side, pytest.raises(RuntimeError, match="failed"):
        side.seconds(SAMPLE)
