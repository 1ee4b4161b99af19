"""What the player is sent: the table itself, in pieces; and the routes that send it."""

from __future__ import annotations

import base64
import json
import shutil
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from starlette.testclient import TestClient

from dashboard.services import jobs, places, playback, prepared, why, work
from fer_core.errors import InputError, StoreError
from fer_core.models.folders import DEFAULT_CHECKPOINT
from fer_core.video.reasons import REASONS, Limits
from fer_core.video.store import Analysis, open_analysis
from fer_core.video.view import Lens, view
from tests.support.long_analysis import PEAK, write_long_analysis

COLUMNS = ["x0", "y0", "x1", "y1"]


def unpack(text: str, kind: str, width: int = 1) -> np.ndarray:
    values = np.frombuffer(base64.b64decode(text), kind)
    return values if width == 1 else values.reshape(-1, width)


@pytest.fixture
def stored(home: Path, analysis: Analysis, clip: Path) -> Analysis:
    """The clip's analysis in the library, with its video."""
    folder = places.store().folder("ab" * 16)
    shutil.copytree(analysis.folder, folder)
    shutil.copyfile(clip, folder / "source.mp4")
    return open_analysis(folder)


def test_frames_are_the_table(analysis: Analysis) -> None:
    timeline = view(analysis)
    seen = timeline[timeline["track"] == 0]
    chunk = playback.frames(analysis, Lens(), 0)
    person = chunk["people"]["0"]
    start = unpack(chunk["start"], "<f8")
    np.testing.assert_array_equal(start, timeline["time_s"])
    np.testing.assert_array_equal(start[unpack(person["at"], "<u4")], seen["time_s"])
    np.testing.assert_allclose(unpack(person["p"], "<u2", 7) / 65535, seen.filter(like="p_"), atol=1e-5)
    np.testing.assert_array_equal(unpack(person["boxes"], "<f4", 4), seen[COLUMNS])
    reasons = seen[[f"why_{reason.code}" for reason in REASONS]].to_numpy() @ (1 << np.arange(len(REASONS)))
    np.testing.assert_array_equal(unpack(person["reasons"], "<u2"), reasons)
    assert "raw" not in person and set(unpack(person["source"], "<u1")) == {0, 1, 2}  # detected, refined, midway
    smoothed = playback.frames(analysis, Lens(1.0), 0)["people"]["0"]
    np.testing.assert_array_equal(unpack(smoothed["raw"], "<u2"), unpack(person["p"], "<u2"))


def test_the_overview_tells_everything_else(analysis: Analysis) -> None:
    data = playback.overview(analysis, Lens())
    (person,) = data["people"]
    assert [each["name"] for each in data["groups"]] == ["negative", "neutral", "positive"]
    assert (data["start_s"], data["frames"], data["levels"], data["models"]) == (0.0, 16, 1, [DEFAULT_CHECKPOINT])
    np.testing.assert_allclose(person["baseline"], view(analysis).filter(like="p_").median(), atol=1e-4)
    assert person["seen_s"] == pytest.approx(0.7 + 0.8 + 0.1) and person["usable_s"] <= person["seen_s"]
    assert 0 < data["field"] < 1 and json.dumps(data)


def test_usable_seconds_weigh_each_frame_with_how_long_it_lasts(stored: Analysis) -> None:
    """All but the surest frame are made doubtful by the limit: what is left lasts as long as that frame."""
    seen = view(stored)
    top = seen.filter(like="p_").max(axis=1)
    limit = float(top.nlargest(2).mean())
    stored = stored.do({"do": "limits", "limits": {**asdict(Limits()), "max_entropy": 1.0, "min_probability": limit}})
    left = view(stored)["usable"].to_numpy()
    times = np.append(seen["time_s"].to_numpy(), 2.1)
    (person,) = playback.overview(stored, Lens())["people"]
    assert 0 < left.sum() < 12
    assert person["usable_s"] == pytest.approx(np.diff(times)[left].sum(), abs=1e-6)


def test_names_and_marks_do_not_make_the_tiles_stale(stored: Analysis) -> None:
    before = playback.overview(stored, Lens())
    named = stored.do({"do": "rename", "person": 0, "name": "Ada"})
    after = playback.overview(named, Lens())
    assert (after["version"], after["people"][0]["name"]) == (before["version"], "Ada")
    assert after["revision"] != before["revision"] and (before["undo"], after["undo"]) == (False, True)
    split = playback.overview(named.do({"do": "split", "person": 0, "at_s": 1.0}), Lens())
    assert split["version"] != before["version"]
    assert [person["thumbnail"] for person in split["people"]] == [f"/api/thumbnail/{'ab' * 16}/0"] * 2


@pytest.mark.parametrize(
    ("what", "time_s", "by", "expected"),
    [("change", 0.3, 1, 1.2), ("change", 1.2, -1, 0.0), ("change", 1.3, 1, None), ("disagreement", 0.0, 1, None)],
)
def test_jumps_by_hand(analysis: Analysis, what: str, time_s: float, by: int, expected: float | None) -> None:
    """One emotion throughout, so it changes only where the face appears: at 0 and, after the gap, at 1.2 s."""
    assert playback.jump(analysis, Lens(), what=what, track=0, time_s=time_s, by=by) == expected


def test_impossible_jumps_say_so(analysis: Analysis) -> None:
    for what, track in (("moon", 0), ("change", 7)):
        with pytest.raises(InputError):
            playback.jump(analysis, Lens(), what=what, track=track, time_s=0.0, by=1)


def test_two_hours_keep_a_peak_of_one_frame_in_the_overview(tmp_path: Path) -> None:
    long = open_analysis(write_long_analysis(tmp_path / ("ef" * 16), frames=130_000, people=1))
    data = playback.overview(long, Lens())
    high = unpack(data["overview"]["0"]["high"], "<u1", 7)
    width = data["width_s"] * 2 ** (data["levels"] - 1)
    assert high[int(PEAK / 30 / width), 1] >= 254
    assert len(json.dumps(data)) < 60_000


def test_routes_of_the_player(client: TestClient, stored: Analysis) -> None:
    base = f"{stored.id}?smoothing_s=0&model="
    assert client.get(f"/api/timeline/{base}").json()["frames"] == 16
    assert set(client.get(f"/api/tiles/{stored.id}/0/0").json()) == {"0"}
    assert client.get(f"/api/frames/{stored.id}/0").json()["first"] == 0
    assert client.get(f"/api/jump/{stored.id}?what=change&track=0&time_s=0.3&by=1").json() == {"time_s": 1.2}
    figure = client.get(f"/api/figure/{stored.id}?track=0&start_s=0&end_s=1")
    assert figure.headers["content-type"].startswith("image/svg") and figure.text.startswith("<svg")
    for wrong in (
        "tiles/{}/9/0",
        "frames/{}/9",
        "timeline/{}?model=x",
        "timeline/{}?smoothing_s=inf",
        "jump/{}?what=x",
    ):
        assert client.get("/api/" + wrong.format(stored.id)).status_code in (404, 422), wrong


def test_edits_come_in_over_a_route_of_our_own_pages_only(client: TestClient, stored: Analysis) -> None:
    url = f"/api/edits/{stored.id}"
    done = client.post(url, json={"do": "rename", "person": 0, "name": "Ada"})
    assert done.status_code == 200 and open_analysis(stored.folder).state.names == {0: "Ada"}
    assert client.post(url, json={"do": "undo"}).json()["revision"] == stored.revision
    assert client.post(url, json={"do": "redo"}).json() == done.json()
    assert client.post(url, json={"do": "undo"}, headers={"Origin": "http://evil.example"}).status_code == 403
    half = json.dumps({"do": "rename", "person": 0, "name": "\ud800"})
    assert client.post(url, content=half).status_code == 200  # what no file can hold is taken out
    for wrong in ("{", "[]", json.dumps({"do": "x"}), '{"do": ["x"]}', "9" * 9_000_000):
        answer = client.post(url, content=wrong)
        assert answer.status_code == 422 and answer.json()["error"]
    assert client.post(f"/api/edits/{'cd' * 16}", json={"do": "undo"}).status_code == 404


def test_a_heatmap_is_asked_for_and_answered(client: TestClient, stored: Analysis) -> None:
    asked = client.post(f"/api/why/{stored.id}?track=0&time_s=0.21&target=happy")
    job = asked.json()["job"]
    assert client.get(f"/api/why/{stored.id}/{job}").json()["state"] == "queued"
    work.run_job(job)
    found = client.get(f"/api/why/{stored.id}/{job}").json()
    assert (found["state"], found["times_s"], found["targets"]) == ("done", [0.2], ["happy"])
    assert sum(found["shares"][0]) == pytest.approx(1, abs=1e-4) and found["regions"][3] == "mouth"
    assert base64.b64decode(found["picture"]).startswith(b"\x89PNG")
    assert client.get(f"/api/why/{'cd' * 16}/{job}").status_code == 404


def test_a_span_is_explained_at_its_faces(stored: Analysis) -> None:
    job = why.ask_span(stored.id, track=0, start_s=0.0, end_s=1.35, n=4)
    work.run_job(job)
    found = why.answer(stored.id, job)
    assert found["times_s"] == [0.0, 0.2, 0.6, 1.3] and found["targets"] == ["happy"] * 4
    assert np.array(found["shares"]).shape == (4, 6)


@pytest.mark.parametrize(("track", "time_s", "said"), [(0, 0.75, "not seen"), (3, 0.0, "not seen")])
def test_what_cannot_be_explained_says_why(stored: Analysis, track: int, time_s: float, said: str) -> None:
    job = why.ask(stored.id, track=track, time_s=time_s)
    work.run_job(job)
    found = why.answer(stored.id, job)
    assert found["state"] == "failed" and said in found["error"]
    assert jobs.get(job).kind == "why"  # type: ignore[union-attr]


@pytest.mark.parametrize("name", ["compact-resnet-seed1-ferplus", DEFAULT_CHECKPOINT])
def test_an_analysis_outlives_its_network(client: TestClient, stored: Analysis, name: str) -> None:
    """One that is gone, or in whose place there is another of its name."""
    path = stored.folder / "analysis.json"
    record = json.loads(path.read_text())
    record["checkpoint"] |= {"name": name, "sha256": "ab" * 32}
    path.write_text(json.dumps(record))
    assert client.get(f"/api/timeline/{stored.id}").status_code == 200
    assert places.store().open(stored.id).models[0] == name
    for answer in (
        client.post(f"/api/why/{stored.id}?track=0&time_s=0.2"),
        client.post(f"/api/why/{stored.id}?track=0&time_s=0.2&model={name}"),
    ):
        assert answer.status_code == 404
        said = answer.json()["error"]
        assert f"{name} (SHA-256 abababababab)" in said and "Add the folder of that network" in said
        assert ("Another network goes by that name now." in said) == (name == DEFAULT_CHECKPOINT)
    with pytest.raises(StoreError, match="A heatmap needs the network"):
        why.ask_span(stored.id, track=0, start_s=0.0, end_s=1.0, clip=True)


def test_tiles_of_a_table_that_was_edited_meanwhile_are_refused(client: TestClient, stored: Analysis) -> None:
    v = client.get(f"/api/timeline/{stored.id}").json()["version"]
    assert client.get(f"/api/tiles/{stored.id}/0/0?v={v}").status_code == 200
    stored.do({"do": "split", "person": 0, "at_s": 1.0})
    assert client.get(f"/api/tiles/{stored.id}/0/0?v={v}").status_code == 409


def test_a_lens_that_cannot_be_leaves_nothing_behind(analysis: Analysis) -> None:
    for model in ("x", "y", "z"):
        with pytest.raises(StoreError):
            prepared.prepared(analysis, Lens(model=model))
    assert prepared._locks == {}
