"""Files of weights that come from elsewhere, read in a process of their own with limits on memory and time.

What is a pickle is read by torch's ``weights_only`` reader, which builds numbers and plain containers and nothing
else; a file that holds more is refused. The process writes safetensors, or an ONNX graph as
``fer_core.models.onnx_net`` takes it, and that is all that comes back.

    python -m fer_core.models.foreign WHAT FILE RESULT SETTINGS    (for ``in_own_process`` alone)
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from fer_core.errors import CheckpointError

State = dict[str, Tensor]
MAX_BYTES = 2_000_000_000
LIMIT_S = 180
LIMIT_BYTES = 8 << 30
"""Address space of the process beside six times the file; torch itself takes 3 GB of it."""
_INSIDE = ("state_dict", "model_state_dict", "model_state", "model", "net", "network", "weights", "params", "ema")
"""Keys under which trainings keep the weights beside other things."""
STATE, GRAPH = "state", "graph"
"""What the process makes: a state as safetensors, or an ONNX graph."""


def read_state(path: Path) -> State:
    """The weights in a ``.pth``, ``.pt``, ``.ckpt``, ``.bin`` or ``.safetensors`` file, by their names there, in order.

    Raises:
        CheckpointError: it is none, it holds more than weights, or it takes too much; the message says what to do.
    """
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / "state.safetensors"
        in_own_process(STATE, path, made, {})
        return {name.partition("|")[2]: value for name, value in sorted(load_file(made).items())}


def in_own_process(what: str, path: Path, made: Path, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Have ``made`` written from ``path`` by a process with limits; returns what it told.

    Raises:
        CheckpointError: as ``read_state``.
    """
    if not path.is_file():
        raise CheckpointError(f"There is no file {path}.")
    if path.stat().st_size > MAX_BYTES:
        raise CheckpointError(f"{path.name} is larger than {MAX_BYTES // 10**9} GB and was not opened.")
    command = [
        sys.executable,
        "-m",
        "fer_core.models.foreign",
        what,
        str(path.resolve()),
        str(made),
        json.dumps(settings),
    ]
    root = str(Path(__file__).parents[2])
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([root, os.environ.get("PYTHONPATH", "")])}
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=LIMIT_S, check=False, env=environment, cwd=made.parent
        )
    except subprocess.TimeoutExpired as error:
        raise CheckpointError(f"{path.name} took longer than {LIMIT_S} s to read and was given up.") from error
    last = (done.stdout.strip().splitlines() or [""])[-1]
    try:
        told: dict[str, Any] = json.loads(last)
    except ValueError as error:
        raise CheckpointError(
            f"{path.name} could not be read: the process that reads it ended with {done.returncode}, as it does when a "
            "file takes too much memory."
        ) from error
    if "error" in told:
        raise CheckpointError(told["error"])
    return told


def _limit(n_bytes: int) -> None:
    try:
        import resource
    except ImportError:  # not on Windows; the time is limited from outside
        return
    resource.setrlimit(resource.RLIMIT_AS, (LIMIT_BYTES + 6 * n_bytes,) * 2)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4 * n_bytes + (64 << 20),) * 2)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def state_of(path: Path) -> State:
    """What ``read_state`` reads, in this process.

    Raises:
        CheckpointError: as ``read_state``.
    """
    if path.suffix == ".safetensors":
        try:
            return load_file(path)
        except Exception as error:  # of several kinds without a parent
            raise CheckpointError(f"{path.name} is not a whole safetensors file ({error}); copy it again.") from error
    with path.open("rb") as file:
        is_pickle = file.read(1) == b"\x80"  # as torch wrote files before 1.6
    if not (is_pickle or zipfile.is_zipfile(path)):
        raise CheckpointError(f"{path.name} is not a whole file of torch; copy it again.")
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise CheckpointError(_why_not(path.name, str(error))) from error
    found = {name: each.detach().clone().contiguous() for name, each in _weights_in(content).items()}
    if not found:
        raise CheckpointError(f"{path.name} holds no weights by name; save net.state_dict() with torch.save.")
    return found


def _why_not(name: str, said: str) -> str:
    """Why torch's reader refused a file, and what would do."""
    if "TorchScript" in said:
        return f"{name} is a TorchScript program, which is never run here. Convert net.state_dict(), or an ONNX file."
    if "nsupported" in said or "GLOBAL" in said:
        return (
            f"{name} holds more than weights, such as a whole network or settings of a training. Opening that "
            "would run code, so it is never opened. Where it was trained, run torch.save(net.state_dict(), "
            "'weights.pth'), and convert that."
        )
    return f"{name} is not a whole file of torch ({said.strip().splitlines()[0][:120] if said.strip() else 'empty'})."


def _weights_in(content: Any) -> State:
    """Tensors by name, at the top or under one of the keys that trainings use."""
    if not isinstance(content, Mapping):
        return {}
    here = {str(name): each for name, each in content.items() if isinstance(each, Tensor)}
    inside = [content[key] for key in _INSIDE if isinstance(content.get(key), Mapping)]
    return here if here and not inside else next((found for each in inside if (found := _weights_in(each))), here)


def main(arguments: list[str]) -> int:
    """The part of the process; prints one line of JSON."""
    what, path, made = arguments[0], Path(arguments[1]), Path(arguments[2])
    told: dict[str, Any] = {}
    try:
        _limit(path.stat().st_size)
        if what == STATE:
            numbered = enumerate(state_of(path).items())  # safetensors keeps no order, and layers have one
            save_file({f"{i:06d}|{name}": value for i, (name, value) in numbered}, made)
        else:
            from fer_core.models.foreign_onnx import convert_graph

            told = convert_graph(path, made, **json.loads(arguments[3]))
    except CheckpointError as error:
        told = {"error": str(error)}
    except MemoryError:
        told = {"error": f"{path.name} takes too much memory and was given up."}
    print(json.dumps(told))  # noqa: T201
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
