"""What is stored where, and the removal of what can be made anew."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from dashboard.services import jobs, places, storage
from fer_core.errors import StoreError
from fer_core.home.layout import GROUPS
from fer_core.video.store import Analysis, folder_bytes
from tests.support.pages import words

WHOLE, RUNNING = "ab" * 16, "cd" * 16
MADE = (
    f"analyses/{WHOLE}/annotated.mp4", f"analyses/{WHOLE}/why/a.json", f"analyses/{WHOLE}/views/a.json",
    f"analyses/{WHOLE}.unfinished/crops/a.jpg", f"analyses/{RUNNING}.tmp/crops/a.jpg", "explained/a.json",
    "pictures/a.picture", "maps/a.safetensors", "runtimes/a.json", "logs/a.log", "jobs.sqlite.damaged-1",
    f"analyses/{WHOLE}/source.mp4", "evaluations/a/b.parquet", "checkpoints/a/card.json", "reviews/a.json",
)  # fmt: skip


@pytest.fixture
def filled(home: Path, analysis: Analysis) -> Path:
    """A data folder with a file of every group."""
    shutil.copytree(analysis.folder, places.store().folder(WHOLE))
    for name in MADE:
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_bytes(b"x" * 1000)
    jobs.add(RUNNING, kind="video", name="a.mp4", state="queued")
    for kind in ("why", "annotate", "copy"):
        jobs.add(f"{kind:0<32}", kind=kind, name="x", target=WHOLE, state="queued")
        jobs.finish(f"{kind:0<32}", "done")
    return home


def test_every_byte_is_counted_once(filled: Path) -> None:
    used = storage.used()
    assert sum(used.values()) == folder_bytes(filled) and all(used[name] for name in ("tables", "faces", "videos"))
    assert used["unfinished"] == 2000 and used["explained"] == used["pictures"] == 1000


@pytest.mark.parametrize("name", [group.name for group in GROUPS if group.costs])
def test_a_group_is_removed_and_nothing_else(filled: Path, name: str) -> None:
    before = storage.used()
    storage.clear(name)
    after = storage.used()
    left = {"unfinished": 1000, "queue": after["queue"]}.get(name, 0)
    assert after[name] == left, "what somebody works on stays"
    gone = {each for each in before if after[each] < before[each] and each not in (name, "queue")}
    assert gone <= ({"explained"} if name == "pictures" else set())
    assert jobs.get(RUNNING) is not None and (filled / "analyses" / WHOLE / "analysis.json").is_file()
    if name == "queue":
        assert jobs.of_target(WHOLE, "copy") is None and jobs.of_target(WHOLE, "annotate") is not None
    if name == "why":
        assert jobs.of_target(WHOLE, "why") is None and jobs.of_target(WHOLE, "annotate") is not None


def test_what_cannot_be_made_anew_is_not_removed_from_here(filled: Path) -> None:
    for group in GROUPS:
        if not group.costs:
            with pytest.raises(StoreError, match="not removed from here"):
                storage.clear(group.name)


def _storage() -> None:
    from dashboard.settings.storage import storage

    storage()


def test_the_page_lists_what_there_is_and_offers_what_is_safe(filled: Path) -> None:
    app = AppTest.from_function(_storage, default_timeout=90).run()
    assert not app.exception
    used, text = storage.used(), words(app)
    for group in GROUPS:
        assert (f"**{group.title}**" in text) == bool(used[group.name]), group.title
    offered = {button.key.removeprefix("clear-") for button in app.button if button.key.startswith("clear-")}
    assert offered == {group.name for group in GROUPS if group.costs and used[group.name]}
