"""Loss, accuracy and macro F1 over an epoch, as sums that stay on the device: no step waits to be told a number."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

Reduce = Callable[[Tensor], Tensor]
"""The sum of a tensor over all processes."""


class Tally:
    """What one target has seen so far: pictures by label and answer, int64 (k² + 1,), the last for those without a
    label; and the sum of the loss over its ``n`` pictures."""

    def __init__(self, n_labels: int) -> None:
        self.n_labels = n_labels
        self.reset()

    def reset(self) -> None:
        """Begin anew."""
        self.counts = torch.zeros(self.n_labels**2 + 1, dtype=torch.int64)
        self.loss, self.n = torch.zeros(()), 0

    def add(self, logits: Tensor, labels: Tensor, loss: Tensor) -> None:
        """A batch: logits (n, k), labels (n,) or -1, and its mean loss."""
        self._to(logits.device)
        k = self.n_labels
        place = torch.where(labels < 0, k * k, labels * k + logits.detach().argmax(dim=1))
        self.counts.index_add_(0, place, torch.ones_like(place))
        self.loss += loss.detach() * len(logits)
        self.n += len(logits)

    def figures(self, total: Reduce, device: torch.device) -> dict[str, float]:
        """``loss``, ``accuracy`` of those with a label, ``f1``: the mean over classes that are a label or an answer;
        of all processes together. The device is waited for."""
        state = self.state(total, device)
        counts = state["counts"][:-1].view(self.n_labels, self.n_labels).double()
        right, there = counts.diagonal(), counts.sum(dim=0) + counts.sum(dim=1)
        f1 = (2 * right / there)[there > 0]
        return {
            "loss": float(state["loss"] / state["n"].clamp(min=1)),
            "accuracy": float(right.sum() / counts.sum().clamp(min=1)),
            "f1": float(f1.mean()) if len(f1) else 0.0,
        }

    def state(self, total: Reduce, device: torch.device) -> dict[str, Tensor]:
        """What a resumed run needs, of all processes together."""
        self._to(device)
        mine = {"counts": self.counts.clone(), "loss": self.loss.clone(), "n": torch.tensor(self.n, device=device)}
        return {name: total(value).cpu() for name, value in mine.items()}

    def load(self, state: dict[str, Any]) -> None:
        """Go on from ``state``."""
        self.counts, self.loss, self.n = state["counts"], state["loss"], int(state["n"])

    def _to(self, device: torch.device) -> None:
        if self.counts.device != device:
            self.counts, self.loss = self.counts.to(device), self.loss.to(device)
