"""The running app from outside: who reaches its socket, who can read its files, and what its workers are told."""

from __future__ import annotations

import http.client
import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from dashboard.services import kinds, places, workers
from tests.support import ROOT
from tests.support.app import children_of, loose, running_app
from tests.support.entry import TOKEN, cookie

UPGRADE = {
    "Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
}  # fmt: skip
"""The opening of a socket, RFC 6455."""


@pytest.fixture(scope="module")
def outside(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file that a link in the data folder leads to; it is not ours."""
    path = tmp_path_factory.mktemp("outside") / "notes.txt"
    path.write_text("mine")
    path.chmod(0o644)
    return path


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, outside: Path) -> Iterator[tuple[str, Path, int]]:
    """The app on a data folder that an earlier version left open to all: address, folder, process."""
    home = tmp_path_factory.mktemp("home")
    for folder in (home, home / "analyses", home / "analyses" / ("ab" * 16)):
        folder.mkdir(exist_ok=True)
        folder.chmod(0o755)
    video = home / "analyses" / ("ab" * 16) / "source.mp4"
    video.write_bytes(b"a face")
    video.chmod(0o644)
    (home / "link").symlink_to(outside)
    with running_app(home) as (address, pid):
        yield address, home, pid


def knock(address: str, host: str, origin: str, sent: str | None = None) -> int:
    """The status of the answer to a socket's opening: 101 where it is let in."""
    sent = cookie(address.rsplit(":", 1)[1]) if sent is None else sent
    connection = http.client.HTTPConnection(address.removeprefix("http://"), timeout=20)
    with closing(connection):
        connection.putrequest("GET", "/_stcore/stream", skip_host=True)
        for name, value in {"Host": host, "Origin": origin, "Cookie": sent, **UPGRADE}.items():
            connection.putheader(name, value)
        connection.endheaders()
        return connection.getresponse().status


def test_a_web_site_whose_name_leads_here_does_not_reach_the_socket(server: tuple[str, Path, int]) -> None:
    port = server[0].rsplit(":", 1)[1]
    for name in ("localhost", "127.0.0.1"):
        assert knock(server[0], f"{name}:{port}", f"http://{name}:{port}") == 101
    for name in ("evil.example", "127.0.0.1.evil.example", "localhost.evil.example"):
        assert knock(server[0], f"{name}:{port}", f"http://{name}:{port}") == 403


def test_another_page_of_this_machine_does_not_reach_the_socket(server: tuple[str, Path, int]) -> None:
    port = server[0].rsplit(":", 1)[1]
    for origin in ("http://localhost:9", f"http://127.0.0.1:{port}", "null"):
        assert knock(server[0], f"localhost:{port}", origin) == 403, origin


def test_who_has_no_token_reaches_neither_page_nor_socket(server: tuple[str, Path, int]) -> None:
    address, home, _ = server
    port = address.rsplit(":", 1)[1]
    for sent in ("", "fer-1=" + TOKEN, cookie(port) + "x", cookie(port)[:-1], f"fer-{port}=", f"fer-{port}=é"):
        assert knock(address, f"localhost:{port}", f"http://localhost:{port}", sent) == 403, sent
        shut = ask(address, "/", Cookie=sent, Accept="text/html")
        assert shut.status == 401 and shut.headers["Connection"] == "close", sent
    assert TOKEN in (home / "running.txt").read_text(), "where the page says that its link stands"


def ask(address: str, path: str, **headers: str) -> http.client.HTTPResponse:
    connection = http.client.HTTPConnection(address.removeprefix("http://"), timeout=20)
    with closing(connection):
        told = {"Cookie": cookie(connection.port)}
        told |= {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request("GET", path, headers=told)
        return connection.getresponse()


@pytest.mark.parametrize("path", ["/", "/_stcore/health", "/_stcore/host-config", "/static/x.js", "/api/media/x"])
def test_what_another_page_asks_for_is_refused(server: tuple[str, Path, int], path: str) -> None:
    for headers in ({"Origin": "http://localhost:9"}, {"Origin": "null"}, {"Sec_Fetch_Site": "same-site"}):
        assert ask(server[0], path, **headers).status == 403, headers


def test_a_link_on_another_page_opens_ours_and_no_frame_holds_it(server: tuple[str, Path, int]) -> None:
    link = {"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "navigate"}
    opened = ask(server[0], "/review?video=x", Sec_Fetch_Dest="document", **link)
    assert opened.status == 200 and "frame-ancestors 'self'" in opened.headers["Content-Security-Policy"]
    assert "camera=(self)" in opened.headers["Permissions-Policy"]
    assert ask(server[0], "/review", Sec_Fetch_Dest="iframe", **link).status == 403
    assert ask(server[0], "/api/media/x", Sec_Fetch_Dest="document", **link).status == 403


@pytest.mark.skipif(sys.platform == "win32", reason="needs permissions of POSIX")
def test_other_accounts_cannot_read_the_data_folder(server: tuple[str, Path, int], outside: Path) -> None:
    """Neither what an earlier version left open, nor what this one writes; what a link leads to stays as it is."""
    address, home, _ = server
    connection = http.client.HTTPConnection(address.removeprefix("http://"), timeout=20)
    upload = f"/api/upload/{places.new_id()}?name=a.mp4&offset=0&total=10"
    with closing(connection):
        connection.request("PUT", upload, b"abc", {"Cookie": cookie(connection.port)})
        assert connection.getresponse().status == 200
    written = {path.name for path in home.rglob("*") if path.is_file()}
    assert {"jobs.sqlite", "part", "source.mp4"} <= written
    assert loose(home) == []
    assert stat.S_IMODE(outside.stat().st_mode) == 0o644


def test_a_second_start_says_where_the_first_one_is(server: tuple[str, Path, int]) -> None:
    command = [sys.executable, "-m", "streamlit", "run", "dashboard/app.py", "--server.headless=true"]
    environment = os.environ | {"FER_HOME": str(server[1])}
    second = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    said = second.stdout + second.stderr
    assert server[0].replace("127.0.0.1", "localhost") in said and "FER_HOME" in said and "Traceback" not in said
    assert ask(server[0], "/_stcore/health").status == 200


@pytest.mark.parametrize("address", ["0.0.0.0", "127.0.0.2", "::"])
def test_an_address_that_others_reach_is_refused(tmp_path: Path, address: str) -> None:
    command = [sys.executable, "-m", "streamlit", "run", "dashboard/app.py", "--server.headless=true"]
    environment = os.environ | {"FER_HOME": str(tmp_path)}
    started = subprocess.run(
        [*command, "--server.address", address],
        cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    said = started.stdout + started.stderr
    assert address in said and "ssh -L" in said and "Traceback" not in said and list(tmp_path.iterdir()) == []


def test_workers_are_told_not_to_report(monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    told: list[dict[str, str]] = []
    monkeypatch.setattr(workers.subprocess, "Popen", lambda *_, env, **__: told.append(env))
    for name in kinds.QUEUES:
        workers._start(name)
    assert [each["ORT_DISABLE_TELEMETRY"] for each in told] == ["1"] * len(kinds.QUEUES)


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="needs /proc")
def test_a_running_worker_has_the_switch(server: tuple[str, Path, int]) -> None:
    (worker,) = children_of(server[2], "dashboard.services.worker analyses")
    is_told = b"ORT_DISABLE_TELEMETRY=1" in Path(f"/proc/{worker}/environ").read_bytes().split(b"\0")
    assert is_told  # the environment itself is nobody's business
