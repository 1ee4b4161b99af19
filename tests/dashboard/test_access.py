"""The start token: no way past it, whatever the route; where it lies, how it is told, and how a browser keeps it."""

from __future__ import annotations

import os
import re
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import streamlit as st
from starlette.datastructures import Headers
from starlette.routing import BaseRoute, Mount, Route, WebSocketRoute
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect
from streamlit import net_util

from dashboard.services import access, places
from dashboard.services.doors import MIDDLEWARE
from dashboard.services.routes import ROUTES
from fer_core.errors import InputError
from tests.support import ROOT
from tests.support.app import running_app
from tests.support.entry import TOKEN, cookie

OWN, FOREIGN = "http://127.0.0.1:8501", "http://localhost:9"


@pytest.fixture(scope="module")
def whole() -> Any:
    """The app as it is served: our routes and all of Streamlit's, not started."""
    return st.App(ROOT / "dashboard" / "main.py", routes=ROUTES, middleware=MIDDLEWARE)._build_starlette_app()


def served(routes: list[BaseRoute]) -> Iterator[tuple[str, str]]:
    """A method and an address for all that an app answers."""
    for route in routes:
        assert isinstance(route, Route | WebSocketRoute | Mount), f"of an unknown kind: {route}"
        path = re.sub(r"{[^}]*}", "0", route.path)
        if isinstance(route, Mount):
            yield from ((method, f"{path}/{name}") for method in ("GET", "POST") for name in ("", "x.js"))
        else:
            methods = (route.methods if isinstance(route, Route) else {"WS"}) or {"GET", "POST", "PUT", "DELETE"}
            yield from ((method, path) for method in sorted(methods))


def answers(client: TestClient, method: str, path: str, headers: dict[str, str]) -> int:
    """The status of an answer; of a socket that was closed before it was open the 403 that the server makes of it."""
    if method != "WS":
        return client.request(method, path, headers=headers, follow_redirects=False).status_code
    with pytest.raises(WebSocketDisconnect), client.websocket_connect(path, headers=headers):
        pass
    return 403


def test_every_route_is_shut_to_who_has_no_token_or_is_another_site(whole: Any) -> None:
    client = TestClient(whole, base_url=OWN, raise_server_exceptions=False)
    ways = sorted(set(served(whole.routes)))
    paths = {path for _, path in ways}
    assert {"/_stcore/health", "/_stcore/stream", "/_stcore/upload_file/0/0", "/api/edits/0", "/x.js"} <= {
        path.replace("//", "/") for path in paths
    }
    for method, path in ways:
        assert answers(client, method, path, {"Origin": OWN}) in (401, 403), (method, path)
        assert answers(client, method, path, {"Origin": OWN, "Cookie": "fer-8501=x" * 3}) in (401, 403), (method, path)
        assert answers(client, method, path, {"Origin": FOREIGN, "Cookie": cookie(8501)}) == 403, (method, path)


def test_nothing_stands_before_the_door(whole: Any) -> None:
    """So that no route that is added later is open, nor one that nothing knows."""
    assert whole.user_middleware[0].cls is MIDDLEWARE[0].cls
    client = TestClient(whole, base_url=OWN)
    assert client.get("/a/path/of/nothing").status_code == 401
    assert client.get("/index.html", headers={"Cookie": cookie(8501)}).status_code == 200


def test_no_page_makes_streamlit_ask_others_for_its_address(whole: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """It would, to tell whether an unknown origin is its own; the door refuses that before."""
    asked: list[str] = []
    for name in ("get_external_ip", "get_internal_ip"):
        monkeypatch.setattr(net_util, name, lambda name=name: asked.append(name))
    client, kept = TestClient(whole, base_url=OWN), {"Cookie": cookie(8501)}
    for origin in ("http://evil.example", "http://127.0.0.1.evil.example:8501", "http://[::1]:8501", "null", "x", ""):
        assert answers(client, "WS", "/_stcore/stream", kept | {"Origin": origin}) == 403, origin
        hosted = kept | {"Origin": origin, "Host": origin.removeprefix("http://") or "x"}
        assert answers(client, "WS", "/_stcore/stream", hosted) == 403, origin
    assert asked == []


def test_streamlits_own_check_would_have_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the test above could not fail."""
    from streamlit.web.server.starlette.starlette_websocket import _is_origin_allowed

    asked: list[str] = []
    for name in ("get_external_ip", "get_internal_ip"):
        monkeypatch.setattr(net_util, name, lambda name=name: asked.append(name))
    assert not _is_origin_allowed("http://evil.example", "127.0.0.1:8501")
    assert asked == ["get_internal_ip", "get_external_ip"]


@pytest.mark.parametrize("host", ["[::1", "localhost:x", "localhost:99999", "a@localhost:8501", "localhost/x", ""])
def test_a_host_that_is_none_is_refused(client: TestClient, host: str) -> None:
    assert client.get("/", headers={"Host": host}).status_code == 403
    assert client.get("/", headers={"Origin": f"http://{host}"}).status_code == 403


def test_the_link_is_exchanged_for_a_cookie_and_leaves_the_address(client: TestClient) -> None:
    asked = {"params": {"token": TOKEN, "analysis": "a b"}, "headers": {"Cookie": ""}, "follow_redirects": False}
    led = client.get("/review", **asked)
    assert (led.status_code, led.headers["Location"]) == (303, "/review?analysis=a+b")
    flags = led.headers["Set-Cookie"].split("; ")
    assert flags[0] == cookie(8501) and {"Path=/", "HttpOnly", "SameSite=Strict"} <= set(flags)
    assert client.get(f"{OWN}//evil.example/", **asked).headers["Location"].startswith("/evil.example")
    for wrong in ("", "x", TOKEN + "x", TOKEN.upper(), "é"):
        assert client.get("/review", params={"token": wrong}, headers={"Cookie": ""}).status_code == 401
    assert client.post("/api/edits/0", params={"token": TOKEN}, headers={"Cookie": ""}).status_code == 401


def test_who_has_no_token_is_told_where_the_link_stands(client: TestClient) -> None:
    shut = client.get("/review", headers={"Cookie": "", "Accept": "text/html"})
    assert shut.status_code == 401 and "running.txt" in shut.text and "refresh" not in shut.text
    assert TOKEN not in shut.text and str(places.home()) not in shut.text
    said = client.get("/api/media/0", headers={"Cookie": ""}).json()
    assert said == {"error": "Open the workbench by its link first."}


@pytest.fixture
def forgotten(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """As at a start without ``FER_TOKEN``."""
    monkeypatch.delenv("FER_TOKEN")
    access.token.cache_clear()
    yield monkeypatch
    access.token.cache_clear()


def test_the_token_is_made_once_for_its_owner_alone_and_kept(home: Path, forgotten: pytest.MonkeyPatch) -> None:
    made = access.token()
    path = home / "token"
    assert path.read_text() == made and len(made) >= 43
    assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0
    access.token.cache_clear()
    assert access.token() == made, "so that bookmarks and open pages outlive a start"
    for spoiled in (b"", b"x", b"\xff" * 43, b"a b" * 20):
        path.write_bytes(spoiled)
        access.token.cache_clear()
        anew = access.token()
        assert anew != made and path.read_text() == anew
    for told in ("short", "with a space in it", "x" * 201):
        forgotten.setenv("FER_TOKEN", told)
        access.token.cache_clear()
        with pytest.raises(InputError, match="FER_TOKEN must be 16 to 200"):
            access.token()


def test_tunnels_to_two_workbenches_keep_two_cookies() -> None:
    one, other = (Headers({"host": f"localhost:{port}", "cookie": cookie(9000)}) for port in (9000, 9001))
    assert access.is_known(one) and not access.is_known(other)
    assert access.cookie(other, is_secure=True).startswith("fer-9001=") and "Secure" in access.cookie(
        other, is_secure=True
    )


def test_the_browser_is_opened_by_a_file_and_not_by_the_link(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What a program is started with can be read by every account of the machine."""
    opened: list[str] = []
    monkeypatch.setattr(access.webbrowser, "open", opened.append)
    monkeypatch.setattr(access, "_CONFINED", ())
    for headless in (False, True):
        monkeypatch.setattr(access.config, "get_option", {"server.headless": headless, "server.port": 8501}.get)
        access.welcome()
        assert access.link() in capsys.readouterr().out, "with a browser and without one"
    assert opened == [(home / "open.html").as_uri()]
    assert access.link() in (home / "open.html").read_text()
    assert stat.S_IMODE((home / "open.html").stat().st_mode) & 0o077 == 0


def test_a_start_says_the_link_and_no_address_without_it(tmp_path: Path) -> None:
    environment = os.environ | {"FER_HOME": str(tmp_path)}
    with subprocess.Popen(
        [sys.executable, "-m", "streamlit", "run", "dashboard/app.py", "--server.headless=true", "--server.port=0"],
        cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    ) as app:  # fmt: skip
        assert app.stdout is not None
        said = []
        for line in app.stdout:
            said.append(line)
            if "Ctrl-C" in line:
                app.terminate()
    found = re.findall(r"https?://\S+", "".join(said))
    assert len(found) == 1 and re.fullmatch(rf"http://localhost:\d+/\?token={TOKEN}", found[0]), said


@pytest.fixture(scope="module")
def address(browser: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running_app(tmp_path_factory.mktemp("home")) as (address, _):
        yield address


@pytest.mark.browser
def test_a_browser_needs_the_link_once(browser: Any, address: str) -> None:
    context = browser.new_context()
    try:
        tab = context.new_page()
        assert tab.goto(f"{address}/settings").status == 401
        assert "This page needs its link" in tab.inner_text("h1")
        tab.goto(f"{address}/settings?token={TOKEN}")
        tab.get_by_role("heading", name="Settings").first.wait_for()
        assert tab.url == f"{address}/settings"
        assert TOKEN not in tab.evaluate("document.cookie"), "scripts of a page do not see it"
        tab.reload()
        tab.get_by_role("heading", name="Settings").first.wait_for()
        tab.goto(f"data:text/html,<a href='{address}/learn'>there</a>")
        tab.get_by_text("there").click()  # without our cookie at first
        tab.get_by_role("heading", name="Responsible use").first.wait_for()
    finally:
        context.close()
