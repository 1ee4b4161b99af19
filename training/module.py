"""The Lightning module: thin, the network is passed in, one step serves training and validation."""

from __future__ import annotations

import copy
import math
import time
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torchmetrics.classification import MulticlassAccuracy

from fer_core.emotions import EMOTIONS
from fer_core.models.preprocess import to_float, view
from fer_core.models.registry import EmotionNetwork
from training.augment import train_batch
from training.data import Batch
from training.recipe import Recipe

LABELS_OF_TARGET = {"fer2013": "fer2013", "ferplus": "ferplus7"}


class MultiHead(nn.Module):
    """One trunk, one linear head per target, all starting from the network's own head."""

    def __init__(self, net: EmotionNetwork, targets: list[str]) -> None:
        super().__init__()
        self.net = net
        self.heads = nn.ModuleDict({name: copy.deepcopy(net.head) for name in targets})
        net.head = nn.Identity()

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        features = self.net.features(x)
        return {name: head(features) for name, head in self.heads.items()}


class EmotionModule(pl.LightningModule):
    """Loss, schedule and metrics of a recipe.

    The learning rate follows *progress*: the larger of epochs done / epochs and minutes spent / minutes, so that a run
    with little time still ends annealed. Minutes are kept in the checkpoint, a resumed run goes on where it stopped.
    """

    def __init__(self, model: MultiHead, recipe: Recipe) -> None:
        super().__init__()
        self.model, self.recipe = model, recipe
        self.minutes_before = 0.0
        self.started = time.monotonic()
        self.accuracy = nn.ModuleDict(
            {name: MulticlassAccuracy(len(EMOTIONS), average="micro", ignore_index=-1) for name in recipe.targets}
        )
        if recipe.input.channels != 1:
            raise ValueError("FER2013 recipes train on one grey channel.")

    @property
    def minutes(self) -> float:
        """Wall time of training so far, over all sittings."""
        return self.minutes_before + (time.monotonic() - self.started) / 60

    @property
    def progress(self) -> float:
        """Share of the schedule that is done, 0-1."""
        steps = self.trainer.num_training_batches * self.recipe.epochs
        return min(1.0, max(self.trainer.global_step / steps, self.minutes / self.recipe.minutes))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        decayed = [p for p in self.model.parameters() if p.ndim > 1]
        plain = [p for p in self.model.parameters() if p.ndim <= 1]
        options = self.recipe.optimiser
        groups = [{"params": decayed, "weight_decay": options.weight_decay}, {"params": plain, "weight_decay": 0.0}]
        return torch.optim.SGD(groups, lr=options.lr, momentum=options.momentum, nesterov=True)

    def on_train_epoch_start(self) -> None:
        torch.manual_seed(self.recipe.seed * 100_003 + self.current_epoch)

    def on_train_batch_start(self, batch: Batch, batch_idx: int) -> None:
        options, progress = self.recipe.optimiser, self.progress
        after = (progress - options.warmup) / (1 - options.warmup)
        share = progress / options.warmup if after < 0 else (1 + math.cos(math.pi * after)) / 2
        for group in self.trainer.optimizers[0].param_groups:
            group["lr"] = options.lr * max(share, 1e-4)

    def on_train_batch_end(self, outputs: Any, batch: Batch, batch_idx: int) -> None:
        self.trainer.should_stop = self.progress >= 1.0

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        x = train_batch(batch["images"], self.recipe, self.recipe.size_at(self.progress))
        return self._step(x, batch, "train")

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        recipe = self.recipe
        share = recipe.crop.field / recipe.crop.source
        x = to_float(batch["images"])
        x = view(x, size=recipe.input.size, field=share, mean=recipe.input.mean, std=recipe.input.std)
        logits = self._step(x, batch, "choose", want_logits=True)
        for name, metric in self.accuracy.items():
            assert isinstance(metric, MulticlassAccuracy)
            metric(logits[name], batch[LABELS_OF_TARGET[name]])
            self.log(f"choose_{name}_accuracy", metric, on_step=False, on_epoch=True)

    def _step(self, x: Tensor, batch: Batch, split: str, want_logits: bool = False) -> Any:
        logits = self.model(x.contiguous(memory_format=torch.channels_last))
        losses = {name: self._loss(name, logits[name].float(), batch) for name in self.recipe.targets}
        for name, loss in losses.items():
            self.log(f"{split}_{name}_loss", loss, on_step=False, on_epoch=True, batch_size=len(x))
        total = sum(loss * self.recipe.targets[name].weight for name, loss in losses.items())
        return logits if want_logits else total

    def _loss(self, name: str, logits: Tensor, batch: Batch) -> Tensor:
        if name == "fer2013":
            return F.cross_entropy(logits, batch["fer2013"], label_smoothing=self.recipe.targets[name].smoothing)
        shares = batch["ferplus"]
        taught = shares.sum(dim=1).sum().clamp(min=1)
        return -(shares * logits.log_softmax(dim=1)).sum() / taught

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["minutes"] = self.minutes

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        self.minutes_before, self.started = float(checkpoint["minutes"]), time.monotonic()


def float32_depthwise(model: nn.Module) -> None:
    """Keep depthwise convolutions in float32 under CPU bf16 autocast, where their bf16 backward pass is slow.

    ``python -m benchmarks.train_step`` measures the difference.
    """
    for module in model.modules():
        if isinstance(module, nn.Conv2d) and module.groups > 1:
            module.__class__ = _Float32Conv2d


class _Float32Conv2d(nn.Conv2d):
    def forward(self, input: Tensor) -> Tensor:
        with torch.autocast("cpu", enabled=False):
            return super().forward(input.float()).to(input.dtype)
