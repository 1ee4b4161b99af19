"""Nothing leaves the machine: what the packages that we use would report is switched off before they are loaded."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.conftest import missing
from tests.support import ROOT
from tests.support.app import children_of, new_tab, open_button, running_app
from tests.support.clips import write_clip
from tests.support.traced import sent_away, tracer

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
    kept = {name: value for name, value in os.environ.items() if not name.startswith(SWITCHES)}
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


SWITCHES = ("XDG_", "ORT_", "CI")
"""Variables with which packages say, or are told, that nothing shall be reported: not by users' environments."""
QUIET_S = 90
"""What would be reported is gathered for a while first."""
NAMELESS = """
import sys, time
import numpy as np, onnx, onnxruntime

one = onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [1])
other = onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [1])
graph = onnx.helper.make_graph([onnx.helper.make_node("Identity", ["x"], ["y"])], "g", [one], [other])
model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8)
session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
session.run(None, {"x": np.ones(1, np.float32)})
time.sleep(30)
"""
"""A process that knows nothing of us."""


def test_what_is_sent_away_is_told_from_what_stays() -> None:
    stays = """
1 connect(7, {sa_family=AF_UNIX, sun_path="/var/run/nscd/socket"}, 110) = -1 ENOENT (No such file or directory)
1 connect(7, {sa_family=AF_INET, sin_port=htons(8501), sin_addr=inet_addr("127.0.0.1")}, 16) = 0
1 connect(7, {sa_family=AF_INET6, sin6_port=htons(8501), inet_pton(AF_INET6, "::1", &sin6_addr)}, 28) = 0
1 sendto(7, {nl_len=20}, 20, 0, {sa_family=AF_NETLINK, nl_pid=0, nl_groups=00000000}, 12) = 20
1 sendto(7, "x", 1, MSG_NOSIGNAL, NULL, 0) = 1
1 connect(7, {sa_family=AF_UNSPEC, sa_data="\\0"}, 16) = 0
"""
    goes = """
1 connect(7, {sa_family=AF_INET, sin_port=htons(53), sin_addr=inet_addr("127.0.0.53")}, 16) = 0
1 connect(7, {sa_family=AF_INET, sin_port=htons(443), sin_addr=inet_addr("192.0.2.1")}, 16 <unfinished ...>
1 connect(7, {sa_family=AF_INET6, sin6_port=htons(443), inet_pton(AF_INET6, "2001:db8::1", &sin6_addr)}, 28) = -1
1 sendto(7, "x", 1, 0, {sa_family=AF_INET, sin_port=htons(9), sin_addr=inet_addr("192.0.2.1")}, 16) = 1
1 sendmsg(7, {msg_name={sa_family=AF_INET, sin_port=htons(9), sin_addr=inet_addr("192.0.2.1")}, msg_namelen=16}, 0) = 1
1 connect(7, {sa_family=AF_UNIX, sun_path="/run/systemd/resolve/io.systemd.Resolve"}, 42) = 0
1 connect(7, {sa_family=AF_UNIX, sun_path="/var/run/nscd/socket"}, 110) = 0
"""
    assert sent_away(stays) == []
    assert sent_away(goes) == goes.strip().splitlines()


@pytest.mark.nightly
@pytest.mark.parametrize("is_off", [True, False])
def test_the_runtime_asks_for_its_maker_unless_it_is_switched_off(tmp_path: Path, is_off: bool) -> None:
    """So the test below could fail: without the switch the same look-on is red within half a minute."""
    if (traced := tracer(tmp_path / "trace")) is None:
        missing("strace is not installed")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(SWITCHES)}
    kept |= {"HOME": str(tmp_path)} | ({"ORT_DISABLE_TELEMETRY": "1"} if is_off else {})
    subprocess.run([*traced, sys.executable, "-c", NAMELESS], cwd=tmp_path, env=kept, check=True, timeout=120)
    away = sent_away((tmp_path / "trace").read_text())
    assert (away == []) == is_off, away


@pytest.mark.nightly
@pytest.mark.browser
def test_the_whole_way_through_the_workbench_sends_nothing(browser: Any, tmp_path: Path, portrait: np.ndarray) -> None:
    """From the start over an upload, its analysis, Why?, Inspect and Explain, in every process, and some time after."""
    if (traced := tracer(tmp_path / "trace")) is None:
        missing("strace is not installed")
    home, clip = (
        tmp_path / "home",
        write_clip(tmp_path / "a.mp4", [i / 10 for i in range(20)], pictures=[portrait] * 20),
    )
    (home / "workbench").mkdir(parents=True)
    bare = ["env", *(f"--unset={name}" for name in os.environ if name.startswith(SWITCHES))]
    with running_app(home / "workbench", before=bare + traced, environment={"HOME": str(home)}) as (address, pid):
        tab = new_tab(browser)
        tab.goto(address)
        tab.locator(".uploader input").set_input_files(str(clip))
        tab.get_by_role("button", name=re.compile("^(play_arrow )?Analyze$")).click()
        open_button(tab, "a.mp4").click(timeout=240_000)
        tab.locator(".player[data-ready=yes]").wait_for()
        tab.get_by_role("button", name="Why?").click()
        tab.locator(".why img").wait_for(timeout=240_000)
        tab.goto(f"{address}/model?labels=fer2013")
        tab.get_by_role("grid", name="7 emotions").wait_for()
        tab.goto(f"{address}/face?from=Video")
        tab.get_by_text(re.compile("^for (happy|neutral)")).first.wait_for(timeout=240_000)
        (worker,) = children_of(pid, "dashboard.services.worker analyses")
        assert "onnxruntime" in Path(f"/proc/{worker}/maps").read_text(), "else this shows nothing"
        tab.close()
        time.sleep(QUIET_S)
    told = (tmp_path / "trace").read_text()
    assert sent_away(told) == [] and len({line.split()[0] for line in told.splitlines()}) > 3
    assert [str(path) for path in home.rglob("*") if "microsoft" in str(path).lower() or path.suffix == ".db"] == []
