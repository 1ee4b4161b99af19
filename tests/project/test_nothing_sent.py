"""Nothing leaves the machine: what the packages that we use would report is switched off before they are loaded."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.support import ROOT
from tests.support.clips import write_clip

WHOLE_WAY = """
import sys
import fer_core
from fer_core.models.classifier import load
from fer_core.models.runtime import fastest

fer_core.analyze(sys.argv[1], sys.argv[2])
fastest(load("mobilenetv2-ferplus"))
assert "onnxruntime" in sys.modules
"""


def test_an_analysis_leaves_no_file_of_telemetry(tmp_path: Path) -> None:
    """ONNX Runtime, which times itself against torch, keeps what it means to report under the home folder, next to the
    number by which its maker would know this machine again."""
    home, clip = tmp_path / "home", write_clip(tmp_path / "a.mp4", [0.0, 0.1])
    home.mkdir()
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("XDG_", "ORT_"))}
    done = subprocess.run(
        [sys.executable, "-c", WHOLE_WAY, str(clip), str(tmp_path / "out")],
        cwd=ROOT, env=kept | {"HOME": str(home), "FER_HOME": str(home / "workbench")}, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert [str(path) for path in home.rglob("*") if "microsoft" in str(path).lower() or path.suffix == ".db"] == []


def test_the_switch_stands_before_the_package_is_loaded() -> None:
    """Where the module that needs it most is imported first: the package of ours above it sets the switch."""
    code = (
        "import os, sys; os.environ.pop('ORT_DISABLE_TELEMETRY', None); import training.edge; "
        "print(os.environ['ORT_DISABLE_TELEMETRY'], 'onnxruntime' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.split() == ["1", "False"], done.stderr
