"""Where the workbench keeps what a user adds. Needs nothing else of the project, so that every part can ask."""

from __future__ import annotations

import os
from pathlib import Path


def data_home() -> Path:
    """The data folder (``FER_HOME``, else ``~/.fer-workbench``), whether it is there or not."""
    return Path(os.environ.get("FER_HOME") or Path.home() / ".fer-workbench").expanduser().resolve()


def detectors_folder() -> Path:
    """Where weights of face detectors are: ``FER_DETECTORS``, else ``detectors/`` in the data folder."""
    given = os.environ.get("FER_DETECTORS")
    return Path(given).expanduser() if given else data_home() / "detectors"


def pretrained_folder() -> Path:
    """Where ImageNet weights are that were put there for machines without a network: ``pretrained/`` in the data
    folder."""
    return data_home() / "pretrained"
