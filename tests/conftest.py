"""Where tests find data and a browser. What is missing skips them with a reason; with ``CI=true`` it fails them."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest_plugins = ["tests.fixtures"]

CHROMIUM = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
CHROMIUM_ARGUMENTS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip


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
    from playwright.sync_api import sync_playwright

    if not (path := next(filter(None, map(shutil.which, CHROMIUM)), None)):
        missing("no Chromium on the PATH, so the app is not driven in a browser")
    with sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=path, args=list(CHROMIUM_ARGUMENTS))
        yield chromium
        chromium.close()
