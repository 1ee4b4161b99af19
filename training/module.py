"""The Lightning module: thin, the network is passed in, one step serves training and validation."""

from __future__ import annotations

import copy
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from pytorch_lightning.utilities.memory import is_oom_error
from torch import Tensor, nn
from torch.nn import functional as F

from fer_core.errors import RecipeError
from fer_core.models.preprocess import to_float, view
from fer_core.models.registry import EmotionNetwork
from training.augment import constants, mix, train_batch
from training.data import Batch, teacher_of
from training.floor import SILENT
from training.recipe import FERPLUS, FERPLUS7, OWN, Recipe
from training.schedule import LearningRate, freeze, make_optimiser
from training.tally import Tally

LABELS = (OWN, FERPLUS)
MAX_LOSS = 1e6
"""A loss above this, in nats, is no learning any more; the first steps of a deep network that starts from scratch may
have tens of thousands."""
LOOK_EVERY = 20
"""Steps after which a GPU is asked for the loss, as it has to be waited for."""
LABELS_OF_TARGET = {OWN: "own", FERPLUS: FERPLUS7}
_LEARNT = (*LABELS, FERPLUS7, *map(teacher_of, LABELS))
"""What of a batch a loss and its figures are made of."""


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

    Nothing in a step asks a GPU for a number: figures are kept there until an epoch's end (``training.tally``), and the
    loss is looked at every ``LOOK_EVERY`` steps.
    """

    def __init__(self, model: MultiHead, recipe: Recipe, class_weights: Tensor | None = None) -> None:
        super().__init__()
        self.model, self.recipe = model, recipe
        self.rate = LearningRate(recipe)
        self.checks = True
        self.minutes_before = 0.0
        self.started = time.monotonic()
        self.register_buffer("class_weights", class_weights, persistent=False)
        taught = torch.tensor(recipe.data.taught)
        self.register_buffer("taught", taught if recipe.data.classes else None, persistent=False)
        self.register_buffer("untaught", torch.tensor(recipe.data.untaught), persistent=False)
        self.parts = 1
        self.kept_within = -1
        self.n_pictures = 0
        self.learnt, self.chosen = ({name: Tally(recipe.data.labels) for name in recipe.targets} for _ in range(2))
        self._pending: list[tuple[str, Tensor, Tensor, Tensor]] = []
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
        return make_optimiser(self.model, self.model.net, self.recipe.optimiser)

    def on_train_epoch_start(self) -> None:
        if self.recipe.phases:
            freeze(self.model.net, self.recipe.phase_at(self.current_epoch))

    def on_train_batch_start(self, batch: Batch, batch_idx: int) -> None:
        """Augmentation, dropout and mixing of a batch follow from its number, so that a resumed run sees what an
        unbroken one would."""
        self._seed(batch_idx)
        rate = self.rate.at(self.progress, self.current_epoch)
        for group in self.trainer.optimizers[0].param_groups:
            group["lr"] = rate * group["share"]

    def _seed(self, batch_idx: int) -> None:
        numbers = [self.recipe.seed, self.current_epoch, batch_idx, self.global_rank]
        torch.manual_seed(int(np.random.SeedSequence(numbers).generate_state(1)[0]))

    def on_train_batch_end(self, outputs: Any, batch: Batch, batch_idx: int) -> None:
        if self.device.type == "cpu" or batch_idx % LOOK_EVERY == 0:
            self.check(float(outputs["loss"]))
        if self.progress >= 1.0:
            self.trainer.should_stop = True

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        with torch.autocast(self.device.type, enabled=False):  # bf16 would round where pixels are taken from
            x = train_batch(
                batch["images"], self.recipe, self.recipe.size_at(self.progress),
                originals=batch.get("originals"), copies=batch.get("copies"),
            )  # fmt: skip
        x, partner, share = mix(x, self.recipe.mix, self.progress)
        self.n_pictures, self._pending = len(x), []
        if self.parts > 1:
            self.zero_grad()
        ends = [len(x) * i // self.parts for i in range(self.parts + 1)]
        losses = []
        for part in map(slice, ends, ends[1:]):
            own, other = ({key: batch[key][rows] for key in _LEARNT if key in batch} for rows in (part, partner[part]))
            loss = self._part_loss(x[part], own, other, share) * ((part.stop - part.start) / len(x))
            if self.parts > 1:
                loss.backward()  # type: ignore[no-untyped-call]
            losses.append(loss.detach() if self.parts > 1 else loss)
        return torch.stack(losses).sum()

    def _part_loss(self, x: Tensor, own: Batch, other: Batch, share: float) -> Tensor:
        """Mean loss of pictures that show ``own`` labels by ``share`` (0-1) and ``other`` ones by the rest."""
        logits = self._logits(x)
        losses = {name: self._loss(name, logits[name], own) * share for name in logits}
        if share < 1:
            losses = {name: loss + self._loss(name, logits[name], other) * (1 - share) for name, loss in losses.items()}
        for name, loss in losses.items():  # of pictures as augmented and mixed
            self._pending.append((name, logits[name].detach(), own[LABELS_OF_TARGET[name]], loss.detach()))
        return torch.stack([loss * self.recipe.targets[name].weight for name, loss in losses.items()]).sum()

    def backward(self, loss: Tensor, *args: Any, **kwargs: Any) -> None:
        """Of a batch in parts, ``training_step`` went back itself."""
        if self.parts == 1:
            super().backward(loss, *args, **kwargs)

    def optimizer_zero_grad(self, epoch: int, batch_idx: int, optimizer: torch.optim.Optimizer) -> None:
        """As ``backward``."""
        if self.parts == 1:
            super().optimizer_zero_grad(epoch, batch_idx, optimizer)

    def optimizer_step(
        self, epoch: int, batch_idx: int, optimizer: Any, optimizer_closure: Callable[[], Any] | None = None
    ) -> None:
        """One step; where memory does not suffice for it, it is taken again in twice as many parts, and so are all
        that follow. Their gradients add up to that of the batch.

        Raises:
            RecipeError: memory does not suffice for two pictures, or it is that of one of several processes.
        """
        while True:
            try:
                super().optimizer_step(epoch, batch_idx, optimizer, optimizer_closure)
                break
            except RuntimeError as error:
                if not (isinstance(error, torch.OutOfMemoryError) or is_oom_error(error)):
                    raise
                self._divide(error)
            if torch.cuda.is_available():  # not above, where the error still holds what the step had in memory
                torch.cuda.empty_cache()
            self._seed(batch_idx)
        for name, logits, labels, loss in self._pending:
            self.learnt[name].add(logits, labels, loss)
        self._pending = []

    def _divide(self, error: RuntimeError) -> None:
        n, parts = self.n_pictures, 2 * self.parts
        if self.trainer.world_size > 1:
            smaller = max(self.recipe.batch_size // 2, 1)
            raise RecipeError(
                f"The memory of a process does not suffice for {n} pictures at once; take --batch-size {smaller} "
                "--fresh, more processes, or --devices 1, which divides a batch by itself."
            ) from error
        if n // parts < 2:
            raise RecipeError(
                f"Memory does not suffice for {max(n // self.parts, 1)} pictures at once; take smaller pictures or a "
                "smaller network, or --accelerator cpu."
            ) from error
        self.parts = parts
        print(
            f"Out of memory with {-(-2 * n // parts)} pictures at once: from here on a batch of {n} is learnt in "
            f"{parts} parts. A step still has its {n} pictures; batch norms see a part.",
            file=sys.stderr,
        )  # fmt: skip

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        recipe = self.recipe
        share = recipe.crop.field / recipe.crop.source
        if not len(batch["images"]):  # one process of many may have none of the last batch
            return
        with torch.autocast(self.device.type, enabled=False):
            x = to_float(batch["images"])
            mean, std = (constants(tuple(each), x.device) for each in (recipe.input.mean, recipe.input.std))
            x = view(x, size=recipe.input.size, field=share, mean=mean, std=std)
        logits = self._logits(x)
        for name, tally in self.chosen.items():
            tally.add(logits[name], batch[LABELS_OF_TARGET[name]], self._loss(name, logits[name], batch))

    def _total(self, value: Tensor) -> Tensor:
        found = self.trainer.strategy.reduce(value, reduce_op="sum")
        assert isinstance(found, Tensor)
        return found

    def on_validation_epoch_end(self) -> None:
        """The epoch's figures, of both sides: its last batch was learnt before."""
        chosen = {name: tally.figures(self._total, self.device) for name, tally in self.chosen.items()}
        self.check(chosen[self.main]["loss"])  # before this state is kept
        for name in self.recipe.targets:
            learnt = self.learnt[name].figures(self._total, self.device)
            told = {f"choose_{name}_{key}": value for key, value in chosen[name].items()}
            told |= {f"train_{name}_{key}": learnt[key] for key in ("loss", "accuracy")}
            self.log_dict(told, sync_dist=True)
        for tally in (*self.learnt.values(), *self.chosen.values()):
            tally.reset()
        self.rate.saw(chosen[self.main]["loss"])

    def on_validation_epoch_start(self) -> None:
        for tally in self.chosen.values():
            tally.reset()

    def check(self, loss: float) -> None:
        """Stop a run that diverges.

        Raises:
            RecipeError: the loss is no number, or beyond ``MAX_LOSS``.
        """
        if self.checks and not loss <= MAX_LOSS:
            epoch, lr = self.current_epoch, self.recipe.optimiser.lr
            within = self.kept_within == epoch
            kept = (
                f"The state {'within' if within else 'after'} epoch {epoch + within} is kept, --export-only writes it."
                if epoch or within
                else "No epoch was finished."
            )
            raise RecipeError(
                f"Training diverged in epoch {epoch + 1}: the loss is {loss:.3g}. {kept} Begin again with a lower "
                f"learning rate: --lr {lr / 10:.3g} --fresh."
            )

    def _logits(self, x: Tensor) -> dict[str, Tensor]:
        """Logits (n, k) by target; of classes that are not taught so low that none is ever the answer."""
        found = self.model(x.contiguous(memory_format=torch.channels_last))
        untaught = self.untaught
        assert isinstance(untaught, Tensor)
        if not len(untaught):
            return {name: logits.float() for name, logits in found.items()}
        return {name: logits.float().index_fill(1, untaught, SILENT) for name, logits in found.items()}

    def _loss(self, name: str, logits: Tensor, batch: Batch) -> Tensor:
        """Loss against the labels, and against the teachers where the batch has their answers."""
        loss, teacher = self._label_loss(name, logits, batch), self.recipe.targets[name].teacher
        if teacher is None or teacher_of(name) not in batch:
            return loss
        answers, taught = batch[teacher_of(name)], self.taught
        if isinstance(taught, Tensor):
            logits, answers = logits[:, taught], answers[:, taught]
            answers = answers / answers.sum(dim=1, keepdim=True).clamp(min=1e-6)
        soft = F.cross_entropy(logits / teacher.temperature, answers)
        return (1 - teacher.weight) * loss + teacher.weight * teacher.temperature**2 * soft

    def _label_loss(self, name: str, logits: Tensor, batch: Batch) -> Tensor:
        if name == OWN:
            smoothing = self.recipe.targets[name].smoothing
            weights = self.class_weights
            assert weights is None or isinstance(weights, Tensor)
            labels, taught = batch[OWN], self.taught
            if isinstance(taught, Tensor):  # smoothing is shared among these too
                logits, labels = logits[:, taught], torch.searchsorted(taught, labels)
                weights = None if weights is None else weights[taught]
            return F.cross_entropy(logits, labels, weight=weights, label_smoothing=smoothing)
        shares = batch[FERPLUS]
        taught = shares.sum(dim=1).sum().clamp(min=1)
        return -(shares * logits[:, : shares.shape[1]].log_softmax(dim=1)).sum() / taught

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["minutes"] = self.minutes
        checkpoint["rate"] = self.rate.state()
        checkpoint["parts"] = self.parts
        checkpoint["learnt"] = {name: tally.state(self._total, self.device) for name, tally in self.learnt.items()}
        checkpoint["computed_in"] = str(self.trainer.precision)

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        self.minutes_before, self.started = float(checkpoint["minutes"]), time.monotonic()
        self.rate.load(checkpoint["rate"])
        self.parts = int(checkpoint.get("parts", 1))
        if self.global_rank == 0:  # it has what all of them had
            for name, state in checkpoint.get("learnt", {}).items():
                self.learnt[name].load(state)


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
