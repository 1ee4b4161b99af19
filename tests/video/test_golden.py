"""An analysis that version 0.9.1 made of the sample, with edits of every kind, and what that version showed of it:
later versions show the same, and what they have learnt since.

What went on purpose: the reason and source ``predicted``; limits in eye distances stay as they were read.
"""

from __future__ import annotations

import base64
import io
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from dashboard.services.playback import frames, overview
from fer_core.video.export import export
from fer_core.video.reasons import REASONS
from fer_core.video.store import Analysis, open_analysis
from fer_core.video.view import Lens
from tests.support import ROOT

GOLDEN = ROOT / "tests" / "golden"
LENSES = {"raw": Lens(), "smooth": Lens(0.5), "second": Lens(0.0, "mobilenetv2-ferplus")}
GONE, TILTED = "predicted", "tilted"
CODES_THEN = (
    "small", "blurred", "dark", "turned", "tilted", "occluded", "predicted", "edge", "far", "flat", "uncertain",
)  # fmt: skip


@pytest.fixture(scope="module")
def analysis(tmp_path_factory: pytest.TempPathFactory) -> Analysis:
    folder = tmp_path_factory.mktemp("golden") / ("a" * 32)
    return open_analysis(Path(shutil.copytree(GOLDEN / "analysis", folder)))


def expected(name: str) -> dict[str, Any]:
    return dict(json.loads((GOLDEN / "expected" / name).read_text(encoding="utf-8")))


def test_it_is_shown_as_one_line(analysis: Analysis) -> None:
    shown = repr(analysis)
    assert shown.startswith(
        "<Analysis of sample.mp4: 75 frames in 15 s, 1 person, scores of compact-resnet-votes1-ferplus,"
    )
    assert "mobilenetv2-ferplus; in " in shown and shown.endswith(f"{analysis.folder}>") and "\n" not in shown
    broken_off = Analysis(analysis.folder, {**analysis.record, "complete": False})
    assert "; incomplete; in " in repr(broken_off)


def of_now(bits: str, codes: list[dict[str, str]]) -> list[set[str]]:
    numbers = np.frombuffer(base64.b64decode(bits), "<u2")
    return [{code["name"] for i, code in enumerate(codes) if number >> i & 1} for number in numbers.tolist()]


def of_then(bits: str) -> list[set[str]]:
    return of_now(bits, [{"name": name} for name in CODES_THEN])


@pytest.mark.parametrize("name", LENSES)
def test_the_overview_says_what_it_said(analysis: Analysis, name: str) -> None:
    then, now = expected(f"overview-{name}.json"), json.loads(json.dumps(overview(analysis, LENSES[name])))
    titles = {reason.title: reason.code for reason in REASONS}
    codes = [{"name": titles[code["name"]]} for code in now["codes"]]  # pages have plain names since 0.15
    assert [code["name"] for code in codes] == [code for code in CODES_THEN if code != GONE]
    for track, people in then["overview"].items():
        for was, found in zip(
            of_then(people["reasons"]), of_now(now["overview"][track]["reasons"], codes), strict=True
        ):
            assert was - {TILTED} == found - {TILTED}
    told = {key: value for key, value in then.items() if key not in ("id", "codes", "sources", "overview", "version")}
    for person in (*told["people"], *now["people"]):
        person.pop("thumbnail")
        person.pop("usable_s")  # hangs on the degrees of ``tilted``
    assert {key: now[key] for key in told} == told
    assert set(now) - set(then) == {"lines", "kinds"}
    for track, buckets in then["overview"].items():
        same = buckets.keys() - {"reasons", "doubtful"}
        assert {key: now["overview"][track][key] for key in same} == {key: buckets[key] for key in same}


def test_single_frames_say_what_they_said(analysis: Analysis) -> None:
    then, now = expected("frames-smooth.json"), frames(analysis, LENSES["smooth"], 0)
    assert {key: now[key] for key in ("first", "start", "end")} == {key: then[key] for key in ("first", "start", "end")}
    for track, rows in then["people"].items():
        same = rows.keys() - {"reasons", "source"}
        assert {key: now["people"][track][key] for key in same} == {key: rows[key] for key in same}


def test_the_table_has_every_column_that_it_had(analysis: Analysis) -> None:
    then = pd.read_csv(GOLDEN / "expected" / "export.csv")
    now = pd.read_csv(io.BytesIO(export(analysis, "csv", Lens(0.5))))
    own = ["why_predicted", f"why_{TILTED}", "usable"]
    pd.testing.assert_frame_equal(now[then.columns.drop(own)], then.drop(columns=own), rtol=1e-6, check_dtype=False)
    assert set(now.columns) - set(then.columns) == {"yaw", "pitch", "roll", "valence"}
    assert not then["why_predicted"].any()
    changed = int((now[f"why_{TILTED}"] != then[f"why_{TILTED}"]).sum())
    assert changed <= 0.15 * len(then), changed
    seen = now["track"] >= 0
    assert np.allclose(
        now["valence"][seen], 2 * (now["p_happy"] + now["p_surprise"])[seen] + now["p_neutral"][seen] - 1, atol=1e-5
    )


def test_the_other_exports_say_what_they_said(analysis: Analysis) -> None:
    assert export(analysis, "vtt", Lens(0.5)) == (GOLDEN / "expected" / "export.vtt").read_bytes()
    then, now = expected("export.json"), json.loads(export(analysis, "json", Lens(0.5)))
    assert now.pop("left_out") == []  # since 0.14
    assert now.pop("agreed") is None  # since 0.15
    for frame, was in zip(now["frames"], then["frames"], strict=True):
        for face, old in zip(frame.pop("faces"), was.pop("faces"), strict=True):
            assert set(face["why"]) - {TILTED} == set(old.pop("why")) - {TILTED}
            assert {key: face[key] for key in old} == old
    for person in now["summary"]["people"]:
        means = {key for key in person if key.startswith("mean_")} - {"mean_detection"}
        assert means == {"mean_yaw", "mean_pitch", "mean_roll", "mean_valence"}
        for key in means:
            person.pop(key)
    assert now.pop("prior") == {"choice": "as_trained", "tau": {}, "shares": {}}, (
        "it was made before there was a choice"
    )
    limits = now.pop("limits")
    assert then.pop("limits").items() <= limits.items()
    assert now == then
