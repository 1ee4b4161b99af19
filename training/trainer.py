"""One run of a recipe: Lightning's trainer, where it starts, what it keeps, and the row of figures after each epoch."""

from __future__ import annotations

import csv
import dataclasses
import importlib.util
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback, EarlyStopping, EMAWeightAveraging, ModelCheckpoint
from pytorch_lightning.loggers import TensorBoardLogger
from pytorch_lightning.strategies import DDPStrategy
from torch import nn

import fer_core.models.catalogue  # noqa: F401  (fills the registry)
from fer_core.errors import CheckpointError
from fer_core.models import registry
from fer_core.models.runtime import computes_bfloat16
from training.data import FerDataModule
from training.module import LOOK_EVERY, EmotionModule, MultiHead, float32_depthwise
from training.prepare import PreparedData
from training.recipe import IMAGENET, SCRATCH, STARTED, Recipe
from training.teach import Answers


@dataclass(frozen=True)
class Machine:
    """Where to train: Lightning's ``accelerator``, processes on this machine, and machines; ``compiles``: whether the
    network is compiled first; ``deterministic``: whether a GPU takes the ways that give the same result each time;
    ``state_minutes``: after how many the state within an epoch is kept (0: never)."""

    accelerator: str = "auto"
    devices: int = 1
    nodes: int = 1
    compiles: bool = False
    deterministic: bool = False
    state_minutes: float = 10.0

    @property
    def n_processes(self) -> int:
        return self.devices * self.nodes

    @property
    def on_cpu(self) -> bool:
        return self.accelerator == "cpu" or not torch.cuda.is_available()


def train(
    prepared: PreparedData,
    run: Path,
    machine: Machine = Machine(),
    *,
    net: registry.EmotionNetwork | None = None,
    heads: Mapping[str, nn.Module] | None = None,
    teachers: Answers | None = None,
) -> None:
    """Train on what was prepared, in folder ``run``; resumes by itself. The trained state is ``kept_state(run)``.

    ``net`` is where a new run starts, by default the recipe builds it; ``heads`` are last layers of targets that start
    from others than its own. ``teachers`` are the answers of ``teachers_answers``.
    """
    recipe = prepared.recipe
    pl.seed_everything(recipe.seed, workers=True)
    if not machine.on_cpu:
        torch.set_float32_matmul_precision("high")  # TF32, as torch takes for convolutions by itself
    last = run / "last.ckpt"
    begun = started(recipe, run)
    if last.is_file():
        begun = dataclasses.replace(begun, weights=SCRATCH)  # its weights come from the run
    module = build_module(begun, prepared, net, heads)
    if machine.compiles:
        module.model.compile(dynamic=False)  # one program for each size of picture
    trainer = pl.Trainer(
        accelerator=machine.accelerator,
        devices=machine.devices,
        num_nodes=machine.nodes,
        strategy=_strategy(recipe, machine),
        use_distributed_sampler=False,  # batches are shared by training.data.EpochBatches
        sync_batchnorm=machine.n_processes > 1 and torch.cuda.is_available(),
        max_epochs=recipe.epochs,
        precision=precision_here(recipe, machine),
        gradient_clip_val=recipe.optimiser.clip or None,
        deterministic="warn" if machine.deterministic else None,  # a warning names what has no such way
        benchmark=not machine.deterministic,  # batches are of one size, pictures of a few
        callbacks=_callbacks(recipe, run, module.main, machine.state_minutes),
        logger=TensorBoardLogger(run, name="tensorboard", version="") if _has_tensorboard() else False,
        log_every_n_steps=1,
        num_sanity_val_steps=0,
        enable_model_summary=False,
        enable_progress_bar=sys.stderr.isatty(),
        default_root_dir=run,
    )
    data = FerDataModule(recipe, prepared.train, prepared.choose, teachers or {})
    finished = run / "finished.txt"
    schedule = f"{recipe.epochs} epochs, {recipe.minutes} minutes\n"
    if not (finished.is_file() and finished.read_text(encoding="utf-8") == schedule):
        trainer.fit(module, data, ckpt_path=last if last.is_file() else None)
        if trainer.is_global_zero and not trainer.interrupted:
            finished.write_text(schedule, encoding="utf-8")


def epochs_done(run: Path) -> int:
    """Epochs that a run has behind it."""
    history = run / "history.csv"
    return max(len(history.read_text(encoding="utf-8").splitlines()) - 1, 0) if history.is_file() else 0


def kept_state(run: Path, recipe: Recipe) -> Path:
    """The state that becomes the checkpoint: of the last epoch, or of the best one."""
    return run / ("last.ckpt" if recipe.keep == "last" else "best.ckpt")


def build_module(
    recipe: Recipe,
    prepared: PreparedData | None = None,
    net: registry.EmotionNetwork | None = None,
    heads: Mapping[str, nn.Module] | None = None,
) -> EmotionModule:
    """The network of a recipe, or ``net``, with one head per target, ready to train; see ``train``."""
    if net is None:
        net = registry.build(
            recipe.architecture, n_labels=recipe.data.labels, channels=recipe.input.channels, **recipe.options
        )
        if recipe.weights == IMAGENET:
            net.load_imagenet()
    model = MultiHead(net, list(recipe.targets), heads).to(memory_format=torch.channels_last)
    if not torch.cuda.is_available():
        float32_depthwise(model)
    return EmotionModule(model, recipe, _class_weights(recipe, prepared))


def started(recipe: Recipe, run: Path) -> Recipe:
    """The recipe as this run starts it: from scratch, with all layers learning, where ImageNet weights cannot be had.

    What a run started from stays in ``started.txt``, so that it resumes as it began.
    """
    record = run / STARTED
    if recipe.weights == IMAGENET and not record.is_file():
        try:
            net = build_module(recipe).model.net
            record.write_text("\n".join([IMAGENET, net.started_from]).strip(), encoding="utf-8")
        except CheckpointError as error:
            print(f"{error} This run starts from scratch, with all layers learning.", file=sys.stderr)
            record.write_text(SCRATCH, encoding="utf-8")
    if recipe.weights == IMAGENET and record.read_text(encoding="utf-8").partition("\n")[0] != IMAGENET:
        return dataclasses.replace(recipe, weights=SCRATCH, phases=[])
    return recipe


def _class_weights(recipe: Recipe, prepared: PreparedData | None) -> torch.Tensor | None:
    """Inverse class frequencies, mean 1 over the pictures, where the recipe balances by loss."""
    if prepared is None or recipe.balance.by != "loss":
        return None
    counts = np.bincount(prepared.train.labels, minlength=recipe.data.labels)
    weights = np.where(counts > 0, counts.sum() / np.maximum(counts, 1) / max((counts > 0).sum(), 1), 0.0)
    return torch.tensor(weights, dtype=torch.float32)


def _strategy(recipe: Recipe, machine: Machine) -> Any:
    if machine.n_processes == 1:
        return "auto"
    return DDPStrategy(
        process_group_backend="gloo" if machine.on_cpu else "nccl",
        find_unused_parameters=bool(recipe.phases),  # frozen layers get no gradient
    )


def precision_here(recipe: Recipe, machine: Machine = Machine()) -> Any:
    """The recipe's precision for Lightning; float32 instead of bf16 on a CPU that has no instructions for it."""
    on_cpu = machine.accelerator == "cpu" or not torch.accelerator.is_available()
    return "32-true" if recipe.precision == "bf16-mixed" and on_cpu and not computes_bfloat16() else recipe.precision


def _has_tensorboard() -> bool:
    return importlib.util.find_spec("tensorboard") is not None


def _callbacks(recipe: Recipe, run: Path, main: str, state_minutes: float = 0.0) -> list[Callback]:
    saved: dict[str, Any] = {"dirpath": run, "save_top_k": 1, "enable_version_counter": False}
    found: list[Callback] = [MovingAverage(decay=recipe.ema)] if recipe.ema else []
    found.append(HistoryFile(run / "history.csv"))
    modes = {"loss": "min", "accuracy": "max"}
    if recipe.keep != "last":
        found.append(
            ModelCheckpoint(filename="best", monitor=f"choose_{main}_{recipe.keep}", mode=modes[recipe.keep], **saved)
        )
    if recipe.stop.patience:
        monitor = recipe.stop.monitor
        found.append(EarlyStopping(f"choose_{main}_{monitor}", patience=recipe.stop.patience, mode=modes[monitor]))
    if state_minutes:
        found.append(StateWithin(run / "last.ckpt", state_minutes))
    found.append(ModelCheckpoint(filename="last", **saved))  # after the best, so that it knows which that is
    return found


class MovingAverage(EMAWeightAveraging):
    """The exponential mean of the weights, of all of them at once; torch's own update asks the device at every step how
    many it has seen."""

    def __init__(self, decay: float) -> None:
        super().__init__(decay=decay)
        self.decay = decay

    @torch.no_grad()
    def on_train_batch_end(
        self, trainer: pl.Trainer, module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if trainer.global_step > self._latest_update_step:
            self.take(module, first=not self._latest_update_step)
            self._latest_update_step = trainer.global_step

    def take(self, module: nn.Module, *, first: bool) -> None:
        """Let the mean follow the weights and buffers; the ``first`` time it becomes them."""
        assert self._average_model is not None
        moving: list[torch.Tensor] = []
        towards: list[torch.Tensor] = []
        all_of = ((*each.parameters(), *each.buffers()) for each in (self._average_model.module, module))
        for mean, value in zip(*all_of, strict=True):
            if first or not mean.is_floating_point():
                mean.detach().copy_(value.detach())
            else:
                moving.append(mean.detach())
                towards.append(value.detach())
        if moving:
            torch._foreach_lerp_(moving, towards, 1 - self.decay)
        self._average_model.n_averaged += 1


class StateWithin(Callback):
    """Keeps the state of a run within an epoch every so many minutes, beside that after each epoch."""

    def __init__(self, path: Path, minutes: float) -> None:
        self.path, self.seconds = path, 60 * minutes
        self.kept = time.monotonic()

    def on_train_epoch_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """The state after the last epoch was kept just now."""
        self.kept = time.monotonic()

    def on_train_batch_end(
        self, trainer: pl.Trainer, module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        assert isinstance(module, EmotionModule)
        done = batch_idx + 1
        if done >= trainer.num_training_batches or (trainer.world_size > 1 and done % LOOK_EVERY):
            return  # the epoch is over; or processes do not agree on the time yet
        if trainer.strategy.broadcast(time.monotonic() - self.kept >= self.seconds):
            module.check(float(outputs["loss"]))
            trainer.save_checkpoint(self.path)
            module.kept_within, self.kept = trainer.current_epoch, time.monotonic()


class HistoryFile(Callback):
    """Appends one row per epoch to ``history.csv``; a resumed run goes on in the same file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def on_train_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Drop the row of an epoch that was written but not saved before the run was stopped."""
        if trainer.is_global_zero and self.path.exists():
            lines = self.path.read_text(encoding="utf-8").splitlines(keepends=True)
            self.path.write_text("".join(lines[: 1 + trainer.current_epoch]), encoding="utf-8")

    def on_train_epoch_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        assert isinstance(module, EmotionModule)
        if not trainer.is_global_zero:
            return
        values = {name: round(float(value), 5) for name, value in sorted(trainer.callback_metrics.items())}
        lr = trainer.optimizers[0].param_groups[-1]["lr"]
        row: dict[str, Any] = {
            "epoch": trainer.current_epoch + 1,
            "minutes": round(module.minutes, 2),
            "lr": round(lr, 8),
            **values,
        }
        told = ", ".join(f"{name.replace('_', ' ')} {value:.3f}" for name, value in values.items())
        print(f"epoch {row['epoch']} of {trainer.max_epochs}, {row['minutes']:.1f} min: {told}", flush=True)
        is_new = not self.path.exists() or not self.path.stat().st_size
        names = list(row) if is_new else self.path.read_text(encoding="utf-8").splitlines()[0].split(",")
        with self.path.open("a", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, names, extrasaction="ignore")
            if is_new:
                writer.writeheader()
            writer.writerow(row)
