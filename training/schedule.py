"""Optimisers and learning rates of a recipe: warm-up, cosine or plateau, phases that freeze and unfreeze layers."""

from __future__ import annotations

import math

import torch
from torch import nn

from fer_core.models.registry import EmotionNetwork
from training.recipe import Recipe
from training.settings import Optimiser, Phase

BACKBONE = "backbone"


N_STAGES = 8
"""So many parts of a backbone have learning rates of their own where a recipe sets ``layer_decay``."""


def make_optimiser(model: nn.Module, net: EmotionNetwork, options: Optimiser) -> torch.optim.Optimizer:
    """The recipe's optimiser for a model that holds ``net``: groups of the backbone, or of each of its stages where
    these have rates of their own, and of the rest; with weight decay and (norms, biases) without.

    Every group carries ``share``, its learning rate in units of ``options.lr``.
    """
    ratio = 1.0 if options.backbone_lr is None else options.backbone_lr / options.lr
    behind = _stages_behind(net) if options.layer_decay < 1 else dict.fromkeys(net.backbone.parameters(), 0)
    shares = {each: ratio * options.layer_decay**n for each, n in behind.items()}
    groups = []
    for share, inside in [*((each, True) for each in sorted(set(shares.values()))), (1.0, False)]:
        mine = [each for each in model.parameters() if (each in shares) == inside and shares.get(each, share) == share]
        for decay, many in ((options.weight_decay, True), (0.0, False)):
            if chosen := [each for each in mine if (each.ndim > 1) == many]:
                groups.append({"params": chosen, "weight_decay": decay, "share": share})
    if options.name == "sgd":
        return torch.optim.SGD(groups, lr=options.lr, momentum=options.momentum, nesterov=options.nesterov)
    if options.name == "rmsprop":
        return torch.optim.RMSprop(groups, lr=options.lr, momentum=options.momentum)
    kinds = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW, "radam": torch.optim.RAdam}
    return kinds[options.name](groups, lr=options.lr)


def _stages_behind(net: EmotionNetwork) -> dict[nn.Parameter, int]:
    """How many of the backbone's stages follow that of each of its weights. Those that belong to no layer, such as
    class tokens and positions, are of the first."""
    behind = dict.fromkeys(net.backbone.parameters(), N_STAGES - 1)
    layers = [layer for layer in net.layers() if any(True for _ in layer.parameters())]
    for i, layer in enumerate(layers):
        for parameter in layer.parameters():
            behind[parameter] = N_STAGES - 1 - i * N_STAGES // len(layers)
    return behind


class LearningRate:
    """The learning rate of the recipe's head at any time; keeps what a plateau schedule has seen."""

    def __init__(self, recipe: Recipe) -> None:
        self.recipe = recipe
        self.best, self.waited, self.reduced = math.inf, 0, 1.0

    def at(self, progress: float, epoch: int) -> float:
        """Rate at ``progress`` (0-1) of the schedule, in ``epoch`` (from 0)."""
        schedule = self.recipe.schedule
        peak = self.recipe.phase_at(epoch).lr or self.recipe.optimiser.lr
        if progress < schedule.warmup:
            return peak * max(progress / schedule.warmup, 1e-4)
        if schedule.kind == "cosine":
            after = (progress - schedule.warmup) / (1 - schedule.warmup)
            return peak * max((1 + math.cos(math.pi * after)) / 2, 1e-4)
        return max(peak * self.reduced, min(schedule.floor, peak))

    def saw(self, loss: float) -> None:
        """The choosing split's loss after an epoch."""
        schedule = self.recipe.schedule
        if schedule.kind != "plateau":
            return
        self.waited = 0 if loss < self.best else self.waited + 1
        self.best = min(self.best, loss)
        if self.waited >= schedule.patience:
            self.waited, self.reduced = 0, self.reduced * schedule.factor

    def state(self) -> dict[str, float]:
        """What a resumed run needs."""
        return {"best": self.best, "waited": self.waited, "reduced": self.reduced}

    def load(self, state: dict[str, float]) -> None:
        """Go on from ``state``."""
        self.best, self.waited, self.reduced = state["best"], int(state["waited"]), state["reduced"]


def freeze(net: EmotionNetwork, phase: Phase) -> None:
    """Let only the phase's layers learn; frozen batch norms keep their statistics."""
    net.train()
    layers = net.layers()
    learning = len(layers) if phase.train == "all" else 0 if phase.train == "head" else int(phase.train)
    if phase.train == "all":
        for parameter in net.parameters():
            parameter.requires_grad_(True)
        return
    frozen = layers[: max(len(layers) - learning, 0)]
    for parameter in net.backbone.parameters():  # some belong to no layer: class tokens, positions
        parameter.requires_grad_(False)
    for layer in layers[len(frozen) :]:
        for parameter in layer.parameters():
            parameter.requires_grad_(True)
    for layer in frozen:
        if isinstance(layer, nn.modules.batchnorm._BatchNorm):
            layer.eval()
