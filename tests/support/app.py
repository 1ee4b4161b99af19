"""The app as ``make run`` starts it, and the browser that looks at it."""

from __future__ import annotations

import itertools
import os
import re
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from tests.support import ROOT
from tests.support.entry import PORTS, let_in

CHROMIUM = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
NOISE = re.compile(r"status of 404 .*|.*preloaded.*")
"""Streamlit asks for its own health under the page's path first (its documentation calls that harmless)."""
_RUNTIMES = Path(tempfile.mkdtemp(prefix="fer-tests-")) / "runtimes"
PATIENCE_S = 90
"""What a machine that does several things at once may take for one of them."""
STILL = """addEventListener("DOMContentLoaded", () => document.head.append(Object.assign(
    document.createElement("style"), { textContent: "* { animation: none !important; transition: none !important }" }
)))"""
"""Nothing moves by itself: what turns while a test waits takes the time of what it waits for."""
_PORTS = itertools.count(os.getpid())
CHROMIUM_ARGUMENTS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip


def chromium_path() -> str | None:
    """Chromium or Chrome on the PATH, or None."""
    return next(filter(None, map(shutil.which, CHROMIUM)), None)


@contextmanager
def running_chromium(path: str) -> Iterator[Any]:
    """Playwright's browser."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=path, args=list(CHROMIUM_ARGUMENTS))
        yield chromium
        chromium.close()


def new_tab(browser: Any, *, width: int = 1280, height: int = 1200) -> Any:
    """A tab that knows nothing of those before it; only the pages' scripts need not be read again."""
    context = browser.contexts[0] if browser.contexts else _new_context(browser)
    for tab in context.pages:
        tab.close()
    context.clear_cookies()
    let_in(context)
    tab = context.new_page()
    tab.set_viewport_size({"width": width, "height": height})
    tab.set_default_timeout(PATIENCE_S * 1000)
    return tab


def _new_context(browser: Any) -> Any:
    context = browser.new_context(reduced_motion="reduce")
    context.add_init_script(STILL)
    return context


@contextmanager
def watched_tab(browser: Any, *, width: int = 1280, height: int = 1200) -> Iterator[Any]:
    """A new tab; in the end there must have been no error in its console."""
    tab = new_tab(browser, width=width, height=height)
    errors: list[str] = []
    tab.on("pageerror", lambda error: errors.append(str(error)))
    tab.on(
        "console",
        lambda message: errors.append(f"{message.text} {message.location}") if message.type == "error" else None,
    )
    yield tab
    loud = [text for text in errors if not NOISE.search(text)]  # before closing, which breaks off what is under way
    tab.close()
    assert not loud, loud


@contextmanager
def running_app(
    home: Path, *, before: Sequence[str] = (), environment: Mapping[str, str] | None = None
) -> Iterator[tuple[str, int]]:
    """Start the app on a free port with ``home`` as its data folder; gives its address and process id. How networks run
    fastest is measured by the first app alone; later ones find its notes, unless another program, ``before``, starts
    them to look on."""
    if _RUNTIMES.is_dir() and not before:
        shutil.copytree(_RUNTIMES, home / "runtimes", dirs_exist_ok=True)
    port = _free_port()
    command = [*before, sys.executable, "-m", "streamlit", "run", "dashboard/app.py"]
    process = subprocess.Popen(
        [*command, "--server.headless=true", f"--server.port={port}"],
        cwd=ROOT, env=os.environ | {"FER_HOME": str(home)} | dict(environment or {}),
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        _wait_for(port, process)
        PORTS.add(port)
        yield f"http://127.0.0.1:{port}", process.pid
    finally:
        PORTS.discard(port)
        process.send_signal(signal.SIGINT)
        process.wait(PATIENCE_S)
        if (home / "runtimes").is_dir():
            shutil.copytree(home / "runtimes", _RUNTIMES, dirs_exist_ok=True)


def loose(folder: Path) -> list[str]:
    """Everything below a folder, and itself, that other accounts may read, write or enter."""
    return [
        str(path) for path in (folder, *folder.rglob("*"))
        if not path.is_symlink() and stat.S_IMODE(path.stat().st_mode) & 0o077
    ]  # fmt: skip


def at_rest(page: Any) -> None:
    """Wait until the page's script is not running."""
    page.locator("[data-testid=stApp][data-test-script-state=notRunning]").wait_for()


def row_of(page: Any, name: str) -> Any:
    """The row of an analysis in the list on the first page."""
    return page.locator("[class*=st-key-row-]", has_text=name).first


def open_button(page: Any, name: str) -> Any:
    """What opens an analysis, once it is there."""
    return row_of(page, name).get_by_role("button", name="Open", exact=True)


def children_of(pid: int, words: str) -> list[int]:
    """The processes that a process started whose command has these words in it, once there is one."""
    for _ in range(10 * PATIENCE_S):
        listed = subprocess.run(
            ["ps", "-o", "pid=,args=", "--ppid", str(pid)], capture_output=True, text=True, check=False
        )
        if found := [int(line.split()[0]) for line in listed.stdout.splitlines() if words in line]:
            return found
        time.sleep(0.1)
    return []


def _free_port() -> int:
    """A port of the range that only this process of the tests takes, below those that the system gives away."""
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    while True:
        port = 21_000 + 500 * worker + next(_PORTS) % 500
        with suppress(OSError), socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
            return port


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    for _ in range(10 * PATIENCE_S):
        assert process.poll() is None, "the app ended at once"
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise AssertionError(f"the app did not start within {PATIENCE_S} s")
