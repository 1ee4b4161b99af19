"""A learning rate by trial: it rises from step to step until the loss runs away (Smith 2017, arXiv:1506.01186)."""

from __future__ import annotations

import math
from typing import Any

import pytorch_lightning as pl

from fer_core.errors import RecipeError
from fer_core.models.registry import EmotionNetwork
from training.data import FerDataModule
from training.prepare import PreparedData
from training.recipe import Recipe
from training.schedule import LearningRate
from training.trainer import Machine, build_module, precision_here

FIRST, LAST, STEPS = 1e-6, 1.0, 200
SMOOTHING, RUNAWAY = 0.9, 4.0
"""Weight of the loss so far in the mean that is looked at, and how many times its lowest value ends the trial."""


class _Rising(LearningRate):
    """From ``FIRST`` to ``LAST`` in ``STEPS`` equal factors."""

    def __init__(self, recipe: Recipe) -> None:
        super().__init__(recipe)
        self.steps = 0

    def at(self, progress: float, epoch: int) -> float:
        rate = FIRST * (LAST / FIRST) ** (self.steps / (STEPS - 1))
        self.steps += 1
        return rate


class _Losses(pl.Callback):
    """Smoothed loss of every step, by rate; ends the trial when it runs away."""

    def __init__(self) -> None:
        self.rates: list[float] = []
        self.losses: list[float] = []
        self.mean = 0.0

    def on_train_batch_end(
        self, trainer: pl.Trainer, module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        self.mean = SMOOTHING * self.mean + (1 - SMOOTHING) * float(outputs["loss"])
        loss = self.mean / (1 - SMOOTHING ** (len(self.losses) + 1))
        if not math.isfinite(loss) or loss > RUNAWAY * min([*self.losses, loss]):
            trainer.should_stop = True
            return
        self.rates.append(trainer.optimizers[0].param_groups[-1]["lr"])
        self.losses.append(loss)


def find_rate(
    prepared: PreparedData, machine: Machine, *, net: EmotionNetwork | None = None
) -> tuple[float, list[float], list[float]]:
    """The rate at which the loss falls fastest, and rates and smoothed losses of all steps; nothing is kept of it.

    Raises:
        RecipeError: several processes, or a loss that never fell.
    """
    if machine.n_processes > 1:
        raise RecipeError("A learning rate is looked for by one process; leave --devices and --nodes out.")
    recipe = prepared.recipe
    pl.seed_everything(recipe.seed)
    module = build_module(recipe, prepared, net)
    module.rate, seen = _Rising(recipe), _Losses()
    module.checks = False  # it is meant to run away
    trainer = pl.Trainer(
        accelerator=machine.accelerator, devices=1, max_steps=STEPS, limit_val_batches=0, logger=False,
        precision=precision_here(recipe, machine), gradient_clip_val=recipe.optimiser.clip or None, callbacks=[seen],
        enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False, num_sanity_val_steps=0,
        use_distributed_sampler=False,
    )  # fmt: skip
    trainer.fit(module, FerDataModule(recipe, prepared.train, prepared.choose))
    falls = [after - before for before, after in zip(seen.losses, seen.losses[1:], strict=False)]
    if not falls or min(falls) >= 0:
        raise RecipeError("The loss fell at no learning rate; the recipe does not learn from these pictures.")
    return seen.rates[falls.index(min(falls))], seen.rates, seen.losses


def tell_rates(found: float, rates: list[float], losses: list[float]) -> None:
    """A dozen of the steps, and the rate to take."""
    print("learning rate   loss")
    for i in range(0, len(rates), max(len(rates) // 12, 1)):
        print(f"{rates[i]:13.1e}   {losses[i]:.3f}")
    print(f"The loss falls fastest at {found:.1e}: take --lr {found:.1g}")
