"""The command line of ``training.train``: its options, what they change in a recipe, and the processes it runs as."""

from __future__ import annotations

import argparse
import dataclasses
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
import yaml

from fer_core.errors import RecipeError
from fer_core.models.folders import added_folder
from training.recipe import Recipe, recipe_names
from training.trainer import Machine

ACCELERATORS = ("auto", "cpu", "gpu", "cuda", "mps")
AUTO = "auto"
_KEYS = {"epochs": "epochs", "minutes": "minutes", "seed": "seed", "lr": "optimiser.lr", "batch_size": "batch_size"}
"""Options that stand for a key of a recipe."""


def parser(about: str | None) -> argparse.ArgumentParser:
    """The options of the command; ``about`` is what its help begins with."""
    found = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = found.add_argument
    add("recipe", help=f"name ({', '.join(recipe_names())}) or path of a recipe")
    add(
        "--data", action="append", default=[], metavar="[NAME=]PATH", help="folder of a data set (default: in FER_DATA)"
    )
    add("--dataset", metavar="NAME", help="train and test on this data set instead of the recipe's")
    add_options(found)
    add("--name", help="of the run and of its checkpoint, instead of the recipe's")
    add("--minutes", type=float, help="time budget, replaces the recipe's")
    add("--epochs", type=_positive, help="epochs, replaces the recipe's")
    add("--lr", type=float, help="learning rate, replaces the recipe's")
    add("--batch-size", type=_positive, help="pictures of a step, replaces the recipe's")
    add("--seed", type=int, metavar="N", help="another start: its run and checkpoint are called after it")
    add("--seeds", type=_positive, metavar="N", help="train N times from N seeds, and tell mean and spread")
    add(
        "--set", action="append", default=[], metavar="KEY=VALUE", dest="settings",
        help="any other key of the recipe, such as optimiser.weight_decay=0.01 or augment.flip=0",
    )  # fmt: skip
    add("--classes", metavar="NAMES", help="teach and test some classes only, such as happy,sad,neutral")
    add("--fold", type=int, help="train one of the recipe's folds only, from 0 (default: all of them)")
    add("--limit", type=_positive, help="use only N pictures of every part (for a trial)")
    add("--find-lr", action="store_true", help="try learning rates on a few hundred steps, propose one, and stop")
    add(
        "--workers", type=_positive, metavar="N",
        help="processes that read pictures and find faces (default: one a core, for what takes more than seconds)",
    )  # fmt: skip
    add("--skip-unreadable", action="store_true", help="leave out pictures that cannot be read")
    add("--fresh", action="store_true", help="forget an earlier run of this recipe")
    add("--export-only", action="store_true", help="measure and export the last state, do not train")
    add("--accelerator", default=AUTO, help=f"{', '.join(ACCELERATORS)} (default: %(default)s)")
    add("--compile", action="store_true", help="compile the network first, for long runs (needs a C++ compiler)")
    add("--deterministic", action="store_true", help="the same result each time on a GPU too, more slowly")
    add(
        "--state-every", type=float, default=10.0, metavar="MINUTES",
        help="keep the state within an epoch that often, 0: only after epochs (default: %(default)g)",
    )  # fmt: skip
    add(
        "--devices", type=_devices, metavar="N",
        help="processes on this machine, one a GPU, or auto: as many as it has GPUs (default: 1, or what torchrun or "
        "srun started)",
    )  # fmt: skip
    add("--nodes", type=_positive, help="machines (default: 1, or what torchrun or srun started)")
    return found


def settings_of(args: argparse.Namespace) -> dict[str, Any]:
    """What the options change in a recipe, by key; keys of groups have dots.

    Raises:
        RecipeError: an entry of ``--set`` that is no key and value.
    """
    found = {key: value for option, key in _KEYS.items() if (value := getattr(args, option)) is not None}
    if args.classes is not None:
        found["data.classes"] = [each.strip() for each in args.classes.split(",")]
    for entry in args.settings:
        key, equals, value = entry.partition("=")
        try:
            found[key.strip()] = yaml.safe_load(value)
        except yaml.YAMLError as error:
            raise RecipeError(f"--set {entry}: {value!r} is no value; give it as a recipe has it.") from error
        if not equals or not key.strip():
            raise RecipeError(f"--set {entry}: expected KEY=VALUE, such as optimiser.lr=0.01.")
    return found


def told_of(args: argparse.Namespace) -> dict[str, Any]:
    """The options that decide what comes out, as a card keeps them (``COMMAND_OPTIONS``)."""
    names = ("dataset", "classes", "fold", "epochs", "minutes", "limit", "seed", "lr", "batch_size")
    told = {name.replace("_", "-"): value for name in names if (value := getattr(args, name)) is not None}
    return {**told, **({"set": list(args.settings)} if args.settings else {})}


def called(recipe: Recipe, ending: str = "", name: str | None = None) -> Recipe:
    """The recipe with its checkpoints under other names: ``name``, with the target where there are several, or their
    own, and an ``ending``."""

    def new(key: str, old: str) -> str:
        return (old if not name else name if len(recipe.targets) == 1 else f"{name}-{key}") + ending

    targets = {
        key: dataclasses.replace(target, checkpoint=new(key, target.checkpoint))
        for key, target in recipe.targets.items()
    }
    return dataclasses.replace(recipe, targets=targets)


def machine_of(args: argparse.Namespace, environment: Mapping[str, str] = os.environ) -> Machine:
    """Where and as how many processes to train: as the options say, or as torchrun or srun started them.

    Raises:
        RecipeError: no such accelerator here, or another number of processes than was started.
    """
    accelerator = args.accelerator
    n_gpus = _n_gpus()
    if accelerator not in ACCELERATORS:
        raise RecipeError(
            f"--accelerator is {accelerator!r}; expected one of {', '.join(ACCELERATORS)}. "
            "CUDA_VISIBLE_DEVICES chooses one of several GPUs."
        )
    if accelerator not in (AUTO, "cpu") and not n_gpus:
        raise RecipeError(f"There is no GPU here that torch can use; leave out --accelerator {accelerator}.")
    on_cpu = accelerator == "cpu" or not n_gpus
    started, devices, nodes = _started(environment), args.devices, args.nodes
    if devices == AUTO:
        devices = 1 if on_cpu else n_gpus
    if started is not None and devices is nodes is None:
        devices, nodes = started
    devices, nodes = devices or 1, nodes or 1
    if started is not None and (devices, nodes) != started:
        raise RecipeError(
            f"{started[0] * started[1]} processes were started on {started[1]} machines, and the options say {devices} "
            f"on each of {nodes}; leave --devices and --nodes out."
        )
    if not on_cpu and devices > n_gpus:
        raise RecipeError(f"--devices is {devices}, and there are {n_gpus} GPUs; take that many, or --devices auto.")
    if not args.state_every >= 0:
        raise RecipeError(f"--state-every is {args.state_every:g} minutes; give 0 or more.")
    return Machine(accelerator, devices, nodes, args.compile, args.deterministic, args.state_every)


def _n_gpus() -> int:
    return torch.cuda.device_count() if torch.cuda.is_available() else int(torch.backends.mps.is_available())


def _started(environment: Mapping[str, str]) -> tuple[int, int] | None:
    """Processes a machine and machines that torchrun or srun started; None where there is but this one."""
    here = {"WORLD_SIZE": "LOCAL_WORLD_SIZE", "SLURM_STEP_NUM_TASKS": ""}
    for total, each in here.items():
        n = int(environment.get(total) or 1)
        if n > 1:
            nodes = int(environment.get("SLURM_STEP_NUM_NODES" if not each else "") or 1)
            local = int(environment.get(each) or n // nodes)
            return local, n // local
    return None


def _devices(text: str) -> int | str:
    return AUTO if text == AUTO else _positive(text)


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"expected 1 or more, got {value}")
    return value


def add_options(parser: argparse.ArgumentParser) -> None:
    """``--out`` and ``--replace``."""
    parser.add_argument(
        "--out", type=Path, default=added_folder(), help="where checkpoint folders go (default: %(default)s)"
    )
    parser.add_argument("--replace", action="store_true", help="put them in the place of others of their names")
