"""Train a recipe and write its checkpoint folders.

    python -m training.train mbstu-2021-resnet18 --data /path/to/fer2013
    python -m training.train ubb-2021-mobilenetv2 --data affectnet=/data/AffectNet --data kdef=/data/KDEF ...
    python -m training.train shsu-2023-mobilenet --dataset rafdb --data /data/RAF-DB

``python -m training.recipes`` lists the recipes. Data sets are found through ``--data`` or the environment variable
``FER_DATA`` (a folder that contains ``fer2013/`` and others). The run (resume state, ``history.csv``, TensorBoard
files) lives in ``FER_RUNS``/RECIPE, by default ``~/.cache/fer-workbench/runs``. The same command resumes a stopped
run from its last epoch; ``--fresh`` starts anew. When the schedule is done, the network is measured from its shipped
(half-precision) weights and written to ``--out`` (default ``checkpoints/``), one folder per target.

Several GPUs, or machines started with the same command and ``--nodes``: ``--devices 4``. Lightning shares every batch
among the processes and averages their gradients.
"""

from __future__ import annotations

import argparse
import dataclasses
import logging
import os
import shutil
import warnings
from collections.abc import Sequence
from pathlib import Path

from fer_core.cli_parts import CAUSED_OUTSIDE, say
from fer_core.data import open_dataset
from fer_core.data.classes import class_mapping
from fer_core.data.mixture import counts_table
from fer_core.emotions import EMOTIONS8
from fer_core.errors import RecipeError
from fer_core.models.card import COMMAND_OPTIONS
from training.data import shown_counts
from training.export import export_checkpoints
from training.prepare import ChosenPictures, PreparedData, Roots, choose_pictures, find_all, prepare
from training.recipe import SCRATCH, EnsembleRecipe, Recipe, load_recipe, recipe_names
from training.settings import Data, Part
from training.teach import start_heads, start_net, teachers_answers
from training.trainer import Machine, build_module, kept_state, train


def start_run(run: Path, recipe: Recipe, settings: str, *, fresh: bool) -> None:
    """Make the folder of a run, or refuse to go on with one that was started otherwise; epochs and minutes may change.

    Of several processes the first one does it.

    Raises:
        RecipeError: the run was started with another recipe or other settings.
    """
    if not _is_first():
        return
    if fresh:
        shutil.rmtree(run, ignore_errors=True)
    run.mkdir(parents=True, exist_ok=True)
    text = f"recipe {dataclasses.replace(recipe, epochs=1, minutes=0.0).sha256}, {settings}\n"
    path = run / "settings.txt"
    if path.exists() and path.read_text(encoding="utf-8") != text:
        raise RecipeError(f"The run in {run} was started with another recipe, --limit or --fold; add --fresh.")
    path.write_text(text, encoding="utf-8")


def on_dataset(recipe: Recipe, name: str, root: Path | None) -> Recipe:
    """The recipe on another data set: its training split, its validation split or 15 % held out, and its test split.

    Raises:
        DataError: the data set is not there.
    """
    from fer_core.data.locate import find_dataset

    found = open_dataset(find_dataset(name, root))
    has_test = found.default_split != found.training_split  # if not, the figures are those of the people held out
    first = {
        "train": found.training_split,
        "choose": found.choosing_split,
        "test": found.default_split if has_test else None,
    }
    parts = {side: [Part(name, split)] if split else [] for side, split in first.items()}
    held_out = 0.0 if parts["choose"] else 0.15
    data = Data(parts["train"], parts["test"], parts["choose"], held_out=held_out, labels=recipe.data.labels)
    targets = {
        key: dataclasses.replace(target, checkpoint=f"{target.checkpoint}-{name}")
        for key, target in recipe.targets.items()
    }
    return dataclasses.replace(recipe, name=f"{recipe.name}-{name}", data=data, targets=targets)


def named_roots(given: Sequence[str], names: Sequence[str]) -> dict[str, Path]:
    """``NAME=PATH`` entries, or one path for the only data set."""
    found = {}
    for each in given:
        name, _, path = each.partition("=")
        if name not in names:
            name, path = "", each
        if not name and len(names) > 1:
            raise RecipeError(
                f"This recipe has several data sets ({', '.join(names)}); give --data NAME=PATH for each."
            )
        found[name or names[0]] = Path(path)
    return found


def _tell_data(chosen: ChosenPictures, roots: Roots, labels: Sequence[str]) -> None:
    """How the classes of every data set are read, and counts per class and split."""
    for name, root in roots.items():
        data = open_dataset(root, name)
        names = ", ".join(f"{row.name} -> {row.emotion}" for row in class_mapping(data, labels=labels))
        print(f"{data.name} ({data.layout}): {names}")
    table = counts_table(chosen.parts(), labels)
    widths = {key: max(len(key), *(len(str(row[key])) for row in table)) for key in table[0]}
    header: dict[str, str | int] = {key: key for key in widths}
    for row in [header, *table]:
        print("  ".join(str(row[key]).rjust(width) for key, width in widths.items()))


def _tell_balance(prepared: PreparedData) -> None:
    """The classes before and after balancing."""
    recipe = prepared.recipe
    after = shown_counts(prepared.train, recipe.balance, recipe.seed)
    print(f"balance by {recipe.balance.by}: {prepared.train.counts()} -> {after}")


def run_recipe(recipe: Recipe, args: argparse.Namespace) -> None:
    """Prepare, train and export one recipe as the command line says."""
    run = runs_folder() / recipe.name
    if recipe.minutes and args.devices * args.nodes > 1:
        raise RecipeError("Processes cannot share a time budget; give --minutes 0 and --epochs.")
    if args.fold is not None and not recipe.data.folds:
        raise RecipeError(f"{recipe.name} has no folds; leave --fold out.")
    roots = find_all(recipe.data, named_roots(args.data, recipe.data.names))
    chosen = choose_pictures(recipe, roots, limit=args.limit)
    start_run(run, recipe, f"limit {args.limit}, fold {args.fold}", fresh=args.fresh)
    if _is_first():
        _tell_data(chosen, roots, EMOTIONS8[: recipe.data.labels])
    pictures = run / "pictures"
    prepared = prepare(
        recipe, chosen, pictures, fold=args.fold, skip_unreadable=args.skip_unreadable, decodes=_is_first()
    )
    if recipe.balance.by != "none" and _is_first():
        _tell_balance(prepared)
    if not args.export_only:
        machine = Machine(args.accelerator, args.devices, args.nodes, args.compile)
        resumes = (run / "last.ckpt").is_file()
        start = None if resumes else start_net(recipe, args.out)
        heads = None if resumes else start_heads(recipe, args.out)
        train(prepared, run, machine, net=start, heads=heads, teachers=teachers_answers(prepared, run, args.out))
    if _is_first():
        model = build_module(dataclasses.replace(prepared.recipe, weights=SCRATCH, phases=[])).model
        given = {key: value for key in COMMAND_OPTIONS if (value := getattr(args, key)) is not None}
        export_checkpoints(
            prepared,
            run=run,
            state=kept_state(run, recipe),
            out=args.out,
            model=model,
            command={"recipe": args.name, **given},
        )


def _is_first() -> bool:
    """Whether this is the first of several processes; Lightning starts the others with the same command."""
    ranks = ("LOCAL_RANK", "NODE_RANK", "GROUP_RANK", "RANK", "SLURM_PROCID")
    return all(os.environ.get(name, "0") == "0" for name in ranks)


def runs_folder() -> Path:
    """Where runs live."""
    return Path(os.environ.get("FER_RUNS", Path.home() / ".cache/fer-workbench/runs"))


def main(argv: list[str] | None = None) -> int:
    """Command line; see the module's docstring."""
    quiet()
    args = _parser().parse_args(argv)
    changes = {key: value for key in ("minutes", "epochs") if (value := getattr(args, key)) is not None}
    try:
        recipe = load_recipe(args.recipe)
        if isinstance(recipe, EnsembleRecipe):
            if changes or args.dataset or args.fold is not None:
                raise RecipeError(
                    f"{recipe.name} is an ensemble: --epochs, --minutes, --dataset and --fold do not apply."
                )
            from training.ensemble import run_ensemble

            roots = find_all(recipe.data, named_roots(args.data, recipe.data.names))
            run_ensemble(recipe, roots, run=runs_folder() / recipe.name, out=args.out, limit=args.limit)
            return 0
        args.name = recipe.name
        recipe = dataclasses.replace(recipe, **changes)
        if args.dataset:
            recipe = on_dataset(recipe, args.dataset, named_roots(args.data, [args.dataset]).get(args.dataset))
        for fold in range(recipe.data.folds) if args.fold is None and recipe.data.folds else [args.fold]:
            args.fold = fold
            run_recipe(_of_fold(recipe, fold), args)
    except CAUSED_OUTSIDE as error:
        return say("error", error, failed=2)
    return 0


def quiet() -> None:
    """Keep Lightning from telling what is meant to be so."""
    for name in ("pytorch_lightning", "lightning.pytorch", "lightning_fabric", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)
    for text in (r"Checkpoint directory .* exists", r".*isinstance\(treespec", r".*does not have many workers"):
        warnings.filterwarnings("ignore", message=text)


def _of_fold(recipe: Recipe, fold: int | None) -> Recipe:
    """The recipe under the names of one of its folds."""
    if fold is None:
        return recipe
    targets = {
        key: dataclasses.replace(target, checkpoint=f"{target.checkpoint}-fold{fold}")
        for key, target in recipe.targets.items()
    }
    return dataclasses.replace(recipe, name=f"{recipe.name}-fold{fold}", targets=targets)


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"expected 1 or more, got {value}")
    return value


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipe", help=f"name ({', '.join(recipe_names())}) or path of a recipe")
    parser.add_argument(
        "--data", action="append", default=[], metavar="[NAME=]PATH", help="folder of a data set (default: in FER_DATA)"
    )
    parser.add_argument("--dataset", metavar="NAME", help="train and test on this data set instead of the recipe's")
    parser.add_argument("--out", type=Path, default=Path("checkpoints"), help="where checkpoint folders go")
    parser.add_argument("--minutes", type=float, help="time budget, replaces the recipe's")
    parser.add_argument("--epochs", type=_positive, help="epochs, replaces the recipe's")
    parser.add_argument("--fold", type=int, help="train one of the recipe's folds only, from 0 (default: all of them)")
    parser.add_argument("--limit", type=_positive, help="use only N pictures of every part (for a trial)")
    parser.add_argument("--skip-unreadable", action="store_true", help="leave out pictures that cannot be read")
    parser.add_argument("--fresh", action="store_true", help="forget an earlier run of this recipe")
    parser.add_argument("--export-only", action="store_true", help="measure and export the last state, do not train")
    parser.add_argument("--accelerator", default="auto", help="auto, cpu or gpu (default: %(default)s)")
    parser.add_argument(
        "--compile", action="store_true", help="compile the network first, for long runs (needs a C++ compiler)"
    )
    parser.add_argument("--devices", type=int, default=1, help="processes on this machine, one a GPU (default: 1)")
    parser.add_argument("--nodes", type=int, default=1, help="machines (default: 1)")
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
