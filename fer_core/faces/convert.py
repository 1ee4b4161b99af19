"""Turn published weights of RetinaFace into the file that the workbench opens.

    python -m fer_core.faces.convert retinaface-resnet50 Resnet50_Final.pth
    python -m fer_core.faces.convert retinaface-mobilenet025 mobilenet0.25_Final.pth OUT.safetensors

The published files are pickles, which can hold programs. Here they are read with torch's reader for plain weights,
which refuses anything else; and only here: detection opens nothing but safetensors.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from safetensors.torch import save_file

from fer_core.errors import CheckpointError, FerError, InputError
from fer_core.faces.detectors import DETECTORS
from fer_core.faces.retinaface.weights import FORMAT, NAMES, backbone_of, check_state, published_names, shapes
from fer_core.files import replacing

_PREFIX = "module."
"""Stands before every name where several GPUs trained together."""


def convert(name: str, source: Path, out: Path) -> list[str]:
    """Write the weights in ``source`` as ``out``, for detector ``name``; folders are made.

    Returns:
        Names in ``source`` that the network has no place for; they are left out.

    Raises:
        InputError: the detector has no weights to convert, or there is no such file.
        CheckpointError: the file is damaged, holds more than weights, or they do not fit the network.
    """
    if name not in NAMES:
        raise InputError(f"Unknown detector {name!r}; weights are converted for {', '.join(NAMES)}.")
    backbone, published = backbone_of(name), read_published(source)
    names, expected = published_names(backbone), shapes(backbone)
    unknown = check_state(published, {names[ours]: shape for ours, shape in expected.items()}, source.name)
    state = {ours: torch.as_tensor(published[theirs]).float().contiguous() for ours, theirs in names.items()}
    out.parent.mkdir(parents=True, exist_ok=True)
    with replacing(out) as new:
        save_file(state, new, metadata={"format": FORMAT, "backbone": backbone})
    return unknown


def read_published(path: Path) -> dict[str, object]:
    """The state dict in a file of ``torch.save``, alone or under ``state_dict``, names without ``module.``.

    Raises:
        InputError: there is no such file.
        CheckpointError: it is damaged, holds more than plain weights, or no state dict.
    """
    if not path.is_file():
        raise InputError(f"There is no file {path}. Pass the published weights.")
    try:
        told = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged pickle raises errors of any kind
        raise CheckpointError(_refusal(path, str(error))) from error
    inner = told.get("state_dict", told) if isinstance(told, Mapping) else told
    if not isinstance(inner, Mapping):
        raise CheckpointError(f"{path.name} holds a {type(inner).__name__}; expected named weights (a state dict).")
    return {str(name).removeprefix(_PREFIX): value for name, value in inner.items()}


def _refusal(path: Path, said: str) -> str:
    if found := re.search(r"GLOBAL (\S+)", said):
        return (
            f"{path.name} was not opened: it holds more than weights ({found[1]}), which could run as a program. "
            f"Expected plain named weights (a state dict), as published."
        )
    return f"{path.name} is damaged or no file of weights; expected what torch.save wrote. Get it again."


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line; returns the exit status: 0 done, 1 an error that the user can mend."""
    args = _parser().parse_args(arguments)
    out = args.out or DETECTORS[args.detector].weights
    try:
        unknown = convert(args.detector, args.file, out)
    except FerError as error:
        print(f"convert: {error}", file=sys.stderr)
        return 1
    if unknown:
        print(f"Left out, as the network has no place for them: {', '.join(unknown)}")
    print(f"Written to {out}")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m fer_core.faces.convert",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("detector", choices=NAMES, help="the detector that the weights are for")
    parser.add_argument("file", type=Path, metavar="FILE.pth", help="published weights")
    parser.add_argument(
        "out", type=Path, nargs="?", metavar="OUT.safetensors", help="default: where the detector looks for it"
    )
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
