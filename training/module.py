"""The Lightning module: thin, the network is passed in, one step serves training and validation."""

from __future__ import annotations

import copy
import time
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torchmetrics import MeanMetric
from torchmetrics.classification import MulticlassAccuracy, MulticlassF1Score

from fer_core.errors import RecipeError
from fer_core.models.preprocess import to_float, view
from fer_core.models.registry import EmotionNetwork
from training.augment import mix, train_batch
from training.data import Batch, teacher_of
from training.recipe import FERPLUS, FERPLUS7, OWN, Recipe
from training.schedule import LearningRate, freeze, make_optimiser

LABELS = (OWN, FERPLUS)
MAX_LOSS = 1e6
"""A loss above this, in nats, is no learning any more; the first steps of a deep network that starts from scratch may
have tens of thousands."""
_LOOK_EVERY = 20
"""Steps after which a GPU is asked for the loss, as it has to be waited for."""
LABELS_OF_TARGET = {OWN: "own", FERPLUS: FERPLUS7}


class MultiHead(nn.Module):
    """One trunk, one last layer per target; it starts from ``heads`` or, where these have none, the network's own."""

    def __init__(self, net: EmotionNetwork, targets: list[str], heads: Mapping[str, nn.Module] | None = None) -> None:
        super().__init__()
        self.net = net
        self.heads = nn.ModuleDict({name: copy.deepcopy((heads or {}).get(name, net.head)) for name in targets})
        net.head = nn.Identity()

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        features = self.net.features(x)
        return {name: head(features) for name, head in self.heads.items()}


class EmotionModule(pl.LightningModule):
    """Loss, schedule and metrics of a recipe.

    The learning rate follows *progress*: epochs done / epochs, or minutes spent / minutes where the recipe has a budget
    and that is larger, so that a run with little time still ends annealed. Minutes are kept in the checkpoint, a
    resumed run goes on where it stopped. ``class_weights`` (k,) weigh the loss of the data set's own labels.
    """

    def __init__(self, model: MultiHead, recipe: Recipe, class_weights: Tensor | None = None) -> None:
        super().__init__()
        self.model, self.recipe = model, recipe
        self.rate = LearningRate(recipe)
        self.checks = True
        self.minutes_before = 0.0
        self.started = time.monotonic()
        self.register_buffer("class_weights", class_weights, persistent=False)
        self.accuracy, self.train_accuracy = (
            nn.ModuleDict(
                {
                    name: MulticlassAccuracy(recipe.data.labels, average="micro", ignore_index=-1)
                    for name in recipe.targets
                }
            )
            for _ in range(2)
        )
        self.f1 = nn.ModuleDict(
            {name: MulticlassF1Score(recipe.data.labels, average="macro", ignore_index=-1) for name in recipe.targets}
        )
        self.loss = nn.ModuleDict({name: MeanMetric() for name in recipe.targets})
        self.main = OWN if OWN in recipe.targets else FERPLUS

    @property
    def minutes(self) -> float:
        """Wall time of training so far, over all sittings."""
        return self.minutes_before + (time.monotonic() - self.started) / 60

    @property
    def progress(self) -> float:
        """Share of the schedule that is done, 0-1."""
        done = self.trainer.global_step / (self.trainer.num_training_batches * self.recipe.epochs)
        spent = self.minutes / self.recipe.minutes if self.recipe.minutes else 0.0
        return min(1.0, max(done, spent))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return make_optimiser(self.model, set(self.model.net.backbone.parameters()), self.recipe.optimiser)

    def on_train_epoch_start(self) -> None:
        if self.recipe.phases:
            freeze(self.model.net, self.recipe.phase_at(self.current_epoch))

    def on_train_batch_start(self, batch: Batch, batch_idx: int) -> None:
        """Augmentation, dropout and mixing of a batch follow from its number, so that a resumed run sees what an
        unbroken one would."""
        numbers = [self.recipe.seed, self.current_epoch, batch_idx, self.global_rank]
        torch.manual_seed(int(np.random.SeedSequence(numbers).generate_state(1)[0]))
        rate = self.rate.at(self.progress, self.current_epoch)
        for group in self.trainer.optimizers[0].param_groups:
            group["lr"] = rate * group["share"]

    def on_train_batch_end(self, outputs: Any, batch: Batch, batch_idx: int) -> None:
        if self.device.type == "cpu" or batch_idx % _LOOK_EVERY == 0:
            self._check(float(outputs["loss"]))
        if self.progress >= 1.0:
            self.trainer.should_stop = True

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        with torch.autocast(self.device.type, enabled=False):  # bf16 would round where pixels are taken from
            x = train_batch(batch["images"], self.recipe, self.recipe.size_at(self.progress), batch["copy"])
        x, partner, share = mix(x, self.recipe.mix, self.progress)
        logits = self._logits(x)
        losses = {name: self._loss(name, logits[name], batch) * share for name in logits}
        if share < 1:
            other = {key: batch[key][partner] for key in (*LABELS, *map(teacher_of, LABELS)) if key in batch}
            losses = {name: loss + self._loss(name, logits[name], other) * (1 - share) for name, loss in losses.items()}
        for name, loss in losses.items():
            accuracy = self.train_accuracy[name]
            assert isinstance(accuracy, MulticlassAccuracy)
            accuracy(logits[name].detach(), batch[LABELS_OF_TARGET[name]])  # of pictures as augmented and mixed
            self.log(f"train_{name}_accuracy", accuracy, on_step=False, on_epoch=True)
            self.log(f"train_{name}_loss", loss, on_step=False, on_epoch=True, batch_size=len(x), sync_dist=True)
        return torch.stack([loss * self.recipe.targets[name].weight for name, loss in losses.items()]).sum()

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        recipe = self.recipe
        share = recipe.crop.field / recipe.crop.source
        if not len(batch["images"]):  # one process of many may have none of the last batch
            return
        with torch.autocast(self.device.type, enabled=False):
            x = to_float(batch["images"])
            x = view(x, size=recipe.input.size, field=share, mean=recipe.input.mean, std=recipe.input.std)
        logits = self._logits(x)
        for name, accuracy in self.accuracy.items():
            loss = self.loss[name]
            assert isinstance(accuracy, MulticlassAccuracy)
            assert isinstance(loss, MeanMetric)
            accuracy(logits[name], batch[LABELS_OF_TARGET[name]])
            loss(
                self._loss(name, logits[name], batch), len(x)
            )  # Lightning's own mean rounds uneven shares of processes
            self.log(f"choose_{name}_accuracy", accuracy, on_step=False, on_epoch=True)
            self.log(f"choose_{name}_loss", loss, on_step=False, on_epoch=True)
            f1 = self.f1[name]
            assert isinstance(f1, MulticlassF1Score)
            f1(logits[name], batch[LABELS_OF_TARGET[name]])
            self.log(f"choose_{name}_f1", f1, on_step=False, on_epoch=True)

    def on_validation_epoch_end(self) -> None:
        loss = float(self.trainer.callback_metrics[f"choose_{self.main}_loss"])
        self._check(loss)  # before this state is kept
        self.rate.saw(loss)

    def _check(self, loss: float) -> None:
        """Stop a run that diverges.

        Raises:
            RecipeError: the loss is no number, or beyond ``MAX_LOSS``.
        """
        if self.checks and not loss <= MAX_LOSS:
            epoch, lr = self.current_epoch, self.recipe.optimiser.lr
            kept = (
                f"The state after epoch {epoch} is kept, --export-only writes it."
                if epoch
                else "No epoch was finished."
            )
            raise RecipeError(
                f"Training diverged in epoch {epoch + 1}: the loss is {loss:.3g}. {kept} Begin again with a lower "
                f"learning rate: --lr {lr / 10:.3g} --fresh."
            )

    def _logits(self, x: Tensor) -> dict[str, Tensor]:
        found = self.model(x.contiguous(memory_format=torch.channels_last))
        return {name: logits.float() for name, logits in found.items()}

    def _loss(self, name: str, logits: Tensor, batch: Batch) -> Tensor:
        """Loss against the labels, and against the teachers where the batch has their answers."""
        loss, teacher = self._label_loss(name, logits, batch), self.recipe.targets[name].teacher
        if teacher is None or teacher_of(name) not in batch:
            return loss
        soft = F.cross_entropy(logits / teacher.temperature, batch[teacher_of(name)])
        return (1 - teacher.weight) * loss + teacher.weight * teacher.temperature**2 * soft

    def _label_loss(self, name: str, logits: Tensor, batch: Batch) -> Tensor:
        if name == OWN:
            smoothing = self.recipe.targets[name].smoothing
            weights = self.class_weights
            assert weights is None or isinstance(weights, Tensor)
            return F.cross_entropy(logits, batch[OWN], weight=weights, label_smoothing=smoothing)
        shares = batch[FERPLUS]
        taught = shares.sum(dim=1).sum().clamp(min=1)
        return -(shares * logits[:, : shares.shape[1]].log_softmax(dim=1)).sum() / taught

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["minutes"] = self.minutes
        checkpoint["rate"] = self.rate.state()
        checkpoint["computed_in"] = str(self.trainer.precision)

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        self.minutes_before, self.started = float(checkpoint["minutes"]), time.monotonic()
        self.rate.load(checkpoint["rate"])


def float32_depthwise(model: nn.Module) -> None:
    """Keep depthwise convolutions in float32 under CPU bf16 autocast, where their bf16 backward pass is slow.

    ``python -m benchmarks.train_step`` measures the difference.
    """
    for module in model.modules():
        if type(module) is nn.Conv2d and module.groups > 1:
            module.__class__ = _Float32Conv2d


class _Float32Conv2d(nn.Conv2d):
    def forward(self, input: Tensor) -> Tensor:
        with torch.autocast("cpu", enabled=False):
            return super().forward(input.float()).to(input.dtype)
