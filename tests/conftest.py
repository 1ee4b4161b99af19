"""Where tests find data and a browser. What is missing skips them with a reason; with ``CI=true`` it fails them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.app import chromium_path, running_chromium

pytest_plugins = ["tests.fixtures"]


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
