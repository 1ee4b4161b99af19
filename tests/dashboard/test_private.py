"""The running app from outside: who reaches its socket, who can read its files, and what its workers are told."""

from __future__ import annotations

import http.client
import stat
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from dashboard.services import kinds, places, workers
from tests.support.app import children_of, loose, running_app

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


def knock(address: str, host: str, origin: str) -> int:
    """The status of the answer to a socket's opening: 101 where it is let in."""
    connection = http.client.HTTPConnection(address.removeprefix("http://"), timeout=20)
    with closing(connection):
        connection.putrequest("GET", "/_stcore/stream", skip_host=True)
        for name, value in {"Host": host, "Origin": origin, **UPGRADE}.items():
            connection.putheader(name, value)
        connection.endheaders()
        return connection.getresponse().status


def test_a_web_site_whose_name_leads_here_does_not_reach_the_socket(server: tuple[str, Path, int]) -> None:
    port = server[0].rsplit(":", 1)[1]
    for name in ("localhost", "127.0.0.1"):
        assert knock(server[0], f"{name}:{port}", f"http://{name}:{port}") == 101
    for name in ("evil.example", "127.0.0.1.evil.example", "localhost.evil.example"):
        assert knock(server[0], f"{name}:{port}", f"http://{name}:{port}") == 403


@pytest.mark.skipif(sys.platform == "win32", reason="needs permissions of POSIX")
def test_other_accounts_cannot_read_the_data_folder(server: tuple[str, Path, int], outside: Path) -> None:
    """Neither what an earlier version left open, nor what this one writes; what a link leads to stays as it is."""
    address, home, _ = server
    connection = http.client.HTTPConnection(address.removeprefix("http://"), timeout=20)
    upload = f"/api/upload/{places.new_id()}?name=a.mp4&offset=0&total=10"
    with closing(connection):
        connection.request("PUT", upload, b"abc", {"Host": address.removeprefix("http://")})
        assert connection.getresponse().status == 200
    written = {path.name for path in home.rglob("*") if path.is_file()}
    assert {"jobs.sqlite", "part", "source.mp4"} <= written
    assert loose(home) == []
    assert stat.S_IMODE(outside.stat().st_mode) == 0o644


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
