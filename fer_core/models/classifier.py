"""The classifier: face crops in, calibrated emotion probabilities and features out."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fer_core.errors import InputError
from fer_core.models.card import Card
from fer_core.models.checkpoint import int8_graph, load_network, weights_sha256
from fer_core.models.folders import find_checkpoint
from fer_core.models.pca import PCA, Pca
from fer_core.models.preprocess import GREY_WEIGHTS, as_channels, to_float, view, views
from fer_core.models.reference import Reference, load_reference
from fer_core.models.registry import EmotionNetwork

ArrayF = NDArray[np.float32]


@dataclass(frozen=True)
class Scores:
    """What a network says about n faces.

    Attributes:
        logits: float32 (n, k), not calibrated; mean over views where there are several.
        probabilities: float32 (n, k), after temperature scaling, rows sum to 1; mean over views.
        features: float32 (n, d), the layer before the logits, of the first view.
    """

    logits: ArrayF
    probabilities: ArrayF
    features: ArrayF

    def __len__(self) -> int:
        return len(self.probabilities)

    def __repr__(self) -> str:
        (n, k), d = self.probabilities.shape, self.features.shape[1]
        return f"<Scores of {n} faces: logits and probabilities ({n}, {k}), features ({n}, {d})>"


class Classifier:
    """A network with its card, on a device.

    Args:
        net: the network, in evaluation mode.
        card: its card.
        device: ``auto`` takes CUDA or MPS where there is one, else the CPU.
        sha256: of the weights, for the record.
        reference: what is known about its training pictures, where it is known.
        pca: what crops are reconstructed with first, where it was trained so.
        int8: the network as a graph in whole numbers of 8 bits, where its folder has one.
    """

    def __init__(
        self,
        net: EmotionNetwork,
        card: Card,
        *,
        device: str = "auto",
        sha256: str = "",
        reference: Reference | None = None,
        pca: Pca | None = None,
        int8: Path | None = None,
    ) -> None:
        self.device = pick_device(device)
        self.net = net.eval().to(self.device).to(memory_format=torch.channels_last)
        self.card, self.sha256, self.reference, self.pca, self.int8 = card, sha256, reference, pca, int8
        self.faster: dict[tuple[int, float], tuple[Classifier, Any]] = {}  # see ``fer_core.models.runtime``

    def __repr__(self) -> str:
        spec = self.card.input
        seen = f"{spec.size} px {'grey' if spec.channels == 1 else 'RGB'} of crops of {self.card.crop.size} px"
        return (
            f"<Classifier {self.name}: {self.card.network}, {seen}, {', '.join(self.card.answers)}; on {self.device}>"
        )

    @property
    def name(self) -> str:
        return self.card.name

    @property
    def labels(self) -> tuple[str, ...]:
        return tuple(self.card.labels)

    def run_by(self, net: EmotionNetwork) -> Classifier:
        """The same classifier, computed by another network that gives the same answers on the same device."""
        other = copy.copy(self)
        other.net, other.faster = net.eval(), {}
        return other

    def predict(self, crops: NDArray[np.uint8], *, tta: str = "none", batch_size: int = 256) -> Scores:
        """Scores of face crops.

        Args:
            crops: uint8 (n, s, s) grey or (n, s, s, 3) RGB, cut as the card's ``crop`` says.
            tta: ``none``, ``flip`` (mean with the mirror image) or ``tencrop``.
            batch_size: crops per pass; the result does not depend on it.

        Raises:
            InputError: an array of another kind, or an unknown ``tta``.
        """
        views(tta)
        if not isinstance(crops, np.ndarray):
            raise InputError(f"Expected crops as a numpy array uint8 (n, s, s) or (n, s, s, 3), got {type(crops)}.")
        if crops.dtype != np.uint8 or crops.ndim not in (3, 4) or (crops.ndim == 4 and crops.shape[3] != 3):
            raise InputError(f"Expected crops uint8 (n, s, s) or (n, s, s, 3), got {crops.dtype} {crops.shape}.")
        if crops.shape[1] != crops.shape[2]:
            raise InputError(f"Expected square crops, got {crops.shape}; cut the face out as the card's crop says.")
        if batch_size < 1:
            raise InputError(f"Expected a batch_size of 1 or more, got {batch_size}.")
        if not len(crops):  # layers refuse an empty batch: the shapes come from a blank face
            blank = self.predict(np.zeros((1, *crops.shape[1:]), np.uint8), tta=tta)
            return Scores(blank.logits[:0], blank.probabilities[:0], blank.features[:0])
        parts = [self._predict(crops[i : i + batch_size], tta) for i in range(0, len(crops), batch_size)]
        logits, probabilities, features = (torch.cat(each).cpu().numpy() for each in zip(*parts, strict=True))
        return Scores(logits, probabilities, features)

    @torch.inference_mode()
    def _predict(self, crops: NDArray[np.uint8], tta: str) -> tuple[Tensor, Tensor, Tensor]:
        logits, probabilities, features = [], [], []
        for shift, mirror in views(tta):
            seen = self.net.features_and_logits(self.network_input(crops, shift=shift, mirror=mirror))
            features.append(seen[0])
            logits.append(seen[1])
            probabilities.append((logits[-1] / self.card.temperature).softmax(dim=1))
        return torch.stack(logits).mean(0), torch.stack(probabilities).mean(0), features[0]

    def network_input(
        self, crops: NDArray[np.uint8], *, shift: tuple[float, float] = (0.0, 0.0), mirror: bool = False
    ) -> Tensor:
        """What the network sees of crops, float (n, channels, size, size); ``shift`` and ``mirror`` as in
        ``fer_core.models.preprocess.view``."""
        spec = self.card.input
        if self.pca is not None:
            crops = self.pca.reconstruct(as_channels(crops, spec.channels))
        x = self._channels(to_float(torch.from_numpy(np.ascontiguousarray(crops)).to(self.device)))
        seen = view(x, size=spec.size, field=spec.field, mean=spec.mean, std=spec.std, shift=shift, mirror=mirror)
        return seen.contiguous(memory_format=torch.channels_last)

    def _channels(self, x: Tensor) -> Tensor:
        """Grey or RGB (n, 1 or 3, s, s) as the network takes it."""
        if self.card.input.channels == 1 and x.shape[1] == 3:
            weights = x.new_tensor(GREY_WEIGHTS).view(1, 3, 1, 1)
            return (x * weights).sum(dim=1, keepdim=True)
        return x.expand(-1, self.card.input.channels, -1, -1)


def pick_device(device: str = "auto") -> torch.device:
    """``auto`` → cuda, mps or cpu, whichever is there first.

    Raises:
        InputError: the device asked for is not there.
    """
    if device == "auto":
        return torch.device(
            "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
        )
    there = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if not there.get(device.split(":")[0], False):
        raise InputError(
            f"Device {device!r} is not available here; use one of {', '.join(k for k in there if there[k])}."
        )
    return torch.device(device)


def load(checkpoint: str | Path, *, device: str = "auto") -> Classifier:
    """Load a classifier from a checkpoint folder, given its path or its name among the shipped and added ones; ask it
    with ``predict``.

    Args:
        checkpoint: name or folder.
        device: ``auto`` (CUDA or MPS where there is one), ``cpu``, ``cuda`` or ``mps``.

    Raises:
        CheckpointError: the folder is missing, incomplete, of another format or unsafe.
        InputError: the device is not there.
    """
    folder = find_checkpoint(checkpoint)
    net, card = load_network(folder, pick_device(device))
    return Classifier(
        net, card, device=device, sha256=weights_sha256(folder, card), reference=load_reference(folder),
        pca=Pca.load(folder / PCA) if card.preprocess else None, int8=int8_graph(folder, card),
    )  # fmt: skip
