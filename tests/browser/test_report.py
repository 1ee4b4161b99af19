"""Reports in a real browser without any network, on paper, and on the pages that make them."""

from __future__ import annotations

import io
import re
import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fer_core.errors import InputError
from fer_core.report import pdf
from fer_core.report.analysis import analysis_report
from fer_core.report.evaluation import evaluation_report
from fer_core.report.notice import Notice, notice_page
from fer_core.video.plan import keep_plan, plan_of
from fer_core.video.store import Analysis
from tests.support.app import at_rest, new_tab, row_of, running_app
from tests.support.axe import grave_findings
from tests.support.evaluated import judged

pytestmark = pytest.mark.browser
SLOW_MS = 240_000


@pytest.fixture
def reports(mine: Analysis, clip: Path) -> dict[str, bytes]:
    """One of each kind."""
    shutil.copy(clip, mine.folder / "source.mp4")
    mark = {"id": "m", "label": "onset of it", "start_s": 0.5, "end_s": None, "track": None}
    mine = keep_plan(mine, plan_of(mine)).do({"do": "marks", "set": [mark], "remove": []})
    return {
        "analysis": analysis_report(mine),
        "evaluation": evaluation_report(judged()),
        "notice": notice_page(Notice("A", "B", "C", "D", "E", "es")),
    }


def test_they_ask_for_nothing_and_axe_finds_nothing(browser: Any, tmp_path: Path, reports: dict[str, bytes]) -> None:
    for name, page in reports.items():
        (tmp_path / f"{name}.html").write_bytes(page)
        for width in (1280, 420):
            tab = new_tab(browser, width=width)
            tab.route(re.compile("^https?:"), lambda route: route.abort())
            asked, said = list[str](), list[str]()
            tab.on("request", lambda request, asked=asked: asked.append(request.url))
            tab.on("console", lambda message, said=said: said.append(message.text))
            tab.goto(f"file://{tmp_path}/{name}.html")
            assert [url for url in asked if not url.startswith(("file:", "data:"))] == [] and said == [], name
            assert tab.evaluate("document.documentElement.scrollWidth") <= width, (
                "the page itself never scrolls sideways"
            )
            assert grave_findings(tab) == [], name
            assert tab.evaluate("[...document.images].every((each) => each.naturalWidth > 0)")


def test_they_print(reports: dict[str, bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    from pypdf import PdfReader

    assert pdf.can_print() and pdf.browser()
    made = PdfReader(io.BytesIO(pdf.to_pdf(reports["analysis"])))
    text = " ".join(page.extract_text() for page in made.pages)
    assert 3 <= len(made.pages) <= 8
    for part in (
        "Facial expressions in talk.mp4",
        "What is not claimed",
        "onset of it",
        "Methods, for a paper",
        "Barsoum",
    ):
        assert part in " ".join(text.split()), part
    assert made.pages[0].mediabox.width == pytest.approx(595, abs=2), "A4"

    monkeypatch.setattr(pdf, "BROWSERS", ())
    monkeypatch.setattr(pdf.importlib.util, "find_spec", lambda name: None)
    assert not pdf.can_print()
    with pytest.raises(InputError, match="needs Chromium or Chrome"):
        pdf.to_pdf(reports["notice"])


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, browser: Any) -> Iterator[str]:
    with running_app(tmp_path_factory.mktemp("home")) as (address, _):
        yield address


def test_from_a_plan_to_a_report(browser: Any, server: str, clip: Path, analysis: Analysis, tmp_path: Path) -> None:
    """A plan is taken on the page, the analysis says that it followed it, and everything can be taken home."""
    (tmp_path / "plan.yaml").write_text(plan_of(analysis, title="Smiles").to_yaml(), encoding="utf-8")
    (tmp_path / "bad.yaml").write_text("models: [a]\nanalysis: {mod: fast}", encoding="utf-8")
    tab = new_tab(browser)
    tab.goto(server)
    tab.locator(".uploader input").set_input_files(str(clip))
    tab.locator(".st-key-settings summary").click()
    taken = tab.locator("[data-testid=stFileUploader] input")
    taken.set_input_files(str(tmp_path / "bad.yaml"))
    tab.get_by_text("unknown key 'mod'").wait_for()
    taken.set_input_files(str(tmp_path / "plan.yaml"))
    tab.get_by_text("Smiles").wait_for()
    tab.get_by_text("by the plan").wait_for()
    tab.get_by_role("button", name=re.compile("^(play_arrow )?Analyze$")).click()
    row_of(tab, clip.name).get_by_role("button", name="Open", exact=True).click(timeout=SLOW_MS)
    tab.get_by_role("tab", name="Report").click()
    tab.get_by_text("As planned “Smiles”").wait_for()

    tab.get_by_role("spinbutton", name="year, Day").click()
    tab.keyboard.type("20261201")
    tab.get_by_label("Note").fill("By letter")
    tab.get_by_role("button", name="Save").first.click()
    tab.locator("strong", has_text="2026-12-01").wait_for()
    at_rest(tab)
    with tab.expect_download() as download:
        tab.get_by_role("button", name="Report", exact=False).filter(has_text="Report").first.click()
    report = Path(download.value.path()).read_text(encoding="utf-8")
    assert "2026-12-01 By letter" in report and "Plan “Smiles”" in report and "followed." in report
    with tab.expect_download() as download:
        tab.get_by_role("button", name="PDF").click()
    assert Path(download.value.path()).read_bytes().startswith(b"%PDF")
    with tab.expect_download() as download:
        tab.get_by_role("button", name="Archive").click()
    assert "report.html" in zipfile.ZipFile(download.value.path()).namelist()

    tab.get_by_text("Write it").click()
    for label, said in (("Who is responsible", "A"), ("What is recorded", "B"), ("What for", "C"), ("Contact", "E")):
        tab.get_by_label(label, exact=True).fill(said)
    tab.get_by_role("button", name="Save").last.click()
    tab.get_by_text("says nothing under 'how long'").wait_for()
    tab.get_by_label("For how long it is kept").fill("D")
    tab.get_by_role("button", name="Save").last.click()
    with tab.expect_download() as download:
        tab.get_by_role("button", name="Notice (English)").click()
    assert "You are being filmed" in Path(download.value.path()).read_text(encoding="utf-8")
