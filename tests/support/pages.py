"""Pages without a browser, and what is asked of Review in one."""

from __future__ import annotations

from streamlit.testing.v1 import AppTest

from dashboard.addresses import SCRIPTS
from tests.support import ROOT


def open_page(page: str, **query: str) -> AppTest:
    app = AppTest.from_file(str(ROOT / "dashboard" / "main.py"), default_timeout=90)
    for name, value in query.items():
        app.query_params[name] = value
    app.run()
    return app.switch_page(SCRIPTS[page]).run()


def words(app: AppTest) -> str:
    """All text on the page."""
    kinds = ("title", "subheader", "markdown", "caption", "info", "warning", "error", "success")
    return "\n".join(str(each.value) for kind in kinds for each in getattr(app, kind))


def can_be_deleted(app: AppTest, analysis_id: str) -> bool:
    """Whether the row of an analysis offers that: a damaged one by a button, others among more."""
    has_button = any(button.key == f"delete-{analysis_id}" for button in app.button)
    return has_button or any(menu.key == f"more-{analysis_id}" and "Delete" in menu.options for menu in app.menu_button)


INFO = {
    "width": 640,
    "height": 360,
    "is_picture": False,
    "duration_s": 19.0,
    "mean_fps": 24.0,
    "codec": "h264",
    "bytes": 1,
}


ZOOM = """async (player, [time, emotion]) => {
    const own = player.player;
    const start = performance.now();
    own.timeline.zoomAt(time, 0.3);
    do await new Promise((done) => requestAnimationFrame(done));
    while (own.drawing || [...own.analysis.kept.values()].includes(null));
    const took = performance.now() - start;
    const [from, to] = own.inView();
    const { columns, width } = own.timeline.chart;
    const x = Math.floor(((time - from) / (to - from)) * width);
    const near = [x - 1, x, x + 1].map((at) => columns.high[at * columns.k + emotion]);
    return { took, peak: Math.max(...near) };
}"""
"""Zoom in on a time; how long until everything is drawn (ms), and the highest value there of an emotion."""
