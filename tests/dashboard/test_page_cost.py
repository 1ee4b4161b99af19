"""What must stay out of the process that draws pages, and what is not computed again."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from dashboard.addresses import REVIEW
from dashboard.services import places, playback
from dashboard.videos.review import tables
from fer_core.video.store import open_analysis
from fer_core.video.view import Lens
from tests.support import ROOT
from tests.support.app import running_app, watched_tab
from tests.support.long_analysis import write_long_analysis

LONG = "5e" * 16
PAGES = {
    "": "[class*=st-key-row-]",
    "review?analysis=" + LONG: ".player[data-ready=yes]",
    "live": ".live[data-ready=yes]",
    "model": "h1",
    "models": "h1",
    "systems": "h1",
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, browser: Any) -> Iterator[tuple[str, int]]:
    """The app with an analysis in its library: address and process."""
    home = tmp_path_factory.mktemp("home")
    write_long_analysis(home / "analyses" / LONG, frames=300)
    with running_app(home) as (address, pid):
        yield address, pid


@pytest.mark.browser
@pytest.mark.skipif(sys.platform != "linux", reason="asks /proc what a process has loaded")
def test_pages_open_without_a_model(server: tuple[str, int], browser: Any) -> None:
    address, pid = server
    with watched_tab(browser) as tab:
        for path, awaited in PAGES.items():
            tab.goto(f"{address}/{path}")
            tab.locator(awaited).first.wait_for()
    mapped = Path(f"/proc/{pid}/maps").read_text()
    assert "python" in mapped
    assert "libtorch" not in mapped and "onnxruntime" not in mapped


def test_what_does_not_change_is_not_computed_again(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write_long_analysis(places.store().folder(LONG), frames=300, people=2)
    playback.overview(open_analysis(folder), Lens())
    computed: list[str] = []
    for name in ("view", "segments"):
        function = getattr(tables, name)
        monkeypatch.setattr(tables, name, lambda *args, f=function, n=name: computed.append(n) or f(*args))
    app = AppTest.from_file(str(ROOT / "dashboard/main.py"), default_timeout=90)
    app.query_params["analysis"] = LONG
    app.run()
    app.switch_page(REVIEW).run()
    assert not app.exception and computed.count("view") == 1
    once = list(computed)
    app.run()
    assert computed == once, "a run of the page that changes nothing"
    for smoothing_s, views in ((2.0, 2), (0.0, 2), (2.0, 2)):
        app.session_state["smoothing"] = smoothing_s
        app.run()
        assert not app.exception and computed.count("view") == views, "each smoothing once"
