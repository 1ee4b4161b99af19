"""A tiny recipe, and the training command on it in this process."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path

import pytest

from fer_core.data.drawn import draw_dataset
from training import train as command

TINY = """
extends: demo
name: tiny
options: {widths: [4, 4, 8, 8], kernels: [3, 3, 3, 3], cells: 2, hidden: [8], dropout: 0.2, map_dropout: 0.1}
batch_size: 16
epochs: 2
ema: 0.9
mix: {mixup: 0.3, probability: 0.5}
"""


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("drawn") / "drawn"
    draw_dataset("folders", folder, per_class=8, seed=0)
    return folder


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    """A recipe for a network of a few kB."""
    path = tmp_path / "tiny.yaml"
    path.write_text(TINY)
    return path


@pytest.fixture
def run_tiny(
    drawn: Path, tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str, str]]:
    """The command on a tiny recipe: its status, what it printed, and its complaints. Results go to ``out``."""
    monkeypatch.setenv("FER_RUNS", str(tmp_path / "runs"))

    def run(*more: str, data: Path = drawn, out: Path | None = tmp_path / "out") -> tuple[int, str, str]:
        place = ["--out", str(out)] if out else []
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Lightning has advice on runs of a few steps
            status = command.main([str(tiny), "--data", str(data), *place, *more])
        said = capsys.readouterr()
        return status, said.out, said.err

    return run
