"""Who may be one person, in a real browser: one click merges, one tells apart, and undo brings the question back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from fer_core.models.classifier import Classifier
from fer_core.video.store import open_analysis
from tests.support.app import at_rest, running_app, watched_tab
from tests.support.people import painted_analysis

pytestmark = pytest.mark.browser
PAINTED = "5e" * 16


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory, classifier: Classifier) -> Path:
    folder = tmp_path_factory.mktemp("people") / "analyses"
    folder.mkdir()
    painted_analysis(folder / PAINTED, classifier)
    return folder


@pytest.fixture(scope="module")
def address(store: Path, browser: Any) -> Iterator[str]:
    with running_app(store.parent) as (address, _):
        yield address


def people(page: Any, n: int) -> None:
    """Wait until the player shows so many people."""
    player = page.locator(".player[data-ready=yes]").element_handle()
    page.wait_for_function("([player, n]) => player.player.analysis.people.length === n", arg=[player, n])
    at_rest(page)


def test_a_proposal_is_decided_with_one_click_and_undone(browser: Any, address: str, store: Path) -> None:
    with watched_tab(browser) as page:
        page.goto(f"{address}/review?analysis={PAINTED}")
        people(page, 3)
        page.get_by_role("tab", name="People").click()
        same, apart = (page.get_by_role("button", name=name) for name in ("Same person", "Different people"))
        expect(same).to_have_count(1)
        for name in ("Person 1", "Person 3"):
            face = page.get_by_role("img", name=name, exact=True).last
            expect(face).to_be_visible()
            page.wait_for_function("image => image.naturalWidth === 112", arg=face.element_handle())
        same.click()
        people(page, 2)
        expect(same).to_have_count(0)
        assert open_analysis(store / PAINTED).edits.done == ({"do": "merge", "person": 2, "into": 0},)
        page.locator(".undo").click()
        people(page, 3)
        expect(same).to_have_count(1)
        apart.click()
        expect(apart).to_have_count(0)
        at_rest(page)
        assert open_analysis(store / PAINTED).edits.done == ({"do": "apart", "person": 0, "other": 2},)
        page.locator(".undo").click()
        expect(apart).to_have_count(1)
        assert open_analysis(store / PAINTED).edits.done == ()
