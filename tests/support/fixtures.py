"""Fixtures that several test files share: the shipped model, a clip with a face, its analysis, an empty data folder."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

os.environ["FER_HOME"] = tempfile.mkdtemp(prefix="fer-tests-")  # the user's own data folder is never touched

from dashboard.services import jobs, places, queues
from dashboard.services.doors import MIDDLEWARE
from dashboard.services.routes import ROUTES
from fer_core.models.classifier import Classifier, load
from fer_core.models.folders import DEFAULT_CHECKPOINT
from fer_core.video.pipeline import analyze
from fer_core.video.store import Analysis, open_analysis
from tests.support.clips import write_clip
from tests.support.entry import cookie


@pytest.fixture
def home() -> Path:
    """The dashboard's data folder, empty but for the queues."""
    for path in places.home().iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        elif not path.name.startswith("queue-"):  # open in this process
            path.unlink()
    for queue in queues.QUEUES.values():
        queue.flush()
    places.uploads(), places.store()
    assert jobs.with_state("ready") == []
    return places.home()


@pytest.fixture
def client(home: Path) -> Iterator[TestClient]:
    """Our own routes, asked as the pages ask them."""
    app = Starlette(routes=ROUTES, middleware=MIDDLEWARE)
    with TestClient(app, base_url="http://127.0.0.1:8501", headers={"Cookie": cookie(8501)}) as client:
        yield client


@pytest.fixture(scope="session")
def classifier() -> Classifier:
    return load(DEFAULT_CHECKPOINT)


@pytest.fixture(scope="session")
def portrait() -> np.ndarray:
    """A smiling face (public domain), RGB (240, 320, 3)."""
    from skimage.data import astronaut
    from skimage.transform import resize

    return (resize(astronaut()[0:240, 80:400], (240, 320)) * 255).astype(np.uint8)


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory, portrait: np.ndarray) -> Path:
    """Six frames with the face, four in which it is covered, six with it again; uneven times; sound."""
    covered = portrait.copy()
    covered[20:200, 80:210] = 90
    times = [0.0, 0.1, 0.2, 0.35, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.2, 1.3, 1.4, 1.5, 1.7, 2.0]
    pictures = [portrait] * 6 + [covered] * 4 + [portrait] * 6
    return write_clip(tmp_path_factory.mktemp("clip") / "talk.mp4", times, pictures=pictures, sound_from_s=0.0)


@pytest.fixture(scope="session")
def analysis(tmp_path_factory: pytest.TempPathFactory, clip: Path, classifier: Classifier) -> Analysis:
    return open_analysis(analyze(clip, tmp_path_factory.mktemp("out") / "a", checkpoint=classifier))


@pytest.fixture
def mine(tmp_path: Path, analysis: Analysis) -> Analysis:
    """A copy of the clip's analysis that may be changed; one person, 16 frames, 4 of them faceless."""
    return open_analysis(shutil.copytree(analysis.folder, tmp_path / ("cd" * 16)))
