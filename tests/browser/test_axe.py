"""No serious or critical finding of axe on any page, in either theme, with data and without."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.app import at_rest, new_tab, open_button, running_app
from tests.support.axe import grave_findings
from tests.support.screenshots import PAGES

pytestmark = pytest.mark.browser
ALWAYS = ("live",)
SLOW_MS, TRIES = 240_000, 8


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory, browser: Any) -> Iterator[str]:
    with running_app(tmp_path_factory.mktemp("home")) as (address, _):
        yield address


def look_at(page: Any, address: str, names: Any) -> dict[str, list[str]]:
    """Findings by page and theme, where there are some."""
    found = {}
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        for name in names:
            page.goto(address + PAGES[name])
            page.locator("h1, .player[data-ready=yes]").first.wait_for()
            at_rest(page)
            for _ in range(TRIES):  # the look of small print comes a moment after it
                found[f"{name}, {scheme}"] = grave_findings(page)
                if not found[f"{name}, {scheme}"]:
                    break
                page.wait_for_timeout(1000)
    page.emulate_media(color_scheme="light")
    return {name: each for name, each in found.items() if each}


def test_what_is_wrong_is_found(browser: Any, tmp_path: Path) -> None:
    page = new_tab(browser)
    (tmp_path / "bad.html").write_text("<html lang=en><title>x</title><main><h1>x</h1><img src='data:,'></main>")
    page.goto(f"file://{tmp_path}/bad.html")
    assert [each.partition(":")[0] for each in grave_findings(page)] == ["image-alt"]


def test_pages_without_data(browser: Any, address: str) -> None:
    assert look_at(new_tab(browser), address, ALWAYS) == {}


@pytest.mark.nightly
def test_every_page_with_data_and_without(browser: Any, address: str) -> None:
    page = new_tab(browser)
    assert look_at(page, address, PAGES) == {}
    page.goto(address)
    page.get_by_role("button", name="Try the sample").click()
    open_button(page, "Sample.mp4").click(timeout=SLOW_MS)
    page.locator(".player[data-ready=yes]").wait_for()
    assert look_at(page, address, ("videos", "review")) == {}
