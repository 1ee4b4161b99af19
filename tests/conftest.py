"""How the suite runs: over several processes, each with one thread for its numbers, long groups first; and where tests
find data and a browser. What is missing skips them with a reason; with ``CI=true`` it fails them."""

from __future__ import annotations

import os

# before torch, OpenCV and UMAP: there is a process for every core, and threads that wait for each other cost tenfold
os.environ |= dict.fromkeys(("OMP_NUM_THREADS", "OPENCV_FOR_THREADS_NUM", "NUMBA_NUM_THREADS"), "1")

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.app import chromium_path, running_chromium

pytest_plugins = ["tests.support.fixtures"]


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What shares a fixture of its module stays in one process, and so do the browser's tests; everything else goes to
    whoever is free. What takes long begins first, so that no process is left alone with it at the end."""
    for item in items:
        if _is_browsers(item):
            item.add_marker(pytest.mark.xdist_group("browser"))
        elif _shares_a_fixture(item) and not getattr(item.module, "SPLITS", False):  # type: ignore[attr-defined]
            item.add_marker(pytest.mark.xdist_group(item.nodeid.split("::")[0]))
    items.sort(key=lambda item: (not _is_browsers(item), "training" not in item.path.parts, not _is_grouped(item)))


def _is_browsers(item: pytest.Item) -> bool:
    return item.get_closest_marker("browser") is not None


def _is_grouped(item: pytest.Item) -> bool:
    return item.get_closest_marker("xdist_group") is not None


def _shares_a_fixture(item: pytest.Item) -> bool:
    known = getattr(item, "_fixtureinfo", None)
    return known is not None and any(each[-1].scope == "module" for each in known.name2fixturedefs.values() if each)


def missing(reason: str) -> None:
    """Skip the test, or fail it where everything is expected to be there."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder that holds the data sets and the videos of known content: ``FER_DATA``."""
    if not (root := os.environ.get("FER_DATA")):
        missing("FER_DATA is not set to the folder that holds fer2013/ and videos/")
    return Path(str(root))


@pytest.fixture(scope="session")
def videos_dir(data_dir: Path) -> Path:
    if not (folder := data_dir / "videos").is_dir():
        missing(f"there are no videos of known content at {folder}")
    return folder


@pytest.fixture(scope="session")
def fer2013_dir(data_dir: Path) -> Path:
    if not (folder := data_dir / "fer2013").is_dir():
        missing(f"FER2013 is not at {folder}")
    return folder


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Chromium, driven by Playwright."""
    if not (path := chromium_path()):
        missing("no Chromium on the PATH, so the app is not driven in a browser")
    with running_chromium(str(path)) as chromium:
        yield chromium
