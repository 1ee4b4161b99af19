"""Starting the app: bound to this machine, no question in the terminal, and only from its own folder."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from pathlib import Path

from tests.support import ROOT


def test_the_server_is_for_this_machine_and_private() -> None:
    settings = tomllib.loads((ROOT / ".streamlit/config.toml").read_text(encoding="utf-8"))
    assert settings["server"]["address"] == "127.0.0.1"
    assert settings["server"]["allowedHosts"] == ["localhost", "127.0.0.1"]
    assert settings["server"]["enableXsrfProtection"] is True
    assert settings["server"]["maxUploadSize"] <= 400
    assert settings["server"]["showEmailPrompt"] is False
    assert settings["browser"]["gatherUsageStats"] is False


def test_the_first_start_asks_nothing(tmp_path: Path) -> None:
    """A new user at a desktop: no credentials file, a display."""
    code = (
        "from streamlit import config; from streamlit.web import bootstrap; bootstrap.load_config_options({}); "
        "from streamlit.runtime.credentials import check_credentials; check_credentials(); print('asked nothing')"
    )
    environment = os.environ | {"HOME": str(tmp_path), "DISPLAY": ":0"}
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    assert done.stdout.strip() == "asked nothing", done.stdout + done.stderr


def test_elsewhere_it_refuses_to_start_open_to_all(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "streamlit", "run", str(ROOT / "dashboard/app.py"), "--server.headless=true"]
    environment = os.environ | {"FER_HOME": str(tmp_path), "HOME": str(tmp_path)}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode != 0
    assert "make run" in done.stdout + done.stderr
