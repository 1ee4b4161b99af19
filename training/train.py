"""Train a recipe and write its checkpoint folders.

    python -m training.train mbstu-2021-resnet18 --data /path/to/fer2013
    python -m training.train ubb-2021-mobilenetv2 --data affectnet=/data/AffectNet --data kdef=/data/KDEF ...
    python -m training.train shsu-2023-mobilenet --dataset rafdb --data /data/RAF-DB --name mine --lr 0.001 --seeds 5

``python -m training.recipes`` lists the recipes. Data sets are found through ``--data`` or the environment variable
``FER_DATA`` (a folder that contains ``fer2013/`` and others). The run (resume state, ``history.csv``, TensorBoard
files) lives in ``FER_RUNS``/NAME, by default ``~/.cache/fer-workbench/runs``. The same command resumes a stopped
run from its last epoch; ``--fresh`` starts anew. When the schedule is done, the network is measured from its shipped
(half-precision) weights and written to ``--out``, one folder per target; the dashboard lists what is in its default.

Several GPUs, or machines started with the same command and ``--nodes``: ``--devices 4``, or torchrun or srun without
these. Lightning shares every batch among the processes and averages their gradients.
"""

from __future__ import annotations

import argparse
import dataclasses
import logging
import os
import shutil
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from fer_core.cli_parts import CAUSED_OUTSIDE, say
from fer_core.data import open_dataset
from fer_core.data.classes import class_mapping
from fer_core.data.mixture import counts_table
from fer_core.emotions import EMOTIONS8
from fer_core.errors import RecipeError
from training.data import shown_counts
from training.export import export_checkpoints
from training.options import called, machine_of, parser, settings_of, told_of
from training.prepare import ChosenPictures, PreparedData, Roots, choose_pictures, find_all, prepare
from training.reading import HowToRead
from training.recipe import SCRATCH, SPLITS, EnsembleRecipe, Recipe, load_recipe, network_recipe
from training.results import Results
from training.settings import Data, Part
from training.summary import tell_end, tell_reading, tell_spread
from training.teach import start_heads, start_net, teachers_answers
from training.trainer import build_module, epochs_done, kept_state, train

_RESUMABLE = r".*your dataloader is not resumable"  # training.data.EpochBatches goes on where it was
INSTEAD = {
    "training": ("all",),
    "private_test": ("test", "val"),
    "public_test": ("val",),
    "test": ("private_test", "val"),
    "val": ("public_test",),
}
"""Splits that may stand for one that a data set does not have, in this form of it."""


def start_run(run: Path, recipe: Recipe, settings: str, *, fresh: bool) -> None:
    """Make the folder of a run, or refuse to go on with one that was started otherwise; epochs and minutes may change.

    Of several processes the first one does it.

    Raises:
        RecipeError: the run was started with another recipe or other settings, or has more epochs already.
    """
    if not _is_first():
        return
    if fresh:
        shutil.rmtree(run, ignore_errors=True)
    run.mkdir(parents=True, exist_ok=True)
    text = f"recipe {dataclasses.replace(recipe, epochs=1, minutes=0.0).sha256}, {settings}\n"
    path = run / "settings.txt"
    if path.exists() and path.read_text(encoding="utf-8") != text:
        raise RecipeError(
            f"The run in {run} was started with another recipe, other settings, --limit or --fold; add --fresh, or "
            "give this one a --name."
        )
    if (done := epochs_done(run)) > recipe.epochs:
        raise RecipeError(
            f"The run in {run} has {done} epochs already, more than the {recipe.epochs} asked for; add --fresh, or "
            "leave --epochs out."
        )
    path.write_text(text, encoding="utf-8")


@contextmanager
def alone_in(run: Path) -> Iterator[None]:
    """Hold a run against other commands while the block lasts; of several processes the first one does it.

    Raises:
        RecipeError: another command trains there.
    """
    if not _is_first():
        yield
        return
    run.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(run.with_name(f"{run.name}.lock"))
    try:
        held = lock.acquire(timeout=0)
    except Timeout as error:
        raise RecipeError(f"Another command trains in {run} now; wait for it, or give this one a --name.") from error
    with held:
        yield


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
    before = recipe.data
    data = Data(
        parts["train"], parts["test"], parts["choose"],
        held_out=held_out, labels=before.labels, classes=before.classes,
    )  # fmt: skip
    return dataclasses.replace(called(recipe, f"-{name}"), name=f"{recipe.name}-{name}", data=data)


def on_what_is_there(recipe: Recipe, roots: Roots) -> Recipe:
    """The recipe on the splits that its data sets have, where those that it names are not among them: FER2013's folders
    have one test split and none to choose on. What was taken instead stands in the card.

    Raises:
        DataError: a split to train on is not there, and nothing that could be meant by it.
    """
    opened = {name: open_dataset(root, name) for name, root in roots.items()}
    told: list[str] = []
    sides: dict[str, list[Part]] = {"train": [], "test": [], "choose": []}
    taken: set[tuple[str, str]] = set()
    for side, parts in sides.items():
        for part in getattr(recipe.data, side):
            there = opened[part.dataset].splits
            free = (each for each in INSTEAD.get(part.split, ()) if each in there and (part.dataset, each) not in taken)
            split = part.split if part.split in there else next(free, None)
            if split is None and side == "train":
                opened[part.dataset].read(part.split)  # says what there is
            if split != part.split:
                what = f"{split} is taken" if split else "it is left out"
                told.append(f"{part.dataset} has no {part.split}; {what}.")
            if split:
                taken.add((part.dataset, split))
                parts.append(dataclasses.replace(part, split=split))
    if not told:
        return recipe
    held_out = recipe.data.held_out
    if recipe.data.choose and not sides["choose"]:
        held_out = 0.15
        told.append("15 % of the training pictures are held out to choose on.")
    if not sides["test"]:
        told.append("Figures are those of the pictures that it is chosen on.")
    if _is_first():
        print("\n".join(f"note: {each}" for each in told))
    data = dataclasses.replace(
        recipe.data, train=sides["train"], test=sides["test"], choose=sides["choose"], held_out=held_out
    )
    return dataclasses.replace(recipe, data=data, ours={**recipe.ours, SPLITS: " ".join(told)})


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


def _tell_data(chosen: ChosenPictures, roots: Roots, data: Data) -> None:
    """How the classes of every data set are read, counts per class and split, and classes that nothing teaches."""
    labels = EMOTIONS8[: data.labels]
    for name, root in roots.items():
        opened = open_dataset(root, name)
        names = ", ".join(f"{row.name} -> {row.emotion}" for row in class_mapping(opened, labels=labels))
        print(f"{opened.name} ({opened.layout}): {names}")
    table = counts_table(chosen.parts(), labels)
    widths = {key: max(len(key), *(len(str(row[key])) for row in table)) for key in table[0]}
    header: dict[str, str | int] = {key: key for key in widths}
    for row in [header, *table]:
        print("  ".join(str(row[key]).rjust(width) for key, width in widths.items()))
    there = {int(label) for part in chosen.train for label in set(part.labels.tolist())}
    if missing := [labels[i] for i in data.taught if i not in there]:
        known = ",".join(labels[i] for i in data.taught if i in there)
        print(
            f"warning: no picture to train on shows {', '.join(missing)}, so the network will hardly ever say it; "
            f"--classes {known} makes it one that never does."
        )


def _tell_balance(prepared: PreparedData) -> None:
    """The classes before and after balancing."""
    recipe = prepared.recipe
    after = shown_counts(prepared.train, recipe.balance, recipe.seed)
    print(f"balance by {recipe.balance.by}: {prepared.train.counts()} -> {after}")


def run_recipe(recipe: Recipe, name: str, args: argparse.Namespace) -> list[Path]:
    """Prepare, train and export one recipe under a name as the command line says; returns the checkpoints' folders."""
    machine = machine_of(args)
    results = Results(args.out, runs_folder() / name, args.replace)
    if recipe.minutes and machine.n_processes > 1:
        raise RecipeError("Processes cannot share a time budget; give --minutes 0 and --epochs.")
    if args.fold is not None and not recipe.data.folds:
        raise RecipeError(f"{recipe.name} has no folds; leave --fold out.")
    roots = find_all(recipe.data, named_roots(args.data, recipe.data.names))
    recipe = on_what_is_there(recipe, roots)
    if _is_first() and not args.find_lr:
        results.check(target.checkpoint for target in recipe.targets.values())
    with alone_in(results.run):
        return _run(recipe, results, roots, args)


def _run(recipe: Recipe, results: Results, roots: Roots, args: argparse.Namespace) -> list[Path]:
    run, machine = results.run, machine_of(args)
    chosen = choose_pictures(recipe, roots, limit=args.limit)
    start_run(run, recipe, f"limit {args.limit}, fold {args.fold}", fresh=args.fresh)
    if _is_first():
        _tell_data(chosen, roots, recipe.data)
    how = HowToRead(args.skip_unreadable, _is_first(), args.workers, tell_reading() if _is_first() else lambda *_: None)
    prepared = prepare(recipe, chosen, run / "pictures", fold=args.fold, how=how)
    if recipe.balance.by != "none" and _is_first():
        _tell_balance(prepared)
    if args.find_lr:
        from training.find_lr import find_rate, tell_rates

        tell_rates(*find_rate(prepared, machine, net=start_net(recipe, args.out)))
        return []
    if not args.export_only:
        resumes = (run / "last.ckpt").is_file()
        start = None if resumes else start_net(recipe, args.out)
        heads = None if resumes else start_heads(recipe, args.out)
        train(prepared, run, machine, net=start, heads=heads, teachers=teachers_answers(prepared, run, args.out))
    if not _is_first():
        return []
    model = build_module(dataclasses.replace(prepared.recipe, weights=SCRATCH, phases=[])).model
    command = {"recipe": args.recipe_name, **told_of(args)}
    folders = export_checkpoints(
        prepared, state=kept_state(run, recipe), results=results, model=model, command=command
    )  # fmt: skip
    tell_end(folders, prepared)
    return folders


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
    args = parser(__doc__).parse_args(argv)
    try:
        recipe = load_recipe(args.recipe)
        if isinstance(recipe, EnsembleRecipe):
            _run_ensemble(recipe, args)
        else:
            args.recipe_name = recipe.name
            recipe = network_recipe(args.recipe, settings_of(args))
            if args.dataset:
                recipe = on_dataset(recipe, args.dataset, named_roots(args.data, [args.dataset]).get(args.dataset))
            _run_all(recipe, args)
    except CAUSED_OUTSIDE as error:
        return say("error", error, failed=2)
    return 0


def _run_ensemble(recipe: EnsembleRecipe, args: argparse.Namespace) -> None:
    given = ("epochs", "minutes", "lr", "batch_size", "seed", "seeds", "dataset", "fold", "classes", "name")
    if args.settings or any(getattr(args, name) is not None for name in given):
        named = ", ".join(f"--{name.replace('_', '-')}" for name in given)
        raise RecipeError(f"{recipe.name} is an ensemble: {named} and --set do not apply.")
    from training.ensemble import run_ensemble

    roots = find_all(recipe.data, named_roots(args.data, recipe.data.names))
    results = Results(args.out, runs_folder() / recipe.name, args.replace)
    print(f"{recipe.checkpoint} is in {run_ensemble(recipe, roots, results=results, limit=args.limit)}")


def _run_all(recipe: Recipe, args: argparse.Namespace) -> None:
    """The recipe once, or for all of its folds, or for as many seeds as are asked for."""
    folds = range(recipe.data.folds) if args.fold is None and recipe.data.folds else [args.fold]
    seeds = range(recipe.seed, recipe.seed + args.seeds) if args.seeds else [recipe.seed]
    tells_seed = args.seeds is not None or (args.seed is not None and args.name is None)
    by_target: dict[str, list[Path]] = {}
    for fold in folds:
        for seed in seeds:
            args.fold, args.seed = fold, seed if tells_seed else args.seed
            in_fold = "" if fold is None else f"-fold{fold}"
            ending = in_fold + (f"-seed{seed}" if tells_seed else "")
            one = called(dataclasses.replace(recipe, name=recipe.name + in_fold, seed=seed), ending, args.name)
            written = run_recipe(one, (args.name or recipe.name) + ending, args)
            for key, folder in zip(one.targets, written, strict=False):
                by_target.setdefault(key, []).append(folder)
    for folders in by_target.values():
        if len(folders) > 1:
            tell_spread(folders)


def quiet() -> None:
    """Keep Lightning from telling what is meant to be so."""
    for name in ("pytorch_lightning", "lightning.pytorch", "lightning_fabric", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)
    for text in (
        r"Checkpoint directory .* exists",
        r".*isinstance\(treespec",
        r".*does not have many workers",
        _RESUMABLE,
    ):
        warnings.filterwarnings("ignore", message=text)


if __name__ == "__main__":
    raise SystemExit(main())
