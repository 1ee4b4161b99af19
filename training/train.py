"""Train a recipe and write its checkpoint folders.

    python -m training.train usfq-2024-fer2013 --data /path/to/fer2013

The data set is found through ``--data`` or the environment variable ``FER_DATA`` (a folder that contains ``fer2013/``).
The run (resume state, ``history.csv``) lives in ``FER_RUNS``/RECIPE, by default ``~/.cache/fer-workbench/runs``. The
same command resumes a stopped run from its last epoch; ``--fresh`` starts anew. When the schedule is done, the network
is measured from its shipped (half-precision) weights and written to ``--out`` (default ``checkpoints/``), one folder
per target.
"""

from __future__ import annotations

import argparse
import csv
import dataclasses
import os
import shutil
import sys
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback, EMAWeightAveraging, ModelCheckpoint

from fer_core.data.locate import find_dataset
from fer_core.errors import FerError, RecipeError
from fer_core.models import registry
from training.data import FerDataModule
from training.export import export_checkpoints
from training.module import EmotionModule, MultiHead, float32_depthwise
from training.recipe import Recipe, load_recipe, recipe_names


def train(recipe: Recipe, *, data: Path, run: Path, fresh: bool = False, limit: int | None = None) -> Path:
    """Train ``recipe`` on ``data`` in folder ``run``; resumes by itself. Returns the final Lightning checkpoint."""
    if fresh:
        shutil.rmtree(run, ignore_errors=True)
    run.mkdir(parents=True, exist_ok=True)
    _same_settings(run / "settings.txt", recipe, limit)
    pl.seed_everything(recipe.seed, workers=True)
    module = build_module(recipe)
    last = run / "last.ckpt"
    trainer = pl.Trainer(
        accelerator="auto",
        devices=1,
        max_epochs=recipe.epochs,
        precision="bf16-mixed",
        callbacks=[*_averaging(recipe), History(run / "history.csv"), _keep_last(run)],
        logger=False,
        num_sanity_val_steps=0,
        enable_model_summary=False,
        enable_progress_bar=sys.stderr.isatty(),
        default_root_dir=run,
    )
    trainer.fit(module, FerDataModule(recipe, str(data), limit=limit), ckpt_path=last if last.is_file() else None)
    return last


def _same_settings(path: Path, recipe: Recipe, limit: int | None) -> None:
    """Refuse to go on with a run that was started otherwise; epochs and minutes may change."""
    settings = f"recipe {dataclasses.replace(recipe, epochs=0, minutes=0.0).sha256}, limit {limit}\n"
    if path.exists() and path.read_text(encoding="utf-8") != settings:
        raise RecipeError(f"The run in {path.parent} was started with another recipe or --limit; add --fresh.")
    path.write_text(settings, encoding="utf-8")


def build_module(recipe: Recipe) -> EmotionModule:
    """The network of a recipe, with one head per target, ready to train."""
    net = registry.build(recipe.architecture, n_labels=7, channels=recipe.input.channels, **recipe.options)
    if recipe.pretrained:
        net.load_imagenet()
    model = MultiHead(net, list(recipe.targets)).to(memory_format=torch.channels_last)
    if not torch.cuda.is_available():
        float32_depthwise(model)
    return EmotionModule(model, recipe)


def _averaging(recipe: Recipe) -> list[Callback]:
    return [EMAWeightAveraging(decay=recipe.ema)] if recipe.ema else []


def _keep_last(run: Path) -> Callback:
    return ModelCheckpoint(dirpath=run, filename="last", save_top_k=1, enable_version_counter=False)


class History(Callback):
    """Appends one row per epoch to ``history.csv``; a resumed run goes on in the same file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def on_train_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Drop the row of an epoch that was written but not saved before the run was stopped."""
        if self.path.exists():
            lines = self.path.read_text(encoding="utf-8").splitlines(keepends=True)
            self.path.write_text("".join(lines[: 1 + trainer.current_epoch]), encoding="utf-8")

    def on_train_epoch_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        assert isinstance(module, EmotionModule)
        values = {name: round(float(value), 5) for name, value in sorted(trainer.callback_metrics.items())}
        lr = trainer.optimizers[0].param_groups[0]["lr"]
        row: dict[str, Any] = {
            "epoch": trainer.current_epoch + 1,
            "minutes": round(module.minutes, 2),
            "lr": round(lr, 6),
            **values,
        }
        is_new = not self.path.exists() or not self.path.stat().st_size
        with self.path.open("a", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, list(row))
            if is_new:
                writer.writeheader()
            writer.writerow(row)


def main(argv: list[str] | None = None) -> int:
    """Command line; see the module's docstring."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipe", help=f"name ({', '.join(recipe_names())}) or path of a recipe")
    parser.add_argument("--data", type=Path, help="folder of the data set (default: found in FER_DATA)")
    parser.add_argument("--out", type=Path, default=Path("checkpoints"), help="where checkpoint folders go")
    parser.add_argument("--minutes", type=float, help="time budget, replaces the recipe's")
    parser.add_argument("--epochs", type=int, help="epochs, replaces the recipe's")
    parser.add_argument("--limit", type=int, help="use only the first N images of every split (for a trial)")
    parser.add_argument("--fresh", action="store_true", help="forget an earlier run of this recipe")
    parser.add_argument("--export-only", action="store_true", help="measure and export the last state, do not train")
    args = parser.parse_args(argv)
    changes = {key: value for key in ("minutes", "epochs") if (value := getattr(args, key)) is not None}
    try:
        recipe = dataclasses.replace(load_recipe(args.recipe), **changes)
        data = find_dataset(recipe.data.dataset, args.data)
        run = Path(os.environ.get("FER_RUNS", Path.home() / ".cache/fer-workbench/runs")) / recipe.name
        if not args.export_only:
            train(recipe, data=data, run=run, fresh=args.fresh, limit=args.limit)
        export_checkpoints(recipe, run=run, data=data, out=args.out, model=build_module(recipe).model)
    except FerError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
