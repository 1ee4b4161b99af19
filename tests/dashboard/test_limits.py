"""What others send or ask for is limited: memory and time of files that are looked into, room on the disk, requests
that never end, and how much one video may ask of the inspector."""

from __future__ import annotations

import ast
import asyncio
import os
import socket
import subprocess
import sys
import threading
import time
import tomllib
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import uvicorn
from starlette.testclient import TestClient
from uvicorn.protocols.http.auto import AutoHTTPProtocol

from dashboard.services import jobs, kinds, patience, places, probe, queues, uploads
from fer_core.errors import InputError, VideoError
from fer_core.video.reader import VideoReader
from tests.support import ROOT
from tests.support.bad_files import write_bad


def begin(client: TestClient, total: int, content: bytes = b"x", **more: Any) -> tuple[str, dict[str, Any]]:
    upload_id = more.pop("upload_id", None) or places.new_id()
    params = {"name": "a.mp4", "offset": 0, "total": total} | more
    return upload_id, client.put(f"/api/upload/{upload_id}", params=params, content=content).json()


# files that are looked into


def test_the_server_itself_opens_no_file(client: TestClient, clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(VideoReader, "__post_init__", lambda self: pytest.fail("decoded in the server"))
    data = clip.read_bytes()
    upload_id, answer = begin(client, len(data), data)
    job = jobs.get(answer["job"])
    assert job is not None and (job.id, job.info["width"], job.info["bytes"]) == (upload_id, 320, len(data))
    assert job.info["tracks"][0]["width"] == 320


@pytest.fixture
def bomb(tmp_path: Path) -> Path:
    """A picture of 16 megapixels in some 20 kB."""
    cv2.imwrite(str(tmp_path / "bomb.png"), np.zeros((4096, 4096), np.uint8))
    return tmp_path / "bomb.png"


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the system knows no such limit")
def test_a_picture_that_needs_more_memory_than_there_is_says_so(bomb: Path) -> None:
    assert bomb.stat().st_size < 50_000
    assert probe.probe(bomb, "bomb.png")["width"] == 4096
    code = (
        "import sys; from dashboard.services import probe as p; p.MEMORY_BYTES = 10**8; print(p._told(*sys.argv[1:]))"
    )
    told = subprocess.run([sys.executable, "-c", code, str(bomb), "b.png"], cwd=ROOT, capture_output=True, text=True)
    assert "b.png needs more than 0.1 GB to be opened" in told.stdout, told.stderr


def test_what_takes_too_long_or_breaks_its_program_says_so(clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe, "PATIENCE_S", 0.001)
    with pytest.raises(VideoError, match=r"talk\.mp4 could not be opened within 0 s"):
        probe.probe(clip, "talk.mp4")
    monkeypatch.setattr(probe, "PATIENCE_S", 60.0)
    monkeypatch.setattr(probe.sys, "executable", "false")
    with pytest.raises(VideoError, match=r"talk\.mp4 broke off the program"):
        probe.probe(clip, "talk.mp4")


def test_messages_of_bad_files_come_over(tmp_path: Path) -> None:
    with pytest.raises(VideoError, match=r"m\.mp4 cannot be opened as a video: it seems to be a text file"):
        probe.probe(write_bad(tmp_path, "text"), "m.mp4")


# room on the disk


def test_room_is_spoken_for_until_a_file_is_there(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(places, "free_bytes", lambda: uploads.SPARE_BYTES + 100)
    first, answer = begin(client, 60, b"x" * 20)
    assert answer == {"received": 20}
    assert "disk space" in begin(client, 61)[1]["error"], "40 of 100 bytes are spoken for"
    assert begin(client, 59)[1] == {"received": 1}
    assert "disk space" in begin(client, 3)[1]["error"]
    client.delete(f"/api/upload/{first}")
    assert begin(client, 40)[1] == {"received": 1}


def test_no_more_than_so_many_files_are_on_their_way(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads, "MAX_UNFINISHED", 2)
    begin(client, 10), begin(client, 10)
    assert "2 files are on their way already" in begin(client, 10)[1]["error"]


def test_what_nobody_goes_on_with_is_dropped_after_an_hour(client: TestClient, clip: Path) -> None:
    left, sending = begin(client, 10)[0], begin(client, 10)[0]
    data = clip.read_bytes()
    ready = begin(client, len(data), data)[0]
    for upload_id, minutes in ((left, 61), (sending, 59), (ready, 10_000)):
        for path in (*(folder := places.upload_folder(upload_id)).iterdir(), folder):
            os.utime(path, (time.time() - 60 * minutes,) * 2)
    uploads.drop_old()
    assert {path.name for path in places.uploads().iterdir()} == {sending, ready}


def test_an_upload_that_was_broken_off_goes_on(client: TestClient, clip: Path) -> None:
    data = clip.read_bytes()
    upload_id, _ = begin(client, len(data), data[:1000])
    state = client.get(f"/api/upload/{upload_id}").json()
    assert state == {"received": 1000, "total": len(data)}
    _, answer = begin(client, len(data), data[1000:], offset=1000, upload_id=upload_id)
    assert answer["job"] == upload_id
    assert client.get(f"/api/upload/{upload_id}").json() == {"received": 0, "total": 0}
    assert "out of order" in begin(client, 10, upload_id=upload_id)[1]["error"], "it is whole"


# requests that never end


def test_a_request_that_stops_in_the_middle_is_answered_and_what_came_is_kept(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patience, "PAUSE_S", 0.05)
    upload_id = places.new_id()

    class Never:
        """An application that sees a request whose second piece never comes."""

        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            pieces = iter([{"type": "http.request", "body": b"abc", "more_body": True}])

            async def given() -> Any:
                return next(pieces, None) or await asyncio.Event().wait()

            await client.app(scope, given, send)  # type: ignore[operator]

    stuck = TestClient(Never(), base_url=str(client.base_url), headers=dict(client.headers))
    answer = stuck.put(f"/api/upload/{upload_id}", params={"name": "a", "total": 10}, content=b"abc")
    assert answer.status_code == 408 and "did not arrive in time" in answer.json()["error"]
    assert client.get(f"/api/upload/{upload_id}").json() == {"received": 3, "total": 10}


def test_a_connection_that_says_nothing_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await asyncio.sleep(0.6)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"here"})

    monkeypatch.setattr(AutoHTTPProtocol, "connection_made", AutoHTTPProtocol.connection_made)  # is put back
    monkeypatch.setattr(patience, "HEAD_S", 0.3)
    patience.see_to_connections()
    seen_to, at_once = AutoHTTPProtocol.connection_made, list[bool]()

    def connection_made(self: Any, transport: Any) -> None:
        seen_to(self, transport)
        connected = transport.get_extra_info("socket")
        at_once.append(bool(connected.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)))

    monkeypatch.setattr(AutoHTTPProtocol, "connection_made", connection_made)
    listening = socket.create_server(("127.0.0.1", 0))  # like Streamlit's, of no protocol that asyncio knows for TCP
    server = uvicorn.Server(uvicorn.Config(app, lifespan="off", log_level="error", ws="none"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    try:
        with socket.create_connection(listening.getsockname(), timeout=20) as silent:
            silent.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n")  # its head has no end
            assert silent.recv(100) == b""
        with socket.create_connection(listening.getsockname(), timeout=20) as asking:
            asking.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            answer = b""
            while piece := asking.recv(1000):
                answer += piece
            assert b"here" in answer, "an answer may take longer than a question"
        assert at_once == [True, True], "the content of an answer would wait for the receipt of its head"
    finally:
        server.should_exit = True
        thread.join(20)
        listening.close()


# memory


def test_a_worker_takes_no_more_memory_than_it_may() -> None:
    code = (
        "from dashboard.services.worker import bound_memory\nbound_memory(3 << 29)\n"
        "import cv2, numpy as np, torch\n"
        "from fer_core.errors import is_no_memory\n"
        "for take in (lambda: bytearray(2 << 30), lambda: np.ones(2 << 30, np.uint8), lambda: torch.ones(2 << 30),"
        " lambda: cv2.resize(np.ones((9, 9), np.uint8), (60000, 60000))):\n"
        "    try:\n        take()\n        print('taken')\n"
        "    except Exception as error:\n        print(is_no_memory(error))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.stdout.split() == ["True"] * 4, done


def test_what_comes_by_streamlits_own_way_is_kept_in_memory_and_therefore_small() -> None:
    """Only weights may take what the server allows; videos come in slices, to the disk."""
    settings = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text(encoding="utf-8"))
    assert settings["server"]["maxUploadSize"] <= 400
    unbounded = []
    for path in (ROOT / "dashboard").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and node.func.attr == "file_uploader"
            ):
                most = next((each.value for each in node.keywords if each.arg == "max_upload_size"), None)
                assert most is None or (isinstance(most, ast.Constant) and most.value <= 30)
                unbounded += [path.name] if most is None else []
    assert unbounded == ["adding.py"]


# the inspector


def test_many_questions_about_one_video_do_not_stand_before_those_about_another(home: Path) -> None:
    def ask(target: str) -> str:
        return queues.ask(kinds.WHY, kinds.WhyRequest(0, 0.0), name="a.mp4", target=target)

    mine = [ask("a" * 32) for _ in range(queues.MAX_OF_ONE)]
    with pytest.raises(InputError, match="8 questions about this video wait already"):
        ask("a" * 32)
    other = ask("b" * 32)
    jobs.add("c" * 32, kind="picture", name="c.png")
    queues.start("c" * 32, kinds.AnalyzeRequest(checkpoint=("x",)))
    order = [task.args[0] for task in queues.QUEUES[kinds.INSPECTOR].pending()]
    assert order == [mine[0], other, *mine[1:], "c" * 32]


def test_the_inspector_takes_no_more_than_it_can_answer(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queues, "MAX_CLICKS", 3)
    for letter in "abc":
        queues.ask(kinds.WHY, kinds.WhyRequest(0, 0.0), name="a.mp4", target=letter * 32)
    with pytest.raises(InputError, match="Ask again in a minute"):
        queues.ask(kinds.WHY, kinds.WhyRequest(0, 0.0), name="a.mp4", target="d" * 32)
    assert len(jobs.with_state("queued")) == 3
