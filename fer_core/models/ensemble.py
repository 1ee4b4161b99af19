"""Ensembles: several networks whose answers become one, as one network and one checkpoint folder."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from fer_core.models import registry
from fer_core.models.card import ENSEMBLE, InputSpec
from fer_core.models.preprocess import GREY_WEIGHTS, view
from fer_core.models.registry import EmotionNetwork, register
from fer_core.models.trunks import MAX_WIDTH

MAX_MEMBERS = 16


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
        if channels == 1 and x.shape[1] == 3:
            x = (x * x.new_tensor(GREY_WEIGHTS).view(1, 3, 1, 1)).sum(dim=1, keepdim=True)
        x = x.expand(-1, channels, -1, -1)
        logits = self.net(view(x, size=self.size, field=self.field, mean=self.mean, std=self.std))
        return (logits / self.temperature).log_softmax(dim=1)


class Average(nn.Module):
    """Weighted mean of the members' probabilities, as logits: log-probabilities (n, m·k) → (n, k)."""

    def __init__(self, weights: Sequence[float], n_labels: int) -> None:
        super().__init__()
        total = sum(weights)
        if not (math.isfinite(total) and total > 0 and min(weights) >= 0):
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
    ENSEMBLE,
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
    if not (2 <= len(members) <= MAX_MEMBERS and 0 <= hidden <= MAX_WIDTH):
        raise ValueError(f"expected 2-{MAX_MEMBERS} members and 0-{MAX_WIDTH} hidden units")
    if any(each["architecture"] == ENSEMBLE for each in members):
        raise ValueError("no member of an ensemble is an ensemble itself")
    if weights and len(weights) != len(members):
        raise ValueError(f"there are {len(weights)} weights for {len(members)} members")
    built = [_member(each, n_labels, channels) for each in members]
    head = Average(weights, n_labels) if weights else fusion(len(members), n_labels, hidden)
    return Ensemble(built, head)


def _member(values: Mapping[str, Any], n_labels: int, channels: int) -> Member:
    spec = InputSpec(**{name: values[name] for name in ("size", "channels", "mean", "std", "field")})
    temperature = values["temperature"]
    spec.check()
    if spec.channels > channels or not 0.05 <= float(temperature) <= 20:
        raise ValueError(f"a member takes {spec.channels} of {channels} channels, or temperature {temperature!r}")
    net = registry.build(values["architecture"], n_labels=n_labels, channels=values["channels"], **values["options"])
    return Member(net, size=spec.size, field=spec.field, mean=spec.mean, std=spec.std, temperature=float(temperature))


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
