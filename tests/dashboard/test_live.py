"""Live views: whose turn it is, what becomes of a process that dies or hangs, and the real one from end to end."""

from __future__ import annotations

import io
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import wait
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from starlette.testclient import TestClient

from dashboard.services import live, live_wire, live_worker, places, processes
from fer_core.errors import InputError
from fer_core.faces.detectors import DETECTORS
from fer_core.live import MAX_BYTES
from fer_core.models.folders import runnable_names
from tests.support.reading import content

ANNA, BEN, CEM = "anna0000", "ben00000", "cem00000"


@pytest.fixture
def echo(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[live.LiveProcess]:
    """The server's side, with a process that only pretends to look."""
    start = processes.start
    monkeypatch.setattr(processes, "start", lambda _, *rest, **more: start("tests.support.live_echo", *rest, **more))
    process = live.LiveProcess()
    yield process
    process.stop()
    assert process.state == "off" and process._thread is None


def ask(process: live.LiveProcess, session: str, what: str = "", data: bytes = b"x", time_ms: float = 1.0) -> Any:
    return process.ask(session, data, time_ms=time_ms, checkpoint=what, detector="")


def test_an_answer_has_what_was_asked_and_how_long_it_waited(echo: live.LiveProcess) -> None:
    assert echo.state == "off"
    answer = ask(echo, ANNA, data=b"x" * 1000, time_ms=12.5).result(10)
    assert answer.items() >= {"state": "ok", "time_ms": 12.5, "bytes": 1000}.items() and answer["waited_ms"] >= 0
    assert echo.state == "ready" and answer["pid"] != os.getpid()


def test_of_a_tab_only_the_newest_frame_waits(echo: live.LiveProcess) -> None:
    first = ask(echo, ANNA, "slow")
    while not first.running():
        time.sleep(0.01)
    others = [ask(echo, ANNA, time_ms=i) for i in range(1, 5)]
    states = [each.result(10)["state"] for each in others]
    assert states == ["dropped"] * 3 + ["ok"] and first.result(10)["state"] == "ok"
    assert others[0].result()["time_ms"] == 1


def test_tabs_take_turns_however_much_one_sends(echo: live.LiveProcess) -> None:
    busy = ask(echo, CEM, "slow")
    while not busy.running():
        time.sleep(0.01)
    order: list[str] = []
    greedy = [ask(echo, ANNA, "slow")]
    shy = ask(echo, BEN, "slow")
    greedy += [ask(echo, ANNA, "slow") for _ in range(20)]
    for name, each in (("anna", greedy[-1]), ("ben", shy)):
        each.add_done_callback(lambda _, name=name: order.append(name))
    assert shy.result(10)["state"] == greedy[-1].result(10)["state"] == "ok"
    assert order == ["anna", "ben"], "a newer frame keeps its tab's turn, and takes no other's"


def test_a_frame_that_nobody_waits_for_is_not_looked_at(echo: live.LiveProcess) -> None:
    busy = ask(echo, ANNA, "slow")
    while not busy.running():
        time.sleep(0.01)
    given_up = ask(echo, BEN, "die")
    assert given_up.cancel()
    assert ask(echo, CEM).result(10)["pid"] == busy.result(10)["pid"]


@pytest.mark.parametrize("how", ["die", "nonsense", "hang", "killed"])
def test_a_process_that_fails_is_started_anew(
    echo: live.LiveProcess, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    monkeypatch.setattr(live, "HANG_S", 1.0)
    monkeypatch.setattr(live, "REST_S", 0.0)
    pid = ask(echo, ANNA).result(10)["pid"]
    if how == "killed":
        os.kill(pid, signal.SIGKILL)
    else:
        assert ask(echo, ANNA, how).result(10)["state"] == "starting"
    began = time.monotonic()
    while (answer := ask(echo, ANNA).result(10))["state"] == "starting":
        assert time.monotonic() - began < 5
    assert answer["pid"] != pid
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_one_that_dies_at_once_rests_before_the_next(echo: live.LiveProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "REST_S", 1000.0)
    assert ask(echo, ANNA, "die").result(10)["state"] == "starting"
    assert ask(echo, ANNA).result(10)["state"] == "starting" and echo.state == "off"


def test_a_mistake_of_ours_is_told_and_ends_nothing(echo: live.LiveProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> None:
        raise RuntimeError("a bug")

    with monkeypatch.context() as patched:
        patched.setattr(live_wire, "receive", broken)
        with pytest.raises(RuntimeError, match="a bug"):
            ask(echo, ANNA).result(10)
    assert ask(echo, ANNA).result(10)["state"] == "ok"


def test_who_is_away_is_forgotten_and_eight_are_enough(echo: live.LiveProcess) -> None:
    tabs = [f"tab0000{i}" for i in range(live.MAX_TABS)]
    wait([ask(echo, tab) for tab in tabs])
    with pytest.raises(InputError, match="8 live views are open already"):
        ask(echo, ANNA)
    echo.forget(tabs[0])
    assert ask(echo, ANNA).result(10)["forgotten"] == [tabs[0]]
    for tab in echo._seen:
        echo._seen[tab] -= live.AWAY_S + 1
    assert ask(echo, BEN).result(10)["forgotten"] == sorted([*tabs, ANNA])
    with pytest.raises(InputError, match="8 to 32 small letters"):
        echo.forget("../secret")


def test_the_process_ends_when_nobody_looks_and_comes_back(
    echo: live.LiveProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "IDLE_S", 0.2)
    monkeypatch.setattr(live, "CHECK_S", 0.05)
    pid = ask(echo, ANNA).result(10)["pid"]
    until(lambda: echo.state == "off" and echo._thread is None)
    assert ask(echo, ANNA).result(10)["pid"] != pid


def until(holds: Callable[[], bool], patience_s: float = 60.0) -> None:
    began = time.monotonic()
    while not holds():
        assert time.monotonic() - began < patience_s
        time.sleep(0.05)


# the routes and the real process


def jpeg(image: np.ndarray, kind: str = "JPEG") -> bytes:
    data = io.BytesIO()
    Image.fromarray(image).save(data, kind)
    return data.getvalue()


@pytest.fixture
def page(client: TestClient) -> Iterator[TestClient]:
    yield client
    live.PROCESS.stop()


def test_what_a_page_can_offer(client: TestClient) -> None:
    found = client.get("/api/live").json()
    assert [each["name"] for each in found["checkpoints"]] == runnable_names() and found["state"] == "off"
    usable = {each["name"]: each["usable"] for each in found["detectors"]}
    assert usable.keys() == DETECTORS.keys() and usable["mtcnn"] and usable["haar"]
    assert all(bool(each["why"]) != each["usable"] for each in found["detectors"])


@pytest.mark.parametrize(
    ("path", "data", "said"),
    [
        (f"{ANNA}?time_ms=soon", b"x", "time_ms must be a number"),
        (f"{ANNA}?time_ms=nan", b"x", "time_ms must be a number"),
        ("short?time_ms=1", b"x", "8 to 32 small letters"),
        ("UPPERCASE0?time_ms=1", b"x", "8 to 32 small letters"),
        ("a" * 33 + "?time_ms=1", b"x", "8 to 32 small letters"),
        pytest.param(f"{ANNA}?time_ms=1", b"x" * (MAX_BYTES + 1), "at most 2 MB", id="too large"),
    ],
)
def test_what_is_no_frame_starts_nothing(client: TestClient, path: str, data: bytes, said: str) -> None:
    answer = client.post(f"/api/live/{path}", content=data)
    assert answer.status_code == 422 and said in answer.json()["error"]
    assert client.delete("/api/live/..%2f", follow_redirects=False).status_code in (307, 404, 405, 422)
    assert live.PROCESS.state == "off" and not live.PROCESS._seen


def post(page: TestClient, data: bytes, session: str = ANNA, *, patience_s: float = 300.0, **asked: Any) -> Any:
    """The first answer that is not ``starting``."""
    began, clock = time.monotonic(), time.monotonic
    while True:
        told = {"time_ms": 1000 * clock(), **asked}
        answer = page.post(f"/api/live/{session}", params=told, content=data)
        if answer.json().get("state") != "starting":
            return answer
        assert clock() - began < patience_s
        time.sleep(0.05)


@pytest.mark.nightly  # the real process loads its networks twice
def test_the_real_process_from_end_to_end(page: TestClient, portrait: np.ndarray) -> None:
    picture = jpeg(portrait)
    first = page.post(f"/api/live/{ANNA}", params={"time_ms": 1}, content=picture)
    assert first.status_code == 200 and first.json()["state"] == "starting"
    assert page.get("/api/live").json()["state"] == "starting"
    answer = post(page, picture, time_ms=7.5)
    seen = answer.json()
    assert answer.headers["cache-control"] == "no-cache" and page.get("/api/live").json()["state"] == "ready"
    assert (seen["state"], seen["time_ms"], seen["width"], seen["height"]) == ("ok", 7.5, 320, 240)
    (face,) = seen["faces"]
    assert face["track"] == 0 and face["emotion"] == "happy" and face["group"] == "positive"
    assert seen["work_ms"] > 0 and sum(face["p"].values()) == pytest.approx(1, abs=1e-5)
    assert post(page, picture, time_ms=7.5).json()["state"] == "dropped", "not later than the one before"
    assert post(page, picture, "haar0000", detector="haar").json()["state"] == "ok"
    hostile = [b"", b"junk" * 1000, picture[:900], jpeg(portrait, "PNG")[:500], jpeg(portrait, "BMP")]
    for data in hostile:
        bad = post(page, data)
        assert bad.status_code == 422 and "frame" in bad.json()["error"].lower()
    for asked in ({"checkpoint": "../x"}, {"detector": "none"}, {"detector": "retinaface-resnet50"}):
        bad = post(page, picture, BEN, **asked)
        assert bad.status_code == 422 and bad.json()["error"]
    assert post(page, picture, BEN).json()["state"] == "ok"
    shared_fairly(picture)
    assert page.delete(f"/api/live/{ANNA}").json() == page.post(f"/api/live/{BEN}/end").json() == {}
    assert post(page, picture).json()["faces"][0]["track"] == 0
    nothing_is_kept(picture)
    process = live.PROCESS._process
    assert process is not None
    os.kill(process.pid, signal.SIGKILL)
    assert post(page, picture).json()["state"] == "ok" and process.pid != live.PROCESS._process.pid  # type: ignore[union-attr]


def shared_fairly(picture: bytes) -> None:
    counts, ends = {ANNA: 0, BEN: 0}, time.monotonic() + 2

    def tab(name: str) -> None:
        while time.monotonic() < ends:
            future = live.PROCESS.ask(name, picture, time_ms=1000 * time.monotonic(), checkpoint="", detector="")
            counts[name] += future.result(30)["state"] == "ok"

    threads = [threading.Thread(target=tab, args=(name,)) for name in counts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    fewer, more = sorted(counts.values())
    assert fewer >= 2 and more - fewer <= max(2, 0.1 * more), counts


def nothing_is_kept(picture: bytes) -> None:
    files = [path for path in places.home().rglob("*") if path.is_file()]
    assert any(path.name == "live.out" for path in files)
    for path in files:
        data = content(path)
        assert b"JFIF" not in data and picture[200:230] not in data, path
    assert not any(places.store().root.iterdir())


# the desk at which frames are answered


def test_the_process_answers_until_the_server_is_gone(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    forgotten: list[str] = []
    monkeypatch.setattr(live_worker.Desk, "answer", lambda _, asked, data: {"had": len(data), **asked})
    monkeypatch.setattr(live_worker.Desk, "forget", lambda _, session: forgotten.append(session))
    ours, theirs = socket.socketpair()
    thread = threading.Thread(target=live_worker.serve, args=(theirs,))
    thread.start()
    live_wire.send(ours, {"forget": ANNA})
    live_wire.send(ours, {"session": BEN}, b"x" * 300_000)
    assert live_wire.receive(ours) == ({"had": 300_000, "session": BEN}, b"") and forgotten == [ANNA]
    ours.close()
    thread.join(10)
    assert not thread.is_alive()
    theirs.close()


def test_a_view_begins_anew_with_another_choice_or_another_clock(
    home: Path, monkeypatch: pytest.MonkeyPatch, portrait: np.ndarray
) -> None:
    made: list[tuple[str, str]] = []

    class View:
        last_s = -np.inf

        def see(self, image: np.ndarray, time_s: float) -> Any:
            self.last_s = time_s
            raise RuntimeError("a bug")

    def load(checkpoint: str, detector: str) -> Callable[[], View]:
        def make() -> View:
            made.append((checkpoint, detector))
            return View()

        return make

    monkeypatch.setattr(live_worker, "_load", load)
    desk, picture, default = live_worker.Desk(), jpeg(portrait), runnable_names()[0]

    def answer(time_ms: float, detector: str = "", data: bytes = picture) -> dict[str, Any]:
        asked = {"session": ANNA, "time_ms": time_ms, "checkpoint": "", "detector": detector}
        while (found := desk.answer(asked, data)).get("state") == "starting":
            time.sleep(0.01)
        return found

    assert "could not be looked at" in answer(5000)["error"] and made == [(default, "mtcnn")]
    assert answer(4500)["state"] == "dropped" and len(made) == 1
    assert "error" in answer(100) and len(made) == 2, "the clock was set back"
    assert "error" in answer(200, "haar") and made[-1] == (default, "haar")
    desk.forget(ANNA)
    assert "error" in answer(100, "haar") and len(made) == 4
    assert answer(300, "haar", b"junk")["error"].startswith("The frame is no")
