"""How long pages take, told and not judged; and what must stay out of the process that draws them."""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from dashboard.components.review import tables
from dashboard.services import places, playback
from fer_core.video.store import open_analysis
from fer_core.video.view import Lens
from tests.app import running_app, watched_tab
from tests.long_analysis import write_long_analysis

ROOT = Path(__file__).parents[1]
LONG, ROUNDS = "5e" * 16, 5
PAGES = {
    "": ".uploader",
    "library": "[class*=st-key-row-]",
    "review?analysis=" + LONG: ".player[data-ready=yes]",
    "inspect": "h1",
    "checkpoints": "h1",
    "systems": "h1",
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, browser: Any) -> Iterator[tuple[str, int]]:
    """The app with half an hour of three people in its library: address and process."""
    home = tmp_path_factory.mktemp("home")
    write_long_analysis(home / "analyses" / LONG, frames=54_000)
    with running_app(home) as (address, pid):
        yield address, pid


def _visit(tab: Any, address: str, awaited: str) -> float:
    """Seconds until what is awaited is there; files that the browser keeps are not fetched again."""
    tab.goto("about:blank")
    started = time.perf_counter()
    tab.goto(address)
    tab.locator(awaited).first.wait_for()
    return time.perf_counter() - started


@pytest.mark.browser
def test_pages_open_without_a_model(server: tuple[str, int], browser: Any, capsys: pytest.CaptureFixture[str]) -> None:
    address, pid = server
    spent: dict[str, list[tuple[float, float]]] = {path: [] for path in PAGES}
    for _ in range(1 + ROUNDS):
        for path, awaited in PAGES.items():
            with watched_tab(browser) as tab:
                spent[path].append(
                    (_visit(tab, f"{address}/{path}", awaited), _visit(tab, f"{address}/{path}", awaited))
                )
    with capsys.disabled():
        print("\nseconds until a page can be used: the first time, a new visitor, the same once more")  # noqa: T201
        for path, seconds in spent.items():
            new, again = (statistics.median(each) for each in zip(*seconds[1:], strict=True))
            print(f"  /{path.split('?')[0]:12} {seconds[0][0]:5.2f} {new:5.2f} {again:5.2f}")  # noqa: T201
    if sys.platform == "linux":
        mapped = Path(f"/proc/{pid}/maps").read_text()
        assert "libpython" in mapped or "python" in mapped
        assert "libtorch" not in mapped and "onnxruntime" not in mapped


def test_what_does_not_change_is_not_computed_again(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write_long_analysis(places.store().folder(LONG), frames=300, people=2)
    playback.overview(open_analysis(folder), Lens())
    computed: list[str] = []
    for name in ("view", "segments"):
        function = getattr(tables, name)
        monkeypatch.setattr(tables, name, lambda *args, f=function, n=name: computed.append(n) or f(*args))
    app = AppTest.from_file(str(ROOT / "dashboard/main.py"), default_timeout=30)
    app.query_params["analysis"] = LONG
    app.run()
    app.switch_page("app_pages/review.py").run()
    assert not app.exception and computed.count("view") == 1
    once = list(computed)
    app.run()
    assert computed == once, "a run of the page that changes nothing"
    for smoothing_s, views in ((2.0, 2), (0.0, 2), (2.0, 2)):
        app.session_state["smoothing"] = smoothing_s
        app.run()
        assert not app.exception and computed.count("view") == views, "each smoothing once"
