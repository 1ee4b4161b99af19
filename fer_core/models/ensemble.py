"""Ensembles: several networks whose answers become one, as one network and one checkpoint folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from fer_core.models import registry
from fer_core.models.preprocess import view
from fer_core.models.registry import EmotionNetwork, register

NAME = "ensemble"


class Member(nn.Module):
    """A network with its own view of the ensemble's picture; answers with log-probabilities at its own temperature."""

    def __init__(
        self,
        net: EmotionNetwork,
        *,
        size: int,
        field: float,
        mean: Sequence[float],
        std: Sequence[float],
        temperature: float,
    ) -> None:
        super().__init__()
        self.net = net
        self.size, self.field, self.mean, self.std = size, field, list(mean), list(std)
        self.temperature = temperature

    def forward(self, x: Tensor) -> Tensor:
        """Pictures (n, c, s, s) in 0-1 → log-probabilities (n, k)."""
        channels = len(self.mean)
        x = x.mean(dim=1, keepdim=True) if channels == 1 else x.expand(-1, channels, -1, -1)
        logits = self.net(view(x, size=self.size, field=self.field, mean=self.mean, std=self.std))
        return (logits / self.temperature).log_softmax(dim=1)


class Average(nn.Module):
    """Weighted mean of the members' probabilities, as logits: log-probabilities (n, m·k) → (n, k)."""

    def __init__(self, weights: Sequence[float], n_labels: int) -> None:
        super().__init__()
        total = sum(weights)
        if total <= 0 or min(weights) < 0:
            raise ValueError(f"weights {list(weights)} are not 0 or more with a sum above 0")
        self.register_buffer("weights", torch.tensor([each / total for each in weights]), persistent=False)
        self.n_labels = n_labels

    def forward(self, answers: Tensor) -> Tensor:
        each = answers.reshape(-1, answers.shape[1] // self.n_labels, self.n_labels)
        weights = self.weights
        assert isinstance(weights, Tensor)
        return (each + weights.clamp(min=1e-12).log().view(1, -1, 1)).logsumexp(dim=1)


class Ensemble(EmotionNetwork):
    """Several networks; features are their log-probabilities (n, m·k), the head makes one answer of them.

    Takes pictures (n, c, s, s) in 0-1, not normalised: every member does that its own way.
    """

    backbone: nn.ModuleList

    def __init__(self, members: Sequence[Member], head: nn.Module) -> None:
        super().__init__()
        self.backbone = nn.ModuleList(members)
        self.head = head

    def features(self, x: Tensor) -> Tensor:
        return torch.cat([member(x) for member in self.backbone], dim=1)


@register(
    NAME,
    input_px=48,
    min_px=8,
    source="Rahman & Mahato 2021 (mbstu-2021); ubb-2021",
    about="members' log-probabilities; weighted mean of their probabilities, or a trained layer",
)
def ensemble(
    *,
    n_labels: int,
    channels: int,
    members: Sequence[Mapping[str, Any]],
    weights: Sequence[float] = (),
    hidden: int = 0,
) -> EmotionNetwork:
    """An ensemble of networks.

    Args:
        n_labels: number of classes, the same for all members.
        channels: of the ensemble's pictures; members may want fewer.
        members: each with ``architecture``, ``options``, ``channels``, ``size``, ``field`` (share of the ensemble's
            picture), ``mean``, ``std``, ``temperature``.
        weights: of the average, one per member; none means a trained layer.
        hidden: units between the answers and the trained layer, 0 for none.

    Raises:
        ValueError: fewer than two members, one that is an ensemble itself, or weights that do not fit.
    """
    if len(members) < 2 or any(each["architecture"] == NAME for each in members):
        raise ValueError("an ensemble has two or more members, none of them an ensemble")
    if weights and len(weights) != len(members):
        raise ValueError(f"there are {len(weights)} weights for {len(members)} members")
    built = [_member(each, n_labels, channels) for each in members]
    head = Average(weights, n_labels) if weights else fusion(len(members), n_labels, hidden)
    return Ensemble(built, head)


def _member(values: Mapping[str, Any], n_labels: int, channels: int) -> Member:
    if values["channels"] > channels:
        raise ValueError(f"a member takes {values['channels']} channels, the ensemble has {channels}")
    net = registry.build(values["architecture"], n_labels=n_labels, channels=values["channels"], **values["options"])
    view_of = {name: values[name] for name in ("size", "field", "mean", "std", "temperature")}
    return Member(net, **view_of)


def fusion(n_members: int, n_labels: int, hidden: int) -> nn.Module:
    """The trained layer over log-probabilities; without hidden units it starts as their mean."""
    n_in = n_members * n_labels
    if hidden:
        return nn.Sequential(nn.Linear(n_in, hidden), nn.ReLU(), nn.Linear(hidden, n_labels))
    layer = nn.Linear(n_in, n_labels)
    with torch.no_grad():
        layer.weight.copy_(torch.eye(n_labels).repeat(1, n_members) / n_members)
        layer.bias.zero_()
    return layer
